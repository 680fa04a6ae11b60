//! Processes that wait to become cells: started ahead, of the newest guests, and sealed when a call
//! needs one.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::{
    error::CellError,
    guests::Guests,
    starter::{Fresh, Spare, Starter},
};
use crate::confinement::seal::{Folder, Terms};

/// Pause before a spare that could not be started is tried again.
const RESTART_PAUSE: Duration = Duration::from_millis(200);
/// Processes a cell is tried with before the call that wants it is refused. Chosen: where every
/// third process dies at once, one call in some thousands is refused.
const CELL_TRIES: u32 = 8;

/// Starts processes and has some of them wait.
#[derive(Debug)]
pub(super) struct Spares {
    pub(super) starter: Starter,
    guests: Arc<Guests>,
    most: usize,
    waiting: Waiting,
    ready: AtomicBool,
    started: AtomicU64,
}

/// Those that wait, each with the generation of its guests.
#[derive(Debug, Default)]
struct Waiting {
    spares: Mutex<VecDeque<(u64, Spare)>>,
    taken: Notify,
}

impl Spares {
    pub(super) fn new(starter: Starter, guests: Arc<Guests>, most: usize) -> Self {
        Self {
            starter,
            guests,
            most,
            waiting: Waiting::default(),
            ready: AtomicBool::new(false),
            started: AtomicU64::new(0),
        }
    }

    /// True when one is there, or none is kept.
    pub(super) fn ready(&self) -> bool {
        self.most == 0 || self.ready.load(Ordering::Relaxed)
    }

    /// Processes started so far.
    pub(super) fn started(&self) -> u64 {
        self.started.load(Ordering::Relaxed)
    }

    /// Ends those that wait.
    pub(super) fn clear(&self) {
        self.waiting.clear();
    }

    /// A process sealed over these folders: a spare, or a new one where no spare lives.
    pub(super) async fn sealed(&self, folders: &[Folder]) -> Result<Fresh, CellError> {
        let plan = self.starter.reached.plan;
        let terms = self.starter.terms(plan, folders.to_vec());
        let generation = self.guests.progress().generation;
        match self.waiting.sealed(generation, &terms).await {
            Some(fresh) => Ok(fresh),
            None => self.start_sealed(&terms).await,
        }
    }

    /// A new process, sealed. What happens to one of them need not happen to the next, under a hand
    /// that kills; what the kernel refuses it refuses again.
    async fn start_sealed(&self, terms: &Terms) -> Result<Fresh, CellError> {
        let mut tries = 1;
        loop {
            let sealed = async { self.start_one().await?.seal(terms.clone()).await };
            match sealed.await {
                Err(error @ CellError::Lost(_)) if tries < CELL_TRIES => {
                    tracing::warn!(%error, tries, "a new cell cannot be used");
                    tries += 1;
                }
                sealed => return sealed,
            }
        }
    }

    async fn start_one(&self) -> Result<Spare, CellError> {
        self.started.fetch_add(1, Ordering::Relaxed);
        self.starter.start().await
    }

    /// Has spares ready, of the newest generation, until `stop` says so.
    pub(super) async fn keep(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        if self.most == 0 || self.guests.usable().await.is_err() {
            return;
        }
        while !*stop.borrow() {
            let generation = self.guests.progress().generation;
            if self.waiting.of(generation) >= self.most {
                tokio::select! {
                    () = self.waiting.taken.notified() => {}
                    () = self.guests.after(generation) => {}
                    _ = stop.wait_for(|stop| *stop) => break,
                }
                continue;
            }
            match self.start_one().await {
                Ok(spare) => {
                    self.ready.store(true, Ordering::Relaxed);
                    self.waiting.put(generation, spare);
                }
                Err(error) => {
                    tracing::error!(%error, "a cell cannot be started");
                    tokio::time::sleep(RESTART_PAUSE).await;
                }
            }
        }
        self.waiting.clear();
    }
}

impl Waiting {
    /// How many there are of this generation; older ones lack guests, and go.
    fn of(&self, generation: u64) -> usize {
        let mut spares = self.spares.lock();
        spares.retain(|(made, _)| *made == generation);
        spares.len()
    }

    fn put(&self, generation: u64, spare: Spare) {
        self.spares.lock().push_back((generation, spare));
    }

    fn take(&self, generation: u64) -> Option<Spare> {
        let mut spares = self.spares.lock();
        spares.retain(|(made, _)| *made == generation);
        let (_, spare) = spares.pop_front()?;
        drop(spares);
        self.taken.notify_one();
        Some(spare)
    }

    /// The first that can be sealed so.
    async fn sealed(&self, generation: u64, terms: &Terms) -> Option<Fresh> {
        while let Some(spare) = self.take(generation) {
            match spare.seal(terms.clone()).await {
                Ok(fresh) => return Some(fresh),
                // It may have died while it waited.
                Err(error) => tracing::warn!(%error, "a spare cannot be used"),
            }
        }
        None
    }

    fn clear(&self) {
        self.spares.lock().clear();
    }
}
