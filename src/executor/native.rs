//! Native programs that guests of a call start.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Instant, SystemTime};

use tokio::sync::{mpsc, oneshot};

use crate::audit::{Asked as Recorded, Changed, Durable, Finished};
use crate::cell::{Native, NativeAsk, NativeEnd, NativeStatus};
use crate::executor::children::{Asked, Child, Children, Holds, Joined, pipes};
use crate::executor::record::{TEXT_BYTES_MAX, cut, digested};
use crate::native::{NativeError, NativeOrder, Running, Status, Taken};
use crate::outcome::{Held, StoppedBy, Usage};
use crate::policy::{self, Access, Decision, Grant, NativeCall};

impl Children {
    /// Decides, records and starts a native program.
    pub(super) async fn begin_native(self: Arc<Self>, ask: NativeAsk) -> Result<Native, String> {
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
        let held = self.holds(writes).await;
        // From here on it is recorded, whoever goes away.
        let begun = tokio::spawn(async move {
            let (child, intent) = self.record(&ask, &decision);
            let grant = self.permitted(&child, intent, decision).await?;
            let begun = self.run((grant, held), &ask, child.clone()).await;
            begun.map_err(|error| child.says(chain(&error)))
        });
        begun
            .await
            .unwrap_or_else(|error| Err(format!("hotcell: {error}\n")))
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
                self.record_not_run(&child, &chain(&error));
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
        let taken = match taken {
            Ok(Some(taken)) => taken,
            Ok(None) => {
                let killed = "it was ended with its call; nothing of what it changed was kept";
                self.record_not_run(child, killed);
                return NativeEnd {
                    status: NativeStatus::Signaled(KILL),
                    ..NativeEnd::default()
                };
            }
            Err(error) => {
                self.record_not_run(child, &chain(&error));
                return NativeEnd {
                    status: NativeStatus::Signaled(KILL),
                    said: child.says(&error),
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
            said = child.says("its memory ran out, and it was ended");
        } else if taken.out_of_time {
            said = child.says("its time was over, and it was ended");
        }
        if let Some(refused) = &taken.refused {
            said += &child.says(format_args!(
                "nothing of what it changed was kept: {refused}"
            ));
            // What failed must not look done.
            if status == NativeStatus::Exited(0) {
                status = NativeStatus::Exited(1);
            }
        }
        let changed = self.look_at_changed(&taken.changed).await;
        self.record_native_end(child, (&taken, status), changed);
        NativeEnd {
            status,
            said,
            grown: taken.grown,
            written: taken.written,
            ..NativeEnd::default()
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

    fn record_native_end(
        &self,
        child: &Child,
        (taken, status): (&Taken, NativeStatus),
        changed: Vec<Changed<'static>>,
    ) {
        let micros = u64::try_from(child.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let memory = taken.out_of_memory.then_some(StoppedBy::Memory);
        let error = taken.refused.as_deref();
        self.executor.audit.finished(&Finished {
            request_id: Cow::Borrowed(&child.id),
            exit_code: Some(code(status)),
            stopped_by: memory.or(taken.out_of_time.then_some(StoppedBy::Wall)),
            error: error.map(|error| Cow::Borrowed(cut(error))),
            duration_us: micros,
            usage: Some(Usage {
                fuel: 0,
                wall_us: micros,
                memory_peak_bytes: taken.ended.memory_peak_bytes,
                processes: 1,
                written_bytes: taken.written,
            }),
            stdout_bytes: 0,
            stderr_bytes: 0,
            changed_more: taken.changed.len() > changed.len(),
            changed,
            denied: Vec::new(),
        });
    }
}

/// The tool that native programs are recorded and counted as.
const TOOL: &str = "native";
/// Number of the signal that ends what is left.
const KILL: u32 = 9;

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
