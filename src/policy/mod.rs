//! What an agent may do: one closed TOML file, and a pure decision over it.
//!
//! `text` is a file as written, `load` and `check` make a `Policy` of it, `decide` answers. This
//! room reads policy files and nothing else, and knows no clock.

mod aliases;
mod brief;
#[cfg(test)]
mod broken;
mod check;
mod check_native;
mod check_rules;
mod check_tool;
mod complaint;
mod decide;
mod diff;
mod document;
mod egress;
mod examples;
mod explain;
mod extends;
mod format;
mod grammar;
mod grant;
mod lint;
mod load;
mod own_tool;
mod pattern;
mod places;
mod programs;
mod protected;
mod replay;
mod request;
mod runners;
mod schema;
mod set;
mod shape;
pub mod sign;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_narrow;
pub mod text;
mod tool_text;
mod witness;
pub mod words;

pub use brief::brief;
pub use complaint::{Complaint, PolicyError, quoted};
pub use decide::{Decision, Denial, decide, tool_path};
pub use diff::{Asks, Witness, diff};
pub use document::{Helper, NativeLimits, NativeStart, Place, Policy};
pub use egress::Target;
pub use examples::{Example, run as run_examples};
pub use explain::{Explanation, explain};
pub use format::format;
pub use grant::{CallTerms, EgressTerms, Grant, MountTerms, NativeTerms, Run};
pub use lint::{Finding, lint};
pub use load::{Loader, Vocabulary, load_default, load_file, load_text};
pub use own_tool::{
    Compiler, Found, OwnTool, TOOL_BYTES_MAX, ToolCode, ToolMount, ToolStart, ToolWorld, read_tool,
};
pub use programs::ProgramTable;
pub use protected::{Cover, Protected};
pub use replay::{Change, Recorded, replay};
pub use request::{EgressCall, NativeCall, Request, ToolCall};
pub use schema::schema;
pub use set::{Policies, Sources, Version};
pub use text::{Access, Confinement, Profile};
pub use tool_text::ToolKind;
