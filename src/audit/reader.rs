//! Reads stored lines, across the files of a log, one at a time and none longer than a limit.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::audit::line::LINE_BYTES_MAX;
use crate::audit::names::Names;
use crate::audit::record::{Common, Record};

/// Read from the disk at once. Chosen, not measured.
const READ_BYTES: usize = 256 << 10;

/// Most bytes behind the last record that are looked at: what a crash can leave half-written, and the
/// blank behind it. Chosen, not measured.
pub(super) const UNENDED_BYTES_MAX: u64 = 128 << 20;

/// Why a line could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("cannot read `{path}`")]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{path}` line {line} is longer than {LINE_BYTES_MAX} bytes")]
    TooLong { path: PathBuf, line: u64 },
    #[error("`{path}` line {line} has no line end")]
    Unended { path: PathBuf, line: u64 },
}

/// The lines of one file, lent one after the other.
#[derive(Debug)]
pub struct Lines<R = BufReader<File>> {
    from: R,
    buffer: Vec<u8>,
    /// Bytes of the lines read so far, with their ends.
    offset: u64,
}

/// What comes next in a file. Zero bytes are where nothing was written yet, and end it.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// Without its line end.
    Line(&'a [u8]),
    /// What lies behind the last line end, without the blank behind it.
    Unended(Unended),
    TooLong,
    End,
}

/// Bytes that are no whole line.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Unended {
    pub bytes: u64,
    /// There are zero bytes with line ends behind them.
    pub has_gap: bool,
}

impl Lines {
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self::of(BufReader::with_capacity(
            READ_BYTES,
            File::open(path)?,
        )))
    }
}

impl<R: io::BufRead> Lines<R> {
    pub fn of(from: R) -> Self {
        Self {
            from,
            buffer: Vec::new(),
            offset: 0,
        }
    }

    /// Where the next line begins.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Lends the next line.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn next_line(&mut self) -> io::Result<Next<'_>> {
        self.buffer.clear();
        let most = LINE_BYTES_MAX as u64 + 1;
        let read = self
            .from
            .by_ref()
            .take(most)
            .read_until(b'\n', &mut self.buffer)?;
        if read == 0 {
            return Ok(Next::End);
        }
        if memchr::memchr(0, &self.buffer).is_some() {
            return self.blank();
        }
        let Some(line) = self.buffer.strip_suffix(b"\n") else {
            let long = read as u64 == most;
            return Ok(if long {
                Next::TooLong
            } else {
                let (bytes, has_gap) = (read as u64, false);
                Next::Unended(Unended { bytes, has_gap })
            });
        };
        self.offset += read as u64;
        Ok(Next::Line(line))
    }

    /// Reads what is left from a line on that has a zero byte in it.
    fn blank(&mut self) -> io::Result<Next<'static>> {
        let mut read = self.buffer.len() as u64;
        let mut unended = Unended {
            bytes: written(&self.buffer),
            has_gap: self.buffer.ends_with(b"\n"),
        };
        loop {
            let more = self.from.fill_buf()?;
            if more.is_empty() {
                break;
            }
            if read > UNENDED_BYTES_MAX {
                return Ok(Next::TooLong);
            }
            let (bytes, last) = (more.len(), written(more));
            if last > 0 {
                unended.bytes = read + last;
                unended.has_gap |= memchr::memchr(b'\n', more).is_some();
            }
            read += bytes as u64;
            self.from.consume(bytes);
        }
        Ok(match unended.bytes {
            0 => Next::End,
            _ => Next::Unended(unended),
        })
    }
}

/// Bytes without the zeros behind them.
pub(super) fn written(bytes: &[u8]) -> u64 {
    let last = bytes.iter().rposition(|byte| *byte != 0);
    last.map_or(0, |at| at as u64 + 1)
}

/// One stored line with its place.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Without its line end.
    pub line: Vec<u8>,
    pub file: Arc<Path>,
    /// Counted from 1.
    pub line_number: u64,
}

impl Stored {
    /// The record in the line. Untrusted until the log is verified.
    ///
    /// # Errors
    /// When the line is not a record.
    pub fn record(&self) -> serde_json::Result<(Common<'_>, Record<'_>)> {
        Record::read(&self.line)
    }
}

/// Every stored line of a log, oldest first. After an error there is nothing more.
///
/// A log that is being written may end in half a line; that is the end, not an error.
#[derive(Debug)]
pub struct Reader {
    files: std::vec::IntoIter<PathBuf>,
    current: Option<(Arc<Path>, Lines)>,
    line_number: u64,
}

