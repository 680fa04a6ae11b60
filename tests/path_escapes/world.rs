//! What lies around a workspace, what lies in it, and the observer that sees every difference.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs,
    io::Read,
    os::unix::{
        ffi::OsStrExt,
        fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink},
        net::UnixListener,
    },
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

/// The text of every inside file; the twins of refused calls must find it.
pub const INSIDE: &str = "INSIDE-OK";

/// The text of the outside file that has a second name inside: that one may be read.
pub const SHARED: &str = "SHARED-BY-HARD-LINK";

/// How the names begin that the server itself makes and replaces.
const SERVERS: [&str; 4] = ["session", "state", "tokens", "audit"];

/// Largest file the observer reads.
const READ_MAX: u64 = 1 << 20;

/// Everything of one test on the host.
pub struct World {
    /// Where the workspace is.
    pub workspace: PathBuf,
    /// The folder that holds the workspace and the outside folders.
    pub around: PathBuf,
    top: PathBuf,
    /// In every outside file, in no request.
    pub canary: String,
    wall: Wall,
    /// The name of an outside file, in no request.
    leak: String,
    /// A name that only escaped calls create.
    pub planted: String,
    before: Snapshot,
    /// Names in the folders above, which calls must not add to.
    names: BTreeMap<PathBuf, BTreeSet<OsString>>,
    /// What the workspace held when it was last filled.
    filled: BTreeMap<PathBuf, Identity>,
}

/// What tells a path's file from another or a changed one.
type Identity = (u64, i64, i64);

/// Whether the build under test keeps calls inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wall {
    Stands,
    /// Then no link may lead further than this test's own folder, or its calls would read and
    /// change the machine's files.
    Removed,
}

type Snapshot = BTreeMap<PathBuf, String>;

