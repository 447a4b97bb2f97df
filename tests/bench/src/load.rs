//! Keeps a number of workers busy for a while and measures what they get done.
//!
//! The load generator is one thread, whatever the number of connections: more
//! would only take processors from the server.

use anyhow::Result;
use futures::future::{Either, select, try_join_all};
use hdrhistogram::Histogram;
use serde::Serialize;
use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::time::{Duration, Instant};

/// Something that does one thing after the other.
pub(crate) trait Worker {
    /// Does one thing; an error ends the whole measurement.
    async fn work(&mut self) -> Result<Outcome>;
}

/// How one thing went.
#[derive(Debug)]
pub(crate) enum Outcome {
    Done,
    /// It was refused; why.
    Failed(String),
    /// There is nothing more to do.
    Exhausted,
}

/// For how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time {
    /// Before anything is counted.
    pub(crate) warm: Duration,
    /// Then so long at most.
    pub(crate) counted: Duration,
}

/// What was measured.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Measured {
    /// Things done in the counted time.
    pub(crate) requests: u64,
    /// Things refused in it.
    pub(crate) failed: u64,
    /// The first refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<String>,
    /// Counted time.
    pub(crate) seconds: f64,
    /// Things done a second.
    pub(crate) rate: f64,
    /// Half took no longer.
    pub(crate) p50_ms: f64,
    /// 99 of 100 took no longer.
    pub(crate) p99_ms: f64,
    /// CPU time of the server for each, µs.
    pub(crate) cpu_us: f64,
}

/// What takes longer is counted as this long, µs.
const LONGEST_US: u64 = 600_000_000;

struct Tally {
    took: Histogram<u64>,
    done: u64,
    failed: u64,
    failure: Option<String>,
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Warm,
    Counted,
    Over,
}

/// Has the workers work; `cpu` tells the CPU time of who serves them.
pub(crate) async fn drive<W: Worker>(
    workers: &mut [W],
    time: Time,
    cpu: impl Fn() -> Result<Duration>,
) -> Result<Measured> {
    let phase = Cell::new(if time.warm.is_zero() { Phase::Counted } else { Phase::Warm });
    let tally = RefCell::new(Tally {
        took: Histogram::new_with_bounds(1, LONGEST_US, 3)?,
        done: 0,
        failed: 0,
        failure: None,
    });
    let start = Cell::new((Instant::now(), cpu()?));
    let end = Cell::new(None);

    let all = try_join_all(workers.iter_mut().map(|worker| {
        let (phase, tally) = (&phase, &tally);
        async move {
            while phase.get() != Phase::Over {
                let began = Instant::now();
                let outcome = worker.work().await?;
                if let Outcome::Exhausted = outcome {
                    break;
                }
                if phase.get() == Phase::Counted {
                    tally.borrow_mut().add(outcome, began.elapsed());
                }
            }
            anyhow::Ok(())
        }
    }));
    let clock = async {
        if phase.get() == Phase::Warm {
            tokio::time::sleep(time.warm).await;
            start.set((Instant::now(), cpu()?));
            phase.set(Phase::Counted);
        }
        tokio::time::sleep(time.counted).await;
        end.set(Some((Instant::now(), cpu()?)));
        phase.set(Phase::Over);
        anyhow::Ok(())
    };
    match select(pin!(all), pin!(clock)).await {
        Either::Left((all, _)) => drop(all?),
        Either::Right((clock, all)) => {
            clock?;
            all.await?;
        }
    }
    let (until, cpu_until) = match end.take() {
        Some(end) => end,
        None => (Instant::now(), cpu()?),
    };
    let (since, cpu_since) = start.get();
    let tally = tally.into_inner();
    let seconds = (until - since).as_secs_f64();
    let each = tally.done.max(1) as f64;
    let quantile = |q: f64| tally.took.value_at_quantile(q) as f64 / 1000.0;
    Ok(Measured {
        requests: tally.done,
        failed: tally.failed,
        failure: tally.failure.clone(),
        seconds,
        rate: tally.done as f64 / seconds,
        p50_ms: quantile(0.5),
        p99_ms: quantile(0.99),
        cpu_us: (cpu_until.saturating_sub(cpu_since)).as_secs_f64() * 1e6 / each,
    })
}

impl Tally {
    fn add(&mut self, outcome: Outcome, took: Duration) {
        match outcome {
            Outcome::Done => {
                self.done += 1;
                self.took.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
            }
            Outcome::Failed(why) => {
                self.failed += 1;
                self.failure.get_or_insert(why);
            }
            Outcome::Exhausted => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Countdown<'a>(&'a Cell<u32>);

    impl Worker for Countdown<'_> {
        async fn work(&mut self) -> Result<Outcome> {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok(match self.0.get() {
                0 => Outcome::Exhausted,
                left => {
                    self.0.set(left - 1);
                    if left == 1 { Outcome::Failed("the last one".into()) } else { Outcome::Done }
                }
            })
        }
    }

    #[tokio::test]
    async fn workers_that_run_out_of_work_end_the_measurement() {
        let left = Cell::new(10);
        let mut workers = [Countdown(&left), Countdown(&left)];
        let time = Time { warm: Duration::ZERO, counted: Duration::from_secs(60) };
        let measured = drive(&mut workers, time, || Ok(Duration::ZERO)).await.unwrap();
        assert_eq!((measured.requests, measured.failed), (9, 1));
        assert_eq!(measured.failure.as_deref(), Some("the last one"));
        assert!(measured.seconds < 10.0 && measured.p50_ms >= 1.0, "{measured:?}");
    }

    #[tokio::test]
    async fn the_clock_ends_workers_that_have_no_end() {
        let left = Cell::new(u32::MAX);
        let time = Time { warm: Duration::from_millis(20), counted: Duration::from_millis(50) };
        let measured = drive(&mut [Countdown(&left)], time, || Ok(Duration::ZERO)).await.unwrap();
        assert!(measured.requests > 0 && measured.seconds < 5.0, "{measured:?}");
    }
}
