//! `strings`: runs of printable characters.

use std::{
    ffi::OsString,
    io::{self, BufReader, BufWriter, Read, Write},
};

use options::{Grammar, Line, Takes, reason};

use crate::{open, stdin};

const GRAMMAR: Grammar = Grammar {
    short: "0123456789adfhHe:n:os:t:T:U:vVw",
    long: &[
        ("all", Takes::Nothing, 'a' as u32),
        ("bytes", Takes::Value, 'n' as u32),
        ("data", Takes::Nothing, 'd' as u32),
        ("encoding", Takes::Value, 'e' as u32),
        ("help", Takes::Nothing, 'h' as u32),
        ("include-all-whitespace", Takes::Nothing, 'w' as u32),
        ("output-separator", Takes::Value, 's' as u32),
        ("print-file-name", Takes::Nothing, 'f' as u32),
        ("radix", Takes::Value, 't' as u32),
        ("version", Takes::Nothing, 'V' as u32),
    ],
};

/// A run longer than this is printed in pieces' worth of memory at most. Chosen, not measured.
const RUN_MAX: usize = 1 << 20;

struct Settings {
    least: usize,
    radix: Option<char>,
    names: bool,
    separator: Vec<u8>,
    whitespace: bool,
    /// Bytes per character, and whether the low one comes first.
    width: usize,
    little: bool,
    eight_bits: bool,
}

/// Runs `strings`.
pub fn run(arguments: Vec<OsString>) -> i32 {
    let line = match GRAMMAR.parse(arguments.into_iter()) {
        Ok(line) => line,
        Err(message) => {
            eprintln!("strings: {message}");
            return 1;
        }
    };
    if line.has('h') {
        println!(
            "Usage: strings [-a] [-f] [-n NUMBER] [-o] [-t o|d|x] [-e s|S|b|l|B|L] [-s SEPARATOR] [-w] [FILE]..."
        );
        return 0;
    }
    if line.has('V') || line.has('v') {
        println!("strings (hotcell) {}", env!("CARGO_PKG_VERSION"));
        return 0;
    }
    let settings = match settings(&line) {
        Ok(settings) => settings,
        Err(message) => {
            eprintln!("strings: {message}");
            return 1;
        }
    };
    let mut output = BufWriter::new(io::stdout().lock());
    let mut status = 0;
    // A bare `-` is an old way to say `-a`.
    let files = || line.operands.iter().filter(|operand| *operand != "-");
    if files().count() == 0 {
        let scanned = settings.scan(stdin(), "{standard input}", &mut output);
        status = report("{standard input}", scanned);
    }
    for operand in files() {
        let name = operand.to_string_lossy().into_owned();
        let scanned = match open(operand) {
            Ok(file) => settings.scan(file, &name, &mut output),
            Err(error) => Err(error),
        };
        status |= report(&name, scanned);
    }
    if output.flush().is_err() { 1 } else { status }
}

fn settings(line: &Line) -> Result<Settings, String> {
    let digits: String = line
        .options
        .iter()
        .filter_map(|found| char::from_u32(found.code).filter(char::is_ascii_digit))
        .collect();
    let text = line.value('n').or((!digits.is_empty()).then_some(digits));
    let text = text.unwrap_or_else(|| "4".to_owned());
    let least = match text.parse::<usize>() {
        Ok(0) | Err(_) => {
            return Err(format!("invalid minimum string length {text}"));
        }
        Ok(least) => least,
    };
    let radix = if line.has('o') { Some('o') } else { None };
    let radix = line
        .value('t')
        .and_then(|text| text.chars().next())
        .or(radix);
    if radix.is_some_and(|radix| !"odx".contains(radix)) {
        return Err(format!(
            "invalid radix '{}': o, d or x",
            radix.unwrap_or_default()
        ));
    }
    let encoding = line.value('e').unwrap_or_else(|| "s".to_owned());
    let (width, little, eight_bits) = match encoding.as_str() {
        "s" => (1, false, false),
        "S" => (1, false, true),
        "b" => (2, false, false),
        "l" => (2, true, false),
        "B" => (4, false, false),
        "L" => (4, true, false),
        _ => {
            return Err(format!("invalid encoding '{encoding}': s, S, b, l, B or L"));
        }
    };
    Ok(Settings {
        least,
        radix,
        names: line.has('f'),
        separator: line.value('s').map_or(b"\n".to_vec(), String::into_bytes),
        whitespace: line.has('w'),
        width,
        little,
        eight_bits,
    })
}

fn report(name: &str, result: io::Result<()>) -> i32 {
    let Err(error) = result else {
        return 0;
    };
    match error.kind() {
        io::ErrorKind::NotFound => eprintln!("strings: '{name}': No such file"),
        io::ErrorKind::IsADirectory => eprintln!("strings: Warning: '{name}' is a directory"),
        _ => eprintln!("strings: {name}: {}", reason(&error)),
    }
    1
}

impl Settings {
    fn printable(&self, character: u32) -> bool {
        let Ok(byte) = u8::try_from(character) else {
            return false;
        };
        matches!(byte, b' '..=b'~' | b'\t')
            || self.eight_bits && byte > 127
            || self.whitespace && matches!(byte, b'\n' | b'\r' | 0x0b | 0x0c)
    }

    fn scan(&self, input: impl Read, name: &str, output: &mut impl Write) -> io::Result<()> {
        let mut bytes = BufReader::with_capacity(1 << 16, input).bytes();
        let (mut offset, mut run, mut start) = (0u64, Vec::new(), 0u64);
        let mut open = false;
        loop {
            let mut character = 0u32;
            let mut missing = false;
            for index in 0..self.width {
                match bytes.next() {
                    Some(byte) if self.little => character |= u32::from(byte?) << (8 * index),
                    Some(byte) => character = character << 8 | u32::from(byte?),
                    None => missing = true,
                }
            }
            let printable = !missing && self.printable(character);
            if printable {
                if run.is_empty() && !open {
                    start = offset;
                }
                run.push(character as u8);
            }
            if run.len() >= RUN_MAX || !printable && (open || run.len() >= self.least) {
                if !open {
                    self.prefix(name, start, output)?;
                }
                output.write_all(&run)?;
                open = printable;
                run.clear();
                if !open {
                    output.write_all(&self.separator)?;
                }
            }
            if missing {
                return Ok(());
            }
            if !printable {
                run.clear();
            }
            offset += self.width as u64;
        }
    }

    fn prefix(&self, name: &str, start: u64, output: &mut impl Write) -> io::Result<()> {
        if self.names {
            write!(output, "{name}: ")?;
        }
        match self.radix {
            Some('o') => write!(output, "{start:>7o} "),
            Some('d') => write!(output, "{start:>7} "),
            Some(_) => write!(output, "{start:>7x} "),
            None => Ok(()),
        }
    }
}
