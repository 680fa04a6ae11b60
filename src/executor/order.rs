//! From a checked call to what a cell is told to run.

use std::sync::Arc;

use serde_json::Value;

use crate::cell::{Mount, Order, SessionHolds, Stdin};
use crate::executor::Streams;
use crate::executor::error::ExecuteError;
use crate::executor::input::{Call, Which};
use crate::executor::own_tool;
use crate::executor::tools::{Kind, Tool};
use crate::outcome::{Captured, Outcome};
use crate::policy::{Access, CallTerms, Grant, Place, Policy};
use crate::request::ToolRequest;
use crate::session::{InUse, Session, SessionError};
use crate::workspace::{TMP, WORKSPACE, guest_path};

/// What every guest finds in its environment before the policy and the call add to it.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("HOME", "/workspace"),
    ("USER", "agent"),
    ("PATH", "/bin"),
    ("LANG", "C.UTF-8"),
    ("TZ", "UTC"),
];

/// Either an order for a cell or an answer that needs none.
pub(super) enum Prepared {
    Run(Box<Order>),
    Answered(Box<Outcome>),
}

/// A checked call with what it needs to run.
pub(super) struct Asked {
    pub(super) request: ToolRequest,
    pub(super) call: Call,
    pub(super) session: InUse,
    pub(super) streams: Streams,
    /// What decided, and decides about whatever the call starts.
    pub(super) policy: Arc<Policy>,
}

impl Asked {
    pub(super) async fn prepare(&self, grant: &Grant) -> Result<Prepared, ExecuteError> {
        let Some(terms) = grant.call() else {
            let other = "the permission is for something else than a call";
            return Err(ExecuteError::Invalid(other.to_owned()));
        };
        let Self {
            request,
            call,
            session,
            streams,
            ..
        } = self;
        let mut order = Order {
            environment: environment(terms, &request.input),
            cwd: working_folder(request, session, terms)?,
            mounts: mounts(session, terms),
            stream: streams.output.is_some(),
            ..Order::default()
        };
        if let Some(own) = &terms.own {
            let input = serde_json::to_vec(&request.input).unwrap_or_default();
            let order = own_tool::order(order, (&request.tool, own), (session, terms));
            return Ok(Prepared::Run(Box::new(Order {
                stdin: Stdin::Bytes(input),
                ..order
            })));
        }
        let Which::BuiltIn(tool) = call.tool else {
            let other = "the permission is for a built-in tool";
            return Err(ExecuteError::Invalid(other.to_owned()));
        };
        if call.is_native() {
            return Ok(Prepared::Run(Box::new(native_order(order, request, terms))));
        }
        if !call.is_bash() {
            return Ok(match files_input(tool, &request.input, session, terms) {
                Ok(input) => {
                    order.program = "files".to_owned();
                    order.arguments = vec![b"files".to_vec(), tool.name.into()];
                    order.stdin = Stdin::Bytes(input);
                    Prepared::Run(Box::new(order))
                }
                Err(text) => Prepared::Answered(Box::new(failed(&text))),
            });
        }
        if request.input.get("restart") == Some(&Value::Bool(true)) {
            session.commit_state(Vec::new()).await.map_err(|source| {
                let path = session.workspace().to_owned();
                SessionError::Disk { path, source }
            })?;
        }
        let Some(command) = request.input.get("command").and_then(Value::as_str) else {
            return Ok(Prepared::Answered(Box::new(restarted())));
        };
        order.program = "bash".to_owned();
        order.arguments = vec![b"bash".to_vec(), b"-c".to_vec(), command.into()];
        order.state = session.state().to_vec();
        // Where no state is kept the offer is taken all the same, so that the shell need not know.
        order.keep_state = true;
        order.stdin = match request.input.get("stdin").and_then(Value::as_str) {
            Some(text) => Stdin::Bytes(text.into()),
            None if streams.stdin_inherited => Stdin::Inherit,
            None => Stdin::Empty,
        };
        Ok(Prepared::Run(Box::new(order)))
    }
}

/// An order whose first process is a program of the host.
fn native_order(mut order: Order, request: &ToolRequest, terms: &CallTerms) -> Order {
    let text = |name: &str| request.input.get(name).and_then(Value::as_str);
    let asked = text("program").unwrap_or_default();
    let known = terms.natives.get(asked).map_or(asked, String::as_str);
    // One that no rule names is told so by the policy, at its start.
    let path = match known.starts_with('/') {
        true => known.to_owned(),
        false => format!("/{known}"),
    };
    let words = request.input.get("args").and_then(Value::as_array);
    let words = words.into_iter().flatten().filter_map(Value::as_str);
    order.arguments = std::iter::once(&*path)
        .chain(words)
        .map(Into::into)
        .collect();
    order.natives.insert(path.clone(), path.clone());
    order.program = path;
    order.stdin = text("stdin").map_or(Stdin::Empty, |text| Stdin::Bytes(text.into()));
    order
}

