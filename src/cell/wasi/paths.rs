//! Changing and asking about names: every operation that takes a path but opening it.

use std::{
    os::fd::OwnedFd,
    sync::{Arc, atomic::Ordering},
};

use rustix::fs::{
    AtFlags, Mode, OFlags, Timespec, Timestamps, linkat, mkdirat, openat2, renameat, symlinkat,
    unlinkat, utimensat,
};

use super::{
    Errno,
    hard_link::break_hard_link,
    held::{add_name, make_name, remove_name, replace_name},
    mounts::{Change, Folder, MountPoint, Node},
    permission,
    resolve::{BENEATH, Chain, PATH_BYTES_MAX, Target, Walk, read_link},
    stat::{self, Stat},
};
use crate::cell::kernel::{Call, Guest};
use crate::descriptors::lend;
use crate::outcome::Held;

/// Fuel that a changed name costs: what a file system takes to keep it, at two units a nanosecond.
/// Measured by tests/host_calls.rs.
const NAME_FUEL: u64 = 20_000;

/// A name in a host folder that an operation is about.
struct Name {
    chain: Chain,
    mount: Arc<MountPoint>,
    folder: Arc<OwnedFd>,
    name: Vec<u8>,
    must_be_folder: bool,
}

impl Name {
    /// Finds the name at the end of `path`; a link there is meant itself.
    fn find(call: &Call, base: Chain, path: &[u8]) -> Result<Self, Errno> {
        let mut walk = Walk::new(call, base, path)?;
        match walk.target()? {
            Target::Host { mount, fd, name } => Ok(Self {
                chain: walk.chain,
                mount,
                folder: fd,
                name,
                must_be_folder: walk.must_be_folder,
            }),
            // `/`, `.`, `..`, a mount point: never made, moved or removed by a guest.
            Target::Folder(Folder::Host { .. }) => Err(Errno::EBUSY),
            Target::Folder(_) | Target::Node(_) | Target::Descriptor(_) => Err(Errno::EROFS),
            Target::Absent => Err(Errno::ENOENT),
        }
    }

    /// As [`Self::find`], for an operation that changes the folder.
    fn find_to_change(
        call: &Call,
        base: Chain,
        path: &[u8],
        change: Change,
    ) -> Result<Self, Errno> {
        let found = match Self::find(call, base, path) {
            Err(Errno::ENOENT) if !path.is_empty() => return Err(Errno::ENOENT),
            found => found?,
        };
        if !found.mount.writable {
            return Err(Errno::EROFS);
        }
        found.mount.guard(&found.chain, &found.name, change)?;
        permission::check(&found.folder, permission::WRITE)?;
        Ok(found)
    }

    /// What stands under the name.
    fn stat(&self) -> Result<Stat, Errno> {
        stat::host(&self.mount, &self.folder, &self.name)
    }

    /// A trailing slash on something that is no folder is refused, links to folders included:
    /// whatever the kernel makes of it, we do not ask.
    fn check_slash(&self) -> Result<(), Errno> {
        if self.must_be_folder && !self.stat()?.is_folder() {
            return Err(Errno::ENOTDIR);
        }
        Ok(())
    }

    fn remove(&self, how: AtFlags) -> Result<(), Errno> {
        let (folder, name) = (&self.folder, &*self.name);
        remove_name(&self.mount, folder, name, || unlinkat(folder, name, how))
    }

    fn note(&self, guest: &Guest) {
        guest.call().spend(NAME_FUEL);
        guest.call().note_change(self.chain.path(&self.name));
    }
}

/// # Errors
/// As Linux `stat`, or `lstat` without `follow`.
pub fn stat(guest: &Guest, base: Chain, path: &[u8], follow: bool) -> Result<Stat, Errno> {
    let mut walk = Walk::new(guest.call(), base, path)?;
    loop {
        let follow = follow || walk.must_be_folder;
        let link = match walk.target()? {
            Target::Absent => return Err(Errno::ENOENT),
            Target::Folder(folder) => return stat::folder(&folder),
            Target::Descriptor(number) => return stat::descriptor(guest.descriptors.get(number)?),
            Target::Node(Node::Descriptor(number)) if follow => {
                return stat::descriptor(guest.descriptors.get(number)?);
            }
            Target::Node(Node::Link(target)) if follow => target,
            Target::Node(_) if walk.must_be_folder => return Err(Errno::ENOTDIR),
            Target::Node(node) => return Ok(stat::node(&node)),
            Target::Host { mount, fd, name } => {
                let found = stat::host(&mount, &fd, &name)?;
                if !(found.is_link() && follow) {
                    if walk.must_be_folder && !found.is_folder() {
                        return Err(Errno::ENOTDIR);
                    }
                    return Ok(found);
                }
                read_link(&fd, &name)?
            }
        };
        walk.follow(&link)?;
    }
}

