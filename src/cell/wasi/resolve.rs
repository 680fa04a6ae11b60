//! The one way from a guest's path to a place: a walk component by component over the mount
//! table. `..` and the text of links are handled here; the kernel is asked for single names only,
//! relative to a descriptor, and never follows a link itself.

use std::{os::fd::AsFd, sync::Arc};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2, readlinkat};

use super::{
    Errno,
    mounts::{Folder, MountPoint, Mounts, Node},
    permission,
};
use crate::cell::kernel::Call;
use crate::descriptors::lend;

/// Longest path, and longest name, in bytes (Linux PATH_MAX - 1 and NAME_MAX).
pub const PATH_BYTES_MAX: usize = 4095;
const NAME_BYTES_MAX: usize = 255;
/// Links followed in one path (Linux: 40, path_resolution(7)).
const LINKS_MAX: u32 = 40;
/// Components walked in one path, those of links included. Chosen: three times what fits one path.
const STEPS_MAX: u32 = 8_192;
/// Fuel that a step of a walk costs: what opening a folder takes, at two units a nanosecond. Measured
/// by tests/host_calls.rs.
const STEP_FUEL: u64 = 5_000;
/// Fuel that a byte of a path costs: its components are kept one by one.
const BYTE_FUEL: u64 = 60;
/// Longest guest path of a place, in bytes, however it was reached. Chosen: twice what a path
/// may have, for programs that go down step by step.
const CHAIN_BYTES_MAX: usize = 2 * PATH_BYTES_MAX;

/// How every host file is reached: beneath its folder, through no link, on the same filesystem.
#[cfg(not(feature = "broken-plain-join"))]
pub const BENEATH: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);
/// The wall removed, to see the path suite fire; never in a build that is shipped.
#[cfg(feature = "broken-plain-join")]
pub const BENEATH: ResolveFlags = ResolveFlags::empty();

/// Every folder from `/` to a place, each with its name; `/` has the empty name.
#[derive(Debug, Clone)]
pub struct Chain {
    above: Vec<(Vec<u8>, Above)>,
    name: Vec<u8>,
    folder: Folder,
    /// Bytes of all names.
    bytes: usize,
}

/// A folder above the last one.
#[derive(Debug, Clone)]
enum Above {
    Open(Folder),
    /// Its descriptor was given back; it is found again by name from the mount's root.
    Closed,
}

impl Chain {
    pub fn root(mounts: &Mounts) -> Self {
        Self {
            above: Vec::new(),
            name: Vec::new(),
            folder: mounts.root(),
            bytes: 0,
        }
    }

    /// The last folder.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The chain for keeping: a deep place then holds one descriptor of the host, not one for
    /// each folder above it.
    pub fn closed(mut self) -> Self {
        let mut below_mount = false;
        for (_, above) in &mut self.above {
            let in_mount = matches!(above, Above::Closed | Above::Open(Folder::Host { .. }));
            // The mount's own root is open anyway.
            if in_mount && std::mem::replace(&mut below_mount, true) {
                *above = Above::Closed;
            }
        }
        self
    }

    /// The guest path of the last folder, or of `name` in it.
    pub fn path(&self, name: &[u8]) -> String {
        let mut path = Vec::new();
        let names = self.above.iter().map(|(name, _)| name);
        for part in names.chain([&self.name]).skip(1) {
            path.push(b'/');
            path.extend_from_slice(part);
        }
        if !name.is_empty() || path.is_empty() {
            path.push(b'/');
            path.extend_from_slice(name);
        }
        String::from_utf8_lossy(&path).into_owned()
    }

    /// The names from a mount's root to the last folder, or to `name` in it.
    pub fn in_mount<'a>(&'a self, name: &'a [u8]) -> Vec<&'a [u8]> {
        let names = self.above.iter().map(|(name, _)| &**name);
        // The first two are `/` and the mount itself.
        let mut names: Vec<_> = names.chain([&*self.name]).skip(2).collect();
        names.extend((!name.is_empty()).then_some(name));
        names
    }

    /// Goes down into `folder`.
    ///
    /// # Errors
    /// ENAMETOOLONG for a place too deep to be named.
    pub fn push(&mut self, name: Vec<u8>, folder: Folder) -> Result<(), Errno> {
        self.bytes += name.len() + 1;
        if self.bytes > CHAIN_BYTES_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let above = std::mem::replace(&mut self.folder, folder);
        let above_name = std::mem::replace(&mut self.name, name);
        self.above.push((above_name, Above::Open(above)));
        Ok(())
    }

