//! Counts what folders hold, by looking at every name in them. Whoever fills them may be hostile:
//! no link is followed, no other file system entered, and work and memory are bounded.

use std::collections::HashSet;
use std::ffi::{CStr, CString};
use std::fs::Permissions;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fstat, openat, statat};
use rustix::io::Errno;

use crate::outcome::Held;

/// Names that are looked at; what lies behind them is not counted. Chosen: some ten seconds, and
/// forty times the files a session may hold by default.
const NAMES_MAX: i64 = 4_000_000;
/// Longest time one walk may take; what it has not seen by then is not counted. Chosen: what
/// `NAMES_MAX` names take on a slow disk, some of them.
pub(super) const WALK_TIME_MAX: Duration = Duration::from_secs(20);
/// Bytes of names of folders that wait to be looked into. Chosen, not measured.
const WAITING_BYTES_MAX: usize = 64 << 20;

/// What was found, and whether that is all.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) held: Held,
    pub(super) more: bool,
}

/// Counts what is below `folders`, themselves left out, for `time_max` at most or until `unwanted`
/// is true.
///
/// # Errors
/// When one of the folders cannot be opened.
pub(super) fn count(
    folders: &[PathBuf],
    time_max: Duration,
    unwanted: &AtomicBool,
) -> io::Result<Found> {
    let mut counter = Counter {
        found: Found::default(),
        linked: HashSet::new(),
        waiting_bytes: 0,
        until: Instant::now().checked_add(time_max),
        unwanted,
    };
    for path in folders {
        let folder = openat(CWD, path, FOLDER, Mode::empty())?;
        counter.walk(folder)?;
    }
    Ok(counter.found)
}

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

struct Counter<'a> {
    found: Found,
    /// Files with several names that were counted already, by device and inode.
    linked: HashSet<(u64, u64)>,
    waiting_bytes: usize,
    until: Option<Instant>,
    unwanted: &'a AtomicBool,
}

/// A folder on the way from the top to where the walk is. Only the last one is open, so that depth
/// costs no descriptors.
struct Level {
    identity: (u64, u64),
    /// Folders in it that are still to be looked into.
    waiting: Vec<CString>,
    /// Permissions to give back when it is left.
    mode: Option<u32>,
}

impl Counter<'_> {
    fn walk(&mut self, top: OwnedFd) -> io::Result<()> {
        let device = fstat(&top)?.st_dev;
        let mut folder = top;
        let mut levels = vec![self.look(&folder, device, None)?];
        while let Some(level) = levels.last_mut() {
            // One that must end still climbs up, to give folders their permissions back.
            if self.must_end() {
                level.waiting.clear();
            }
            if let Some(name) = level.waiting.pop() {
                self.waiting_bytes -= name.as_bytes().len();
                let inner = open_up(&folder, &name).and_then(|(inner, mode)| {
                    let level = self.look(&inner, device, mode)?;
                    Ok((inner, level))
                });
                match inner {
                    Ok((inner, level)) => {
                        levels.push(level);
                        folder = inner;
                    }
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {} // it went away
                    // Not ours to look into.
                    Err(_) => self.found.more = true,
                }
                continue;
            }
            let mode = level.mode;
            levels.pop();
            let up = levels.last().map(|above| {
                let up = openat(&folder, c"..", FOLDER, Mode::empty())?;
                Ok::<_, io::Error>((up, above.identity))
            });
            if let Some(mode) = mode {
                let _best_effort = set_mode(&folder, mode);
            }
            let Some(up) = up else { break };
            let (up, above) = up?;
            if identity(&fstat(&up)?) != above {
                // It was moved while we were in it: nobody can say what is counted and what not.
                self.found.more = true;
                break;
            }
            folder = up;
        }
        Ok(())
    }

    /// Counts the names of one folder.
    fn look(&mut self, folder: &OwnedFd, device: u64, mode: Option<u32>) -> io::Result<Level> {
        let mut level = Level {
            identity: identity(&fstat(folder)?),
            waiting: Vec::new(),
            mode,
        };
        for entry in Dir::read_from(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            if self.found.held.files >= NAMES_MAX || self.must_end() {
                self.found.more = true;
                break;
            }
            let about = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(about) => about,
                Err(Errno::NOENT) => continue, // it went away
                Err(errno) => return Err(errno.into()),
            };
            let is_folder = FileType::from_raw_mode(about.st_mode) == FileType::Directory;
            self.add(&about, is_folder);
            if !is_folder || about.st_dev != device {
                continue;
            }
            if self.waiting_bytes + name.to_bytes().len() > WAITING_BYTES_MAX {
                self.found.more = true;
                continue;
            }
            self.waiting_bytes += name.to_bytes().len();
            level.waiting.push(name.to_owned());
        }
        Ok(level)
    }

    fn must_end(&mut self) -> bool {
        let late = self.until.is_some_and(|until| Instant::now() >= until);
        let ends = late || self.unwanted.load(Ordering::Relaxed);
        self.found.more |= ends;
        ends
    }

    fn add(&mut self, about: &Stat, is_folder: bool) {
        let several = !is_folder && about.st_nlink > 1;
        let one = match is_folder {
            true => Held::folder(),
            false if several && !self.linked.insert(identity(about)) => Held::NAME,
            false => Held::name_and_bytes(about.st_size.cast_unsigned()),
        };
        let held = &mut self.found.held;
        held.bytes = held.bytes.saturating_add(one.bytes);
        held.files = held.files.saturating_add(one.files);
    }
}

