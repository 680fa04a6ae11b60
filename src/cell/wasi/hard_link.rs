//! Breaking a hard link: a file gets a copy of its content under a new inode before it is changed
//! in place, so that nothing outside is reached through a second link.

use std::{
    os::fd::OwnedFd,
    sync::{Arc, atomic::AtomicBool},
};

use rustix::fs::{AtFlags, Mode, OFlags, openat2, renameat, unlinkat};

use super::{
    Errno,
    file::{CHUNK_BYTES, OpenFile},
    held::{CountedFile, NameIn, make_name, remove_name, replace_name},
    mounts::MountPoint,
    resolve::BENEATH,
    stat,
};
use crate::cell::kernel::{Call, Guest};
use crate::descriptors::{lend, room_to_lend};
use crate::outcome::Held;

/// Fuel one chunk of a copy costs: what reading and writing it takes, at two units a nanosecond.
const CHUNK_FUEL: u64 = CHUNK_BYTES as u64;

/// Gives the name a copy of what is open as `opened` and stands there. Other guests get their turns
/// meanwhile; a process that must end leaves nothing behind.
///
/// # Errors
/// ENOSPC or EDQUOT at a limit, EBUSY when the name changes meanwhile, what the host says.
pub async fn break_hard_link(
    guest: &Guest,
    mount: &Arc<MountPoint>,
    (folder, name): NameIn<'_>,
    opened: &OwnedFd,
) -> Result<(), Errno> {
    let found = stat::host(mount, opened, b"")?;
    let read = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let source = lend(openat2(folder, name, read, Mode::empty(), BENEATH)?)?;
    let again = stat::host(mount, &source, b"")?;
    if again.ino != found.ino || !again.is_regular() {
        return Err(Errno::EBUSY);
    }
    let mut copy = Copied::make(guest.call(), mount, folder)?;
    copy_all(guest, &source, &copy.file, found.size).await?;
    rustix::fs::fchmod(&copy.file.fd, Mode::from_raw_mode(found.mode & 0o777))?;
    let (from, to) = ((folder, copy.name.as_bytes()), (folder, name));
    replace_name(mount, from, to, || {
        let now = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
        match now.st_ino == found.ino {
            true => renameat(folder, from.1, folder, name),
            false => Err(rustix::io::Errno::BUSY),
        }
    })?;
    copy.placed = true;
    Ok(())
}

/// Copies at most `size` bytes: the source may grow meanwhile.
async fn copy_all(guest: &Guest, from: &OwnedFd, to: &OpenFile, size: u64) -> Result<(), Errno> {
    let length = CHUNK_BYTES.min(usize::try_from(size).unwrap_or(CHUNK_BYTES));
    let mut buffer = vec![0; length];
    let mut at = 0;
    while at < size {
        // The task looks whether the process must end before it goes on here.
        tokio::task::yield_now().await;
        guest.call().spend(CHUNK_FUEL);
        let most = usize::try_from(size - at).unwrap_or(length).min(length);
        let chunk = buffer.get_mut(..most).unwrap_or_default();
        let count = rustix::io::pread(from, &mut *chunk, at)?;
        let mut bytes = chunk.get(..count).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        while !bytes.is_empty() {
            let wrote = to.write(bytes, Some(at))?;
            bytes = bytes.get(wrote..).unwrap_or_default();
            at += wrote as u64;
        }
    }
    Ok(())
}

/// A copy on its way to its name; removed when it does not get there.
struct Copied<'a> {
    file: OpenFile,
    mount: &'a MountPoint,
    folder: &'a OwnedFd,
    name: String,
    placed: bool,
}

impl<'a> Copied<'a> {
    fn make(
        call: &Arc<Call>,
        mount: &'a Arc<MountPoint>,
        folder: &'a OwnedFd,
    ) -> Result<Self, Errno> {
        room_to_lend(folder)?;
        let name = temporary_name()?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o600);
        let fd = make_name(call, mount, Held::NAME, || {
            openat2(folder, &*name, flags, mode, BENEATH)
        })?;
        let counted = CountedFile::open(mount, &fd)?;
        let file = OpenFile {
            fd,
            mount: Some(Arc::clone(mount)),
            protected: false,
            readable: false,
            writable: true,
            append: AtomicBool::new(false),
            call: Arc::clone(call),
            counted,
        };
        Ok(Self {
            file,
            mount,
            folder,
            name,
            placed: false,
        })
    }
}

impl Drop for Copied<'_> {
    fn drop(&mut self) {
        if !self.placed {
            let (folder, name) = (self.folder, self.name.as_bytes());
            // Whoever took the name away has counted it.
            let _removed = remove_name(self.mount, folder, name, || {
                unlinkat(folder, name, AtFlags::empty())
            });
        }
    }
}

/// A name nobody can guess, for a file that is renamed at once.
fn temporary_name() -> Result<String, Errno> {
    let mut random = [0; 12];
    getrandom::fill(&mut random).map_err(|_| Errno::EIO)?;
    Ok(format!(".hotcell-{}", crate::request::hexadecimal(&random)))
}
