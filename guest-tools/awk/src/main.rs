//! `awk [-F FS] [-v VAR=VALUE] {'PROGRAM' | -f FILE} [FILE | VAR=VALUE]...`

use std::{
    ffi::OsString,
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
};

use awk_rs::{Interpreter, Lexer, Parser, ast::Pattern};
use options::{Grammar, Takes, reason};

use guest_start as _;

const FATAL: i32 = 2;

const GRAMMAR: Grammar = Grammar {
    short: "+F:v:f:PcbhW:",
    long: &[
        ("assign", Takes::Value, 'v' as u32),
        ("field-separator", Takes::Value, 'F' as u32),
        ("file", Takes::Value, 'f' as u32),
        ("posix", Takes::Nothing, 'P' as u32),
        ("traditional", Takes::Nothing, 'c' as u32),
        ("re-interval", Takes::Nothing, 'r' as u32),
        ("help", Takes::Nothing, 'h' as u32),
        ("version", Takes::Nothing, 'V' as u32),
    ],
};

const USAGE: &str = "Usage: awk [-F fs] [-v var=value] {'program' | -f progfile} [file ...]\n";

fn main() {
    let code = match run(std::env::args_os().skip(1)) {
        Ok(code) => code,
        Err(message) => {
            eprintln!("awk: {message}");
            FATAL
        }
    };
    std::process::exit(code);
}

/// A file that is opened when its first line is wanted.
enum Source {
    Named(String),
    Open(BufReader<File>),
    Failed,
}

impl Source {
    fn open(&mut self) -> &mut Self {
        if let Self::Named(name) = self {
            *self = match name.as_str() {
                "-" => Self::Open(BufReader::new(guest_start::descriptor::into_file(0))),
                path => match open(path) {
                    Ok(file) => Self::Open(BufReader::with_capacity(64 * 1024, file)),
                    Err(error) => {
                        eprintln!("awk: cannot open {path} ({})", reason(&error));
                        FAILED.store(true, std::sync::atomic::Ordering::Relaxed);
                        Self::Failed
                    }
                },
            };
        }
        self
    }
}

/// A file could not be opened, which the exit status tells.
static FAILED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

fn open(path: &str) -> io::Result<File> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok(file)
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.open() {
            Self::Open(reader) => reader.read(buffer),
            _ => Ok(0),
        }
    }
}

impl BufRead for Source {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self.open() {
            Self::Open(reader) => reader.fill_buf(),
            _ => Ok(&[]),
        }
    }
    fn consume(&mut self, amount: usize) {
        if let Self::Open(reader) = self {
            reader.consume(amount);
        }
    }
}

fn run(arguments: impl Iterator<Item = OsString>) -> Result<i32, String> {
    let line = GRAMMAR.parse(arguments)?;
    if line.has('h') {
        print!("{USAGE}");
        return Ok(0);
    }
    if line.has('V') {
        println!("awk (hotcell) {}", env!("CARGO_PKG_VERSION"));
        return Ok(0);
    }
    let mut operands: Vec<String> = line
        .operands
        .iter()
        .map(|operand| operand.to_string_lossy().into_owned())
        .collect();
    let mut program = String::new();
    for found in line.options.iter().filter(|found| found.code == 'f' as u32) {
        let path = found.text();
        let place = if path == "-" { "/dev/stdin" } else { &path };
        let text = std::fs::read_to_string(place)
            .map_err(|error| format!("cannot open {path} ({})", reason(&error)))?;
        program.push_str(&text);
        program.push('\n');
    }
    if !line.has('f') {
        if operands.is_empty() {
            return Err(USAGE.trim_end().to_owned());
        }
        program = operands.remove(0);
    }
    let tokens = Lexer::new(&program)
        .tokenize()
        .map_err(|error| error.to_string())?;
    let program = Parser::new(tokens)
        .parse()
        .map_err(|error| error.to_string())?;
    let mut interpreter = Interpreter::new(&program);
    interpreter.set_posix_mode(line.has('P'));
    if let Some(separator) = line.value('F') {
        let separator = unescape(&separator);
        interpreter.set_fs(if separator == "t" { "\t" } else { &separator });
    }
    interpreter.set_args(
        std::iter::once("awk".to_owned())
            .chain(operands.iter().cloned())
            .collect(),
    );
    for found in line.options.iter().filter(|found| found.code == 'v' as u32) {
        let text = found.text();
        let (name, value) = text
            .split_once('=')
            .ok_or_else(|| format!("improper assignment: -v {text}"))?;
        interpreter.set_variable(name, &unescape(value));
    }
    let mut files = Vec::new();
    for operand in &operands {
        match assignment(operand) {
            Some((name, value)) => interpreter.set_variable(name, &unescape(value)),
            None => files.push(operand.clone()),
        }
    }
    if files.is_empty() {
        files.push("-".to_owned());
    }
    let only_begins = !program.rules.is_empty()
        && program
            .rules
            .iter()
            .all(|rule| matches!(rule.pattern, Some(Pattern::Begin)));
    let names = files.iter().map(|file| {
        if file == "-" {
            String::new()
        } else {
            file.clone()
        }
    });
    interpreter.set_filenames(names.collect());
    let sources: Vec<Source> = if only_begins {
        Vec::new()
    } else {
        files.into_iter().map(Source::Named).collect()
    };
    let mut output = BufWriter::with_capacity(32 * 1024, guest_start::descriptor::into_file(1));
    let result = interpreter.run(sources, &mut output);
    let flushed = output.flush();
    drop(interpreter); // closes pipes and waits for their commands
    let code = result.map_err(|error| error.to_string())?;
    flushed.map_err(|error| format!("write failure ({})", reason(&error)))?;
    let failed = FAILED.load(std::sync::atomic::Ordering::Relaxed);
    Ok(if failed && code == 0 { FATAL } else { code })
}

fn assignment(operand: &str) -> Option<(&str, &str)> {
    let (name, value) = operand.split_once('=')?;
    let mut chars = name.chars();
    let starts = chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    (starts && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')).then_some((name, value))
}

/// The escapes of a string literal, which assignments on the command line have too.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('f') => out.push('\u{c}'),
            Some('v') => out.push('\u{b}'),
            Some('a') => out.push('\u{7}'),
            Some('b') => out.push('\u{8}'),
            Some('\\') => out.push('\\'),
            Some('"') => out.push('"'),
            Some('/') => out.push('/'),
            Some(other) => {
                out.push('\\');
                out.push(other);
            }
            None => out.push('\\'),
        }
    }
    out
}
