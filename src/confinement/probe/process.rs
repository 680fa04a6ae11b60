//! More processes, and other namespaces for this one.
#![expect(unsafe_code, reason = "a child must end before it runs any Rust")]

use super::call::{Descriptor, HERE, OLD_FORK, OLD_VFORK, Stopped, at, bits, call, open, reached};
use super::target::Target;
use super::{Attempt, Needs, Probe, Wall, probe};

use Needs::{Feature, Nothing, Root as ByRoot};
use Wall::{Capabilities, PidNamespace, Root, Seccomp};

const CHILD: i32 = libc::SIGCHLD;
const NEW_TIME: i32 = 0x80;
const WALLS: &[Wall] = &[Seccomp, Capabilities];

pub(super) const PROBES: &[Probe] = &[
    probe("process.fork", Nothing, &[Seccomp], |_| {
        child("fork", OLD_FORK, [0; 5])
    }),
    probe("process.vfork", Nothing, &[Seccomp], |_| {
        child("vfork", OLD_VFORK, [0; 5])
    }),
    probe("process.clone", Nothing, &[Seccomp], |_| clone(CHILD)),
    probe("process.clone_as_spawn", Nothing, &[Seccomp], |_| {
        clone(libc::CLONE_VM | libc::CLONE_VFORK | CHILD)
    }),
    probe("process.clone_unnoticed", Nothing, &[Seccomp], |_| clone(0)),
    // The first process of a namespace has no siblings.
    probe(
        "process.clone_for_parent",
        Nothing,
        &[Seccomp, PidNamespace],
        |_| clone(libc::CLONE_PARENT | CHILD),
    ),
    probe(
        "process.clone_with_handle",
        Nothing,
        &[Seccomp],
        clone_with_handle,
    ),
    probe("process.clone_high_bits", Nothing, &[Seccomp], |_| {
        // What a thread has, where the kernel does not look.
        let high = (bits(libc::CLONE_VM | libc::CLONE_SIGHAND | libc::CLONE_THREAD)) << 32;
        child("clone", libc::SYS_clone, [high | bits(CHILD), 0, 0, 0, 0])
    }),
    probe("process.clone_by_structure", Nothing, &[Seccomp], |_| {
        let structure: [u64; 11] = [0, 0, 0, 0, CHILD.unsigned_abs().into(), 0, 0, 0, 0, 0, 0];
        let arguments = [at(&structure), size_of_val(&structure), 0, 0, 0];
        child("clone3", libc::SYS_clone3, arguments)
    }),
    probe(
        "process.clone_with_user",
        Feature("user namespaces for everybody"),
        &[Seccomp],
        |_| clone(libc::CLONE_NEWUSER | CHILD),
    ),
    probe(
        "process.clone_with_user_and_mounts",
        Feature("user namespaces for everybody"),
        &[Seccomp],
        |_| clone(libc::CLONE_NEWUSER | libc::CLONE_NEWNS | CHILD),
    ),
    probe("process.clone_with_mounts", ByRoot, WALLS, |_| {
        clone(libc::CLONE_NEWNS | CHILD)
    }),
    probe("process.clone_with_processes", ByRoot, WALLS, |_| {
        clone(libc::CLONE_NEWPID | CHILD)
    }),
    probe("process.clone_with_network", ByRoot, WALLS, |_| {
        clone(libc::CLONE_NEWNET | CHILD)
    }),
    probe("process.clone_with_ipc", ByRoot, WALLS, |_| {
        clone(libc::CLONE_NEWIPC | CHILD)
    }),
    probe("process.clone_with_names", ByRoot, WALLS, |_| {
        clone(libc::CLONE_NEWUTS | CHILD)
    }),
    probe("process.clone_with_groups", ByRoot, WALLS, |_| {
        clone(libc::CLONE_NEWCGROUP | CHILD)
    }),
    probe(
        "process.unshare_user",
        Feature("user namespaces for everybody"),
        &[Seccomp],
        |_| unshare(libc::CLONE_NEWUSER),
    ),
    probe("process.unshare_mounts", ByRoot, WALLS, |_| {
        unshare(libc::CLONE_NEWNS)
    }),
    probe("process.unshare_processes", ByRoot, WALLS, |_| {
        unshare(libc::CLONE_NEWPID)
    }),
    probe("process.unshare_network", ByRoot, WALLS, |_| {
        unshare(libc::CLONE_NEWNET)
    }),
    probe("process.unshare_ipc", ByRoot, WALLS, |_| {
        unshare(libc::CLONE_NEWIPC)
    }),
    probe("process.unshare_names", ByRoot, WALLS, |_| {
        unshare(libc::CLONE_NEWUTS)
    }),
    probe("process.unshare_groups", ByRoot, WALLS, |_| {
        unshare(libc::CLONE_NEWCGROUP)
    }),
    probe(
        "process.unshare_time",
        Feature("time namespaces"),
        WALLS,
        |_| unshare(NEW_TIME),
    ),
    probe("process.unshare_files", Nothing, &[Seccomp], |_| {
        unshare(libc::CLONE_FILES)
    }),
    probe("process.unshare_folder", Nothing, &[Seccomp], |_| {
        unshare(libc::CLONE_FS)
    }),
    probe("process.join_by_handle", ByRoot, WALLS, |_| {
        let me = call("getpid", libc::SYS_getpid, [])?;
        let handle = Descriptor::of(call("pidfd_open", libc::SYS_pidfd_open, [me, 0])?)?;
        join(&handle)
    }),
    probe(
        "process.join_in_proc",
        ByRoot,
        &[Seccomp, Capabilities, Root],
        |_| join(&open(HERE, "/proc/self/ns/uts", libc::O_RDONLY, 0)?),
    ),
    probe("process.session", Nothing, &[Seccomp], |_| {
        reached(call("setsid", libc::SYS_setsid, []), &[])
    }),
    probe("process.group", Nothing, &[Seccomp], |_| {
        // There is no such group; that is an answer of the call's own.
        let answer = call("setpgid", libc::SYS_setpgid, [0, usize::MAX]);
        reached(answer, &[libc::EINVAL])
    }),
    probe("process.traced_by_parent", Nothing, &[Seccomp], |_| {
        reached(call("ptrace", libc::SYS_ptrace, [0, 0, 0, 0]), &[])
    }),
];

