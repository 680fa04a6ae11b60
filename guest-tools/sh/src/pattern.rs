//! Shell patterns: `* ? [..]` and the extended groups.
//!
//! A pattern is text in which a backslash takes the meaning from the next character. Plain
//! patterns are matched in linear steps per character; groups backtrack.

use crate::text::{character_length, first_character, lower, upper};

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    /// The bytes of one character.
    Character(Vec<u8>),
    Any,
    Star,
    Class {
        negated: bool,
        items: Vec<ClassItem>,
    },
    Group {
        kind: u8,
        choices: Vec<Vec<Node>>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum ClassItem {
    Range(char, char),
    Named(&'static str),
}

/// A pattern ready to be matched.
#[derive(Debug, Clone)]
pub struct Pattern {
    nodes: Vec<Node>,
    has_groups: bool,
    ignore_case: bool,
    literal: Option<Vec<u8>>,
}

const CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

impl Pattern {
    pub fn new(text: &[u8], groups: bool, ignore_case: bool) -> Self {
        let mut at = 0;
        let nodes = parse(text, &mut at, groups, false);
        let has_groups = nodes.iter().any(|node| matches!(node, Node::Group { .. }));
        let literal = (!ignore_case)
            .then(|| {
                nodes
                    .iter()
                    .try_fold(Vec::new(), |mut out, node| match node {
                        Node::Character(bytes) => {
                            out.extend_from_slice(bytes);
                            Some(out)
                        }
                        _ => None,
                    })
            })
            .flatten();
        Self {
            nodes,
            has_groups,
            ignore_case,
            literal,
        }
    }

    /// The text this pattern is, when nothing in it is special.
    pub fn literal(&self) -> Option<&[u8]> {
        self.literal.as_deref()
    }

    /// True when the pattern begins with a plain `.`.
    pub fn begins_with_dot(&self) -> bool {
        match self.nodes.first() {
            Some(Node::Character(bytes)) => bytes == b".",
            Some(Node::Group { kind, choices }) if *kind != b'!' => choices
                .iter()
                .any(|c| matches!(c.first(), Some(Node::Character(b)) if b == b".")),
            _ => false,
        }
    }

    pub fn matches(&self, text: &[u8]) -> bool {
        if let Some(literal) = &self.literal {
            return literal == text;
        }
        if self.has_groups {
            return self.backtrack(&self.nodes, text, 0, &mut |end| end == text.len());
        }
        self.matches_plain(text)
    }

    /// The two-pointer walk: on a mismatch go back to the last star only.
    fn matches_plain(&self, text: &[u8]) -> bool {
        let (mut node, mut at) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        loop {
            match self.nodes.get(node) {
                Some(Node::Star) => {
                    star = Some((node + 1, at));
                    node += 1;
                    continue;
                }
                Some(one) if at < text.len() => {
                    if let Some(length) = self.one(one, &text[at..]) {
                        node += 1;
                        at += length;
                        continue;
                    }
                }
                None if at == text.len() => return true,
                _ => {}
            }
            let Some((after, from)) = star else {
                return false;
            };
            if from >= text.len() {
                return false;
            }
            let from = from + character_length(&text[from..]);
            star = Some((after, from));
            node = after;
            at = from;
        }
    }

    /// Length of the character that `node` takes from the front of `text`.
    fn one(&self, node: &Node, text: &[u8]) -> Option<usize> {
        match node {
            Node::Character(bytes) if !self.ignore_case => {
                text.starts_with(bytes).then_some(bytes.len())
            }
            Node::Character(bytes) => {
                let (want, _) = first_character(bytes);
                let (have, length) = first_character(text);
                (!text.is_empty() && lower(want) == lower(have)).then_some(length)
            }
            Node::Any => (!text.is_empty()).then(|| character_length(text)),
            Node::Class { negated, items } => {
                if text.is_empty() {
                    return None;
                }
                let (character, length) = first_character(text);
                let inside = items.iter().any(|item| self.item(item, character));
                (inside != *negated).then_some(length)
            }
            Node::Star | Node::Group { .. } => None,
        }
    }

    fn item(&self, item: &ClassItem, character: char) -> bool {
        let test = |c: char| match item {
            ClassItem::Range(low, high) => (*low..=*high).contains(&c),
            ClassItem::Named(name) => in_class(name, c),
        };
        test(character) || (self.ignore_case && (test(lower(character)) || test(upper(character))))
    }

    fn backtrack(
        &self,
        nodes: &[Node],
        text: &[u8],
        at: usize,
        end: &mut dyn FnMut(usize) -> bool,
    ) -> bool {
        let Some((node, rest)) = nodes.split_first() else {
            return end(at);
        };
        match node {
            Node::Star => {
                let mut from = at;
                loop {
                    if self.backtrack(rest, text, from, end) {
                        return true;
                    }
                    if from >= text.len() {
                        return false;
                    }
                    from += character_length(&text[from..]);
                }
            }
            Node::Group { kind, choices } => self.group(*kind, choices, rest, text, at, end),
            one => match self.one(one, &text[at..]) {
                Some(length) => self.backtrack(rest, text, at + length, end),
                None => false,
            },
        }
    }

    fn group(
        &self,
        kind: u8,
        choices: &[Vec<Node>],
        rest: &[Node],
        text: &[u8],
        at: usize,
        end: &mut dyn FnMut(usize) -> bool,
    ) -> bool {
        match kind {
            b'!' => {
                // Any stretch that no choice matches as a whole; the longest first.
                let mut stops = vec![at];
                let mut from = at;
                while from < text.len() {
                    from += character_length(&text[from..]);
                    stops.push(from);
                }
                stops.into_iter().rev().any(|stop| {
                    let taken = choices.iter().any(|choice| {
                        self.backtrack(choice, &text[..stop], at, &mut |end| end == stop)
                    });
                    !taken && self.backtrack(rest, text, stop, end)
                })
            }
            b'@' | b'?' => {
                let one = choices.iter().any(|choice| {
                    self.backtrack(choice, text, at, &mut |stop| {
                        self.backtrack(rest, text, stop, end)
                    })
                });
                one || (kind == b'?' && self.backtrack(rest, text, at, end))
            }
            _ => {
                if kind == b'*' && self.backtrack(rest, text, at, end) {
                    return true;
                }
                choices.iter().any(|choice| {
                    self.backtrack(choice, text, at, &mut |stop| {
                        if stop > at {
                            self.group(b'*', choices, rest, text, stop, end)
                        } else {
                            self.backtrack(rest, text, stop, end)
                        }
                    })
                })
            }
        }
    }

    /// Every place where a match that begins at the front of `text` can end, in rising order.
    pub fn ends(&self, text: &[u8]) -> Vec<usize> {
        if let Some(literal) = &self.literal {
            return if text.starts_with(literal) {
                vec![literal.len()]
            } else {
                Vec::new()
            };
        }
        if self.has_groups {
            let mut ends = Vec::new();
            self.backtrack(&self.nodes, text, 0, &mut |end| {
                ends.push(end);
                false
            });
            ends.sort_unstable();
            ends.dedup();
            return ends;
        }
        self.plain_ends(text)
    }

    /// All states at once, character by character.
    fn plain_ends(&self, text: &[u8]) -> Vec<usize> {
        let mut ends = Vec::new();
        let mut active = vec![false; self.nodes.len() + 1];
        active[0] = true;
        let mut at = 0;
        loop {
            for node in 0..self.nodes.len() {
                if active[node] && self.nodes[node] == Node::Star {
                    active[node + 1] = true;
                }
            }
            if active[self.nodes.len()] {
                ends.push(at);
            }
            if at >= text.len() || !active.contains(&true) {
                return ends;
            }
            let mut next = vec![false; self.nodes.len() + 1];
            for (node, one) in self.nodes.iter().enumerate() {
                if !active[node] {
                    continue;
                }
                if *one == Node::Star {
                    next[node] = true;
                } else if self.one(one, &text[at..]).is_some() {
                    next[node + 1] = true;
                }
            }
            active = next;
            at += character_length(&text[at..]);
        }
    }
}

fn in_class(name: &str, c: char) -> bool {
    match name {
        "word" => c.is_alphanumeric() || c == '_',
        "alnum" => c.is_alphanumeric(),
        "alpha" => c.is_alphabetic(),
        "ascii" => c.is_ascii(),
        "blank" => matches!(c, ' ' | '\t'),
        "cntrl" => c.is_control(),
        "digit" => c.is_ascii_digit(),
        "graph" => !c.is_control() && !c.is_whitespace(),
        "lower" => c.is_lowercase(),
        "print" => !c.is_control(),
        "punct" => {
            let other = !c.is_alphanumeric() && !c.is_control() && !c.is_whitespace();
            c.is_ascii_punctuation() || (!c.is_ascii() && other)
        }
        "space" => c.is_whitespace(),
        "upper" => c.is_uppercase(),
        "xdigit" => c.is_ascii_hexdigit(),
        _ => false,
    }
}

/// Parses until the end, or until `|` or `)` inside a group.
fn parse(text: &[u8], at: &mut usize, groups: bool, in_group: bool) -> Vec<Node> {
    let mut nodes = Vec::new();
    while let Some(&byte) = text.get(*at) {
        if in_group && matches!(byte, b'|' | b')') {
            break;
        }
        if groups
            && matches!(byte, b'?' | b'*' | b'+' | b'@' | b'!')
            && text.get(*at + 1) == Some(&b'(')
            && let Some(node) = parse_group(text, at, byte)
        {
            nodes.push(node);
            continue;
        }
        match byte {
            b'*' => {
                *at += 1;
                if nodes.last() != Some(&Node::Star) {
                    nodes.push(Node::Star);
                }
            }
            b'?' => {
                *at += 1;
                nodes.push(Node::Any);
            }
            b'[' => match parse_class(text, *at) {
                Some((node, end)) => {
                    nodes.push(node);
                    *at = end;
                }
                None => {
                    nodes.push(Node::Character(vec![b'[']));
                    *at += 1;
                }
            },
            b'\\' if *at + 1 < text.len() => {
                *at += 1;
                push_character(text, at, &mut nodes);
            }
            _ => push_character(text, at, &mut nodes),
        }
    }
    nodes
}

fn push_character(text: &[u8], at: &mut usize, nodes: &mut Vec<Node>) {
    let length = character_length(&text[*at..]);
    nodes.push(Node::Character(text[*at..*at + length].to_vec()));
    *at += length;
}

fn parse_group(text: &[u8], at: &mut usize, kind: u8) -> Option<Node> {
    let _level = crate::depth::Level::enter()?;
    let mut inside = *at + 2;
    let mut choices = Vec::new();
    loop {
        choices.push(parse(text, &mut inside, true, true));
        match text.get(inside) {
            Some(b'|') => inside += 1,
            Some(b')') => break,
            _ => return None,
        }
    }
    *at = inside + 1;
    Some(Node::Group { kind, choices })
}

fn parse_class(text: &[u8], open: usize) -> Option<(Node, usize)> {
    let mut at = open + 1;
    let negated = matches!(text.get(at), Some(b'!' | b'^'));
    at += usize::from(negated);
    let mut items = Vec::new();
    let mut first = true;
    loop {
        let byte = *text.get(at)?;
        if byte == b']' && !first {
            return Some((Node::Class { negated, items }, at + 1));
        }
        first = false;
        if byte == b'['
            && let Some(&kind @ (b':' | b'=' | b'.')) = text.get(at + 1)
        {
            let rest = &text[at + 2..];
            if let Some(length) = rest.windows(2).position(|pair| pair == [kind, b']']) {
                let name = &rest[..length];
                at += length + 4;
                if kind == b':' {
                    if let Some(known) = CLASSES.iter().find(|c| c.as_bytes() == name) {
                        items.push(ClassItem::Named(known));
                    }
                } else {
                    let (character, _) = first_character(name);
                    items.push(ClassItem::Range(character, character));
                }
                continue;
            }
        }
        let low = class_character(text, &mut at)?;
        if text.get(at) == Some(&b'-') && !matches!(text.get(at + 1), Some(b']') | None) {
            at += 1;
            let high = class_character(text, &mut at)?;
            items.push(ClassItem::Range(low, high));
        } else {
            items.push(ClassItem::Range(low, low));
        }
    }
}

fn class_character(text: &[u8], at: &mut usize) -> Option<char> {
    if text.get(*at) == Some(&b'\\') && *at + 1 < text.len() {
        *at += 1;
    }
    let rest = text.get(*at..).filter(|rest| !rest.is_empty())?;
    let (character, length) = first_character(rest);
    *at += length;
    Some(character)
}

/// Puts a backslash before every character that means something in a pattern.
pub fn escape(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        if b"*?[]\\()|!+@-^{}&".contains(&byte) {
            out.push(b'\\');
        }
        out.push(byte);
    }
}
