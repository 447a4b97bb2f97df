//! How long a guest may run and how much memory it may have.

use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use wasmtime::{CallHook, ResourceLimiter, Store, UpdateDeadline};

/// Guest time spent by a whole unit of work, over all its instances.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spent(Arc<AtomicU64>);

impl Spent {
    fn add(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Time spent so far.
    pub(crate) fn total(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

/// Measures how long the guest of one store runs, host calls not counted, and
/// stops it when it has run too long.
#[derive(Clone)]
pub(crate) struct Meter(Arc<Mutex<Running>>);

struct Running {
    since: Option<Instant>,
    call: Duration,
    call_limit: Duration,
    whole: Spent,
    whole_limit: Duration,
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
    pub(crate) fn new(whole: Spent, call_limit: Duration, whole_limit: Duration) -> Meter {
        Meter(Arc::new(Mutex::new(Running {
            since: None,
            call: Duration::ZERO,
            call_limit,
            whole,
            whole_limit,
        })))
    }

    /// Starts the time of a call anew, with these limits.
    pub(crate) fn restart(&self, whole: Spent, call_limit: Duration, whole_limit: Duration) {
        *self.0.lock() = Running { since: None, call: Duration::ZERO, call_limit, whole, whole_limit };
    }

    /// Starts the time of a call anew, with the limits as they are.
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
            running.whole.add(ran);
        }
    }

    fn check(&self) -> Result<(), TooLong> {
        let running = self.0.lock();
        if running.call > running.call_limit {
            return Err(TooLong::Call(running.call_limit));
        }
        if running.whole.total() > running.whole_limit {
            return Err(TooLong::Unit(running.whole_limit));
        }
        Ok(())
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
