//! Takes records from many calls and commits together what arrived until the first of them had to wait.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::audit::log::{AuditError, Log};
use crate::audit::queue::{Durable, Patience, Shared};
use crate::audit::record::Trouble;

/// Longest time the record of a call stays in memory while nobody waits for it and more calls are under
/// way than there are processors. Chosen: above what short calls take then, so that the first of them
/// that ends asks for one sync for all.
const LINGER_MAX: Duration = Duration::from_millis(3);
/// Longest time an outcome stays in memory when no intent follows it, and time between two
/// attempts to write after one has failed. Chosen, not measured.
const OUTCOME_DELAY_MAX: Duration = Duration::from_millis(200);
/// Most bytes of outcomes kept while the disk does not take them. Calls under way leave at most
/// one outcome each, so this is not reached with the limits calls have. Chosen, not measured.
const KEPT_BYTES_MAX: usize = 256 << 20;
/// Longest time the end of the program waits for a disk that fails. Chosen, not measured.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(log: Log) -> io::Result<Self> {
        Self::start_with(log, Patience::default())
    }

    pub(super) fn start_with(log: Log, patience: Patience) -> io::Result<Self> {
        let shared = Shared::new(patience);
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
        let mut queue = self.shared.queue.lock();
        if queue.closing {
            tracing::error!("an outcome came after the audit record was closed");
            return;
        }
        queue.put(body);
        // Not woken: an outcome goes with the next intents, with a flush, or at the end.
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
        self.shared.put(body)
    }

    /// Resolves once everything taken so far is durable.
    pub(super) fn flushed(&self) -> Durable {
        self.shared.flush(|_| {})
    }

    /// As [`Self::flushed`], with the record closed: nothing is taken afterwards.
    pub(super) fn close(&self) -> Durable {
        self.shared.flush(|queue| queue.closing = true)
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

    /// Age of the oldest record that is not durable.
    pub(super) fn lag(&self) -> Duration {
        self.shared.queue.lock().lag()
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
        self.0.end();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let Shared {
            queue,
            arrived,
            left,
            patience,
            ..
        } = &*self.shared;
        let mut queue = queue.lock();
        queue.closing = true;
        arrived.notify_one();
        let waited = left.wait_while_for(&mut queue, |queue| !queue.ended, patience.close_max);
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
            let closing = self.take();
            let whole = self.add();
            if closing {
                return self.close();
            }
            let written = self.commit();
            // Whoever waits for what was dropped must not be told that it is on the disk.
            self.shared.settle(written && whole);
        }
    }

    /// Waits for something to do; answers whether it is the last.
    fn take(&mut self) -> bool {
        let mut queue = self.shared.queue.lock();
        while !queue.wanted && !queue.closing {
            let more = queue.has_more();
            let pause = if more { LINGER_MAX } else { OUTCOME_DELAY_MAX };
            let waited = self.shared.arrived.wait_for(&mut queue, pause);
            // After a failure the disk is tried again without waiting for a call: a server that
            // says it is not ready gets none.
            let left = !queue.bodies.is_empty() || self.log.pending_bytes() > 0;
            let due = left || self.failing.is_some() || self.log.wants_checkpoint();
            if waited.timed_out() && (more || due) {
                break;
            }
        }
        queue.take(&mut self.bodies);
        queue.closing
    }

    /// Answers whether all of it was added; after a long failure there is room for no more.
    fn add(&mut self) -> bool {
        let mut whole = true;
        let mut bodies = self.bodies.as_slice();
        while let Some(end) = memchr::memchr(b'\n', bodies) {
            let (body, rest) = bodies.split_at(end);
            match &mut self.failing {
                Some(failing) if self.log.pending_bytes() > KEPT_BYTES_MAX => {
                    failing.lost += 1;
                    whole = false;
                }
                _ => self.log.add_body(body),
            }
            bodies = rest.get(1..).unwrap_or_default();
        }
        self.bodies.clear();
        self.bodies.shrink_to(4 << 20);
        whole
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

    fn close(mut self) {
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
        self.shared.settle(written);
    }
}
