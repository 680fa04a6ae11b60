//! This process's descriptors: the last ones are kept for its own work, so that guests and clients
//! can take all others and nothing of ours fails for want of one.
//!
//! The kernel gives the lowest free number. So a number among the last ones says that all others
//! are taken, and what was opened for somebody else is closed again.

use std::os::fd::{AsFd, AsRawFd as _};
use std::sync::atomic::{AtomicI32, Ordering};

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors kept for what is there once a process. Chosen, not measured: the record, state
/// files and the guests' modules take about ten.
const OWN: usize = 64;
/// Descriptors kept for every call that may run: its mounts, and a cell's socket. Chosen.
const OWN_PER_CALL: usize = 4;

/// First number that is not for others.
static OWN_FROM: AtomicI32 = AtomicI32::new(i32::MAX);

/// Raises the limit of open files as far as it goes, and keeps the last ones for this process's
/// own work: never more than half of them.
///
/// # Errors
/// The system refuses to raise the limit.
pub fn reserve(calls_max: usize) -> rustix::io::Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, limit)?;
    let all = i32::try_from(maximum.unwrap_or(u64::MAX)).unwrap_or(i32::MAX);
    let own = OWN.saturating_add(calls_max.saturating_mul(OWN_PER_CALL));
    let own = i32::try_from(own).unwrap_or(i32::MAX);
    OWN_FROM.store(all.saturating_sub(own).max(all / 2), Ordering::Relaxed);
    Ok(())
}

/// Passes on what was opened on behalf of somebody else.
///
/// # Errors
/// EMFILE when only our own descriptors are left; then it is closed.
pub fn lend<F: AsFd>(opened: F) -> rustix::io::Result<F> {
    if opened.as_fd().as_raw_fd() >= OWN_FROM.load(Ordering::Relaxed) {
        return Err(Errno::MFILE);
    }
    Ok(opened)
}

/// Looks whether one more could be opened for somebody else; `like` is anything that is open.
///
/// # Errors
/// As [`lend`], and what the system says.
pub fn room_to_lend(like: impl AsFd) -> rustix::io::Result<()> {
    lend(rustix::io::fcntl_dupfd_cloexec(like, 0)?).map(drop)
}
