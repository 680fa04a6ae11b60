//! Standard output, folded at the line length as GNU bc folds it.

use std::io::{self, Write};

pub struct Output {
    text: Vec<u8>,
    column: usize,
    /// 0: never fold.
    length: usize,
    /// Standard output is gone.
    pub broken: bool,
}

impl Output {
    pub fn new() -> Self {
        let asked = std::env::var("BC_LINE_LENGTH")
            .ok()
            .and_then(|text| text.parse().ok());
        Self {
            text: Vec::new(),
            column: 0,
            // Folding below three columns cannot go on.
            length: asked
                .filter(|length| *length == 0 || *length > 2)
                .unwrap_or(70),
            broken: false,
        }
    }

    pub fn write(&mut self, text: &str) {
        for c in text.chars() {
            if c == '\n' {
                self.column = 0;
            } else {
                self.column += 1;
                if self.length != 0 && self.column == self.length - 1 {
                    self.text.extend_from_slice(b"\\\n");
                    self.column = 1;
                }
            }
            self.text
                .extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        if self.text.len() > 1 << 16 {
            self.flush();
        }
    }

    pub fn flush(&mut self) {
        let mut stdout = io::stdout().lock();
        self.broken |= stdout
            .write_all(&self.text)
            .and_then(|()| stdout.flush())
            .is_err();
        self.text.clear();
    }
}
