//! Takes records from many calls and commits what arrived during the previous commit together.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::audit::log::{AuditError, Log};
use crate::audit::record::Trouble;

/// Longest time an outcome stays in memory when no intent follows it, and time between two
/// attempts to write after one has failed. Chosen, not measured.
const OUTCOME_DELAY_MAX: Duration = Duration::from_millis(200);
/// Most bytes of outcomes kept while the disk does not take them. Calls under way leave at most
/// one outcome each, so this is not reached with the limits calls have. Chosen, not measured.
const KEPT_BYTES_MAX: usize = 256 << 20;
/// Longest time the end of the program waits for a disk that fails. Chosen, not measured.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(2);

/// How long a disk that does not answer is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// A record that waits longer makes the record unhealthy.
    pub(super) stalled_after: Duration,
    /// Longest time the end of the program waits for a disk that hangs.
    pub(super) close_max: Duration,
}

impl Default for Patience {
    /// Chosen, not measured.
    fn default() -> Self {
        Self {
            stalled_after: Duration::from_secs(5),
            close_max: Duration::from_secs(5),
        }
    }
}

/// Resolves once a record is durable.
#[must_use]
#[derive(Debug)]
pub struct Durable {
    written: Option<oneshot::Receiver<bool>>,
    known: bool,
}

impl Durable {
    /// What will not be written.
    pub(super) fn refused() -> Self {
        Self::known(false)
    }

    fn known(known: bool) -> Self {
        let written = None;
        Self { written, known }
    }

    /// Whether the record was not even taken: it is not on its way and never will be.
    pub fn is_refused(&self) -> bool {
        self.written.is_none() && !self.known
    }

    /// Waits until the record is on the disk. May be asked again.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn wait(&mut self) -> Result<(), AuditError> {
        if let Some(written) = &mut self.written {
            self.known = written.await == Ok(true);
            self.written = None;
        }
        if self.known {
            Ok(())
        } else {
            Err(AuditError::Write)
        }
    }
}

#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    arrived: Condvar,
    /// Signalled when the thread has ended.
    left: Condvar,
    patience: Patience,
    healthy: AtomicBool,
    /// Intents refused while the disk failed.
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    /// Bodies of records, each with a line end behind it.
    bodies: Vec<u8>,
    waiting: Vec<oneshot::Sender<bool>>,
    /// When the oldest of `bodies` came.
    oldest: Option<Instant>,
    /// When the oldest of those came that the thread has taken and not made durable.
    writing: Option<Instant>,
    closing: bool,
    /// Nothing is written any more.
    ended: bool,
}

impl Writer {
    pub(super) fn start(log: Log) -> io::Result<Self> {
        Self::start_with(log, Patience::default())
    }

    pub(super) fn start_with(log: Log, patience: Patience) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            arrived: Condvar::new(),
            left: Condvar::new(),
            patience,
            healthy: AtomicBool::new(true),
            refused: AtomicU64::new(0),
        });
        let for_thread = shared.clone();
        let thread = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || {
                let _ended = Ended(for_thread.clone());
                Thread::new(for_thread, log).run();
            })?;
        let thread = Some(thread);
        Ok(Self { shared, thread })
    }

    /// Takes a record that nobody waits for.
    pub(super) fn append(&self, body: &[u8]) {
        if cfg!(feature = "bench-without-record") {
            return;
        }
        let mut queue = self.shared.queue();
        if queue.closing {
            tracing::error!("an outcome came after the audit record was closed");
            return;
        }
        queue.put(body);
        // Not woken: an outcome goes with the next intent, with a flush, or at the end.
    }

    /// Takes a record that must be durable; refuses it at once while the disk fails, since the
    /// call it belongs to will not run.
    pub(super) fn append_durably(&self, body: &[u8]) -> Durable {
        if cfg!(feature = "bench-without-record") {
            return Durable::known(true);
        }
        if !self.healthy() {
            self.shared.refused.fetch_add(1, Ordering::Relaxed);
            return Durable::known(false);
        }
        self.wait_for(|queue| queue.put(body))
    }

    /// Resolves once everything taken so far is durable.
    pub(super) fn flushed(&self) -> Durable {
        self.wait_for(|_| {})
    }

    /// As [`Self::flushed`], with the record closed: nothing is taken afterwards.
    pub(super) fn close(&self) -> Durable {
        self.wait_for(|queue| queue.closing = true)
    }

    /// Waits for the end, and not for ever where the disk hangs.
    ///
    /// # Errors
    /// When it could not be written, or not in time.
    pub(super) async fn in_time(&self, mut closed: Durable) -> Result<(), AuditError> {
        let most = self.shared.patience.close_max;
        let waited = tokio::time::timeout(most, closed.wait()).await;
        waited.unwrap_or(Err(AuditError::Write))
    }

    fn wait_for(&self, change: impl FnOnce(&mut Queue)) -> Durable {
        let (sender, receiver) = oneshot::channel();
        let mut queue = self.shared.queue();
        if queue.closing {
            return Durable::known(false);
        }
        change(&mut queue);
        queue.waiting.push(sender);
        drop(queue);
        self.shared.arrived.notify_one();
        Durable {
            written: Some(receiver),
            known: false,
        }
    }

    /// Age of the oldest record that is not durable.
    pub(super) fn lag(&self) -> Duration {
        let queue = self.shared.queue();
        let oldest = queue.writing.or(queue.oldest);
        oldest.map_or(Duration::ZERO, |oldest| oldest.elapsed())
    }

    pub(super) fn healthy(&self) -> bool {
        self.shared.healthy.load(Ordering::Relaxed)
            && self.lag() < self.shared.patience.stalled_after
    }
}

