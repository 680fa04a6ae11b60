//! Whether an expression holds for a file; its actions happen on the way.

use std::{
    cell::OnceCell,
    fs::{self, FileType, Metadata},
    io::Write,
    os::wasi::ffi::OsStrExt,
    path::Path,
};

use guest_unix::{
    entries::{UID, uid2usr},
    fs::{FileTypeExt, MetadataExt},
};
use options::{quote_argument, reason};
use posix_regex::wildcard;

use crate::{
    expression::{Bound, Node, Permissions, Settings, Sink, Stamp},
    format,
};

/// A file that was reached.
pub struct Found<'a> {
    pub path: &'a Path,
    pub start: &'a Path,
    pub depth: usize,
    pub follow: bool,
    /// Its type as the folder told it; links are looked through when `follow`.
    pub kind: FileType,
    pub metadata: OnceCell<Option<Metadata>>,
}

impl Found<'_> {
    /// Everything about it; looked up once.
    pub fn metadata(&self) -> Option<&Metadata> {
        self.metadata
            .get_or_init(|| {
                let through = self.follow.then(|| fs::metadata(self.path).ok()).flatten();
                through.or_else(|| fs::symlink_metadata(self.path).ok())
            })
            .as_ref()
    }

    /// Its last part; a start such as `.` or `dir/` is its own name without trailing slashes.
    pub fn name(&self) -> String {
        let bytes = self.path.as_os_str().as_bytes();
        let end = bytes
            .iter()
            .rposition(|&b| b != b'/')
            .map_or(bytes.len().min(1), |at| at + 1);
        let start = bytes[..end]
            .iter()
            .rposition(|&b| b == b'/')
            .map_or(0, |at| at + 1);
        let part = if start >= end {
            &bytes[..end]
        } else {
            &bytes[start..end]
        };
        String::from_utf8_lossy(part).into_owned()
    }
}

/// What evaluation leaves behind.
pub struct State<'a> {
    pub settings: &'a Settings,
    pub stdout: Box<dyn Write>,
    pub files: Vec<Box<dyn Write>>,
    pub prune: bool,
    pub quit: bool,
    pub failed: bool,
}

impl State<'_> {
    pub fn sink(&mut self, sink: Sink) -> &mut dyn Write {
        match sink {
            Sink::Stdout => &mut *self.stdout,
            Sink::File(number) => &mut *self.files[number],
        }
    }

    /// Everything written so far goes out, before another program writes.
    pub fn flush(&mut self) {
        let _ = self.stdout.flush();
        for file in &mut self.files {
            let _ = file.flush();
        }
    }
}

pub fn time_of(metadata: &Metadata, stamp: Stamp) -> (i64, i64) {
    match stamp {
        Stamp::Accessed => (metadata.atime(), metadata.atime_nsec()),
        Stamp::Changed => (metadata.ctime(), metadata.ctime_nsec()),
        Stamp::Modified => (metadata.mtime(), metadata.mtime_nsec()),
    }
}

pub fn letter(kind: FileType) -> char {
    match () {
        () if kind.is_file() => 'f',
        () if kind.is_dir() => 'd',
        () if kind.is_symlink() => 'l',
        () if kind.is_char_device() => 'c',
        () if kind.is_block_device() => 'b',
        () if kind.is_fifo() => 'p',
        () if kind.is_socket() => 's',
        () => 'U',
    }
}

/// Whether `node` holds for `file`.
pub fn holds(node: &Node, file: &Found<'_>, state: &mut State<'_>) -> bool {
    if state.quit {
        return false;
    }
    match node {
        Node::And(left, right) => holds(left, file, state) && holds(right, file, state),
        Node::Or(left, right) => holds(left, file, state) || holds(right, file, state),
        Node::List(left, right) => {
            holds(left, file, state);
            holds(right, file, state)
        }
        Node::Not(inner) => !holds(inner, file, state),
        Node::Always(answer) => *answer,
        Node::Prune => {
            state.prune = !state.settings.depth_first;
            true
        }
        Node::Quit => {
            state.quit = true;
            true
        }
        Node::Name { glob, ignore_case } => wildcard::matches(glob, &file.name(), *ignore_case),
        Node::Path { glob, ignore_case } => {
            wildcard::matches(glob, &file.path.to_string_lossy(), *ignore_case)
        }
        Node::Regex(matcher) => matcher.is_match(file.path.as_os_str().as_bytes()),
        Node::Type { letters, of_target } => has_type(letters, *of_target, file),
        Node::LinkName { glob, ignore_case } => fs::read_link(file.path)
            .is_ok_and(|target| wildcard::matches(glob, &target.to_string_lossy(), *ignore_case)),
        Node::Empty => is_empty(file),
        Node::Print { .. }
        | Node::Printf { .. }
        | Node::List2 { .. }
        | Node::Delete
        | Node::Execute(_) => act(node, file, state),
        _ => match file.metadata() {
            Some(metadata) => fact(node, file, metadata, state.settings),
            None => false,
        },
    }
}

