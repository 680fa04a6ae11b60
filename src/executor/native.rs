//! Native programs that guests of a call start: each decided, recorded and granted by itself, as a
//! child of the call.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use rustix::pipe::{PipeFlags, pipe_with};
use sha2::{Digest as _, Sha256};
use tokio::sync::{mpsc, oneshot};

use crate::audit::{
    Asked as Recorded, Changed, Durable, Finished, Granted, Intent, PolicyInForce, Verdict,
};
use crate::cell::{Above, Native, NativeAsk, NativeEnd, NativeStatus};
use crate::executor::order;
use crate::executor::record::{TEXT_BYTES_MAX, cut, digested, rule_and_line};
use crate::executor::{Executor, changed, own_tool};
use crate::native::{NativeError, NativeOrder, Running, Status, Taken};
use crate::outcome::{CHANGED_MAX, Held, StoppedBy, Usage};
use crate::policy::{self, Access, CallTerms, Decision, Grant, NativeCall, Policy, Protected};
use crate::request::hexadecimal;
use crate::session::Counted;

/// What native programs of one call share.
#[derive(Debug)]
pub(super) struct Children {
    pub(super) executor: Arc<Executor>,
    /// The call's own id; a child's has a number behind it.
    id: String,
    pub(super) agent: String,
    pub(super) session: String,
    pub(super) door: &'static str,
    pub(super) policy: Arc<Policy>,
    pub(super) workspace: PathBuf,
    pub(super) tmp: PathBuf,
    /// Where folders with changes are made.
    beside: PathBuf,
    access: Access,
    protected: Vec<Protected>,
    mounts: Vec<(String, PathBuf)>,
    pub(super) ends: Instant,
    started: AtomicU64,
    pub(super) left: Mutex<Left>,
    /// One program at a time changes the session's files.
    pub(super) writing: Arc<tokio::sync::Mutex<()>>,
    /// Shared by all that have begun, until they are gone and their end is recorded.
    pub(super) begun: Arc<tokio::sync::RwLock<()>>,
    /// The call is over: nothing more of it is started.
    over: AtomicBool,
    /// Something was changed that the cell was not there to count.
    pub(super) uncounted: AtomicBool,
    /// What the session may hold.
    pub(super) most: Held,
}

/// Longest wait for programs of a call that is over. Chosen: the kernel takes milliseconds to end them.
const GONE_WAIT: Duration = Duration::from_secs(20);

/// What programs of the call may still add.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) room: Held,
    pub(super) written: u64,
}

/// Held by the one program that changes a session's files.
type Alone = tokio::sync::OwnedMutexGuard<()>;

/// What a program holds until its end: the session's files, if it changes some, and its call's answer.
type Holds = (Option<Alone>, Begun);

/// Held by what was begun for a call, which is not answered before that is gone.
pub(super) type Begun = tokio::sync::OwnedRwLockReadGuard<()>;

/// A child that was decided and recorded.
#[derive(Clone)]
pub(super) struct Child {
    pub(super) id: String,
    /// The last part of its program's path.
    pub(super) name: String,
    pub(super) began: Instant,
}

/// What the record is told of a child before it starts.
pub(super) struct Asked<'a> {
    pub(super) tool: &'a str,
    /// What metrics call the tool.
    pub(super) label: &'static str,
    pub(super) request: Recorded<'a>,
    /// All that was asked, for its digest.
    pub(super) whole: Vec<u8>,
    pub(super) lane: &'a str,
    pub(super) limits: Option<Granted>,
}

impl Children {
    pub(super) fn of(
        executor: &Arc<Executor>,
        asked: &order::Asked,
        terms: &CallTerms,
        known: Counted,
    ) -> Arc<Self> {
        let session = &asked.session;
        let most = |limit: u64| i64::try_from(limit).unwrap_or(i64::MAX);
        let limits = &terms.limits;
        let mounts = terms.mounts.iter();
        Arc::new(Self {
            executor: Arc::clone(executor),
            id: asked.request.id.0.clone(),
            agent: asked.request.agent.clone(),
            session: session.name().to_owned(),
            door: asked.streams.door,
            policy: Arc::clone(&asked.policy),
            workspace: session.workspace().to_owned(),
            tmp: session.tmp().to_owned(),
            beside: session.tmp().parent().unwrap_or(session.tmp()).to_owned(),
            access: terms.workspace.access,
            protected: terms.workspace.protected.iter().cloned().collect(),
            mounts: mounts.map(|m| (m.guest.clone(), m.host.clone())).collect(),
            ends: Instant::now() + Duration::from_millis(limits.wall_ms),
            started: AtomicU64::new(0),
            left: Mutex::new(Left {
                room: Held {
                    bytes: most(limits.session_disk_bytes).saturating_sub(known.held.bytes),
                    files: most(limits.session_files).saturating_sub(known.held.files),
                },
                written: limits.written_bytes,
            }),
            writing: session.writing(),
            begun: Arc::default(),
            over: AtomicBool::new(false),
            uncounted: AtomicBool::new(false),
            most: Held {
                bytes: most(limits.session_disk_bytes),
                files: most(limits.session_files),
            },
        })
    }

