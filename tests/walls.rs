//! The walls around cells, from outside: kernels that lack one, cells that die, programs that are
//! told to end, sessions that look for each other. `HOTCELL_FULL=1` does all of it;
//! `HOTCELL_REQUIRE=full` fails where this machine cannot give every wall, instead of skipping.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test that fails says so by panicking, and starts the program it tests"
)]

#[path = "walls/deaths.rs"]
mod deaths;
#[path = "walls/ends.rs"]
mod ends;
#[path = "walls/isolation.rs"]
mod isolation;
#[path = "walls/missing.rs"]
mod missing;
#[allow(dead_code, reason = "another suite's, of which this one needs a part")]
#[path = "it/process.rs"]
mod process;
#[path = "walls/refusal.rs"]
mod refusal;
#[path = "walls/traces.rs"]
mod traces;

/// Whether everything is asked for, not a sample.
pub(crate) fn all_of_it() -> bool {
    std::env::var_os("HOTCELL_FULL").is_some_and(|value| value == "1")
}

/// Whether a wall that this machine does not give fails its test.
pub(crate) fn must_have_all() -> bool {
    std::env::var_os("HOTCELL_REQUIRE").is_some_and(|value| value == "full")
}
