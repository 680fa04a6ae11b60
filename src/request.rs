//! What was asked, as plain words that every door produces. Untrusted.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Untrusted: one tool call as sent by an agent, after its door's own syntax is gone.
#[derive(Debug, Clone)]
pub struct ToolRequest {
    pub id: RequestId,
    /// The token's name: the agent's identity.
    pub agent: String,
    pub tool: String,
    pub input: serde_json::Value,
    /// Guest path; lasts for this call only.
    pub working_dir: Option<String>,
    pub session: Option<SessionName>,
    pub timeout_ms: Option<u64>,
    /// SHA-256 of the door's idempotency key, in hexadecimal; goes to the record.
    pub idempotency_sha256: Option<String>,
}

/// Names one call in answers, logs and records.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RequestId(pub String);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A session's name: 1 to 64 of `A-Z a-z 0-9 . _ -`, never `.` or `..`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SessionName(String);

impl SessionName {
    /// Checks `name`; answers `None` when it breaks the rule above.
    pub fn new(name: &str) -> Option<Self> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let fits = (1..=64).contains(&name.len()) && name.bytes().all(allowed);
        (fits && name != "." && name != "..").then(|| Self(name.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Writes bytes, such as a digest, as lower-case hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a string cannot fail.
            let _infallible = write!(text, "{byte:02x}");
            text
        })
}
