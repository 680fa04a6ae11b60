//! Tools of the operator's own: each runs in a cell for itself, which sees what the tool was granted
//! and nothing else; called by an agent, or started by a shell as a child of its call.

use std::borrow::Cow;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, oneshot};

use crate::audit::{Digested, Durable, Finished, Granted, Intent, PolicyInForce, Verdict};
use crate::cell::{
    Chunk, Home, Mount, Native, NativeAsk, NativeEnd, NativeStatus, Order, SessionHolds, Stdin,
    Stream, Ties,
};
use crate::executor::error::ExecuteError;
use crate::executor::input::OWN_LABEL;
use crate::executor::native::{Begun, Child, Children, Joined, pipes};
use crate::executor::record::{asked_of_own, cut, rule_and_line};
use crate::outcome::{Held, Outcome, StoppedBy};
use crate::policy::{
    self, Access, CallTerms, Decision, Grant, OwnTool, Place, ToolCall, ToolMount, ToolStart,
    ToolWorld,
};
use crate::request::hexadecimal;
use crate::session::Session;
use crate::workspace::{TMP, WORKSPACE};

/// Longest input of a typed tool in a shell, in bytes. Chosen, not measured.
const INPUT_BYTES_MAX: u64 = 1 << 20;
/// How long after its call's time a tool is ended in any case. Chosen: the cell of the call ends that
/// on time, and its tools with it.
const LATE: Duration = Duration::from_secs(2);
/// Exit code of a program that cannot be run.
const NOT_RUN: u8 = 126;
/// Signals that a program ends with: its reader went away; it was ended.
const PIPE: u32 = 13;
const KILL: u32 = 9;
/// What the count of what a session holds is called that a tool's cell is started with: another each
/// time, as that cell knows nothing of what others wrote.
static COUNTS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1 << 62);

/// The cell of one tool of one session.
///
/// # Errors
/// The policy was read without compiling its tools.
pub(super) fn home(
    (agent, session): (&str, &str),
    name: &str,
    tool: &ToolStart,
) -> Result<Home, ExecuteError> {
    let Some(code) = &tool.code else {
        let fault = format!("the tool {name} was not compiled when its policy was loaded");
        return Err(ExecuteError::Invalid(fault));
    };
    Ok(Home {
        // No name of a session has a `#`.
        key: format!("{agent}/{session}#{name}#{}", tool.sha256),
        shared: None,
        tool: Some(Arc::clone(code)),
    })
}

/// Whether a run of a tool of the operator's own may change what its session holds; nothing for a
/// built-in tool.
pub(super) fn writes(terms: &CallTerms) -> Option<bool> {
    let tool = terms.own.as_ref()?;
    let may = |mount: &ToolMount| match &*mount.guest {
        WORKSPACE => mount.access.min(terms.workspace.access) == Access::ReadWrite,
        TMP => mount.access == Access::ReadWrite,
        _ => false,
    };
    Some(tool.mounts.iter().any(may))
}

/// An order to run the tool, without its input.
pub(super) fn order(
    order: Order,
    (name, tool): (&str, &ToolStart),
    (session, terms): (&Session, &CallTerms),
) -> Order {
    Order {
        program: name.to_owned(),
        arguments: vec![name.into()],
        environment: environment(terms),
        mounts: mounts((session.workspace(), session.tmp()), terms, tool),
        preopens: true,
        ..order
    }
}

fn environment(terms: &CallTerms) -> Vec<Vec<u8>> {
    let variables = terms.environment.iter();
    variables
        .map(|(name, value)| format!("{name}={value}").into_bytes())
        .collect()
}

/// What of the call's folders the tool sees, and its own; never more than the call may do there.
fn mounts((workspace, tmp): (&Path, &Path), terms: &CallTerms, tool: &ToolStart) -> Vec<Mount> {
    let free = Place {
        access: Access::ReadWrite,
        quota: None,
        protected: std::collections::BTreeSet::new(),
    };
    let seen = |mount: &ToolMount| {
        let (host, place, counted) = match (&mount.host, &*mount.guest) {
            (Some(host), _) => (host.as_path(), &free, false),
            (None, WORKSPACE) => (workspace, &terms.workspace, true),
            (None, TMP) => (tmp, &free, true),
            (None, guest) => {
                let known = terms.mounts.iter().find(|known| known.guest == guest)?;
                (known.host.as_path(), &known.place, false)
            }
        };
        Some(Mount {
            guest: mount.guest.clone(),
            host: host.to_owned(),
            writable: mount.access.min(place.access) == Access::ReadWrite,
            protected: place.protected.iter().cloned().collect(),
            quota_bytes: place.quota,
            counted,
        })
    };
    tool.mounts.iter().filter_map(seen).collect()
}

