//! What a path means to `spawn`: a program of `/bin` or a script with `#!`.

use rustix::fs::{Mode, OFlags, openat2};

use super::{
    Errno,
    mounts::Node,
    resolve::{BENEATH, Chain, Target, Walk, read_link},
    stat,
};
use crate::cell::kernel::Guest;
use crate::descriptors::lend;

/// Longest `#!` line that is read, in bytes (Linux BINPRM_BUF_SIZE).
const LINE_BYTES_MAX: usize = 256;

/// Something that can be started.
#[derive(Debug, PartialEq, Eq)]
pub enum Executable {
    /// A name of `/bin`.
    Program(String),
    Script {
        interpreter: Vec<u8>,
        argument: Option<Vec<u8>>,
    },
}

/// Finds what `path` (relative to `cwd`) would start.
///
/// # Errors
/// ENOENT; EACCES for folders and files without an executable bit; ENOEXEC for other content.
pub fn executable(guest: &Guest, cwd: &[u8], path: &[u8]) -> Result<Executable, Errno> {
    let root = Chain::root(&guest.call().mounts);
    let absolute = if path.starts_with(b"/") {
        path.to_vec()
    } else {
        [cwd, b"/", path].concat()
    };
    let mut walk = Walk::new(guest.call(), root, &absolute)?;
    loop {
        let link = match walk.target()? {
            Target::Absent => return Err(Errno::ENOENT),
            Target::Node(Node::Program(name)) => return Ok(Executable::Program(name)),
            Target::Node(Node::Link(target)) => target,
            Target::Node(_) | Target::Folder(_) | Target::Descriptor(_) => {
                return Err(Errno::EACCES);
            }
            Target::Host { mount, fd, name } => {
                let found = stat::host(&mount, &fd, &name)?;
                if found.is_link() {
                    read_link(&fd, &name)?
                } else if !found.is_regular() || found.mode & 0o111 == 0 || walk.must_be_folder {
                    return Err(Errno::EACCES);
                } else {
                    return script(&fd, &name);
                }
            }
        };
        walk.follow(&link)?;
    }
}

fn script(folder: &std::os::fd::OwnedFd, name: &[u8]) -> Result<Executable, Errno> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = lend(openat2(folder, name, flags, Mode::empty(), BENEATH)?)?;
    let mut head = [0; LINE_BYTES_MAX];
    let count = rustix::io::pread(&file, &mut head, 0)?;
    parse_line(head.get(..count).unwrap_or_default()).ok_or(Errno::ENOEXEC)
}

/// Reads `#! interpreter [argument]`; everything after the interpreter is one argument.
fn parse_line(head: &[u8]) -> Option<Executable> {
    let line = head
        .strip_prefix(b"#!")?
        .split(|&b| b == b'\n')
        .next()?
        .trim_ascii();
    let end = line
        .iter()
        .position(u8::is_ascii_whitespace)
        .unwrap_or(line.len());
    let (interpreter, argument) = line.split_at_checked(end)?;
    let argument = argument.trim_ascii();
    (!interpreter.is_empty()).then(|| Executable::Script {
        interpreter: interpreter.to_vec(),
        argument: (!argument.is_empty()).then(|| argument.to_vec()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interpreter_line_is_split_as_linux_does() {
        let script = |interpreter: &str, argument: Option<&str>| {
            let argument = argument.map(|a| a.as_bytes().to_vec());
            Some(Executable::Script {
                interpreter: interpreter.into(),
                argument,
            })
        };
        assert_eq!(parse_line(b"#!/bin/bash\necho"), script("/bin/bash", None));
        assert_eq!(
            parse_line(b"#! /usr/bin/env -S bash -e\n"),
            script("/usr/bin/env", Some("-S bash -e"))
        );
        assert_eq!(parse_line(b"#!\n"), None);
        assert_eq!(parse_line(b"echo hi\n"), None);
    }
}
