//! What a guest sees under `/`: mounted host folders and a small synthetic, read-only tree.

use std::{
    collections::BTreeMap,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};

use super::{
    Errno,
    held::{Holding, Holdings},
    resolve::Chain,
};
use crate::cell::{
    kernel::Device,
    order::{Mount, SessionHolds},
};
use crate::outcome::Held;
use crate::policy::{Cover, Protected};

/// A mounted host folder.
#[derive(Debug)]
pub struct MountPoint {
    pub root: Arc<OwnedFd>,
    pub writable: bool,
    /// Shown to guests as the device number.
    pub number: u64,
    /// Names that no guest may touch.
    pub protected: Vec<Protected>,
    /// Bytes the call may still write here.
    pub quota_left: Option<AtomicU64>,
    /// The count of the session that what is here belongs to.
    pub held: Option<Arc<Holding>>,
}

/// What a guest wants with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Something takes the name or leaves it, or a file's content changes: a folder above a
    /// protected name must not be swapped for one, or a link or file, that carries the name.
    Place,
    /// What is there stays what it is: a mode, a time, a new or removed folder.
    Touch,
}

impl MountPoint {
    /// Whether a guest may change `name` in the folder at the end of `chain`.
    ///
    /// # Errors
    /// EPERM for a protected name.
    pub fn guard(&self, chain: &Chain, name: &[u8], change: Change) -> Result<(), Errno> {
        if self.protected.is_empty() {
            return Ok(());
        }
        let path = chain.in_mount(name);
        let least = match change {
            Change::Place => Cover::Above,
            Change::Touch => Cover::Inside,
        };
        match self
            .protected
            .iter()
            .any(|known| known.cover(&path) >= least)
        {
            true => Err(Errno::EPERM),
            false => Ok(()),
        }
    }

    /// Takes room for bytes that are about to be written here.
    ///
    /// # Errors
    /// EDQUOT past the policy's quota.
    pub fn take_quota(&self, bytes: u64) -> Result<(), Errno> {
        let Some(left) = &self.quota_left else {
            return Ok(());
        };
        let take = |left: u64| left.checked_sub(bytes);
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .map(drop)
            .map_err(|_| Errno::EDQUOT)
    }

    /// Gives back room that was taken and not used.
    pub fn give_quota(&self, bytes: u64) {
        if let Some(left) = &self.quota_left {
            left.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}

/// A folder of the synthetic tree.
#[derive(Debug, Default)]
pub struct Synthetic {
    pub names: BTreeMap<Vec<u8>, Node>,
    pub ino: u64,
}

/// An entry of the synthetic tree.
#[derive(Debug, Clone)]
pub enum Node {
    Folder(Arc<Synthetic>),
    Mount(Arc<MountPoint>),
    File(Arc<[u8]>),
    /// A program of `/bin`.
    Program(String),
    Link(Vec<u8>),
    Device(Device),
    /// `/dev/fd`.
    DescriptorFolder,
    /// `/dev/stdin` and the like: the process's own descriptor.
    Descriptor(u32),
}

/// A folder a path has reached.
#[derive(Debug, Clone)]
pub enum Folder {
    Synthetic(Arc<Synthetic>),
    Descriptors,
    Host {
        mount: Arc<MountPoint>,
        fd: Arc<OwnedFd>,
    },
}

/// The parts of the synthetic tree that all calls share.
#[derive(Debug)]
pub struct World {
    root: BTreeMap<Vec<u8>, Node>,
    holdings: Holdings,
    /// The last `/bin` that had native programs: calls of a cell mostly have the same ones.
    with_natives: Mutex<Option<(BTreeMap<String, String>, Node)>>,
}

impl World {
    /// Builds `/bin`, `/dev`, `/etc` and `/usr` for the given program names.
    pub fn new(programs: &[String]) -> Self {
        let bin = programs
            .iter()
            .map(|name| (name.as_str(), Node::Program(name.clone())));
        let bin = folder(2, bin);
        let device = |device| Node::Device(device);
        let dev = folder(
            3,
            [
                ("null", device(Device::Null)),
                ("zero", device(Device::Zero)),
                ("urandom", device(Device::Random)),
                ("random", device(Device::Random)),
                ("stdin", Node::Descriptor(0)),
                ("stdout", Node::Descriptor(1)),
                ("stderr", Node::Descriptor(2)),
                ("fd", Node::DescriptorFolder),
            ],
        );
        let text = |text: &'static str| Node::File(text.as_bytes().into());
        let etc = folder(
            4,
            [
                (
                    "passwd",
                    text(
                        "root:x:0:0:root:/:/bin/sh\nagent:x:1000:1000:agent:/workspace:/bin/bash\n",
                    ),
                ),
                ("group", text("root:x:0:\nagent:x:1000:\n")),
                ("hostname", text("hotcell\n")),
                (
                    "os-release",
                    text("NAME=Hotcell\nID=hotcell\nPRETTY_NAME=\"Hotcell\"\n"),
                ),
                ("shells", text("/bin/sh\n/bin/bash\n")),
            ],
        );
        let usr = folder(5, [("bin", Node::Link(b"/bin".to_vec()))]);
        let root = [("bin", bin), ("dev", dev), ("etc", etc), ("usr", usr)];
        Self {
            root: root.map(|(name, node)| (name.into(), node)).into(),
            holdings: Holdings::default(),
            with_natives: Mutex::default(),
        }
    }

    /// `/bin` with native programs beside the guests; a guest keeps its name.
    fn bin_with(&self, natives: &BTreeMap<String, String>) -> Node {
        let mut known = self.with_natives.lock();
        if let Some((of, node)) = known.as_ref()
            && of == natives
        {
            return node.clone();
        }
        let guests = match self.root.get(&b"bin"[..]) {
            Some(Node::Folder(bin)) => bin.names.clone(),
            _ => BTreeMap::new(),
        };
        let ino = 2;
        let mut names = guests;
        for name in natives.keys().filter(|name| !name.contains('/')) {
            let name = name.as_bytes().to_vec();
            let program = String::from_utf8_lossy(&name).into_owned();
            names.entry(name).or_insert(Node::Program(program));
        }
        let node = Node::Folder(Arc::new(Synthetic { names, ino }));
        *known = Some((natives.clone(), node.clone()));
        node
    }
}

fn folder<'a>(ino: u64, names: impl IntoIterator<Item = (&'a str, Node)>) -> Node {
    let names = names
        .into_iter()
        .map(|(name, node)| (name.as_bytes().to_vec(), node))
        .collect();
    Node::Folder(Arc::new(Synthetic { names, ino }))
}