    /// Goes up one folder; answers how many were opened for that.
    fn up(&mut self) -> Result<u64, Errno> {
        let Some((name, above)) = self.above.pop() else {
            return Ok(0);
        };
        self.bytes -= self.name.len() + 1;
        let mut opened = 0;
        self.folder = match above {
            Above::Open(folder) => folder,
            Above::Closed => {
                let folder;
                (folder, opened) = self.reopened(&name)?;
                folder
            }
        };
        self.name = name;
        Ok(opened)
    }

    /// Finds the folder `last`, which was closed, from the nearest open one above it. Those between
    /// stay open: a walk that goes on upwards must not begin at the top again each time.
    fn reopened(&mut self, last: &[u8]) -> Result<(Folder, u64), Errno> {
        let open = self.above.iter().enumerate().rev();
        let mut open = open.filter_map(|(index, (_, above))| match above {
            Above::Open(Folder::Host { mount, fd }) => Some((index, mount, fd)),
            Above::Open(_) | Above::Closed => None,
        });
        let (index, mount, fd) = open.next().ok_or(Errno::ENOENT)?;
        let (mount, mut fd) = (Arc::clone(mount), Arc::clone(fd));
        let mut opened = 1;
        for (name, above) in self.above.iter_mut().skip(index + 1) {
            fd = enter(&fd, name)?.folder()?;
            let (mount, fd) = (Arc::clone(&mount), Arc::clone(&fd));
            *above = Above::Open(Folder::Host { mount, fd });
            opened += 1;
        }
        let fd = enter(&fd, last)?.folder()?;
        Ok((Folder::Host { mount, fd }, opened))
    }

    fn go_to_root(&mut self) -> Result<(), Errno> {
        while !self.above.is_empty() {
            self.above.truncate(1);
            self.up()?;
        }
        self.bytes = 0;
        Ok(())
    }
}

/// Where a walk ended.
#[derive(Debug)]
pub enum Target {
    /// The folder at the end of the chain.
    Folder(Folder),
    /// A synthetic entry that is no folder.
    Node(Node),
    /// The name in a host folder; it may not exist.
    Host {
        mount: Arc<MountPoint>,
        fd: Arc<std::os::fd::OwnedFd>,
        name: Vec<u8>,
    },
    /// A number in `/dev/fd`.
    Descriptor(u32),
    /// A name that the synthetic tree lacks.
    Absent,
}

/// A path on its way to a place.
#[derive(Debug)]
pub struct Walk<'a> {
    /// Pays for the steps.
    call: &'a Call,
    pub chain: Chain,
    /// What is left to walk, last component first.
    pending: Vec<Vec<u8>>,
    /// The last component, once everything before it is walked.
    pub name: Vec<u8>,
    /// The path ended in `/` or `/.`: what it names must be a folder.
    pub must_be_folder: bool,
    links_left: u32,
    steps_left: u32,
}

impl<'a> Walk<'a> {
    /// Starts at `base`, or at `/` for an absolute path.
    ///
    /// # Errors
    /// ENOENT for an empty path, EINVAL for one with a NUL, ENAMETOOLONG.
    pub fn new(call: &'a Call, base: Chain, path: &[u8]) -> Result<Self, Errno> {
        let mut walk = Self {
            call,
            chain: base,
            pending: Vec::new(),
            name: Vec::new(),
            must_be_folder: false,
            links_left: LINKS_MAX,
            steps_left: STEPS_MAX,
        };
        walk.push_path(path)?;
        Ok(walk)
    }

    fn push_path(&mut self, path: &[u8]) -> Result<(), Errno> {
        if path.is_empty() {
            return Err(Errno::ENOENT);
        }
        if path.len() > PATH_BYTES_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        self.call.spend(path.len() as u64 * BYTE_FUEL);
        if path.contains(&0) {
            return Err(Errno::EINVAL);
        }
        if path.starts_with(b"/") {
            self.chain.go_to_root()?;
        }
        if self.pending.is_empty() && matches!(path, [.., b'/'] | [.., b'/', b'.'] | [b'.']) {
            self.must_be_folder = true;
        }
        for part in path.rsplit(|&b| b == b'/') {
            if part.len() > NAME_BYTES_MAX {
                return Err(Errno::ENAMETOOLONG);
            }
            if !matches!(part, b"" | b".") {
                self.pending.push(part.to_vec());
            }
        }
        Ok(())
    }

