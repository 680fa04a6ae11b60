//! The edge to the world: the few file operations the tools need, over the host's imports in a
//! guest and over std in native tests. Paths are absolute bytes; nothing here is buffered.

use std::{
    fs::File,
    hash::{BuildHasher, Hasher},
    io::{self, Read, Write},
};

#[cfg(unix)]
use std::os::unix::ffi::{OsStrExt, OsStringExt};
#[cfg(target_os = "wasi")]
use std::os::wasi::ffi::{OsStrExt, OsStringExt};

use std::ffi::OsStr;

#[cfg(target_os = "wasi")]
pub use guest::{create_new, facts, open_facts, open_to_read, set_mode, write_error, write_output};
#[cfg(unix)]
pub use native::{
    create_new, facts, open_facts, open_to_read, set_mode, write_error, write_output,
};

/// What an entry of a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    File,
    Folder,
    Link,
    Other,
}

/// What the tools want to know about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    pub kind: Kind,
    /// Permission bits.
    pub mode: u32,
    pub size: u64,
    pub modified_ns: i64,
    pub changed_ns: i64,
    pub device: u64,
    pub inode: u64,
}

impl Facts {
    fn new(st_mode: u32) -> Self {
        let kind = match st_mode & 0o170_000 {
            0o100_000 => Kind::File,
            0o040_000 => Kind::Folder,
            0o120_000 => Kind::Link,
            _ => Kind::Other,
        };
        let mode = st_mode & 0o777;
        Self {
            kind,
            mode,
            size: 0,
            modified_ns: 0,
            changed_ns: 0,
            device: 0,
            inode: 0,
        }
    }
}

/// Largest input in bytes: a file to write, with JSON's escapes. Chosen, not measured; it leaves
/// room for the copies that decoding makes within one process's memory.
const INPUT_MAX: usize = 64 << 20;

/// Reads the whole of standard input.
pub fn read_input() -> io::Result<Vec<u8>> {
    let mut input = Vec::with_capacity(8 << 10);
    io::stdin()
        .lock()
        .take(INPUT_MAX as u64 + 1)
        .read_to_end(&mut input)?;
    if input.len() > INPUT_MAX {
        return Err(io::Error::other(format!("longer than {INPUT_MAX} bytes")));
    }
    Ok(input)
}

/// Joins `path` to the current folder; `.` and `..` are left to the host.
pub fn absolute(path: &str) -> Vec<u8> {
    if path.starts_with('/') {
        return path.as_bytes().to_vec();
    }
    let mut joined = current_folder();
    if joined.last() != Some(&b'/') {
        joined.push(b'/');
    }
    joined.extend_from_slice(path.as_bytes());
    joined
}

/// The current folder, absolute.
pub fn current_folder() -> Vec<u8> {
    std::env::current_dir().map_or_else(|_| b"/".to_vec(), |p| p.into_os_string().into_vec())
}

/// One entry of a folder.
#[derive(Debug)]
pub struct Entry {
    pub name: Vec<u8>,
    pub kind: Kind,
}

/// Lists at most `most` entries of the folder at `path`, sorted by name; and whether that is all.
pub fn list(path: &[u8], most: usize) -> io::Result<(Vec<Entry>, bool)> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(OsStr::from_bytes(path))? {
        let entry = entry?;
        if entries.len() == most {
            entries.sort_by(|a: &Entry, b: &Entry| a.name.cmp(&b.name));
            return Ok((entries, false));
        }
        let kind = entry.file_type().map_or(Kind::Other, |t| match t {
            t if t.is_file() => Kind::File,
            t if t.is_dir() => Kind::Folder,
            t if t.is_symlink() => Kind::Link,
            _ => Kind::Other,
        });
        entries.push(Entry {
            name: entry.file_name().into_vec(),
            kind,
        });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((entries, true))
}

/// The text of the symbolic link at `path`.
pub fn read_link(path: &[u8]) -> io::Result<Vec<u8>> {
    Ok(std::fs::read_link(OsStr::from_bytes(path))?
        .into_os_string()
        .into_vec())
}

pub fn rename(from: &[u8], to: &[u8]) -> io::Result<()> {
    std::fs::rename(OsStr::from_bytes(from), OsStr::from_bytes(to))
}

pub fn remove(path: &[u8]) -> io::Result<()> {
    std::fs::remove_file(OsStr::from_bytes(path))
}

/// Makes the folder at `path` and what is missing above it.
pub fn make_folders(path: &[u8]) -> io::Result<()> {
    std::fs::create_dir_all(OsStr::from_bytes(path))
}

