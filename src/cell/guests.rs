//! The broker's side of compiled guests: which are there, and having the others compiled.

#![expect(
    clippy::disallowed_methods,
    reason = "the compiler runs as a child of its own"
)]

use std::{path::PathBuf, process::Stdio, sync::Arc, time::Duration};

use tokio::{process::Command, sync::watch};

use super::{catalogue::NEEDED_FIRST, compile::missing, pool::CellError};

/// How long the first calls wait for guests beyond the shell and the file tools. A cell cannot be
/// given a guest later, so one that starts earlier lacks it. Within what a cold start may take.
const REST_WAIT: Duration = Duration::from_secs(5);

/// How far compilation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Goes up when a new cell would have more guests than those before.
    pub generation: u64,
    pub state: State,
}

/// Whether cells can be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The shell or the file tools are not compiled yet.
    Waiting,
    /// They are; others may follow.
    Usable,
    /// One of them cannot be compiled; waiting longer would not help.
    Unable,
}

/// Compiles what the cache lacks.
#[derive(Debug)]
pub struct Guests {
    progress: watch::Sender<Progress>,
}

impl Guests {
    /// Starts to compile what is missing.
    ///
    /// # Errors
    /// The shipped guests cannot be read.
    pub fn start(executable: PathBuf, cache: PathBuf) -> Result<Arc<Self>, CellError> {
        super::compile::check_cache(&cache).map_err(CellError::Catalogue)?;
        let missing = missing(&cache).map_err(CellError::Catalogue)?;
        let state = match missing.is_empty() {
            true => State::Usable,
            false => State::Waiting,
        };
        let first = Progress {
            generation: 0,
            state,
        };
        let guests = Arc::new(Self {
            progress: watch::channel(first).0,
        });
        if state == State::Waiting {
            tokio::spawn(Arc::clone(&guests).compile(executable, cache, missing));
        }
        Ok(guests)
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// Waits until cells can be started.
    ///
    /// # Errors
    /// A guest that every call needs cannot be compiled.
    pub async fn usable(&self) -> Result<(), CellError> {
        let mut progress = self.progress.subscribe();
        let known = progress.wait_for(|now| now.state != State::Waiting);
        let state = known.await.map(|now| now.state);
        match state {
            Ok(State::Usable) => Ok(()),
            Ok(State::Unable | State::Waiting) | Err(_) => Err(CellError::Unable),
        }
    }

    /// Resolves when a later generation than this can be had.
    pub async fn after(&self, generation: u64) {
        let mut progress = self.progress.subscribe();
        let later = progress.wait_for(|now| now.generation > generation);
        let gone = later.await.is_err();
        if gone {
            std::future::pending::<()>().await;
        }
    }

    /// Compiles one after the other, each in a child of its own, those that are needed first first.
    async fn compile(self: Arc<Self>, executable: PathBuf, cache: PathBuf, mut names: Vec<String>) {
        let needed = |name: &String| NEEDED_FIRST.contains(&name.as_str());
        names.sort_by_key(|name| !needed(name));
        let began = tokio::time::Instant::now();
        let (mut made, mut told) = (0_usize, false);
        for (number, name) in names.iter().enumerate() {
            if !compile_one(&executable, &cache, name).await {
                if needed(name) {
                    let unable = |now: &mut Progress| now.state = State::Unable;
                    self.progress.send_modify(unable);
                    return;
                }
                continue;
            }
            made += 1;
            let more_needed = names.get(number + 1).is_some_and(needed);
            if !told && !more_needed && began.elapsed() >= REST_WAIT {
                told = true;
                self.usable_now();
                made = 0;
            }
        }
        if made > 0 || !told {
            self.usable_now();
        }
    }

    fn usable_now(&self) {
        self.progress.send_modify(|now| {
            now.generation += 1;
            now.state = State::Usable;
        });
    }
}

async fn compile_one(executable: &PathBuf, cache: &PathBuf, name: &str) -> bool {
    let mut command = Command::new(executable);
    command.arg("compile").arg("--cache").arg(cache).arg(name);
    command.env_clear().envs(crate::config::debug_variables());
    command.stdin(Stdio::null()).kill_on_drop(true);
    let status = command.status().await;
    let compiled = status.as_ref().is_ok_and(std::process::ExitStatus::success);
    if compiled {
        tracing::info!(name, "guest compiled");
    } else {
        tracing::error!(name, ?status, "a guest could not be compiled");
    }
    compiled
}
