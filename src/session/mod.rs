//! Sessions: a workspace, a `/tmp` and a shell state that outlive calls and the server.
//!
//! On disk: `STATE/sessions/AGENT/SESSION/{workspace/,tmp/,state,session.toml}`. What is needed
//! for a call is kept in memory; a call on a known session touches no file here.

mod count;
mod disk;
mod held;
mod holdings;
mod turn;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, SystemTime};

pub use disk::{CHANGES_PREFIX, remove_tree};
pub use held::{InUse, Session};
pub use holdings::{Counted, Counting};
pub use turn::{QueueFull, TURNS_WAITING_MAX, Turn};

use crate::outcome::Held;
use crate::request::SessionName;
use disk::Disk;

/// Name of the session that calls without one use.
pub const DEFAULT: &str = "default";

/// Why a session cannot be used, made or deleted.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error("no session is named `{0}`: make it with POST /sessions/{0}")]
    Unknown(String),
    #[error("the session `{0}` has a call running: wait for its end, then delete it")]
    Busy(String),
    #[error("this token has {0} sessions, which is the limit `sessions_max`: delete one first")]
    Full(usize),
    #[error("cannot use the session's folder `{path}`")]
    Disk {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// What a listing says of a session.
#[derive(Debug, Clone, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionInfo {
    pub name: String,
    pub created: String,
    pub last_used: String,
    /// What its workspace and /tmp hold; absent until a call of it has run since the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
}

/// All sessions of a state folder, or the single passing one of `hotcell run`.
#[derive(Debug)]
pub struct Sessions {
    place: Place,
    /// By agent, then by name.
    known: RwLock<HashMap<String, HashMap<String, Arc<Session>>>>,
}

#[derive(Debug)]
enum Place {
    Kept { disk: Disk, per_agent_max: usize },
    Passing(Arc<Session>),
}

impl Sessions {
    /// Uses the sessions under a state folder.
    ///
    /// # Errors
    /// When the folders cannot be made.
    pub fn open(state: &Path, per_agent_max: usize) -> Result<Self, SessionError> {
        let disk = Disk::open(state)?;
        Ok(Self {
            place: Place::Kept {
                disk,
                per_agent_max,
            },
            known: RwLock::default(),
        })
    }

    /// One session over given folders that keeps nothing and answers to every name.
    pub fn passing(workspace: PathBuf, tmp: PathBuf) -> Self {
        let session = Session::passing(workspace, tmp);
        Self {
            place: Place::Passing(Arc::new(session)),
            known: RwLock::default(),
        }
    }

    /// Takes a session for one call; the default one is made when it is absent.
    ///
    /// # Errors
    /// [`SessionError::Unknown`] for a name this agent did not make, whoever else has it.
    pub fn enter(&self, agent: &str, name: Option<&SessionName>) -> Result<InUse, SessionError> {
        let disk = match &self.place {
            Place::Passing(session) => return Ok(InUse::new(session.clone())),
            Place::Kept { disk, .. } => disk,
        };
        let name = name.map_or(DEFAULT, SessionName::as_str);
        // Counted in while the lock is held, so that a deletion sees the call.
        if let Some(session) = self
            .read()
            .get(agent)
            .and_then(|sessions| sessions.get(name))
        {
            return Ok(InUse::new(session.clone()));
        }
        let mut known = self.write();
        let sessions = known.entry(agent.to_owned()).or_default();
        if let Some(session) = sessions.get(name) {
            return Ok(InUse::new(session.clone()));
        }
        let session = match disk.load(agent, name)? {
            Some(session) => session,
            None if name == DEFAULT => disk.create(agent, name)?,
            None => return Err(SessionError::Unknown(name.to_owned())),
        };
        let session = Arc::new(session);
        sessions.insert(name.to_owned(), session.clone());
        Ok(InUse::new(session))
    }

    /// Sessions with a call running or waiting.
    pub fn in_use(&self) -> usize {
        let known = self.read();
        let sessions = known.values().flat_map(HashMap::values);
        sessions.filter(|session| session.in_use()).count()
    }

