//! The process model: what WASI lacks. Knows processes, pipes, descriptors and signals of one
//! call; knows nothing of HTTP, policy or the broker.

mod call;
mod descriptor;
mod guest;
mod launch;
mod native;
mod output;
mod pipe;
mod process;
pub mod signal;
mod spawn;
mod turns;
mod wait;

pub use call::{Call, STATE_BYTES_MAX};
pub use descriptor::{Descriptor, Descriptors, Device, Input, NUMBERS_MAX};
pub use guest::{
    Code, Exit, FIRST_PREOPEN, FUEL_START, Guest, Image, Preopen, Strings, settle_fuel,
};
pub use launch::{start_first, wait_interruptibly};
pub use output::{Output, Window};
pub use pipe::{Gauge, PIPE_BYTES, PipeReader, PipeWriter, pipe};
pub use process::{Inherited, Pid, Process, Status};
pub use spawn::{SpawnRequest, exec, fork, spawn};
pub use turns::NextTurn;
pub use wait::{kill, wait};