/// The tool's input for the files guest, with its paths as guests see them.
fn files_input(
    tool: &Tool,
    input: &Value,
    session: &Session,
    terms: &CallTerms,
) -> Result<Vec<u8>, String> {
    let mut input = input.clone();
    for field in tool.fields.iter().filter(|field| field.kind == Kind::Path) {
        if let Some(value) = input.get_mut(field.name)
            && let Some(path) = value.as_str()
        {
            let path = guest_path(path, session.workspace(), &tops(terms));
            *value = path
                .map_err(|error| format!("{}: {error}", tool.name))?
                .into();
        }
    }
    if let Some(fields) = input.as_object_mut() {
        fields.remove("encoding");
    }
    serde_json::to_vec(&input).map_err(|error| error.to_string())
}

fn environment(terms: &CallTerms, input: &Value) -> Vec<Vec<u8>> {
    let of_call = input.get("env").and_then(Value::as_object);
    let of_call = of_call
        .into_iter()
        .flatten()
        .filter_map(|(n, v)| Some((n.as_str(), v.as_str()?)));
    let of_policy = terms
        .environment
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()));
    let mut variables: Vec<(&str, &str)> = ENVIRONMENT.to_vec();
    for (name, value) in of_policy.chain(of_call) {
        match variables.iter_mut().find(|(known, _)| *known == name) {
            Some(variable) => variable.1 = value,
            None => variables.push((name, value)),
        }
    }
    variables
        .into_iter()
        .map(|(name, value)| format!("{name}={value}").into_bytes())
        .collect()
}

fn working_folder(
    request: &ToolRequest,
    session: &Session,
    terms: &CallTerms,
) -> Result<String, ExecuteError> {
    let folder = session.folder().unwrap_or_else(|| WORKSPACE.to_owned());
    let Some(asked) = &request.working_dir else {
        return Ok(folder);
    };
    let path = guest_path(asked, session.workspace(), &tops(terms))
        .map_err(|error| ExecuteError::Invalid(format!("workingDir: {error}")))?;
    Ok(if path.starts_with('/') {
        path
    } else {
        format!("{folder}/{path}")
    })
}

/// Names under `/` that the policy's mounts have.
fn tops(terms: &CallTerms) -> Vec<&str> {
    let guests = terms.mounts.iter().map(|mount| mount.guest.as_str());
    guests.map(|guest| guest.trim_start_matches('/')).collect()
}

fn mounts(session: &Session, terms: &CallTerms) -> Vec<Mount> {
    let mount = |guest: &str, host: &std::path::Path, place: &Place| Mount {
        guest: guest.to_owned(),
        host: host.to_owned(),
        writable: place.access == Access::ReadWrite,
        protected: place.protected.iter().cloned().collect(),
        quota_bytes: place.quota,
        counted: true,
    };
    let tmp = Place {
        access: Access::ReadWrite,
        quota: None,
        protected: std::collections::BTreeSet::new(),
    };
    let own = [
        mount(WORKSPACE, session.workspace(), &terms.workspace),
        mount(TMP, session.tmp(), &tmp),
    ];
    let more = terms.mounts.iter();
    // What the operator mounts is not the session's.
    let more = more.map(|terms| Mount {
        counted: false,
        ..mount(&terms.guest, &terms.host, &terms.place)
    });
    own.into_iter().chain(more).collect()
}

/// What the cell is told of what the session holds.
pub(super) fn holds(known: crate::session::Counted) -> SessionHolds {
    SessionHolds {
        session: known.session,
        count: known.count,
        held: known.held,
    }
}

fn failed(text: &str) -> Outcome {
    let stderr = Captured {
        head: format!("{text}\n").into_bytes(),
        ..Captured::default()
    };
    Outcome {
        exit_code: 1,
        stderr,
        ..Outcome::default()
    }
}

/// A restarted shell has kept its new, empty state.
fn restarted() -> Outcome {
    let stdout = Captured {
        head: b"bash session restarted".to_vec(),
        ..Captured::default()
    };
    Outcome {
        stdout,
        state: Some(Vec::new()),
        ..Outcome::default()
    }
}
