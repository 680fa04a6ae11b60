//! More of something than a sealed process may have.

use super::call::{
    Descriptor, Stopped, at, at_mut, bits, call, open_descriptors, otherwise, reached,
};
use super::target::Target;
use super::{Attempt, Needs, Probe, Wall, probe};

use Needs::{Feature, Nothing, Root as ByRoot};
use Wall::{Capabilities, Limits, Seccomp};

/// Nothing should be able to hold so many; it only ends the attempt.
const DESCRIPTORS_TRIED: u64 = 1 << 20;

pub(super) const PROBES: &[Probe] = &[
    probe("limits.descriptors", Nothing, &[Limits], descriptors),
    probe(
        "limits.raise_descriptors",
        Nothing,
        &[Seccomp, Limits],
        |_| raise(libc::RLIMIT_NOFILE),
    ),
    probe(
        "limits.raise_descriptors_for_good",
        Feature("CAP_SYS_RESOURCE"),
        &[Seccomp, Capabilities],
        |_| raise_hard(libc::RLIMIT_NOFILE),
    ),
    probe(
        "limits.raise_locked_memory_for_good",
        Feature("CAP_SYS_RESOURCE and a limit"),
        &[Seccomp, Capabilities],
        |_| raise_hard(libc::RLIMIT_MEMLOCK),
    ),
    probe("limits.change_any", Nothing, &[Seccomp], |_| {
        // To what it is.
        let now = limit(libc::RLIMIT_NOFILE)?;
        set(libc::RLIMIT_NOFILE, now).map(|()| "set a limit".to_owned())
    }),
    probe(
        "limits.core_of_memory",
        Feature("a hard limit of cores above 0"),
        &[Limits, Seccomp],
        core,
    ),
    probe(
        "limits.core_limit",
        Feature("a hard limit of cores above 0"),
        &[Limits],
        |_| match limit(libc::RLIMIT_CORE)? {
            [_, 0] => Err(otherwise("the hard limit of cores is 0")),
            [_, hard] => Ok(format!("the hard limit of cores is {hard}")),
        },
    ),
    probe(
        "limits.real_time",
        Feature("real-time scheduling"),
        &[Seccomp, Capabilities],
        |_| {
            let priority = 1_i32;
            const IN_TURN: usize = 2;
            let answer = call(
                "sched_setscheduler",
                libc::SYS_sched_setscheduler,
                [0, IN_TURN, at(&priority)],
            );
            let plain = 0_i32;
            let _ = call(
                "sched_setscheduler",
                libc::SYS_sched_setscheduler,
                [0, 0, at(&plain)],
            );
            reached(answer, &[])
        },
    ),
    probe("limits.deadline_scheduling", Nothing, &[Seccomp], |_| {
        // It would run for longer than its period, which the kernel refuses before all else.
        const DEADLINE: u64 = 6 << 32;
        let attributes = [48 | DEADLINE, 0, 0, 2_000_000, 1_000_000, 1_000_000];
        reached(
            call(
                "sched_setattr",
                libc::SYS_sched_setattr,
                [0, at(&attributes), 0],
            ),
            &[libc::EINVAL],
        )
    }),
    probe("limits.priority", ByRoot, &[Seccomp, Capabilities], |_| {
        let answer = call(
            "setpriority",
            libc::SYS_setpriority,
            [0, 0, super::call::signed(-5)],
        );
        let _ = call("setpriority", libc::SYS_setpriority, [0, 0, 0]);
        reached(answer, &[])
    }),
    probe(
        "limits.disk_priority",
        ByRoot,
        &[Seccomp, Capabilities],
        |_| {
            const REAL_TIME: usize = 1 << 13;
            const THIS_PROCESS: usize = 1;
            let answer = call(
                "ioprio_set",
                libc::SYS_ioprio_set,
                [THIS_PROCESS, 0, REAL_TIME],
            );
            let _ = call("ioprio_set", libc::SYS_ioprio_set, [THIS_PROCESS, 0, 0]);
            reached(answer, &[])
        },
    ),
    probe("limits.processors", Nothing, &[Seccomp], |_| {
        let mut mask = [0_u64; 128];
        let room = size_of_val(&mask);
        call(
            "sched_getaffinity",
            libc::SYS_sched_getaffinity,
            [0, room, at_mut(&mut mask)],
        )?;
        reached(
            call(
                "sched_setaffinity",
                libc::SYS_sched_setaffinity,
                [0, room, at(&mask)],
            ),
            &[],
        )
    }),
];

fn limit(resource: u32) -> Result<[u64; 2], Stopped> {
    let mut limits = [0_u64; 2];
    let arguments = [0, resource as usize, 0, at_mut(&mut limits)];
    call("prlimit64", libc::SYS_prlimit64, arguments)?;
    Ok(limits)
}

fn set(resource: u32, limits: [u64; 2]) -> Result<(), Stopped> {
    let arguments = [0, resource as usize, at(&limits), 0];
    if call("prlimit64", libc::SYS_prlimit64, arguments).is_ok() {
        return Ok(());
    }
    let arguments = [resource as usize, at(&limits)];
    call("setrlimit", libc::SYS_setrlimit, arguments).map(|_| ())
}

/// The soft limit up to the hard one, which any process may.
fn raise(resource: u32) -> Attempt {
    let before = limit(resource)?;
    let [soft, hard] = before;
    if soft == hard {
        return Err(otherwise("the soft limit is the hard one"));
    }
    set(resource, [hard, hard])?;
    set(resource, before)?;
    Ok(format!("from {soft} to {hard}"))
}

fn raise_hard(resource: u32) -> Attempt {
    let before = limit(resource)?;
    let [_, hard] = before;
    let Some(more) = hard.checked_add(1) else {
        return Err(Stopped::Absent("there is no hard limit".to_owned()));
    };
    set(resource, [more, more])?;
    set(resource, before)?;
    Ok(format!("beyond {hard}"))
}

/// As many copies of a descriptor as one gets, and all given back.
fn descriptors(target: &Target) -> Attempt {
    let Some(one) = open_descriptors().first().copied() else {
        return Err(otherwise("no descriptor is open"));
    };
    let mut copies = Vec::new();
    let mut stopped = None;
    while stopped.is_none() && copies.len() as u64 <= target.descriptors_max.min(DESCRIPTORS_TRIED)
    {
        let arguments = [bits(one), bits(libc::F_DUPFD_CLOEXEC), 0];
        match call("fcntl", libc::SYS_fcntl, arguments).and_then(Descriptor::of) {
            Ok(copy) => copies.push(copy),
            Err(error) => stopped = Some(error),
        }
    }
    match stopped {
        Some(error) => Err(error),
        None => Ok(format!("{} copies of a descriptor", copies.len())),
    }
}

/// Whether its memory could land in a file: it may say so, and a file may be as large.
fn core(_: &Target) -> Attempt {
    let dumpable = |argument: usize| {
        let arguments = [bits(libc::PR_SET_DUMPABLE), argument, 0, 0, 0];
        call("prctl", libc::SYS_prctl, arguments)
    };
    let [_, hard] = limit(libc::RLIMIT_CORE)?;
    if hard == 0 {
        return Err(otherwise("the hard limit of cores is 0"));
    }
    dumpable(0)?;
    dumpable(1)?;
    Ok(format!("up to {hard} bytes"))
}
