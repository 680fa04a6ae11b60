//! Names of members: which are meant, which are left out, and under what name they are kept.

use std::cell::RefCell;

use posix_regex::{Matcher, Options, Syntax, translate, wildcard};

/// The patterns of `--exclude`.
#[derive(Default)]
pub struct Exclusion {
    /// Each with how many operands came before it.
    pub patterns: Vec<(String, usize)>,
}

impl Exclusion {
    /// Whether `name`, a part of it after a slash, or a folder above it is left out.
    ///
    /// Only patterns before operand `position` count: when creating, GNU's options are positional.
    pub fn covers(&self, name: &[u8], position: usize) -> bool {
        if self.patterns.is_empty() {
            return false;
        }
        let name = String::from_utf8_lossy(name);
        let name = name.trim_end_matches('/');
        let starts = std::iter::once(0).chain(
            name.match_indices('/')
                .map(|(at, _)| at + 1)
                .filter(|at| !name[*at..].starts_with('/')),
        );
        let starts: Vec<usize> = starts.collect();
        self.patterns.iter().any(|(pattern, before)| {
            *before <= position
                && starts
                    .iter()
                    .any(|start| with_leading_folder(pattern, &name[*start..]))
        })
    }
}

/// Whether `pattern` matches `name` or a folder above it.
fn with_leading_folder(pattern: &str, name: &str) -> bool {
    wildcard::matches(pattern, name, false)
        || name
            .match_indices('/')
            .any(|(at, _)| wildcard::matches(pattern, &name[..at], false))
}

/// Whether the operand `wanted` means the member `name`.
pub fn selects(wanted: &[u8], name: &[u8], wildcards: bool) -> bool {
    let trim = |name: &[u8]| {
        let kept = name
            .iter()
            .rposition(|byte| *byte != b'/')
            .map_or(0, |at| at + 1);
        name[..kept].to_vec()
    };
    let (wanted, name) = (trim(wanted), trim(name));
    if wildcards {
        let (wanted, name) = (
            String::from_utf8_lossy(&wanted),
            String::from_utf8_lossy(&name),
        );
        return with_leading_folder(&wanted, &name);
    }
    name.strip_prefix(wanted.as_slice())
        .is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

enum Piece {
    Text(Vec<u8>),
    Group(usize),
}

/// One `s/…/…/` of `--transform`.
struct Transform {
    matcher: Matcher,
    replacement: Vec<Piece>,
    global: bool,
    number: usize,
    /// Not applied to: members, symbolic links' targets, hard links' targets.
    not_members: bool,
    not_symlinks: bool,
    not_hard_links: bool,
}

/// What a name belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    Member,
    HardLink,
    SymbolicLink,
}

/// How names change on their way in or out.
#[derive(Default)]
pub struct Renaming {
    pub absolute: bool,
    pub strip: usize,
    pub show: bool,
    transforms: Vec<Transform>,
    /// The prefixes that were already told about.
    told: RefCell<Vec<(Vec<u8>, bool)>>,
}

impl Renaming {
    /// Adds the expressions of a `--transform`.
    ///
    /// # Errors
    /// GNU's message.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        for expression in split_expressions(text) {
            self.transforms.push(Transform::parse(&expression)?);
        }
        Ok(())
    }

    /// The name to use; `None` when nothing is left of it.
    pub fn apply(&self, name: &[u8], of: Of) -> Option<Vec<u8>> {
        let mut name = name.to_vec();
        for transform in &self.transforms {
            let skipped = match of {
                Of::Member => transform.not_members,
                Of::HardLink => transform.not_hard_links,
                Of::SymbolicLink => transform.not_symlinks,
            };
            if !skipped {
                name = transform.apply(&name);
            }
        }
        if of == Of::SymbolicLink {
            return Some(name);
        }
        if !self.absolute {
            name = self.safe(name, of == Of::HardLink);
        }
        if self.strip > 0 {
            let mut rest = name.as_slice();
            for _ in 0..self.strip {
                let slash = rest.iter().position(|byte| *byte == b'/')?;
                rest = &rest[slash..];
                while let Some(shorter) = rest.strip_prefix(b"/") {
                    rest = shorter;
                }
            }
            if rest.is_empty() {
                return None;
            }
            return Some(rest.to_vec());
        }
        (!name.is_empty()).then_some(name)
    }

    /// Takes leading `/` and everything up to a last `..` away, and says so once per prefix.
    fn safe(&self, name: Vec<u8>, hard_link: bool) -> Vec<u8> {
        let mut length = 0;
        let mut at = 0;
        for component in name.split(|byte| *byte == b'/') {
            if component == b".." {
                length = at + 2;
            }
            at += component.len() + 1;
        }
        let slashes = name[length..].iter().take_while(|byte| **byte == b'/');
        length += slashes.count();
        if length > 0 {
            let prefix = (name[..length].to_vec(), hard_link);
            let mut told = self.told.borrow_mut();
            // Prefixes come from the archive, so what is remembered of them has an end.
            if !told.contains(&prefix) && told.len() < 1000 {
                let whose = if hard_link {
                    "hard link targets"
                } else {
                    "member names"
                };
                let shown = String::from_utf8_lossy(&prefix.0);
                super::say(&format!("Removing leading `{shown}' from {whose}"));
                told.push(prefix);
            }
        }
        let rest = name[length..].to_vec();
        if rest.is_empty() {
            return b".".to_vec();
        }
        rest
    }
}

