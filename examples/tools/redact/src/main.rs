//! `redact` takes e-mail addresses, IPv4 addresses, keys and card numbers out of a text.
//!
//! Called as a tool it has no arguments. Standard input is one JSON text, with the text itself or a
//! file, and the kinds to take out (all, if none are named):
//!
//! ```json
//! {"text": "mail ann@example.org from 10.0.0.1", "kinds": ["email", "ip"]}
//! ```
//!
//! and the answer on standard output is the text with marks in their places:
//!
//! ```text
//! mail [email] from [ip]
//! ```
//!
//! | kind | what is taken | mark |
//! |---|---|---|
//! | `email` | `name@host.tld` | `[email]` |
//! | `ip` | four numbers up to 255 with dots, not part of a longer row | `[ip]` |
//! | `key` | tokens after `Bearer`, values after `api_key`, `token`, `secret` and `password`, keys with well-known beginnings, JSON Web Tokens | `[key]` |
//! | `card` | 13 to 19 digits, with single spaces or dashes between, whose Luhn sum is right | `[card]` |
//!
//! In the shell it is a filter that works line by line: `redact [--kinds LIST] FILE|-`.
//!
//! ```sh
//! tail -n 100 server.log | redact --kinds email,ip - | sort | uniq -c
//! ```
//!
//! A line longer than 1 MiB ends the work with an error: cut in two, a secret at the cut would stay.
//! It finds what looks like these kinds. That is no promise that a text holds nothing else.

#![forbid(unsafe_code)]

mod card;
mod input;
mod lines;
mod redactor;

use std::{
    fs::File,
    io::{self, BufReader, Read},
    process::ExitCode,
};

use input::{Input, Source};
use redactor::Redactor;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("redact: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Input { source, kinds } = if arguments.is_empty() {
        input::from_json(io::stdin().lock())?
    } else {
        input::from_arguments(&arguments)?
    };
    let reader: Box<dyn Read> = match source {
        Source::Text(text) => Box::new(io::Cursor::new(text)),
        Source::StandardInput => Box::new(io::stdin().lock()),
        Source::File(path) => Box::new(File::open(&path).map_err(|error| {
            format!(
                "cannot open {path:?}: {error}; name a file in a folder that the tool was given"
            )
        })?),
    };
    let redactor = Redactor::new(&kinds)?;
    let output = io::BufWriter::new(io::stdout().lock());
    lines::each(BufReader::new(reader), output, |line| redactor.redact(line))
}
