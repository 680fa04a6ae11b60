//! How a process of ours locks itself in: called once, by its only thread, before it does anything
//! an agent asked for. The order matters: each step takes away what the steps before it needed.
#![expect(
    unsafe_code,
    reason = "rustix marks every unshare unsafe for what some of its flags do"
)]

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, fstat, openat, statat};
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, Signal, getrlimit, set_dumpable_behavior,
    set_parent_process_death_signal, setrlimit,
};
use rustix::system::sethostname;
use rustix::thread::{
    CapabilitySet, CapabilitySets, Gid, Uid, UnshareFlags, capabilities,
    clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
    set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid, unshare_unsafe,
};
use serde::{Deserialize, Serialize};

use crate::confinement::probe::Wall;
use crate::confinement::{Plan, landlock, root, seccomp, tree};

/// Most descriptors of a sealed process. Chosen: more than all its calls together may have.
pub const DESCRIPTORS_MAX: u64 = 65_536;
/// Most threads of a sealed process where no cgroup counts them. Chosen: far above what one has.
const THREADS_MAX: u64 = 512;

/// What a process is sealed with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    pub plan: Plan,
    /// All it may see of the file system.
    pub folders: Vec<Folder>,
    /// The broker may mount and change users; otherwise the process began in a user namespace.
    pub privileged: bool,
    /// Whom it becomes when we are root: the folders' owner, or another.
    pub user: Option<(u32, u32)>,
    /// Files of root are shown as that user's.
    pub maps_root: bool,
    /// Bytes of memory it may write, where no cgroup limits them.
    pub memory_bytes: u64,
}

/// A host folder a sealed process may see.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Folder {
    pub path: PathBuf,
    pub writable: bool,
    /// Device and inode: what is granted is this folder, not whatever has its name by then.
    pub identity: (u64, u64),
}

impl Folder {
    /// The folder at a path.
    ///
    /// # Errors
    /// It is not there, or is not a folder.
    pub fn at(path: &Path, writable: bool) -> io::Result<Self> {
        let place = root::open_folder(path)?;
        let about = fstat(place)?;
        Ok(Self {
            path: path.to_owned(),
            writable,
            identity: (about.st_dev, about.st_ino),
        })
    }

    /// Opens it, by its name.
    ///
    /// # Errors
    /// It is not there, or another folder has its name.
    pub fn open(&self) -> io::Result<OwnedFd> {
        let found = root::open_folder(&self.path)?;
        match self.is(&found) {
            true => Ok(found),
            false => Err(io::Error::other("another folder has its name now")),
        }
    }

    /// Whether it still has its name. Only looks, and does not open: for what was opened before.
    pub fn stays(&self) -> bool {
        let found = statat(CWD, &self.path, AtFlags::SYMLINK_NOFOLLOW);
        found.is_ok_and(|about| (about.st_dev, about.st_ino) == self.identity)
    }

    /// Whether this is what was opened under its name.
    fn is(&self, place: &OwnedFd) -> bool {
        fstat(place).is_ok_and(|about| (about.st_dev, about.st_ino) == self.identity)
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Sealed {
    /// The granted folders, in the order they were asked for.
    pub folders: Vec<(Folder, OwnedFd)>,
    /// It is root still, without any right of root: these folders cannot show their files as
    /// another user's.
    pub stays_root: bool,
}

/// The step that failed, and why. Nothing may run in this process any more.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("the folder `{}` cannot be opened", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("the folder `{}` cannot be mounted by itself", path.display())]
    Mount { path: PathBuf, source: io::Error },
    #[error("{what}")]
    Step {
        what: &'static str,
        source: io::Error,
    },
    #[error("Landlock is not there or too old; Linux 6.2 or newer has what is needed")]
    Landlock(#[source] ::landlock::RulesetError),
    #[error("no system call filter")]
    Filter(#[from] seccomp::FilterError),
    #[error("its root cannot be made")]
    Tree(#[from] tree::TreeError),
}

pub(super) fn step<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> SealError {
    move |error| SealError::Step {
        what,
        source: error.into(),
    }
}

/// Whether this process may mount without making a user namespace first.
pub fn may_mount() -> bool {
    capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN))
}

/// Seals this process. `owner_map` is a user namespace that maps root to the user of the terms.
///
/// # Errors
/// A step failed; the process is then half sealed and must end.
pub fn seal(terms: &Terms, owner_map: Option<OwnedFd>) -> Result<Sealed, SealError> {
    let opened = open_folders(terms)?;
    let mut sealed = Sealed {
        folders: opened,
        stays_root: false,
    };
    // Only tests of the walls leave one out.
    let keeps = |wall| terms.plan.left_out.keeps(wall);
    let written = written_memory()?;
    if terms.plan.namespaces {
        sealed = enter_namespaces(terms, sealed, owner_map)?;
    }
    give_up_rights(terms.plan)?;
    if keeps(Wall::Limits) {
        limit(terms, written)?;
    }
    // Changing users took these back.
    if keeps(Wall::Hidden) {
        hide()?;
    }
    die_with_the_broker()?;
    let folders = sealed.folders.iter();
    let granted: Vec<_> = folders
        .map(|(folder, place)| (place, folder.writable))
        .collect();
    if keeps(Wall::Landlock) {
        landlock::restrict(&granted).map_err(SealError::Landlock)?;
    }
    if keeps(Wall::Seccomp) {
        seccomp::allow_cell()?;
    }
    Ok(sealed)
}

pub(super) fn give_up_rights(plan: Plan) -> Result<(), SealError> {
    if plan.left_out.keeps(Wall::Capabilities) {
        drop_rights()?;
    }
    if plan.left_out.keeps(Wall::NoNewPrivileges) {
        set_no_new_privs(true).map_err(step("it cannot give up rights of programs"))?;
    }
    Ok(())
}

pub(super) fn hide() -> Result<(), SealError> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(step("its memory cannot be hidden"))
}

pub(super) fn die_with_the_broker() -> Result<(), SealError> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(step("it cannot be tied to the broker's life"))
}

