//! `csv-summary` says what the columns of a CSV file hold.
//!
//! Called as a tool it has no arguments. Standard input is one JSON text:
//!
//! ```json
//! {"path": "people.csv", "delimiter": ";"}
//! ```
//!
//! and the answer on standard output is another:
//!
//! ```json
//! {"rows": 2, "columns": [
//!   {"name": "name", "filled": 2, "empty": 0, "distinct": 2},
//!   {"name": "age", "filled": 2, "empty": 0, "distinct": 2, "min": 34.0, "max": 41.0, "mean": 37.5}]}
//! ```
//!
//! The first record is the header. `min`, `max` and `mean` are there when every filled cell of a
//! column is a number. `distinct` counts up to a bound; `"distinct_is_minimum": true` says that there
//! are at least as many. Records that are shorter or longer than the header are counted in `ragged`;
//! a cell that is missing counts as empty.
//!
//! In the shell it is a filter: `csv-summary [-d CHAR] FILE|-` prints a line for each column, with
//! tabs between name, filled, empty, distinct, min, max and mean (`-` where there is none):
//!
//! ```sh
//! csv-summary people.csv | sort -t "$(printf '\t')" -k4,4nr | head -3
//! ```
//!
//! A failure is a sentence on standard error and exit code 1. Memory does not grow with the file.

#![forbid(unsafe_code)]

mod column;
mod input;
mod summary;

use std::{
    fs::File,
    io::{self, Read, Write},
    process::ExitCode,
};

use summary::Summary;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let answer = if arguments.is_empty() {
        tool()
    } else {
        filter(&arguments)
    };
    let written = answer.and_then(|text| {
        let mut output = io::stdout().lock();
        output
            .write_all(text.as_bytes())
            .and_then(|()| output.flush())
            .map_err(|error| format!("cannot write the answer: {error}"))
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("csv-summary: {message}");
            ExitCode::FAILURE
        }
    }
}

/// JSON in, JSON out.
fn tool() -> Result<String, String> {
    let input = input::from_json(io::stdin().lock())?;
    let summary = summarize(&input.path, input.delimiter)?;
    serde_json::to_string(&summary).map_err(|error| format!("cannot write the answer: {error}"))
}

/// Arguments and a stream in, lines out.
fn filter(arguments: &[String]) -> Result<String, String> {
    let input = input::from_arguments(arguments)?;
    Ok(summarize(&input.path, input.delimiter)?.lines())
}

fn summarize(path: &str, delimiter: u8) -> Result<Summary, String> {
    let source: Box<dyn Read> = if path == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(path).map_err(|error| {
            format!(
                "cannot open {path:?}: {error}; name a file in a folder that the tool was given"
            )
        })?)
    };
    summary::of(source, delimiter).map_err(|error| format!("{path:?}: {error}"))
}
