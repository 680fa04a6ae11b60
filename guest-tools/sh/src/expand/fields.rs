//! Building the fields a word expands to: splitting, and what was quoted in them.

use crate::{ast::Bytes, pattern};

/// One field in the making.
#[derive(Debug, Default)]
pub struct Field {
    pub text: Bytes,
    /// Stretches that were quoted, in rising order.
    quoted: Vec<(usize, usize)>,
    /// Something unquoted in it may match file names.
    pub has_pattern: bool,
}

impl Field {
    /// The field as a pattern: quoted text matches itself only.
    pub fn to_pattern(&self) -> Bytes {
        let mut out = Bytes::with_capacity(self.text.len() + 8);
        self.stretches(|text, quoted| {
            if quoted {
                pattern::escape(text, &mut out);
            } else {
                out.extend_from_slice(text);
            }
        });
        out
    }

    /// Calls `each` with every stretch and whether it was quoted.
    pub fn stretches(&self, mut each: impl FnMut(&[u8], bool)) {
        let mut at = 0;
        for &(start, end) in &self.quoted {
            if start > at {
                each(&self.text[at..start], false);
            }
            each(&self.text[start..end], true);
            at = end;
        }
        if at < self.text.len() {
            each(&self.text[at..], false);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    /// The last field ended at IFS whitespace.
    Space,
    /// The last field ended at another IFS character.
    Delimiter,
}

/// The fields of one word.
#[derive(Debug)]
pub struct Fields {
    done: Vec<Field>,
    current: Field,
    open: bool,
    pub splitting: bool,
    ifs: Bytes,
    state: State,
}

fn is_pattern_byte(byte: u8) -> bool {
    matches!(byte, b'*' | b'?' | b'[' | b'(')
}

impl Fields {
    pub fn new(splitting: bool, ifs: Option<Bytes>) -> Self {
        Self {
            done: Vec::new(),
            current: Field::default(),
            open: false,
            splitting,
            ifs: ifs.unwrap_or_else(|| b" \t\n".to_vec()),
            state: State::Start,
        }
    }

    pub fn finish(mut self) -> Vec<Field> {
        if self.open {
            self.done.push(self.current);
        }
        self.done
    }

    /// The separator of `"$*"`.
    pub fn joiner(&self) -> Bytes {
        let length = crate::text::character_length(&self.ifs);
        self.ifs[..length].to_vec()
    }

    /// Unquoted text of the word itself.
    pub fn literal(&mut self, text: &[u8]) {
        self.open = true;
        self.state = State::Start;
        self.current.has_pattern |= text.iter().any(|&b| is_pattern_byte(b));
        self.current.text.extend_from_slice(text);
    }

    pub fn quoted(&mut self, text: &[u8]) {
        self.open = true;
        self.state = State::Start;
        if text.is_empty() {
            return;
        }
        let start = self.current.text.len();
        self.current.text.extend_from_slice(text);
        let end = self.current.text.len();
        match self.current.quoted.last_mut() {
            Some(last) if last.1 == start => last.1 = end,
            _ => self.current.quoted.push((start, end)),
        }
    }

    /// The result of an expansion.
    pub fn text(&mut self, text: &[u8], quoted: bool) {
        if quoted {
            self.quoted(text);
        } else {
            self.split(text);
        }
    }

    /// Ends the field here, as between the items of `$@`.
    pub fn end_field(&mut self) {
        if self.open {
            self.open = false;
            self.done.push(std::mem::take(&mut self.current));
        }
    }

    /// The unquoted result of an expansion: split at IFS.
    pub fn split(&mut self, text: &[u8]) {
        if !self.splitting || self.ifs.is_empty() {
            if !text.is_empty() {
                self.literal(text);
            }
            return;
        }
        if !self.ifs.is_ascii() {
            self.split_characters(text);
            return;
        }
        let mut start = 0;
        for (at, &byte) in text.iter().enumerate() {
            if !self.ifs.contains(&byte) {
                continue;
            }
            self.piece(&text[start..at]);
            start = at + 1;
            let was_open = self.open;
            if matches!(byte, b' ' | b'\t' | b'\n') {
                if was_open {
                    self.end_field();
                    self.state = State::Space;
                }
                continue;
            }
            if was_open {
                self.end_field();
            } else if self.state != State::Space {
                self.done.push(Field::default());
            }
            self.state = State::Delimiter;
        }
        self.piece(&text[start..]);
    }

    /// As `split`, where IFS has characters of several bytes.
    fn split_characters(&mut self, text: &[u8]) {
        let ifs = std::mem::take(&mut self.ifs);
        for piece in crate::text::characters(text) {
            if !crate::text::characters(&ifs).any(|one| one == piece) {
                self.literal(piece);
                continue;
            }
            let blank = matches!(piece, b" " | b"\t" | b"\n");
            if self.open {
                self.end_field();
                self.state = if blank {
                    State::Space
                } else {
                    State::Delimiter
                };
            } else if !blank {
                if self.state != State::Space {
                    self.done.push(Field::default());
                }
                self.state = State::Delimiter;
            }
        }
        self.ifs = ifs;
    }

    /// Whether unquoted lists are joined and split again, so that empty items stay fields.
    pub fn keeps_empty_items(&self) -> bool {
        self.splitting
            && self
                .ifs
                .first()
                .is_some_and(|b| !matches!(b, b' ' | b'\t' | b'\n'))
    }

    /// Whether IFS is set and empty, so that nothing is split.
    pub fn splits_nowhere(&self) -> bool {
        self.ifs.is_empty()
    }

    fn piece(&mut self, text: &[u8]) {
        if !text.is_empty() {
            self.literal(text);
        }
    }
}
