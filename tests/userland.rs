//! Every case under `tests/userland` must print the same and exit the same with the system's
//! GNU programs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test says what it found, and starts the programs it compares"
)]

mod differential;
mod server;

fn main() -> std::process::ExitCode {
    differential::run("userland")
}
