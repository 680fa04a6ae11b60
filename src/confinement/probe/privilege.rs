//! More rights than a sealed process has: users, groups, capabilities, and what keeps them away.

use super::call::{Filter, Stopped, at, at_mut, bits, call, otherwise, reached};
use super::target::Target;
use super::{Attempt, Needs, Probe, Wall, probe};

use Needs::{Feature, Nothing, Root as ByRoot};
use Wall::{Capabilities, Hidden, Landlock, NoNewPrivileges, Seccomp, UserNamespace};

/// Somebody else, wherever one is not root.
const ROOT: usize = 0;
/// Somebody else for root.
const ANOTHER: usize = 12_345;
const WALLS: &[Wall] = &[Seccomp, Capabilities];
const WALLS_OF_IDENTITY: &[Wall] = &[Seccomp, Capabilities, UserNamespace];

pub(super) const PROBES: &[Probe] = &[
    probe("privilege.any_capability", ByRoot, WALLS, held),
    probe(
        "privilege.bounding_set",
        Nothing,
        &[Seccomp, Capabilities],
        bounding,
    ),
    probe(
        "privilege.no_new_privileges",
        Nothing,
        // The kernel takes neither of the others from a process that could still gain.
        &[NoNewPrivileges, Seccomp, Landlock],
        may_gain,
    ),
    probe("privilege.set_capabilities", ByRoot, WALLS, raise),
    probe("privilege.inherit_capability", ByRoot, WALLS, |_| ambient()),
    probe("privilege.keep_capabilities", Nothing, &[Seccomp], |_| {
        control(libc::PR_SET_KEEPCAPS, 1)
    }),
    probe("privilege.secure_bits", ByRoot, WALLS, |_| {
        let now = call(
            "prctl",
            libc::SYS_prctl,
            [bits(libc::PR_GET_SECUREBITS), 0, 0, 0, 0],
        )?;
        reached(
            call(
                "prctl",
                libc::SYS_prctl,
                [bits(libc::PR_SET_SECUREBITS), now, 0, 0, 0],
            ),
            &[],
        )
    }),
    probe(
        "privilege.open_to_others",
        Nothing,
        &[Hidden, Seccomp],
        open_to_others,
    ),
    probe("privilege.dumpable", Nothing, &[Seccomp], dumpable),
    probe("privilege.survive_parent", Nothing, &[Seccomp], |_| {
        control(libc::PR_SET_PDEATHSIG, 0)
    }),
    probe("privilege.adopt_orphans", Nothing, &[Seccomp], |_| {
        let found = control(libc::PR_SET_CHILD_SUBREAPER, 1);
        let _ = control(libc::PR_SET_CHILD_SUBREAPER, 0);
        found
    }),
    probe("privilege.tracer", Feature("Yama"), &[Seccomp], |_| {
        control(libc::PR_SET_PTRACER, 0)
    }),
    probe(
        "privilege.speculation",
        Feature("speculation control"),
        &[Seccomp],
        |_| control(libc::PR_GET_SPECULATION_CTRL, 0),
    ),
    probe("privilege.old_filter", Nothing, &[Seccomp], old_filter),
    probe(
        "privilege.loosened_no_new_privileges",
        Nothing,
        &[Seccomp],
        |_| {
            // No kernel takes it back; a filter stops it before it is asked.
            let arguments = [bits(libc::PR_SET_NO_NEW_PRIVS), 0, 0, 0, 0];
            reached(call("prctl", libc::SYS_prctl, arguments), &[libc::EINVAL])
        },
    ),
    probe(
        "privilege.file_system_user",
        ByRoot,
        WALLS_OF_IDENTITY,
        file_system_user,
    ),
    probe("privilege.groups", ByRoot, &[Seccomp, Capabilities], |_| {
        let groups = [0_u32];
        reached(
            call("setgroups", libc::SYS_setgroups, [1, at(&groups)]),
            &[],
        )
    }),
    probe("privilege.group", ByRoot, WALLS_OF_IDENTITY, |_| {
        becomes("setgid", libc::SYS_setgid, [other(libc::SYS_getgid)?, 0, 0])
    }),
    probe(
        "privilege.groups_of_process",
        ByRoot,
        WALLS_OF_IDENTITY,
        |_| {
            let other = other(libc::SYS_getgid)?;
            becomes("setresgid", libc::SYS_setresgid, [other, other, other])
        },
    ),
    probe(
        "privilege.users_of_process",
        ByRoot,
        WALLS_OF_IDENTITY,
        |_| {
            let other = other(libc::SYS_getuid)?;
            becomes("setresuid", libc::SYS_setresuid, [other, other, other])
        },
    ),
    probe("privilege.users_swapped", ByRoot, WALLS_OF_IDENTITY, |_| {
        let other = other(libc::SYS_getuid)?;
        becomes("setreuid", libc::SYS_setreuid, [other, other, 0])
    }),
    probe("privilege.user", ByRoot, WALLS_OF_IDENTITY, |_| {
        becomes("setuid", libc::SYS_setuid, [other(libc::SYS_getuid)?, 0, 0])
    }),
];

