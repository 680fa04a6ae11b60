//! Glob patterns as a small automaton over characters: matching is linear in the path however
//! many braces and stars a pattern has, and a folder's state tells whether anything below it
//! can still match.

/// Longest pattern in characters. Chosen, not measured; it bounds the automaton's size.
const PATTERN_MAX: usize = 4_096;

/// Deepest nesting of braces. Chosen, not measured; it bounds the parser's recursion.
const BRACES_MAX: usize = 32;

/// One state: what it takes, or where it goes without taking anything.
#[derive(Debug)]
enum Node {
    /// This character.
    Exactly(u32),
    /// Any character of a name.
    Any,
    /// One of these ranges, or (`true`) none of them.
    Class(Vec<(u32, u32)>, bool),
    /// Any number of characters of a name, then the next state.
    Star,
    /// At the start of a name: any number of whole names with their slashes, then the next state.
    Folders,
    /// Inside a name that the [`Node::Folders`] before it takes.
    FolderName,
    /// Each of these states.
    Either(Vec<usize>),
    /// That state.
    Jump(usize),
    Matched,
}

/// A parsed pattern.
#[derive(Debug)]
pub struct Pattern {
    nodes: Vec<Node>,
    /// The pattern ended in a slash: only folders match.
    pub folders_only: bool,
}

/// The states a path has led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct States(Vec<bool>);

impl States {
    pub fn is_empty(&self) -> bool {
        !self.0.contains(&true)
    }
}

impl Pattern {
    /// Parses `pattern`: `*`, `?`, `[a-z]`, `[!a]`, `{a,b}`, `\` before a literal character,
    /// and `**` as a whole name for any number of folders.
    pub fn new(pattern: &str) -> Result<Self, String> {
        let characters: Vec<u32> = pattern.chars().map(u32::from).collect();
        if characters.len() > PATTERN_MAX {
            return Err(format!(
                "the pattern has {} characters, more than {PATTERN_MAX}",
                characters.len()
            ));
        }
        let end = characters
            .iter()
            .rposition(|&c| c != SLASH)
            .map_or(0, |last| last + 1);
        let folders_only = end < characters.len();
        let mut parser = Parser {
            characters: &characters[..end],
            at: 0,
            nodes: Vec::new(),
            depth: 0,
        };
        parser.sequence(false, true)?;
        parser.nodes.push(Node::Matched);
        Ok(Self {
            nodes: parser.nodes,
            folders_only,
        })
    }

    /// The states before any name.
    pub fn start(&self) -> States {
        let mut states = States(vec![false; self.nodes.len()]);
        self.add(&mut states, 0);
        states
    }

    /// The states after one more name.
    pub fn after_name(&self, states: &States, name: &[u8]) -> States {
        let mut states = states.clone();
        each_character(name, |character| {
            states = self.step(&states, character, true)
        });
        states
    }

    /// The states inside the folder that `states` leads to. Through a symbolic link only what
    /// the pattern spells out is followed, never `**`.
    pub fn inside(&self, states: &States, through_link: bool) -> States {
        self.step(states, SLASH, !through_link)
    }

    /// True when the names so far are a match.
    pub fn matched(&self, states: &States) -> bool {
        states.0.last() == Some(&true)
    }

    fn step(&self, states: &States, character: u32, folders_go_on: bool) -> States {
        let mut next = States(vec![false; self.nodes.len()]);
        for (at, _) in states.0.iter().enumerate().filter(|(_, on)| **on) {
            match &self.nodes[at] {
                Node::Exactly(c) if *c == character => self.add(&mut next, at + 1),
                Node::Any if character != SLASH => self.add(&mut next, at + 1),
                Node::Class(ranges, negated) if character != SLASH => {
                    let within = ranges
                        .iter()
                        .any(|&(a, b)| a <= character && character <= b);
                    if within != *negated {
                        self.add(&mut next, at + 1);
                    }
                }
                Node::Star if character != SLASH => self.add(&mut next, at),
                Node::Folders if character != SLASH => next.0[at + 1] = true,
                Node::FolderName if character != SLASH => next.0[at] = true,
                Node::FolderName if folders_go_on => self.add(&mut next, at - 1),
                _ => {}
            }
        }
        next
    }

    /// Adds a state and those it leads to without taking anything.
    fn add(&self, states: &mut States, at: usize) {
        let mut waiting = vec![at];
        while let Some(at) = waiting.pop() {
            if std::mem::replace(&mut states.0[at], true) {
                continue;
            }
            match &self.nodes[at] {
                Node::Star => waiting.push(at + 1),
                Node::Folders => waiting.push(at + 2),
                Node::Either(starts) => waiting.extend(starts),
                Node::Jump(to) => waiting.push(*to),
                _ => {}
            }
        }
    }
}

