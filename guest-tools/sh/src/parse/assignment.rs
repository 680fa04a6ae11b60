//! `name=value`, `name+=value`, `name[subscript]=value`, `name=(elements)`.

use super::{Mode, Settings, scan, word};
use crate::{
    arithmetic::Arithmetic,
    ast::{AssignedValue, Assignment, Element, Subscript},
    names::intern,
};

/// Where the parts of an assignment are.
pub struct Split {
    pub name_end: usize,
    /// The subscript's text.
    pub subscript: Option<(usize, usize)>,
    pub append: bool,
    pub value: usize,
}

/// Finds the parts when `text` reads as an assignment.
pub fn split(text: &[u8]) -> Option<Split> {
    let name_end = scan::name(text, 0);
    if name_end == 0 {
        return None;
    }
    let mut at = name_end;
    let mut subscript = None;
    if text.get(at) == Some(&b'[') {
        let end = scan::brackets(text, at + 1)?;
        subscript = Some((at + 1, end - 1));
        at = end;
    }
    let append = text.get(at) == Some(&b'+');
    at += usize::from(append);
    (text.get(at) == Some(&b'=')).then_some(Split {
        name_end,
        subscript,
        append,
        value: at + 1,
    })
}

pub fn parse(text: &[u8], line: u32, settings: Settings) -> Option<Assignment> {
    let parts = split(text)?;
    let value = &text[parts.value..];
    let subscript = parts
        .subscript
        .map(|(start, end)| subscript(&text[start..end], line, settings));
    let is_array = value.first() == Some(&b'(') && value.last() == Some(&b')');
    let value = if is_array {
        AssignedValue::Array(elements(&value[1..value.len() - 1], line, settings))
    } else {
        AssignedValue::Scalar(word::compile(value, Mode::Assignment, line, settings))
    };
    Some(Assignment {
        name: intern(&text[..parts.name_end]),
        subscript,
        append: parts.append,
        value,
    })
}

pub fn subscript(text: &[u8], line: u32, settings: Settings) -> Subscript {
    Subscript {
        key: word::compile(text, Mode::Assignment, line, settings),
        expression: Arithmetic::compile(text, line, settings),
    }
}

/// The operator that stands where an element of an array's value should, and its line.
pub fn stray_operator(text: &[u8], mut line: u32) -> Option<(String, u32)> {
    let parts = split(text)?;
    let inner = text[parts.value..].strip_prefix(b"(")?.strip_suffix(b")")?;
    line += lines(&text[..parts.value]);
    let mut at = 0;
    while let Some(&byte) = inner.get(at) {
        let next = match byte {
            b' ' | b'\t' | b'\n' => at + 1,
            b'#' => {
                at + inner[at..]
                    .iter()
                    .position(|&b| b == b'\n')
                    .unwrap_or(inner.len() - at)
            }
            b'\\' if inner.get(at + 1) == Some(&b'\n') => at + 2,
            b'<' | b'>' if inner.get(at + 1) == Some(&b'(') => element_end(inner, at),
            b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')' => {
                let rest = &inner[at..];
                let double = rest.len() > 1 && rest[0] == rest[1] && byte != b'(' && byte != b')';
                let token = &rest[..1 + usize::from(double)];
                return Some((String::from_utf8_lossy(token).into_owned(), line));
            }
            _ => element_end(inner, at),
        };
        line += lines(&inner[at..next]);
        at = next;
    }
    None
}

fn lines(text: &[u8]) -> u32 {
    text.iter().filter(|&&b| b == b'\n').count() as u32
}

/// The elements between the parentheses of an array value.
pub fn elements(text: &[u8], line: u32, settings: Settings) -> Vec<Element> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b' ' | b'\t' | b'\n' => at += 1,
            b'#' => {
                at += text[at..]
                    .iter()
                    .position(|&b| b == b'\n')
                    .unwrap_or(text.len() - at)
            }
            b'\\' if text.get(at + 1) == Some(&b'\n') => at += 2,
            _ => {
                let end = element_end(text, at);
                element(&text[at..end], line, settings, &mut out);
                at = end;
            }
        }
    }
    out
}

fn element_end(text: &[u8], at: usize) -> usize {
    let mut from = at;
    if text[at] == b'['
        && let Some(end) = scan::brackets(text, at + 1)
        && matches!(text.get(end), Some(b'=' | b'+'))
    {
        from = end + 1;
    }
    match scan::word(text, from, true) {
        Some(end) if end > at => end,
        _ => at + 1,
    }
}

fn element(text: &[u8], line: u32, settings: Settings, out: &mut Vec<Element>) {
    if text[0] == b'['
        && let Some(end) = scan::brackets(text, 1)
    {
        let append = text.get(end) == Some(&b'+');
        let equals = end + usize::from(append);
        if text.get(equals) == Some(&b'=') {
            out.push(Element {
                subscript: Some(subscript(&text[1..end - 1], line, settings)),
                append,
                value: word::compile(&text[equals + 1..], Mode::Assignment, line, settings),
            });
            return;
        }
    }
    for value in word::compile_argument(text, line, settings) {
        out.push(Element {
            subscript: None,
            append: false,
            value,
        });
    }
}
