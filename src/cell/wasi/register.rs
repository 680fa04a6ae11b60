//! Puts every host function under its import name.

use wasmtime::{Caller, Engine, Linker};

use super::{Errno, descriptors, extra, path_calls, poll, system};
use crate::cell::kernel::{Exit, Guest};
use crate::outcome::StoppedBy;

const PREVIEW_1: &str = "wasi_snapshot_preview1";
const HOTCELL: &str = "hotcell";
/// Fuel every host call costs before its bytes: about what a system call takes, at two units a
/// nanosecond.
const CALL_FUEL: u64 = 2_000;

/// What a host function that can end the guest says.
#[derive(Debug)]
pub enum Stop {
    Errno(Errno),
    Exit(Exit),
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

/// Notes that a call was refused a descriptor, by its own limit or by the host's.
fn noted<T, E: Refusal>(caller: &Caller<'_, Guest>, result: Result<T, E>) -> Result<T, E> {
    if let Err(error) = &result
        && matches!(error.errno(), Some(Errno::EMFILE | Errno::ENFILE))
    {
        caller.data().call().refuse(StoppedBy::Descriptors);
    }
    result
}

trait Refusal {
    fn errno(&self) -> Option<Errno>;
}

impl Refusal for Errno {
    fn errno(&self) -> Option<Errno> {
        Some(*self)
    }
}

impl Refusal for Stop {
    fn errno(&self) -> Option<Errno> {
        match self {
            Self::Errno(errno) => Some(*errno),
            Self::Exit(_) => None,
        }
    }
}

/// Preview 1 answers with the error number itself.
fn plain(result: Result<(), Errno>) -> i32 {
    result.map_or_else(|errno| i32::from(errno.0), |()| 0)
}

fn stopping(result: Result<(), Stop>) -> wasmtime::Result<i32> {
    match result {
        Ok(()) => Ok(0),
        Err(Stop::Errno(errno)) => Ok(i32::from(errno.0)),
        Err(Stop::Exit(exit)) => Err(exit.into()),
    }
}

/// Our own imports answer with a value, or with the negated error number.
fn valued(result: Result<u32, Errno>) -> i32 {
    match result {
        Ok(value) => i32::try_from(value).unwrap_or(i32::MAX),
        Err(errno) => -i32::from(errno.0),
    }
}

fn valued_stopping(result: Result<u32, Stop>) -> wasmtime::Result<i32> {
    match result {
        Ok(value) => Ok(valued(Ok(value))),
        Err(Stop::Errno(errno)) => Ok(valued(Err(errno))),
        Err(Stop::Exit(exit)) => Err(exit.into()),
    }
}

macro_rules! sync {
    ($linker:ident, $module:ident, $answer:ident, $($room:ident :: $name:ident ( $($arg:ident : $ty:ty),* ) ;)+) => {
        $($linker.func_wrap($module, stringify!($name), |mut caller: Caller<'_, Guest>, $($arg: $ty),*| {
            caller.data().call().spend(CALL_FUEL);
            let result = $room::$name(&mut caller, $($arg),*);
            $answer(noted(&caller, result))
        })?;)+
    };
}

macro_rules! waiting {
    ($linker:ident, $module:ident, $answer:ident, $($room:ident :: $name:ident ( $($arg:ident : $ty:ty),* ) ;)+) => {
        $($linker.func_wrap_async($module, stringify!($name), |mut caller: Caller<'_, Guest>, ($($arg,)*): ($($ty,)*)| {
            caller.data().call().spend(CALL_FUEL);
            Box::new(async move {
                let result = $room::$name(&mut caller, $($arg),*).await;
                $answer(noted(&caller, result))
            })
        })?;)+
    };
}

/// Every import a guest may have.
///
/// # Errors
/// A name registered twice.
pub fn linker(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    preview_1(&mut linker)?;
    hotcell(&mut linker)?;
    Ok(linker)
}

/// Every import a tool of the operator's own may have: it starts nothing and talks to no kernel.
///
/// # Errors
/// A name registered twice.
pub fn tool_linker(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    preview_1(&mut linker)?;
    Ok(linker)
}

