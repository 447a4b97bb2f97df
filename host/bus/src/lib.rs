//! Messages between plugins, and later agents: one interface, in process here.
#![forbid(unsafe_code)]

use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use tokio::sync::mpsc;

/// How a message spreads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// To one consumer of the topic.
    Cast,
    /// To every consumer of the topic.
    Fanout,
    /// To those who listen to notifications.
    Notify,
}

/// A message under way.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Where to; for notifications the event type.
    pub topic: String,
    /// What is called.
    pub method: String,
    /// With what.
    pub arguments: Value,
}

/// A message nobody could be given.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// All consumers are slower than their queues are long.
    #[error("the consumers of topic '{0}' do not keep up")]
    Full(String),
}

/// Messages a consumer may be behind before a sender is told to wait.
const QUEUE: usize = 1024;

type Consumers = HashMap<String, Vec<(String, mpsc::Sender<Message>)>>;

/// The bus. Cheap to clone.
#[derive(Clone, Default)]
pub struct Bus {
    topics: Arc<RwLock<Consumers>>,
}

impl Bus {
    /// Hands a message to the consumers of its topic. That nobody listens is
    /// no error, as on a broker.
    pub fn publish(&self, spread: Spread, message: Message) -> Result<(), BusError> {
        let topics = self.topics.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let consumers = topics.get(&message.topic).map(Vec::as_slice).unwrap_or_default();
        let reached = match spread {
            Spread::Cast => {
                consumers.iter().filter(|(_, queue)| queue.try_send(message.clone()).is_ok()).take(1).count()
            }
            Spread::Fanout | Spread::Notify => {
                consumers.iter().filter(|(_, queue)| queue.try_send(message.clone()).is_ok()).count()
            }
        };
        if reached == 0 && !consumers.is_empty() {
            return Err(BusError::Full(message.topic));
        }
        Ok(())
    }

    /// A queue of its own for each consumer of a topic. An earlier queue of the
    /// same consumer ends.
    pub fn consume(&self, topic: &str, consumer: &str) -> mpsc::Receiver<Message> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let mut topics = self.topics.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let consumers = topics.entry(topic.to_owned()).or_default();
        consumers.retain(|(name, _)| name != consumer);
        consumers.push((consumer.to_owned(), sender));
        receiver
    }

    /// Ends all queues of a consumer.
    pub fn leave(&self, consumer: &str) {
        let mut topics = self.topics.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        topics.values_mut().for_each(|consumers| consumers.retain(|(name, _)| name != consumer));
    }
}
