//! What sessions hold on disk, counted while their calls change it. All calls of a session share
//! one count, so that calls at the same time cannot both spend what is left.

use std::{
    collections::HashMap,
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use parking_lot::{Mutex, MutexGuard};
use rustix::fs::fstat;

use super::{Errno, mounts::MountPoint, stat};
use crate::cell::{kernel::Call, order::SessionHolds};
use crate::outcome::{Held, StoppedBy};

/// Sessions whose counts a cell keeps between their calls. The broker's own count stands in for
/// one that was forgotten. Chosen, not measured.
const SESSIONS_MAX: usize = 1_024;

/// The counts of all sessions that a cell serves.
#[derive(Debug, Default)]
pub struct Holdings(Mutex<HashMap<u64, (u64, Arc<Holding>)>>);

impl Holdings {
    /// The session's count, set anew when the broker has counted anew.
    pub fn of(&self, known: SessionHolds) -> Arc<Holding> {
        let mut sessions = self.0.lock();
        if sessions.len() >= SESSIONS_MAX {
            sessions.retain(|_, (_, holding)| Arc::strong_count(holding) > 1);
        }
        let (count, holding) = sessions
            .entry(known.session)
            .or_insert_with(|| (known.count, Holding::new(known.held)));
        if *count != known.count {
            *count = known.count;
            holding.bytes.store(known.held.bytes, Ordering::Relaxed);
            holding.files.store(known.held.files, Ordering::Relaxed);
        }
        Arc::clone(holding)
    }
}

/// What one session holds.
#[derive(Debug)]
pub struct Holding {
    bytes: AtomicI64,
    files: AtomicI64,
    open: Mutex<HashMap<FileKey, Open>>,
    /// Held while a name is taken away, replaced or linked, so that a file's number of names is
    /// still true when it is acted on.
    names: Mutex<()>,
}

/// A mount's number, and an inode on it.
type FileKey = (u64, u64);

#[derive(Debug)]
struct Open {
    descriptors: u32,
    file: Arc<Mutex<FileCount>>,
}

#[derive(Debug)]
struct FileCount {
    /// What the session's count has for its bytes.
    bytes: i64,
    /// Its last name is gone; its bytes go with its last descriptor.
    nameless: bool,
}

impl Holding {
    fn new(held: Held) -> Arc<Self> {
        Arc::new(Self {
            bytes: AtomicI64::new(held.bytes),
            files: AtomicI64::new(held.files),
            open: Mutex::default(),
            names: Mutex::default(),
        })
    }

    /// What is held now.
    pub fn now(&self) -> Held {
        Held {
            bytes: self.bytes.load(Ordering::Relaxed),
            files: self.files.load(Ordering::Relaxed),
        }
    }

    /// Takes room within the call's limits for its session.
    fn take(&self, more: Held, call: &Call) -> Result<(), Errno> {
        let limits = &call.limits;
        if !take(&self.bytes, more.bytes, limits.session_disk_bytes) {
            call.refuse(StoppedBy::Disk);
            return Err(Errno::EDQUOT);
        }
        if !take(&self.files, more.files, limits.session_files) {
            self.bytes.fetch_sub(more.bytes, Ordering::Relaxed);
            call.refuse(StoppedBy::Inodes);
            return Err(Errno::EDQUOT);
        }
        Ok(())
    }

    /// Counts what is held more, or less, whatever the limits are.
    pub fn add(&self, more: Held) {
        self.bytes.fetch_add(more.bytes, Ordering::Relaxed);
        self.files.fetch_add(more.files, Ordering::Relaxed);
    }

    fn give(&self, less: Held) {
        self.bytes.fetch_sub(less.bytes, Ordering::Relaxed);
        self.files.fetch_sub(less.files, Ordering::Relaxed);
    }

    /// Counts a name as gone that stood for `found`.
    fn name_gone(&self, mount: &MountPoint, found: &stat::Stat) {
        let bytes = match found.is_folder() {
            true => Held::folder().bytes,
            // Its bytes stay under another name.
            false if found.nlink > 1 => 0,
            false => {
                let open = self.open.lock();
                match open.get(&(mount.number, found.ino)) {
                    Some(open) => {
                        open.file.lock().nameless = true;
                        0
                    }
                    None => Held::in_blocks(found.size),
                }
            }
        };
        self.give(Held { bytes, files: 1 });
    }
}

fn take(count: &AtomicI64, more: i64, most: u64) -> bool {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let within = |now: i64| {
        now.checked_add(more)
            .filter(|then| more <= 0 || *then <= most)
    };
    count
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, within)
        .is_ok()
}

/// Makes a name for `new` with `make`, within the limits of the call and its session.
///
/// # Errors
/// ENOSPC at the call's limit, EDQUOT at the session's, or what `make` says.
pub fn make_name<T>(
    call: &Call,
    mount: &MountPoint,
    new: Held,
    make: impl FnOnce() -> rustix::io::Result<T>,
) -> Result<T, Errno> {
    let Some(holding) = &mount.held else {
        return call.with_inode(make);
    };
    holding.take(new, call)?;
    call.with_inode(make).inspect_err(|_| holding.give(new))
}