pub(super) fn name_host(name: &[u8]) -> Result<(), SealError> {
    sethostname(name).map_err(step("it cannot have a host name of its own"))
}

/// Makes the namespaces it began in its own: nothing of the host is left in them.
fn enter_namespaces(
    terms: &Terms,
    mut sealed: Sealed,
    owner_map: Option<OwnedFd>,
) -> Result<Sealed, SealError> {
    let keeps = |wall| terms.plan.left_out.keeps(wall);
    let privileged = terms.privileged;
    if keeps(Wall::Root) {
        let map = owner_map.filter(|_| privileged && terms.maps_root);
        sealed = detach_folders(sealed, map)?;
    }
    if keeps(Wall::UtsNamespace) {
        name_host(b"cell")?;
    }
    let processes = File::open("/proc").map_err(step("/proc cannot be opened"))?;
    root::part().map_err(step("it cannot have mounts of its own"))?;
    if keeps(Wall::Root) {
        root::empty().map_err(step("it cannot have an empty root"))?;
    }
    let rights = Rights {
        privileged,
        user: terms.user.filter(|_| !sealed.stays_root),
        plan: terms.plan,
    };
    become_other(&rights, &processes)?;
    Ok(sealed)
}

/// Who a process is and is to become.
pub(super) struct Rights {
    pub(super) privileged: bool,
    pub(super) user: Option<(u32, u32)>,
    pub(super) plan: Plan,
}

/// Becomes another user in a user namespace of its own.
pub(super) fn become_other(rights: &Rights, processes: &File) -> Result<(), SealError> {
    let keeps = |wall| rights.plan.left_out.keeps(wall);
    // Becoming another user takes the capabilities, but for those that a new namespace gives.
    let becomes = keeps(Wall::Capabilities) || keeps(Wall::UserNamespace);
    let user = rights.user.filter(|_| rights.privileged);
    if let Some(user) = user.filter(|_| becomes) {
        if !keeps(Wall::UserNamespace) {
            // The other user has none of the right that this takes.
            empty_bounding_set()?;
        }
        become_user(user)?;
    }
    // Who is not privileged began in one.
    if rights.privileged && keeps(Wall::UserNamespace) {
        enter_user_namespace(user.unwrap_or((0, 0)), processes)?;
    }
    Ok(())
}

fn open_folders(terms: &Terms) -> Result<Vec<(Folder, OwnedFd)>, SealError> {
    let open = |folder: &Folder| match folder.open() {
        Ok(place) => Ok((folder.clone(), place)),
        Err(source) => Err(SealError::Folder {
            path: folder.path.clone(),
            source,
        }),
    };
    terms.folders.iter().map(open).collect()
}

fn detach_folders(sealed: Sealed, map: Option<OwnedFd>) -> Result<Sealed, SealError> {
    let mut stays_root = false;
    let mut folders = Vec::new();
    for (folder, place) in &sealed.folders {
        let of_root = fstat(place).is_ok_and(|stat| stat.st_uid == 0);
        let map = map.as_ref().filter(|_| of_root);
        let detached = match root::detach(place, folder.writable, map.map(OwnedFd::as_fd)) {
            // This file system cannot show files as another's, or a mount of it does so already.
            Err(error) if map.is_some() && is_unmappable(&error) => {
                stays_root = true;
                root::detach(place, folder.writable, None)
            }
            other => other,
        };
        let path = || folder.path.clone();
        let detached = detached.map_err(|source| SealError::Mount {
            path: path(),
            source,
        })?;
        folders.push((folder.clone(), detached));
    }
    if stays_root && map.is_some() {
        // All or none: as root it must not meet files that are shown as another's.
        return detach_folders(sealed, None).map(|sealed| Sealed {
            stays_root: true,
            ..sealed
        });
    }
    Ok(Sealed {
        folders,
        stays_root,
    })
}

