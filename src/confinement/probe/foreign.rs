//! Other architectures' system calls. A filter that knows one architecture ends a process that
//! makes another's call, so each of these has a process of its own.
#![expect(
    unsafe_code,
    reason = "no safe code makes another architecture's calls"
)]

use super::call::Stopped;
use super::{Attempt, Needs, Probe, Wall, probe};

use Needs::Feature;
use Wall::Seccomp;

const OLD: Needs = Feature("32-bit programs");
const SHORT: Needs = Feature("programs with 32-bit pointers");

/// Calls as a 32-bit program has them.
const OLD_GET_PROCESS: u32 = 20;
const OLD_OPEN_SOCKET: u32 = 359;
const OLD_GET_USER: u32 = 24;

pub(super) const PROBES: &[Probe] = &[
    probe("foreign.process", OLD, &[Seccomp], |_| {
        old(OLD_GET_PROCESS, [0; 3])
    }),
    probe("foreign.socket", OLD, &[Seccomp], |_| {
        old(OLD_OPEN_SOCKET, [1, 1, 0])
    }),
    // Here this number is a call that every filter allows.
    probe("foreign.number_of_ours", OLD, &[Seccomp], |_| {
        old(OLD_GET_USER, [0; 3])
    }),
    probe("foreign.short_process", SHORT, &[Seccomp], |_| {
        short(39, [0; 3])
    }),
    probe("foreign.short_socket", SHORT, &[Seccomp], |_| {
        short(41, [1, 1, 0])
    }),
    probe("foreign.short_execute", SHORT, &[Seccomp], |_| {
        short(520, [0, 0, 0])
    }),
];

fn answer(call: &'static str, answer: i64) -> Attempt {
    match i32::try_from(answer) {
        Ok(errno @ -4095..=-1) => Err(Stopped::Call {
            call,
            errno: errno.saturating_neg(),
        }),
        _ => Ok(format!("it answered {answer}")),
    }
}

/// By the interrupt of 32-bit programs.
#[cfg(target_arch = "x86_64")]
fn old(number: u32, arguments: [u32; 3]) -> Attempt {
    let [a, b, c] = arguments;
    let found: i32;
    // SAFETY: the calls above take numbers only. The kernel keeps every register but the answer's
    // and, in older ones, r8 to r11. The compiler keeps rbx for itself, so it is put back.
    unsafe {
        std::arch::asm!(
            "xchg {kept:r}, rbx",
            "int 0x80",
            "xchg {kept:r}, rbx",
            kept = inout(reg) u64::from(a) => _,
            inlateout("eax") number.cast_signed() => found,
            in("ecx") b,
            in("edx") c,
            lateout("r8") _,
            lateout("r9") _,
            lateout("r10") _,
            lateout("r11") _,
        );
    }
    answer("int 0x80", found.into())
}

/// By the bit that marks 32-bit pointers.
#[cfg(target_arch = "x86_64")]
fn short(number: libc::c_long, arguments: [usize; 3]) -> Attempt {
    const MARK: libc::c_long = 0x4000_0000;
    let number = number | MARK;
    super::call::call("call of x32", number, arguments).map(|found| format!("it answered {found}"))
}

#[cfg(not(target_arch = "x86_64"))]
fn old(_: u32, _: [u32; 3]) -> Attempt {
    Err(Stopped::Absent("not on this architecture".to_owned()))
}

#[cfg(not(target_arch = "x86_64"))]
fn short(_: libc::c_long, _: [usize; 3]) -> Attempt {
    Err(Stopped::Absent("not on this architecture".to_owned()))
}
