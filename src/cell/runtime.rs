//! What a cell process holds for all its calls: the engine, the programs, the free slots.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use wasmtime::{Engine, Store, UpdateDeadline};

use super::{
    engine::{self, FUEL_INTERVAL, Ticker},
    kernel::{Call, FUEL_START, Guest, NextTurn, settle_fuel},
    programs::Programs,
    threads::Threads,
    wasi::{self, Errno},
};
use crate::outcome::StoppedBy;

/// Slots every call is sure to get; the rest is shared. Chosen: the longest pipelines agents
/// write have about six stages.
pub const SLOTS_GUARANTEED: u32 = 8;

/// What all calls of a cell share.
#[derive(Debug)]
pub struct Runtime {
    pub engine: Engine,
    pub ticker: Ticker,
    pub programs: Programs,
    pub threads: Threads,
    shared_slots: AtomicI64,
}

impl Runtime {
    /// The engine and the empty catalogue, without a thread of their own yet.
    ///
    /// # Errors
    /// The host cannot give the engine its address space.
    pub fn programs() -> anyhow::Result<(Engine, Programs)> {
        let engine = engine::engine().map_err(anyhow::Error::msg)?;
        let linker = wasi::linker(&engine).map_err(anyhow::Error::msg)?;
        let programs = Programs::new(linker)?;
        Ok((engine, programs))
    }

    /// The engine and the place of one module of the operator's own.
    ///
    /// # Errors
    /// As [`Self::programs`].
    pub fn tool(name: &str) -> anyhow::Result<(Engine, Programs)> {
        let engine = engine::engine().map_err(anyhow::Error::msg)?;
        let linker = wasi::tool_linker(&engine).map_err(anyhow::Error::msg)?;
        Ok((engine, Programs::of_tool(linker, name)))
    }

    /// Starts the thread that ticks; the caller's, which takes orders, is `threads`' front one.
    ///
    /// # Errors
    /// There is no thread to be had, or the pool has too few slots for so many calls.
    pub fn start(
        (engine, programs): (Engine, Programs),
        threads: Threads,
        calls_max: usize,
    ) -> anyhow::Result<Arc<Self>> {
        let ticker = Ticker::start(&engine)?;
        let most = engine::SLOTS / SLOTS_GUARANTEED;
        let calls = u32::try_from(calls_max).unwrap_or(u32::MAX);
        anyhow::ensure!(
            calls <= most,
            "{calls_max} calls at once are too many; at most {most}"
        );
        let shared = i64::from(engine::SLOTS - calls * SLOTS_GUARANTEED);
        Ok(Arc::new(Self {
            engine,
            ticker,
            programs,
            threads,
            shared_slots: AtomicI64::new(shared),
        }))
    }

    /// A store for `guest`, metered and interruptible.
    ///
    /// # Errors
    /// The engine refused a setting, which does not happen with [`engine::engine`]'s.
    pub fn store(&self, guest: Guest) -> wasmtime::Result<Store<Guest>> {
        let mut store = Store::new(&self.engine, guest);
        store.limiter(|guest| guest);
        store.set_fuel(FUEL_START)?;
        store.fuel_async_yield_interval(Some(FUEL_INTERVAL))?;
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut store| {
            settle_fuel(&mut store);
            // Back to the task, which sees whether the process must end.
            let process = Arc::clone(&store.data().process);
            Ok(UpdateDeadline::YieldCustom(
                1,
                Box::pin(NextTurn::new(process)),
            ))
        });
        Ok(store)
    }

    /// Takes a pool slot for one more process of `call`.
    ///
    /// # Errors
    /// EAGAIN when the call has used its guaranteed ones and no shared one is free.
    pub fn take_slot(self: &Arc<Self>, call: &Arc<Call>) -> Result<Slot, Errno> {
        if call.take_guaranteed_slot() {
            return Ok(Slot::Guaranteed(Arc::clone(call)));
        }
        if self.shared_slots.fetch_sub(1, Ordering::SeqCst) <= 0 {
            self.shared_slots.fetch_add(1, Ordering::SeqCst);
            call.refuse(StoppedBy::Processes);
            return Err(Errno::EAGAIN);
        }
        Ok(Slot::Shared(Arc::clone(self)))
    }
}

/// A pool slot, given back when dropped.
#[derive(Debug)]
pub enum Slot {
    Guaranteed(Arc<Call>),
    Shared(Arc<Runtime>),
}

impl Drop for Slot {
    fn drop(&mut self) {
        match self {
            Self::Guaranteed(call) => call.give_guaranteed_slot(),
            Self::Shared(runtime) => {
                runtime.shared_slots.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
}
