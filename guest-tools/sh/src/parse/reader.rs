//! Reads one complete command: finds words and reserved words, expands aliases, collects
//! here-documents, and asks brush-parser's grammar how the tokens hang together.

use std::rc::Rc;

use brush_parser::{ParserOptions, Token};

use super::{
    Settings,
    build::{Build, CaseState, Expect, HereDocument, Level, Piece, Pieces},
    lower, scan,
};
use crate::{
    ast::{Bytes, List, RedirectDescriptor, RedirectKind},
    names::Map,
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

/// A script being read.
pub struct Reader {
    pub(super) source: Vec<u8>,
    pub(super) at: usize,
    pub(super) line: u32,
    pub(super) first_line: u32,
    pub(super) active_aliases: Vec<(Bytes, usize)>,
    pub(super) alias_after_blank: Option<usize>,
    /// The next word stands first in an alias that was expanded because of a blank before it.
    pub(super) alias_goes_on: bool,
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
            alias_goes_on: false,
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
            takes_arrays: false,
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
                // Nothing stands between `if` and `then`: the latter is to blame.
                let mark = |at: usize| match list.get(at) {
                    Some((Piece::Mark(text), _)) => *text,
                    _ => "",
                };
                let bare = |opener: &str, end: &str| {
                    matches!(opener, "if" | "elif" | "while" | "until")
                        && matches!(end, "then" | "do")
                };
                if place > 1 && bare(mark(place - 2), mark(place - 1)) {
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

    pub(super) fn incomplete(&self, message: &str) -> SyntaxError {
        SyntaxError {
            line: self.line,
            message: message.into(),
            incomplete: true,
        }
    }

    pub(super) fn unterminated(&self, quote: char) -> SyntaxError {
        self.incomplete(&format!(
            "unexpected EOF while looking for matching `{quote}'"
        ))
    }

    pub(super) fn peek(&self, offset: usize) -> Option<u8> {
        self.source.get(self.at + offset).copied()
    }

    pub(super) fn remaining(&self) -> usize {
        self.source.len() - self.at.min(self.source.len())
    }

    /// Moves to `end`, counting lines; answers what was passed.
    pub(super) fn take_until(&mut self, end: usize) -> Bytes {
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

    pub(super) fn redirect(
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
