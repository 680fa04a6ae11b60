//! Parses one word into its parts.

use std::{cell::RefCell, rc::Rc};

use super::{Settings, ansi_quoted, assignment, brace, parameter, scan};
use crate::{
    arithmetic::Arithmetic,
    ast::{Brace, Bytes, Index, Operation, Parameter, ParameterName, Part, Substitution, Word},
    names::{intern, is_name_byte, is_name_start},
};

/// Where a text stands, which decides what is special in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// An ordinary word.
    Plain,
    /// The value of an assignment: a tilde also counts after `:`.
    Assignment,
    /// A pattern in which a leading tilde stands for itself.
    AnchoredPattern,
    /// Between double quotes.
    Quoted,
    /// The word of `${x:-word}` between double quotes.
    QuotedWord,
    /// A here-document's body.
    HereDocument,
    /// Inside `(( ))` and subscripts.
    Arithmetic,
}

impl Mode {
    fn is_quoted(self) -> bool {
        !matches!(self, Self::Plain | Self::Assignment | Self::AnchoredPattern)
    }
}

/// Parses an argument: brace expansion first, so that one word may become several.
pub fn compile_argument(text: &[u8], line: u32, settings: Settings) -> Vec<Word> {
    if !settings.braces || !text.contains(&b'{') {
        return vec![compile(text, Mode::Plain, line, settings)];
    }
    if assignment::split(text).is_some() {
        return vec![compile(text, Mode::Plain, line, settings)];
    }
    // A choice that is empty and not quoted is no word at all.
    let expanded = brace::expand_braces(text);
    if expanded.len() == 1 && expanded[0] == text {
        return vec![compile(text, Mode::Plain, line, settings)];
    }
    let mut words: Vec<Word> = expanded
        .into_iter()
        .filter(|text| !text.is_empty())
        .map(|text| compile(&text, Mode::Plain, line, settings))
        .collect();
    for (place, word) in words.iter_mut().enumerate() {
        word.brace = match place {
            0 => Brace::First(Box::new(compile(text, Mode::Plain, line, settings))),
            _ => Brace::Rest,
        };
    }
    words
}

/// Parses one word.
pub fn compile(text: &[u8], mode: Mode, line: u32, settings: Settings) -> Word {
    let parts = parts(text, mode, line, settings);
    let constant = constant(&parts);
    let assignment = match mode {
        Mode::Plain => assignment::parse(text, line, settings).map(Box::new),
        _ => None,
    };
    Word {
        parts,
        source: text.into(),
        constant,
        assignment,
        brace: Brace::None,
    }
}

fn constant(parts: &[Part]) -> Option<Bytes> {
    let mut out = Bytes::new();
    for part in parts {
        match part {
            // A class may be spread over several parts.
            Part::Literal(text) if parts.len() > 1 && text.contains(&b'[') => return None,
            Part::Literal(text) if !has_pattern(text) => out.extend_from_slice(text),
            Part::Quoted(text) => out.extend_from_slice(text),
            Part::DoubleQuoted(inner) => match inner.as_slice() {
                [] => {}
                [Part::Quoted(text)] => out.extend_from_slice(text),
                _ => return None,
            },
            _ => return None,
        }
    }
    Some(out)
}

/// True when pathname expansion could do something with this text.
pub fn has_pattern(text: &[u8]) -> bool {
    text.iter().enumerate().any(|(i, &b)| match b {
        b'*' | b'?' => true,
        b'[' => text[i + 1..].contains(&b']'),
        b'@' | b'+' | b'!' => text.get(i + 1) == Some(&b'('),
        _ => false,
    })
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    mode: Mode,
    line: u32,
    settings: Settings,
    parts: Vec<Part>,
    literal: Bytes,
    /// Where the value of an argument like `name=value` begins; tildes count there as in an
    /// assignment.
    value: Option<usize>,
}

/// Parses `text` into parts.
pub fn parts(text: &[u8], mode: Mode, line: u32, settings: Settings) -> Vec<Part> {
    let Some(_level) = crate::depth::Level::enter() else {
        // Left as it is written.
        return vec![Part::Quoted(text.to_vec())];
    };
    let mut parser = Parser {
        text,
        at: 0,
        mode,
        line,
        settings,
        parts: Vec::new(),
        literal: Bytes::new(),
        value: None,
    };
    if mode == Mode::Plain && text.contains(&b'~') {
        parser.value = assignment::split(text).map(|parts| parts.value);
    }
    parser.run();
    parser.parts
}

