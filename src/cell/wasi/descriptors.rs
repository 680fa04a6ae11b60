//! Preview 1 over descriptors: reading, writing, positions, facts.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "each call is for one or two kinds of descriptor; a new kind is refused"
)]
#![expect(
    clippy::too_many_arguments,
    reason = "preview 1 and our own imports have these signatures"
)]

use std::{
    sync::{Arc, atomic::Ordering},
    task::Poll,
};

use rustix::fs::{SeekFrom, Timestamps, futimens, seek};
use wasmtime::Caller;

use super::{
    Errno,
    file::{CHUNK_BYTES, OpenFile},
    memory::{bytes, bytes_mut, first_buffer, put, split},
    mounts::Folder,
    paths,
    register::Stop,
    resolve::Chain,
    stat,
};
use crate::cell::kernel::{
    Descriptor, Device, Exit, FIRST_PREOPEN, Guest,
    signal::{self, Action},
    wait_interruptibly,
};

/// Where `/` answers: outside every descriptor table (guest-start registers it).
pub const ROOT: u32 = 0x4000_0000;
const FDFLAG_APPEND: u32 = 1;
/// Most bytes of output one write takes: what waits for the broker is chunks of this size, and
/// none outgrows a frame.
const OUTPUT_CHUNK_BYTES: usize = 64 << 10;

/// What a random byte costs, in moved bytes. Measured by tests/host_calls.rs.
pub const RANDOM_COST: usize = 16;

/// Charges the `bytes` a host call moved; the call itself is charged where it is registered.
pub fn charge(guest: &Guest, bytes: usize) {
    guest.call().spend(bytes as u64 / 4);
}

/// Where a path relative to `fd` starts.
///
/// # Errors
/// EBADF, ENOTDIR.
pub fn base(guest: &Guest, fd: u32) -> Result<Chain, Errno> {
    if fd == ROOT {
        return Ok(Chain::root(&guest.call().mounts));
    }
    match guest.descriptors.get(fd)? {
        Descriptor::Directory(open) => Ok(open.chain.clone()),
        _ => Err(Errno::ENOTDIR),
    }
}

fn file(guest: &Guest, fd: u32) -> Result<Arc<OpenFile>, Errno> {
    match guest.descriptors.get(fd)? {
        Descriptor::File(file) => Ok(Arc::clone(file)),
        Descriptor::Directory(_) => Err(Errno::EISDIR),
        Descriptor::Device(_) => Err(Errno::EINVAL),
        _ => Err(Errno::ESPIPE),
    }
}

pub async fn fd_read(
    caller: &mut Caller<'_, Guest>,
    fd: u32,
    list: u32,
    count: u32,
    out: u32,
) -> Result<(), Stop> {
    let (memory, guest) = split(caller)?;
    let (at, len) = first_buffer(memory, list, count)?;
    let descriptor = guest.descriptors.get(fd)?.clone();
    let buffer = bytes_mut(memory, at, len)?;
    let got = match descriptor {
        Descriptor::File(file) => file.read(buffer, None)?,
        Descriptor::Input(input) => input.read(buffer),
        Descriptor::Reader(pipe) => {
            let process = Arc::clone(&guest.process);
            wait_interruptibly(&process, |cx| pipe.poll_read(cx, buffer)).await?
        }
        Descriptor::Device(device) => {
            let got = read_device(device, buffer)?;
            if device == Device::Random {
                charge(guest, got * RANDOM_COST);
            }
            got
        }
        Descriptor::Directory(_) => return Err(Errno::EISDIR.into()),
        Descriptor::Writer(_) | Descriptor::Output(_) => return Err(Errno::EBADF.into()),
    };
    charge(guest, got);
    put(
        memory,
        out,
        &u32::try_from(got).unwrap_or(u32::MAX).to_le_bytes(),
    )?;
    Ok(())
}

/// Fills `buffer` from a device.
///
/// # Errors
/// EIO when there is no randomness.
pub fn read_device(device: Device, buffer: &mut [u8]) -> Result<usize, Errno> {
    let length = buffer.len().min(CHUNK_BYTES);
    let buffer = buffer.get_mut(..length).unwrap_or_default();
    match device {
        Device::Null => return Ok(0),
        Device::Zero => buffer.fill(0),
        Device::Random => getrandom::fill(buffer).map_err(|_| Errno::EIO)?,
    }
    Ok(length)
}