/// The tool that a path of the shell means.
pub(super) fn named<'a>(policy: &'a policy::Policy, program: &str) -> Option<&'a OwnTool> {
    let name = program.rsplit('/').next()?;
    let tool = policy.own_tools.get(name)?;
    (policy::tool_path(name) == program).then_some(tool)
}

/// A tool that a shell started, with what it was permitted.
struct Start {
    child: Child,
    name: String,
    ask: NativeAsk,
    grant: Grant,
}

impl Children {
    /// Decides, records and starts a tool as a program of the shell.
    pub(super) async fn begin_tool(
        self: Arc<Self>,
        tool: String,
        ask: NativeAsk,
    ) -> Result<Native, String> {
        let held = Arc::clone(&self.begun).read_owned().await;
        // From here on it is recorded, whoever goes away.
        let begun = tokio::spawn(self.begin_tool_recorded(tool, ask, held));
        begun
            .await
            .unwrap_or_else(|error| Err(format!("hotcell: {error}\n")))
    }

    async fn begin_tool_recorded(
        self: Arc<Self>,
        name: String,
        ask: NativeAsk,
        held: Begun,
    ) -> Result<Native, String> {
        let request = policy::Request::Tool(ToolCall {
            agent: &self.agent,
            tool: &name,
            variables: Vec::new(),
            timeout_ms: None,
        });
        let decision = policy::decide(&self.policy, &request, SystemTime::now());
        let (child, mut intent) = self.record_tool(&name, &ask, &decision);
        let told = |error: &dyn std::fmt::Display| format!("hotcell: {name}: {error}\n");
        let grant = match decision {
            Decision::Allow(grant) => grant,
            Decision::Deny(denial) => return Err(told(&denial)),
        };
        if let Err(error) = intent.wait().await {
            tracing::error!(%error, request_id = child.id, "a tool's start cannot be recorded");
            return Err(told(&"its start cannot be recorded, so it does not run"));
        }
        let (ours, theirs) = pipes(&ask).map_err(|error| told(&error))?;
        let (signals, heard) = mpsc::unbounded_channel();
        let (answer, ended) = oneshot::channel();
        let start = Start {
            child,
            name,
            ask,
            grant,
        };
        tokio::spawn(async move {
            let end = self.run_tool(start, theirs, heard).await;
            drop(held);
            // The call may be gone.
            let _gone = answer.send(end);
        });
        let Joined {
            stdin,
            stdout,
            stderr,
        } = ours;
        Ok(Native {
            stdin,
            stdout,
            stderr,
            signals,
            ended,
        })
    }

    async fn run_tool(
        self: Arc<Self>,
        start: Start,
        [stdin, stdout, stderr]: [OwnedFd; 3],
        mut heard: mpsc::UnboundedReceiver<i32>,
    ) -> NativeEnd {
        let (sink, chunks) = mpsc::unbounded_channel();
        let written = tokio::spawn(write_out(chunks, stdout, stderr));
        let mut signal = None;
        let child = Child {
            id: start.child.id.clone(),
            name: start.name.clone(),
            began: start.child.began,
        };
        let ran = {
            let signal = &mut signal;
            let broken = written.abort_handle();
            let cancelled = async move {
                tokio::select! {
                    number = heard.recv() => {
                        *signal = Some(number.and_then(|n| u32::try_from(n).ok()).unwrap_or(KILL));
                    }
                    () = finished(&broken) => *signal = Some(PIPE),
                }
            };
            self.run_in_cell(start, stdin, sink, cancelled).await
        };
        // All output is where it belongs before the end is told.
        let _written = written.await;
        self.tool_ended(&child, ran, signal)
    }

