//! Permission bits for a cell that runs as root, which the kernel lets pass every one of them.
//! Guests see all files as the agent's own, so the owner's bits count. An ordinary user's cell
//! leaves this to the kernel.

use std::{os::fd::AsFd, sync::OnceLock};

use rustix::fs::fstat;

use super::Errno;

/// The owner's permission to read a file or list a folder.
pub const READ: u32 = 0o400;
/// The owner's permission to write a file or change a folder's names.
pub const WRITE: u32 = 0o200;
/// The owner's permission to go through a folder.
pub const SEARCH: u32 = 0o100;

/// Checks what is open as `fd` for all of `bits`.
///
/// # Errors
/// EACCES.
pub fn check(fd: impl AsFd, bits: u32) -> Result<(), Errno> {
    static ROOT: OnceLock<bool> = OnceLock::new();
    if !*ROOT.get_or_init(|| rustix::process::geteuid().is_root()) {
        return Ok(());
    }
    match fstat(fd)?.st_mode & bits == bits {
        true => Ok(()),
        false => Err(Errno::EACCES),
    }
}
