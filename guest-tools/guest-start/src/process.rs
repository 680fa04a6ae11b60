//! Processes: spawn, exec, fork, wait.

use std::{
    ffi::OsStr,
    io::{self, Write},
    os::wasi::ffi::OsStrExt,
    time::Duration,
};

use crate::{check, imports};

/// A process number, unique within one call.
pub type Pid = u32;

/// A program to start, with everything it will see. Nothing is inherited silently.
#[derive(Debug, Clone, Default)]
pub struct Command {
    program: Vec<u8>,
    arguments: Vec<u8>,
    environment: Vec<u8>,
    cwd: Vec<u8>,
    descriptors: Vec<[u32; 2]>,
    new_group: bool,
    ignored_signals: u32,
}

impl Command {
    /// Describes a start of the program at `path` (absolute). It gets this process's cwd and
    /// descriptors 0, 1 and 2 unless told otherwise, and no arguments or environment.
    pub fn new(path: impl AsRef<OsStr>) -> Self {
        let cwd = std::env::current_dir().unwrap_or_else(|_| "/".into());
        Self {
            program: path.as_ref().as_bytes().to_vec(),
            cwd: cwd.as_os_str().as_bytes().to_vec(),
            descriptors: vec![[0, 0], [1, 1], [2, 2]],
            ..Self::default()
        }
    }

    /// Appends one argument; the first is the program's own name.
    pub fn arg(&mut self, argument: impl AsRef<OsStr>) -> &mut Self {
        push_string(&mut self.arguments, argument.as_ref().as_bytes());
        self
    }

    /// Appends one variable.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        let entry = [name.as_ref().as_bytes(), b"=", value.as_ref().as_bytes()].concat();
        push_string(&mut self.environment, &entry);
        self
    }

    /// Passes this process's whole environment.
    pub fn inherit_env(&mut self) -> &mut Self {
        for (name, value) in std::env::vars_os() {
            self.env(name, value);
        }
        self
    }

    /// Sets the child's folder (absolute).
    pub fn cwd(&mut self, path: impl AsRef<OsStr>) -> &mut Self {
        self.cwd = path.as_ref().as_bytes().to_vec();
        self
    }

    /// Gives the child `ours` as its descriptor `theirs`, in place of what that number had.
    pub fn descriptor(&mut self, theirs: u32, ours: u32) -> &mut Self {
        self.descriptors.retain(|pair| pair[0] != theirs);
        self.descriptors.push([theirs, ours]);
        self
    }

    /// Leaves the child without descriptor `theirs`.
    pub fn without_descriptor(&mut self, theirs: u32) -> &mut Self {
        self.descriptors.retain(|pair| pair[0] != theirs);
        self
    }

    /// Starts the child in a process group of its own.
    pub fn new_group(&mut self) -> &mut Self {
        self.new_group = true;
        self
    }

    /// Starts the child with `signal` ignored.
    pub fn ignore_signal(&mut self, signal: u32) -> &mut Self {
        self.ignored_signals |= 1 << signal;
        self
    }

    /// Starts the program.
    ///
    /// # Errors
    /// NotFound, PermissionDenied, ENOEXEC (no program and no `#!` script), or EAGAIN at a limit.
    pub fn spawn(&self) -> io::Result<Pid> {
        flush();
        self.with_raw(|raw| check(unsafe { imports::proc_spawn(raw) }))
    }

    /// Becomes the program; returns only the reason why that failed.
    pub fn exec(&self) -> io::Error {
        flush();
        match self.with_raw(|raw| check(unsafe { imports::proc_exec(raw) })) {
            Err(error) => error,
            Ok(_) => io::ErrorKind::Other.into(),
        }
    }

    fn with_raw<T>(&self, use_raw: impl FnOnce(*const imports::Spawn) -> T) -> T {
        use_raw(&imports::Spawn {
            program: self.program.as_ptr(),
            program_len: self.program.len(),
            arguments: self.arguments.as_ptr(),
            arguments_len: self.arguments.len(),
            environment: self.environment.as_ptr(),
            environment_len: self.environment.len(),
            cwd: self.cwd.as_ptr(),
            cwd_len: self.cwd.len(),
            descriptors: self.descriptors.as_ptr(),
            descriptors_len: self.descriptors.len(),
            group: u32::from(self.new_group),
            ignored_signals: self.ignored_signals,
        })
    }
}