    /// Goes on through a link's text, from the folder that holds the link.
    ///
    /// # Errors
    /// ELOOP after too many links.
    pub fn follow(&mut self, target: &[u8]) -> Result<(), Errno> {
        self.links_left = self.links_left.checked_sub(1).ok_or(Errno::ELOOP)?;
        self.name.clear();
        self.push_path(target)
    }

    /// Walks to the last component and says what is there, without following it.
    ///
    /// # Errors
    /// ENOENT, ENOTDIR, EACCES, ELOOP, EXDEV on the way.
    pub fn target(&mut self) -> Result<Target, Errno> {
        while let Some(name) = self.pending.pop() {
            self.steps_left = self.steps_left.checked_sub(1).ok_or(Errno::ELOOP)?;
            self.call.spend(STEP_FUEL);
            if name == b".." {
                let opened = self.chain.up()?;
                self.call.spend(opened * STEP_FUEL);
                continue;
            }
            match self.chain.folder().clone() {
                Folder::Synthetic(folder) => match folder.names.get(&name) {
                    Some(Node::Folder(inner)) => {
                        self.chain
                            .push(name, Folder::Synthetic(Arc::clone(inner)))?;
                    }
                    Some(Node::Mount(mount)) => {
                        let (mount, fd) = (Arc::clone(mount), Arc::clone(&mount.root));
                        self.chain.push(name, Folder::Host { mount, fd })?;
                    }
                    Some(Node::DescriptorFolder) => self.chain.push(name, Folder::Descriptors)?,
                    Some(Node::Link(target)) if !self.pending.is_empty() => self.follow(target)?,
                    found if self.pending.is_empty() => {
                        let found = found.cloned();
                        self.name = name;
                        return Ok(found.map_or(Target::Absent, Target::Node));
                    }
                    Some(_) => return Err(Errno::ENOTDIR),
                    None => return Err(Errno::ENOENT),
                },
                Folder::Descriptors => {
                    let number = std::str::from_utf8(&name).ok().and_then(|n| n.parse().ok());
                    let number = number.ok_or(Errno::ENOENT)?;
                    if !self.pending.is_empty() {
                        return Err(Errno::ENOTDIR);
                    }
                    self.name = name;
                    return Ok(Target::Descriptor(number));
                }
                Folder::Host { mount, fd } if self.pending.is_empty() => {
                    self.name.clone_from(&name);
                    return Ok(Target::Host { mount, fd, name });
                }
                Folder::Host { mount, fd } => match enter(&fd, &name)? {
                    Entered::Folder(fd) => self.chain.push(name, Folder::Host { mount, fd })?,
                    Entered::Link(target) => self.follow(&target)?,
                },
            }
        }
        self.name.clear();
        Ok(Target::Folder(self.chain.folder().clone()))
    }
}

enum Entered {
    Folder(Arc<std::os::fd::OwnedFd>),
    Link(Vec<u8>),
}

impl Entered {
    fn folder(self) -> Result<Arc<std::os::fd::OwnedFd>, Errno> {
        match self {
            Self::Folder(folder) => Ok(folder),
            // Somebody put a link where the folder was.
            Self::Link(_) => Err(Errno::ENOENT),
        }
    }
}

/// Opens the folder `name`, or reads the link that stands there.
fn enter(folder: &impl AsFd, name: &[u8]) -> Result<Entered, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match openat2(folder, name, flags, Mode::empty(), BENEATH).and_then(lend) {
        Ok(fd) => {
            permission::check(&fd, permission::SEARCH)?;
            Ok(Entered::Folder(Arc::new(fd)))
        }
        Err(rustix::io::Errno::LOOP | rustix::io::Errno::NOTDIR) => read_link(folder, name)
            .map(Entered::Link)
            .map_err(|_| Errno::ENOTDIR),
        Err(errno) => Err(errno.into()),
    }
}

/// The text of the link `name` in a host folder.
///
/// # Errors
/// EINVAL when it is no link.
pub fn read_link(folder: &impl AsFd, name: &[u8]) -> Result<Vec<u8>, Errno> {
    Ok(readlinkat(folder, name, Vec::new())?.into_bytes())
}
