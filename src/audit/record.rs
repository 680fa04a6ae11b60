//! The kinds of record, written and read by the same types. Secrets cannot enter them: variables
//! are named without values, and contents of files are digests.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::audit::tree::TreeHead;
use crate::limits::Limits;
use crate::outcome::{StoppedBy, Usage};

/// What is about to run, or was denied.
///
/// `request_id` and `decision` come first: [`line::mark`](super::line::mark) looks for them there.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent<'a> {
    #[serde(borrow)]
    pub request_id: Cow<'a, str>,
    pub decision: Verdict,
    /// The token's name.
    #[serde(borrow)]
    pub agent: Cow<'a, str>,
    /// How the request came in, such as `http`.
    #[serde(borrow)]
    pub door: Cow<'a, str>,
    #[serde(borrow)]
    pub session: Cow<'a, str>,
    #[serde(borrow)]
    pub tool: Cow<'a, str>,
    #[serde(borrow)]
    pub request: Asked<'a>,
    /// SHA-256 of the request as JSON with sorted keys, with variables' names and not their values.
    pub request_sha256: String,
    /// `tool`, `deny` or another kind of rule; `default` when none matched.
    #[serde(borrow)]
    pub rule: Cow<'a, str>,
    /// The rule's first line in the policy's file; 0 when none matched.
    pub line: usize,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub policy: PolicyInForce<'a>,
    #[serde(borrow)]
    pub lane: Cow<'a, str>,
    /// The walls around the call.
    #[serde(borrow)]
    pub confinement: Cow<'a, str>,
    /// What the call may use; nothing for a denied one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Granted>,
    /// SHA-256 of the caller's `Idempotency-Key`.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub idempotency_sha256: Option<Cow<'a, str>>,
}

/// What the policy said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Allow,
    Deny,
}

/// Which policy decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyInForce<'a> {
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    pub version: u64,
    #[serde(borrow)]
    pub sha256: Cow<'a, str>,
}

/// The request with long texts cut and contents as digests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked<'a> {
    /// The folder it was to run in, as asked or as the session had it; absent: `/workspace`.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Names of variables, without values.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<Cow<'a, str>>,
    /// The tool's fields that are kept as text, such as `command` and paths.
    #[serde(
        borrow,
        default,
        skip_serializing_if = "Vec::is_empty",
        with = "as_map"
    )]
    pub fields: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// Fields that are not kept whole.
    #[serde(
        borrow,
        default,
        skip_serializing_if = "Vec::is_empty",
        with = "as_map"
    )]
    pub digests: Vec<(Cow<'a, str>, Digested)>,
}

/// Stands for a text that is not kept, or not whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digested {
    pub bytes: u64,
    pub sha256: String,
}

/// What one call may use, in the units of [`Limits`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Granted {
    pub wall_ms: u64,
    pub fuel: u64,
    pub memory_bytes: u64,
    pub output_bytes: u64,
    pub processes: u32,
    pub descriptors: u32,
    pub written_bytes: u64,
    pub inodes: u64,
    /// Absent in older records, of calls whose sessions were not limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_disk_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_files: Option<u64>,
}

impl From<&Limits> for Granted {
    fn from(limits: &Limits) -> Self {
        Self {
            wall_ms: limits.wall_ms,
            fuel: limits.fuel,
            memory_bytes: limits.memory_bytes,
            output_bytes: limits.output_stop_bytes,
            processes: limits.processes,
            descriptors: limits.descriptors,
            written_bytes: limits.written_bytes,
            inodes: limits.inodes,
            session_disk_bytes: Some(limits.session_disk_bytes),
            session_files: Some(limits.session_files),
        }
    }
}

/// What happened to an allowed call: how it ended, or why there is no end to tell.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finished<'a> {
    #[serde(borrow)]
    pub request_id: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_by: Option<StoppedBy>,
    /// Why the call could not be run, for the operator.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Cow<'a, str>>,
    /// From the intent to the end, in microseconds.
    #[serde(default)]
    pub duration_us: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    #[serde(default)]
    pub stdout_bytes: u64,
    #[serde(default)]
    pub stderr_bytes: u64,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<Changed<'a>>,
    /// More files changed than are named.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub changed_more: bool,
    /// Programs that the policy kept from starting, each with rule, line and reason.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub denied: Vec<Cow<'a, str>>,
}

