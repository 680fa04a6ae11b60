//! `hexdump`: data shown by format strings; the short options are formats, too.

use std::{
    ffi::OsString,
    io::{self, BufWriter, Read, Write},
};

use options::{Found, Grammar, Takes, reason};

use crate::{
    hexdump_format::{Format, Kind, Unit},
    open, stdin,
};

const GRAMMAR: Grammar = Grammar {
    short: "bcCde:f:hL::n:os:vVxX",
    long: &[
        ("canonical", Takes::Nothing, 'C' as u32),
        ("format", Takes::Value, 'e' as u32),
        ("format-file", Takes::Value, 'f' as u32),
        ("help", Takes::Nothing, 'h' as u32),
        ("length", Takes::Value, 'n' as u32),
        ("no-squeezing", Takes::Nothing, 'v' as u32),
        ("one-byte-char", Takes::Nothing, 'c' as u32),
        ("one-byte-hex", Takes::Nothing, 'X' as u32),
        ("one-byte-octal", Takes::Nothing, 'b' as u32),
        ("skip", Takes::Value, 's' as u32),
        ("two-bytes-decimal", Takes::Nothing, 'd' as u32),
        ("two-bytes-hex", Takes::Nothing, 'x' as u32),
        ("two-bytes-octal", Takes::Nothing, 'o' as u32),
        ("version", Takes::Nothing, 'V' as u32),
    ],
};

/// Runs `hexdump`, or `hd`, which is `hexdump -C`.
pub fn run(arguments: Vec<OsString>, canonical: bool) -> i32 {
    let line = match GRAMMAR.parse(arguments.into_iter()) {
        Ok(line) => line,
        Err(message) => {
            eprintln!("hexdump: {message}\nTry 'hexdump --help' for more information.");
            return 1;
        }
    };
    if line.has('h') {
        println!("Usage: hexdump [-bcCdoxv] [-e FORMAT] [-f FILE] [-n LENGTH] [-s SKIP] [FILE]...");
        return 0;
    }
    if line.has('V') {
        println!("hexdump (hotcell) {}", env!("CARGO_PKG_VERSION"));
        return 0;
    }
    let prepared = formats(&line.options, canonical).and_then(|formats| {
        let number = |code, default| match line.value(code) {
            Some(text) => number(&text).ok_or_else(|| format!("failed to parse '{text}'")),
            None => Ok(default),
        };
        Ok((formats, number('n', u64::MAX)?, number('s', 0)?))
    });
    let (formats, length, skip) = match prepared {
        Ok(prepared) => prepared,
        Err(message) => {
            eprintln!("hexdump: {message}");
            return 1;
        }
    };
    let mut status = 0;
    let mut input: Box<dyn Read> = Box::new(io::empty());
    let mut opened = 0;
    for operand in &line.operands {
        match open(operand) {
            Ok(file) => {
                input = Box::new(input.chain(file));
                opened += 1;
            }
            Err(error) => {
                eprintln!("hexdump: {}: {}", operand.to_string_lossy(), reason(&error));
                status = 1;
            }
        }
    }
    if line.operands.is_empty() {
        input = Box::new(stdin());
    } else if opened == 0 {
        eprintln!("hexdump: all input file arguments failed");
        return 1;
    }
    let mut dump = Dump {
        formats,
        squeeze: !line.has('v'),
        address: skip,
    };
    let skipped = io::copy(&mut (&mut input).take(skip), &mut io::sink());
    let done = skipped.and_then(|_| {
        let mut output = BufWriter::new(io::stdout().lock());
        dump.run(
            io::BufReader::with_capacity(1 << 16, input.take(length)),
            &mut output,
        )?;
        output.flush()
    });
    if let Err(error) = done {
        eprintln!("hexdump: {}", reason(&error));
        return 1;
    }
    status
}

/// A number with `0x` or `0` before it, or a unit behind it.
fn number(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    if let Some(hex) = lower.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok();
    }
    let split = lower
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(lower.len());
    let (digits, unit) = lower.split_at(split);
    let factor = match unit {
        "" => 1,
        "b" => 512,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return None,
    };
    let radix = if digits.len() > 1 && digits.starts_with('0') {
        8
    } else {
        10
    };
    u64::from_str_radix(digits, radix).ok()?.checked_mul(factor)
}

