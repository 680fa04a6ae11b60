//! Permission for one run, with the terms that bind it.

use crate::limits::Limits;
use crate::policy::document::Access;

/// Permission for one run. Made only by [`decide`](super::decide), cannot be copied, and is
/// consumed by the runner.
#[must_use]
#[derive(Debug)]
pub struct Grant {
    rule: String,
    limits: Limits,
    access: Access,
    wall_clamped: bool,
}

impl Grant {
    pub(super) fn new(rule: String, limits: Limits, access: Access, wall_clamped: bool) -> Self {
        Self {
            rule,
            limits,
            access,
            wall_clamped,
        }
    }

    /// Names the rule that allowed the run, with its line.
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// The ceilings of the run.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Consumes the permission; what is left are the ceilings the run is held to.
    pub fn into_limits(self) -> Limits {
        self.limits
    }

    /// Whether guests may write to the workspace.
    pub fn workspace_writable(&self) -> bool {
        self.access == Access::ReadWrite
    }

    /// Whether the request asked for more time than the policy gives.
    pub fn wall_clamped(&self) -> bool {
        self.wall_clamped
    }
}