impl Parser<'_> {
    fn run(&mut self) {
        if self.mode != Mode::AnchoredPattern {
            self.tilde();
        }
        while let Some(&byte) = self.text.get(self.at) {
            match byte {
                b'\\' => self.backslash(),
                b'\'' if !self.mode.is_quoted() => {
                    let end = self.end(scan::single_quote(self.text, self.at + 1));
                    let inner = self.inner(self.at + 1, end);
                    self.push(Part::Quoted(inner.to_vec()));
                    self.at = end;
                }
                b'"' if !matches!(self.mode, Mode::Quoted | Mode::HereDocument) => {
                    self.double_quoted(self.at + 1);
                }
                b'$' => self.dollar(),
                b'`' => self.backquote(),
                b'<' | b'>' if !self.mode.is_quoted() && self.peek(1) == Some(b'(') => {
                    let end = self.end(scan::parentheses(self.text, self.at + 2));
                    let body = self.substitution(self.at + 2, end);
                    self.push(Part::Process {
                        write: byte == b'>',
                        body,
                    });
                    self.at = end;
                }
                b'=' if self.value == Some(self.at + 1) => {
                    self.literal.push(b'=');
                    self.at += 1;
                    self.tilde();
                }
                b':' if self.value.is_some_and(|value| self.at >= value)
                    || self.mode == Mode::Assignment =>
                {
                    self.literal.push(b':');
                    self.at += 1;
                    self.tilde();
                }
                _ => {
                    self.literal.push(byte);
                    self.at += 1;
                }
            }
        }
        self.flush();
    }

    fn peek(&self, offset: usize) -> Option<u8> {
        self.text.get(self.at + offset).copied()
    }

    fn end(&self, found: Option<usize>) -> usize {
        found
            .unwrap_or(self.text.len() + 1)
            .min(self.text.len() + 1)
    }

    /// The text between `start` and the closing character before `end`.
    fn inner(&self, start: usize, end: usize) -> &[u8] {
        self.text.get(start..end - 1).unwrap_or_default()
    }

    fn flush(&mut self) {
        if !self.literal.is_empty() {
            let text = std::mem::take(&mut self.literal);
            self.parts.push(if self.mode.is_quoted() {
                Part::Quoted(text)
            } else {
                Part::Literal(text)
            });
        }
    }

    fn push(&mut self, part: Part) {
        self.flush();
        self.parts.push(part);
    }

    fn line_here(&self) -> u32 {
        self.line
            + self.text[..self.at.min(self.text.len())]
                .iter()
                .filter(|&&b| b == b'\n')
                .count() as u32
    }

    fn tilde(&mut self) {
        if self.mode.is_quoted() || self.peek(0) != Some(b'~') {
            return;
        }
        let rest = &self.text[self.at + 1..];
        let stop = |b: u8| matches!(b, b'/' | b':');
        let length = rest.iter().position(|&b| stop(b)).unwrap_or(rest.len());
        let user = &rest[..length];
        let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+' | b'.');
        if user.iter().all(plain) {
            let part = Part::Tilde(user.to_vec());
            self.at += 1 + length;
            self.push(part);
        }
    }

    fn backslash(&mut self) {
        let next = self.peek(1);
        let special = match self.mode {
            Mode::Plain | Mode::Assignment | Mode::AnchoredPattern => true,
            Mode::Quoted => matches!(next, Some(b'$' | b'`' | b'"' | b'\\' | b'\n')),
            Mode::QuotedWord => matches!(next, Some(b'$' | b'`' | b'"' | b'\\' | b'\n' | b'}')),
            Mode::HereDocument => matches!(next, Some(b'$' | b'`' | b'\\' | b'\n')),
            Mode::Arithmetic => matches!(next, Some(b'$' | b'`' | b'"' | b'\\' | b'\n')),
        };
        match next {
            Some(b'\n') if special => {}
            Some(byte) if special => self.push(Part::Quoted(vec![byte])),
            None if special => self.push(Part::Quoted(vec![b'\\'])),
            _ => {
                self.literal.push(b'\\');
                self.at += 1;
                return;
            }
        }
        self.at += 2;
    }

    fn double_quoted(&mut self, start: usize) {
        let end = self.end(scan::double_quote(self.text, start));
        let inner = parts(
            self.inner(start, end),
            Mode::Quoted,
            self.line_here(),
            self.settings,
        );
        self.push(Part::DoubleQuoted(inner));
        self.at = end;
    }

    fn substitution(&self, start: usize, end: usize) -> Rc<Substitution> {
        Rc::new(Substitution {
            text: self.inner(start, end).to_vec(),
            line: self.line_here(),
            body: RefCell::new(None),
        })
    }

    fn backquote(&mut self) {
        let end = self.end(scan::backquote(self.text, self.at + 1));
        let in_quotes = matches!(self.mode, Mode::Quoted | Mode::QuotedWord);
        let mut text = Bytes::new();
        let mut escaped = false;
        for &byte in self.inner(self.at + 1, end) {
            if escaped {
                let dropped = matches!(byte, b'$' | b'`' | b'\\') || (in_quotes && byte == b'"');
                if !dropped {
                    text.push(b'\\');
                }
                text.push(byte);
                escaped = false;
            } else if byte == b'\\' {
                escaped = true;
            } else {
                text.push(byte);
            }
        }
        if escaped {
            text.push(b'\\');
        }
        let line = self.line_here();
        self.push(Part::Command(Rc::new(Substitution {
            text,
            line,
            body: RefCell::new(None),
        })));
        self.at = end;
    }

    fn dollar(&mut self) {
        match self.peek(1) {
            Some(b'(') if self.peek(2) == Some(b'(') => {
                match scan::arithmetic(self.text, self.at + 3) {
                    Some(end) => {
                        let inner = &self.text[self.at + 3..end - 2];
                        let expression =
                            Arithmetic::compile(inner, self.line_here(), self.settings);
                        self.push(Part::Arithmetic(Box::new(expression)));
                        self.at = end;
                    }
                    None => self.command(),
                }
            }
            Some(b'(') => self.command(),
            Some(b'[') => {
                let end = self.end(scan::brackets(self.text, self.at + 2));
                let expression = Arithmetic::compile(
                    self.inner(self.at + 2, end),
                    self.line_here(),
                    self.settings,
                );
                self.push(Part::Arithmetic(Box::new(expression)));
                self.at = end;
            }
            Some(b'{') => {
                let mode = self.mode;
                let here = self.mode == Mode::HereDocument;
                let end = self.end(scan::braces(self.text, self.at + 2, here));
                let inner = self.inner(self.at + 2, end);
                let parameter = parameter::parse(inner, mode, self.line_here(), self.settings);
                self.push(Part::Parameter(Box::new(parameter)));
                self.at = end;
            }
            Some(b'\'') if !self.mode.is_quoted() => {
                let end = self.end(scan::ansi_quote(self.text, self.at + 2));
                let text = ansi_quoted(self.inner(self.at + 2, end));
                self.push(Part::Quoted(text));
                self.at = end;
            }
            Some(b'"') if !self.mode.is_quoted() => self.double_quoted(self.at + 2),
            Some(byte) if is_name_start(byte) => {
                let name: &[u8] = &self.text[self.at + 1..];
                let length = name.iter().take_while(|&&b| is_name_byte(b)).count();
                let name = &name[..length];
                self.simple_parameter(ParameterName::Variable(intern(name)), 1 + length);
            }
            Some(byte) if byte.is_ascii_digit() => {
                self.simple_parameter(ParameterName::Position(usize::from(byte - b'0')), 2);
            }
            Some(byte) if b"@*#?-$!".contains(&byte) => {
                self.simple_parameter(ParameterName::Special(byte), 2);
            }
            _ => {
                self.literal.push(b'$');
                self.at += 1;
            }
        }
    }

    fn simple_parameter(&mut self, name: ParameterName, length: usize) {
        let source = self.text[self.at + 1..self.at + length].into();
        self.push(Part::Parameter(Box::new(Parameter {
            name,
            index: Index::None,
            indirect: false,
            operation: Operation::None,
            source,
        })));
        self.at += length;
    }

    fn command(&mut self) {
        let end = self.end(scan::parentheses(self.text, self.at + 2));
        let body = self.substitution(self.at + 2, end);
        self.push(Part::Command(body));
        self.at = end;
    }
}
