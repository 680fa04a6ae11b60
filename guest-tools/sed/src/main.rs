//! `sed`: a script is read once into commands, then run on every line.

mod execute;
mod input;
mod output;
mod parse;
mod script;
mod substitute;
mod text;

use std::{ffi::OsString, io::Write, os::wasi::ffi::OsStringExt};

use options::{Grammar, Takes};

use guest_start as _;

const GRAMMAR: Grammar = Grammar {
    short: "bsnrzuEe:f:l:i::V:hs",
    long: &[
        ("binary", Takes::Nothing, 'b' as u32),
        ("regexp-extended", Takes::Nothing, 'r' as u32),
        ("debug", Takes::Nothing, 1000),
        ("in-place", Takes::Perhaps, 'i' as u32),
        ("expression", Takes::Value, 'e' as u32),
        ("file", Takes::Value, 'f' as u32),
        ("line-length", Takes::Value, 'l' as u32),
        ("null-data", Takes::Nothing, 'z' as u32),
        ("zero-terminated", Takes::Nothing, 'z' as u32),
        ("quiet", Takes::Nothing, 'n' as u32),
        ("silent", Takes::Nothing, 'n' as u32),
        ("posix", Takes::Nothing, 1001),
        ("separate", Takes::Nothing, 's' as u32),
        ("sandbox", Takes::Nothing, 1002),
        ("unbuffered", Takes::Nothing, 'u' as u32),
        ("follow-symlinks", Takes::Nothing, 1003),
        ("help", Takes::Nothing, 'h' as u32),
        ("version", Takes::Nothing, 1004),
    ],
};

const USAGE: &str = "Usage: sed [OPTION]... {script-only-if-no-other-script} [input-file]...\n";

/// What the command line says beside the script.
pub struct Settings {
    pub quiet: bool,
    pub extended: bool,
    pub separate: bool,
    /// The suffix of the copies that `-i` keeps; empty for none.
    pub in_place: Option<String>,
    pub terminator: u8,
    pub unbuffered: bool,
    pub sandbox: bool,
    pub posix: bool,
    pub line_length: usize,
}

fn main() {
    std::process::exit(run(std::env::args_os().skip(1).collect()));
}

fn run(arguments: Vec<OsString>) -> i32 {
    let line = match GRAMMAR.parse(arguments.into_iter()) {
        Ok(line) => line,
        Err(message) => {
            eprintln!("sed: {message}\n{USAGE}");
            return 1;
        }
    };
    if line.has('h') {
        print!("{USAGE}");
        return 0;
    }
    if line.options.iter().any(|found| found.code == 1004) {
        println!("sed (hotcell) {}", env!("CARGO_PKG_VERSION"));
        return 0;
    }
    match prepare(line) {
        Ok((script, settings, files)) => execute::Machine::new(&script, &settings, files).run(),
        Err((message, status)) => {
            let _ = std::io::stdout().flush();
            eprintln!("sed: {message}");
            status
        }
    }
}

type Prepared = (script::Script, Settings, Vec<OsString>);

fn prepare(line: options::Line) -> Result<Prepared, (String, i32)> {
    if line.options.iter().any(|found| found.code == 1000) {
        return Err((
            "--debug is not supported here; run the script without it".to_owned(),
            1,
        ));
    }
    let mut settings = Settings {
        quiet: line.has('n'),
        extended: line.has('r') || line.has('E'),
        separate: line.has('s') || line.has('i'),
        in_place: line.has('i').then(|| line.value('i').unwrap_or_default()),
        terminator: if line.has('z') { 0 } else { b'\n' },
        unbuffered: line.has('u'),
        sandbox: line.options.iter().any(|found| found.code == 1002),
        posix: line.options.iter().any(|found| found.code == 1001),
        line_length: 70,
    };
    if let Some(length) = line.value('l') {
        settings.line_length = length
            .parse()
            .map_err(|_| (format!("invalid line length: {length}"), 1))?;
    }
    let mut operands = line.operands;
    let mut parts: Vec<Vec<u8>> = Vec::new();
    for found in &line.options {
        match char::from_u32(found.code) {
            Some('e') => parts.push(found.value.clone().unwrap_or_default()),
            Some('f') => parts.push(script_file(&found.text())?),
            _ => {}
        }
    }
    if parts.is_empty() {
        if operands.is_empty() {
            return Err((USAGE.trim_end().to_owned(), 1));
        }
        parts.push(operands.remove(0).into_vec());
    }
    let text = parts.join(&b'\n');
    if text.starts_with(b"#n\n") || text == b"#n" {
        settings.quiet = true;
    }
    let script = parse::parse(&text, &settings).map_err(|message| (message, 1))?;
    Ok((script, settings, operands))
}

fn script_file(path: &str) -> Result<Vec<u8>, (String, i32)> {
    let place = if path == "-" { "/dev/stdin" } else { path };
    let mut text = std::fs::read(place).map_err(|error| {
        (
            format!("couldn't open file {path}: {}", options::reason(&error)),
            1,
        )
    })?;
    if text.last() == Some(&b'\n') {
        text.pop();
    }
    Ok(text)
}
