//! Taking quotes away and changing their form.

use super::scan;
use crate::ast::Bytes;

/// Writes `$'..'` as plain single quotes and `$".."` as double quotes, outside of other quotes.
pub fn without_dollar_quotes(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let rest = &text[at..];
        let next = match byte {
            b'\\' => Some(at + 2),
            b'\'' => scan::single_quote(text, at + 1),
            b'"' => scan::double_quote(text, at + 1),
            b'`' => scan::backquote(text, at + 1),
            b'$' if rest.starts_with(b"$\"") => {
                at += 1;
                continue;
            }
            b'$' if rest.starts_with(b"$'") => {
                let end = scan::ansi_quote(text, at + 2).unwrap_or(text.len() + 1);
                let plain = ansi_quoted(text.get(at + 2..end - 1).unwrap_or_default());
                if std::str::from_utf8(&plain).is_ok() {
                    out.extend(crate::quote::plain_single(&plain));
                    at = end;
                    continue;
                }
                Some(end)
            }
            b'$' => scan::dollar(text, at, false),
            _ => Some(at + 1),
        };
        let next = next.unwrap_or(text.len()).min(text.len());
        out.extend_from_slice(&text[at..next]);
        at = next;
    }
    out
}

/// Removes quotes from a literal, as for a here-document's tag.
pub fn unquote(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'\\' => {
                match text.get(at + 1) {
                    Some(b'\n') | None => {}
                    Some(&next) => out.push(next),
                }
                at += 2;
            }
            b'\'' => {
                let end = scan::single_quote(text, at + 1).unwrap_or(text.len() + 1);
                out.extend_from_slice(text.get(at + 1..end - 1).unwrap_or_default());
                at = end;
            }
            b'"' => {
                let end = scan::double_quote(text, at + 1).unwrap_or(text.len() + 1);
                let inner = text.get(at + 1..end - 1).unwrap_or_default();
                let mut escaped = false;
                for &b in inner {
                    if b == b'\\' && !escaped {
                        escaped = true;
                        continue;
                    }
                    if escaped && !matches!(b, b'"' | b'\\' | b'$' | b'`') {
                        out.push(b'\\');
                    }
                    escaped = false;
                    out.push(b);
                }
                at = end;
            }
            b'$' if text.get(at + 1) == Some(&b'\'') => {
                let end = scan::ansi_quote(text, at + 2).unwrap_or(text.len() + 1);
                out.extend(ansi_quoted(text.get(at + 2..end - 1).unwrap_or_default()));
                at = end;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

/// The bytes that `$'text'` stands for.
pub fn ansi_quoted(text: &[u8]) -> Bytes {
    let mut out = Bytes::new();
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        if byte != b'\\' {
            out.push(byte);
            at += 1;
            continue;
        }
        at += 1;
        let Some(&escape) = text.get(at) else {
            out.push(b'\\');
            break;
        };
        at += 1;
        match escape {
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'a' => out.push(7),
            b'b' => out.push(8),
            b'e' | b'E' => out.push(27),
            b'f' => out.push(12),
            b'v' => out.push(11),
            b'\\' | b'\'' | b'"' | b'?' => out.push(escape),
            b'0'..=b'7' => {
                at -= 1;
                let (value, used) = number(&text[at..], 8, 3);
                out.push(value as u8);
                at += used;
            }
            b'x' => {
                let (value, used) = number(&text[at..], 16, 2);
                if used == 0 {
                    out.extend_from_slice(b"\\x");
                } else {
                    out.push(value as u8);
                }
                at += used;
            }
            b'u' | b'U' => {
                let (value, used) = number(&text[at..], 16, if escape == b'u' { 4 } else { 8 });
                if used == 0 {
                    out.extend_from_slice(&[b'\\', escape]);
                } else {
                    push_character(&mut out, value);
                }
                at += used;
            }
            b'c' => {
                if let Some(&control) = text.get(at) {
                    out.push(match control {
                        b'?' => 0x7f,
                        _ => control & 0x1f,
                    });
                    at += 1;
                }
            }
            other => out.extend_from_slice(&[b'\\', other]),
        }
    }
    // A NUL ends the string, as in C.
    if let Some(end) = out.iter().position(|&b| b == 0) {
        out.truncate(end);
    }
    out
}

pub fn push_character(out: &mut Bytes, value: u32) {
    if let Some(character) = char::from_u32(value) {
        let mut buffer = [0; 4];
        out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
    }
}

/// Reads at most `most` digits: (value, digits used).
pub fn number(text: &[u8], base: u32, most: usize) -> (u32, usize) {
    let mut value = 0u32;
    let mut used = 0;
    while used < most
        && let Some(digit) = text.get(used).and_then(|&b| char::from(b).to_digit(base))
    {
        value = value.wrapping_mul(base).wrapping_add(digit);
        used += 1;
    }
    (value, used)
}
