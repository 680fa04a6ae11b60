//! What the attacker is told to aim at.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What the attacker is told to aim at. The broker makes it ([`super::Bait`]) before the process is
/// sealed, and adds what that process is meant to have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The broker's process id, as the host numbers it.
    pub broker_pid: i32,
    /// What the canary, the broker's memory and its shared memory hold.
    pub secret: String,
    /// A host folder that no mount of the cell shows. The bait is in it.
    pub outside_folder: PathBuf,
    /// A readable file in it that holds the secret.
    pub canary: PathBuf,
    /// A file in it that may be changed to what it is.
    pub victim: PathBuf,
    /// An executable file in it that is no program: the kernel runs it as far as ENOEXEC.
    pub program: PathBuf,
    /// A symbolic link in it to the canary.
    pub link: PathBuf,
    /// The canary's kernel handle, where its file system has them.
    pub canary_handle: Option<Handle>,
    /// A Unix socket the broker listens on, by path.
    pub path_socket: PathBuf,
    /// A Unix socket the broker listens on, by abstract name.
    pub abstract_socket: String,
    /// A port of 127.0.0.1 and of [::1]-mapped addresses the broker listens on.
    pub tcp_port: u16,
    /// A port of 127.0.0.1 where the broker takes datagrams.
    pub udp_port: u16,
    /// Where in the broker's memory the secret is.
    pub broker_address: u64,
    /// Under which number the broker has the canary open.
    pub broker_descriptor: i32,
    /// A System V shared memory of the broker that holds the secret.
    pub shared_memory: i32,
    /// The host's name.
    pub host_name: String,
    /// All the descriptors the attacked process is meant to have; any other is a finding.
    pub descriptors: Vec<Expected>,
    /// Most descriptors it may have.
    pub descriptors_max: u64,
    /// Names of the probes that are to be run; all of the self-attack where none is named.
    pub only: Vec<String>,
}

/// A descriptor the attacked process is meant to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// Its number.
    pub number: i32,
    /// What it is.
    pub kind: Kind,
}

/// What a descriptor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A folder the process may write in: probes make files in it and remove them.
    WritableFolder,
    /// A folder the process may read.
    Folder,
    /// A regular file.
    File,
    /// A socket.
    Socket,
    /// A pipe.
    Pipe,
    /// Anything else: epoll, eventfd, a terminal, /dev/null.
    Other,
}

/// A file handle of the kernel, by which a file is opened without a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handle {
    /// How the file system reads it.
    pub kind: i32,
    /// The handle itself.
    pub bytes: Vec<u8>,
}

impl Target {
    /// The folders the attacker may write in, by descriptor.
    pub(super) fn writable_folders(&self) -> impl Iterator<Item = i32> {
        let writable = |expected: &&Expected| expected.kind == Kind::WritableFolder;
        self.descriptors
            .iter()
            .filter(writable)
            .map(|expected| expected.number)
    }
}
