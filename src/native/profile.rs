//! What the profiles of native rules mean, as data: each line with the reason it is there.

use std::path::Path;

use crate::confinement::tree::{Place, Shows};
use crate::policy::{Access, NativeStart, Profile};

/// What a profile gives and takes.
#[derive(Debug)]
pub(super) struct Recipe {
    /// Whatever it sees may be started, and what it makes; otherwise the program and its helpers.
    pub(super) starts_all: bool,
    /// Files of a pid namespace in `/proc`.
    pub(super) processes: bool,
    /// Variables, each with its reason.
    pub(super) environment: &'static [(&'static str, &'static str, &'static str)],
    /// Names that policies protect and this program may change all the same.
    pub(super) may_change: &'static [&'static str],
    /// Below one of those: names it may not change in a folder that was there before.
    pub(super) keeps: &'static [&'static str],
    /// Below one of those: names that may not be made, not even in a new folder.
    pub(super) never: &'static [&'static str],
    pub(super) memory_bytes: u64,
    pub(super) processes_max: u64,
    pub(super) cpu_ms: u64,
    pub(super) tmp_bytes: u64,
}

const PLAIN: Recipe = Recipe {
    starts_all: false,
    processes: false,
    environment: &[],
    may_change: &[],
    keeps: &[],
    never: &[],
    memory_bytes: 1 << 30,
    processes_max: 64,
    cpu_ms: 120_000,
    tmp_bytes: 64 << 20,
};

const GIT: Recipe = Recipe {
    environment: &[
        ("GIT_CONFIG_NOSYSTEM", "1", "no configuration of the host"),
        (
            "GIT_CONFIG_GLOBAL",
            "/dev/null",
            "no configuration of a user",
        ),
        ("GIT_ATTR_NOSYSTEM", "1", "no attributes of the host"),
        ("GIT_TEMPLATE_DIR", "", "a new repository has no hooks"),
        ("GIT_TERMINAL_PROMPT", "0", "nobody is there to answer"),
        ("GIT_PAGER", "cat", "no program shows the output"),
        ("GIT_EDITOR", "false", "no program asks for a message"),
    ],
    may_change: &[".git"],
    keeps: &[
        "config",                  // filters, drivers, signing programs, other work trees
        "config.worktree",         // the same
        "commondir",               // another repository
        "gitdir",                  // another work tree
        "info/attributes",         // what is given to filters
        "objects/info/alternates", // another repository's objects
        "modules",                 // repositories of submodules, each with a configuration
        "worktrees",               // other work trees
    ],
    never: &[
        "hooks", // programs that git runs
    ],
    ..PLAIN
};

const BUILD: Recipe = Recipe {
    starts_all: true,
    processes: true,
    environment: &[
        (
            "CARGO_NET_OFFLINE",
            "true",
            "there is no network: say so instead of waiting",
        ),
        (
            "CARGO_HOME",
            "/tmp/cargo",
            "no configuration and no tokens of a user",
        ),
        ("npm_config_offline", "true", "there is no network"),
        ("npm_config_cache", "/tmp/npm", "no configuration of a user"),
        ("npm_config_update_notifier", "false", "there is no network"),
        ("PIP_NO_INDEX", "1", "there is no network"),
        (
            "PIP_CONFIG_FILE",
            "/dev/null",
            "no configuration of host and user",
        ),
        ("PYTHONNOUSERSITE", "1", "no modules of a user"),
        (
            "PYTHONDONTWRITEBYTECODE",
            "1",
            "what is written is thrown away",
        ),
    ],
    memory_bytes: 4 << 30,
    processes_max: 512,
    cpu_ms: 600_000,
    tmp_bytes: 1 << 30,
    ..PLAIN
};

/// What a profile means.
pub(super) fn recipe(profile: Profile) -> &'static Recipe {
    match profile {
        Profile::Plain => &PLAIN,
        Profile::Git => &GIT,
        Profile::Build => &BUILD,
    }
}

/// What every native program finds in its environment before its profile and rule add to it.
pub(super) const ENVIRONMENT: &[(&str, &str)] = &[
    ("HOME", "/tmp/home"),
    ("USER", "agent"),
    ("LOGNAME", "agent"),
    ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    ("LANG", "C.UTF-8"),
    ("TZ", "UTC"),
    ("TERM", "dumb"),
    ("TMPDIR", "/tmp"),
    ("PAGER", "cat"),
    ("LESSSECURE", "1"),
];

