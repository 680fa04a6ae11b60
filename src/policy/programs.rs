//! Which guest programs a call may start, as a cell is told: no rules, only names and answers.

use std::collections::BTreeSet;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::policy::decide::{for_agent, is_named};
use crate::policy::document::{Denied, Policy};

/// Most allowed programs that a denial lists.
const LISTED_MAX: usize = 24;

/// The program rules of a policy and its ancestors at one time, for one agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramTable(Vec<Layer>);

/// One policy's rules. Every layer must allow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Layer {
    policy: String,
    /// Names, and what is said of them.
    denied: Vec<(BTreeSet<String>, String)>,
    every: bool,
    allowed: BTreeSet<String>,
}

impl Default for ProgramTable {
    /// Nothing may be started.
    fn default() -> Self {
        let layer = Layer {
            policy: "none".to_owned(),
            denied: Vec::new(),
            every: false,
            allowed: BTreeSet::new(),
        };
        Self(vec![layer])
    }
}

impl ProgramTable {
    /// A table that allows every program, for calls without a policy: our own tests.
    pub fn all() -> Self {
        Self(Vec::new())
    }

    /// The rules of one policy, without its ancestors.
    pub(super) fn of_layer(policy: &Policy, agent: &str, now: SystemTime) -> Self {
        let mut denied = Vec::new();
        for rule in policy.denials.iter().filter(|rule| for_agent(rule, agent)) {
            if let Denied::Programs(names) = &rule.what {
                let instead = rule.instead.as_ref();
                let instead = instead.map(|text| format!("; {text}")).unwrap_or_default();
                let text = format!("{} (deny, line {}){instead}", rule.reason, rule.line);
                denied.push((names.iter().cloned().collect(), text));
            }
        }
        let rules = policy.programs.iter();
        let rules = rules.filter(|rule| rule.standing.in_force(now));
        let (mut every, mut allowed) = (false, BTreeSet::new());
        for rule in rules {
            every |= rule.every();
            allowed.extend(rule.names.iter().cloned());
        }
        if every {
            allowed.clear();
        }
        let trivial = every && denied.is_empty();
        let layer = Layer {
            policy: policy.name.clone(),
            denied,
            every,
            allowed,
        };
        Self(if trivial { Vec::new() } else { vec![layer] })
    }

    /// Both tables must allow.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Whether `name` may be started.
    ///
    /// # Errors
    /// What to tell the agent.
    pub fn judge(&self, name: &str) -> Result<(), String> {
        for layer in &self.0 {
            let denied = layer.denied.iter();
            let mut denied =
                denied.filter(|(names, _)| names.contains(name) || names.contains("*"));
            let policy = &layer.policy;
            if let Some((_, text)) = denied.next() {
                return Err(format!("the policy `{policy}` denies this program: {text}"));
            }
            if !layer.every && !is_named(&layer.allowed, name) {
                let instead = match layer.allowed.len() {
                    0 => "it allows none".to_owned(),
                    1..=LISTED_MAX => {
                        let names: Vec<_> = layer.allowed.iter().map(String::as_str).collect();
                        format!("it allows {}", names.join(", "))
                    }
                    count => format!("it allows {count} others"),
                };
                return Err(format!(
                    "no rule of the policy `{policy}` allows this program (default); {instead}"
                ));
            }
        }
        Ok(())
    }
}
