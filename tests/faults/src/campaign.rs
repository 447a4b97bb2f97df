//! Kill after kill.

use crate::checker::Violation;
use crate::world::World;
use anyhow::{Context, Result, bail};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

/// A chosen instant that does not come within this time is a random one.
const PATIENCE: Duration = Duration::from_secs(8);
/// Between two looks whether the server has died.
const LOOK: Duration = Duration::from_millis(5);

/// When the server dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Killed after so much load.
    Random(Duration),
    /// By itself, when it comes to a named instant for the nth time.
    Named(&'static str, u64),
    /// Killed while the device has not answered its nth request.
    Delivery(u64),
}

/// Instants of the write path that have names, and how often each comes about
/// while eight clients work for a second.
const NAMED: [(&str, u64); 5] = [
    ("after-commit", 60),
    ("before-commit", 60),
    ("before-undo", 4),
    ("after-undo-entry", 4),
    ("during-delivery", 60),
];

impl Moment {
    /// The nth kill of a campaign: all sorts in turn, the place within each at
    /// random.
    fn pick(kill: usize, random: &mut StdRng) -> Moment {
        match kill % 9 {
            0 | 3 | 6 => Moment::Random(Duration::from_millis(random.random_range(20..700))),
            8 => Moment::Delivery(random.random_range(1..60)),
            place => {
                let chosen = match place {
                    1 => 0,
                    2 => 2,
                    4 => 3,
                    5 => 4,
                    _ => 1,
                };
                let (name, often) = NAMED.get(chosen).copied().unwrap_or(("after-commit", 60));
                Moment::Named(name, random.random_range(1..=often))
            }
        }
    }

    fn sort(self) -> &'static str {
        match self {
            Moment::Random(_) => "random",
            Moment::Named(name, _) => name,
            Moment::Delivery(_) => "within a delivery",
        }
    }
}

/// What a campaign came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Kills by sort of instant.
    pub kills: BTreeMap<&'static str, u64>,
    /// Requests acknowledged, refused, unanswered.
    pub requests: (u64, u64, u64),
    /// Requests to the device.
    pub deliveries: u64,
    /// Creations that the device refused.
    pub refusals: u64,
    /// Kills of servers that were still recovering, beside the others.
    pub during_recovery: u64,
    /// How long it took.
    pub took: Duration,
}

impl Report {
    /// All kills.
    pub fn total(&self) -> u64 {
        self.kills.values().sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sorts: Vec<String> = self.kills.iter().map(|(sort, count)| format!("{count} {sort}")).collect();
        let (done, refused, unknown) = self.requests;
        write!(
            f,
            "{} kills in {} s ({}; {} more during recovery); {done} requests acknowledged, {refused} refused, \
             {unknown} unanswered; {} deliveries, of which the device refused {}; no violation",
            self.total(),
            self.took.as_secs(),
            sorts.join(", "),
            self.during_recovery,
            self.deliveries,
            self.refusals,
        )
    }
}

/// Kills the world's server so many times; an error tells the first violations.
pub async fn run(world: &mut World, kills: usize, seed: u64, mut tell: impl FnMut(&str)) -> Result<Report> {
    let began = Instant::now();
    let mut random = StdRng::seed_from_u64(seed);
    let mut report = Report::default();
    for kill in 0..kills {
        let moment = Moment::pick(kill, &mut random);
        let sort =
            one(world, moment, random.random()).await.with_context(|| format!("kill {kill}: {moment:?}"))?;
        *report.kills.entry(sort).or_default() += 1;
        if random.random_bool(0.25) {
            report.during_recovery += u64::from(kill_during_recovery(world).await?);
        }
        world.restart(None).await?;
        let found = world.check().await.with_context(|| format!("after kill {kill}: {moment:?}"))?;
        complain(world, &format!("after kill {kill} of seed {seed}, {moment:?}"), &found)?;
        world.delete_unwanted().await?;
        let counts = world.ledger.lock().counts;
        tell(&format!("{}/{kills} {sort}: {} acknowledged so far, no violation", kill + 1, counts.0));
    }
    world.delete(|_| true).await?;
    let found = world.check().await?;
    complain(world, "after everything was deleted", &found)?;
    world.everything_is_free().await?;
    report.requests = world.ledger.lock().counts;
    let device = world.device.memory();
    (report.deliveries, report.refusals) = (device.requests, device.refusals);
    report.took = began.elapsed();
    Ok(report)
}

/// Load until the server dies; how it died.
async fn one(world: &mut World, moment: Moment, seed: u64) -> Result<&'static str> {
    if let Moment::Named(name, times) = moment {
        let started = world.restart(Some(&format!("{name}:{times}"))).await;
        // Plugins start in units of work of their own: that may be the instant.
        if started.is_err() && !world.server.is_running() {
            return Ok("while starting");
        }
        started?;
    }
    let load = world.load(seed).await?;
    let came = match moment {
        Moment::Random(after) => {
            tokio::time::sleep(after).await;
            true
        }
        Moment::Named(..) => died(world).await,
        Moment::Delivery(requests) => {
            tokio::time::timeout(PATIENCE, world.device.interrupt_after(requests)).await.is_ok()
        }
    };
    world.server.kill9();
    load.end().await?;
    Ok(if came { moment.sort() } else { Moment::Random(PATIENCE).sort() })
}

/// Whether the server dies by itself, in time.
async fn died(world: &mut World) -> bool {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if !world.server.is_running() {
            return true;
        }
        tokio::time::sleep(LOOK).await;
    }
    false
}

/// Starts the server so that it dies while it delivers what is left; whether
/// there was anything to deliver.
async fn kill_during_recovery(world: &mut World) -> Result<bool> {
    // It may die before it answers for the first time: that is no failure.
    let started = world.restart(Some("during-delivery:1")).await;
    let mut dead = started.is_err() || !world.server.is_running();
    let began = Instant::now();
    while !dead && began.elapsed() < Duration::from_secs(3) {
        tokio::time::sleep(LOOK).await;
        dead = !world.server.is_running();
    }
    world.server.kill9();
    Ok(dead)
}

/// Tells violations as an error, and keeps the server's log.
fn complain(world: &World, when: &str, found: &[Violation]) -> Result<()> {
    if found.is_empty() {
        return Ok(());
    }
    let kept = std::env::temp_dir().join(format!("hadron-faults-{}.log", std::process::id()));
    std::fs::write(&kept, world.server.log()).context("the log cannot be kept")?;
    let lines: Vec<String> = found.iter().map(|violation| format!("  {violation}")).collect();
    bail!("{} violations {when}:\n{}\nthe server's log: {}", found.len(), lines.join("\n"), kept.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn nine_kills_are_of_every_sort() {
        let mut random = StdRng::seed_from_u64(1);
        let sorts: BTreeSet<_> = (0..9).map(|kill| Moment::pick(kill, &mut random).sort()).collect();
        assert_eq!(sorts.len(), NAMED.len() + 2, "{sorts:?}");
    }
}
