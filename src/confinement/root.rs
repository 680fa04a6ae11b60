//! What a sealed process sees of the file system: an empty root, and granted folders that hang
//! nowhere and are reached by descriptor only.
//!
//! A granted folder is a copy of the mount it lies in, detached from every tree: above its top
//! there is nothing to climb to.
#![expect(unsafe_code, reason = "rustix has no mount_setattr")]

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags,
    OpenTreeFlags, UnmountFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen,
    mount_change, move_mount, open_tree, unmount,
};
use rustix::process::{fchdir, pivot_root};

/// `struct mount_attr` of the kernel.
#[repr(C)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

pub(super) const READ_ONLY: u64 = 0x1;
const NO_SET_ID: u64 = 0x2;
const NO_DEVICES: u64 = 0x4;
pub(super) const NO_EXECUTION: u64 = 0x8;
const MAPPED: u64 = 0x0010_0000;

/// Opens a folder that is to be granted. No part of its path may be a link: where one folder that
/// is seen lies in another, a guest could put a link in its place and be given what it points to.
///
/// # Errors
/// It cannot be opened, or is not a folder.
pub(super) fn open_folder(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match openat2(CWD, path, flags, Mode::empty(), resolve) {
        Err(rustix::io::Errno::NOSYS) => Err(io::Error::other(
            "the kernel has no openat2, or a filter around us hides it; Linux 5.6 or newer has it",
        )),
        opened => Ok(opened?),
    }
}

/// Opens what a path of this process's own tree names, to be named in rules.
///
/// # Errors
/// It cannot be opened.
pub(super) fn open_any(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// Detaches a granted folder, without programs, devices and set-id rights in it.
///
/// `owner_map`, a user namespace, shows the files of its root as those of the user it maps root to.
///
/// # Errors
/// The kernel refuses; an errno of EINVAL with a map means a file system that cannot be mapped.
pub(super) fn detach(
    folder: &OwnedFd,
    writable: bool,
    owner_map: Option<BorrowedFd<'_>>,
) -> io::Result<OwnedFd> {
    let access = if writable { 0 } else { READ_ONLY };
    detached(folder, access | NO_EXECUTION, owner_map)
}

/// A detached copy of the mount that something lies in, with it as its top; without devices and
/// set-id rights, and with these attributes.
///
/// # Errors
/// As [`detach`].
pub(super) fn detached(
    top: &OwnedFd,
    attributes: u64,
    owner_map: Option<BorrowedFd<'_>>,
) -> io::Result<OwnedFd> {
    let tree = copy_of_mount(top)?;
    let mut attributes = MountAttr {
        set: NO_SET_ID | NO_DEVICES | attributes,
        clear: 0,
        propagation: 0,
        user_namespace: 0,
    };
    if let Some(map) = owner_map {
        attributes.set |= MAPPED;
        attributes.user_namespace = u64::try_from(map.as_raw_fd()).unwrap_or_default();
    }
    set_attributes(&tree, libc::AT_RECURSIVE, &attributes)?;
    Ok(tree)
}

/// As [`detached`], for a device node that is to work.
///
/// # Errors
/// As [`detach`].
pub(super) fn detached_device(node: &OwnedFd) -> io::Result<OwnedFd> {
    let tree = copy_of_mount(node)?;
    let attributes = MountAttr {
        set: NO_SET_ID | NO_EXECUTION,
        clear: 0,
        propagation: 0,
        user_namespace: 0,
    };
    set_attributes(&tree, 0, &attributes)?;
    Ok(tree)
}

fn copy_of_mount(top: &OwnedFd) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    match open_tree(top, c"", flags) {
        // What is mounted below it belongs to somebody with more rights, and stays with it.
        Err(rustix::io::Errno::INVAL) => {
            Ok(open_tree(top, c"", flags | OpenTreeFlags::AT_RECURSIVE)?)
        }
        other => Ok(other?),
    }
}

/// Sets attributes of one mount.
///
/// # Errors
/// The kernel refuses.
pub(super) fn set(mount: &OwnedFd, attributes: u64) -> io::Result<()> {
    let attributes = MountAttr {
        set: attributes,
        clear: 0,
        propagation: 0,
        user_namespace: 0,
    };
    set_attributes(mount, 0, &attributes)
}

fn set_attributes(tree: &OwnedFd, depth: i32, attributes: &MountAttr) -> io::Result<()> {
    let flags = libc::AT_EMPTY_PATH | depth;
    // SAFETY: the structure has the kernel's layout and its size is passed with it.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            flags,
            std::ptr::from_ref(attributes),
            size_of::<MountAttr>(),
        )
    };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Parts this process's tree from the host's: nothing that is mounted here is seen there.
///
/// # Errors
/// The kernel refuses.
pub(super) fn part() -> io::Result<()> {
    let all = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    Ok(mount_change(c"/", all)?)
}

/// Takes this process's root away: what is left is an empty, read-only folder.
///
/// # Errors
/// The kernel refuses a step.
pub(super) fn empty() -> io::Result<()> {
    let context = fsopen(c"tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(context.as_fd(), c"size", c"4096")?;
    fsconfig_set_string(context.as_fd(), c"nr_inodes", c"2")?;
    fsconfig_create(context.as_fd())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let new = fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    move_mount(
        new.as_fd(),
        c"",
        CWD,
        c"/",
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
    )?;
    enter(&new)
}

/// Makes a mount that was attached over the root this process's root, and takes the old one away.
///
/// # Errors
/// The kernel refuses a step.
pub(super) fn enter(new: &OwnedFd) -> io::Result<()> {
    let old = rustix::fs::open(
        c"/",
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    fchdir(new)?;
    pivot_root(c".", c".")?;
    fchdir(&old)?;
    mount_change(
        c".",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )?;
    unmount(c".", UnmountFlags::DETACH)?;
    fchdir(new)?;
    Ok(())
}
