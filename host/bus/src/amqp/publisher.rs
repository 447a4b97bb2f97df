//! Sending, with the broker's word that it has what was sent.

use super::Amqp;
use super::link::Link;
use crate::BusError;
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, ExchangeKind};
use parking_lot::Mutex;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long the broker may take to say that it has a message.
const PATIENCE: Duration = Duration::from_secs(5);
/// For how long nothing is sent to a broker that does not confirm.
const SILENCE: Duration = Duration::from_secs(10);
/// Before a channel is opened again that the broker closed.
const PAUSE: Duration = Duration::from_millis(100);

/// Where a message is sent to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Exchange {
    /// Straight to a queue.
    Default,
    /// To those who listen to the key; dropped when nobody does.
    Topic(String),
    /// To the queue that is named as the key, which is made if it is not there,
    /// in an exchange for topics.
    Queue(String),
    /// To all queues.
    Fanout(String),
}

impl Exchange {
    fn name(&self) -> &str {
        match self {
            Exchange::Default => "",
            Exchange::Topic(name) | Exchange::Queue(name) | Exchange::Fanout(name) => name,
        }
    }
}

/// Something to send.
pub(super) struct Out {
    pub(super) exchange: Exchange,
    pub(super) key: String,
    pub(super) body: Vec<u8>,
    /// Whether it is to come back when no queue takes it.
    pub(super) mandatory: bool,
    /// How long it is of use.
    pub(super) expiration: Option<Duration>,
}

struct Order {
    out: Out,
    done: oneshot::Sender<Result<(), BusError>>,
}

/// Sends over a link of its own. Cheap to clone.
#[derive(Clone)]
pub(super) struct Publisher {
    orders: mpsc::UnboundedSender<Order>,
    link: Link,
    silence: Silence,
}

/// Whether the broker leaves messages unconfirmed: it stands still. Nothing more
/// is sent until it confirms one, or for a while. Cheap to clone.
#[derive(Clone, Default)]
struct Silence(Arc<Mutex<Option<Instant>>>);

impl Silence {
    fn begin(&self) {
        *self.0.lock() = Some(Instant::now());
    }

    fn end(&self) {
        *self.0.lock() = None;
    }

    fn reason(&self) -> Option<String> {
        self.0.lock().filter(|since| since.elapsed() < SILENCE).map(|_| unconfirmed())
    }
}

fn unconfirmed() -> String {
    format!("it did not confirm a message within {} s", PATIENCE.as_secs())
}

impl Publisher {
    /// Sends until `stop`.
    pub(super) fn start(
        link: Link,
        settings: Arc<Amqp>,
        stop: CancellationToken,
        tasks: &TaskTracker,
    ) -> Publisher {
        // Each order is waited for by who gave it, so there are no more of them
        // than there is work under way.
        let (orders, queue) = mpsc::unbounded_channel();
        let silence = Silence::default();
        tasks.spawn(work(link.clone(), silence.clone(), settings, queue, stop));
        Publisher { orders, link, silence }
    }

    /// Sends, in the order of calls; done when the broker has it.
    pub(super) fn send(&self, out: Out) -> BoxFuture<'static, Result<(), BusError>> {
        // A broker that blocks the link does not read it, and nothing that was
        // given to it before gets any further.
        if let Some(reason) = self.reason() {
            return ready(Err(BusError::Away(reason))).boxed();
        }
        let (done, told) = oneshot::channel();
        let silence = self.silence.clone();
        // It has ended when the link has: the sender is dropped.
        let _ = self.orders.send(Order { out, done });
        async move {
            match tokio::time::timeout(PATIENCE, told).await {
                Ok(Ok(sent)) => sent,
                Ok(Err(_)) => Err(BusError::Away("the server is stopping".to_owned())),
                Err(_) => {
                    silence.begin();
                    Err(BusError::Away(unconfirmed()))
                }
            }
        }
        .boxed()
    }

    /// Why nothing can be sent now, if it cannot.
    pub(super) fn reason(&self) -> Option<String> {
        self.link.reason().or_else(|| self.silence.reason())
    }
}

