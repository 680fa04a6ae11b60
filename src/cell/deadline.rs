//! Ends calls whose wall limit is over, from a thread that never polls guests: timers of a busy
//! runtime would be late (DESIGN §4).

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    thread,
    time::Instant,
};

use parking_lot::{Condvar, Mutex};

use super::{kernel::Call, order::CallId};
use crate::outcome::StoppedBy;

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

    fn end_late_ones(&self) {
        let mut watched = self.watched.lock();
        let Some((&(deadline, id), _)) = watched.by_deadline.first_key_value() else {
            watched.wakes_at = None;
            self.earlier.wait(&mut watched);
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
