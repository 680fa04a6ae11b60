//! The native runner: starts programs of the host that a rule allows, enclosed by the kernel, and
//! takes over what they changed. `stage` is the process that becomes such a program; the rest is
//! the broker's side.

mod changes;
mod error;
mod lane;
mod order;
mod overlay;
mod pin;
mod profile;
mod running;
mod scene;
mod stage;
mod waiting;

pub use error::NativeError;
pub use lane::{NativeLane, NativeOrder};
pub use order::{Ended, Status};
pub use running::{Running, Taken};
pub use stage::stage_main;
