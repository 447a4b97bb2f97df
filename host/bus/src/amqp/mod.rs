//! The bus over a broker that speaks AMQP 0-9-1 (RabbitMQ).
//!
//! Two links, one to consume and one to publish, so that a broker that takes no
//! more messages still gives some; each connects again by itself, and what was
//! declared over it is declared again.

mod answers;
mod calls;
mod inbox;
mod link;
mod publisher;
mod settings;
mod stream;
mod tls;
mod url;

pub(crate) use answers::ReplyTo;
pub(crate) use inbox::Acknowledge;
pub use settings::{Amqp, Durability};
pub use tls::Tls;
pub use url::Url;

use crate::consumer::Delivery;
use crate::local::Local;
use crate::message::unique;
use crate::metrics::Metrics;
use crate::{BusError, CallError, Form, Message, Notification, Spread, State, oslo};
use answers::Answers;
use calls::Calls;
use futures::FutureExt;
use futures::future::{BoxFuture, join_all, ready};
use inbox::Inbox;
use link::Link;
use oslo::names;
use parking_lot::Mutex;
use publisher::{Exchange, Out, Publisher};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long `close` waits for what is under way.
const CLOSING: Duration = Duration::from_secs(2);

/// What the parts of the form share.
#[derive(Clone)]
struct Shared {
    settings: Arc<Amqp>,
    consuming: Link,
    publisher: Publisher,
    metrics: Metrics,
    /// No more is taken, and answers are tried no more.
    stop: CancellationToken,
    /// What is under way over the links.
    tasks: TaskTracker,
    /// Queues of this process's own, by what they are for.
    own: Arc<Mutex<HashMap<String, u64>>>,
    /// How often queues of topics were declared anew.
    renewals: Arc<watch::Sender<u64>>,
}

impl Shared {
    /// What tells a queue of this process's own from those of others.
    fn mark(&self, purpose: &str) -> String {
        let mut own = self.own.lock();
        let number = own.entry(purpose.to_owned()).or_default();
        *number += 1;
        match self.settings.stable_names {
            true => names::of_process(&self.settings.host, *number),
            false => unique(),
        }
    }
}

/// The form over a broker.
pub(crate) struct Broker {
    shared: Shared,
    answers: Answers,
    calls: Calls,
    /// Ends the links, and what keeps them.
    cut: CancellationToken,
    links: TaskTracker,
    /// Plugins of this server hear of its notifications without a broker.
    here: Local,
}

impl Broker {
    /// Connects in the background.
    pub(crate) fn start(settings: Amqp, metrics: Metrics) -> Broker {
        let settings = Arc::new(settings);
        let (cut, links) = (CancellationToken::new(), TaskTracker::new());
        let link = |name| Link::start(name, settings.clone(), metrics.clone(), cut.clone(), &links);
        let (publishing, consuming) = (link("publish"), link("consume"));
        let publisher = Publisher::start(publishing, settings.clone(), cut.clone(), &links);
        let here = Local::new(&settings.host);
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let shared = Shared {
            settings,
            consuming,
            publisher,
            metrics,
            stop,
            tasks,
            own: Arc::default(),
            renewals: Arc::default(),
        };
        let (answers, calls) = (Answers::new(shared.clone()), Calls::new(shared.clone()));
        Broker { shared, answers, calls, cut, links, here }
    }
}

/// How a request spreads, on the wire.
fn envelope(settings: &Amqp, spread: Spread, message: &Message) -> Result<Out, BusError> {
    let body = oslo::request(message, None).map_err(BusError::Invalid)?;
    let (exchange, key) = match spread {
        Spread::Cast => (Exchange::Topic(settings.exchange.clone()), message.topic.clone()),
        Spread::Fanout => (Exchange::Fanout(names::fanout_exchange(&message.topic)), String::new()),
    };
    Ok(Out { exchange, key, body, mandatory: false, expiration: None })
}

impl Form for Broker {
    fn publish(&self, spread: Spread, message: Message) -> BoxFuture<'static, Result<(), BusError>> {
        match envelope(&self.shared.settings, spread, &message) {
            Ok(out) => self.shared.publisher.send(out),
            Err(error) => ready(Err(error)).boxed(),
        }
    }

    fn notify(&self, notification: Notification) -> BoxFuture<'static, Result<(), BusError>> {
        let settings = &self.shared.settings;
        let sent = settings.notification_topics.iter().map(|topic| {
            self.shared.publisher.send(Out {
                exchange: Exchange::Queue(settings.exchange.clone()),
                key: names::notifications(topic),
                body: oslo::notification(&notification, &settings.publisher),
                mandatory: false,
                expiration: None,
            })
        });
        let sent = join_all(sent.collect::<Vec<_>>());
        let here = self.here.notify(notification);
        async move {
            sent.await.into_iter().collect::<Result<(), BusError>>()?;
            here.await
        }
        .boxed()
    }

    fn call(&self, message: Message, patience: Duration) -> BoxFuture<'static, Result<Value, CallError>> {
        self.calls.call(message, patience)
    }

    fn consume(&self, topic: &str) -> (mpsc::Receiver<Delivery>, watch::Receiver<bool>) {
        let (queue, receiver) = mpsc::channel(usize::from(self.shared.settings.prefetch).max(1));
        let fanouts = names::fanout_queue(topic, &self.shared.mark(topic));
        let (attached, attaching) = watch::channel(false);
        let (shared, answers) = (self.shared.clone(), self.answers.clone());
        let inbox = Inbox::new(shared, answers, topic, fanouts, queue.clone(), attached);
        self.shared.tasks.spawn(inbox.run());
        // What is notified here goes the same way.
        self.shared.tasks.spawn(forward(self.here.consume(topic).0, queue));
        (receiver, attaching)
    }

    fn renewals(&self) -> watch::Receiver<u64> {
        self.shared.renewals.subscribe()
    }

    fn state(&self) -> State {
        let down = self.shared.publisher.reason().or_else(|| self.shared.consuming.reason());
        down.map_or(State::Connected, State::Away)
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        let Shared { stop, tasks, .. } = self.shared.clone();
        let (cut, links) = (self.cut.clone(), self.links.clone());
        let here = self.here.close();
        async move {
            here.await;
            stop.cancel();
            tasks.close();
            let ended = tokio::time::timeout(CLOSING, tasks.wait()).await;
            cut.cancel();
            links.close();
            if ended.is_err() || tokio::time::timeout(CLOSING, links.wait()).await.is_err() {
                tracing::debug!("the broker takes long; what is under way to it is left");
            }
        }
        .boxed()
    }
}

async fn forward(mut from: mpsc::Receiver<Delivery>, to: mpsc::Sender<Delivery>) {
    loop {
        tokio::select! {
            delivery = from.recv() => match delivery {
                Some(delivery) => if to.send(delivery).await.is_err() { return },
                None => return,
            },
            () = to.closed() => return,
        }
    }
}