/// The mount table of one call.
#[derive(Debug)]
pub struct Mounts {
    root: Arc<Synthetic>,
    held: Option<Arc<Holding>>,
}

impl Mounts {
    /// Lays `mounts` over the shared tree, those of `session` counted.
    ///
    /// # Errors
    /// A host folder cannot be opened; ENOTSUP for a mount that is not directly under `/` or
    /// would hide a name of the shared tree.
    pub fn new(
        world: &World,
        (granted, mounts): (&Granted, &[Mount]),
        session: Option<SessionHolds>,
        natives: &BTreeMap<String, String>,
    ) -> Result<Self, (String, Errno)> {
        let mut names = world.root.clone();
        if !natives.is_empty() {
            names.insert(b"bin".to_vec(), world.bin_with(natives));
        }
        let held = session.map(|session| world.holdings.of(session));
        for (number, mount) in (2..).zip(mounts) {
            let failed = |errno: Errno| (mount.guest.clone(), errno);
            let name = mount.guest.strip_prefix('/').unwrap_or_default();
            if name.is_empty() || name.contains('/') || names.contains_key(name.as_bytes()) {
                return Err(failed(Errno::ENOTSUP));
            }
            let root = granted
                .open(&mount.host)
                .map_err(|errno| failed(errno.into()))?;
            let point = MountPoint {
                root,
                writable: mount.writable,
                number,
                protected: mount.protected.clone(),
                quota_left: mount.quota_bytes.map(AtomicU64::new),
                held: held.clone().filter(|_| mount.counted),
            };
            names.insert(name.into(), Node::Mount(Arc::new(point)));
        }
        Ok(Self {
            root: Arc::new(Synthetic { names, ino: 1 }),
            held,
        })
    }

    /// Counts what a native program left in the session.
    pub fn hold(&self, grown: Held) {
        if let Some(held) = &self.held {
            held.add(grown);
        }
    }

    /// What the session holds now, when it is counted.
    pub fn held(&self) -> Option<Held> {
        self.held.as_ref().map(|held| held.now())
    }

    pub fn root(&self) -> Folder {
        Folder::Synthetic(Arc::clone(&self.root))
    }
}

/// The host folders a cell was sealed with: all that an order's mounts can lie in.
#[derive(Debug, Default)]
pub struct Granted {
    folders: Vec<(PathBuf, Arc<OwnedFd>)>,
}

impl Granted {
    /// Takes the folders a process was sealed with.
    pub fn new(folders: impl IntoIterator<Item = (PathBuf, OwnedFd)>) -> Self {
        let folders = folders.into_iter();
        Self {
            folders: folders.map(|(path, fd)| (path, Arc::new(fd))).collect(),
        }
    }

    /// A granted folder, or one below it. No part of the way there may be a link: a guest could
    /// put one there and be given what it points to.
    fn open(&self, path: &Path) -> rustix::io::Result<Arc<OwnedFd>> {
        let below = |(granted, _): &&(PathBuf, Arc<OwnedFd>)| path.starts_with(granted);
        let found = self.folders.iter().filter(below);
        let found = found.max_by_key(|(granted, _)| granted.as_os_str().len());
        let (granted, fd) = found.ok_or(rustix::io::Errno::ACCESS)?;
        let rest = path.strip_prefix(granted).unwrap_or(path);
        if rest.as_os_str().is_empty() {
            return Ok(Arc::clone(fd));
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        openat2(fd, rest, flags, Mode::empty(), resolve).map(Arc::new)
    }
}
