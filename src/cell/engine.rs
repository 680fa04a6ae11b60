//! The Wasmtime engine of a cell and the thread that ticks its epochs.

use std::{
    hash::{Hash as _, Hasher},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use sha2::{Digest as _, Sha256};
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
/// Address space of one memory: all that a 32-bit address can name.
const MEMORY_RESERVATION_BYTES: u64 = 4 << 30;
/// Guard pages around it, for an instruction's constant offset. Wasmtime's default.
const MEMORY_GUARD_BYTES: u64 = 32 << 20;
/// Largest function table. Chosen: three times the largest shipped guest's.
pub const TABLE_ELEMENTS_MAX: usize = 20_000;
/// What Wasmtime itself holds for one instance, in bytes. Its default.
pub const INSTANCE_BYTES_MAX: usize = 1 << 20;
/// A guest's slice of a worker thread, in milliseconds (DESIGN: at most 5; the less, the sooner a
/// neighbour's short call gets through; a switch costs a few microseconds).
pub const SLICE_MS: u64 = 1;
/// How often it is looked whether a guest runs while none was seen to, in milliseconds. A first slice
/// may be so long: most calls are over sooner, and cells whose thread woke every slice would spend
/// most of their switches on that (measured: half of those of 16 cells with a client each).
const LOOK_MS: u64 = 5;
/// Looks without a guest after which even that stops. Chosen: longer than
/// the pauses between a busy client's calls, so that not each of them wakes the thread.
const IDLE_LOOKS_MAX: u32 = 8;
/// Fuel after which a guest's readings are made fresh (DESIGN §4: about 10 M).
pub const FUEL_INTERVAL: u64 = 10_000_000;

/// What guests may use of WebAssembly: what LLVM makes of Rust for `wasm32-wasip1`. Everything else
/// is off by name, also what a later Wasmtime would switch on by itself.
pub const FEATURES: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::FLOATS)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::BULK_MEMORY_OPT)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::CALL_INDIRECT_OVERLONG)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::EXTENDED_CONST);

/// Builds the engine that runs guests.
///
/// # Errors
/// The host lacks what the configuration needs (64-bit address space, a supported CPU).
pub fn engine() -> wasmtime::Result<Engine> {
    let mut config = config(FEATURES);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
    Engine::new(&config)
}

/// Builds an engine that compiles for [`engine`] and has no address space for guests.
///
/// # Errors
/// As [`engine`].
pub fn compiler() -> wasmtime::Result<Engine> {
    Engine::new(&config(FEATURES))
}

/// What an artefact must have been made with to be mapped by `engine`: Wasmtime's version to the
/// patch level, which its own check lacks, the settings and the CPU's features.
pub fn identity(engine: &Engine) -> [u8; 32] {
    let mut digest = Digesting::default();
    engine.precompile_compatibility_hash().hash(&mut digest);
    digest.0.finalize().into()
}

/// The SHA-256 of a value that can only be hashed.
#[derive(Default)]
struct Digesting(Sha256);

impl Hasher for Digesting {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest: [u8; 32] = self.0.clone().finalize().into();
        u64::from_le_bytes(digest.first_chunk().copied().unwrap_or_default())
    }
}

/// Everything but where instances live. What is Wasmtime's default is named all the same where
/// safety rests on it.
pub fn config(features: WasmFeatures) -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .wasm_features(!features, false)
        .wasm_features(features, true)
        .gc_support(false)
        .shared_memory(false)
        .concurrency_support(false)
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(2 * WASM_STACK_BYTES)
        // A 32-bit address and offset always end in reserved address space, where the kernel
        // refuses the access: no check in the code can be forgotten.
        .memory_reservation(MEMORY_RESERVATION_BYTES)
        .memory_guard_size(MEMORY_GUARD_BYTES)
        .guard_before_linear_memory(true)
        .memory_may_move(false)
        .signals_based_traps(true)
        .memory_init_cow(true)
        // Nothing reads a guest's native frames, so no artefact carries tables for it.
        .wasm_backtrace_max_frames(None)
        .generate_address_map(false)
        .native_unwind_info(false);
    config
}

fn pool() -> PoolingAllocationConfig {
    let mut pool = slots();
    pool.total_core_instances(SLOTS)
        .total_memories(SLOTS)
        .total_tables(SLOTS)
        .total_stacks(SLOTS)
        .max_unused_warm_slots(64);
    pool
}

/// What any engine's instance may hold, and what its slot keeps for the next.
pub fn slots() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.max_memories_per_module(1)
        .max_tables_per_module(1)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_core_instance_size(INSTANCE_BYTES_MAX)
        .max_memory_size(MEMORY_BYTES_MAX)
        // Of a memory none is kept: the lowest addresses are the far end of a guest's stack, which
        // hardly any call comes to, and clearing them would cost each call its caches.
        .linear_memory_keep_resident(0)
        .table_keep_resident(64 << 10)
        .async_stack_keep_resident(32 << 10);
    pool
}

