//! File facts that preview 1 leaves out: modes, owners, block counts.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::wasi::ffi::{OsStrExt, OsStringExt},
    path::Path,
};

pub use crate::imports::Stat;
use crate::{check, imports};

const TYPE_MASK: u32 = 0o170_000;

impl Stat {
    pub fn is_file(&self) -> bool {
        self.mode & TYPE_MASK == 0o100_000
    }
    pub fn is_dir(&self) -> bool {
        self.mode & TYPE_MASK == 0o040_000
    }
    pub fn is_symlink(&self) -> bool {
        self.mode & TYPE_MASK == 0o120_000
    }
    pub fn is_fifo(&self) -> bool {
        self.mode & TYPE_MASK == 0o010_000
    }
    pub fn is_char_device(&self) -> bool {
        self.mode & TYPE_MASK == 0o020_000
    }
}

/// Everything about the file at `path`; `follow` follows a final symbolic link.
///
/// # Errors
/// What Linux `stat` would say.
pub fn stat(path: impl AsRef<Path>, follow: bool) -> io::Result<Stat> {
    let path = absolute(path.as_ref().as_os_str());
    let (bytes, mut stat) = (path.as_bytes(), Stat::default());
    check(unsafe {
        imports::fs_stat(
            bytes.as_ptr(),
            bytes.len(),
            u32::from(follow),
            &raw mut stat,
        )
    })?;
    Ok(stat)
}

/// Everything about an open file.
///
/// # Errors
/// EBADF.
pub fn fstat(descriptor: u32) -> io::Result<Stat> {
    let mut stat = Stat::default();
    check(unsafe { imports::fs_fstat(descriptor, &raw mut stat) })?;
    Ok(stat)
}

/// Sets the permission bits of the file at `path`, following links.
///
/// # Errors
/// What Linux `chmod` would say.
pub fn chmod(path: impl AsRef<Path>, mode: u32) -> io::Result<()> {
    let path = absolute(path.as_ref().as_os_str());
    let bytes = path.as_bytes();
    check(unsafe { imports::fs_chmod(bytes.as_ptr(), bytes.len(), mode) }).map(drop)
}

/// Joins `path` to the cwd as bytes; `.` and `..` are left to the host. An empty path stays
/// empty, which the host answers with ENOENT as Linux does.
pub(crate) fn absolute(path: &OsStr) -> OsString {
    let bytes = path.as_bytes();
    if bytes.is_empty() || bytes.starts_with(b"/") {
        return path.to_owned();
    }
    let cwd = std::env::current_dir().unwrap_or_else(|_| "/".into());
    OsString::from_vec([cwd.as_os_str().as_bytes(), b"/", bytes].concat())
}
