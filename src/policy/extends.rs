//! Several policies at once: each must allow, and the narrowest terms count.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::limits::Limits;
use crate::policy::decide::{Allowed, Denial, no_rule};
use crate::policy::document::{NativeStart, Place, Policy};
use crate::policy::grant::{CallTerms, EgressTerms, MountTerms, NativeTerms, Run};

/// What two policies allow together.
///
/// # Errors
/// When they allow things that cannot both be kept to.
pub(super) fn narrow(ancestor: &Policy, own: Allowed, theirs: Allowed) -> Result<Allowed, Denial> {
    let run = match (own.run, theirs.run) {
        (Run::Call(own), Run::Call(theirs)) => Ok(Run::Call(calls(own, theirs))),
        (Run::Program, Run::Program) => Ok(Run::Program),
        (Run::File, Run::File) => Ok(Run::File),
        (Run::Native(own), Run::Native(theirs)) => natives(own, theirs).map(Run::Native),
        (Run::Egress(own), Run::Egress(theirs)) => secrets(own, theirs).map(Run::Egress),
        _ => Err("it allows another kind of run"),
    };
    match run {
        Ok(run) => Ok(Allowed {
            rule: own.rule,
            run,
        }),
        Err(reason) => Err(no_rule(ancestor, reason.to_owned(), None)),
    }
}

fn calls(own: CallTerms, theirs: CallTerms) -> CallTerms {
    let mounts = own.mounts.iter().filter_map(|mount| {
        let same = theirs.mounts.iter().find(|same| same.guest == mount.guest);
        mounts(mount, same?)
    });
    let mounts = mounts.collect();
    let mut environment = own.environment;
    environment.extend(theirs.environment);
    let limits = limits(&own.limits, &theirs.limits);
    CallTerms {
        limits,
        wall_clamped: own.wall_clamped || theirs.wall_clamped,
        workspace: places(&own.workspace, &theirs.workspace),
        mounts,
        environment,
        programs: own.programs.and(theirs.programs),
    }
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

fn natives(own: NativeTerms, theirs: NativeTerms) -> Result<NativeTerms, &'static str> {
    // Both come from the same words; one or both may have put a `--` in.
    let arguments = if own.arguments == theirs.arguments {
        own.arguments
    } else {
        match own.arguments.len().cmp(&theirs.arguments.len()) {
            Ordering::Less => theirs.arguments,
            Ordering::Greater => own.arguments,
            Ordering::Equal => return Err("it would run other words"),
        }
    };
    Ok(NativeTerms {
        arguments,
        start: starts(own.start, theirs.start)?,
    })
}

fn starts(own: NativeStart, theirs: NativeStart) -> Result<NativeStart, &'static str> {
    let mut environment: BTreeMap<_, _> = own.environment;
    for (name, value) in theirs.environment {
        if environment.get(&name).is_some_and(|known| *known != value) {
            return Err("it sets a variable to another value");
        }
        environment.insert(name, value);
    }
    let prepend = match (own.prepend.is_empty(), theirs.prepend.is_empty()) {
        (true, _) => theirs.prepend,
        (_, true) => own.prepend,
        _ if own.prepend == theirs.prepend => own.prepend,
        _ => return Err("it puts other words first"),
    };
    let mut helpers = own.helpers;
    helpers.retain(|helper| theirs.helpers.contains(helper));
    Ok(NativeStart {
        confinement: own.confinement.max(theirs.confinement),
        program: own.program,
        sha256: same(own.sha256, theirs.sha256)?,
        script_sha256: same(own.script_sha256, theirs.script_sha256)?,
        helpers,
        prepend,
        environment,
        profile: same(own.profile, theirs.profile)?,
    })
}

fn secrets(own: EgressTerms, theirs: EgressTerms) -> Result<EgressTerms, &'static str> {
    // A secret travels only where both say so.
    let secret = own.secret.filter(|own| theirs.secret.as_ref() == Some(own));
    Ok(EgressTerms { secret })
}

fn same(own: Option<String>, theirs: Option<String>) -> Result<Option<String>, &'static str> {
    match (own, theirs) {
        (Some(own), Some(theirs)) if own != theirs => Err("it pins another file or profile"),
        (own, theirs) => Ok(own.or(theirs)),
    }
}
