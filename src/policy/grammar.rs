//! The argument grammar of a native rule: exact words, then declared flags, then operands.
//! Whatever is not declared is denied, so that no parser has to agree with the program's own.

use std::collections::{BTreeMap, BTreeSet};

use crate::policy::pattern::Pattern;
use crate::policy::text::Separator;

/// Most words of one start. Chosen: far above any reviewed command line.
const WORDS_MAX: usize = 4_096;
/// Longest word, in bytes (Linux MAX_ARG_STRLEN, execve(2)).
const WORD_BYTES_MAX: usize = 128 << 10;

/// Why an operand does not fit that would if its place were not protected.
pub(super) const PROTECTED: &str = "the name is protected";

/// The arguments a rule allows.
#[derive(Debug, Clone, Default)]
pub struct Grammar {
    /// Exact words first.
    pub args: Vec<String>,
    /// Nothing may follow `args`.
    pub exact: bool,
    pub flags: BTreeSet<String>,
    /// Flags with a value: `--depth=` in one word, `-n` in two.
    pub values: BTreeMap<String, Pattern>,
    pub operands: Vec<Operand>,
    pub operands_min: usize,
    pub operands_max: usize,
    pub separator: Separator,
}

/// What one operand may be.
#[derive(Debug, Clone)]
pub enum Operand {
    /// A path that stays in this guest folder.
    Path(String),
    Literal(String),
    Pattern(Pattern),
}

/// Where and why words do not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Words that fit before it; the place of `word`, counted from 0.
    pub fitted: usize,
    /// Nothing when a word is missing.
    pub word: Option<String>,
    pub why: String,
}

impl Grammar {
    /// Matches the words of a start in the folder `cwd`; answers the words to run.
    ///
    /// # Errors
    /// The first word that does not fit.
    pub fn match_words(&self, words: &[String], cwd: &str) -> Result<Vec<String>, Mismatch> {
        self.match_unprotected(words, cwd, &|_| false)
    }

