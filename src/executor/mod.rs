//! The pipeline every door uses: admission, decision, record, run, record. Read this first.

mod admission;
mod answer;
mod detach;
mod error;
mod input;
mod order;
mod tools;

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, oneshot, watch};

use crate::audit::{Audit, Durable, Finished, Intent, Verdict};
use crate::cell::CellPool;
use crate::outcome::{Outcome, StoppedBy};
use crate::policy::{self, Decision, Grant, Policies, Policy, ToolCall};
use crate::quantity;
use crate::request::{RequestId, ToolRequest};
use crate::session::{InUse, Sessions};

pub use crate::cell::Stream;
pub use admission::{Admission, Full};
pub use answer::{Answer, Encoding};
pub use error::ExecuteError;
pub use tools::{TOOLS, Tool, schemas};

use admission::Place;
use detach::Detaching;
use input::Call;
use order::{Asked, Prepared};

/// A piece of output as it came.
pub type Chunk = (Stream, Vec<u8>);

/// How a call is tied to its caller besides request and answer.
#[derive(Debug, Default)]
pub struct Streams {
    /// Gets output as it comes; first an empty chunk once the call is admitted and recorded.
    pub output: Option<mpsc::UnboundedSender<Chunk>>,
    /// The call reads this process's standard input.
    pub stdin_inherited: bool,
}

/// Runs tool requests. Lives as long as the process.
#[derive(Debug)]
pub struct Executor {
    pub policies: Policies,
    pub sessions: Sessions,
    pub audit: Audit,
    pub cells: Arc<CellPool>,
    pub admission: Admission,
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
        let policy = self.policies.of(&request.agent); // the call keeps it, whatever is loaded meanwhile
        let asks = policy::Request::Tool(ToolCall::of(&request));
        let decision = policy::decide(&policy, &asks, SystemTime::now()); // pure
        let intent = self.record_intent(&request, &session, &policy, &decision); // on its way to the disk
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
        if streamed || keyed || !self.audit.healthy() {
            intent.wait().await?; // nothing may leave before the intent is durable
        }
        let terms = grant.call().filter(|terms| terms.wall_clamped);
        let clamped_ms = terms.map(|terms| terms.limits.wall_ms);
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
        self.record_outcome(&request.id, &result, started);
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
        let prepared = asked.prepare(&grant).await?;
        let output = asked.streams.output.take();
        if let Some(output) = &output {
            // A caller that no longer listens has hung up, which ends the call elsewhere.
            let _gone = output.send((Stream::Stdout, Vec::new()));
        }
        let outcome = match prepared {
            Prepared::Run(order) => self.cells.run(grant, *order, output.clone()).await?,
            Prepared::Answered(outcome) => *outcome,
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

    fn record_intent(
        &self,
        request: &ToolRequest,
        session: &InUse,
        policy: &Policy,
        decision: &Decision,
    ) -> Durable {
        let (verdict, rule, reason) = match decision {
            Decision::Allow(grant) => (Verdict::Allow, grant.rule().to_owned(), None),
            Decision::Deny(denial) => (
                Verdict::Deny,
                format!("{}:{}", denial.rule, denial.line),
                Some(&*denial.reason),
            ),
        };
        self.audit.intent(&Intent {
            time: quantity::rfc3339(SystemTime::now()),
            request_id: &request.id.0,
            agent: &request.agent,
            session: session.name(),
            tool: &request.tool,
            request_sha256: digest(request),
            decision: verdict,
            rule: &rule,
            reason,
            policy_sha256: &policy.digest,
            lane: "wasm",
            idempotency_sha256: request.idempotency_sha256.as_deref(),
        })
    }

    fn record_outcome(
        &self,
        id: &RequestId,
        result: &Result<Outcome, ExecuteError>,
        started: Instant,
    ) {
        let outcome = result.as_ref().ok();
        self.audit.finished(&Finished {
            time: quantity::rfc3339(SystemTime::now()),
            request_id: &id.0,
            exit_code: outcome.map(|outcome| outcome.exit_code),
            stopped_by: outcome.and_then(|outcome| outcome.stopped_by),
            error: result.as_ref().err().map(ExecuteError::chain),
            duration_us: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
            usage: outcome.map(|outcome| &outcome.usage),
            changed: outcome.map_or(&[], |outcome| &outcome.changed),
            changed_more: outcome.is_some_and(|outcome| outcome.changed_more),
            denied: outcome.map_or(&[], |outcome| &outcome.denied),
        });
    }
}

fn ended(by: StoppedBy) -> Outcome {
    Outcome {
        exit_code: by.exit_code(),
        stopped_by: Some(by),
        ..Outcome::default()
    }
}

/// SHA-256 of the request as JSON with sorted keys, in hexadecimal.
fn digest(request: &ToolRequest) -> String {
    let canonical = serde_json::json!([
        request.tool,
        request.input,
        request.working_dir,
        request
            .session
            .as_ref()
            .map(crate::request::SessionName::as_str),
        request.timeout_ms,
    ]);
    let text = serde_json::to_vec(&canonical).unwrap_or_default();
    crate::request::hexadecimal(&Sha256::digest(text))
}
