//! What the record is told of a call: before it, what was asked and decided; after it, what came of it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;
use std::time::Instant;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::audit::{
    Asked, Changed, Digested, Durable, Finished, Granted, Intent, PolicyInForce, Verdict,
};
use crate::executor::error::ExecuteError;
use crate::executor::tools::{self, Kind};
use crate::executor::{Executor, changed};
use crate::outcome::{Captured, Outcome};
use crate::policy::{Decision, Policy};
use crate::request::{RequestId, ToolRequest, hexadecimal};
use crate::session::{InUse, Session};
use crate::telemetry::{self, CallEnd};

/// Longest text of a request that is kept as it is, such as a command. Chosen, not measured.
pub(super) const TEXT_BYTES_MAX: usize = 4 << 10;
/// Most variables that are named. Chosen, not measured.
const VARIABLES_MAX: usize = 100;
/// Text fields whose text is kept. Others may hold whole files, and are kept as digests.
const KEPT_TEXTS: &[&str] = &["command", "pattern", "program"];

/// What is known of a call once it is decided.
pub(super) struct Deciding<'a> {
    pub(super) request: &'a ToolRequest,
    pub(super) session: &'a InUse,
    pub(super) policy: &'a Policy,
    pub(super) decision: &'a Decision,
    pub(super) door: &'static str,
}

/// What was recorded of a call's end besides its outcome.
pub(super) struct Ended<'a> {
    pub(super) result: &'a Result<Outcome, ExecuteError>,
    pub(super) changed: Vec<Changed<'a>>,
    pub(super) started: Instant,
}

impl Executor {
    /// Sends the intent on its way to the disk, and counts the decision.
    pub(super) fn record_intent(&self, tool: &'static str, deciding: &Deciding<'_>) -> Durable {
        let Deciding {
            request,
            session,
            policy,
            decision,
            door,
        } = *deciding;
        let allowed = matches!(decision, Decision::Allow(_));
        self.telemetry.metrics.decided(tool, allowed);
        let (decision, limits, reason) = match decision {
            Decision::Allow(grant) => (
                (Verdict::Allow, grant.rule()),
                grant.call().map(|terms| Granted::from(&terms.limits)),
                None,
            ),
            Decision::Deny(denial) => (
                (Verdict::Deny, &*denial.rule),
                None,
                Some((denial.line, &*denial.reason)),
            ),
        };
        let own = policy.own_tools.get(&request.tool);
        let lane = own.map_or("wasm", |own| own.start.kind.lane());
        let (verdict, rule) = decision;
        let (rule, line) = match reason {
            Some((line, _)) => (rule, line),
            None => rule_and_line(rule),
        };
        self.audit.intent(&Intent {
            request_id: Cow::Borrowed(&request.id.0),
            decision: verdict,
            agent: Cow::Borrowed(&request.agent),
            door: Cow::Borrowed(door),
            session: Cow::Borrowed(session.name()),
            tool: Cow::Borrowed(&request.tool),
            request: match own {
                Some(own) => {
                    let input = request.input.to_string();
                    asked_of_own(&own.start.sha256, session.folder(), ("input", &input))
                }
                None => asked(request, session.folder()),
            },
            request_sha256: digest(request),
            rule: Cow::Borrowed(rule),
            line,
            reason: reason.map(|(_, reason)| Cow::Borrowed(cut(reason))),
            policy: PolicyInForce {
                name: Cow::Borrowed(cut(&policy.name)),
                version: policy.serial,
                sha256: Cow::Borrowed(&policy.digest),
            },
            lane: Cow::Borrowed(lane),
            confinement: Cow::Borrowed(&self.confinement),
            limits,
            idempotency_sha256: request.idempotency_sha256.as_deref().map(Cow::Borrowed),
        })
    }

    pub(super) fn record_outcome(&self, id: &RequestId, ended: Ended<'_>) {
        let result = ended.result.as_ref().map_err(ExecuteError::chain);
        let result = result.as_ref().copied().map_err(String::as_str);
        let ended = finished(&id.0, result, ended.changed, ended.started);
        self.audit.finished(&ended);
    }

    /// Counts, logs and traces the end of an allowed call.
    pub(super) fn tell_outcome(
        &self,
        tool: &'static str,
        request: &ToolRequest,
        result: &Result<Outcome, ExecuteError>,
        started: Instant,
    ) {
        let outcome = result.as_ref().ok();
        let ended = match outcome.map(|outcome| (outcome.stopped_by, outcome.exit_code)) {
            None => telemetry::Ended::Error,
            Some((Some(by), _)) => telemetry::Ended::Stopped(by),
            Some((None, 0)) => telemetry::Ended::Succeeded,
            Some((None, _)) => telemetry::Ended::Failed,
        };
        self.telemetry.call_ended(&CallEnd {
            request_id: &request.id.0,
            agent: &request.agent,
            tool,
            ended,
            exit_code: outcome.map(|outcome| outcome.exit_code),
            lasted: started.elapsed(),
            usage: outcome.map(|outcome| &outcome.usage),
        });
    }

