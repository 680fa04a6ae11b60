//! The Wasm runner. The broker's side starts cell processes and hands them orders: `pool` and what it
//! stands on (`places`, `spares`, `starter`, `live`, `link`), `guests` with `cache` and `artefact`,
//! `attack` and `complaints`. The rest is the cell's side: `run` takes orders, `kernel` is the process
//! model, `wasi` the host functions, `engine` and `programs` what is run and by what.

mod artefact;
mod attack;
mod cache;
mod catalogue;
mod compile;
mod complaints;
#[cfg(feature = "components")]
mod component;
mod deadline;
mod engine;
mod error;
mod guests;
mod input;
mod kernel;
mod link;
mod live;
mod natives;
mod order;
mod places;
mod pool;
mod programs;
mod run;
mod runtime;
mod socket;
mod spares;
mod starter;
mod threads;
mod tool_file;
mod tools;
mod wasi;
mod wire;
#[cfg(feature = "test-without-walls")]
pub mod without;

pub use attack::Attacked;
pub use catalogue::program_names;
pub use compile::{compile, warm};
pub use error::{CellError, PoolError, StartError};
pub use input::Source;
pub use link::Chunk;
pub use natives::{Above, Native};
pub use order::{
    Mount, NATIVE_WORDS_MAX, NativeAsk, NativeEnd, NativeStatus, Order, SessionHolds, Stdin, Stream,
};
pub use pool::{CellOptions, CellPool, Home, Ties};
pub use run::{CellArguments, cell_main};
pub use starter::Walls;
pub use tools::{LateCompiler, check_file};