fn push_string(list: &mut Vec<u8>, string: &[u8]) {
    list.extend_from_slice(string);
    list.push(0);
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Exited(u8),
    Signaled(u32),
}

impl Status {
    /// The status as a shell's `$?`: 128 + N for signal N.
    pub fn code(self) -> u8 {
        match self {
            Self::Exited(code) => code,
            Self::Signaled(signal) => 128u8.wrapping_add(signal as u8),
        }
    }
}

/// Runs `child` in a copy of this process and answers the copy's number.
///
/// The child has every descriptor of this process and must close what it should not hold. It
/// never returns: it exits with the closure's result.
///
/// # Errors
/// EAGAIN when the call may have no more processes or memory.
pub fn fork<F: FnOnce() -> i32>(child: F) -> io::Result<Pid> {
    flush();
    let mut entry: Option<Box<dyn FnOnce() -> i32 + '_>> = Some(Box::new(child));
    let argument: *mut Option<Box<dyn FnOnce() -> i32 + '_>> = &raw mut entry;
    check(unsafe { imports::proc_fork(argument.cast()) })
}

/// Where the host enters a forked copy; `argument` points into the copied stack of [`fork`].
#[unsafe(no_mangle)]
extern "C" fn fork_entry(argument: *mut u8) {
    let entry = argument.cast::<Option<Box<dyn FnOnce() -> i32>>>();
    let code = match unsafe { (*entry).take() } {
        Some(child) => child(),
        None => 126,
    };
    flush();
    std::process::exit(code);
}

/// Waits for one of `pids` (empty: any child). `timeout`: `None` waits for ever, zero only looks.
/// Answers `None` when the time is over.
///
/// # Errors
/// ECHILD when there is nothing to wait for; Interrupted when a caught signal came.
pub fn wait(pids: &[Pid], timeout: Option<Duration>) -> io::Result<Option<(Pid, Status)>> {
    let timeout_ns = timeout.map_or(-1, |t| i64::try_from(t.as_nanos()).unwrap_or(i64::MAX));
    let mut waited = imports::Waited::default();
    let found = check(unsafe {
        imports::proc_wait(pids.as_ptr(), pids.len(), timeout_ns, &raw mut waited)
    })?;
    if found == 0 {
        return Ok(None);
    }
    let status = match waited.signal {
        0 => Status::Exited(waited.code as u8),
        signal => Status::Signaled(signal),
    };
    Ok(Some((waited.pid, status)))
}

/// Waits for `pid` through interruptions.
///
/// # Errors
/// ECHILD when it is no child of this process.
pub fn wait_for(pid: Pid) -> io::Result<Status> {
    loop {
        match wait(&[pid], None) {
            Ok(Some((_, status))) => return Ok(status),
            Ok(None) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// This process's number, its parent's and its group's.
pub fn identity() -> (Pid, Pid, Pid) {
    let mut identity = imports::Identity::default();
    unsafe { imports::proc_identity(&raw mut identity) };
    (identity.pid, identity.parent, identity.group)
}

/// Sets the file creation mask and answers the old one.
pub fn umask(mask: u32) -> u32 {
    check(unsafe { imports::proc_umask(mask & 0o777) }).unwrap_or(0o022)
}

/// Finds `program` as a shell would: itself when it has a slash, else along `path`
/// (colon-separated). Only executable regular files count.
pub fn find_program(program: &OsStr, path: &OsStr) -> Option<std::path::PathBuf> {
    let absolute = |p: &std::path::Path| std::path::absolute(p).ok();
    if program.as_bytes().contains(&b'/') {
        return absolute(program.as_ref());
    }
    path.as_bytes().split(|&b| b == b':').find_map(|dir| {
        let dir = if dir.is_empty() {
            OsStr::new(".")
        } else {
            OsStr::from_bytes(dir)
        };
        let candidate = absolute(&std::path::Path::new(dir).join(program))?;
        let stat = crate::file::stat(&candidate, true).ok()?;
        (stat.is_file() && stat.mode & 0o111 != 0).then_some(candidate)
    })
}

fn flush() {
    let _ = io::stdout().flush();
}
