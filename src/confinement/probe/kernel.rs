//! The kernel's wide and dangerous entrances. Where a call that got through would change the
//! machine, its arguments are such that the kernel refuses them after it has asked who calls.

use super::call::{Descriptor, Filter, at, at_mut, bits, call, reached};
use super::target::Target;
use super::{Attempt, Needs, Probe, Wall, probe};

use Needs::{Feature, Nothing, Root as ByRoot};
use Wall::{Capabilities, Seccomp, UserNamespace};

/// What only root of the first user namespace may ask for.
const ROOTS: &[Wall] = &[Seccomp, Capabilities, UserNamespace];

pub(super) const PROBES: &[Probe] = &[
    probe("kernel.io_ring", Feature("io_uring"), &[Seccomp], io_ring),
    probe(
        "kernel.io_ring_enter",
        Feature("io_uring"),
        &[Seccomp],
        |_| {
            let arguments = [usize::MAX, 0, 0, 0, 0, 0];
            reached(
                call("io_uring_enter", libc::SYS_io_uring_enter, arguments),
                &[libc::EBADF],
            )
        },
    ),
    probe(
        "kernel.old_ring",
        Feature("asynchronous I/O"),
        &[Seccomp],
        |_| {
            let mut context = 0_usize;
            call("io_setup", libc::SYS_io_setup, [1, at_mut(&mut context)])?;
            let _ = call("io_destroy", libc::SYS_io_destroy, [context]);
            Ok("made one".to_owned())
        },
    ),
    probe("kernel.programs_in_kernel", Feature("bpf"), ROOTS, bpf),
    probe(
        "kernel.programs_in_kernel_call",
        Feature("bpf"),
        &[Seccomp],
        |_| {
            // No such command.
            reached(call("bpf", libc::SYS_bpf, [0xffff, 0, 0]), &[libc::EINVAL])
        },
    ),
    probe(
        "kernel.performance_events",
        Feature("performance events"),
        &[Seccomp],
        events,
    ),
    probe(
        "kernel.performance_events_of_all",
        Feature("performance events"),
        &[Seccomp, Capabilities],
        events_of_all,
    ),
    probe(
        "kernel.boot_image",
        Feature("kexec"),
        &[Seccomp, Capabilities, UserNamespace],
        |_| {
            // More segments than there may be, and flags that do not exist.
            let arguments = [0, 17, 0, 0x0fff_fff0];
            reached(
                call("kexec_load", libc::SYS_kexec_load, arguments),
                &[libc::EINVAL],
            )
        },
    ),
    probe(
        "kernel.boot_image_file",
        Feature("kexec"),
        &[Seccomp, Capabilities, UserNamespace],
        |_| {
            let arguments = [usize::MAX, usize::MAX, 0, 0, 0x0fff_fff0];
            let refusals = [libc::EINVAL, libc::EBADF];
            reached(
                call("kexec_file_load", KEXEC_FILE_LOAD, arguments),
                &refusals,
            )
        },
    ),
    probe("kernel.module", Feature("modules"), ROOTS, |_| {
        let arguments = [at(&[0_u8; 4]), 0, at(c"")];
        reached(
            call("init_module", libc::SYS_init_module, arguments),
            &[libc::ENOEXEC],
        )
    }),
    probe("kernel.module_file", Feature("modules"), ROOTS, |_| {
        let arguments = [usize::MAX, at(c""), 0x0fff_fff0];
        let refusals = [libc::EINVAL, libc::EBADF];
        reached(
            call("finit_module", libc::SYS_finit_module, arguments),
            &refusals,
        )
    }),
    probe("kernel.module_removed", Feature("modules"), ROOTS, |_| {
        let arguments = [at(c"hotcell_no_such_module"), bits(libc::O_NONBLOCK)];
        reached(
            call("delete_module", libc::SYS_delete_module, arguments),
            &[libc::ENOENT],
        )
    }),
    probe("kernel.restart", ByRoot, &[Seccomp, Capabilities], |_| {
        // No magic number is right, so there is nothing that could happen.
        reached(
            call("reboot", libc::SYS_reboot, [0, 0, 0, 0]),
            &[libc::EINVAL],
        )
    }),
    probe("kernel.swap_on", Feature("swapping"), ROOTS, |target| {
        let path = super::call::text(target.outside_folder.join("no-such-file"))?;
        reached(
            call("swapon", libc::SYS_swapon, [at(path.as_c_str()), 0]),
            &[libc::ENOENT],
        )
    }),
    probe("kernel.swap_off", Feature("swapping"), ROOTS, |target| {
        let path = super::call::text(target.outside_folder.join("no-such-file"))?;
        reached(
            call("swapoff", libc::SYS_swapoff, [at(path.as_c_str())]),
            &[libc::ENOENT, libc::EINVAL],
        )
    }),
    probe(
        "kernel.accounting",
        Feature("process accounting"),
        ROOTS,
        |target| {
            let path = super::call::text(target.outside_folder.join("no-such-file"))?;
            reached(
                call("acct", libc::SYS_acct, [at(path.as_c_str())]),
                &[libc::ENOENT],
            )
        },
    ),
    probe("kernel.quotas", Feature("quotas"), &[Seccomp], |_| {
        // Writes quotas that are known already to disk.
        const SYNC_USERS: usize = 0x8000_0100;
        reached(
            call("quotactl", libc::SYS_quotactl, [SYNC_USERS, 0, 0, 0]),
            &[],
        )
    }),
    probe("kernel.log", ByRoot, ROOTS, |_| {
        const SIZE_OF_BUFFER: usize = 10;
        reached(
            call("syslog", libc::SYS_syslog, [SIZE_OF_BUFFER, 0, 0]),
            &[],
        )
    }),
    probe("kernel.clock", ByRoot, ROOTS, |_| {
        // Neither time nor zone: it is asked who calls, and nothing is set.
        reached(call("settimeofday", libc::SYS_settimeofday, [0, 0]), &[])
    }),
    probe("kernel.clock_by_name", Nothing, &[Seccomp], |_| {
        // No time has so many nanoseconds.
        let never = [0_i64, 2_000_000_000];
        reached(
            call("clock_settime", libc::SYS_clock_settime, [0, at(&never)]),
            &[libc::EINVAL],
        )
    }),
    probe("kernel.clock_speed", ByRoot, ROOTS, |_| {
        let mut wrong = no_tick();
        reached(
            call("adjtimex", libc::SYS_adjtimex, [at_mut(&mut wrong)]),
            &[libc::EINVAL],
        )
    }),
    probe("kernel.clock_speed_by_name", ByRoot, ROOTS, |_| {
        let mut wrong = no_tick();
        reached(
            call(
                "clock_adjtime",
                libc::SYS_clock_adjtime,
                [0, at_mut(&mut wrong)],
            ),
            &[libc::EINVAL],
        )
    }),
    probe("kernel.host_name", ByRoot, ROOTS, |_| {
        let names = names()?;
        rename("sethostname", libc::SYS_sethostname, names.get(65..130))
    }),
    probe("kernel.domain_name", ByRoot, ROOTS, |_| {
        let names = names()?;
        rename(
            "setdomainname",
            libc::SYS_setdomainname,
            names.get(325..390),
        )
    }),
    probe("kernel.filter", Nothing, &[Seccomp], |_| filter(0)),
    probe("kernel.filter_with_listener", Nothing, &[Seccomp], |_| {
        const NEW_LISTENER: usize = 8;
        filter(NEW_LISTENER)
    }),
    probe("kernel.filter_asked", Nothing, &[Seccomp], |_| {
        const ACTION_KNOWN: usize = 2;
        let allow = 0x7fff_0000_u32;
        reached(
            call("seccomp", libc::SYS_seccomp, [ACTION_KNOWN, 0, at(&allow)]),
            &[],
        )
    }),
    probe("kernel.landlock", Feature("Landlock"), &[Seccomp], |_| {
        const VERSION: usize = 1;
        let arguments = [0, 0, VERSION];
        reached(
            call(
                "landlock_create_ruleset",
                libc::SYS_landlock_create_ruleset,
                arguments,
            ),
            &[],
        )
    }),
    probe("kernel.timers", Nothing, &[Seccomp], |_| {
        let mut id = 0_i32;
        call(
            "timer_create",
            libc::SYS_timer_create,
            [1, 0, at_mut(&mut id)],
        )?;
        let _ = call("timer_delete", libc::SYS_timer_delete, [bits(id)]);
        Ok("made one".to_owned())
    }),
    probe(
        "kernel.place_of_memory",
        Feature("NUMA"),
        &[Seccomp],
        |_| {
            reached(
                call("get_mempolicy", libc::SYS_get_mempolicy, [0, 0, 0, 0, 0]),
                &[],
            )
        },
    ),
    probe("kernel.splice_from_memory", Nothing, &[Seccomp], |_| {
        reached(
            call("vmsplice", libc::SYS_vmsplice, [usize::MAX, 0, 0, 0]),
            &[libc::EBADF],
        )
    }),
    probe("kernel.splice", Nothing, &[Seccomp], |_| {
        let arguments = [usize::MAX, 0, usize::MAX, 0, 1, 0];
        reached(call("splice", libc::SYS_splice, arguments), &[libc::EBADF])
    }),
];

