//! One call: what its processes share, what they may use, and how it ends.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};

use super::{Pid, Process, Status, native::Natives, turns::Turns};
use crate::cell::{
    order::{CallId, Event, Order},
    runtime::SLOTS_GUARANTEED,
    wasi::{Errno, Mounts},
};
use crate::limits::Limits;
use crate::outcome::{
    CHANGED_MAX, CHANGED_PATH_BYTES_MAX, DENIED_BYTES_MAX, DENIED_MAX, Held, StoppedBy, Usage,
};
use crate::policy::ProgramTable;

/// Largest shell state a session keeps, in bytes. Chosen, not measured.
pub const STATE_BYTES_MAX: usize = 1 << 20;

/// Entries of a process table, ended processes that nobody waited for included. Chosen: far more
/// background jobs than a script forgets.
const ENTRIES_MAX: usize = 16_384;

/// Fuel that a new file, folder or link costs: what a file system takes to make it, at two units a
/// nanosecond. Measured by tests/host_calls.rs.
const INODE_FUEL: u64 = 40_000;

/// What all processes of a call share.
#[derive(Debug)]
pub struct Call {
    pub id: CallId,
    pub limits: Limits,
    pub mounts: Mounts,
    /// Which programs its processes may start.
    pub programs: ProgramTable,
    /// What runs outside for it.
    pub natives: Natives,
    /// Shell state the first process may load.
    pub state: Vec<u8>,
    pub turns: Turns,
    keep_state: bool,
    started: Instant,
    fuel_left: AtomicI64,
    memory_bytes: AtomicU64,
    memory_peak_bytes: AtomicU64,
    descriptors: AtomicU32,
    written_bytes: AtomicU64,
    inodes: AtomicU64,
    output_bytes: AtomicU64,
    guaranteed_slots: AtomicU32,
    ended: AtomicBool,
    table: Mutex<Table>,
    /// Woken when a process is gone.
    process_gone: Notify,
}

#[derive(Debug, Default)]
struct Table {
    last_pid: Pid,
    processes: BTreeMap<Pid, Arc<Process>>,
    /// Processes whose tasks have not ended.
    alive: u32,
    stopped_by: Option<StoppedBy>,
    /// The first limit that refused something without ending the call.
    refused: Option<StoppedBy>,
    first_status: Option<Status>,
    new_state: Option<Vec<u8>>,
    changed: BTreeSet<String>,
    changed_more: bool,
    denied: BTreeSet<String>,
}

impl Call {
    pub fn new(
        id: CallId,
        order: &mut Order,
        mounts: Mounts,
        events: mpsc::Sender<Event>,
    ) -> Arc<Self> {
        let natives = std::mem::take(&mut order.natives);
        Arc::new(Self {
            id,
            limits: order.limits.clone(),
            mounts,
            programs: std::mem::take(&mut order.programs),
            natives: Natives::new(id, natives, events),
            state: std::mem::take(&mut order.state),
            turns: Turns::default(),
            keep_state: order.keep_state,
            started: Instant::now(),
            fuel_left: AtomicI64::new(i64::try_from(order.limits.fuel).unwrap_or(i64::MAX)),
            memory_bytes: AtomicU64::new(0),
            memory_peak_bytes: AtomicU64::new(0),
            descriptors: AtomicU32::new(0),
            written_bytes: AtomicU64::new(0),
            inodes: AtomicU64::new(0),
            output_bytes: AtomicU64::new(0),
            guaranteed_slots: AtomicU32::new(SLOTS_GUARANTEED),
            ended: AtomicBool::new(false),
            table: Mutex::new(Table::default()),
            process_gone: Notify::new(),
        })
    }

    /// When the wall limit is over.
    pub fn deadline(&self) -> Instant {
        self.started + Duration::from_millis(self.limits.wall_ms)
    }

    /// Ends the call: every process is dropped at its next poll. The first reason counts.
    pub fn end(&self, by: Option<StoppedBy>) {
        let mut table = self.table.lock();
        if self.ended.swap(true, Ordering::SeqCst) {
            return;
        }
        table.stopped_by = by;
        let processes: Vec<_> = table.processes.values().cloned().collect();
        drop(table);
        for process in processes {
            process.wake();
        }
    }

    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    /// Notes that a limit refused something; the program that asked goes on.
    pub fn refuse(&self, limit: StoppedBy) {
        self.table.lock().refused.get_or_insert(limit);
    }

