//! The session's shell state: bytes that the host keeps between calls.
//!
//! A record starts with the shell's folder (an absolute guest path) and a NUL: the host starts
//! the session's next call, of whatever tool, in that folder. The rest is the shell's own.

use std::io;

use crate::{check, imports};

/// The state the last shell of this session left; empty when there is none.
pub fn load() -> Vec<u8> {
    let len = unsafe { imports::state_load(std::ptr::null_mut(), 0) };
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
    if !bytes.is_empty() {
        unsafe { imports::state_load(bytes.as_mut_ptr(), bytes.len()) };
    }
    bytes
}

/// Offers the state to keep; an unchanged one too, so that the host knows the shell ended well. The last offer counts, and only when the call ends by itself.
///
/// # Errors
/// E2BIG past the limit the host sets; EPERM in a process that is not the call's first.
pub fn save(bytes: &[u8]) -> io::Result<()> {
    check(unsafe { imports::state_save(bytes.as_ptr(), bytes.len()) }).map(drop)
}
