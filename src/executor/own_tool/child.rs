//! A tool of the operator's own that a shell starts: a child of the call, as a native program is, whose
//! streams are pipes of the broker.

use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, oneshot};

use super::{environment, home, mounts, writes};
use crate::audit::{Durable, Granted};
use crate::cell::{
    Chunk, Native, NativeAsk, NativeEnd, NativeStatus, Order, SessionHolds, Source, Stdin, Stream,
    Ties,
};
use crate::executor::children::{Asked, Child, Children, Holds, Joined, pipes};
use crate::executor::input::OWN_LABEL;
use crate::executor::record::{asked_of_own, finished};
use crate::outcome::{Held, Outcome, StoppedBy};
use crate::policy::{self, Decision, Grant, ToolCall, ToolWorld};

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
/// Sessions as the cells of tools know them: each run is one of its own, as such a cell knows nothing of
/// what others write meanwhile. Far from the numbers that sessions have.
static RUNS: AtomicU64 = AtomicU64::new(1 << 62);

/// A tool that was decided and recorded, with what it was permitted.
struct Start {
    name: String,
    ask: NativeAsk,
    grant: Grant,
    writes: bool,
}

/// What a run came to.
struct Ran {
    outcome: Outcome,
    /// What the session held before.
    before: Held,
    /// Bytes of its input that it did not read.
    unread: u64,
    writes: bool,
}

/// Why a tool did not run.
struct NotRun {
    /// For the record: nothing of what the tool was given.
    recorded: &'static str,
    /// For whoever asked.
    told: String,
}

impl NotRun {
    fn new(recorded: &'static str, told: impl std::fmt::Display) -> Self {
        let told = format!("{recorded}: {told}");
        Self { recorded, told }
    }

    fn plain(recorded: &'static str) -> Self {
        let told = recorded.to_owned();
        Self { recorded, told }
    }
}

impl Children {
    /// Decides, records and starts a tool as a program of the shell.
    pub(in crate::executor) async fn begin_tool(
        self: Arc<Self>,
        tool: String,
        ask: NativeAsk,
    ) -> Result<Native, String> {
        let request = policy::Request::Tool(ToolCall {
            agent: &self.agent,
            tool: &tool,
            variables: Vec::new(),
            timeout_ms: None,
        });
        let decision = policy::decide(&self.policy, &request, SystemTime::now());
        let terms = match &decision {
            Decision::Allow(grant) => grant.call(),
            Decision::Deny(_) => None,
        };
        let held = self.holds(terms.and_then(writes) == Some(true)).await;
        // From here on it is recorded, whoever goes away.
        let begun = tokio::spawn(self.begin_tool_recorded((tool, ask), decision, held));
        begun
            .await
            .unwrap_or_else(|error| Err(format!("hotcell: {error}\n")))
    }