const SLASH: u32 = '/' as u32;
const STAR: u32 = '*' as u32;

/// Calls `take` with each character of `name`; a byte that is not UTF-8 counts as one character
/// that no pattern can spell.
fn each_character(name: &[u8], mut take: impl FnMut(u32)) {
    for chunk in name.utf8_chunks() {
        chunk.valid().chars().for_each(|c| take(u32::from(c)));
        chunk
            .invalid()
            .iter()
            .for_each(|&byte| take(0xDC00 + u32::from(byte)));
    }
}

struct Parser<'a> {
    characters: &'a [u32],
    at: usize,
    nodes: Vec<Node>,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.characters
            .get(self.at + ahead)
            .copied()
            .and_then(char::from_u32)
    }

    /// Parses up to the end, or within braces up to `,` or `}`. `fresh`: a name starts here.
    fn sequence(&mut self, in_braces: bool, mut fresh: bool) -> Result<(), String> {
        while let Some(character) = self.peek(0) {
            if in_braces && matches!(character, ',' | '}') {
                return Ok(());
            }
            let name_starts = std::mem::replace(&mut fresh, character == '/');
            match character {
                '*' => fresh = self.stars(name_starts, in_braces),
                '?' => self.push(Node::Any, 1),
                '[' => self.class(),
                '{' if self.braces_close() => self.braces(name_starts)?,
                '\\' if self.at + 1 < self.characters.len() => {
                    self.at += 1;
                    self.push(Node::Exactly(self.characters[self.at]), 1);
                }
                _ => self.push(Node::Exactly(u32::from(character)), 1),
            }
        }
        Ok(())
    }

    fn push(&mut self, node: Node, taken: usize) {
        self.nodes.push(node);
        self.at += taken;
    }

    /// `*` or `**`; answers whether a name starts after it.
    fn stars(&mut self, name_starts: bool, in_braces: bool) -> bool {
        let run = self.characters[self.at..]
            .iter()
            .take_while(|&&c| c == STAR)
            .count();
        let after = self.peek(run);
        let name_ends = match after {
            None | Some('/') => true,
            Some(',' | '}') => in_braces,
            _ => false,
        };
        if run != 2 || !name_starts || !name_ends {
            self.push(Node::Star, run);
            return false;
        }
        self.nodes.push(Node::Folders);
        self.nodes.push(Node::FolderName);
        if after == Some('/') {
            self.at += 3;
            return true;
        }
        // At its end the pattern takes everything below: `**` is `**/*`, never the folder itself.
        self.nodes.push(Node::Any);
        self.push(Node::Star, 2);
        false
    }

    /// `[…]`, or a plain `[` when it is never closed.
    fn class(&mut self) {
        let negated = matches!(self.peek(1), Some('!' | '^'));
        let first = 1 + usize::from(negated);
        let rest = &self.characters[self.at + first..];
        // A `]` in the first place is a member.
        let close = rest
            .iter()
            .skip(1)
            .position(|&c| c == u32::from(']'))
            .map(|at| at + 1);
        let Some(members) = close.map(|close| &rest[..close]) else {
            return self.push(Node::Exactly(u32::from('[')), 1);
        };
        let mut ranges = Vec::new();
        let mut at = 0;
        while at < members.len() {
            if members.get(at + 1) == Some(&u32::from('-')) && at + 2 < members.len() {
                ranges.push((members[at], members[at + 2]));
                at += 3;
            } else {
                ranges.push((members[at], members[at]));
                at += 1;
            }
        }
        let taken = first + members.len() + 1;
        self.push(Node::Class(ranges, negated), taken);
    }

    /// True when the `{` here has its `}`; else it is a plain character.
    fn braces_close(&self) -> bool {
        let mut depth = 0_usize;
        let mut rest = self.characters[self.at..]
            .iter()
            .filter_map(|&c| char::from_u32(c));
        while let Some(character) = rest.next() {
            match character {
                '\\' => drop(rest.next()),
                '{' => depth += 1,
                '}' if depth == 1 => return true,
                '}' => depth -= 1,
                _ => {}
            }
        }
        false
    }

    /// `{a,b,…}`: each alternative starts here and goes on after the closing brace.
    fn braces(&mut self, name_starts: bool) -> Result<(), String> {
        self.depth += 1;
        if self.depth > BRACES_MAX {
            return Err(format!("braces nest deeper than {BRACES_MAX}"));
        }
        let fork = self.nodes.len();
        self.push(Node::Either(Vec::new()), 1);
        let (mut starts, mut ends) = (Vec::new(), Vec::new());
        loop {
            starts.push(self.nodes.len());
            self.sequence(true, name_starts)?;
            ends.push(self.nodes.len());
            self.nodes.push(Node::Jump(0));
            let closes = self.peek(0) != Some(',');
            self.at += 1;
            if closes {
                break;
            }
        }
        let after = self.nodes.len();
        for end in ends {
            self.nodes[end] = Node::Jump(after);
        }
        self.nodes[fork] = Node::Either(starts);
        self.depth -= 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        let pattern = Pattern::new(pattern).expect("a pattern");
        let mut states = pattern.start();
        for (index, name) in path.split('/').enumerate() {
            if index > 0 {
                states = pattern.inside(&states, false);
            }
            states = pattern.after_name(&states, name.as_bytes());
        }
        pattern.matched(&states)
    }

    #[track_caller]
    fn check(pattern: &str, yes: &[&str], no: &[&str]) {
        for path in yes {
            assert!(matches(pattern, path), "{pattern} should match {path}");
        }
        for path in no {
            assert!(!matches(pattern, path), "{pattern} should not match {path}");
        }
    }

    #[test]
    fn names() {
        check("*.rs", &["a.rs", ".rs"], &["a.rsx", "d/a.rs", "rs"]);
        check("a?c", &["abc", "aéc"], &["ac", "a/c", "abbc"]);
        check("[a-c]x", &["ax", "cx"], &["dx", "x"]);
        check("[!a-c]x", &["dx", "-x"], &["ax", "/x"]);
        check("[]]", &["]"], &["[]]", "a"]);
        check("[a", &["[a"], &["a"]);
        check("\\*", &["*"], &["a"]);
        check("a\\", &["a\\"], &["a"]);
        check("***", &["a"], &["a/b"]);
    }

    #[test]
    fn folders() {
        check(
            "**/*.rs",
            &["a.rs", "d/a.rs", "d/e/a.rs"],
            &["a.r", "a.rs/b"],
        );
        check("d/**", &["d/a", "d/e/a"], &["d", "da"]);
        check("**", &["a", "a/b"], &[]);
        check(
            "a/**/b",
            &["a/b", "a/x/b", "a/x/y/b"],
            &["a/xb", "ab", "a/b/c"],
        );
        check("a**/b", &["a/b", "axx/b"], &["a/x/b"]);
        check("**/**/**/a", &["a", "x/y/a"], &["x/y/b"]);
    }

    #[test]
    fn braces() {
        check("*.{rs,toml}", &["a.rs", "a.toml"], &["a.", "a.rst"]);
        check(
            "{src,tests}/**/*.rs",
            &["src/a.rs", "tests/x/y.rs"],
            &["a.rs", "bin/a.rs"],
        );
        check(
            "a{,b,{c,d/e}}f",
            &["af", "abf", "acf", "ad/ef"],
            &["adf", "f"],
        );
        check("{**/a,b}", &["a", "x/a", "b"], &["x/b"]);
        check("a{b", &["a{b"], &["ab"]);
        check("a}b,c", &["a}b,c"], &[]);
    }

    #[test]
    fn links_are_followed_only_where_spelled_out() {
        let pattern = Pattern::new("**/a").expect("a pattern");
        let link = pattern.after_name(&pattern.start(), b"link");
        assert!(pattern.inside(&link, true).is_empty());
        assert!(!pattern.inside(&link, false).is_empty());
        let pattern = Pattern::new("li*/a").expect("a pattern");
        let link = pattern.after_name(&pattern.start(), b"link");
        assert!(!pattern.inside(&link, true).is_empty());
    }

    #[test]
    fn bombs_stay_small() {
        check(&"{a,b}".repeat(30), &["ab".repeat(15).as_str()], &["c"]);
        check(
            &"*a".repeat(200),
            &["a".repeat(200).as_str()],
            &["a".repeat(199).as_str()],
        );
        check(&("**/".repeat(300) + "a"), &["a", "x/y/a"], &["b"]);
        let deep = ["{".repeat(40), "}".repeat(40)].concat();
        assert!(Pattern::new(&deep).is_err());
        assert!(Pattern::new(&"a".repeat(PATTERN_MAX + 1)).is_err());
    }
}
