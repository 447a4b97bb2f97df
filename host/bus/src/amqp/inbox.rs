//! Consuming a topic: its own queue, the one at this host, and one for fanouts.

use super::answers::{Answers, ReplyTo};
use super::{Shared, oslo};
use crate::Spread;
use crate::consumer::{Answering, Delivery};
use crate::oslo::names;
use futures::StreamExt;
use futures::future::ready;
use futures::stream::{self, BoxStream, SelectAll, select_all};
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueBindOptions, QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{Acker, Channel, Connection, ExchangeKind};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Before a topic is declared again that the broker refused or dropped.
const PAUSE: Duration = Duration::from_secs(1);

/// Tells the broker that a message was taken.
pub(crate) struct Acknowledge(Acker);

impl Acknowledge {
    /// Tells it. What it does not hear is given again, and noticed as a repeat.
    pub(crate) async fn send(self) {
        if let Err(error) = self.0.ack(BasicAckOptions::default()).await {
            tracing::debug!(%error, "the broker does not know that a message was taken");
        }
    }
}

/// The consumption of one topic.
pub(super) struct Inbox {
    shared: Shared,
    answers: Answers,
    topic: String,
    /// The same over all connections.
    fanout: String,
    queue: mpsc::Sender<Delivery>,
    /// Whether the queues were there once.
    attached: watch::Sender<bool>,
}

/// What comes over one channel; nothing more of all when one of its queues ends.
type Arrivals = SelectAll<BoxStream<'static, Option<(Spread, lapin::Result<lapin::message::Delivery>)>>>;

impl Inbox {
    pub(super) fn new(
        shared: Shared,
        answers: Answers,
        topic: &str,
        fanout: String,
        queue: mpsc::Sender<Delivery>,
        attached: watch::Sender<bool>,
    ) -> Inbox {
        Inbox { shared, answers, topic: topic.to_owned(), fanout, queue, attached }
    }

    /// Consumes until nobody wants it any more.
    pub(super) async fn run(self) {
        let mut link = self.shared.consuming.clone();
        let ended = || async {
            tokio::select! {
                () = self.queue.closed() => {}
                () = self.shared.stop.cancelled() => {}
            }
        };
        loop {
            let connection = tokio::select! {
                connection = link.connected() => match connection {
                    Some(connection) => connection,
                    None => return,
                },
                () = ended() => return,
            };
            match self.attach(&connection).await {
                Ok((channel, mut arrivals)) => {
                    if self.attached.send_replace(true) {
                        self.shared.renewals.send_modify(|renewals| *renewals += 1);
                    }
                    tokio::select! {
                        () = self.take_in(&mut arrivals) => {}
                        () = link.lost() => {}
                        () = ended() => return self.detach(&channel).await,
                    }
                }
                Err(error) => {
                    tracing::warn!(topic = self.topic, %error, "the topic cannot be consumed");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE), if connection.status().connected() => {}
                () = link.lost() => {}
                () = ended() => return,
            }
        }
    }

    /// Declares everything, and begins.
    async fn attach(&self, connection: &Connection) -> lapin::Result<(Channel, Arrivals)> {
        let settings = &self.shared.settings;
        let topic = self.topic.as_str();
        let channel = connection.create_channel().await?;
        channel.basic_qos(settings.prefetch.max(1), BasicQosOptions::default()).await?;
        let exchange = settings.exchange.as_str();
        let (kind, options) = (ExchangeKind::Topic, settings.topic_exchange());
        channel.exchange_declare(exchange.into(), kind, options, FieldTable::default()).await?;
        let all = names::fanout_exchange(topic);
        let (kind, options) = (ExchangeKind::Fanout, settings.fanout_exchange());
        channel.exchange_declare(all.as_str().into(), kind, options, FieldTable::default()).await?;
        let at_host = names::at_host(topic, &settings.host);
        let queues = [
            (topic, exchange, topic, settings.topic_queue()),
            (at_host.as_str(), exchange, at_host.as_str(), settings.topic_queue()),
            (self.fanout.as_str(), all.as_str(), topic, settings.passing_queue()),
        ];
        let mut arrivals = Vec::new();
        for (tag, (queue, exchange, key, (options, arguments))) in (1..).zip(queues) {
            channel.queue_declare(queue.into(), options, arguments).await?;
            let (table, bind) = (FieldTable::default(), QueueBindOptions::default());
            channel.queue_bind(queue.into(), exchange.into(), key.into(), bind, table).await?;
            let (options, table) = (BasicConsumeOptions::default(), FieldTable::default());
            let consumer =
                channel.basic_consume(queue.into(), format!("{tag}").into(), options, table).await?;
            let spread = if queue == self.fanout { Spread::Fanout } else { Spread::Cast };
            let ended = stream::once(ready(None));
            arrivals.push(consumer.map(move |delivery| Some((spread, delivery))).chain(ended).boxed());
        }
        tracing::debug!(topic, "the topic is consumed");
        Ok((channel, select_all(arrivals)))
    }

    async fn take_in(&self, arrivals: &mut Arrivals) {
        while let Some(Some((spread, delivery))) = arrivals.next().await {
            let delivery = match delivery {
                Ok(delivery) => delivery,
                Err(error) => {
                    tracing::debug!(topic = self.topic, %error, "the consumption ended");
                    return;
                }
            };
            let acknowledge = Acknowledge(delivery.acker.clone());
            match oslo::read_request(&self.topic, &delivery.data) {
                Ok(incoming) => {
                    let answering = match incoming.reply {
                        Some(address) => {
                            Answering::broker(ReplyTo { answers: self.answers.clone(), address })
                        }
                        None => Answering::nobody(),
                    };
                    let message = incoming.message;
                    let arrived = Delivery { message, spread, acknowledge: Some(acknowledge), answering };
                    if self.queue.send(arrived).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    tracing::warn!(topic = self.topic, %error, "something that is no message is dropped");
                    self.shared.metrics.malformed();
                    acknowledge.send().await;
                }
            }
        }
    }

    /// Ends in good order: nobody would consume the queue of fanouts again, unless
    /// it is found by its name.
    async fn detach(&self, channel: &Channel) {
        if !self.shared.settings.stable_names {
            let delete = channel.queue_delete(self.fanout.as_str().into(), QueueDeleteOptions::default());
            if let Err(error) = delete.await {
                tracing::debug!(topic = self.topic, %error, "the queue of fanouts is left to expire");
            }
        }
        let _ = channel.close(200, "bye".into()).await;
    }
}
