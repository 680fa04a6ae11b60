//! Attacks on the broker's process: signals, tracing, its memory and its descriptors.

use super::call::{
    Descriptor, HERE, Stopped, any, at, at_mut, bits, call, is_secret, open, open_descriptors,
    otherwise, reached, reads_secret,
};
use super::target::Target;
use super::{Attempt, Needs, Probe, Wall, probe};

use Needs::{Feature, Nothing};
use Wall::{Landlock, PidNamespace, Root, Seccomp, UserNamespace};

/// No signal is sent with this number; whether one could be is asked.
const NO_SIGNAL: usize = 0;

pub(super) const PROBES: &[Probe] = &[
    probe(
        "broker.kill",
        Nothing,
        &[PidNamespace, Seccomp, Landlock],
        |target| reached(call("kill", libc::SYS_kill, [pid(target), NO_SIGNAL]), &[]),
    ),
    probe(
        "broker.kill_group",
        Nothing,
        &[PidNamespace, Seccomp, Landlock],
        kill_group,
    ),
    probe(
        "broker.kill_everybody",
        Nothing,
        &[PidNamespace, Seccomp],
        |_| reached(call("kill", libc::SYS_kill, [usize::MAX, NO_SIGNAL]), &[]),
    ),
    probe(
        "broker.kill_parent",
        Nothing,
        &[PidNamespace, Seccomp, Landlock],
        kill_parent,
    ),
    probe(
        "broker.kill_thread",
        Nothing,
        &[PidNamespace, Seccomp, Landlock],
        |target| {
            reached(
                call("tkill", libc::SYS_tkill, [pid(target), NO_SIGNAL]),
                &[],
            )
        },
    ),
    probe(
        "broker.kill_thread_of_process",
        Nothing,
        &[PidNamespace, Seccomp, Landlock],
        |target| {
            let arguments = [pid(target), pid(target), NO_SIGNAL];
            reached(call("tgkill", libc::SYS_tgkill, arguments), &[])
        },
    ),
    probe(
        "broker.queue_signal",
        Nothing,
        &[PidNamespace, Seccomp, Landlock],
        |target| {
            let information = queued();
            let arguments = [pid(target), NO_SIGNAL, at(&information)];
            reached(
                call("rt_sigqueueinfo", libc::SYS_rt_sigqueueinfo, arguments),
                &[],
            )
        },
    ),
    probe(
        "broker.queue_signal_to_thread",
        Nothing,
        &[PidNamespace, Seccomp, Landlock],
        |target| {
            let information = queued();
            let arguments = [pid(target), pid(target), NO_SIGNAL, at(&information)];
            reached(
                call("rt_tgsigqueueinfo", libc::SYS_rt_tgsigqueueinfo, arguments),
                &[],
            )
        },
    ),
    probe(
        "broker.handle",
        Nothing,
        &[PidNamespace, Seccomp],
        |target| handle(target).map(|handle| format!("descriptor {} is the broker", handle.0)),
    ),
    probe(
        "broker.signal_by_handle",
        Nothing,
        &[PidNamespace, Seccomp, Landlock],
        |target| {
            let handle = handle(target)?;
            let arguments = [handle.argument(), NO_SIGNAL, 0, 0];
            reached(
                call("pidfd_send_signal", libc::SYS_pidfd_send_signal, arguments),
                &[],
            )
        },
    ),
    probe(
        "broker.descriptor_by_handle",
        Nothing,
        &[PidNamespace, Seccomp, UserNamespace, Landlock],
        steal_descriptor,
    ),
    probe(
        "broker.signal_by_owner",
        Nothing,
        &[PidNamespace, Seccomp],
        signal_by_owner,
    ),
    probe(
        "broker.trace",
        Nothing,
        &[PidNamespace, Seccomp, UserNamespace, Landlock],
        trace,
    ),
    probe(
        "broker.read_memory",
        Nothing,
        &[PidNamespace, Seccomp, UserNamespace, Landlock],
        read_memory,
    ),
    probe(
        "broker.write_memory",
        Nothing,
        &[PidNamespace, Seccomp, UserNamespace, Landlock],
        write_memory,
    ),
    probe(
        "broker.memory_in_proc",
        Nothing,
        &[Root, UserNamespace, Landlock],
        memory_in_proc,
    ),
    probe(
        "broker.environment_in_proc",
        Nothing,
        &[Root, UserNamespace, Landlock],
        |target| listed(target, "environ"),
    ),
    probe(
        "broker.map_in_proc",
        Nothing,
        &[Root, UserNamespace, Landlock],
        |target| listed(target, "maps"),
    ),
    probe(
        "broker.arguments_in_proc",
        Nothing,
        &[Root, Landlock],
        |target| listed(target, "cmdline"),
    ),
    probe(
        "broker.limits",
        Nothing,
        &[PidNamespace, Seccomp],
        |target| {
            let mut limits = [0_u64; 2];
            let arguments = [
                pid(target),
                libc::RLIMIT_NOFILE as usize,
                0,
                at_mut(&mut limits),
            ];
            reached(call("prlimit64", libc::SYS_prlimit64, arguments), &[])
        },
    ),
    probe(
        "broker.priority",
        Nothing,
        &[PidNamespace, Seccomp],
        priority,
    ),
    probe(
        "broker.processors",
        Nothing,
        &[PidNamespace, Seccomp],
        processors,
    ),
    probe(
        "broker.compare",
        Feature("kcmp"),
        &[PidNamespace, Seccomp, UserNamespace, Landlock],
        |target| {
            const FILES: usize = 2;
            let arguments = [pid(target), pid(target), FILES, 0, 0];
            reached(call("kcmp", libc::SYS_kcmp, arguments), &[])
        },
    ),
    probe(
        "broker.locks",
        Nothing,
        &[PidNamespace, Seccomp, UserNamespace, Landlock],
        |target| {
            let (mut list, mut length) = (0_usize, 0_usize);
            let arguments = [pid(target), at_mut(&mut list), at_mut(&mut length)];
            reached(
                call("get_robust_list", libc::SYS_get_robust_list, arguments),
                &[],
            )
        },
    ),
    probe(
        "broker.pages",
        Feature("move_pages"),
        &[PidNamespace, Seccomp, UserNamespace, Landlock],
        |target| {
            reached(
                call(
                    "move_pages",
                    libc::SYS_move_pages,
                    [pid(target), 0, 0, 0, 0, 2],
                ),
                &[],
            )
        },
    ),
];