fn preview_1(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    sync! { linker, PREVIEW_1, plain,
        system::args_get(list: u32, bytes: u32);
        system::args_sizes_get(count: u32, size: u32);
        system::environ_get(list: u32, bytes: u32);
        system::environ_sizes_get(count: u32, size: u32);
        system::clock_res_get(clock: u32, out: u32);
        system::clock_time_get(clock: u32, precision: u64, out: u32);
        system::random_get(out: u32, len: u32);
        descriptors::fd_advise(fd: u32, offset: u64, len: u64, advice: u32);
        descriptors::fd_allocate(fd: u32, offset: u64, len: u64);
        descriptors::fd_close(fd: u32);
        descriptors::fd_datasync(fd: u32);
        descriptors::fd_sync(fd: u32);
        descriptors::fd_fdstat_get(fd: u32, out: u32);
        descriptors::fd_fdstat_set_flags(fd: u32, flags: u32);
        descriptors::fd_fdstat_set_rights(fd: u32, base: u64, inheriting: u64);
        descriptors::fd_filestat_get(fd: u32, out: u32);
        descriptors::fd_filestat_set_size(fd: u32, size: u64);
        descriptors::fd_pread(fd: u32, list: u32, count: u32, offset: u64, out: u32);
        descriptors::fd_pwrite(fd: u32, list: u32, count: u32, offset: u64, out: u32);
        descriptors::fd_prestat_get(fd: u32, out: u32);
        descriptors::fd_prestat_dir_name(fd: u32, out: u32, len: u32);
        descriptors::fd_renumber(from: u32, to: u32);
        descriptors::fd_seek(fd: u32, offset: i64, whence: u32, out: u32);
        descriptors::fd_tell(fd: u32, out: u32);
        path_calls::path_create_directory(fd: u32, path: u32, len: u32);
        path_calls::path_filestat_get(fd: u32, flags: u32, path: u32, len: u32, out: u32);
        path_calls::path_link(from_fd: u32, flags: u32, from: u32, from_len: u32, to_fd: u32, to: u32, to_len: u32);
        path_calls::path_readlink(fd: u32, path: u32, len: u32, out: u32, out_len: u32, used: u32);
        path_calls::path_remove_directory(fd: u32, path: u32, len: u32);
        path_calls::path_rename(from_fd: u32, from: u32, from_len: u32, to_fd: u32, to: u32, to_len: u32);
        path_calls::path_symlink(text: u32, text_len: u32, fd: u32, path: u32, len: u32);
        path_calls::path_unlink_file(fd: u32, path: u32, len: u32);
        system::sock_accept(fd: u32, flags: u32, out: u32);
        system::sock_recv(fd: u32, list: u32, count: u32, flags: u32, out: u32, out_flags: u32);
        system::sock_send(fd: u32, list: u32, count: u32, flags: u32, out: u32);
        system::sock_shutdown(fd: u32, how: u32);
    }
    waiting! { linker, PREVIEW_1, stopping,
        descriptors::fd_read(fd: u32, list: u32, count: u32, out: u32);
        descriptors::fd_write(fd: u32, list: u32, count: u32, out: u32);
        descriptors::fd_readdir(fd: u32, out: u32, len: u32, cookie: u64, used: u32);
        path_calls::path_open(fd: u32, flags: u32, path: u32, len: u32, open_flags: u32, rights: u64, inheriting: u64, fd_flags: u32, out: u32);
        descriptors::fd_filestat_set_times(fd: u32, accessed: u64, modified: u64, flags: u32);
        path_calls::path_filestat_set_times(fd: u32, flags: u32, path: u32, len: u32, accessed: u64, modified: u64, which: u32);
        poll::poll_oneoff(subscriptions: u32, events: u32, count: u32, out: u32);
        system::sched_yield();
        system::proc_raise(signal: u32);
    }
    linker.func_wrap(
        PREVIEW_1,
        "proc_exit",
        |code: u32| -> wasmtime::Result<()> { Err(Exit::Code(code).into()) },
    )?;
    Ok(())
}

fn hotcell(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    sync! { linker, HOTCELL, valued,
        extra::proc_spawn(spawn: u32);
        extra::proc_identity(out: u32);
        extra::proc_umask(mask: u32);
        extra::proc_cwd(out: u32, len: u32);
        extra::sig_action(signal: u32, action: u32);
        extra::fd_pipe(out: u32);
        extra::fd_dup(fd: u32, least: u32);
        extra::fd_dup2(from: u32, to: u32);
        extra::fs_stat(path: u32, len: u32, follow: u32, out: u32);
        extra::fs_fstat(fd: u32, out: u32);
        extra::fs_fstatat(fd: u32, path: u32, len: u32, follow: u32, out: u32);
        extra::state_load(out: u32, len: u32);
        extra::state_save(bytes: u32, len: u32);
    }
    waiting! { linker, HOTCELL, valued_stopping,
        extra::fd_open(path: u32, len: u32, flags: u32, mode: u32);
        extra::fs_chmod(path: u32, len: u32, mode: u32);
        extra::fs_fchmod(fd: u32, mode: u32);
        extra::proc_exec(spawn: u32);
        extra::proc_fork(argument: i32);
        extra::proc_wait(pids: u32, count: u32, timeout_ns: i64, out: u32);
        extra::proc_kill(pid: i32, signal: u32);
    }
    linker.func_wrap(HOTCELL, "sig_take", |caller: Caller<'_, Guest>| -> i64 {
        caller.data().call().spend(CALL_FUEL);
        i64::from(caller.data().process.take_signals())
    })?;
    Ok(())
}
