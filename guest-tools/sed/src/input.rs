//! The lines of all files.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek},
};

use options::reason;

/// A line, and whether the terminator was there.
pub struct Line {
    pub text: Vec<u8>,
    pub terminated: bool,
}

type Reader = BufReader<Box<dyn Read>>;

pub struct Input {
    files: VecDeque<OsString>,
    terminator: u8,
    separate: bool,
    unbuffered: bool,
    current: Option<Reader>,
    /// `current` reads descriptor 0.
    from_stdin: bool,
    /// The name of the current file; `-` for stdin.
    pub name: OsString,
    pub number: u64,
    /// A file could not be read.
    pub failed: bool,
    /// Set when the line handed out last came from a file newly opened.
    pub opened: bool,
}

impl Input {
    pub fn new(files: Vec<OsString>, terminator: u8, separate: bool, unbuffered: bool) -> Self {
        let files = if files.is_empty() {
            vec![OsString::from("-")]
        } else {
            files
        };
        Self {
            files: files.into(),
            terminator,
            separate,
            unbuffered,
            current: None,
            from_stdin: false,
            name: "-".into(),
            number: 0,
            failed: false,
            opened: false,
        }
    }

    /// Gives back what was read of stdin beyond the current line, for whoever reads it next; a pipe
    /// cannot take it back.
    pub fn give_back(&mut self) {
        let Some(reader) = self.current.as_ref().filter(|_| self.from_stdin) else {
            return;
        };
        let unread = i64::try_from(reader.buffer().len()).unwrap_or(0);
        let mut stdin = std::mem::ManuallyDrop::new(guest_start::descriptor::into_file(0));
        let _ = stdin.seek_relative(-unread);
    }

    /// Opens the next file that can be read; false when there is none.
    fn open_next(&mut self) -> bool {
        while let Some(name) = self.files.pop_front() {
            let opened: io::Result<Box<dyn Read>> = if name == "-" {
                Ok(Box::new(guest_start::descriptor::into_file(0)))
            } else {
                open(&name)
            };
            match opened {
                Ok(reader) => {
                    self.from_stdin = name == "-";
                    // Unbuffered stdin may be a pipe that another process reads on.
                    let capacity = if self.unbuffered && self.from_stdin {
                        1
                    } else {
                        64 * 1024
                    };
                    self.current = Some(BufReader::with_capacity(capacity, reader));
                    self.name = name;
                    self.opened = true;
                    if self.separate {
                        self.number = 0;
                    }
                    return true;
                }
                Err(error) => {
                    if error.kind() == io::ErrorKind::IsADirectory {
                        eprintln!("sed: couldn't edit {}: not a regular file", name.display());
                    } else {
                        eprintln!("sed: can't read {}: {}", name.display(), reason(&error));
                    }
                    self.failed = true;
                }
            }
        }
        false
    }

    /// The next line of all files.
    pub fn next(&mut self) -> Option<Line> {
        loop {
            if self.current.is_none() && !self.open_next() {
                return None;
            }
            let mut text = Vec::new();
            let reader = self.current.as_mut()?;
            match reader.read_until(self.terminator, &mut text) {
                Ok(0) => self.close(),
                Ok(_) => {
                    self.number += 1;
                    let terminated = text.last() == Some(&self.terminator);
                    if terminated {
                        text.pop();
                    }
                    return Some(Line { text, terminated });
                }
                Err(error) => {
                    eprintln!(
                        "sed: read error on {}: {}",
                        self.name.display(),
                        reason(&error)
                    );
                    self.failed = true;
                    self.close();
                }
            }
        }
    }

    fn close(&mut self) {
        self.current = None;
    }

    fn has_data(&mut self) -> bool {
        self.current
            .as_mut()
            .is_some_and(|reader| reader.fill_buf().is_ok_and(|data| !data.is_empty()))
    }

    /// Whether the current line is the last: of its file when files are separate, else of all.
    pub fn is_last(&mut self) -> bool {
        if self.has_data() {
            return false;
        }
        if self.separate {
            return true;
        }
        // Opening the next file changes the name that `F` prints; keep it.
        let name = self.name.clone();
        while self.current.is_none() || !self.has_data() {
            self.current = None;
            if !self.open_next() {
                self.name = name;
                return true;
            }
        }
        self.name = name;
        false
    }

    /// Whether the current file has no more lines.
    pub fn file_is_over(&mut self) -> bool {
        !self.has_data()
    }

    /// Whether any file has more lines.
    pub fn is_over(&mut self) -> bool {
        !self.has_data()
            && (self.separate && self.files.is_empty() || !self.separate && self.is_last())
    }
}

fn open(name: &OsString) -> io::Result<Box<dyn Read>> {
    let file = File::open(name)?;
    if file.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok(Box::new(file))
}
