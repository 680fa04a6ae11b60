//! Where the kernel shows cgroups, and which of them this program is in.

use std::fs;
use std::path::{Path, PathBuf};

/// How groups are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

/// The group this program is in, in one hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) version: Version,
    /// Those that are wanted of this hierarchy.
    pub(super) controllers: Vec<&'static str>,
    pub(super) folder: PathBuf,
}

impl Place {
    pub(super) fn has(&self, controller: &str) -> bool {
        self.controllers.contains(&controller)
    }
}

/// The hierarchies that limit memory and processes, from the kernel's two lists.
pub(super) fn places(mounts: &str, own: &str) -> Result<Vec<Place>, String> {
    let mut found: Vec<Place> = Vec::new();
    for controller in ["memory", "pids"] {
        let second = in_version_two(mounts, own, controller);
        let place = second.or_else(|| in_version_one(mounts, own, controller));
        let Some((version, folder)) = place else {
            return Err(format!(
                "the controller `{controller}` is in no cgroup hierarchy that is mounted"
            ));
        };
        match found.iter_mut().find(|known| known.folder == folder) {
            Some(known) => known.controllers.push(controller),
            None => found.push(Place {
                version,
                controllers: vec![controller],
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
        let found = places(ONE, own).unwrap();
        let folders: Vec<_> = found.iter().map(|place| place.folder.as_path()).collect();
        assert_eq!(
            folders,
            [
                Path::new("/sys/fs/cgroup/memory/a/b"),
                Path::new("/sys/fs/cgroup/pids")
            ]
        );
        assert!(found[0].has("memory") && !found[0].has("pids"));
        assert!(!found[1].has("memory") && found[1].has("pids"));
    }

    #[test]
    fn a_container_sees_its_own_group_as_the_top_of_the_mount() {
        let mounts = "1 0 0:1 /docker/x /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n\
            1 0 0:1 /docker/x /sys/fs/cgroup/pids ro - cgroup cgroup rw,pids\n";
        let found = places(mounts, "8:pids:/docker/x\n4:memory:/docker/x\n").unwrap();
        assert_eq!(found[0].folder, Path::new("/sys/fs/cgroup/memory/"));
    }

    #[test]
    fn a_controller_that_is_nowhere_is_named() {
        let error = places(ONE, "4:memory:/\n0::/\n").unwrap_err();
        assert!(error.contains("`pids`"), "{error}");
    }
}
