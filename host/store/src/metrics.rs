//! What is counted about the database, and how a statement is timed.

use hadron_telemetry::{Up, seconds, spent};
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::time::Instant;
use tracing::Instrument;

/// What logs and traces call a statement.
pub(crate) const STATEMENT: &str = "hadron_store::statement";

/// Counters of one store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub(crate) statements: Counter,
    pub(crate) connections: Gauge,
    pub(crate) waiting: Gauge,
    pub(crate) batches: Histogram,
    transactions: Family<Ended, Histogram, fn() -> Histogram>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    outcome: Outcome,
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[allow(non_camel_case_types, reason = "as labels are written")]
pub(crate) enum Outcome {
    committed,
    rolled_back,
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics {
            statements: Counter::default(),
            connections: Gauge::default(),
            waiting: Gauge::default(),
            // Units that share a COMMIT: 32 at most.
            batches: Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0]),
            transactions: Family::new_with_constructor(seconds),
        }
    }
}

impl Metrics {
    /// Adds them to what is scraped.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("store");
        registry.register("statements", "Statements sent", self.statements.clone());
        registry.register("connections", "Connections open", self.connections.clone());
        registry.register(
            "waiting",
            "Units and reads that wait for a connection, or for the turn to write",
            self.waiting.clone(),
        );
        registry.register(
            "commit_units",
            "Units of work that share one COMMIT of SQLite's writer",
            self.batches.clone(),
        );
        registry.register(
            "transaction_seconds",
            "From BEGIN, or a unit's turn, to the end of COMMIT or ROLLBACK",
            self.transactions.clone(),
        );
    }

    pub(crate) fn ended(&self, began: Instant, outcome: Outcome) {
        self.transactions.get_or_create(&Ended { outcome }).observe(began.elapsed().as_secs_f64());
    }

    /// Waits for a connection or a turn: counted meanwhile, and put on the
    /// request's bill.
    pub(crate) async fn wait<T>(&self, turn: impl Future<Output = T>) -> T {
        let _waiting = Up::new(&self.waiting);
        let began = Instant::now();
        let got = turn.await;
        spent::waiting(began.elapsed());
        got
    }
}

/// Has the database do something: a span of its own where traces or debug lines
/// are wanted, and time on the request's bill.
pub(crate) async fn timed<T>(span: tracing::Span, work: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let done = work.instrument(span).await;
    spent::in_database(began.elapsed());
    done
}

/// The span of a statement.
macro_rules! statement {
    ($text:expr) => {
        tracing::debug_span!(
            target: $crate::metrics::STATEMENT,
            "statement",
            otel.kind = "client",
            db.query.text = $text
        )
    };
}
pub(crate) use statement;