    /// Waits until all programs of a call that is over are gone, and their ends recorded: the call's
    /// answer says that nothing of it runs.
    pub(super) async fn gone(&self) {
        self.over.store(true, Ordering::SeqCst);
        let all = tokio::time::timeout(GONE_WAIT, self.begun.write()).await;
        if all.is_err() {
            let id = &self.id;
            tracing::error!(request_id = id, "a native program of a call outlives it");
        }
    }

    /// Whether the session holds more, or less, than the call's cell could know.
    pub(super) fn uncounted(&self) -> bool {
        self.uncounted.load(Ordering::SeqCst)
    }

    async fn begin(self: Arc<Self>, ask: NativeAsk) -> Result<Native, String> {
        if let Some(tool) = own_tool::named(&self.policy, &ask.program) {
            let name = tool.name.clone();
            return self.begin_tool(name, ask).await;
        }
        let call = NativeCall {
            agent: &self.agent,
            program: &ask.program,
            arguments: &ask.arguments,
            cwd: &ask.cwd,
        };
        let request = policy::Request::Native(call);
        let decision = policy::decide(&self.policy, &request, SystemTime::now());
        let terms = match &decision {
            Decision::Allow(grant) => grant.native(),
            Decision::Deny(_) => None,
        };
        let read_write = Access::ReadWrite;
        let writes = terms.is_some_and(|t| t.start.access.min(self.access) == read_write);
        // Whoever asked may go away while it waits: then nothing has happened yet.
        let alone = match writes {
            true => Some(Arc::clone(&self.writing).lock_owned().await),
            false => None,
        };
        let shared = Arc::clone(&self.begun).read_owned().await;
        // From here on it is recorded, whoever goes away.
        let begun = tokio::spawn(self.begin_recorded(ask, decision, (alone, shared)));
        begun
            .await
            .unwrap_or_else(|error| Err(format!("hotcell: {error}\n")))
    }

    async fn begin_recorded(
        self: Arc<Self>,
        ask: NativeAsk,
        decision: Decision,
        held: Holds,
    ) -> Result<Native, String> {
        let (child, mut intent) = self.record(&ask, &decision);
        let name = child.name.clone();
        let told = |error: &dyn std::fmt::Display| format!("hotcell: {name}: {error}\n");
        // A denial, too, is told only once it is on the disk.
        if let Err(error) = intent.wait().await {
            let id = &child.id;
            tracing::error!(%error, request_id = id, "a native program cannot be recorded");
            return Err(told(&"its start cannot be recorded, so it does not run"));
        }
        let grant = match decision {
            Decision::Allow(grant) => grant,
            Decision::Deny(denial) => {
                let (id, rule) = (&child.id, &denial.rule);
                tracing::info!(request_id = id, rule, "native program denied");
                return Err(told(&denial));
            }
        };
        if self.over.load(Ordering::SeqCst) {
            let late = "its call was over before it could start";
            self.record_end(&child, Err(late), Vec::new());
            return Err(told(&late));
        }
        let begun = self.run((grant, held), &ask, child).await;
        begun.map_err(|error| told(&chain(&error)))
    }

    async fn run(
        self: Arc<Self>,
        (grant, held): (Grant, Holds),
        ask: &NativeAsk,
        child: Child,
    ) -> Result<Native, NativeError> {
        let (running, joined) = match self.start(grant, ask).await {
            Ok(begun) => begun,
            Err(error) => {
                self.record_end(&child, Err(&chain(&error)), Vec::new());
                return Err(error);
            }
        };
        let (signals, heard) = mpsc::unbounded_channel();
        let (answer, ended) = oneshot::channel();
        // Whoever waits may go away; the program is ended then, and its end recorded all the same.
        tokio::spawn(async move {
            let (alone, shared) = held;
            let taken = running.finish(heard).await;
            drop(alone);
            let end = self.finish(&child, taken).await;
            let grown = end.grown != Held::default();
            // The call may be gone.
            if answer.send(end).is_err() && grown {
                self.uncounted.store(true, Ordering::SeqCst);
            }
            drop(shared);
        });
        Ok(Native {
            stdin: joined.stdin,
            stdout: joined.stdout,
            stderr: joined.stderr,
            signals,
            ended,
        })
    }

