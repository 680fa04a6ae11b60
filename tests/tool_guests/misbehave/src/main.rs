//! The command: its order is the first line of standard input, or its first argument if that begins
//! with `{`, which leaves standard input to `echo` and `read-stdin-forever`.

use std::{
    io::{self, BufRead, Write},
    process::ExitCode,
};

use misbehave::{Form, Order, perform};

fn main() -> ExitCode {
    match run() {
        Ok(text) => {
            let mut output = io::stdout().lock();
            match output
                .write_all(text.as_bytes())
                .and_then(|()| output.flush())
            {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            }
        }
        Err(message) => {
            eprintln!("misbehave: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<String, String> {
    let first = std::env::args()
        .nth(1)
        .filter(|argument| argument.starts_with('{'));
    let line = match first {
        Some(argument) => argument,
        None => {
            let mut line = String::new();
            io::stdin()
                .lock()
                .read_line(&mut line)
                .map_err(|error| format!("cannot read the order: {error}"))?;
            line
        }
    };
    perform(&Order::read(&line)?, Form::Command)
}
