//! The bus within one process.

use crate::consumer::{Answering, Delivery};
use crate::{BusError, CallError, Form, Message, Notification, Spread, State};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// Messages a consumer may be behind before a sender is told to wait.
const QUEUE: usize = 1024;

/// One consumer of a topic, or of a topic at this host.
#[derive(Clone)]
struct Place {
    topic: Arc<str>,
    queue: mpsc::Sender<Delivery>,
    /// Reached by the topic's own name, so by fanouts too.
    whole: bool,
}

/// The form in process.
#[derive(Clone)]
pub(crate) struct Local {
    host: String,
    topics: Arc<Mutex<HashMap<String, Vec<Place>>>>,
    /// Nothing is ever lost.
    renewals: Arc<watch::Sender<u64>>,
}

impl Local {
    /// Of that host.
    pub(crate) fn new(host: &str) -> Local {
        Local { host: host.to_owned(), topics: Arc::default(), renewals: Arc::default() }
    }

    /// Hands a message over; how many have it, of how many that might.
    fn hand_over(
        &self,
        spread: Spread,
        message: &Message,
        answer: &mut Option<oneshot::Sender<crate::consumer::Answer>>,
    ) -> (usize, usize) {
        let mut topics = self.topics.lock();
        let Some(places) = topics.get_mut(&message.topic) else { return (0, 0) };
        places.retain(|place| !place.queue.is_closed());
        if spread == Spread::Cast && !places.is_empty() {
            // In turn.
            places.rotate_left(1);
        }
        let (mut reached, mut there) = (0, 0);
        for place in places.iter().filter(|place| spread == Spread::Cast || place.whole) {
            there += 1;
            if spread == Spread::Cast && reached > 0 {
                continue;
            }
            let Ok(free) = place.queue.try_reserve() else { continue };
            reached += 1;
            free.send(Delivery {
                message: Message { topic: place.topic.to_string(), ..message.clone() },
                spread,
                acknowledge: None,
                answering: answer.take().map_or_else(Answering::nobody, Answering::here),
            });
        }
        (reached, there)
    }

    fn send(&self, spread: Spread, message: &Message) -> Result<(), BusError> {
        if !message.arguments.is_object() {
            return Err(BusError::Invalid("its arguments are no JSON object".to_owned()));
        }
        match self.hand_over(spread, message, &mut None) {
            (0, 1..) => Err(BusError::Full(message.topic.clone())),
            _ => Ok(()),
        }
    }
}

impl Form for Local {
    fn publish(&self, spread: Spread, message: Message) -> BoxFuture<'static, Result<(), BusError>> {
        ready(self.send(spread, &message)).boxed()
    }

    /// To those who listen to a topic of the event's name.
    fn notify(&self, notification: Notification) -> BoxFuture<'static, Result<(), BusError>> {
        let Notification { event_type, payload, id, request_id } = notification;
        let message = Message { id, request_id, ..Message::new(event_type.clone(), event_type, payload) };
        let sent = match self.hand_over(Spread::Fanout, &message, &mut None) {
            (0, 1..) => Err(BusError::Full(message.topic)),
            _ => Ok(()),
        };
        ready(sent).boxed()
    }

    fn call(&self, message: Message, patience: Duration) -> BoxFuture<'static, Result<Value, CallError>> {
        let (sender, receiver) = oneshot::channel();
        let mut sender = Some(sender);
        let sent = if message.arguments.is_object() {
            match self.hand_over(Spread::Cast, &message, &mut sender) {
                (0, 0) => Err(BusError::Unroutable(message.topic)),
                (0, _) => Err(BusError::Full(message.topic)),
                _ => Ok(()),
            }
        } else {
            Err(BusError::Invalid("its arguments are no JSON object".to_owned()))
        };
        async move {
            sent?;
            match tokio::time::timeout(patience, receiver).await {
                Ok(Ok(answer)) => Ok(answer?),
                // Dropped unanswered: as with a broker, nobody ever will.
                Ok(Err(_)) | Err(_) => Err(CallError::TimedOut),
            }
        }
        .boxed()
    }

    fn consume(&self, topic: &str) -> (mpsc::Receiver<Delivery>, watch::Receiver<bool>) {
        let (queue, receiver) = mpsc::channel(QUEUE);
        let mut topics = self.topics.lock();
        let at_host = format!("{topic}.{}", self.host);
        for (name, whole) in [(topic.to_owned(), true), (at_host, false)] {
            let place = Place { topic: topic.into(), queue: queue.clone(), whole };
            topics.entry(name).or_default().push(place);
        }
        (receiver, watch::channel(true).1)
    }

    fn renewals(&self) -> watch::Receiver<u64> {
        self.renewals.subscribe()
    }

    fn state(&self) -> State {
        State::InProcess
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        self.topics.lock().clear();
        ready(()).boxed()
    }
}