    async fn start(&self, grant: Grant, ask: &NativeAsk) -> Result<(Running, Joined), NativeError> {
        let joined = pipes(ask).map_err(|error| NativeError::Refused(error.to_string()))?;
        let (room, written_max) = {
            let left = self.left.lock();
            (left.room, left.written)
        };
        let order = NativeOrder {
            workspace: self.workspace.clone(),
            access: self.access,
            protected: self.protected.clone(),
            mounts: self.mounts.clone(),
            beside: self.beside.clone(),
            cwd: ask.cwd.clone(),
            room,
            written_max,
            wall: self.ends.saturating_duration_since(Instant::now()),
            stdio: joined.1,
        };
        let running = self.executor.natives.start(grant, order).await?;
        Ok((running, joined.0))
    }

    /// Records what came of it, and says what its guests are told.
    async fn finish(&self, child: &Child, taken: Result<Option<Taken>, NativeError>) -> NativeEnd {
        let name = &child.name;
        let taken = match taken {
            Ok(Some(taken)) => taken,
            Ok(None) => {
                let killed = "it was ended with its call; nothing of what it changed was kept";
                self.record_end(child, Err(killed), Vec::new());
                return NativeEnd {
                    status: NativeStatus::Signaled(KILL),
                    ..NativeEnd::default()
                };
            }
            Err(error) => {
                self.record_end(child, Err(&chain(&error)), Vec::new());
                return NativeEnd {
                    status: NativeStatus::Signaled(KILL),
                    said: format!("hotcell: {name}: {error}\n"),
                    ..NativeEnd::default()
                };
            }
        };
        {
            let mut left = self.left.lock();
            left.room.bytes = left.room.bytes.saturating_sub(taken.grown.bytes);
            left.room.files = left.room.files.saturating_sub(taken.grown.files);
            left.written = left.written.saturating_sub(taken.written);
        }
        let mut said = String::new();
        let mut status = match taken.ended.status {
            Status::Exited(code) => NativeStatus::Exited(code),
            Status::Signaled(signal) => NativeStatus::Signaled(signal),
        };
        if taken.out_of_memory {
            said = format!("hotcell: {name}: its memory ran out, and it was ended\n");
        } else if taken.out_of_time {
            said = format!("hotcell: {name}: its time was over, and it was ended\n");
        }
        if let Some(refused) = &taken.refused {
            said += &format!("hotcell: {name}: nothing of what it changed was kept: {refused}\n");
            // What failed must not look done.
            if status == NativeStatus::Exited(0) {
                status = NativeStatus::Exited(1);
            }
        }
        let paths: Vec<_> = taken.changed.iter().take(CHANGED_MAX).cloned().collect();
        let roots = [self.workspace.clone(), self.tmp.clone()];
        let looked = tokio::task::spawn_blocking(move || changed::look(&roots, paths));
        // A look that panicked leaves the record without names, not the start without a record.
        let changed = looked.await.unwrap_or_default();
        self.record_end(child, Ok((&taken, status)), changed);
        NativeEnd {
            status,
            said,
            grown: taken.grown,
            written: taken.written,
            ..NativeEnd::default()
        }
    }

    /// A child of the call, with an id of its own.
    pub(super) fn next_child(&self, name: &str) -> Child {
        let number = self.started.fetch_add(1, Ordering::Relaxed) + 1;
        Child {
            id: format!("{}.{number}", self.id),
            name: name.to_owned(),
            began: Instant::now(),
        }
    }

    fn record(&self, ask: &NativeAsk, decision: &Decision) -> (Child, Durable) {
        let child = self.next_child(name_of(&ask.program));
        // What runs, where it runs: words that the rule puts first are the rule's.
        let granted = match decision {
            Decision::Allow(grant) => grant.native().map(|terms| &terms.arguments),
            Decision::Deny(_) => None,
        };
        let words = serde_json::to_string(granted.unwrap_or(&ask.arguments)).unwrap_or_default();
        let mut request = Recorded {
            cwd: Some(Cow::Borrowed(cut(&ask.cwd))),
            ..Recorded::default()
        };
        request.fields = vec![
            ("program".into(), Cow::Borrowed(cut(&ask.program))),
            ("args".into(), Cow::Borrowed(cut(&words))),
        ];
        if words.len() > TEXT_BYTES_MAX {
            request
                .digests
                .push(("args".into(), digested(words.as_bytes())));
        }
        let whole = serde_json::to_vec(&(&ask.program, &ask.arguments, &ask.cwd));
        let asked = Asked {
            tool: TOOL,
            label: TOOL,
            request,
            whole: whole.unwrap_or_default(),
            lane: "native",
            limits: None,
        };
        let intent = self.record_child(&child, decision, asked);
        (child, intent)
    }

