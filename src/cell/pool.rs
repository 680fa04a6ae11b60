//! The broker's cells: one for each session (or agent), started ahead, given back when idle,
//! replaced when they die. A cell is untrusted from its first guest on.

use std::{
    future::Future,
    path::PathBuf,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::{mpsc, watch};

use super::{
    attack::{Attacked, attack},
    catalogue::Catalogue,
    error::{CellError, ORDER_BYTES_MAX, PoolError, StartError},
    guests::{Guests, State},
    input::Source,
    link::{CellGone, Chunk, Link, RunningCall, cell_died},
    live,
    natives::Above,
    order::{Order, Stdin},
    places::{Held, Places},
    spares::Spares,
    starter::{Starter, StarterOptions, Walls},
    tools::ToolCompiler,
};
use crate::confinement::{Means, Reached, seal::Folder};
use crate::outcome::{Outcome, StoppedBy};
use crate::policy::{Grant, Run, ToolCode};

/// Longest wait of a call for a cell that is starting, first compilation included.
const READY_WAIT: Duration = Duration::from_secs(60);
/// How far past its wall limit a call's answer may be before its cell is taken for hung and
/// ended, with every call in it.
const STALL_WAIT: Duration = Duration::from_millis(500);
/// How long a cancelled call may take to end before its cell is taken for hung. Chosen: far
/// above the slice in which a guest notices, and below the time a stopping server waits.
const CANCEL_WAIT: Duration = Duration::from_millis(1_500);
/// Cells an order is offered that end before they take it.
const ORDER_TRIES: u32 = 4;
/// Longest wait for all cells to be gone when the pool is stopped.
const GONE_WAIT: Duration = Duration::from_secs(6);

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

/// What a call's standard streams are tied to, where they are not kept and sent as a whole.
#[derive(Debug, Default)]
pub struct Ties {
    /// Gets output as it comes.
    pub sink: Option<mpsc::UnboundedSender<Chunk>>,
    /// Is read for the first process, as far as that takes it; the order's `stdin` says [`Stdin::Sent`].
    pub input: Option<Source>,
}

/// Whose cell a call runs in.
#[derive(Debug, Clone)]
pub struct Home {
    /// Calls with the same key share a cell.
    pub key: String,
    /// A folder that holds the workspaces of all of them, where they are several sessions.
    pub shared: Option<PathBuf>,
    /// The one tool of the operator's own that is run there; none for the shell and the guests.
    pub tool: Option<Arc<ToolCode>>,
}

/// Starts and feeds the cells of a broker.
#[derive(Debug)]
pub struct CellPool {
    tools: Arc<ToolCompiler>,
    programs: Vec<String>,
    guests: Arc<Guests>,
    spares: Arc<Spares>,
    places: Arc<Places>,
    stop: watch::Sender<bool>,
    /// Held by every living cell, and while there may be spares.
    alive: watch::Sender<()>,
    died: Arc<AtomicU64>,
}

impl Drop for CellPool {
    /// Whoever waits for a tool, on a thread that nothing ends, must not wait on.
    fn drop(&mut self) {
        self.tools.stop();
    }
}

impl CellPool {
    /// Finds this machine's walls, starts the first spare and the compilation of what the cache
    /// lacks.
    ///
    /// # Errors
    /// The walls are less than asked for, or the shipped guests cannot be read.
    pub async fn start(options: CellOptions) -> Result<Arc<Self>, PoolError> {
        #[cfg(feature = "test-without-walls")]
        tracing::warn!("built to test the walls: calls may run native code in their cells");
        let programs = Catalogue::shipped()
            .map_err(PoolError::Catalogue)?
            .programs();
        let guests = Guests::start(options.executable.clone(), options.cache).await?;
        let starter = Starter::new(StarterOptions {
            executable: options.executable,
            artefacts: Arc::clone(&guests.artefacts),
            calls_max: options.calls_max,
            inherits_stdin: options.inherits_stdin,
            walls: options.walls,
        });
        let starter = Arc::new(starter.await?);
        let tools = ToolCompiler::new(Arc::clone(&starter)).map_err(StartError::Process)?;
        let spares = Spares::new(starter, Arc::clone(&guests), options.spares);
        let pool = Arc::new(Self {
            tools,
            programs,
            guests,
            spares: Arc::new(spares),
            places: Arc::default(),
            stop: watch::channel(false).0,
            alive: watch::channel(()).0,
            died: Arc::default(),
        });
        let (spares, alive) = (Arc::clone(&pool.spares), pool.alive.subscribe());
        tokio::spawn(spares.keep(pool.stop.subscribe(), alive));
        tokio::spawn(Arc::clone(&pool.places).end_idle(pool.stop.subscribe()));
        Ok(pool)
    }

    /// Has a process sealed as every cell is try what must fail.
    ///
    /// # Errors
    /// The attack cannot be made, or something succeeded that a wall in force should have stopped.
    pub async fn attack(&self) -> Result<Attacked, PoolError> {
        let attacked = attack(&self.spares.starter).await?;
        match attacked.holes.is_empty() {
            true => Ok(attacked),
            false => Err(PoolError::Holes(attacked.holes)),
        }
    }

    /// What compiles tools of the operator's own for these cells.
    pub fn tools(&self) -> Arc<ToolCompiler> {
        Arc::clone(&self.tools)
    }

    /// Names in `/bin`, sorted.
    pub fn programs(&self) -> &[String] {
        &self.programs
    }

    /// The walls every cell is behind.
    pub fn walls(&self) -> &Reached {
        &self.spares.starter.reached
    }

    /// What other processes of ours are started with.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn means(&self) -> std::io::Result<Means> {
        self.spares.starter.means()
    }

    /// Processes started so far.
    pub fn started(&self) -> u64 {
        self.spares.started()
    }

    /// Cells that ended without being told to, or had to be ended.
    pub fn died(&self) -> u64 {
        self.died.load(Ordering::Relaxed)
    }

    /// Cells that have a session.
    pub fn living(&self) -> usize {
        self.places.living()
    }

    /// True when a cell can be had with the shell and the file tools.
    pub fn ready(&self) -> bool {
        self.guests.progress().state == State::Usable && self.spares.ready()
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
        (mut order, home, above): (Order, Home, Option<Arc<dyn Above>>),
        streams: Ties,
        cancelled: impl Future<Output = ()>,
    ) -> Result<Outcome, CellError> {
        let Run::Call(terms) = grant.into_run() else {
            return Err(CellError::Refused(
                "its permission is for something else".to_owned(),
            ));
        };
        order.limits = terms.limits;
        order.programs = terms.programs;
        order.natives.extend(terms.natives);
        let weight = weight(&order);
        if weight > ORDER_BYTES_MAX {
            return Err(CellError::TooLarge(weight));
        }
        let wall = Duration::from_millis(order.limits.wall_ms);
        let mut cancelled = pin!(cancelled);
        let Ties { sink, input } = streams;
        let (_held, mut running) = tokio::select! {
            begun = self.begin(&home, order, sink, above) => match begun? {
                Some(begun) => begun,
                None => return Ok(cell_died("died")),
            },
            () = &mut cancelled => return Ok(Outcome::stopped(StoppedBy::Cancelled, "")),
        };
        let overdue = wall.saturating_add(STALL_WAIT);
        let natives = running.natives();
        let feeding = input.map(|input| running.feed(input));
        let ended = tokio::time::timeout(overdue, async {
            tokio::select! {
                outcome = running.outcome() => Some(outcome),
                () = cancelled => None,
            }
        });
        let outcome = match ended.await {
            Ok(Some(outcome)) => outcome,
            Ok(None) => cancel(running).await,
            Err(_) => Ok(running.overdue()),
        };
        if let Some(feeding) = feeding {
            feeding.stop().await;
        }
        // Their ends are recorded before the call's is, and nothing of them is left.
        natives.closed().await;
        outcome
    }

    /// Gives an order to a cell. One that ends before it was sent the order cannot have begun it, so
    /// another may have it; `None` when several ended so.
    async fn begin(
        &self,
        home: &Home,
        mut order: Order,
        sink: Option<mpsc::UnboundedSender<Chunk>>,
        above: Option<Arc<dyn Above>>,
    ) -> Result<Option<(Held<'_>, RunningCall)>, CellError> {
        for _ in 0..ORDER_TRIES {
            let late = CellError::NotReady("it is still starting");
            let cell = tokio::time::timeout(READY_WAIT, self.cell_of(home, &order));
            let (held, link) = cell.await.map_err(|_| late)??;
            match link.begin(order, sink.clone(), above.clone()) {
                Ok(running) => return Ok(Some((held, running))),
                Err(CellGone(untaken)) => {
                    held.cell.retire();
                    order = *untaken;
                }
            }
        }
        Ok(None)
    }

    /// Ends the cells and every call in them, and what compiles tools.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        self.tools.stop();
        self.places.drain();
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
        let generation = match &home.tool {
            // No guest runs there.
            Some(_) => 0,
            None => {
                self.guests.usable().await?;
                self.guests.progress().generation
            }
        };
        let folders = self.folders(home, order)?;
        let held = self.places.hold(&home.key, folders, generation);
        let link = held
            .cell
            .link
            .get_or_try_init(|| self.assign(home, &held.cell.folders));
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

    /// What the cell of an order must see. Where its last cell saw the same, that is looked at once
    /// more and not opened.
    fn folders(&self, home: &Home, order: &Order) -> Result<Vec<Folder>, StartError> {
        let wanted = wanted(home, order);
        let known = self.places.folders(&home.key).filter(|known| {
            let same = |(folder, (path, writable)): (&Folder, &(&PathBuf, bool))| {
                folder.path == **path && folder.writable == *writable && folder.stays()
            };
            known.len() == wanted.len() && known.iter().zip(&wanted).all(same)
        });
        if let Some(known) = known {
            return Ok(known);
        }
        let folder = |(path, writable): (&PathBuf, bool)| {
            Folder::at(path, writable).map_err(|source| StartError::Folder {
                path: path.clone(),
                source,
            })
        };
        wanted.into_iter().map(folder).collect()
    }

    /// A sealed process whose events are taken.
    async fn assign(&self, home: &Home, folders: &[Folder]) -> Result<Arc<Link>, CellError> {
        if *self.stop.borrow() {
            return Err(CellError::NotReady("the cells are being stopped"));
        }
        // From before it is started, so that a stop waits for it.
        let alive = self.alive.subscribe();
        let fresh = match &home.tool {
            Some(code) => self.spares.sealed_tool(code, folders).await?,
            None => self.spares.sealed(folders).await?,
        };
        Ok(live::attend(fresh, alive, Arc::clone(&self.died)))
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

/// The host folders of an order, and which of them may be written.
fn wanted<'a>(home: &'a Home, order: &'a Order) -> Vec<(&'a PathBuf, bool)> {
    let shared = home.shared.as_ref();
    let mounts = order
        .mounts
        .iter()
        .map(|mount| (&mount.host, mount.writable));
    let own = mounts.filter(|(path, _)| shared.is_none_or(|shared| !path.starts_with(shared)));
    shared
        .map(|path| (path, true))
        .into_iter()
        .chain(own)
        .collect()
}

/// The bytes of an order's long fields, which callers choose.
fn weight(order: &Order) -> usize {
    let strings = order.arguments.iter().chain(&order.environment);
    let stdin = match &order.stdin {
        Stdin::Bytes(bytes) => bytes.len(),
        Stdin::Empty | Stdin::Inherit | Stdin::Sent => 0,
    };
    let lists: usize = strings.map(|string| string.len() + 5).sum();
    lists + stdin + order.state.len() + order.cwd.len()
}
