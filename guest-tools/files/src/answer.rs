//! What a tool answers: bytes, or the reason why not.

use std::io;

/// A tool's success.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub bytes: Vec<u8>,
    /// A ceiling that cut the answer, named for standard error.
    pub note: Option<String>,
}

impl Answer {
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            bytes: bytes.into(),
            note: None,
        }
    }
}

/// A tool's failure, without the tool's name.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Names `path` and what the system said about it.
    pub fn at(path: &str, error: &io::Error) -> Self {
        Self(format!("{}: {}", shown(path), reason(error)))
    }

    /// Names `path` and the rule it broke.
    pub fn rule(path: &str, rule: &str) -> Self {
        Self(format!("{}: {rule}", shown(path)))
    }

    pub fn text(&self) -> &str {
        &self.0
    }
}

/// Longest path that a message repeats in full, in bytes. Chosen, not measured.
const SHOWN_MAX: usize = 512;

/// `path` for a message: whole when short, else its head and its length.
pub fn shown(path: &str) -> String {
    if path.len() <= SHOWN_MAX {
        return path.to_owned();
    }
    let cut = path.floor_char_boundary(SHOWN_MAX / 2);
    format!("{}[... {} bytes in all]", &path[..cut], path.len())
}

/// The system's reason in the same words on every platform.
fn reason(error: &io::Error) -> String {
    use io::ErrorKind as Kind;
    let text = match error.kind() {
        Kind::NotFound => "no such file or directory",
        Kind::NotADirectory => "not a directory",
        Kind::IsADirectory => "is a directory",
        Kind::PermissionDenied => "permission denied",
        Kind::AlreadyExists => "file already exists",
        Kind::ReadOnlyFilesystem => "read-only file system",
        Kind::StorageFull => "no space left",
        Kind::InvalidFilename => "file name too long",
        _ => "",
    };
    if !text.is_empty() {
        return text.to_owned();
    }
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    text.to_lowercase()
}
