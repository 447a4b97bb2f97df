//! What a broker's other clients must agree with, as options and arguments.

use super::{Tls, Url};
use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use std::time::Duration;

/// A broker, and how to speak with its other clients.
#[derive(Clone, Debug)]
pub struct Amqp {
    /// Where it is, or its cluster.
    pub url: Url,
    /// With what a connection by TLS is made.
    pub tls: Tls,
    /// The exchange that topics are in; peers call it `control_exchange`.
    pub exchange: String,
    /// This process's own host: it is reached at `TOPIC.HOST`.
    pub host: String,
    /// A broker that is silent for so long is away; zero to never ask.
    pub heartbeat: Duration,
    /// Messages of a topic that are here and not taken yet, at most; others wait
    /// at the broker, where another server may take them.
    pub prefetch: u16,
    /// Whether topics' queues and their exchange outlive the broker. All
    /// clients of a broker must agree.
    pub durability: Durability,
    /// Whether queues of fanouts and answers are kept by the broker's cluster,
    /// too; peers' `rabbit_transient_quorum_queue`. All clients must agree.
    pub transient_quorum: bool,
    /// Whether queues of fanouts and answers are called by the host and the
    /// process, so that a restarted process finds them again; peers'
    /// `use_queue_manager`.
    pub stable_names: bool,
    /// How long a queue that nobody consumes is kept, of fanouts and replies.
    pub expiry: Duration,
    /// Topics that notifications are sent to; none for no notifications.
    pub notification_topics: Vec<String>,
    /// Who sends notifications.
    pub publisher: String,
}

/// What becomes of topics' queues when the broker restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// They are gone, and declared again.
    Transient,
    /// They stay; peers' `amqp_durable_queues`.
    Durable,
    /// They stay, and are kept by several brokers of a cluster; peers'
    /// `rabbit_quorum_queue`.
    Quorum,
}

impl Amqp {
    /// As peers are where nobody set anything.
    pub fn new(url: Url, host: &str) -> Amqp {
        Amqp {
            url,
            tls: Tls::default(),
            exchange: "neutron".to_owned(),
            host: host.to_owned(),
            heartbeat: Duration::from_secs(60),
            prefetch: 16,
            durability: Durability::Transient,
            transient_quorum: false,
            stable_names: false,
            expiry: Duration::from_secs(1800),
            notification_topics: Vec::new(),
            publisher: host.to_owned(),
        }
    }

    fn durable(&self) -> bool {
        self.durability != Durability::Transient
    }

    /// The exchange of topics.
    pub(super) fn topic_exchange(&self) -> ExchangeDeclareOptions {
        ExchangeDeclareOptions { durable: self.durable(), ..ExchangeDeclareOptions::default() }
    }

    /// The exchange of a topic's fanouts, which goes away with its last queue.
    pub(super) fn fanout_exchange(&self) -> ExchangeDeclareOptions {
        ExchangeDeclareOptions {
            durable: self.transient_quorum,
            auto_delete: true,
            ..ExchangeDeclareOptions::default()
        }
    }

    /// A queue of a topic.
    pub(super) fn topic_queue(&self) -> (QueueDeclareOptions, FieldTable) {
        let options = QueueDeclareOptions { durable: self.durable(), ..QueueDeclareOptions::default() };
        (options, arguments(self.durability == Durability::Quorum))
    }

    /// A queue that goes away when nobody consumes it: of fanouts, of answers.
    pub(super) fn passing_queue(&self) -> (QueueDeclareOptions, FieldTable) {
        let durable = self.transient_quorum;
        let mut arguments = arguments(self.transient_quorum);
        let millis = i64::try_from(self.expiry.as_millis()).unwrap_or(i64::MAX);
        arguments.insert("x-expires".into(), AMQPValue::LongLongInt(millis));
        (QueueDeclareOptions { durable, ..QueueDeclareOptions::default() }, arguments)
    }
}

fn arguments(quorum: bool) -> FieldTable {
    let mut arguments = FieldTable::default();
    if quorum {
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    }
    arguments
}
