//! The files of a log by their names.
//!
//! `NAME.jsonl` is written; `NAME.SEQ.jsonl` are full, named by their first record. Beside each lie
//! its signed checkpoints, in `NAME.heads` one checkpoint for every full file, and the log's key.

use std::io;
use std::path::{Path, PathBuf};

/// Digits of a full file's first sequence number in its name.
const SEQ_DIGITS: usize = 20;

/// The names of one log's files.
#[derive(Debug, Clone)]
pub struct Names {
    pub folder: PathBuf,
    pub log: String,
}

impl Names {
    pub fn new(folder: &Path, log: &str) -> Self {
        Self {
            folder: folder.to_owned(),
            log: log.to_owned(),
        }
    }

    fn file(&self, rest: &str) -> PathBuf {
        self.folder.join(format!("{}.{rest}", self.log))
    }

    /// The file that is written.
    pub fn active(&self) -> PathBuf {
        self.file("jsonl")
    }

    /// A file that is about to become the active one.
    pub fn next(&self) -> PathBuf {
        self.file("next")
    }

    pub fn full(&self, first: u64) -> PathBuf {
        self.file(&format!("{first:0SEQ_DIGITS$}.jsonl"))
    }

    pub fn checkpoints(&self) -> PathBuf {
        self.file("checkpoints")
    }

    pub fn full_checkpoints(&self, first: u64) -> PathBuf {
        self.file(&format!("{first:0SEQ_DIGITS$}.checkpoints"))
    }

    /// One checkpoint for every full file, kept when the file is deleted.
    pub fn heads(&self) -> PathBuf {
        self.file("heads")
    }

    pub fn key(&self) -> PathBuf {
        self.file("key")
    }

    pub fn public_key(&self) -> PathBuf {
        self.file("pub")
    }

    pub fn lock(&self) -> PathBuf {
        self.file("lock")
    }

    /// Where bytes go that were cut from the log's end, for the first time at this record and
    /// for later ones.
    pub fn torn(&self, seq: u64, time: usize) -> PathBuf {
        match time {
            0 => self.file(&format!("{seq:0SEQ_DIGITS$}.torn")),
            _ => self.file(&format!("{seq:0SEQ_DIGITS$}.{time}.torn")),
        }
    }

    /// The full files by their first record, oldest first.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn full_files(&self) -> io::Result<Vec<(u64, PathBuf)>> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let first = name.to_str().and_then(|name| self.first_of(name));
            files.extend(first.map(|first| (first, entry.path())));
        }
        files.sort();
        Ok(files)
    }

    fn first_of(&self, file: &str) -> Option<u64> {
        let middle = file.strip_prefix(&self.log)?.strip_prefix('.')?;
        let digits = middle.strip_suffix(".jsonl")?;
        let form = digits.len() == SEQ_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|_| form)
    }

    /// The names of the logs in a folder, sorted.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn logs(folder: &Path) -> io::Result<Vec<String>> {
        let mut logs = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let name = entry?.file_name();
            let log = name.to_str().and_then(|name| name.strip_suffix(".jsonl"));
            logs.extend(log.filter(|log| is_name(log)).map(str::to_owned));
        }
        logs.sort();
        Ok(logs)
    }
}

/// Whether a file's name can be a log's: a copied folder may hold anything.
fn is_name(log: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    !log.is_empty() && log.bytes().all(plain)
}
