//! Descriptors: pipes, duplicates, opening by Linux flags.

use std::{
    ffi::OsStr,
    io,
    os::{fd::FromRawFd, wasi::ffi::OsStrExt},
};

use crate::{check, imports};

/// Linux `open` flags, as the host reads them.
pub mod flag {
    pub const READ: u32 = 0;
    pub const WRITE: u32 = 1;
    pub const READ_WRITE: u32 = 2;
    pub const CREATE: u32 = 0o100;
    pub const EXCLUSIVE: u32 = 0o200;
    pub const TRUNCATE: u32 = 0o1000;
    pub const APPEND: u32 = 0o2000;
    pub const DIRECTORY: u32 = 0o200_000;
    pub const NO_FOLLOW: u32 = 0o400_000;
}

/// Makes a pipe: (read end, write end).
///
/// # Errors
/// EMFILE at the descriptor limit.
pub fn pipe() -> io::Result<(u32, u32)> {
    let mut ends = [0; 2];
    check(unsafe { imports::fd_pipe(&raw mut ends) })?;
    Ok((ends[0], ends[1]))
}

/// Duplicates `descriptor` onto the lowest free number that is at least `least`.
///
/// # Errors
/// EBADF, EMFILE.
pub fn duplicate(descriptor: u32, least: u32) -> io::Result<u32> {
    check(unsafe { imports::fd_dup(descriptor, least) })
}

/// Duplicates `from` onto `to`, closing what was there.
///
/// # Errors
/// EBADF, EMFILE.
pub fn duplicate_to(from: u32, to: u32) -> io::Result<()> {
    check(unsafe { imports::fd_dup2(from, to) }).map(drop)
}

/// Opens `path` (relative to the cwd or absolute) with Linux flags; answers the lowest free
/// number.
///
/// # Errors
/// What Linux `open` would say.
pub fn open(path: impl AsRef<OsStr>, flags: u32, mode: u32) -> io::Result<u32> {
    let path = crate::file::absolute(path.as_ref());
    let bytes = path.as_bytes();
    check(unsafe { imports::fd_open(bytes.as_ptr(), bytes.len(), flags, mode) })
}

/// Closes `descriptor`; a number that is not open is left alone.
pub fn close(descriptor: u32) {
    unsafe { libc::close(descriptor as i32) };
}

/// True when `descriptor` is open.
pub fn is_open(descriptor: u32) -> bool {
    crate::file::fstat(descriptor).is_ok()
}

/// Reads once; zero bytes mean the end.
///
/// # Errors
/// EBADF, Interrupted, or what the file says.
pub fn read(descriptor: u32, buffer: &mut [u8]) -> io::Result<usize> {
    let got = unsafe { libc::read(descriptor as i32, buffer.as_mut_ptr().cast(), buffer.len()) };
    usize::try_from(got).map_err(|_| io::Error::last_os_error())
}

/// Writes all of `bytes`, through interruptions.
///
/// # Errors
/// EBADF, BrokenPipe (only where SIGPIPE is ignored), StorageFull.
pub fn write_all(descriptor: u32, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let wrote = unsafe { libc::write(descriptor as i32, bytes.as_ptr().cast(), bytes.len()) };
        match usize::try_from(wrote) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(_) => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
    Ok(())
}

/// A std file over `descriptor`, which it then owns.
pub fn into_file(descriptor: u32) -> std::fs::File {
    unsafe { std::fs::File::from_raw_fd(descriptor as i32) }
}
