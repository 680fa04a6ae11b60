//! Reads a log while it is written, over the change from one file to the next.

use std::fs::File;
use std::io::{self, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::audit::line;
use crate::audit::names::Names;
use crate::audit::reader::{self, Lines, Next, ReadError, Stored};

/// A place in a log, moving with its end.
#[derive(Debug)]
pub struct Follower {
    names: Names,
    file: Option<(Arc<Path>, File)>,
    offset: u64,
    line_number: u64,
    /// Number of the record that comes next, when one was seen.
    next: Option<u64>,
}

impl Follower {
    /// Begins at the log's first record.
    pub fn new(names: Names) -> Self {
        Self {
            names,
            file: None,
            offset: 0,
            line_number: 0,
            next: None,
        }
    }

    /// Shows every record that was added since the last time.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn more(&mut self, mut show: impl FnMut(Stored)) -> Result<(), ReadError> {
        loop {
            if self.file.is_none() && !self.open()? {
                return Ok(());
            }
            self.rest(&mut show)?;
            // A file that was renamed while it was read may have had more written to it before.
            if !self.is_full()? {
                return Ok(());
            }
            self.rest(&mut show)?;
            self.file = None;
        }
    }

    fn fault(path: &Path) -> impl Fn(io::Error) -> ReadError {
        let path = path.to_owned();
        move |source| ReadError::Read {
            path: path.clone(),
            source,
        }
    }

    /// Opens the file that holds the next record.
    fn open(&mut self) -> Result<bool, ReadError> {
        let path: PathBuf = match self.next {
            Some(next) if self.names.full(next).exists() => self.names.full(next),
            Some(_) => self.names.active(),
            None => match reader::files(&self.names)?.into_iter().next() {
                Some(path) => path,
                None => return Ok(false),
            },
        };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(Self::fault(&path)(error)),
        };
        self.file = Some((path.into(), file));
        (self.offset, self.line_number) = (0, 0);
        Ok(true)
    }

    /// Whether the file is not the one that is written.
    fn is_full(&self) -> Result<bool, ReadError> {
        use std::os::unix::fs::MetadataExt as _;
        let Some((path, file)) = &self.file else {
            return Ok(false);
        };
        let about = file.metadata().map_err(Self::fault(path))?;
        // Between two files there is for a moment none that is written.
        let written = std::fs::metadata(self.names.active());
        Ok(written.is_ok_and(|written| written.ino() != about.ino()))
    }

    fn rest(&mut self, show: &mut impl FnMut(Stored)) -> Result<(), ReadError> {
        let Some((path, file)) = &mut self.file else {
            return Ok(());
        };
        let fault = Self::fault(path);
        file.seek(SeekFrom::Start(self.offset)).map_err(&fault)?;
        let mut lines = Lines::of(BufReader::new(&*file));
        loop {
            match lines.next_line().map_err(&fault)? {
                Next::Line(line) => {
                    self.line_number += 1;
                    if let Some(head) = line::head(line) {
                        self.next = Some(head.seq + 1);
                    }
                    show(Stored {
                        line: line.to_vec(),
                        file: path.clone(),
                        line_number: self.line_number,
                    });
                }
                Next::TooLong => {
                    let (path, line) = (path.to_path_buf(), self.line_number + 1);
                    return Err(ReadError::TooLong { path, line });
                }
                Next::Unended(_) | Next::End => break,
            }
        }
        self.offset += lines.offset();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_once_each_over_the_change_of_files() {
        let folder = tempfile::tempdir().unwrap();
        let names = Names::new(folder.path(), "t");
        let mut follower = Follower::new(names.clone());
        let more = |follower: &mut Follower| {
            let mut lines = Vec::new();
            follower.more(|stored| lines.push(stored.line)).unwrap();
            lines.into_iter().map(|line| line[7]).collect::<Vec<_>>()
        };
        let line = |seq: u8| {
            format!(
                "{{\"seq\":{seq},\"prev\":\"{}\",\"x\":1}}\n",
                "0".repeat(64)
            )
        };
        assert!(more(&mut follower).is_empty());
        std::fs::write(names.full(0), line(0)).unwrap();
        std::fs::write(names.active(), line(1) + &line(2) + "{\"half").unwrap();
        assert_eq!(more(&mut follower), b"012");
        std::fs::write(names.active(), line(1) + &line(2) + &line(3)).unwrap();
        assert_eq!(more(&mut follower), b"3");
        std::fs::write(names.active(), line(1) + &line(2) + &line(3) + &line(4)).unwrap();
        std::fs::rename(names.active(), names.full(1)).unwrap();
        std::fs::write(names.full(5), line(5)).unwrap();
        std::fs::write(names.active(), line(6)).unwrap();
        assert_eq!(more(&mut follower), b"456");
        assert!(more(&mut follower).is_empty());
    }
}
