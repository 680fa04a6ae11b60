//! Decides again what a record says was decided: what would change under another policy.
//!
//! A record holds who called which tool and when, not what the call said, so variables and guest
//! programs are not decided again. Of a native start it holds the whole array.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::policy::complaint::quoted;
use crate::policy::decide::{Decision, decide};
use crate::policy::document::Policy;
use crate::policy::request::{NativeCall, Request, ToolCall};
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
    #[serde(default)]
    pub lane: String,
    #[serde(default)]
    pub request: RecordedRequest,
}

/// What of a recorded request tells how a native program was started.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct RecordedRequest {
    #[serde(default)]
    pub cwd: String,
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
}

impl RecordedRequest {
    /// The words of a native start, where the record has all of them.
    fn words(&self) -> Option<Vec<String>> {
        let words = self.fields.get("args")?;
        serde_json::from_str(words).ok()
    }
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
    let undecided = |why: String| {
        Some(Change {
            request_id: recorded.request_id.clone(),
            now_allowed: None,
            text: format!(
                "{}: {} by {} cannot be decided again: {why}",
                recorded.request_id, recorded.tool, recorded.agent,
            ),
        })
    };
    let written: Option<toml::value::Datetime> = recorded.time.parse().ok();
    // Rules expire, so at another time another thing would be decided.
    let Some(now) = written.as_ref().and_then(quantity::from_toml) else {
        return undecided(format!("{} is no time", quoted(&recorded.time)));
    };
    let words = recorded.request.words();
    let native = recorded.lane == "native";
    let request = match (&words, recorded.request.fields.get("program")) {
        (Some(words), Some(program)) if native => Request::Native(NativeCall {
            agent: &recorded.agent,
            program,
            arguments: words,
            cwd: &recorded.request.cwd,
        }),
        _ if native => return undecided("its words are not all in the record".to_owned()),
        _ => Request::Tool(ToolCall {
            agent: &recorded.agent,
            tool: &recorded.tool,
            variables: Vec::new(),
            timeout_ms: None,
        }),
    };
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
    fn a_native_start_is_decided_by_its_words() {
        let line = |words: &str| {
            let line = serde_json::json!({
                "event": "intent", "time": "2026-01-01T00:00:00Z", "requestId": "1.1",
                "agent": "ann", "tool": "native", "decision": "allow", "lane": "native",
                "request": {"cwd": "/workspace", "fields": {"program": "/usr/bin/git", "args": words}},
            });
            serde_json::from_value::<Recorded>(line).unwrap()
        };
        let text = "version = 1\nname = \"n\"\ndescription = \"d\"\n[[native]]\n\
            program = \"/usr/bin/git\"\nargs = [\"log\"]\nreason = \"r\"\n";
        let policy = crate::policy::load_text(text).unwrap();
        assert_eq!(replay(&policy, &line("[\"log\"]")), None);
        let change = replay(&policy, &line("[\"push\"]")).unwrap();
        assert_eq!(change.now_allowed, Some(false), "{change:?}");
        let change = replay(&policy, &line("[\"log")).unwrap();
        assert_eq!(change.now_allowed, None, "{change:?}");
    }

    #[test]
    fn a_record_without_a_time_is_not_decided_at_another() {
        let mut recorded = Recorded {
            event: "intent".to_owned(),
            time: "2026-01-01T00:00:00Z".to_owned(),
            request_id: "1".to_owned(),
            agent: "ann".to_owned(),
            tool: "bash".to_owned(),
            decision: "allow".to_owned(),
            lane: "wasm".to_owned(),
            request: RecordedRequest::default(),
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
