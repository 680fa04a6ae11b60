//! Limits by cgroup: version 2, version 1, or one controller of each (hybrid), below the group this
//! program was started in.

#[cfg(test)]
mod delegated;
mod hierarchy;
mod mounted;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hierarchy::{Hierarchy, PREFIX, removed};

/// What a group limits.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Bytes of memory, swap included.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub processes: u64,
}

/// Times a group that still holds a dying process is tried to be removed.
const REMOVALS_MAX: u32 = 50;
/// Pause between two of them.
const REMOVAL_PAUSE: Duration = Duration::from_millis(10);

/// Makes groups for processes. Dropped, it leaves nothing behind.
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
        let list = |path: &str| {
            fs::read_to_string(path).map_err(|error| format!("{path} cannot be read ({error})"))
        };
        let own = list("/proc/self/cgroup")?;
        let found = mounted::places(&list("/proc/self/mountinfo")?, &own)?;
        static OPENED: AtomicU64 = AtomicU64::new(0);
        let opened = OPENED.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{opened}", std::process::id());
        let made = found.into_iter().map(|place| Hierarchy::make(place, &name));
        Ok(Self {
            hierarchies: made.collect::<Result<_, _>>()?,
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
                until_gone(&folder, || {
                    let is_gone = removed(&folder);
                    if !is_gone {
                        let _not_there = fs::write(folder.join("cgroup.kill"), "1");
                    }
                    is_gone
                });
            }
        });
    }
}

/// Tries again while processes that were killed a moment ago are leaving.
fn until_gone(folder: &Path, mut remove: impl FnMut() -> bool) {
    for _ in 0..REMOVALS_MAX {
        if remove() {
            return;
        }
        std::thread::sleep(REMOVAL_PAUSE);
    }
    if !remove() {
        tracing::warn!(folder = %folder.display(), "a cgroup stays behind");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
