//! One hierarchy of cgroups, with a folder of ours in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::mounted::{Place, Version};
use super::{Bounds, until_gone};

/// What folders of ours begin with; the number of the process that made it follows.
pub(super) const PREFIX: &str = "hotcell-";
/// Times our processes are moved out of the way: one that starts a child may be a moment ahead.
const MOVES_MAX: u32 = 50;
/// Most parents that are looked at to find out whose child a process is.
const PARENTS_MAX: u32 = 64;

/// Our folder in a hierarchy; the groups of cells are made in it. Dropped, it is removed, and the
/// group around it is as it was.
#[derive(Debug)]
pub(super) struct Hierarchy {
    place: Place,
    pub(super) folder: PathBuf,
    /// Controllers that the group around it handed on to nobody before.
    handed_on: Vec<&'static str>,
    /// Where our own processes sit, if they had to leave the group around it.
    seat: Option<PathBuf>,
}

impl Hierarchy {
    /// Makes a folder of that name.
    ///
    /// # Errors
    /// A text for the operator; nothing is left then.
    pub(super) fn make(place: Place, name: &str) -> Result<Self, String> {
        let around = place.folder.clone();
        sweep(&around);
        let cannot = |what: &str, error: io::Error| {
            let way_out = match busy(&error) {
                true => {
                    "other programs run in it; start this one as a service of its own with Delegate=yes"
                }
                false => "start as root, or as a service with Delegate=yes",
            };
            let around = around.display();
            format!("{what} below the cgroup `{around}` ({error}); {way_out}")
        };
        let folder = around.join(name);
        // Left by a program of the same number.
        remove_all(&folder);
        fs::create_dir(&folder).map_err(|error| cannot("no group can be made", error))?;
        let mut made = Self {
            place,
            folder,
            handed_on: Vec::new(),
            seat: None,
        };
        if made.place.version == Version::Two {
            made.hand_on()
                .map_err(|error| cannot("no controller can be handed on", error))?;
        }
        Ok(made)
    }

    /// In version 2 only groups without processes of their own hand controllers on, so ours go
    /// into one beside those of cells.
    fn hand_on(&mut self) -> io::Result<()> {
        let around = &self.place.folder;
        let known = fs::read_to_string(around.join("cgroup.subtree_control"))?;
        let is_known = |name: &str| known.split_whitespace().any(|known| known == name);
        let controllers = self.place.controllers.iter().copied();
        let lacking: Vec<_> = controllers.filter(|name| !is_known(name)).collect();
        let is_top = !around.join("cgroup.type").exists();
        if !is_top {
            let seat = self.folder.join("broker");
            fs::create_dir(&seat)?;
            self.seat = Some(seat);
        }
        let mut moves = 0;
        loop {
            if let Some(seat) = &self.seat {
                move_ours(around, seat)?;
            }
            moves += 1;
            match control(around, '+', &lacking) {
                Err(error) if busy(&error) && moves < MOVES_MAX && has_ours(around) => {}
                other => break other?,
            }
        }
        self.handed_on = lacking;
        control(&self.folder, '+', &self.place.controllers)
    }

    /// Undoes [`Self::hand_on`].
    fn hand_back(&self) -> io::Result<()> {
        let around = &self.place.folder;
        // Never handed on, perhaps.
        let _was_not = control(&self.folder, '-', &self.place.controllers);
        // Another's group beside ours may have limits by now, and would lose them.
        if groups_in(around) <= 1 {
            let _was_not = control(around, '-', &self.handed_on);
        }
        match &self.seat {
            Some(seat) => move_ours(seat, around),
            None => Ok(()),
        }
    }

    /// Sets the limits of a group in our folder.
    ///
    /// # Errors
    /// The kernel refuses one.
    pub(super) fn bound(&self, folder: &Path, bounds: Bounds) -> io::Result<()> {
        let write = |name: &str, value: u64| fs::write(folder.join(name), value.to_string());
        let absent_is_fine = |result: io::Result<()>| match result {
            // Kernels can be built without accounting of swap.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        };
        match (self.place.has("memory"), self.place.version) {
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
        if self.place.has("pids") {
            write("pids.max", bounds.processes)?;
        }
        Ok(())
    }
}

impl Drop for Hierarchy {
    fn drop(&mut self) {
        let folder = self.folder.display();
        if self.place.version == Version::Two
            && let Err(error) = self.hand_back()
        {
            tracing::warn!(%folder, %error, "this program stays in a cgroup of its own, which stays behind");
            return;
        }
        until_gone(&self.folder, || remove_all(&self.folder));
    }
}

fn groups_in(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .count()
}

fn busy(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::BUSY.raw_os_error())
}

/// Hands controllers on to the groups below (`+`), or no longer (`-`).
pub(super) fn control(folder: &Path, sign: char, controllers: &[&str]) -> io::Result<()> {
    if controllers.is_empty() {
        return Ok(());
    }
    let words: Vec<_> = controllers
        .iter()
        .map(|name| format!("{sign}{name}"))
        .collect();
    fs::write(folder.join("cgroup.subtree_control"), words.join(" "))
}

/// Processes in a group that are this one or children of it.
fn ours(folder: &Path) -> io::Result<Vec<u32>> {
    let list = fs::read_to_string(folder.join("cgroup.procs"))?;
    let numbers = list.lines().filter_map(|line| line.parse().ok());
    Ok(numbers.filter(|process| is_ours(*process)).collect())
}

fn has_ours(folder: &Path) -> bool {
    ours(folder).is_ok_and(|ours| !ours.is_empty())
}

fn is_ours(process: u32) -> bool {
    let mut next = Some(process);
    for _ in 0..PARENTS_MAX {
        match next {
            Some(process) if process == std::process::id() => return true,
            Some(process) => next = parent(process),
            None => return false,
        }
    }
    false
}

fn parent(process: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    line.trim().parse().ok()
}

fn move_ours(from: &Path, to: &Path) -> io::Result<()> {
    for process in ours(from)? {
        match fs::write(to.join("cgroup.procs"), process.to_string()) {
            Err(error) if error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) => {} // ended
            other => other?,
        }
    }
    Ok(())
}

/// Answers whether nothing is there any more.
pub(super) fn removed(folder: &Path) -> bool {
    match fs::remove_dir(folder) {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Removes what programs left that were killed.
fn sweep(around: &Path) {
    for entry in fs::read_dir(around).into_iter().flatten().flatten() {
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