/// Reads on in an open file that has `size` bytes left as far as its facts said: to there, or to
/// its end when they said nothing; at most `most` bytes.
pub fn read_whole(file: &mut File, size: u64, most: usize) -> io::Result<Vec<u8>> {
    let expected = usize::try_from(size).unwrap_or(most).min(most);
    let mut bytes = vec![
        0;
        if expected == 0 {
            most.min(4 << 10)
        } else {
            expected
        }
    ];
    let mut len = 0;
    while len < bytes.len() {
        match file.read(&mut bytes[len..]) {
            Ok(0) => break,
            Ok(count) => len += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if expected == 0 && len == bytes.len() {
            bytes.resize((len * 2).min(most), 0);
        }
    }
    bytes.truncate(len);
    Ok(bytes)
}

/// Writes all of `bytes`.
pub fn write_whole(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)
}

/// A number nobody can guess: std seeds every process's hashing from the system's randomness.
pub fn unguessable() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}

#[cfg(target_os = "wasi")]
mod guest {
    use guest_start::{
        descriptor::{self, flag},
        file::{self, Stat},
    };
    use std::os::fd::AsRawFd;

    use super::{Facts, File, OsStr, OsStrExt, io};

    fn from_stat(stat: &Stat) -> Facts {
        Facts {
            size: stat.size,
            modified_ns: stat.modified_ns,
            changed_ns: stat.changed_ns,
            device: stat.dev,
            inode: stat.ino,
            ..Facts::new(stat.mode)
        }
    }

    pub fn facts(path: &[u8], follow: bool) -> io::Result<Facts> {
        file::stat(OsStr::from_bytes(path), follow).map(|stat| from_stat(&stat))
    }

    pub fn open_facts(file: &File) -> io::Result<Facts> {
        file::fstat(file.as_raw_fd().cast_unsigned()).map(|stat| from_stat(&stat))
    }

    pub fn open_to_read(path: &[u8]) -> io::Result<File> {
        descriptor::open(OsStr::from_bytes(path), flag::READ, 0).map(descriptor::into_file)
    }

    pub fn create_new(path: &[u8], mode: u32) -> io::Result<File> {
        let flags = flag::WRITE | flag::CREATE | flag::EXCLUSIVE | flag::NO_FOLLOW;
        descriptor::open(OsStr::from_bytes(path), flags, mode).map(descriptor::into_file)
    }

    /// `path` is where `file` still is: the host changes modes by path.
    pub fn set_mode(_file: &File, path: &[u8], mode: u32) -> io::Result<()> {
        file::chmod(OsStr::from_bytes(path), mode)
    }

    pub fn write_output(bytes: &[u8]) -> io::Result<()> {
        descriptor::write_all(1, bytes)
    }

    pub fn write_error(bytes: &[u8]) {
        let _ = descriptor::write_all(2, bytes);
    }
}

#[cfg(unix)]
mod native {
    use std::{
        fs::{OpenOptions, Permissions},
        os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    };

    use super::{Facts, File, OsStr, OsStrExt, Write, io};

    fn from_metadata(metadata: &std::fs::Metadata) -> Facts {
        let time = |seconds: i64, ns: i64| seconds * 1_000_000_000 + ns;
        Facts {
            size: metadata.size(),
            modified_ns: time(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: time(metadata.ctime(), metadata.ctime_nsec()),
            device: metadata.dev(),
            inode: metadata.ino(),
            ..Facts::new(metadata.mode())
        }
    }

    pub fn facts(path: &[u8], follow: bool) -> io::Result<Facts> {
        let path = OsStr::from_bytes(path);
        let metadata = if follow {
            std::fs::metadata(path)
        } else {
            std::fs::symlink_metadata(path)
        };
        metadata.map(|m| from_metadata(&m))
    }

    pub fn open_facts(file: &File) -> io::Result<Facts> {
        file.metadata().map(|m| from_metadata(&m))
    }

    pub fn open_to_read(path: &[u8]) -> io::Result<File> {
        File::open(OsStr::from_bytes(path))
    }

    pub fn create_new(path: &[u8], mode: u32) -> io::Result<File> {
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(OsStr::from_bytes(path))
    }

    pub fn set_mode(file: &File, _path: &[u8], mode: u32) -> io::Result<()> {
        file.set_permissions(Permissions::from_mode(mode))
    }

    pub fn write_output(bytes: &[u8]) -> io::Result<()> {
        io::stdout().write_all(bytes)?;
        io::stdout().flush()
    }

    pub fn write_error(bytes: &[u8]) {
        let _ = io::stderr().write_all(bytes);
    }
}
