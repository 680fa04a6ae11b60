//! The pipeline every door uses: admission, decision, record, run, record. Read this first.

mod admission;
mod answer;
mod changed;
mod children;
mod detach;
mod error;
mod input;
mod native;
mod order;
mod own_tool;
mod record;
mod tools;

use std::pin::pin;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use tokio::sync::{mpsc, oneshot, watch};

use crate::audit::{Audit, AuditError, Durable};
use crate::cell::{Above, CellPool, Home, Order, Ties};
use crate::native::NativeLane;
use crate::outcome::{Outcome, StoppedBy};
use crate::policy::{self, Decision, Grant, Policies, ToolCall, ToolStart};
use crate::request::ToolRequest;
use crate::session::{Counted, Sessions};
use crate::telemetry::Telemetry;

pub use crate::cell::{CellError, Chunk, Stream};
pub use admission::{Admission, Full};
pub use answer::{Answer, Encoding};
pub use error::ExecuteError;
pub use tools::{TOOLS, Tool, schemas};

use admission::Place;
use children::Children;
use detach::Detaching;
use input::Call;
use order::{Asked, Prepared, holds};
use record::{Deciding, Ended};

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
    pub policies: Policies,
    pub sessions: Sessions,
    pub cells: Arc<CellPool>,
    /// What starts programs of the host.
    pub natives: NativeLane,
    /// Goes after both: it may wait for a disk, and they leave cgroups behind if the program ends first.
    pub audit: Audit,
    pub admission: Admission,
    pub telemetry: Telemetry,
    /// The walls around every call, as records name them.
    pub confinement: String,
    /// Sessions of one agent share a cell.
    pub cells_shared: bool,
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
        let policy = self.policies.of(&request.agent); // the call keeps it, whatever is loaded meanwhile
        let call = Call::read(&mut request, &policy)?; // a known tool with known fields
        let session = self
            .sessions
            .enter(&request.agent, request.session.as_ref())?;
        let place = self.admission.enter(&session, call.in_order()).await?; // bounded, in order
        let asks = policy::Request::Tool(ToolCall::of(&request, call.is_bash()));
        let decision = policy::decide(&policy, &asks, SystemTime::now()); // pure
        let told = Deciding {
            request: &request,
            session: &session,
            policy: &policy,
            decision: &decision,
            door: streams.door,
        };
        let intent = self.record_intent(call.label(), &told); // on its way to the disk
        let asked = Asked {
            request,
            call,
            session,
            streams,
            policy,
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
                let id = &asked.request.id.0;
                let (rule, line) = (&denial.rule, denial.line);
                tracing::info!(request_id = id, rule, line, "call denied");
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
        let terms = grant.call().filter(|terms| terms.wall_clamped);
        let clamped_ms = terms.map(|terms| terms.limits.wall_ms);
        let mut result = self.run(grant, &mut asked, hung_up).await;
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
        let end = Ended {
            result: &result,
            changed,
            started,
        };
        self.record_outcome(&request.id, end);
        self.tell_outcome(call.label(), &request, &result, started);
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

    async fn run(
        self: &Arc<Self>,
        grant: Grant,
        asked: &mut Asked,
        hung_up: oneshot::Receiver<()>,
    ) -> Result<Outcome, ExecuteError> {
        let prepared = asked.prepare(&grant).await?;
        let output = asked.streams.output.take();
        if let Some(output) = &output {
            // A caller that no longer listens has hung up, which ends the call elsewhere.
            let _gone = output.send(Chunk::new(Stream::Stdout, Vec::new()));
        }
        let outcome = match prepared {
            Prepared::Run(order) => {
                let ties = (output.clone(), hung_up);
                self.run_order(grant, *order, asked, ties).await?
            }
            Prepared::Answered(outcome) => *outcome,
        };
        if let Some(output) = output {
            // What was not output of a guest, such as that there is no such program.
            let _gone = output.send(Chunk::new(Stream::Stdout, outcome.stdout.head.clone()));
            let _gone = output.send(Chunk::new(Stream::Stderr, outcome.stderr.head.clone()));
        }
        Ok(outcome)
    }

    /// Has a cell run an order, and waits until nothing that it started elsewhere is left.
    async fn run_order(
        self: &Arc<Self>,
        grant: Grant,
        mut order: Order,
        asked: &Asked,
        (sink, hung_up): (Option<mpsc::UnboundedSender<Chunk>>, oneshot::Receiver<()>),
    ) -> Result<Outcome, ExecuteError> {
        let mut cancelled = pin!(self.told_to_end(hung_up));
        let counting = tokio::select! {
            counting = asked.session.counting() => counting?,
            () = &mut cancelled => return Ok(Outcome::stopped(StoppedBy::Cancelled, "")),
        };
        order.session = Some(holds(counting.known()));
        let children = self.children((&grant, &order), asked, counting.known());
        let above = children.clone().map(|children| children as Arc<dyn Above>);
        let tool = grant.call().and_then(|terms| terms.own.as_ref());
        let home = self.home(asked, tool)?;
        let writes = grant.call().and_then(own_tool::writes);
        let ties = Ties { sink, input: None };
        let run = self.cells.run(grant, (order, home, above), ties, cancelled);
        let outcome = run.await;
        let mut counts = writes != Some(true);
        if let Some(children) = children {
            children.gone().await;
            counts &= !children.uncounted();
        }
        let outcome = outcome?;
        match writes {
            // What the call's cell did not see is counted before the next call.
            _ if !counts => drop(counting),
            None => counting.finish(outcome.held),
            Some(_) => counting.unchanged(),
        }
        Ok(outcome)
    }

    /// What the call's processes may ask of us.
    fn children(
        self: &Arc<Self>,
        (grant, order): (&Grant, &Order),
        asked: &Asked,
        known: Counted,
    ) -> Option<Arc<Children>> {
        let terms = grant.call()?;
        if terms.natives.is_empty() && order.natives.is_empty() {
            return None;
        }
        Some(Children::of(self, asked, terms, known))
    }

    /// Whose cell a call runs in; a tool of the operator's own has one for itself.
    fn home(&self, asked: &Asked, tool: Option<&ToolStart>) -> Result<Home, ExecuteError> {
        let (agent, session) = (&asked.request.agent, &asked.session);
        if let Some(tool) = tool {
            let name = &asked.request.tool;
            return own_tool::home((agent, session.name()), name, tool);
        }
        Ok(
            match session.folder_of_agent().filter(|_| self.cells_shared) {
                Some(folder) => Home {
                    key: agent.clone(),
                    shared: Some(folder.to_owned()),
                    tool: None,
                },
                None => Home {
                    key: format!("{agent}/{}", session.name()),
                    shared: None,
                    tool: None,
                },
            },
        )
    }

    async fn told_to_end(&self, hung_up: oneshot::Receiver<()>) {
        let mut stopping = self.stopping.subscribe();
        tokio::select! {
            _ = hung_up => {}
            _ = stopping.wait_for(|stop| *stop) => {}
        }
    }
}