/// # Errors
/// As Linux `mkdir`; ENOSPC at the call's inode limit.
pub fn make_folder(guest: &Guest, base: Chain, path: &[u8]) -> Result<(), Errno> {
    let place = match Name::find_to_change(guest.call(), base.clone(), path, Change::Touch) {
        // The synthetic tree and mount points exist already; a protected folder may.
        Err(Errno::EBUSY | Errno::EROFS | Errno::EPERM) if exists(guest, base.clone(), path) => {
            return Err(Errno::EEXIST);
        }
        place => place?,
    };
    let mode = 0o777 & !guest.process.umask.load(Ordering::Relaxed);
    let mode = Mode::from_raw_mode(mode);
    make_name(guest.call(), &place.mount, Held::folder(), || {
        mkdirat(&place.folder, &*place.name, mode)
    })?;
    place.note(guest);
    Ok(())
}

fn exists(guest: &Guest, base: Chain, path: &[u8]) -> bool {
    stat(guest, base, path, false).is_ok()
}

/// # Errors
/// As Linux `unlink`.
pub fn remove_file(guest: &Guest, base: Chain, path: &[u8]) -> Result<(), Errno> {
    let place = Name::find_to_change(guest.call(), base, path, Change::Place)?;
    let found = place.stat()?;
    if found.is_folder() {
        return Err(Errno::EISDIR);
    }
    place.check_slash()?;
    place.remove(AtFlags::empty())?;
    place.note(guest);
    Ok(())
}

/// # Errors
/// As Linux `rmdir`.
pub fn remove_folder(guest: &Guest, base: Chain, path: &[u8]) -> Result<(), Errno> {
    let place = Name::find_to_change(guest.call(), base, path, Change::Touch)?;
    place.check_slash()?;
    place.remove(AtFlags::REMOVEDIR)?;
    place.note(guest);
    Ok(())
}

/// # Errors
/// As Linux `rename`; EXDEV between mounts.
pub fn rename(
    guest: &Guest,
    (from_base, from): (Chain, &[u8]),
    (to_base, to): (Chain, &[u8]),
) -> Result<(), Errno> {
    let source = Name::find_to_change(guest.call(), from_base, from, Change::Place)?;
    let target = Name::find_to_change(guest.call(), to_base, to, Change::Place)?;
    source.check_slash()?;
    if target.must_be_folder {
        // `mv f d/` names a folder: only a folder may take that name.
        match target.stat() {
            Ok(found) if !found.is_folder() => return Err(Errno::ENOTDIR),
            Err(Errno::ENOENT) if !source.stat()?.is_folder() => return Err(Errno::ENOTDIR),
            _ => {}
        }
    }
    if source.mount.number != target.mount.number {
        return Err(Errno::EXDEV);
    }
    let from = (&*source.folder, &*source.name);
    let to = (&*target.folder, &*target.name);
    replace_name(&source.mount, from, to, || {
        renameat(from.0, from.1, to.0, to.1)
    })?;
    source.note(guest);
    target.note(guest);
    Ok(())
}

/// # Errors
/// As Linux `link`; a final link is linked itself.
pub fn link(
    guest: &Guest,
    (from_base, from): (Chain, &[u8]),
    (to_base, to): (Chain, &[u8]),
) -> Result<(), Errno> {
    let source = Name::find(guest.call(), from_base, from)?;
    let target = Name::find_to_change(guest.call(), to_base, to, Change::Place)?;
    source.check_slash()?;
    if target.must_be_folder {
        return Err(Errno::ENOENT);
    }
    if source.mount.number != target.mount.number {
        return Err(Errno::EXDEV);
    }
    if !source.mount.writable {
        return Err(Errno::EROFS);
    }
    source
        .mount
        .guard(&source.chain, &source.name, Change::Place)?;
    add_name(guest.call(), &target.mount, || {
        linkat(
            &source.folder,
            &*source.name,
            &target.folder,
            &*target.name,
            AtFlags::empty(),
        )
    })?;
    target.note(guest);
    Ok(())
}

