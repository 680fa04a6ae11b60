//! What a server and its cells may leave on a machine, looked for from outside.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::process::{Server, eventually};

/// A line of `/proc/PID/status`.
pub(crate) fn status(process: u32, field: &str) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    Some(line.trim_start_matches(':').trim().to_owned())
}

/// It has a session: spares have no filter yet.
pub(crate) fn is_sealed(process: u32) -> bool {
    status(process, "Seccomp").is_some_and(|mode| mode == "2")
}

/// It is a cell still, not another process of the same number.
pub(crate) fn is_cell(process: u32) -> bool {
    let line = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    let is_cell = line.split(|&byte| byte == 0).nth(1) == Some(b"cell");
    is_cell && status(process, "State").is_some_and(|state| !state.starts_with('Z'))
}

/// Every file below a state folder but those of workspaces.
fn files(state: &Path) -> BTreeSet<PathBuf> {
    let (mut found, mut left) = (BTreeSet::new(), vec![state.to_owned()]);
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                true if entry.file_name() == "workspace" => {}
                true => left.push(entry.path()),
                false => _ = found.insert(entry.path()),
            }
        }
    }
    found
}

/// Folders of cgroups that a server made.
pub(crate) fn groups(server: u32) -> Vec<PathBuf> {
    let ours = format!("hotcell-{server}-");
    let (mut found, mut left) = (Vec::new(), vec![PathBuf::from("/sys/fs/cgroup")]);
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            if entry.file_name().to_string_lossy().starts_with(&ours) {
                found.push(entry.path());
            }
            left.push(entry.path());
        }
    }
    found
}

fn attack_folders() -> BTreeSet<PathBuf> {
    let entries = std::fs::read_dir("/tmp").into_iter().flatten().flatten();
    let ours = |path: &PathBuf| path.to_string_lossy().contains("hotcell-attack-");
    entries.map(|entry| entry.path()).filter(ours).collect()
}

/// What must be gone when a server is.
pub(crate) struct Traces {
    server: u32,
    cells: BTreeSet<u32>,
    mounts: String,
    attacks: BTreeSet<PathBuf>,
    files: BTreeSet<PathBuf>,
}

impl Traces {
    pub(crate) fn before() -> Self {
        Self {
            server: 0,
            cells: BTreeSet::new(),
            mounts: std::fs::read_to_string("/proc/self/mountinfo").unwrap(),
            attacks: attack_folders(),
            files: BTreeSet::new(),
        }
    }

    pub(crate) fn look(&mut self, server: &Server) -> BTreeSet<u32> {
        let cells = server.cells();
        for cell in &cells {
            if let Some(parent) = status(*cell, "PPid") {
                self.server = parent.parse().unwrap();
            }
        }
        self.cells.extend(&cells);
        cells
    }

    /// Takes what files there are now for all that may be there at the end, workspaces aside.
    pub(crate) fn may_keep(&mut self, state: &Path) {
        self.files = files(state);
    }

    pub(crate) fn are_gone(&self, state: &Path) {
        assert_ne!(self.server, 0, "no cell was seen");
        eventually("cells end", || {
            !self.cells.iter().any(|cell| is_cell(*cell))
        });
        eventually("cgroups go", || groups(self.server).is_empty());
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let new: Vec<_> = mounts
            .lines()
            .filter(|line| !self.mounts.contains(line.split(" - ").next().unwrap()))
            .filter(|line| line.contains(&*state.to_string_lossy()) || line.contains("tmpfs / "))
            .collect();
        assert!(new.is_empty(), "mounts stay: {new:?}");
        let sockets = std::fs::read_to_string("/proc/net/unix").unwrap();
        assert!(!sockets.contains(&*state.to_string_lossy()), "{sockets}");
        if !self.files.is_empty() {
            let left: Vec<_> = files(state).difference(&self.files).cloned().collect();
            assert!(left.is_empty(), "files stay: {left:?}");
        }
        // Other suites may be attacking their own; those go as well.
        eventually("the self-attacks' folders go", || {
            attack_folders().difference(&self.attacks).next().is_none()
        });
    }
}
