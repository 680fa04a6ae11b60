//! Permission for one run, with the terms that bind it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::limits::Limits;
use crate::policy::document::{NativeStart, Place};
use crate::policy::own_tool::ToolStart;
use crate::policy::programs::ProgramTable;

/// Permission for one run. Made only by [`decide`](super::decide), cannot be copied, and is
/// consumed by the runner.
#[must_use]
#[derive(Debug)]
pub struct Grant {
    rule: String,
    run: Run,
}

/// What is permitted, and its terms.
#[derive(Debug, PartialEq, Eq)]
pub enum Run {
    Call(CallTerms),
    /// A guest program inside a call that has its own permission.
    Program,
    Native(NativeTerms),
    Egress(EgressTerms),
    File,
}

/// What a call is held to.
#[derive(Debug, PartialEq, Eq)]
pub struct CallTerms {
    pub limits: Limits,
    /// The request asked for more time than the policy gives.
    pub wall_clamped: bool,
    pub workspace: Place,
    pub mounts: Vec<MountTerms>,
    /// Variables the call gets before its own.
    pub environment: BTreeMap<String, String>,
    pub programs: ProgramTable,
    /// Native programs that rules name, by their paths and by the last part of them.
    pub natives: BTreeMap<String, String>,
    /// The tool is the operator's own: what its run is bound to.
    pub own: Option<ToolStart>,
}

/// A host folder a call sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountTerms {
    pub host: PathBuf,
    pub guest: String,
    pub place: Place,
}

/// What a native start is held to.
#[derive(Debug, PartialEq, Eq)]
pub struct NativeTerms {
    /// The call's words, with `--` where the rule puts it; forced words stand in `start`.
    pub arguments: Vec<String>,
    /// Guest folder that the working folder must be, or lie in.
    pub cwd: String,
    pub start: NativeStart,
}

/// What an egress request carries.
#[derive(Debug, PartialEq, Eq)]
pub struct EgressTerms {
    /// Name of a secret.
    pub secret: Option<String>,
}

impl Grant {
    pub(super) fn new(rule: String, run: Run) -> Self {
        Self { rule, run }
    }

    /// Names the rule that allowed the run, with its line.
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// What is permitted, to be looked at before it is consumed.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// The terms of a tool call.
    pub fn call(&self) -> Option<&CallTerms> {
        match &self.run {
            Run::Call(terms) => Some(terms),
            Run::Program | Run::Native(_) | Run::Egress(_) | Run::File => None,
        }
    }

    /// The terms of a native start.
    pub fn native(&self) -> Option<&NativeTerms> {
        match &self.run {
            Run::Native(terms) => Some(terms),
            Run::Program | Run::Call(_) | Run::Egress(_) | Run::File => None,
        }
    }

    /// Consumes the permission; what is left is what the run is held to.
    pub fn into_run(self) -> Run {
        self.run
    }
}
