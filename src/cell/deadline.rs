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
    calls: Mutex<BTreeMap<(Instant, CallId), Weak<Call>>>,
    earlier: Condvar,
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
        let mut calls = self.calls.lock();
        let is_first = calls
            .first_key_value()
            .is_none_or(|(first, _)| key < *first);
        calls.insert(key, Arc::downgrade(call));
        drop(calls);
        if is_first {
            self.earlier.notify_one();
        }
        Watched {
            deadlines: Arc::clone(self),
            key,
        }
    }

    fn end_late_ones(&self) {
        let mut calls = self.calls.lock();
        let Some((&(deadline, id), _)) = calls.first_key_value() else {
            self.earlier.wait(&mut calls);
            return;
        };
        if Instant::now() < deadline {
            self.earlier.wait_until(&mut calls, deadline);
            return;
        }
        let late = calls.remove(&(deadline, id));
        drop(calls);
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
        self.deadlines.calls.lock().remove(&self.key);
    }
}
