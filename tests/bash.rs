//! Every case under `tests/bash` must print the same and exit the same as the system's bash.

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
    differential::run("bash")
}
