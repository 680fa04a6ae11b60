//! How a process locks itself in to start a native program: as [`seal`](super::seal), but with a
//! root of attached places, a right to start programs, and the system calls of ordinary ones.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::process::Resource;
use serde::{Deserialize, Serialize};

use crate::confinement::probe::Wall;
use crate::confinement::seal::{self, Rights, SealError, step};
use crate::confinement::tree::{self, Place};
use crate::confinement::{Plan, landlock, root, seccomp};

/// Most descriptors of one process. Chosen: what build tools open at once.
const DESCRIPTORS_MAX: u64 = 4_096;

/// What a native program is enclosed with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    pub plan: Plan,
    /// All it may see of the file system.
    pub places: Vec<Place>,
    /// The broker may mount and change users; otherwise the process began in a user namespace.
    pub privileged: bool,
    /// Whom it becomes when we are root.
    pub user: Option<(u32, u32)>,
    /// Files of root are shown as that user's.
    pub maps_root: bool,
    /// Places below which it may change files.
    pub writable: Vec<String>,
    /// What it may start, as paths in the tree; nothing for all it sees.
    pub starts: Option<Vec<PathBuf>>,
    pub limits: Limits,
}

/// Ceilings of one program and all it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of memory, of all its processes where a cgroup limits them, otherwise of each.
    pub memory_bytes: u64,
    /// Processes and threads at once.
    pub processes: u64,
    /// Seconds of a processor, of each process.
    pub cpu_s: u64,
    /// Bytes of the largest file it may write.
    pub file_bytes: u64,
}

/// Encloses this process, but for what [`last_walls`] adds.
///
/// # Errors
/// A step failed; the process is then half enclosed and must end.
pub fn enclose(terms: &Terms, owner_map: Option<OwnedFd>) -> Result<(), SealError> {
    // Only tests of the walls leave one out.
    let keeps = |wall| terms.plan.left_out.keeps(wall);
    let processes = File::open("/proc").map_err(step("/proc cannot be opened"))?;
    root::part().map_err(step("it cannot have mounts of its own"))?;
    if keeps(Wall::UtsNamespace) {
        seal::name_host(b"native")?;
    }
    let map = owner_map.filter(|_| terms.privileged && terms.maps_root);
    if keeps(Wall::Root) {
        tree::make(&terms.places, map.as_ref())?;
    }
    seal::become_other(
        &Rights {
            privileged: terms.privileged,
            user: terms.user,
            plan: terms.plan,
        },
        &processes,
    )?;
    drop(processes);
    seal::give_up_rights(terms.plan)?;
    if keeps(Wall::Limits) {
        limit(terms)?;
    }
    if keeps(Wall::Hidden) {
        seal::hide()?;
    }
    // Changing users took this back.
    seal::die_with_the_broker()
}

/// The walls of a program, put up by the process that becomes it. What started it needs none of
/// them: it runs nothing of the program's.
///
/// # Errors
/// The kernel lacks Landlock or system call filters.
pub fn last_walls(terms: &Terms) -> Result<(), SealError> {
    let keeps = |wall| terms.plan.left_out.keeps(wall);
    if keeps(Wall::Landlock) {
        restrict(terms)?;
    }
    if keeps(Wall::Seccomp) {
        seccomp::allow_native()?;
    }
    Ok(())
}

fn restrict(terms: &Terms) -> Result<(), SealError> {
    let open = |path: &str| root::open_any(path.as_ref()).map_err(step("a place of the tree"));
    let top = open("/")?;
    let writable = terms.writable.iter().map(|path| open(path));
    let writable = writable.collect::<Result<Vec<_>, _>>()?;
    let starts = terms.starts.as_ref().map(|paths| {
        let opened = paths.iter().map(|path| root::open_any(path));
        opened.collect::<io::Result<Vec<_>>>()
    });
    let starts = starts.transpose().map_err(step("a program it may start"))?;
    landlock::restrict_native(&top, &writable, starts.as_deref()).map_err(SealError::Landlock)
}

fn limit(terms: &Terms) -> Result<(), SealError> {
    let what = "it cannot have limits";
    let exactly = |resource, most| seal::exactly(resource, most).map_err(step(what));
    let limits = terms.limits;
    exactly(Resource::Core, 0)?;
    exactly(Resource::Nofile, DESCRIPTORS_MAX)?;
    exactly(Resource::Memlock, 0)?;
    exactly(Resource::Cpu, limits.cpu_s)?;
    exactly(Resource::Fsize, limits.file_bytes)?;
    exactly(Resource::Msgqueue, 0)?;
    if !terms.plan.groups {
        exactly(Resource::Data, limits.memory_bytes)?;
        // Counted in its own user namespace.
        exactly(Resource::Nproc, limits.processes)?;
    }
    Ok(())
}
