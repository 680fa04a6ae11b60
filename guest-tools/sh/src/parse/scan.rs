//! Finding where a construct ends, without understanding what is inside.
//!
//! Every function takes the text and the position just after the opening characters, and answers
//! the position just after the closing ones; `None` when the text ends first.

use crate::{
    depth,
    names::{is_name_byte, is_name_start},
};

/// After `'`.
pub fn single_quote(text: &[u8], at: usize) -> Option<usize> {
    Some(at + text.get(at..)?.iter().position(|&b| b == b'\'')? + 1)
}

/// After `$'`.
pub fn ansi_quote(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *text.get(at)? {
            b'\\' => at += 2,
            b'\'' => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// After `"`.
pub fn double_quote(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *text.get(at)? {
            b'\\' => at += 2,
            b'"' => return Some(at + 1),
            b'`' => at = backquote(text, at + 1)?,
            b'$' => at = dollar(text, at, true)?,
            _ => at += 1,
        }
    }
}

/// After `` ` ``.
pub fn backquote(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *text.get(at)? {
            b'\\' => at += 2,
            b'`' => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// At `$`: past the whole expansion, or past the `$` when it begins none that nests.
pub fn dollar(text: &[u8], at: usize, in_double_quotes: bool) -> Option<usize> {
    let _level = depth::Level::enter()?;
    match text.get(at + 1) {
        Some(b'(') if text.get(at + 2) == Some(&b'(') => {
            // Trying both ways at every level would take exponential time.
            arithmetic(text, at + 3).or_else(|| {
                let _retry = depth::Retry::enter()?;
                parentheses(text, at + 2)
            })
        }
        Some(b'(') => parentheses(text, at + 2),
        Some(b'{') => braces(text, at + 2, false),
        Some(b'[') => brackets(text, at + 2),
        Some(b'\'') if !in_double_quotes => ansi_quote(text, at + 2),
        Some(b'"') if !in_double_quotes => double_quote(text, at + 2),
        _ => Some(at + 1),
    }
}

/// After `((` of an arithmetic construct: past `))`. `None` also when the parentheses do not
/// close as a pair, which makes it a subshell in a substitution.
pub fn arithmetic(text: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0usize;
    loop {
        match *text.get(at)? {
            b'\\' => at += 2,
            b'\'' => at = single_quote(text, at + 1)?,
            b'"' => at = double_quote(text, at + 1)?,
            b'`' => at = backquote(text, at + 1)?,
            b'$' => at = dollar(text, at, false)?,
            b'(' => {
                depth += 1;
                at += 1;
            }
            b')' if depth == 0 => {
                return (text.get(at + 1) == Some(&b')')).then_some(at + 2);
            }
            b')' => {
                depth -= 1;
                at += 1;
            }
            _ => at += 1,
        }
    }
}

/// After `$[` or a subscript's `[`.
pub fn brackets(text: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0usize;
    loop {
        match *text.get(at)? {
            b'\\' => at += 2,
            b'\'' => at = single_quote(text, at + 1)?,
            b'"' => at = double_quote(text, at + 1)?,
            b'`' => at = backquote(text, at + 1)?,
            b'$' => at = dollar(text, at, false)?,
            b'[' => {
                depth += 1;
                at += 1;
            }
            b']' if depth == 0 => return Some(at + 1),
            b']' => {
                depth -= 1;
                at += 1;
            }
            _ => at += 1,
        }
    }
}

/// After `${`.
pub fn braces(text: &[u8], mut at: usize, in_here_document: bool) -> Option<usize> {
    // In a here-document a single quote is special only after a pattern operator.
    let single_quotes_count = !in_here_document || pattern_follows(text, at);
    loop {
        match *text.get(at)? {
            b'\\' => at += 2,
            b'\'' if single_quotes_count => at = single_quote(text, at + 1)?,
            b'"' => at = double_quote(text, at + 1)?,
            b'`' => at = backquote(text, at + 1)?,
            b'$' if text.get(at + 1) == Some(&b'\'') && !single_quotes_count => at += 1,
            b'$' => at = dollar(text, at, in_here_document)?,
            b'}' => return Some(at + 1),
            _ => at += 1,
        }
    }
}

fn pattern_follows(text: &[u8], mut at: usize) -> bool {
    if matches!(text.get(at), Some(b'!' | b'#')) {
        at += 1;
    }
    while text.get(at).is_some_and(|&b| is_name_byte(b)) {
        at += 1;
    }
    if matches!(text.get(at), Some(b'@' | b'*' | b'?' | b'-' | b'$' | b'!')) {
        at += 1;
    }
    if text.get(at) == Some(&b'[') {
        match brackets(text, at + 1) {
            Some(end) => at = end,
            None => return false,
        }
    }
    matches!(text.get(at), Some(b'#' | b'%' | b'/' | b'^' | b','))
}

/// After the `(` of an extended pattern such as `@(`.
pub fn pattern_group(text: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0usize;
    loop {
        match *text.get(at)? {
            b'\\' => at += 2,
            b'\'' => at = single_quote(text, at + 1)?,
            b'"' => at = double_quote(text, at + 1)?,
            b'`' => at = backquote(text, at + 1)?,
            b'$' => at = dollar(text, at, false)?,
            b'(' => {
                depth += 1;
                at += 1;
            }
            b')' if depth == 0 => return Some(at + 1),
            b')' => {
                depth -= 1;
                at += 1;
            }
            _ => at += 1,
        }
    }
}

enum Level {
    Parenthesis,
    /// A `case` command; `pattern` between `in` or `;;` and the pattern's `)`.
    Case {
        pattern: bool,
        seen_in: bool,
    },
}

/// After `$(`, `<(` or the `(` of an array literal: past the matching `)`. Knows comments,
/// quotes, here-documents and the unbalanced `)` of case patterns.
pub fn parentheses(text: &[u8], mut at: usize) -> Option<usize> {
    let _level = depth::Level::enter()?;
    let mut levels: Vec<Level> = Vec::new();
    let mut command_start = true;
    let mut here_tags: Vec<(bool, Vec<u8>)> = Vec::new();
    loop {
        match *text.get(at)? {
            b' ' | b'\t' => at += 1,
            b'\n' => {
                at += 1;
                for (strip, tag) in here_tags.drain(..) {
                    at = here_document(text, at, &tag, strip).1;
                }
                command_start = true;
            }
            b'#' => {
                while text.get(at).is_some_and(|&b| b != b'\n') {
                    at += 1;
                }
            }
            b'(' => {
                at += 1;
                match levels.last() {
                    Some(Level::Case { pattern: true, .. }) => {}
                    _ => levels.push(Level::Parenthesis),
                }
                command_start = true;
            }
            b')' => {
                at += 1;
                command_start = true;
                match levels.last_mut() {
                    None => return Some(at),
                    Some(Level::Case { pattern, .. }) if *pattern => *pattern = false,
                    Some(Level::Case { .. }) => return Some(at),
                    Some(Level::Parenthesis) => {
                        levels.pop();
                    }
                }
            }
            b';' | b'&' | b'|' => {
                let start = at;
                while matches!(text.get(at), Some(b';' | b'&' | b'|')) {
                    at += 1;
                }
                if matches!(&text[start..at], b";;" | b";&" | b";;&")
                    && let Some(Level::Case { pattern, .. }) = levels.last_mut()
                {
                    *pattern = true;
                }
                command_start = true;
            }
            b'<' if text[at..].starts_with(b"<<") && !text[at..].starts_with(b"<<<") => {
                at += 2;
                let strip = text.get(at) == Some(&b'-');
                at += usize::from(strip);
                while matches!(text.get(at), Some(b' ' | b'\t')) {
                    at += 1;
                }
                let end = word(text, at, false)?;
                here_tags.push((strip, super::unquote(&text[at..end])));
                at = end;
            }
            b'<' | b'>' => {
                at += 1;
                while matches!(text.get(at), Some(b'<' | b'>' | b'&' | b'|')) {
                    at += 1;
                }
                if text.get(at) == Some(&b'(') {
                    at = parentheses(text, at + 1)?;
                }
            }
            _ => {
                let end = word(text, at, true)?;
                let end = if end == at { at + 1 } else { end };
                note_word(&text[at..end], &mut levels, &mut command_start);
                at = end;
            }
        }
    }
}

fn note_word(word: &[u8], levels: &mut Vec<Level>, command_start: &mut bool) {
    if let Some(Level::Case { pattern, seen_in }) = levels.last_mut() {
        if !*seen_in {
            if word == b"in" {
                *seen_in = true;
                *pattern = true;
                *command_start = true;
            }
            return;
        }
        if word == b"esac" && *command_start {
            levels.pop();
            return;
        }
        if *pattern {
            *command_start = false;
            return;
        }
    }
    if *command_start && word == b"case" {
        levels.push(Level::Case {
            pattern: false,
            seen_in: false,
        });
        *command_start = false;
        return;
    }
    *command_start = matches!(
        word,
        b"if" | b"then" | b"else" | b"elif" | b"while" | b"until" | b"do" | b"{" | b"!" | b"time"
    ) && *command_start;
}

/// At the beginning of a word: past it. With `groups`, `@(..)`, `=(..)` and the like belong to
/// the word.
pub fn word(text: &[u8], at: usize, groups: bool) -> Option<usize> {
    word_with(text, at, groups, groups)
}

/// Past a word that may not hold an array's value, so that it ends before `=(`.
pub fn word_without_array(text: &[u8], at: usize) -> Option<usize> {
    word_with(text, at, true, false)
}

fn word_with(text: &[u8], mut at: usize, groups: bool, arrays: bool) -> Option<usize> {
    let start = at;
    while let Some(&byte) = text.get(at) {
        match byte {
            b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b')' => break,
            b'<' | b'>' => {
                if groups && text.get(at + 1) == Some(&b'(') {
                    at = parentheses(text, at + 2)?;
                } else {
                    break;
                }
            }
            b'(' => {
                let group = at > start && matches!(text[at - 1], b'?' | b'*' | b'+' | b'@' | b'!');
                let array = at > start && text[at - 1] == b'=';
                if groups && group {
                    at = pattern_group(text, at + 1)?;
                } else if arrays && array {
                    at = parentheses(text, at + 1)?;
                } else {
                    break;
                }
            }
            b'\\' => at = (at + 2).min(text.len()),
            b'\'' => at = single_quote(text, at + 1)?,
            b'"' => at = double_quote(text, at + 1)?,
            b'`' => at = backquote(text, at + 1)?,
            b'$' => at = dollar(text, at, false)?,
            _ => at += 1,
        }
    }
    Some(at)
}

/// At the first line of a here-document: its body's end and the position past its tag line. A
/// missing tag ends it with the text.
pub fn here_document(text: &[u8], start: usize, tag: &[u8], strip: bool) -> (usize, usize, bool) {
    let mut at = start;
    while at < text.len() {
        let end = text[at..]
            .iter()
            .position(|&b| b == b'\n')
            .map_or(text.len(), |n| at + n);
        let mut line = &text[at..end];
        if strip {
            let tabs = line.iter().take_while(|&&b| b == b'\t').count();
            line = &line[tabs..];
        }
        if line == tag {
            return (at, (end + 1).min(text.len()), true);
        }
        at = (end + 1).min(text.len());
        if end == text.len() {
            break;
        }
    }
    (text.len(), text.len(), false)
}

/// At a name: past it; the same position when there is none.
pub fn name(text: &[u8], at: usize) -> usize {
    if !text.get(at).is_some_and(|&b| is_name_start(b)) {
        return at;
    }
    at + text[at..].iter().take_while(|&&b| is_name_byte(b)).count()
}

/// Splits at `delimiters` that no quote or expansion hides; `None` when one of those has no end.
pub fn split_at(text: &[u8], delimiters: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut out = Vec::new();
    let (mut start, mut at) = (0, 0);
    while let Some(&byte) = text.get(at) {
        at = match byte {
            b'\\' => at + 2,
            b'\'' => single_quote(text, at + 1)?,
            b'"' => double_quote(text, at + 1)?,
            b'`' => backquote(text, at + 1)?,
            b'$' => dollar(text, at, false)?,
            _ if delimiters.contains(&byte) => {
                out.push(text[start..at].to_vec());
                start = at + 1;
                start
            }
            _ => at + 1,
        };
    }
    out.push(text.get(start..).unwrap_or_default().to_vec());
    out.retain(|word| !word.is_empty());
    Some(out)
}