/// The same on every architecture that has it; the C library's table lacks it on some.
#[cfg(target_arch = "x86_64")]
const KEXEC_FILE_LOAD: libc::c_long = libc::SYS_kexec_file_load;
#[cfg(not(target_arch = "x86_64"))]
const KEXEC_FILE_LOAD: libc::c_long = -1;

fn descriptor(answer: usize) -> Attempt {
    Descriptor::of(answer).map(|made| format!("descriptor {}", made.0))
}

fn io_ring(_: &Target) -> Attempt {
    let mut parameters = [0_u64; 15];
    let arguments = [1, at_mut(&mut parameters)];
    descriptor(call("io_uring_setup", libc::SYS_io_uring_setup, arguments)?)
}

/// A table of one entry, gone with its descriptor.
fn bpf(_: &Target) -> Attempt {
    const CREATE: usize = 0;
    const ARRAY: u32 = 2;
    let mut attributes = [0_u32; 32];
    for (slot, value) in attributes.iter_mut().zip([ARRAY, 4, 4, 1]) {
        *slot = value;
    }
    let arguments = [CREATE, at(&attributes), size_of_val(&attributes)];
    descriptor(call("bpf", libc::SYS_bpf, arguments)?)
}

/// `perf_event_attr` of the first version: a counter that counts nothing.
fn counter(without_kernel: bool) -> [u64; 8] {
    const SOFTWARE: u64 = 1;
    const SIZE: u64 = 64 << 32;
    const DUMMY: u64 = 9;
    const NOT_OF_KERNEL: u64 = 0b110_0001;
    let flags = if without_kernel { NOT_OF_KERNEL } else { 1 };
    [SOFTWARE | SIZE, DUMMY, 0, 0, 0, flags, 0, 0]
}

