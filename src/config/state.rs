//! The state folder: made private, and locked so that one server owns it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

/// How long a start waits for another server to be gone. Chosen: above what the kernel takes to end one.
const LOCK_WAIT: Duration = Duration::from_secs(2);
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Why the state folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("cannot use the state folder `{path}`")]
    Folder {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(
        "another hotcell server uses the state folder `{path}`: stop it, or name another with --state"
    )]
    InUse { path: PathBuf },
    #[error(
        "others may write to the state folder `{path}` (mode {mode:o}), so its tokens and records \
         could be replaced: run chmod go-w on it, or name another with --state"
    )]
    Open { path: PathBuf, mode: u32 },
}

/// A state folder that exists and only its owner can enter.
#[derive(Debug)]
pub struct State {
    path: PathBuf,
}

impl State {
    /// Opens the folder, making it when it is absent.
    ///
    /// # Errors
    /// When it cannot be made, or others may write to it.
    #[expect(
        clippy::disallowed_methods,
        reason = "a name that the operator gives, before any guest runs"
    )]
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let fault = |source| StateError::Folder {
            path: path.to_owned(),
            source,
        };
        private_folder(path).map_err(fault)?;
        let mode = std::fs::metadata(path).map_err(fault)?.mode() & 0o7777;
        if mode & 0o022 != 0 {
            let path = path.to_owned();
            return Err(StateError::Open { path, mode });
        }
        // Guests get these folders as mounts; a relative name would change meaning with the cwd.
        // Without links, too: a cell opens no path with one.
        let path = std::fs::canonicalize(path).map_err(fault)?;
        Ok(Self { path })
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// As [`Self::lock`], with patience: what a server that was killed had just begun to start holds its
    /// lock for a moment longer.
    ///
    /// # Errors
    /// As [`Self::lock`].
    pub fn lock_soon(&self) -> Result<File, StateError> {
        let until = Instant::now() + LOCK_WAIT;
        loop {
            match self.lock() {
                Err(StateError::InUse { .. }) if Instant::now() < until => {
                    std::thread::sleep(LOCK_PAUSE);
                }
                taken => return taken,
            }
        }
    }

    /// Takes the lock that one server holds for as long as it runs.
    ///
    /// # Errors
    /// [`StateError::InUse`] when another server holds it.
    pub fn lock(&self) -> Result<File, StateError> {
        let path = self.path.clone();
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(self.path.join("lock"))
            .map_err(|source| StateError::Folder {
                path: path.clone(),
                source,
            })?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(StateError::InUse { path }),
            Err(errno) => Err(StateError::Folder {
                path,
                source: errno.into(),
            }),
        }
    }
}

/// Makes a folder that only its owner can enter, and its missing parents likewise.
pub(super) fn private_folder(path: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_folder_is_private_and_has_one_server() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/state");
        let state = State::open(&path).unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o700
        );
        let open = std::fs::Permissions::from_mode(0o770);
        std::fs::set_permissions(&path, open).unwrap();
        assert!(matches!(
            State::open(&path),
            Err(StateError::Open { mode: 0o770, .. })
        ));
        let readable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&path, readable).unwrap();
        assert!(State::open(&path).is_ok());
        let held = state.lock().unwrap();
        assert!(matches!(
            State::open(&path).unwrap().lock(),
            Err(StateError::InUse { .. })
        ));
        drop(held);
        assert!(state.lock().is_ok());
    }
}
