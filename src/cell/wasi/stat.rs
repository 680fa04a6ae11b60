//! What `stat` tells a guest, in the shape of the import `fs_stat` and of preview 1.

use std::os::fd::AsFd;

use rustix::fs::{AtFlags, StatxFlags, statx};

use super::{
    Errno,
    mounts::{Folder, MountPoint, Node},
};
use crate::cell::kernel::{Descriptor, Device};

const FOLDER: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const LINK: u32 = 0o120_000;
const CHARACTER: u32 = 0o020_000;
const FIFO: u32 = 0o010_000;
const SOCKET: u32 = 0o140_000;
const BLOCK: u32 = 0o060_000;
const TYPE: u32 = 0o170_000;
/// The device number of what is on no mount.
const SYNTHETIC: u64 = 1;
/// Owner and group of every mounted file (DESIGN: user `agent`).
pub const AGENT: u32 = 1000;

/// Everything about a file; times are nanoseconds since 1970.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stat {
    pub dev: u64,
    pub ino: u64,
    pub nlink: u64,
    pub size: u64,
    pub blocks: u64,
    pub accessed_ns: i64,
    pub modified_ns: i64,
    pub changed_ns: i64,
    pub mode: u32,
}

impl Stat {
    pub fn is_folder(&self) -> bool {
        self.mode & TYPE == FOLDER
    }
    pub fn is_regular(&self) -> bool {
        self.mode & TYPE == REGULAR
    }
    pub fn is_link(&self) -> bool {
        self.mode & TYPE == LINK
    }

    /// The layout of `Stat` in guest-start's imports.
    pub fn to_bytes(self) -> [u8; 80] {
        let mut bytes = [0; 80];
        let words = [
            self.dev,
            self.ino,
            self.nlink,
            self.size,
            self.blocks,
            self.accessed_ns.cast_unsigned(),
            self.modified_ns.cast_unsigned(),
            self.changed_ns.cast_unsigned(),
        ];
        // What is not a mounted file belongs to root: guests cannot change it.
        let owner = if self.dev == SYNTHETIC { 0 } else { AGENT };
        let halves = [self.mode, owner, owner, 0].map(u32::to_le_bytes).concat();
        let all = [words.map(u64::to_le_bytes).concat(), halves].concat();
        for (place, byte) in bytes.iter_mut().zip(all) {
            *place = byte;
        }
        bytes
    }

    /// Preview 1 `filestat`.
    pub fn to_filestat(self) -> [u8; 64] {
        let mut bytes = [0; 64];
        let words = [
            self.dev,
            self.ino,
            u64::from(self.filetype()),
            self.nlink,
            self.size,
            self.accessed_ns.max(0).cast_unsigned(),
            self.modified_ns.max(0).cast_unsigned(),
            self.changed_ns.max(0).cast_unsigned(),
        ];
        for (place, byte) in bytes.iter_mut().zip(words.map(u64::to_le_bytes).concat()) {
            *place = byte;
        }
        bytes
    }

    /// Preview 1 `filetype`.
    pub fn filetype(&self) -> u8 {
        filetype(self.mode)
    }
}

/// Preview 1 `filetype` of a Linux mode.
pub fn filetype(mode: u32) -> u8 {
    match mode & TYPE {
        BLOCK => 1,
        CHARACTER => 2,
        FOLDER => 3,
        REGULAR => 4,
        SOCKET => 6,
        LINK => 7,
        _ => 0,
    }
}

/// `name` in a host folder, or the folder itself when empty; a final link is not followed.
///
/// # Errors
/// As Linux `statx`.
pub fn host(mount: &MountPoint, folder: impl AsFd, name: &[u8]) -> Result<Stat, Errno> {
    let empty = if name.is_empty() {
        AtFlags::EMPTY_PATH
    } else {
        AtFlags::empty()
    };
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT | empty;
    let found = statx(folder, name, flags, StatxFlags::BASIC_STATS)?;
    let ns = |t: rustix::fs::StatxTimestamp| {
        t.tv_sec
            .saturating_mul(1_000_000_000)
            .saturating_add(i64::from(t.tv_nsec))
    };
    Ok(Stat {
        dev: mount.number,
        ino: found.stx_ino,
        nlink: found.stx_nlink.into(),
        size: found.stx_size,
        blocks: found.stx_blocks,
        accessed_ns: ns(found.stx_atime),
        modified_ns: ns(found.stx_mtime),
        changed_ns: ns(found.stx_ctime),
        mode: found.stx_mode.into(),
    })
}

/// A folder a walk reached.
///
/// # Errors
/// As [`host`].
pub fn folder(folder: &Folder) -> Result<Stat, Errno> {
    match folder {
        Folder::Host { mount, fd } => host(mount, fd, b""),
        Folder::Synthetic(synthetic) => Ok(fixed(FOLDER | 0o755, synthetic.ino, 4096)),
        Folder::Descriptors => Ok(fixed(FOLDER | 0o555, 6, 0)),
    }
}

/// A synthetic entry that is no folder.
pub fn node(node: &Node) -> Stat {
    match node {
        Node::Program(name) => fixed(
            REGULAR | 0o755,
            number(name.as_bytes()),
            program_text(name).len() as u64,
        ),
        Node::File(bytes) => fixed(REGULAR | 0o644, number(bytes), bytes.len() as u64),
        Node::Link(target) => fixed(LINK | 0o777, number(target), target.len() as u64),
        Node::Device(device) => device_stat(*device),
        Node::Folder(_) | Node::Mount(_) | Node::DescriptorFolder => fixed(FOLDER | 0o755, 7, 0),
        Node::Descriptor(descriptor) => fixed(LINK | 0o777, 8 + u64::from(*descriptor), 0),
    }
}

/// An open descriptor.
///
/// # Errors
/// As [`host`].
pub fn descriptor(descriptor: &Descriptor) -> Result<Stat, Errno> {
    match descriptor {
        Descriptor::File(file) => file.stat(),
        Descriptor::Directory(open) => folder(open.chain.folder()),
        Descriptor::Device(device) => Ok(device_stat(*device)),
        Descriptor::Reader(_)
        | Descriptor::Writer(_)
        | Descriptor::Output(_)
        | Descriptor::Input(_) => Ok(fixed(FIFO | 0o666, 16, 0)),
    }
}

/// What a program of `/bin` reads as.
pub fn program_text(name: &str) -> String {
    format!("Hotcell program {name}: runs as WebAssembly.\n")
}

fn device_stat(device: Device) -> Stat {
    fixed(CHARACTER | 0o666, 32 + device as u64, 0)
}

fn fixed(mode: u32, ino: u64, size: u64) -> Stat {
    Stat {
        dev: SYNTHETIC,
        ino,
        nlink: 1,
        size,
        blocks: size.div_ceil(512),
        mode,
        ..Stat::default()
    }
}

/// A stable inode number for a synthetic file (FNV-1a).
fn number(bytes: &[u8]) -> u64 {
    let step = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step) >> 16
}
