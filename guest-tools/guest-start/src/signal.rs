//! Signals: pending flags with a disposition each.

use std::io;

use crate::{check, imports};

pub const HUP: u32 = 1;
pub const INT: u32 = 2;
pub const QUIT: u32 = 3;
pub const ABRT: u32 = 6;
pub const KILL: u32 = 9;
pub const USR1: u32 = 10;
pub const USR2: u32 = 12;
pub const PIPE: u32 = 13;
pub const ALRM: u32 = 14;
pub const TERM: u32 = 15;
pub const CHLD: u32 = 17;
pub const CONT: u32 = 18;
pub const STOP: u32 = 19;

/// What a signal does to this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Ends the process, or nothing for CHLD and CONT.
    Default,
    Ignored,
    /// Stays pending until [`take`]; ends a blocking host call with Interrupted.
    Caught,
}

/// Sets what `signal` (1..=31) does; answers what it did before. KILL and STOP stay as they are.
///
/// # Errors
/// EINVAL for a number out of range.
pub fn set(signal: u32, action: Action) -> io::Result<Action> {
    let old = check(unsafe { imports::sig_action(signal, action as u32) })?;
    Ok(match old {
        0 => Action::Default,
        1 => Action::Ignored,
        _ => Action::Caught,
    })
}

/// Takes the caught signals that are pending: bit N for signal N.
pub fn take() -> u32 {
    (unsafe { imports::sig_take() }) as u32
}

/// Sends `signal` (0: only asks whether it could) to a process, to this group (0), to group
/// `-pid`, or to all others of the call (-1).
///
/// # Errors
/// ESRCH, EINVAL.
pub fn send(pid: i32, signal: u32) -> io::Result<()> {
    check(unsafe { imports::proc_kill(pid, signal) }).map(drop)
}
