//! `[[ ]]`, and the file tests it shares with `test`.

use super::Run;
use crate::{
    ast::{Bytes, Condition, ConditionOperator, Word},
    expand::{Field, translate_regex},
    known,
    options::shopt,
    shell::Shell,
    system,
};

impl Shell {
    /// The status of a condition: 0 true, 1 false, 2 a bad expression.
    pub fn run_condition(&mut self, condition: &Condition) -> Run<i32> {
        match self.condition(condition, false) {
            Ok(Some(value)) => Ok(i32::from(!value)),
            Ok(None) => Ok(2),
            Err(super::Unwind::Discard(_)) => Ok(1),
            Err(unwind) => Err(unwind),
        }
    }

    /// `negated`: a `!` stands before it, which a trace shows.
    fn condition(&mut self, condition: &Condition, negated: bool) -> Run<Option<bool>> {
        Ok(match condition {
            Condition::And(left, right) => match self.condition(left, false)? {
                Some(true) => self.condition(right, false)?,
                other => other,
            },
            Condition::Or(left, right) => match self.condition(left, false)? {
                Some(false) => self.condition(right, false)?,
                other => other,
            },
            Condition::Not(inner) => self.condition(inner, !negated)?.map(|value| !value),
            Condition::Group(inner) => self.condition(inner, false)?,
            Condition::Word(word) => {
                let text = self.expand_single(word)?;
                self.trace_condition(negated, &[b"-n", &text]);
                Some(!text.is_empty())
            }
            Condition::Unary(b'v', word) => {
                let text = self.expand_single(word)?;
                self.trace_condition(negated, &[b"-v", &text]);
                Some(self.variable_test(&text)?)
            }
            Condition::Unary(letter, word) => {
                let text = self.expand_single(word)?;
                self.trace_condition(negated, &[&[b'-', *letter], &text]);
                Some(self.unary_test(*letter, &text)?)
            }
            Condition::Binary(operator, sign, left, right) => {
                let sign = if negated {
                    format!("! {sign}")
                } else {
                    (*sign).to_owned()
                };
                self.binary(*operator, &sign, left, right)?
            }
        })
    }

    fn trace_condition(&mut self, negated: bool, words: &[&[u8]]) {
        if self.options.xtrace {
            let words: Vec<Bytes> = words
                .iter()
                .map(|w| {
                    if w.is_empty() {
                        b"''".to_vec()
                    } else {
                        w.to_vec()
                    }
                })
                .collect();
            let not: &[u8] = if negated { b"! " } else { b"" };
            let text = [b"[[ ", not, words.join(&b' ').as_slice(), b" ]]"].concat();
            self.trace(&text);
        }
    }

    fn binary(
        &mut self,
        operator: ConditionOperator,
        sign: &str,
        left: &Word,
        right: &Word,
    ) -> Run<Option<bool>> {
        use ConditionOperator as Op;
        let text = self.expand_single(left)?;
        let trace = |shell: &mut Self, right: &[u8]| {
            let (negated, sign) = match sign.strip_prefix("! ") {
                Some(sign) => (true, sign),
                None => (false, sign),
            };
            shell.trace_condition(negated, &[&text, sign.as_bytes(), right]);
        };
        Ok(Some(match operator {
            Op::Match | Op::NoMatch => {
                let pattern = self.expand_pattern(right)?;
                trace(self, &pattern);
                let ignore_case = self.shopt & shopt::NOCASEMATCH != 0;
                // Groups count here whatever `extglob` says.
                let pattern = crate::pattern::Pattern::new(&pattern, true, ignore_case);
                pattern.matches(&text) == (operator == Op::Match)
            }
            Op::Regex => {
                let field = self.expand_unsplit(right)?;
                trace(self, &field.text);
                return self.regex_test(&text, &field);
            }
            Op::Before | Op::After => {
                let other = self.expand_single(right)?;
                trace(self, &other);
                if operator == Op::Before {
                    text < other
                } else {
                    text > other
                }
            }
            Op::SameFile | Op::Newer | Op::Older => {
                let other = self.expand_single(right)?;
                trace(self, &other);
                let name: &[u8] = match operator {
                    Op::SameFile => b"-ef",
                    Op::Newer => b"-nt",
                    _ => b"-ot",
                };
                file_comparison(name, &text, &other)
            }
            _ => {
                let other = self.expand_single(right)?;
                trace(self, &other);
                let left = self.evaluate_text(&text)?;
                let right = self.evaluate_text(&other)?;
                match operator {
                    Op::NumberEqual => left == right,
                    Op::NumberNotEqual => left != right,
                    Op::NumberLess => left < right,
                    Op::NumberLessOrEqual => left <= right,
                    Op::NumberGreater => left > right,
                    _ => left >= right,
                }
            }
        }))
    }

