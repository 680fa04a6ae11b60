//! Reads one complete command: finds words and reserved words, expands aliases, collects
//! here-documents, and asks brush-parser's grammar how the tokens hang together.

use std::{rc::Rc, sync::Arc};

use brush_parser::{ParserOptions, SourcePosition, SourceSpan, Token};

use super::{Settings, condition, lower, scan};
use crate::{
    ast::{Bytes, Condition, List, RedirectDescriptor, RedirectKind},
    names::{Map, is_name},
};

pub type Aliases = Map<Bytes, Bytes>;

/// Deeper nesting than this is refused, because the grammar recurses on the stack.
const MAX_DEPTH: usize = 120;

#[derive(Debug)]
pub struct SyntaxError {
    pub line: u32,
    pub message: String,
    /// More input could make it right.
    pub incomplete: bool,
}

/// What a token of the stream given to the grammar stands for.
#[derive(Debug)]
pub(super) enum Piece {
    Mark(&'static str),
    Subshell,
    Word(Bytes),
    Redirect {
        target: Option<RedirectDescriptor>,
        kind: RedirectKind,
        word: Bytes,
        tag: Bytes,
    },
    Arithmetic(Bytes),
    ArithmeticFor(Bytes),
    Condition(Option<Condition>, Bytes),
    /// The name of a `for` (false) or `select` (true).
    LoopName(Bytes, bool),
}

#[derive(Debug)]
pub(super) struct Pieces {
    pub list: Vec<(Piece, u32)>,
    pub settings: Settings,
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Level {
    If,
    /// Waiting for `do` or, after it, `done`.
    Loop {
        body: bool,
    },
    /// A loop whose body is written in braces.
    BraceLoop,
    Case {
        state: CaseState,
    },
    Brace,
    Parenthesis,
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum CaseState {
    Subject,
    In,
    /// `true` at the beginning of a pattern list.
    Pattern(bool),
    Body,
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Expect {
    Anything,
    LoopName { select: bool },
    LoopIn,
    FunctionName,
    TimeOption,
    CoprocessName,
}

struct HereDocument {
    piece: usize,
    tag: Bytes,
    strip: bool,
}

/// A script being read.
pub struct Reader {
    source: Vec<u8>,
    at: usize,
    line: u32,
    first_line: u32,
    active_aliases: Vec<(Bytes, usize)>,
    alias_after_blank: Option<usize>,
}

/// One command in the making.
struct Build<'a> {
    pieces: Pieces,
    tokens: Vec<Token>,
    levels: Vec<Level>,
    expect: Expect,
    /// A reserved word may come next.
    reserved: bool,
    /// A command's first word, or an assignment before it, may come next.
    command_word: bool,
    function_body: bool,
    here_documents: Vec<HereDocument>,
    /// A here-document was ended by the end of the text.
    open_document: bool,
    aliases: Option<&'a Aliases>,
}

impl Reader {
    pub fn new(source: Vec<u8>, line: u32) -> Self {
        Self {
            source,
            at: 0,
            line,
            first_line: line,
            active_aliases: Vec::new(),
            alias_after_blank: None,
        }
    }

    /// Adds input after an incomplete command.
    pub fn extend(&mut self, more: &[u8]) {
        self.source.extend_from_slice(more);
    }

    /// Where the next command begins, to come back to after an incomplete one.
    pub fn mark(&self) -> (usize, u32) {
        (self.at, self.line)
    }

    pub fn reset(&mut self, mark: (usize, u32)) {
        (self.at, self.line) = mark;
    }

    /// The text between `mark` and here.
    pub fn since(&self, mark: (usize, u32)) -> &[u8] {
        self.source.get(mark.0..self.at).unwrap_or_default()
    }

    /// Whether the text's last line has no end, which counts as one line more at its end.
    pub fn lacks_newline(&self) -> bool {
        self.source.last().is_some_and(|&b| b != b'\n')
    }

    /// The source line numbered `line`.
    pub fn line_text(&self, line: u32) -> Option<&[u8]> {
        let place = line.checked_sub(self.first_line)?;
        self.source.split(|&b| b == b'\n').nth(place as usize)
    }

    pub fn at_end(&self) -> bool {
        self.at >= self.source.len()
    }

    pub fn line(&self) -> u32 {
        self.line
    }

    /// The next complete command, up to the end of its line; `None` at the end of the text.
    pub fn next_command(
        &mut self,
        settings: Settings,
        aliases: Option<&Aliases>,
        at_end_of_input: bool,
    ) -> Result<Option<List>, SyntaxError> {
        let mut build = Build {
            pieces: Pieces {
                list: Vec::new(),
                settings,
            },
            tokens: Vec::new(),
            levels: Vec::new(),
            expect: Expect::Anything,
            reserved: true,
            command_word: true,
            function_body: false,
            here_documents: Vec::new(),
            open_document: false,
            aliases,
        };
        let end = loop {
            match self.step(&mut build) {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        if let Err(error) = end {
            // The grammar may have an earlier complaint than the end of the text.
            if error.incomplete
                && let Err(earlier) = self.parse(build, false)
            {
                return Err(if earlier.incomplete { error } else { earlier });
            }
            return Err(error);
        }
        if (!build.here_documents.is_empty() || build.open_document) && !at_end_of_input {
            return Err(self.incomplete("unexpected end of file in here-document"));
        }
        if build.tokens.is_empty() {
            return Ok(None);
        }
        self.parse(build, true).map(Some)
    }

    fn parse(&self, build: Build<'_>, lower_it: bool) -> Result<List, SyntaxError> {
        use brush_parser::ParseError;
        match brush_parser::parse_tokens(&build.tokens, &ParserOptions::default()) {
            Ok(program) if lower_it => Ok(lower(program, build.pieces)),
            Ok(_) => Ok(List::default()),
            Err(ParseError::ParsingNear(position)) => {
                let list = &build.pieces.list;
                let mut place = position.index;
                // A word that only ends or continues a command is itself to blame.
                if place > 0
                    && matches!(list[place].0, Piece::Mark("\n"))
                    && ends_command(&list[place - 1].0)
                {
                    place -= 1;
                }
                let (piece, line) = &list[place];
                Err(unexpected(piece, *line, &self.source))
            }
            Err(_) => match build.tokens.last() {
                Some(_) if build.levels.is_empty() && !build.function_body && lower_it => {
                    let mut pieces = build.pieces.list.iter().rev();
                    let last = pieces.find(|(piece, _)| !matches!(piece, Piece::Mark("\n")));
                    if let Some((piece, line)) = last
                        && ends_command(piece)
                    {
                        return Err(unexpected(piece, *line, &self.source));
                    }
                    Err(SyntaxError {
                        line: self.line.saturating_sub(1).max(1),
                        message: "syntax error near unexpected token `newline'".into(),
                        incomplete: false,
                    })
                }
                _ => Err(self.incomplete("syntax error: unexpected end of file")),
            },
        }
    }

    fn incomplete(&self, message: &str) -> SyntaxError {
        SyntaxError {
            line: self.line,
            message: message.into(),
            incomplete: true,
        }
    }

    fn unterminated(&self, quote: char) -> SyntaxError {
        self.incomplete(&format!(
            "unexpected EOF while looking for matching `{quote}'"
        ))
    }

    fn peek(&self, offset: usize) -> Option<u8> {
        self.source.get(self.at + offset).copied()
    }

    fn remaining(&self) -> usize {
        self.source.len() - self.at.min(self.source.len())
    }

    /// Moves to `end`, counting lines; answers what was passed.
    fn take_until(&mut self, end: usize) -> Bytes {
        let end = end.min(self.source.len());
        let text = self.source[self.at..end].to_vec();
        self.line += text.iter().filter(|&&b| b == b'\n').count() as u32;
        self.at = end;
        text
    }

    fn skip_blanks(&mut self) {
        loop {
            match self.peek(0) {
                Some(b' ' | b'\t') => self.at += 1,
                Some(b'\\') if self.peek(1) == Some(b'\n') => {
                    self.at += 2;
                    self.line += 1;
                }
                Some(b'#') => {
                    let rest = &self.source[self.at..];
                    self.at += rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
                }
                _ => return,
            }
        }
    }

    /// Reads one token. `false`: the command is complete.
    fn step(&mut self, build: &mut Build<'_>) -> Result<bool, SyntaxError> {
        self.skip_blanks();
        let Some(byte) = self.peek(0) else {
            return self.end_of_text(build);
        };
        if build.levels.len() > MAX_DEPTH {
            return Err(SyntaxError {
                line: self.line,
                message: format!("commands nested more than {MAX_DEPTH} deep"),
                incomplete: false,
            });
        }
        match byte {
            b'\n' => self.newline(build),
            b'<' | b'>' if self.peek(1) == Some(b'(') => self.word(build),
            b'&' if self.peek(1) == Some(b'>') => self.redirect(build, None),
            b'<' | b'>' => self.redirect(build, None),
            b';' | b'&' | b'|' => self.separator(build),
            b'(' => self.open_parenthesis(build),
            b')' => self.close_parenthesis(build),
            _ => self.word(build),
        }
    }

    fn end_of_text(&mut self, build: &mut Build<'_>) -> Result<bool, SyntaxError> {
        if build.tokens.is_empty() {
            return Ok(false);
        }
        let unfinished = !build.levels.is_empty()
            || build.function_body
            || build.expect == Expect::FunctionName
            || matches!(build.tokens.last(), Some(Token::Operator(op, _)) if matches!(op.as_str(), "|" | "&&" | "||"));
        if unfinished {
            return Err(self.incomplete("syntax error: unexpected end of file"));
        }
        // Here-documents without a body end with the text.
        Ok(false)
    }

    fn newline(&mut self, build: &mut Build<'_>) -> Result<bool, SyntaxError> {
        self.at += 1;
        self.line += 1;
        self.here_bodies(build);
        if build.tokens.is_empty() {
            return Ok(true);
        }
        let continues = build.function_body
            || matches!(build.tokens.last(), Some(Token::Operator(op, _)) if matches!(op.as_str(), "|" | "&&" | "||"));
        if continues {
            // The grammar allows a line break here, and needs none.
            return Ok(true);
        }
        if build.levels.is_empty() {
            return Ok(false);
        }
        build.expect = match build.expect {
            Expect::LoopIn => Expect::LoopIn,
            _ => Expect::Anything,
        };
        if !matches!(
            build.levels.last(),
            Some(Level::Case {
                state: CaseState::Pattern(_)
            })
        ) {
            build.reserved = true;
            build.command_word = true;
        }
        build.operator("\n", self.line - 1);
        Ok(true)
    }

    fn here_bodies(&mut self, build: &mut Build<'_>) {
        for document in std::mem::take(&mut build.here_documents) {
            let (end, next, found) =
                scan::here_document(&self.source, self.at, &document.tag, document.strip);
            let mut body = self.source[self.at..end].to_vec();
            if !found {
                build.open_document = true;
                if body.last().is_some_and(|&b| b != b'\n') {
                    body.push(b'\n');
                }
            }
            self.take_until(next);
            if let Some((Piece::Redirect { word, .. }, _)) =
                build.pieces.list.get_mut(document.piece)
            {
                *word = if document.strip {
                    strip_tabs(&body)
                } else {
                    body
                };
            }
        }
    }

    fn separator(&mut self, build: &mut Build<'_>) -> Result<bool, SyntaxError> {
        let rest = &self.source[self.at..];
        let operator = [";;&", ";;", ";&", ";", "&&", "&", "||", "|&", "|"]
            .into_iter()
            .find(|op| rest.starts_with(op.as_bytes()))
            .unwrap_or(";");
        self.at += operator.len();
        if let Some(Level::Case { state }) = build.levels.last_mut() {
            match (operator, *state) {
                (";;" | ";&" | ";;&", CaseState::Body) => *state = CaseState::Pattern(true),
                ("|", CaseState::Pattern(_)) => {
                    *state = CaseState::Pattern(false);
                    build.operator("|", self.line);
                    return Ok(true);
                }
                _ => {}
            }
        }
        if operator == "|&" {
            build.push_redirect(
                Some(RedirectDescriptor::Number(2)),
                RedirectKind::DuplicateOutput,
                b"1".to_vec(),
                self.line,
            );
            build.operator("|", self.line);
        } else {
            build.operator(operator, self.line);
        }
        build.reserved = true;
        build.command_word = true;
        build.expect = Expect::Anything;
        Ok(true)
    }

    fn open_parenthesis(&mut self, build: &mut Build<'_>) -> Result<bool, SyntaxError> {
        if let Some(Level::Case {
            state: CaseState::Pattern(start),
        }) = build.levels.last_mut()
        {
            *start = false;
            self.at += 1;
            build.operator("(", self.line);
            return Ok(true);
        }
        let line = self.line;
        if matches!(build.expect, Expect::LoopName { .. }) && self.peek(1) == Some(b'(') {
            let end = scan::arithmetic(&self.source, self.at + 2)
                .ok_or_else(|| self.unterminated(')'))?;
            let text = self.take_until(end);
            build.piece_word(Piece::ArithmeticFor(text[2..text.len() - 2].to_vec()), line);
            build.expect = Expect::Anything;
            build.reserved = true;
            return Ok(true);
        }
        if !build.reserved {
            self.at += 1;
            build.operator("(", line);
            return Ok(true);
        }
        if self.peek(1) == Some(b'(')
            && let Some(end) = scan::arithmetic(&self.source, self.at + 2)
        {
            let text = self.take_until(end);
            build.wrapped(Piece::Arithmetic(text[2..text.len() - 2].to_vec()), line);
            return Ok(true);
        }
        self.at += 1;
        build.levels.push(Level::Parenthesis);
        build.token_for(Piece::Subshell, "{", line);
        build.begin_command();
        Ok(true)
    }

    fn close_parenthesis(&mut self, build: &mut Build<'_>) -> Result<bool, SyntaxError> {
        self.at += 1;
        match build.levels.last_mut() {
            Some(Level::Case { state }) if matches!(state, CaseState::Pattern(_)) => {
                *state = CaseState::Body;
                build.operator(")", self.line);
                build.begin_command();
            }
            Some(Level::Parenthesis) => {
                build.levels.pop();
                build.end_list(self.line);
                build.token_for(Piece::Mark(")"), "}", self.line);
                build.after_compound();
            }
            _ => build.operator(")", self.line),
        }
        Ok(true)
    }

    fn redirect(
        &mut self,
        build: &mut Build<'_>,
        target: Option<RedirectDescriptor>,
    ) -> Result<bool, SyntaxError> {
        let rest = &self.source[self.at..];
        const OPERATORS: [(&str, RedirectKind); 12] = [
            ("&>>", RedirectKind::BothAppend),
            ("&>", RedirectKind::Both),
            ("<<<", RedirectKind::HereString),
            (
                "<<-",
                RedirectKind::HereDocument {
                    strip_tabs: true,
                    quoted: false,
                },
            ),
            (
                "<<",
                RedirectKind::HereDocument {
                    strip_tabs: false,
                    quoted: false,
                },
            ),
            ("<&", RedirectKind::DuplicateInput),
            ("<>", RedirectKind::ReadWrite),
            ("<", RedirectKind::Read),
            (">>", RedirectKind::Append),
            (">&", RedirectKind::DuplicateOutput),
            (">|", RedirectKind::Clobber),
            (">", RedirectKind::Write),
        ];
        let (operator, kind) = OPERATORS
            .into_iter()
            .find(|(op, _)| rest.starts_with(op.as_bytes()))
            .unwrap_or((">", RedirectKind::Write));
        let line = self.line;
        self.at += operator.len();
        self.skip_blanks();
        let end = scan::word(&self.source, self.at, true).ok_or_else(|| self.unterminated('"'))?;
        if end == self.at {
            // The grammar will say that what follows was not expected.
            build.operator(operator, line);
            if self.peek(0) == Some(b'\n') {
                return Err(SyntaxError {
                    line,
                    message: "syntax error near unexpected token `newline'".into(),
                    incomplete: false,
                });
            }
            return Ok(true);
        }
        let word = self.take_until(end);
        if let RedirectKind::HereDocument { strip_tabs, .. } = kind {
            let quoted = word.iter().any(|b| matches!(b, b'\'' | b'"' | b'\\'));
            build.here_documents.push(HereDocument {
                piece: build.pieces.list.len() + 1,
                tag: super::unquote(&word),
                strip: strip_tabs,
            });
            let kind = RedirectKind::HereDocument { strip_tabs, quoted };
            build.push_redirect(target, kind, Bytes::new(), line);
            let tag = super::unquote(&word);
            if let Some((Piece::Redirect { tag: kept, .. }, _)) = build.pieces.list.last_mut() {
                *kept = tag;
            }
        } else {
            build.push_redirect(target, kind, word, line);
        }
        build.reserved = false;
        Ok(true)
    }

    fn word(&mut self, build: &mut Build<'_>) -> Result<bool, SyntaxError> {
        let line = self.line;
        if build.reserved
            && self.peek(0) == Some(b'!')
            && self.peek(1) == Some(b'(')
            && !build.pieces.settings.extended_patterns
        {
            self.at += 1;
            build.token_for(Piece::Mark("!"), "!", line);
            return Ok(true);
        }
        let end = self.word_end(build)?;
        if self.expand_alias(build, end) {
            return Ok(true);
        }
        let text = &self.source[self.at..end];
        let text_is_digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
        let redirects = matches!(self.source.get(end), Some(b'<' | b'>'));
        if redirects && text_is_digits {
            let number = std::str::from_utf8(text).ok().and_then(|t| t.parse().ok());
            if let Some(number) = number {
                self.at = end;
                return self.redirect(build, Some(RedirectDescriptor::Number(number)));
            }
        }
        if redirects
            && let Some(inner) = text.strip_prefix(b"{").and_then(|t| t.strip_suffix(b"}"))
            && is_name(inner.split(|&b| b == b'[').next().unwrap_or_default())
            && self.source.get(end + 1) != Some(&b'(')
        {
            let name = inner.to_vec();
            self.at = end;
            return self.redirect(build, Some(RedirectDescriptor::Variable(name)));
        }
        if build.reserved && text == b"[[" && self.blank_at(end) {
            self.at = end;
            return self.condition(build, line);
        }
        let word = self.take_until(end);
        self.place_word(build, word, line)
    }

    fn blank_at(&self, at: usize) -> bool {
        matches!(self.source.get(at), Some(b' ' | b'\t' | b'\n'))
    }

    fn condition(&mut self, build: &mut Build<'_>, line: u32) -> Result<bool, SyntaxError> {
        let start = self.at;
        match condition::parse(&self.source, self.at, build.pieces.settings) {
            Ok((condition, end)) => {
                let text = self.take_until(end);
                let text = text[..text.len() - 2].trim_ascii().to_vec();
                build.wrapped(Piece::Condition(Some(condition), text), line);
                Ok(true)
            }
            Err(condition::Fault::End) => {
                Err(self.incomplete("unexpected EOF while looking for `]]'"))
            }
            Err(condition::Fault::Near(token, at)) => {
                let lines = self.source[start..at.min(self.source.len())]
                    .iter()
                    .filter(|&&b| b == b'\n')
                    .count();
                Err(SyntaxError {
                    line: line + lines as u32,
                    message: format!("syntax error near `{}'", String::from_utf8_lossy(&token)),
                    incomplete: false,
                })
            }
        }
    }

    /// The end of the word that begins here; an assignment's subscript may hold blanks.
    fn word_end(&self, build: &Build<'_>) -> Result<usize, SyntaxError> {
        let mut from = self.at;
        let name_end = scan::name(&self.source, self.at);
        if (build.command_word || build.expect == Expect::Anything)
            && name_end > self.at
            && self.source.get(name_end) == Some(&b'[')
            && let Some(end) = scan::brackets(&self.source, name_end + 1)
        {
            let rest = &self.source[end..];
            if rest.starts_with(b"=") {
                from = end + 1;
            } else if rest.starts_with(b"+=") {
                from = end + 2;
            }
            if from > self.at && self.source.get(from) == Some(&b'(') {
                return scan::parentheses(&self.source, from + 1)
                    .ok_or_else(|| self.unterminated(')'));
            }
        }
        let end = scan::word(&self.source, from, true).ok_or_else(|| self.open_quote(from))?;
        Ok(if end == self.at {
            (self.at + 1).min(self.source.len())
        } else {
            end
        })
    }

    fn open_quote(&self, from: usize) -> SyntaxError {
        let rest = &self.source[from..];
        let quote = rest
            .iter()
            .find(|b| matches!(b, b'"' | b'\'' | b'`' | b'('));
        match quote {
            Some(b'\'') => self.unterminated('\''),
            Some(b'`') => self.unterminated('`'),
            Some(b'(') => self.unterminated(')'),
            _ => self.unterminated('"'),
        }
    }

    /// Replaces the word by its alias in the text still to be read.
    fn expand_alias(&mut self, build: &Build<'_>, end: usize) -> bool {
        let after_blank = self
            .alias_after_blank
            .is_some_and(|rest| self.remaining() <= rest);
        if after_blank {
            self.alias_after_blank = None;
        }
        let Some(aliases) = build.aliases else {
            return false;
        };
        let in_pattern = matches!(
            build.levels.last(),
            Some(Level::Case {
                state: CaseState::Pattern(_) | CaseState::Subject
            })
        );
        let anywhere = !build.command_word || build.expect != Expect::Anything || in_pattern;
        if anywhere && !after_blank {
            return false;
        }
        let word = &self.source[self.at..end];
        let Some(value) = aliases.get(word) else {
            return false;
        };
        let remaining = self.remaining();
        self.active_aliases.retain(|(_, rest)| remaining > *rest);
        if self.active_aliases.iter().any(|(name, _)| name == word) {
            return false;
        }
        let rest = self.source.len() - end;
        self.active_aliases.push((word.to_vec(), rest));
        if value.last().is_some_and(|b| matches!(b, b' ' | b'\t')) {
            self.alias_after_blank = Some(rest);
        }
        self.source = [value, &self.source[end..]].concat();
        self.at = 0;
        true
    }

    /// Gives a word its place in the command.
    fn place_word(
        &mut self,
        build: &mut Build<'_>,
        word: Bytes,
        line: u32,
    ) -> Result<bool, SyntaxError> {
        match build.expect {
            Expect::LoopName { select } => {
                build.piece_word(Piece::LoopName(word, select), line);
                build.expect = Expect::LoopIn;
                build.reserved = true;
                return Ok(true);
            }
            Expect::LoopIn if word == b"in" => {
                build.token_for(Piece::Mark("in"), "in", line);
                // So that `for x in; do` differs from `for x; do`.
                build.piece_word(Piece::Mark(""), line);
                build.expect = Expect::Anything;
                build.reserved = false;
                build.command_word = false;
                return Ok(true);
            }
            Expect::FunctionName => {
                build.piece_word(Piece::Word(word), line);
                self.function_parentheses(build);
                return Ok(true);
            }
            Expect::CoprocessName if is_name(&word) && self.compound_follows() => {
                build.piece_word(Piece::Word(word), line);
                build.begin_command();
                return Ok(true);
            }
            Expect::TimeOption if word == b"-p" || word == b"--" => {
                if word == b"-p" {
                    build.token_for(Piece::Mark("-p"), "-p", line);
                }
                build.expect = Expect::Anything;
                return Ok(true);
            }
            _ => build.expect = Expect::Anything,
        }
        if self.place_in_case(build, &word, line) {
            return Ok(true);
        }
        if build.reserved && self.reserved_word(build, &word, line) {
            return Ok(true);
        }
        let first = build.command_word;
        let assignment = first && super::assignment::split(&word).is_some();
        build.reserved = false;
        build.command_word = assignment;
        build.function_body = false;
        build.piece_word(Piece::Word(word), line);
        if first && !assignment {
            self.maybe_function(build);
        }
        Ok(true)
    }

    fn place_in_case(&mut self, build: &mut Build<'_>, word: &[u8], line: u32) -> bool {
        let Some(Level::Case { state }) = build.levels.last_mut() else {
            return false;
        };
        match *state {
            CaseState::Subject => {
                *state = CaseState::In;
                build.piece_word(Piece::Word(word.to_vec()), line);
                true
            }
            CaseState::In if word == b"in" => {
                *state = CaseState::Pattern(true);
                build.token_for(Piece::Mark("in"), "in", line);
                true
            }
            CaseState::Pattern(true) if word == b"esac" => {
                build.levels.pop();
                build.token_for(Piece::Mark("esac"), "esac", line);
                build.after_compound();
                true
            }
            CaseState::Pattern(_) => {
                *state = CaseState::Pattern(false);
                build.piece_word(Piece::Word(word.to_vec()), line);
                true
            }
            CaseState::In | CaseState::Body => false,
        }
    }

    /// True when the next word opens a group or a subshell.
    fn compound_follows(&self) -> bool {
        let rest = self.source[self.at..].trim_ascii_start();
        rest.first() == Some(&b'(')
            || (rest.first() == Some(&b'{') && rest.get(1).is_some_and(u8::is_ascii_whitespace))
    }

    fn maybe_function(&mut self, build: &mut Build<'_>) {
        let mut ahead = self.at;
        while matches!(self.source.get(ahead), Some(b' ' | b'\t')) {
            ahead += 1;
        }
        if self.source.get(ahead) != Some(&b'(') {
            return;
        }
        ahead += 1;
        while matches!(self.source.get(ahead), Some(b' ' | b'\t')) {
            ahead += 1;
        }
        if self.source.get(ahead) == Some(&b')') {
            self.function_parentheses(build);
        }
    }

    /// After a function's name: passes `()` when written, and waits for the body.
    fn function_parentheses(&mut self, build: &mut Build<'_>) {
        let mut ahead = self.at;
        let skip = |mut at: usize| {
            while matches!(self.source.get(at), Some(b' ' | b'\t')) {
                at += 1;
            }
            at
        };
        ahead = skip(ahead);
        if self.source.get(ahead) == Some(&b'(') {
            let close = skip(ahead + 1);
            if self.source.get(close) == Some(&b')') {
                self.at = close + 1;
            }
        }
        build.operator("(", self.line);
        build.operator(")", self.line);
        build.function_body = true;
        build.expect = Expect::Anything;
        build.reserved = true;
        build.command_word = true;
    }

    fn reserved_word(&mut self, build: &mut Build<'_>, word: &[u8], line: u32) -> bool {
        let text: &'static str = match word {
            b"if" => "if",
            b"then" => "then",
            b"elif" => "elif",
            b"else" => "else",
            b"fi" => "fi",
            b"while" => "while",
            b"until" => "until",
            b"do" => "do",
            b"done" => "done",
            b"for" => "for",
            b"select" => "select",
            b"case" => "case",
            b"esac" => "esac",
            b"{" => "{",
            b"}" => "}",
            b"!" => "!",
            b"time" => "time",
            b"function" => "function",
            b"coproc" => "coproc",
            _ => return false,
        };
        build.function_body = false;
        build.reserved_word(text, line);
        true
    }
}

impl Build<'_> {
    fn token_for(&mut self, piece: Piece, text: &str, line: u32) {
        let span = self.span(piece, line);
        self.tokens.push(Token::Word(text.to_owned(), span));
    }

    fn piece_word(&mut self, piece: Piece, line: u32) {
        let text = format!("v{}", self.pieces.list.len());
        self.token_for(piece, &text, line);
    }

    fn operator(&mut self, text: &'static str, line: u32) {
        let span = self.span(Piece::Mark(text), line);
        self.tokens.push(Token::Operator(text.to_owned(), span));
    }

    fn span(&mut self, piece: Piece, line: u32) -> SourceSpan {
        let index = self.pieces.list.len();
        self.pieces.list.push((piece, line));
        let position = Arc::new(SourcePosition {
            index,
            line: 1,
            column: 1,
        });
        SourceSpan {
            start: Arc::clone(&position),
            end: position,
        }
    }

    fn push_redirect(
        &mut self,
        target: Option<RedirectDescriptor>,
        kind: RedirectKind,
        word: Bytes,
        line: u32,
    ) {
        self.operator("<", line);
        self.piece_word(
            Piece::Redirect {
                target,
                kind,
                word,
                tag: Bytes::new(),
            },
            line,
        );
    }

    /// A piece that is a compound command by itself.
    fn wrapped(&mut self, piece: Piece, line: u32) {
        self.token_for(Piece::Mark("{"), "{", line);
        self.piece_word(piece, line);
        self.operator(";", line);
        self.token_for(Piece::Mark("}"), "}", line);
        self.after_compound();
    }

    fn begin_command(&mut self) {
        self.reserved = true;
        self.command_word = true;
        self.function_body = false;
        self.expect = Expect::Anything;
    }

    fn after_compound(&mut self) {
        self.reserved = true;
        self.command_word = false;
        self.function_body = false;
        self.expect = Expect::Anything;
    }

    /// A subshell is given to the grammar as a group, whose list must end with a separator.
    fn end_list(&mut self, line: u32) {
        let ended = matches!(self.tokens.last(), Some(Token::Operator(op, _)) if matches!(op.as_str(), ";" | "&" | "\n"));
        if !ended {
            self.operator(";", line);
        }
    }

    fn reserved_word(&mut self, text: &'static str, line: u32) {
        let mark = Piece::Mark(text);
        match (text, self.levels.last().copied()) {
            ("if", _) => self.open(Level::If, text, line),
            ("while" | "until", _) => self.open(Level::Loop { body: false }, text, line),
            ("for" | "select", _) => {
                self.open(Level::Loop { body: false }, "for", line);
                self.expect = Expect::LoopName {
                    select: text == "select",
                };
            }
            ("case", _) => {
                self.open(
                    Level::Case {
                        state: CaseState::Subject,
                    },
                    text,
                    line,
                );
                self.reserved = false;
                self.command_word = false;
            }
            ("do", Some(Level::Loop { body: false })) => {
                self.levels.pop();
                self.open(Level::Loop { body: true }, text, line);
            }
            ("{", Some(Level::Loop { body: false })) if self.after_header() => {
                self.levels.pop();
                self.open(Level::BraceLoop, "do", line);
            }
            ("}", Some(Level::BraceLoop)) => self.close("done", line),
            ("{", _) => self.open(Level::Brace, text, line),
            ("}", Some(Level::Brace))
            | ("fi", Some(Level::If))
            | ("done", Some(Level::Loop { body: true })) => self.close(text, line),
            ("esac", Some(Level::Case { .. })) => {
                self.operator(";;", line);
                self.close(text, line);
            }
            ("function", _) => {
                // The grammar reads `name ()`, whichever way it was written.
                self.reserved = false;
                self.expect = Expect::FunctionName;
            }
            ("time", _) => {
                self.token_for(mark, text, line);
                self.begin_command();
                self.expect = Expect::TimeOption;
            }
            ("coproc", _) => {
                self.token_for(mark, text, line);
                self.begin_command();
                self.expect = Expect::CoprocessName;
            }
            _ => {
                self.token_for(mark, text, line);
                self.begin_command();
            }
        }
    }

    /// True between a `for` header and its body.
    fn after_header(&self) -> bool {
        let mut tokens = self.tokens.iter().rev();
        tokens.any(|token| match token {
            Token::Operator(op, _) if matches!(op.as_str(), ";" | "\n") => false,
            Token::Word(..) => true,
            Token::Operator(..) => false,
        }) && self.tokens.iter().rev().find_map(|token| match token {
            Token::Word(word, _) if word == "for" => Some(true),
            Token::Word(word, _) if matches!(word.as_str(), "while" | "until" | "do") => {
                Some(false)
            }
            _ => None,
        }) == Some(true)
    }

    fn open(&mut self, level: Level, text: &'static str, line: u32) {
        self.levels.push(level);
        self.token_for(Piece::Mark(text), text, line);
        self.begin_command();
    }

    fn close(&mut self, text: &'static str, line: u32) {
        self.levels.pop();
        self.token_for(Piece::Mark(text), text, line);
        self.after_compound();
    }
}

fn strip_tabs(body: &[u8]) -> Bytes {
    let mut out = Bytes::with_capacity(body.len());
    for line in body.split_inclusive(|&b| b == b'\n') {
        let tabs = line.iter().take_while(|&&b| b == b'\t').count();
        out.extend_from_slice(&line[tabs..]);
    }
    out
}

/// Whether a piece is a word that only ends or continues a compound command.
fn ends_command(piece: &Piece) -> bool {
    let text = match piece {
        Piece::Mark(text) => text.as_bytes(),
        Piece::Word(word) => word,
        _ => return false,
    };
    matches!(
        text,
        b"fi" | b"done" | b"esac" | b"then" | b"do" | b"else" | b"elif" | b"}"
    )
}

fn unexpected(piece: &Piece, line: u32, _source: &[u8]) -> SyntaxError {
    let token = match piece {
        Piece::Mark("\n") => "newline".to_owned(),
        Piece::Mark(text) => (*text).to_owned(),
        Piece::Subshell => "(".to_owned(),
        Piece::Word(word) | Piece::LoopName(word, _) => String::from_utf8_lossy(word).into_owned(),
        Piece::Redirect { word, .. } => String::from_utf8_lossy(word).into_owned(),
        Piece::Arithmetic(_) | Piece::ArithmeticFor(_) => "((".to_owned(),
        Piece::Condition(..) => "[[".to_owned(),
    };
    SyntaxError {
        line,
        message: format!("syntax error near unexpected token `{token}'"),
        incomplete: false,
    }
}

/// Parses a whole text, as for `$( )` and `eval`-like uses that need the tree at once.
pub fn parse_all(
    text: &[u8],
    line: u32,
    settings: Settings,
    aliases: Option<&Aliases>,
) -> Result<Rc<List>, SyntaxError> {
    let mut reader = Reader::new(text.to_vec(), line);
    let mut list = List::default();
    while let Some(more) = reader.next_command(settings, aliases, true)? {
        list.0.extend(more.0);
    }
    Ok(Rc::new(list))
}
