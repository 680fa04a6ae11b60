//! The broker's side of compiled guests: which are there, and having the others compiled.

#![expect(
    clippy::disallowed_methods,
    reason = "the compiler runs as a child of its own"
)]

use std::{path::PathBuf, process::Command, sync::Arc, time::Duration};

use tokio::sync::watch;

use super::{
    artefact::Artefacts,
    catalogue::NEEDED_FIRST,
    compile::in_child,
    error::{CellError, PoolError},
};

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
    pub artefacts: Arc<Artefacts>,
}

impl Guests {
    /// Takes what the cache has and starts to compile what is missing.
    ///
    /// # Errors
    /// The shipped guests or the cache cannot be used.
    pub async fn start(executable: PathBuf, cache: PathBuf) -> Result<Arc<Self>, PoolError> {
        let taken = tokio::task::spawn_blocking(move || {
            let artefacts = Artefacts::open(&cache)?;
            let missing = artefacts.take_cached()?;
            Ok((Arc::new(artefacts), missing))
        });
        let taken = taken.await.unwrap_or_else(|panicked| Err(panicked.into()));
        let (artefacts, missing) = taken.map_err(PoolError::Artefacts)?;
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
            artefacts,
        });
        if state == State::Waiting {
            tokio::spawn(Arc::clone(&guests).compile(executable, missing));
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

    /// Compiles one after the other, each in a child of its own, in the order given: those that are needed first first.
    async fn compile(self: Arc<Self>, executable: PathBuf, names: Vec<String>) {
        let needed = |name: &String| NEEDED_FIRST.contains(&name.as_str());
        let began = tokio::time::Instant::now();
        let (mut made, mut told) = (0_usize, false);
        for (number, name) in names.iter().enumerate() {
            if !self.compile_one(&executable, name).await {
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

    async fn compile_one(&self, executable: &PathBuf, name: &str) -> bool {
        let mut command = Command::new(executable);
        command.env_clear().envs(crate::config::debug_variables());
        match in_child(command, &self.artefacts, name).await {
            Ok(()) => {
                tracing::info!(name, "guest compiled");
                true
            }
            Err(error) => {
                let error = format!("{error:#}");
                tracing::error!(name, error, "a guest could not be compiled");
                false
            }
        }
    }
}