fn identity(about: &Stat) -> (u64, u64) {
    (about.st_dev, about.st_ino)
}

/// Opens a folder to be read. One whose permissions were taken away gets them back meanwhile:
/// otherwise it would hide what it holds.
fn open_up(parent: &OwnedFd, name: &CStr) -> io::Result<(OwnedFd, Option<u32>)> {
    let place = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let place = openat(parent, name, place, Mode::empty())?;
    let mode = fstat(&place)?.st_mode & 0o7777;
    let lacking = mode & 0o500 != 0o500;
    if lacking {
        set_mode(&place, mode | 0o700)?;
    }
    let opened = openat(&place, c".", FOLDER, Mode::empty())?;
    Ok((opened, lacking.then_some(mode)))
}

/// A place cannot be changed by its descriptor, but by the name of that.
fn set_mode(place: &OwnedFd, mode: u32) -> io::Result<()> {
    let named = format!("/proc/self/fd/{}", place.as_raw_fd());
    std::fs::set_permissions(named, Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn held(bytes: i64, files: i64) -> Found {
        let held = Held { bytes, files };
        Found { held, more: false }
    }

    fn count(folders: &[PathBuf]) -> io::Result<Found> {
        super::count(folders, WALK_TIME_MAX, &AtomicBool::new(false))
    }

    #[test]
    fn a_walk_ends_when_its_time_is_over_or_nobody_wants_it() {
        let folder = tempfile::tempdir().unwrap();
        let locked = folder.path().join("locked");
        fs::create_dir(&locked).unwrap();
        fs::write(locked.join("file"), "1").unwrap();
        fs::set_permissions(&locked, Permissions::from_mode(0o000)).unwrap();
        let folders = [folder.path().to_owned()];
        for (time_max, unwanted) in [(Duration::ZERO, false), (WALK_TIME_MAX, true)] {
            let found = super::count(&folders, time_max, &AtomicBool::new(unwanted)).unwrap();
            assert!(found.more, "{found:?}");
            assert!(found.held.files < 2, "{found:?}");
        }
        assert_eq!(count(&folders).unwrap(), held(2 * 4_096, 2));
        fs::set_permissions(&locked, Permissions::from_mode(0o700)).unwrap();
    }

    #[test]
    fn every_name_counts_in_blocks_and_no_link_is_followed() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(outside.path().join("large"), vec![1; 100_000]).unwrap();
        let top = folder.path();
        let found = |paths: &[&str]| {
            let paths: Vec<_> = paths.iter().map(|path| top.join(path)).collect();
            count(&paths).unwrap()
        };
        fs::create_dir_all(top.join("w/a/b")).unwrap();
        fs::create_dir(top.join("t")).unwrap();
        assert_eq!(found(&["w", "t"]), held(8_192, 2));
        fs::write(top.join("w/a/empty"), "").unwrap();
        fs::write(top.join("w/a/one"), "1").unwrap();
        fs::write(top.join("t/two"), vec![0; 4_097]).unwrap();
        assert_eq!(found(&["w", "t"]), held(8_192 + 4_096 + 8_192, 5));
        let holes = fs::File::create(top.join("w/holes")).unwrap();
        holes.set_len(1 << 40).unwrap();
        assert_eq!(found(&["w"]), held((1 << 40) + 12_288, 5));
        fs::hard_link(top.join("w/holes"), top.join("w/a/b/again")).unwrap();
        symlink(outside.path(), top.join("w/out")).unwrap();
        assert_eq!(found(&["w"]), held((1 << 40) + 16_384, 7));
    }

    #[test]
    fn a_locked_folder_hides_nothing_and_stays_locked() {
        let folder = tempfile::tempdir().unwrap();
        let locked = folder.path().join("locked");
        fs::create_dir_all(locked.join("inner")).unwrap();
        fs::write(locked.join("inner/file"), "1").unwrap();
        let mode = |mode| fs::set_permissions(&locked, Permissions::from_mode(mode)).unwrap();
        mode(0o000);
        let found = count(&[folder.path().to_owned()]).unwrap();
        let left = fs::metadata(&locked).unwrap().permissions().mode() & 0o777;
        mode(0o700);
        assert_eq!((found, left), (held(3 * 4_096, 3), 0));
    }

    #[test]
    fn depth_costs_neither_stack_nor_descriptors() {
        let folder = tempfile::tempdir().unwrap();
        let mut deepest = openat(CWD, folder.path(), FOLDER, Mode::empty()).unwrap();
        for _ in 0..5_000 {
            rustix::fs::mkdirat(&deepest, c"d", Mode::RWXU).unwrap();
            deepest = openat(&deepest, c"d", FOLDER, Mode::empty()).unwrap();
        }
        let found = count(&[folder.path().to_owned()]).unwrap();
        assert_eq!(found, held(5_000 * 4_096, 5_000));
        // A path as long as this is too long to be removed by name.
        drop(deepest);
        shorten(folder.path());
    }

    fn shorten(top: &std::path::Path) {
        let (mut current, next) = (top.join("d"), top.join("next"));
        while current.exists() {
            let inner = current.join("d");
            if inner.exists() {
                fs::rename(&inner, &next).unwrap();
            }
            fs::remove_dir(&current).unwrap();
            if next.exists() {
                current = top.join("d");
                fs::rename(&next, &current).unwrap();
            }
        }
    }
}
