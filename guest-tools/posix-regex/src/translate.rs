//! From POSIX syntax to that of the regex crate.

use crate::class;

/// Which expressions are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    Basic,
    Extended,
    /// As awk reads them: extended, with C escapes and no back references.
    Awk,
    /// Emacs expressions of `find -regex`: `+ ?` bare, groups and alternatives escaped.
    Emacs,
}

/// An expression in the regex crate's syntax.
#[derive(Debug, Clone)]
pub struct Translated {
    pub pattern: String,
    /// It refers back to a group, which needs a backtracking engine.
    pub back_references: bool,
    pub groups: usize,
}

struct Translator<'a> {
    text: &'a [char],
    at: usize,
    syntax: Syntax,
    /// The line terminator that negated classes must not match, in regex syntax.
    terminator: &'static str,
    out: String,
    /// Where the last atom begins in `out`; `None` where a repetition has nothing to repeat.
    atom: Option<usize>,
    repeated: bool,
    open: Vec<usize>,
    groups: usize,
    back_references: bool,
}

/// Rewrites `text`.
///
/// `terminator` is what separates lines, in regex syntax (`\n` or `\x00`; empty for none).
///
/// # Errors
/// GNU's words for what is wrong with the expression.
pub fn translate(
    text: &str,
    syntax: Syntax,
    terminator: &'static str,
) -> Result<Translated, String> {
    let chars: Vec<char> = text.chars().collect();
    let mut translator = Translator {
        text: &chars,
        at: 0,
        syntax,
        terminator,
        out: String::with_capacity(text.len() + 16),
        atom: None,
        repeated: false,
        open: Vec::new(),
        groups: 0,
        back_references: false,
    };
    translator.run()?;
    Ok(Translated {
        pattern: translator.out,
        back_references: translator.back_references,
        groups: translator.groups,
    })
}

