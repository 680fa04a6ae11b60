//! Looks at the files a call changed: what is there, how large, and the digest of its content.
//!
//! The paths come from a guest. Each is opened below its mount's folder without following links,
//! and only regular files are read.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, open, openat2};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use crate::audit::{Changed, ChangedState};
use crate::request::hexadecimal;
use crate::workspace::{TMP, WORKSPACE};

/// Largest file that is read for its digest. From the design.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Most bytes that are read for one call. From the design.
const CALL_BYTES_MAX: u64 = 64 << 20;
/// Most bytes that the names of one call take in a record. Chosen, not measured.
const NAMES_BYTES_MAX: usize = 512 << 10;
/// Bytes of an entry besides its name.
const ENTRY_BYTES: usize = 160;

/// As [`look`], beside the threads that serve calls.
pub(super) async fn look_aside(roots: [PathBuf; 2], paths: Vec<String>) -> Vec<Changed<'static>> {
    let looked = tokio::task::spawn_blocking(move || look(&roots, paths));
    // A look that panicked leaves the record without names, not the call without a record.
    looked.await.unwrap_or_default()
}

/// Looks at paths as guests see them; `roots` are the host folders of the workspace and of /tmp.
/// Answers fewer when their names are too long together.
fn look(roots: &[PathBuf; 2], paths: Vec<String>) -> Vec<Changed<'static>> {
    let folder = |path: &PathBuf| open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok();
    let [workspace, tmp] = roots;
    let folders = [(WORKSPACE, folder(workspace)), (TMP, folder(tmp))];
    let mut left = CALL_BYTES_MAX;
    let mut names_bytes = 0;
    let mut looked = Vec::with_capacity(paths.len());
    for path in paths {
        names_bytes += ENTRY_BYTES + written_bytes(&path);
        if names_bytes > NAMES_BYTES_MAX {
            break;
        }
        let found = folders.iter().find_map(|(guest, folder)| {
            let inside = path.strip_prefix(guest)?.strip_prefix('/')?;
            Some(found(folder.as_ref()?, inside, &mut left))
        });
        let (state, bytes, sha256) = found.unwrap_or((ChangedState::Unknown, None, None));
        let path = Cow::Owned(path);
        looked.push(Changed {
            path,
            state,
            bytes,
            sha256,
        });
    }
    looked
}

/// How long a text can get in JSON: six bytes for what is escaped.
fn written_bytes(text: &str) -> usize {
    let plain = |byte: u8| (b' '..=b'~').contains(&byte) && !matches!(byte, b'"' | b'\\');
    text.bytes()
        .map(|byte| if plain(byte) { 1 } else { 6 })
        .sum()
}

type Found = (ChangedState, Option<u64>, Option<String>);

fn found(folder: &OwnedFd, inside: &str, left: &mut u64) -> Found {
    let other = |state| (state, None, None);
    let place = match beneath(folder, inside, OFlags::PATH | OFlags::NOFOLLOW) {
        Ok(place) => place,
        Err(Errno::NOENT | Errno::NOTDIR) => return other(ChangedState::Gone),
        Err(_) => return other(ChangedState::Unknown),
    };
    let Ok(about) = fstat(&place) else {
        return other(ChangedState::Unknown);
    };
    match FileType::from_raw_mode(about.st_mode) {
        FileType::RegularFile => {}
        FileType::Directory => return other(ChangedState::Folder),
        FileType::Symlink
        | FileType::Fifo
        | FileType::Socket
        | FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Unknown => return other(ChangedState::Other),
    }
    let bytes = u64::try_from(about.st_size).unwrap_or(0);
    if bytes > FILE_BYTES_MAX || bytes > *left {
        return (ChangedState::Skipped, Some(bytes), None);
    }
    *left -= bytes;
    match read(folder, inside, bytes) {
        Ok(digest) => (ChangedState::File, Some(bytes), Some(digest)),
        Err(_) => (ChangedState::Unknown, Some(bytes), None),
    }
}

fn read(folder: &OwnedFd, inside: &str, bytes: u64) -> io::Result<String> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW;
    let file = File::from(beneath(folder, inside, flags)?);
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    let mut file = file.take(bytes);
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(hexadecimal(&hash.finalize()));
        }
        hash.update(buffer.get(..count).unwrap_or_default());
    }
}

fn beneath(folder: &impl AsFd, inside: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH
        | ResolveFlags::NO_SYMLINKS
        | ResolveFlags::NO_MAGICLINKS
        | ResolveFlags::NO_XDEV;
    openat2(
        folder,
        inside,
        flags | OFlags::CLOEXEC,
        Mode::empty(),
        resolve,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_what_lies_below_the_mounts_is_read_and_links_are_not_followed() {
        let place = tempfile::tempdir().unwrap();
        let roots = ["w", "t"].map(|name| place.path().join(name));
        roots
            .iter()
            .for_each(|root| std::fs::create_dir(root).unwrap());
        std::fs::write(place.path().join("secret"), "s").unwrap();
        std::fs::create_dir(roots[0].join("folder")).unwrap();
        std::fs::write(roots[0].join("a"), "hello").unwrap();
        std::fs::write(roots[1].join("b"), "").unwrap();
        symlink("../secret", roots[0].join("link")).unwrap();
        symlink("..", roots[0].join("up")).unwrap();
        File::create(roots[0].join("large"))
            .unwrap()
            .set_len(FILE_BYTES_MAX + 1)
            .unwrap();
        let expected = [
            ("/workspace/a", ChangedState::File),
            ("/tmp/b", ChangedState::File),
            ("/workspace/folder", ChangedState::Folder),
            ("/workspace/gone", ChangedState::Gone),
            ("/workspace/large", ChangedState::Skipped),
            ("/workspace/link", ChangedState::Other),
            ("/workspace/up/secret", ChangedState::Unknown),
            ("/workspace/../secret", ChangedState::Unknown),
            ("/etc/passwd", ChangedState::Unknown),
        ];
        let paths = expected
            .iter()
            .map(|(path, _)| (*path).to_owned())
            .collect();
        let looked = look(&roots, paths);
        for (found, (path, state)) in looked.iter().zip(expected) {
            assert_eq!((&*found.path, found.state), (path, state));
        }
        let hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        assert_eq!(looked[0].sha256.as_deref(), Some(hello));
        assert_eq!(looked[4].bytes, Some(FILE_BYTES_MAX + 1));
        assert!(looked[4].sha256.is_none());
    }

    #[test]
    fn names_and_reading_have_a_limit_for_a_whole_call() {
        let place = tempfile::tempdir().unwrap();
        let roots = [place.path().to_owned(), place.path().to_owned()];
        let names: Vec<_> = (0..5)
            .map(|number| format!("/workspace/{number}"))
            .collect();
        for name in &names {
            let file = File::create(place.path().join(&name["/workspace/".len()..])).unwrap();
            file.set_len(FILE_BYTES_MAX).unwrap();
        }
        let states: Vec<_> = look(&roots, names)
            .iter()
            .map(|found| found.state)
            .collect();
        assert_eq!(states[3..], [ChangedState::File, ChangedState::Skipped]);
        let long: Vec<_> = (0..1000)
            .map(|_| format!("/workspace/{}", "\u{1}".repeat(200)))
            .collect();
        assert!((100..500).contains(&look(&roots, long).len()));
    }
}
