//! Reading paragraphs and writing their lines.

use std::io::{self, BufRead, Write};

use super::{
    Kind, Settings,
    words::{BYTES_MAX, Shape, WORDS_MAX, Word, choose_breaks, split_point},
};

const TAB: usize = 8;
/// The indent of a tagged paragraph's further lines when there is no other hint.
const TAGGED_INDENT: usize = 3;

/// One input on its way to the output. `next` is the byte after what was read, `None` at the end.
pub struct Formatter<'a, W: Write> {
    settings: &'a Settings,
    input: Box<dyn BufRead>,
    out: &'a mut W,
    failed: bool,
    next: Option<u8>,
    /// Tabs in the input allow tabs in the output.
    tabs: bool,
    in_column: usize,
    out_column: usize,
    next_prefix_indent: usize,
    prefix_indent: usize,
    first_indent: usize,
    other_indent: usize,
    last_line: usize,
    words: Vec<Word>,
    held: usize,
}

impl<'a, W: Write> Formatter<'a, W> {
    pub fn new(settings: &'a Settings, input: Box<dyn BufRead>, out: &'a mut W) -> Self {
        Self {
            settings,
            input,
            out,
            failed: false,
            next: None,
            tabs: false,
            in_column: 0,
            out_column: 0,
            next_prefix_indent: 0,
            prefix_indent: 0,
            first_indent: 0,
            other_indent: 0,
            last_line: 0,
            words: Vec::new(),
            held: 0,
        }
    }

    pub fn read_failed(&self) -> bool {
        self.failed
    }

    /// Formats the whole input.
    ///
    /// # Errors
    /// A write error.
    pub fn all(&mut self) -> io::Result<()> {
        self.read_prefix();
        while self.paragraph()? {
            self.break_lines();
            self.write_lines(self.words.len())?;
        }
        Ok(())
    }

    fn advance(&mut self) {
        self.next = match self.input.fill_buf() {
            Ok(bytes) => bytes.first().copied(),
            Err(_) => {
                self.failed = true;
                None
            }
        };
        self.input.consume(usize::from(self.next.is_some()));
    }

    fn at_line_end(&self) -> bool {
        matches!(self.next, None | Some(b'\n'))
    }

    fn skip_space(&mut self) {
        loop {
            match self.next {
                Some(b' ') => self.in_column += 1,
                Some(b'\t') => {
                    self.tabs = true;
                    self.in_column = (self.in_column / TAB + 1) * TAB;
                }
                _ => return,
            }
            self.advance();
        }
    }

    /// Reads a line's indent and prefix, as far as they are there.
    fn read_prefix(&mut self) {
        self.in_column = 0;
        self.advance();
        self.skip_space();
        let settings = self.settings;
        if settings.prefix.is_empty() {
            self.next_prefix_indent = self.in_column.min(settings.prefix_lead);
            return;
        }
        self.next_prefix_indent = self.in_column;
        for byte in &settings.prefix {
            if self.next != Some(*byte) {
                return;
            }
            self.in_column += 1;
            self.advance();
        }
        self.skip_space();
    }

    fn same_paragraph(&self) -> bool {
        self.next_prefix_indent == self.prefix_indent
            && self.in_column >= self.next_prefix_indent + self.settings.prefix_whole
            && !self.at_line_end()
    }

    /// Reads the next paragraph, copying what is none; false at the end.
    fn paragraph(&mut self) -> io::Result<bool> {
        self.last_line = 0;
        while self.at_line_end()
            || self.next_prefix_indent < self.settings.prefix_lead
            || self.in_column < self.next_prefix_indent + self.settings.prefix_whole
        {
            self.copy_line()?;
            if self.next.is_none() {
                return Ok(false);
            }
            self.out.write_all(b"\n")?;
            self.read_prefix();
        }
        self.prefix_indent = self.next_prefix_indent;
        self.first_indent = self.in_column;
        (self.words, self.held) = (Vec::new(), 0);
        self.line()?;
        self.set_other_indent(self.same_paragraph());
        let continues = match self.settings.kind {
            Kind::Split => false,
            Kind::Crown | Kind::Plain => true,
            Kind::Tagged => self.in_column != self.first_indent,
        };
        while continues && self.same_paragraph() && self.in_column == self.other_indent {
            self.line()?;
        }
        if let Some(word) = self.words.last_mut() {
            (word.period, word.last) = (true, true);
        }
        Ok(true)
    }

    fn set_other_indent(&mut self, same: bool) {
        match self.settings.kind {
            Kind::Crown if same => self.other_indent = self.in_column,
            Kind::Tagged if same && self.in_column != self.first_indent => {
                self.other_indent = self.in_column;
            }
            Kind::Tagged if self.other_indent == self.first_indent => {
                self.other_indent = if self.first_indent == 0 {
                    TAGGED_INDENT
                } else {
                    0
                };
            }
            Kind::Tagged => {}
            _ => self.other_indent = self.first_indent,
        }
    }

