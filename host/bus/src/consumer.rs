//! What arrives on a topic, and answering it.

use crate::amqp::{Acknowledge, ReplyTo};
use crate::metrics::Metrics;
use crate::{Message, RemoteError, Spread};
use serde_json::Value;
use std::collections::{HashSet, VecDeque};
use tokio::sync::{mpsc, oneshot, watch};

/// Messages among which a repeat is noticed. Senders repeat what they are not
/// sure of within moments.
const REMEMBERED: usize = 1024;

/// What comes back to a call.
pub(crate) type Answer = Result<Value, RemoteError>;

/// A topic's messages. Dropping it ends the consumption.
pub struct Consumer {
    topic: String,
    queue: mpsc::Receiver<Delivery>,
    attached: watch::Receiver<bool>,
    seen: Seen,
    metrics: Metrics,
}

impl Consumer {
    pub(crate) fn new(
        topic: &str,
        queue: mpsc::Receiver<Delivery>,
        attached: watch::Receiver<bool>,
        metrics: Metrics,
    ) -> Consumer {
        Consumer { topic: topic.to_owned(), queue, attached, seen: Seen::default(), metrics }
    }

    /// Waits until the broker has the topic's queues: it drops what it has no queue
    /// for, so who is told things because it said that it is there waits for this
    /// first. False when the bus has ended.
    pub async fn attached(&mut self) -> bool {
        self.attached.wait_for(|attached| *attached).await.is_ok()
    }

    /// The next message that was not seen before; none when the bus has ended.
    /// What is not taken goes back to the broker.
    pub async fn next(&mut self) -> Option<Delivery> {
        loop {
            let delivery = self.queue.recv().await?;
            if self.seen.is_new(&delivery.message.id) {
                self.metrics.received(&self.topic, delivery.kind());
                return Some(delivery);
            }
            tracing::debug!(topic = self.topic, method = delivery.message.method, "a message came twice");
            self.metrics.repeated();
            delivery.take().await;
        }
    }
}

/// A message that arrived and is not taken yet.
pub struct Delivery {
    pub(crate) message: Message,
    pub(crate) spread: Spread,
    pub(crate) acknowledge: Option<Acknowledge>,
    pub(crate) answering: Answering,
}

impl Delivery {
    /// In a metric's label.
    fn kind(&self) -> &'static str {
        if self.answering.is_awaited() { "call" } else { self.spread.word() }
    }

    /// Takes it: from now on nobody else is given it, whatever becomes of this
    /// process. Peers do so before they act upon a message, too.
    pub async fn take(self) -> Taken {
        if let Some(acknowledge) = self.acknowledge {
            acknowledge.send().await;
        }
        Taken { message: self.message, spread: self.spread, answering: self.answering }
    }
}

/// A message that was taken.
pub struct Taken {
    /// It.
    pub message: Message,
    /// Whether others get it too.
    pub spread: Spread,
    /// How to answer.
    pub answering: Answering,
}

/// Where an answer goes to.
pub struct Answering(To);

enum To {
    Nobody,
    Here(oneshot::Sender<Answer>),
    Broker(Box<ReplyTo>),
}

impl Answering {
    /// Nobody waits.
    pub(crate) fn nobody() -> Answering {
        Answering(To::Nobody)
    }

    /// Somebody in this process waits.
    pub(crate) fn here(sender: oneshot::Sender<Answer>) -> Answering {
        Answering(To::Here(sender))
    }

    /// Somebody behind the broker waits.
    pub(crate) fn broker(reply: ReplyTo) -> Answering {
        Answering(To::Broker(Box::new(reply)))
    }

    /// Whether somebody waits.
    pub fn is_awaited(&self) -> bool {
        !matches!(self.0, To::Nobody)
    }

    /// Answers; waits for nothing.
    pub fn send(self, answer: Result<Value, RemoteError>) {
        match self.0 {
            To::Nobody => {}
            // Who called may have given up.
            To::Here(sender) => drop(sender.send(answer)),
            To::Broker(reply) => reply.send(answer),
        }
    }
}

/// The last ids.
#[derive(Default)]
struct Seen {
    order: VecDeque<String>,
    ids: HashSet<String>,
}

impl Seen {
    /// Remembers an id. A message without one is always new.
    fn is_new(&mut self, id: &str) -> bool {
        if id.is_empty() {
            return true;
        }
        if !self.ids.insert(id.to_owned()) {
            return false;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeat_is_noticed_among_the_last_messages_only() {
        let mut seen = Seen::default();
        assert!(seen.is_new("a"));
        assert!(!seen.is_new("a"));
        assert!(seen.is_new("") && seen.is_new(""));
        (0..REMEMBERED).for_each(|n| assert!(seen.is_new(&n.to_string())));
        assert!(seen.is_new("a"), "it was long ago");
        assert_eq!(seen.order.len(), REMEMBERED);
        assert_eq!(seen.ids.len(), REMEMBERED);
    }
}
