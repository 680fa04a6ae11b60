//! Command lines read as GNU `getopt_long` reads them, and errors worded as glibc words them.

mod quoting;

pub use quoting::{quote, quote_argument, quote_if_needed, shell_escape};

use std::{
    ffi::OsString,
    io,
    os::wasi::ffi::{OsStrExt, OsStringExt},
};

/// One option as found: its short letter (or the code its long name stands for) and its value.
#[derive(Debug, Clone)]
pub struct Found {
    pub code: u32,
    pub value: Option<Vec<u8>>,
    /// How many operands came before it.
    pub position: usize,
}

impl Found {
    /// The value as text; empty when there is none.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.value.as_deref().unwrap_or_default()).into_owned()
    }
}

/// Whether a long option has a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    Nothing,
    Value,
    Perhaps,
}

/// A long option: name, whether it has a value, and the code it is reported with.
pub type Long = (&'static str, Takes, u32);

/// What a program accepts.
pub struct Grammar {
    /// As `getopt`: a letter, then `:` when it has a value or `::` when it may have one attached.
    /// A leading `+` stops at the first operand.
    pub short: &'static str,
    pub long: &'static [Long],
}

/// A command line taken apart.
#[derive(Debug, Default)]
pub struct Line {
    pub options: Vec<Found>,
    pub operands: Vec<OsString>,
}

impl Line {
    #[must_use]
    pub fn has(&self, code: char) -> bool {
        self.options.iter().any(|found| found.code == code as u32)
    }
    /// The last value given for `code`.
    #[must_use]
    pub fn value(&self, code: char) -> Option<String> {
        self.options
            .iter()
            .rev()
            .find(|found| found.code == code as u32)
            .map(Found::text)
    }
}

impl Grammar {
    /// Takes `arguments` (without the program's name) apart.
    ///
    /// # Errors
    /// The message of getopt, without the program's name.
    pub fn parse(&self, arguments: impl Iterator<Item = OsString>) -> Result<Line, String> {
        let mut line = Line::default();
        let stops = self.short.starts_with('+');
        let mut rest = arguments;
        while let Some(argument) = rest.next() {
            let bytes = argument.as_bytes();
            if bytes == b"--" {
                line.operands.extend(rest);
                break;
            }
            if let Some(long) = bytes.strip_prefix(b"--") {
                self.long_option(long, &mut rest, &mut line)?;
            } else if bytes.len() > 1 && bytes[0] == b'-' {
                self.cluster(&bytes[1..], &mut rest, &mut line)?;
            } else {
                line.operands.push(argument);
                if stops {
                    line.operands.extend(rest);
                    break;
                }
            }
        }
        Ok(line)
    }

    fn cluster(
        &self,
        mut letters: &[u8],
        rest: &mut impl Iterator<Item = OsString>,
        line: &mut Line,
    ) -> Result<(), String> {
        while let Some((&letter, tail)) = letters.split_first() {
            let takes = self.takes(letter).ok_or_else(|| {
                format!("invalid option -- '{}'", String::from_utf8_lossy(&[letter]))
            })?;
            let position = line.operands.len();
            let mut push = |value| {
                line.options.push(Found {
                    code: letter.into(),
                    value,
                    position,
                });
            };
            match takes {
                Takes::Nothing => push(None),
                Takes::Perhaps => {
                    push((!tail.is_empty()).then(|| tail.to_vec()));
                    return Ok(());
                }
                Takes::Value if !tail.is_empty() => {
                    push(Some(tail.to_vec()));
                    return Ok(());
                }
                Takes::Value => {
                    let value = rest.next().ok_or_else(|| {
                        format!("option requires an argument -- '{}'", letter as char)
                    })?;
                    push(Some(value.into_vec()));
                    return Ok(());
                }
            }
            letters = tail;
        }
        Ok(())
    }

    fn takes(&self, letter: u8) -> Option<Takes> {
        let short = self.short.trim_start_matches('+').as_bytes();
        if letter == b':' {
            return None;
        }
        let at = short.iter().position(|&b| b == letter)?;
        Some(match (short.get(at + 1), short.get(at + 2)) {
            (Some(b':'), Some(b':')) => Takes::Perhaps,
            (Some(b':'), _) => Takes::Value,
            _ => Takes::Nothing,
        })
    }

    fn long_option(
        &self,
        text: &[u8],
        rest: &mut impl Iterator<Item = OsString>,
        line: &mut Line,
    ) -> Result<(), String> {
        let (name, value) = match text.iter().position(|&b| b == b'=') {
            Some(at) => (&text[..at], Some(text[at + 1..].to_vec())),
            None => (text, None),
        };
        let shown = String::from_utf8_lossy(name).into_owned();
        let &(full, takes, code) = self.find_long(name, &shown)?;
        let value = match (takes, value) {
            (Takes::Nothing, Some(_)) => {
                return Err(format!("option '--{full}' doesn't allow an argument"));
            }
            (Takes::Value, None) => Some(
                rest.next()
                    .ok_or_else(|| format!("option '--{full}' requires an argument"))?
                    .into_vec(),
            ),
            (_, value) => value,
        };
        line.options.push(Found {
            code,
            value,
            position: line.operands.len(),
        });
        Ok(())
    }

    fn find_long(&self, name: &[u8], shown: &str) -> Result<&Long, String> {
        if let Some(exact) = self.long.iter().find(|long| long.0.as_bytes() == name) {
            return Ok(exact);
        }
        let mut matches = self
            .long
            .iter()
            .filter(|long| long.0.as_bytes().starts_with(name));
        let first = matches
            .next()
            .ok_or_else(|| format!("unrecognized option '--{shown}'"))?;
        let others: Vec<&Long> = matches.filter(|long| long.2 != first.2).collect();
        if others.is_empty() {
            return Ok(first);
        }
        let list: String = std::iter::once(first)
            .chain(others)
            .map(|long| format!(" '--{}'", long.0))
            .collect();
        Err(format!(
            "option '--{shown}' is ambiguous; possibilities:{list}"
        ))
    }
}

/// An error in glibc's words, without "(os error N)".
#[must_use]
pub fn reason(error: &io::Error) -> String {
    // WASI's numbers; only those whose wasi-libc text differs from glibc's.
    match error.raw_os_error() {
        Some(32) => "Too many levels of symbolic links".to_owned(),
        Some(75) => "Invalid cross-device link".to_owned(),
        Some(58) => "Operation not supported".to_owned(),
        Some(33) => "Too many open files".to_owned(),
        Some(37) => "File name too long".to_owned(),
        Some(12) => "No child processes".to_owned(),
        Some(6) => "Resource temporarily unavailable".to_owned(),
        Some(76) => "Operation not permitted".to_owned(), // ENOTCAPABLE
        _ => {
            let text = error.to_string();
            match text.find(" (os error") {
                Some(at) => text[..at].to_owned(),
                None => text,
            }
        }
    }
}
