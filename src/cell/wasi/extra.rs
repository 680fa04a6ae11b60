//! The import module `hotcell`: what preview 1 lacks. Its guest side is guest-start's `imports`.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "each call is for one or two kinds of descriptor; a new kind is refused"
)]
#![expect(
    clippy::too_many_arguments,
    reason = "preview 1 and our own imports have these signatures"
)]

use std::{sync::atomic::Ordering, time::Duration};

use rustix::fs::OFlags;
use wasmtime::Caller;

use super::{
    Errno,
    descriptors::{ROOT, base, charge},
    memory::{bytes, put, split, word},
    open::{How, open},
    path_calls::path,
    paths,
    register::Stop,
    resolve::Chain,
    stat::{self, Stat},
};
use crate::cell::kernel::{
    self, Descriptor, Exit, Guest, NUMBERS_MAX, SpawnRequest, Strings,
    signal::{Action, SIGNALS},
};

/// Largest argument list or environment of one start, in bytes (WASM-14).
const STRINGS_BYTES_MAX: u32 = 2 << 20;
/// Most descriptor pairs of one start.
const PAIRS_MAX: u32 = 256;
/// Most processes one wait may name.
const PIDS_MAX: u32 = 1_024;

fn read_spawn(caller: &mut Caller<'_, Guest>, at: u32) -> Result<SpawnRequest, Errno> {
    let (memory, guest) = split(caller)?;
    let field = |index: u32| word(memory, at.saturating_add(index * 4));
    let list = |index: u32, max: u32| -> Result<Vec<u8>, Errno> {
        let (start, len) = (field(index)?, field(index + 1)?);
        if len > max {
            return Err(Errno::E2BIG);
        }
        bytes(memory, start, len).map(<[u8]>::to_vec)
    };
    let strings = |index: u32| -> Result<Strings, Errno> {
        let mut bytes = list(index, STRINGS_BYTES_MAX)?;
        if bytes.last().is_some_and(|&last| last != 0) {
            bytes.push(0);
        }
        Ok(Strings(bytes))
    };
    let (pairs_at, pairs) = (field(8)?, field(9)?);
    if pairs > PAIRS_MAX {
        return Err(Errno::EINVAL);
    }
    let pair = |index: u32| -> Result<(u32, u32), Errno> {
        let at = pairs_at.saturating_add(index * 8);
        Ok((word(memory, at)?, word(memory, at.saturating_add(4))?))
    };
    let request = SpawnRequest {
        program: list(0, super::resolve::PATH_BYTES_MAX as u32)?,
        arguments: strings(2)?,
        environment: strings(4)?,
        cwd: list(6, super::resolve::PATH_BYTES_MAX as u32)?,
        descriptors: (0..pairs).map(pair).collect::<Result<_, _>>()?,
        new_group: field(10)? != 0,
        ignored_signals: field(11)?,
    };
    charge(
        guest,
        2 * (request.arguments.0.len() + request.environment.0.len()),
    );
    Ok(request)
}

pub fn proc_spawn(caller: &mut Caller<'_, Guest>, spawn: u32) -> Result<u32, Errno> {
    let request = read_spawn(caller, spawn)?;
    kernel::spawn(caller.data(), request)
}

pub async fn proc_exec(caller: &mut Caller<'_, Guest>, spawn: u32) -> Result<u32, Stop> {
    let request = read_spawn(caller, spawn)?;
    kernel::exec(caller.data_mut(), &request)?;
    Err(Stop::Exit(Exit::Exec))
}

pub async fn proc_fork(caller: &mut Caller<'_, Guest>, argument: i32) -> Result<u32, Stop> {
    Ok(kernel::fork(caller, argument).await?)
}

