//! Decides again what a record says was decided: what would change under another policy.
//!
//! A record holds who called which tool and when, not what the call said, so variables and
//! programs are not decided again.

use std::time::SystemTime;

use serde::Deserialize;

use crate::policy::decide::{Decision, decide};
use crate::policy::document::Policy;
use crate::policy::request::{Request, ToolCall};
use crate::quantity;

/// What of a record's intent is needed here; the audit room writes the rest.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recorded {
    pub event: String,
    #[serde(default)]
    pub time: String,
    #[serde(default)]
    pub request_id: String,
    #[serde(default)]
    pub agent: String,
    #[serde(default)]
    pub tool: String,
    #[serde(default)]
    pub decision: String,
}

/// A call that would be decided otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub request_id: String,
    pub now_allowed: bool,
    /// In one line.
    pub text: String,
}

/// Decides an intent again, at the time it was recorded; none when nothing changes or the record
/// is no intent.
pub fn replay(policy: &Policy, recorded: &Recorded) -> Option<Change> {
    if recorded.event != "intent" {
        return None;
    }
    let written: Option<toml::value::Datetime> = recorded.time.parse().ok();
    let now = written.as_ref().and_then(quantity::from_toml);
    let request = Request::Tool(ToolCall {
        agent: &recorded.agent,
        tool: &recorded.tool,
        variables: Vec::new(),
        timeout_ms: None,
    });
    let was_allowed = recorded.decision == "allow";
    let decision = decide(policy, &request, now.unwrap_or(SystemTime::UNIX_EPOCH));
    let (now_allowed, why) = match decision {
        Decision::Allow(grant) => (true, grant.rule().to_owned()),
        Decision::Deny(denial) => (false, denial.to_string()),
    };
    (was_allowed != now_allowed).then(|| Change {
        request_id: recorded.request_id.clone(),
        now_allowed,
        text: format!(
            "{} {}: {} by {} would be {}: {why}",
            recorded.time,
            recorded.request_id,
            recorded.tool,
            recorded.agent,
            if now_allowed { "allowed" } else { "denied" },
        ),
    })
}
