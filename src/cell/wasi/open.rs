//! Opening files: by resolver, never blocking, regular files and folders only.

use std::{
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rustix::fs::{Mode, OFlags, openat2};

use super::{
    Errno,
    file::{OpenDirectory, OpenFile},
    hard_link::break_hard_link,
    held::{CountedFile, make_name},
    mounts::{Change, Folder, MountPoint, Node},
    permission,
    resolve::{BENEATH, Chain, Target, Walk, read_link},
    stat::{self, Stat},
};
use crate::cell::kernel::{Descriptor, Guest};
use crate::descriptors::{lend, room_to_lend};
use crate::outcome::Held;

/// What an open asks for.
#[derive(Debug, Clone, Copy, Default)]
pub struct How {
    pub read: bool,
    pub write: bool,
    pub append: bool,
    pub create: bool,
    pub exclusive: bool,
    pub truncate: bool,
    pub folder: bool,
    pub follow: bool,
    /// Permission bits of a new file, before the process's mask.
    pub mode: u32,
}

/// Tries before a name that keeps changing under us is given up.
const TRIES_MAX: u32 = 8;

/// Opens `path` from `base`.
///
/// # Errors
/// As Linux `open`; ENOTSUP for FIFOs, sockets and devices, ENOSPC and EMFILE at a limit.
pub async fn open(guest: &Guest, base: Chain, path: &[u8], how: How) -> Result<Descriptor, Errno> {
    let mut walk = Walk::new(guest.call(), base, path)?;
    for _ in 0..TRIES_MAX * 8 {
        let followed = match walk.target()? {
            Target::Absent if how.create => return Err(Errno::EROFS),
            Target::Absent => return Err(Errno::ENOENT),
            Target::Descriptor(number) => return guest.descriptors.get(number).cloned(),
            Target::Folder(folder) => return open_folder(guest, walk.chain, &folder, how),
            Target::Node(Node::Link(target)) if how.follow || walk.must_be_folder => target,
            Target::Node(node) => return open_node(guest, &node, how, walk.must_be_folder),
            Target::Host { mount, fd, name } => {
                let place = HostName {
                    mount: &mount,
                    folder: &fd,
                    name: &name,
                    guarded: mount.guard(&walk.chain, &name, Change::Place),
                    touched: mount.guard(&walk.chain, &name, Change::Touch),
                };
                match open_host(guest, &walk, place, how).await? {
                    Opened::Descriptor(descriptor) => return Ok(descriptor),
                    Opened::Link(_) if how.create && how.exclusive => return Err(Errno::EEXIST),
                    Opened::Link(_) if !how.follow && !walk.must_be_folder => {
                        return Err(Errno::ELOOP);
                    }
                    Opened::Link(target) => target,
                }
            }
        };
        walk.follow(&followed)?;
    }
    Err(Errno::ELOOP)
}

/// Opens a folder by its absolute path.
///
/// # Errors
/// As [`open`].
pub async fn open_path(guest: &Guest, path: &[u8]) -> Result<Descriptor, Errno> {
    let how = How {
        read: true,
        folder: true,
        follow: true,
        ..How::default()
    };
    open(guest, Chain::root(&guest.call().mounts), path, how).await
}

fn open_folder(
    guest: &Guest,
    chain: Chain,
    folder: &Folder,
    how: How,
) -> Result<Descriptor, Errno> {
    if how.create && how.exclusive {
        return Err(Errno::EEXIST);
    }
    if how.write || how.truncate || how.create {
        return Err(Errno::EISDIR);
    }
    let _readable: Stat = stat::folder(folder)?;
    Ok(Descriptor::Directory(OpenDirectory::new(
        guest.call(),
        chain,
    )))
}

fn open_node(
    guest: &Guest,
    node: &Node,
    how: How,
    must_be_folder: bool,
) -> Result<Descriptor, Errno> {
    if how.create && how.exclusive {
        return Err(Errno::EEXIST);
    }
    if must_be_folder || how.folder {
        return Err(Errno::ENOTDIR);
    }
    match node {
        Node::Device(device) => Ok(Descriptor::Device(*device)),
        Node::Descriptor(number) => guest.descriptors.get(*number).cloned(),
        _ if how.write || how.truncate => Err(Errno::EROFS),
        Node::File(bytes) => fixed_file(guest, bytes),
        Node::Program(name) => fixed_file(guest, stat::program_text(name).as_bytes()),
        Node::Link(_) => Err(Errno::ELOOP),
        Node::Folder(_) | Node::Mount(_) | Node::DescriptorFolder => Err(Errno::EISDIR),
    }
}

/// A synthetic file's bytes behind a real descriptor, so that seeking needs no second way.
fn fixed_file(guest: &Guest, bytes: &[u8]) -> Result<Descriptor, Errno> {
    use rustix::fs::{MemfdFlags, SeekFrom, memfd_create, seek};
    let fd = lend(memfd_create(c"synthetic", MemfdFlags::CLOEXEC)?)?;
    let _written = rustix::io::write(&fd, bytes)?;
    seek(&fd, SeekFrom::Start(0))?;
    let how = How {
        read: true,
        ..How::default()
    };
    let file = file(guest, fd, None, how)?;
    Ok(Descriptor::File(Arc::new(file)))
}

fn file(
    guest: &Guest,
    fd: OwnedFd,
    place: Option<HostName<'_>>,
    how: How,
) -> Result<OpenFile, Errno> {
    let counted = match place {
        Some(place) => CountedFile::open(place.mount, &fd)?,
        None => None,
    };
    Ok(OpenFile {
        fd,
        mount: place.map(|place| Arc::clone(place.mount)),
        protected: place.is_some_and(|place| place.touched.is_err()),
        readable: how.read,
        writable: how.write,
        append: AtomicBool::new(how.append),
        call: Arc::clone(guest.call()),
        counted,
    })
}

enum Opened {
    Descriptor(Descriptor),
    Link(Vec<u8>),
}

/// One name in a host folder.
#[derive(Clone, Copy)]
struct HostName<'a> {
    mount: &'a Arc<MountPoint>,
    folder: &'a OwnedFd,
    name: &'a [u8],
    /// Whether a file may be made or written here.
    guarded: Result<(), Errno>,
    /// Whether what is here may be changed at all.
    touched: Result<(), Errno>,
}

