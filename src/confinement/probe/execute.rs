//! Running another program. What is run is none, so the kernel's answer to one that got through is
//! ENOEXEC; a real program gets arguments at no address, and EFAULT is that answer.

use super::call::{
    Descriptor, HERE, Stopped, any, at, bits, call, file_type, open, open_descriptors, reached,
    remove, signed, text,
};
use super::target::Target;
use super::{Attempt, Needs, Probe, Wall, probe};

use Needs::{Feature, Nothing};
use Wall::{Inheritance, Landlock, Root, Seccomp};

/// No argument is here, and no page ever.
const NOWHERE: usize = 8;
const NAME: &str = "hotcell-probe-program";
const NO_PROGRAM: &str = "\u{1}no program\n";

pub(super) const PROBES: &[Probe] = &[
    probe(
        "execute.path",
        Nothing,
        &[Seccomp, Root, Landlock],
        |target| {
            let path = text(&target.program)?;
            ran(call(
                "execve",
                libc::SYS_execve,
                [at(path.as_c_str()), 0, 0],
            ))
        },
    ),
    probe(
        "execute.path_at",
        Nothing,
        &[Seccomp, Root, Landlock],
        |target| {
            let path = text(&target.program)?;
            ran(execute_at(HERE, at(path.as_c_str()), 0, 0))
        },
    ),
    probe("execute.shell", Nothing, &[Seccomp, Root, Landlock], |_| {
        let arguments = [at(c"/bin/sh"), NOWHERE, 0];
        found(call("execve", libc::SYS_execve, arguments))
    }),
    probe(
        "execute.own_binary",
        Nothing,
        &[Seccomp, Root, Landlock],
        |_| {
            let arguments = [at(c"/proc/self/exe"), NOWHERE, 0];
            found(call("execve", libc::SYS_execve, arguments))
        },
    ),
    probe(
        "execute.own_binary_at",
        Nothing,
        &[Seccomp, Root, Landlock],
        |_| found(execute_at(HERE, at(c"/proc/self/exe"), NOWHERE, 0)),
    ),
    probe("execute.memory_file", Nothing, &[Seccomp], |_| {
        let file = memory_file()?;
        ran(execute_at(file.0, at(c""), 0, libc::AT_EMPTY_PATH))
    }),
    probe(
        "execute.memory_file_in_proc",
        Nothing,
        &[Seccomp, Root],
        |_| {
            let file = memory_file()?;
            let path = text(format!("/proc/self/fd/{}", file.0))?;
            ran(call(
                "execve",
                libc::SYS_execve,
                [at(path.as_c_str()), 0, 0],
            ))
        },
    ),
    probe(
        "execute.written_file",
        Nothing,
        &[Seccomp, Landlock, Root],
        |target| written(target, |folder, name| ran(execute_at(folder, name, 0, 0))),
    ),
    probe(
        "execute.written_file_by_descriptor",
        Nothing,
        &[Seccomp, Landlock, Root],
        |target| {
            written(target, |folder, _| {
                let file = open(folder, NAME, libc::O_RDONLY, 0)?;
                ran(execute_at(file.0, at(c""), 0, libc::AT_EMPTY_PATH))
            })
        },
    ),
    probe(
        "execute.written_file_by_place",
        Nothing,
        &[Seccomp, Landlock, Root],
        |target| {
            written(target, |folder, _| {
                let file = open(folder, NAME, libc::O_PATH, 0)?;
                ran(execute_at(file.0, at(c""), 0, libc::AT_EMPTY_PATH))
            })
        },
    ),
    probe(
        "execute.inherited_descriptor",
        Nothing,
        &[Seccomp, Inheritance, Landlock],
        inherited,
    ),
    probe(
        "execute.check",
        Feature("execveat checks"),
        &[Seccomp, Root, Landlock],
        |target| {
            const CHECK: i32 = 0x10000;
            let path = text(&target.program)?;
            reached(execute_at(HERE, at(path.as_c_str()), 0, CHECK), &[])
        },
    ),
];

fn execute_at(folder: i32, path: usize, arguments: usize, flags: i32) -> Result<usize, Stopped> {
    let arguments = [signed(folder), path, arguments, 0, bits(flags)];
    call("execveat", libc::SYS_execveat, arguments)
}

fn ran(answer: Result<usize, Stopped>) -> Attempt {
    reached(answer, &[libc::ENOEXEC])
}

fn found(answer: Result<usize, Stopped>) -> Attempt {
    reached(answer, &[libc::EFAULT])
}

fn memory_file() -> Result<Descriptor, Stopped> {
    let made = call("memfd_create", libc::SYS_memfd_create, [at(c"probe"), 0])?;
    let file = Descriptor::of(made)?;
    let arguments = [file.argument(), at(NO_PROGRAM), NO_PROGRAM.len()];
    call("write", libc::SYS_write, arguments)?;
    Ok(file)
}

/// Writes an executable file in each writable folder and tries it.
fn written(target: &Target, run: fn(i32, usize) -> Attempt) -> Attempt {
    let once = |folder: i32| {
        remove(folder, NAME);
        let file = open(
            folder,
            NAME,
            libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL,
            0o755,
        )?;
        let arguments = [file.argument(), at(NO_PROGRAM), NO_PROGRAM.len()];
        call("write", libc::SYS_write, arguments)?;
        // A file that is open for writing is busy.
        drop(file);
        let name = text(NAME)?;
        let found = run(folder, at(name.as_c_str()));
        remove(folder, NAME);
        found
    };
    any(
        target.writable_folders().map(|folder| move || once(folder)),
        "no folder is writable",
    )
}

fn inherited(_: &Target) -> Attempt {
    let is_file = |number: &i32| file_type(*number).is_ok_and(|kind| kind == libc::S_IFREG);
    any(
        open_descriptors()
            .into_iter()
            .filter(is_file)
            .map(|number| move || found(execute_at(number, at(c""), NOWHERE, libc::AT_EMPTY_PATH))),
        "no descriptor is a file",
    )
}
