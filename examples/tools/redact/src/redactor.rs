//! The kinds, and what each of them looks like.

use regex_lite::{Captures, Regex, Replacer};

use crate::card;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Key,
    Email,
    Card,
    Ip,
}

/// One of these is in every key, in lower case.
const KEY_SIGNS: [&str; 12] = [
    "bearer", "key", "token", "secret", "password", "sk-", "gh", "akia", "asia", "xox", "aiza",
    "eyj",
];

impl Kind {
    /// In the order of the work: a key may hold what looks like an address.
    pub const ALL: [Self; 4] = [Self::Key, Self::Email, Self::Card, Self::Ip];

    pub fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Email => "email",
            Self::Card => "card",
            Self::Ip => "ip",
        }
    }

    /// Whether a text can hold the kind at all. Most lines cannot, and this is told sooner than that no
    /// pattern matches.
    fn possible(self, text: &str) -> bool {
        match self {
            Self::Email => text.contains('@'),
            Self::Ip => text.matches('.').nth(2).is_some(),
            Self::Card => text
                .matches(|digit: char| digit.is_ascii_digit())
                .nth(12)
                .is_some(),
            Self::Key => {
                let text = text.to_ascii_lowercase();
                KEY_SIGNS.iter().any(|sign| text.contains(sign))
            }
        }
    }

    /// What the groups `keep` and `assign` match stays before the mark.
    fn pattern(self) -> &'static str {
        match self {
            Self::Email => r"[A-Za-z0-9._%+\-]+@(?:[A-Za-z0-9\-]+\.)+[A-Za-z]{2,}",
            Self::Ip => r"[0-9]+(?:\.[0-9]+)+",
            Self::Card => r"[0-9](?:[ \-]?[0-9])+",
            Self::Key => concat!(
                r"(?<keep>(?i:bearer) +)[A-Za-z0-9._~+/\-]{8,}=*",
                r#"|(?<assign>(?i:api[_\-]?key|token|secret|password)["']?[ \t]*[:=][ \t]*["']?)[^ \t"',;&]{6,}"#,
                r"|\bsk-[A-Za-z0-9_\-]{16,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}",
                r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bxox[abeoprs]-[A-Za-z0-9\-]{10,}|\bAIza[A-Za-z0-9_\-]{35}",
                r"|\beyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]*",
            ),
        }
    }
}

/// Takes kinds out of lines.
pub struct Redactor {
    patterns: Vec<(Kind, Regex)>,
}

impl Redactor {
    pub fn new(kinds: &[Kind]) -> Result<Self, String> {
        let patterns = Kind::ALL
            .into_iter()
            .filter(|kind| kinds.contains(kind))
            .map(|kind| {
                Regex::new(kind.pattern())
                    .map(|pattern| (kind, pattern))
                    .map_err(|error| format!("the pattern of {} is wrong: {error}", kind.name()))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { patterns })
    }

    /// Redacts what is UTF-8 of a line; other bytes stay, since no kind has any.
    pub fn redact(&self, line: &[u8]) -> Vec<u8> {
        let mut redacted = Vec::with_capacity(line.len());
        for chunk in line.utf8_chunks() {
            redacted.extend(self.redact_text(chunk.valid()).into_bytes());
            redacted.extend(chunk.invalid());
        }
        redacted
    }

    fn redact_text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (kind, pattern) in &self.patterns {
            if !kind.possible(&text) {
                continue;
            }
            let mark = Mark {
                kind: *kind,
                text: &text,
            };
            text = pattern.replace_all(&text, mark).into_owned();
        }
        text
    }
}

/// Decides what of a match goes.
struct Mark<'a> {
    kind: Kind,
    text: &'a str,
}

impl Replacer for Mark<'_> {
    fn replace_append(&mut self, captures: &Captures<'_>, output: &mut String) {
        let Some(whole) = captures.get(0) else { return };
        match self.kind {
            Kind::Email => output.push_str("[email]"),
            Kind::Ip if self.is_address(whole.start(), whole.end()) => output.push_str("[ip]"),
            Kind::Ip => output.push_str(whole.as_str()),
            Kind::Card => mark_cards(whole.as_str(), output),
            Kind::Key => {
                let kept = captures.name("keep").or_else(|| captures.name("assign"));
                output.push_str(kept.map_or("", |kept| kept.as_str()));
                output.push_str("[key]");
            }
        }
    }
}

impl Mark<'_> {
    /// Whether a row of numbers with dots is four numbers up to 255, and not part of a word.
    fn is_address(&self, start: usize, end: usize) -> bool {
        let (before, rest) = self.text.split_at(start);
        let (row, after) = rest.split_at(end - start);
        let parts: Vec<&str> = row.split('.').collect();
        let fits = |part: &&str| part.len() <= 3 && part.parse::<u8>().is_ok();
        let in_word = |character: char| character.is_ascii_alphanumeric();
        parts.len() == 4
            && parts.iter().all(fits)
            && !before.ends_with(in_word)
            && !after.starts_with(in_word)
    }
}

fn mark_cards(mut row: &str, output: &mut String) {
    while let Some(place) = card::find(row.as_bytes()) {
        let (before, rest) = row.split_at(place.start);
        output.push_str(before);
        output.push_str("[card]");
        row = rest.split_at(place.len()).1;
    }
    output.push_str(row);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, wanted: &str) {
        let redactor = Redactor::new(&Kind::ALL).unwrap();
        assert_eq!(
            String::from_utf8(redactor.redact(text.as_bytes())).unwrap(),
            wanted
        );
    }

    #[test]
    fn addresses_go() {
        check(
            "mail ann.b+x@mail.example.org, please",
            "mail [email], please",
        );
        check(
            "from 10.0.0.1:80 and 255.255.255.255.",
            "from [ip]:80 and [ip].",
        );
    }

    #[test]
    fn what_only_looks_like_an_address_stays() {
        for text in [
            "a@b",
            "@example.org",
            "1.2.3",
            "1.2.3.4.5",
            "256.1.1.1",
            "v1.2.3.4",
            "1.2.3.4a",
        ] {
            check(text, text);
        }
    }

    #[test]
    fn keys_go_and_their_names_stay() {
        check(
            "Authorization: Bearer abcdef123456==",
            "Authorization: Bearer [key]",
        );
        check(r#"{"api_key": "abcdef123"}"#, r#"{"api_key": "[key]"}"#);
        check("PASSWORD=hunter22 next", "PASSWORD=[key] next");
        check("use sk-abcdefghijklmnop1234", "use [key]");
        check("AKIAIOSFODNN7EXAMPLE", "[key]");
        check("eyJhbGciOiJI.eyJzdWIiOiIx.c2ln", "[key]");
    }

    #[test]
    fn the_word_token_alone_stays() {
        for text in [
            "a token of thanks",
            "bearer of news",
            "secret: a",
            "risk-abcdefghijklmnop1234",
        ] {
            check(text, text);
        }
    }

    #[test]
    fn cards_go_when_their_sum_is_right() {
        check(
            "paid with 4111 1111 1111 1111 12/30",
            "paid with [card] 12/30",
        );
        check("4111111111111111 5500-0000-0000-0004", "[card] [card]");
        check("order 4111111111111112", "order 4111111111111112");
    }

    #[test]
    fn other_bytes_pass() {
        let redactor = Redactor::new(&[Kind::Ip]).unwrap();
        assert_eq!(redactor.redact(b"\xff 1.1.1.1 a@b.cc"), b"\xff [ip] a@b.cc");
    }
}
