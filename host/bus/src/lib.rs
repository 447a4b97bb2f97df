//! Messages between plugins, agents and other services: one interface in two
//! forms, in process and over AMQP in oslo.messaging's wire format.
//!
//! | module | what it is |
//! |---|---|
//! | `message` | what is said: messages, versions, errors |
//! | `consumer` | what arrives on a topic, and answering it |
//! | `local` | the form in process |
//! | `oslo` | the wire format: pure functions between bytes and messages |
//! | `amqp` | the form over a broker: links, publishing, consuming, calls |
//! | `renewals` | losses of what was under way |
//! | `metrics` | what is counted |
//!
//! Either form keeps the same promises: a cast reaches one consumer of its
//! topic, a fanout all of them, a call is answered once or times out, and what
//! `publish` said is out was taken by somebody who keeps it. A consumer never
//! sees the same message twice in a row of others.
#![forbid(unsafe_code)]

mod amqp;
mod consumer;
mod local;
mod message;
mod metrics;
mod oslo;
mod renewals;

pub use amqp::{Amqp, Durability, Tls, Url};
pub use consumer::{Answering, Consumer, Delivery, Taken};
pub use message::{
    BusError, CallError, Message, NO_SUCH_METHOD, Notification, RemoteError, Spread, UNSUPPORTED_VERSION,
    Version,
};

pub use renewals::Renewals;

use futures::future::BoxFuture;
use local::Local;
use metrics::Metrics;
use prometheus_client::registry::Registry;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// What a form must be able to do.
trait Form: Send + Sync {
    /// Sends a message; the order of calls is the order of sending. The future
    /// ends when it was taken.
    fn publish(&self, spread: Spread, message: Message) -> BoxFuture<'static, Result<(), BusError>>;
    /// Sends a notification, as `publish` does.
    fn notify(&self, notification: Notification) -> BoxFuture<'static, Result<(), BusError>>;
    /// Sends a message and waits for its answer.
    fn call(&self, message: Message, patience: Duration) -> BoxFuture<'static, Result<Value, CallError>>;
    /// What arrives on a topic, until the receiver is dropped.
    fn consume(&self, topic: &str) -> (mpsc::Receiver<Delivery>, watch::Receiver<bool>);
    /// How often queues of this process were declared anew.
    fn renewals(&self) -> watch::Receiver<u64>;
    /// How it is.
    fn state(&self) -> State;
    /// Ends what goes on.
    fn close(&self) -> BoxFuture<'static, ()>;
}

/// How a bus is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// There is no broker, and none is needed.
    InProcess,
    /// The broker takes and gives messages.
    Connected,
    /// It does not: a sentence.
    Away(String),
}

/// The bus. Cheap to clone.
#[derive(Clone)]
pub struct Bus {
    form: Arc<dyn Form>,
    metrics: Metrics,
}

impl Default for Bus {
    fn default() -> Bus {
        Bus::in_process("localhost")
    }
}

impl Bus {
    /// A bus within this process, whose own host has that name.
    pub fn in_process(host: &str) -> Bus {
        let metrics = Metrics::default();
        Bus { form: Arc::new(Local::new(host)), metrics }
    }

    /// A bus over a broker. It connects in the background, and again whenever
    /// the broker comes back. To be called within a Tokio runtime.
    pub fn amqp(settings: Amqp) -> Bus {
        let metrics = Metrics::default();
        Bus { form: Arc::new(amqp::Broker::start(settings, metrics.clone())), metrics }
    }

    /// Sends a message towards one consumer or all consumers of its topic; the
    /// order of calls is the order of sending. Done when a consumer or the
    /// broker has it. That nobody listens is no error.
    pub fn publish(
        &self,
        spread: Spread,
        message: Message,
    ) -> impl Future<Output = Result<(), BusError>> + Send + use<> {
        let metrics = self.metrics.clone();
        let published = self.form.publish(spread, message);
        async move { metrics.published(spread.word(), published.await) }
    }

    /// Sends a notification for other services, as `publish` does.
    pub fn notify(
        &self,
        notification: Notification,
    ) -> impl Future<Output = Result<(), BusError>> + Send + use<> {
        let metrics = self.metrics.clone();
        let published = self.form.notify(notification);
        async move { metrics.published("notification", published.await) }
    }

    /// Sends a message to one consumer of its topic and waits that long for the
    /// answer.
    pub async fn call(&self, message: Message, patience: Duration) -> Result<Value, CallError> {
        let answer = self.form.call(message, patience).await;
        self.metrics.called(&answer);
        answer
    }

    /// What arrives on a topic: casts and calls to the topic and to the topic
    /// at this host, and fanouts.
    pub fn consume(&self, topic: &str) -> Consumer {
        let (queue, attached) = self.form.consume(topic);
        Consumer::new(topic, queue, attached, self.metrics.clone())
    }

    /// Tells of losses from now on; in process there are none.
    pub fn renewals(&self) -> Renewals {
        Renewals::new(self.form.renewals())
    }

    /// How it is now.
    pub fn state(&self) -> State {
        self.form.state()
    }

    /// Ends what goes on: consumers give back what they did not take.
    pub async fn close(&self) {
        self.form.close().await;
    }

    /// Adds its counters to what is scraped.
    pub fn register_metrics(&self, registry: &mut Registry) {
        self.metrics.register(registry);
    }
}