/// # Errors
/// As Linux `symlink`. The text is free: only guests' own walks ever follow it.
pub fn symlink(guest: &Guest, text: &[u8], base: Chain, path: &[u8]) -> Result<(), Errno> {
    if text.is_empty() || text.len() > PATH_BYTES_MAX || text.contains(&0) {
        return Err(if text.is_empty() {
            Errno::ENOENT
        } else {
            Errno::ENAMETOOLONG
        });
    }
    let place = match Name::find_to_change(guest.call(), base.clone(), path, Change::Place) {
        Err(Errno::EBUSY | Errno::EROFS | Errno::EPERM) if exists(guest, base.clone(), path) => {
            return Err(Errno::EEXIST);
        }
        place => place?,
    };
    if place.must_be_folder {
        return Err(Errno::ENOENT);
    }
    let link = Held::name_and_bytes(text.len() as u64);
    make_name(guest.call(), &place.mount, link, || {
        symlinkat(text, &place.folder, &*place.name)
    })?;
    place.note(guest);
    Ok(())
}

/// # Errors
/// As Linux `readlink`.
pub fn link_text(guest: &Guest, base: Chain, path: &[u8]) -> Result<Vec<u8>, Errno> {
    let mut walk = Walk::new(guest.call(), base, path)?;
    match walk.target()? {
        Target::Host { .. } if walk.must_be_folder => Err(Errno::EINVAL),
        Target::Host { fd, name, .. } => read_link(&fd, &name),
        Target::Node(Node::Link(text)) => Ok(text),
        Target::Node(Node::Descriptor(number)) => Ok(format!("/dev/fd/{number}").into_bytes()),
        Target::Descriptor(number) => guest.descriptors.get(number).map(|_| b"/dev/null".to_vec()),
        Target::Absent => Err(Errno::ENOENT),
        Target::Node(_) | Target::Folder(_) => Err(Errno::EINVAL),
    }
}

/// What the owner of a folder needs to use it.
const OWNER: u32 = 0o700;

fn is_same(one: &OwnedFd, other: &OwnedFd) -> Result<bool, Errno> {
    let (one, other) = (rustix::fs::fstat(one)?, rustix::fs::fstat(other)?);
    Ok((one.st_dev, one.st_ino) == (other.st_dev, other.st_ino))
}

/// Sets permission bits, following links. Set-user-id and set-group-id are left out: they would
/// mean something to the host.
///
/// # Errors
/// As Linux `chmod`; EPERM for a mount's top folder without its owner's rights.
pub async fn set_mode(guest: &Guest, base: Chain, path: &[u8], mode: u32) -> Result<(), Errno> {
    let (chain, mount, folder, name) = follow_to_name(guest.call(), base, path)?;
    if !mount.writable {
        return Err(Errno::EROFS);
    }
    // Nothing could open it any more, not even to give the rights back.
    if mode & OWNER != OWNER && name.is_empty() && is_same(&folder, &mount.root)? {
        return Err(Errno::EPERM);
    }
    mount.guard(&chain, &name, Change::Touch)?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let name = if name.is_empty() { b".".to_vec() } else { name };
    let opened = openat2(&folder, &*name, flags, Mode::empty(), BENEATH).and_then(lend);
    let opened = opened.or_else(|errno| {
        let writing = (flags - OFlags::RDONLY) | OFlags::WRONLY;
        if errno != rustix::io::Errno::ACCESS {
            return Err(errno);
        }
        openat2(&folder, &*name, writing, Mode::empty(), BENEATH)
    });
    match opened {
        Ok(fd) => match set_open_mode(&mount, &fd, mode) {
            Err(Errno::EMLINK) => {
                break_hard_link(guest, &mount, (&folder, &name), &fd).await?;
                let alone = openat2(&folder, &*name, flags, Mode::empty(), BENEATH)?;
                set_open_mode(&mount, &alone, mode)?;
            }
            set => set?,
        },
        // Neither readable nor writable for us, though perhaps ours: by name, never by link.
        Err(rustix::io::Errno::ACCESS | rustix::io::Errno::ISDIR) => {
            let found = stat::host(&mount, &folder, &name)?;
            if found.is_regular() && found.nlink > 1 {
                return Err(Errno::EMLINK);
            }
            change_mode_by_name(&folder, &name, mode)?;
        }
        Err(errno) => return Err(errno.into()),
    }
    guest.call().note_change(chain.path(&name));
    Ok(())
}