    /// Adds a process, unless the call has ended or is at its limit.
    ///
    /// # Errors
    /// EAGAIN.
    pub fn admit(&self, make: impl FnOnce(Pid) -> Arc<Process>) -> Result<Arc<Process>, Errno> {
        let mut table = self.table.lock();
        if self.has_ended() {
            return Err(Errno::EAGAIN);
        }
        let zombies = table.processes.len() >= ENTRIES_MAX;
        if table.alive >= self.limits.processes || zombies {
            table.refused.get_or_insert(StoppedBy::Processes);
            return Err(Errno::EAGAIN);
        }
        table.alive += 1;
        table.last_pid += 1;
        let pid = table.last_pid;
        let process = make(pid);
        table.processes.insert(pid, Arc::clone(&process));
        Ok(process)
    }

    /// Records that a process's task is over and its store dropped. The call ends with its
    /// first process.
    pub fn process_ended(&self, pid: Pid, status: Status) {
        if pid == 1 {
            self.table.lock().first_status = Some(status);
            self.end(None);
        }
        self.table.lock().alive -= 1;
        self.process_gone.notify_one();
    }

    /// Takes back a process that was admitted but never started.
    pub fn abandon(&self, pid: Pid) {
        let mut table = self.table.lock();
        table.processes.remove(&pid);
        table.alive -= 1;
        drop(table);
        self.process_gone.notify_one();
    }

    /// Drops a process whose status was taken, or that nobody can wait for.
    pub fn forget(&self, pid: Pid) {
        self.table.lock().processes.remove(&pid);
    }

    pub fn process(&self, pid: Pid) -> Option<Arc<Process>> {
        self.table.lock().processes.get(&pid).cloned()
    }

    pub fn processes(&self) -> Vec<Arc<Process>> {
        self.table.lock().processes.values().cloned().collect()
    }

    /// Waits until no process is left.
    pub async fn all_gone(&self) {
        while self.table.lock().alive > 0 {
            self.process_gone.notified().await;
        }
        // Processes hold the call and the call holds them: this breaks the circle.
        self.table.lock().processes.clear();
    }

    /// Takes one of the slots this call is sure to get.
    pub fn take_guaranteed_slot(&self) -> bool {
        let take = |left: u32| left.checked_sub(1);
        self.guaranteed_slots
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
            .is_ok()
    }

    pub fn give_guaranteed_slot(&self) {
        self.guaranteed_slots.fetch_add(1, Ordering::SeqCst);
    }

    /// Takes fuel; ends the call when there is none left.
    pub fn spend(&self, fuel: u64) {
        let fuel = i64::try_from(fuel).unwrap_or(i64::MAX);
        if self.fuel_left.fetch_sub(fuel, Ordering::Relaxed) < fuel {
            self.end(Some(StoppedBy::Fuel));
        }
    }

    /// Takes linear memory for a process; false at the limit.
    pub fn take_memory(&self, bytes: u64) -> bool {
        let most = self.limits.memory_bytes;
        let take = |held: u64| held.checked_add(bytes).filter(|held| *held <= most);
        let taken = self
            .memory_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        let Ok(before) = taken else { return false };
        self.memory_peak_bytes
            .fetch_max(before + bytes, Ordering::Relaxed);
        true
    }

    /// Takes `more` linear memory for a process that holds `held`; at the process's or the call's
    /// limit it is refused, which is remembered.
    pub fn grow_memory(&self, held: u64, more: u64) -> bool {
        let within = held.saturating_add(more) <= self.limits.memory_process_bytes;
        let grows = within && self.take_memory(more);
        if !grows {
            self.refuse(StoppedBy::Memory);
        }
        grows
    }