pub async fn fd_write(
    caller: &mut Caller<'_, Guest>,
    fd: u32,
    list: u32,
    count: u32,
    out: u32,
) -> Result<(), Stop> {
    let (memory, guest) = split(caller)?;
    let (at, len) = first_buffer(memory, list, count)?;
    let descriptor = guest.descriptors.get(fd)?.clone();
    let buffer = bytes(memory, at, len)?;
    let wrote = match descriptor {
        Descriptor::File(file) => file.write(buffer, None)?,
        Descriptor::Output(output) => {
            let kept = buffer.len().min(OUTPUT_CHUNK_BYTES);
            let chunk = buffer.get(..kept).unwrap_or_default();
            guest.call().count_output(chunk.len() as u64);
            if guest.process.must_end().is_some() {
                // Not one byte past the limit, for the rest of its slice either.
                std::future::pending::<()>().await;
            }
            output.write(chunk).await;
            chunk.len()
        }
        Descriptor::Writer(pipe) => {
            let process = Arc::clone(&guest.process);
            let sent = wait_interruptibly(&process, |cx| match pipe.poll_write(cx, buffer) {
                Poll::Ready(sent) => Poll::Ready(sent),
                Poll::Pending => Poll::Pending,
            });
            match sent.await? {
                Err(Errno::EPIPE) => return Err(broken_pipe(guest)),
                sent => sent?,
            }
        }
        Descriptor::Device(_) => buffer.len(),
        Descriptor::Directory(_) | Descriptor::Reader(_) | Descriptor::Input(_) => {
            return Err(Errno::EBADF.into());
        }
    };
    charge(guest, wrote);
    put(
        memory,
        out,
        &u32::try_from(wrote).unwrap_or(u32::MAX).to_le_bytes(),
    )?;
    Ok(())
}

/// A broken pipe ends the writer as SIGPIPE does, unless it asked for something else.
fn broken_pipe(guest: &Guest) -> Stop {
    match guest.process.signals().action(signal::PIPE) {
        Action::Default => Stop::Exit(Exit::Signal(signal::PIPE)),
        Action::Ignored => Errno::EPIPE.into(),
        Action::Caught => {
            guest.process.signal(signal::PIPE);
            Errno::EPIPE.into()
        }
    }
}

pub fn fd_pread(
    caller: &mut Caller<'_, Guest>,
    fd: u32,
    list: u32,
    count: u32,
    offset: u64,
    out: u32,
) -> Result<(), Errno> {
    let (memory, guest) = split(caller)?;
    let (at, len) = first_buffer(memory, list, count)?;
    let got = file(guest, fd)?.read(bytes_mut(memory, at, len)?, Some(offset))?;
    charge(guest, got);
    put(
        memory,
        out,
        &u32::try_from(got).unwrap_or(u32::MAX).to_le_bytes(),
    )
}

pub fn fd_pwrite(
    caller: &mut Caller<'_, Guest>,
    fd: u32,
    list: u32,
    count: u32,
    offset: u64,
    out: u32,
) -> Result<(), Errno> {
    let (memory, guest) = split(caller)?;
    let (at, len) = first_buffer(memory, list, count)?;
    let wrote = file(guest, fd)?.write(bytes(memory, at, len)?, Some(offset))?;
    charge(guest, wrote);
    put(
        memory,
        out,
        &u32::try_from(wrote).unwrap_or(u32::MAX).to_le_bytes(),
    )
}

pub fn fd_advise(
    caller: &mut Caller<'_, Guest>,
    fd: u32,
    _offset: u64,
    _len: u64,
    _advice: u32,
) -> Result<(), Errno> {
    file(caller.data(), fd).map(drop)
}

pub fn fd_allocate(
    caller: &mut Caller<'_, Guest>,
    fd: u32,
    offset: u64,
    len: u64,
) -> Result<(), Errno> {
    let file = file(caller.data(), fd)?;
    let end = offset.checked_add(len).ok_or(Errno::EFBIG)?;
    if end > file.stat()?.size {
        file.set_size(end)
    } else {
        Ok(())
    }
}

pub fn fd_close(caller: &mut Caller<'_, Guest>, fd: u32) -> Result<(), Errno> {
    caller.data_mut().descriptors.close(fd).map(drop)
}