fn control(option: i32, argument: usize) -> Attempt {
    reached(
        call("prctl", libc::SYS_prctl, [bits(option), argument, 0, 0, 0]),
        &[],
    )
}

/// A user or group this process is not.
fn other(now: libc::c_long) -> Result<usize, Stopped> {
    match call("getuid or getgid", now, [])? {
        ROOT => Ok(ANOTHER),
        _ => Ok(ROOT),
    }
}

fn becomes(name: &'static str, number: libc::c_long, arguments: [usize; 3]) -> Attempt {
    call(name, number, arguments)?;
    let [other, ..] = arguments;
    Ok(format!("became number {other}"))
}

/// The kernel's capability header of version 3, for this process.
const HEADER: [u32; 2] = [0x2008_0522, 0];

/// Effective, permitted, inheritable: the low halves, then the high ones.
fn capabilities() -> Result<[u32; 6], Stopped> {
    let mut sets = [0_u32; 6];
    call("capget", libc::SYS_capget, [at(&HEADER), at_mut(&mut sets)])?;
    Ok(sets)
}

fn held(_: &Target) -> Attempt {
    let sets = capabilities()?;
    if sets.iter().all(|set| *set == 0) {
        return Err(otherwise("it has no capability"));
    }
    Ok(format!("{sets:x?}"))
}

/// All it could have: those it is permitted, or else every one.
fn raise(_: &Target) -> Attempt {
    let [_, low, _, _, high, _] = capabilities().unwrap_or_default();
    let (low, high) = if low == 0 && high == 0 {
        (u32::MAX, 0x1ff)
    } else {
        (low, high)
    };
    let wanted = [low, low, 0, high, high, 0];
    call("capset", libc::SYS_capset, [at(&HEADER), at(&wanted)])?;
    Ok(format!("it has {high:x}{low:08x}"))
}

/// Of the 41 there are at least, those that could come back.
fn bounding(_: &Target) -> Attempt {
    let mut kept = 0_u32;
    for capability in 0..41_usize {
        let arguments = [bits(libc::PR_CAPBSET_READ), capability, 0, 0, 0];
        if call("prctl", libc::SYS_prctl, arguments)? == 1 {
            kept += 1;
        }
    }
    match kept {
        0 => Err(otherwise("the bounding set is empty")),
        kept => Ok(format!("the bounding set has {kept}")),
    }
}

/// `CAP_CHOWN`, which root has everywhere.
fn ambient() -> Attempt {
    const RAISE: usize = 2;
    let [a, b, _, c, d, _] = capabilities()?;
    let wanted = [a, b, 1, c, d, 0];
    call("capset", libc::SYS_capset, [at(&HEADER), at(&wanted)])?;
    let arguments = [bits(libc::PR_CAP_AMBIENT), RAISE, 0, 0, 0];
    reached(call("prctl", libc::SYS_prctl, arguments), &[])
}

fn may_gain(_: &Target) -> Attempt {
    let arguments = [bits(libc::PR_GET_NO_NEW_PRIVS), 0, 0, 0, 0];
    match call("prctl", libc::SYS_prctl, arguments)? {
        0 => Ok("no_new_privs is not set".to_owned()),
        _ => Err(otherwise("no_new_privs is set")),
    }
}

fn open_to_others(_: &Target) -> Attempt {
    let arguments = [bits(libc::PR_GET_DUMPABLE), 0, 0, 0, 0];
    match call("prctl", libc::SYS_prctl, arguments)? {
        1 => Ok("its memory is open to others of its user".to_owned()),
        _ => Err(otherwise("its memory is open to nobody")),
    }
}

fn dumpable(_: &Target) -> Attempt {
    let set = |value: usize| {
        call(
            "prctl",
            libc::SYS_prctl,
            [bits(libc::PR_SET_DUMPABLE), value, 0, 0, 0],
        )
    };
    set(0)?;
    set(1)?;
    Ok("its memory is open to others of its user".to_owned())
}

/// By the call there was before `seccomp`; one that allows everything.
fn old_filter(_: &Target) -> Attempt {
    const FILTER: usize = 2;
    let program = Filter::allowing_everything();
    let _ = control(libc::PR_SET_NO_NEW_PRIVS, 1);
    control(libc::PR_SET_SECCOMP, FILTER).or_else(|_| {
        let arguments = [bits(libc::PR_SET_SECCOMP), FILTER, at(&program), 0, 0];
        reached(call("prctl", libc::SYS_prctl, arguments), &[])
    })
}

/// The kernel answers who it was, whatever came of it: asked twice.
fn file_system_user(_: &Target) -> Attempt {
    let other = other(libc::SYS_getuid)?;
    call("setfsuid", libc::SYS_setfsuid, [other])?;
    let now = call("setfsuid", libc::SYS_setfsuid, [usize::MAX])?;
    if now == other {
        Ok(format!("its files are those of {other}"))
    } else {
        Err(otherwise("it stayed who it was"))
    }
}
