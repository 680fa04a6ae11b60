//! What the broker and the process that starts a native program tell each other.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::confinement::enclose::Terms;
use crate::native::pin::Pinned;

/// Largest assignment, in bytes: every word a rule can allow, and some thousand paths.
pub(super) const ASSIGNMENT_BYTES_MAX: usize = 32 << 20;
/// Largest report, in bytes.
pub(super) const REPORT_BYTES_MAX: usize = 64 << 10;

/// What is to be started, and how.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Assignment {
    pub(super) terms: Terms,
    pub(super) start: Start,
}

/// A program and what it is started with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Start {
    pub(super) program: Pinned,
    /// Its own name first.
    pub(super) arguments: Vec<String>,
    /// `NAME=value`.
    pub(super) environment: Vec<String>,
    /// Path in the tree.
    pub(super) cwd: String,
    /// The folder that must be `cwd`, or hold it, whatever links say.
    pub(super) within: String,
    /// Folders made before the start.
    pub(super) folders: Vec<PathBuf>,
}

/// What the broker says later.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) enum Word {
    Signal(i32),
}

/// What the process says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Report {
    /// The program runs.
    Started,
    /// It could not be enclosed or started: why.
    Refused(String),
    Ended(Ended),
}

/// How a native program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    pub status: Status,
    /// Microseconds of processors, of all its processes that were waited for.
    pub cpu_us: u64,
    /// The most bytes that one of them had in memory.
    pub memory_peak_bytes: u64,
}

/// As the kernel says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    Exited(u8),
    Signaled(u32),
}

impl Status {
    /// As a shell's `$?`.
    pub fn code(self) -> u8 {
        match self {
            Self::Exited(code) => code,
            Self::Signaled(signal) => 128_u8.saturating_add(u8::try_from(signal).unwrap_or(0)),
        }
    }
}
