//! Sessions on disk. A folder counts as a session once its `session.toml` is there.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use rustix::fs::{AtFlags, Dir, Mode, OFlags, openat, renameat, unlinkat};
use rustix::io::Errno;
use rustix::path::Arg;
use serde::{Deserialize, Serialize};

use crate::quantity;
use crate::request::SessionName;
use crate::session::{Session, SessionError, SessionInfo};

const ABOUT: &str = "session.toml";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    version: u32,
    created: String,
}

#[derive(Debug)]
pub(super) struct Disk {
    sessions: PathBuf,
    /// Folders on their way out; on the same file system, outside every agent's reach.
    trash: PathBuf,
    trash_next: AtomicU64,
    /// Process ids come again, in containers at every start.
    started_ns: u128,
}

impl Disk {
    pub(super) fn open(state: &Path) -> Result<Self, SessionError> {
        let disk = Self {
            sessions: state.join("sessions"),
            trash: state.join("trash"),
            trash_next: AtomicU64::new(0),
            started_ns: SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap_or_default()
                .as_nanos(),
        };
        for folder in [&disk.sessions, &disk.trash] {
            make_folder(folder).map_err(fault(folder))?;
        }
        // What a previous server did not finish deleting.
        for entry in fs::read_dir(&disk.trash)
            .map_err(fault(&disk.trash))?
            .flatten()
        {
            if let Err(error) = disk.remove(&entry.path()) {
                tracing::warn!(%error, "a deleted session's files stay behind");
            }
        }
        Ok(disk)
    }

    pub(super) fn exists(&self, agent: &str, name: &str) -> bool {
        self.folder(agent, name).join(ABOUT).exists()
    }

    pub(super) fn load(&self, agent: &str, name: &str) -> Result<Option<Session>, SessionError> {
        if !self.exists(agent, name) {
            return Ok(None);
        }
        let folder = self.folder(agent, name);
        remove_changes(&folder);
        let file = folder.join("state");
        let state = match fs::read(&file) {
            Ok(state) => state,
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(SessionError::Disk { path: file, source }),
        };
        Ok(Some(Session::kept(name, &folder, state)))
    }

    pub(super) fn create(&self, agent: &str, name: &str) -> Result<Session, SessionError> {
        let folder = self.folder(agent, name);
        for part in ["workspace", "tmp"] {
            let path = folder.join(part);
            make_folder(&path).map_err(fault(&path))?;
        }
        let about = About {
            version: 1,
            created: quantity::rfc3339(SystemTime::now()),
        };
        let path = folder.join(ABOUT);
        let text = toml::to_string(&about)
            .map_err(io::Error::other)
            .map_err(fault(&path))?;
        let fresh = folder.join("session.new");
        File::create(&fresh)
            .and_then(|mut file| {
                file.write_all(text.as_bytes())?;
                file.sync_all() // a crash must not leave a session that is an empty file
            })
            .and_then(|()| fs::rename(&fresh, &path))
            .map_err(fault(&path))?;
        Ok(Session::kept(name, &folder, Vec::new()))
    }

    pub(super) fn agents(&self) -> Result<Vec<String>, SessionError> {
        names_in(&self.sessions)
    }

    pub(super) fn names(&self, agent: &str) -> Result<Vec<String>, SessionError> {
        let mut names = names_in(&self.sessions.join(agent))?;
        names.retain(|name| self.exists(agent, name));
        names.sort_unstable();
        Ok(names)
    }

    pub(super) fn info(&self, agent: &str, name: &str) -> Option<SessionInfo> {
        let text = fs::read_to_string(self.folder(agent, name).join(ABOUT)).ok()?;
        let about: About = toml::from_str(&text).ok()?;
        let last_used = quantity::rfc3339(self.last_used(agent, name)?);
        Some(SessionInfo {
            name: name.to_owned(),
            created: about.created,
            last_used,
            held: None,
        })
    }

    /// The modification time of `session.toml` says when the session was last used.
    pub(super) fn last_used(&self, agent: &str, name: &str) -> Option<SystemTime> {
        fs::metadata(self.folder(agent, name).join(ABOUT))
            .ok()?
            .modified()
            .ok()
    }

    pub(super) fn set_last_used(&self, agent: &str, name: &str, used: SystemTime) {
        let file = File::options()
            .write(true)
            .open(self.folder(agent, name).join(ABOUT));
        if let Err(error) = file.and_then(|file| file.set_modified(used)) {
            tracing::warn!(%error, %agent, session = %name, "time of use not written");
        }
    }

