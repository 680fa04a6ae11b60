//! Ends calls whose wall limit is over, from a thread that never polls guests: timers of a busy
//! runtime would be late (DESIGN §4).

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    thread,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::{kernel::Call, order::CallId};
use crate::outcome::StoppedBy;

/// How long the thread rests before it sleeps for good. Chosen: shorter than the time most calls have,
/// and longer than a busy client's pauses.
const REST: Duration = Duration::from_secs(1);

/// The deadlines of the calls that run.
#[derive(Debug, Default)]
pub struct Deadlines {
    watched: Mutex<WatchedCalls>,
    earlier: Condvar,
}

#[derive(Debug, Default)]
struct WatchedCalls {
    by_deadline: BTreeMap<(Instant, CallId), Weak<Call>>,
    /// When the thread looks again by itself. It may sleep towards the deadline of a call that
    /// is over: most calls then begin and end without waking it.
    wakes_at: Option<Instant>,
}

impl Deadlines {
    /// Starts the thread; it ends with the process.
    ///
    /// # Errors
    /// The process may have no more threads.
    pub fn start() -> std::io::Result<Arc<Self>> {
        let deadlines = Arc::new(Self::default());
        let in_thread = Arc::downgrade(&deadlines);
        thread::Builder::new()
            .name("deadlines".into())
            .spawn(move || {
                while let Some(deadlines) = in_thread.upgrade() {
                    deadlines.end_late_ones();
                }
            })?;
        Ok(deadlines)
    }

    /// Watches `call` until the answer is dropped.
    pub fn watch(self: &Arc<Self>, call: &Arc<Call>) -> Watched {
        let key = (call.deadline(), call.id);
        let mut watched = self.watched.lock();
        watched.by_deadline.insert(key, Arc::downgrade(call));
        let is_too_late = watched.wakes_at.is_none_or(|at| key.0 < at);
        drop(watched);
        if is_too_late {
            self.earlier.notify_one();
        }
        Watched {
            deadlines: Arc::clone(self),
            key,
        }
    }

    /// Waits while no call runs. The call that woke this thread may be over already, and the next be as
    /// short: for a while only one that ends sooner than that wakes it.
    fn rest(&self, watched: &mut MutexGuard<'_, WatchedCalls>) {
        let until = Instant::now() + REST;
        watched.wakes_at = Some(until);
        let rested = self.earlier.wait_until(watched, until).timed_out();
        if rested && watched.by_deadline.is_empty() {
            watched.wakes_at = None;
            self.earlier.wait(watched);
        }
    }

    fn end_late_ones(&self) {
        let mut watched = self.watched.lock();
        let Some((&(deadline, id), _)) = watched.by_deadline.first_key_value() else {
            self.rest(&mut watched);
            return;
        };
        if Instant::now() < deadline {
            watched.wakes_at = Some(deadline);
            self.earlier.wait_until(&mut watched, deadline);
            return;
        }
        let late = watched.by_deadline.remove(&(deadline, id));
        drop(watched);
        if let Some(call) = late.and_then(|call| call.upgrade()) {
            call.end(Some(StoppedBy::Wall));
        }
    }
}

/// A call under watch.
#[derive(Debug)]
pub struct Watched {
    deadlines: Arc<Deadlines>,
    key: (Instant, CallId),
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.deadlines.watched.lock().by_deadline.remove(&self.key);
    }
}
