//! The file tools of an agent: `files TOOL`, the tool's input as JSON on standard input.
//!
//! Exit 0 with the answer on standard output (and, where a ceiling cut it, a note on standard
//! error), or exit 1 with `TOOL: reason` on standard error. It knows nothing of mounts or
//! policies: what a path may reach is the host's affair, and every path here is the guest's.

mod answer;
mod edit;
mod glob;
mod grep;
mod input;
mod place;
mod read;
mod replace;
mod walk;
mod write;

use std::process::ExitCode;

#[cfg(target_os = "wasi")]
use guest_start as _;

use answer::{Answer, Failure};

fn main() -> ExitCode {
    let tool = std::env::args().nth(1).unwrap_or_default();
    let done = place::read_input().map_err(|e| Failure::new(format!("input: {e}")));
    match done.and_then(|input| run(&tool, &input)) {
        Ok(answer) => finish(&tool, answer),
        Err(failure) => {
            place::write_error(format!("{tool}: {}", failure.text()).as_bytes());
            ExitCode::FAILURE
        }
    }
}

fn run(tool: &str, input: &[u8]) -> Result<Answer, Failure> {
    match tool {
        "read_file" => read::read_file(input),
        "write_file" => write::write_file(input),
        "read" => read::read(input),
        "write" => write::write(input),
        "edit" => edit::edit(input),
        "glob" => glob::glob(input),
        "grep" => grep::grep(input),
        _ => Err(Failure::new(
            "no such tool here; there are read, write, edit, glob, grep, read_file, write_file"
                .to_owned(),
        )),
    }
}

fn finish(tool: &str, answer: Answer) -> ExitCode {
    if let Err(error) = place::write_output(&answer.bytes) {
        place::write_error(format!("{tool}: output: {error}").as_bytes());
        return ExitCode::FAILURE;
    }
    if let Some(note) = answer.note {
        place::write_error(format!("{tool}: {note}").as_bytes());
    }
    ExitCode::SUCCESS
}
