//! The pipeline every door uses: admission, decision, record, run, record. Read this first.

mod admission;
mod answer;
mod changed;
mod detach;
mod error;
mod input;
mod order;
mod record;
mod tools;

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use tokio::sync::{mpsc, oneshot, watch};

use crate::audit::{Audit, AuditError, Durable};
use crate::cell::CellPool;
use crate::outcome::{Outcome, StoppedBy};
use crate::policy::{self, Decision, Grant, Policy};
use crate::request::ToolRequest;
use crate::session::Sessions;

pub use crate::cell::Stream;
pub use admission::{Admission, Full};
pub use answer::{Answer, Encoding};
pub use error::ExecuteError;
pub use tools::{TOOLS, Tool, schemas};

use admission::Place;
use detach::Detaching;
use input::Call;
use order::{Asked, Prepared};
use record::Ended;

/// A piece of output as it came.
pub type Chunk = (Stream, Vec<u8>);

/// How a call is tied to its caller besides request and answer.
#[derive(Debug, Default)]
pub struct Streams {
    /// Gets output as it comes; first an empty chunk once the call is admitted and recorded.
    pub output: Option<mpsc::UnboundedSender<Chunk>>,
    /// The call reads this process's standard input.
    pub stdin_inherited: bool,
    /// How the request came in, for the record.
    pub door: &'static str,
}

/// Runs tool requests. Lives as long as the process.
#[derive(Debug)]
pub struct Executor {
    pub policy: Policy,
    pub sessions: Sessions,
    pub audit: Audit,
    pub cells: Arc<CellPool>,
    pub admission: Admission,
    /// The walls around every call, as records name them.
    pub confinement: &'static str,
    /// Turns true when running calls must end.
    pub stopping: watch::Sender<bool>,
}

/// A call that may run, or whose denial is to be told.
struct Admitted {
    asked: Asked,
    place: Place,
    decision: Decision,
    intent: Durable,
    started: Instant,
}

impl Executor {
    /// Runs one tool request from admission to record.
    ///
    /// Dropping the future cancels the call; its outcome is recorded all the same.
    ///
    /// # Errors
    /// When the call was refused or we could not run it. A command that fails is an answer.
    pub async fn execute(
        self: &Arc<Self>,
        mut request: ToolRequest,
        streams: Streams,
    ) -> Result<Answer, ExecuteError> {
        let call = Call::read(&mut request)?; // a known tool with known fields
        let session = self
            .sessions
            .enter(&request.agent, request.session.as_ref())?;
        let place = self.admission.enter(&session, call.in_order()).await?; // bounded, in order
        let decision = policy::decide(&self.policy, &request, SystemTime::now()); // pure
        // On its way to the disk while the call runs.
        let intent = self.record_intent(&request, &session, &decision, &streams);
        let asked = Asked {
            request,
            call,
            session,
            streams,
        };
        let admitted = Admitted {
            asked,
            place,
            decision,
            intent,
            started: Instant::now(),
        };
        // A client that hangs up must not lose the outcome's record.
        Detaching::new(|hung_up| self.clone().finish(admitted, hung_up)).await
    }

    async fn finish(
        self: Arc<Self>,
        admitted: Admitted,
        hung_up: oneshot::Receiver<()>,
    ) -> Result<Answer, ExecuteError> {
        let Admitted {
            mut asked,
            place,
            decision,
            mut intent,
            started,
        } = admitted;
        let grant = match decision {
            Decision::Allow(grant) => grant,
            Decision::Deny(denial) => {
                intent.wait().await?;
                return Err(ExecuteError::Denied(denial));
            }
        };
        let streamed = asked.streams.output.is_some();
        // A keyed call waits too: a server that dies must find it in the record, or it runs twice.
        let keyed = asked.request.idempotency_sha256.is_some();
        let refused = intent.is_refused();
        if streamed || keyed || refused || !self.audit.healthy() {
            // Nothing may leave before the intent is durable.
            if let Err(error) = intent.wait().await {
                if !refused {
                    self.record_not_run(&asked.request.id, error.into(), started);
                }
                return Err(ExecuteError::NoRecord(AuditError::Write));
            }
        }
        let clamped_ms = grant.wall_clamped().then_some(grant.limits().wall_ms);
        let mut result = tokio::select! {
            result = self.run(grant, &mut asked) => result,
            () = self.told_to_end(hung_up) => Ok(ended(StoppedBy::Cancelled)),
        };
        let Asked {
            request,
            call,
            session,
            ..
        } = asked;
        let state_kept = match &mut result {
            Ok(outcome) => call.keep_state(&session, outcome).await,
            Err(_) => None,
        };
        let changed = self.look_at_changed(&session, &result).await;
        let result_of = Ended {
            result: &result,
            changed,
            started,
        };
        self.record_outcome(&request.id, result_of);
        drop((place, session)); // the next call need not wait for our record to reach the disk
        intent.wait().await?;
        let (id, encoding) = (request.id, call.encoding());
        result.map(|outcome| Answer {
            id,
            outcome,
            state_kept,
            clamped_ms,
            encoding,
            streamed,
        })
    }

    async fn run(&self, grant: Grant, asked: &mut Asked) -> Result<Outcome, ExecuteError> {
        let prepared = asked.prepare(&self.policy, &grant).await?;
        let output = asked.streams.output.take();
        if let Some(output) = &output {
            // A caller that no longer listens has hung up, which ends the call elsewhere.
            let _gone = output.send((Stream::Stdout, Vec::new()));
        }
        let outcome = match prepared {
            Prepared::Run(order) => self.cells.run(grant, *order, output.clone()).await?,
            Prepared::Answered(outcome) => outcome,
        };
        if let Some(output) = output {
            // What was not output of a guest, such as that there is no such program.
            let _gone = output.send((Stream::Stdout, outcome.stdout.head.clone()));
            let _gone = output.send((Stream::Stderr, outcome.stderr.head.clone()));
        }
        Ok(outcome)
    }

    async fn told_to_end(&self, hung_up: oneshot::Receiver<()>) {
        let mut stopping = self.stopping.subscribe();
        tokio::select! {
            _ = hung_up => {}
            _ = stopping.wait_for(|stop| *stop) => {}
        }
    }
}

fn ended(by: StoppedBy) -> Outcome {
    Outcome {
        exit_code: by.exit_code(),
        stopped_by: Some(by),
        ..Outcome::default()
    }
}
