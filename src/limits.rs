//! Named ceilings: of one call over all its processes, and of what its session keeps.

use serde::{Deserialize, Serialize};

/// What one call may use. Every field is a hard ceiling; none is "unlimited".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Time from the call's start in the cell to its forced end, in milliseconds.
    pub wall_ms: u64,
    /// Wasm fuel units (about one per instruction), one budget for the whole call.
    pub fuel: u64,
    /// Linear memory of all processes together, in bytes.
    pub memory_bytes: u64,
    /// Linear memory of one process, in bytes; at most the pool's slot size.
    pub memory_process_bytes: u64,
    /// Bytes of stdout, and of stderr, that an answer keeps (head and tail).
    pub output_bytes: u64,
    /// Bytes of stdout and stderr together after which the call is stopped.
    pub output_stop_bytes: u64,
    /// Processes alive at once.
    pub processes: u32,
    /// Open descriptors of all processes together.
    pub descriptors: u32,
    /// Bytes written to files.
    pub written_bytes: u64,
    /// Files, folders and links created.
    pub inodes: u64,
    /// Bytes that the session's workspace and /tmp hold, as [`crate::outcome::Held`] counts them.
    pub session_disk_bytes: u64,
    /// Files, folders and links that the session's workspace and /tmp hold.
    pub session_files: u64,
}

impl Default for Limits {
    /// Chosen, not measured, but for fuel: two cores burn at most 32 G units a second (64
    /// processes in a loop without calls), so it outlasts the default wall twice over.
    fn default() -> Self {
        Self {
            wall_ms: 120_000,
            fuel: 10_000_000_000_000,
            memory_bytes: 1 << 30,
            memory_process_bytes: 256 << 20,
            output_bytes: 256 << 10,
            output_stop_bytes: 64 << 20,
            processes: 128,
            descriptors: 1024,
            written_bytes: 1 << 30,
            inodes: 100_000,
            session_disk_bytes: 1 << 30,
            session_files: 100_000,
        }
    }
}
