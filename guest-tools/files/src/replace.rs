//! The one way a tool changes a file: a new file beside it takes its name in one step, so that
//! a reader sees the old or the new content and a call that is stopped half-way changes nothing.
//!
//! A symbolic link at the end of a path is followed, as an ordinary open would, and its target
//! is replaced: the link stays a link. A file with several names is not written in place: the
//! name in question gets a file of its own and the others keep the old content.

use std::io;

use crate::{
    answer::Failure,
    place::{self, Facts, Kind},
};

/// Symbolic links at the end of one path that are followed. The kernel's own limit (path_resolution(7)).
const LINKS_MAX: usize = 40;

/// Mode of a new file, before the umask.
const NEW_MODE: u32 = 0o644;

/// Where a file's content will go: its path without final links, and what is there now.
pub struct Target {
    path: Vec<u8>,
    pub facts: Option<Facts>,
}

impl Target {
    /// Finds what `path` (as the agent wrote it) leads to.
    pub fn find(path: &str) -> Result<Self, Failure> {
        let mut real = place::absolute(path);
        for _ in 0..=LINKS_MAX {
            if names_a_folder(&real) {
                return Err(Failure::rule(path, "is a directory"));
            }
            let facts = match place::facts(&real, false) {
                Ok(facts) => facts,
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    return Ok(Self {
                        path: real,
                        facts: None,
                    });
                }
                Err(e) => return Err(Failure::at(path, &e)),
            };
            match facts.kind {
                Kind::Link => {
                    let text = place::read_link(&real).map_err(|e| Failure::at(path, &e))?;
                    real = follow(&real, &text);
                }
                Kind::File if facts.mode & 0o222 == 0 => {
                    return Err(Failure::rule(
                        path,
                        "permission denied (the file is read-only)",
                    ));
                }
                Kind::File => {
                    return Ok(Self {
                        path: real,
                        facts: Some(facts),
                    });
                }
                Kind::Folder => return Err(Failure::rule(path, "is a directory")),
                Kind::Other => return Err(Failure::rule(path, "not a regular file")),
            }
        }
        Err(Failure::rule(path, "too many levels of symbolic links"))
    }

    /// Opens what is there, to read it before it is replaced.
    pub fn open(&self) -> io::Result<std::fs::File> {
        place::open_to_read(&self.path)
    }

    /// Puts `content` in place. `seen`: what the file must still be for the change to be made.
    pub fn replace(&self, path: &str, content: &[u8], seen: Option<&Facts>) -> Result<(), Failure> {
        let at = |e| Failure::at(path, &e);
        let folder = parent(&self.path);
        let mode = self.facts.map_or(NEW_MODE, |facts| facts.mode);
        let (beside, mut file) = match create_beside(folder, mode) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                place::make_folders(folder).map_err(at)?;
                create_beside(folder, mode)
            }
            created => created,
        }
        .map_err(at)?;
        let written = place::write_whole(&mut file, content).and_then(|()| {
            // The umask may have taken bits that the old file had.
            if self.facts.is_some() && mode & !NEW_MODE != 0 {
                place::set_mode(&file, &beside, mode)?;
            }
            Ok(())
        });
        drop(file);
        let done = written.map_err(at).and_then(|()| {
            if seen.is_some_and(|seen| place::facts(&self.path, false).ok().as_ref() != Some(seen))
            {
                let rule = "changed while it was being edited; read it again";
                return Err(Failure::rule(path, rule));
            }
            place::rename(&beside, &self.path).map_err(at)
        });
        if done.is_err() {
            let _ = place::remove(&beside);
        }
        done
    }
}

fn create_beside(folder: &[u8], mode: u32) -> io::Result<(Vec<u8>, std::fs::File)> {
    let mut path = folder.to_vec();
    path.extend_from_slice(format!("/.hotcell-{:016x}", place::unguessable()).as_bytes());
    place::create_new(&path, mode).map(|file| (path, file))
}

/// True for a path that can only be a folder: it ends in `/`, `.` or `..`.
fn names_a_folder(path: &[u8]) -> bool {
    matches!(last_name(path), b"" | b"." | b"..")
}

fn last_name(path: &[u8]) -> &[u8] {
    path.rsplit(|&b| b == b'/').next().unwrap_or_default()
}

fn parent(path: &[u8]) -> &[u8] {
    &path[..path.len() - last_name(path).len()]
}

/// The path that the link at `link` leads to.
fn follow(link: &[u8], text: &[u8]) -> Vec<u8> {
    if text.starts_with(b"/") {
        return text.to_vec();
    }
    [parent(link), text].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_from_their_own_folder() {
        assert_eq!(follow(b"/a/link", b"b/c"), b"/a/b/c");
        assert_eq!(follow(b"/a/link", b"../c"), b"/a/../c");
        assert_eq!(follow(b"/link", b"c"), b"/c");
        assert_eq!(follow(b"/a/link", b"/c"), b"/c");
    }

    #[test]
    fn some_paths_can_only_be_folders() {
        for path in ["/a/", "/a/.", "/a/..", "/"] {
            assert!(names_a_folder(path.as_bytes()), "{path}");
        }
        for path in ["/a", "/a/...", "/a/.b", "/a/b."] {
            assert!(!names_a_folder(path.as_bytes()), "{path}");
        }
    }
}
