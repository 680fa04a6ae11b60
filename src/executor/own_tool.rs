//! Tools of the operator's own: each runs in a cell for itself, which sees what the tool was granted
//! and nothing else; called by an agent, or started by a shell as a child of its call (`child`).

mod child;

use std::path::Path;
use std::sync::Arc;

use crate::cell::{Home, Mount, Order};
use crate::executor::error::ExecuteError;
use crate::policy::{self, Access, CallTerms, OwnTool, Place, ToolMount, ToolStart};
use crate::session::Session;
use crate::workspace::{TMP, WORKSPACE};

/// The cell of one tool of one session.
///
/// # Errors
/// The policy was read without compiling its tools.
pub(super) fn home(
    (agent, session): (&str, &str),
    name: &str,
    tool: &ToolStart,
) -> Result<Home, ExecuteError> {
    let Some(code) = &tool.code else {
        let fault = format!("the tool {name} was not compiled when its policy was loaded");
        return Err(ExecuteError::Invalid(fault));
    };
    Ok(Home {
        // No name of a session has a `#`.
        key: format!("{agent}/{session}#{name}#{}", tool.sha256),
        shared: None,
        tool: Some(Arc::clone(code)),
    })
}

/// Whether a run of a tool of the operator's own may change what its session holds; nothing for a
/// built-in tool.
pub(super) fn writes(terms: &CallTerms) -> Option<bool> {
    let tool = terms.own.as_ref()?;
    let may = |mount: &ToolMount| match &*mount.guest {
        WORKSPACE => mount.access.min(terms.workspace.access) == Access::ReadWrite,
        TMP => mount.access == Access::ReadWrite,
        _ => false,
    };
    Some(tool.mounts.iter().any(may))
}

/// An order to run the tool, without its input.
pub(super) fn order(
    order: Order,
    (name, tool): (&str, &ToolStart),
    (session, terms): (&Session, &CallTerms),
) -> Order {
    Order {
        program: name.to_owned(),
        arguments: vec![name.into()],
        environment: environment(terms),
        mounts: mounts((session.workspace(), session.tmp()), terms, tool),
        preopens: true,
        ..order
    }
}

fn environment(terms: &CallTerms) -> Vec<Vec<u8>> {
    let variables = terms.environment.iter();
    variables
        .map(|(name, value)| format!("{name}={value}").into_bytes())
        .collect()
}

/// What of the call's folders the tool sees, and its own; never more than the call may do there.
fn mounts((workspace, tmp): (&Path, &Path), terms: &CallTerms, tool: &ToolStart) -> Vec<Mount> {
    let free = Place {
        access: Access::ReadWrite,
        quota: None,
        protected: std::collections::BTreeSet::new(),
    };
    let seen = |mount: &ToolMount| {
        let (host, place, counted) = match (&mount.host, &*mount.guest) {
            (Some(host), _) => (host.as_path(), &free, false),
            (None, WORKSPACE) => (workspace, &terms.workspace, true),
            (None, TMP) => (tmp, &free, true),
            (None, guest) => {
                let known = terms.mounts.iter().find(|known| known.guest == guest)?;
                (known.host.as_path(), &known.place, false)
            }
        };
        Some(Mount {
            guest: mount.guest.clone(),
            host: host.to_owned(),
            writable: mount.access.min(place.access) == Access::ReadWrite,
            protected: place.protected.iter().cloned().collect(),
            quota_bytes: place.quota,
            counted,
        })
    };
    tool.mounts.iter().filter_map(seen).collect()
}

/// The tool that a path of the shell means.
pub(super) fn named<'a>(policy: &'a policy::Policy, program: &str) -> Option<&'a OwnTool> {
    let name = program.rsplit('/').next()?;
    let tool = policy.own_tools.get(name)?;
    (policy::tool_path(name) == program).then_some(tool)
}
