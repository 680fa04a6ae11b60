//! Every case under `tests/userland` must print the same and exit the same with the system's
//! GNU programs.

mod differential;
mod server;

fn main() -> std::process::ExitCode {
    differential::run("userland")
}
