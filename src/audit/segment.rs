//! The file that is written: the space reserved for it, the blank behind its end, and writing that
//! can be repeated.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FallocateFlags, Statx, StatxFlags};
use rustix::io::Errno;

use crate::audit::log::Keeping;
use crate::audit::names::Names;

/// File systems that write everything to a new place, by their numbers in statfs(2): btrfs, ZFS,
/// bcachefs, F2FS, NILFS. Zeros written ahead would spare them nothing, and use up the reserved room.
const COPY_ON_WRITE: [i64; 5] = [0x9123_683e, 0x2fc1_2fc1, 0xca45_1a4e, 0xf2f5_2010, 0x3434];
/// Most files with torn ends of one record. Chosen, not measured.
const TORN_MAX: usize = 100;

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
    /// Whether what is written over other bytes takes their place on the disk.
    fn overwrites(&self) -> bool;
}

/// What of a file is asked for while it is written. Not its times: who asks for them has the next
/// write set them anew, and the sync write them to the disk.
const ASKED: StatxFlags = StatxFlags::INO
    .union(StatxFlags::NLINK)
    .union(StatxFlags::SIZE);

/// Which file it is, and what became of it.
#[derive(Debug)]
pub(super) struct Identity {
    device: (u32, u32),
    number: u64,
    /// How many names it has.
    names: u32,
    bytes: u64,
}

impl From<Statx> for Identity {
    fn from(about: Statx) -> Self {
        Self {
            device: (about.stx_dev_major, about.stx_dev_minor),
            number: about.stx_ino,
            names: about.stx_nlink,
            bytes: about.stx_size,
        }
    }
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
        let about = rustix::fs::statx(self, "", AtFlags::EMPTY_PATH, ASKED)?;
        Ok(about.into())
    }

    fn overwrites(&self) -> bool {
        rustix::fs::fstatfs(self).is_ok_and(|about| !COPY_ON_WRITE.contains(&about.f_type))
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
    /// From `length` to here there are zeros.
    blank_to: u64,
    blank_bytes: u64,
    reserve_bytes: u64,
    short: bool,
}

impl Active {
    /// Opens the active file, or makes it. Its records end at `length`.
    pub(super) fn open(names: &Names, length: u64, keeping: &Keeping) -> io::Result<Self> {
        let path = names.active();
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)?;
        Self::over(Box::new(file), names, length, keeping)
    }

    pub(super) fn over(
        storage: Box<dyn Storage>,
        names: &Names,
        length: u64,
        keeping: &Keeping,
    ) -> io::Result<Self> {
        let name = names.active();
        let blank_bytes = if storage.overwrites() {
            keeping.blank_bytes
        } else {
            0
        };
        let mut active = Self {
            storage,
            folder: File::open(&names.folder)?,
            name: name.file_name().unwrap_or_default().into(),
            first: 0,
            length,
            reserved_to: length,
            blank_to: length,
            blank_bytes,
            reserve_bytes: keeping.reserve_bytes,
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
        (self.reserved_to, self.blank_to) = (length, length);
        self.reserve(0)
    }

    /// Puts bytes behind the end and waits for the disk. After a failure the same bytes may be
    /// given again, with more behind them: they go to the same place.
    pub(super) fn commit(&mut self, bytes: &[u8]) -> io::Result<()> {
        let end = self.length + bytes.len() as u64;
        // Someone may have cut it; to write behind a gap would hide that.
        self.check_in_place(self.length)?;
        self.reserve(bytes.len() as u64)?;
        self.blank(end);
        self.storage.write_all_at(bytes, self.length)?;
        self.storage.sync()?;
        self.check_in_place(end)?;
        self.length = end;
        Ok(())
    }

    /// Writes zeros behind `end` unless there are some, as far as room is reserved: where none can be,
    /// they could take the record's own.
    fn blank(&mut self, end: u64) {
        let to = (end + self.blank_bytes).min(self.reserved_to);
        if end <= self.blank_to || to <= end || self.reserved_to == u64::MAX {
            return;
        }
        let zeros = vec![0; usize::try_from(to - end).unwrap_or(0)];
        // Records are written without a blank too.
        if self.storage.write_all_at(&zeros, end).is_ok() {
            self.blank_to = to;
        }
    }

    /// Whether the disk had no room to reserve and what was reserved is running out.
    pub(super) fn short_of_space(&self) -> bool {
        self.short && self.reserved_to.saturating_sub(self.length) < self.reserve_bytes / 2
    }

    /// Notices that someone removed, replaced or cut the file: what was written to it is lost then.
    fn check_in_place(&self, length: u64) -> io::Result<()> {
        let own = self.storage.identity()?;
        let nofollow = AtFlags::SYMLINK_NOFOLLOW;
        let found =
            rustix::fs::statx(&self.folder, &self.name, nofollow, ASKED).map(Identity::from);
        let same =
            found.is_ok_and(|found| found.device == own.device && found.number == own.number);
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
        (self.first, self.length, self.blank_to) = (first, 0, 0);
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