/// As [`make_name`], for a further name of a file.
///
/// # Errors
/// As [`make_name`].
pub fn add_name(
    call: &Call,
    mount: &MountPoint,
    link: impl FnOnce() -> rustix::io::Result<()>,
) -> Result<(), Errno> {
    let _still = mount.held.as_ref().map(|holding| holding.names.lock());
    make_name(call, mount, Held::NAME, link)
}

/// Takes the name away with `remove`.
///
/// # Errors
/// What `remove` says, or the question what is there.
pub fn remove_name(
    mount: &MountPoint,
    folder: &OwnedFd,
    name: &[u8],
    remove: impl FnOnce() -> rustix::io::Result<()>,
) -> Result<(), Errno> {
    let Some(holding) = &mount.held else {
        return Ok(remove()?);
    };
    let _still = holding.names.lock();
    let found = stat::host(mount, folder, name)?;
    remove()?;
    holding.name_gone(mount, &found);
    Ok(())
}

/// One name in a folder of a mount.
pub type NameIn<'a> = (&'a OwnedFd, &'a [u8]);

/// Gives what `from` names the name `to`, with `rename`; what had that name loses it.
///
/// # Errors
/// What `rename` says, or the question what is there.
pub fn replace_name(
    mount: &MountPoint,
    (from_folder, from): NameIn<'_>,
    (to_folder, to): NameIn<'_>,
    rename: impl FnOnce() -> rustix::io::Result<()>,
) -> Result<(), Errno> {
    let Some(holding) = &mount.held else {
        return Ok(rename()?);
    };
    let _still = holding.names.lock();
    let moved = stat::host(mount, from_folder, from)?;
    let replaced = match stat::host(mount, to_folder, to) {
        Ok(found) => Some(found),
        Err(Errno::ENOENT) => None,
        Err(errno) => return Err(errno),
    };
    rename()?;
    // Two names of one file both stay where they are (rename(2)).
    if let Some(replaced) = replaced.filter(|replaced| replaced.ino != moved.ino) {
        holding.name_gone(mount, &replaced);
    }
    Ok(())
}

/// An open file, as its session counts it.
#[derive(Debug)]
pub struct CountedFile {
    holding: Arc<Holding>,
    key: FileKey,
    file: Arc<Mutex<FileCount>>,
}

impl CountedFile {
    /// Notes that a file is open; `None` on a mount that no session counts.
    ///
    /// # Errors
    /// As Linux `fstat`.
    pub fn open(mount: &MountPoint, fd: &OwnedFd) -> Result<Option<Self>, Errno> {
        let Some(holding) = &mount.held else {
            return Ok(None);
        };
        let mut all = holding.open.lock();
        let found = fstat(fd)?;
        let key = (mount.number, found.st_ino);
        let open = all.entry(key).or_insert_with(|| {
            let bytes = Held::in_blocks(found.st_size.cast_unsigned());
            let nameless = found.st_nlink == 0;
            if nameless {
                // Its last name went away between the open and here, and its bytes with it.
                holding.bytes.fetch_add(bytes, Ordering::Relaxed);
            }
            let file = Arc::new(Mutex::new(FileCount { bytes, nameless }));
            Open {
                descriptors: 0,
                file,
            }
        });
        open.descriptors += 1;
        Ok(Some(Self {
            holding: Arc::clone(holding),
            key,
            file: Arc::clone(&open.file),
        }))
    }

    /// Keeps every other change of the file's size out until it is dropped.
    pub fn resize(&self) -> Resizing<'_> {
        Resizing {
            holding: &self.holding,
            file: self.file.lock(),
        }
    }
}

impl Drop for CountedFile {
    fn drop(&mut self) {
        let mut all = self.holding.open.lock();
        let Some(open) = all.get_mut(&self.key) else {
            return;
        };
        open.descriptors -= 1;
        if open.descriptors == 0
            && let Some(open) = all.remove(&self.key)
        {
            let file = open.file.lock();
            if file.nameless {
                let gone = Held {
                    bytes: file.bytes,
                    files: 0,
                };
                self.holding.give(gone);
            }
        }
    }
}

/// A file whose size is about to change.
#[derive(Debug)]
pub struct Resizing<'a> {
    holding: &'a Holding,
    file: MutexGuard<'a, FileCount>,
}

impl Resizing<'_> {
    /// Takes room for the file to reach `size`.
    ///
    /// # Errors
    /// EDQUOT at the session's limit.
    pub fn reserve(&mut self, size: u64, call: &Call) -> Result<(), Errno> {
        let bytes = Held::in_blocks(size);
        if bytes > self.file.bytes {
            let more = Held {
                bytes: bytes - self.file.bytes,
                files: 0,
            };
            self.holding.take(more, call)?;
            self.file.bytes = bytes;
        }
        Ok(())
    }

    /// Counts the file as what it has become.
    pub fn settle(&mut self, size: u64) {
        let bytes = Held::in_blocks(size);
        let less = Held {
            bytes: self.file.bytes - bytes,
            files: 0,
        };
        self.holding.give(less);
        self.file.bytes = bytes;
    }
}