    async fn begin_tool_recorded(
        self: Arc<Self>,
        (name, ask): (String, NativeAsk),
        decision: Decision,
        held: Holds,
    ) -> Result<Native, String> {
        let (child, intent) = self.record_tool(&name, &ask, &decision);
        let grant = self.permitted(&child, intent, decision).await?;
        let (ours, theirs) = match pipes(&ask) {
            Ok(pipes) => pipes,
            Err(error) => {
                self.record_not_run(&child, "it cannot have pipes");
                return Err(child.says(error));
            }
        };
        let writes = held.0.is_some();
        if writes {
            // It counts in a cell of its own.
            self.uncounted.store(true, Ordering::SeqCst);
        }
        let (signals, heard) = mpsc::unbounded_channel();
        let (answer, ended) = oneshot::channel();
        let start = Start {
            name,
            ask,
            grant,
            writes,
        };
        tokio::spawn(async move {
            let end = self.run_tool((child, start), theirs, heard).await;
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
        (child, start): (Child, Start),
        [stdin, stdout, stderr]: [OwnedFd; 3],
        mut heard: mpsc::UnboundedReceiver<i32>,
    ) -> NativeEnd {
        let (sink, chunks) = mpsc::unbounded_channel();
        let (writes, unheard) = oneshot::channel::<()>();
        let written = tokio::spawn(async move {
            write_out(chunks, stdout, stderr).await;
            drop(writes);
        });
        let mut signal = None;
        let ran = {
            let signal = &mut signal;
            let cancelled = async move {
                *signal = tokio::select! {
                    number = heard.recv() => {
                        let number = number.and_then(|number| u32::try_from(number).ok());
                        Some(number.unwrap_or(KILL))
                    }
                    // Nobody reads what it writes.
                    _ = unheard => Some(PIPE),
                };
            };
            self.run_in_cell(start, stdin, sink, cancelled).await
        };
        // All output is where it belongs before the end is told.
        let _written = written.await;
        self.tool_ended(&child, ran, signal).await
    }

    async fn run_in_cell(
        &self,
        start: Start,
        stdin: OwnedFd,
        sink: mpsc::UnboundedSender<Chunk>,
        cancelled: impl Future<Output = ()>,
    ) -> Result<Ran, NotRun> {
        let Start {
            name,
            ask,
            grant,
            writes,
        } = start;
        let lost = || NotRun::plain("its permission is for something else");
        let terms = grant.call().ok_or_else(lost)?;
        let tool = terms.own.as_ref().ok_or_else(lost)?;
        let home = home((&self.agent, &self.session), &name, tool);
        let home = home.map_err(|error| NotRun::new("it has no cell", error))?;
        // The call's end ends it; past that nobody may be left to say so.
        let left = self.ends.saturating_duration_since(Instant::now());
        let mut ends = pin!(tokio::time::timeout(left.saturating_add(LATE), cancelled));
        let code = home.tool.as_ref();
        let typed = code.is_some_and(|code| code.found.world == ToolWorld::Typed);
        let taken = Arc::new(AtomicU64::new(0));
        let (sent, input) = match typed {
            true => tokio::select! {
                input = self.typed_input(&name, &ask, stdin) => (Stdin::Bytes(input?), None),
                _ = &mut ends => {
                    return Err(NotRun::plain("it was ended before it had all of its input"));
                }
            },
            false => {
                let taken = Arc::clone(&taken);
                (Stdin::Sent, Some(Source { pipe: stdin, taken }))
            }
        };
        let before = self.held();
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
            session: Some(SessionHolds {
                session: RUNS.fetch_add(1, Ordering::Relaxed),
                count: 0,
                held: before,
            }),
            ..Order::default()
        };
        let ties = Ties {
            sink: Some(sink),
            input,
        };
        let cells = &self.executor.cells;
        let run = cells.run(grant, (order, home, None), ties, async { drop(ends.await) });
        let outcome = run.await;
        let outcome = outcome.map_err(|error| NotRun::new("no cell could run it", error))?;
        let unread = taken.load(Ordering::SeqCst);
        Ok(Ran {
            unread: unread.saturating_sub(outcome.input_read_bytes),
            outcome,
            before,
            writes,
        })
    }

    /// The whole input of a typed tool, held against its schema.
    async fn typed_input(
        &self,
        name: &str,
        ask: &NativeAsk,
        stdin: OwnedFd,
    ) -> Result<Vec<u8>, NotRun> {
        let tool = self.policy.own_tools.get(name);
        let tool = tool.ok_or(NotRun::plain("it is gone"))?;
        if !ask.arguments.is_empty() || !ask.stdin {
            return Err(NotRun::new(
                "it takes its input as JSON on standard input, and no arguments",
                format!("the input is {}", tool.start.input),
            ));
        }
        let unread = |error| NotRun::new("its input cannot be read", error);
        let stdin = pipe::Receiver::from_owned_fd(stdin).map_err(unread)?;
        let mut input = Vec::new();
        let mut stdin = stdin.take(INPUT_BYTES_MAX + 1);
        stdin.read_to_end(&mut input).await.map_err(unread)?;
        if input.len() as u64 > INPUT_BYTES_MAX {
            return Err(NotRun::new(
                "its input is too long",
                format!("over {INPUT_BYTES_MAX} bytes"),
            ));
        }
        let value: Value = serde_json::from_slice(&input)
            .map_err(|error| NotRun::new("its input is not JSON", error))?;
        let fits = tool.input.check(&value);
        fits.map_err(|fault| NotRun::new("its input does not fit its schema", fault))?;
        Ok(input)
    }

    /// What the session holds, as far as this call knows.
    fn held(&self) -> Held {
        let room = self.left.lock().room;
        Held {
            bytes: self.most.bytes.saturating_sub(room.bytes),
            files: self.most.files.saturating_sub(room.files),
        }
    }

    /// What the session holds more, as the tool's cell says; nothing that it may not have changed.
    fn grown(&self, ran: &Ran) -> Held {
        let Some(after) = ran.outcome.held.filter(|_| ran.writes) else {
            return Held::default();
        };
        let within =
            |after: i64, before: i64, most: i64| after.clamp(0, most.max(0)).saturating_sub(before);
        let grown = Held {
            bytes: within(after.bytes, ran.before.bytes, self.most.bytes),
            files: within(after.files, ran.before.files, self.most.files),
        };
        let mut left = self.left.lock();
        left.room.bytes = left.room.bytes.saturating_sub(grown.bytes);
        left.room.files = left.room.files.saturating_sub(grown.files);
        left.written = left.written.saturating_sub(ran.outcome.usage.written_bytes);
        grown
    }

    /// Records what came of it, and says what its guests are told.
    async fn tool_ended(
        &self,
        child: &Child,
        ran: Result<Ran, NotRun>,
        signal: Option<u32>,
    ) -> NativeEnd {
        let ran = match ran {
            Ok(ran) => ran,
            Err(not_run) => {
                self.record_not_run(child, not_run.recorded);
                let (status, said) = match signal {
                    Some(signal) => (NativeStatus::Signaled(signal), String::new()),
                    None => (NativeStatus::Exited(NOT_RUN), child.says(&not_run.told)),
                };
                return NativeEnd {
                    status,
                    said,
                    ..NativeEnd::default()
                };
            }
        };
        let grown = self.grown(&ran);
        let Ran {
            mut outcome,
            unread,
            ..
        } = ran;
        // What it wrote was counted as it went by; this would be the broker's own sentence.
        (outcome.stdout, outcome.stderr) = Default::default();
        let changed = self.look_at_changed(&outcome.changed).await;
        let ended = finished(&child.id, Ok(&outcome), changed, child.began);
        self.executor.audit.finished(&ended);
        let (status, said) = match outcome.stopped_by {
            Some(StoppedBy::Cancelled) => (
                NativeStatus::Signaled(signal.unwrap_or(KILL)),
                String::new(),
            ),
            Some(limit) => (
                NativeStatus::Exited(outcome.exit_code),
                child.says(format_args!("stopped by its limit `{}`", limit.name())),
            ),
            None => (NativeStatus::Exited(outcome.exit_code), String::new()),
        };
        NativeEnd {
            status,
            said,
            unread,
            grown,
            written: outcome.usage.written_bytes,
            ..NativeEnd::default()
        }
    }

    fn record_tool(&self, name: &str, ask: &NativeAsk, decision: &Decision) -> (Child, Durable) {
        let child = self.next_child(name);
        let own = self.policy.own_tools.get(name);
        let terms = match decision {
            Decision::Allow(grant) => grant.call(),
            Decision::Deny(_) => None,
        };
        let sha256 = own.map_or("", |own| &*own.start.sha256);
        let words = serde_json::to_string(&ask.arguments).unwrap_or_default();
        // What it reads is not known yet.
        let request = asked_of_own(sha256, Some(ask.cwd.clone()), ("args", &words));
        let whole = serde_json::to_vec(&(name, sha256, &ask.arguments, &ask.cwd));
        let asked = Asked {
            tool: name,
            label: OWN_LABEL,
            request,
            whole: whole.unwrap_or_default(),
            lane: own.map_or("wasm", |own| own.start.kind.lane()),
            limits: terms.map(|terms| Granted::from(&terms.limits)),
        };
        let intent = self.record_child(&child, decision, asked);
        (child, intent)
    }
}

/// Writes pieces where they belong until there are no more, or nobody reads standard output.
async fn write_out(mut chunks: mpsc::UnboundedReceiver<Chunk>, stdout: OwnedFd, stderr: OwnedFd) {
    let sender = pipe::Sender::from_owned_fd;
    let (Ok(mut out), Ok(mut err)) = (sender(stdout), sender(stderr)) else {
        return;
    };
    while let Some(chunk) = chunks.recv().await {
        let written = match chunk.stream {
            Stream::Stdout => out.write_all(&chunk.bytes).await,
            // Nobody need listen to complaints.
            Stream::Stderr => err.write_all(&chunk.bytes).await.or(Ok(())),
        };
        if written.is_err() {
            return;
        }
    }
}
