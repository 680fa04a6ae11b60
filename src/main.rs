//! The `hotcell` program: parses its command line and ends with the code of what it ran.

use std::process::ExitCode;

fn main() -> ExitCode {
    hotcell::cli::main()
}
