//! Takes a plugin that keeps failing out of rotation for a while.

use crate::Settings;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Counts failures in a row.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    failures: AtomicU32,
    until: Mutex<Option<Instant>>,
}

impl Breaker {
    /// A call trapped or hit a limit.
    pub(crate) fn failed(&self, settings: &Settings) {
        let (most, pause) = settings.breaker;
        if self.failures.fetch_add(1, Ordering::Relaxed) + 1 >= most.max(1) {
            *self.until.lock() = Some(Instant::now() + pause);
        }
    }

    /// A call came back.
    pub(crate) fn worked(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
            *self.until.lock() = None;
        }
    }

    /// How long it stays out of rotation; none when it takes part. After the
    /// pause one more failure takes it out again.
    pub(crate) fn open(&self) -> Option<Duration> {
        if self.failures.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let until = *self.until.lock();
        until.and_then(|until| until.checked_duration_since(Instant::now())).filter(|left| !left.is_zero())
    }

    /// Failures in a row.
    pub(crate) fn failures(&self) -> u32 {
        self.failures.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(failures: u32, pause: Duration) -> Settings {
        Settings {
            units: 1,
            call_limit: Duration::ZERO,
            unit_limit: Duration::ZERO,
            delivery_limit: Duration::ZERO,
            delivery_budget: Duration::ZERO,
            memory_mib: 1,
            cache: std::path::PathBuf::new(),
            breaker: (failures, pause),
            quotas: crate::DefaultQuotas::default(),
        }
    }

    #[test]
    fn opens_after_so_many_failures_in_a_row() {
        let (breaker, settings) = (Breaker::default(), settings(3, Duration::from_secs(60)));
        breaker.failed(&settings);
        breaker.failed(&settings);
        breaker.worked();
        breaker.failed(&settings);
        breaker.failed(&settings);
        assert_eq!(breaker.open(), None);
        breaker.failed(&settings);
        assert!(breaker.open().is_some());
    }

    #[test]
    fn one_more_failure_after_the_pause_opens_it_again() {
        let (breaker, short) = (Breaker::default(), settings(1, Duration::ZERO));
        breaker.failed(&short);
        assert_eq!(breaker.open(), None, "the pause is over");
        breaker.failed(&settings(1, Duration::from_secs(60)));
        assert!(breaker.open().is_some());
    }
}