    /// Records that an allowed call did not run, because its intent did not reach the disk.
    pub(super) fn record_not_run(&self, id: &RequestId, error: ExecuteError, started: Instant) {
        self.record_outcome(
            id,
            Ended {
                result: &Err(error),
                changed: Vec::new(),
                started,
            },
        );
    }

    /// Looks at the files a call changed, while its session is still in its hands.
    pub(super) async fn look_at_changed(
        &self,
        session: &Session,
        result: &Result<Outcome, ExecuteError>,
    ) -> Vec<Changed<'static>> {
        let paths = match result {
            Ok(outcome) if !outcome.changed.is_empty() => outcome.changed.clone(),
            _ => return Vec::new(),
        };
        let roots = [session.workspace().to_owned(), session.tmp().to_owned()];
        changed::look_aside(roots, paths).await
    }
}

/// What came of a run in a cell, or why there was none.
pub(super) fn finished<'a>(
    id: &'a str,
    ended: Result<&'a Outcome, &'a str>,
    changed: Vec<Changed<'a>>,
    began: Instant,
) -> Finished<'a> {
    let outcome = ended.ok();
    let bytes = |captured: &Captured| {
        (captured.head.len() + captured.tail.len()) as u64 + captured.omitted_bytes
    };
    Finished {
        request_id: Cow::Borrowed(id),
        exit_code: outcome.map(|outcome| outcome.exit_code),
        stopped_by: outcome.and_then(|outcome| outcome.stopped_by),
        error: ended.err().map(|error| Cow::Borrowed(cut(error))),
        duration_us: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
        usage: outcome.map(|outcome| outcome.usage.clone()),
        stdout_bytes: outcome.map_or(0, |o| bytes(&o.stdout) + o.streamed_bytes.0),
        stderr_bytes: outcome.map_or(0, |o| bytes(&o.stderr) + o.streamed_bytes.1),
        changed_more: outcome
            .is_some_and(|outcome| outcome.changed_more || changed.len() < outcome.changed.len()),
        changed,
        denied: outcome.map_or_else(Vec::new, |outcome| {
            outcome.denied.iter().map(Cow::from).collect()
        }),
    }
}

/// A grant names its rule as `tool:12`.
pub(super) fn rule_and_line(rule: &str) -> (&str, usize) {
    match rule.rsplit_once(':') {
        Some((rule, line)) => (rule, line.parse().unwrap_or(0)),
        None => (rule, 0),
    }
}

/// The first bytes of a text, up to the limit.
pub(super) fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(TEXT_BYTES_MAX))
        .unwrap_or_default()
}

pub(super) fn digested(text: &[u8]) -> Digested {
    Digested {
        bytes: text.len() as u64,
        sha256: hexadecimal(&Sha256::digest(text)),
    }
}

/// The request in the record's form: paths and commands as they are up to a limit, contents as
/// digests, variables without values.
///
/// `folder` is where the session's shell is, for a request that names no folder.
fn asked(request: &ToolRequest, folder: Option<String>) -> Asked<'_> {
    // Fields of a tool that does not exist were refused before.
    let fields = tools::find(&request.tool).map_or(&[][..], |tool| tool.fields);
    let mut asked = Asked {
        timeout_ms: request.timeout_ms,
        ..Asked::default()
    };
    match &request.working_dir {
        Some(folder) => {
            asked.cwd = Some(Cow::Borrowed(cut(folder)));
            digest_if_cut(&mut asked, "workingDir", folder);
        }
        None => asked.cwd = folder.map(|folder| cut(&folder).to_owned().into()),
    }
    for (name, value) in request.input.as_object().into_iter().flatten() {
        let field = fields.iter().find(|field| field.name == name);
        let kind = field.map(|field| field.kind);
        let name = name.as_str();
        match (kind, value) {
            (Some(Kind::Environment), Value::Object(variables)) => {
                let names = variables.keys().take(VARIABLES_MAX);
                asked.env = names.map(|name| Cow::Borrowed(cut(name))).collect();
                if variables.len() > VARIABLES_MAX {
                    let names: Vec<_> = variables.keys().map(String::as_str).collect();
                    asked
                        .digests
                        .push((name.into(), digested(names.join("\n").as_bytes())));
                }
            }
            (Some(Kind::Path | Kind::Text), Value::String(text))
                if kind == Some(Kind::Path) || KEPT_TEXTS.contains(&name) =>
            {
                asked.fields.push((name.into(), Cow::Borrowed(cut(text))));
                digest_if_cut(&mut asked, name, text);
            }
            (_, Value::String(text)) if kind != Some(Kind::Encoding) => {
                asked.digests.push((name.into(), digested(text.as_bytes())));
            }
            (Some(Kind::Words), words) => {
                let text = words.to_string();
                digest_if_cut(&mut asked, name, &text);
                let kept = cut(&text).to_owned();
                asked.fields.push((name.into(), kept.into()));
            }
            // Flags, numbers and other fields of few bytes, which the tool's check has seen.
            (_, value) => asked.fields.push((name.into(), value.to_string().into())),
        }
    }
    asked
}

