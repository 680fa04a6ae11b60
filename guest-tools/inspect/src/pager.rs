//! `less` and `more` where there is no terminal: they show everything, as the originals do then.

use std::{
    ffi::OsString,
    io::{self, Write},
};

use options::reason;

use crate::{open, stdin};

const LESS_HELP: &str = "Usage: less [OPTION]... [FILE]...\n\
    There is no terminal here, so less prints whole files; see head, tail and grep for parts.";

/// The letters of less that have a value.
const LESS_VALUES: &str = "bhjkoOpPtTxyzD#\"";

/// Runs `less`: options only matter on a terminal.
pub fn less(arguments: Vec<OsString>) -> i32 {
    let mut files = Vec::new();
    let mut rest = arguments.into_iter();
    let mut squeeze = false;
    while let Some(argument) = rest.next() {
        let text = argument.to_string_lossy().into_owned();
        if text == "--" {
            files.extend(rest);
            break;
        } else if text == "--help" || text == "-?" {
            println!("{LESS_HELP}");
            return 0;
        } else if text == "--version" || text == "-V" {
            println!("less (hotcell) {}", env!("CARGO_PKG_VERSION"));
            return 0;
        } else if let Some(letters) = text.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            squeeze |= !letters.starts_with('-') && letters.contains('s');
            let valued = |c: char| LESS_VALUES.contains(c);
            let last = letters.chars().last().is_some_and(valued);
            if !letters.starts_with('-') && last && !letters[..letters.len() - 1].contains(valued) {
                rest.next();
            }
        } else if text.len() < 2 || !text.starts_with('+') {
            files.push(argument);
        }
    }
    if files.is_empty() {
        return copy(&mut stdin(), squeeze);
    }
    for file in files {
        let name = file.to_string_lossy().into_owned();
        let status = if name == "-" {
            copy(&mut stdin(), squeeze)
        } else {
            match open(&file) {
                Ok(mut file) => copy(&mut file, squeeze),
                // Said on standard output, and no failure: it would be a message on the screen.
                Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
                    println!("{name} is a directory");
                    0
                }
                Err(error) => {
                    println!("{name}: {}", reason(&error));
                    0
                }
            }
        };
        if status != 0 {
            return status;
        }
    }
    0
}

/// Runs `more`.
pub fn more(arguments: Vec<OsString>) -> i32 {
    let mut files = Vec::new();
    let mut rest = arguments.into_iter();
    while let Some(argument) = rest.next() {
        let text = argument.to_string_lossy().into_owned();
        match text.as_str() {
            "--" => {
                files.extend(rest);
                break;
            }
            "-n" | "--lines" => drop(rest.next()),
            "-h" | "--help" => {
                println!("Usage: more [options] <file>...");
                return 0;
            }
            "-V" | "--version" => {
                println!("more (hotcell) {}", env!("CARGO_PKG_VERSION"));
                return 0;
            }
            _ if text.len() > 1 && text.starts_with(['-', '+']) => {}
            _ => files.push(argument),
        }
    }
    if files.is_empty() {
        return copy(&mut stdin(), false);
    }
    for file in files {
        let name = file.to_string_lossy().into_owned();
        match open(&file) {
            Ok(mut file) => {
                println!("::::::::::::::\n{name}\n::::::::::::::");
                copy(&mut file, false);
            }
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
                println!("\n*** {name}: directory ***\n");
            }
            Err(error) => {
                let _ = io::stdout().flush();
                eprintln!("more: cannot open {name}: {}", reason(&error));
            }
        }
    }
    0
}

fn copy(input: &mut impl io::Read, squeeze: bool) -> i32 {
    let mut output = io::stdout().lock();
    let result = if squeeze {
        squeezed(input, &mut output)
    } else {
        io::copy(input, &mut output).map(drop)
    };
    match result.and_then(|()| output.flush()) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("{}", reason(&error));
            1
        }
    }
}

/// Several empty lines become one.
fn squeezed(input: &mut impl io::Read, output: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    let mut ends = 1;
    loop {
        let count = input.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        let mut kept = Vec::with_capacity(count);
        for byte in &buffer[..count] {
            ends = if *byte == b'\n' { ends + 1 } else { 0 };
            if ends <= 2 {
                kept.push(*byte);
            }
        }
        output.write_all(&kept)?;
    }
}
