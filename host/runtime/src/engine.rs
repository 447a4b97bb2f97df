//! The engine: one for all components, with deadlines that nothing can outwait.

use std::time::{Duration, Instant};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// Time between two looks at a running guest: the grain of all deadlines.
pub(crate) const TICK: Duration = Duration::from_millis(5);

/// Instances that one unit of work may need at once, on average over all units:
/// the core plugin, its drivers, a re-entered plugin or two.
const INSTANCES_PER_UNIT: u32 = 16;

/// Largest linear memory the pool has room for.
pub(crate) const MOST_MEMORY_MIB: u32 = 256;

/// Bytes of a guest's memory that are put back in place after a call; a driver
/// writes a tenth of that.
const KEPT_RESIDENT: usize = 1024 * 1024;

/// Instances there is room for.
pub(crate) fn slots(units: u32) -> u32 {
    units.saturating_mul(INSTANCES_PER_UNIT).clamp(64, 4096)
}

/// An engine for `units` units of work at the same time, and what a message in
/// the log should say about it.
pub(crate) fn engine(units: u32) -> wasmtime::Result<(Engine, &'static str)> {
    let slots = slots(units);
    let mut config = base();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(slots)));
    // A pool reserves its address space when it is made: where that is short
    // (a container with a limit), instances are allocated one by one instead.
    let (engine, allocation) = match Engine::new(&config) {
        Ok(engine) => (engine, "pooled"),
        Err(error) => {
            tracing::warn!(%error, "no room for an instance pool: instances are allocated on demand, which is slower");
            (Engine::new(&base())?, "on demand")
        }
    };
    tick(&engine);
    Ok((engine, allocation))
}

fn base() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .epoch_interruption(true)
        .memory_init_cow(true)
        .max_wasm_stack(512 * 1024)
        .async_stack_size(1024 * 1024);
    config
}

fn pool(slots: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    // Where the kernel tells which pages a guest wrote (Linux 6.7 and later),
    // these are put back as they were, and stay. Elsewhere nothing is kept
    // resident: clearing 1 MiB at each use made 64 tasks four times slower.
    let kept = if PoolingAllocationConfig::is_pagemap_scan_available() { KEPT_RESIDENT } else { 0 };
    pool.total_component_instances(slots)
        .total_core_instances(slots * 2)
        .total_memories(slots)
        .total_tables(slots * 2)
        .total_stacks(slots)
        .max_core_instances_per_component(8)
        .max_memories_per_component(2)
        .max_tables_per_component(8)
        .max_memory_size(MOST_MEMORY_MIB as usize * 1024 * 1024)
        .table_elements(20_000)
        .pagemap_scan(Enabled::Auto)
        .linear_memory_keep_resident(kept)
        .table_keep_resident(kept);
    pool
}

/// Advances the epoch from a thread of its own: a tokio task would starve
/// together with the guest it is to stop. Ends with the engine.
fn tick(engine: &Engine) {
    let weak = engine.weak();
    let spawned = std::thread::Builder::new().name("hadron-epoch".into()).spawn(move || {
        let mut next = Instant::now();
        loop {
            next += TICK;
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            match weak.upgrade() {
                Some(engine) => engine.increment_epoch(),
                None => return,
            }
        }
    });
    if let Err(error) = spawned {
        tracing::error!(%error, "the thread that keeps deadlines cannot be started: guests cannot be stopped");
    }
}
