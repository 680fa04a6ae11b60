//! Where lines go: stdout, or the file edited in place; and the files of `w`.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, BufWriter, Write},
    os::wasi::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use guest_unix::fs::MetadataExt;

/// A destination that remembers an unterminated last line.
pub struct Sink {
    writer: Box<dyn Write>,
    missing_end: bool,
    unbuffered: bool,
}

impl Sink {
    pub fn new(writer: impl Write + 'static, unbuffered: bool) -> Self {
        let writer = Box::new(BufWriter::with_capacity(64 * 1024, writer));
        Self {
            writer,
            missing_end: false,
            unbuffered,
        }
    }

    pub fn stdout(unbuffered: bool) -> Self {
        Self::new(guest_start::descriptor::into_file(1), unbuffered)
    }

    /// Writes a line; its terminator only when the input had one.
    pub fn line(&mut self, text: &[u8], terminator: u8, terminated: bool) -> io::Result<()> {
        self.end_line()?;
        self.writer.write_all(text)?;
        if terminated {
            self.writer.write_all(&[terminator])?;
        } else {
            self.missing_end = true;
        }
        self.settle()
    }

    /// Writes text as it is.
    pub fn raw(&mut self, text: &[u8]) -> io::Result<()> {
        self.end_line()?;
        self.writer.write_all(text)?;
        self.settle()
    }

    fn end_line(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.missing_end) {
            self.writer.write_all(b"\n")?;
        }
        Ok(())
    }

    fn settle(&mut self) -> io::Result<()> {
        if self.unbuffered {
            self.writer.flush()
        } else {
            Ok(())
        }
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// A file edited in place: its new text grows beside it.
pub struct InPlace {
    target: PathBuf,
    temporary: PathBuf,
    mode: u32,
    suffix: String,
}

impl InPlace {
    /// Begins the new text of `name`.
    ///
    /// # Errors
    /// What creating the file said.
    pub fn begin(name: &OsString, suffix: &str) -> io::Result<(Self, Sink)> {
        let target = PathBuf::from(name);
        let mode = fs::metadata(&target)?.mode() & 0o7777;
        let folder = target
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).to_path_buf();
        let (temporary, file) = create_beside(&folder)?;
        let in_place = Self {
            target,
            temporary,
            mode,
            suffix: suffix.to_owned(),
        };
        Ok((in_place, Sink::new(file, false)))
    }

    /// Puts the new text in the file's place, keeping the old one when a suffix says so.
    ///
    /// # Errors
    /// What renaming said.
    pub fn finish(self, mut sink: Sink) -> io::Result<()> {
        sink.flush()?;
        drop(sink);
        guest_start::file::chmod(&self.temporary, self.mode)?;
        if !self.suffix.is_empty() {
            fs::rename(&self.target, self.kept())?;
        }
        fs::rename(&self.temporary, &self.target)
    }

    /// The name of the copy: `*` in the suffix stands for the file's name.
    fn kept(&self) -> PathBuf {
        let name = self
            .target
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        let new = if self.suffix.contains('*') {
            self.suffix.replace('*', &name)
        } else {
            format!("{name}{}", self.suffix)
        };
        if new.contains('/') {
            PathBuf::from(new)
        } else {
            self.target.with_file_name(new)
        }
    }
}

fn create_beside(folder: &Path) -> io::Result<(PathBuf, File)> {
    let (process, ..) = guest_start::process::identity();
    for attempt in 0..1000 {
        let path = folder.join(format!("sed{process:04}{attempt:02}"));
        match File::create_new(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Opens a file of `w`; `/dev/stdout` and `/dev/stderr` are the streams themselves.
///
/// # Errors
/// What creating the file said.
pub fn written_file(name: &[u8]) -> io::Result<Option<Sink>> {
    match name {
        b"/dev/stdout" => Ok(None),
        b"/dev/stderr" => Ok(Some(Sink::new(io::stderr(), true))),
        _ => Ok(Some(Sink::new(
            File::create(std::ffi::OsStr::from_bytes(name))?,
            true,
        ))),
    }
}
