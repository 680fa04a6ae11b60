//! Open regular files and open folders.

use std::{
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;
use rustix::fs::{Dir, Mode, OFlags, SeekFrom, fstat, openat, seek};

use super::{
    Errno,
    held::{CountedFile, Resizing},
    mounts::{Folder, MountPoint},
    resolve::Chain,
    stat::{self, Stat},
};
use crate::cell::kernel::Call;
use crate::descriptors::lend;
use crate::outcome::StoppedBy;

/// Most bytes one read or write of a regular file moves before the guest gets its turn's end
/// checked (DESIGN §4).
pub const CHUNK_BYTES: usize = 256 << 10;
/// Most entries of a folder that are listed. Chosen: PATH-11's worst case.
const ENTRIES_MAX: usize = 1_000_000;
/// Entries listed before other guests get their turn.
const ENTRIES_AT_ONCE: usize = 4_096;
/// Fuel that a write costs before its bytes, beside the host call's. As below.
const WRITE_FUEL: u64 = 3_000;
/// Fuel that a changed length costs, at two units a nanosecond. Measured by tests/host_calls.rs.
const RESIZE_FUEL: u64 = 5_000;
/// Fuel one listed entry costs: what reading it takes, at two units a nanosecond.
const ENTRY_FUEL: u64 = 1_000;

/// An open regular file; clones of its descriptor share the position.
#[derive(Debug)]
pub struct OpenFile {
    pub fd: OwnedFd,
    pub mount: Option<Arc<MountPoint>>,
    /// Its name is protected: its mode and times stay as they are, too.
    pub protected: bool,
    pub readable: bool,
    pub writable: bool,
    pub append: AtomicBool,
    pub call: Arc<Call>,
    /// Its place in the session's count, where there is one.
    pub counted: Option<CountedFile>,
}

impl OpenFile {
    /// # Errors
    /// As Linux `fstat`.
    pub fn stat(&self) -> Result<Stat, Errno> {
        match &self.mount {
            Some(mount) => stat::host(mount, &self.fd, b""),
            None => {
                let found = rustix::fs::fstat(&self.fd)?;
                let size = found.st_size.cast_unsigned();
                Ok(Stat {
                    size,
                    mode: 0o100_644,
                    nlink: 1,
                    ino: found.st_ino,
                    ..Stat::default()
                })
            }
        }
    }

    /// Reads at the position, or at `offset`.
    ///
    /// # Errors
    /// EBADF when not opened for reading; what the host says.
    pub fn read(&self, out: &mut [u8], offset: Option<u64>) -> Result<usize, Errno> {
        if !self.readable {
            return Err(Errno::EBADF);
        }
        let length = out.len().min(CHUNK_BYTES);
        let out = out.get_mut(..length).unwrap_or_default();
        Ok(match offset {
            None => rustix::io::read(&self.fd, out)?,
            Some(offset) => rustix::io::pread(&self.fd, out, offset)?,
        })
    }

    /// Has the last so many bytes read again.
    pub fn step_back(&self, bytes: usize) {
        let back = i64::try_from(bytes).unwrap_or(0);
        // What is no file to seek in is none to read again.
        let _stays = rustix::fs::seek(&self.fd, SeekFrom::Current(-back));
    }

    /// Writes at the position, or at `offset`, within the limits of the call, the mount and the
    /// session. A hole that comes before counts as written: it can be read, and filled later.
    ///
    /// # Errors
    /// EBADF when not opened for writing; ENOSPC or EDQUOT at a limit; what the host says.
    pub fn write(&self, bytes: &[u8], offset: Option<u64>) -> Result<usize, Errno> {
        if !self.writable {
            return Err(Errno::EBADF);
        }
        let bytes = bytes
            .get(..bytes.len().min(CHUNK_BYTES))
            .unwrap_or_default();
        if bytes.is_empty() {
            return Ok(0);
        }
        self.call.spend(WRITE_FUEL);
        let mut resizing = self.counted.as_ref().map(CountedFile::resize);
        let size = fstat(&self.fd)?.st_size.cast_unsigned();
        // An appending descriptor writes at the end, wherever it is told to (pwrite(2), BUGS).
        let start = match offset {
            _ if self.append.load(Ordering::Relaxed) => size,
            Some(offset) => offset,
            None => seek(&self.fd, SeekFrom::Current(0))?,
        };
        let length = bytes.len() as u64;
        let end = start.checked_add(length).ok_or(Errno::EFBIG)?;
        let hole = start.saturating_sub(size);
        self.take_growth(&mut resizing, length.saturating_add(hole), size.max(end))?;
        let wrote = match offset {
            None => rustix::io::write(&self.fd, bytes),
            Some(offset) => rustix::io::pwrite(&self.fd, bytes, offset),
        };
        let count = wrote.unwrap_or(0) as u64;
        let (unused, size) = match count {
            0 => (length.saturating_add(hole), size),
            count => (length.saturating_sub(count), size.max(start + count)),
        };
        self.give_room(unused);
        if let Some(resizing) = &mut resizing {
            resizing.settle(size);
        }
        Ok(wrote?)
    }

    /// Takes room for `written` bytes, after which the file has `size`.
    fn take_growth(
        &self,
        resizing: &mut Option<Resizing<'_>>,
        written: u64,
        size: u64,
    ) -> Result<(), Errno> {
        self.take_room(written)?;
        let reserved = resizing
            .as_mut()
            .map_or(Ok(()), |file| file.reserve(size, &self.call));
        reserved.inspect_err(|_| self.give_room(written))
    }

    /// Takes room for bytes from the call's limit and the mount's quota.
    fn take_room(&self, bytes: u64) -> Result<(), Errno> {
        self.call.take_written(bytes)?;
        let mount = self.mount.as_ref();
        mount
            .map_or(Ok(()), |mount| mount.take_quota(bytes))
            .inspect_err(|_| {
                self.call.give_written(bytes);
                self.call.refuse(StoppedBy::Disk);
            })
    }

    fn give_room(&self, bytes: u64) {
        self.call.give_written(bytes);
        if let Some(mount) = &self.mount {
            mount.give_quota(bytes);
        }
    }

    /// Sets the length; growth counts as written, so that a sparse file is no way around the
    /// limit.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn set_size(&self, size: u64) -> Result<(), Errno> {
        if !self.writable {
            return Err(Errno::EINVAL);
        }
        self.call.spend(RESIZE_FUEL);
        let mut resizing = self.counted.as_ref().map(CountedFile::resize);
        let before = fstat(&self.fd)?.st_size.cast_unsigned();
        let grown = size.saturating_sub(before);
        self.take_growth(&mut resizing, grown, size)?;
        let resized = rustix::fs::ftruncate(&self.fd, size).inspect_err(|_| self.give_room(grown));
        if let Some(resizing) = &mut resizing {
            resizing.settle(if resized.is_ok() { size } else { before });
        }
        Ok(resized?)
    }

    /// Turns appending on or off.
    ///
    /// # Errors
    /// What the host says.
    pub fn set_append(&self, append: bool) -> Result<(), Errno> {
        let mut flags = rustix::fs::fcntl_getfl(&self.fd)?;
        flags.set(OFlags::APPEND, append);
        rustix::fs::fcntl_setfl(&self.fd, flags)?;
        self.append.store(append, Ordering::Relaxed);
        Ok(())
    }
}

