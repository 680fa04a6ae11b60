//! Limits by cgroup: version 2, version 1, or one controller of each (hybrid), below the group this
//! program was started in.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a group limits.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Bytes of memory, swap included.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub processes: u64,
}

/// What folders of ours begin with; the number of the process that made it follows.
const PREFIX: &str = "hotcell-";
/// Times a group that still holds a dying process is tried to be removed.
const REMOVALS_MAX: u32 = 50;
/// Pause between two of them.
const REMOVAL_PAUSE: Duration = Duration::from_millis(10);

/// A controller and how its groups are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// A hierarchy with a folder of ours in it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hierarchy {
    version: Version,
    memory: bool,
    processes: bool,
    /// Our folder; the groups of cells are made in it.
    folder: PathBuf,
}

/// Makes groups for processes.
#[derive(Debug)]
pub struct Groups {
    hierarchies: Vec<Hierarchy>,
    made: AtomicU64,
}

impl Groups {
    /// Finds where groups can be made, and makes a folder there.
    ///
    /// # Errors
    /// A text for the operator: which controller cannot be had and why.
    pub fn open() -> Result<Self, String> {
        let mounts = fs::read_to_string("/proc/self/mountinfo")
            .map_err(|error| format!("/proc/self/mountinfo cannot be read ({error})"))?;
        let own = fs::read_to_string("/proc/self/cgroup")
            .map_err(|error| format!("/proc/self/cgroup cannot be read ({error})"))?;
        let found = hierarchies(&mounts, &own)?;
        static OPENED: AtomicU64 = AtomicU64::new(0);
        let opened = OPENED.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{opened}", std::process::id());
        let mut hierarchies = Vec::new();
        for mut hierarchy in found {
            hierarchy.prepare(&name)?;
            hierarchies.push(hierarchy);
        }
        Ok(Self {
            hierarchies,
            made: AtomicU64::new(0),
        })
    }

    /// Makes a group.
    ///
    /// # Errors
    /// The kernel refuses it or one of its limits.
    pub fn make(&self, bounds: Bounds) -> io::Result<Group> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let mut group = Group {
            folders: Vec::new(),
        };
        for hierarchy in &self.hierarchies {
            let folder = hierarchy.folder.join(format!("cell-{number}"));
            fs::create_dir(&folder)?;
            group.folders.push(folder.clone()); // dropped on an error, it goes again
            hierarchy.bound(&folder, bounds)?;
        }
        Ok(group)
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        for hierarchy in &self.hierarchies {
            if hierarchy.version == Version::Two {
                // We may sit in a group of our own there.
                let back = hierarchy
                    .folder
                    .parent()
                    .map(|parent| parent.join("cgroup.procs"));
                let us = std::process::id().to_string();
                let _still_there = back.map(|back| fs::write(back, us));
            }
            // Processes that were killed a moment ago may still be leaving.
            let mut tries = 0;
            while !remove_all(&hierarchy.folder) && tries < REMOVALS_MAX {
                std::thread::sleep(REMOVAL_PAUSE);
                tries += 1;
            }
        }
    }
}

/// The group of one process; dropped, it is removed with whatever still runs in it.
#[derive(Debug)]
pub struct Group {
    folders: Vec<PathBuf>,
}

impl Group {
    /// Puts a process into the group.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn take(&self, process: rustix::process::Pid) -> io::Result<()> {
        let number = process.as_raw_nonzero().to_string();
        for folder in &self.folders {
            fs::write(folder.join("cgroup.procs"), &number)?;
        }
        Ok(())
    }

    /// Whether the kernel has killed a process of it for its memory.
    pub fn ran_out_of_memory(&self) -> bool {
        self.folders.iter().any(|folder| {
            ["memory.events", "memory.oom_control"].iter().any(|name| {
                let text = fs::read_to_string(folder.join(name)).unwrap_or_default();
                let kills = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
                kills.is_some_and(|kills| kills.trim() != "0")
            })
        })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let folders = std::mem::take(&mut self.folders);
        let left: Vec<_> = folders
            .into_iter()
            .filter(|folder| !removed(folder))
            .collect();
        if left.is_empty() {
            return;
        }
        // A process that was killed takes a moment to leave.
        let remover = std::thread::Builder::new().name("groups".to_owned());
        let _not_started = remover.spawn(move || {
            for folder in left {
                let mut tries = 0;
                while !removed(&folder) && tries < REMOVALS_MAX {
                    let _not_there = fs::write(folder.join("cgroup.kill"), "1");
                    std::thread::sleep(REMOVAL_PAUSE);
                    tries += 1;
                }
                if tries == REMOVALS_MAX {
                    tracing::warn!(folder = %folder.display(), "a cgroup stays behind");
                }
            }
        });
    }
}

