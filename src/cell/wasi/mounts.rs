//! What a guest sees under `/`: mounted host folders and a small synthetic, read-only tree.

use std::{collections::BTreeMap, os::fd::OwnedFd, path::Path, sync::Arc};

use rustix::fs::{CWD, Mode, OFlags, openat};

use super::Errno;
use crate::cell::{kernel::Device, order::Mount};

/// A mounted host folder.
#[derive(Debug)]
pub struct MountPoint {
    pub root: Arc<OwnedFd>,
    pub writable: bool,
    /// Shown to guests as the device number.
    pub number: u64,
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
        }
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
}

impl Mounts {
    /// Lays `mounts` over the shared tree.
    ///
    /// # Errors
    /// A host folder cannot be opened; ENOTSUP for a mount that is not directly under `/` or
    /// would hide a name of the shared tree.
    pub fn new(world: &World, mounts: &[Mount]) -> Result<Self, (String, Errno)> {
        let mut names = world.root.clone();
        for (number, mount) in (2..).zip(mounts) {
            let failed = |errno: Errno| (mount.guest.clone(), errno);
            let name = mount.guest.strip_prefix('/').unwrap_or_default();
            if name.is_empty() || name.contains('/') || names.contains_key(name.as_bytes()) {
                return Err(failed(Errno::ENOTSUP));
            }
            let root = open_host_folder(&mount.host).map_err(|errno| failed(errno.into()))?;
            let point = MountPoint {
                root: Arc::new(root),
                writable: mount.writable,
                number,
            };
            names.insert(name.into(), Node::Mount(Arc::new(point)));
        }
        Ok(Self {
            root: Arc::new(Synthetic { names, ino: 1 }),
        })
    }

    pub fn root(&self) -> Folder {
        Folder::Synthetic(Arc::clone(&self.root))
    }
}

/// Opens the folder an order names. The broker chose it; it is not a guest's path.
fn open_host_folder(path: &Path) -> rustix::io::Result<OwnedFd> {
    openat(
        CWD,
        path,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
}
