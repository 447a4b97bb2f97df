//! How long a guest may run and how much memory it may have.

use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use wasmtime::{CallHook, ResourceLimiter, Store, UpdateDeadline};

/// The guest time of a unit of work: what it may spend, in one call and in all calls
/// of all its instances, and what it has spent.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<Shares>);

#[derive(Debug)]
struct Shares {
    call: Duration,
    whole: Duration,
    spent_nanos: AtomicU64,
    items: AtomicU32,
}

/// Limits are for so many items of a bulk request or a message: one with more has in
/// proportion more.
const ITEMS: u32 = 100;

impl Budget {
    /// So much in a call, and in all of them.
    pub(crate) fn new(call: Duration, whole: Duration) -> Budget {
        Budget(Arc::new(Shares { call, whole, spent_nanos: AtomicU64::new(0), items: AtomicU32::new(0) }))
    }

    /// Whoever asked for the unit names so many items more. Not for what plugins
    /// ask of each other, who would grant themselves time by it.
    pub(crate) fn named(&self, items: usize) {
        let items = u32::try_from(items).unwrap_or(u32::MAX);
        let add = |had: u32| Some(had.saturating_add(items));
        let _ = self.0.items.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    fn add(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.0.spent_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Whether a call may go on that has run so long.
    fn check(&self, called: Duration) -> Result<(), TooLong> {
        let parts = self.0.items.load(Ordering::Relaxed).div_ceil(ITEMS).max(1);
        let (call, whole) = (self.0.call.saturating_mul(parts), self.0.whole.saturating_mul(parts));
        if called > call {
            return Err(TooLong::Call(call));
        }
        if Duration::from_nanos(self.0.spent_nanos.load(Ordering::Relaxed)) > whole {
            return Err(TooLong::Unit(whole));
        }
        Ok(())
    }
}

/// Measures how long the guest of one store runs, host calls not counted, and
/// stops it when it has run too long.
#[derive(Clone)]
pub(crate) struct Meter(Arc<Mutex<Running>>);

struct Running {
    since: Option<Instant>,
    call: Duration,
    budget: Budget,
}

/// A guest ran too long.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TooLong {
    /// In one call.
    #[error("it ran for more than {} ms in one call", .0.as_millis())]
    Call(Duration),
    /// In all calls of the unit of work.
    #[error("its unit of work spent more than {} ms in plugins", .0.as_millis())]
    Unit(Duration),
}

impl Meter {
    /// A meter for a store; `watch` connects it.
    pub(crate) fn new(budget: Budget) -> Meter {
        Meter(Arc::new(Mutex::new(Running { since: None, call: Duration::ZERO, budget })))
    }

    /// Starts the time of a call anew, on another budget.
    pub(crate) fn restart(&self, budget: Budget) {
        *self.0.lock() = Running { since: None, call: Duration::ZERO, budget };
    }

    /// Starts the time of a call anew.
    pub(crate) fn next_call(&self) {
        let mut running = self.0.lock();
        running.call = Duration::ZERO;
        running.since = None;
    }

    /// Has the store report to this meter. Every tick the guest yields, so that
    /// others get their turn; past a limit it is stopped.
    pub(crate) fn watch<T: 'static>(&self, store: &mut Store<T>) {
        let hook = self.clone();
        store.call_hook(move |_, transition| {
            hook.cross(transition);
            Ok(())
        });
        let meter = self.clone();
        store.epoch_deadline_callback(move |_| {
            meter.pause();
            meter.check()?;
            let resumed = meter.clone();
            Ok(UpdateDeadline::YieldCustom(
                1,
                Box::pin(async move {
                    tokio::task::yield_now().await;
                    resumed.resume();
                }),
            ))
        });
        store.set_epoch_deadline(1);
    }

    /// Guest time of the call, so far.
    pub(crate) fn called(&self) -> Duration {
        self.0.lock().call
    }

    /// Handing a record over enters the guest once for each text in it: the
    /// clock runs on between these, and is stopped when the guest calls the
    /// host and at the end of the call (`pause`).
    fn cross(&self, transition: CallHook) {
        match transition {
            CallHook::CallingWasm | CallHook::ReturningFromHost => self.resume(),
            CallHook::CallingHost => self.pause(),
            CallHook::ReturningFromWasm => {}
        }
    }

    fn resume(&self) {
        let mut running = self.0.lock();
        if running.since.is_none() {
            running.since = Some(Instant::now());
        }
    }

    /// Stops the clock: the guest does not run until it is called again.
    pub(crate) fn pause(&self) {
        let mut running = self.0.lock();
        if let Some(since) = running.since.take() {
            let ran = since.elapsed();
            running.call += ran;
            running.budget.add(ran);
        }
    }

    fn check(&self) -> Result<(), TooLong> {
        let running = self.0.lock();
        running.budget.check(running.call)
    }
}

/// Bounds the sum of a store's linear memories, and its tables.
#[derive(Debug)]
pub(crate) struct MemoryLimit {
    /// Bytes.
    pub(crate) most: usize,
    used: usize,
}

/// A guest wanted more memory than it has.
#[derive(Debug, thiserror::Error)]
#[error("it wanted more than its {0} MiB of memory")]
pub(crate) struct TooMuch(usize);

impl MemoryLimit {
    /// At most so many MiB.
    pub(crate) fn mib(most: u32) -> MemoryLimit {
        MemoryLimit { most: most as usize * 1024 * 1024, used: 0 }
    }
}

/// Elements of all tables of a component; a large Rust guest has a few hundred.
const TABLE_ELEMENTS: usize = 20_000;

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _most: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let used = self.used.saturating_add(desired.saturating_sub(current));
        if used > self.most {
            // A trap and not a refusal: a guest that is refused memory aborts
            // without a word, and nobody learns why.
            return Err(TooMuch(self.most / (1024 * 1024)).into());
        }
        self.used = used;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _most: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_for_a_hundred_items() {
        let ms = Duration::from_millis;
        let budget = Budget::new(ms(100), ms(1000));
        assert!(budget.check(ms(100)).is_ok());
        budget.named(100);
        assert!(matches!(budget.check(ms(101)), Err(TooLong::Call(_))));
        budget.named(1);
        assert!(budget.check(ms(200)).is_ok() && budget.check(ms(201)).is_err());
        budget.add(ms(2000));
        assert!(budget.check(ms(1)).is_ok());
        budget.add(ms(1));
        assert!(matches!(budget.check(ms(1)), Err(TooLong::Unit(_))));
        budget.named(usize::MAX);
        assert!(budget.check(ms(200)).is_ok(), "it does not wrap around");
    }
}
