//! Brace expansion, on the text of a word before anything else is looked at.

use super::scan;
use crate::ast::Bytes;

/// A sequence longer than this stays as written, as when memory runs out.
const MAX_WORDS: usize = 1_000_000;

/// The words that `text` stands for; itself when it holds no brace expression.
pub fn expand_braces(text: &[u8]) -> Vec<Bytes> {
    let Some(_level) = crate::depth::Level::enter() else {
        return vec![text.to_vec()];
    };
    let mut from = 0;
    while let Some((open, close, commas)) = find(text, from) {
        let inner = &text[open + 1..close];
        let choices = if commas.is_empty() {
            match sequence(inner) {
                Some(choices) => choices,
                None => {
                    from = open + 1;
                    continue;
                }
            }
        } else {
            choices(text, open, close, &commas)
        };
        let prefix = &text[..open];
        let suffixes = expand_braces(&text[close + 1..]);
        let mut out = Vec::with_capacity(choices.len() * suffixes.len());
        for choice in &choices {
            for suffix in &suffixes {
                out.push([prefix, choice, suffix].concat());
            }
        }
        return out;
    }
    vec![text.to_vec()]
}

fn choices(text: &[u8], open: usize, close: usize, commas: &[usize]) -> Vec<Bytes> {
    let mut out = Vec::new();
    let mut start = open + 1;
    for &end in commas.iter().chain([&close]) {
        out.extend(expand_braces(&text[start..end]));
        start = end + 1;
    }
    out
}

/// The first balanced `{..}` at or after `from` that could expand: its ends and its own commas.
fn find(text: &[u8], from: usize) -> Option<(usize, usize, Vec<usize>)> {
    let mut at = from;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'{' => {
                if let Some((close, commas)) = matching(text, at + 1)
                    && (!commas.is_empty() || contains_dots(&text[at + 1..close]))
                {
                    return Some((at, close, commas));
                }
                at += 1;
            }
            _ => at = skip(text, at)?,
        }
    }
    None
}

fn contains_dots(text: &[u8]) -> bool {
    text.windows(2).any(|pair| pair == b"..")
}

fn skip(text: &[u8], at: usize) -> Option<usize> {
    match text[at] {
        b'\\' => Some(at + 2),
        b'\'' => scan::single_quote(text, at + 1),
        b'"' => scan::double_quote(text, at + 1),
        b'`' => scan::backquote(text, at + 1),
        b'$' => scan::dollar(text, at, false),
        b'<' | b'>' if text.get(at + 1) == Some(&b'(') => scan::parentheses(text, at + 2),
        _ => Some(at + 1),
    }
}

fn matching(text: &[u8], mut at: usize) -> Option<(usize, Vec<usize>)> {
    let mut depth = 0;
    let mut commas = Vec::new();
    loop {
        match *text.get(at)? {
            b'{' => depth += 1,
            b'}' if depth == 0 => return Some((at, commas)),
            b'}' => depth -= 1,
            b',' if depth == 0 => commas.push(at),
            _ => {
                at = skip(text, at)?;
                continue;
            }
        }
        at += 1;
    }
}

/// `a..b` or `a..b..step`.
fn sequence(text: &[u8]) -> Option<Vec<Bytes>> {
    let text = std::str::from_utf8(text).ok()?;
    let mut fields = text.split("..");
    let (first, last, step) = (fields.next()?, fields.next()?, fields.next());
    if fields.next().is_some() {
        return None;
    }
    let step: i64 = step.map_or(Some(0), |s| s.parse().ok())?;
    if let (Ok(from), Ok(to)) = (first.parse::<i64>(), last.parse::<i64>()) {
        let padded = |s: &str| {
            let digits = s.trim_start_matches(['-', '+']);
            digits.len() > 1 && digits.starts_with('0')
        };
        let width = if padded(first) || padded(last) {
            first.len().max(last.len())
        } else {
            0
        };
        return Some(
            numbers(from, to, step)?
                .into_iter()
                .map(|n| format!("{n:0width$}").into_bytes())
                .collect(),
        );
    }
    let letter = |s: &str| {
        let bytes = s.as_bytes();
        (bytes.len() == 1 && bytes[0].is_ascii_alphabetic()).then(|| i64::from(bytes[0]))
    };
    let letters = numbers(letter(first)?, letter(last)?, step)?;
    Some(
        letters
            .into_iter()
            .map(|n| quoted_letter(n as u8))
            .collect(),
    )
}

/// `{Z..a}` passes through characters that are special in a word.
fn quoted_letter(byte: u8) -> Bytes {
    if byte.is_ascii_alphanumeric() {
        vec![byte]
    } else {
        vec![b'\\', byte]
    }
}

fn numbers(from: i64, to: i64, step: i64) -> Option<Vec<i64>> {
    let step = match step.unsigned_abs() {
        0 => 1,
        step => i128::from(step),
    };
    let (from, to) = (i128::from(from), i128::from(to));
    let count = ((to - from).abs() / step) + 1;
    if count > MAX_WORDS as i128 {
        return None;
    }
    let step = if to < from { -step } else { step };
    Some((0..count).map(|n| (from + n * step) as i64).collect())
}
