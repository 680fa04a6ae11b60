//! POSIX basic and extended expressions with GNU's additions, run by the regex crates.
//!
//! [`translate`] rewrites an expression into the regex crate's syntax; [`Matcher`] finds matches.
//! The rewritten expression never matches a line terminator, so a whole buffer can be searched
//! at once with `^` and `$` as line anchors.

mod class;
mod matcher;
mod translate;
pub mod wildcard;

pub use matcher::{Matcher, Options, Span};
pub use translate::{Syntax, Translated, translate};
