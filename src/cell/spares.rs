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
    error::StartError,
    guests::Guests,
    order::Task,
    starter::{Fresh, Spare, Starter},
};
use crate::confinement::seal::{Folder, Terms};
use crate::policy::ToolCode;

/// Pause before a spare that could not be started is tried again; it doubles while that fails.
const RESTART_PAUSE: Duration = Duration::from_millis(200);
/// Longest of them. Chosen: a machine that can start cells again is used soon, and one that cannot
/// for a day has some ten thousand lines in its log.
const RESTART_PAUSE_MAX: Duration = Duration::from_secs(8);
/// Longest wait for a killed spare to be gone.
const END_WAIT: Duration = Duration::from_secs(2);
/// Processes a cell is tried with before the call that wants it is refused. Chosen: where every
/// third process dies at once, one call in some thousands is refused.
const CELL_TRIES: u32 = 8;

/// Starts processes and has some of them wait.
#[derive(Debug)]
pub(super) struct Spares {
    pub(super) starter: Arc<Starter>,
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
    pub(super) fn new(starter: Arc<Starter>, guests: Arc<Guests>, most: usize) -> Self {
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

    /// A process sealed over these folders: a spare, or a new one where no spare lives.
    pub(super) async fn sealed(&self, folders: &[Folder]) -> Result<Fresh, StartError> {
        let plan = self.starter.reached.plan;
        let terms = self.starter.terms(plan, folders.to_vec());
        let generation = self.guests.progress().generation;
        match self.waiting.sealed(generation, &terms).await? {
            Some(fresh) => Ok(fresh),
            None => self.start_sealed(&terms).await,
        }
    }

    /// A process for one tool of the operator's own, sealed over these folders.
    pub(super) async fn sealed_tool(
        &self,
        code: &ToolCode,
        folders: &[Folder],
    ) -> Result<Fresh, StartError> {
        let plan = self.starter.reached.plan;
        let terms = self.starter.terms(plan, folders.to_vec());
        tried(|| async {
            self.started.fetch_add(1, Ordering::Relaxed);
            let spare = self.starter.start_tool(code).await?;
            spare.seal(terms.clone(), Task::Serve).await
        })
        .await
    }

    /// A new process, sealed. What happens to one of them need not happen to the next, under a hand
    /// that kills; what the kernel refuses it refuses again.
    async fn start_sealed(&self, terms: &Terms) -> Result<Fresh, StartError> {
        let start = || async {
            self.start_one()
                .await?
                .seal(terms.clone(), Task::Serve)
                .await
        };
        tried(start).await
    }

    async fn start_one(&self) -> Result<Spare, StartError> {
        self.started.fetch_add(1, Ordering::Relaxed);
        self.starter.start().await
    }

    /// Has spares ready, of the newest generation, until `stop` says so; `alive` is dropped when
    /// nothing of them is left.
    pub(super) async fn keep(
        self: Arc<Self>,
        mut stop: watch::Receiver<bool>,
        alive: watch::Receiver<()>,
    ) {
        let usable = tokio::select! {
            usable = self.guests.usable() => usable,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        if self.most == 0 || usable.is_err() {
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
        self.waiting.clear().await;
        drop(alive);
    }
}

/// Starts again what was lost, some times.
async fn tried<F: Future<Output = Result<Fresh, StartError>>>(
    start: impl Fn() -> F,
) -> Result<Fresh, StartError> {
    let mut tries = 1;
    loop {
        match start().await {
            Err(error @ StartError::Lost(_)) if tries < CELL_TRIES => {
                tracing::warn!(%error, tries, "a new cell cannot be used");
                tries += 1;
            }
            sealed => return sealed,
        }
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

    /// The first that lives, sealed so. What the kernel refuses to one it refuses to all, so that
    /// costs one of them.
    async fn sealed(&self, generation: u64, terms: &Terms) -> Result<Option<Fresh>, StartError> {
        while let Some(spare) = self.take(generation) {
            match spare.seal(terms.clone(), Task::Serve).await {
                // It died while it waited.
                Err(error @ StartError::Lost(_)) => {
                    tracing::warn!(%error, "a spare cannot be used");
                }
                sealed => return sealed.map(Some),
            }
        }
        Ok(None)
    }

    /// Ends them all, and waits until they are gone: only then their groups can go.
    async fn clear(&self) {
        let spares = std::mem::take(&mut *self.spares.lock());
        for (_, spare) in &spares {
            spare.child.kill();
        }
        for (_, mut spare) in spares {
            if tokio::time::timeout(END_WAIT, spare.child.ended())
                .await
                .is_err()
            {
                tracing::error!("a spare does not end");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::fd::OwnedFd};

    use tokio::{io::AsyncWriteExt as _, net::UnixStream};

    use super::*;
    use crate::cell::{order::Event, wire::push_frame};
    use crate::confinement::{
        Plan,
        launch::{Launcher, Leads, Program},
    };

    /// A spare that runs nothing of ours, whose socket the test speaks for.
    async fn spare(launcher: &Launcher) -> (Spare, UnixStream) {
        let program = Program {
            executable: OwnedFd::from(File::open("/bin/sleep").unwrap()),
            arguments: vec![c"sleep".into(), c"60".into()],
            environment: Vec::new(),
            descriptors: Vec::new(),
            leads: Leads::Group,
            plan: plan(),
        };
        let child = launcher.launch(program).await.unwrap();
        let (socket, theirs) = UnixStream::pair().unwrap();
        let group = None;
        let spare = Spare {
            child,
            group,
            socket,
            artefacts: Vec::new(),
        };
        (spare, theirs)
    }

    fn plan() -> Plan {
        Plan {
            namespaces: false,
            network: false,
            groups: false,
            ..Plan::FULL
        }
    }

    fn terms() -> Terms {
        Terms {
            plan: plan(),
            folders: Vec::new(),
            privileged: false,
            user: None,
            maps_root: false,
            memory_bytes: 0,
        }
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_sealed_costs_one_spare_and_dead_ones_cost_nothing() {
        let launcher = Launcher::start().unwrap();
        let waiting = Waiting::default();
        let mut sockets = Vec::new();
        for number in 0..4 {
            let (spare, mut theirs) = spare(&launcher).await;
            waiting.put(1, spare);
            let mut frame = Vec::new();
            let event = Event::Unsealed("the kernel refuses it".to_owned());
            push_frame(&mut frame, &event).unwrap();
            if number > 0 {
                theirs.write_all(&frame).await.unwrap();
                sockets.push(theirs);
            } // the first one is dead
        }
        let error = waiting.sealed(1, &terms()).await.unwrap_err();
        assert!(matches!(error, StartError::Unsealed(_)), "{error}");
        assert_eq!(waiting.of(1), 2);
    }

    #[tokio::test]
    async fn spares_that_are_cleared_are_gone_when_that_is_said() {
        let launcher = Launcher::start().unwrap();
        let waiting = Waiting::default();
        let mut processes = Vec::new();
        for _ in 0..4 {
            let (spare, _theirs) = spare(&launcher).await;
            processes.push(spare.child.pid.as_raw_nonzero().to_string());
            waiting.put(1, spare);
        }
        waiting.clear().await;
        let left = |process: &&String| std::path::Path::new("/proc").join(process).exists();
        let left: Vec<_> = processes.iter().filter(left).collect();
        assert!(left.is_empty(), "{left:?}");
    }

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