/// Ticks the engine's epoch every [`SLICE_MS`] while guests run.
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
                let mut idle_looks = 0;
                while !in_thread.stop.load(Ordering::Relaxed) {
                    if idle_looks > IDLE_LOOKS_MAX {
                        idle_looks = 0;
                        in_thread.parked.store(true, Ordering::SeqCst);
                        // A guest that started meanwhile saw no parked thread: look again first.
                        if in_thread.running.load(Ordering::SeqCst) == 0 {
                            thread::park();
                        }
                        in_thread.parked.store(false, Ordering::SeqCst);
                    }
                    let pause = if idle_looks == 0 { SLICE_MS } else { LOOK_MS };
                    thread::sleep(Duration::from_millis(pause));
                    if in_thread.running.load(Ordering::SeqCst) == 0 {
                        idle_looks += 1;
                        continue;
                    }
                    idle_looks = 0;
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
    use wasmtime::{Instance, Module, Store, Trap};

    use super::*;

    /// What the configuration says, asked of the engine itself.
    #[test]
    fn settings_are_what_they_should_be() {
        let engine = engine().unwrap();
        assert_eq!(engine.get_wasm_features(), FEATURES);
        assert!(engine.get_consume_fuel() && engine.get_epoch_interruption());
        assert_eq!(engine.get_strategy(), Some(Strategy::Cranelift));
        assert_eq!(engine.get_max_wasm_stack(), 2 << 20);
        assert_eq!(engine.get_async_stack_size(), 4 << 20);
        assert_eq!(engine.get_memory_reservation(), 4 << 30);
        assert_eq!(engine.get_memory_guard_size(), 32 << 20);
        assert!(engine.get_guard_before_linear_memory());
        assert!(!engine.get_memory_may_move());
        assert!(engine.get_signals_based_traps());
        assert!(!engine.get_shared_memory());
        assert!(!engine.get_concurrency_support());
        assert!(engine.get_collector().is_none());
        let pool = engine.get_pooling_config().unwrap();
        assert_eq!(pool.get_max_memory_size(), 256 << 20);
        assert_eq!(pool.get_table_elements(), 20_000);
        assert_eq!(pool.get_total_core_instances(), 1_024);
        assert_eq!(pool.get_total_memories(), 1_024);
        assert_eq!(pool.get_total_tables(), 1_024);
        assert_eq!(pool.get_total_stacks(), 1_024);
        assert_eq!(pool.get_max_memories_per_module(), 1);
        assert_eq!(pool.get_max_tables_per_module(), 1);
        assert_eq!(pool.get_max_core_instance_size(), 1 << 20);
        assert_eq!(pool.get_memory_keep_resident(), 0);
    }

    #[test]
    fn the_compiler_and_the_engine_that_runs_have_one_identity() {
        let compiles = compiler().unwrap();
        assert_eq!(identity(&compiles), identity(&engine().unwrap()));
        assert!(compiles.get_pooling_config().is_none());
        let mut unmetered = config(FEATURES);
        unmetered.consume_fuel(false);
        let unmetered = Engine::new(&unmetered).unwrap();
        assert_ne!(identity(&compiles), identity(&unmetered));
    }

    /// An instance of `text` with a guest's limits of the pool, or why there is none.
    fn instance(engine: &Engine, text: &str) -> wasmtime::Result<(Store<()>, Instance)> {
        let module = Module::new(engine, wat::parse_str(text).unwrap())?;
        let mut store = Store::new(engine, ());
        store.set_fuel(u64::MAX)?;
        store.set_epoch_deadline(1 << 32);
        let instance = Instance::new(&mut store, &module, &[])?;
        Ok((store, instance))
    }

    #[test]
    fn resources_end_at_their_limits() {
        let engine = engine().unwrap();
        let pairs = [
            ("(module (memory 4096))", "(module (memory 4097))"),
            (
                "(module (table 20000 funcref))",
                "(module (table 20001 funcref))",
            ),
            (
                "(module (table 1 funcref))",
                "(module (table 1 funcref) (table 1 funcref))",
            ),
        ];
        for (within, beyond) in pairs {
            assert!(instance(&engine, within).is_ok(), "{within}");
            assert!(instance(&engine, beyond).is_err(), "{beyond}");
        }
        let text = "(module (memory 1) (table 1 funcref)
            (func (export \"memory\") (param i32) (result i32) (memory.grow (local.get 0)))
            (func (export \"table\") (param i32) (result i32)
              (table.grow (ref.null func) (local.get 0))))";
        for (name, within, was) in [("memory", 4_095, 1), ("table", 19_999, 1)] {
            let (mut store, instance) = instance(&engine, text).unwrap();
            let grow = instance.get_typed_func::<i32, i32>(&mut store, name);
            let grow = grow.unwrap();
            assert_eq!(grow.call(&mut store, within + 1).unwrap(), -1, "{name}");
            assert_eq!(grow.call(&mut store, within).unwrap(), was, "{name}");
            assert_eq!(grow.call(&mut store, 1).unwrap(), -1, "{name}");
        }
    }

    #[test]
    fn instances_end_with_the_slots() {
        let engine = engine().unwrap();
        let mut held: Vec<_> = (0..SLOTS)
            .map(|_| instance(&engine, "(module (memory 1))").unwrap())
            .collect();
        assert!(instance(&engine, "(module (memory 1))").is_err());
        held.pop();
        assert!(instance(&engine, "(module (memory 1))").is_ok());
    }

    /// On the stacks that guests get, which are not the host's.
    #[tokio::test]
    async fn endless_recursion_traps() {
        let engine = engine().unwrap();
        let text = "(module (func $down (export \"down\") (param i32) (result i32)
            (if (result i32) (local.get 0)
              (then (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1)))))
              (else (i32.const 0)))))";
        let (mut store, instance) = instance(&engine, text).unwrap();
        let down = instance.get_typed_func::<i32, i32>(&mut store, "down");
        let down = down.unwrap();
        assert_eq!(down.call_async(&mut store, 1_000).await.unwrap(), 1_000);
        let error = down.call_async(&mut store, i32::MAX).await.unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Trap::StackOverflow));
    }

    /// As [`settings_are_what_they_should_be`], by effect.
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