impl Reader {
    /// Opens the log `NAME` in a folder.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn open(folder: &Path, name: &str) -> Result<Self, ReadError> {
        let names = Names::new(folder, name);
        let files = files(&names)?;
        Ok(Self::of(files))
    }

    /// Reads these files one after the other.
    pub fn of(files: Vec<PathBuf>) -> Self {
        Self {
            files: files.into_iter(),
            current: None,
            line_number: 0,
        }
    }

    fn fail(&mut self, error: ReadError) -> Option<Result<Stored, ReadError>> {
        self.current = None;
        self.files = Vec::new().into_iter();
        Some(Err(error))
    }
}

/// The files of a log that exist, oldest first.
pub(super) fn files(names: &Names) -> Result<Vec<PathBuf>, ReadError> {
    let full = names.full_files().map_err(|source| ReadError::Read {
        path: names.folder.clone(),
        source,
    })?;
    let mut files: Vec<_> = full.into_iter().map(|(_, path)| path).collect();
    files.extend(Some(names.active()).filter(|path| path.exists()));
    Ok(files)
}

impl Iterator for Reader {
    type Item = Result<Stored, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some((file, lines)) = &mut self.current else {
                let path = self.files.next()?;
                match Lines::open(&path) {
                    Ok(lines) => self.current = Some((path.into(), lines)),
                    Err(source) => return self.fail(ReadError::Read { path, source }),
                }
                self.line_number = 0;
                continue;
            };
            self.line_number += 1;
            let line_number = self.line_number;
            let file = file.clone();
            let path = || file.to_path_buf();
            match lines.next_line() {
                Ok(Next::Line(line)) => {
                    let line = line.to_vec();
                    return Some(Ok(Stored {
                        line,
                        file,
                        line_number,
                    }));
                }
                Ok(Next::End) => self.current = None,
                Ok(Next::Unended(_)) if self.files.len() == 0 => self.current = None,
                Ok(Next::Unended(_)) => {
                    let (path, line) = (path(), line_number);
                    return self.fail(ReadError::Unended { path, line });
                }
                Ok(Next::TooLong) => {
                    let (path, line) = (path(), line_number);
                    return self.fail(ReadError::TooLong { path, line });
                }
                Err(source) => {
                    let path = path();
                    return self.fail(ReadError::Read { path, source });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_and_no_longer_than_the_limit() {
        let text = [b"one\n\ntwo".to_vec()].concat();
        let mut lines = Lines::of(&*text);
        assert_eq!(lines.next_line().unwrap(), Next::Line(b"one"));
        assert_eq!(lines.next_line().unwrap(), Next::Line(b""));
        assert_eq!(lines.offset(), 5);
        assert_eq!(
            lines.next_line().unwrap(),
            Next::Unended(Unended {
                bytes: 3,
                has_gap: false
            })
        );
        assert_eq!(lines.next_line().unwrap(), Next::End);
        let mut longest = vec![b'x'; LINE_BYTES_MAX];
        longest.push(b'\n');
        assert!(matches!(
            Lines::of(&*longest).next_line().unwrap(),
            Next::Line(_)
        ));
        longest.insert(0, b'x');
        assert_eq!(Lines::of(&*longest).next_line().unwrap(), Next::TooLong);
    }

    #[test]
    fn a_log_is_read_over_its_files_and_half_a_line_ends_only_the_last() {
        let folder = tempfile::tempdir().unwrap();
        let names = Names::new(folder.path(), "t");
        std::fs::write(names.full(0), "a\nb\n").unwrap();
        std::fs::write(names.full(2), "c\n").unwrap();
        std::fs::write(names.active(), "d\nhal").unwrap();
        std::fs::write(folder.path().join("t.5.jsonl"), "not ours\n").unwrap();
        let read = || -> Vec<_> {
            let reader = Reader::open(folder.path(), "t").unwrap();
            reader
                .map(|line| line.map(|stored| (stored.line, stored.line_number)))
                .collect()
        };
        let lines: Vec<_> = read().into_iter().map(Result::unwrap).collect();
        let expected = [(b"a", 1), (b"b", 2), (b"c", 1), (b"d", 1)];
        assert_eq!(
            lines,
            expected.map(|(line, number)| (line.to_vec(), number))
        );
        std::fs::write(names.full(2), "c").unwrap();
        assert!(matches!(
            read().last(),
            Some(Err(ReadError::Unended { line: 1, .. }))
        ));
    }
}