    /// Makes a session; answers whether it is new.
    ///
    /// # Errors
    /// [`SessionError::Full`] past the limit of the agent.
    pub fn create(&self, agent: &str, name: &SessionName) -> Result<bool, SessionError> {
        let Place::Kept {
            disk,
            per_agent_max,
        } = &self.place
        else {
            return Ok(false);
        };
        let mut known = self.write();
        let sessions = known.entry(agent.to_owned()).or_default();
        if sessions.contains_key(name.as_str()) || disk.exists(agent, name.as_str()) {
            return Ok(false);
        }
        if disk.names(agent)?.len() >= *per_agent_max {
            return Err(SessionError::Full(*per_agent_max));
        }
        let session = disk.create(agent, name.as_str())?;
        sessions.insert(name.as_str().to_owned(), Arc::new(session));
        Ok(true)
    }

    /// The agent's sessions, by name.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn list(&self, agent: &str) -> Result<Vec<SessionInfo>, SessionError> {
        let Place::Kept { disk, .. } = &self.place else {
            return Ok(Vec::new());
        };
        self.note_use();
        let names = disk.names(agent)?;
        Ok(names
            .into_iter()
            .filter_map(|name| self.described(disk, agent, &name))
            .collect())
    }

    /// What a listing says of one session.
    ///
    /// # Errors
    /// [`SessionError::Unknown`] when this agent has no such session.
    pub fn info(&self, agent: &str, name: &SessionName) -> Result<SessionInfo, SessionError> {
        let unknown = || SessionError::Unknown(name.as_str().to_owned());
        let Place::Kept { disk, .. } = &self.place else {
            return Err(unknown());
        };
        self.note_use();
        self.described(disk, agent, name.as_str())
            .ok_or_else(unknown)
    }

    fn described(&self, disk: &Disk, agent: &str, name: &str) -> Option<SessionInfo> {
        let mut info = disk.info(agent, name)?;
        let known = self.read();
        let session = known.get(agent).and_then(|sessions| sessions.get(name));
        info.held = session.and_then(|session| session.held());
        Some(info)
    }

    /// Deletes a session with its files and state.
    ///
    /// # Errors
    /// [`SessionError::Unknown`], or [`SessionError::Busy`] while a call of it runs or waits.
    pub fn delete(&self, agent: &str, name: &SessionName) -> Result<(), SessionError> {
        let name = name.as_str();
        let Place::Kept { disk, .. } = &self.place else {
            return Err(SessionError::Unknown(name.to_owned()));
        };
        let trash = {
            let mut known = self.write();
            let sessions = known.entry(agent.to_owned()).or_default();
            if sessions.get(name).is_some_and(|session| session.in_use()) {
                return Err(SessionError::Busy(name.to_owned()));
            }
            if !disk.exists(agent, name) {
                return Err(SessionError::Unknown(name.to_owned()));
            }
            sessions.remove(name);
            disk.set_aside(agent, name)?
        };
        disk.remove(&trash)
    }

    /// Writes down when sessions were used and deletes those idle for longer than `idle`.
    /// Answers how many it deleted.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn sweep(&self, idle: Duration, now: SystemTime) -> Result<usize, SessionError> {
        let Place::Kept { disk, .. } = &self.place else {
            return Ok(0);
        };
        self.note_use();
        let mut deleted = 0;
        for agent in disk.agents()? {
            for name in disk.names(&agent)? {
                let age = disk
                    .last_used(&agent, &name)
                    .and_then(|used| now.duration_since(used).ok());
                let expired = age.is_some_and(|age| age > idle);
                let Some(name) = SessionName::new(&name).filter(|_| expired) else {
                    continue;
                };
                match self.delete(&agent, &name) {
                    Ok(()) => deleted += 1,
                    Err(SessionError::Busy(_)) => {}
                    Err(error) => tracing::warn!(%error, %agent, "idle session not deleted"),
                }
            }
        }
        Ok(deleted)
    }

    /// Carries the times of use from memory to the disk.
    fn note_use(&self) {
        let Place::Kept { disk, .. } = &self.place else {
            return;
        };
        for (agent, sessions) in self.read().iter() {
            for (name, session) in sessions {
                if let Some(used) = session.take_used() {
                    disk.set_last_used(agent, name, used);
                }
            }
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<String, HashMap<String, Arc<Session>>>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<String, HashMap<String, Arc<Session>>>> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
