//! From text to the shell's tree, one complete command at a time.
//!
//! `reader` finds words, here-documents, aliases and reserved words as bash's own lexer does and
//! hands brush-parser a token stream in which every word is a numbered piece; `lower` turns the
//! grammar's answer into our tree, in which the words are parsed once and for all.

mod assignment;
mod brace;
mod build;
mod condition;
mod lower;
mod parameter;
mod place;
mod reader;
mod scan;
mod word;

pub use assignment::{elements, parse as parse_assignment, split as split_assignment, subscript};
pub use lower::is_pure;
pub(self) use lower::lower;
pub use reader::{Aliases, Reader, SyntaxError, parse_all};
pub use scan::split_at;
pub use word::{Mode, ansi_quoted, compile, number, parts, push_character};

/// Settings that change how text is read.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    pub extended_patterns: bool,
    pub braces: bool,
}

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