    async fn run_in_cell(
        &self,
        start: Start,
        stdin: OwnedFd,
        sink: mpsc::UnboundedSender<Chunk>,
        cancelled: impl Future<Output = ()>,
    ) -> Result<(Outcome, Held), String> {
        let Start {
            name, ask, grant, ..
        } = start;
        let lost = || "its permission is for something else".to_owned();
        let terms = grant.call().ok_or_else(lost)?;
        let tool = terms.own.as_ref().ok_or_else(lost)?;
        let home = home((&self.agent, &self.session), &name, tool).map_err(|e| e.to_string())?;
        let typed = home
            .tool
            .as_ref()
            .is_some_and(|code| code.found.world == ToolWorld::Typed);
        let (sent, input) = match typed {
            true => (
                Stdin::Bytes(self.typed_input(&name, &ask, stdin).await?),
                None,
            ),
            false => (Stdin::Sent, Some(stdin)),
        };
        let (held, left) = (self.held(terms), self.left());
        let words = std::iter::once(&name).chain(&ask.arguments);
        let order = Order {
            program: name.clone(),
            arguments: words.map(|word| word.as_bytes().to_vec()).collect(),
            environment: environment(terms),
            cwd: ask.cwd,
            stdin: sent,
            mounts: mounts((&self.workspace, &self.tmp), terms, tool),
            preopens: true,
            stream: true,
            session: Some(held),
            ..Order::default()
        };
        let ties = Ties {
            sink: Some(sink),
            input,
        };
        let ends = async {
            // The call's end ends it; past that nobody may be left to say so.
            let _late = tokio::time::timeout(left.saturating_add(LATE), cancelled).await;
        };
        let run = self
            .executor
            .cells
            .run(grant, (order, home, None), ties, ends);
        let outcome = run.await.map_err(|error| error.to_string())?;
        Ok((outcome, held.held))
    }

    /// The whole input of a typed tool, held against its schema.
    async fn typed_input(
        &self,
        name: &str,
        ask: &NativeAsk,
        stdin: OwnedFd,
    ) -> Result<Vec<u8>, String> {
        let tool = self.policy.own_tools.get(name).ok_or("it is gone")?;
        if !ask.arguments.is_empty() || !ask.stdin {
            return Err(format!(
                "it takes its input as JSON on standard input, and no arguments; the input is {}",
                tool.start.input
            ));
        }
        let stdin = pipe::Receiver::from_owned_fd(stdin).map_err(|error| error.to_string())?;
        let mut input = Vec::new();
        let read = stdin
            .take(INPUT_BYTES_MAX + 1)
            .read_to_end(&mut input)
            .await;
        read.map_err(|error| error.to_string())?;
        if input.len() as u64 > INPUT_BYTES_MAX {
            return Err(format!("its input has over {INPUT_BYTES_MAX} bytes"));
        }
        let value: Value = serde_json::from_slice(&input)
            .map_err(|error| format!("its input is not JSON: {error}"))?;
        tool.input
            .check(&value)
            .map_err(|fault| format!("input: {fault}"))?;
        Ok(input)
    }

    /// What the session holds, as far as this call knows.
    fn held(&self, terms: &CallTerms) -> SessionHolds {
        let room = self.left.lock().room;
        let most = |limit: u64| i64::try_from(limit).unwrap_or(i64::MAX);
        SessionHolds {
            session: 0,
            count: COUNTS.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
            held: Held {
                bytes: most(terms.limits.session_disk_bytes).saturating_sub(room.bytes),
                files: most(terms.limits.session_files).saturating_sub(room.files),
            },
        }
    }

    fn left(&self) -> Duration {
        self.ends.saturating_duration_since(Instant::now())
    }

    /// Records what came of it, and says what its guests are told.
    fn tool_ended(
        &self,
        child: &Child,
        ran: Result<(Outcome, Held), String>,
        signal: Option<u32>,
    ) -> NativeEnd {
        let name = &child.name;
        let (outcome, before) = match ran {
            Ok(ran) => ran,
            Err(error) => {
                self.record_tool_end(child, Err(&error));
                return NativeEnd {
                    status: NativeStatus::Exited(NOT_RUN),
                    said: format!("hotcell: {name}: {error}\n"),
                    ..NativeEnd::default()
                };
            }
        };
        self.record_tool_end(child, Ok(&outcome));
        let after = outcome.held.unwrap_or(before);
        let grown = Held {
            bytes: after.bytes - before.bytes,
            files: after.files - before.files,
        };
        {
            let mut left = self.left.lock();
            left.room.bytes = left.room.bytes.saturating_sub(grown.bytes);
            left.room.files = left.room.files.saturating_sub(grown.files);
        }
        let (status, said) = match (signal, outcome.stopped_by) {
            (Some(signal), _) => (NativeStatus::Signaled(signal), String::new()),
            (None, Some(StoppedBy::Cancelled)) => (NativeStatus::Signaled(KILL), String::new()),
            (None, Some(limit)) => (
                NativeStatus::Exited(outcome.exit_code),
                format!("hotcell: {name}: stopped by its limit `{}`\n", limit.name()),
            ),
            (None, None) => (NativeStatus::Exited(outcome.exit_code), String::new()),
        };
        NativeEnd {
            status,
            said,
            unread: outcome.unread_bytes,
            grown,
            written: outcome.usage.written_bytes,
        }
    }

