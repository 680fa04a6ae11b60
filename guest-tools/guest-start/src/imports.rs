//! The import module `hotcell`, version 1: what the host gives beyond preview 1.
//!
//! Every function answers with a value of zero or more, or with a negated WASI errno. Paths are
//! absolute guest paths. Pointers and lengths are 32-bit offsets into the caller's memory.

/// Describes a program to start; lists are NUL-terminated strings one after the other.
#[repr(C)]
pub struct Spawn {
    /// The program: an absolute guest path (already looked up in `PATH` by the caller).
    pub program: *const u8,
    pub program_len: usize,
    pub arguments: *const u8,
    pub arguments_len: usize,
    /// `NAME=value` strings.
    pub environment: *const u8,
    pub environment_len: usize,
    pub cwd: *const u8,
    pub cwd_len: usize,
    /// Pairs (descriptor in the child, descriptor in the caller); what is not listed is closed.
    pub descriptors: *const [u32; 2],
    pub descriptors_len: usize,
    /// Process group to join: 0 the caller's own, 1 a new one led by the child.
    pub group: u32,
    /// Bit N set: signal N starts ignored in the child.
    pub ignored_signals: u32,
}

/// What `proc_wait` found.
#[repr(C)]
#[derive(Default)]
pub struct Waited {
    pub pid: u32,
    /// Exit status 0..=255 when `signal` is 0.
    pub code: u32,
    /// The signal that ended the process, or 0.
    pub signal: u32,
}

/// Who the caller is.
#[repr(C)]
#[derive(Default)]
pub struct Identity {
    pub pid: u32,
    pub parent: u32,
    pub group: u32,
}

/// Everything `stat` tells; times are nanoseconds since 1970.
#[repr(C)]
#[derive(Default, Clone, Copy)]
pub struct Stat {
    pub dev: u64,
    pub ino: u64,
    pub nlink: u64,
    pub size: u64,
    /// 512-byte units.
    pub blocks: u64,
    pub accessed_ns: i64,
    pub modified_ns: i64,
    pub changed_ns: i64,
    /// Type and permission bits as in Linux `st_mode`.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// 0.
    pub reserved: u32,
}

#[link(wasm_import_module = "hotcell")]
unsafe extern "C" {
    /// Starts a program; answers its process number. ENOENT: no such program. EACCES: a file
    /// that is not executable. ENOEXEC: neither a script with `#!` nor a program. EAGAIN: a limit.
    pub fn proc_spawn(spawn: *const Spawn) -> i32;
    /// Replaces the caller by a program; returns only to say why not.
    pub fn proc_exec(spawn: *const Spawn) -> i32;
    /// Starts a copy of the caller that enters `fork_entry(argument)`; answers its number.
    pub fn proc_fork(argument: *mut u8) -> i32;
    /// Waits for one of `pids` (none: any child) for at most `timeout_ns` (-1: for ever, 0: only
    /// look). Answers 1 with `waited` filled, or 0 when the time is over. ECHILD, EINTR.
    pub fn proc_wait(pids: *const u32, len: usize, timeout_ns: i64, waited: *mut Waited) -> i32;
    /// Sends `signal` (0: only asks) to a process, to the caller's group (0), to group -pid, or
    /// to every process of the call but the caller (-1).
    pub fn proc_kill(pid: i32, signal: u32) -> i32;
    pub fn proc_identity(identity: *mut Identity) -> i32;
    /// Sets the file creation mask; answers the old one.
    pub fn proc_umask(mask: u32) -> i32;
    /// Copies the starting folder into `buffer`; answers its whole length.
    pub fn proc_cwd(buffer: *mut u8, len: usize) -> i32;

    /// Sets what `signal` does: 0 default, 1 ignored, 2 caught. Answers the old value.
    pub fn sig_action(signal: u32, action: u32) -> i32;
    /// Takes the caught signals that are pending, as a bit set.
    pub fn sig_take() -> i64;

    /// Makes a pipe; writes (read end, write end).
    pub fn fd_pipe(ends: *mut [u32; 2]) -> i32;
    /// Duplicates onto the lowest free number that is at least `least`.
    pub fn fd_dup(descriptor: u32, least: u32) -> i32;
    /// Duplicates `from` onto `to`, closing what was there.
    pub fn fd_dup2(from: u32, to: u32) -> i32;
    /// Opens with Linux `open` flags (x86-64 values) and mode; answers the lowest free number.
    pub fn fd_open(path: *const u8, len: usize, flags: u32, mode: u32) -> i32;

    /// `follow`: 1 follows a final symbolic link.
    pub fn fs_stat(path: *const u8, len: usize, follow: u32, stat: *mut Stat) -> i32;
    pub fn fs_fstat(descriptor: u32, stat: *mut Stat) -> i32;
    /// As `fs_stat`, relative to an open directory.
    pub fn fs_fstatat(dir: u32, path: *const u8, len: usize, follow: u32, stat: *mut Stat) -> i32;
    pub fn fs_chmod(path: *const u8, len: usize, mode: u32) -> i32;
    pub fn fs_fchmod(descriptor: u32, mode: u32) -> i32;

    /// Copies the session's shell state into `buffer`; answers its whole length, 0 when none.
    pub fn state_load(buffer: *mut u8, len: usize) -> i32;
    /// Offers the session's new shell state; kept only when the call ends by itself.
    pub fn state_save(bytes: *const u8, len: usize) -> i32;
}