/// Random hexadecimal text.
pub fn random() -> String {
    let mut bytes = [0; 12];
    fs::File::open("/dev/urandom")
        .and_then(|mut f| f.read_exact(&mut bytes))
        .expect("random");
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

impl World {
    /// Builds the outside of `workspace` within `top`, and fills the workspace.
    pub fn build(workspace: &Path, top: &Path, canary: String, wall: Wall) -> Self {
        let around = workspace.parent().expect("a parent").to_owned();
        let mut world = Self {
            workspace: workspace.to_owned(),
            around,
            top: top.to_owned(),
            canary,
            wall,
            leak: format!("leak-{}", random()),
            planted: format!("planted-{}", random()),
            before: Snapshot::new(),
            names: BTreeMap::new(),
            filled: BTreeMap::new(),
        };
        world.build_outside();
        world.plant();
        world.names = world.names_above();
        world
    }

    /// The outside folders: one to attack, and those whose names begin like the workspace's.
    pub fn outside_folders(&self) -> Vec<PathBuf> {
        let name = self
            .workspace
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let mut names = vec!["outside".to_owned()];
        names.extend(["_evil", "-evil", "2", ".bak", " "].map(|end| format!("{name}{end}")));
        names.push(name.to_uppercase());
        names.push(name[..name.len() - 1].to_owned());
        let mut folders: Vec<_> = names.iter().map(|name| self.around.join(name)).collect();
        folders.push(self.top.join("elsewhere"));
        folders
    }

    fn build_outside(&mut self) {
        for folder in self.outside_folders() {
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir_all(folder.join("deep")).expect("folder");
            fs::create_dir(folder.join("empty")).expect("folder");
            let text = format!("{} {}\n", self.canary, folder.display());
            for name in ["secret.txt", "deep/inner.txt", "script.sh", &self.leak] {
                fs::write(folder.join(name), &text).expect("file");
            }
            fs::set_permissions(folder.join("script.sh"), PermissionsExt::from_mode(0o755))
                .expect("mode");
            symlink("secret.txt", folder.join("link")).expect("link");
            fs::write(folder.join("shared.txt"), SHARED).expect("file");
        }
        self.before = self.snapshot();
    }

    /// Fills the workspace with what a hostile or careless neighbour leaves there, and removes
    /// everything else; what is there and unchanged stays.
    pub fn plant(&mut self) {
        let now = contents(&self.workspace);
        if !self.filled.is_empty() && self.filled == now {
            return;
        }
        for (path, identity) in &now {
            if self.filled.get(path) != Some(identity) {
                remove(path);
            }
        }
        self.fill();
        self.filled = contents(&self.workspace);
    }

    fn fill(&self) {
        let at = |name: &str| self.workspace.join(name);
        let absent = |name: &str| at(name).symlink_metadata().is_err();
        for folder in ["inside-dir/deep", "sub/deeper", "race"] {
            fs::create_dir_all(at(folder)).expect("folder");
        }
        let files = [
            "inside.txt",
            "inside-dir/secret.txt",
            "inside-dir/deep/inner.txt",
            "sub/a",
        ];
        for name in files.into_iter().filter(|name| absent(name)) {
            fs::write(at(name), format!("{INSIDE}\n")).expect("file");
        }
        for (name, text) in self.links().into_iter().filter(|(name, _)| absent(name)) {
            symlink(&text, at(&name)).unwrap_or_else(|e| panic!("{name} -> {text}: {e}"));
        }
        if absent("shared") {
            let shared = self.around.join("outside/shared.txt");
            fs::hard_link(shared, at("shared")).expect("hard link");
        }
        if absent("socket") {
            plant_socket(&at("socket"));
        }
        if absent("sparse") {
            let sparse = fs::File::create(at("sparse")).expect("file");
            sparse.set_len(1 << 40).expect("a sparse file");
        }
        self.plant_nodes();
    }

    /// A FIFO and, where this user may make them, device nodes; no driver answers for the block
    /// device.
    fn plant_nodes(&self) {
        use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
        let nodes = [
            ("fifo", FileType::Fifo, 0, 0),
            ("zero", FileType::CharacterDevice, 1, 5),
            ("disk", FileType::BlockDevice, 240, 0),
        ];
        for (name, kind, major, minor) in nodes {
            let path = self.workspace.join(name);
            let _ = mknodat(CWD, path, kind, Mode::from(0o666), makedev(major, minor));
        }
    }

    /// Symbolic links: name and text.
    fn links(&self) -> Vec<(String, String)> {
        let outside = self.around.join("outside").display().to_string();
        let planted = &self.planted;
        let mut links: Vec<(String, String)> = [
            ("abs-file", format!("{outside}/secret.txt")),
            ("abs-dir", outside.clone()),
            ("rel-file", "../outside/secret.txt".into()),
            ("rel-dir", "../outside".into()),
            ("up", "..".into()),
            ("up2", "../..".into()),
            ("root", "/".into()),
            ("etc", "/etc".into()),
            ("proc-root", "/proc/self/root".into()),
            ("proc-cwd", "/proc/self/cwd".into()),
            ("proc-exe", "/proc/self/exe".into()),
            ("proc-fd", "/proc/self/fd".into()),
            ("dangling-abs", format!("{outside}/{planted}")),
            ("dangling-rel", format!("../outside/{planted}")),
            ("dangling-deep", format!("../outside/none/{planted}")),
            ("slash-file", "../outside/secret.txt/".into()),
            ("slash-dir", "../outside/".into()),
            ("slash-dot", "../outside/.".into()),
            ("slash-many", "..//outside//".into()),
            ("dots", "./././../outside/./secret.txt".into()),
            ("via-file", "inside.txt/../../outside/secret.txt".into()),
            ("via-dir", "inside-dir/../../outside/secret.txt".into()),
            ("evil", "../workspace_evil/secret.txt".into()),
            ("self-loop", "self-loop".into()),
            ("loop-a", "loop-b".into()),
            ("loop-b", "loop-a".into()),
            ("dir-loop", "dir-loop/x".into()),
            ("sub/parent-link", "../../outside".into()),
            ("sub/deeper/parent-link", "../../../outside".into()),
            ("sub/again", "../rel-dir".into()),
            ("rel-in", "inside.txt".into()),
            ("abs-in", "/workspace/inside.txt".into()),
            ("dir-in", "inside-dir".into()),
            ("slash-in", "inside-dir/".into()),
            ("dots-in", "./inside-dir/./../inside-dir/secret.txt".into()),
            ("up-in", "../workspace/inside-dir/secret.txt".into()),
            ("sub/parent-in", "../inside-dir".into()),
            ("sub/again-in", "../dir-in".into()),
            ("chain-1", "../outside/secret.txt".into()),
            ("good-1", "inside.txt".into()),
        ]
        .map(|(name, text)| (name.to_owned(), text))
        .into();
        for number in 2..=41 {
            links.push((format!("chain-{number}"), format!("chain-{}", number - 1)));
            links.push((format!("good-{number}"), format!("good-{}", number - 1)));
        }
        for number in 0..=12 {
            links.push((format!("fd-{number}"), format!("/proc/self/fd/{number}")));
            links.push((
                format!("fd-up-{number}"),
                format!("/proc/self/fd/{number}/../outside"),
            ));
        }
        if self.wall == Wall::Removed {
            let within = |text: &str| {
                !text.starts_with('/')
                    || text.starts_with(&outside)
                    || text.starts_with("/workspace")
            };
            links.retain(|(name, text)| within(text) && name != "up2");
        }
        links
    }

    /// What the last call did that it must not: shown something, or changed something outside.
    pub fn fired(&mut self, answer: &[u8]) -> Option<String> {
        for secret in [&self.canary, &self.leak] {
            if contains(answer, secret.as_bytes()) {
                return Some(format!("the answer shows {secret}"));
            }
        }
        let now = self.snapshot();
        if now != self.before {
            let changed = difference(&self.before, &now);
            self.build_outside();
            return Some(format!("outside changed: {changed}"));
        }
        let names = self.names_above();
        let added = added(&self.names, &names);
        if !added.is_empty() {
            self.names = names;
            return Some(format!("new names around the workspace: {added:?}"));
        }
        for path in [
            format!("/{}", self.planted),
            format!("/etc/{}", self.planted),
        ] {
            if fs::remove_file(&path).is_ok() {
                return Some(format!("{path} was made on the host"));
            }
        }
        self.copied()
            .map(|path| format!("{} holds an outside file's text", path.display()))
    }

    /// A file within reach of guests that holds the canary.
    fn copied(&self) -> Option<PathBuf> {
        let outside = self.outside_folders();
        let mut folders = vec![self.around.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let (path, Ok(metadata)) = (entry.path(), entry.metadata()) else {
                    continue;
                };
                if metadata.is_dir() && !outside.contains(&path) {
                    folders.push(path);
                } else if metadata.is_file() && metadata.len() <= READ_MAX {
                    let text = fs::read(&path).unwrap_or_default();
                    if contains(&text, self.canary.as_bytes()) {
                        return Some(path);
                    }
                }
            }
        }
        None
    }

    fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::new();
        let mut waiting = self.outside_folders();
        while let Some(path) = waiting.pop() {
            let Ok(metadata) = path.symlink_metadata() else {
                continue;
            };
            let kind = metadata.file_type();
            let content = if kind.is_dir() {
                for entry in fs::read_dir(&path).expect("listed") {
                    waiting.push(entry.expect("an entry").path());
                }
                String::new()
            } else if kind.is_symlink() {
                format!("{:?}", fs::read_link(&path).expect("a link"))
            } else if kind.is_file() {
                format!("{:x}", Sha256::digest(fs::read(&path).expect("a file")))
            } else {
                format!("fifo {} device {}", kind.is_fifo(), kind.is_char_device())
            };
            // The shared file's other name comes and goes with the workspace's content.
            let shared = path.ends_with("shared.txt");
            let links = if shared { 0 } else { metadata.nlink() };
            let changed = if shared {
                0
            } else {
                metadata.ctime() * 1_000_000_000 + metadata.ctime_nsec()
            };
            let facts = format!(
                "inode {} mode {:o} owner {}:{} links {links} size {} modified {}.{} changed {changed} {content}",
                metadata.ino(),
                metadata.mode(),
                metadata.uid(),
                metadata.gid(),
                metadata.size(),
                metadata.mtime(),
                metadata.mtime_nsec(),
            );
            snapshot.insert(path, facts);
        }
        snapshot
    }

    fn names_above(&self) -> BTreeMap<PathBuf, BTreeSet<OsString>> {
        let folders = self
            .around
            .ancestors()
            .take_while(|folder| folder.starts_with(&self.top));
        folders
            .map(|folder| (folder.to_owned(), names(folder)))
            .collect()
    }
}

