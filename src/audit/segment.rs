//! The files of a log: their names, the space reserved for them, and writing that can be repeated.
//!
//! `NAME.jsonl` is written; `NAME.SEQ.jsonl` are full, named by their first record. Beside each lie
//! its signed checkpoints, in `NAME.heads` one checkpoint for every full file, and the log's key.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FallocateFlags};
use rustix::io::Errno;

/// Digits of a full file's first sequence number in its name.
const SEQ_DIGITS: usize = 20;
/// Most files with torn ends of one record. Chosen, not measured.
const TORN_MAX: usize = 100;

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

/// Makes a folder that only its owner can enter.
pub(super) fn private_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Opens a file for appending that only its owner can read.
pub(super) fn appending(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
}

/// Where bytes go. Replaced in tests by one that fails.
pub(super) trait Storage: std::fmt::Debug + Send {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    fn sync(&self) -> io::Result<()>;
    /// Reserves room beyond the file's end.
    fn reserve(&self, offset: u64, bytes: u64) -> io::Result<()>;
    /// Gives back what was reserved.
    fn release(&self, length: u64) -> io::Result<()>;
    fn identity(&self) -> io::Result<Identity>;
}

/// Which file it is, and what became of it.
#[derive(Debug)]
pub(super) struct Identity {
    device: u64,
    number: u64,
    /// How many names it has.
    names: u64,
    bytes: u64,
}

impl Storage for File {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn reserve(&self, offset: u64, bytes: u64) -> io::Result<()> {
        Ok(rustix::fs::fallocate(
            self,
            FallocateFlags::KEEP_SIZE,
            offset,
            bytes,
        )?)
    }

    fn release(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn identity(&self) -> io::Result<Identity> {
        let about = self.metadata()?;
        Ok(Identity {
            device: about.dev(),
            number: about.ino(),
            names: about.nlink(),
            bytes: about.len(),
        })
    }
}

/// An empty file that is about to become the active one.
#[derive(Debug)]
pub(super) struct Prepared {
    file: File,
    reserved: u64,
}

/// The file that is written, with room reserved behind its end.
#[derive(Debug)]
pub(super) struct Active {
    storage: Box<dyn Storage>,
    folder: File,
    name: PathBuf,
    /// Sequence number of its first record.
    pub(super) first: u64,
    /// Bytes known to be on the disk.
    pub(super) length: u64,
    reserved_to: u64,
    reserve_bytes: u64,
    short: bool,
}

impl Active {
    /// Opens the active file, or makes it.
    pub(super) fn open(names: &Names, reserve_bytes: u64) -> io::Result<Self> {
        let path = names.active();
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)?;
        let length = file.metadata()?.len();
        Self::over(Box::new(file), names, length, reserve_bytes)
    }

    pub(super) fn over(
        storage: Box<dyn Storage>,
        names: &Names,
        length: u64,
        reserve_bytes: u64,
    ) -> io::Result<Self> {
        let name = names.active();
        let mut active = Self {
            storage,
            folder: File::open(&names.folder)?,
            name: name.file_name().unwrap_or_default().into(),
            first: 0,
            length,
            reserved_to: length,
            reserve_bytes,
            short: false,
        };
        active.reserve(0)?;
        Ok(active)
    }

    /// Cuts everything behind `length`.
    pub(super) fn cut(&mut self, length: u64) -> io::Result<()> {
        self.storage.release(length)?;
        self.storage.sync()?;
        self.length = length;
        self.reserved_to = length;
        self.reserve(0)
    }

    /// Puts bytes behind the end and waits for the disk. After a failure the same bytes may be
    /// given again, with more behind them: they go to the same place.
    pub(super) fn commit(&mut self, bytes: &[u8]) -> io::Result<()> {
        let end = self.length + bytes.len() as u64;
        self.check_in_place(self.length)?;
        self.reserve(bytes.len() as u64)?;
        self.storage.write_all_at(bytes, self.length)?;
        self.storage.sync()?;
        self.check_in_place(end)?;
        self.length = end;
        Ok(())
    }

    /// Whether the disk had no room to reserve and what was reserved is running out.
    pub(super) fn short_of_space(&self) -> bool {
        self.short && self.reserved_to.saturating_sub(self.length) < self.reserve_bytes / 2
    }

