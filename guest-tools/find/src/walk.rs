//! Going through folders.

use std::{
    cell::OnceCell,
    ffi::OsString,
    fs::{self, File, FileType},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use guest_unix::fs::MetadataExt;
use options::{quote_argument, reason};

use crate::{
    evaluate::{Found, State, holds},
    expression::{Node, Search},
    parse,
};

/// Runs `find`.
pub fn run(arguments: Vec<OsString>) -> i32 {
    if arguments
        .iter()
        .any(|word| word == "--help" || word == "-help")
    {
        print!("Usage: find [-H] [-L] [-P] [path...] [expression]\n");
        return 0;
    }
    if arguments
        .iter()
        .any(|word| word == "--version" || word == "-version")
    {
        println!("find (hotcell) {}", env!("CARGO_PKG_VERSION"));
        return 0;
    }
    let search = match parse::parse(arguments) {
        Ok(search) => search,
        Err(message) => {
            eprintln!("find: {message}");
            return 1;
        }
    };
    let mut files: Vec<Box<dyn Write>> = Vec::new();
    for path in &search.outputs {
        match File::create(path) {
            Ok(file) => files.push(Box::new(BufWriter::new(file))),
            Err(error) => {
                eprintln!("find: {}: {}", quote_argument(path), reason(&error));
                return 1;
            }
        }
    }
    let state = State {
        settings: &search.settings,
        stdout: Box::new(BufWriter::with_capacity(32 * 1024, io::stdout())),
        files,
        prune: false,
        quit: false,
        failed: false,
    };
    let mut walk = Walk {
        search: &search,
        state,
        ancestors: Vec::new(),
        device: 0,
    };
    for start in &search.starts {
        walk.start(Path::new(start));
        if walk.state.quit {
            break;
        }
    }
    walk.state.flush();
    let finished = finish(&search.expression);
    i32::from(walk.state.failed || !finished)
}

/// Runs what `-exec ... +` still has; false when one failed.
fn finish(node: &Node) -> bool {
    match node {
        Node::And(left, right) | Node::Or(left, right) | Node::List(left, right) => {
            let left = finish(left);
            finish(right) && left
        }
        Node::Not(inner) => finish(inner),
        Node::Execute(execution) => execution.finish(),
        _ => true,
    }
}

struct Walk<'a> {
    search: &'a Search,
    state: State<'a>,
    /// Folders on the way down, by device and inode: with `-L` a link can lead back up.
    ancestors: Vec<((u64, u64), PathBuf)>,
    device: u64,
}

impl Walk<'_> {
    fn say(&mut self, path: &Path, error: &io::Error) {
        self.state.flush();
        eprintln!("find: {}: {}", quote_argument(path), reason(error));
        self.state.failed = true;
    }

    fn start(&mut self, path: &Path) {
        let settings = &self.search.settings;
        let through = settings
            .follow_starts
            .then(|| fs::metadata(path).ok())
            .flatten();
        let found = through.map_or_else(|| fs::symlink_metadata(path), Ok);
        match found {
            Ok(metadata) => {
                self.device = metadata.dev();
                let cell = OnceCell::new();
                let kind = metadata.file_type();
                let _ = cell.set(Some(metadata));
                let follow = settings.follow || settings.follow_starts;
                let found = Found {
                    path,
                    start: path,
                    depth: 0,
                    follow,
                    kind,
                    metadata: cell,
                };
                self.visit(found);
            }
            Err(error) => self.say(path, &error),
        }
    }

    /// Whether `folder` is one of those above it, which is said and fails the search.
    fn loops(&mut self, folder: &Found<'_>) -> bool {
        let Some(metadata) = folder.metadata() else {
            return false;
        };
        let key = (metadata.dev(), metadata.ino());
        let Some((_, above)) = self.ancestors.iter().find(|(known, _)| *known == key) else {
            return false;
        };
        self.state.flush();
        eprintln!(
            "find: File system loop detected; {} is part of the same file system loop as {}.",
            quote_argument(folder.path),
            quote_argument(above)
        );
        self.state.failed = true;
        true
    }

    fn visit(&mut self, file: Found<'_>) {
        let settings = &self.search.settings;
        if settings.follow && file.kind.is_dir() && self.loops(&file) {
            return;
        }
        let counts = file.depth >= settings.least_depth;
        self.state.prune = false;
        if !settings.depth_first && counts {
            holds(&self.search.expression, &file, &mut self.state);
        }
        let pruned = std::mem::take(&mut self.state.prune);
        if file.kind.is_dir() && !pruned && !self.state.quit && file.depth < settings.most_depth {
            self.below(&file);
        }
        if settings.depth_first && counts && !self.state.quit {
            holds(&self.search.expression, &file, &mut self.state);
        }
    }

    fn below(&mut self, folder: &Found<'_>) {
        let settings = &self.search.settings;
        if settings.one_device && folder.metadata().is_some_and(|m| m.dev() != self.device) {
            return;
        }
        if settings.follow {
            let Some(metadata) = folder.metadata() else {
                return;
            };
            let key = (metadata.dev(), metadata.ino());
            self.ancestors.push((key, folder.path.to_path_buf()));
        }
        match fs::read_dir(folder.path) {
            Ok(entries) => {
                // Read whole first: what runs on the way may change the folder.
                let entries: Vec<_> = entries.filter_map(Result::ok).collect();
                for entry in entries {
                    if self.state.quit {
                        break;
                    }
                    let path = join(folder.path, &entry.file_name());
                    let Some(kind) = kind(&path, entry.file_type().ok(), settings.follow) else {
                        continue;
                    };
                    self.visit(Found {
                        path: &path,
                        start: folder.start,
                        depth: folder.depth + 1,
                        follow: settings.follow,
                        kind,
                        metadata: OnceCell::new(),
                    });
                }
            }
            Err(error) => self.say(folder.path, &error),
        }
        if settings.follow {
            self.ancestors.pop();
        }
    }
}

/// `./x` keeps its `./`, which joining paths would drop only for the empty path.
fn join(folder: &Path, name: &std::ffi::OsStr) -> std::path::PathBuf {
    folder.join(name)
}

fn kind(path: &Path, known: Option<FileType>, follow: bool) -> Option<FileType> {
    let known = known.or_else(|| fs::symlink_metadata(path).ok().map(|m| m.file_type()))?;
    if follow && known.is_symlink() {
        return Some(fs::metadata(path).map_or(known, |metadata| metadata.file_type()));
    }
    Some(known)
}
