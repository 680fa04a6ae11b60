//! What a native program sees of the file system: a root of its own, made of places that are
//! attached to it one by one. Everything else of the host is not there.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, mkdirat, openat, openat2, symlinkat};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, UnmountFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, unmount,
};
use serde::{Deserialize, Serialize};

use crate::confinement::root::{self, NO_EXECUTION, READ_ONLY};
use crate::confinement::seal::Folder;

/// Size of the root itself, in bytes: names and a few short files. Chosen.
const ROOT_BYTES: u64 = 1 << 20;
/// Names in the root itself. Chosen: the places, and the folders above them.
const ROOT_NAMES: u64 = 4_096;
/// Where the parts of an overlay stand while it is made.
const PARTS: [&str; 2] = ["below", "above"];

/// One place of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Absolute path in the tree. Places are attached in their order: one may lie in one before it.
    pub at: String,
    pub shows: Shows,
}

/// What a place shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shows {
    /// A file or folder of the host that only its administrator changes, read-only.
    System { path: PathBuf, executable: bool },
    /// A folder of a session or mount, read-only.
    Folder(Folder),
    /// A folder of a session as it would be after changes that go to another folder.
    Overlay {
        below: Folder,
        /// Holds `above`, where changes go, and `work`.
        changes: PathBuf,
        executable: bool,
    },
    /// Memory, empty at first.
    Memory { bytes: u64, executable: bool },
    /// A device node of the host.
    Device(PathBuf),
    /// The processes of this pid namespace.
    Processes,
    /// A file with this text.
    Text(Vec<u8>),
    /// This text in place of a file of a place before.
    TextOver(Vec<u8>),
    /// A symbolic link to this path.
    Link(String),
}

/// Why a tree could not be made.
#[derive(Debug, thiserror::Error)]
#[error("`{at}` cannot be made: {what}")]
pub struct TreeError {
    pub at: String,
    what: &'static str,
    #[source]
    source: io::Error,
}

/// Makes a root of the places, for the mount namespace this process is in, which must be its own.
///
/// `owner_map`, a user namespace, shows files of its root as those of the user it maps root to.
///
/// # Errors
/// A place cannot be made; which one is said.
pub(super) fn make(places: &[Place], owner_map: Option<&OwnedFd>) -> Result<(), TreeError> {
    let fault = |what| {
        move |source: io::Error| TreeError {
            at: "/".to_owned(),
            what,
            source,
        }
    };
    let top = memory(ROOT_BYTES, ROOT_NAMES, "0755", false).map_err(fault("memory"))?;
    attach(&top, CWD.as_fd(), c"/").map_err(fault("attached"))?;
    let mut attached = Vec::new();
    for place in places {
        let tree = Tree {
            top: &top,
            owner_map,
        };
        let made = tree.place(place).map_err(|(what, source)| TreeError {
            at: place.at.clone(),
            what,
            source,
        })?;
        attached.extend(made);
    }
    root::set(&top, READ_ONLY).map_err(fault("read-only"))?;
    root::enter(&top).map_err(fault("entered"))
}

type Fault = (&'static str, io::Error);

fn fault(what: &'static str) -> impl FnOnce(rustix::io::Errno) -> Fault {
    move |error| (what, error.into())
}

struct Tree<'a> {
    top: &'a OwnedFd,
    owner_map: Option<&'a OwnedFd>,
}

