//! Why there is no cell, or no outcome.

use std::path::PathBuf;

use super::wire::FRAME_BYTES_MAX;
use crate::confinement::launch::LaunchError;

/// Most bytes in an order's long fields; the frame holds a mebibyte for the rest.
pub(super) const ORDER_BYTES_MAX: usize = FRAME_BYTES_MAX - (1 << 20);

/// Why a process did not become a cell.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("a cell process could not be started")]
    Process(#[source] std::io::Error),
    #[error("a cell process could not be started")]
    Launch(#[from] LaunchError),
    #[error("a cell process cannot have its cgroup")]
    Group(#[source] std::io::Error),
    #[error("a cell could not be sealed: {0}")]
    Unsealed(String),
    #[error(
        "the folder `{path}`, which the call is to see, cannot be opened; no part of its path may be a link"
    )]
    Folder {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("a cell process {0} before it was a cell; the log says more")]
    Lost(&'static str),
}

/// Why there are no cells at all.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    #[error(
        "cells would be confined at less than `{least}`, which is asked for. This machine gives {reached}"
    )]
    Walls {
        least: &'static str,
        reached: String,
    },
    #[error("the guests this binary ships cannot be read")]
    Catalogue(#[source] anyhow::Error),
    #[error("the compiled guests cannot be used")]
    Artefacts(#[source] anyhow::Error),
    #[error("the self-attack cannot be made")]
    Attack(#[source] std::io::Error),
    #[error("a sealed process could do what must fail, so nothing is started: {}", .0.join("; "))]
    Holes(Vec<String>),
    #[error(transparent)]
    Start(#[from] StartError),
}

/// Why an order could not be run.
#[derive(Debug, thiserror::Error)]
pub enum CellError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("the guests that calls need first cannot be compiled; the log says why")]
    Unable,
    #[error("no cell is ready: {0}")]
    NotReady(&'static str),
    #[error("the call's input of {0} bytes is over the limit of {ORDER_BYTES_MAX} bytes")]
    TooLarge(usize),
    #[error("the cell refused the order: {0}")]
    Refused(String),
}
