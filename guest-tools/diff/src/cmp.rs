//! `cmp [OPTION]... FILE1 [FILE2 [SKIP1 [SKIP2]]]`

use std::{
    ffi::OsString,
    fs::File,
    io::{self, BufReader, Read},
};

use options::{Grammar, Takes, reason};

const TROUBLE: i32 = 2;

const GRAMMAR: Grammar = Grammar {
    short: "bci:ln:sv",
    long: &[
        ("print-bytes", Takes::Nothing, 'b' as u32),
        ("ignore-initial", Takes::Value, 'i' as u32),
        ("verbose", Takes::Nothing, 'l' as u32),
        ("bytes", Takes::Value, 'n' as u32),
        ("quiet", Takes::Nothing, 's' as u32),
        ("silent", Takes::Nothing, 's' as u32),
        ("help", Takes::Nothing, 'h' as u32),
        ("version", Takes::Nothing, 'v' as u32),
    ],
};

/// Runs `cmp`.
pub fn run(arguments: Vec<OsString>) -> i32 {
    let complain = |message: &str| {
        eprintln!("cmp: {message}\ncmp: Try 'cmp --help' for more information.");
        TROUBLE
    };
    let line = match GRAMMAR.parse(arguments.into_iter()) {
        Ok(line) => line,
        Err(message) => return complain(&message),
    };
    if line.has('h') {
        println!("Usage: cmp [OPTION]... FILE1 [FILE2 [SKIP1 [SKIP2]]]");
        return 0;
    }
    if line.has('v') {
        println!("cmp (hotcell) {}", env!("CARGO_PKG_VERSION"));
        return 0;
    }
    let operands: Vec<String> = line
        .operands
        .iter()
        .map(|operand| operand.to_string_lossy().into_owned())
        .collect();
    let Some(left) = operands.first() else {
        return complain("missing operand after 'cmp'");
    };
    let right = operands.get(1).map_or("-", String::as_str);
    let mut skips = [0, 0];
    if let Some(text) = line.value('i') {
        let (first, second) = text.split_once(':').unwrap_or((&text, &text));
        skips = [first.parse().unwrap_or(0), second.parse().unwrap_or(0)];
    }
    for (skip, text) in skips.iter_mut().zip(operands.iter().skip(2)) {
        *skip = text.parse().unwrap_or(*skip);
    }
    let most = line
        .value('n')
        .and_then(|text| text.parse().ok())
        .unwrap_or(u64::MAX);
    let opened = open(left, skips[0])
        .map_err(|e| (left.as_str(), e))
        .and_then(|left| Ok((left, open(right, skips[1]).map_err(|e| (right, e))?)));
    let (mut first, mut second) = match opened {
        Ok(both) => both,
        Err((name, error)) => {
            if !line.has('s') {
                eprintln!("cmp: {name}: {}", reason(&error));
            }
            return TROUBLE;
        }
    };
    let output = Output {
        silent: line.has('s'),
        verbose: line.has('l'),
        bytes: line.has('b'),
        left,
        right,
    };
    output.compare(&mut first, &mut second, most)
}

fn open(name: &str, skip: u64) -> io::Result<BufReader<Box<dyn Read>>> {
    let file: Box<dyn Read> = if name == "-" {
        Box::new(guest_start::descriptor::into_file(0))
    } else {
        let file = File::open(name)?;
        if file.metadata()?.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        Box::new(file)
    };
    let mut reader = BufReader::with_capacity(64 * 1024, file);
    io::copy(&mut (&mut reader).take(skip), &mut io::sink())?;
    Ok(reader)
}

struct Output<'a> {
    silent: bool,
    verbose: bool,
    bytes: bool,
    left: &'a str,
    right: &'a str,
}

impl Output<'_> {
    fn compare(&self, left: &mut impl Read, right: &mut impl Read, most: u64) -> i32 {
        let (mut at, mut line, mut status) = (0, 1, 0);
        let (mut old, mut new) = (left.bytes(), right.bytes());
        let mut last = b'\n';
        while at < most {
            let pair = (
                old.next().and_then(Result::ok),
                new.next().and_then(Result::ok),
            );
            let (a, b) = match pair {
                (None, None) => return status,
                (Some(a), Some(b)) => (a, b),
                (short, _) => {
                    let name = if short.is_none() {
                        self.left
                    } else {
                        self.right
                    };
                    self.ended(name, at, line, last);
                    return 1;
                }
            };
            at += 1;
            if a != b {
                status = 1;
                if self.silent {
                    return 1;
                }
                if !self.verbose {
                    self.first(at, line, a, b);
                    return 1;
                }
                if self.bytes {
                    println!("{at} {a:3o} {:4} {b:3o} {}", shown(a), shown(b));
                } else {
                    println!("{at} {a:3o} {b:3o}");
                }
            }
            line += u64::from(a == b'\n');
            last = a;
        }
        status
    }

    fn first(&self, at: u64, line: u64, a: u8, b: u8) {
        let (left, right) = (self.left, self.right);
        if self.bytes {
            println!(
                "{left} {right} differ: byte {at}, line {line} is {a:3o} {} {b:3o} {}",
                shown(a),
                shown(b)
            );
        } else {
            println!("{left} {right} differ: byte {at}, line {line}");
        }
    }

    fn ended(&self, name: &str, at: u64, line: u64, last: u8) {
        if self.silent {
            return;
        }
        if at == 0 {
            eprintln!("cmp: EOF on {name} which is empty");
        } else if self.verbose {
            eprintln!("cmp: EOF on {name} after byte {at}");
        } else if last == b'\n' {
            eprintln!("cmp: EOF on {name} after byte {at}, line {}", line - 1);
        } else {
            eprintln!("cmp: EOF on {name} after byte {at}, in line {line}");
        }
    }
}

/// A byte as `cat -v` shows it.
fn shown(byte: u8) -> String {
    let (prefix, byte) = if byte >= 128 {
        ("M-", byte - 128)
    } else {
        ("", byte)
    };
    match byte {
        127 => format!("{prefix}^?"),
        0..32 => format!("{prefix}^{}", (byte + 64) as char),
        _ => format!("{prefix}{}", byte as char),
    }
}
