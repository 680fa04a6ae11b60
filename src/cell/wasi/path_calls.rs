//! Preview 1 over paths: reads the arguments, then asks `open` and `paths`.

#![expect(
    clippy::too_many_arguments,
    reason = "preview 1 and our own imports have these signatures"
)]

use wasmtime::Caller;

use super::{
    Errno,
    descriptors::{base, times},
    memory::{bytes, bytes_mut, put, split},
    open::{How, open},
    paths,
    register::Stop,
    resolve::PATH_BYTES_MAX,
};
use crate::cell::kernel::Guest;

const SYMLINK_FOLLOW: u32 = 1;
// Preview 1 `oflags`.
const CREATE: u32 = 1;
const DIRECTORY: u32 = 2;
const EXCLUSIVE: u32 = 4;
const TRUNCATE: u32 = 8;
// Preview 1 `rights`.
const RIGHT_READ: u64 = 1 << 1;
const RIGHT_WRITE: u64 = 1 << 6;
const RIGHT_READDIR: u64 = 1 << 14;
const RIGHT_SET_SIZE: u64 = 1 << 22;
const FDFLAG_APPEND: u32 = 1;

/// A path out of guest memory.
///
/// # Errors
/// EFAULT, ENAMETOOLONG.
pub fn path(caller: &mut Caller<'_, Guest>, at: u32, len: u32) -> Result<Vec<u8>, Errno> {
    if len as usize > PATH_BYTES_MAX {
        return Err(Errno::ENAMETOOLONG);
    }
    let (memory, _) = split(caller)?;
    bytes(memory, at, len).map(<[u8]>::to_vec)
}

/// Paths of a preview-1 call are relative to a folder's descriptor, always.
fn relative(caller: &mut Caller<'_, Guest>, at: u32, len: u32) -> Result<Vec<u8>, Errno> {
    let path = path(caller, at, len)?;
    if path.starts_with(b"/") {
        Err(Errno::EPERM)
    } else {
        Ok(path)
    }
}

pub async fn path_open(
    caller: &mut Caller<'_, Guest>,
    fd: u32,
    flags: u32,
    at: u32,
    len: u32,
    open_flags: u32,
    rights: u64,
    _inheriting: u64,
    fd_flags: u32,
    out: u32,
) -> Result<(), Stop> {
    let path = relative(caller, at, len)?;
    let how = How {
        read: rights & (RIGHT_READ | RIGHT_READDIR) != 0,
        write: rights & (RIGHT_WRITE | RIGHT_SET_SIZE) != 0,
        append: fd_flags & FDFLAG_APPEND != 0,
        create: open_flags & CREATE != 0,
        exclusive: open_flags & EXCLUSIVE != 0,
        truncate: open_flags & TRUNCATE != 0,
        folder: open_flags & DIRECTORY != 0,
        follow: flags & SYMLINK_FOLLOW != 0,
        mode: 0o666,
    };
    let base = base(caller.data(), fd)?;
    let descriptor = open(caller.data(), base, &path, how).await?;
    let number = caller.data_mut().descriptors.add(0, descriptor)?;
    let (memory, _) = split(caller)?;
    put(memory, out, &number.to_le_bytes())?;
    Ok(())
}

pub fn path_create_directory(
    caller: &mut Caller<'_, Guest>,
    fd: u32,
    at: u32,
    len: u32,
) -> Result<(), Errno> {
    let path = relative(caller, at, len)?;
    paths::make_folder(caller.data(), base(caller.data(), fd)?, &path)
}

pub fn path_filestat_get(
    caller: &mut Caller<'_, Guest>,
    fd: u32,
    flags: u32,
    at: u32,
    len: u32,
    out: u32,
) -> Result<(), Errno> {
    let path = relative(caller, at, len)?;
    let guest = caller.data();
    let found = paths::stat(guest, base(guest, fd)?, &path, flags & SYMLINK_FOLLOW != 0)?;
    let (memory, _) = split(caller)?;
    put(memory, out, &found.to_filestat())
}

pub async fn path_filestat_set_times(
    caller: &mut Caller<'_, Guest>,
    fd: u32,
    flags: u32,
    at: u32,
    len: u32,
    accessed: u64,
    modified: u64,
    which: u32,
) -> Result<(), Stop> {
    let path = relative(caller, at, len)?;
    let times = times(accessed, modified, which)?;
    let guest = caller.data();
    let follow = flags & SYMLINK_FOLLOW != 0;
    Ok(paths::set_times(guest, base(guest, fd)?, &path, follow, &times).await?)
}

pub fn path_link(
    caller: &mut Caller<'_, Guest>,
    from_fd: u32,
    _flags: u32,
    from: u32,
    from_len: u32,
    to_fd: u32,
    to: u32,
    to_len: u32,
) -> Result<(), Errno> {
    let from = relative(caller, from, from_len)?;
    let to = relative(caller, to, to_len)?;
    let guest = caller.data();
    paths::link(
        guest,
        (base(guest, from_fd)?, &from),
        (base(guest, to_fd)?, &to),
    )
}

pub fn path_readlink(
    caller: &mut Caller<'_, Guest>,
    fd: u32,
    at: u32,
    len: u32,
    out: u32,
    out_len: u32,
    used: u32,
) -> Result<(), Errno> {
    let path = relative(caller, at, len)?;
    let guest = caller.data();
    let text = paths::link_text(guest, base(guest, fd)?, &path)?;
    let (memory, _) = split(caller)?;
    let count = text.len().min(out_len as usize);
    let count_word = u32::try_from(count).map_err(|_| Errno::EOVERFLOW)?;
    let kept = text.get(..count).unwrap_or_default();
    bytes_mut(memory, out, count_word)?.copy_from_slice(kept);
    put(memory, used, &count_word.to_le_bytes())
}

pub fn path_remove_directory(
    caller: &mut Caller<'_, Guest>,
    fd: u32,
    at: u32,
    len: u32,
) -> Result<(), Errno> {
    let path = relative(caller, at, len)?;
    paths::remove_folder(caller.data(), base(caller.data(), fd)?, &path)
}

pub fn path_rename(
    caller: &mut Caller<'_, Guest>,
    from_fd: u32,
    from: u32,
    from_len: u32,
    to_fd: u32,
    to: u32,
    to_len: u32,
) -> Result<(), Errno> {
    let from = relative(caller, from, from_len)?;
    let to = relative(caller, to, to_len)?;
    let guest = caller.data();
    paths::rename(
        guest,
        (base(guest, from_fd)?, &from),
        (base(guest, to_fd)?, &to),
    )
}

pub fn path_symlink(
    caller: &mut Caller<'_, Guest>,
    text: u32,
    text_len: u32,
    fd: u32,
    at: u32,
    len: u32,
) -> Result<(), Errno> {
    let text = path(caller, text, text_len)?;
    let path = relative(caller, at, len)?;
    paths::symlink(caller.data(), &text, base(caller.data(), fd)?, &path)
}

pub fn path_unlink_file(
    caller: &mut Caller<'_, Guest>,
    fd: u32,
    at: u32,
    len: u32,
) -> Result<(), Errno> {
    let path = relative(caller, at, len)?;
    paths::remove_file(caller.data(), base(caller.data(), fd)?, &path)
}
