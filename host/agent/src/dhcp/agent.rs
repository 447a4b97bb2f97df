//! The loop: what is said of which network, and who works on it.
//!
//! Of each network all that was said while nobody worked on it is taken in at
//! once. Several networks are worked on at the same time, those that somebody
//! waits for first.

use super::network::Port;
use super::plugin::Plugin;
use super::ready::Ready;
use super::served::{Change, Context, Error, Outcome, Served};
use super::{AGENT, Counts, Settings, TOPIC, plugin};
use crate::server::Server;
use hadron_bus::{Bus, RemoteError};
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The pause after the server was away.
const PAUSE: Duration = Duration::from_secs(1);

/// How often it is looked whether a dnsmasq has ended.
const WATCH: Duration = Duration::from_secs(1);

/// The longest pause before everything is asked for again after a broker was lost.
const SPREAD: Duration = Duration::from_secs(10);

/// How long those that work on networks may take for it when the agent is told to
/// stop.
const FINISH: Duration = Duration::from_secs(5);

/// In which order networks are worked on: the lowest first. The server says of its
/// messages when it is their turn, from 0 to 6.
mod priority {
    /// A message that says nothing of it. In Neutron: `DEFAULT_PRIORITY`.
    pub(super) const UNKNOWN: u64 = 255;
    /// Machines get no address.
    pub(super) const DIED: u64 = 0;
    pub(super) const ALL: u64 = 10;
    pub(super) const AGAIN: u64 = 20;
}

/// Something that happened.
#[derive(Debug)]
enum Event {
    /// Something was said of a network.
    Network { id: String, priority: u64, change: Change },
    /// Something may have been missed.
    Missed,
}

/// Serves the host's networks until told to stop. What serves machines stays.
pub async fn run(settings: Settings, bus: Bus, stop: CancellationToken) {
    let serve = async {
        loop {
            // It ends where a network could not be worked on.
            served(&settings, &bus, &stop).await;
            if stop.is_cancelled() {
                return;
            }
            tracing::error!("begins anew");
            tokio::time::sleep(PAUSE).await;
        }
    };
    serve.await;
}

async fn served(settings: &Settings, bus: &Bus, stop: &CancellationToken) {
    let server = Server::new(bus.clone(), AGENT, &settings.host);
    let plugin = Plugin::new(server.clone(), settings);
    let mut tasks = JoinSet::new();
    let (happened, mut events) = mpsc::unbounded_channel();
    // Before anything is asked for, so that nothing is missed.
    let is_there = tokio::select! {
        () = stop.cancelled() => false,
        is_there = listen(bus, &mut tasks, &happened) => is_there,
    };
    if !is_there {
        return;
    }
    let counts = Arc::new(Mutex::new(Counts::default()));
    tasks.spawn(report(settings.clone(), server, Arc::clone(&counts), happened));
    let ready = Arc::new(Ready::default());
    let (telling, teller) = (Arc::clone(&ready), plugin.clone());
    tasks.spawn(async move { telling.tell(teller).await });
    let context = Arc::new(Context { settings: settings.clone(), plugin });
    let mut agent = Agent::new(Arc::clone(&context), ready);
    let mut watch = interval(WATCH);
    watch.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        if agent.is_behind(Instant::now()) {
            let networks = tokio::select! {
                () = stop.cancelled() => return agent.finish().await,
                networks = context.plugin.networks() => networks,
            };
            agent.compare(networks);
        }
        agent.work();
        *counts.lock() = agent.counts;
        let again = agent.next_time();
        tokio::select! {
            () = stop.cancelled() => return agent.finish().await,
            event = events.recv() => match event {
                Some(Event::Network { id, priority, change }) => agent.hear(&id, priority, change),
                Some(Event::Missed) => agent.behind = Some(Instant::now()),
                None => return,
            },
            Some(done) = agent.workers.join_next() => match done {
                Ok((served, result)) => agent.done(served, result),
                Err(error) => {
                    tracing::error!(%error, "nobody works on a network any more");
                    return;
                }
            },
            _ = watch.tick() => agent.watch(),
            () = sleep_until(again) => agent.try_again(),
        }
    }
}

/// Hears what the server says; false where the bus has ended.
async fn listen(bus: &Bus, tasks: &mut JoinSet<()>, happened: &mpsc::UnboundedSender<Event>) -> bool {
    let (mut consumer, heard) = (bus.consume(TOPIC), happened.clone());
    // Once it reports, it is told things.
    let is_there = consumer.attached().await;
    tasks.spawn(async move {
        while let Some(delivery) = consumer.next().await {
            let taken = delivery.take().await;
            let method = taken.message.method.as_str();
            let answer = match METHODS.contains(&method) {
                true => Ok(Value::Null),
                false => Err(RemoteError::no_such_method(TOPIC, method)),
            };
            match taken.message.arguments.get("payload").and_then(|payload| event(method, payload)) {
                Some(event) => drop(heard.send(event)),
                None => tracing::debug!(method, "a message says nothing to this agent"),
            }
            taken.answering.send(answer);
        }
    });
    let (mut renewals, happened) = (bus.renewals(), happened.clone());
    tasks.spawn(async move {
        while renewals.next(SPREAD).await {
            let _ = happened.send(Event::Missed);
        }
    });
    is_there
}

