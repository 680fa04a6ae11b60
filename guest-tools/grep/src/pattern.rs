//! The expressions, compiled.

use posix_regex::{Matcher, Options, Span, Syntax, translate};

use crate::command_line::{Dialect, Pattern};

/// All expressions of one search.
pub struct Patterns {
    matchers: Vec<Matcher>,
    terminator: u8,
    /// A whole buffer can be searched at once; Perl's classes may match line ends, so its lines
    /// are searched one by one.
    pub whole_buffer: bool,
}

impl Patterns {
    /// Compiles the expressions: all into one automaton, or each on its own where one refers back.
    ///
    /// # Errors
    /// What is wrong with an expression.
    pub fn new(pattern: &Pattern) -> Result<Self, String> {
        let options = Options {
            ignore_case: pattern.ignore_case,
            lines: Some(pattern.terminator),
        };
        let mut plain = Vec::new();
        let mut matchers = Vec::new();
        for text in &pattern.texts {
            let text = String::from_utf8_lossy(text);
            let (expression, backtracking) = expression(&text, pattern)?;
            if backtracking {
                matchers.push(Matcher::new(
                    &around(&expression, pattern, true),
                    true,
                    options,
                )?);
            } else {
                plain.push(expression);
            }
        }
        plain.sort();
        plain.dedup();
        if !plain.is_empty() {
            let joined = match plain.as_slice() {
                [only] => only.clone(),
                _ => plain
                    .iter()
                    .map(|p| format!("(?:{p})"))
                    .collect::<Vec<_>>()
                    .join("|"),
            };
            let perl = pattern.dialect == Dialect::Perl;
            let compiled = Matcher::new(&around(&joined, pattern, false), false, options);
            matchers.push(match compiled {
                Err(_) if perl => Matcher::new(&around(&joined, pattern, true), true, options)?,
                other => other?,
            });
        }
        Ok(Self {
            matchers,
            terminator: pattern.terminator,
            whole_buffer: pattern.dialect != Dialect::Perl,
        })
    }

    /// The first match at or after `from`, not necessarily the longest.
    pub fn find_at(&self, text: &[u8], from: usize) -> Option<Span> {
        match self.matchers.as_slice() {
            [only] => only.find_at(text, from),
            several => several.iter().filter_map(|m| m.find_at(text, from)).min(),
        }
    }

    /// The first match at or after `from`, the longest of those.
    ///
    /// Perl's expressions say themselves how long a match is.
    pub fn find_longest_at(&self, text: &[u8], from: usize) -> Option<Span> {
        if !self.whole_buffer {
            return self.find_at(text, from);
        }
        self.matchers
            .iter()
            .filter_map(|m| m.find_longest_at(text, from))
            .min_by_key(|&(start, end)| (start, usize::MAX - end))
    }

    /// The line terminator.
    pub fn terminator(&self) -> u8 {
        self.terminator
    }
}

fn expression(text: &str, pattern: &Pattern) -> Result<(String, bool), String> {
    let terminator = if pattern.terminator == 0 {
        "\\x00"
    } else {
        "\\n"
    };
    let syntax = match pattern.dialect {
        Dialect::Fixed => return Ok((regex::escape(text), false)),
        Dialect::Perl => return Ok((perl(text), is_perl_only(text))),
        Dialect::Basic => Syntax::Basic,
        Dialect::Extended => Syntax::Extended,
    };
    let translated = translate(text, syntax, terminator)?;
    Ok((translated.pattern, translated.back_references))
}

/// Whether `text` needs the backtracking engine: looks around, refers back, or keeps.
fn is_perl_only(text: &str) -> bool {
    let bytes = text.as_bytes();
    let escapes = bytes.windows(2).any(|pair| {
        pair[0] == b'\\'
            && (pair[1].is_ascii_digit() && pair[1] != b'0' || b"KGRXkghHvN".contains(&pair[1]))
    });
    escapes
        || [
            "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?|", "(?(", "*+", "++", "?+", "}+",
        ]
        .iter()
        .any(|mark| text.contains(mark))
}

/// Small differences between PCRE and the engines: `\Q..\E`, `\h`, `\R`, `\Z`.
fn perl(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let escaped = rest[at + 1..].chars().next();
        let length = 1 + escaped.map_or(0, char::len_utf8);
        let after = &rest[at + length..];
        match escaped {
            Some('Q') => {
                let (literal, tail) = after.split_once("\\E").unwrap_or((after, ""));
                out.push_str(&regex::escape(literal));
                rest = tail;
                continue;
            }
            Some('E') => {}
            Some('h') => out.push_str("[ \\t]"),
            Some('H') => out.push_str("[^ \\t]"),
            Some('R') => out.push_str("(?:\\r\\n|\\n|\\r)"),
            Some('N') => out.push_str("[^\\n]"),
            Some('Z') => out.push_str("\\z"),
            Some('<') => out.push('<'),
            Some('>') => out.push('>'),
            _ => out.push_str(&rest[at..at + length]),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

fn around(expression: &str, pattern: &Pattern, backtracking: bool) -> String {
    if pattern.whole_lines {
        format!("^(?:{expression})$")
    } else if pattern.whole_words && backtracking {
        format!("(?<!\\w)(?:{expression})(?!\\w)")
    } else if pattern.whole_words {
        format!("\\b{{start-half}}(?:{expression})\\b{{end-half}}")
    } else {
        expression.to_owned()
    }
}