impl Tree<'_> {
    fn place(&self, place: &Place) -> Result<Option<OwnedFd>, Fault> {
        let io = |what| move |error| (what, error);
        let mounted = match &place.shows {
            Shows::Text(text) => {
                let file = self.file(&place.at)?;
                File::from(file).write_all(text).map_err(io("written"))?;
                return Ok(None);
            }
            Shows::Link(target) => {
                let (folder, name) = self.parent(&place.at)?;
                symlinkat(&**target, &folder, &*name).map_err(fault("linked"))?;
                return Ok(None);
            }
            Shows::System { path, executable } => {
                let flags = OFlags::PATH | OFlags::CLOEXEC;
                let found =
                    rustix::fs::open(path, flags, Mode::empty()).map_err(fault("opened"))?;
                let mut attributes = READ_ONLY;
                if !executable {
                    attributes |= NO_EXECUTION;
                }
                root::detached(&found, attributes, None).map_err(io("detached"))?
            }
            Shows::Folder(folder) => {
                let found = open(folder)?;
                let map = self.map_of(&found);
                root::detached(&found, READ_ONLY | NO_EXECUTION, map).map_err(io("detached"))?
            }
            Shows::Overlay {
                below,
                changes,
                executable,
            } => self.overlay(below, changes, *executable)?,
            Shows::Memory { bytes, executable } => {
                let names = bytes / 4_096;
                memory(*bytes, names.max(64), "1777", *executable).map_err(io("memory"))?
            }
            Shows::Device(path) => {
                let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW;
                let found =
                    rustix::fs::open(path, flags, Mode::empty()).map_err(fault("opened"))?;
                root::detached_device(&found).map_err(io("detached"))?
            }
            Shows::Processes => processes().map_err(io("mounted"))?,
            Shows::TextOver(text) => self.text_to_mount(text)?,
        };
        let at = self.mount_point(&place.at, &mounted)?;
        attach(&mounted, at.as_fd(), c"").map_err(io("attached"))?;
        if matches!(place.shows, Shows::TextOver(_)) {
            // Only now: what has no name cannot be attached.
            let flags = rustix::fs::AtFlags::empty();
            rustix::fs::unlinkat(self.top, PARTS[0], flags).map_err(fault("removed"))?;
        }
        Ok(Some(mounted))
    }

    fn text_to_mount(&self, text: &[u8]) -> Result<OwnedFd, Fault> {
        let io = |what| move |error| (what, error);
        let mut file = File::from(self.file(PARTS[0])?);
        file.write_all(text).map_err(io("written"))?;
        root::detached(&file.into(), READ_ONLY | NO_EXECUTION, None).map_err(io("detached"))
    }

    /// A map for files of root that are to be shown as another's.
    fn map_of(&self, found: &OwnedFd) -> Option<BorrowedFd<'_>> {
        let of_root = rustix::fs::fstat(found).is_ok_and(|about| about.st_uid == 0);
        self.owner_map.filter(|_| of_root).map(OwnedFd::as_fd)
    }

    fn overlay(&self, below: &Folder, changes: &Path, executable: bool) -> Result<OwnedFd, Fault> {
        let io = |what| move |error| (what, error);
        let lower = open(below)?;
        let lower =
            root::detached(&lower, READ_ONLY, self.map_of(&lower)).map_err(io("detached"))?;
        let changes = root::open_folder(changes).map_err(io("opened"))?;
        let changes = root::detached(&changes, 0, None).map_err(io("detached"))?;
        // A mount that hangs nowhere cannot be part of an overlay.
        for (name, part) in PARTS.iter().zip([&lower, &changes]) {
            mkdirat(self.top, *name, Mode::RWXU).map_err(fault("a folder"))?;
            let name = CString::new(*name).map_err(|error| ("a name", io::Error::other(error)))?;
            attach(part, self.top.as_fd(), &name).map_err(io("attached"))?;
        }
        let made = overlay(&lower, &changes, executable).map_err(io("an overlay"));
        for name in PARTS {
            let place = format!("/proc/self/fd/{}/{name}", self.top.as_raw_fd());
            let flags = UnmountFlags::DETACH | UnmountFlags::NOFOLLOW;
            unmount(&*place, flags).map_err(fault("taken off"))?;
            let flags = rustix::fs::AtFlags::REMOVEDIR;
            rustix::fs::unlinkat(self.top, name, flags).map_err(fault("removed"))?;
        }
        made
    }

    /// The folder a place hangs in, made if need be, and its name there.
    fn parent(&self, at: &str) -> Result<(OwnedFd, String), Fault> {
        let mut parts: Vec<&str> = at.split('/').filter(|part| !part.is_empty()).collect();
        let name = parts.pop().unwrap_or_default().to_owned();
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut folder = self.top.try_clone().map_err(|error| ("a copy", error))?;
        for part in parts {
            folder = match below(&folder, part, flags) {
                Err(rustix::io::Errno::NOENT) => {
                    let mode = Mode::from_raw_mode(0o755);
                    mkdirat(&folder, part, mode).map_err(fault("a folder"))?;
                    below(&folder, part, flags)
                }
                found => found,
            }
            .map_err(fault("a folder above it"))?;
        }
        Ok((folder, name))
    }

    fn file(&self, at: &str) -> Result<OwnedFd, Fault> {
        let (folder, name) = self.parent(at)?;
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        openat(&folder, &*name, flags, Mode::from_raw_mode(0o644)).map_err(fault("a file"))
    }

    /// What a mount is attached to: a folder for a folder, a file for a file.
    fn mount_point(&self, at: &str, mounted: &OwnedFd) -> Result<OwnedFd, Fault> {
        let (folder, name) = self.parent(at)?;
        let about = rustix::fs::fstat(mounted).map_err(fault("looked at"))?;
        let is_folder = rustix::fs::FileType::from_raw_mode(about.st_mode).is_dir();
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        match below(&folder, &name, flags) {
            Err(rustix::io::Errno::NOENT) => {}
            found => return found.map_err(fault("a place for it")),
        }
        if is_folder {
            let mode = Mode::from_raw_mode(0o755);
            mkdirat(&folder, &*name, mode).map_err(fault("a folder"))?;
        } else {
            drop(self.file(at)?);
        }
        below(&folder, &name, flags).map_err(fault("a place for it"))
    }
}

