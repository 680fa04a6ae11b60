//! File facts and file creation with modes.

use std::{fs, io, path::Path};

/// The `stat` that std keeps inside its metadata.
///
/// The pinned compiler lays `std::fs::Metadata` out as exactly one `libc::stat` on this target;
/// the assertions below stop the build should another compiler do otherwise.
fn raw(metadata: &fs::Metadata) -> &libc::stat {
    const { assert!(size_of::<fs::Metadata>() == size_of::<libc::stat>()) };
    const { assert!(align_of::<fs::Metadata>() == align_of::<libc::stat>()) };
    unsafe { &*std::ptr::from_ref(metadata).cast::<libc::stat>() }
}

/// The accessors of `std::os::unix::fs::MetadataExt`.
pub trait MetadataExt {
    fn stat(&self) -> &libc::stat;
    fn dev(&self) -> u64 {
        self.stat().st_dev
    }
    fn ino(&self) -> u64 {
        self.stat().st_ino
    }
    fn mode(&self) -> u32 {
        self.stat().st_mode
    }
    fn nlink(&self) -> u64 {
        self.stat().st_nlink
    }
    fn uid(&self) -> u32 {
        self.stat().st_uid
    }
    fn gid(&self) -> u32 {
        self.stat().st_gid
    }
    fn rdev(&self) -> u64 {
        self.stat().st_rdev
    }
    fn size(&self) -> u64 {
        self.stat().st_size as u64
    }
    fn blksize(&self) -> u64 {
        self.stat().st_blksize as u64
    }
    fn blocks(&self) -> u64 {
        self.stat().st_blocks as u64
    }
    fn atime(&self) -> i64 {
        self.stat().st_atim.tv_sec
    }
    fn atime_nsec(&self) -> i64 {
        self.stat().st_atim.tv_nsec.into()
    }
    fn mtime(&self) -> i64 {
        self.stat().st_mtim.tv_sec
    }
    fn mtime_nsec(&self) -> i64 {
        self.stat().st_mtim.tv_nsec.into()
    }
    fn ctime(&self) -> i64 {
        self.stat().st_ctim.tv_sec
    }
    fn ctime_nsec(&self) -> i64 {
        self.stat().st_ctim.tv_nsec.into()
    }
}

impl MetadataExt for fs::Metadata {
    fn stat(&self) -> &libc::stat {
        raw(self)
    }
}

/// The questions of `std::os::unix::fs::FileTypeExt`.
pub trait FileTypeExt {
    fn type_bits(&self) -> u32;
    fn is_block_device(&self) -> bool {
        self.type_bits() == 0o060_000
    }
    fn is_char_device(&self) -> bool {
        self.type_bits() == 0o020_000
    }
    fn is_fifo(&self) -> bool {
        self.type_bits() == 0o010_000
    }
    fn is_socket(&self) -> bool {
        self.type_bits() == 0o140_000
    }
}

impl FileTypeExt for fs::FileType {
    fn type_bits(&self) -> u32 {
        const { assert!(size_of::<fs::FileType>() == size_of::<libc::mode_t>()) };
        let mode: libc::mode_t = unsafe { std::mem::transmute_copy(self) };
        mode & 0o170_000
    }
}

/// The accessors of `std::os::unix::fs::PermissionsExt`.
pub trait PermissionsExt {
    fn mode(&self) -> u32;
    fn set_mode(&mut self, mode: u32);
    fn from_mode(mode: u32) -> Self;
}

impl PermissionsExt for fs::Permissions {
    fn mode(&self) -> u32 {
        const { assert!(size_of::<fs::Permissions>() == size_of::<libc::mode_t>()) };
        unsafe { std::mem::transmute_copy::<Self, libc::mode_t>(self) }
    }
    fn set_mode(&mut self, mode: u32) {
        *self = Self::from_mode(mode);
    }
    fn from_mode(mode: u32) -> Self {
        unsafe { std::mem::transmute::<libc::mode_t, Self>(mode) }
    }
}

/// Sets permission bits, which std refuses on WASI.
///
/// # Errors
/// What Linux `chmod` would say.
pub fn set_permissions(path: impl AsRef<Path>, permissions: fs::Permissions) -> io::Result<()> {
    guest_start::file::chmod(path, permissions.mode() & 0o7777)
}

/// Sets permission bits.
///
/// # Errors
/// What Linux `chmod` would say.
pub fn set_mode(path: impl AsRef<Path>, mode: u32) -> io::Result<()> {
    guest_start::file::chmod(path, mode)
}

/// Creates a symbolic link at `link` that says `target`.
///
/// # Errors
/// What Linux `symlink` would say.
pub fn symlink(target: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    use std::os::wasi::ffi::OsStrExt;
    let text = |path: &Path| std::ffi::CString::new(path.as_os_str().as_bytes());
    let (target, link) = (text(target.as_ref())?, text(link.as_ref())?);
    match unsafe { libc::symlink(target.as_ptr(), link.as_ptr()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The file creation mask.
#[must_use]
pub fn umask() -> u32 {
    let mask = guest_start::process::umask(0o022);
    guest_start::process::umask(mask);
    mask
}

/// Creates a folder with exactly `mode`, whatever the mask says.
///
/// # Errors
/// What Linux `mkdir` and `chmod` would say.
pub fn create_dir(path: impl AsRef<Path>, mode: u32) -> io::Result<()> {
    fs::create_dir(path.as_ref())?;
    guest_start::file::chmod(path, mode)
}

/// A device number.
#[expect(
    non_camel_case_types,
    reason = "libc's name, which ported programs use"
)]
pub type dev_t = u64;

/// The major number of a Linux device.
#[must_use]
pub const fn major(device: dev_t) -> u32 {
    (((device >> 32) & 0xffff_f000) | ((device >> 8) & 0xfff)) as u32
}

/// The minor number of a Linux device.
#[must_use]
pub const fn minor(device: dev_t) -> u32 {
    (((device >> 12) & 0xffff_ff00) | (device & 0xff)) as u32
}
