//! What happened to a call: exit, output, what stopped it, what it used.

use serde::{Deserialize, Serialize};

/// How a call ended. A failing command, a trap, a timeout are outcomes, not errors.
#[must_use]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The first process's status; 124 wall, 137 another limit, 126 denied, 127 absent.
    pub exit_code: u8,
    /// The limit that ended the call, or that refused something to a call that then failed.
    pub stopped_by: Option<StoppedBy>,
    pub stdout: Captured,
    pub stderr: Captured,
    /// Bytes of stdout and stderr that went to the caller as they came; counted by the broker.
    #[serde(skip)]
    pub streamed_bytes: (u64, u64),
    pub usage: Usage,
    /// The session's new shell state, when the shell ended by itself and offered one.
    pub state: Option<Vec<u8>>,
    /// Guest paths that were created, written, renamed or removed, sorted; at most
    /// [`CHANGED_MAX`], with `changed_more` true past that.
    #[serde(deserialize_with = "at_most::<_, _, CHANGED_MAX>")]
    pub changed: Vec<String>,
    pub changed_more: bool,
    /// Programs that the policy kept from starting, each with rule, line and reason; at most
    /// [`DENIED_MAX`].
    #[serde(deserialize_with = "at_most::<_, _, DENIED_MAX>")]
    pub denied: Vec<String>,
    /// What the session's folders held when the call had ended, if its calls count that.
    pub held: Option<Held>,
    /// Bytes of the input it was sent that the first process read.
    pub input_read_bytes: u64,
}

impl Outcome {
    /// The outcome of a call that a limit ended before it had one of its own; `text` is what its
    /// standard error says.
    pub fn stopped(by: StoppedBy, text: &str) -> Self {
        Self {
            exit_code: by.exit_code(),
            stopped_by: Some(by),
            stderr: Captured {
                head: text.into(),
                ..Captured::default()
            },
            ..Self::default()
        }
    }
}

/// Most changed paths an outcome names. Chosen, not measured.
pub const CHANGED_MAX: usize = 1_000;
/// Most denied programs an outcome names. Chosen: a script that tries more has been understood.
pub const DENIED_MAX: usize = 32;
/// Longest text of one of them, in bytes; what is longer is cut. Chosen, not measured.
pub const DENIED_BYTES_MAX: usize = 1_024;

/// Longest changed path that an outcome names, in bytes: twice what one argument may have, as links
/// make paths longer. A longer one counts as one of "more".
pub const CHANGED_PATH_BYTES_MAX: usize = 8_192;

/// One output stream as kept: the head and, past the limit, the tail.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Captured {
    #[serde(with = "as_bytes")]
    pub head: Vec<u8>,
    /// What was left out between head and tail, in bytes.
    pub omitted_bytes: u64,
    #[serde(with = "as_bytes")]
    pub tail: Vec<u8>,
}

/// What a call used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    pub fuel: u64,
    pub wall_us: u64,
    /// Most linear memory held at once by all processes.
    pub memory_peak_bytes: u64,
    /// Processes started.
    pub processes: u32,
    pub written_bytes: u64,
}

/// What folders hold, as a session's limits count it: every name with its size in whole blocks,
/// holes included, a file with several names once. Sizes and not the host's blocks, because they
/// are known before a write, do not shrink by compression or grow by preallocation, and let a hole
/// cost what filling it would. Signed, as where only growth is counted it may be below zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    pub bytes: i64,
    /// Names of files, folders and links.
    pub files: i64,
}

impl Held {
    /// Whole blocks are counted because a small file takes one. From ext4, XFS and tmpfs.
    const BLOCK_BYTES: u64 = 4_096;
    /// A further name of a file.
    pub const NAME: Self = Self { bytes: 0, files: 1 };

    /// A folder: one block, as its names are limited by their number.
    pub fn folder() -> Self {
        Self::name_and_bytes(1)
    }

    /// A name and so many bytes under it.
    pub fn name_and_bytes(size: u64) -> Self {
        Self {
            bytes: Self::in_blocks(size),
            files: 1,
        }
    }

    /// What a file of so many bytes counts for, without its name.
    pub fn in_blocks(size: u64) -> i64 {
        let blocks = size.div_ceil(Self::BLOCK_BYTES);
        i64::try_from(blocks.saturating_mul(Self::BLOCK_BYTES)).unwrap_or(i64::MAX)
    }
}

/// Which limit ended a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoppedBy {
    Wall,
    Fuel,
    Memory,
    Output,
    Processes,
    Descriptors,
    Disk,
    Inodes,
    Cancelled,
    /// The cell died or broke the protocol.
    Cell,
}

impl StoppedBy {
    /// The exit code an answer carries when this limit ended the call (DESIGN: wall 124, others 137).
    pub fn exit_code(self) -> u8 {
        if self == Self::Wall { 124 } else { 137 }
    }

    /// The word that answers and metrics have for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wall => "wall",
            Self::Fuel => "fuel",
            Self::Memory => "memory",
            Self::Output => "output",
            Self::Processes => "processes",
            Self::Descriptors => "descriptors",
            Self::Disk => "disk",
            Self::Inodes => "inodes",
            Self::Cancelled => "cancelled",
            Self::Cell => "cell",
        }
    }
}

/// Reads a list and stops at the first item past `MAX`: an empty text takes one byte on the wire and
/// some twenty in memory.
///
/// # Errors
/// The deserialiser's, and a list that is longer.
pub fn at_most<'de, D, T, const MAX: usize>(from: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Items<T, const MAX: usize>(std::marker::PhantomData<T>);
    impl<'de, T: Deserialize<'de>, const MAX: usize> serde::de::Visitor<'de> for Items<T, MAX> {
        type Value = Vec<T>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "at most {MAX} items")
        }
        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut items = Vec::new();
            while let Some(item) = list.next_element()? {
                if items.len() == MAX {
                    return Err(serde::de::Error::invalid_length(MAX + 1, &self));
                }
                items.push(item);
            }
            Ok(items)
        }
    }
    from.deserialize_seq(Items::<T, MAX>(std::marker::PhantomData))
}

/// Bytes in one piece on the wire; serde's own way for a `Vec<u8>` is a number at a time.
pub mod as_bytes {
    use std::fmt;

    use serde::{Deserializer, Serializer, de};

    /// Writes them.
    ///
    /// # Errors
    /// The serialiser's.
    pub fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    /// Reads them.
    ///
    /// # Errors
    /// The deserialiser's.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl de::Visitor<'_> for Bytes {
            type Value = Vec<u8>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
            fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
                Ok(bytes)
            }
        }
        from.deserialize_byte_buf(Bytes)
    }
}