/// A name in a folder of the tree; what is attached there counts, links do not.
fn below(folder: &OwnedFd, name: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS | ResolveFlags::BENEATH;
    openat2(folder, name, flags, Mode::empty(), resolve)
}

fn open(folder: &Folder) -> Result<OwnedFd, Fault> {
    folder.open().map_err(|error| ("opened", error))
}

fn attach(mounted: &OwnedFd, to: BorrowedFd<'_>, path: &CStr) -> io::Result<()> {
    let mut flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    if path.is_empty() {
        flags |= MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    }
    Ok(move_mount(mounted.as_fd(), c"", to, path, flags)?)
}

fn memory(bytes: u64, names: u64, mode: &str, executable: bool) -> io::Result<OwnedFd> {
    let context = fsopen(c"tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(context.as_fd(), c"size", &*bytes.to_string())?;
    fsconfig_set_string(context.as_fd(), c"nr_inodes", &*names.to_string())?;
    fsconfig_set_string(context.as_fd(), c"mode", mode)?;
    fsconfig_create(context.as_fd())?;
    let mut attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    if !executable {
        attributes |= MountAttrFlags::MOUNT_ATTR_NOEXEC;
    }
    let flags = FsMountFlags::FSMOUNT_CLOEXEC;
    Ok(fsmount(context.as_fd(), flags, attributes)?)
}

fn processes() -> io::Result<OwnedFd> {
    let context = fsopen(c"proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
    // Nothing of the machine: only the processes of this namespace.
    fsconfig_set_string(context.as_fd(), c"subset", c"pid")?;
    fsconfig_create(context.as_fd())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let flags = FsMountFlags::FSMOUNT_CLOEXEC;
    Ok(fsmount(context.as_fd(), flags, attributes)?)
}

fn overlay(lower: &OwnedFd, changes: &OwnedFd, executable: bool) -> io::Result<OwnedFd> {
    let context = fsopen(c"overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let place =
        |folder: &OwnedFd, name: &str| format!("/proc/self/fd/{}{name}", folder.as_raw_fd());
    let set = |key: &str, value: &str| fsconfig_set_string(context.as_fd(), key, value);
    set("lowerdir", &place(lower, ""))?;
    set("upperdir", &place(changes, "/above"))?;
    set("workdir", &place(changes, "/work"))?;
    // Marks of removed and replaced folders that whoever reads the changes can read, too.
    fsconfig_set_flag(context.as_fd(), c"userxattr")?;
    // Whole files only: what lies above must be understood without the overlay.
    set("index", "off")?;
    set("metacopy", "off")?;
    fsconfig_create(context.as_fd())?;
    let mut attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    if !executable {
        attributes |= MountAttrFlags::MOUNT_ATTR_NOEXEC;
    }
    let flags = FsMountFlags::FSMOUNT_CLOEXEC;
    Ok(fsmount(context.as_fd(), flags, attributes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_knows_the_folder_it_hangs_in() {
        let folder = tempfile::tempdir().unwrap();
        let top = root::open_folder(folder.path()).unwrap();
        let tree = Tree {
            top: &top,
            owner_map: None,
        };
        let (_, name) = tree.parent("/a/b/c").unwrap();
        assert_eq!(name, "c");
        assert!(folder.path().join("a/b").is_dir());
        assert!(!folder.path().join("a/b/c").exists());
        std::os::unix::fs::symlink("/", folder.path().join("a/link")).unwrap();
        assert!(tree.parent("/a/link/c").is_err());
    }
}
