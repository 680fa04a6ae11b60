//! What a native program did to the workspace: read from the upper folder of its overlay, held
//! against the rules, and then taken over, as a whole or not at all.
//!
//! The program may have been hostile, and guests may change the workspace meanwhile: every path is
//! opened below its root, and links are never followed.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Uid, chownat, fchmod, fgetxattr,
    fremovexattr, mkdirat, openat2, readlinkat, renameat, statat, symlinkat, unlinkat,
};

use crate::native::profile::Recipe;
use crate::outcome::Held;
use crate::policy::{Cover, Protected};

/// Most entries that are looked at. Chosen: several times the default limit of a session's files.
const ENTRIES_MAX: usize = 1_000_000;
/// Longest path of a change, in bytes. Chosen: half of what the kernel takes.
const PATH_BYTES_MAX: usize = 2_048;
/// The mark of a folder that hides the one below it, and of where a file came from.
const OPAQUE: &CStr = c"user.overlay.opaque";
const MARKS: &[&CStr] = &[c"user.overlay.origin", c"user.overlay.impure", OPAQUE];
/// Rights that are taken over: none that lend a program its owner's or group's.
const RIGHTS: u32 = 0o777;

/// What may be changed.
#[derive(Debug)]
pub(super) struct Allowed<'a> {
    pub(super) protected: &'a [Protected],
    pub(super) recipe: &'a Recipe,
    /// What the session may hold more.
    pub(super) room: Held,
    /// Bytes that may be written.
    pub(super) written_max: u64,
}

/// One change, by its path in the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Change {
    path: Vec<u8>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File {
        rights: u32,
    },
    Link,
    /// A folder that was not there, or of which nothing is kept.
    NewFolder {
        rights: u32,
    },
    Rights(u32),
    Removed,
}

/// One entry of the folder with the changes.
struct Entry<'a> {
    folder: &'a OwnedFd,
    name: &'a [u8],
    path: &'a [u8],
    /// What the workspace has under its path.
    before: Option<Stat>,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    changes: Vec<Change>,
    pub(super) grown: Held,
    pub(super) written: u64,
}