fn events(_: &Target) -> Attempt {
    let counter = counter(true);
    let arguments = [at(&counter), 0, usize::MAX, usize::MAX, 0];
    descriptor(call(
        "perf_event_open",
        libc::SYS_perf_event_open,
        arguments,
    )?)
}

fn events_of_all(_: &Target) -> Attempt {
    let counter = counter(false);
    let arguments = [at(&counter), usize::MAX, 0, usize::MAX, 0];
    descriptor(call(
        "perf_event_open",
        libc::SYS_perf_event_open,
        arguments,
    )?)
}

/// `struct timex` that asks for a tick of no length, which the kernel refuses.
fn no_tick() -> [u64; 32] {
    const TICK: u64 = 0x4000;
    let mut wrong = [0; 32];
    wrong[0] = TICK;
    wrong
}

/// What `uname` tells: six names of 65 bytes.
fn names() -> Result<[u8; 390], super::Stopped> {
    let mut names = [0_u8; 390];
    call("uname", libc::SYS_uname, [at_mut(&mut names)])?;
    Ok(names)
}

/// To the name it has.
fn rename(name: &'static str, number: libc::c_long, now: Option<&[u8]>) -> Attempt {
    let now = now.unwrap_or_default();
    let length = now.iter().position(|byte| *byte == 0).unwrap_or(0);
    reached(call(name, number, [at(now), length]), &[])
}

/// One that allows everything: what an attacker would like to have asked last.
fn filter(flags: usize) -> Attempt {
    const SET_FILTER: usize = 1;
    let program = Filter::allowing_everything();
    let no_new_rights = [bits(libc::PR_SET_NO_NEW_PRIVS), 1, 0, 0, 0];
    let _ = call("prctl", libc::SYS_prctl, no_new_rights);
    let arguments = [SET_FILTER, flags, at(&program)];
    reached(call("seccomp", libc::SYS_seccomp, arguments), &[])
}
