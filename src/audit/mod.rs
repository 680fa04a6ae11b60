//! The record: an intent before a call runs, an outcome after it, one JSON object a line.
//!
//! An intent is durable before anything of its call leaves the server. This room knows neither
//! doors nor runners; it is handed plain values.

mod event;
mod recent;
mod writer;

use std::path::Path;
use std::time::{Duration, SystemTime};

pub use event::{Finished, Intent, Verdict};
pub use recent::BegunKey;
pub use writer::{AuditError, Durable};

/// The record of one server or of `hotcell run`.
#[derive(Debug)]
pub struct Audit {
    writer: writer::Writer,
}

impl Audit {
    /// Opens `FOLDER/NAME.jsonl` for appending, making the folder when it is absent.
    ///
    /// # Errors
    /// When the file cannot be opened or its writer not be started.
    pub fn open(folder: &Path, name: &str) -> Result<Self, AuditError> {
        Ok(Self {
            writer: writer::Writer::open(folder, name)?,
        })
    }

    /// Calls with an idempotency key that may have run within `age` before now, from the record.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn begun_keys(folder: &Path, name: &str, age: Duration) -> std::io::Result<Vec<BegunKey>> {
        recent::begun_keys(
            &folder.join(format!("{name}.jsonl")),
            age,
            SystemTime::now(),
        )
    }

    /// Records what is about to run; the answer resolves once that is durable.
    pub fn intent(&self, intent: &Intent<'_>) -> Durable {
        self.writer.append_durably(event::line(intent))
    }

    /// Records what happened. It is durable with the next intent, or when the record is closed.
    pub fn finished(&self, finished: &Finished<'_>) {
        self.writer.append(event::line(finished));
    }

    /// Whether the last write reached the disk. When it did not, a call waits for its intent
    /// before it runs instead of beside it.
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
        self.writer.append_durably(Vec::new()).wait().await
    }
}
