//! Processes that wait to become cells: started ahead, of the newest guests, and sealed when a call
//! needs one.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
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

/// Pause before a spare that could not be started is tried again; it doubles while that fails.
const RESTART_PAUSE: Duration = Duration::from_millis(200);
/// Longest of them. Chosen: a machine that can start cells again is used soon, and one that cannot
/// for a day has some ten thousand lines in its log.
const RESTART_PAUSE_MAX: Duration = Duration::from_secs(8);
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
    starts: Starts,
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
            starts: Starts::default(),
            started: AtomicU64::new(0),
        }
    }

    /// True when the last one that was started came up, or none is kept.
    pub(super) fn ready(&self) -> bool {
        self.most == 0 || self.starts.work.load(Ordering::Relaxed)
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
                    self.starts.worked();
                    self.waiting.put(generation, spare);
                }
                Err(error) => {
                    tracing::error!(%error, "a cell cannot be started");
                    let pause = self.starts.failed();
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        _ = stop.wait_for(|stop| *stop) => break,
                    }
                }
            }
        }
        self.waiting.clear();
    }
}

/// Whether spares can be started, as far as the last of them says.
#[derive(Debug, Default)]
struct Starts {
    work: AtomicBool,
    /// Failures since one worked.
    failures: AtomicU32,
}

impl Starts {
    fn worked(&self) {
        self.failures.store(0, Ordering::Relaxed);
        self.work.store(true, Ordering::Relaxed);
    }

    /// Answers how long to wait before the next is tried.
    fn failed(&self) -> Duration {
        self.work.store(false, Ordering::Relaxed);
        let before = self.failures.fetch_add(1, Ordering::Relaxed);
        let pause = RESTART_PAUSE.saturating_mul(2_u32.saturating_pow(before));
        pause.min(RESTART_PAUSE_MAX)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_that_fail_are_told_of_and_tried_ever_less() {
        let starts = Starts::default();
        let works = || starts.work.load(Ordering::Relaxed);
        for _ in 0..2 {
            assert!(!works());
            starts.worked();
            assert!(works());
            let pauses: Vec<_> = (0..8).map(|_| starts.failed().as_millis()).collect();
            assert_eq!(pauses, [200, 400, 800, 1_600, 3_200, 6_400, 8_000, 8_000]);
            assert!(!works());
        }
        for _ in 0..100 {
            assert!(starts.failed() <= RESTART_PAUSE_MAX);
        }
    }
}
