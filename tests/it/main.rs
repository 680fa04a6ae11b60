//! The integration tests: one binary, one module a subject.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test that fails says so by panicking, and starts the program it tests"
)]

mod architecture;
mod artefacts;
mod calls;
mod cancel;
mod descriptors;
mod doctor;
mod door;
mod held;
mod papers;
mod policies;
mod process;
mod programs;
mod run;
mod telemetry;