fn removed(folder: &Path) -> bool {
    match fs::remove_dir(folder) {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Removes what programs left that were killed.
fn sweep(own: &Path) {
    for entry in fs::read_dir(own).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let maker = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split('-').next());
        let gone = |maker: &str| !Path::new("/proc").join(maker).exists();
        if maker.is_some_and(gone) {
            remove_all(&entry.path());
        }
    }
}

/// Answers whether nothing of it is left.
fn remove_all(folder: &Path) -> bool {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        // What is not a group cannot be removed, and goes with its group.
        let _file = fs::remove_dir(entry.path());
    }
    removed(folder)
}

impl Hierarchy {
    fn prepare(&mut self, name: &str) -> Result<(), String> {
        let own = self.folder.clone();
        sweep(&own);
        self.folder = own.join(name);
        // Left by a program of the same number.
        remove_all(&self.folder);
        let cannot = |what: &str, error: io::Error| {
            format!(
                "{what} below the cgroup `{}` ({error}); start as root, or as a service with Delegate=yes",
                own.display()
            )
        };
        fs::create_dir(&self.folder).map_err(|error| cannot("no group can be made", error))?;
        if self.version == Version::One {
            return Ok(());
        }
        let enabled = self.enable(&own);
        if enabled.is_err() {
            remove_all(&self.folder);
        }
        enabled.map_err(|error| cannot("no controller can be handed on", error))
    }

    /// In version 2 only groups without processes of their own hand controllers on.
    fn enable(&self, own: &Path) -> io::Result<()> {
        let controllers = match (self.memory, self.processes) {
            (true, true) => "+memory +pids",
            (true, false) => "+memory",
            (false, _) => "+pids",
        };
        let is_top = !own.join("cgroup.type").exists();
        if !is_top {
            let broker = self.folder.join("broker");
            fs::create_dir(&broker)?;
            fs::write(broker.join("cgroup.procs"), std::process::id().to_string())?;
        }
        fs::write(own.join("cgroup.subtree_control"), controllers)?;
        fs::write(self.folder.join("cgroup.subtree_control"), controllers)
    }

