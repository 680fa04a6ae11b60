//! The broker's side of the cells: starts one, restarts it when it dies, hands it orders and
//! waits for outcomes. A cell is untrusted from its first guest on.

#![expect(
    clippy::disallowed_methods,
    reason = "the one place that starts processes"
)]

use std::{
    os::{fd::OwnedFd, unix::net::UnixStream as StdStream},
    path::PathBuf,
    pin::pin,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use command_fds::{CommandFdExt, FdMapping};
use parking_lot::Mutex;
use tokio::{
    net::UnixStream,
    process::{Child, Command},
    sync::{mpsc, watch},
};

use super::{
    artefact::{Artefacts, FIRST_NUMBER},
    catalogue::{Catalogue, NEEDED_FIRST},
    compile,
    link::{CellGone, Chunk, Link, MESSAGES_MAX, Readiness, RunningCall},
    order::{Event, Message, Order, Stdin},
    wire::{FRAME_BYTES_MAX, FrameReader, WireError, write_frames},
};
use crate::outcome::{Outcome, StoppedBy};
use crate::policy::{Grant, Run};

/// The number under which a cell finds its socket.
pub const SOCKET_NUMBER: i32 = 3;
/// Pause before a cell that died is started again.
const RESTART_PAUSE: Duration = Duration::from_millis(100);
/// Longest wait of a call for a cell that is starting, first compilation included.
const READY_WAIT: Duration = Duration::from_secs(60);
/// Longest wait for a cell to end once its socket is closed.
const STOP_WAIT: Duration = Duration::from_secs(2);
/// How far past its wall limit a call's answer may be before its cell is taken for hung and
/// ended, with every call in it. Chosen: far above any overshoot of a loaded machine.
const STALL_WAIT: Duration = Duration::from_secs(10);
/// How long a cancelled call may take to end before its cell is taken for hung. Chosen: far
/// above the slice in which a guest notices, and below the time a stopping server waits.
const CANCEL_WAIT: Duration = Duration::from_millis(1_500);
/// Most bytes in an order's long fields; the frame holds a mebibyte for the rest.
const ORDER_BYTES_MAX: usize = FRAME_BYTES_MAX - (1 << 20);

/// Why an order could not be run.
#[derive(Debug, thiserror::Error)]
pub enum CellError {
    #[error("a cell process could not be started")]
    Start(#[source] std::io::Error),
    #[error("no cell is ready; it is still starting")]
    NotReady,
    #[error("the guests that calls need first cannot be compiled; the log says why")]
    Unable,
    #[error("the call's input of {0} bytes is over the limit of {ORDER_BYTES_MAX} bytes")]
    TooLarge(usize),
    #[error("the cell refused the order: {0}")]
    Refused(String),
    #[error("the cells are being stopped")]
    Stopped,
    #[error("the guests this binary ships cannot be read")]
    Catalogue(#[source] anyhow::Error),
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
}

/// Starts and feeds the cells of a broker.
#[derive(Debug)]
pub struct CellPool {
    options: CellOptions,
    artefacts: Artefacts,
    programs: Vec<String>,
    link: watch::Sender<Option<Arc<Link>>>,
    supervisor: Mutex<Option<tokio::task::JoinHandle<()>>>,
    stop: watch::Sender<bool>,
    started: AtomicU64,
}

impl CellPool {
    /// Starts the first cell and the compilation of what the cache lacks.
    ///
    /// # Errors
    /// The cell cannot be started, or the shipped guests cannot be read.
    pub async fn start(options: CellOptions) -> Result<Arc<Self>, CellError> {
        let programs = Catalogue::shipped()
            .map_err(CellError::Catalogue)?
            .programs();
        let cache = options.cache.clone();
        let opened = tokio::task::spawn_blocking(move || {
            let artefacts = Artefacts::open(&cache)?;
            artefacts.take_cached()?;
            Ok(artefacts)
        });
        let opened = opened.await.unwrap_or_else(|panicked| Err(panicked.into()));
        let pool = Arc::new(Self {
            options,
            artefacts: opened.map_err(CellError::Artefacts)?,
            programs,
            link: watch::channel(None).0,
            supervisor: Mutex::new(None),
            stop: watch::channel(false).0,
            started: AtomicU64::new(0),
        });
        let first = pool.spawn_cell()?;
        let supervisor = tokio::spawn(Arc::clone(&pool).supervise(first));
        *pool.supervisor.lock() = Some(supervisor);
        Ok(pool)
    }

    /// Names in `/bin`, sorted.
    pub fn programs(&self) -> &[String] {
        &self.programs
    }

    /// Cells started so far; every one after the first replaced one that died.
    pub fn started(&self) -> u64 {
        self.started.load(Ordering::Relaxed)
    }

    /// True when the shell and the file tools are mapped in a living cell.
    pub fn ready(&self) -> bool {
        self.link
            .borrow()
            .as_ref()
            .is_some_and(|link| *link.readiness.borrow() == Readiness::Ready)
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
        mut order: Order,
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
        let begun = async {
            let link = tokio::time::timeout(READY_WAIT, self.ready_link());
            let link = link.await.map_err(|_| CellError::NotReady)??;
            Ok(link.begin(order, sink).await)
        };
        let mut running = tokio::select! {
            begun = begun => match begun? {
                Ok(running) => running,
                Err(CellGone) => return Ok(cell_died()),
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

    /// Ends the cells and every call in them.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        let supervisor = self.supervisor.lock().take();
        if let Some(supervisor) = supervisor {
            let _ended = supervisor.await;
        }
    }

    async fn ready_link(&self) -> Result<Arc<Link>, CellError> {
        let mut links = self.link.subscribe();
        loop {
            let link = links.wait_for(Option::is_some).await;
            let link = link.map_err(|_| CellError::Stopped)?.clone();
            let Some(link) = link else { continue };
            let mut readiness = link.readiness.subscribe();
            tokio::select! {
                known = readiness.wait_for(|now| *now != Readiness::Starting) => {
                    if known.is_ok_and(|now| *now == Readiness::Unable) {
                        return Err(CellError::Unable);
                    }
                }
                // This cell died before it was ready: look for the next.
                changed = links.changed() => {
                    changed.map_err(|_| CellError::Stopped)?;
                    continue;
                }
            }
            return Ok(link);
        }
    }

    /// Keeps one cell alive until the pool is stopped.
    async fn supervise(self: Arc<Self>, first: (Child, StdStream)) {
        let mut next = Ok(first);
        let mut stop = self.stop.subscribe();
        while !*stop.borrow() {
            match next {
                Ok((child, socket)) => {
                    if let Err(error) = self.feed(child, socket, &mut stop).await {
                        tracing::error!(%error, "a cell broke the protocol and was ended");
                    }
                }
                Err(error) => tracing::error!(%error, "a cell cannot be started"),
            }
            self.link.send_replace(None);
            if *stop.borrow() {
                return;
            }
            tokio::time::sleep(RESTART_PAUSE).await;
            next = self.spawn_cell();
        }
    }

    /// Serves one cell until it ends.
    async fn feed(
        self: &Arc<Self>,
        mut child: Child,
        socket: StdStream,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), WireError> {
        socket.set_nonblocking(true)?;
        let (from_cell, to_cell) = UnixStream::from_std(socket)?.into_split();
        let (messages, queue) = mpsc::channel(MESSAGES_MAX);
        let link = Link::new(messages);
        self.link.send_replace(Some(Arc::clone(&link)));
        let mut stalled = link.stalled.subscribe();
        let mut writer = tokio::spawn(write_frames(to_cell, queue));
        let mut frames = FrameReader::new(from_cell);
        let result = loop {
            tokio::select! {
                frame = frames.next() => match frame {
                    Ok(Some(event)) => match self.handle(&link, event) {
                        Ok(()) => {}
                        Err(error) => break Err(error),
                    },
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                },
                // An order that cannot be sent must not be waited for.
                written = &mut writer => break written.unwrap_or(Ok(())),
                _ = stalled.changed() => break Err(WireError::Broken("its calls do not end")),
                _ = stop.changed() => break Ok(()),
            }
        };
        // From here on new calls wait for the next cell.
        self.link.send_replace(None);
        writer.abort();
        drop(frames);
        // A cell that broke a rule is not asked to end.
        let patience = if result.is_ok() {
            STOP_WAIT
        } else {
            Duration::ZERO
        };
        if tokio::time::timeout(patience, child.wait()).await.is_err() {
            let _killed = child.kill().await;
        }
        link.died();
        result
    }

    /// Takes one event. The cell may be hostile: what it may send is bounded.
    fn handle(self: &Arc<Self>, link: &Arc<Link>, event: Event) -> Result<(), WireError> {
        match event {
            Event::Missing(mut names) => {
                if link.told_missing.swap(true, Ordering::Relaxed) {
                    return Err(WireError::Broken("it lists missing guests twice"));
                }
                let shipped = Catalogue::shipped().ok();
                names.retain(|name| shipped.is_some_and(|s| s.module(name).is_some()));
                names.dedup();
                if !names
                    .iter()
                    .any(|name| NEEDED_FIRST.contains(&name.as_str()))
                {
                    link.readiness.send_replace(Readiness::Ready);
                }
                if !names.is_empty() {
                    tokio::spawn(Arc::clone(self).compile(Arc::clone(link), names));
                }
            }
            Event::Loaded(name, loaded) => {
                tracing::info!(name, loaded, "guest compiled");
            }
            Event::Output(id, stream, bytes) => link.output(id, stream, bytes)?,
            Event::Ended(id, outcome) => link.ended(id, *outcome)?,
            Event::Failed(id, reason) => link.failed(id, reason),
        }
        Ok(())
    }

    /// Compiles `names` one after the other, each in a child of its own.
    async fn compile(self: Arc<Self>, link: Arc<Link>, names: Vec<String>) {
        let mut first_left = names
            .iter()
            .filter(|n| NEEDED_FIRST.contains(&n.as_str()))
            .count();
        for name in names {
            let compiled = compile::in_child(self.own_command(), &self.artefacts, &name).await;
            let compiled = compiled
                .inspect_err(|error| tracing::error!(name, %error, "a guest could not be compiled"))
                .is_ok();
            let needed_first = NEEDED_FIRST.contains(&name.as_str());
            // Also when there is nothing to map: calls then stop waiting for it.
            if link.messages.send(Message::Load(name)).await.is_err() {
                return;
            }
            if needed_first && !compiled {
                link.readiness.send_replace(Readiness::Unable);
            } else if needed_first {
                first_left -= 1;
                // The cell handles messages in order, so an order sent now finds it mapped.
                if first_left == 0 {
                    link.readiness.send_replace(Readiness::Ready);
                }
            }
        }
    }

    /// Our own program with an empty environment: the host's may hold secrets, and guests run in
    /// these children.
    fn own_command(&self) -> std::process::Command {
        let mut command = std::process::Command::new(&self.options.executable);
        command.env_clear();
        if let Some(guests) = crate::config::debug_guests() {
            command.env("HOTCELL_DIST", guests);
        }
        command
    }

    fn spawn_cell(&self) -> Result<(Child, StdStream), CellError> {
        let (ours, theirs) = StdStream::pair().map_err(CellError::Start)?;
        let artefacts = self.artefacts.for_cell().map_err(CellError::Start)?;
        let names: Vec<_> = artefacts.iter().map(|(name, _)| name.as_str()).collect();
        let mut command = self.own_command();
        command
            .arg("cell")
            .arg("--cache")
            .arg(&self.options.cache)
            .arg("--modules")
            .arg(names.join(","))
            .arg("--calls")
            .arg(self.options.calls_max.to_string())
            .stdout(Stdio::null());
        let socket = FdMapping {
            parent_fd: OwnedFd::from(theirs),
            child_fd: SOCKET_NUMBER,
        };
        let numbered = artefacts.into_iter().zip(FIRST_NUMBER..);
        let artefacts = numbered.map(|((_, parent_fd), child_fd)| FdMapping {
            parent_fd,
            child_fd,
        });
        command
            .fd_mappings(std::iter::once(socket).chain(artefacts).collect())
            .map_err(|error| CellError::Start(std::io::Error::other(error)))?;
        let mut command = Command::from(command);
        let child = command
            .kill_on_drop(true)
            .spawn()
            .map_err(CellError::Start)?;
        self.started.fetch_add(1, Ordering::Relaxed);
        Ok((child, ours))
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

pub(super) fn cell_died() -> Outcome {
    let text = "hotcell: the cell that ran this call died; files may be half written\n";
    Outcome::stopped(StoppedBy::Cell, text)
}
