//! The broker's cells: one for each session (or agent), started ahead, given back when idle,
//! replaced when they die. A cell is untrusted from its first guest on.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    path::PathBuf,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::{Notify, OnceCell, mpsc, watch};

use super::{
    attack::{Attacked, attack},
    catalogue::Catalogue,
    guests::{Guests, State},
    link::{CellGone, Chunk, Link, RunningCall},
    live,
    order::{Order, Stdin},
    starter::{Fresh, Spare, Starter, StarterOptions, Walls},
    wire::FRAME_BYTES_MAX,
};
use crate::confinement::{
    Reached,
    launch::LaunchError,
    seal::{Folder, Terms},
};
use crate::outcome::{Outcome, StoppedBy};
use crate::policy::{Grant, Run};

/// Pause before a spare that could not be started is tried again.
const RESTART_PAUSE: Duration = Duration::from_millis(200);
/// Longest wait of a call for a cell that is starting, first compilation included.
const READY_WAIT: Duration = Duration::from_secs(60);
/// How far past its wall limit a call's answer may be before its cell is taken for hung and
/// ended, with every call in it.
const STALL_WAIT: Duration = Duration::from_millis(500);
/// How long a cancelled call may take to end before its cell is taken for hung. Chosen: far
/// above the slice in which a guest notices, and below the time a stopping server waits.
const CANCEL_WAIT: Duration = Duration::from_millis(1_500);
/// Processes a cell is tried with before the call that wants it is refused. Chosen: where every
/// third process dies at once, one call in some thousands is refused.
const CELL_TRIES: u32 = 8;
/// Cells an order is offered that end before they take it.
const ORDER_TRIES: u32 = 4;
/// Most bytes in an order's long fields; the frame holds a mebibyte for the rest.
const ORDER_BYTES_MAX: usize = FRAME_BYTES_MAX - (1 << 20);
/// A cell without calls for this long is ended: its session's state is on disk. Chosen: an agent
/// that thinks between two calls finds its cell again, one that went away leaves nothing.
const IDLE_MAX: Duration = Duration::from_secs(10);
/// Cells without calls beyond this number are ended at once, the longest idle first.
const IDLE_CELLS_MAX: usize = 16;
/// How often idle cells are looked for.
const IDLE_EVERY: Duration = Duration::from_secs(1);
/// Longest wait for all cells to be gone when the pool is stopped.
const GONE_WAIT: Duration = Duration::from_secs(6);