async fn open_host(
    guest: &Guest,
    walk: &Walk<'_>,
    place: HostName<'_>,
    how: How,
) -> Result<Opened, Errno> {
    let HostName {
        mount,
        folder,
        name,
        ..
    } = place;
    if how.write || how.truncate {
        place.guarded?;
    }
    let changes = how.write || how.create || how.truncate;
    for _ in 0..TRIES_MAX {
        let fd = match open_name(guest, place, how, walk.must_be_folder) {
            Ok(fd) => fd,
            Err(Errno::ELOOP) => match read_link(folder, name) {
                Ok(target) => return Ok(Opened::Link(target)),
                // No link any more: somebody changes the name. Look again.
                Err(_) => continue,
            },
            // Linux says so of a link, too, when a folder is asked for.
            Err(Errno::ENOTDIR) => {
                return read_link(folder, name)
                    .map(Opened::Link)
                    .map_err(|_| Errno::ENOTDIR);
            }
            Err(Errno::EAGAIN) => continue,
            Err(errno) => return Err(errno),
        };
        let found = stat::host(mount, &fd, b"")?;
        if found.is_folder() {
            if changes {
                return Err(Errno::EISDIR);
            }
            let mut chain = walk.chain.clone();
            let (mount, fd) = (Arc::clone(mount), Arc::new(fd));
            chain.push(name.to_vec(), Folder::Host { mount, fd })?;
            return Ok(Opened::Descriptor(Descriptor::Directory(
                OpenDirectory::new(guest.call(), chain),
            )));
        }
        if !found.is_regular() {
            return Err(Errno::ENOTSUP);
        }
        if how.write && !mount.writable {
            return Err(Errno::EROFS);
        }
        if how.write && found.nlink > 1 {
            break_hard_link(guest, mount, (folder, name), &fd).await?;
            continue;
        }
        let file = file(guest, fd, Some(place), how)?;
        if how.truncate && found.size > 0 {
            file.set_size(0)?;
        }
        if changes {
            guest.call().note_change(walk.chain.path(name));
        }
        return Ok(Opened::Descriptor(Descriptor::File(Arc::new(file))));
    }
    Err(Errno::EBUSY)
}

/// Opens or creates one name in a host folder. Truncation waits until the file is known to be
/// a regular one with a single link.
fn open_name(
    guest: &Guest,
    place: HostName<'_>,
    how: How,
    must_be_folder: bool,
) -> Result<OwnedFd, Errno> {
    let HostName {
        mount,
        folder,
        name,
        ..
    } = place;
    let mut flags = OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY | follow_flag();
    flags |= match (how.read, how.write) {
        (true, true) => OFlags::RDWR,
        (false, true) => OFlags::WRONLY,
        _ => OFlags::RDONLY,
    };
    flags.set(OFlags::APPEND, how.append);
    flags.set(OFlags::DIRECTORY, how.folder || must_be_folder);
    if !(how.create && how.exclusive) {
        match openat2(folder, name, flags, Mode::empty(), BENEATH).and_then(lend) {
            Err(rustix::io::Errno::NOENT) if how.create => {}
            Err(rustix::io::Errno::NXIO) => return Err(Errno::ENOTSUP),
            opened => {
                let opened = opened?;
                permission::check(&opened, wanted(how))?;
                return Ok(opened);
            }
        }
    }
    if must_be_folder {
        return Err(Errno::EISDIR);
    }
    if !mount.writable {
        return Err(Errno::EROFS);
    }
    place.guarded?;
    permission::check(folder, permission::WRITE)?;
    let mask = guest.process.umask.load(Ordering::Relaxed);
    let mode = Mode::from_raw_mode(how.mode & !mask & 0o777);
    flags |= OFlags::CREATE | OFlags::EXCL;
    // Before there is a file that nobody can be given.
    room_to_lend(folder)?;
    let created = make_name(guest.call(), mount, Held::NAME, || {
        openat2(folder, name, flags, mode, BENEATH)
    });
    let created = created.and_then(|created| Ok(lend(created)?));
    match created {
        // It appeared between the two tries, and nobody asked to be its creator.
        Err(Errno::EEXIST) if !how.exclusive => Err(Errno::EAGAIN),
        created => created,
    }
}

/// The permission bits an open needs.
fn wanted(how: How) -> u32 {
    let read = if how.read || !how.write {
        permission::READ
    } else {
        0
    };
    let write = if how.write { permission::WRITE } else { 0 };
    read | write
}

#[cfg(not(feature = "broken-plain-join"))]
fn follow_flag() -> OFlags {
    OFlags::NOFOLLOW
}
#[cfg(feature = "broken-plain-join")]
fn follow_flag() -> OFlags {
    OFlags::empty()
}
