//! The inputs and the columns they fill.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, BufRead, BufReader},
    time::SystemTime,
};

/// An input, read byte by byte; a read error is its end.
pub struct Source {
    input: Box<dyn BufRead>,
    modified: Option<SystemTime>,
    pub name: String,
    pub error: Option<io::Error>,
}

impl Source {
    pub fn standard_input() -> Self {
        Self {
            input: Box::new(BufReader::new(io::stdin())),
            modified: None,
            name: "standard input".to_owned(),
            error: None,
        }
    }

    /// Opens a file; `-` is the standard input.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(file: &OsStr) -> io::Result<Self> {
        if file == "-" {
            return Ok(Self::standard_input());
        }
        let opened = File::open(file)?;
        Ok(Self {
            modified: opened.metadata().and_then(|m| m.modified()).ok(),
            input: Box::new(BufReader::new(opened)),
            name: options::quote_if_needed(file),
            error: None,
        })
    }

    pub fn modified(&self) -> Option<SystemTime> {
        self.modified
    }

    pub fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.input.consume(1);
        Some(byte)
    }

    fn peek(&mut self) -> Option<u8> {
        match self.input.fill_buf() {
            Ok(bytes) => bytes.first().copied(),
            Err(error) => {
                self.error.get_or_insert(error);
                None
            }
        }
    }

    /// A newline after a form feed belongs to it.
    pub fn skip_newline(&mut self) {
        if self.peek() == Some(b'\n') {
            self.input.consume(1);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Open,
    /// A form feed ends the page of stored columns.
    FormFeed,
    /// Nothing more on this page.
    OnHold,
    Closed,
}

#[derive(Debug, Clone)]
pub struct Column {
    pub source: usize,
    pub status: Status,
    /// The stored line that is printed next, and how many are this column's.
    pub current_line: usize,
    pub stored_lines: i64,
    pub lines_to_print: i64,
    /// Where its text begins; 0 for right after the text before.
    pub start: i64,
    pub numbered: bool,
    pub full_page_printed: bool,
}

impl Column {
    pub fn new(source: usize) -> Self {
        Self {
            source,
            status: Status::Open,
            current_line: 0,
            stored_lines: 0,
            lines_to_print: 0,
            start: 0,
            numbered: false,
            full_page_printed: false,
        }
    }
}
