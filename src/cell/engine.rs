//! The Wasmtime engine of a cell and the thread that ticks its epochs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Strategy, WasmFeatures,
};

/// Pool slots: processes alive at once in one cell. Chosen: 64 calls with 8 guaranteed slots
/// each use half of them.
pub const SLOTS: u32 = 1_024;
/// Largest linear memory of one process, in bytes (DESIGN: 256 MiB; larger memories overshoot
/// deadlines in bulk operations).
pub const MEMORY_BYTES_MAX: usize = 256 << 20;
/// Native stack that Wasm code may use in one process, in bytes. Chosen: a shell function
/// nests about 1,000 deep in it.
pub const WASM_STACK_BYTES: usize = 2 << 20;
/// A guest's slice of a worker thread, in milliseconds (DESIGN: at most 5; the less, the sooner a
/// neighbour's short call gets through; a switch costs a few microseconds).
pub const SLICE_MS: u64 = 1;
/// Slices without a guest after which the ticking stops. Chosen: longer than
/// the pauses between a busy client's calls, so that not each of them wakes the thread.
const IDLE_SLICES_MAX: u32 = 8;
/// Fuel after which a guest's readings are made fresh (DESIGN §4: about 10 M).
pub const FUEL_INTERVAL: u64 = 10_000_000;

/// Builds the engine that both compiles and runs guests; both must use this configuration.
///
/// # Errors
/// The host lacks what the configuration needs (64-bit address space, a supported CPU).
pub fn engine() -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(2 * WASM_STACK_BYTES)
        .memory_init_cow(true)
        .wasm_backtrace_max_frames(None)
        .wasm_simd(true)
        .wasm_bulk_memory(true)
        .wasm_multi_value(true)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .wasm_extended_const(true)
        .wasm_wide_arithmetic(false)
        .wasm_custom_page_sizes(false)
        .wasm_features(WasmFeatures::GC | WasmFeatures::FUNCTION_REFERENCES, false)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
    Engine::new(&config)
}

fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(SLOTS)
        .total_memories(SLOTS)
        .total_tables(SLOTS)
        .total_stacks(SLOTS)
        .max_memories_per_module(1)
        .max_tables_per_module(1)
        .table_elements(20_000)
        .max_memory_size(MEMORY_BYTES_MAX)
        .linear_memory_keep_resident(128 << 10)
        .table_keep_resident(64 << 10)
        .async_stack_keep_resident(32 << 10)
        .max_unused_warm_slots(64);
    pool
}

/// Ticks the engine's epoch every [`SLICE_MS`], but hardly longer than guests run.
#[derive(Debug)]
pub struct Ticker {
    shared: Arc<TickerShared>,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct TickerShared {
    /// Guests being polled right now.
    running: AtomicUsize,
    parked: AtomicBool,
    stop: AtomicBool,
}

impl Ticker {
    /// Starts the thread.
    ///
    /// # Errors
    /// The process may have no more threads.
    pub fn start(engine: &Engine) -> std::io::Result<Self> {
        let shared = Arc::new(TickerShared::default());
        let (engine, in_thread) = (engine.weak(), Arc::clone(&shared));
        let thread = thread::Builder::new()
            .name("epoch-ticker".into())
            .spawn(move || {
                let mut idle_slices = 0;
                while !in_thread.stop.load(Ordering::Relaxed) {
                    if idle_slices > IDLE_SLICES_MAX {
                        idle_slices = 0;
                        in_thread.parked.store(true, Ordering::SeqCst);
                        // A guest that started meanwhile saw no parked thread: look again first.
                        if in_thread.running.load(Ordering::SeqCst) == 0 {
                            thread::park();
                        }
                        in_thread.parked.store(false, Ordering::SeqCst);
                        continue;
                    }
                    thread::sleep(Duration::from_millis(SLICE_MS));
                    if in_thread.running.load(Ordering::SeqCst) == 0 {
                        idle_slices += 1;
                        continue;
                    }
                    idle_slices = 0;
                    let Some(engine) = engine.upgrade() else {
                        return;
                    };
                    engine.increment_epoch();
                }
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Counts a guest as running until the answer is dropped.
    pub fn running(&self) -> Running<'_> {
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        if self.shared.parked.load(Ordering::SeqCst)
            && let Some(thread) = &self.thread
        {
            thread.thread().unpark();
        }
        Running(&self.shared)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _joined = thread.join();
        }
    }
}

/// A guest that is being polled.
#[derive(Debug)]
pub struct Running<'a>(&'a TickerShared);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the configuration says, asked of the engine itself.
    #[test]
    fn proposals_that_are_off_are_refused() {
        let engine = engine().unwrap();
        let taken = |text: &str| {
            engine
                .precompile_module(&wat::parse_str(text).unwrap())
                .is_ok()
        };
        assert!(taken(
            "(module (memory 1) (func (param i32) (result i32) local.get 0))"
        ));
        let off = [
            ("threads", "(module (memory 1 1 shared))"),
            ("64-bit memory", "(module (memory i64 1))"),
            ("several memories", "(module (memory 1) (memory 1))"),
            ("page sizes", "(module (memory 1 (pagesize 1)))"),
            ("tail calls", "(module (func $f (return_call $f)))"),
            ("exceptions", "(module (tag))"),
            ("garbage collection", "(module (type (struct)))"),
            (
                "function references",
                "(module (type $t (func)) (func (param (ref $t))))",
            ),
            (
                "relaxed SIMD",
                "(module (func (param v128) (result v128)
                   (i8x16.relaxed_swizzle (local.get 0) (local.get 0))))",
            ),
            (
                "wide arithmetic",
                "(module (func (param i64) (result i64 i64)
                   (i64.mul_wide_s (local.get 0) (local.get 0))))",
            ),
            (
                "stack switching",
                "(module (type $f (func)) (type (cont $f)))",
            ),
        ];
        let on: Vec<_> = off.iter().filter(|(_, text)| taken(text)).collect();
        assert!(on.is_empty(), "{on:?}");
    }
}
