//! Why a call has no answer: one variant for each thing a client can do differently.

use crate::audit::AuditError;
use crate::cell::CellError;
use crate::executor::admission::Full;
use crate::policy::Denial;
use crate::session::SessionError;

/// Why a call was refused or could not be run.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    #[error("Unknown tool: {name}")]
    UnknownTool {
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    #[error("{0}")]
    Invalid(String),
    #[error("the policy denies this call: {0}")]
    Denied(Denial),
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error(transparent)]
    Full(#[from] Full),
    #[error("the call cannot be recorded, so its answer is withheld")]
    NoRecord(#[from] AuditError),
    #[error("the call ended without an answer")]
    Lost,
    #[error("no cell could run the call")]
    Cell(#[from] CellError),
}

impl ExecuteError {
    /// The error and its sources in one line, for operators.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            text = format!("{text}: {error}");
            source = error.source();
        }
        text
    }
}