/// Why changes are not taken over.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("it changed `{0}`, whose name is protected")]
    Protected(String),
    #[error("it made `{0}`, which is no file, folder or link")]
    Special(String),
    #[error("its changes take {0} more than the session may hold")]
    Quota(&'static str),
    #[error("it wrote {0} bytes, more than the call may write")]
    Written(u64),
    #[error("it changed more than {ENTRIES_MAX} files")]
    TooMany,
    #[error("it made a path of over {PATH_BYTES_MAX} bytes")]
    TooLong,
    #[error("its changes cannot be read or taken over")]
    Io(#[from] io::Error),
}

impl From<rustix::io::Errno> for Refusal {
    fn from(errno: rustix::io::Errno) -> Self {
        Self::Io(errno.into())
    }
}

/// The folder with the changes, and the workspace they are for.
#[derive(Debug)]
pub(super) struct Layers {
    pub(super) above: OwnedFd,
    pub(super) below: OwnedFd,
}

impl Layers {
    /// Everything that changed.
    ///
    /// # Errors
    /// The first change that is not allowed.
    pub(super) fn find(&self, allowed: &Allowed<'_>) -> Result<Found, Refusal> {
        let mut found = Found::default();
        let mut seen = 0;
        // Of a new folder nothing was there before, whatever the workspace has under its name.
        let mut left = vec![(Vec::new(), false)];
        while let Some((folder, is_new)) = left.pop() {
            let open = open_folder(&self.above, &folder)?;
            for entry in Dir::read_from(&open)? {
                let entry = entry?;
                let name = entry.file_name().to_bytes();
                if matches!(name, b"." | b"..") {
                    continue;
                }
                seen += 1;
                if seen > ENTRIES_MAX {
                    return Err(Refusal::TooMany);
                }
                let path = joined(&folder, name);
                if path.len() > PATH_BYTES_MAX {
                    return Err(Refusal::TooLong);
                }
                let before = if is_new { None } else { self.before(&path)? };
                let entry = Entry {
                    folder: &open,
                    name,
                    path: &path,
                    before,
                };
                if let Some(is_new) = self.look(&entry, &mut found, allowed)? {
                    left.push((path, is_new));
                }
            }
        }
        let (grown, room) = (found.grown, allowed.room);
        if grown.bytes > 0 && grown.bytes > room.bytes {
            return Err(Refusal::Quota("bytes"));
        }
        if grown.files > 0 && grown.files > room.files {
            return Err(Refusal::Quota("files"));
        }
        if found.written > allowed.written_max {
            return Err(Refusal::Written(found.written));
        }
        Ok(found)
    }

    /// Looks at one entry; answers, of a folder to look into, whether it is new.
    fn look(
        &self,
        entry: &Entry<'_>,
        found: &mut Found,
        allowed: &Allowed<'_>,
    ) -> Result<Option<bool>, Refusal> {
        let Entry {
            folder,
            name,
            path,
            before,
        } = entry;
        let about = statat(folder, *name, AtFlags::SYMLINK_NOFOLLOW)?;
        let kind = FileType::from_raw_mode(about.st_mode);
        let rights = about.st_mode & RIGHTS;
        let was_folder = before.as_ref().is_some_and(is_folder);
        let change = match kind {
            FileType::Directory => {
                let open = open_folder(folder, name)?;
                let opaque = is_opaque(&open);
                if was_folder && !opaque {
                    let kept = before.as_ref().map(|about| about.st_mode & RIGHTS);
                    if kept != Some(rights) {
                        self.allow(allowed, path, Cover::Inside)?;
                        found.add(path, Kind::Rights(rights));
                    }
                    return Ok(Some(false));
                }
                self.allow(allowed, path, Cover::Inside)?;
                found.grown.files += 1;
                found.grown.bytes += Held::folder().bytes;
                Kind::NewFolder { rights }
            }
            FileType::RegularFile => {
                let size = about.st_size.unsigned_abs();
                let held = Held::name_and_bytes(size);
                found.grown.bytes = found.grown.bytes.saturating_add(held.bytes);
                found.grown.files += 1;
                found.written = found.written.saturating_add(size);
                Kind::File { rights }
            }
            FileType::Symlink => {
                found.grown.bytes += Held::folder().bytes;
                found.grown.files += 1;
                Kind::Link
            }
            FileType::CharacterDevice if about.st_rdev == 0 => Kind::Removed,
            FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => return Err(Refusal::Special(shown(path))),
        };
        if !matches!(kind, FileType::Directory) {
            self.allow(allowed, path, Cover::Above)?;
        }
        if let Some(before) = before {
            let gone = self.gone_with(path, before, allowed)?;
            found.grown.bytes -= gone.bytes;
            found.grown.files -= gone.files;
        }
        found.add(path, change);
        Ok(matches!(kind, FileType::Directory).then_some(true))
    }

    /// What the workspace has under a path.
    fn before(&self, path: &[u8]) -> Result<Option<Stat>, Refusal> {
        let (folder, name) = split(path);
        let folder = match open_folder(&self.below, folder) {
            Ok(folder) => folder,
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR | rustix::io::Errno::LOOP) => {
                return Ok(None);
            }
            Err(errno) => return Err(errno.into()),
        };
        match statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(about) => Ok(Some(about)),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// What the session holds less when this path goes. With a folder goes all that is in it, and none
    /// of that may be protected.
    fn gone_with(&self, path: &[u8], about: &Stat, allowed: &Allowed<'_>) -> Result<Held, Refusal> {
        if !is_folder(about) {
            return Ok(match about.st_nlink {
                0 | 1 => Held::name_and_bytes(about.st_size.unsigned_abs()),
                _ => Held::NAME,
            });
        }
        let mut held = Held::folder();
        let (mut left, mut seen) = (vec![path.to_vec()], 0);
        while let Some(folder) = left.pop() {
            let open = open_folder(&self.below, &folder)?;
            for entry in Dir::read_from(&open)? {
                let entry = entry?;
                let name = entry.file_name().to_bytes();
                if matches!(name, b"." | b"..") {
                    continue;
                }
                seen += 1;
                if seen > ENTRIES_MAX {
                    return Err(Refusal::TooMany);
                }
                let inside = joined(&folder, name);
                self.allow(allowed, &inside, Cover::Above)?;
                let about = statat(&open, name, AtFlags::SYMLINK_NOFOLLOW)?;
                let one = match is_folder(&about) {
                    true => {
                        left.push(inside);
                        Held::folder()
                    }
                    false if about.st_nlink > 1 => Held::NAME,
                    false => Held::name_and_bytes(about.st_size.unsigned_abs()),
                };
                held.bytes = held.bytes.saturating_add(one.bytes);
                held.files += one.files;
            }
        }
        Ok(held)
    }

    /// Whether a path may be changed, where names it covers so far are protected.
    fn allow(&self, allowed: &Allowed<'_>, path: &[u8], least: Cover) -> Result<(), Refusal> {
        let names: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
        let mut protected = allowed.protected.iter();
        let recipe = allowed.recipe;
        let own = names.iter().position(|name| {
            let mut may = recipe.may_change.iter();
            may.any(|known| known.as_bytes() == *name)
        });
        let refused = || Err(Refusal::Protected(shown(path)));
        let Some(own) = own else {
            return match protected.any(|name| name.cover(&names) >= least) {
                true if !self.is_in_new_repository(allowed, &names)? => refused(),
                _ => Ok(()),
            };
        };
        let inside = names.get(own + 1..).unwrap_or_default();
        let begins = |known: &&str| {
            let known: Vec<_> = known.split('/').map(str::as_bytes).collect();
            inside.starts_with(&known)
        };
        if recipe.never.iter().any(begins) {
            return refused();
        }
        let folder: Vec<u8> = names.get(..=own).unwrap_or_default().join(&b'/');
        let was_there = self.before(&folder)?.is_some();
        // The repository itself as a file or link stands for another one.
        let itself = inside.is_empty() && least == Cover::Above;
        if itself || (was_there && recipe.keeps.iter().any(begins)) {
            return refused();
        }
        Ok(())
    }

    /// Whether a path lies in a folder that is new and a repository: what is checked out there is what
    /// the repository holds, under whatever names. A folder that was there before stays as protected
    /// as it was, whatever it has become; and one that is protected, or on the way to a protected name, is
    /// none to be made anew.
    fn is_in_new_repository(
        &self,
        allowed: &Allowed<'_>,
        names: &[&[u8]],
    ) -> Result<bool, Refusal> {
        let Allowed {
            protected, recipe, ..
        } = allowed;
        for depth in 1..names.len() {
            let above = names.get(..depth).unwrap_or_default();
            if protected
                .iter()
                .any(|name| name.cover(above) > Cover::Apart)
            {
                return Ok(false);
            }
            let folder = above.join(&b'/');
            let holds =
                |own: &&str| open_folder(&self.above, &joined(&folder, own.as_bytes())).is_ok();
            if self.before(&folder)?.is_none() && recipe.may_change.iter().any(holds) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes the changes over. Files become `owner`'s where that is said.
    ///
    /// # Errors
    /// The workspace changed meanwhile, or the disk fails; what was taken over until then stays.
    pub(super) fn apply(
        &self,
        found: &Found,
        owner: Option<(u32, u32)>,
        next: &dyn Fn() -> String,
    ) -> Result<(), Refusal> {
        for change in &found.changes {
            self.apply_one(change, owner, next)
                .map_err(|error| io::Error::other(format!("`{}`: {error}", shown(&change.path))))?;
        }
        Ok(())
    }

    fn apply_one(
        &self,
        change: &Change,
        owner: Option<(u32, u32)>,
        next: &dyn Fn() -> String,
    ) -> Result<(), Refusal> {
        let (folder, name) = split(&change.path);
        let below = open_folder(&self.below, folder)?;
        match change.kind {
            Kind::Removed => remove(&below, name, next)?,
            Kind::Rights(rights) => {
                fchmod(open_folder(&below, name)?, Mode::from_raw_mode(rights))?;
            }
            Kind::NewFolder { rights } => {
                remove(&below, name, next)?;
                mkdirat(&below, name, Mode::RWXU)?;
                let made = open_folder(&below, name)?;
                fchmod(&made, Mode::from_raw_mode(rights))?;
                own(&below, name, owner)?;
            }
            Kind::Link => {
                let above = open_folder(&self.above, folder)?;
                let target = readlinkat(&above, name, Vec::new())?;
                remove(&below, name, next)?;
                symlinkat(&target, &below, name)?;
                own(&below, name, owner)?;
            }
            Kind::File { rights } => {
                let above = open_folder(&self.above, folder)?;
                self.take_file((&above, &below), name, (rights, owner), next)?;
            }
        }
        Ok(())
    }

    fn take_file(
        &self,
        (above, below): (&OwnedFd, &OwnedFd),
        name: &[u8],
        (rights, owner): (u32, Option<(u32, u32)>),
        next: &dyn Fn() -> String,
    ) -> Result<(), Refusal> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        own(above, name, owner)?;
        let named = openat2(
            above,
            name,
            OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
            beneath(),
        )?;
        // It may have taken its own right to read from itself.
        let place = format!("/proc/self/fd/{}", named.as_raw_fd());
        rustix::fs::chmod(&*place, Mode::from_raw_mode(rights | 0o400))?;
        let file = openat2(above, name, flags, Mode::empty(), beneath())?;
        for mark in MARKS {
            // Most have none.
            let _absent = fremovexattr(&file, *mark);
        }
        let there = statat(below, name, AtFlags::SYMLINK_NOFOLLOW);
        if there.is_ok_and(|about| is_folder(&about)) {
            remove(below, name, next)?;
        }
        match renameat(above, name, below, name) {
            // Another file system: a copy under another name takes the place at once.
            Err(rustix::io::Errno::XDEV) => copy(file, below, name, (rights, owner, &next()))?,
            other => {
                other?;
                fchmod(&file, Mode::from_raw_mode(rights))?;
            }
        }
        Ok(())
    }
}

impl Found {
    fn add(&mut self, path: &[u8], kind: Kind) {
        let path = path.to_vec();
        self.changes.push(Change { path, kind });
    }

    /// The changed paths as guests see them.
    pub(super) fn paths(&self, workspace: &str) -> Vec<String> {
        let paths = self.changes.iter().map(|change| shown(&change.path));
        paths.map(|path| format!("{workspace}/{path}")).collect()
    }
}

fn copy(
    file: OwnedFd,
    below: &OwnedFd,
    name: &[u8],
    (rights, owner, fresh): (u32, Option<(u32, u32)>, &str),
) -> Result<(), Refusal> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let to = openat2(below, fresh, flags, Mode::RUSR | Mode::WUSR, beneath())?;
    let written = io::copy(
        &mut std::fs::File::from(file),
        &mut std::fs::File::from(to.try_clone()?),
    );
    let placed = written.map(drop).and_then(|()| {
        fchmod(&to, Mode::from_raw_mode(rights))?;
        own(below, fresh.as_bytes(), owner)?;
        Ok(renameat(below, fresh, below, name)?)
    });
    if placed.is_err() {
        // Half a copy is nobody's.
        let _gone = unlinkat(below, fresh, AtFlags::empty());
    }
    Ok(placed?)
}

fn own(folder: &OwnedFd, name: &[u8], owner: Option<(u32, u32)>) -> rustix::io::Result<()> {
    match owner {
        None => Ok(()),
        Some((user, group)) => {
            let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
            let flags = AtFlags::SYMLINK_NOFOLLOW;
            chownat(folder, name, Some(user), Some(group), flags)
        }
    }
}

/// Removes whatever has a name.
fn remove(folder: &OwnedFd, name: &[u8], next: &dyn Fn() -> String) -> Result<(), Refusal> {
    match unlinkat(folder, name, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
        Err(rustix::io::Errno::ISDIR | rustix::io::Errno::PERM) => {
            let top = format!("/proc/self/fd/{}", folder.as_raw_fd());
            let name = std::ffi::OsStr::from_bytes(name);
            Ok(crate::session::remove_tree(top.as_ref(), name, next)?)
        }
        Err(errno) => Err(errno.into()),
    }
}

fn beneath() -> ResolveFlags {
    ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS
}

/// A folder below a root; the root itself for an empty path. Its rights may have been taken away.
fn open_folder(root: &OwnedFd, path: &[u8]) -> rustix::io::Result<OwnedFd> {
    let path = if path.is_empty() { b"." } else { path };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let place = openat2(root, path, flags, Mode::empty(), beneath())?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match openat2(&place, ".", flags, Mode::empty(), beneath()) {
        Err(rustix::io::Errno::ACCESS) => {
            let named = format!("/proc/self/fd/{}", place.as_raw_fd());
            rustix::fs::chmod(&*named, Mode::RWXU)?;
            openat2(&place, ".", flags, Mode::empty(), beneath())
        }
        opened => opened,
    }
}

fn is_opaque(folder: &OwnedFd) -> bool {
    let mut value = [0; 8];
    fgetxattr(folder, OPAQUE, &mut value).is_ok_and(|length| value.get(..length) == Some(b"y"))
}

fn is_folder(about: &Stat) -> bool {
    FileType::from_raw_mode(about.st_mode).is_dir()
}

fn joined(folder: &[u8], name: &[u8]) -> Vec<u8> {
    match folder.is_empty() {
        true => name.to_vec(),
        false => [folder, b"/", name].concat(),
    }
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => {
            let (folder, name) = path.split_at(at);
            (folder, name.get(1..).unwrap_or_default())
        }
        None => (b"", path),
    }
}

fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}
