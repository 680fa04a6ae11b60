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
mod quotes;
mod reader;
mod scan;
mod word;

pub use assignment::{elements, parse as parse_assignment, split as split_assignment, subscript};
pub use lower::is_pure;
pub(self) use lower::lower;
pub use quotes::{ansi_quoted, number, push_character, unquote, without_dollar_quotes};
pub use reader::{Aliases, Reader, SyntaxError, parse_all};
pub use scan::split_at;
pub use word::{Mode, compile, parts};

/// Settings that change how text is read.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    pub extended_patterns: bool,
    pub braces: bool,
}
