//! How xargs takes its input apart.

use std::io::{self, BufRead};

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
    done: bool,
}

impl<R: BufRead> Items<R> {
    pub fn new(input: R, separator: Separator, end_word: Option<Vec<u8>>) -> Self {
        Self {
            input,
            separator,
            end_word,
            done: false,
        }
    }

    /// The next item; `None` at the end.
    ///
    /// # Errors
    /// A read error, or an unmatched quote.
    pub fn next(&mut self) -> io::Result<Option<Item>> {
        if self.done {
            return Ok(None);
        }
        if let Separator::Byte(separator) = self.separator {
            let mut text = Vec::new();
            if self.input.read_until(separator, &mut text)? == 0 {
                return Ok(None);
            }
            if text.last() == Some(&separator) {
                text.pop();
            }
            return Ok(Some(Item {
                text,
                ends_line: true,
            }));
        }
        let item = self.quoted()?;
        if let (Some(item), Some(end)) = (&item, &self.end_word)
            && item.text == *end
        {
            self.done = true;
            return Ok(None);
        }
        Ok(item)
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        let byte = self.input.fill_buf()?.first().copied();
        if byte.is_some() {
            self.input.consume(1);
        }
        Ok(byte)
    }

    fn quoted(&mut self) -> io::Result<Option<Item>> {
        let (mut text, mut started, mut quote) = (Vec::new(), false, None);
        // A blank before a newline joins it to the next line for `-L`.
        let mut blank_before = false;
        loop {
            let Some(byte) = self.byte()? else {
                if let Some(quote) = quote {
                    return Err(unmatched(quote));
                }
                self.done = true;
                return Ok(started.then_some(Item {
                    text,
                    ends_line: true,
                }));
            };
            match (quote, byte) {
                (Some(open), _) if byte == open => quote = None,
                (Some(open), b'\n') => return Err(unmatched(open)),
                (Some(_), _) => text.push(byte),
                (None, b'\'' | b'"') => (quote, started) = (Some(byte), true),
                (None, b'\\') => {
                    started = true;
                    text.extend(self.byte()?);
                }
                (None, b'\n') if started => {
                    return Ok(Some(Item {
                        text,
                        ends_line: !blank_before,
                    }));
                }
                (None, b'\n') => {}
                (None, b' ' | b'\t') if self.separator == Separator::Blanks => {
                    if started {
                        return self.after_blank(text).map(Some);
                    }
                    blank_before = false;
                }
                (None, b' ' | b'\t') if !started => {}
                (None, _) => {
                    started = true;
                    text.push(byte);
                }
            }
        }
    }

    /// The item ended by a blank ends its line when only a newline follows... and GNU joins lines
    /// whose last character is a blank.
    fn after_blank(&mut self, text: Vec<u8>) -> io::Result<Item> {
        Ok(Item {
            text,
            ends_line: false,
        })
    }
}

fn unmatched(quote: u8) -> io::Error {
    let kind = if quote == b'"' { "double" } else { "single" };
    io::Error::other(format!(
        "unmatched {kind} quote; by default quotes are special to xargs unless you use the -0 option"
    ))
}
