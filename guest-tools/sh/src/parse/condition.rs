//! `[[ ]]`, read straight from the source because its words follow rules of their own.

use super::{Mode, Settings, scan, word};
use crate::ast::{Bytes, Condition, ConditionOperator, Word};

pub enum Fault {
    End,
    /// The offending token and where it is.
    Near(Bytes, usize),
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    settings: Settings,
    depth: usize,
}

/// Parses from after `[[`; answers the condition and the position after `]]`.
pub fn parse(text: &[u8], at: usize, settings: Settings) -> Result<(Condition, usize), Fault> {
    let mut parser = Parser {
        text,
        at,
        settings,
        depth: 0,
    };
    let condition = parser.or()?;
    parser.skip_space();
    if parser.text[parser.at..].starts_with(b"]]") {
        return Ok((condition, parser.at + 2));
    }
    Err(parser.fault())
}

impl Parser<'_> {
    fn skip_space(&mut self) {
        loop {
            match self.text.get(self.at) {
                Some(b' ' | b'\t' | b'\n') => self.at += 1,
                Some(b'\\') if self.text.get(self.at + 1) == Some(&b'\n') => self.at += 2,
                _ => return,
            }
        }
    }

    fn fault(&self) -> Fault {
        if self.at >= self.text.len() {
            return Fault::End;
        }
        let end = scan::word(self.text, self.at, false).unwrap_or(self.text.len());
        Fault::Near(self.text[self.at..end.max(self.at + 1)].to_vec(), self.at)
    }

    fn takes(&mut self, token: &[u8]) -> bool {
        self.skip_space();
        if self.text[self.at..].starts_with(token) {
            self.at += token.len();
            return true;
        }
        false
    }

    fn or(&mut self) -> Result<Condition, Fault> {
        let left = self.and()?;
        if self.takes(b"||") {
            return Ok(Condition::Or(Box::new(left), Box::new(self.or()?)));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Condition, Fault> {
        let left = self.term()?;
        if self.takes(b"&&") {
            return Ok(Condition::And(Box::new(left), Box::new(self.and()?)));
        }
        Ok(left)
    }

    fn term(&mut self) -> Result<Condition, Fault> {
        self.skip_space();
        self.depth += 1;
        if self.depth > 100 {
            return Err(self.fault());
        }
        let answer = self.term_inner();
        self.depth -= 1;
        answer
    }

    fn term_inner(&mut self) -> Result<Condition, Fault> {
        if self.text.get(self.at) == Some(&b'!')
            && matches!(
                self.text.get(self.at + 1),
                Some(b' ' | b'\t' | b'\n' | b'(')
            )
        {
            self.at += 1;
            return Ok(Condition::Not(Box::new(self.term()?)));
        }
        if self.text.get(self.at) == Some(&b'(') {
            self.at += 1;
            let inner = self.or()?;
            if !self.takes(b")") {
                return Err(self.fault());
            }
            return Ok(Condition::Group(Box::new(inner)));
        }
        let first = self.word()?;
        if let [b'-', letter] = *first.source
            && b"abcdefghknoprstuvwxzGLNORS".contains(&letter)
            && self.operand_follows()
        {
            return Ok(Condition::Unary(letter, self.word()?));
        }
        let Some((text, operator)) = self.operator() else {
            return Ok(Condition::Word(first));
        };
        let right = match operator {
            ConditionOperator::Regex => self.regex()?,
            _ => self.word()?,
        };
        Ok(Condition::Binary(operator, text, first, right))
    }

    fn operand_follows(&mut self) -> bool {
        self.skip_space();
        let rest = &self.text[self.at..];
        if rest.starts_with(b"]]")
            || rest.starts_with(b"&&")
            || rest.starts_with(b"||")
            || rest.starts_with(b")")
        {
            return false;
        }
        // `-n == x` compares the string `-n`.
        let save = self.at;
        let is_operator = self.operator().is_some();
        let alone = {
            self.skip_space();
            self.text[self.at..].starts_with(b"]]")
        };
        self.at = save;
        !is_operator || alone
    }

    fn operator(&mut self) -> Option<(&'static str, ConditionOperator)> {
        use ConditionOperator as Op;
        self.skip_space();
        let rest = &self.text[self.at..];
        const WORDS: [(&str, ConditionOperator); 13] = [
            ("==", Op::Match),
            ("=~", Op::Regex),
            ("=", Op::Match),
            ("!=", Op::NoMatch),
            ("-eq", Op::NumberEqual),
            ("-ne", Op::NumberNotEqual),
            ("-lt", Op::NumberLess),
            ("-le", Op::NumberLessOrEqual),
            ("-gt", Op::NumberGreater),
            ("-ge", Op::NumberGreaterOrEqual),
            ("-ef", Op::SameFile),
            ("-nt", Op::Newer),
            ("-ot", Op::Older),
        ];
        for (text, operator) in WORDS {
            let blank = matches!(rest.get(text.len()), Some(b' ' | b'\t' | b'\n'));
            if rest.starts_with(text.as_bytes()) && blank {
                self.at += text.len();
                return Some((text, operator));
            }
        }
        let operator = match rest.first() {
            Some(b'<') if rest.get(1) != Some(&b'(') => ("<", Op::Before),
            Some(b'>') if rest.get(1) != Some(&b'(') => (">", Op::After),
            _ => return None,
        };
        self.at += 1;
        Some(operator)
    }

    fn word(&mut self) -> Result<Word, Fault> {
        self.skip_space();
        let mut end = scan::word(self.text, self.at, true).ok_or(Fault::End)?;
        // A pattern may begin with a group without a prefix only inside a word.
        while self.text.get(end) == Some(&b'(') && end > self.at {
            let close = scan::pattern_group(self.text, end + 1).ok_or(Fault::End)?;
            end = scan::word(self.text, close, true).ok_or(Fault::End)?;
        }
        if end == self.at || &self.text[self.at..end] == b"]]" {
            return Err(self.fault());
        }
        let text = &self.text[self.at..end];
        self.at = end;
        let mut word = word::compile(text, Mode::Plain, 1, self.settings);
        word.assignment = None;
        Ok(word)
    }

    /// The right side of `=~`: parentheses and `|` belong to it; it ends at a blank outside
    /// parentheses.
    fn regex(&mut self) -> Result<Word, Fault> {
        self.skip_space();
        let start = self.at;
        let mut depth = 0;
        let mut bracket = false;
        while let Some(&byte) = self.text.get(self.at) {
            self.at = match byte {
                b' ' | b'\t' | b'\n' if depth == 0 => break,
                b'\\' => self.at + 2,
                b'\'' => scan::single_quote(self.text, self.at + 1).ok_or(Fault::End)?,
                b'"' => scan::double_quote(self.text, self.at + 1).ok_or(Fault::End)?,
                b'`' => scan::backquote(self.text, self.at + 1).ok_or(Fault::End)?,
                b'$' => scan::dollar(self.text, self.at, false).ok_or(Fault::End)?,
                b'[' if !bracket => {
                    bracket = true;
                    let negated = self.text.get(self.at + 1) == Some(&b'^');
                    let first = self.at + 1 + usize::from(negated);
                    first + usize::from(self.text.get(first) == Some(&b']'))
                }
                b'[' if self.text.get(self.at + 1) == Some(&b':') => {
                    let rest = &self.text[self.at + 2..];
                    match rest.windows(2).position(|pair| pair == b":]") {
                        Some(n) => self.at + 2 + n + 2,
                        None => self.at + 1,
                    }
                }
                b']' => {
                    bracket = false;
                    self.at + 1
                }
                b'(' if !bracket => {
                    depth += 1;
                    self.at + 1
                }
                b')' if !bracket && depth == 0 => break,
                b')' if !bracket => {
                    depth -= 1;
                    self.at + 1
                }
                b'&' if depth == 0 && self.text[self.at..].starts_with(b"&&") => break,
                _ => self.at + 1,
            };
        }
        if self.at == start {
            return Err(self.fault());
        }
        let text = self.text.get(start..self.at).ok_or(Fault::End)?;
        let mut word = word::compile(text, Mode::Plain, 1, self.settings);
        word.assignment = None;
        Ok(word)
    }
}