/// Sets the permission bits of an open file of a mount.
///
/// # Errors
/// EROFS, ENOTSUP for special files, EMLINK for a file with several links: one may be outside.
pub fn set_open_mode(mount: &MountPoint, fd: &OwnedFd, mode: u32) -> Result<(), Errno> {
    if !mount.writable {
        return Err(Errno::EROFS);
    }
    let found = stat::host(mount, fd, b"")?;
    if !(found.is_regular() || found.is_folder()) {
        return Err(Errno::ENOTSUP);
    }
    if found.is_regular() && found.nlink > 1 {
        return Err(Errno::EMLINK);
    }
    Ok(rustix::fs::fchmod(fd, Mode::from_raw_mode(mode & 0o1777))?)
}

#[expect(
    unsafe_code,
    reason = "rustix and libc do not wrap fchmodat2, the one that takes flags"
)]
fn change_mode_by_name(folder: &OwnedFd, name: &[u8], mode: u32) -> Result<(), Errno> {
    use std::os::fd::AsRawFd;
    let name = std::ffi::CString::new(name).map_err(|_| Errno::EINVAL)?;
    // fchmodat2(2), Linux 6.6, the same number on every architecture.
    const FCHMODAT2: libc::c_long = 452;
    // SAFETY: the descriptor and the NUL-terminated name outlive the call, which only reads them.
    let result = unsafe {
        libc::syscall(
            FCHMODAT2,
            folder.as_raw_fd(),
            name.as_ptr(),
            mode & 0o1777,
            libc::AT_SYMLINK_NOFOLLOW,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(Errno::EACCES)
    }
}

/// Sets access and modification time.
///
/// # Errors
/// As Linux `utimensat`.
pub async fn set_times(
    guest: &Guest,
    base: Chain,
    path: &[u8],
    follow: bool,
    times: &Timestamps,
) -> Result<(), Errno> {
    let (chain, mount, folder, name) = if follow {
        follow_to_name(guest.call(), base, path)?
    } else {
        let place = Name::find(guest.call(), base, path)?;
        (place.chain, place.mount, place.folder, place.name)
    };
    if !mount.writable {
        return Err(Errno::EROFS);
    }
    mount.guard(&chain, &name, Change::Touch)?;
    let name = if name.is_empty() { b".".to_vec() } else { name };
    let found = stat::host(&mount, &folder, &name)?;
    if found.is_regular() && found.nlink > 1 {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = lend(openat2(&folder, &*name, flags, Mode::empty(), BENEATH)?)?;
        break_hard_link(guest, &mount, (&folder, &name), &opened).await?;
    }
    utimensat(&folder, &*name, times, AtFlags::SYMLINK_NOFOLLOW)?;
    guest.call().note_change(chain.path(&name));
    Ok(())
}

/// A time for [`set_times`]: nanoseconds since 1970, now, or left alone.
pub fn timespec(ns: u64, set: bool, now: bool) -> Timespec {
    let special = |tv_nsec| Timespec { tv_sec: 0, tv_nsec };
    match (set, now) {
        (_, true) => special(rustix::fs::UTIME_NOW),
        (true, false) => Timespec {
            tv_sec: i64::try_from(ns / 1_000_000_000).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(ns % 1_000_000_000).unwrap_or(0),
        },
        (false, false) => special(rustix::fs::UTIME_OMIT),
    }
}

type NameInFolder = (Chain, Arc<MountPoint>, Arc<OwnedFd>, Vec<u8>);

/// Follows a path to a host name that is no link; an empty name means the folder itself.
fn follow_to_name(call: &Call, base: Chain, path: &[u8]) -> Result<NameInFolder, Errno> {
    let mut walk = Walk::new(call, base, path)?;
    loop {
        let link = match walk.target()? {
            Target::Absent => return Err(Errno::ENOENT),
            Target::Folder(Folder::Host { mount, fd }) => {
                return Ok((walk.chain, mount, fd, Vec::new()));
            }
            Target::Node(Node::Link(target)) => target,
            Target::Node(_) | Target::Folder(_) | Target::Descriptor(_) => {
                return Err(Errno::EROFS);
            }
            Target::Host { mount, fd, name } => {
                let found = stat::host(&mount, &fd, &name)?;
                if !found.is_link() {
                    if walk.must_be_folder && !found.is_folder() {
                        return Err(Errno::ENOTDIR);
                    }
                    return Ok((walk.chain, mount, fd, name));
                }
                read_link(&fd, &name)?
            }
        };
        walk.follow(&link)?;
    }
}