    /// Notices that someone removed, replaced or cut the file: what was written to it is lost then.
    fn check_in_place(&self, length: u64) -> io::Result<()> {
        let own = self.storage.identity()?;
        let found = rustix::fs::statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW);
        let same =
            found.is_ok_and(|found| found.st_dev == own.device && found.st_ino == own.number);
        if same && own.names > 0 && own.bytes >= length {
            return Ok(());
        }
        let name = self.name.display();
        Err(io::Error::other(format!(
            "someone removed, replaced or cut `{name}` while it was written"
        )))
    }

    fn reserve(&mut self, more: u64) -> io::Result<()> {
        let end = self.length + more;
        if self.reserved_to.saturating_sub(end) >= self.reserve_bytes / 2 {
            self.short = false;
            return Ok(());
        }
        match self.storage.reserve(self.length, more + self.reserve_bytes) {
            Ok(()) => {
                self.short = false;
                self.reserved_to = end + self.reserve_bytes;
                Ok(())
            }
            Err(error) => match Errno::from_io_error(&error) {
                // What is reserved already is for what must be closed.
                Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => {
                    self.short = true;
                    Ok(())
                }
                // A file system that cannot reserve.
                Some(Errno::OPNOTSUPP | Errno::NOSYS) => {
                    self.reserved_to = u64::MAX;
                    Ok(())
                }
                _ => Err(error),
            },
        }
    }

    /// Gives reserved room back, at the end.
    pub(super) fn release(&mut self) {
        // The room is only kept too long when this fails.
        let _kept = self.storage.release(self.length);
    }

    /// Makes the file that [`Self::replace`] takes, with its room.
    pub(super) fn prepare(&self, names: &Names) -> io::Result<Prepared> {
        let next = names.next();
        let file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&next)?;
        match File::reserve_or_unsupported(&file, self.reserve_bytes) {
            Ok(reserved) => Ok(Prepared { file, reserved }),
            Err(error) => {
                // It only lies there when this fails.
                let _left = std::fs::remove_file(&next);
                Err(error)
            }
        }
    }

    /// Starts an empty file in place of this one, which keeps its content under another name.
    pub(super) fn replace(
        &mut self,
        names: &Names,
        first: u64,
        prepared: Prepared,
    ) -> io::Result<()> {
        let next = names.next();
        let full = names.full(self.first);
        if full.exists() {
            return Err(io::Error::other(format!(
                "`{}` is there already",
                full.display()
            )));
        }
        std::fs::rename(names.active(), &full)?;
        if let Err(error) = std::fs::rename(&next, names.active()) {
            std::fs::rename(&full, names.active())?;
            return Err(error);
        }
        self.folder.sync_all()?;
        self.release();
        self.storage = Box::new(prepared.file);
        (self.first, self.length) = (first, 0);
        self.reserved_to = prepared.reserved;
        Ok(())
    }

    pub(super) fn sync_folder(&self) -> io::Result<()> {
        self.folder.sync_all()
    }
}

trait Reserving {
    fn reserve_or_unsupported(&self, bytes: u64) -> io::Result<u64>;
}

impl Reserving for File {
    /// Reserves from the start; answers how far, which is without end where nothing can be.
    fn reserve_or_unsupported(&self, bytes: u64) -> io::Result<u64> {
        match Storage::reserve(self, 0, bytes) {
            Ok(()) => Ok(bytes),
            Err(error) => match Errno::from_io_error(&error) {
                Some(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(u64::MAX),
                _ => Err(error),
            },
        }
    }
}

/// Keeps the bytes that are about to be cut from the active file's end, beside what was kept before.
pub(super) fn keep_torn(
    names: &Names,
    seq: u64,
    offset: u64,
    length: u64,
) -> io::Result<(PathBuf, Vec<u8>)> {
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    File::open(names.active())?.read_exact_at(&mut bytes, offset)?;
    for time in 0..TORN_MAX {
        let path = names.torn(seq, time);
        let made = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&path);
        match made {
            Ok(file) => {
                FileExt::write_all_at(&file, &bytes, 0)?;
                file.sync_all()?;
                return Ok((path, bytes));
            }
            // A crash may have come between the keeping and the cut.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other(format!(
        "{TORN_MAX} torn ends of record {seq} are kept already; move them away"
    )))
}
