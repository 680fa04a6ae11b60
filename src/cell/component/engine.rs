//! The engine of components: as that of guests, with the component model on and slots of its own.

use wasmparser::WasmFeatures;
use wasmtime::{Engine, InstanceAllocationStrategy};

use crate::cell::{
    engine::{FEATURES, INSTANCE_BYTES_MAX, SLOTS, config, slots},
    runtime::SLOTS_GUARANTEED,
};

/// Components at once: one for each call that a cell may be given.
const COMPONENTS: u32 = SLOTS / SLOTS_GUARANTEED;
/// Core instances of one component. Chosen: a Rust tool has four.
pub const CORE_INSTANCES_MAX: u32 = 16;
/// Memories of one component. Chosen: a Rust tool has one.
pub const MEMORIES_MAX: u32 = 2;
/// Function tables of one component. Chosen: a Rust tool has two.
pub const TABLES_MAX: u32 = 4;

/// Builds the engine that runs components.
///
/// # Errors
/// The host lacks what the configuration needs.
pub fn engine() -> wasmtime::Result<Engine> {
    let mut config = config(features());
    let mut pool = slots();
    pool.total_component_instances(COMPONENTS)
        .total_core_instances(COMPONENTS * CORE_INSTANCES_MAX)
        .total_memories(COMPONENTS * MEMORIES_MAX)
        .total_tables(COMPONENTS * TABLES_MAX)
        .total_stacks(COMPONENTS)
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .max_component_instance_size(INSTANCE_BYTES_MAX)
        .max_unused_warm_slots(8);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config)
}

/// Builds an engine that compiles for [`engine`] and has no address space for instances.
///
/// # Errors
/// As [`engine`].
pub fn compiler() -> wasmtime::Result<Engine> {
    Engine::new(&config(features()))
}

/// What guests may use, and components.
pub fn features() -> WasmFeatures {
    FEATURES.union(WasmFeatures::COMPONENT_MODEL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::engine::identity;

    #[test]
    fn settings_are_what_they_should_be() {
        let engine = engine().unwrap();
        assert_eq!(engine.get_wasm_features(), features());
        assert!(engine.get_consume_fuel() && engine.get_epoch_interruption());
        assert!(!engine.get_concurrency_support() && !engine.get_shared_memory());
        assert!(engine.get_collector().is_none());
        let pool = engine.get_pooling_config().unwrap();
        assert_eq!(pool.get_max_memory_size(), 256 << 20);
        assert_eq!(pool.get_table_elements(), 20_000);
        assert_eq!(pool.get_max_core_instances_per_component(), 16);
        assert_eq!(pool.get_max_memories_per_component(), 2);
        assert_eq!(pool.get_max_tables_per_component(), 4);
        assert_eq!(pool.get_total_component_instances(), 128);
        assert_eq!(identity(&compiler().unwrap()), identity(&engine));
        let guests = crate::cell::engine::compiler().unwrap();
        assert_ne!(identity(&guests), identity(&engine));
    }
}