fn clone(flags: i32) -> Attempt {
    child("clone", libc::SYS_clone, [bits(flags), 0, 0, 0, 0])
}

/// The kernel writes the child's handle where it is told.
fn clone_with_handle(_: &Target) -> Attempt {
    let mut handle = -1_i32;
    let place = super::call::at_mut(&mut handle);
    let flags = bits(libc::CLONE_PIDFD | CHILD);
    let found = child("clone", libc::SYS_clone, [flags, 0, place, 0, 0]);
    drop(Descriptor(handle));
    found
}

/// Makes a child that ends at once, and waits for it.
fn child(name: &'static str, number: libc::c_long, arguments: [usize; 5]) -> Attempt {
    let child = start(name, number, arguments)?;
    let everybody = libc::__WALL.cast_unsigned() as usize;
    let _ = call("wait4", libc::SYS_wait4, [child, 0, everybody, 0]);
    Ok("made a process".to_owned())
}

/// The child may share this stack, so nothing but these instructions may run in it.
#[cfg(target_arch = "x86_64")]
fn start(
    name: &'static str,
    number: libc::c_long,
    arguments: [usize; 5],
) -> Result<usize, Stopped> {
    let [a, b, c, d, e] = arguments;
    let answer: isize;
    // SAFETY: the parent sees one system call; a child ends before it touches memory.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor edi, edi",
            "mov eax, {exit_group}",
            "syscall",
            "2:",
            exit_group = const libc::SYS_exit_group,
            inlateout("rax") number as isize => answer,
            in("rdi") a,
            in("rsi") b,
            in("rdx") c,
            in("r10") d,
            in("r8") e,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    match usize::try_from(answer) {
        Ok(child) => Ok(child),
        Err(_) => Err(Stopped::Call {
            call: name,
            errno: i32::try_from(answer.unsigned_abs()).unwrap_or(0),
        }),
    }
}

/// Without the instructions above, only children with memory of their own can be tried.
#[cfg(not(target_arch = "x86_64"))]
fn start(
    name: &'static str,
    number: libc::c_long,
    arguments: [usize; 5],
) -> Result<usize, Stopped> {
    let shares = libc::CLONE_VM.cast_unsigned() as usize;
    if number == libc::SYS_clone && arguments.first().is_some_and(|flags| flags & shares != 0) {
        return Err(Stopped::Absent(
            "not written for this architecture".to_owned(),
        ));
    }
    let answer = call(name, number, arguments)?;
    if answer == 0 {
        let _ = call("exit_group", libc::SYS_exit_group, [0]);
    }
    Ok(answer)
}

fn unshare(flags: i32) -> Attempt {
    reached(call("unshare", libc::SYS_unshare, [bits(flags)]), &[])
}

/// The namespace of names it is in already.
fn join(namespace: &Descriptor) -> Attempt {
    let arguments = [namespace.argument(), bits(libc::CLONE_NEWUTS)];
    reached(call("setns", libc::SYS_setns, arguments), &[])
}