    fn regex_test(&mut self, text: &[u8], field: &Field) -> Run<Option<bool>> {
        let source = translate_regex(field);
        let ignore_case = self.shopt & shopt::NOCASEMATCH != 0;
        let place = self
            .regexes
            .iter()
            .position(|(s, i, _)| *s == source && *i == ignore_case);
        let place = match place {
            Some(place) => place,
            None => {
                let built = regex::RegexBuilder::new(&source)
                    .case_insensitive(ignore_case)
                    .dot_matches_new_line(true)
                    .size_limit(4 << 20)
                    .build();
                let Ok(built) = built else { return Ok(None) };
                if self.regexes.len() >= 32 {
                    self.regexes.remove(0);
                }
                self.regexes.push((source, ignore_case, built));
                self.regexes.len() - 1
            }
        };
        // Text that is not UTF-8 is matched by what of it is.
        let subject = String::from_utf8_lossy(text).into_owned();
        let groups = self.regexes[place].2.captures(&subject).map(|captures| {
            captures
                .iter()
                .map(|group| group.map_or(Bytes::new(), |m| m.as_str().as_bytes().to_vec()))
                .collect::<Vec<_>>()
        });
        let groups = match groups {
            Some(groups) if self.regexes[place].0.contains('|') => {
                Some(self.longest(place, &subject).unwrap_or(groups))
            }
            groups => groups,
        };
        let matched = groups.is_some();
        self.set_array(known::BASH_REMATCH, groups.unwrap_or_default())?;
        Ok(Some(matched))
    }

    /// The longest match where the first one begins, as POSIX has it for alternatives.
    fn longest(&self, place: usize, subject: &str) -> Option<Vec<Bytes>> {
        let (source, ignore_case, found) = &self.regexes[place];
        let first = found.find(subject)?;
        if subject.len() > 4096 || first.end() == subject.len() {
            return None;
        }
        let whole = regex::RegexBuilder::new(&format!("^(?:{source})$"))
            .case_insensitive(*ignore_case)
            .dot_matches_new_line(true)
            .size_limit(4 << 20)
            .build()
            .ok()?;
        let ends = (first.end() + 1..=subject.len()).rev();
        for end in ends.filter(|end| subject.is_char_boundary(*end)) {
            if let Some(captures) = whole.captures(&subject[first.start()..end]) {
                return Some(
                    captures
                        .iter()
                        .map(|group| group.map_or(Bytes::new(), |m| m.as_str().into()))
                        .collect(),
                );
            }
        }
        None
    }

    /// `-v name`: a variable or element that is set.
    pub fn variable_test(&mut self, text: &[u8]) -> Run<bool> {
        use crate::expand::{Found, Target};
        let base = text.split(|&b| b == b'[').next().unwrap_or_default();
        let position = text.iter().all(u8::is_ascii_digit) && !text.is_empty();
        if !crate::names::is_name(base) && !position {
            return Ok(false);
        }
        let target = self.parse_target(text)?;
        if let Target::All(name, _) = target {
            return Ok(self.count(name) > 0);
        }
        Ok(!matches!(self.look_up(&target)?, Found::Unset))
    }

    /// A test with one operand, except `-v` in `[[ ]]`.
    pub fn unary_test(&mut self, letter: u8, text: &[u8]) -> Run<bool> {
        Ok(match letter {
            b'n' => !text.is_empty(),
            b'z' => text.is_empty(),
            b'v' => self.variable_test(text)?,
            b'R' => {
                let name = crate::names::intern(text);
                self.variable(name)
                    .is_some_and(|v| v.flags & crate::variables::flag::NAMEREF != 0)
            }
            b'o' => self.options.get(&String::from_utf8_lossy(text)),
            b't' => {
                let descriptor = std::str::from_utf8(text)
                    .ok()
                    .and_then(|t| t.trim().parse().ok());
                descriptor.is_some_and(system::is_terminal)
            }
            _ => file_test(letter, text),
        })
    }
}

/// A file test such as `-f`.
pub fn file_test(letter: u8, path: &[u8]) -> bool {
    let follow = !matches!(letter, b'h' | b'L');
    let Ok(stat) = system::stat(path, follow) else {
        return false;
    };
    let owner = stat.uid == system::USER_ID;
    let allows = |bit: u32| {
        let shift = if owner {
            6
        } else if stat.gid == system::USER_ID {
            3
        } else {
            0
        };
        stat.mode >> shift & bit != 0
    };
    match letter {
        b'a' | b'e' => true,
        b'f' => stat.is_file(),
        b'd' => stat.is_dir(),
        b'h' | b'L' => stat.is_symlink(),
        b'p' => stat.is_fifo(),
        b'c' => stat.is_char_device(),
        b'b' => stat.mode & 0o170_000 == 0o060_000,
        b'S' => stat.mode & 0o170_000 == 0o140_000,
        b's' => stat.size > 0,
        b'r' => allows(4),
        b'w' => allows(2),
        b'x' => allows(1),
        b'g' => stat.mode & 0o2000 != 0,
        b'u' => stat.mode & 0o4000 != 0,
        b'k' => stat.mode & 0o1000 != 0,
        b'O' => owner,
        b'G' => stat.gid == system::USER_ID,
        b'N' => stat.modified_ns > stat.accessed_ns,
        _ => false,
    }
}

/// `-ef`, `-nt`, `-ot`.
pub fn file_comparison(operator: &[u8], left: &[u8], right: &[u8]) -> bool {
    let (left, right) = (system::stat(left, true), system::stat(right, true));
    match operator {
        b"-ef" => matches!((&left, &right), (Ok(a), Ok(b)) if (a.dev, a.ino) == (b.dev, b.ino)),
        b"-nt" => match (&left, &right) {
            (Ok(a), Ok(b)) => a.modified_ns > b.modified_ns,
            (Ok(_), Err(_)) => true,
            _ => false,
        },
        _ => match (&left, &right) {
            (Ok(a), Ok(b)) => a.modified_ns < b.modified_ns,
            (Err(_), Ok(_)) => true,
            _ => false,
        },
    }
}
