//! `test` and `[`.

use super::{number, shown};
use crate::{
    ast::Bytes,
    execute::{Run, file_comparison},
    shell::Shell,
};

pub fn bracket(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    match words.split_last() {
        Some((last, rest)) if last == b"]" && !rest.is_empty() => evaluate(shell, b"[", &rest[1..]),
        _ => {
            shell.builtin_error(b"[", format_args!("missing `]'"));
            Ok(2)
        }
    }
}

pub fn test(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    evaluate(shell, b"test", &words[1..])
}

struct Parser<'a> {
    shell: &'a mut Shell,
    name: &'static [u8],
    words: &'a [Bytes],
    at: usize,
}

enum Fault {
    Said,
    Unwind(crate::execute::Unwind),
}

type Answer = Result<bool, Fault>;

fn evaluate(shell: &mut Shell, name: &'static [u8], words: &[Bytes]) -> Run<i32> {
    let mut parser = Parser {
        shell,
        name,
        words,
        at: 0,
    };
    let answer = match words.len() {
        0 => Ok(false),
        length @ 1..=4 => parser.by_count(0, length),
        _ => parser.all(),
    };
    match answer {
        Ok(value) => Ok(i32::from(!value)),
        Err(Fault::Said) => Ok(2),
        Err(Fault::Unwind(unwind)) => Err(unwind),
    }
}

fn is_unary(word: &[u8]) -> bool {
    matches!(word, [b'-', letter] if b"abcdefghknoprstuvwxzGLNORS".contains(letter))
}

fn is_binary(word: &[u8]) -> bool {
    matches!(
        word,
        b"=" | b"=="
            | b"!="
            | b"<"
            | b">"
            | b"-eq"
            | b"-ne"
            | b"-lt"
            | b"-le"
            | b"-gt"
            | b"-ge"
            | b"-ef"
            | b"-nt"
            | b"-ot"
    )
}

impl Parser<'_> {
    fn say(&mut self, message: &str) -> Fault {
        self.shell
            .builtin_error(self.name, format_args!("{message}"));
        Fault::Said
    }

    /// POSIX's rules by the number of words.
    fn by_count(&mut self, from: usize, count: usize) -> Answer {
        let word = |n: usize| self.words[from + n].clone();
        match count {
            1 => Ok(!word(0).is_empty()),
            2 if word(0) == b"!" => Ok(word(1).is_empty()),
            2 if is_unary(&word(0)) => self.unary(&word(0), &word(1)),
            2 => {
                let text = format!("{}: unary operator expected", shown(&word(0)));
                Err(self.say(&text))
            }
            3 if is_binary(&word(1)) => self.binary(&word(0), &word(1), &word(2)),
            3 if word(1) == b"-a" => Ok(!word(0).is_empty() && !word(2).is_empty()),
            3 if word(1) == b"-o" => Ok(!word(0).is_empty() || !word(2).is_empty()),
            3 if word(0) == b"!" => self.by_count(from + 1, 2).map(|value| !value),
            3 if word(0) == b"(" && word(2) == b")" => Ok(!word(1).is_empty()),
            3 => {
                let text = format!("{}: binary operator expected", shown(&word(1)));
                Err(self.say(&text))
            }
            4 if word(0) == b"!" => self.by_count(from + 1, 3).map(|value| !value),
            4 if word(0) == b"(" && word(3) == b")" => self.by_count(from + 1, 2),
            _ => self.all(),
        }
    }

    fn all(&mut self) -> Answer {
        let value = self.or()?;
        if self.at < self.words.len() {
            return Err(self.say("too many arguments"));
        }
        Ok(value)
    }

    fn peek(&self, offset: usize) -> Option<&Bytes> {
        self.words.get(self.at + offset)
    }

    fn or(&mut self) -> Answer {
        let mut value = self.and()?;
        while self.peek(0).is_some_and(|word| word == b"-o") {
            self.at += 1;
            value |= self.and()?;
        }
        Ok(value)
    }

    fn and(&mut self) -> Answer {
        let mut value = self.term()?;
        while self.peek(0).is_some_and(|word| word == b"-a") {
            self.at += 1;
            value &= self.term()?;
        }
        Ok(value)
    }

    fn term(&mut self) -> Answer {
        let Some(first) = self.peek(0).cloned() else {
            return Err(self.say("argument expected"));
        };
        if first == b"!" {
            self.at += 1;
            return self.term().map(|value| !value);
        }
        if first == b"(" {
            self.at += 1;
            let value = self.or()?;
            if self.peek(0).is_none_or(|word| word != b")") {
                return Err(self.say("`)' expected"));
            }
            self.at += 1;
            return Ok(value);
        }
        if let Some(operator) = self.peek(1).cloned()
            && is_binary(&operator)
            && let Some(right) = self.peek(2).cloned()
        {
            self.at += 3;
            return self.binary(&first, &operator, &right);
        }
        if is_unary(&first)
            && let Some(operand) = self.peek(1).cloned()
        {
            self.at += 2;
            return self.unary(&first, &operand);
        }
        self.at += 1;
        Ok(!first.is_empty())
    }

    fn unary(&mut self, operator: &[u8], operand: &[u8]) -> Answer {
        if operator == b"-t" && number(operand).is_none() {
            let text = format!("{}: integer expression expected", shown(operand));
            return Err(self.say(&text));
        }
        self.shell
            .unary_test(operator[1], operand)
            .map_err(Fault::Unwind)
    }

    fn integer(&mut self, text: &[u8]) -> Result<i64, Fault> {
        match number(text) {
            Some(value) => Ok(value),
            None => {
                let text = format!("{}: integer expression expected", shown(text));
                Err(self.say(&text))
            }
        }
    }

    fn binary(&mut self, left: &[u8], operator: &[u8], right: &[u8]) -> Answer {
        Ok(match operator {
            b"=" | b"==" => left == right,
            b"!=" => left != right,
            b"<" => left < right,
            b">" => left > right,
            b"-ef" | b"-nt" | b"-ot" => file_comparison(operator, left, right),
            _ => {
                let (left, right) = (self.integer(left)?, self.integer(right)?);
                match operator {
                    b"-eq" => left == right,
                    b"-ne" => left != right,
                    b"-lt" => left < right,
                    b"-le" => left <= right,
                    b"-gt" => left > right,
                    _ => left >= right,
                }
            }
        })
    }
}
