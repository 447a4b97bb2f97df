//! Calls to others: a queue for all answers, made with the first call.

use super::publisher::{Exchange, Out};
use super::{Shared, oslo};
use crate::consumer::Answer;
use crate::message::unique;
use crate::oslo::{Ending, ReplyAddress, names};
use crate::{BusError, CallError, Message};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use lapin::Connection;
use lapin::options::{BasicAckOptions, BasicConsumeOptions};
use lapin::types::FieldTable;
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// Before the queue is declared again.
const PAUSE: Duration = Duration::from_millis(250);

/// Answers that are waited for, by call.
type Waiting = Arc<Mutex<HashMap<String, oneshot::Sender<Answer>>>>;

/// Makes calls. Cheap to clone.
#[derive(Clone)]
pub(super) struct Calls {
    shared: Shared,
    queue: Arc<str>,
    waiting: Waiting,
    /// Whether answers can arrive, once somebody has called.
    ready: Arc<OnceLock<watch::Receiver<bool>>>,
}

impl Calls {
    pub(super) fn new(shared: Shared) -> Calls {
        let queue = names::reply_queue(&shared.mark("answers")).into();
        Calls { shared, queue, waiting: Waiting::default(), ready: Arc::default() }
    }

    /// Sends a call and waits for its answer.
    pub(super) fn call(
        &self,
        message: Message,
        patience: Duration,
    ) -> BoxFuture<'static, Result<Value, CallError>> {
        let calls = self.clone();
        async move {
            let address = ReplyAddress { queue: calls.queue.to_string(), call: unique() };
            let (sender, answer) = oneshot::channel();
            let body = oslo::request(&message, Some(&address)).map_err(BusError::Invalid)?;
            calls.waiting.lock().insert(address.call.clone(), sender);
            let out = Out {
                exchange: Exchange::Topic(calls.shared.settings.exchange.clone()),
                key: message.topic,
                body,
                mandatory: true,
                expiration: Some(patience),
            };
            let answered = tokio::time::timeout(patience, calls.ask(out, answer)).await;
            calls.waiting.lock().remove(&address.call);
            answered.unwrap_or(Err(CallError::TimedOut))
        }
        .boxed()
    }

    async fn ask(&self, out: Out, answer: oneshot::Receiver<Answer>) -> Result<Value, CallError> {
        let mut ready = self.ready.get_or_init(|| self.listen()).clone();
        let _ = ready.wait_for(|ready| *ready).await;
        self.shared.publisher.send(out).await?;
        match answer.await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(CallError::TimedOut),
        }
    }

    /// Takes answers from now on.
    fn listen(&self) -> watch::Receiver<bool> {
        let (sender, receiver) = watch::channel(false);
        let calls = self.clone();
        self.shared.tasks.spawn(async move {
            let mut link = calls.shared.consuming.clone();
            let stop = calls.shared.stop.clone();
            let listening = async {
                while let Some(connection) = link.connected().await {
                    if let Err(error) = calls.answers(&connection, &sender).await {
                        tracing::warn!(%error, "answers to calls do not arrive");
                    }
                    sender.send_replace(false);
                    tokio::time::sleep(PAUSE).await;
                }
            };
            tokio::select! {
                () = listening => {}
                () = stop.cancelled() => {}
            }
        });
        receiver
    }

    async fn answers(&self, connection: &Connection, ready: &watch::Sender<bool>) -> lapin::Result<()> {
        let channel = connection.create_channel().await?;
        let (options, arguments) = self.shared.settings.passing_queue();
        channel.queue_declare((*self.queue).into(), options, arguments).await?;
        let consume = channel.basic_consume(
            (*self.queue).into(),
            "1".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        );
        let mut answers = consume.await?;
        ready.send_replace(true);
        while let Some(delivery) = answers.next().await {
            let delivery = delivery?;
            delivery.ack(BasicAckOptions::default()).await?;
            match oslo::read_reply(&delivery.data) {
                Ok((_, Ending::NotYet)) => {}
                Ok((call, Ending::Answered(answer))) => match self.waiting.lock().remove(&call) {
                    // Who called may have given up meanwhile.
                    Some(waiting) => drop(waiting.send(answer)),
                    None => tracing::debug!(call, "an answer to a call that nobody waits for"),
                },
                Err(error) => {
                    tracing::warn!(%error, "an answer that is none");
                    self.shared.metrics.malformed();
                }
            }
        }
        Ok(())
    }
}
