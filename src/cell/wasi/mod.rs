//! The host side of every import a guest has: preview 1 and the module `hotcell`, over the
//! kernel's descriptors and the mount table. One resolver stands before every path.

mod descriptors;
mod errno;
mod executable;
mod extra;
mod file;
mod hard_link;
mod held;
mod memory;
mod mounts;
mod open;
mod path_calls;
mod paths;
mod permission;
mod poll;
mod register;
mod resolve;
mod stat;
mod system;

pub use descriptors::read_device;
pub use errno::Errno;
pub use executable::{Executable, executable};
pub use file::{OpenDirectory, OpenFile};
#[cfg(feature = "components")]
pub use mounts::Folder;
pub use mounts::{Granted, Mounts, World};
pub use open::open_path;
pub use register::{linker, tool_linker};
