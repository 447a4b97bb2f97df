//! Answers to calls of others.

use super::publisher::{Exchange, Out};
use super::{Shared, oslo};
use crate::BusError;
use crate::consumer::Answer;
use crate::oslo::ReplyAddress;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long an answer is tried to be given, and for how long a queue that is not
/// there counts as gone: its caller has ended.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// Gives answers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Answers {
    shared: Shared,
    gone: Arc<Mutex<HashMap<String, Instant>>>,
}

/// Who waits for an answer.
pub(crate) struct ReplyTo {
    pub(super) answers: Answers,
    pub(super) address: ReplyAddress,
}

impl ReplyTo {
    /// Answers, in the background.
    pub(crate) fn send(self, answer: Answer) {
        let ReplyTo { answers, address } = self;
        let tasks = answers.shared.tasks.clone();
        tasks.spawn(async move { answers.give(&address, &answer).await });
    }
}

impl Answers {
    pub(super) fn new(shared: Shared) -> Answers {
        Answers { shared, gone: Arc::default() }
    }

    /// A caller may still be connecting again, and so may we.
    async fn give(&self, address: &ReplyAddress, answer: &Answer) {
        let until = Instant::now() + PATIENCE;
        let queue = address.queue.as_str();
        let body = oslo::reply(&address.call, answer);
        while !self.is_gone(queue) {
            let out = Out {
                exchange: Exchange::Default,
                key: queue.to_owned(),
                body: body.clone(),
                mandatory: true,
                expiration: None,
            };
            match self.shared.publisher.send(out).await {
                Ok(()) => return self.shared.metrics.replied("taken"),
                Err(error) if Instant::now() > until || self.shared.stop.is_cancelled() => {
                    tracing::warn!(queue, %error, "an answer could not be given");
                    if let BusError::Unroutable(_) = error {
                        self.gone.lock().insert(queue.to_owned(), Instant::now());
                    }
                    break;
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
        self.shared.metrics.replied("given_up");
    }

    fn is_gone(&self, queue: &str) -> bool {
        let mut gone = self.gone.lock();
        gone.retain(|_, since| since.elapsed() < PATIENCE);
        gone.contains_key(queue)
    }
}