/// The request of a tool of the operator's own: which file it is, and a digest of what it is given, in
/// which nobody here knows what is what.
pub(super) fn asked_of_own<'a>(
    sha256: &'a str,
    folder: Option<String>,
    (name, given): (&'a str, &str),
) -> Asked<'a> {
    let mut asked = Asked {
        cwd: folder.map(|folder| cut(&folder).to_owned().into()),
        ..Asked::default()
    };
    asked.fields.push(("sha256".into(), Cow::Borrowed(sha256)));
    asked
        .digests
        .push((name.into(), digested(given.as_bytes())));
    asked
}

fn digest_if_cut<'a>(asked: &mut Asked<'a>, name: &'a str, text: &str) {
    if text.len() > TEXT_BYTES_MAX {
        asked.digests.push((name.into(), digested(text.as_bytes())));
    }
}

/// What the tool is given, with variables by name only: from a hash over it a short secret among
/// their values could be guessed.
fn without_values(request: &ToolRequest) -> BTreeMap<&str, Cow<'_, Value>> {
    let fields = tools::find(&request.tool).map_or(&[][..], |tool| tool.fields);
    let is_variables = |name: &str| {
        let mut fields = fields.iter();
        fields.any(|field| field.name == name && field.kind == Kind::Environment)
    };
    let input = request.input.as_object().into_iter().flatten();
    let known = input.map(|(name, value)| {
        let variables = value.as_object().filter(|_| is_variables(name));
        let names = variables.map(|variables| variables.keys().map(String::as_str).collect());
        let value = names.map_or(Cow::Borrowed(value), Cow::Owned);
        (name.as_str(), value)
    });
    known.collect()
}

/// SHA-256 of the request as JSON with sorted keys and without values of variables, in hexadecimal.
fn digest(request: &ToolRequest) -> String {
    let mut hash = Hashing(Sha256::new());
    let session = request
        .session
        .as_ref()
        .map(crate::request::SessionName::as_str);
    let whole = (
        &request.tool,
        without_values(request),
        &request.working_dir,
        session,
        request.timeout_ms,
    );
    // A hash takes everything.
    let _infallible = serde_json::to_writer(&mut hash, &whole);
    hexadecimal(&hash.0.finalize())
}

struct Hashing(Sha256);

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn request(tool: &str, input: Value) -> ToolRequest {
        ToolRequest {
            id: RequestId("r".to_owned()),
            agent: "ann".to_owned(),
            tool: tool.to_owned(),
            input,
            working_dir: None,
            session: None,
            timeout_ms: None,
            idempotency_sha256: None,
        }
    }

    fn recorded(tool: &str, input: Value) -> Value {
        let request = request(tool, input);
        serde_json::to_value(asked(&request, None)).unwrap()
    }

    #[test]
    fn commands_and_paths_are_kept_and_values_and_contents_are_not() {
        let input = json!({
            "command": "make", "env": {"TOKEN": "canary"}, "stdin": "canary", "timeout_ms": 5,
        });
        let kept = recorded("bash", input);
        assert_eq!(
            kept["fields"],
            json!({"command": "make", "timeout_ms": "5"})
        );
        assert_eq!(kept["env"], json!(["TOKEN"]));
        assert_eq!(kept["digests"]["stdin"]["bytes"], 6);
        let input = json!({"file_path": "a", "old_string": "canary", "new_string": "canary"});
        let edit = recorded("edit", input);
        assert_eq!(edit["fields"], json!({"file_path": "a"}));
        for text in [kept, edit] {
            assert!(!text.to_string().contains("canary"), "{text}");
        }
    }

    #[test]
    fn a_long_command_is_cut_at_a_character_and_has_its_digest() {
        let command = "\u{e9}".repeat(TEXT_BYTES_MAX);
        let kept = recorded("bash", json!({"command": command}));
        let text = kept["fields"]["command"].as_str().unwrap();
        assert_eq!(text.len(), TEXT_BYTES_MAX);
        assert_eq!(kept["digests"]["command"]["bytes"], 2 * TEXT_BYTES_MAX);
        let whole = hexadecimal(&Sha256::digest(&command));
        assert_eq!(kept["digests"]["command"]["sha256"], whole);
    }

    #[test]
    fn the_digest_is_of_everything_that_was_asked_but_values_of_variables() {
        let one = request("bash", json!({"command": "a", "env": {"A": "1", "B": "2"}}));
        let mut other = one.clone();
        other.input = json!({"env": {"B": "2", "A": "1"}, "command": "a"});
        assert_eq!(digest(&one), digest(&other));
        other.input = json!({"command": "a", "env": {"A": "canary", "B": ""}});
        assert_eq!(digest(&one), digest(&other), "nobody can guess a value");
        other.input = json!({"command": "a", "env": {"A": "1", "C": "2"}});
        assert_ne!(digest(&one), digest(&other));
        other.input = one.input.clone();
        other.timeout_ms = Some(1);
        assert_ne!(digest(&one), digest(&other));
    }
}
