//! Fairness between calls: a process that used up a slice goes on only when it is its turn
//! among the busy processes of its own call. So a call with 64 busy processes takes as much of
//! the runtime from its neighbours as a call with a few.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;

use super::Process;

/// Busy processes of one call that may be runnable at once. Chosen: the cores of the smallest
/// machine Hotcell is made for.
const BUSY_MAX: u32 = 2;

/// The turns of one call.
#[derive(Debug)]
pub struct Turns(Mutex<Queue>);

#[derive(Debug)]
struct Queue {
    free: u32,
    waiting: VecDeque<(u32, Waker)>,
}

impl Default for Turns {
    fn default() -> Self {
        Self(Mutex::new(Queue {
            free: BUSY_MAX,
            waiting: VecDeque::new(),
        }))
    }
}

impl Turns {
    /// Gives a turn back, to the process that has waited longest.
    pub fn give_back(&self) {
        let mut queue = self.0.lock();
        queue.free += 1;
        let next = queue.waiting.front().map(|(_, waker)| waker.clone());
        drop(queue);
        if let Some(next) = next {
            next.wake();
        }
    }
}

/// Resolves when `process` may use another slice; it then holds a turn.
pub struct NextTurn {
    process: Arc<Process>,
    queued: bool,
}

impl NextTurn {
    pub fn new(process: Arc<Process>) -> Self {
        Self {
            process,
            queued: false,
        }
    }
}

impl Future for NextTurn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let process = Arc::clone(&self.process);
        let mut queue = process.call.turns.0.lock();
        if !self.queued {
            // The turn for the slice just used is given back by the task, after this poll.
            queue.waiting.push_back((process.pid, cx.waker().clone()));
            self.queued = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let is_first = queue
            .waiting
            .front()
            .is_some_and(|(pid, _)| *pid == process.pid);
        if !is_first || queue.free == 0 {
            return Poll::Pending;
        }
        queue.waiting.pop_front();
        queue.free -= 1;
        self.queued = false;
        let next = queue
            .waiting
            .front()
            .filter(|_| queue.free > 0)
            .map(|(_, w)| w.clone());
        drop(queue);
        if let Some(next) = next {
            next.wake();
        }
        process.set_turn(true);
        Poll::Ready(())
    }
}

impl Drop for NextTurn {
    fn drop(&mut self) {
        if !self.queued {
            return;
        }
        let mut queue = self.process.call.turns.0.lock();
        queue.waiting.retain(|(pid, _)| *pid != self.process.pid);
        let next = queue
            .waiting
            .front()
            .filter(|_| queue.free > 0)
            .map(|(_, w)| w.clone());
        drop(queue);
        if let Some(next) = next {
            next.wake();
        }
    }
}