pub async fn proc_wait(
    caller: &mut Caller<'_, Guest>,
    pids: u32,
    count: u32,
    timeout_ns: i64,
    out: u32,
) -> Result<u32, Stop> {
    if count > PIDS_MAX {
        return Err(Errno::EINVAL.into());
    }
    let (memory, guest) = split(caller)?;
    let pid = |index: u32| word(memory, pids.saturating_add(index * 4));
    let pids = (0..count).map(pid).collect::<Result<Vec<_>, _>>()?;
    let timeout = u64::try_from(timeout_ns).ok().map(Duration::from_nanos);
    let Some((pid, status)) = kernel::wait(guest, &pids, timeout).await? else {
        return Ok(0);
    };
    let (code, signal) = match status {
        kernel::Status::Exited(code) => (u32::from(code), 0),
        kernel::Status::Signaled(signal) => (0, signal),
    };
    let waited = [pid, code, signal].map(u32::to_le_bytes).concat();
    put(memory, out, &waited)?;
    Ok(1)
}

pub async fn proc_kill(caller: &mut Caller<'_, Guest>, pid: i32, signal: u32) -> Result<u32, Stop> {
    let guest = caller.data();
    kernel::kill(guest, pid, signal)?;
    if guest.process.must_end().is_some() {
        // It hit itself: its task takes it from here, and this call never returns.
        std::future::pending::<()>().await;
    }
    Ok(0)
}

pub fn proc_identity(caller: &mut Caller<'_, Guest>, out: u32) -> Result<u32, Errno> {
    let (memory, guest) = split(caller)?;
    let process = &guest.process;
    let identity = [process.pid, process.parent, process.group]
        .map(u32::to_le_bytes)
        .concat();
    put(memory, out, &identity)?;
    Ok(0)
}

pub fn proc_umask(caller: &mut Caller<'_, Guest>, mask: u32) -> Result<u32, Errno> {
    Ok(caller
        .data()
        .process
        .umask
        .swap(mask & 0o777, Ordering::Relaxed))
}

/// Copies as much of `from` as fits and answers its whole length.
fn give(caller: &mut Caller<'_, Guest>, from: &[u8], out: u32, len: u32) -> Result<u32, Errno> {
    let (memory, guest) = split(caller)?;
    charge(guest, from.len());
    let kept = from.get(..from.len().min(len as usize)).unwrap_or_default();
    put(memory, out, kept)?;
    u32::try_from(from.len()).map_err(|_| Errno::EOVERFLOW)
}

pub fn proc_cwd(caller: &mut Caller<'_, Guest>, out: u32, len: u32) -> Result<u32, Errno> {
    let cwd = caller.data().image.cwd.clone();
    give(caller, &cwd, out, len)
}

pub fn sig_action(caller: &mut Caller<'_, Guest>, signal: u32, action: u32) -> Result<u32, Errno> {
    let action = Action::from_number(action).ok_or(Errno::EINVAL)?;
    if signal == 0 || signal >= SIGNALS {
        return Err(Errno::EINVAL);
    }
    Ok(caller.data().process.set_action(signal, action) as u32)
}

pub fn fd_pipe(caller: &mut Caller<'_, Guest>, out: u32) -> Result<u32, Errno> {
    let (reader, writer) = kernel::pipe();
    let descriptors = &mut caller.data_mut().descriptors;
    let read_end = descriptors.add(0, Descriptor::Reader(reader))?;
    let write_end = match descriptors.add(0, Descriptor::Writer(writer)) {
        Ok(number) => number,
        Err(errno) => {
            descriptors.close(read_end)?;
            return Err(errno);
        }
    };
    let (memory, _) = split(caller)?;
    put(
        memory,
        out,
        &[read_end, write_end].map(u32::to_le_bytes).concat(),
    )?;
    Ok(0)
}

pub fn fd_dup(caller: &mut Caller<'_, Guest>, fd: u32, least: u32) -> Result<u32, Errno> {
    if least >= NUMBERS_MAX {
        return Err(Errno::EINVAL);
    }
    let descriptors = &mut caller.data_mut().descriptors;
    let copy = descriptors.get(fd)?.clone();
    descriptors.add(least, copy)
}

pub fn fd_dup2(caller: &mut Caller<'_, Guest>, from: u32, to: u32) -> Result<u32, Errno> {
    let descriptors = &mut caller.data_mut().descriptors;
    let copy = descriptors.get(from)?.clone();
    descriptors.put(to, copy)?;
    Ok(to)
}