    pub fn give_memory(&self, bytes: u64) {
        self.memory_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub fn take_descriptor(&self) -> bool {
        let taken = self.descriptors.fetch_add(1, Ordering::Relaxed);
        if taken >= self.limits.descriptors {
            self.descriptors.fetch_sub(1, Ordering::Relaxed);
            return false;
        }
        true
    }

    pub fn give_descriptors(&self, count: u32) {
        self.descriptors.fetch_sub(count, Ordering::Relaxed);
    }

    /// Takes room for bytes that are about to be written to a file.
    ///
    /// # Errors
    /// ENOSPC at the limit.
    pub fn take_written(&self, bytes: u64) -> Result<(), Errno> {
        let most = self.limits.written_bytes;
        let take = |total: u64| total.checked_add(bytes).filter(|total| *total <= most);
        let taken = self
            .written_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        if taken.is_err() {
            self.refuse(StoppedBy::Disk);
            return Err(Errno::ENOSPC);
        }
        Ok(())
    }

    /// Counts bytes of files that a native program wrote.
    pub fn note_written(&self, bytes: u64) {
        self.written_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Gives back room that was taken and not used.
    pub fn give_written(&self, bytes: u64) {
        self.written_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Takes room for one new file, folder or link.
    ///
    /// # Errors
    /// ENOSPC at the limit.
    pub fn take_inode(&self) -> Result<(), Errno> {
        if self.inodes.fetch_add(1, Ordering::Relaxed) >= self.limits.inodes {
            self.give_inode();
            self.refuse(StoppedBy::Inodes);
            return Err(Errno::ENOSPC);
        }
        Ok(())
    }

    /// Gives back the room of a name that could not be made.
    pub fn give_inode(&self) {
        self.inodes.fetch_sub(1, Ordering::Relaxed);
    }

    /// Makes a name with `make`, within the limit.
    ///
    /// # Errors
    /// As [`Self::take_inode`], or what `make` says.
    pub fn with_inode<T>(&self, make: impl FnOnce() -> rustix::io::Result<T>) -> Result<T, Errno> {
        self.take_inode()?;
        self.spend(INODE_FUEL);
        make().map_err(|errno| {
            self.give_inode();
            errno.into()
        })
    }

    /// Counts output; ends the call past the hard limit.
    pub fn count_output(&self, bytes: u64) {
        let total = self.output_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if total > self.limits.output_stop_bytes {
            self.end(Some(StoppedBy::Output));
        }
    }

    /// Names a guest path that this call changed.
    pub fn note_change(&self, path: String) {
        let mut table = self.table.lock();
        if path.len() > CHANGED_PATH_BYTES_MAX {
            table.changed_more = true;
        } else if table.changed.len() < CHANGED_MAX {
            table.changed.insert(path);
        } else if !table.changed.contains(&path) {
            table.changed_more = true;
        }
    }

    /// Notes, for the record, a program that the policy kept from starting.
    pub fn note_denial(&self, text: &str) {
        let mut table = self.table.lock();
        if table.denied.len() < DENIED_MAX {
            let kept = text.get(..text.floor_char_boundary(DENIED_BYTES_MAX));
            table.denied.insert(kept.unwrap_or_default().to_owned());
        }
    }

    /// Takes the shell's offer of a new state, which a call that keeps none forgets.
    ///
    /// # Errors
    /// E2BIG.
    pub fn offer_state(&self, state: &[u8]) -> Result<(), Errno> {
        if !self.keep_state {
            return Ok(());
        }
        if state.len() > STATE_BYTES_MAX {
            return Err(Errno::E2BIG);
        }
        self.table.lock().new_state = Some(state.to_vec());
        Ok(())
    }

    /// What the call came to; asked once, when [`Self::all_gone`].
    pub fn ending(&self) -> Ending {
        let mut table = self.table.lock();
        let stopped_by = table.stopped_by;
        let fuel_left = self.fuel_left.load(Ordering::Relaxed).max(0);
        let exit_code = match (stopped_by, table.first_status) {
            (Some(by), _) => by.exit_code(),
            (None, Some(status)) => status.code(),
            (None, None) => 137,
        };
        // A refusal is named only when the call failed: a program may have coped with it.
        let refused = table.refused.filter(|_| exit_code != 0);
        Ending {
            exit_code,
            stopped_by: stopped_by.or(refused),
            state: table.new_state.take().filter(|_| stopped_by.is_none()),
            changed: std::mem::take(&mut table.changed).into_iter().collect(),
            changed_more: table.changed_more,
            denied: std::mem::take(&mut table.denied).into_iter().collect(),
            held: self.mounts.held(),
            usage: Usage {
                fuel: self.limits.fuel.saturating_sub(fuel_left.unsigned_abs()),
                wall_us: u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
                memory_peak_bytes: self.memory_peak_bytes.load(Ordering::Relaxed),
                processes: table.last_pid,
                written_bytes: self.written_bytes.load(Ordering::Relaxed),
            },
        }
    }
}

/// What a call came to, without its output.
#[derive(Debug)]
pub struct Ending {
    pub exit_code: u8,
    pub stopped_by: Option<StoppedBy>,
    pub state: Option<Vec<u8>>,
    pub changed: Vec<String>,
    pub changed_more: bool,
    pub denied: Vec<String>,
    pub held: Option<Held>,
    pub usage: Usage,
}
