//! Named ceilings: of one call over all its processes, and of what its session keeps; and how
//! strong walls are.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How confined a process is, the weakest first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[schemars(description = "How strongly the kernel must confine a native program.")]
pub enum Confinement {
    // Landlock and seccomp.
    Basic,
    // As full, with cgroups or the network namespace replaced by what does nearly the same.
    Strong,
    // Namespaces, a root of its own, Landlock, seccomp, cgroup limits.
    Full,
}

impl Confinement {
    /// The level's name in configuration, records and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Strong => "strong",
            Self::Full => "full",
        }
    }
}

impl FromStr for Confinement {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "basic" => Ok(Self::Basic),
            "strong" => Ok(Self::Strong),
            "full" => Ok(Self::Full),
            _ => Err(format!("`{text}` is not one of full, strong, basic")),
        }
    }
}

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
