//! What an agent may do: one closed TOML file, and a pure decision over it.
//!
//! This room does no input or output but reading the file in `load`, and knows no clock.

mod decide;
mod document;
mod grant;
mod load;

pub use decide::{Decision, Denial, decide};
pub use document::{Access, DenyRule, Policy, ToolRule};
pub use grant::Grant;
pub use load::{PolicyError, load_default, load_file, load_text};