    fn bound(&self, folder: &Path, bounds: Bounds) -> io::Result<()> {
        let write = |name: &str, value: u64| fs::write(folder.join(name), value.to_string());
        let absent_is_fine = |result: io::Result<()>| match result {
            // Kernels can be built without accounting of swap.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        };
        match (self.memory, self.version) {
            (false, _) => {}
            (true, Version::Two) => {
                write("memory.max", bounds.memory_bytes)?;
                absent_is_fine(write("memory.swap.max", 0))?;
                absent_is_fine(write("memory.oom.group", 1))?;
            }
            (true, Version::One) => {
                write("memory.limit_in_bytes", bounds.memory_bytes)?;
                absent_is_fine(write("memory.memsw.limit_in_bytes", bounds.memory_bytes))?;
            }
        }
        if self.processes {
            write("pids.max", bounds.processes)?;
        }
        Ok(())
    }
}

/// The hierarchies that limit memory and processes, from the kernel's two lists.
fn hierarchies(mounts: &str, own: &str) -> Result<Vec<Hierarchy>, String> {
    let mut found: Vec<Hierarchy> = Vec::new();
    for controller in ["memory", "pids"] {
        let second = in_version_two(mounts, own, controller);
        let place = second.or_else(|| in_version_one(mounts, own, controller));
        let Some((version, folder)) = place else {
            return Err(format!(
                "the controller `{controller}` is in no cgroup hierarchy that is mounted"
            ));
        };
        let is_memory = controller == "memory";
        match found.iter_mut().find(|known| known.folder == folder) {
            Some(known) => known.processes |= !is_memory,
            None => found.push(Hierarchy {
                version,
                memory: is_memory,
                processes: !is_memory,
                folder,
            }),
        }
    }
    Ok(found)
}

fn in_version_two(mounts: &str, own: &str, controller: &str) -> Option<(Version, PathBuf)> {
    let group = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    let folder = mounted(mounts, group, |kind, _| kind == "cgroup2")?;
    let offered = fs::read_to_string(folder.join("cgroup.controllers")).ok()?;
    let offers = offered.split_whitespace().any(|name| name == controller);
    offers.then_some((Version::Two, folder))
}

fn in_version_one(mounts: &str, own: &str, controller: &str) -> Option<(Version, PathBuf)> {
    let has = |list: &str| list.split(',').any(|name| name == controller);
    let group = own.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let controllers = parts.next()?;
        has(controllers).then(|| parts.next()).flatten()
    })?;
    let folder = mounted(mounts, group, |kind, options| {
        kind == "cgroup" && has(options)
    })?;
    Some((Version::One, folder))
}

/// Where `group` is found in the first mount that fits.
fn mounted(mounts: &str, group: &str, fits: impl Fn(&str, &str) -> bool) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let mut after = after.split(' ');
        let (kind, options) = (after.next()?, after.nth(1)?);
        if !fits(kind, options) {
            return None;
        }
        let mut before = before.split(' ').skip(3);
        let (top, place) = (before.next()?, before.next()?);
        // In a container the mount's top is the container's group.
        let below = group.strip_prefix(top.trim_end_matches('/')).unwrap_or("");
        Some(Path::new(place).join(below.trim_start_matches('/')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
        39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n\
        41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";

    #[test]
    fn version_one_and_hybrid_trees_are_found_where_this_program_is() {
        let own = "8:pids:/\n4:memory:/a/b\n0::/\n";
        let found = hierarchies(ONE, own).unwrap();
        let folders: Vec<_> = found.iter().map(|h| h.folder.as_path()).collect();
        assert_eq!(
            folders,
            [
                Path::new("/sys/fs/cgroup/memory/a/b"),
                Path::new("/sys/fs/cgroup/pids")
            ]
        );
        assert!(found[0].memory && !found[0].processes);
        assert!(!found[1].memory && found[1].processes);
    }

    #[test]
    fn a_container_sees_its_own_group_as_the_top_of_the_mount() {
        let mounts = "1 0 0:1 /docker/x /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n\
            1 0 0:1 /docker/x /sys/fs/cgroup/pids ro - cgroup cgroup rw,pids\n";
        let found = hierarchies(mounts, "8:pids:/docker/x\n4:memory:/docker/x\n").unwrap();
        assert_eq!(found[0].folder, Path::new("/sys/fs/cgroup/memory/"));
    }

    #[test]
    fn a_controller_that_is_nowhere_is_named() {
        let error = hierarchies(ONE, "4:memory:/\n0::/\n").unwrap_err();
        assert!(error.contains("`pids`"), "{error}");
    }

    /// With groups that cannot be made this says so and ends: `tests/walls.rs` asserts more.
    #[test]
    fn a_group_bounds_and_goes() {
        let groups = match Groups::open() {
            Ok(groups) => groups,
            Err(reason) => {
                assert!(!reason.is_empty());
                return;
            }
        };
        let bounds = Bounds {
            memory_bytes: 64 << 20,
            processes: 7,
        };
        let group = groups.make(bounds).unwrap();
        let folders = group.folders.clone();
        let told = folders.iter().any(|folder| {
            fs::read_to_string(folder.join("pids.max")).is_ok_and(|text| text.trim() == "7")
        });
        assert!(told, "{folders:?}");
        drop(group);
        assert!(folders.iter().all(|folder| !folder.exists()));
    }
}