/// Makes a socket. Its own path may be too long to bind to; a short one is moved into place.
fn plant_socket(path: &Path) {
    let short = std::env::temp_dir().join(format!("s{}", random()));
    drop(UnixListener::bind(&short).expect("socket"));
    if fs::rename(&short, path).is_err() {
        let _ = fs::remove_file(&short);
    }
}

/// Every path below `folder` with its identity; of a folder, changes in it do not count.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Identity> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let (path, Ok(metadata)) = (entry.path(), entry.metadata()) else {
                continue;
            };
            let identity = if metadata.is_dir() {
                waiting.push(path.clone());
                (metadata.ino(), i64::from(metadata.mode()), 0)
            } else {
                (metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
            };
            found.insert(path, identity);
        }
    }
    found
}

fn names(folder: &Path) -> BTreeSet<OsString> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name())
        .collect()
}

fn added(
    before: &BTreeMap<PathBuf, BTreeSet<OsString>>,
    now: &BTreeMap<PathBuf, BTreeSet<OsString>>,
) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for (folder, names) in now {
        let known = before.get(folder).cloned().unwrap_or_default();
        // The server keeps its own files about the session beside the workspace.
        let own = |name: &OsString| {
            SERVERS
                .iter()
                .any(|s| name.as_bytes().starts_with(s.as_bytes()))
        };
        paths.extend(
            names
                .difference(&known)
                .filter(|name| !own(name))
                .map(|name| folder.join(name)),
        );
    }
    paths
}

fn difference(before: &Snapshot, now: &Snapshot) -> String {
    let paths: BTreeSet<_> = before.keys().chain(now.keys()).collect();
    let changed: Vec<String> = paths
        .into_iter()
        .filter(|path| before.get(*path) != now.get(*path))
        .map(|path| {
            format!(
                "{}: {:?} -> {:?}",
                path.display(),
                before.get(path),
                now.get(path)
            )
        })
        .collect();
    changed.join("; ")
}

/// Removes whatever is at `path`; a folder that was removed before took it along.
fn remove(path: &Path) {
    let Ok(metadata) = path.symlink_metadata() else {
        return;
    };
    let removed = if metadata.is_dir() {
        let _ = fs::set_permissions(path, PermissionsExt::from_mode(0o755));
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    removed.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}
