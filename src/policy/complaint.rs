//! What is wrong with a policy file: where, which key, and the way out.

use std::fmt;
use std::path::PathBuf;

/// Longest piece of a file that a complaint repeats, in characters.
const QUOTED_CHARS_MAX: usize = 80;

/// Why a policy was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    #[error("cannot read the policy `{path}`")]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{}", list(.0))]
    Refused(Vec<Complaint>),
}

impl PolicyError {
    /// Everything that is wrong in the file; nothing when it could not be read.
    pub fn complaints(&self) -> &[Complaint] {
        match self {
            Self::Read { .. } => &[],
            Self::Refused(complaints) => complaints,
        }
    }
}

/// One fault of a policy file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// Such as `native[0].flags[2]`; empty for the file as a whole.
    pub key: String,
    pub fault: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            column,
            key,
            fault,
            remedy,
        } = self;
        write!(f, "{file}: line {line}, column {column}: ")?;
        if !key.is_empty() {
            write!(f, "`{key}`: ")?;
        }
        write!(f, "{fault}; {remedy}")
    }
}

fn list(complaints: &[Complaint]) -> String {
    let lines: Vec<_> = complaints.iter().map(Complaint::to_string).collect();
    lines.join("\n")
}

/// The file's own text, cut to what fits a line.
pub fn quoted(text: &str) -> String {
    let mut short: String = text
        .chars()
        .take(QUOTED_CHARS_MAX)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(QUOTED_CHARS_MAX).is_some() {
        short.push('…');
    }
    format!("`{short}`")
}

/// The known name that is most like `name`, unless none is like it.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = name.chars().count().div_ceil(3).max(1);
    known
        .into_iter()
        .map(|candidate| (distance(name, candidate, most), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Letters to change from one word to the other (Damerau's optimal string alignment), or more
/// than `most`.
fn distance(one: &str, other: &str, most: usize) -> usize {
    let one: Vec<char> = one.chars().take(QUOTED_CHARS_MAX).collect();
    let other: Vec<char> = other.chars().take(QUOTED_CHARS_MAX).collect();
    if one.len().abs_diff(other.len()) > most {
        return most + 1;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.iter().enumerate() {
        let mut next = vec![at + 1];
        for (to, wanted) in other.iter().enumerate() {
            let above = row.get(to + 1).copied().unwrap_or(usize::MAX - 1);
            let beside = row.get(to).copied().unwrap_or(usize::MAX - 1);
            let left = next.last().copied().unwrap_or(usize::MAX - 1);
            let mut least = (beside + usize::from(letter != wanted)).min(above.min(left) + 1);
            let swapped = at > 0
                && to > 0
                && one.get(at - 1) == Some(wanted)
                && other.get(to - 1) == Some(letter);
            if let (true, Some(earlier)) = (swapped, before.get(to.wrapping_sub(1))) {
                least = least.min(earlier + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_a_small_slip_away() {
        let known = ["names", "reason", "expires", "program"];
        assert_eq!(nearest("name", known), Some("names"));
        assert_eq!(nearest("raeson", known), Some("reason"));
        assert_eq!(nearest("programs", known), Some("program"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("", known), None);
    }
}
