//! Reading a script.

mod substitution;

use std::{collections::HashMap, rc::Rc};

use posix_regex::{Matcher, Options, Syntax, translate};

use self::substitution::number_of;
use crate::{
    Settings,
    script::{Action, Address, Command, End, Expression, Guard, Script},
    text,
};

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    settings: &'a Settings,
    commands: Vec<Command>,
    open: Vec<usize>,
    labels: HashMap<Vec<u8>, usize>,
    branches: Vec<(usize, Vec<u8>)>,
    written: Vec<Vec<u8>>,
    read: Vec<Vec<u8>>,
}

type Parsed<T> = Result<T, String>;

/// Reads `text` into commands.
///
/// # Errors
/// What is wrong, and where.
pub fn parse(text: &[u8], settings: &Settings) -> Parsed<Script> {
    let mut parser = Parser {
        text,
        at: 0,
        settings,
        commands: Vec::new(),
        open: Vec::new(),
        labels: HashMap::new(),
        branches: Vec::new(),
        written: Vec::new(),
        read: Vec::new(),
    };
    match parser.script() {
        Ok(()) => Ok(Script {
            commands: parser.commands,
            written: parser.written,
            read: parser.read,
        }),
        Err(message) if message.starts_with("can't find label") => Err(format!(
            "-e expression #1, char {}: {message}",
            parser.text.len()
        )),
        Err(message) => Err(format!("-e expression #1, char {}: {message}", parser.at)),
    }
}