async fn work(
    mut link: Link,
    silence: Silence,
    settings: Arc<Amqp>,
    mut orders: mpsc::UnboundedReceiver<Order>,
    stop: CancellationToken,
) {
    loop {
        let mut waiting = link.clone();
        let connection = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            connection = waiting.connected() => match connection {
                Some(connection) => connection,
                None => return,
            },
            order = orders.recv() => match order {
                Some(order) => {
                    let reason = link.reason().unwrap_or_else(|| "not connected".to_owned());
                    let _ = order.done.send(Err(BusError::Away(reason)));
                    continue;
                }
                None => return,
            },
        };
        let opened = async {
            let channel = connection.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            lapin::Result::Ok(channel)
        };
        match opened.await {
            Ok(channel) => {
                silence.end();
                let (settings, silence) = (settings.clone(), silence.clone());
                let mut sending = Sending { channel, settings, silence, declared: HashSet::new() };
                loop {
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => return,
                        () = link.lost() => break,
                        order = orders.recv() => match order {
                            Some(order) => sending.send(order).await,
                            None => return,
                        },
                    }
                    if !sending.channel.status().connected() {
                        break;
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "no channel to send messages"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// One channel, and what was declared over it.
struct Sending {
    channel: Channel,
    settings: Arc<Amqp>,
    silence: Silence,
    declared: HashSet<(Exchange, String)>,
}

impl Sending {
    /// Sends; who ordered it is told when the broker has it.
    async fn send(&mut self, Order { out, done }: Order) {
        let sent = async {
            self.declare(&out).await?;
            self.publish(&out).await
        };
        match sent.await {
            Ok(confirm) => {
                let silence = self.silence.clone();
                tokio::spawn(async move {
                    let confirmed = confirm.await;
                    silence.end();
                    let told = match confirmed {
                        Ok(Confirmation::Ack(None) | Confirmation::NotRequested) => Ok(()),
                        Ok(Confirmation::Ack(Some(_))) => Err(BusError::Unroutable(out.key)),
                        Ok(Confirmation::Nack(_)) => {
                            Err(BusError::Away("it did not keep the message".to_owned()))
                        }
                        Err(error) => Err(away(&error)),
                    };
                    let _ = done.send(told);
                });
            }
            Err(error) => drop(done.send(Err(away(&error)))),
        }
    }

    /// Exchanges first: to send to one that is not there ends the channel. None
    /// is waited for, since the broker does one thing after the other.
    async fn declare(&mut self, out: &Out) -> lapin::Result<()> {
        let name = out.exchange.name().into();
        let (kind, options) = match &out.exchange {
            Exchange::Default => return Ok(()),
            // It goes away with its last queue, at any moment.
            Exchange::Fanout(_) => (ExchangeKind::Fanout, self.settings.fanout_exchange()),
            Exchange::Topic(_) if self.declared.contains(&(out.exchange.clone(), String::new())) => {
                return Ok(());
            }
            Exchange::Queue(_) if self.declared.contains(&(out.exchange.clone(), out.key.clone())) => {
                return Ok(());
            }
            Exchange::Topic(_) | Exchange::Queue(_) => (ExchangeKind::Topic, self.settings.topic_exchange()),
        };
        let options = ExchangeDeclareOptions { nowait: true, ..options };
        self.channel.exchange_declare(name, kind, options, FieldTable::default()).await?;
        match &out.exchange {
            Exchange::Topic(_) => drop(self.declared.insert((out.exchange.clone(), String::new()))),
            Exchange::Queue(exchange) => {
                let queue = out.key.as_str();
                let (options, arguments) = self.settings.topic_queue();
                self.channel.queue_declare(queue.into(), options, arguments).await?;
                let options = QueueBindOptions::default();
                let (exchange, table) = (exchange.as_str().into(), FieldTable::default());
                self.channel.queue_bind(queue.into(), exchange, queue.into(), options, table).await?;
                self.declared.insert((out.exchange.clone(), out.key.clone()));
            }
            Exchange::Default | Exchange::Fanout(_) => {}
        }
        Ok(())
    }

    async fn publish(&self, out: &Out) -> lapin::Result<lapin::PublisherConfirm> {
        /// Kept on disk by queues that keep messages.
        const PERSISTENT: u8 = 2;
        let mut properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_content_encoding("utf-8".into())
            .with_headers(FieldTable::default())
            .with_delivery_mode(PERSISTENT)
            .with_priority(0);
        if let Some(expiration) = out.expiration {
            properties = properties.with_expiration(expiration.as_millis().to_string().into());
        }
        let options = BasicPublishOptions { mandatory: out.mandatory, ..BasicPublishOptions::default() };
        let (exchange, key) = (out.exchange.name().into(), out.key.as_str().into());
        self.channel.basic_publish(exchange, key, options, &out.body, properties).await
    }
}

fn away(error: &lapin::Error) -> BusError {
    BusError::Away(error.to_string())
}