/// Tells that the thread has ended, also when it panicked: nobody waits for it then.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.healthy.store(false, Ordering::Relaxed);
        let mut queue = self.0.queue();
        (queue.closing, queue.ended) = (true, true);
        // Who waits is told that it was not written.
        queue.waiting.clear();
        drop(queue);
        self.0.left.notify_all();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let mut queue = self.shared.queue();
        queue.closing = true;
        self.shared.arrived.notify_one();
        let most = self.shared.patience.close_max;
        let waited = self
            .shared
            .left
            .wait_timeout_while(queue, most, |queue| !queue.ended);
        let (queue, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        drop(queue);
        if waited.timed_out() {
            tracing::error!("the disk hangs: the audit record's last lines may be lost");
            return;
        }
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has already failed every waiting call.
            let _panicked = thread.join();
        }
    }
}

impl Queue {
    fn put(&mut self, body: &[u8]) {
        self.bodies.extend_from_slice(body);
        self.bodies.push(b'\n');
        self.oldest.get_or_insert_with(Instant::now);
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one that writes.
struct Thread {
    shared: Arc<Shared>,
    log: Log,
    failing: Option<Failing>,
    bodies: Vec<u8>,
}

struct Failing {
    since: Instant,
    reason: String,
    lost: u64,
}

impl Thread {
    fn new(shared: Arc<Shared>, log: Log) -> Self {
        Self {
            shared,
            log,
            failing: None,
            bodies: Vec::new(),
        }
    }

    fn run(mut self) {
        loop {
            let (waiting, closing) = self.take();
            self.add();
            if closing {
                self.close(waiting);
                return;
            }
            let written = self.commit();
            for sender in waiting {
                // A caller that hung up does not wait any more.
                let _gone = sender.send(written);
            }
        }
    }

    /// Waits for something to do.
    fn take(&mut self) -> (Vec<oneshot::Sender<bool>>, bool) {
        let mut queue = self.shared.queue();
        while queue.waiting.is_empty() && !queue.closing {
            let (next, timeout) = self
                .shared
                .arrived
                .wait_timeout(queue, OUTCOME_DELAY_MAX)
                .unwrap_or_else(PoisonError::into_inner);
            queue = next;
            // After a failure the disk is tried again without waiting for a call: a server that
            // says it is not ready gets none.
            let left = !queue.bodies.is_empty() || self.log.pending_bytes() > 0;
            let due = left || self.failing.is_some() || self.log.wants_checkpoint();
            if timeout.timed_out() && due {
                break;
            }
        }
        std::mem::swap(&mut self.bodies, &mut queue.bodies);
        let oldest = queue.oldest.take();
        queue.writing = queue.writing.or(oldest);
        (std::mem::take(&mut queue.waiting), queue.closing)
    }

    fn add(&mut self) {
        let mut bodies = self.bodies.as_slice();
        while let Some(end) = memchr::memchr(b'\n', bodies) {
            let (body, rest) = bodies.split_at(end);
            match &mut self.failing {
                Some(failing) if self.log.pending_bytes() > KEPT_BYTES_MAX => failing.lost += 1,
                _ => self.log.add_body(body),
            }
            bodies = rest.get(1..).unwrap_or_default();
        }
        self.bodies.clear();
        self.bodies.shrink_to(4 << 20);
    }

    fn commit(&mut self) -> bool {
        let began = Instant::now();
        let written = self.log.commit();
        let fault = match &written {
            Err(error) => Some(error.to_string()),
            Ok(()) if self.log.short_of_space() => {
                Some("the disk is full: what is left is reserved for closing calls; make room, or lower record_reserve".to_owned())
            }
            Ok(()) => None,
        };
        match (fault, self.failing.take()) {
            (Some(reason), None) => {
                tracing::error!(%reason, "the audit record fails: calls are refused");
                let (since, lost) = (Instant::now(), 0);
                self.failing = Some(Failing {
                    since,
                    reason,
                    lost,
                });
            }
            (Some(_), Some(failing)) => self.failing = Some(failing),
            (None, Some(failing)) => self.recovered(failing),
            (None, None) if began.elapsed() >= self.shared.patience.stalled_after => {
                let (reason, lost) = ("the disk did not answer".to_owned(), 0);
                let since = began;
                self.recovered(Failing {
                    since,
                    reason,
                    lost,
                });
            }
            (None, None) => {}
        }
        let healthy = self.failing.is_none();
        self.shared.healthy.store(healthy, Ordering::Relaxed);
        if written.is_ok() {
            self.shared.queue().writing = None;
        }
        written.is_ok()
    }

    fn recovered(&mut self, failing: Failing) {
        let trouble = Trouble {
            reason: failing.reason,
            duration_ms: u64::try_from(failing.since.elapsed().as_millis()).unwrap_or(u64::MAX),
            refused: self.shared.refused.swap(0, Ordering::Relaxed),
            lost: failing.lost,
        };
        tracing::warn!(?trouble, "the audit record is written again");
        self.log.add_trouble(&trouble);
    }

    fn close(mut self, waiting: Vec<oneshot::Sender<bool>>) {
        let until = Instant::now() + CLOSE_TIME_MAX;
        let mut result = self.log.close();
        let written = loop {
            match result {
                Ok(()) => break true,
                Err(error) if Instant::now() >= until => {
                    tracing::error!(%error, "the audit record's last lines are lost");
                    break false;
                }
                Err(_) => {
                    std::thread::sleep(OUTCOME_DELAY_MAX);
                    result = self.log.finish();
                }
            }
        };
        for sender in waiting {
            // A caller that hung up does not wait any more.
            let _gone = sender.send(written);
        }
    }
}
