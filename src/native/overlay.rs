//! The folder in which an overlay collects what a native program changes.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{Gid, Mode, OFlags, Uid, chown};

use crate::confinement::seal::Folder;
use crate::native::changes::{Allowed, Layers};
use crate::native::error::NativeError;
use crate::native::profile::Recipe;
use crate::outcome::Held;
use crate::policy::Protected;
use crate::session::CHANGES_PREFIX;
use crate::workspace::WORKSPACE;

/// A folder in which an overlay collects changes; dropped, it goes.
#[derive(Debug)]
pub(super) struct Changes {
    pub(super) folder: PathBuf,
    pub(super) workspace: Folder,
    /// Whose files become, where they were shown as another's.
    pub(super) owner: Option<(u32, u32)>,
    pub(super) keeps: bool,
    pub(super) protected: Vec<Protected>,
    pub(super) recipe: &'static Recipe,
    pub(super) room: Held,
    pub(super) written_max: u64,
}

type TakenOver = (Vec<String>, Held, u64);

impl Changes {
    /// Makes the folders; they are `user`'s.
    ///
    /// # Errors
    /// The place cannot be used.
    pub(super) fn make(self, user: Option<(u32, u32)>) -> Result<Self, NativeError> {
        let fault = |source| NativeError::Changes {
            path: self.folder.clone(),
            source,
        };
        let make = |path: &Path| std::fs::DirBuilder::new().mode(0o700).create(path);
        make(&self.folder).map_err(fault)?;
        for name in ["above", "work"] {
            let path = self.folder.join(name);
            make(&path).map_err(fault)?;
            if let Some((user, group)) = user {
                let owner = (Some(Uid::from_raw(user)), Some(Gid::from_raw(group)));
                chown(&path, owner.0, owner.1).map_err(|error| fault(error.into()))?;
            }
        }
        Ok(self)
    }

    /// Takes the changes over, or throws them away. Waits for the disk.
    ///
    /// # Errors
    /// A change breaks a rule; nothing is taken over then.
    pub(super) fn take_over(self, whole: bool) -> Result<TakenOver, String> {
        if !self.keeps || !whole {
            return Ok(TakenOver::default());
        }
        let open = |path: &Path| {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            rustix::fs::open(path, flags, Mode::empty())
        };
        let above = open(&self.folder.join("above")).map_err(|error| error.to_string())?;
        let below = self.workspace.open().map_err(|error| error.to_string())?;
        let layers = Layers { above, below };
        let allowed = Allowed {
            protected: &self.protected,
            recipe: self.recipe,
            room: self.room,
            written_max: self.written_max,
        };
        let told = |error| format!("{:#}", anyhow::Error::new(error));
        let found = layers.find(&allowed).map_err(told)?;
        let numbers = AtomicU64::new(0);
        let next = || {
            let number = numbers.fetch_add(1, Ordering::Relaxed);
            format!(".{CHANGES_PREFIX}{}-{number}", std::process::id())
        };
        layers.apply(&found, self.owner, &next).map_err(told)?;
        Ok((found.paths(WORKSPACE), found.grown, found.written))
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        remove_changes(&self.folder);
    }
}

fn remove_changes(folder: &Path) {
    let numbers = AtomicU64::new(0);
    let next = || format!("gone-{}", numbers.fetch_add(1, Ordering::Relaxed));
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if let Err(error) = crate::session::remove_tree(folder, &entry.file_name(), next) {
            tracing::warn!(%error, folder = %folder.display(), "changes of a native program stay behind");
        }
    }
    let _absent = std::fs::remove_dir(folder);
}