/// Tests that need the file's metadata.
fn fact(node: &Node, file: &Found<'_>, metadata: &Metadata, settings: &Settings) -> bool {
    match node {
        Node::Size { bound, unit } => bound.holds(metadata.len().div_ceil(*unit).cast_signed()),
        Node::Links(bound) => bound.holds(metadata.nlink().cast_signed()),
        Node::Inode(bound) => bound.holds(metadata.ino().cast_signed()),
        Node::UserId(bound) => bound.holds(metadata.uid().into()),
        Node::GroupId(bound) => bound.holds(metadata.gid().into()),
        Node::NoUser => uid2usr(metadata.uid()).is_err(),
        Node::Permission {
            kind,
            mode,
            folder_mode,
        } => {
            let wanted = if metadata.is_dir() {
                *folder_mode
            } else {
                *mode
            };
            let has = metadata.mode() & 0o7777;
            match kind {
                Permissions::Exactly => has == wanted,
                Permissions::All => has & wanted == wanted,
                Permissions::Any => wanted == 0 || has & wanted != 0,
            }
        }
        Node::Days { stamp, bound } => {
            bound.holds(age(metadata, *stamp, settings).0.div_euclid(86_400))
        }
        Node::Minutes { stamp, bound } => minutes(age(metadata, *stamp, settings), *bound),
        Node::NewerThan { stamp, time } => time_of(metadata, *stamp) > *time,
        Node::SameFile(device, inode) => metadata.dev() == *device && metadata.ino() == *inode,
        Node::Access(bit) => may(file.path, *bit),
        _ => false,
    }
}

/// How long ago, in seconds and nanoseconds.
fn age(metadata: &Metadata, stamp: Stamp, settings: &Settings) -> (i64, i64) {
    let (seconds, nanos) = time_of(metadata, stamp);
    let (now, now_nanos) = settings.now;
    if now_nanos >= nanos {
        (now - seconds, now_nanos - nanos)
    } else {
        (now - seconds - 1, now_nanos - nanos + 1_000_000_000)
    }
}

fn minutes((seconds, nanos): (i64, i64), bound: Bound) -> bool {
    let age = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    let minute = 60_000_000_000_i128;
    match bound {
        Bound::Less(n) => age < i128::from(n) * minute,
        Bound::More(n) => age > i128::from(n) * minute,
        Bound::Exactly(n) => age <= i128::from(n) * minute && age > i128::from(n - 1) * minute,
    }
}

fn may(path: &Path, bit: u32) -> bool {
    let Ok(metadata) = fs::metadata(path) else {
        return false;
    };
    let shift = if metadata.uid() == UID { 6 } else { 0 };
    metadata.mode() >> shift & bit != 0
}

fn has_type(letters: &[char], of_target: bool, file: &Found<'_>) -> bool {
    if !of_target {
        return letters.contains(&letter(file.kind));
    }
    let other = if file.follow {
        fs::symlink_metadata(file.path)
    } else {
        fs::metadata(file.path)
    };
    let kind = other.map_or('l', |metadata| letter(metadata.file_type()));
    letters.contains(&kind)
}

fn is_empty(file: &Found<'_>) -> bool {
    if file.kind.is_dir() {
        return fs::read_dir(file.path).is_ok_and(|mut entries| entries.next().is_none());
    }
    file.kind.is_file() && file.metadata().is_some_and(|metadata| metadata.len() == 0)
}

fn act(node: &Node, file: &Found<'_>, state: &mut State<'_>) -> bool {
    match node {
        Node::Print { sink, end } => {
            let bytes = [file.path.as_os_str().as_bytes(), &[*end]].concat();
            written(state.sink(*sink).write_all(&bytes), state)
        }
        Node::Printf { sink, format } => {
            let mut bytes = Vec::new();
            format::write(format, file, &mut bytes);
            written(state.sink(*sink).write_all(&bytes), state)
        }
        Node::List2 { sink } => {
            let line = format::listing(file);
            written(state.sink(*sink).write_all(line.as_bytes()), state)
        }
        Node::Delete => delete(file, state),
        Node::Execute(execution) => {
            state.flush();
            let (ok, search_failed) = execution.run(file.path);
            state.failed |= search_failed;
            ok
        }
        _ => false,
    }
}

fn written(result: std::io::Result<()>, state: &mut State<'_>) -> bool {
    if let Err(error) = result {
        eprintln!("find: write error: {}", reason(&error));
        state.failed = true;
        state.quit = true;
    }
    true
}

fn delete(file: &Found<'_>, state: &mut State<'_>) -> bool {
    if file.path == Path::new(".") {
        return true;
    }
    let is_folder =
        file.kind.is_dir() && !fs::symlink_metadata(file.path).is_ok_and(|m| m.is_symlink());
    let removed = if is_folder {
        fs::remove_dir(file.path)
    } else {
        fs::remove_file(file.path)
    };
    match removed {
        Ok(()) => true,
        Err(error) => {
            state.flush();
            eprintln!(
                "find: cannot delete {}: {}",
                quote_argument(file.path),
                reason(&error)
            );
            state.failed = true;
            false
        }
    }
}
