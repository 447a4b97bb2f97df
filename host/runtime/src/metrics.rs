//! What is counted about units of work and plugins. Labels are names of plugins
//! and words of this module: nothing a client chooses.

use crate::Runtime;
use hadron_store::{EntryState, STALE};
use hadron_telemetry::seconds;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// Counts of fractions.
type Sum = Counter<f64, AtomicU64>;
/// A level with fractions.
type Level = Gauge<f64, AtomicU64>;

/// Counters of one runtime. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    units: Family<Ended, Counter>,
    reruns: Family<Because, Counter>,
    unit_seconds: Histogram,
    admitted: Gauge,
    admissible: Gauge,
    calls: Family<Of, Counter>,
    failures: Family<Of, Counter>,
    guest_seconds: Family<Of, Sum>,
    out_of_rotation: Family<Of, Gauge>,
    deliveries: Family<Attempted, Counter>,
    handled: Family<Handled, Counter>,
    waiting: Family<Waiting, Gauge>,
    oldest: Family<Waiting, Level>,
    pub(crate) instances: Gauge,
    instance_limit: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    outcome: Outcome,
}

/// How a unit of work ended, all runs together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[allow(non_camel_case_types, reason = "as labels are written")]
pub(crate) enum Outcome {
    /// Also of work that only read.
    done,
    /// The client was told what is wrong.
    refused,
    /// A plugin trapped or hit a limit.
    plugin_failed,
    /// Lost against others too often.
    given_up,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Because {
    cause: Cause,
}

/// Why a unit was run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[allow(non_camel_case_types, reason = "as labels are written")]
enum Cause {
    /// A row changed after it was read.
    stale,
    deadlock,
    serialization,
    /// A lost connection, a failed COMMIT, a pool that kept changing.
    other,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    plugin: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Attempted {
    target: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Handled {
    topic: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Waiting {
    target: String,
    state: &'static str,
}

fn of(plugin: &str) -> Of {
    Of { plugin: plugin.to_owned() }
}

fn level(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Metrics {
    /// Of a runtime that admits so many units, and has room for so many
    /// instances.
    pub(crate) fn new(units: u32, instances: u32) -> Metrics {
        let metrics = Metrics {
            units: Family::default(),
            reruns: Family::default(),
            unit_seconds: seconds(),
            admitted: Gauge::default(),
            admissible: Gauge::default(),
            calls: Family::default(),
            failures: Family::default(),
            guest_seconds: Family::default(),
            out_of_rotation: Family::default(),
            deliveries: Family::default(),
            handled: Family::default(),
            waiting: Family::default(),
            oldest: Family::default(),
            instances: Gauge::default(),
            instance_limit: Gauge::default(),
        };
        metrics.admissible.set(i64::from(units));
        metrics.instance_limit.set(i64::from(instances));
        metrics
    }

    /// A unit came to its end.
    pub(crate) fn unit(&self, outcome: Outcome, took: Duration) {
        self.units.get_or_create(&Ended { outcome }).inc();
        self.unit_seconds.observe(took.as_secs_f64());
    }

    /// A unit is run again.
    pub(crate) fn rerun(&self, reason: &str) {
        self.reruns.get_or_create(&Because { cause: cause(reason) }).inc();
    }

    /// A plugin was called.
    pub(crate) fn called(&self, plugin: &str, guest: Duration, failed: bool) {
        let of = of(plugin);
        self.calls.get_or_create(&of).inc();
        self.guest_seconds.get_or_create(&of).inc_by(guest.as_secs_f64());
        if failed {
            self.failures.get_or_create(&of).inc();
        }
    }

    /// Something was attempted for a target: `done`, `later` or `refused`.
    pub(crate) fn delivered(&self, target: &str, outcome: &'static str) {
        self.deliveries.get_or_create(&Attempted { target: target.to_owned(), outcome }).inc();
    }

    /// A message that arrived was handled.
    pub(crate) fn handled(&self, topic: &str, failed: bool) {
        let outcome = if failed { "failed" } else { "done" };
        self.handled.get_or_create(&Handled { topic: topic.to_owned(), outcome }).inc();
    }

    fn register(&self, registry: &mut Registry) {
        let units = registry.sub_registry_with_prefix("unit");
        units.register("ended", "Units of work that ended", self.units.clone());
        units.register("reruns", "Runs of units after the first, by cause", self.reruns.clone());
        units.register_with_unit(
            "duration",
            "From admission to the end of COMMIT, all runs together",
            Unit::Seconds,
            self.unit_seconds.clone(),
        );
        units.register("admitted", "Units of work under way", self.admitted.clone());
        units.register("limit", "Units of work admitted at the same time", self.admissible.clone());
        let plugins = registry.sub_registry_with_prefix("plugin");
        plugins.register("calls", "Calls of a plugin, deliveries included", self.calls.clone());
        plugins.register("failures", "Calls that trapped or hit a limit", self.failures.clone());
        plugins.register_with_unit(
            "guest",
            "Time a plugin ran, host calls not counted",
            Unit::Seconds,
            self.guest_seconds.clone(),
        );
        plugins.register(
            "out_of_rotation",
            "Whether the plugin is not asked: failed too often, or disabled",
            self.out_of_rotation.clone(),
        );
        plugins.register("instances", "Instances in use", self.instances.clone());
        plugins.register("instance_limit", "Instances there is room for", self.instance_limit.clone());
        let messages = registry.sub_registry_with_prefix("message");
        messages.register("handled", "Messages that plugins were given, by topic", self.handled.clone());
        let journal = registry.sub_registry_with_prefix("journal");
        journal.register("attempts", "Attempts at deliveries, by what came of them", self.deliveries.clone());
        journal.register(
            "entries",
            "Entries that wait: pending (for their turn), failing (tried again), refused (for the operator)",
            self.waiting.clone(),
        );
        journal.register_with_unit(
            "oldest",
            "Age of the oldest entry that waits",
            Unit::Seconds,
            self.oldest.clone(),
        );
    }
}

fn cause(reason: &str) -> Cause {
    let has = |word: &str| reason.contains(word);
    if reason == STALE {
        Cause::stale
    } else if has("deadlock") {
        Cause::deadlock
    } else if has("serialize") {
        Cause::serialization
    } else {
        Cause::other
    }
}

impl Runtime {
    /// Adds the counters of the runtime, and of its store, to what is scraped.
    pub fn register_metrics(&self, registry: &mut Registry) {
        self.core.metrics.register(registry);
        self.core.store.metrics().register(registry);
        self.core.bus.register_metrics(registry);
    }

    /// Looks at what is not counted as it happens: the journal's backlog, who
    /// is out of rotation, how many units are under way.
    pub async fn measure(&self) {
        let (core, metrics) = (&self.core, &self.core.metrics);
        let most = usize::try_from(core.settings.units.max(1)).unwrap_or(usize::MAX);
        metrics.admitted.set(level(most.saturating_sub(core.admission.available_permits())));
        metrics.out_of_rotation.clear();
        for plugin in &self.plugins().plugins {
            let out = !plugin.enabled || plugin.breaker().open().is_some();
            metrics.out_of_rotation.get_or_create(&of(&plugin.manifest.name)).set(i64::from(out));
        }
        match core.store.journal().backlog().await {
            Ok(backlog) => {
                metrics.waiting.clear();
                metrics.oldest.clear();
                for part in backlog {
                    let state = match part.state {
                        EntryState::Pending => "pending",
                        EntryState::Failing => "failing",
                        EntryState::Refused => "refused",
                    };
                    let of = Waiting { target: part.target, state };
                    metrics.waiting.get_or_create(&of).set(i64::try_from(part.entries).unwrap_or(i64::MAX));
                    metrics.oldest.get_or_create(&of).set(part.oldest.as_secs_f64());
                }
            }
            Err(error) => tracing::debug!(%error, "the journal's backlog is not known now"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rerun_has_one_of_few_causes() {
        for (reason, expected) in [
            (STALE, Cause::stale),
            ("deadlock detected", Cause::deadlock),
            ("could not serialize access due to concurrent update", Cause::serialization),
            ("connection reset by peer", Cause::other),
        ] {
            assert_eq!(cause(reason), expected, "{reason}");
        }
    }

    #[test]
    fn what_is_counted_is_written_under_the_names_that_are_documented() {
        let (metrics, mut registry) = (Metrics::new(2, 64), Registry::with_prefix("hadron"));
        metrics.register(&mut registry);
        metrics.unit(Outcome::done, Duration::from_millis(3));
        metrics.rerun("deadlock detected");
        metrics.called("acme", Duration::from_millis(250), true);
        metrics.delivered("acme", "later");
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "hadron_unit_ended_total{outcome=\"done\"} 1",
            "hadron_unit_reruns_total{cause=\"deadlock\"} 1",
            "hadron_unit_duration_seconds_bucket{le=\"0.005\"} 1",
            "hadron_unit_limit 2",
            "hadron_plugin_calls_total{plugin=\"acme\"} 1",
            "hadron_plugin_failures_total{plugin=\"acme\"} 1",
            "hadron_plugin_guest_seconds_total{plugin=\"acme\"} 0.25",
            "hadron_plugin_instance_limit 64",
            "hadron_journal_attempts_total{target=\"acme\",outcome=\"later\"} 1",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}