    /// Copies the rest of a line that belongs to no paragraph.
    fn copy_line(&mut self) -> io::Result<()> {
        self.out_column = 0;
        if self.in_column > self.next_prefix_indent || !self.at_line_end() {
            self.write_space(self.next_prefix_indent)?;
            let settings = self.settings;
            let read = self.in_column.saturating_sub(self.out_column);
            let shown = &settings.prefix[..settings.prefix.len().min(read)];
            self.out.write_all(shown)?;
            self.out_column += shown.len();
            if !self.at_line_end() {
                self.write_space(self.in_column.saturating_sub(self.out_column))?;
            }
            if self.next.is_none()
                && self.in_column >= self.next_prefix_indent + settings.prefix.len()
            {
                self.out.write_all(b"\n")?;
            }
        }
        while let Some(byte) = self.next.filter(|byte| *byte != b'\n') {
            self.out.write_all(&[byte])?;
            self.advance();
        }
        Ok(())
    }

    /// Reads a line's words and the beginning of the next line.
    fn line(&mut self) -> io::Result<()> {
        loop {
            let mut word = Word::default();
            let mut length = 0;
            while let Some(byte) = self.next {
                if length > 0 && matches!(byte, b' ' | b'\t'..=b'\r') {
                    break;
                }
                if self.held + word.text.len() == BYTES_MAX {
                    self.set_other_indent(true);
                    self.flush(&mut word)?;
                }
                word.text.push(byte);
                length += 1;
                self.advance();
            }
            self.in_column += word.text.len();
            word.classify();
            let begin = self.in_column;
            self.skip_space();
            word.space = self.in_column - begin;
            word.last =
                self.next.is_none() || word.period && (self.next == Some(b'\n') || word.space > 1);
            if self.at_line_end() || self.settings.uniform {
                word.space = if word.last { 2 } else { 1 };
            }
            if self.words.len() == WORDS_MAX {
                self.set_other_indent(true);
                self.flush(&mut word)?;
            }
            self.held += word.text.len();
            self.words.push(word);
            if self.at_line_end() {
                break;
            }
        }
        self.read_prefix();
        Ok(())
    }

    /// Writes the first lines of a paragraph that is too long to hold; a single word as it is.
    fn flush(&mut self, word: &mut Word) -> io::Result<()> {
        if self.words.is_empty() {
            self.out.write_all(&word.text)?;
            word.text.clear();
            return Ok(());
        }
        self.break_lines();
        let split = split_point(&self.words);
        self.write_lines(split)?;
        self.words.drain(..split);
        self.held = self.words.iter().map(|word| word.text.len()).sum();
        Ok(())
    }

    fn break_lines(&mut self) {
        let shape = Shape {
            width: self.settings.width,
            goal: self.settings.goal,
            first_indent: self.first_indent,
            other_indent: self.other_indent,
            last_line: self.last_line,
        };
        choose_breaks(&mut self.words, &shape);
    }

    /// Writes the lines up to the word `finish`.
    fn write_lines(&mut self, finish: usize) -> io::Result<()> {
        let words = std::mem::take(&mut self.words);
        let (mut start, mut indent) = (0, self.first_indent);
        while start < finish {
            let next = words[start].next;
            self.write_line(&words[start..next], indent)?;
            (start, indent) = (next, self.other_indent);
        }
        self.words = words;
        Ok(())
    }

    fn write_line(&mut self, words: &[Word], indent: usize) -> io::Result<()> {
        self.out_column = 0;
        self.write_space(self.prefix_indent)?;
        let settings = self.settings;
        self.out.write_all(&settings.prefix)?;
        self.out_column += settings.prefix.len();
        self.write_space(indent.saturating_sub(self.out_column))?;
        for (at, word) in words.iter().enumerate() {
            self.out.write_all(&word.text)?;
            self.out_column += word.text.len();
            if at + 1 < words.len() {
                self.write_space(word.space)?;
            }
        }
        self.last_line = self.out_column;
        self.out.write_all(b"\n")
    }

    fn write_space(&mut self, space: usize) -> io::Result<()> {
        let target = self.out_column + space;
        let tabbed = target / TAB * TAB;
        if self.tabs && self.out_column + 1 < tabbed {
            while self.out_column < tabbed {
                self.out.write_all(b"\t")?;
                self.out_column = (self.out_column / TAB + 1) * TAB;
            }
        }
        for _ in self.out_column..target {
            self.out.write_all(b" ")?;
        }
        self.out_column = target.max(self.out_column);
        Ok(())
    }
}
