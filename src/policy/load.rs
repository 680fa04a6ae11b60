//! Reads a policy file. An unknown key, a missing reason or an unreadable value refuses the file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use toml::Spanned;

use crate::limits::Limits;
use crate::policy::document::{Access, DenyRule, Policy, ToolRule};
use crate::quantity;
use crate::request::hexadecimal;

/// The policy in force when no file is named.
const DEFAULT: &str = include_str!("../../policies/default.toml");

/// Why a policy was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    #[error("cannot read the policy `{path}`")]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the policy does not parse: {0}")]
    Syntax(String),
    #[error("policy version {0} is not known: this build reads version 1")]
    Version(u32),
    #[error("policy line {line}: {reason}")]
    Rule { line: usize, reason: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    name: String,
    description: String,
    #[serde(default)]
    limits: LimitsText,
    workspace: Option<Workspace>,
    environment: Option<Environment>,
    #[serde(default)]
    tool: Vec<Spanned<ToolText>>,
    #[serde(default)]
    deny: Vec<Spanned<DenyText>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsText {
    wall: Option<Spanned<String>>,
    memory: Option<Spanned<String>>,
    memory_process: Option<Spanned<String>>,
    output: Option<Spanned<String>>,
    output_stop: Option<Spanned<String>>,
    written: Option<Spanned<String>>,
    fuel: Option<u64>,
    processes: Option<u32>,
    descriptors: Option<u32>,
    inodes: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Workspace {
    access: Access,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Environment {
    #[serde(default)]
    set: BTreeMap<String, String>,
    #[serde(default)]
    agent: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToolText {
    names: Vec<String>,
    reason: String,
    expires: Option<toml::value::Datetime>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DenyText {
    names: Vec<String>,
    #[serde(default)]
    agents: Vec<String>,
    reason: String,
}

/// Loads the policy that is part of the program.
///
/// # Errors
/// None, unless the program was built with a broken default; a test says it was not.
pub fn load_default() -> Result<Policy, PolicyError> {
    load_text(DEFAULT)
}

/// Loads a policy from a file.
///
/// # Errors
/// When the file cannot be read, does not parse, or has an unknown key.
pub fn load_file(path: &Path) -> Result<Policy, PolicyError> {
    let text = std::fs::read_to_string(path).map_err(|source| PolicyError::Read {
        path: path.to_owned(),
        source,
    })?;
    load_text(&text)
}

/// Loads a policy from its text.
///
/// # Errors
/// When the text does not parse or has an unknown key.
pub fn load_text(text: &str) -> Result<Policy, PolicyError> {
    let document: Document = toml::from_str(text)
        .map_err(|e| PolicyError::Syntax(e.to_string().trim_end().to_owned()))?;
    if document.version != 1 {
        return Err(PolicyError::Version(document.version));
    }
    let lines = Lines(text);
    let environment = document.environment.unwrap_or(Environment {
        set: BTreeMap::new(),
        agent: true,
    });
    if let Some(name) = environment
        .set
        .keys()
        .find(|name| name.is_empty() || name.contains('='))
    {
        return Err(PolicyError::Rule {
            line: 0,
            reason: format!("`{name}` cannot name a variable"),
        });
    }
    Ok(Policy {
        name: document.name,
        description: document.description,
        digest: hexadecimal(&Sha256::digest(text.as_bytes())),
        limits: limits(&document.limits, &lines)?,
        access: document
            .workspace
            .map_or(Access::ReadWrite, |workspace| workspace.access),
        environment: environment.set,
        environment_agent: environment.agent,
        tools: document
            .tool
            .into_iter()
            .map(|rule| tool_rule(rule, &lines))
            .collect::<Result<_, _>>()?,
        denials: document
            .deny
            .into_iter()
            .map(|rule| deny_rule(rule, &lines))
            .collect::<Result<_, _>>()?,
    })
}

fn tool_rule(rule: Spanned<ToolText>, lines: &Lines<'_>) -> Result<ToolRule, PolicyError> {
    let line = lines.of(rule.span().start);
    let rule = rule.into_inner();
    check_rule(&rule.names, &rule.reason, line)?;
    let expires = match rule.expires {
        None => None,
        Some(text) => Some(quantity::from_toml(&text).ok_or_else(|| PolicyError::Rule {
            line,
            reason: format!(
                "`expires = {text}` needs date, time and offset, as 2027-01-31T00:00:00Z"
            ),
        })?),
    };
    Ok(ToolRule {
        names: rule.names,
        reason: rule.reason,
        expires,
        line,
    })
}

fn deny_rule(rule: Spanned<DenyText>, lines: &Lines<'_>) -> Result<DenyRule, PolicyError> {
    let line = lines.of(rule.span().start);
    let rule = rule.into_inner();
    check_rule(&rule.names, &rule.reason, line)?;
    Ok(DenyRule {
        names: rule.names,
        agents: rule.agents,
        reason: rule.reason,
        line,
    })
}

fn check_rule(names: &[String], reason: &str, line: usize) -> Result<(), PolicyError> {
    let fault = if names.is_empty() {
        "the rule names no tool"
    } else if reason.trim().is_empty() {
        "the rule needs a reason"
    } else {
        return Ok(());
    };
    Err(PolicyError::Rule {
        line,
        reason: fault.to_owned(),
    })
}

fn limits(text: &LimitsText, lines: &Lines<'_>) -> Result<Limits, PolicyError> {
    let mut limits = Limits::default();
    let bytes = |value: &Option<Spanned<String>>, field: &mut u64| match value {
        None => Ok(()),
        Some(value) => {
            *field =
                quantity::bytes(value.get_ref()).map_err(|reason| lines.fault(value, reason))?;
            Ok(())
        }
    };
    bytes(&text.memory, &mut limits.memory_bytes)?;
    bytes(&text.memory_process, &mut limits.memory_process_bytes)?;
    bytes(&text.output, &mut limits.output_bytes)?;
    bytes(&text.output_stop, &mut limits.output_stop_bytes)?;
    bytes(&text.written, &mut limits.written_bytes)?;
    if let Some(value) = &text.wall {
        let wall =
            quantity::duration(value.get_ref()).map_err(|reason| lines.fault(value, reason))?;
        limits.wall_ms = u64::try_from(wall.as_millis()).unwrap_or(u64::MAX);
    }
    limits.fuel = text.fuel.unwrap_or(limits.fuel);
    limits.processes = text.processes.unwrap_or(limits.processes);
    limits.descriptors = text.descriptors.unwrap_or(limits.descriptors);
    limits.inodes = text.inodes.unwrap_or(limits.inodes);
    Ok(limits)
}

/// Finds the line of a byte offset.
struct Lines<'a>(&'a str);

impl Lines<'_> {
    fn of(&self, offset: usize) -> usize {
        self.0
            .bytes()
            .take(offset)
            .filter(|byte| *byte == b'\n')
            .count()
            + 1
    }

    fn fault(&self, value: &Spanned<String>, reason: String) -> PolicyError {
        PolicyError::Rule {
            line: self.of(value.span().start),
            reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "version = 1\nname = \"n\"\ndescription = \"d\"\n";

    #[track_caller]
    fn refused(text: &str, part: &str) {
        let error = load_text(text).expect_err("the policy loads").to_string();
        assert!(error.contains(part), "{error}");
    }

    #[test]
    fn the_default_policy_loads_with_the_documented_limits() {
        let policy = load_default().unwrap();
        assert_eq!(policy.limits, Limits::default());
        assert_eq!(policy.digest.len(), 64);
    }

    #[test]
    fn an_unknown_key_refuses_the_file_wherever_it_is() {
        refused(&format!("{HEAD}colour = 1\n"), "colour");
        refused(&format!("{HEAD}[limits]\nwal = \"1s\"\n"), "wal");
        refused(
            &format!("{HEAD}[workspace]\naccess = \"read-only\"\nmode = 1\n"),
            "mode",
        );
        refused(
            &format!("{HEAD}[[tool]]\nnames = [\"bash\"]\nreason = \"r\"\nwhen = 1\n"),
            "when",
        );
        refused(
            &format!("{HEAD}[[deny]]\nnames = [\"bash\"]\nreason = \"r\"\nuser = 1\n"),
            "user",
        );
    }

    #[test]
    fn faults_name_the_line_and_the_way_out() {
        refused(
            &format!("{HEAD}[limits]\nmemory = \"12 parsecs\"\n"),
            "line 5: `12 parsecs`",
        );
        refused(
            &format!("{HEAD}[[tool]]\nnames = []\nreason = \"r\"\n"),
            "line 4",
        );
        refused(
            &format!("{HEAD}[[tool]]\nnames = [\"bash\"]\nreason = \" \"\n"),
            "needs a reason",
        );
        refused(&HEAD.replace('1', "2"), "version 2");
        refused(&format!("{HEAD}[workspace]\naccess = \"all\"\n"), "access");
        refused(
            &format!("{HEAD}[[tool]]\nnames = [\"bash\"]\nreason = \"r\"\nexpires = 2027-01-31\n"),
            "needs date, time and offset",
        );
    }
}