pub async fn fd_open(
    caller: &mut Caller<'_, Guest>,
    at: u32,
    len: u32,
    flags: u32,
    mode: u32,
) -> Result<u32, Stop> {
    let path = path(caller, at, len)?;
    let flags = OFlags::from_bits_retain(flags);
    let access = flags & OFlags::ACCMODE;
    let how = How {
        read: access != OFlags::WRONLY,
        write: access == OFlags::WRONLY || access == OFlags::RDWR,
        append: flags.contains(OFlags::APPEND),
        create: flags.contains(OFlags::CREATE),
        exclusive: flags.contains(OFlags::EXCL),
        truncate: flags.contains(OFlags::TRUNC),
        folder: flags.contains(OFlags::DIRECTORY),
        follow: !flags.contains(OFlags::NOFOLLOW),
        mode,
    };
    let root = Chain::root(&caller.data().call().mounts);
    let descriptor = open(caller.data(), root, &path, how).await?;
    Ok(caller.data_mut().descriptors.add(0, descriptor)?)
}

fn answer_stat(caller: &mut Caller<'_, Guest>, found: Stat, out: u32) -> Result<u32, Errno> {
    let (memory, _) = split(caller)?;
    put(memory, out, &found.to_bytes())?;
    Ok(0)
}

pub fn fs_stat(
    caller: &mut Caller<'_, Guest>,
    at: u32,
    len: u32,
    follow: u32,
    out: u32,
) -> Result<u32, Errno> {
    fs_fstatat(caller, ROOT, at, len, follow, out)
}

pub fn fs_fstatat(
    caller: &mut Caller<'_, Guest>,
    fd: u32,
    at: u32,
    len: u32,
    follow: u32,
    out: u32,
) -> Result<u32, Errno> {
    let path = path(caller, at, len)?;
    let guest = caller.data();
    let found = paths::stat(guest, base(guest, fd)?, &path, follow != 0)?;
    answer_stat(caller, found, out)
}

pub fn fs_fstat(caller: &mut Caller<'_, Guest>, fd: u32, out: u32) -> Result<u32, Errno> {
    let guest = caller.data();
    let found = if fd == ROOT {
        stat::folder(&guest.call().mounts.root())?
    } else {
        stat::descriptor(guest.descriptors.get(fd)?)?
    };
    answer_stat(caller, found, out)
}

pub async fn fs_chmod(
    caller: &mut Caller<'_, Guest>,
    at: u32,
    len: u32,
    mode: u32,
) -> Result<u32, Stop> {
    let path = path(caller, at, len)?;
    let root = Chain::root(&caller.data().call().mounts);
    paths::set_mode(caller.data(), root, &path, mode).await?;
    Ok(0)
}

pub async fn fs_fchmod(caller: &mut Caller<'_, Guest>, fd: u32, mode: u32) -> Result<u32, Stop> {
    let guest = caller.data();
    match guest.descriptors.get(fd)? {
        Descriptor::File(file) if file.protected => return Err(Errno::EPERM.into()),
        Descriptor::File(file) => match &file.mount {
            Some(mount) => paths::set_open_mode(mount, &file.fd, mode)?,
            None => return Err(Errno::EROFS.into()),
        },
        Descriptor::Directory(folder) => {
            paths::set_mode(guest, folder.chain.clone(), b".", mode).await?;
        }
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(0)
}

pub fn state_load(caller: &mut Caller<'_, Guest>, out: u32, len: u32) -> Result<u32, Errno> {
    if !caller.data().is_first_program() {
        return Ok(0);
    }
    let call = std::sync::Arc::clone(caller.data().call());
    give(caller, &call.state, out, len)
}

pub fn state_save(caller: &mut Caller<'_, Guest>, at: u32, len: u32) -> Result<u32, Errno> {
    if len as usize > kernel::STATE_BYTES_MAX {
        return Err(Errno::E2BIG);
    }
    let (memory, guest) = split(caller)?;
    charge(guest, len as usize);
    if !guest.is_first_program() {
        return Err(Errno::EPERM);
    }
    guest.call().offer_state(bytes(memory, at, len)?)?;
    Ok(0)
}
