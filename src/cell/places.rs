//! Which cell belongs to whom: one for each key, ended when it was idle for long.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::{OnceCell, watch};

use super::link::Link;
use crate::confinement::seal::Folder;

/// A cell without calls for this long is ended: its session's state is on disk. Chosen: an agent
/// that thinks between two calls finds its cell again, one that went away leaves nothing.
const IDLE_MAX: Duration = Duration::from_secs(10);
/// Cells without calls beyond this number are ended at once, the longest idle first.
const IDLE_CELLS_MAX: usize = 16;
/// How often idle cells are looked for.
const IDLE_EVERY: Duration = Duration::from_secs(1);

/// The cells that have a session (or an agent).
#[derive(Debug, Default)]
pub(super) struct Places {
    cells: Mutex<HashMap<String, Arc<Cell>>>,
}

/// The cell of one key, from before it is started until another takes its place.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) folders: Vec<Folder>,
    generation: u64,
    pub(super) link: OnceCell<Arc<Link>>,
    /// Calls that hold it.
    users: AtomicUsize,
    used: Mutex<Instant>,
    /// No call may take it any more; the last one that has it closes it.
    retired: AtomicBool,
}

impl Places {
    /// Cells that have a session.
    pub(super) fn living(&self) -> usize {
        self.cells.lock().len()
    }

    /// What the key's cell sees.
    pub(super) fn folders(&self, key: &str) -> Option<Vec<Folder>> {
        let cells = self.cells.lock();
        cells.get(key).map(|cell| cell.folders.clone())
    }

    /// Ends them all, whatever runs in them.
    pub(super) fn drain(&self) {
        for (_, cell) in self.cells.lock().drain() {
            cell.retire();
            cell.close();
        }
    }

    /// The key's cell where it still serves, or an empty place for the next.
    pub(super) fn hold(&self, key: &str, folders: Vec<Folder>, generation: u64) -> Held<'_> {
        let mut cells = self.cells.lock();
        let known = cells.get(key).filter(|cell| {
            let newest = cell.generation == generation || cell.users.load(Ordering::SeqCst) > 0;
            cell.folders == folders && newest && cell.serves()
        });
        let cell = match known {
            Some(cell) => Arc::clone(cell),
            None => {
                let cell = Arc::new(Cell::new(folders, generation));
                if let Some(former) = cells.insert(key.to_owned(), Arc::clone(&cell)) {
                    former.retire();
                }
                cell
            }
        };
        cell.users.fetch_add(1, Ordering::SeqCst);
        drop(cells);
        Held { places: self, cell }
    }

    /// Ends idle cells until `stop` says so.
    pub(super) async fn end_idle(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(IDLE_EVERY) => self.retire_idle(IDLE_MAX),
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// Ends cells that were idle for so long, and the longest idle of more than a few.
    fn retire_idle(&self, idle_max: Duration) {
        let mut cells = self.cells.lock();
        let idle = cells
            .iter()
            .filter(|(_, cell)| cell.users.load(Ordering::SeqCst) == 0);
        let mut idle: Vec<_> = idle
            .map(|(key, cell)| (*cell.used.lock(), key.clone()))
            .collect();
        idle.sort_unstable();
        let too_many = idle.len().saturating_sub(IDLE_CELLS_MAX);
        for (number, (used, key)) in idle.into_iter().enumerate() {
            let due = number < too_many || used.elapsed() >= idle_max;
            if let Some(cell) = due.then(|| cells.remove(&key)).flatten() {
                cell.retire();
            }
        }
    }
}

impl Cell {
    fn new(folders: Vec<Folder>, generation: u64) -> Self {
        Self {
            folders,
            generation,
            link: OnceCell::new(),
            users: AtomicUsize::new(0),
            used: Mutex::new(Instant::now()),
            retired: AtomicBool::new(false),
        }
    }

    fn serves(&self) -> bool {
        let takes_calls = self.link.get().is_none_or(|link| link.takes_calls());
        takes_calls && !self.retired.load(Ordering::SeqCst)
    }

    /// Lets no more calls in, and ends it when the last is out.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::SeqCst);
        if self.users.load(Ordering::SeqCst) == 0 {
            self.close();
        }
    }

    fn close(&self) {
        if let Some(link) = self.link.get() {
            link.close();
        }
    }
}

/// A call's hold on a cell.
#[derive(Debug)]
pub(super) struct Held<'a> {
    places: &'a Places,
    pub(super) cell: Arc<Cell>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        *self.cell.used.lock() = Instant::now();
        if self.cell.users.fetch_sub(1, Ordering::SeqCst) > 1 {
            return;
        }
        if self.cell.retired.load(Ordering::SeqCst) {
            self.cell.close();
        } else if self.places.living() > IDLE_CELLS_MAX {
            self.places.retire_idle(IDLE_MAX);
        }
    }
}
