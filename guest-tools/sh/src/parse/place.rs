//! Words: where one ends, whether it is an alias, and which place it has in its command.

use super::{
    assignment,
    build::{Build, CaseState, Expect, Level, Piece},
    condition,
    reader::{Reader, SyntaxError},
    scan,
};
use crate::{
    ast::{Bytes, RedirectDescriptor},
    names::is_name,
};

/// Commands whose arguments may be `name=(values)`.
const TAKES_ARRAYS: [&[u8]; 8] = [
    b"alias",
    b"declare",
    b"eval",
    b"export",
    b"let",
    b"local",
    b"readonly",
    b"typeset",
];

impl Reader {
    pub(super) fn word(&mut self, build: &mut Build<'_>) -> Result<bool, SyntaxError> {
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
                self.take_until(end);
                build.wrapped(Piece::Condition(Some(condition)), line);
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
        let arrays = build.command_word || build.takes_arrays;
        if build.command_word
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
        let end = if arrays {
            scan::word(&self.source, from, true)
        } else {
            scan::word_without_array(&self.source, from)
        };
        let end = end.ok_or_else(|| self.open_quote(from))?;
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
        let within = std::mem::take(&mut self.alias_goes_on);
        let after_blank = within
            || self
                .alias_after_blank
                .is_some_and(|rest| self.remaining() <= rest);
        if after_blank && !within {
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
        self.alias_goes_on = after_blank;
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
        let assignment = first && assignment::split(&word).is_some();
        if let Some((token, line)) = assignment::stray_operator(&word, line) {
            return Err(SyntaxError {
                line,
                message: format!("syntax error near unexpected token `{token}'"),
                incomplete: false,
            });
        }
        build.reserved = false;
        build.command_word = assignment;
        build.function_body = false;
        if first && !assignment {
            build.takes_arrays = TAKES_ARRAYS.contains(&word.as_slice());
        }
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