/// mount_setattr(2): EINVAL for a file system without mapped mounts, EPERM for a mount that is mapped
/// already or a file system of another user namespace.
fn is_unmappable(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EPERM))
}

fn become_user((user, group): (u32, u32)) -> Result<(), SealError> {
    let what = "it cannot become another user";
    let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
    set_thread_groups(&[]).map_err(step(what))?;
    set_thread_res_gid(group, group, group).map_err(step(what))?;
    set_thread_res_uid(user, user, user).map_err(step(what))
}

/// Enters a user namespace that knows only this user and group.
fn enter_user_namespace((user, group): (u32, u32), processes: &File) -> Result<(), SealError> {
    // Without it the files of this process in /proc belong to root.
    set_dumpable_behavior(DumpableBehavior::Dumpable).map_err(step("it stays hidden"))?;
    let what = "it cannot have a user namespace of its own; user.max_user_namespaces may be 0";
    // SAFETY: descriptors are not unshared.
    unsafe { unshare_unsafe(UnshareFlags::NEWUSER) }.map_err(step(what))?;
    for (name, text) in [
        ("self/setgroups", "deny".to_owned()),
        ("self/uid_map", format!("{user} {user} 1")),
        ("self/gid_map", format!("{group} {group} 1")),
    ] {
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        let file = openat(processes, name, flags, Mode::empty());
        file.map_err(io::Error::from)
            .and_then(|file| File::from(file).write_all(text.as_bytes()))
            .map_err(step(what))?;
    }
    Ok(())
}

const CAPABILITIES_STAY: &str = "it cannot give up its capabilities";

/// No program this process may start would get a capability.
fn empty_bounding_set() -> Result<(), SealError> {
    let held = capabilities(None).map_err(step(CAPABILITIES_STAY))?;
    if !held.effective.contains(CapabilitySet::SETPCAP) {
        return Ok(());
    }
    for capability in CapabilitySet::all().iter() {
        match remove_capability_from_bounding_set(capability) {
            // This kernel does not know it.
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            Err(error) => return Err(step(CAPABILITIES_STAY)(error)),
        }
    }
    Ok(())
}

/// Gives up every capability for good.
fn drop_rights() -> Result<(), SealError> {
    let what = CAPABILITIES_STAY;
    empty_bounding_set()?;
    clear_ambient_capability_set().map_err(step(what))?;
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, none).map_err(step(what))
}

/// Gives this process the descriptors a sealed one has.
///
/// # Errors
/// The system refuses.
pub fn limit_descriptors() -> rustix::io::Result<()> {
    exactly(Resource::Nofile, DESCRIPTORS_MAX)
}

pub(super) fn exactly(resource: Resource, most: u64) -> rustix::io::Result<()> {
    let hard = getrlimit(resource).maximum;
    let most = hard.map_or(most, |hard| hard.min(most));
    let limit = Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    setrlimit(resource, limit)
}

/// Bytes this process may write already: stacks for all guests there may be are among it.
fn written_memory() -> Result<u64, SealError> {
    let text = std::fs::read_to_string("/proc/self/status")
        .map_err(step("/proc/self/status cannot be read"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmData:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes
        .map(|count| count << 10)
        .ok_or(io::ErrorKind::InvalidData.into())
        .map_err(step::<io::Error>(
            "/proc/self/status does not say what is used",
        ))
}

fn limit(terms: &Terms, written: u64) -> Result<(), SealError> {
    let what = "it cannot have limits";
    let exactly = |resource, most| exactly(resource, most).map_err(step(what));
    exactly(Resource::Core, 0)?;
    exactly(Resource::Nofile, DESCRIPTORS_MAX)?;
    exactly(Resource::Memlock, 0)?;
    if !terms.plan.groups {
        // Address space is no measure: a pool of guests reserves terabytes of it.
        exactly(Resource::Data, written.saturating_add(terms.memory_bytes))?;
        if terms.plan.namespaces {
            // Counted in its own user namespace; outside one it would count other programs.
            exactly(Resource::Nproc, THREADS_MAX)?;
        }
    }
    Ok(())
}