/// `s/a/b/;s/c/d/` taken apart.
fn split_expressions(text: &str) -> Vec<String> {
    let mut expressions = Vec::new();
    let mut current = String::new();
    let mut delimiter = None;
    let mut fields = 0;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if fields == 3 && c == ';' {
            expressions.push(std::mem::take(&mut current));
            (delimiter, fields) = (None, 0);
            continue;
        }
        current.push(c);
        if c == '\\' {
            current.extend(chars.next());
        } else if current.len() > 1 && delimiter.is_none() {
            (delimiter, fields) = (Some(c), 1);
        } else if Some(c) == delimiter {
            fields += 1;
        }
    }
    if !current.is_empty() {
        expressions.push(current);
    }
    expressions
}

impl Transform {
    fn parse(expression: &str) -> Result<Self, String> {
        let invalid = || "Invalid transform expression".to_owned();
        let mut chars = expression.chars();
        if chars.next() != Some('s') {
            return Err(invalid());
        }
        let delimiter = chars.next().ok_or_else(invalid)?;
        let mut fields = [String::new(), String::new()];
        for field in &mut fields {
            loop {
                match chars.next().ok_or_else(invalid)? {
                    c if c == delimiter => break,
                    '\\' => {
                        let next = chars.next().ok_or_else(invalid)?;
                        if next != delimiter {
                            field.push('\\');
                        }
                        field.push(next);
                    }
                    c => field.push(c),
                }
            }
        }
        let mut syntax = Syntax::Basic;
        let mut options = Options::default();
        let mut number = String::new();
        let (mut global, mut not) = (false, [false; 3]);
        for flag in chars {
            match flag {
                'g' => global = true,
                'i' => options.ignore_case = true,
                'x' => syntax = Syntax::Extended,
                'r' => not[0] = false,
                'R' => not[0] = true,
                's' => not[1] = false,
                'S' => not[1] = true,
                'h' => not[2] = false,
                'H' => not[2] = true,
                digit if digit.is_ascii_digit() => number.push(digit),
                other => return Err(format!("Unknown flag in transform expression: {other}")),
            }
        }
        let translated = translate(&fields[0], syntax, "")?;
        Ok(Self {
            matcher: Matcher::new(&translated.pattern, translated.back_references, options)?,
            replacement: pieces(&fields[1])?,
            global,
            number: number.parse().unwrap_or(1),
            not_members: not[0],
            not_symlinks: not[1],
            not_hard_links: not[2],
        })
    }

    fn apply(&self, name: &[u8]) -> Vec<u8> {
        let (mut out, mut at, mut copied, mut count) = (Vec::new(), 0, 0, 0);
        while at <= name.len() {
            let Some(groups) = self.matcher.captures_at(name, at) else {
                break;
            };
            let Some((start, end)) = groups.first().copied().flatten() else {
                break;
            };
            count += 1;
            if count >= self.number {
                out.extend_from_slice(&name[copied..start]);
                for piece in &self.replacement {
                    match piece {
                        Piece::Text(text) => out.extend_from_slice(text),
                        Piece::Group(group) => {
                            if let Some(Some((from, to))) = groups.get(*group) {
                                out.extend_from_slice(&name[*from..*to]);
                            }
                        }
                    }
                }
                copied = end;
                if !self.global {
                    break;
                }
            }
            at = if end == start { end + 1 } else { end };
        }
        out.extend_from_slice(&name[copied..]);
        out
    }
}

fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut literal = Vec::new();
    let mut chars = text.chars();
    let mut group = |literal: &mut Vec<u8>, number| {
        pieces.push(Piece::Text(std::mem::take(literal)));
        pieces.push(Piece::Group(number));
    };
    while let Some(c) = chars.next() {
        match c {
            '&' => group(&mut literal, 0),
            '\\' => match chars.next() {
                Some(digit @ '0'..='9') => {
                    group(&mut literal, digit as usize - '0' as usize);
                }
                Some(case @ ('U' | 'L' | 'u' | 'l' | 'E')) => {
                    return Err(format!(
                        "\\{case} in a transform expression is not supported here: \
                         write the letters as they are to be"
                    ));
                }
                Some('n') => literal.push(b'\n'),
                Some('t') => literal.push(b'\t'),
                Some(other) => literal.extend_from_slice(other.to_string().as_bytes()),
                None => literal.push(b'\\'),
            },
            c => literal.extend_from_slice(c.to_string().as_bytes()),
        }
    }
    pieces.push(Piece::Text(literal));
    Ok(pieces)
}