pub fn fd_datasync(caller: &mut Caller<'_, Guest>, fd: u32) -> Result<(), Errno> {
    fd_sync(caller, fd)
}

/// Answers without syncing: durability across a power cut is the operator's filesystem's
/// business, and a guest that could force disk flushes would slow every neighbour.
pub fn fd_sync(caller: &mut Caller<'_, Guest>, fd: u32) -> Result<(), Errno> {
    caller.data().descriptors.get(fd).map(drop)
}

pub fn fd_fdstat_get(caller: &mut Caller<'_, Guest>, fd: u32, out: u32) -> Result<(), Errno> {
    let (memory, guest) = split(caller)?;
    let (mut filetype, mut flags) = (3, 0u16);
    if fd != ROOT {
        let descriptor = guest.descriptors.get(fd)?;
        filetype = stat::descriptor(descriptor)?.filetype();
        if let Descriptor::File(file) = descriptor {
            flags = u16::from(file.append.load(Ordering::Relaxed));
        }
    }
    let mut answer = [0; 24];
    let rights = u64::MAX.to_le_bytes();
    let fields = [
        &[filetype, 0][..],
        &flags.to_le_bytes(),
        &[0; 4],
        &rights,
        &rights,
    ]
    .concat();
    for (place, byte) in answer.iter_mut().zip(fields) {
        *place = byte;
    }
    put(memory, out, &answer)
}

pub fn fd_fdstat_set_flags(
    caller: &mut Caller<'_, Guest>,
    fd: u32,
    flags: u32,
) -> Result<(), Errno> {
    match caller.data().descriptors.get(fd)? {
        Descriptor::File(file) => file.set_append(flags & FDFLAG_APPEND != 0),
        _ => Ok(()),
    }
}

pub fn fd_fdstat_set_rights(
    caller: &mut Caller<'_, Guest>,
    fd: u32,
    _base: u64,
    _inheriting: u64,
) -> Result<(), Errno> {
    caller.data().descriptors.get(fd).map(drop)
}

pub fn fd_filestat_get(caller: &mut Caller<'_, Guest>, fd: u32, out: u32) -> Result<(), Errno> {
    let (memory, guest) = split(caller)?;
    let found = if fd == ROOT {
        stat::folder(&guest.call().mounts.root())?
    } else {
        stat::descriptor(guest.descriptors.get(fd)?)?
    };
    put(memory, out, &found.to_filestat())
}

pub fn fd_filestat_set_size(
    caller: &mut Caller<'_, Guest>,
    fd: u32,
    size: u64,
) -> Result<(), Errno> {
    file(caller.data(), fd)?.set_size(size)
}

pub async fn fd_filestat_set_times(
    caller: &mut Caller<'_, Guest>,
    fd: u32,
    accessed: u64,
    modified: u64,
    flags: u32,
) -> Result<(), Stop> {
    let times = times(accessed, modified, flags)?;
    match caller.data().descriptors.get(fd)? {
        Descriptor::File(file) if file.protected => Err(Errno::EPERM.into()),
        Descriptor::File(file) if file.mount.as_ref().is_some_and(|m| m.writable) => {
            if file.stat()?.nlink > 1 {
                // One of its names may be outside.
                return Err(Errno::EMLINK.into());
            }
            futimens(&file.fd, &times).map_err(Errno::from)?;
            Ok(())
        }
        Descriptor::Directory(open) => match open.chain.folder() {
            Folder::Host { mount, .. } if mount.writable => {
                let (chain, guest) = (open.chain.clone(), caller.data());
                Ok(paths::set_times(guest, chain, b".", true, &times).await?)
            }
            _ => Err(Errno::EROFS.into()),
        },
        _ => Err(Errno::EROFS.into()),
    }
}

/// Preview 1 `fstflags`: 1 accessed, 2 accessed now, 4 modified, 8 modified now.
///
/// # Errors
/// EINVAL for a time both given and "now".
pub fn times(accessed: u64, modified: u64, flags: u32) -> Result<Timestamps, Errno> {
    let has = |bit: u32| flags & bit != 0;
    if (has(1) && has(2)) || (has(4) && has(8)) {
        return Err(Errno::EINVAL);
    }
    Ok(Timestamps {
        last_access: paths::timespec(accessed, has(1), has(2)),
        last_modification: paths::timespec(modified, has(4), has(8)),
    })
}