/// One entry of a folder, as read.
#[derive(Debug, Clone)]
pub struct Entry {
    pub name: Vec<u8>,
    pub ino: u64,
    /// Preview 1 `filetype`.
    pub filetype: u8,
}

/// An open folder. Its entries are read once, when the listing starts.
#[derive(Debug)]
pub struct OpenDirectory {
    pub chain: Chain,
    entries: Mutex<Arc<Listing>>,
}

impl OpenDirectory {
    pub fn new(call: &Arc<Call>, chain: Chain) -> Arc<Self> {
        Arc::new(Self {
            chain: chain.closed(),
            entries: Mutex::new(Arc::new(Listing::new(call))),
        })
    }

    /// The entries with `.` and `..` first; `again` reads the folder anew.
    ///
    /// # Errors
    /// What the host says; ENOMEM at the call's limit.
    pub async fn entries(&self, again: bool) -> Result<Arc<Listing>, Errno> {
        let known = Arc::clone(&self.entries.lock());
        if !again && !known.entries.is_empty() {
            return Ok(known);
        }
        let call = Arc::clone(&known.call);
        drop(known);
        // The old listing's memory is free for the new one.
        *self.entries.lock() = Arc::new(Listing::new(&call));
        let listing = Arc::new(list(&call, self.chain.folder()).await?);
        *self.entries.lock() = Arc::clone(&listing);
        Ok(listing)
    }
}

/// A folder's entries, counted as memory of the call.
#[derive(Debug)]
pub struct Listing {
    pub entries: Vec<Entry>,
    bytes: u64,
    call: Arc<Call>,
}

impl Listing {
    fn new(call: &Arc<Call>) -> Self {
        Self {
            entries: Vec::new(),
            bytes: 0,
            call: Arc::clone(call),
        }
    }

    fn push(&mut self, entry: Entry) -> Result<(), Errno> {
        let bytes = (size_of::<Entry>() + entry.name.len().next_multiple_of(16) + 16) as u64;
        if !self.call.take_memory(bytes) {
            self.call.refuse(StoppedBy::Memory);
            return Err(Errno::ENOMEM);
        }
        self.bytes += bytes;
        self.call.spend(ENTRY_FUEL);
        self.entries.push(entry);
        Ok(())
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        self.call.give_memory(self.bytes);
    }
}

async fn list(call: &Arc<Call>, folder: &Folder) -> Result<Listing, Errno> {
    let own = stat::folder(folder)?.ino;
    let mut listing = Listing::new(call);
    for name in [&b"."[..], b".."] {
        listing.push(Entry {
            name: name.to_vec(),
            ino: own,
            filetype: 3,
        })?;
    }
    match folder {
        Folder::Descriptors => {}
        Folder::Synthetic(synthetic) => {
            for (name, node) in &synthetic.names {
                let found = stat::node(node);
                let (ino, filetype) = (found.ino, found.filetype());
                listing.push(Entry {
                    name: name.clone(),
                    ino,
                    filetype,
                })?;
            }
        }
        Folder::Host { fd, .. } => {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let readable = lend(openat(fd, c".", flags, Mode::empty())?)?;
            for entry in Dir::new(readable)? {
                let entry = entry?;
                let name = entry.file_name().to_bytes();
                if matches!(name, b"." | b"..") {
                    continue;
                }
                if listing.entries.len() >= ENTRIES_MAX {
                    return Err(Errno::EOVERFLOW);
                }
                if listing.entries.len().is_multiple_of(ENTRIES_AT_ONCE) {
                    tokio::task::yield_now().await;
                }
                let mode = entry.file_type().as_raw_mode();
                let filetype = stat::filetype(mode);
                listing.push(Entry {
                    name: name.to_vec(),
                    ino: entry.ino(),
                    filetype,
                })?;
            }
        }
    }
    Ok(listing)
}
