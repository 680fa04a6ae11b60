//! Why a native program was not started, or what it did not take over.

use std::path::PathBuf;

use crate::confinement::launch::LaunchError;

/// Why a native program was not run, or its changes not taken.
#[derive(Debug, thiserror::Error)]
pub enum NativeError {
    #[error("`{path}` cannot be started: {reason}")]
    Program { path: String, reason: String },
    /// The machine gives less than the rule names.
    #[error("the rule needs the confinement {needed}, and here is {reached}")]
    Walls { needed: String, reached: String },
    #[error("the native program cannot be confined")]
    Launch(#[from] LaunchError),
    #[error("the native program cannot be confined: {0}")]
    Enclosure(String),
    #[error("no place for the changes of a native program at `{path}`")]
    Changes {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{0}")]
    Refused(String),
    #[error("the native program's permission is for something else")]
    OtherGrant,
    #[error("the process that starts native programs {0}")]
    Lost(&'static str),
}
