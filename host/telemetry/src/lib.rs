//! What is told about a request beside its answer: its ids, what it cost, and
//! where its trace goes on.
//!
//! The API opens a [`Request`] and runs its work within it; whoever does a part
//! of the work adds to the bill of the request that is current, without being
//! handed it. What goes on in a task of its own is wrapped in [`carried`].
#![forbid(unsafe_code)]

mod process;
mod request;
mod trace;

pub use process::Process;
pub use request::{Bill, Request, carried, spent};
pub use trace::{Exporter, Telemetry, TraceError, follow, outgoing};

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

/// A histogram of durations in seconds, from half a millisecond to ten seconds.
pub fn seconds() -> Histogram {
    const BOUNDS: [f64; 14] =
        [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
    Histogram::new(BOUNDS)
}

/// Counts something for as long as it is there.
#[derive(Debug)]
pub struct Up(Gauge);

impl Up {
    /// Counts one more.
    pub fn new(gauge: &Gauge) -> Up {
        gauge.inc();
        Up(gauge.clone())
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        self.0.dec();
    }
}