/// Folders of the host that hold programs and libraries and no secrets.
const SYSTEM: &[&str] = &[
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
];
/// Folders with libraries: mapped as code by programs that start, which a folder of programs is not.
const LIBRARIES: &[&str] = &[
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libx32",
    "/usr/local/lib",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
];
/// Files of `/etc` that the loader and names of programs need.
const SETTINGS: &[&str] = &["/etc/ld.so.cache", "/etc/alternatives"];
/// Devices without a state that anybody shares.
const DEVICES: &[&str] = &[
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
];
/// Programs that the kernel starts to load others.
const LOADERS: &[&str] = &[
    "/lib64/ld-linux-x86-64.so.2",
    "/lib/ld-linux.so.2",
    "/lib/ld-linux-aarch64.so.1",
    "/lib/ld-musl-x86_64.so.1",
    "/lib/ld-musl-aarch64.so.1",
];
/// Who there is.
const USERS: &str =
    "root:x:0:0:root:/:/usr/sbin/nologin\nagent:x:1000:1000:agent:/tmp/home:/usr/sbin/nologin\n";
const GROUPS: &str = "root:x:0:\nagent:x:1000:\n";

/// The programs that load others, as far as they are here.
pub(super) fn loaders() -> impl Iterator<Item = &'static Path> {
    let loaders = LOADERS.iter().map(Path::new);
    loaders.filter(|path| path.exists())
}

/// What of the host every native program sees.
pub(super) fn system_places(recipe: &Recipe) -> Vec<Place> {
    let mut places = Vec::new();
    let mut add = |at: &str, shows| {
        let at = at.to_owned();
        places.push(Place { at, shows });
    };
    let system = |path: &str, executable| Shows::System {
        path: path.into(),
        executable,
    };
    for path in SYSTEM {
        match std::fs::read_link(path) {
            Ok(target) => add(path, Shows::Link(target.to_string_lossy().into_owned())),
            Err(_) if Path::new(path).is_dir() => add(path, system(path, recipe.starts_all)),
            Err(_) => {}
        }
    }
    if !recipe.starts_all {
        let is_folder =
            |path: &&&str| std::fs::symlink_metadata(path).is_ok_and(|about| about.is_dir());
        for path in LIBRARIES.iter().filter(is_folder) {
            add(path, system(path, true));
        }
    }
    for path in SETTINGS.iter().filter(|path| Path::new(path).exists()) {
        add(path, system(path, false));
    }
    add("/etc/passwd", Shows::Text(USERS.into()));
    add("/etc/group", Shows::Text(GROUPS.into()));
    for path in DEVICES {
        add(path, Shows::Device(path.into()));
    }
    if recipe.processes {
        add("/proc", Shows::Processes);
        add("/dev/fd", Shows::Link("/proc/self/fd".to_owned()));
        add("/dev/stdin", Shows::Link("/proc/self/fd/0".to_owned()));
        add("/dev/stdout", Shows::Link("/proc/self/fd/1".to_owned()));
        add("/dev/stderr", Shows::Link("/proc/self/fd/2".to_owned()));
        let bytes = recipe.tmp_bytes;
        let executable = false;
        add("/dev/shm", Shows::Memory { bytes, executable });
    }
    let (bytes, executable) = (recipe.tmp_bytes, recipe.starts_all);
    add("/tmp", Shows::Memory { bytes, executable });
    places
}

/// What a start does with the workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Workspace {
    Reads,
    /// Its changes are taken over when it succeeded in not breaking a rule.
    Changes,
    /// Its changes are thrown away.
    Discards,
}

/// What a start does with a workspace that calls have this access to.
pub(super) fn workspace(start: &NativeStart, access: Access) -> Workspace {
    match (start.profile, start.access.min(access)) {
        (Profile::Build, _) => Workspace::Discards,
        (Profile::Plain | Profile::Git, Access::ReadOnly) => Workspace::Reads,
        (Profile::Plain | Profile::Git, Access::ReadWrite) => Workspace::Changes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_place_stands_before_the_one_it_lies_in() {
        for profile in [Profile::Plain, Profile::Git, Profile::Build] {
            let places = system_places(recipe(profile));
            for (number, place) in places.iter().enumerate() {
                let later = places.iter().skip(number + 1);
                let inside = |other: &&Place| place.at.starts_with(&format!("{}/", other.at));
                assert_eq!(later.filter(inside).count(), 0, "{}", place.at);
            }
            assert!(places.iter().any(|place| place.at == "/usr"));
        }
    }
}
