//! The words for walls and how strong they are together.

use std::fmt;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::confinement::group::Groups;
use crate::confinement::launch::Launcher;
use crate::confinement::left_out::LeftOut;
use crate::limits::Confinement;

/// A wall that a machine may be unable to give. Landlock and seccomp are not among them: without
/// one of those nothing is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wall {
    /// User, mount, pid, ipc and uts namespaces, and a root of its own.
    Namespaces,
    /// A network namespace without any interface in use.
    Network,
    /// Limits of memory and processes by a cgroup.
    Groups,
}

impl Wall {
    /// What an operator reads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces and a root of their own",
            Self::Network => "network namespace",
            Self::Groups => "cgroup limits",
        }
    }
}

/// The walls a process is to be put behind, beside Landlock and seccomp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub namespaces: bool,
    pub network: bool,
    pub groups: bool,
    /// Always nothing but in tests of the walls.
    pub left_out: LeftOut,
}

impl Plan {
    /// Every wall.
    pub const FULL: Self = Self {
        namespaces: true,
        network: true,
        groups: true,
        left_out: LeftOut::NOTHING,
    };

    /// The level these walls make.
    pub fn level(self) -> Confinement {
        match (self.namespaces, self.network, self.groups) {
            (true, true, true) => Confinement::Full,
            (true, true, false) | (true, false, true) => Confinement::Strong,
            (true, false, false) | (false, _, _) => Confinement::Basic,
        }
    }

    /// The same without one wall.
    #[must_use]
    pub fn without(mut self, wall: Wall) -> Self {
        match wall {
            Wall::Namespaces => self.namespaces = false,
            Wall::Network => self.network = false,
            Wall::Groups => self.groups = false,
        }
        self
    }
}

/// A wall that could not be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    pub wall: Wall,
    /// What the kernel said, and what to change.
    pub reason: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no {}: {}", self.wall.name(), self.reason)
    }
}

/// What processes of ours are started with, by whoever starts them.
#[derive(Debug)]
pub struct Means {
    /// Our own executable.
    pub executable: File,
    pub launcher: Launcher,
    pub groups: Option<Arc<Groups>>,
    /// A user namespace that maps root to `user`.
    pub owner_map: Option<OwnedFd>,
    /// Whom processes become when we are root and their files are root's.
    pub user: (u32, u32),
    pub reached: Reached,
}

/// What this machine gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    pub plan: Plan,
    pub missing: Vec<Missing>,
}

impl Reached {
    /// The level of confinement.
    pub fn level(&self) -> Confinement {
        self.plan.level()
    }
}

/// `full`, or the weaker level with every missing wall and its reason.
impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.level().name())?;
        for (number, missing) in self.missing.iter().enumerate() {
            let between = if number == 0 { ": " } else { "; " };
            write!(f, "{between}{missing}")?;
        }
        Ok(())
    }
}
