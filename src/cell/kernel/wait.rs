//! Waiting for children, and signals between processes.

use std::time::Duration;

use super::{Guest, Pid, Status, launch::wait_interruptibly, signal};
use crate::cell::wasi::Errno;

/// Waits for one of `pids` (empty: any child) for at most `timeout` (`None`: for ever). `None`
/// when the time is over.
///
/// # Errors
/// ECHILD when there is nothing to wait for, EINTR.
pub async fn wait(
    guest: &Guest,
    pids: &[Pid],
    timeout: Option<Duration>,
) -> Result<Option<(Pid, Status)>, Errno> {
    let process = &guest.process;
    if timeout == Some(Duration::ZERO) {
        return process.reap(pids);
    }
    // The end of a child wakes this process's task, so looking again at each poll is enough.
    let found = wait_interruptibly(process, |_| match process.reap(pids) {
        Ok(None) => std::task::Poll::Pending,
        Ok(Some(ended)) => std::task::Poll::Ready(Ok(ended)),
        Err(errno) => std::task::Poll::Ready(Err(errno)),
    });
    match timeout {
        None => found.await?.map(Some),
        Some(timeout) => match tokio::time::timeout(timeout, found).await {
            Ok(found) => found?.map(Some),
            Err(_) => Ok(None),
        },
    }
}

/// Sends `signal` (0: only asks) to one process, the caller's group (0), group `-pid`, or every
/// other process of the call (-1).
///
/// # Errors
/// ESRCH when there is none, EINVAL for a number out of range.
pub fn kill(guest: &Guest, pid: i32, signal: u32) -> Result<(), Errno> {
    if signal >= signal::SIGNALS {
        return Err(Errno::EINVAL);
    }
    let me = &guest.process;
    let targets: Vec<_> = match pid {
        1.. => guest
            .call()
            .process(pid.cast_unsigned())
            .into_iter()
            .collect(),
        -1 => guest
            .call()
            .processes()
            .into_iter()
            .filter(|p| p.pid != me.pid)
            .collect(),
        0 => in_group(guest, me.group),
        _ => in_group(guest, pid.unsigned_abs()),
    };
    if targets.is_empty() {
        return Err(Errno::ESRCH);
    }
    if signal > 0 {
        for target in targets.iter().filter(|target| !target.has_exited()) {
            target.signal(signal);
        }
    }
    Ok(())
}

fn in_group(guest: &Guest, group: Pid) -> Vec<std::sync::Arc<super::Process>> {
    guest
        .call()
        .processes()
        .into_iter()
        .filter(|process| process.group == group)
        .collect()
}
