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
