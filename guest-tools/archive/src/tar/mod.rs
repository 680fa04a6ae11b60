//! `tar`: GNU's command line, messages and archives.

mod archive_file;
mod command_line;
mod create;
mod extract;
mod grammar;
mod list;
mod mode;
mod names;
mod stamp;
mod update;

use std::{cell::Cell, ffi::OsString, io};

use command_line::{Operation, Request};
use options::reason;

const FAILED: i32 = 2;
/// EX_USAGE of `sysexits.h`.
const BAD_COMMAND_LINE: i32 = 64;

/// Why nothing more can be done.
pub enum Trouble {
    /// Words that are no command line, which has a status of its own.
    CommandLine(String),
    Usage(String),
    Fatal(String),
    /// A compressor that is not here.
    NoProgram(String),
}

impl Trouble {
    fn fatal(what: String, error: &io::Error) -> Self {
        Self::Fatal(format!("{what}: {}", reason(error)))
    }
}

/// Remembers whether something went wrong on the way.
#[derive(Default)]
pub struct Verdict {
    status: Cell<i32>,
    differs: Cell<bool>,
}

impl Verdict {
    fn error(&self, message: &str) {
        say(message);
        self.status.set(FAILED);
    }
}

fn say(message: &str) {
    use io::Write;
    let _ = io::stdout().flush();
    eprintln!("tar: {message}");
}

/// Runs `tar`.
pub fn run(arguments: Vec<OsString>) -> i32 {
    let verdict = Verdict::default();
    let done = command_line::read(arguments).and_then(|request| match request {
        Some(request) => operate(&request, &verdict),
        None => Ok(()),
    });
    match done {
        Ok(()) if verdict.status.get() != 0 => {
            say("Exiting with failure status due to previous errors");
            FAILED
        }
        Ok(()) => i32::from(verdict.differs.get()),
        Err(Trouble::Usage(message)) => {
            usage(&message);
            FAILED
        }
        Err(Trouble::CommandLine(message)) => {
            usage(&message);
            BAD_COMMAND_LINE
        }
        Err(Trouble::Fatal(message)) => {
            if !message.is_empty() {
                say(&message);
            }
            say("Error is not recoverable: exiting now");
            FAILED
        }
        Err(Trouble::NoProgram(program)) => {
            eprintln!(
                "tar (child): {program}: Cannot exec: No such file or directory (here: gzip, option -z)"
            );
            eprintln!("tar (child): Error is not recoverable: exiting now");
            say("Child returned status 2");
            say("Error is not recoverable: exiting now");
            FAILED
        }
    }
}

fn usage(message: &str) {
    say(message);
    eprintln!("Try 'tar --help' or 'tar --usage' for more information.");
}

fn operate(request: &Request, verdict: &Verdict) -> Result<(), Trouble> {
    match request.operation {
        Operation::Create => create::run(request, verdict),
        Operation::Append | Operation::Update => update::append(request, verdict),
        Operation::Delete => update::delete(request, verdict),
        Operation::Extract => extract::run(request, verdict),
        Operation::Compare => extract::compare(request, verdict),
        Operation::List => list::run(request, verdict),
    }
}