fn pid(target: &Target) -> usize {
    super::call::signed(target.broker_pid)
}

/// `siginfo_t` that says it was queued by a process.
fn queued() -> [i32; 32] {
    const QUEUED: i32 = -1;
    let mut information = [0; 32];
    if let Some(code) = information.get_mut(2) {
        *code = QUEUED;
    }
    information
}

/// The attacker may be in that group as well, which is then one it may always signal.
fn kill_group(target: &Target) -> Attempt {
    let group = call("getpgid", libc::SYS_getpgid, [pid(target)])?;
    let arguments = [group.wrapping_neg(), NO_SIGNAL];
    reached(call("kill", libc::SYS_kill, arguments), &[])
}

fn kill_parent(_: &Target) -> Attempt {
    match call("getppid", libc::SYS_getppid, [])? {
        0 => Err(otherwise("the parent has no number here")),
        parent => reached(call("kill", libc::SYS_kill, [parent, NO_SIGNAL]), &[]),
    }
}

fn handle(target: &Target) -> Result<Descriptor, Stopped> {
    Descriptor::of(call("pidfd_open", libc::SYS_pidfd_open, [pid(target), 0])?)
}

fn steal_descriptor(target: &Target) -> Attempt {
    let handle = handle(target)?;
    let arguments = [handle.argument(), bits(target.broker_descriptor), 0];
    let stolen = call("pidfd_getfd", libc::SYS_pidfd_getfd, arguments)?;
    reads_secret(&Descriptor::of(stolen)?, target)
}

/// A descriptor's owner is signalled when something happens there, if it is told to; it is not.
fn signal_by_owner(target: &Target) -> Attempt {
    let set = |number: i32, owner: usize| {
        call(
            "fcntl",
            libc::SYS_fcntl,
            [bits(number), bits(libc::F_SETOWN), owner],
        )
    };
    any(
        open_descriptors().into_iter().map(|number| {
            move || {
                let answer = set(number, pid(target));
                if answer.is_ok() {
                    let _ = set(number, 0);
                }
                reached(answer, &[])
            }
        }),
        "no descriptor is open",
    )
}