    /// Matches as [`Self::match_words`], where no path operand may be `protected`.
    ///
    /// # Errors
    /// The first word that does not fit.
    pub fn match_unprotected(
        &self,
        words: &[String],
        cwd: &str,
        protected: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<String>, Mismatch> {
        check_sizes(words)?;
        for (place, wanted) in self.args.iter().enumerate() {
            if words.get(place) != Some(wanted) {
                return Err(mismatch(
                    words,
                    place,
                    format!("`{wanted}` is expected here"),
                ));
            }
        }
        let fixed = self.args.len();
        if self.exact && words.len() > fixed {
            let why = "this rule allows exactly its own words".to_owned();
            return Err(mismatch(words, fixed, why));
        }
        let parsed = self.flags(words, fixed)?;
        self.operands(words, parsed, cwd, protected)
    }

    /// What a command line looks like that fits, in one short line.
    pub(super) fn shape(&self, program: &str) -> String {
        let fixed = std::iter::once(program).chain(self.args.iter().map(String::as_str));
        let mut words: Vec<_> = fixed.map(str::to_owned).collect();
        let flags = self.flags.iter().chain(self.values.keys());
        let flags: Vec<_> = flags.map(String::as_str).collect();
        if !flags.is_empty() {
            words.push(format!("[{}]", flags.join(" ")));
        }
        if self.operands_max > 0 && !self.exact {
            words.push("[…]".to_owned());
        }
        format!("`{}`", words.join(" "))
    }

    /// Walks over flags; answers where operands begin.
    fn flags(&self, words: &[String], start: usize) -> Result<Parsed, Mismatch> {
        let mut seen = BTreeSet::new();
        let mut place = start;
        while let Some(word) = words.get(place) {
            if word == "--" {
                if self.separator == Separator::None {
                    let why = "this rule takes no `--`".to_owned();
                    return Err(mismatch(words, place, why));
                }
                return Ok(Parsed {
                    operands: place + 1,
                    separated: true,
                });
            }
            if !word.starts_with('-') {
                break;
            }
            let flag = self.flag(words, place)?;
            if !seen.insert(flag.name) {
                let why = "the flag was given already".to_owned();
                return Err(mismatch(words, place, why));
            }
            place += flag.words;
        }
        Ok(Parsed {
            operands: place,
            separated: false,
        })
    }

    fn flag<'a>(&'a self, words: &'a [String], place: usize) -> Result<Flag<'a>, Mismatch> {
        let word = words.get(place).map(String::as_str).unwrap_or_default();
        if let Some(name) = self.flags.get(word) {
            return Ok(Flag { name, words: 1 });
        }
        if let Some((name, pattern)) = self.values.get_key_value(word)
            && !name.ends_with('=')
        {
            let value = words.get(place + 1);
            // A value that looks like a flag is one for programs that take the value as optional.
            return match value {
                Some(value) if !value.starts_with('-') && pattern.matches(value) => {
                    Ok(Flag { name, words: 2 })
                }
                Some(_) => {
                    let why = format!("not a value that `{name}` may have");
                    Err(mismatch(words, place + 1, why))
                }
                None => Err(mismatch(
                    words,
                    place + 1,
                    format!("`{name}` needs a value"),
                )),
            };
        }
        let attached = word
            .find('=')
            .and_then(|end| word.split_at_checked(end + 1));
        if let Some((head, value)) = attached
            && let Some((name, pattern)) = self.values.get_key_value(head)
        {
            return match pattern.matches(value) {
                true => Ok(Flag { name, words: 1 }),
                false => {
                    let why = format!("not a value that `{name}` may have");
                    Err(mismatch(words, place, why))
                }
            };
        }
        let why = "this rule declares no such flag; flags are never abbreviated or joined";
        Err(mismatch(words, place, why.to_owned()))
    }

    fn operands(
        &self,
        words: &[String],
        parsed: Parsed,
        cwd: &str,
        protected: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<String>, Mismatch> {
        let (flags, operands) = words
            .split_at_checked(parsed.operands)
            .unwrap_or((words, &[]));
        for (number, word) in operands.iter().enumerate() {
            let fault = if number >= self.operands_max {
                match self.operands_max {
                    0 => "this rule takes no operands".to_owned(),
                    most => format!("this rule takes at most {most} operands"),
                }
            } else if word.starts_with('-') && !parsed.separated {
                "flags come before operands".to_owned()
            } else if self.operands.iter().any(|kind| {
                let path = matches!(kind, Operand::Path(_));
                kind.fits(word, cwd) && !(path && protected(&absolute(word, cwd)))
            }) {
                continue;
            } else if self.operands.iter().any(|kind| kind.fits(word, cwd)) {
                PROTECTED.to_owned()
            } else {
                "not an operand of this rule".to_owned()
            };
            return Err(mismatch(words, parsed.operands + number, fault));
        }
        if operands.len() < self.operands_min {
            let why = format!("at least {} operands are needed", self.operands_min);
            return Err(mismatch(words, words.len(), why));
        }
        let mut run = flags.to_vec();
        let insert = self.separator == Separator::Insert && !operands.is_empty();
        if insert && !parsed.separated {
            run.push("--".to_owned());
        }
        run.extend_from_slice(operands);
        Ok(run)
    }
}

#[derive(Debug, Clone, Copy)]
struct Parsed {
    /// Place of the first operand.
    operands: usize,
    /// They stand behind a `--`.
    separated: bool,
}

struct Flag<'a> {
    name: &'a str,
    /// Words it takes, with its value.
    words: usize,
}

impl Operand {
    fn fits(&self, word: &str, cwd: &str) -> bool {
        match self {
            Self::Literal(literal) => literal == word,
            Self::Pattern(pattern) => pattern.matches(word),
            Self::Path(folder) => is_plain_path(word) && lies_in(word, cwd, folder),
        }
    }
}

/// Words that programs read as something else than a path: `-`, `@file`, `~`, `host:path`, a URL,
/// `:(magic)`.
fn is_plain_path(word: &str) -> bool {
    let first = word.split('/').next().unwrap_or_default();
    !word.is_empty() && !word.starts_with(['-', '@', '~']) && !first.contains(':')
}

/// Whether a path, relative to `cwd`, stays in a guest folder. By its text only: links are the
/// confinement's concern.
pub fn lies_in(path: &str, cwd: &str, folder: &str) -> bool {
    let whole = absolute(path, cwd);
    let (Some(parts), Some(folder)) = (normal_parts(&whole), normal_parts(folder)) else {
        return false;
    };
    parts.starts_with(&folder)
}

fn absolute(path: &str, cwd: &str) -> String {
    match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("{cwd}/{path}"),
    }
}

/// The names of an absolute path; none when `..` would leave `/`.
pub(super) fn normal_parts(path: &str) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts)
}