fn formats(options: &[Found], canonical: bool) -> Result<Vec<Format>, String> {
    const SHORT: &str = r#""%07.7_Ax\n""#;
    const LONG: &str = r#""%08.8_Ax\n""#;
    const DIGITS: &str = r#""%08.8_ax  " 8/1 "%02x " "  " 8/1 "%02x ""#;
    const LETTERS: &str = r#""  |" 16/1 "%_p" "|\n""#;
    let mut texts: Vec<String> = Vec::new();
    let mut add = |all: &[&str]| texts.extend(all.iter().map(|text| (*text).to_owned()));
    if canonical {
        add(&[LONG, DIGITS, LETTERS]);
    }
    let line = |items: &str| format!(r#""%07.7_ax " {items} "\n""#);
    for found in options {
        let items = match char::from_u32(found.code) {
            Some('b') => r#"16/1 "%03o ""#,
            Some('c') => r#"16/1 "%3_c ""#,
            Some('d') => r#"8/2 "  %05u ""#,
            Some('o') => r#"8/2 " %06o ""#,
            Some('x') => r#"8/2 "   %04x ""#,
            Some('X') => r#"16/1 " %02x""#,
            Some('C') => {
                add(&[LONG, DIGITS, LETTERS]);
                continue;
            }
            Some('e') => {
                add(&[&found.text()]);
                continue;
            }
            Some('f') => {
                let name = found.text();
                let text = std::fs::read_to_string(&name)
                    .map_err(|error| format!("{name}: {}", reason(&error)))?;
                for format in text.lines() {
                    if !format.trim().is_empty() && !format.trim_start().starts_with('#') {
                        add(&[format]);
                    }
                }
                continue;
            }
            _ => continue,
        };
        add(&[SHORT, &line(items)]);
    }
    if texts.is_empty() {
        texts = vec![SHORT.to_owned(), line(r#"8/2 "%04x ""#)];
    }
    let mut formats = Vec::new();
    for text in texts {
        formats.push(Format::parse(&text)?);
    }
    let block = formats.iter().map(Format::size).max().unwrap_or(0);
    for format in &mut formats {
        format.fill(block);
    }
    Ok(formats)
}

struct Dump {
    formats: Vec<Format>,
    squeeze: bool,
    address: u64,
}

impl Dump {
    fn run(&mut self, mut input: impl Read, output: &mut impl Write) -> io::Result<()> {
        let size = self.formats.iter().map(Format::size).max().unwrap_or(0);
        let (mut before, mut squeezing) = (Vec::new(), false);
        let mut any = false;
        while size > 0 {
            let mut block = Vec::with_capacity(size);
            (&mut input).take(size as u64).read_to_end(&mut block)?;
            if block.is_empty() {
                break;
            }
            any = true;
            let whole = block.len() == size;
            if self.squeeze && whole && block == before {
                if !squeezing {
                    output.write_all(b"*\n")?;
                }
                squeezing = true;
                self.address += size as u64;
                continue;
            }
            squeezing = false;
            for format in &self.formats {
                self.block(format, &block, output)?;
            }
            self.address += block.len() as u64;
            before = block;
        }
        if !any {
            return Ok(());
        }
        for format in &self.formats {
            for unit in format.units.iter().filter(|unit| at_end(unit)) {
                for piece in &unit.pieces {
                    output.write_all(piece.text.as_bytes())?;
                    if let Some(conversion) = &piece.conversion {
                        let shown = conversion.show(Some(&[]), self.address);
                        output.write_all(shown.as_bytes())?;
                    }
                }
            }
        }
        Ok(())
    }

    fn block(&self, format: &Format, block: &[u8], output: &mut impl Write) -> io::Result<()> {
        // A format of several units without data would be printed for the end's sake only.
        let mut at = 0;
        for unit in format.units.iter().filter(|unit| !at_end(unit)) {
            for repetition in 0..unit.count {
                let last = repetition + 1 == unit.count && unit.count > 1;
                for (index, piece) in unit.pieces.iter().enumerate() {
                    let mut text = piece.text.as_str();
                    // Blanks that only separate repetitions do not follow the last one.
                    if last && index + 1 == unit.pieces.len() && piece.conversion.is_none() {
                        text = text.trim_end();
                    }
                    output.write_all(text.as_bytes())?;
                    let Some(conversion) = &piece.conversion else {
                        continue;
                    };
                    let missing = conversion.size > 0 && at >= block.len();
                    let mut bytes = block.get(at..).unwrap_or_default().to_vec();
                    bytes.resize(conversion.size, 0);
                    let given = (!missing).then_some(bytes.as_slice());
                    let shown = conversion.show(given, self.address + at as u64);
                    output.write_all(shown.as_bytes())?;
                    at += conversion.size;
                }
            }
        }
        Ok(())
    }
}

fn at_end(unit: &Unit) -> bool {
    unit.pieces.iter().any(|piece| {
        let kind = piece.conversion.as_ref().map(|conversion| conversion.kind);
        matches!(kind, Some(Kind::Address { at_end: true, .. }))
    })
}
