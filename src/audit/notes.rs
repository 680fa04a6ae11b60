//! A file of signed checkpoints that grows: a note that could not be written whole is taken back,
//! so that what follows it can still be read.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use crate::audit::{opening, segment};

#[derive(Debug)]
pub(super) struct Notes {
    file: File,
    /// Bytes of whole notes.
    length: u64,
}

impl Notes {
    /// Opens the file or makes it, and cuts what a crash left half-written.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        opening::mend(path)?;
        let file = segment::appending(path)?;
        let length = file.metadata()?.len();
        Ok(Self { file, length })
    }

    /// Puts a note behind the others.
    pub(super) fn append(&mut self, note: &str) -> io::Result<()> {
        // The last attempt may have failed to take back what it wrote.
        if self.file.metadata()?.len() > self.length {
            self.file.set_len(self.length)?;
        }
        if let Err(error) = self.file.write_all(note.as_bytes()) {
            // When this fails too, the next attempt does it.
            let _tried = self.file.set_len(self.length);
            return Err(error);
        }
        self.length += note.len() as u64;
        Ok(())
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_failed_attempt_left_is_cut_before_the_next_note() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.heads");
        let mut notes = Notes::open(&path).unwrap();
        notes.append("one\n").unwrap();
        let mut failed = segment::appending(&path).unwrap();
        failed.write_all(b"tw").unwrap();
        notes.append("two\n").unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), "one\ntwo\n");
    }
}
