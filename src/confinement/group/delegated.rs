//! Tests: a group of version 2 that is delegated to this program, as a service gets one.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "says that it is skipped, starts itself in a group of its own, and children that only wait"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::process::Command;

use super::hierarchy::{Hierarchy, control, removed};
use super::mounted::{Place, Version};

const NAME: &str = "confinement::group::delegated::what_is_handed_on_is_handed_back";
/// Tell the process that this test starts the group it is in, a controller that it may hand on,
/// and whether other programs run there.
const AROUND: &str = "HOTCELL_TEST_GROUP";
const CONTROLLER: &str = "HOTCELL_TEST_CONTROLLER";
const BESIDE: &str = "HOTCELL_TEST_BESIDE";
/// Any will do. The first that version 2 has here is taken.
const CONTROLLERS: [&str; 5] = ["pids", "hugetlb", "misc", "rdma", "io"];

/// A group of version 2 below the top, as a service gets one.
struct Delegated {
    top: PathBuf,
    folder: PathBuf,
    controller: &'static str,
    handed_on: bool,
}

impl Delegated {
    fn make() -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let mount = mounts.lines().find(|line| line.contains(" - cgroup2 "))?;
        let top = PathBuf::from(mount.split(' ').nth(4)?);
        let has = |name: &str, controller: &str| words(&top, name).contains(controller);
        let offered = |name: &&str| has("cgroup.controllers", name);
        let controller = CONTROLLERS.into_iter().find(offered)?;
        let handed_on = !has("cgroup.subtree_control", controller);
        control(&top, '+', &[controller]).ok()?;
        let folder = top.join(format!("test-of-hotcell-{}", std::process::id()));
        fs::create_dir(&folder).ok()?;
        Some(Self {
            top,
            folder,
            controller,
            handed_on,
        })
    }

    /// Has this test go on inside it.
    fn enter(&self, beside: &str) {
        let status = Command::new("sh")
            .args(["-c", "echo $$ > \"$0/cgroup.procs\" && exec \"$@\""])
            .arg(&self.folder)
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env(AROUND, &self.folder)
            .env(CONTROLLER, self.controller)
            .env(BESIDE, beside)
            .status()
            .unwrap();
        assert!(status.success());
    }
}

impl Drop for Delegated {
    fn drop(&mut self) {
        let _left = fs::remove_dir(&self.folder);
        if self.handed_on {
            let _used = control(&self.top, '-', &[self.controller]);
        }
    }
}

fn words(folder: &Path, name: &str) -> String {
    let text = fs::read_to_string(folder.join(name)).unwrap_or_default();
    text.trim().to_owned()
}

fn sits_in(process: u32, folder: &Path) -> bool {
    let list = words(folder, "cgroup.procs");
    list.lines().any(|line| line == process.to_string())
}

fn waits() -> Child {
    Command::new("sleep").arg("60").spawn().unwrap()
}

/// In a group of its own, with a child that was there before.
fn inside(around: &Path) {
    let beside = std::env::var(BESIDE).unwrap();
    let controller = std::env::var(CONTROLLER).unwrap();
    let known = CONTROLLERS.into_iter().find(|name| *name == controller);
    let place = Place {
        version: Version::Two,
        controllers: vec![known.unwrap()],
        folder: around.to_owned(),
    };
    let mut child = waits();
    let both = [std::process::id(), child.id()];
    let sit_in = |folder: &Path| both.iter().all(|process| sits_in(*process, folder));
    let made = Hierarchy::make(place, "hotcell-0-0");
    match (beside.is_empty(), made) {
        (true, made) => {
            let made = made.unwrap();
            assert_eq!(words(around, "cgroup.subtree_control"), controller);
            assert_eq!(words(&made.folder, "cgroup.subtree_control"), controller);
            assert!(sit_in(&made.folder.join("broker")));
            fs::create_dir(made.folder.join("cell-0")).unwrap();
        }
        (false, Ok(_)) => panic!("handed on beside others"),
        (false, Err(reason)) => assert!(reason.contains("other programs"), "{reason}"),
    }
    assert!(!around.join("hotcell-0-0").exists());
    assert_eq!(words(around, "cgroup.subtree_control"), "");
    assert!(sit_in(around));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_is_handed_on_is_handed_back() {
    if let Some(around) = std::env::var_os(AROUND) {
        return inside(Path::new(&around));
    }
    let Some(delegated) = Delegated::make() else {
        eprintln!("skipped: no group of version 2 can be made here");
        return;
    };
    delegated.enter("");
    let mut other = waits();
    let list = delegated.folder.join("cgroup.procs");
    fs::write(list, other.id().to_string()).unwrap();
    delegated.enter("another");
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(removed(&delegated.folder));
}
