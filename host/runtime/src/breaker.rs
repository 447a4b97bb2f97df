//! Takes a plugin that keeps failing out of rotation for a while.

use crate::Settings;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// What a plugin is called for. Each is counted by itself: a driver whose
/// deliveries work fails every request all the same.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Duty {
    /// Its part in a unit of work.
    Unit,
    /// Delivering an entry of the journal.
    Delivery,
}

/// Counts failures in a row.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    units: Row,
    deliveries: Row,
}

impl Breaker {
    fn row(&self, duty: Duty) -> &Row {
        match duty {
            Duty::Unit => &self.units,
            Duty::Delivery => &self.deliveries,
        }
    }

    /// A call trapped or hit a limit.
    pub(crate) fn failed(&self, duty: Duty, settings: &Settings) {
        let (most, pause) = settings.breaker;
        self.row(duty).failed(most, pause);
    }

    /// A call came back.
    pub(crate) fn worked(&self, duty: Duty) {
        self.row(duty).worked();
    }

    /// How long it stays out of rotation, whatever it failed in; none when it
    /// takes part. After the pause one more failure takes it out again.
    pub(crate) fn open(&self) -> Option<Duration> {
        self.units.open().max(self.deliveries.open())
    }

    /// Failures in a row.
    pub(crate) fn failures(&self) -> u32 {
        self.units.failures().max(self.deliveries.failures())
    }
}

/// Failures in a row of one sort of call.
#[derive(Debug, Default)]
struct Row {
    failures: AtomicU32,
    until: Mutex<Option<Instant>>,
}

impl Row {
    fn failed(&self, most: u32, pause: Duration) {
        if self.failures.fetch_add(1, Ordering::Relaxed) + 1 >= most.max(1) {
            *self.until.lock() = Some(Instant::now() + pause);
        }
    }

    fn worked(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
            *self.until.lock() = None;
        }
    }

    fn open(&self) -> Option<Duration> {
        if self.failures.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let until = *self.until.lock();
        until.and_then(|until| until.checked_duration_since(Instant::now())).filter(|left| !left.is_zero())
    }

    fn failures(&self) -> u32 {
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
        breaker.failed(Duty::Unit, &settings);
        breaker.failed(Duty::Unit, &settings);
        breaker.worked(Duty::Unit);
        breaker.failed(Duty::Unit, &settings);
        breaker.failed(Duty::Unit, &settings);
        assert_eq!(breaker.open(), None);
        breaker.failed(Duty::Unit, &settings);
        assert!(breaker.open().is_some());
    }

    #[test]
    fn deliveries_that_work_do_not_hide_requests_that_fail() {
        for (failing, working) in [(Duty::Unit, Duty::Delivery), (Duty::Delivery, Duty::Unit)] {
            let (breaker, settings) = (Breaker::default(), settings(2, Duration::from_secs(60)));
            breaker.failed(failing, &settings);
            breaker.worked(working);
            assert_eq!((breaker.open(), breaker.failures()), (None, 1));
            breaker.failed(failing, &settings);
            breaker.worked(working);
            assert!(breaker.open().is_some());
            breaker.worked(failing);
            assert_eq!((breaker.open(), breaker.failures()), (None, 0));
        }
    }

    #[test]
    fn one_more_failure_after_the_pause_opens_it_again() {
        let (breaker, short) = (Breaker::default(), settings(1, Duration::ZERO));
        breaker.failed(Duty::Unit, &short);
        assert_eq!(breaker.open(), None, "the pause is over");
        breaker.failed(Duty::Unit, &settings(1, Duration::from_secs(60)));
        assert!(breaker.open().is_some());
    }
}