    /// Sends the intent of a child on its way to the disk, and counts the decision.
    pub(super) fn record_child(
        &self,
        child: &Child,
        decision: &Decision,
        asked: Asked<'_>,
    ) -> Durable {
        let (verdict, (rule, line), reason) = match decision {
            Decision::Allow(grant) => (Verdict::Allow, rule_and_line(grant.rule()), None),
            Decision::Deny(denial) => (
                Verdict::Deny,
                (&*denial.rule, denial.line),
                Some(Cow::Borrowed(cut(&denial.reason))),
            ),
        };
        let metrics = &self.executor.telemetry.metrics;
        metrics.decided(asked.label, verdict == Verdict::Allow);
        self.executor.audit.intent(&Intent {
            request_id: Cow::Borrowed(&child.id),
            decision: verdict,
            agent: Cow::Borrowed(&self.agent),
            door: Cow::Borrowed(self.door),
            session: Cow::Borrowed(&self.session),
            tool: Cow::Borrowed(asked.tool),
            request: asked.request,
            request_sha256: hexadecimal(&Sha256::digest(&asked.whole)),
            rule: Cow::Borrowed(rule),
            line,
            reason,
            policy: PolicyInForce {
                name: Cow::Borrowed(cut(&self.policy.name)),
                version: self.policy.serial,
                sha256: Cow::Borrowed(&self.policy.digest),
            },
            lane: Cow::Borrowed(asked.lane),
            confinement: Cow::Borrowed(&self.executor.confinement),
            limits: asked.limits,
            idempotency_sha256: None,
        })
    }

    fn record_end(
        &self,
        child: &Child,
        ended: Result<(&Taken, NativeStatus), &str>,
        changed: Vec<Changed<'static>>,
    ) {
        let micros = u64::try_from(child.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let taken = ended.ok().map(|(taken, _)| taken);
        let stopped_by = taken.and_then(|taken| {
            let memory = taken.out_of_memory.then_some(StoppedBy::Memory);
            memory.or(taken.out_of_time.then_some(StoppedBy::Wall))
        });
        let refused = taken.and_then(|taken| taken.refused.as_deref());
        self.executor.audit.finished(&Finished {
            request_id: Cow::Borrowed(&child.id),
            exit_code: ended.ok().map(|(_, status)| code(status)),
            stopped_by,
            error: ended
                .err()
                .or(refused)
                .map(|error| Cow::Borrowed(cut(error))),
            duration_us: micros,
            usage: taken.map(|taken| Usage {
                fuel: 0,
                wall_us: micros,
                memory_peak_bytes: taken.ended.memory_peak_bytes,
                processes: 1,
                written_bytes: taken.written,
            }),
            stdout_bytes: 0,
            stderr_bytes: 0,
            changed_more: taken.is_some_and(|taken| taken.changed.len() > changed.len()),
            changed,
            denied: Vec::new(),
        });
    }
}

impl Above for Children {
    fn native(
        self: Arc<Self>,
        ask: NativeAsk,
    ) -> Pin<Box<dyn Future<Output = Result<Native, String>> + Send>> {
        Box::pin(self.begin(ask))
    }
}

/// The tool that native programs are recorded and counted as.
const TOOL: &str = "native";
/// Number of the signal that ends what is left.
const KILL: u32 = 9;

/// The broker's ends of a program's standard streams.
pub(super) struct Joined {
    pub(super) stdin: Option<(OwnedFd, OwnedFd)>,
    pub(super) stdout: OwnedFd,
    pub(super) stderr: Option<OwnedFd>,
}

/// Makes the pipes of a program; answers our ends and its own.
pub(super) fn pipes(ask: &NativeAsk) -> io::Result<(Joined, [OwnedFd; 3])> {
    let pipe = || pipe_with(PipeFlags::CLOEXEC);
    let (stdin, input) = match ask.stdin {
        true => {
            let (theirs, ours) = pipe()?;
            (Some((ours, theirs.try_clone()?)), theirs)
        }
        false => (None, File::open("/dev/null")?.into()),
    };
    let (stdout, output) = pipe()?;
    let (stderr, complaints) = match ask.joined {
        true => (None, output.try_clone()?),
        false => {
            let (ours, theirs) = pipe()?;
            (Some(ours), theirs)
        }
    };
    let ours = Joined {
        stdin,
        stdout,
        stderr,
    };
    Ok((ours, [input, output, complaints]))
}

fn name_of(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

fn code(status: NativeStatus) -> u8 {
    match status {
        NativeStatus::Exited(code) => code,
        NativeStatus::Signaled(signal) => 128_u8.saturating_add(u8::try_from(signal).unwrap_or(0)),
    }
}

/// An error and its causes, in one line.
fn chain(error: &NativeError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