impl Parser<'_> {
    fn script(&mut self) -> Parsed<()> {
        loop {
            self.skip(|b| b.is_ascii_whitespace() || b == b';');
            if self.peek().is_none() {
                break;
            }
            self.command()?;
        }
        if !self.open.is_empty() {
            return Err("unmatched `{'".to_owned());
        }
        for (command, label) in std::mem::take(&mut self.branches) {
            let Some(target) = self.labels.get(&label).copied() else {
                return Err(format!(
                    "can't find label for jump to `{}'",
                    String::from_utf8_lossy(&label)
                ));
            };
            match &mut self.commands[command].action {
                Action::Branch(to)
                | Action::BranchIfReplaced(to)
                | Action::BranchUnlessReplaced(to) => {
                    *to = Some(target);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek();
        self.at += usize::from(byte.is_some());
        byte
    }

    fn skip(&mut self, which: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&which) {
            self.at += 1;
        }
    }

    fn blanks(&mut self) {
        self.skip(|b| b == b' ' || b == b'\t');
    }

    fn number(&mut self) -> Option<u64> {
        let begin = self.at;
        self.skip(|b| b.is_ascii_digit());
        std::str::from_utf8(&self.text[begin..self.at])
            .ok()?
            .parse()
            .ok()
    }

    fn command(&mut self) -> Parsed<()> {
        let guard = self.guard()?;
        self.blanks();
        let Some(letter) = self.next() else {
            return Err("missing command".to_owned());
        };
        let guarded = guard.first.is_some();
        let action = match letter {
            b'#' if guarded => return Err("comments don't accept any addresses".to_owned()),
            b'#' => {
                self.skip(|b| b != b'\n');
                return Ok(());
            }
            b':' if guarded => return Err(": doesn't want any addresses".to_owned()),
            b'}' if guarded => return Err("} doesn't want any addresses".to_owned()),
            b':' => {
                self.blanks();
                let label = self.word(|b| b == b'\n' || b == b';');
                if label.is_empty() {
                    return Err("\":\" lacks a label".to_owned());
                }
                self.labels.insert(label, self.commands.len());
                Action::Label
            }
            b'{' => {
                self.open.push(self.commands.len());
                Action::Open(0)
            }
            b'}' => {
                let open = self.open.pop().ok_or("unexpected `}'")?;
                self.commands[open].action = Action::Open(self.commands.len());
                self.end_of_command()?;
                Action::Close
            }
            b'a' | b'i' | b'c' => self.text_command(letter)?,
            b's' => self.substitution()?,
            b'y' => self.transliteration()?,
            _ => self.simple(letter)?,
        };
        self.commands.push(Command { guard, action });
        Ok(())
    }

    fn simple(&mut self, letter: u8) -> Parsed<Action> {
        let action = match letter {
            b'r' => Action::ReadFile(self.file_name()?),
            b'R' => Action::ReadLine(number_of(&mut self.read, self.text, &mut self.at)?),
            b'w' => Action::WriteFile(number_of(&mut self.written, self.text, &mut self.at)?),
            b'W' => Action::WriteFirstLine(number_of(&mut self.written, self.text, &mut self.at)?),
            b'b' | b't' | b'T' => {
                self.blanks();
                let label = self.word(|b| b == b'\n' || b == b';' || b == b'}' || b == b' ');
                if !label.is_empty() {
                    self.branches.push((self.commands.len(), label));
                }
                match letter {
                    b'b' => Action::Branch(None),
                    b't' => Action::BranchIfReplaced(None),
                    _ => Action::BranchUnlessReplaced(None),
                }
            }
            b'e' => {
                self.blanks();
                Action::Execute(self.word(|b| b == b'\n'))
            }
            b'v' => {
                self.skip(|b| b != b'\n' && b != b';');
                Action::Nothing
            }
            b'q' | b'Q' | b'l' | b'L' => {
                self.blanks();
                let number = self.number();
                let status = number.unwrap_or(0) as i32;
                match letter {
                    b'q' => Action::Quit(status),
                    b'Q' => Action::QuitSilently(status),
                    _ => Action::List(number.map(|length| length as usize)),
                }
            }
            b'd' => Action::Delete,
            b'D' => Action::DeleteFirstLine,
            b'F' => Action::FileName,
            b'g' => Action::Get,
            b'G' => Action::GetAppend,
            b'h' => Action::Hold,
            b'H' => Action::HoldAppend,
            b'n' => Action::Next,
            b'N' => Action::NextAppend,
            b'=' => Action::Number,
            b'p' => Action::Print,
            b'P' => Action::PrintFirstLine,
            b'x' => Action::Exchange,
            b'z' => Action::Zap,
            other => return Err(format!("unknown command: `{}'", other as char)),
        };
        if !matches!(letter, b'r' | b'R' | b'w' | b'W' | b'e' | b'v') {
            self.end_of_command()?;
        }
        if self.settings.sandbox && matches!(letter, b'r' | b'R' | b'w' | b'W' | b'e') {
            return Err("e/r/w commands disabled in sandbox mode".to_owned());
        }
        Ok(action)
    }

    fn end_of_command(&mut self) -> Parsed<()> {
        self.blanks();
        match self.peek() {
            None | Some(b'\n' | b';' | b'}' | b'#') => Ok(()),
            Some(b'\r') => {
                self.at += 1;
                Ok(())
            }
            Some(_) => {
                self.at += 1;
                Err("extra characters after command".to_owned())
            }
        }
    }

    fn word(&mut self, ends: impl Fn(u8) -> bool) -> Vec<u8> {
        let begin = self.at;
        self.skip(|b| !ends(b));
        let mut word = self.text[begin..self.at].to_vec();
        while word.last().is_some_and(u8::is_ascii_whitespace) {
            word.pop();
        }
        word
    }

    fn file_name(&mut self) -> Parsed<Vec<u8>> {
        self.blanks();
        let begin = self.at;
        self.skip(|b| b != b'\n');
        if begin == self.at {
            return Err("missing filename in r/R/w/W commands".to_owned());
        }
        Ok(self.text[begin..self.at].to_vec())
    }

    fn guard(&mut self) -> Parsed<Guard> {
        let mut guard = Guard {
            first: None,
            end: None,
            from_zero: false,
            negated: false,
        };
        guard.first = self.address()?;
        if guard.first.is_some() {
            self.blanks();
            if self.peek() == Some(b',') {
                self.at += 1;
                self.blanks();
                guard.end = Some(self.range_end()?);
            }
            if matches!(guard.first, Some(Address::Line(0))) {
                if !matches!(guard.end, Some(End::Matching(_))) {
                    return Err("invalid usage of line address 0".to_owned());
                }
                guard.from_zero = true;
            }
        }
        self.blanks();
        while self.peek() == Some(b'!') {
            guard.negated = true;
            self.at += 1;
            self.blanks();
        }
        Ok(guard)
    }

    fn address(&mut self) -> Parsed<Option<Address>> {
        Ok(Some(match self.peek() {
            Some(b'0'..=b'9') => {
                let first = self.number().ok_or("invalid line number")?;
                self.blanks();
                if self.peek() == Some(b'~') {
                    self.at += 1;
                    self.blanks();
                    Address::Step(first, self.number().unwrap_or(0))
                } else {
                    Address::Line(first)
                }
            }
            Some(b'$') => {
                self.at += 1;
                Address::Last
            }
            Some(b'/' | b'\\') => Address::Matching(self.address_expression()?),
            _ => return Ok(None),
        }))
    }

    fn range_end(&mut self) -> Parsed<End> {
        match self.peek() {
            Some(sign @ (b'+' | b'~')) => {
                self.at += 1;
                let count = self.number().ok_or("expected number")?;
                Ok(if sign == b'+' {
                    End::After(count)
                } else {
                    End::Multiple(count)
                })
            }
            _ => match self.address()? {
                Some(Address::Line(line)) => Ok(End::Line(line)),
                Some(Address::Step(line, _)) => Ok(End::Line(line)),
                Some(Address::Last) => Ok(End::Last),
                Some(Address::Matching(expression)) => Ok(End::Matching(expression)),
                None => Err("unexpected `,'".to_owned()),
            },
        }
    }

    fn address_expression(&mut self) -> Parsed<Expression> {
        if self.peek() == Some(b'\\') {
            self.at += 1;
        }
        let delimiter = self.next().ok_or("unterminated address regex")?;
        let text = self
            .delimited(delimiter, true)
            .ok_or("unterminated address regex")?;
        let (mut ignore_case, mut multi_line) = (false, false);
        loop {
            match self.peek() {
                Some(b'I') => ignore_case = true,
                Some(b'M') => multi_line = true,
                _ => break,
            }
            self.at += 1;
        }
        self.expression(&text, ignore_case, multi_line)
    }

    /// The text up to an unescaped `delimiter`; an escaped one loses its backslash.
    fn delimited(&mut self, delimiter: u8, is_expression: bool) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let mut in_class = false;
        loop {
            let byte = self.next()?;
            match byte {
                b'\\' => {
                    let escaped = self.next()?;
                    if escaped == delimiter && !in_class {
                        // A delimiter that is special is meant literally.
                        if is_expression && self.settings.extended && b"+?(){}|".contains(&escaped)
                            || is_expression && b"*.^$[".contains(&escaped)
                        {
                            out.push(b'\\');
                        } else if !is_expression && escaped == b'&' {
                            out.push(b'\\');
                        }
                        out.push(escaped);
                    } else {
                        out.push(b'\\');
                        out.push(escaped);
                        if in_class && escaped == b']' {
                            in_class = false;
                        }
                    }
                }
                _ if byte == delimiter && !in_class => return Some(out),
                b'\n' if is_expression && delimiter != b'\n' && !self.settings.posix && false => {
                    return None;
                }
                b'[' if is_expression
                    && !in_class
                    && delimiter != b'['
                    && self.class_closes(delimiter) =>
                {
                    in_class = true;
                    out.push(byte);
                    for special in [b'^', b']'] {
                        if self.peek() == Some(special) {
                            out.push(special);
                            self.at += 1;
                        }
                    }
                }
                b'[' if in_class && matches!(self.peek(), Some(b':' | b'.' | b'=')) => {
                    let kind = self.next()?;
                    out.extend([byte, kind]);
                    while let Some(inner) = self.next() {
                        out.push(inner);
                        if inner == kind && self.peek() == Some(b']') {
                            self.at += 1;
                            out.push(b']');
                            break;
                        }
                    }
                }
                b']' if in_class => {
                    in_class = false;
                    out.push(byte);
                }
                _ => out.push(byte),
            }
        }
    }

    /// GNU sed ends an expression at the delimiter even in brackets; `s/[/]/x/` works only because
    /// the bracket expression is then still open. Both are met by looking for the closing bracket.
    fn class_closes(&self, delimiter: u8) -> bool {
        let rest = &self.text[self.at..];
        let skip = usize::from(rest.first() == Some(&b'^'));
        let close = rest
            .iter()
            .skip(skip + 1)
            .position(|&b| b == b']')
            .map(|at| at + skip + 1);
        let end = rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
        let _ = delimiter;
        close.is_some_and(|close| close < end)
    }

    fn expression(&self, text: &[u8], ignore_case: bool, multi_line: bool) -> Parsed<Expression> {
        if text.is_empty() {
            return Ok(Expression::Last);
        }
        let text = text::in_expression(text);
        let text = String::from_utf8_lossy(&text);
        let syntax = if self.settings.extended {
            Syntax::Extended
        } else {
            Syntax::Basic
        };
        let translated = translate(&text, syntax, "")?;
        let lines = multi_line.then_some(b'\n');
        let options = Options { ignore_case, lines };
        Matcher::new(&translated.pattern, translated.back_references, options)
            .map(|matcher| Expression::Compiled(Rc::new(matcher)))
    }

    /// The text of `a`, `i` and `c`.
    fn text_command(&mut self, letter: u8) -> Parsed<Action> {
        self.blanks();
        if self.peek() == Some(b'\\') {
            self.at += 1;
            let before = self.at;
            self.blanks();
            if self.peek() == Some(b'\n') {
                self.at += 1;
            } else {
                self.at = before;
            }
            // `$a\\` at the end of a script only ends an unterminated last line.
            if self.peek().is_none() {
                return Ok(match letter {
                    b'a' => Action::Append(Vec::new()),
                    b'i' => Action::Insert(Vec::new()),
                    _ => Action::Change(Vec::new()),
                });
            }
        } else if self.peek().is_none() {
            return Err(format!("expected \\ after `a', `c' or `i'"));
        }
        let mut out = Vec::new();
        while let Some(byte) = self.next() {
            match byte {
                b'\n' => break,
                b'\\' => match self.peek() {
                    Some(b'\n') => {
                        self.at += 1;
                        out.push(b'\n');
                    }
                    Some(other) => match text::escape(&self.text[self.at..])
                        .filter(|_| other != b'n' || true)
                    {
                        Some((c, length)) if !out.is_empty() || other != b't' => {
                            text::push(c, &mut out);
                            self.at += length;
                        }
                        _ => {
                            self.at += 1;
                            out.push(other);
                        }
                    },
                    None => {}
                },
                _ => out.push(byte),
            }
        }
        out.push(b'\n');
        Ok(match letter {
            b'a' => Action::Append(out),
            b'i' => Action::Insert(out),
            _ => Action::Change(out),
        })
    }
}
