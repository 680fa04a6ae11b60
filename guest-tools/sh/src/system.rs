//! The shell's view of the cell's kernel: a thin layer over `guest-start`.

use std::{ffi::OsStr, io, os::wasi::ffi::OsStrExt, time::Duration};

pub use guest_start::{
    descriptor::{close, duplicate, duplicate_to, flag, is_open, pipe, read},
    file::Stat,
    process::{Pid, Status, fork, identity, umask, wait},
    signal::{Action, send, set as set_signal, take as take_signals},
    state,
};

/// A program to start, with every descriptor it will have.
pub struct Program<'a> {
    pub path: &'a [u8],
    pub arguments: &'a [Vec<u8>],
    /// `NAME=value` strings.
    pub environment: &'a [Vec<u8>],
    pub cwd: &'a [u8],
    /// Pairs (number in the child, number here).
    pub descriptors: &'a [(u32, u32)],
    /// Bit N: signal N starts ignored.
    pub ignored_signals: u32,
}

impl Program<'_> {
    fn command(&self) -> guest_start::process::Command {
        let mut command = guest_start::process::Command::new(OsStr::from_bytes(self.path));
        for argument in self.arguments {
            command.arg(OsStr::from_bytes(argument));
        }
        for entry in self.environment {
            let at = entry.iter().position(|&b| b == b'=').unwrap_or(entry.len());
            let value = entry.get(at + 1..).unwrap_or_default();
            command.env(OsStr::from_bytes(&entry[..at]), OsStr::from_bytes(value));
        }
        command.cwd(OsStr::from_bytes(self.cwd));
        for number in 0..3 {
            command.without_descriptor(number);
        }
        for &(theirs, ours) in self.descriptors {
            command.descriptor(theirs, ours);
        }
        for signal in (1..32).filter(|signal| self.ignored_signals & (1 << signal) != 0) {
            command.ignore_signal(signal);
        }
        command
    }

    /// Starts the program.
    pub fn spawn(&self) -> io::Result<Pid> {
        self.command().spawn()
    }

    /// Becomes the program; answers only the reason why not.
    pub fn exec(&self) -> io::Error {
        self.command().exec()
    }
}

pub fn open(path: &[u8], flags: u32, mode: u32) -> io::Result<u32> {
    guest_start::descriptor::open(OsStr::from_bytes(path), flags, mode)
}

pub fn write_all(descriptor: u32, bytes: &[u8]) -> io::Result<()> {
    guest_start::descriptor::write_all(descriptor, bytes)
}

pub fn stat(path: &[u8], follow: bool) -> io::Result<Stat> {
    guest_start::file::stat(OsStr::from_bytes(path), follow)
}

pub fn fstat(descriptor: u32) -> io::Result<Stat> {
    guest_start::file::fstat(descriptor)
}

pub fn change_directory(path: &[u8]) -> io::Result<()> {
    std::env::set_current_dir(OsStr::from_bytes(path))
}

pub fn current_directory() -> Vec<u8> {
    std::env::current_dir().map_or_else(
        |_| b"/".to_vec(),
        |path| path.as_os_str().as_bytes().to_vec(),
    )
}

/// Names in a folder, without `.` and `..`.
pub fn list(path: &[u8]) -> io::Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(OsStr::from_bytes(path))? {
        names.push(entry?.file_name().as_bytes().to_vec());
    }
    Ok(names)
}

pub fn read_link(path: &[u8]) -> io::Result<Vec<u8>> {
    Ok(std::fs::read_link(OsStr::from_bytes(path))?
        .as_os_str()
        .as_bytes()
        .to_vec())
}

/// The arguments, the program's own name first.
pub fn arguments() -> Vec<Vec<u8>> {
    std::env::args_os()
        .map(|a| a.as_os_str().as_bytes().to_vec())
        .collect()
}

pub fn environment() -> Vec<(Vec<u8>, Vec<u8>)> {
    std::env::vars_os()
        .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
        .collect()
}

/// Moves the read position of a regular file back by `count` bytes; false for pipes.
pub fn unread(descriptor: u32, count: usize) -> bool {
    (unsafe { libc::lseek(descriptor as i32, -(count as libc::off_t), libc::SEEK_CUR) }) >= 0
}

pub fn is_seekable(descriptor: u32) -> bool {
    (unsafe { libc::lseek(descriptor as i32, 0, libc::SEEK_CUR) }) >= 0
}

pub fn is_terminal(descriptor: u32) -> bool {
    (unsafe { libc::isatty(descriptor as i32) }) == 1
}

/// Waits until `descriptor` can be read or the time is over; false when it is over.
pub fn wait_readable(descriptor: u32, timeout: Duration) -> bool {
    let mut poll = libc::pollfd {
        fd: descriptor as i32,
        events: libc::POLLIN,
        revents: 0,
    };
    let milliseconds = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    (unsafe { libc::poll(&raw mut poll, 1, milliseconds) }) != 0
}

/// Random bytes from the host.
pub fn random() -> u32 {
    let mut bytes = [0u8; 4];
    unsafe { libc::getentropy(bytes.as_mut_ptr().cast(), bytes.len()) };
    u32::from_ne_bytes(bytes)
}

pub const USER_ID: u32 = 1000;
