//! One process: who it is, its signals, its children, how it ended.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::Waker,
};

use parking_lot::Mutex;

use super::{
    Call,
    signal::{Action, CHLD, Delivery, Signals},
};
use crate::cell::wasi::Errno;

/// A process number, unique within its call; the first process is 1.
pub type Pid = u32;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Exited(u8),
    Signaled(u32),
}

impl Status {
    /// As a shell's `$?`.
    pub fn code(self) -> u8 {
        match self {
            Self::Exited(code) => code,
            Self::Signaled(signal) => 128 + u8::try_from(signal).unwrap_or(0),
        }
    }
}

/// An entry of the process table.
#[derive(Debug)]
pub struct Process {
    pub pid: Pid,
    pub parent: Pid,
    pub group: Pid,
    pub call: Arc<Call>,
    pub umask: AtomicU32,
    signals: Mutex<Signals>,
    /// The signal that ends it, once one came; 0 before.
    killed_by: AtomicU32,
    /// Wakes its task.
    waker: Mutex<Option<Waker>>,
    children: Mutex<Vec<Arc<Process>>>,
    status: Mutex<Option<Status>>,
    /// It holds one of its call's turns.
    has_turn: AtomicBool,
}

/// What a child takes over from who starts it.
#[derive(Debug, Clone, Copy)]
pub struct Inherited {
    pub parent: Pid,
    /// `None`: a group of its own.
    pub group: Option<Pid>,
    pub umask: u32,
    pub signals: Signals,
}

impl Process {
    pub fn new(call: &Arc<Call>, pid: Pid, inherited: Inherited) -> Arc<Self> {
        Arc::new(Self {
            pid,
            parent: inherited.parent,
            group: inherited.group.unwrap_or(pid),
            call: Arc::clone(call),
            umask: AtomicU32::new(inherited.umask),
            signals: Mutex::new(inherited.signals),
            killed_by: AtomicU32::new(0),
            waker: Mutex::new(None),
            children: Mutex::new(Vec::new()),
            status: Mutex::new(None),
            has_turn: AtomicBool::new(false),
        })
    }

    /// Remembers how to wake the task that polls this process.
    pub fn polled_by(&self, waker: &Waker) {
        let mut known = self.waker.lock();
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }

    /// Has the process polled again, so that it sees what changed.
    pub fn wake(&self) {
        if let Some(waker) = self.waker.lock().as_ref() {
            waker.wake_by_ref();
        }
    }

    pub fn set_turn(&self, has_turn: bool) {
        self.has_turn.store(has_turn, Ordering::SeqCst);
    }

    /// Gives its turn back, if it holds one.
    pub fn give_turn_back(&self) {
        if self.has_turn.swap(false, Ordering::SeqCst) {
            self.call.turns.give_back();
        }
    }

    /// What must end it now, if anything.
    pub fn must_end(&self) -> Option<Status> {
        match self.killed_by.load(Ordering::SeqCst) {
            0 if self.call.has_ended() => Some(Status::Signaled(super::signal::KILL)),
            0 => None,
            signal => Some(Status::Signaled(signal)),
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: u32) {
        let delivery = self.signals.lock().deliver(signal);
        if delivery == Delivery::Ends {
            self.killed_by.store(signal, Ordering::SeqCst);
        }
        if delivery != Delivery::Nothing {
            self.wake();
        }
    }

    pub fn signals(&self) -> Signals {
        *self.signals.lock()
    }

    pub fn has_pending_signal(&self) -> bool {
        self.signals.lock().has_pending()
    }

    pub fn take_signals(&self) -> u32 {
        self.signals.lock().take()
    }

    /// Resets caught signals: the program that caught them is being replaced.
    pub fn exec_signals(&self, ignored: u32) {
        let mut signals = self.signals.lock();
        *signals = signals.over_exec(ignored);
    }

    pub fn set_action(&self, signal: u32, action: Action) -> Action {
        self.signals.lock().set(signal, action)
    }

    pub fn has_exited(&self) -> bool {
        self.status.lock().is_some()
    }

    pub fn adopt(&self, child: Arc<Process>) {
        self.children.lock().push(child);
    }

    /// Records the end; called once, after its store is dropped.
    pub fn exited(&self, status: Status) {
        *self.status.lock() = Some(status);
        for child in std::mem::take(&mut *self.children.lock()) {
            if child.has_exited() {
                self.call.forget(child.pid);
            }
        }
        match self.call.process(self.parent) {
            Some(parent) if !parent.has_exited() => {
                parent.signal(CHLD);
                parent.wake();
            }
            _ => self.call.forget(self.pid),
        }
        self.call.process_ended(self.pid, status);
    }

    /// Takes the status of one ended child among `pids` (empty: any); `None` while they run.
    ///
    /// # Errors
    /// ECHILD when no such child is left.
    pub fn reap(&self, pids: &[Pid]) -> Result<Option<(Pid, Status)>, Errno> {
        let mut children = self.children.lock();
        let asked = |child: &Process| pids.is_empty() || pids.contains(&child.pid);
        let mut found = false;
        let ended = children.iter().position(|child| {
            found |= asked(child);
            asked(child) && child.has_exited()
        });
        let Some(index) = ended else {
            return if found { Ok(None) } else { Err(Errno::ECHILD) };
        };
        let child = children.remove(index);
        self.call.forget(child.pid);
        let status = *child.status.lock();
        Ok(status.map(|status| (child.pid, status)))
    }
}