    fn record_tool(&self, name: &str, ask: &NativeAsk, decision: &Decision) -> (Child, Durable) {
        let child = self.next_child(name);
        let (verdict, (rule, line), reason) = match decision {
            Decision::Allow(grant) => (Verdict::Allow, rule_and_line(grant.rule()), None),
            Decision::Deny(denial) => (
                Verdict::Deny,
                (&*denial.rule, denial.line),
                Some(Cow::Borrowed(cut(&denial.reason))),
            ),
        };
        self.executor
            .telemetry
            .metrics
            .decided(OWN_LABEL, verdict == Verdict::Allow);
        let own = self.policy.own_tools.get(name);
        let terms = match decision {
            Decision::Allow(grant) => grant.call(),
            Decision::Deny(_) => None,
        };
        let sha256 = own.map_or("", |own| &*own.start.sha256);
        let words = serde_json::to_string(&ask.arguments).unwrap_or_default();
        let mut request = asked_of_own(sha256, &Value::Null, Some(ask.cwd.clone()));
        // What it reads is not known yet.
        request.digests.clear();
        request.digests.push((
            "args".into(),
            Digested {
                bytes: words.len() as u64,
                sha256: hexadecimal(&Sha256::digest(&words)),
            },
        ));
        let whole = serde_json::to_vec(&(name, sha256, &ask.arguments, &ask.cwd));
        let intent = self.executor.audit.intent(&Intent {
            request_id: Cow::Borrowed(&child.id),
            decision: verdict,
            agent: Cow::Borrowed(&self.agent),
            door: Cow::Borrowed(self.door),
            session: Cow::Borrowed(&self.session),
            tool: Cow::Borrowed(name),
            request,
            request_sha256: hexadecimal(&Sha256::digest(whole.unwrap_or_default())),
            rule: Cow::Borrowed(rule),
            line,
            reason,
            policy: PolicyInForce {
                name: Cow::Borrowed(cut(&self.policy.name)),
                version: self.policy.serial,
                sha256: Cow::Borrowed(&self.policy.digest),
            },
            lane: Cow::Borrowed(own.map_or("wasm", |own| own.start.kind.lane())),
            confinement: Cow::Borrowed(&self.executor.confinement),
            limits: terms.map(|terms| Granted::from(&terms.limits)),
            idempotency_sha256: None,
        });
        (child, intent)
    }

    fn record_tool_end(&self, child: &Child, ended: Result<&Outcome, &str>) {
        let outcome = ended.ok();
        self.executor.audit.finished(&Finished {
            request_id: Cow::Borrowed(&child.id),
            exit_code: outcome.map(|outcome| outcome.exit_code),
            stopped_by: outcome.and_then(|outcome| outcome.stopped_by),
            error: ended.err().map(|error| Cow::Borrowed(cut(error))),
            duration_us: u64::try_from(child.began.elapsed().as_micros()).unwrap_or(u64::MAX),
            usage: outcome.map(|outcome| outcome.usage.clone()),
            stdout_bytes: outcome.map_or(0, |outcome| outcome.streamed_bytes.0),
            stderr_bytes: outcome.map_or(0, |outcome| outcome.streamed_bytes.1),
            changed: Vec::new(),
            changed_more: outcome.is_some_and(|outcome| !outcome.changed.is_empty()),
            denied: Vec::new(),
        });
    }
}

/// Resolves when a task has ended.
async fn finished(task: &tokio::task::AbortHandle) {
    while !task.is_finished() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Writes pieces where they belong until there are no more, or nobody reads standard output.
async fn write_out(
    mut chunks: mpsc::UnboundedReceiver<Chunk>,
    stdout: OwnedFd,
    stderr: OwnedFd,
) -> std::io::Result<()> {
    use tokio::io::AsyncWriteExt as _;
    let mut out = pipe::Sender::from_owned_fd(stdout)?;
    let mut err = pipe::Sender::from_owned_fd(stderr)?;
    while let Some(chunk) = chunks.recv().await {
        match chunk.stream {
            Stream::Stdout => out.write_all(&chunk.bytes).await?,
            // Nobody need listen to complaints.
            Stream::Stderr => drop(err.write_all(&chunk.bytes).await),
        }
    }
    Ok(())
}