/// Seizes without stopping, then stops for as long as it takes to let go again.
fn trace(target: &Target) -> Attempt {
    const SEIZE: usize = 0x4206;
    const INTERRUPT: usize = 0x4207;
    const DETACH: usize = 17;
    const TRIES: usize = 200;
    let request = |request: usize| call("ptrace", libc::SYS_ptrace, [request, pid(target), 0, 0]);
    request(SEIZE)?;
    let _ = request(INTERRUPT);
    let moment = [0_i64, 1_000_000];
    for _ in 0..TRIES {
        let flags = bits(libc::WNOHANG | libc::__WALL);
        let _ = call("wait4", libc::SYS_wait4, [pid(target), 0, flags, 0]);
        if request(DETACH).is_ok() {
            break;
        }
        let _ = call("nanosleep", libc::SYS_nanosleep, [at(&moment), 0]);
    }
    Ok("traced the broker, and let go".to_owned())
}

fn read_memory(target: &Target) -> Attempt {
    let mut bytes = vec![0_u8; target.secret.len()];
    let here = [at_mut(bytes.as_mut_slice()), bytes.len()];
    let there = [target.broker_address, target.secret.len() as u64];
    let arguments = [pid(target), at(&here), 1, at(&there), 1, 0];
    call("process_vm_readv", libc::SYS_process_vm_readv, arguments)?;
    is_secret(&bytes, target)
}

/// Writes what is there.
fn write_memory(target: &Target) -> Attempt {
    let here = [at(target.secret.as_str()), target.secret.len()];
    let there = [target.broker_address, target.secret.len() as u64];
    let arguments = [pid(target), at(&here), 1, at(&there), 1, 0];
    let answer = call("process_vm_writev", libc::SYS_process_vm_writev, arguments);
    reached(answer, &[])
}

fn memory_in_proc(target: &Target) -> Attempt {
    let file = open(
        HERE,
        format!("/proc/{}/mem", target.broker_pid),
        libc::O_RDONLY,
        0,
    )?;
    let mut bytes = vec![0_u8; target.secret.len()];
    let (place, room) = (at_mut(bytes.as_mut_slice()), bytes.len());
    let offset = usize::try_from(target.broker_address).unwrap_or(0);
    call(
        "pread64",
        libc::SYS_pread64,
        [file.argument(), place, room, offset],
    )?;
    is_secret(&bytes, target)
}

/// Whether a byte can be read; which one is nobody's business.
fn listed(target: &Target, name: &str) -> Attempt {
    let file = open(
        HERE,
        format!("/proc/{}/{name}", target.broker_pid),
        libc::O_RDONLY,
        0,
    )?;
    let mut byte = [0_u8];
    let arguments = [file.argument(), at_mut(&mut byte), 1];
    match call("read", libc::SYS_read, arguments)? {
        0 => Err(otherwise("it is empty")),
        _ => Ok("it can be read".to_owned()),
    }
}

/// To the priority it has.
fn priority(target: &Target) -> Attempt {
    let arguments = [bits(libc::PRIO_PROCESS.cast_signed()), pid(target)];
    // The kernel answers 20 less the nice value.
    let now = call("getpriority", libc::SYS_getpriority, arguments)?;
    let nice = 20_usize.wrapping_sub(now);
    let [which, who] = arguments;
    reached(
        call("setpriority", libc::SYS_setpriority, [which, who, nice]),
        &[],
    )
}

/// To the processors it has.
fn processors(target: &Target) -> Attempt {
    let mut mask = [0_u64; 128];
    let (room, place) = (size_of_val(&mask), at_mut(&mut mask));
    call(
        "sched_getaffinity",
        libc::SYS_sched_getaffinity,
        [pid(target), room, place],
    )?;
    let answer = call(
        "sched_setaffinity",
        libc::SYS_sched_setaffinity,
        [pid(target), room, place],
    );
    reached(answer, &[])
}