/// What is understood.
const METHODS: [&str; 10] = [
    "network_create_end",
    "network_update_end",
    "network_delete_end",
    "subnet_create_end",
    "subnet_update_end",
    "subnet_delete_end",
    "port_create_end",
    "port_update_end",
    "port_delete_end",
    "agent_updated",
];

/// What a message says; nothing where it says nothing to this agent.
fn event(method: &str, payload: &Value) -> Option<Event> {
    let word = |path: &str| payload.pointer(path).and_then(Value::as_str).map(str::to_owned);
    let (id, change) = match method {
        "network_create_end" => (word("/network/id")?, Change::Pull),
        "network_update_end" if payload.pointer("/network/admin_state_up") == Some(&Value::Bool(false)) => {
            (word("/network/id")?, Change::Leave)
        }
        "network_update_end" => (word("/network/id")?, Change::Pull),
        "network_delete_end" => (word("/network_id")?, Change::Leave),
        "subnet_create_end" | "subnet_update_end" => (word("/subnet/network_id")?, Change::Pull),
        "subnet_delete_end" => (word("/network_id")?, Change::Pull),
        "port_create_end" | "port_update_end" => {
            let port: Port = serde_json::from_value(payload.get("port")?.clone()).ok()?;
            (port.network_id.clone(), Change::Put(Box::new(port)))
        }
        "port_delete_end" => (word("/network_id")?, Change::Drop(word("/port_id")?)),
        // It may be switched on or off, which the server takes into account.
        "agent_updated" => return Some(Event::Missed),
        _ => return None,
    };
    // It becomes the name of a folder and of a namespace.
    Uuid::parse_str(&id).ok()?;
    let priority = payload.get("priority").and_then(Value::as_u64).unwrap_or(priority::UNKNOWN);
    Some(Event::Network { id, priority, change })
}

