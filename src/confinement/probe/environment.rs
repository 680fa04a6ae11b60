//! What a process inherits: descriptors, environment, names.
#![expect(
    unsafe_code,
    reason = "an attacker reads the environment where it lies in memory"
)]

use std::ffi::{CStr, c_char};

use super::call::{self, Stopped, at_mut, file_type, open, open_descriptors, otherwise};
use super::target::{Kind, Target};
use super::{Attempt, Needs, Probe, Wall, probe};

use Needs::Nothing;
use Wall::{Hidden, Inheritance, Landlock, Root, Seccomp, UtsNamespace};

pub(super) const PROBES: &[Probe] = &[
    probe(
        "environment.descriptors",
        Nothing,
        &[Inheritance],
        unexpected,
    ),
    probe("environment.variables", Nothing, &[Inheritance], variables),
    probe(
        "environment.on_the_stack",
        Nothing,
        &[Inheritance],
        on_the_stack,
    ),
    probe(
        "environment.in_proc",
        Nothing,
        &[Inheritance, Root, Landlock, Hidden],
        in_proc,
    ),
    probe(
        "environment.host_name",
        Nothing,
        &[UtsNamespace, Seccomp],
        host_name,
    ),
    probe(
        "environment.terminal",
        Needs::Feature("a terminal"),
        &[Root, Landlock],
        terminal,
    ),
];

/// Descriptors beside the expected ones, and expected ones that are something else.
fn unexpected(target: &Target) -> Attempt {
    let mut found = Vec::new();
    for number in open_descriptors() {
        match target.descriptors.iter().find(|one| one.number == number) {
            None => found.push(format!("{number} is open")),
            Some(expected) if !is_a(number, expected.kind) => {
                found.push(format!("{number} is no {:?}", expected.kind));
            }
            Some(_) => {}
        }
    }
    if found.is_empty() {
        return Err(otherwise("only the expected descriptors"));
    }
    Ok(found.join(", "))
}

fn is_a(number: i32, kind: Kind) -> bool {
    let Ok(kept) = file_type(number) else {
        // Refused: nothing is known against it.
        return true;
    };
    match kind {
        Kind::WritableFolder | Kind::Folder => kept == libc::S_IFDIR,
        Kind::File => kept == libc::S_IFREG,
        Kind::Socket => kept == libc::S_IFSOCK,
        Kind::Pipe => kept == libc::S_IFIFO,
        Kind::Other => kept != libc::S_IFDIR && kept != libc::S_IFREG,
    }
}

/// Names only: values are nobody's business.
fn variables(_: &Target) -> Attempt {
    unsafe extern "C" {
        static environ: *const *const c_char;
    }
    let mut names = Vec::new();
    // SAFETY: the C library sets it before `main`; this process has one thread.
    let mut next = unsafe { environ };
    while !next.is_null() {
        // SAFETY: the list ends with a null pointer, which ends the loop below.
        let variable = unsafe { *next };
        if variable.is_null() {
            break;
        }
        // SAFETY: every entry is a C string.
        let variable = unsafe { CStr::from_ptr(variable) }.to_string_lossy();
        names.push(variable.split('=').next().unwrap_or_default().to_owned());
        // SAFETY: the null entry was not reached yet.
        next = unsafe { next.add(1) };
    }
    if names.is_empty() {
        return Err(otherwise("no variable is set"));
    }
    Ok(names.join(" "))
}

/// The kernel puts variables between the arguments and the program's name, at the stack's top;
/// clearing `environ` leaves them there.
fn on_the_stack(_: &Target) -> Attempt {
    const LONGEST: usize = 256;
    // SAFETY: it only reads what the kernel gave at the start.
    let name = unsafe { libc::getauxval(libc::AT_EXECFN) };
    let Some(end) = usize::try_from(name)
        .ok()
        .and_then(|name| name.checked_sub(1))
    else {
        return Err(Stopped::Absent("the kernel names no program".to_owned()));
    };
    // What precedes is at least the first argument, the kernel's tables and the rest of the stack.
    let before = call::read_at(end.saturating_sub(LONGEST), LONGEST);
    let last = before.rsplit(|byte| *byte == 0).next().unwrap_or_default();
    let name = last.split(|byte| *byte == b'=').next().unwrap_or_default();
    let is_name = name.len() < last.len()
        && !name.is_empty()
        && name
            .iter()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_');
    if is_name {
        Ok(format!("`{}` is there", String::from_utf8_lossy(name)))
    } else {
        Err(otherwise(
            "the last string before the program's name is no variable",
        ))
    }
}

fn in_proc(_: &Target) -> Attempt {
    let file = open(call::HERE, "/proc/self/environ", libc::O_RDONLY, 0)?;
    let mut byte = [0_u8];
    let arguments = [file.argument(), at_mut(&mut byte), 1];
    match call::call("read", libc::SYS_read, arguments)? {
        0 => Err(otherwise("it is empty")),
        _ => Ok("it holds something".to_owned()),
    }
}

/// The name of the machine, as this process sees it.
pub(super) fn current_host_name() -> Result<String, Stopped> {
    // Six names of 65 bytes; the second is the host's.
    let mut names = [0_u8; 65 * 6];
    call::call("uname", libc::SYS_uname, [at_mut(&mut names)])?;
    let host = names.get(65..130).unwrap_or_default();
    let host = host.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(String::from_utf8_lossy(host).into_owned())
}

fn host_name(target: &Target) -> Attempt {
    if current_host_name()? == target.host_name {
        Ok("it is the host's".to_owned())
    } else {
        Err(otherwise("it is not the host's"))
    }
}

fn terminal(_: &Target) -> Attempt {
    open(call::HERE, "/dev/tty", libc::O_RDWR, 0).map(|_| "it is open".to_owned())
}
