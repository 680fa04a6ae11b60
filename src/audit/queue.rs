//! What calls and the writer's thread share: records on their way to the disk, and who waits for
//! them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::audit::log::AuditError;

/// How long a disk that does not answer is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// A record that waits longer makes the record unhealthy.
    pub(super) stalled_after: Duration,
    /// Longest wait of the end of the program for a disk that hangs.
    pub(super) close_max: Duration,
    /// While more calls than this are under way, the disk is asked when the first of them waits.
    pub(super) calls_at_once: usize,
}

impl Default for Patience {
    /// The times are chosen, not measured. A sync costs a processor some work. Where one has
    /// nothing else to do, it is done beside the call; where none has, syncs that nobody waits for
    /// yet would slow down the calls that run.
    fn default() -> Self {
        Self {
            stalled_after: Duration::from_secs(5),
            close_max: Duration::from_secs(5),
            calls_at_once: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// Resolves once a record is durable. Its call is under way until it is dropped.
#[must_use]
#[derive(Debug)]
pub struct Durable(State);

#[derive(Debug)]
enum State {
    Known(bool),
    OnItsWay(OnItsWay),
}

impl Durable {
    /// What will not be written.
    pub(super) fn refused() -> Self {
        Self::known(false)
    }

    pub(super) fn known(durable: bool) -> Self {
        Self(State::Known(durable))
    }

    /// Whether the record was not even taken: it is not on its way and never will be.
    pub fn is_refused(&self) -> bool {
        matches!(self.0, State::Known(false))
    }

    /// Waits until the record is on the disk. May be asked again.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn wait(&mut self) -> Result<(), AuditError> {
        let durable = match &self.0 {
            State::Known(durable) => *durable,
            State::OnItsWay(record) => match record.shared.settled(record.number) {
                Ok(durable) => durable,
                Err(told) => told.await == Ok(true),
            },
        };
        durable.then_some(()).ok_or(AuditError::Write)
    }
}

#[derive(Debug)]
struct OnItsWay {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        self.shared.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) queue: Mutex<Queue>,
    pub(super) arrived: Condvar,
    /// Signalled when the thread has ended.
    pub(super) left: Condvar,
    pub(super) patience: Patience,
    pub(super) healthy: AtomicBool,
    /// Intents refused while the disk failed.
    pub(super) refused: AtomicU64,
    /// Records whose calls have not ended.
    under_way: AtomicUsize,
}

/// Records and flushes are numbered as they come, outcomes excepted: nobody waits for those.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Bodies of records, each with a line end behind it.
    pub(super) bodies: Vec<u8>,
    last: u64,
    /// The last number that the thread has taken.
    taken: u64,
    /// The last number that it has tried to make durable.
    tried: u64,
    /// The last number that is durable.
    durable: u64,
    waiting: Vec<(u64, oneshot::Sender<bool>)>,
    /// Somebody waits for what the thread has not taken.
    pub(super) wanted: bool,
    /// When the oldest of `bodies` came.
    oldest: Option<Instant>,
    /// When the oldest of those came that the thread has taken and not made durable.
    writing: Option<Instant>,
    pub(super) closing: bool,
    /// Nothing is written any more.
    pub(super) ended: bool,
}

impl Queue {
    pub(super) fn put(&mut self, body: &[u8]) {
        self.bodies.extend_from_slice(body);
        self.bodies.push(b'\n');
        self.oldest.get_or_insert_with(Instant::now);
    }

    /// Whether there are records that somebody will wait for.
    pub(super) fn has_more(&self) -> bool {
        self.last > self.taken
    }

    /// Hands everything so far to the thread.
    pub(super) fn take(&mut self, bodies: &mut Vec<u8>) {
        std::mem::swap(bodies, &mut self.bodies);
        self.taken = self.last;
        self.wanted = false;
        let oldest = self.oldest.take();
        self.writing = self.writing.or(oldest);
    }

    /// Age of the oldest record that is not durable.
    pub(super) fn lag(&self) -> Duration {
        let oldest = self.writing.or(self.oldest);
        oldest.map_or(Duration::ZERO, |oldest| oldest.elapsed())
    }
}

impl Shared {
    pub(super) fn new(patience: Patience) -> Arc<Self> {
        Arc::new(Self {
            queue: Mutex::default(),
            arrived: Condvar::new(),
            left: Condvar::new(),
            patience,
            healthy: AtomicBool::new(true),
            refused: AtomicU64::new(0),
            under_way: AtomicUsize::new(0),
        })
    }

    /// Takes a record that must be durable.
    pub(super) fn put(self: &Arc<Self>, body: &[u8]) -> Durable {
        let at_once = self.under_way.load(Ordering::Relaxed) < self.patience.calls_at_once;
        self.number(|queue| {
            queue.put(body);
            queue.wanted |= at_once;
        })
    }

    /// Has everything so far written, with a change to the queue made before.
    pub(super) fn flush(self: &Arc<Self>, change: impl FnOnce(&mut Queue)) -> Durable {
        self.number(|queue| {
            change(queue);
            queue.wanted = true;
        })
    }

    fn number(self: &Arc<Self>, change: impl FnOnce(&mut Queue)) -> Durable {
        let mut queue = self.queue.lock();
        if queue.closing {
            return Durable::known(false);
        }
        let (had_more, was_wanted) = (queue.has_more(), queue.wanted);
        change(&mut queue);
        queue.last += 1;
        let number = queue.last;
        // The thread looks again by itself at what came first.
        let wake = !had_more || (queue.wanted && !was_wanted);
        drop(queue);
        if wake {
            self.arrived.notify_one();
        }
        self.under_way.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::clone(self);
        Durable(State::OnItsWay(OnItsWay { shared, number }))
    }

    /// Whether what has this number is durable, or who will be told.
    fn settled(&self, number: u64) -> Result<bool, oneshot::Receiver<bool>> {
        let mut queue = self.queue.lock();
        if number <= queue.durable {
            return Ok(true);
        }
        if number <= queue.tried || queue.ended {
            return Ok(false);
        }
        let (sender, receiver) = oneshot::channel();
        queue.waiting.push((number, sender));
        let wake = number > queue.taken && !std::mem::replace(&mut queue.wanted, true);
        drop(queue);
        if wake {
            self.arrived.notify_one();
        }
        Err(receiver)
    }

    /// Tells those who wait for what the thread had taken.
    pub(super) fn settle(&self, written: bool) {
        let mut queue = self.queue.lock();
        let taken = queue.taken;
        queue.tried = taken;
        if written {
            (queue.durable, queue.writing) = (taken, None);
        }
        let told: Vec<_> = queue.waiting.extract_if(.., |(n, _)| *n <= taken).collect();
        drop(queue);
        for (_, sender) in told {
            // A caller that hung up does not wait any more.
            let _gone = sender.send(written);
        }
    }

    /// Tells that the thread has ended: nobody waits for it any more.
    pub(super) fn end(&self) {
        self.healthy.store(false, Ordering::Relaxed);
        let mut queue = self.queue.lock();
        (queue.closing, queue.ended) = (true, true);
        // Who waits is told that it was not written.
        queue.waiting.clear();
        drop(queue);
        self.left.notify_all();
    }
}
