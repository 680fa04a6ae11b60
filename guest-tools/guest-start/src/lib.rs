//! What every guest links: the start-up that runs before `main`, the libc functions preview 1
//! cannot answer, and safe wrappers over the host's process imports.
//!
//! The host side of every import is in the cell's `wasi` and `kernel` rooms. A binary that only
//! needs the start-up writes `use guest_start as _;`.

pub mod descriptor;
pub mod file;
mod imports;
pub mod process;
pub mod signal;
mod standard_input;
mod start;
pub mod state;

use std::io;

/// Turns a host answer (a value, or a negated WASI errno) into a result.
fn check(answer: i32) -> io::Result<u32> {
    u32::try_from(answer).map_err(|_| io::Error::from_raw_os_error(-answer))
}
