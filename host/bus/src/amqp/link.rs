//! A connection that comes back.

use super::url::place;
use super::{Amqp, stream};
use crate::metrics::Metrics;
use futures::StreamExt;
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{AsyncTcpStream, Connection, ConnectionProperties, Event};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long one attempt to connect may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between the first attempts; doubled with each, up to the longest.
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How often a connection is looked at that says nothing.
const LOOK: Duration = Duration::from_secs(1);

/// A link to the broker. Cheap to clone.
#[derive(Clone)]
pub(super) struct Link {
    connection: watch::Receiver<Option<Arc<Connection>>>,
    /// Why it is of no use now.
    reason: Arc<Mutex<Option<String>>>,
}

impl Link {
    /// Keeps a connection until `stop`.
    pub(super) fn start(
        name: &'static str,
        settings: Arc<Amqp>,
        metrics: Metrics,
        stop: CancellationToken,
        tasks: &TaskTracker,
    ) -> Link {
        let (sender, connection) = watch::channel(None);
        let reason = Arc::new(Mutex::new(Some("not connected yet".to_owned())));
        let link = Link { connection, reason: reason.clone() };
        metrics.linked(name, false);
        let keeper = Keeper { name, settings, metrics, sender, reason };
        tasks.spawn(keeper.keep(stop));
        link
    }

    /// The connection, once there is one; none when the link has ended.
    pub(super) async fn connected(&mut self) -> Option<Arc<Connection>> {
        self.connection.wait_for(up).await.ok()?.clone()
    }

    /// Ends when the connection that is there now is of no use any more.
    pub(super) async fn lost(&mut self) {
        // Its keeper is gone: so is the connection.
        let _ = self.connection.wait_for(|connection| !up(connection)).await;
    }

    /// Why it is of no use now, if it is not.
    pub(super) fn reason(&self) -> Option<String> {
        self.reason.lock().clone()
    }
}

fn up(connection: &Option<Arc<Connection>>) -> bool {
    connection.as_ref().is_some_and(|connection| connection.status().connected())
}

struct Keeper {
    name: &'static str,
    settings: Arc<Amqp>,
    metrics: Metrics,
    sender: watch::Sender<Option<Arc<Connection>>>,
    reason: Arc<Mutex<Option<String>>>,
}

impl Keeper {
    async fn keep(self, stop: CancellationToken) {
        let brokers = self.settings.url.uris(self.settings.heartbeat, PATIENCE);
        // Servers of a cluster begin at any of its brokers, and go on to the next.
        let mut turn = rand::random_range(0..brokers.len().max(1));
        let (mut pause, mut refusals) = (SHORTEST_PAUSE, 0);
        while let Some(uri) = brokers.get(turn % brokers.len().max(1)).filter(|_| !stop.is_cancelled()) {
            let broker = place(uri);
            match self.connect(uri.clone()).await {
                Ok(connection) => {
                    tracing::info!(broker, link = self.name, "connected to the message broker");
                    (pause, refusals) = (SHORTEST_PAUSE, 0);
                    *self.reason.lock() = None;
                    self.metrics.linked(self.name, true);
                    let why = self.hold(Arc::new(connection), &stop).await;
                    self.metrics.linked(self.name, false);
                    if stop.is_cancelled() {
                        return;
                    }
                    tracing::warn!(
                        broker,
                        link = self.name,
                        why,
                        "the connection to the message broker is lost"
                    );
                    *self.reason.lock() = Some(why);
                }
                Err(why) => {
                    tracing::warn!(broker, link = self.name, why, "the message broker cannot be reached");
                    *self.reason.lock() = Some(why);
                    refusals += 1;
                }
            }
            turn = (turn + 1) % brokers.len();
            // Many servers lose a broker at the same moment; they do not all
            // come back at the same one.
            let jittered = pause.mul_f64(rand::random_range(0.5..=1.0));
            // Only after all of them refused.
            if refusals > 0 && refusals % brokers.len() == 0 {
                pause = LONGEST_PAUSE.min(pause * 2);
            }
            tokio::select! {
                () = tokio::time::sleep(jittered) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    async fn connect(&self, uri: AMQPUri) -> Result<Connection, String> {
        let name = format!("hadron {} {}", self.settings.host, self.name);
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let tls = match uri.scheme {
            AMQPScheme::AMQP => None,
            AMQPScheme::AMQPS => Some(Arc::new(self.settings.tls.config()?)),
        };
        let connect = async move |uri: AMQPUri, _| {
            let stream = stream::connect(&uri, tls.clone()).await?;
            lapin::Result::Ok(AsyncTcpStream::Plain(stream))
        };
        let connecting = Connection::connector(uri, stream::runtime(), connect, properties);
        match tokio::time::timeout(PATIENCE, connecting).await {
            Ok(connected) => connected.map_err(|error| error.to_string()),
            Err(_) => Err(format!("it did not answer within {} s", PATIENCE.as_secs())),
        }
    }

    /// Lends a connection to all who wait for one, until it is lost; why.
    async fn hold(&self, connection: Arc<Connection>, stop: &CancellationToken) -> String {
        let mut events = std::pin::pin!(connection.events_listener()); // not networking: the crate's word
        self.sender.send_replace(Some(connection.clone()));
        let why = loop {
            // An event from before it was listened to is not told.
            let event = tokio::select! {
                event = tokio::time::timeout(LOOK, events.next()) => event,
                () = stop.cancelled() => break "told to stop".to_owned(),
            };
            match event {
                Ok(Some(Event::ConnectionBlocked(why))) => {
                    tracing::warn!(why, link = self.name, "the message broker takes no more messages");
                    *self.reason.lock() = Some(format!("it takes no more messages: {why}"));
                }
                Ok(Some(Event::ConnectionUnblocked)) => {
                    tracing::info!(link = self.name, "the message broker takes messages again");
                    *self.reason.lock() = None;
                }
                Ok(Some(Event::Error(error))) if !connection.status().connected() => break error.to_string(),
                Ok(Some(_)) | Err(_) => {
                    if !connection.status().connected() {
                        break "it ended".to_owned();
                    }
                }
                Ok(None) => break "it ended".to_owned(),
            }
        };
        self.sender.send_replace(None);
        if stop.is_cancelled() {
            // Consumers have given back what they did not take by now, or will
            // have it taken from them.
            let _ = connection.close(200, "bye".into()).await;
        }
        why
    }
}
