//! WASI components of the operator's own: an engine, a store and a host of their own, in a cell that
//! has one of them mapped and no guest. Their processes are the kernel's, so a call's limits, its
//! cancel and its streams mean what they mean for guests.

mod engine;
mod host;
mod run;
mod streams;
mod tool;

pub use engine::{compiler, engine, features};
pub use run::run;
pub use tool::ComponentTool;
