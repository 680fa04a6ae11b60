//! Programs that guests of a call start outside its cell, native ones and tools of the operator's own:
//! each decided, recorded and granted by itself, as a child of the call.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::pipe::{PipeFlags, pipe_with};
use sha2::{Digest as _, Sha256};

use crate::audit::{Asked as Recorded, Changed, Durable, Granted, Intent, PolicyInForce, Verdict};
use crate::cell::{Above, Native, NativeAsk};
use crate::executor::order;
use crate::executor::record::{cut, finished, rule_and_line};
use crate::executor::{Executor, changed, own_tool};
use crate::outcome::{CHANGED_MAX, Held};
use crate::policy::{Access, CallTerms, Decision, Grant, Policy, Protected};
use crate::request::hexadecimal;
use crate::session::Counted;

/// What programs of one call share.
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
    pub(super) beside: PathBuf,
    pub(super) access: Access,
    pub(super) protected: Vec<Protected>,
    pub(super) mounts: Vec<(String, PathBuf)>,
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
pub(super) type Alone = tokio::sync::OwnedMutexGuard<()>;

/// What a program holds until its end: the session's files, if it changes some, and its call's answer.
pub(super) type Holds = (Option<Alone>, Begun);

/// Held by what was begun for a call, which is not answered before that is gone.
type Begun = tokio::sync::OwnedRwLockReadGuard<()>;

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
            tracing::error!(request_id = id, "a program of a call outlives it");
        }
    }

    /// Whether the session holds more, or less, than the call's cell could know.
    pub(super) fn uncounted(&self) -> bool {
        self.uncounted.load(Ordering::SeqCst)
    }

    async fn begin(self: Arc<Self>, ask: NativeAsk) -> Result<Native, String> {
        match own_tool::named(&self.policy, &ask.program) {
            Some(tool) => {
                let name = tool.name.clone();
                self.begin_tool(name, ask).await
            }
            None => self.begin_native(ask).await,
        }
    }

    /// Waits for what a program holds until its end. Whoever asked may go away meanwhile: then nothing
    /// has happened yet.
    pub(super) async fn holds(&self, writes: bool) -> Holds {
        let alone = match writes {
            true => Some(Arc::clone(&self.writing).lock_owned().await),
            false => None,
        };
        (alone, Arc::clone(&self.begun).read_owned().await)
    }

    /// What a child may start with, once its decision is on the disk and if its call goes on; or
    /// what its guests are told.
    pub(super) async fn permitted(
        &self,
        child: &Child,
        mut intent: Durable,
        decision: Decision,
    ) -> Result<Grant, String> {
        let id = &child.id;
        // A denial, too, is told only once it is on the disk.
        if let Err(error) = intent.wait().await {
            tracing::error!(%error, request_id = id, "a program's start cannot be recorded");
            return Err(child.says("its start cannot be recorded, so it does not run"));
        }
        let grant = match decision {
            Decision::Allow(grant) => grant,
            Decision::Deny(denial) => {
                tracing::info!(request_id = id, rule = denial.rule, "program denied");
                return Err(child.says(&denial));
            }
        };
        if self.over.load(Ordering::SeqCst) {
            let late = "its call was over before it could start";
            self.record_not_run(child, late);
            return Err(child.says(late));
        }
        Ok(grant)
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

    /// Records that a child that was allowed did not run, or came to nothing.
    pub(super) fn record_not_run(&self, child: &Child, error: &str) {
        let ended = finished(&child.id, Err(error), Vec::new(), child.began);
        self.executor.audit.finished(&ended);
    }

    /// Looks at the files a child changed, while nothing else changes them.
    pub(super) async fn look_at_changed(&self, paths: &[String]) -> Vec<Changed<'static>> {
        let paths = paths.iter().take(CHANGED_MAX).cloned().collect();
        changed::look_aside([self.workspace.clone(), self.tmp.clone()], paths).await
    }
}

impl Child {
    /// A line of standard error about it.
    pub(super) fn says(&self, what: impl std::fmt::Display) -> String {
        format!("hotcell: {}: {what}\n", self.name)
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
