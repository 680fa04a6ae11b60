//! Patterns of a policy: regular expressions for a whole text, matched in linear time.

use std::fmt;

use regex::{Regex, RegexBuilder};

/// Longest pattern, in bytes. Chosen: one that is longer cannot be reviewed.
const PATTERN_BYTES_MAX: usize = 1_000;
/// Most memory a compiled pattern may take, in bytes.
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// A regular expression that must match the whole text.
#[derive(Clone)]
pub struct Pattern {
    written: String,
    compiled: Regex,
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// What is wrong with it, in one line.
    pub fn new(written: &str) -> Result<Self, String> {
        Self::compile(written, false)
    }

    /// Compiles a pattern of what is denied: `.` is for line ends, too, so that a second line in a
    /// word does not keep the rule from matching.
    ///
    /// # Errors
    /// What is wrong with it, in one line.
    pub fn of_denial(written: &str) -> Result<Self, String> {
        Self::compile(written, true)
    }

    fn compile(written: &str, line_ends: bool) -> Result<Self, String> {
        if written.len() > PATTERN_BYTES_MAX {
            return Err(format!("the pattern has over {PATTERN_BYTES_MAX} bytes"));
        }
        // Alone first: what is compiled next must not close the group it is put into.
        let alone = regex_syntax::parse(written);
        let whole = format!(r"\A(?:{written})\z");
        let compiled = alone.map_err(|error| error.to_string()).and_then(|_| {
            let mut builder = RegexBuilder::new(&whole);
            let builder = builder.dot_matches_new_line(line_ends);
            let builder = builder.size_limit(COMPILED_BYTES_MAX);
            builder.build().map_err(|error| error.to_string())
        });
        match compiled {
            Ok(compiled) => Ok(Self {
                written: written.to_owned(),
                compiled,
            }),
            Err(message) => {
                let last = message.lines().last().unwrap_or_default();
                let last = last.trim_start_matches("error: ");
                Err(format!("the pattern does not compile: {last}"))
            }
        }
    }

    /// Whether the whole text matches.
    pub fn matches(&self, text: &str) -> bool {
        self.compiled.is_match(text)
    }

    /// The pattern as it stands in the file.
    pub fn written(&self) -> &str {
        &self.written
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/", self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_for_the_whole_text_whatever_it_says() {
        for (written, yes, no) in [
            ("a|b", "b", "ab"),
            ("[0-9]+", "12", "12\n"),
            (".*", "a b", "a\nb"),
            ("(?i)get", "GET", "GETS"),
            ("a$", "a", "a\n"),
            ("", "", "a"),
        ] {
            let pattern = Pattern::new(written).unwrap();
            assert!(pattern.matches(yes), "{written} {yes:?}");
            assert!(!pattern.matches(no), "{written} {no:?}");
        }
    }

    #[test]
    fn a_pattern_of_a_denial_is_for_every_line() {
        for (written, text, matches) in [
            ("--exec=.*", "--exec=a\nb", true),
            ("-x.*", "-x\n", true),
            ("-x", "-x\n", false),
            ("(?-s)-x.*", "-x\n", false),
        ] {
            let pattern = Pattern::of_denial(written).unwrap();
            assert_eq!(pattern.matches(text), matches, "{written} {text:?}");
        }
        assert!(Pattern::of_denial("a)|(?:b").is_err());
    }

    #[test]
    fn what_does_not_compile_or_tries_to_leave_the_anchors_is_refused() {
        let (long, large) = ("a".repeat(1_001), "(a{1000}){1000}");
        for bad in ["(", "a)|(?:b", "[z-a]", r"(a)\1", large, &long] {
            assert!(Pattern::new(bad).is_err(), "{bad}");
        }
    }
}