/// Says again and again that the agent lives.
async fn report(
    settings: Settings,
    server: Server,
    counts: Arc<Mutex<Counts>>,
    happened: mpsc::UnboundedSender<Event>,
) {
    let mut is_first = true;
    loop {
        let counted = *counts.lock();
        let pause = match server.report(settings.reported(counted), is_first).await {
            Ok(is_revived) => {
                // What an agent serves that the server did not know yet is asked for
                // again, too.
                if is_revived || is_first {
                    let _ = happened.send(Event::Missed);
                }
                is_first = false;
                settings.report_interval
            }
            Err(error) => {
                tracing::warn!(%error, "the server does not hear that this agent lives");
                if is_first { PAUSE } else { settings.report_interval }
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// A network, and what is to be done for it.
#[derive(Default)]
struct Lane {
    /// Nothing while somebody works on it.
    idle: Option<Served>,
    pending: Vec<Change>,
    /// Its place in the queue, if it waits there.
    place: Option<(u64, u64)>,
    counts: Counts,
}

type Done = (Served, Result<Outcome, Error>);

/// All networks, and who works on them.
struct Agent {
    context: Arc<Context>,
    ready: Arc<Ready>,
    lanes: BTreeMap<String, Lane>,
    /// Networks that wait for somebody to work on them, by priority and how long.
    queue: BTreeSet<(u64, u64, String)>,
    queued: u64,
    workers: JoinSet<Done>,
    /// When the server is to be asked for all networks again.
    behind: Option<Instant>,
    /// When networks are tried again.
    again: BTreeMap<String, Instant>,
    counts: Counts,
}

impl Agent {
    /// One that knows which networks were served here before.
    fn new(context: Arc<Context>, ready: Arc<Ready>) -> Agent {
        let folders = std::fs::read_dir(context.settings.folder());
        let names =
            folders.into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let names = names.filter(|name| Uuid::parse_str(name).is_ok());
        let lane = |id: &str| Lane { idle: Some(Served::new(id)), ..Lane::default() };
        Agent {
            lanes: names.map(|id| (id.clone(), lane(&id))).collect(),
            context,
            ready,
            queue: BTreeSet::new(),
            queued: 0,
            workers: JoinSet::new(),
            // The server knows which only once the agent has reported.
            behind: None,
            again: BTreeMap::new(),
            counts: Counts::default(),
        }
    }

    fn is_behind(&self, now: Instant) -> bool {
        self.behind.is_some_and(|since| since <= now)
    }

    /// When something is to be tried again.
    fn next_time(&self) -> Instant {
        let times = self.again.values().chain(&self.behind).min().copied();
        times.unwrap_or_else(|| Instant::now() + self.context.settings.resync_interval)
    }

    /// Takes note of something that was said of a network.
    fn hear(&mut self, id: &str, priority: u64, change: Change) {
        let is_new = matches!(change, Change::Pull | Change::Whole(_));
        if is_new {
            self.lanes
                .entry(id.to_owned())
                .or_insert_with(|| Lane { idle: Some(Served::new(id)), ..Lane::default() });
        }
        // What is not served does not have to be known.
        let Some(lane) = self.lanes.get_mut(id) else { return };
        lane.pending.push(change);
        self.enqueue(id, priority);
    }

    fn enqueue(&mut self, id: &str, priority: u64) {
        let Some(lane) = self.lanes.get_mut(id) else { return };
        match lane.place {
            Some((waits, _)) if waits <= priority => return,
            Some((waits, since)) => drop(self.queue.remove(&(waits, since, id.to_owned()))),
            None => {}
        }
        self.queued += 1;
        lane.place = Some((priority, self.queued));
        self.queue.insert((priority, self.queued, id.to_owned()));
    }

    /// Takes note of all networks that the server has this host serve.
    fn compare(&mut self, networks: Result<Vec<super::network::Network>, plugin::Error>) {
        let networks = match networks {
            Ok(networks) => networks,
            Err(error) => {
                tracing::warn!(%error, "the server is asked again which networks are served");
                self.behind = Some(Instant::now() + self.context.settings.resync_interval);
                return;
            }
        };
        self.behind = None;
        tracing::info!(networks = networks.len(), "the server has said which networks are served");
        let wanted: BTreeSet<String> = networks.iter().map(|network| network.id.clone()).collect();
        let others: Vec<String> = self.lanes.keys().filter(|id| !wanted.contains(*id)).cloned().collect();
        for id in others {
            self.hear(&id, priority::ALL, Change::Leave);
        }
        for network in networks {
            // Somebody who works on it may know more of it by now.
            let is_idle =
                self.lanes.get(&network.id).is_none_or(|lane| lane.idle.is_some() && lane.pending.is_empty());
            let id = network.id.clone();
            if Uuid::parse_str(&id).is_ok() {
                self.hear(
                    &id,
                    priority::ALL,
                    if is_idle { Change::Whole(Box::new(network)) } else { Change::Pull },
                );
            }
        }
    }

    /// Has as many networks worked on as there may be.
    fn work(&mut self) {
        let mut waiting = Vec::new();
        while self.workers.len() < self.context.settings.num_sync_threads.max(1)
            && let Some(place) = self.queue.pop_first()
        {
            let Some(lane) = self.lanes.get_mut(&place.2) else { continue };
            let Some(mut served) = lane.idle.take() else {
                // Somebody works on it already.
                waiting.push(place);
                continue;
            };
            lane.place = None;
            let changes = std::mem::take(&mut lane.pending);
            self.again.remove(&place.2);
            let context = Arc::clone(&self.context);
            self.workers.spawn(async move {
                let result = served.take(changes, &context).await;
                (served, result)
            });
        }
        self.queue.extend(waiting);
    }

    /// Takes note of what became of a network.
    fn done(&mut self, served: Served, result: Result<Outcome, Error>) {
        let id = served.id().to_owned();
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        match result {
            Ok(outcome) if outcome.is_left && lane.pending.is_empty() => drop(self.lanes.remove(&id)),
            Ok(outcome) => {
                lane.counts = served.counts();
                lane.idle = Some(served);
                self.ready.add(outcome.changed, true);
                self.ready.add(outcome.all, false);
            }
            Err(error) => {
                tracing::warn!(network = id, %error, "a network is not served as it should be");
                lane.idle = Some(served);
                if error.is_passing() {
                    self.again.insert(id, Instant::now() + self.context.settings.resync_interval);
                }
            }
        }
        let all = self.lanes.values().map(|lane| lane.counts);
        self.counts = all.fold(Counts::default(), |sum, one| Counts {
            networks: sum.networks + one.networks,
            subnets: sum.subnets + one.subnets,
            ports: sum.ports + one.ports,
        });
    }

    /// Looks whether a dnsmasq has ended.
    fn watch(&mut self) {
        let settings = &self.context.settings;
        let died = |lane: &Lane| lane.idle.as_ref().is_some_and(|served| served.has_died(settings));
        let died: Vec<String> =
            self.lanes.iter().filter(|(_, lane)| died(lane)).map(|(id, _)| id.clone()).collect();
        for id in died {
            if !self.again.contains_key(&id) {
                tracing::warn!(network = id, "its dnsmasq has ended and is started again");
                self.hear(&id, priority::DIED, Change::Died);
            }
        }
    }

    /// Has networks tried again whose time has come, as the server says they are.
    fn try_again(&mut self) {
        let now = Instant::now();
        let due: Vec<String> =
            self.again.iter().filter(|(_, time)| **time <= now).map(|(id, _)| id.clone()).collect();
        for id in due {
            self.again.remove(&id);
            self.hear(&id, priority::AGAIN, Change::Again);
        }
    }

    /// Lets those who work on networks come to an end.
    async fn finish(mut self) {
        let all = async { while self.workers.join_next().await.is_some() {} };
        if tokio::time::timeout(FINISH, all).await.is_err() {
            tracing::warn!("networks are left as they are");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_bus::Bus;
    use proptest::prelude::*;
    use serde_json::json;

    const N: &str = "11111111-0000-4000-8000-000000000001";

    fn said(method: &str, payload: Value) -> Option<(String, u64, String)> {
        match event(method, &payload)? {
            Event::Network { id, priority, change } => {
                Some((id, priority, format!("{change:?}").split(['(', ' ']).next()?.to_owned()))
            }
            Event::Missed => Some((String::new(), 0, "Missed".to_owned())),
        }
    }

    #[test]
    fn messages_say_what_neutron_says_with_them() {
        let port = json!({"id": "p", "network_id": N, "mac_address": "m"});
        for (method, payload, wanted) in [
            ("network_create_end", json!({"network": {"id": N}, "priority": 0}), (0, "Pull")),
            ("network_update_end", json!({"network": {"id": N, "admin_state_up": true}}), (255, "Pull")),
            ("network_update_end", json!({"network": {"id": N, "admin_state_up": false}}), (255, "Leave")),
            ("network_delete_end", json!({"network_id": N, "priority": 2}), (2, "Leave")),
            ("subnet_update_end", json!({"subnet": {"network_id": N}, "priority": 3}), (3, "Pull")),
            ("subnet_delete_end", json!({"network_id": N, "subnet_id": "s", "priority": 4}), (4, "Pull")),
            ("port_create_end", json!({"port": port, "priority": 5}), (5, "Put")),
            ("port_delete_end", json!({"network_id": N, "port_id": "p", "priority": 6}), (6, "Drop")),
        ] {
            assert_eq!(
                said(method, payload),
                Some((N.to_owned(), wanted.0, wanted.1.to_owned())),
                "{method}"
            );
        }
        assert_eq!(said("agent_updated", json!({"admin_state_up": false})).unwrap().2, "Missed");
        assert_eq!(said("network_delete_end", json!({"network_id": "../.."})), None);
        assert_eq!(said("port_create_end", json!({"port": {}})), None);
        assert_eq!(said("other", json!({})), None);
    }

    fn agent() -> Agent {
        let settings = Settings { state_path: "/nonexistent".into(), ..Settings::new("h") };
        let server = Server::new(Bus::in_process("h"), AGENT, "h");
        let plugin = Plugin::new(server, &settings);
        Agent::new(Arc::new(Context { settings, plugin }), Arc::new(Ready::default()))
    }

    proptest! {
        /// Who waits is first where anything said of it is urgent, then who waits longest,
        /// and nobody waits twice.
        #[test]
        fn networks_wait_in_order(heard in prop::collection::vec((0_u8..6, 0_u64..4), 0..30)) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let _guard = runtime.enter();
            let mut agent = agent();
            let mut urgent = BTreeMap::new();
            for (network, priority) in &heard {
                agent.hear(&network.to_string(), *priority, Change::Pull);
                let lowest = urgent.entry(network.to_string()).or_insert(*priority);
                *lowest = (*lowest).min(*priority);
            }
            let queue: Vec<(u64, u64, String)> = agent.queue.iter().cloned().collect();
            prop_assert_eq!(queue.iter().map(|(priority, _, id)| (id.clone(), *priority)).collect::<BTreeMap<_, _>>(), urgent);
            prop_assert!(queue.iter().map(|place| place.2.clone()).collect::<BTreeSet<_>>().len() == queue.len());
            let pending: usize = agent.lanes.values().map(|lane| lane.pending.len()).sum();
            prop_assert_eq!(pending, heard.len());
        }
    }

    #[test]
    fn what_is_not_served_is_not_remembered() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _guard = runtime.enter();
        let mut agent = agent();
        agent.hear(N, 0, Change::Drop("p".into()));
        agent.hear(N, 0, Change::Leave);
        assert!(agent.lanes.is_empty() && agent.queue.is_empty());
    }
}
