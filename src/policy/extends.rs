//! Several policies at once: each must allow, and the narrowest terms count.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::limits::Limits;
use crate::policy::decide::{Allowed, Denial, decide_alone, may_set, no_rule};
use crate::policy::document::{NativeStart, Place, Policy};
use crate::policy::grant::{CallTerms, EgressTerms, MountTerms, NativeTerms, Run};
use crate::policy::own_tool::{ToolMount, ToolStart};
use crate::policy::request::{NativeCall, Request};

/// An ancestor, and for whom and when it is asked.
#[derive(Clone, Copy)]
pub(super) struct Above<'a> {
    policy: &'a Policy,
    agent: &'a str,
    now: SystemTime,
}

impl<'a> Above<'a> {
    pub(super) fn new(policy: &'a Policy, request: &Request<'a>, now: SystemTime) -> Self {
        let agent = match request {
            Request::Tool(call) => call.agent,
            Request::Program { agent, .. } => agent,
            Request::Native(call) => call.agent,
            Request::Egress(call) => call.agent,
            Request::File { .. } => "",
        };
        Self { policy, agent, now }
    }

    /// What is set by both together.
    ///
    /// # Errors
    /// When the ancestor neither sets a variable of `own` to the same value nor lets a call set it.
    fn environment(
        self,
        own: BTreeMap<String, String>,
        mut theirs: BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, Denial> {
        for (name, value) in own {
            if theirs.get(&name) != Some(&value) {
                may_set(self.policy, self.agent, (&name, &value), self.now)?;
                theirs.insert(name, value);
            }
        }
        Ok(theirs)
    }

    fn denies(self, reason: &str) -> Denial {
        no_rule(self.policy, reason.to_owned(), None)
    }
}

/// What two policies allow together.
///
/// # Errors
/// When they allow things that cannot both be kept to.
pub(super) fn narrow(above: Above<'_>, own: Allowed, theirs: Allowed) -> Result<Allowed, Denial> {
    let run = match (own.run, theirs.run) {
        (Run::Call(own), Run::Call(theirs)) => Run::Call(calls(above, own, theirs)?),
        (Run::Program, Run::Program) => Run::Program,
        (Run::File, Run::File) => Run::File,
        (Run::Native(own), Run::Native(theirs)) => Run::Native(natives(above, own, theirs)?),
        (Run::Egress(own), Run::Egress(theirs)) => Run::Egress(secrets(own, &theirs)),
        _ => return Err(above.denies("it allows another kind of run")),
    };
    Ok(Allowed {
        rule: own.rule,
        run,
    })
}

fn calls(above: Above<'_>, own: CallTerms, theirs: CallTerms) -> Result<CallTerms, Denial> {
    let mounts = own.mounts.iter().filter_map(|mount| {
        let same = theirs.mounts.iter().find(|same| same.guest == mount.guest);
        mounts(mount, same?)
    });
    let mounts = mounts.collect();
    let environment = above.environment(own.environment, theirs.environment)?;
    let limits = limits(&own.limits, &theirs.limits);
    Ok(CallTerms {
        limits,
        wall_clamped: own.wall_clamped || theirs.wall_clamped,
        workspace: places(&own.workspace, &theirs.workspace),
        mounts,
        environment,
        programs: own.programs.and(theirs.programs),
        // A start is decided by every ancestor anyway; what none allows is not to be offered.
        natives: own
            .natives
            .into_iter()
            .filter(|(name, path)| theirs.natives.get(name) == Some(path))
            .collect(),
        own: own_tools(above, own.own, theirs.own)?,
    })
}

/// What both bind a tool of the operator's own to. Its variables stand in the call's terms.
fn own_tools(
    above: Above<'_>,
    own: Option<ToolStart>,
    theirs: Option<ToolStart>,
) -> Result<Option<ToolStart>, Denial> {
    let (mut own, theirs) = match (own, theirs) {
        (None, None) => return Ok(None),
        (Some(own), Some(theirs)) => (own, theirs),
        _ => return Err(above.denies("it knows no tool of its own by this name")),
    };
    if (own.kind, &own.sha256) != (theirs.kind, &theirs.sha256) {
        return Err(above.denies("it pins another version of this tool"));
    }
    if own.input != theirs.input {
        return Err(above.denies("it has another schema for this tool's input"));
    }
    let theirs = |mount: &ToolMount| {
        let mut known = theirs.mounts.iter();
        known
            .find(|known| known.guest == mount.guest && known.host == mount.host)
            .map(|k| k.access)
    };
    own.mounts.retain_mut(|mount| match theirs(mount) {
        Some(access) => {
            mount.access = mount.access.min(access);
            true
        }
        None => false,
    });
    Ok(Some(own))
}

/// The smaller of every limit.
pub fn limits(own: &Limits, theirs: &Limits) -> Limits {
    // Every field by name: a new one must be thought of here.
    let Limits {
        wall_ms,
        fuel,
        memory_bytes,
        memory_process_bytes,
        output_bytes,
        output_stop_bytes,
        processes,
        descriptors,
        written_bytes,
        inodes,
        session_disk_bytes,
        session_files,
    } = *own;
    Limits {
        wall_ms: wall_ms.min(theirs.wall_ms),
        fuel: fuel.min(theirs.fuel),
        memory_bytes: memory_bytes.min(theirs.memory_bytes),
        memory_process_bytes: memory_process_bytes.min(theirs.memory_process_bytes),
        output_bytes: output_bytes.min(theirs.output_bytes),
        output_stop_bytes: output_stop_bytes.min(theirs.output_stop_bytes),
        processes: processes.min(theirs.processes),
        descriptors: descriptors.min(theirs.descriptors),
        written_bytes: written_bytes.min(theirs.written_bytes),
        inodes: inodes.min(theirs.inodes),
        session_disk_bytes: session_disk_bytes.min(theirs.session_disk_bytes),
        session_files: session_files.min(theirs.session_files),
    }
}

fn places(own: &Place, theirs: &Place) -> Place {
    let quotas = [own.quota, theirs.quota];
    Place {
        access: own.access.min(theirs.access),
        quota: quotas.into_iter().flatten().min(),
        protected: own.protected.union(&theirs.protected).cloned().collect(),
    }
}

/// The folder both show: one of the two when it lies in the other.
fn mounts(own: &MountTerms, theirs: &MountTerms) -> Option<MountTerms> {
    let same = own.host == theirs.host;
    let inner = if same || (own.host.starts_with(&theirs.host) && theirs.place.protected.is_empty())
    {
        &own.host
    } else if theirs.host.starts_with(&own.host) && own.place.protected.is_empty() {
        &theirs.host
    } else {
        // Apart, or protected names that would mean other places: shown by neither.
        return None;
    };
    Some(MountTerms {
        host: inner.clone(),
        guest: own.guest.clone(),
        place: places(&own.place, &theirs.place),
    })
}

fn natives(above: Above<'_>, own: NativeTerms, theirs: NativeTerms) -> Result<NativeTerms, Denial> {
    // Both come from the same words; one or both may have put a `--` in.
    let arguments = if own.arguments == theirs.arguments {
        own.arguments
    } else {
        match own.arguments.len().cmp(&theirs.arguments.len()) {
            Ordering::Less => theirs.arguments,
            Ordering::Greater => own.arguments,
            Ordering::Equal => return Err(above.denies("it would run other words")),
        }
    };
    // The working folder lies in both, so one lies in the other.
    let cwd = match own.cwd.len() >= theirs.cwd.len() {
        true => own.cwd,
        false => theirs.cwd,
    };
    Ok(NativeTerms {
        arguments,
        cwd,
        start: starts(above, own.start, theirs.start)?,
    })
}

/// Where one policy put a `--` in, asks all of them whether they would run the words as they are.
///
/// # Errors
/// When one of them would not.
pub(super) fn agree(
    policy: &Policy,
    request: &Request<'_>,
    run: &Run,
    now: SystemTime,
) -> Result<(), Denial> {
    let layers = policy.layers();
    let (Request::Native(call), Run::Native(terms)) = (request, run) else {
        return Ok(());
    };
    if layers.len() == 1 || terms.arguments == call.arguments {
        return Ok(());
    }
    let again = Request::Native(NativeCall {
        arguments: &terms.arguments,
        ..call.clone()
    });
    for layer in layers {
        let run = decide_alone(layer, &again, now).map(|allowed| allowed.run);
        if !matches!(run, Ok(Run::Native(same)) if same.arguments == terms.arguments) {
            let reason = format!("it would run other words, by the policy `{}`", layer.name);
            return Err(no_rule(layer, reason, None));
        }
    }
    Ok(())
}

fn starts(above: Above<'_>, own: NativeStart, theirs: NativeStart) -> Result<NativeStart, Denial> {
    // Words put first are options of the program: any that the ancestor does not put there could
    // be ones it would never allow.
    if !own.prepend.is_empty() && own.prepend != theirs.prepend {
        return Err(above.denies("it puts other words first"));
    }
    let environment = above.environment(own.environment, theirs.environment)?;
    let same = |own, theirs| same(own, theirs).ok_or_else(|| above.denies("it pins another file"));
    if own.profile != theirs.profile {
        return Err(above.denies("it has another profile"));
    }
    let mut helpers = own.helpers;
    helpers.retain(|helper| theirs.helpers.contains(helper));
    let mut trees = own.trees;
    trees.retain(|tree| theirs.trees.contains(tree));
    Ok(NativeStart {
        confinement: own.confinement.max(theirs.confinement),
        program: own.program,
        sha256: same(own.sha256, theirs.sha256)?,
        script_sha256: same(own.script_sha256, theirs.script_sha256)?,
        helpers,
        prepend: theirs.prepend,
        environment,
        profile: own.profile,
        access: own.access.min(theirs.access),
        trees,
        limits: own.limits.and(theirs.limits),
    })
}

fn secrets(own: EgressTerms, theirs: &EgressTerms) -> EgressTerms {
    // A secret travels only where both say so.
    let secret = own.secret.filter(|own| theirs.secret.as_ref() == Some(own));
    EgressTerms { secret }
}

/// What one or both pin; none when they pin different things.
fn same(own: Option<String>, theirs: Option<String>) -> Option<Option<String>> {
    match (own, theirs) {
        (Some(own), Some(theirs)) if own != theirs => None,
        (own, theirs) => Some(own.or(theirs)),
    }
}
