//! `rev [FILE]...`

use std::{
    ffi::OsString,
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Write},
};

use options::{Grammar, Takes, reason};

use super::{HELP, VERSION, bad_usage, information};

const GRAMMAR: Grammar = Grammar {
    short: "0hV",
    long: &[("zero", Takes::Nothing, '0' as u32), HELP, VERSION],
};
const USAGE: &str = "Usage: rev [-0] [FILE]...\n";

pub fn run(name: &str, arguments: Vec<OsString>) -> i32 {
    let mut line = match GRAMMAR.parse(arguments.into_iter()) {
        Ok(line) => line,
        Err(message) => return bad_usage(name, &message, 1),
    };
    for found in &mut line.options {
        found.code = match char::from_u32(found.code) {
            Some('h') => HELP.2,
            Some('V') => VERSION.2,
            _ => found.code,
        };
    }
    if let Some(status) = information(name, &line, USAGE) {
        return status;
    }
    let end = if line.has('0') { 0 } else { b'\n' };
    let mut out = BufWriter::new(io::stdout().lock());
    let mut status = 0;
    if line.operands.is_empty() {
        let stdin = std::mem::ManuallyDrop::new(guest_start::descriptor::into_file(0));
        if let Err(error) = reverse(&*stdin, end, &mut out) {
            eprintln!("{name}: stdin: {}", reason(&error));
            status = 1;
        }
    }
    for operand in &line.operands {
        let shown = operand.to_string_lossy();
        match File::open(operand) {
            Ok(file) => {
                if let Err(error) = reverse(&file, end, &mut out) {
                    eprintln!("{name}: {shown}: {}", reason(&error));
                    status = 1;
                }
            }
            Err(error) => {
                eprintln!("{name}: cannot open {shown}: {}", reason(&error));
                status = 1;
            }
        }
    }
    if out.flush().is_err() { 1 } else { status }
}

/// Writes each line of `file` with its characters last first; `end` stays at its end.
fn reverse(file: &File, end: u8, out: &mut impl Write) -> io::Result<()> {
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    while reader.read_until(end, &mut line)? > 0 {
        let ended = line.last() == Some(&end);
        if ended {
            line.pop();
        }
        out.write_all(&backwards(&line))?;
        if ended {
            out.write_all(&[end])?;
        }
        line.clear();
    }
    Ok(())
}

/// The characters of `line`, last first; bytes that are no UTF-8 count as one each.
fn backwards(line: &[u8]) -> Vec<u8> {
    let mut pieces: Vec<&[u8]> = Vec::new();
    let mut at = 0;
    for chunk in line.utf8_chunks() {
        for char in chunk.valid().chars() {
            pieces.push(&line[at..at + char.len_utf8()]);
            at += char.len_utf8();
        }
        for _ in chunk.invalid() {
            pieces.push(&line[at..=at]);
            at += 1;
        }
    }
    pieces.into_iter().rev().flatten().copied().collect()
}