/// Why an order could not be run.
#[derive(Debug, thiserror::Error)]
pub enum CellError {
    #[error("a cell process could not be started")]
    Start(#[source] std::io::Error),
    #[error("a cell process could not be started")]
    Launch(#[from] LaunchError),
    #[error("a cell process cannot have its cgroup")]
    Group(#[source] std::io::Error),
    #[error("a cell could not be sealed: {0}")]
    Unsealed(String),
    #[error("a cell process {0} before it was a cell; the log says more")]
    Lost(&'static str),
    #[error(
        "cells would be confined at less than `{least}`, which is asked for. This machine gives {reached}"
    )]
    Walls {
        least: &'static str,
        reached: String,
    },
    #[error("the guests that calls need first cannot be compiled; the log says why")]
    Unable,
    #[error(
        "the folder `{path}`, which the call is to see, cannot be opened; no part of its path may be a link"
    )]
    Folder {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("no cell is ready: {0}")]
    NotReady(&'static str),
    #[error("the call's input of {0} bytes is over the limit of {ORDER_BYTES_MAX} bytes")]
    TooLarge(usize),
    #[error("the cell refused the order: {0}")]
    Refused(String),
    #[error("the guests this binary ships cannot be read")]
    Catalogue(#[source] anyhow::Error),
    #[error("the self-attack cannot be made")]
    Attack(#[source] std::io::Error),
    #[error("a sealed process could do what must fail, so nothing is started: {}", .0.join("; "))]
    Holes(Vec<String>),
    #[error("the compiled guests cannot be used")]
    Artefacts(#[source] anyhow::Error),
}

/// What a pool is started with.
#[derive(Debug, Clone)]
pub struct CellOptions {
    /// Our own executable.
    pub executable: PathBuf,
    /// Folder for compiled guests.
    pub cache: PathBuf,
    /// Calls that may run at once.
    pub calls_max: usize,
    /// Processes that wait to become cells.
    pub spares: usize,
    /// Cells read this process's standard input.
    pub inherits_stdin: bool,
    pub walls: Walls,
}

/// Whose cell a call runs in.
#[derive(Debug, Clone)]
pub struct Home {
    /// Calls with the same key share a cell.
    pub key: String,
    /// A folder that holds the workspaces of all of them, where they are several sessions.
    pub shared: Option<PathBuf>,
}

/// Starts and feeds the cells of a broker.
#[derive(Debug)]
pub struct CellPool {
    programs: Vec<String>,
    guests: Arc<Guests>,
    starter: Starter,
    spares_max: usize,
    spares: Mutex<VecDeque<(u64, Spare)>>,
    spare_taken: Notify,
    ready: AtomicBool,
    cells: Mutex<HashMap<String, Arc<Cell>>>,
    stop: watch::Sender<bool>,
    /// Held by every living cell.
    alive: watch::Sender<()>,
    started: AtomicU64,
    died: Arc<AtomicU64>,
}

/// The cell of one key, from before it is started until another takes its place.
#[derive(Debug)]
struct Cell {
    folders: Vec<Folder>,
    generation: u64,
    link: OnceCell<Arc<Link>>,
    /// Calls that hold it.
    users: AtomicUsize,
    used: Mutex<Instant>,
    /// No call may take it any more; the last one that has it closes it.
    retired: AtomicBool,
}

impl CellPool {
    /// Finds this machine's walls, starts the first spare and the compilation of what the cache
    /// lacks.
    ///
    /// # Errors
    /// The walls are less than asked for, or the shipped guests cannot be read.
    pub async fn start(options: CellOptions) -> Result<Arc<Self>, CellError> {
        #[cfg(feature = "test-without-walls")]
        tracing::warn!("built to test the walls: calls may run native code in their cells");
        let programs = Catalogue::shipped()
            .map_err(CellError::Catalogue)?
            .programs();
        let guests = Guests::start(options.executable.clone(), options.cache).await?;
        let starter = Starter::new(StarterOptions {
            executable: options.executable,
            artefacts: Arc::clone(&guests.artefacts),
            calls_max: options.calls_max,
            inherits_stdin: options.inherits_stdin,
            walls: options.walls,
        });
        let pool = Arc::new(Self {
            programs,
            guests,
            starter: starter.await?,
            spares_max: options.spares,
            spares: Mutex::default(),
            spare_taken: Notify::new(),
            ready: AtomicBool::new(false),
            cells: Mutex::default(),
            stop: watch::channel(false).0,
            alive: watch::channel(()).0,
            started: AtomicU64::new(0),
            died: Arc::default(),
        });
        tokio::spawn(Arc::clone(&pool).keep_spares());
        tokio::spawn(Arc::clone(&pool).end_idle());
        Ok(pool)
    }

    /// Has a process sealed as every cell is try what must fail.
    ///
    /// # Errors
    /// The attack cannot be made, or something succeeded that a wall in force should have stopped.
    pub async fn attack(&self) -> Result<Attacked, CellError> {
        let attacked = attack(&self.starter).await?;
        match attacked.holes.is_empty() {
            true => Ok(attacked),
            false => Err(CellError::Holes(attacked.holes)),
        }
    }

    /// Names in `/bin`, sorted.
    pub fn programs(&self) -> &[String] {
        &self.programs
    }

    /// The walls every cell is behind.
    pub fn walls(&self) -> &Reached {
        &self.starter.reached
    }

    /// Processes started so far.
    pub fn started(&self) -> u64 {
        self.started.load(Ordering::Relaxed)
    }

    /// Cells that ended without being told to, or had to be ended.
    pub fn died(&self) -> u64 {
        self.died.load(Ordering::Relaxed)
    }

    /// Cells that have a session.
    pub fn living(&self) -> usize {
        self.cells.lock().len()
    }

    /// True when a cell can be had with the shell and the file tools.
    pub fn ready(&self) -> bool {
        self.guests.progress().state == State::Usable
            && (self.spares_max == 0 || self.ready.load(Ordering::Relaxed))
    }

    /// Runs one order. When `cancelled` resolves the call and every process of it end, and what
    /// they came to is still the outcome; dropping the future ends them too. `sink` gets output as
    /// it comes when the order says `stream`; the cell waits for what it holds to be taken.
    ///
    /// # Errors
    /// No cell is ready, or the order cannot be started. A cell that dies is an outcome.
    pub async fn run(
        &self,
        grant: Grant,
        (mut order, home): (Order, Home),
        sink: Option<mpsc::UnboundedSender<Chunk>>,
        cancelled: impl Future<Output = ()>,
    ) -> Result<Outcome, CellError> {
        let Run::Call(terms) = grant.into_run() else {
            return Err(CellError::Refused(
                "its permission is for something else".to_owned(),
            ));
        };
        order.limits = terms.limits;
        order.programs = terms.programs;
        let weight = weight(&order);
        if weight > ORDER_BYTES_MAX {
            return Err(CellError::TooLarge(weight));
        }
        let wall = Duration::from_millis(order.limits.wall_ms);
        let mut cancelled = pin!(cancelled);
        let (_held, mut running) = tokio::select! {
            begun = self.begin(&home, order, sink) => match begun? {
                Some(begun) => begun,
                None => return Ok(cell_died("died")),
            },
            () = &mut cancelled => return Ok(Outcome::stopped(StoppedBy::Cancelled, "")),
        };
        let overdue = wall.saturating_add(STALL_WAIT);
        let ended = tokio::time::timeout(overdue, async {
            tokio::select! {
                outcome = running.outcome() => Some(outcome),
                () = cancelled => None,
            }
        });
        match ended.await {
            Ok(Some(outcome)) => outcome,
            Ok(None) => cancel(running).await,
            Err(_) => Ok(running.overdue()),
        }
    }

    /// Gives an order to a cell. One that ends before it was sent the order cannot have begun it, so
    /// another may have it; `None` when several ended so.
    async fn begin(
        &self,
        home: &Home,
        mut order: Order,
        sink: Option<mpsc::UnboundedSender<Chunk>>,
    ) -> Result<Option<(Held<'_>, RunningCall)>, CellError> {
        for _ in 0..ORDER_TRIES {
            let late = CellError::NotReady("it is still starting");
            let cell = tokio::time::timeout(READY_WAIT, self.cell_of(home, &order));
            let (held, link) = cell.await.map_err(|_| late)??;
            match link.begin(order, sink.clone()) {
                Ok(running) => return Ok(Some((held, running))),
                Err(CellGone(untaken)) => {
                    held.cell.retire();
                    order = *untaken;
                }
            }
        }
        Ok(None)
    }

    /// Ends the cells and every call in them.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        for (_, cell) in self.cells.lock().drain() {
            cell.retire();
            cell.close();
        }
        self.spares.lock().clear();
        if tokio::time::timeout(GONE_WAIT, self.alive.closed())
            .await
            .is_err()
        {
            tracing::error!("cells are left that do not end");
        }
    }

    /// The cell a call runs in, started if need be.
    async fn cell_of(
        &self,
        home: &Home,
        order: &Order,
    ) -> Result<(Held<'_>, Arc<Link>), CellError> {
        self.guests.usable().await?;
        let folders = folders(home, order)?;
        let held = self.hold(home, folders);
        let link = held
            .cell
            .link
            .get_or_try_init(|| self.assign(&held.cell.folders));
        match link.await {
            Ok(link) => {
                let link = Arc::clone(link);
                Ok((held, link))
            }
            Err(error) => {
                held.cell.retire();
                Err(error)
            }
        }
    }

    /// The key's cell where it still serves, or an empty place for the next.
    fn hold(&self, home: &Home, folders: Vec<Folder>) -> Held<'_> {
        let generation = self.guests.progress().generation;
        let mut cells = self.cells.lock();
        let known = cells.get(&home.key).filter(|cell| {
            let newest = cell.generation == generation || cell.users.load(Ordering::SeqCst) > 0;
            cell.folders == folders && newest && cell.serves()
        });
        let cell = match known {
            Some(cell) => Arc::clone(cell),
            None => {
                let cell = Arc::new(Cell::new(folders, generation));
                if let Some(former) = cells.insert(home.key.clone(), Arc::clone(&cell)) {
                    former.retire();
                }
                cell
            }
        };
        cell.users.fetch_add(1, Ordering::SeqCst);
        drop(cells);
        Held { pool: self, cell }
    }

    /// Makes a spare the cell over these folders, or a new process where no spare lives.
    async fn assign(&self, folders: &[Folder]) -> Result<Arc<Link>, CellError> {
        if *self.stop.borrow() {
            return Err(CellError::NotReady("the cells are being stopped"));
        }
        let plan = self.starter.reached.plan;
        let terms = self.starter.terms(plan, folders.to_vec());
        let mut sealed = None;
        while let Some(spare) = self.take_spare() {
            match spare.seal(terms.clone()).await {
                Ok(fresh) => {
                    sealed = Some(fresh);
                    break;
                }
                // It may have died while it waited.
                Err(error) => tracing::warn!(%error, "a spare cannot be used"),
            }
        }
        let fresh = match sealed {
            Some(fresh) => fresh,
            None => self.start_sealed(&terms).await?,
        };
        let alive = self.alive.subscribe();
        Ok(live::attend(fresh, alive, Arc::clone(&self.died)))
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

    /// A spare of the newest generation.
    fn take_spare(&self) -> Option<Spare> {
        let generation = self.guests.progress().generation;
        let mut spares = self.spares.lock();
        // Older ones lack guests.
        spares.retain(|(made, _)| *made == generation);
        let (_, spare) = spares.pop_front()?;
        drop(spares);
        self.spare_taken.notify_one();
        Some(spare)
    }

    async fn start_one(&self) -> Result<Spare, CellError> {
        self.started.fetch_add(1, Ordering::Relaxed);
        self.starter.start().await
    }

    /// Has spares ready, of the newest generation.
    async fn keep_spares(self: Arc<Self>) {
        let mut stop = self.stop.subscribe();
        if self.spares_max == 0 || self.guests.usable().await.is_err() {
            return;
        }
        while !*stop.borrow() {
            let generation = self.guests.progress().generation;
            let enough = {
                let mut spares = self.spares.lock();
                spares.retain(|(made, _)| *made == generation);
                spares.len() >= self.spares_max
            };
            if enough {
                tokio::select! {
                    () = self.spare_taken.notified() => {}
                    () = self.guests.after(generation) => {}
                    _ = stop.wait_for(|stop| *stop) => return,
                }
                continue;
            }
            match self.start_one().await {
                Ok(spare) => {
                    self.ready.store(true, Ordering::Relaxed);
                    self.spares.lock().push_back((generation, spare));
                }
                Err(error) => {
                    tracing::error!(%error, "a cell cannot be started");
                    tokio::time::sleep(RESTART_PAUSE).await;
                }
            }
        }
        self.spares.lock().clear();
    }

    async fn end_idle(self: Arc<Self>) {
        let mut stop = self.stop.subscribe();
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
        let closed = self.link.get().is_some_and(|link| link.is_closed());
        !closed && !self.retired.load(Ordering::SeqCst)
    }

    fn retire(&self) {
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
struct Held<'a> {
    pool: &'a CellPool,
    cell: Arc<Cell>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        *self.cell.used.lock() = Instant::now();
        if self.cell.users.fetch_sub(1, Ordering::SeqCst) > 1 {
            return;
        }
        if self.cell.retired.load(Ordering::SeqCst) {
            self.cell.close();
        } else if self.pool.living() > IDLE_CELLS_MAX {
            self.pool.retire_idle(IDLE_MAX);
        }
    }
}

/// Ends a call that nobody waits for any more, and waits until its processes are gone.
async fn cancel(mut running: RunningCall) -> Result<Outcome, CellError> {
    running.cancel();
    match tokio::time::timeout(CANCEL_WAIT, running.outcome()).await {
        Ok(outcome) => outcome,
        Err(_) => Ok(running.overdue()),
    }
}

/// What the cell of an order must see.
fn folders(home: &Home, order: &Order) -> Result<Vec<Folder>, CellError> {
    let shared = home.shared.as_ref();
    let mounts = order
        .mounts
        .iter()
        .map(|mount| (&mount.host, mount.writable));
    let own = mounts.filter(|(path, _)| shared.is_none_or(|shared| !path.starts_with(shared)));
    let all = shared.map(|path| (path, true)).into_iter().chain(own);
    let folder = |(path, writable): (&PathBuf, bool)| {
        Folder::at(path, writable).map_err(|source| CellError::Folder {
            path: path.clone(),
            source,
        })
    };
    all.map(folder).collect()
}

/// The bytes of an order's long fields, which callers choose.
fn weight(order: &Order) -> usize {
    let strings = order.arguments.iter().chain(&order.environment);
    let stdin = match &order.stdin {
        Stdin::Bytes(bytes) => bytes.len(),
        Stdin::Empty | Stdin::Inherit => 0,
    };
    let lists: usize = strings.map(|string| string.len() + 5).sum();
    lists + stdin + order.state.len() + order.cwd.len()
}

pub(super) fn cell_died(how: &str) -> Outcome {
    let text = format!("hotcell: the cell that ran this call {how}; files may be half written\n");
    Outcome::stopped(StoppedBy::Cell, &text)
}