fn check_sizes(words: &[String]) -> Result<(), Mismatch> {
    if words.len() > WORDS_MAX {
        let why = format!("over {WORDS_MAX} words");
        return Err(mismatch(words, WORDS_MAX, why));
    }
    let fault = |word: &String| {
        if word.contains('\0') {
            Some("a word has a NUL".to_owned())
        } else if word.len() > WORD_BYTES_MAX {
            Some(format!("a word has over {WORD_BYTES_MAX} bytes"))
        } else {
            None
        }
    };
    let bad = words.iter().map(fault).position(|fault| fault.is_some());
    match bad.and_then(|place| Some((place, fault(words.get(place)?)?))) {
        Some((place, why)) => Err(mismatch(words, place, why)),
        None => Ok(()),
    }
}

fn mismatch(words: &[String], fitted: usize, why: String) -> Mismatch {
    Mismatch {
        fitted,
        word: words.get(fitted).cloned(),
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn log_rule() -> Grammar {
        let number = Pattern::new("[0-9]{1,3}").unwrap();
        Grammar {
            args: vec!["log".to_owned()],
            flags: ["--oneline", "-p"].map(str::to_owned).into(),
            values: [("--max-count=", &number), ("-n", &number)]
                .map(|(name, pattern)| (name.to_owned(), pattern.clone()))
                .into(),
            operands: vec![
                Operand::Literal("HEAD".to_owned()),
                Operand::Path("/workspace".to_owned()),
            ],
            operands_max: 2,
            separator: Separator::Insert,
            ..Grammar::default()
        }
    }

    #[track_caller]
    fn denied(line: &str, fitted: usize, part: &str) {
        let found = log_rule().match_words(&words(line), "/workspace");
        let mismatch = found.expect_err(line);
        assert_eq!(mismatch.fitted, fitted, "{line}: {mismatch:?}");
        assert!(mismatch.why.contains(part), "{line}: {mismatch:?}");
    }

    #[test]
    fn declared_words_fit_and_the_separator_is_put_in() {
        for (line, run) in [
            ("log", "log"),
            ("log --oneline -n 3", "log --oneline -n 3"),
            ("log --max-count=12 HEAD", "log --max-count=12 -- HEAD"),
            ("log -p -- src/a.rs", "log -p -- src/a.rs"),
            ("log ./a /workspace/b/../c", "log -- ./a /workspace/b/../c"),
        ] {
            let found = log_rule().match_words(&words(line), "/workspace");
            assert_eq!(found, Ok(words(run)), "{line}");
        }
    }

    #[test]
    fn anything_else_is_denied_at_the_word_that_does_not_fit() {
        denied("", 0, "`log` is expected");
        denied("push", 0, "`log` is expected");
        denied("-c a log", 0, "`log` is expected");
        denied("log --exec=x", 1, "no such flag");
        denied("log --one", 1, "no such flag");
        denied("log -po", 1, "no such flag");
        denied("log -n3", 1, "no such flag");
        denied("log --max-count 3", 1, "no such flag");
        denied("log --max-count=x", 1, "not a value");
        denied("log -n --oneline", 2, "not a value");
        denied("log -n", 2, "needs a value");
        denied("log -p -p", 2, "already");
        denied("log -", 1, "no such flag");
        denied("log HEAD -p", 2, "before operands");
        denied("log HEAD --", 2, "before operands");
        denied("log HEAD HEAD HEAD", 3, "at most 2");
        for outside in [
            "../a",
            "/etc/passwd",
            "a/../../b",
            "@f",
            "~/x",
            "h:p",
            ":(top)a",
        ] {
            denied(&format!("log {outside}"), 1, "not an operand");
        }
        denied("log -- -x", 2, "not an operand");
    }

    #[test]
    fn exact_rules_numbers_of_operands_and_sizes_hold() {
        let mut rule = log_rule();
        rule.exact = true;
        assert!(rule.match_words(&words("log"), "/").is_ok());
        assert!(rule.match_words(&words("log HEAD"), "/").is_err());
        let mut rule = log_rule();
        rule.operands_min = 1;
        rule.separator = Separator::None;
        assert!(rule.match_words(&words("log"), "/").is_err());
        assert!(rule.match_words(&words("log -- HEAD"), "/").is_err());
        assert!(rule.match_words(&words("log HEAD"), "/").is_ok());
        let long = vec!["log".to_owned(), "a".repeat(WORD_BYTES_MAX + 1)];
        assert!(log_rule().match_words(&long, "/workspace").is_err());
        assert!(log_rule().match_words(&["log\0".to_owned()], "/").is_err());
        let many = vec!["log".to_owned(); WORDS_MAX + 1];
        assert!(log_rule().match_words(&many, "/").is_err());
    }
}
