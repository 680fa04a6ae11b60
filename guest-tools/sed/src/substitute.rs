//! `s`: finding matches and writing what replaces them.

use posix_regex::{Matcher, Span};

use crate::script::{Case, Piece, Substitution};

/// The new text, when anything was replaced.
pub fn substitute(what: &Substitution, matcher: &Matcher, text: &[u8]) -> Option<Vec<u8>> {
    let needs_groups = what
        .replacement
        .iter()
        .any(|p| matches!(p, Piece::Group(n) if *n > 0));
    let mut out = Vec::with_capacity(text.len() + 64);
    let (mut at, mut copied, mut count, mut replaced) = (0, 0, 0, false);
    let mut last_end = None;
    while at <= text.len() {
        let groups = if needs_groups {
            matcher.captures_at(text, at)
        } else {
            matcher
                .find_longest_at(text, at)
                .map(|span| vec![Some(span)])
        };
        let Some(groups) = groups else { break };
        let Some((start, end)) = groups[0] else { break };
        // An empty match right after a match does not count.
        if start == end && last_end == Some(start) {
            at = next_character(text, start);
            continue;
        }
        count += 1;
        last_end = Some(end);
        if count >= what.number {
            out.extend_from_slice(&text[copied..start]);
            write_replacement(&what.replacement, text, &groups, &mut out);
            copied = end;
            replaced = true;
            if !what.global {
                break;
            }
        }
        at = if start == end {
            next_character(text, end)
        } else {
            end
        };
    }
    if !replaced {
        return None;
    }
    out.extend_from_slice(&text[copied.min(text.len())..]);
    Some(out)
}

fn next_character(text: &[u8], at: usize) -> usize {
    let mut next = at + 1;
    while next < text.len() && text[next] & 0xc0 == 0x80 {
        next += 1;
    }
    next
}

fn write_replacement(pieces: &[Piece], text: &[u8], groups: &[Option<Span>], out: &mut Vec<u8>) {
    if !pieces.iter().any(|piece| matches!(piece, Piece::Case(_))) {
        for piece in pieces {
            out.extend_from_slice(content(piece, text, groups));
        }
        return;
    }
    let (mut lasting, mut once) = (Case::End, None);
    for piece in pieces {
        match piece {
            Piece::Case(case @ (Case::NextUpper | Case::NextLower)) => once = Some(*case),
            Piece::Case(case) => {
                lasting = *case;
                if *case == Case::End {
                    once = None;
                }
            }
            _ => {
                let part = String::from_utf8_lossy(content(piece, text, groups)).into_owned();
                let mut part = match lasting {
                    Case::Upper => part.to_uppercase(),
                    Case::Lower => part.to_lowercase(),
                    _ => part,
                };
                if let (Some(case), Some(first)) = (once, part.chars().next()) {
                    let head: String = match case {
                        Case::NextUpper => first.to_uppercase().collect(),
                        _ => first.to_lowercase().collect(),
                    };
                    part = head + &part[first.len_utf8()..];
                    once = None;
                }
                out.extend_from_slice(part.as_bytes());
            }
        }
    }
}

fn content<'a>(piece: &'a Piece, text: &'a [u8], groups: &[Option<Span>]) -> &'a [u8] {
    match piece {
        Piece::Text(literal) => literal,
        Piece::Group(number) => match groups.get(*number).copied().flatten() {
            Some((start, end)) => &text[start..end],
            None => &[],
        },
        Piece::Case(_) => &[],
    }
}
