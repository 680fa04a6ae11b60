//! From POSIX extended regular expressions to the `regex` crate's syntax.

use super::Field;

/// Translates the expanded right side of `=~`; quoted stretches match themselves.
pub fn translate(field: &Field) -> String {
    let mut pieces: Vec<(Vec<u8>, bool)> = Vec::new();
    field.stretches(|text, quoted| pieces.push((text.to_vec(), quoted)));
    let mut out = String::new();
    let mut bracket = Bracket::Outside;
    for (text, quoted) in pieces {
        let text = String::from_utf8_lossy(&text).into_owned();
        if quoted && bracket == Bracket::Outside {
            out.push_str(&regex::escape(&text));
            continue;
        }
        translate_piece(&text, &mut out, &mut bracket);
    }
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bracket {
    Outside,
    /// Just after `[` or `[^`, where `]` is a plain character.
    First,
    Inside,
}

fn translate_piece(text: &str, out: &mut String, bracket: &mut Bracket) {
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if *bracket != Bracket::Outside {
            let used = inside_bracket(rest, out, bracket);
            rest = &rest[used..];
            continue;
        }
        rest = &rest[character.len_utf8()..];
        match character {
            '[' => {
                out.push('[');
                if let Some(after) = rest.strip_prefix('^') {
                    out.push('^');
                    rest = after;
                }
                *bracket = Bracket::First;
            }
            '\\' => {
                let Some(next) = rest.chars().next() else {
                    break;
                };
                rest = &rest[next.len_utf8()..];
                match next {
                    'w' => out.push_str("[[:alnum:]_]"),
                    'W' => out.push_str("[^[:alnum:]_]"),
                    's' => out.push_str("[[:space:]]"),
                    'S' => out.push_str("[^[:space:]]"),
                    'b' => out.push_str("(?-u:\\b)"),
                    'B' => out.push_str("(?-u:\\B)"),
                    '<' => out.push_str("(?-u:\\b{start})"),
                    '>' => out.push_str("(?-u:\\b{end})"),
                    other => out.push_str(&regex::escape(&other.to_string())),
                }
            }
            '{' if !is_repetition(rest) => out.push_str("\\{"),
            '}' if !closes_repetition(out) => out.push_str("\\}"),
            '*' | '+' | '?' if out.is_empty() || out.ends_with(['(', '|']) => {
                out.push('\\');
                out.push(character);
            }
            '*' | '+' | '?' if out.ends_with(['*', '+', '?']) && !out.ends_with("\\*") => {
                // A repetition of a repetition; the crate would read `+?` as lazy.
                out.pop();
                out.push('*');
            }
            '&' | '~' | '#' | '-' => out.push(character),
            other => out.push(other),
        }
    }
}

fn is_repetition(rest: &str) -> bool {
    let Some(close) = rest.find('}') else {
        return false;
    };
    let inner = &rest[..close];
    !inner.is_empty()
        && inner.starts_with(|c: char| c.is_ascii_digit())
        && inner.chars().all(|c| c.is_ascii_digit() || c == ',')
}

fn closes_repetition(out: &str) -> bool {
    match out.rfind('{') {
        Some(open) => is_repetition(&format!("{}}}", &out[open + 1..])),
        None => false,
    }
}

fn inside_bracket(rest: &str, out: &mut String, bracket: &mut Bracket) -> usize {
    let character = rest.chars().next().unwrap_or(']');
    if character == ']' && *bracket == Bracket::Inside {
        out.push(']');
        *bracket = Bracket::Outside;
        return 1;
    }
    *bracket = Bracket::Inside;
    if let Some(after) = rest.strip_prefix("[:")
        && let Some(end) = after.find(":]")
    {
        let name = &after[..end];
        const KNOWN: [&str; 12] = [
            "alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
            "space", "upper", "xdigit",
        ];
        // An unknown class is an error, which the unclosed group makes it.
        let name = if KNOWN.contains(&name) { name } else { "(" };
        if name == "(" {
            out.push_str("x](");
        } else {
            out.push_str(&format!("[:{name}:]"));
        }
        return end + 4;
    }
    for marker in ["[.", "[="] {
        if let Some(after) = rest.strip_prefix(marker) {
            let close = format!("{}]", &marker[1..]);
            if let Some(end) = after.find(&close) {
                out.push_str(&regex::escape(&after[..end]));
                return end + 4;
            }
        }
    }
    match character {
        '[' | ']' | '\\' | '&' | '~' | '^' => {
            out.push('\\');
            out.push(character);
        }
        '-' if rest[1..].starts_with(']') || out.ends_with(['[', '^']) => out.push_str("\\-"),
        other => out.push(other),
    }
    character.len_utf8()
}
