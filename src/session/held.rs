//! One session as calls use it.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::outcome::Held;
use crate::session::SessionError;
use crate::session::holdings::{Counting, Holdings};
use crate::session::turn::{QueueFull, Turn, Turns};

/// Largest shell state that is kept. Chosen, not measured.
const STATE_BYTES_MAX: usize = 4 << 20;

/// A workspace, a `/tmp` and a shell state.
#[derive(Debug)]
pub struct Session {
    name: String,
    workspace: PathBuf,
    tmp: PathBuf,
    /// Where the shell state is kept; `None` when it is not.
    state_file: Option<PathBuf>,
    state: Mutex<Arc<[u8]>>,
    turns: Turns,
    holdings: Arc<Holdings>,
    /// Held by the native program that changes the session's files.
    writing: Arc<tokio::sync::Mutex<()>>,
    calls: AtomicUsize,
    used: AtomicBool,
}

impl Session {
    pub(super) fn kept(name: &str, folder: &Path, state: Vec<u8>) -> Self {
        let folders = ["workspace", "tmp"].map(|name| folder.join(name));
        let [workspace, tmp] = folders.clone();
        Self {
            name: name.to_owned(),
            workspace,
            tmp,
            state_file: Some(folder.join("state")),
            state: Mutex::new(state.into()),
            turns: Turns::default(),
            holdings: Arc::new(Holdings::of(folders)),
            writing: Arc::default(),
            calls: AtomicUsize::new(0),
            used: AtomicBool::new(true),
        }
    }

    pub(super) fn passing(workspace: PathBuf, tmp: PathBuf) -> Self {
        Self {
            workspace,
            tmp,
            state_file: None,
            // Nobody waits for a walk over a folder of their own, whatever its size.
            holdings: Arc::new(Holdings::growth()),
            ..Self::kept("run", Path::new(""), Vec::new())
        }
    }

    /// The session's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The host folder guests see as `/workspace`.
    pub fn workspace(&self) -> &Path {
        &self.workspace
    }

    /// The folder that holds this and the other sessions of its agent, where there can be others.
    pub fn folder_of_agent(&self) -> Option<&Path> {
        self.state_file.as_ref()?.parent()?.parent()
    }

    /// The host folder guests see as `/tmp`.
    pub fn tmp(&self) -> &Path {
        &self.tmp
    }

    /// Whether shell state outlives a call.
    pub fn keeps_state(&self) -> bool {
        self.state_file.is_some()
    }

    /// The shell state that the last shell left; empty for none.
    pub fn state(&self) -> Arc<[u8]> {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The session's folder, as a guest path: where its last shell was. A state record starts
    /// with it and a NUL (guest-start's `state`).
    pub fn folder(&self) -> Option<String> {
        let state = self.state();
        let end = state.iter().position(|&byte| byte == 0)?;
        String::from_utf8(state.get(..end)?.to_vec()).ok()
    }

    /// Keeps a new shell state, replacing the file in one step. An unchanged one costs nothing.
    ///
    /// # Errors
    /// When it is too large or the file cannot be written; the previous state stays.
    pub async fn commit_state(&self, state: Vec<u8>) -> std::io::Result<()> {
        let Some(file) = &self.state_file else {
            return Ok(());
        };
        if *self.state() == *state {
            return Ok(());
        }
        if state.len() > STATE_BYTES_MAX {
            return Err(std::io::Error::other(format!(
                "shell state of {} bytes, limit {STATE_BYTES_MAX}",
                state.len()
            )));
        }
        let fresh = file.with_extension("new");
        tokio::fs::write(&fresh, &state).await?;
        tokio::fs::rename(&fresh, file).await?;
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state.into();
        Ok(())
    }

    /// Waits for this call's turn among the bash calls of the session.
    ///
    /// # Errors
    /// When too many wait already.
    pub async fn turn(&self) -> Result<Turn, QueueFull> {
        self.turns.take().await
    }

    /// Held by the one native program at a time that changes the session's files.
    pub fn writing(&self) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(&self.writing)
    }

    /// Begins a call in the count of what the session holds.
    ///
    /// # Errors
    /// [`SessionError::Disk`] when the session's folders cannot be counted.
    pub async fn counting(&self) -> Result<Counting, SessionError> {
        self.holdings
            .begin()
            .await
            .map_err(|source| SessionError::Disk {
                path: self.workspace.clone(),
                source,
            })
    }

    /// What the session holds, once it was counted.
    pub(super) fn held(&self) -> Option<Held> {
        self.holdings.held()
    }

    pub(super) fn in_use(&self) -> bool {
        self.calls.load(Ordering::Acquire) > 0
    }

    /// The time to write down as the last use, when there was one since the last question.
    pub(super) fn take_used(&self) -> Option<SystemTime> {
        let used = self.used.swap(false, Ordering::AcqRel) || self.in_use();
        used.then(SystemTime::now)
    }
}

/// A session that a call uses; it is not deleted while one of these exists.
#[derive(Debug)]
pub struct InUse(Arc<Session>);

impl InUse {
    pub(super) fn new(session: Arc<Session>) -> Self {
        session.calls.fetch_add(1, Ordering::AcqRel);
        Self(session)
    }
}

impl Deref for InUse {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.used.store(true, Ordering::Release);
        self.0.calls.fetch_sub(1, Ordering::AcqRel);
    }
}
