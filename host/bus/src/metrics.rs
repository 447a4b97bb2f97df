//! What is counted about messages. Labels are words of this crate and topics
//! that plugins declare: nothing a peer chooses.

use crate::{BusError, CallError};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use serde_json::Value;

/// Counters of one bus. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics {
    published: Family<Published, Counter>,
    received: Family<Received, Counter>,
    repeated: Counter,
    malformed: Counter,
    replies: Family<Replied, Counter>,
    connections: Family<Of, Counter>,
    connected: Family<Of, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Published {
    kind: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Received {
    topic: String,
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Replied {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    link: &'static str,
}

impl Metrics {
    /// A message went out, or did not; hands the outcome on.
    pub(crate) fn published(&self, kind: &'static str, sent: Result<(), BusError>) -> Result<(), BusError> {
        let outcome = match &sent {
            Ok(()) => "taken",
            Err(BusError::Full(_)) => "full",
            Err(BusError::Away(_)) => "away",
            Err(BusError::Unroutable(_)) => "unroutable",
            Err(BusError::Invalid(_)) => "invalid",
        };
        self.published.get_or_create(&Published { kind, outcome }).inc();
        sent
    }

    /// A call ended.
    pub(crate) fn called(&self, answer: &Result<Value, CallError>) {
        let outcome = match answer {
            Ok(_) => "answered",
            Err(CallError::Remote(_)) => "failed",
            Err(CallError::NotSent(_)) => "not_sent",
            Err(CallError::TimedOut) => "timed_out",
        };
        self.published.get_or_create(&Published { kind: "call", outcome }).inc();
    }

    /// A message arrived.
    pub(crate) fn received(&self, topic: &str, kind: &'static str) {
        self.received.get_or_create(&Received { topic: topic.to_owned(), kind }).inc();
    }

    /// A message that was seen before arrived.
    pub(crate) fn repeated(&self) {
        self.repeated.inc();
    }

    /// Something arrived that is no message.
    pub(crate) fn malformed(&self) {
        self.malformed.inc();
    }

    /// A reply went out, or was given up.
    pub(crate) fn replied(&self, outcome: &'static str) {
        self.replies.get_or_create(&Replied { outcome }).inc();
    }

    /// A link to the broker came up, or is down.
    pub(crate) fn linked(&self, link: &'static str, up: bool) {
        if up {
            self.connections.get_or_create(&Of { link }).inc();
        }
        self.connected.get_or_create(&Of { link }).set(i64::from(up));
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        let bus = registry.sub_registry_with_prefix("bus");
        bus.register("published", "Messages sent, by what came of them", self.published.clone());
        bus.register("received", "Messages that arrived", self.received.clone());
        bus.register("repeated", "Messages dropped since they were seen before", self.repeated.clone());
        bus.register("malformed", "Bodies dropped since they are no messages", self.malformed.clone());
        bus.register("replies", "Answers to calls, by what came of them", self.replies.clone());
        bus.register("connections", "Connections made to the broker", self.connections.clone());
        bus.register("connected", "Whether the broker is there", self.connected.clone());
    }
}
