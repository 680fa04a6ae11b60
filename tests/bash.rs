//! Every case under `tests/bash` must print the same and exit the same as the system's bash.

mod differential;
mod server;

fn main() -> std::process::ExitCode {
    differential::run("bash")
}