impl Translator<'_> {
    fn run(&mut self) -> Result<(), String> {
        while let Some(c) = self.next() {
            match self.syntax {
                Syntax::Basic => self.basic(c)?,
                Syntax::Emacs => self.emacs(c)?,
                Syntax::Extended | Syntax::Awk => self.extended(c)?,
            }
        }
        if self.open.is_empty() {
            return Ok(());
        }
        Err("Unmatched ( or \\(".to_owned())
    }

    fn next(&mut self) -> Option<char> {
        let c = self.text.get(self.at).copied();
        self.at += usize::from(c.is_some());
        c
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn rest_starts_with(&self, text: &str) -> bool {
        text.chars()
            .enumerate()
            .all(|(i, c)| self.text.get(self.at + i) == Some(&c))
    }

    fn basic(&mut self, c: char) -> Result<(), String> {
        match c {
            '\\' => self.basic_escape(),
            '*' if self.atom.is_none() => {
                self.literal('*');
                Ok(())
            }
            '*' => self.repeat("*"),
            '^' if self.starts_branch() => {
                self.assertion("^");
                Ok(())
            }
            '$' if self.ends_branch("\\") => {
                self.assertion("$");
                Ok(())
            }
            _ => self.shared(c),
        }
    }

    fn basic_escape(&mut self) -> Result<(), String> {
        match self.next() {
            None => Err("Trailing backslash".to_owned()),
            Some('(') => {
                self.open_group();
                Ok(())
            }
            Some(')') => self.close_group(),
            Some('{') if self.atom.is_some() => self.interval("\\}"),
            Some('{') => Err("Invalid preceding regular expression".to_owned()),
            Some('|') => {
                self.alternative();
                Ok(())
            }
            Some(c @ ('+' | '?')) => {
                if self.atom.is_some() {
                    self.repeat(if c == '+' { "+" } else { "?" })
                } else {
                    self.literal(c);
                    Ok(())
                }
            }
            Some(c) => self.shared_escape(c),
        }
    }

    fn emacs(&mut self, c: char) -> Result<(), String> {
        match c {
            '\\' => match self.next() {
                None => Err("Trailing backslash".to_owned()),
                Some('(') => {
                    self.open_group();
                    Ok(())
                }
                Some(')') => self.close_group(),
                Some('|') => {
                    self.alternative();
                    Ok(())
                }
                Some(c) => self.shared_escape(c),
            },
            '*' | '+' | '?' if self.atom.is_none() => {
                self.literal(c);
                Ok(())
            }
            '*' => self.repeat("*"),
            '+' => self.repeat("+"),
            '?' => self.repeat("?"),
            '^' if self.starts_branch() => {
                self.assertion("^");
                Ok(())
            }
            '$' if self.ends_branch("\\") => {
                self.assertion("$");
                Ok(())
            }
            _ => self.shared(c),
        }
    }

    fn extended(&mut self, c: char) -> Result<(), String> {
        match c {
            '\\' => match self.next() {
                None if self.syntax == Syntax::Awk => {
                    self.literal('\\');
                    Ok(())
                }
                None => Err("Trailing backslash".to_owned()),
                Some(c) if self.syntax == Syntax::Awk => self.awk_escape(c),
                Some(c) => self.shared_escape(c),
            },
            '(' => {
                self.open_group();
                Ok(())
            }
            ')' if self.open.is_empty() => {
                self.literal(')');
                Ok(())
            }
            ')' => self.close_group(),
            '|' => {
                self.alternative();
                Ok(())
            }
            '^' => {
                self.assertion("^");
                Ok(())
            }
            '$' => {
                self.assertion("$");
                Ok(())
            }
            '*' | '+' | '?' if self.atom.is_none() => {
                if self.syntax == Syntax::Awk {
                    self.literal(c);
                }
                Ok(()) // GNU repeats the empty expression
            }
            '*' => self.repeat("*"),
            '+' => self.repeat("+"),
            '?' => self.repeat("?"),
            '{' if self.atom.is_some() && self.is_interval() => self.interval("}"),
            _ => self.shared(c),
        }
    }

    /// What all syntaxes read alike.
    fn shared(&mut self, c: char) -> Result<(), String> {
        match c {
            '.' => {
                let any = match (self.syntax, self.terminator) {
                    (Syntax::Awk, _) | (_, "") => "(?s:.)",
                    (_, "\\x00") => "[^\\x00]",
                    _ => ".",
                };
                self.begin_atom();
                self.out.push_str(any);
            }
            '[' => {
                self.begin_atom();
                let awk = self.syntax == Syntax::Awk;
                let (class, end) = class::translate(self.text, self.at, self.terminator, awk)?;
                self.out.push_str(&class);
                self.at = end;
            }
            '\n' if self.syntax != Syntax::Awk && self.terminator == "\\n" => self.alternative(),
            _ => self.literal(c),
        }
        Ok(())
    }

    fn shared_escape(&mut self, c: char) -> Result<(), String> {
        match c {
            '<' => self.assertion("\\b{start}"),
            '>' => self.assertion("\\b{end}"),
            'b' => self.assertion("\\b"),
            'B' => self.assertion("\\B"),
            '`' => self.assertion(if self.terminator.is_empty() {
                "\\A"
            } else {
                "^"
            }),
            '\'' => self.assertion(if self.terminator.is_empty() {
                "\\z"
            } else {
                "$"
            }),
            'w' => self.set("\\w"),
            's' if self.terminator.is_empty() => self.set("\\s"),
            's' => self.set(&format!("[\\s--{}]", self.terminator)),
            'W' if self.terminator.is_empty() => self.set("\\W"),
            'W' => self.set(&format!("[^\\w{}]", self.terminator)),
            'S' => self.set("\\S"),
            '1'..='9' => {
                let number = c as usize - '0' as usize;
                if number > self.groups || self.open.len() == self.groups && number == self.groups {
                    return Err("Invalid back reference".to_owned());
                }
                self.back_references = true;
                self.begin_atom();
                self.out.push_str(&format!("(?:\\{number})"));
            }
            _ => self.literal(c),
        }
        Ok(())
    }

    fn awk_escape(&mut self, c: char) -> Result<(), String> {
        let plain = match c {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'f' => '\u{c}',
            'v' => '\u{b}',
            'a' => '\u{7}',
            'b' => '\u{8}',
            '0'..='7' => {
                let mut value = c as u32 - '0' as u32;
                for _ in 0..2 {
                    match self.peek() {
                        Some(d @ '0'..='7') => {
                            value = value * 8 + (d as u32 - '0' as u32);
                            self.at += 1;
                        }
                        _ => break,
                    }
                }
                char::from_u32(value).unwrap_or('\u{fffd}')
            }
            'y' => {
                self.assertion("\\b");
                return Ok(());
            }
            '<' | '>' | 'B' | '`' | '\'' | 'w' | 's' | 'W' | 'S' => return self.shared_escape(c),
            other => other,
        };
        self.literal(plain);
        Ok(())
    }

    fn begin_atom(&mut self) {
        self.atom = Some(self.out.len());
        self.repeated = false;
    }

    fn literal(&mut self, c: char) {
        self.begin_atom();
        if c.is_ascii_punctuation()
            && c != '<'
            && c != '>'
            && c != '_'
            && c != '`'
            && c != '\''
            && c != '"'
            && c != ','
            && c != '/'
            && c != ':'
            && c != ';'
            && c != '='
            && c != '@'
            && c != '!'
            && c != '%'
        {
            self.out.push('\\');
        }
        self.out.push(c);
    }

    fn set(&mut self, text: &str) {
        self.begin_atom();
        self.out.push_str(text);
    }

    /// An assertion may be repeated in extended syntax, which then changes nothing.
    fn assertion(&mut self, text: &str) {
        let begin = self.out.len();
        self.out.push_str(text);
        let basic = matches!(self.syntax, Syntax::Basic | Syntax::Emacs);
        self.atom = if basic && text == "^" {
            None
        } else {
            Some(begin)
        };
        self.repeated = false;
        if !basic && text.starts_with(['^', '$']) {
            // `^*` in extended syntax: the star repeats the anchor.
            self.out.truncate(begin);
            self.out.push_str("(?:");
            self.out.push_str(text);
            self.out.push(')');
        }
    }

    fn repeat(&mut self, operator: &str) -> Result<(), String> {
        let Some(begin) = self.atom else {
            return Ok(());
        };
        if self.repeated {
            self.out.insert_str(begin, "(?:");
            self.out.push(')');
        }
        self.out.push_str(operator);
        self.repeated = true;
        Ok(())
    }

    fn open_group(&mut self) {
        self.open.push(self.out.len());
        self.groups += 1;
        self.out.push('(');
        self.atom = None;
    }

    fn close_group(&mut self) -> Result<(), String> {
        let begin = self.open.pop().ok_or("Unmatched ) or \\)")?;
        self.out.push(')');
        self.atom = Some(begin);
        self.repeated = false;
        Ok(())
    }

    fn alternative(&mut self) {
        self.out.push('|');
        self.atom = None;
    }

    fn starts_branch(&self) -> bool {
        self.out.is_empty()
            || self.out.ends_with('(') && self.atom.is_none()
            || self.out.ends_with('|') && self.atom.is_none()
    }

    fn ends_branch(&self, escape: &str) -> bool {
        self.peek().is_none()
            || self.rest_starts_with(&format!("{escape})"))
            || self.rest_starts_with(&format!("{escape}|"))
            || self.rest_starts_with("\n")
    }

    /// Whether what follows `{` is an interval; GNU reads anything else literally.
    fn is_interval(&self) -> bool {
        let rest: String = self.text[self.at..]
            .iter()
            .take_while(|c| **c != '}')
            .collect();
        let closed = self.text.get(self.at + rest.chars().count()) == Some(&'}');
        let (low, high) = rest.split_once(',').unwrap_or((&rest, ""));
        let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
        closed && !rest.is_empty() && digits(low) && digits(high) && rest != ","
            || closed && rest == ","
    }

    fn interval(&mut self, end: &str) -> Result<(), String> {
        let mut body = String::new();
        while !self.rest_starts_with(end) {
            match self.next() {
                Some(c) => body.push(c),
                None => return Err("Unmatched { or \\{".to_owned()),
            }
        }
        self.at += end.chars().count();
        let (low, high) = match body.split_once(',') {
            Some((low, high)) => (low, Some(high)),
            None => (body.as_str(), None),
        };
        let number = |text: &str, empty: Option<u32>| match text {
            "" => Ok(empty),
            _ => text
                .parse::<u32>()
                .map(Some)
                .map_err(|_| "Invalid content of \\{\\}".to_owned()),
        };
        let least = number(low, Some(0))?.unwrap_or(0);
        let most = match high {
            Some(high) => number(high, None)?,
            None if low.is_empty() => return Err("Invalid content of \\{\\}".to_owned()),
            None => Some(least),
        };
        if most.is_some_and(|most| most < least) {
            return Err("Invalid content of \\{\\}".to_owned());
        }
        if least > 32767 || most.is_some_and(|most| most > 32767) {
            return Err("Regular expression too big".to_owned());
        }
        let operator = match most {
            Some(most) => format!("{{{least},{most}}}"),
            None => format!("{{{least},}}"),
        };
        self.repeat(&operator)
    }
}