    /// Takes a session out of sight in one step; answers the folder to [`Disk::remove`].
    pub(super) fn set_aside(&self, agent: &str, name: &str) -> Result<PathBuf, SessionError> {
        let trash = self.trash.join(self.trash_name());
        fs::rename(self.folder(agent, name), &trash).map_err(fault(&trash))?;
        Ok(trash)
    }

    /// Removes a tree that a guest made. Its links are not followed, its permissions do not matter,
    /// and its depth costs neither stack nor descriptors: folders are moved up before they are
    /// emptied.
    pub(super) fn remove(&self, trash: &Path) -> Result<(), SessionError> {
        let first = trash.file_name().unwrap_or_default();
        remove_tree(&self.trash, first, || self.trash_name()).map_err(fault(trash))
    }

    fn trash_name(&self) -> String {
        let number = self.trash_next.fetch_add(1, Ordering::Relaxed);
        format!("{}-{}-{number}", std::process::id(), self.started_ns)
    }

    fn folder(&self, agent: &str, name: &str) -> PathBuf {
        self.sessions.join(agent).join(name)
    }
}

/// What folders in a session's folder begin with that hold changes of native programs.
pub const CHANGES_PREFIX: &str = "changes-";

/// Removes the tree `first` in the folder `top`, where its folders get the names that `next` makes
/// before they are emptied: links are not followed, permissions do not matter, and depth costs
/// neither stack nor descriptors.
///
/// # Errors
/// Something cannot be moved or removed.
pub fn remove_tree(top: &Path, first: &OsStr, next: impl Fn() -> String) -> io::Result<()> {
    let top = File::open(top)?;
    let mut left = vec![first.to_owned()];
    while let Some(name) = left.pop() {
        let Some(folder) = open_up(&top, name.as_os_str())? else {
            unlinkat(&top, &*name, AtFlags::empty())?;
            continue;
        };
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            let child = entry.file_name();
            if matches!(child.to_bytes(), b"." | b"..") {
                continue;
            }
            if open_up(&folder, child)?.is_none() {
                unlinkat(&folder, child, AtFlags::empty())?;
                continue;
            }
            let moved = OsString::from(next());
            renameat(&folder, child, &top, &*moved)?;
            left.push(moved);
        }
        unlinkat(&top, &*name, AtFlags::REMOVEDIR)?;
    }
    Ok(())
}

/// Removes folders in which native programs left changes when a server died.
fn remove_changes(session: &Path) {
    for entry in fs::read_dir(session).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if !name.to_string_lossy().starts_with(CHANGES_PREFIX) {
            continue;
        }
        let numbers = AtomicU64::new(0);
        let next = || {
            let number = numbers.fetch_add(1, Ordering::Relaxed);
            format!("{CHANGES_PREFIX}gone-{number}")
        };
        if let Err(error) = remove_tree(session, &name, next) {
            tracing::warn!(%error, "changes of a native program stay behind");
        }
    }
}

fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn names_in(folder: &Path) -> Result<Vec<String>, SessionError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => {
            return Err(SessionError::Disk {
                path: folder.to_owned(),
                source,
            });
        }
    };
    let names = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    Ok(names
        .filter(|name| SessionName::new(name).is_some())
        .collect())
}

/// Opens a folder whose permissions may have been taken away, giving them back; `None` for what is
/// not a folder. Follows no link.
fn open_up(parent: &File, name: impl Arg) -> io::Result<Option<File>> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let place = match openat(parent, name, flags, Mode::empty()) {
        Ok(place) => place,
        Err(Errno::NOTDIR | Errno::LOOP) => return Ok(None),
        Err(errno) => return Err(errno.into()),
    };
    // A place cannot be changed by its descriptor, but by the name of that. Where this fails, the
    // next step says whether it was needed.
    let named = format!("/proc/self/fd/{}", place.as_raw_fd());
    let _best_effort = fs::set_permissions(named, fs::Permissions::from_mode(0o700));
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(Some(openat(&place, ".", flags, Mode::empty())?.into()))
}

fn fault(path: &Path) -> impl Fn(io::Error) -> SessionError + use<'_> {
    move |source| SessionError::Disk {
        path: path.to_owned(),
        source,
    }
}
