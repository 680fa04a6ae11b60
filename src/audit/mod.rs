//! The record: an intent once a call is decided, an outcome after it, one JSON object a line, linked
//! by hashes and signed.
//!
//! An intent is durable before anything of its call leaves the server. This room knows neither
//! doors nor runners; it is handed plain values.

mod calls;
mod chain;
pub mod checkpoint;
mod clock;
mod export;
mod follow;
mod line;
mod log;
mod names;
mod notes;
mod opening;
pub mod proof;
mod queue;
mod reader;
mod recent;
mod record;
mod segment;
mod tree;
pub mod verify;
mod writer;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use calls::{Call, Calls, End, Entry, Filter};
pub use checkpoint::{Checkpoint, Signer, Verifier};
pub use export::{Format, plain};
pub use follow::Follower;
pub use log::{AuditError, Keeping};
pub use names::Names;
pub use queue::Durable;
pub use reader::{ReadError, Reader, Stored};
pub use recent::BegunKey;
pub use record::{
    Asked, Changed, ChangedState, Common, Digested, Finished, Granted, Intent, Interrupted,
    PolicyInForce, Record, Verdict,
};

use clock::Clock;
use line::LINE_BYTES_MAX;
use log::Log;
use writer::Writer;

/// Most logs of `hotcell run` that are written at once. Chosen, not measured.
const LOGS_MAX: usize = 64;
/// Longest wait for one of them. Chosen, not measured.
const LOG_WAIT_MAX: Duration = Duration::from_secs(10);
/// Room for a line's number and link around a body.
const LINK_BYTES: usize = 128;

/// The record of one server or of `hotcell run`.
#[derive(Debug)]
pub struct Audit {
    writer: Writer,
    clock: Arc<Clock>,
}

impl Audit {
    /// Opens the log `NAME` in a folder, or begins it.
    ///
    /// # Errors
    /// When another program writes it, it cannot be opened, or it is not what was signed.
    pub fn open(folder: &Path, name: &str, keeping: &Keeping) -> Result<Self, AuditError> {
        let names = Names::new(folder, name);
        let path = names.active();
        let fault = |source| AuditError::Open { path, source };
        let clock = match Clock::new() {
            Ok(clock) => Arc::new(clock),
            Err(error) => return Err(fault(error)),
        };
        let log = Log::open(names, keeping.clone(), clock.clone())?;
        let writer = Writer::start(log).map_err(fault)?;
        Ok(Self { writer, clock })
    }

    /// Opens the first of the logs `NAME`, `NAME-2`, `NAME-3`… that nobody else writes: each is
    /// a log of its own, so that programs side by side need not wait for each other.
    ///
    /// # Errors
    /// As [`Self::open`], or when all of them stay in use.
    pub fn open_free(folder: &Path, name: &str, keeping: &Keeping) -> Result<Self, AuditError> {
        let until = Instant::now() + LOG_WAIT_MAX;
        loop {
            for number in 1..=LOGS_MAX {
                let name = match number {
                    1 => name.to_owned(),
                    _ => format!("{name}-{number}"),
                };
                match Self::open(folder, &name, keeping) {
                    Err(AuditError::InUse { .. }) => {}
                    other => return other,
                }
            }
            if Instant::now() >= until {
                let path = Names::new(folder, name).active();
                return Err(AuditError::InUse { path });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Calls with an idempotency key that may have run within `age` before now, the newest
    /// first, at most `keys_max`.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn begun_keys(
        folder: &Path,
        name: &str,
        age: Duration,
        keys_max: usize,
    ) -> std::io::Result<Vec<BegunKey>> {
        let names = Names::new(folder, name);
        recent::begun_keys(&names, &recent::Since::now(age), keys_max)
    }

    /// Records what is about to run; the answer resolves once that is durable.
    pub fn intent(&self, intent: &Intent<'_>) -> Durable {
        let body = self.clock.body("intent", intent);
        if body.len() + LINK_BYTES > LINE_BYTES_MAX {
            tracing::error!(
                bytes = body.len(),
                "a call is refused: its record is too long"
            );
            return Durable::refused();
        }
        self.writer.append_durably(&body)
    }

    /// Records what happened. It is durable with the next intent, soon after, or when the record
    /// is closed.
    pub fn finished(&self, finished: &Finished<'_>) {
        let body = self.clock.body("outcome", finished);
        if body.len() + LINK_BYTES <= LINE_BYTES_MAX {
            return self.writer.append(&body);
        }
        let shorter = Finished {
            changed: Vec::new(),
            changed_more: true,
            error: finished
                .error
                .as_ref()
                .map(|_| "too long to be kept".into()),
            ..finished.clone()
        };
        self.writer.append(&self.clock.body("outcome", &shorter));
    }

    /// Whether the last write reached the disk, there is room for more, and no record waits too
    /// long. When not, calls are refused until it is so again.
    pub fn healthy(&self) -> bool {
        self.writer.healthy()
    }

    /// Age of the oldest record that waits to be written.
    pub fn lag(&self) -> Duration {
        self.writer.lag()
    }

    /// Waits until everything recorded so far is durable.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn flush(&self) -> Result<(), AuditError> {
        self.writer.flushed().wait().await
    }

    /// Writes the last record and a checkpoint over all of them. Nothing is recorded afterwards.
    ///
    /// # Errors
    /// When they could not be written, or the disk did not answer in time.
    pub async fn close(&self) -> Result<(), AuditError> {
        let closed = self.writer.close();
        self.writer.in_time(closed).await
    }
}
