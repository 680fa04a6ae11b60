//! How xargs takes its input apart.

use std::io::BufRead;

/// What separates items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Separator {
    /// Blanks and newlines, with quotes and backslashes.
    Blanks,
    /// Newlines only, leading blanks dropped, with quotes and backslashes (`-I`).
    Lines,
    Byte(u8),
}

/// An item, and whether an input line ends after it (for `-L`).
pub struct Item {
    pub text: Vec<u8>,
    pub ends_line: bool,
}

pub struct Items<R> {
    input: R,
    separator: Separator,
    end_word: Option<Vec<u8>>,
    /// The next item is the first of its line.
    first: bool,
    done: bool,
    warned: bool,
}

/// Where in an item the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Before,
    Plain,
    Quoted(u8),
    Escaped,
}

impl<R: BufRead> Items<R> {
    pub fn new(input: R, separator: Separator, end_word: Option<Vec<u8>>) -> Self {
        Self {
            input,
            separator,
            end_word,
            first: true,
            done: false,
            warned: false,
        }
    }

    /// The next item; `None` at the end.
    ///
    /// # Errors
    /// The message for an unmatched quote.
    pub fn next(&mut self) -> Result<Option<Item>, String> {
        if self.done {
            return Ok(None);
        }
        let Separator::Byte(separator) = self.separator else {
            return self.quoted();
        };
        let mut text = Vec::new();
        // A read error is an end to GNU.
        if self.input.read_until(separator, &mut text).unwrap_or(0) == 0 {
            return Ok(None);
        }
        if text.last() == Some(&separator) {
            text.pop();
        }
        Ok(Some(Item {
            text,
            ends_line: true,
        }))
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = self.input.fill_buf().ok()?.first().copied()?;
        self.input.consume(1);
        Some(byte)
    }

    fn quoted(&mut self) -> Result<Option<Item>, String> {
        let mut text = Vec::new();
        let (mut state, mut previous) = (State::Before, 0);
        loop {
            let Some(byte) = self.byte() else {
                return self.last(text, state);
            };
            let before = std::mem::replace(&mut previous, byte);
            match (state, byte) {
                (State::Before, b' ' | b'\t'..=b'\r') => continue,
                (State::Plain, b'\n') => {
                    self.first = true;
                    let ends_line = !matches!(before, b' ' | b'\t');
                    return Ok(self.unless_end(Item { text, ends_line }));
                }
                (State::Plain, b' ' | b'\t') if self.separator == Separator::Blanks => {
                    self.first = false;
                    let ends_line = false;
                    return Ok(self.unless_end(Item { text, ends_line }));
                }
                (State::Before | State::Plain, b'\\') => state = State::Escaped,
                (State::Before | State::Plain, b'\'' | b'"') => state = State::Quoted(byte),
                (State::Quoted(open), b'\n') => return Err(unmatched(open)),
                (State::Quoted(open), _) if byte == open => state = State::Plain,
                (State::Quoted(_), _) => text.push(byte),
                (State::Before | State::Plain | State::Escaped, _) => {
                    state = State::Plain;
                    text.push(byte);
                }
            }
        }
    }

    /// What the end of the input leaves: nothing is an item here, not even a quoted nothing.
    fn last(&mut self, text: Vec<u8>, state: State) -> Result<Option<Item>, String> {
        self.done = true;
        if text.is_empty() || self.first && self.end_word.as_ref() == Some(&text) {
            return Ok(None);
        }
        if let State::Quoted(open) = state {
            return Err(unmatched(open));
        }
        let text = self.without_nul(text);
        Ok(Some(Item {
            text,
            ends_line: true,
        }))
    }

    fn unless_end(&mut self, item: Item) -> Option<Item> {
        if self.end_word.as_ref() == Some(&item.text) {
            self.done = true;
            return None;
        }
        let text = self.without_nul(item.text);
        Some(Item { text, ..item })
    }

    /// An argument ends at a NUL byte, with a warning the first time.
    fn without_nul(&mut self, mut text: Vec<u8>) -> Vec<u8> {
        if let Some(at) = text.iter().position(|&byte| byte == 0) {
            if !std::mem::replace(&mut self.warned, true) {
                eprintln!(
                    "xargs: WARNING: a NUL character occurred in the input.  It cannot be passed \
                     through in the argument list.  Did you mean to use the --null option?"
                );
            }
            text.truncate(at);
        }
        text
    }
}

fn unmatched(quote: u8) -> String {
    let kind = if quote == b'"' { "double" } else { "single" };
    format!(
        "unmatched {kind} quote; by default quotes are special to xargs unless you use the -0 option"
    )
}
