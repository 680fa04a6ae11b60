//! The two kinds of record.

use serde::Serialize;

use crate::outcome::{StoppedBy, Usage};

/// What is about to run, or was denied.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "intent", rename_all = "camelCase")]
pub struct Intent<'a> {
    /// RFC 3339, UTC.
    pub time: String,
    pub request_id: &'a str,
    pub agent: &'a str,
    pub session: &'a str,
    pub tool: &'a str,
    /// SHA-256 of the request as JSON with sorted keys.
    pub request_sha256: String,
    pub decision: Verdict,
    pub rule: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
    pub policy_sha256: &'a str,
    pub lane: &'static str,
    /// SHA-256 of the caller's `Idempotency-Key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_sha256: Option<&'a str>,
}

/// What the policy said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Allow,
    Deny,
}

/// What happened to an allowed call: an outcome, or why there is none.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "outcome", rename_all = "camelCase")]
pub struct Finished<'a> {
    /// RFC 3339, UTC.
    pub time: String,
    pub request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_by: Option<StoppedBy>,
    /// Why the call could not be run, for the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// From the intent to the end, in microseconds.
    pub duration_us: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<&'a Usage>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub changed: &'a [String],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub changed_more: bool,
    /// Programs that the policy kept from starting.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub denied: &'a [String],
}

/// One record as a line.
pub(super) fn line(record: &impl Serialize) -> Vec<u8> {
    // Serialising these types cannot fail: their keys are strings and they hold no maps.
    let mut line = serde_json::to_vec(record).unwrap_or_default();
    line.push(b'\n');
    line
}
