//! What is written to stdout.

use std::io::{self, Write};

use crate::{command_line::Job, pattern::Patterns};

/// Why a line is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Selected,
    Context,
}

/// Prints the lines of one file.
pub struct Output<'a> {
    pub job: &'a Job,
    pub sink: &'a mut dyn Write,
    pub name: &'a [u8],
    pub show_name: bool,
    /// A line was printed, of this file or of one before.
    pub printed: bool,
}

const MATCH: &[u8] = b"\x1b[01;31m\x1b[K";
const NAME: &[u8] = b"\x1b[35m\x1b[K";
const NUMBER: &[u8] = b"\x1b[32m\x1b[K";
const MARK: &[u8] = b"\x1b[36m\x1b[K";
const END: &[u8] = b"\x1b[m\x1b[K";

impl Output<'_> {
    fn colored(&mut self, color: &[u8], text: &[u8]) -> io::Result<()> {
        if !self.job.color || text.is_empty() {
            return self.sink.write_all(text);
        }
        self.sink.write_all(color)?;
        self.sink.write_all(text)?;
        self.sink.write_all(END)
    }

    /// The file's name and `mark` (or NUL), as before a count.
    pub fn name_and(&mut self, mark: &[u8]) -> io::Result<()> {
        let name = self.name;
        self.colored(NAME, name)?;
        if self.job.null_after_name {
            self.sink.write_all(b"\0")
        } else {
            self.colored(MARK, mark)
        }
    }

    fn head(&mut self, kind: Kind, number: u64, offset: u64) -> io::Result<()> {
        let mark: &[u8] = if kind == Kind::Selected { b":" } else { b"-" };
        let mut any = false;
        if self.show_name {
            self.name_and(mark)?;
            any = true;
        }
        if self.job.line_numbers {
            self.colored(NUMBER, format!("{number}").as_bytes())?;
            self.colored(MARK, mark)?;
            any = true;
        }
        if self.job.byte_offsets {
            self.colored(NUMBER, format!("{offset}").as_bytes())?;
            self.colored(MARK, mark)?;
            any = true;
        }
        if any && self.job.initial_tab {
            self.sink.write_all(b"\t")?;
        }
        Ok(())
    }

    fn end_line(&mut self) -> io::Result<()> {
        self.sink.write_all(&[self.job.pattern.terminator])?;
        if self.job.line_buffered {
            self.sink.flush()?;
        }
        Ok(())
    }

    pub fn line(
        &mut self,
        line: &[u8],
        kind: Kind,
        number: u64,
        offset: u64,
        patterns: &Patterns,
    ) -> io::Result<()> {
        self.head(kind, number, offset)?;
        if self.job.color && (kind == Kind::Selected) != self.job.invert {
            self.line_with_matches(line, patterns)?;
        } else {
            self.sink.write_all(line)?;
        }
        self.end_line()
    }

    fn line_with_matches(&mut self, line: &[u8], patterns: &Patterns) -> io::Result<()> {
        let mut at = 0;
        let mut from = 0;
        while let Some((start, end)) = patterns.find_longest_at(line, from) {
            if end > start {
                self.sink.write_all(&line[at..start])?;
                self.colored(MATCH, &line[start..end])?;
                at = end;
                from = end;
            } else {
                from = end + 1;
            }
            if from > line.len() {
                break;
            }
        }
        self.sink.write_all(&line[at..])
    }

    pub fn only_matching(
        &mut self,
        line: &[u8],
        number: u64,
        offset: u64,
        patterns: &Patterns,
    ) -> io::Result<()> {
        let mut from = 0;
        while from <= line.len() {
            let Some((start, end)) = patterns.find_longest_at(line, from) else {
                break;
            };
            if end == start {
                from = end + 1;
                continue;
            }
            self.head(Kind::Selected, number, offset + start as u64)?;
            self.colored(MATCH, &line[start..end])?;
            self.end_line()?;
            from = end;
        }
        Ok(())
    }

    pub fn separator(&mut self, text: Option<&[u8]>) -> io::Result<()> {
        if let Some(text) = text {
            self.colored(MARK, text)?;
            self.sink.write_all(b"\n")?;
        }
        Ok(())
    }

    pub fn binary_message(&mut self) -> io::Result<()> {
        self.sink.flush()?;
        eprintln!(
            "grep: {}: binary file matches",
            String::from_utf8_lossy(self.name)
        );
        Ok(())
    }
}
