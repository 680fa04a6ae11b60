//! Finding matches: leftmost, and of those the longest where that is asked for.

use std::cell::{OnceCell, RefCell};

use regex::bytes::{Regex, RegexBuilder};
use regex_automata::{
    Anchored, Input, MatchKind,
    hybrid::dfa::{Cache, DFA},
    util::syntax,
};

/// Where a match lies.
pub type Span = (usize, usize);

/// How expressions are compiled.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    pub ignore_case: bool,
    /// `^` and `$` match at this line terminator, too.
    pub lines: Option<u8>,
}

enum Engine {
    Automaton {
        regex: Regex,
        pattern: String,
        longest: OnceCell<Option<Box<Longest>>>,
    },
    Backtracking(Box<fancy_regex::Regex>),
}

struct Longest {
    dfa: DFA,
    cache: RefCell<Cache>,
}

/// A compiled expression.
pub struct Matcher {
    engine: Engine,
    options: Options,
}

impl Matcher {
    /// Compiles an expression in the regex crate's syntax; `backtracking` allows what only
    /// fancy-regex can do.
    ///
    /// # Errors
    /// The engine's message.
    pub fn new(pattern: &str, backtracking: bool, options: Options) -> Result<Self, String> {
        if backtracking {
            let mut flags = String::new();
            if options.ignore_case {
                flags.push('i');
            }
            if options.lines.is_some() {
                flags.push('m');
            }
            let text = if flags.is_empty() {
                pattern.to_owned()
            } else {
                format!("(?{flags}){pattern}")
            };
            let regex = fancy_regex::RegexBuilder::new(&text)
                .backtrack_limit(10_000_000)
                .build()
                .map_err(|error| error.to_string())?;
            return Ok(Self {
                engine: Engine::Backtracking(Box::new(regex)),
                options,
            });
        }
        let regex = RegexBuilder::new(pattern)
            .case_insensitive(options.ignore_case)
            .multi_line(options.lines.is_some())
            .line_terminator(options.lines.unwrap_or(b'\n'))
            .size_limit(64 << 20)
            .dfa_size_limit(8 << 20)
            .build()
            .map_err(|error| error.to_string())?;
        let engine = Engine::Automaton {
            regex,
            pattern: pattern.to_owned(),
            longest: OnceCell::new(),
        };
        Ok(Self { engine, options })
    }

    /// The first match at or after `from`; its end may be short of the longest.
    #[must_use]
    pub fn find_at(&self, text: &[u8], from: usize) -> Option<Span> {
        match &self.engine {
            Engine::Automaton { regex, .. } => regex
                .find_at(text, from)
                .map(|found| (found.start(), found.end())),
            Engine::Backtracking(regex) => {
                let valid = lossless(text);
                let found = regex.find_from_pos(&valid, from).ok()??;
                Some((found.start(), found.end()))
            }
        }
    }

    /// Whether the expression matches anywhere in `text`.
    #[must_use]
    pub fn is_match(&self, text: &[u8]) -> bool {
        match &self.engine {
            Engine::Automaton { regex, .. } => regex.is_match(text),
            Engine::Backtracking(_) => self.find_at(text, 0).is_some(),
        }
    }

    /// The first match at or after `from` with the longest end that POSIX wants.
    #[must_use]
    pub fn find_longest_at(&self, text: &[u8], from: usize) -> Option<Span> {
        let (start, end) = self.find_at(text, from)?;
        let Engine::Automaton {
            pattern, longest, ..
        } = &self.engine
        else {
            return Some((start, end));
        };
        let Some(longest) = longest.get_or_init(|| Longest::new(pattern, self.options)) else {
            return Some((start, end));
        };
        Some((
            start,
            longest.end(text, start).map_or(end, |far| far.max(end)),
        ))
    }

    /// The groups of the match that `find_longest_at` answers; group 0 is the match.
    #[must_use]
    pub fn captures_at(&self, text: &[u8], from: usize) -> Option<Vec<Option<Span>>> {
        match &self.engine {
            Engine::Automaton { regex, .. } => {
                let (start, end) = self.find_longest_at(text, from)?;
                let captures = regex.captures_at(text, start)?;
                let spans = |captures: &regex::bytes::Captures<'_>| -> Vec<Option<Span>> {
                    captures
                        .iter()
                        .map(|group| group.map(|g| (g.start(), g.end())))
                        .collect()
                };
                let mut groups = spans(&captures);
                if groups[0] != Some((start, end)) {
                    // Only an ending at the longest match can have the right groups.
                    if let Some(again) = regex.captures_at(&text[..end], start)
                        && again.get(0).is_some_and(|whole| whole.end() == end)
                    {
                        groups = spans(&again);
                    }
                    groups[0] = Some((start, end));
                }
                Some(groups)
            }
            Engine::Backtracking(regex) => {
                let valid = lossless(text);
                let captures = regex.captures_from_pos(&valid, from).ok()??;
                Some(
                    captures
                        .iter()
                        .map(|group| group.map(|g| (g.start(), g.end())))
                        .collect(),
                )
            }
        }
    }
}

/// `text` as UTF-8 with every wrong byte replaced by one other byte, so that offsets stay.
fn lossless(text: &[u8]) -> std::borrow::Cow<'_, str> {
    match std::str::from_utf8(text) {
        Ok(valid) => valid.into(),
        Err(_) => {
            let mut out = String::with_capacity(text.len());
            for chunk in text.utf8_chunks() {
                out.push_str(chunk.valid());
                chunk.invalid().iter().for_each(|_| out.push('\u{1a}'));
            }
            out.into()
        }
    }
}

impl Longest {
    fn new(pattern: &str, options: Options) -> Option<Box<Self>> {
        // Without a choice the first match is the longest.
        if !pattern.contains(['|', '?', '*', '+', '{']) {
            return None;
        }
        let syntax = syntax::Config::new()
            .case_insensitive(options.ignore_case)
            .multi_line(options.lines.is_some())
            .line_terminator(options.lines.unwrap_or(b'\n'))
            .utf8(false);
        let dfa = DFA::builder()
            .syntax(syntax)
            .thompson(regex_automata::nfa::thompson::Config::new().utf8(false))
            .configure(
                DFA::config()
                    .match_kind(MatchKind::All)
                    .unicode_word_boundary(true)
                    .cache_capacity(4 << 20),
            )
            .build(pattern)
            .ok()?;
        let cache = RefCell::new(dfa.create_cache());
        Some(Box::new(Self { dfa, cache }))
    }

    fn end(&self, text: &[u8], start: usize) -> Option<usize> {
        let input = Input::new(text).range(start..).anchored(Anchored::Yes);
        let found = self
            .dfa
            .try_search_fwd(&mut self.cache.borrow_mut(), &input)
            .ok()??;
        Some(found.offset())
    }
}
