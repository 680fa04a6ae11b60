//! PLACEHOLDER until the kernel is merged: every order is refused with an error that says so.

use std::path::PathBuf;

use tokio::sync::mpsc;

use crate::cell::order::{Order, Stream};
use crate::outcome::Outcome;
use crate::policy::Grant;

/// How to start cells.
#[derive(Debug)]
pub struct CellOptions {
    pub executable: PathBuf,
    pub cache: PathBuf,
    pub calls_max: usize,
}

/// Why a call could not be run.
#[derive(Debug, thiserror::Error)]
pub enum CellError {
    #[error("this build has no cell: the kernel is not merged yet")]
    Absent,
}

/// Owns the cell processes.
#[derive(Debug)]
pub struct CellPool {}

impl CellPool {
    /// Starts the cells.
    ///
    /// # Errors
    /// Never, in this placeholder.
    pub async fn start(options: CellOptions) -> Result<Self, CellError> {
        let _unused = options;
        Ok(Self {})
    }

    /// Runs one order.
    ///
    /// # Errors
    /// Always, in this placeholder.
    pub async fn run(
        &self,
        _grant: Grant,
        _order: Order,
        _sink: Option<mpsc::Sender<(Stream, Vec<u8>)>>,
    ) -> Result<Outcome, CellError> {
        Err(CellError::Absent)
    }

    /// Names in `/bin`.
    pub fn programs(&self) -> &[String] {
        &[]
    }

    /// Whether the shell and files guests are compiled and loaded.
    pub fn ready(&self) -> bool {
        false
    }

    /// Stops every cell.
    pub async fn stop(&self) {}
}
