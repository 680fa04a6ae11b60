//! Decides again what a record says was decided: what would change under another policy.
//!
//! A record holds who called which tool and when, not what the call said, so variables and
//! programs are not decided again.

use serde::Deserialize;

use crate::policy::complaint::quoted;
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
    /// None: it cannot be decided again.
    pub now_allowed: Option<bool>,
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
    // Rules expire, so at another time another thing would be decided.
    let Some(now) = written.as_ref().and_then(quantity::from_toml) else {
        return Some(Change {
            request_id: recorded.request_id.clone(),
            now_allowed: None,
            text: format!(
                "{}: {} by {} cannot be decided again: {} is no time",
                recorded.request_id,
                recorded.tool,
                recorded.agent,
                quoted(&recorded.time),
            ),
        });
    };
    let request = Request::Tool(ToolCall {
        agent: &recorded.agent,
        tool: &recorded.tool,
        variables: Vec::new(),
        timeout_ms: None,
    });
    let was_allowed = recorded.decision == "allow";
    let decision = decide(policy, &request, now);
    let (now_allowed, why) = match decision {
        Decision::Allow(grant) => (true, grant.rule().to_owned()),
        Decision::Deny(denial) => (false, denial.to_string()),
    };
    (was_allowed != now_allowed).then(|| Change {
        request_id: recorded.request_id.clone(),
        now_allowed: Some(now_allowed),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::load_default;

    #[test]
    fn a_record_without_a_time_is_not_decided_at_another() {
        let mut recorded = Recorded {
            event: "intent".to_owned(),
            time: "2026-01-01T00:00:00Z".to_owned(),
            request_id: "1".to_owned(),
            agent: "ann".to_owned(),
            tool: "bash".to_owned(),
            decision: "allow".to_owned(),
        };
        let policy = load_default().unwrap();
        assert_eq!(replay(&policy, &recorded), None);
        recorded.time = "yesterday".to_owned();
        let change = replay(&policy, &recorded).unwrap();
        assert_eq!(change.now_allowed, None);
        assert!(
            change.text.contains("cannot be decided again"),
            "{change:?}"
        );
    }
}
