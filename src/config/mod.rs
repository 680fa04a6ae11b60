//! Configuration, the state folder and its tokens. The only room that reads the environment.
//!
//! A value comes from a flag, else the environment, else the file, else the default; an unknown
//! key in the file refuses to start.

mod keys;
mod state;
mod tokens;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::limits::Confinement;
use crate::telemetry::LogFormat;

#[cfg(feature = "test-without-walls")]
pub use keys::whole_environment;
pub use keys::{
    ConfigError, Flags, Origin, Setting, Settings, debug_guests, debug_variables, home_folder,
};
pub use state::{State, StateError};
pub use tokens::{TokenError, Tokens};

/// Which calls share a cell process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cells {
    PerSession,
    PerToken,
}

/// Checked configuration: no value is left that means "default".
#[derive(Debug, Clone)]
pub struct Config {
    pub listen: SocketAddr,
    pub insecure_listen: bool,
    pub state: PathBuf,
    pub cache: PathBuf,
    pub policy: Option<PathBuf>,
    /// Policy files must be signed by one of the keys in this file.
    pub policy_keys: Option<PathBuf>,
    pub log: String,
    pub log_format: LogFormat,
    /// An OpenTelemetry collector's HTTP address.
    pub otlp_endpoint: Option<String>,
    /// Connections open at once; more wait in the kernel's queue.
    pub connections_max: usize,
    /// Largest request body.
    pub body_bytes_max: usize,
    /// Which calls share a cell.
    pub cells: Cells,
    /// Cells are confined at least so much, or the server does not start.
    pub confinement: Confinement,
    /// Whom cells become when the server is root and their workspace is root's.
    pub cell_user: u32,
    /// Bytes of memory one cell may have.
    pub cell_memory: u64,
    /// Calls running at once.
    pub calls_max: usize,
    /// Calls waiting for a place beyond those running.
    pub calls_waiting_max: usize,
    /// Sessions of one token.
    pub sessions_max: usize,
    /// A session unused for this long is deleted.
    pub session_idle: Duration,
    /// How long running calls may finish when the server is told to stop.
    pub drain: Duration,
    /// A file of the record that reaches this is full.
    pub record_file_bytes: u64,
    /// Full files that are kept.
    pub record_files_max: usize,
    /// Room kept on the disk for closing calls when it is full.
    pub record_reserve: u64,
    /// Full files older than this are deleted.
    pub record_age: Duration,
}