/// One path a call changed, as it was found right after the call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed<'a> {
    #[serde(borrow)]
    pub path: Cow<'a, str>,
    pub state: ChangedState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// What was found under a changed path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangedState {
    File,
    Folder,
    /// A link or something else without content of its own.
    Other,
    /// Nothing is there any more.
    Gone,
    /// A file too large to be read for its digest, or past the call's share of reading.
    Skipped,
    /// It is there and could not be looked at.
    Unknown,
}

/// The first record of every run of the program on a log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Started {
    pub build: String,
    pub host: String,
    pub pid: u32,
}

/// The first record of every file of a log: how it continues the one before.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Segment {
    pub format: u32,
    pub origin: String,
    /// Verifies the log's checkpoints.
    pub key: String,
    /// The tree of all records before this one.
    pub tree: TreeHead,
    /// Calls that were under way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<String>,
}

/// A call that was under way when the program ended without closing its log.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Interrupted {
    pub request_id: String,
}

/// Half-written bytes were cut from the log's end; they are kept in a file beside it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Torn {
    pub bytes: u64,
    pub sha256: String,
    pub file: String,
}

/// The log could not be written for a while.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trouble {
    pub reason: String,
    pub duration_ms: u64,
    /// Calls that were refused meanwhile, without records of their own.
    pub refused: u64,
    /// Outcomes that were lost because too many had to be kept in memory.
    pub lost: u64,
}

/// Files of the log were deleted by the rule of how many and how long.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Retired {
    pub files: Vec<String>,
    /// Sequence number of the first record that is left.
    pub left: u64,
}

/// The last record of a log that was closed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stopped {
    /// The tree of all records before this one.
    pub tree: TreeHead,
    /// Calls that had not ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<String>,
}

/// What every stored record has.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Common<'a> {
    pub seq: u64,
    #[serde(borrow)]
    pub time: Cow<'a, str>,
    #[serde(borrow)]
    pub event: Cow<'a, str>,
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    #[serde(default)]
    pub mono_us: u64,
    #[serde(borrow, default)]
    pub boot: Cow<'a, str>,
}

/// A record as it was read. Untrusted until the log is verified.
#[derive(Debug, Clone)]
pub enum Record<'a> {
    Intent(Box<Intent<'a>>),
    Outcome(Finished<'a>),
    Interrupted(Interrupted),
    /// Everything about the log itself, as its JSON.
    Log(serde_json::Value),
}

impl<'a> Record<'a> {
    /// Reads a stored line.
    ///
    /// # Errors
    /// When it is not JSON, or a known kind of record lacks a field.
    pub fn read(line: &'a [u8]) -> serde_json::Result<(Common<'a>, Self)> {
        let common: Common<'a> = serde_json::from_slice(line)?;
        let record = match &*common.event {
            "intent" => Self::Intent(serde_json::from_slice(line)?),
            "outcome" => Self::Outcome(serde_json::from_slice(line)?),
            "interrupted" => Self::Interrupted(serde_json::from_slice(line)?),
            _ => Self::Log(serde_json::from_slice(line)?),
        };
        Ok((common, record))
    }
}

/// Pairs as a JSON object, in their order.
mod as_map {
    use std::borrow::Cow;
    use std::fmt;
    use std::marker::PhantomData;

    use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
    use serde::ser::{Serialize, Serializer};

    pub(super) fn serialize<S: Serializer, V: Serialize>(
        pairs: &[(Cow<'_, str>, V)],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_map(pairs.iter().map(|(name, value)| (name, value)))
    }

    #[derive(serde::Deserialize)]
    struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

    pub(super) fn deserialize<'de: 'a, 'a, D: Deserializer<'de>, V: Deserialize<'de>>(
        from: D,
    ) -> Result<Vec<(Cow<'a, str>, V)>, D::Error> {
        struct Pairs<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Pairs<V> {
            type Value = Vec<(Cow<'de, str>, V)>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some((name, value)) = map.next_entry::<Borrowed<'de>, V>()? {
                    pairs.push((name.0, value));
                }
                Ok(pairs)
            }
        }
        from.deserialize_map(Pairs(PhantomData))
    }
}
