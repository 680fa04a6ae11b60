//! The decision: a pure function of the policy, the request and the time.

use std::time::SystemTime;

use crate::policy::document::Policy;
use crate::policy::grant::Grant;
use crate::request::ToolRequest;

/// What the policy says. Only the allowing arm carries a [`Grant`].
#[must_use]
#[derive(Debug)]
pub enum Decision {
    Allow(Grant),
    Deny(Denial),
}

/// Why a request was denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// `deny`, `tool` or `default`.
    pub rule: String,
    /// First line of the rule in the policy's file; 0 when no rule matched.
    pub line: usize,
    pub reason: String,
}

/// Decides one request. Any matching deny rule wins; what no rule allows is denied.
pub fn decide(policy: &Policy, request: &ToolRequest, now: SystemTime) -> Decision {
    let names_tool = |names: &[String]| names.contains(&request.tool);
    let for_agent = |agents: &[String]| agents.is_empty() || agents.contains(&request.agent);
    if let Some(rule) = policy
        .denials
        .iter()
        .find(|rule| names_tool(&rule.names) && for_agent(&rule.agents))
    {
        return deny("deny", rule.line, rule.reason.clone());
    }
    if has_environment(request) && !policy.environment_agent {
        return deny(
            "environment",
            0,
            "the policy lets no call set variables of its own".to_owned(),
        );
    }
    let in_force = |expires: Option<SystemTime>| expires.is_none_or(|end| now < end);
    let mut expired = None;
    for rule in policy.tools.iter().filter(|rule| names_tool(&rule.names)) {
        if in_force(rule.expires) {
            return Decision::Allow(grant(policy, request, rule.line));
        }
        expired = Some(rule);
    }
    match expired {
        Some(rule) => deny(
            "tool",
            rule.line,
            format!("the rule has expired: {}", rule.reason),
        ),
        None => deny(
            "default",
            0,
            format!("no rule allows the tool `{}`", request.tool),
        ),
    }
}

fn grant(policy: &Policy, request: &ToolRequest, line: usize) -> Grant {
    let mut limits = policy.limits.clone();
    let asked_ms = request.timeout_ms.unwrap_or(limits.wall_ms);
    let clamped = asked_ms > limits.wall_ms;
    limits.wall_ms = limits.wall_ms.min(asked_ms);
    Grant::new(format!("tool:{line}"), limits, policy.access, clamped)
}

fn has_environment(request: &ToolRequest) -> bool {
    request
        .input
        .get("env")
        .and_then(|env| env.as_object())
        .is_some_and(|env| !env.is_empty())
}

fn deny(rule: &str, line: usize, reason: String) -> Decision {
    Decision::Deny(Denial {
        rule: rule.to_owned(),
        line,
        reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{load_default, load_text};
    use crate::request::RequestId;
    use std::time::{Duration, UNIX_EPOCH};

    fn request(tool: &str) -> ToolRequest {
        ToolRequest {
            id: RequestId("r".to_owned()),
            agent: "ann".to_owned(),
            tool: tool.to_owned(),
            input: serde_json::json!({}),
            working_dir: None,
            session: None,
            timeout_ms: None,
            idempotency_sha256: None,
        }
    }

    fn policy(rules: &str) -> Policy {
        load_text(&format!(
            "version = 1\nname = \"t\"\ndescription = \"t\"\n{rules}"
        ))
        .unwrap()
    }

    #[track_caller]
    fn denied(policy: &Policy, request: &ToolRequest, now: SystemTime) -> Denial {
        match decide(policy, request, now) {
            Decision::Deny(denial) => denial,
            Decision::Allow(grant) => panic!("allowed: {grant:?}"),
        }
    }

    #[track_caller]
    fn allowed(policy: &Policy, request: &ToolRequest, now: SystemTime) -> Grant {
        match decide(policy, request, now) {
            Decision::Allow(grant) => grant,
            Decision::Deny(denial) => panic!("denied: {denial:?}"),
        }
    }

    #[test]
    fn the_default_policy_allows_its_tools_and_nothing_else() {
        let policy = load_default().unwrap();
        for tool in [
            "bash",
            "read",
            "write",
            "edit",
            "glob",
            "grep",
            "read_file",
            "write_file",
        ] {
            let _grant = allowed(&policy, &request(tool), UNIX_EPOCH);
        }
        assert_eq!(
            denied(&policy, &request("python"), UNIX_EPOCH).rule,
            "default"
        );
    }

    #[test]
    fn a_deny_rule_wins_and_names_its_line() {
        let text = "[[tool]]\nnames = [\"bash\"]\nreason = \"r\"\n\n[[deny]]\nnames = [\"bash\"]\nagents = [\"ann\"]\nreason = \"not ann\"\n";
        let policy = policy(text);
        let denial = denied(&policy, &request("bash"), UNIX_EPOCH);
        assert_eq!((denial.line, denial.reason.as_str()), (8, "not ann"));
        let mut other = request("bash");
        other.agent = "bob".to_owned();
        let _grant = allowed(&policy, &other, UNIX_EPOCH);
    }

    #[test]
    fn an_expired_rule_denies_and_says_so() {
        let policy = policy(
            "[[tool]]\nnames = [\"bash\"]\nreason = \"trial\"\nexpires = 2000-01-01T00:00:00Z\n",
        );
        let end = UNIX_EPOCH + Duration::from_secs(946_684_800);
        let _grant = allowed(&policy, &request("bash"), end - Duration::from_millis(1));
        let denial = denied(&policy, &request("bash"), end);
        assert!(
            denial.reason.contains("expired") && denial.line == 4,
            "{denial:?}"
        );
    }

    #[test]
    fn time_is_clamped_to_the_policy_and_reported() {
        let policy = load_default().unwrap();
        let mut asked = request("bash");
        asked.timeout_ms = Some(5);
        let grant = allowed(&policy, &asked, UNIX_EPOCH);
        assert_eq!((grant.limits().wall_ms, grant.wall_clamped()), (5, false));
        asked.timeout_ms = Some(u64::MAX);
        let grant = allowed(&policy, &asked, UNIX_EPOCH);
        assert_eq!(
            (grant.limits().wall_ms, grant.wall_clamped()),
            (120_000, true)
        );
    }

    #[test]
    fn variables_of_a_call_are_denied_where_the_policy_says_so() {
        let policy =
            policy("[environment]\nagent = false\n[[tool]]\nnames = [\"bash\"]\nreason = \"r\"\n");
        let mut asked = request("bash");
        let _grant = allowed(&policy, &asked, UNIX_EPOCH);
        asked.input = serde_json::json!({"env": {"A": "1"}});
        assert_eq!(denied(&policy, &asked, UNIX_EPOCH).rule, "environment");
    }
}