/// The name of a folder that is open from the start.
fn preopen(guest: &Guest, fd: u32) -> Result<&[u8], Errno> {
    if fd == ROOT {
        return Ok(b"/");
    }
    let place = fd.checked_sub(FIRST_PREOPEN).ok_or(Errno::EBADF)?;
    let name = guest.image.preopens.get(place as usize);
    name.map(|preopen| &*preopen.name).ok_or(Errno::EBADF)
}

pub fn fd_prestat_get(caller: &mut Caller<'_, Guest>, fd: u32, out: u32) -> Result<(), Errno> {
    let (memory, guest) = split(caller)?;
    let length = u32::try_from(preopen(guest, fd)?.len()).unwrap_or(0);
    let [a, b, c, d] = length.to_le_bytes();
    put(memory, out, &[0, 0, 0, 0, a, b, c, d])
}

pub fn fd_prestat_dir_name(
    caller: &mut Caller<'_, Guest>,
    fd: u32,
    out: u32,
    len: u32,
) -> Result<(), Errno> {
    let (memory, guest) = split(caller)?;
    let name = preopen(guest, fd)?;
    if (len as usize) < name.len() {
        return Err(Errno::ENAMETOOLONG);
    }
    put(memory, out, name)
}

pub async fn fd_readdir(
    caller: &mut Caller<'_, Guest>,
    fd: u32,
    out: u32,
    len: u32,
    cookie: u64,
    used: u32,
) -> Result<(), Stop> {
    let (memory, guest) = split(caller)?;
    let open = match guest.descriptors.get(fd)? {
        Descriptor::Directory(open) => Arc::clone(open),
        _ => return Err(Errno::ENOTDIR.into()),
    };
    let listing = open.entries(cookie == 0).await?;
    let first = usize::try_from(cookie).unwrap_or(usize::MAX);
    let entries = listing.entries.get(first..).unwrap_or_default();
    let buffer = bytes_mut(memory, out, len)?;
    let mut filled = 0;
    for (place, entry) in (1u64..).zip(entries) {
        let next = cookie.saturating_add(place);
        let name_len = u32::try_from(entry.name.len()).unwrap_or(0).to_le_bytes();
        let head = [
            &next.to_le_bytes()[..],
            &entry.ino.to_le_bytes(),
            &name_len,
            &[entry.filetype, 0, 0, 0],
        ];
        for byte in head.concat().iter().chain(&entry.name) {
            let Some(place) = buffer.get_mut(filled) else {
                break;
            };
            *place = *byte;
            filled += 1;
        }
        if filled == buffer.len() {
            break;
        }
    }
    charge(guest, filled);
    put(
        memory,
        used,
        &u32::try_from(filled).unwrap_or(u32::MAX).to_le_bytes(),
    )?;
    Ok(())
}

pub fn fd_renumber(caller: &mut Caller<'_, Guest>, from: u32, to: u32) -> Result<(), Errno> {
    let descriptors = &mut caller.data_mut().descriptors;
    let moved = descriptors.get(from)?.clone();
    if from != to {
        descriptors.put(to, moved)?;
        descriptors.close(from)?;
    }
    Ok(())
}

pub fn fd_seek(
    caller: &mut Caller<'_, Guest>,
    fd: u32,
    offset: i64,
    whence: u32,
    out: u32,
) -> Result<(), Errno> {
    let (memory, guest) = split(caller)?;
    let position = match guest.descriptors.get(fd)? {
        // Devices have no position, but Linux lets programs seek on /dev/null.
        Descriptor::Device(_) => 0,
        _ => {
            let to = match whence {
                0 => SeekFrom::Start(u64::try_from(offset).map_err(|_| Errno::EINVAL)?),
                1 => SeekFrom::Current(offset),
                2 => SeekFrom::End(offset),
                _ => return Err(Errno::EINVAL),
            };
            seek(&file(guest, fd)?.fd, to)?
        }
    };
    put(memory, out, &position.to_le_bytes())
}

pub fn fd_tell(caller: &mut Caller<'_, Guest>, fd: u32, out: u32) -> Result<(), Errno> {
    fd_seek(caller, fd, 0, 1, out)
}
