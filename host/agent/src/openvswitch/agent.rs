//! The loop: what changed, and what follows from it. Everything follows anew from
//! all that is known, and only what differs is written.

use super::fdb::{self, Fdb};
use super::flows::{Flows, Joints, Wired};
use super::limits::{Meter, Meters};
use super::switch::{Interface, Switch};
use super::vlans::Vlans;
use super::{AGENT, Known, Settings, bridges_of, trunks};
use crate::bridges::{self, Kind};
use crate::objects::{Objects, Port, Segment, VERSIONS};
use crate::server::Server;
use crate::{openflow, ovsdb};
use hadron_bus::{Bus, CallError, Consumer};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The pause after the switch or the server were away.
const PAUSE: Duration = Duration::from_secs(1);

/// What comes within this time of something else is dealt with at once.
const GATHERED: Duration = Duration::from_millis(20);

/// The longest pause before everything is asked for again after a broker was lost.
const SPREAD: Duration = Duration::from_secs(10);

/// Where others say that their tunnels begin or end.
const TUNNEL_UPDATE: &str = "q-agent-notifier-tunnel-update";
const TUNNEL_DELETE: &str = "q-agent-notifier-tunnel-delete";

/// Where servers say that something changed, without saying what it is now.
const CHANGES: [&str; 4] = [
    "q-agent-notifier-port-update",
    "q-agent-notifier-port-delete",
    "q-agent-notifier-network-delete",
    "q-agent-notifier-security_group-update",
];

/// How long flows on the tunnel bridge of an agent before this one are left alone
/// where the server tells what follows them: it begins once it knows what is here.
const TOLD_WITHIN: Duration = Duration::from_secs(10);

/// Why the agent begins anew.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("Open vSwitch's database: {0}")]
    Database(#[from] ovsdb::Error),
    #[error("flows: {0}")]
    Flows(#[from] openflow::Error),
    #[error("the server: {0}")]
    Server(#[from] CallError),
    #[error("Open vSwitch has ended")]
    SwitchGone,
    #[error("there is no bridge {bridge} for the physical network {network}: make it, or map another")]
    NoBridge { network: String, bridge: String },
}

/// Something that happened.
enum Event {
    /// Rows of the switch's database changed.
    Switch(Value),
    /// The server tells of objects.
    Objects { list: Vec<Value>, are_gone: bool },
    /// Tunnels of a type begin or end somewhere.
    Tunnel { kind: String, ip: IpAddr, is_gone: bool },
    /// The server tells where addresses are.
    Fdb { method: String, entries: Value },
    /// These are another now, or gone.
    Changed(Changed),
    /// The server has had time to tell where addresses are.
    Settled,
    /// Something may have been missed.
    Missed,
    /// The switch has ended.
    SwitchGone,
}

/// What the server only says has changed.
enum Changed {
    Port(String),
    PortGone(String),
    NetworkGone(String),
    Rules(Vec<String>),
    Members(Vec<String>),
}

/// Serves the host until told to stop. What the switch carries stays.
pub async fn run(settings: Settings, bus: Bus, stop: CancellationToken) {
    let serve = async {
        loop {
            // It never ends well: there is always something to wait for.
            if let Err(error) = served(&settings, &bus).await {
                tracing::warn!(%error, "begins anew");
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = serve => {}
    }
}

async fn served(settings: &Settings, bus: &Bus) -> Result<(), Error> {
    let database = ovsdb::Client::connect(&settings.run_folder.join("db.sock")).await?;
    let joints = joined(settings, &database).await?;
    let server = Server::new(bus.clone(), AGENT, &settings.host);
    while !server.is_alive().await.unwrap_or(false) {
        tracing::info!("no server answers yet");
        tokio::time::sleep(PAUSE).await;
    }
    let devices = Arc::new(AtomicUsize::new(0));
    // Before anything is asked for, so that nothing is missed. All of it ends with
    // this set.
    let mut tasks = JoinSet::new();
    let (happened, mut events) = mpsc::unbounded_channel();
    listen(settings, bus, &mut tasks, &happened).await;
    server.report(settings.reported(0), true).await?;
    tasks.spawn(report(settings.clone(), server.clone(), devices.clone(), happened.clone()));
    let (run_folder, bridge) = (settings.run_folder.clone(), settings.integration_bridge.clone());
    let gone = happened.clone();
    tasks.spawn(async move {
        let ended = openflow::ended(&run_folder, &bridge).await;
        tracing::debug!(?ended, "the switch does not answer");
        let _ = gone.send(Event::SwitchGone);
    });
    let settled = happened.clone();
    tasks.spawn(async move {
        tokio::time::sleep(TOLD_WITHIN).await;
        let _ = settled.send(Event::Settled);
    });
    let (now, mut updates) = database.monitor(Switch::monitored()).await?;
    tasks.spawn(async move {
        while let Some(update) = updates.recv().await {
            let _ = happened.send(Event::Switch(update));
        }
        let _ = happened.send(Event::SwitchGone);
    });
    let mut host = Host::new(settings, server, database, joints, devices);
    host.switch.apply(&now);
    let (run_folder, bridge) = (&settings.run_folder, &settings.integration_bridge);
    host.can_meter = openflow::most_meters(run_folder, bridge).await? > 0;
    match host.can_meter {
        true => host.metered = openflow::meters(run_folder, bridge).await?,
        false => tracing::warn!("the switch has no meters: bandwidth and packet rates are not limited"),
    }
    host.recover();
    host.sync().await?;
    loop {
        if let Err(error) = host.reconcile().await {
            match error {
                // What is written stays; what is missing is asked for again.
                Error::Server(error) => tracing::warn!(%error, "the server is asked again"),
                other => return Err(other),
            }
            tokio::time::sleep(PAUSE).await;
            host.is_behind = true;
        }
        if !host.is_behind {
            let Some(event) = events.recv().await else { return Err(Error::SwitchGone) };
            host.take(event)?;
            tokio::time::sleep(GATHERED).await;
        }
        while let Ok(event) = events.try_recv() {
            host.take(event)?;
        }
        if std::mem::take(&mut host.has_missed) {
            host.objects = Objects::default();
            host.asked = Asked::default();
            host.trunks.clear();
            host.is_refreshing = true;
            host.sync().await?;
        }
        host.is_behind = false;
    }
}

/// Makes the bridges and joins them.
async fn joined(settings: &Settings, database: &ovsdb::Client) -> Result<Joints, Error> {
    let (inner, outer) = (&settings.integration_bridge, &settings.tunnel_bridge);
    let mut joints = Joints::default();
    bridges::bridge(database, inner, &settings.datapath_type).await?;
    if settings.local_ip.is_some() {
        bridges::bridge(database, outer, &settings.datapath_type).await?;
        joints.to_tunnels = bridges::port(database, inner, "patch-tun", Kind::Patch("patch-int")).await?;
        joints.from_tunnels = bridges::port(database, outer, "patch-int", Kind::Patch("patch-tun")).await?;
    }
    for (network, bridge) in &settings.bridge_mappings {
        if !bridges::exists(database, bridge).await? {
            return Err(Error::NoBridge { network: network.clone(), bridge: bridge.clone() });
        }
        let (inside, outside) = (format!("int-{bridge}"), format!("phy-{bridge}"));
        let here = bridges::port(database, inner, &inside, Kind::Patch(&outside)).await?;
        let there = bridges::port(database, bridge, &outside, Kind::Patch(&inside)).await?;
        joints.physical.insert(network.clone(), (bridge.clone(), here, there));
    }
    Ok(joints)
}

/// Hears of objects and tunnels.
async fn listen(
    settings: &Settings,
    bus: &Bus,
    tasks: &mut JoinSet<()>,
    happened: &mpsc::UnboundedSender<Event>,
) {
    let objects = VERSIONS.iter().map(|(kind, version)| format!("neutron-vo-{kind}-{version}"));
    let topics = objects.chain([TUNNEL_UPDATE, TUNNEL_DELETE].into_iter().chain(CHANGES).map(str::to_owned));
    let topics = topics.chain(settings.l2_population.then(|| fdb::TOPIC.to_owned()));
    let mut consumers: Vec<Consumer> = topics.map(|topic| bus.consume(&topic)).collect();
    // What is told as soon as the agent reports must have a place to arrive at.
    for consumer in &mut consumers {
        consumer.attached().await;
    }
    for mut consumer in consumers {
        let happened = happened.clone();
        tasks.spawn(async move {
            while let Some(delivery) = consumer.next().await {
                let taken = delivery.take().await;
                if let Some(event) = read(&taken.message.method, &taken.message.arguments) {
                    let _ = happened.send(event);
                }
                taken.answering.send(Ok(Value::Null));
            }
        });
    }
    let (mut renewals, happened) = (bus.renewals(), happened.clone());
    tasks.spawn(async move {
        while renewals.next(SPREAD).await {
            let _ = happened.send(Event::Missed);
        }
    });
}

/// What a message says; nothing where it says nothing to this agent.
fn read(method: &str, arguments: &Value) -> Option<Event> {
    match method {
        "push" => {
            let list = arguments.get("resource_list")?.as_array()?.clone();
            let are_gone = arguments.get("event_type")?.as_str()? == "deleted";
            Some(Event::Objects { list, are_gone })
        }
        "tunnel_update" | "tunnel_delete" => Some(Event::Tunnel {
            kind: arguments.get("tunnel_type")?.as_str()?.to_owned(),
            ip: arguments.get("tunnel_ip")?.as_str()?.parse().ok()?,
            is_gone: method == "tunnel_delete",
        }),
        "add_fdb_entries" | "remove_fdb_entries" | "update_fdb_entries" => {
            Some(Event::Fdb { method: method.to_owned(), entries: arguments.get("fdb_entries")?.clone() })
        }
        _ => changed(method, arguments).map(Event::Changed),
    }
}

fn changed(method: &str, arguments: &Value) -> Option<Changed> {
    let text = |value: Option<&Value>| Some(value?.as_str()?.to_owned());
    let groups = || {
        let listed = arguments.get("security_groups")?.as_array()?;
        Some(listed.iter().filter_map(|id| text(Some(id))).collect())
    };
    match method {
        "port_update" => text(arguments.pointer("/port/id")).map(Changed::Port),
        "port_delete" => text(arguments.get("port_id")).map(Changed::PortGone),
        "network_delete" => text(arguments.get("network_id")).map(Changed::NetworkGone),
        "security_groups_rule_updated" => groups().map(Changed::Rules),
        "security_groups_member_updated" => groups().map(Changed::Members),
        _ => None,
    }
}

/// Says again and again that the agent lives.
async fn report(
    settings: Settings,
    server: Server,
    devices: Arc<AtomicUsize>,
    happened: mpsc::UnboundedSender<Event>,
) {
    loop {
        tokio::time::sleep(settings.report_interval).await;
        match server.report(settings.reported(devices.load(Ordering::Relaxed)), false).await {
            Ok(false) => {}
            Ok(true) => {
                let _ = happened.send(Event::Missed);
            }
            Err(error) => tracing::warn!(%error, "the server does not hear that this agent lives"),
        }
    }
}

/// What was asked for, whatever the answer was; the server tells of the rest.
#[derive(Default)]
struct Asked {
    ports: BTreeSet<String>,
    groups: BTreeSet<String>,
    members: BTreeSet<String>,
    addresses: BTreeSet<String>,
    policies: BTreeSet<String>,
    /// By the ports that may carry one.
    trunks: BTreeSet<String>,
}

/// What the server was told of a trunk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Told {
    /// Its sub-ports.
    sub_ports: BTreeMap<String, u16>,
    /// The MAC addresses of those that it bound.
    macs: BTreeMap<String, String>,
}

/// What is known of the host, and was done.
struct Host<'a> {
    settings: &'a Settings,
    server: Server,
    database: ovsdb::Client,
    joints: Joints,
    devices: Arc<AtomicUsize>,
    /// Marks this run's flows.
    cookie: u64,
    switch: Switch,
    objects: Objects,
    asked: Asked,
    /// Ports that are another than what is known.
    stale: BTreeSet<String>,
    vlans: Vlans,
    ends: BTreeMap<String, BTreeSet<IpAddr>>,
    /// The tunnels' ports, by type and far end.
    tunnels: BTreeMap<(String, IpAddr), u16>,
    /// Where addresses are.
    fdb: Fdb,
    meters: Meters,
    can_meter: bool,
    /// The meters that there are, and what those are that were written.
    metered: BTreeSet<u32>,
    written_meters: BTreeMap<u32, Meter>,
    /// Trunks whose sub-ports are bound.
    trunks: BTreeMap<String, Told>,
    /// What was written, by bridge.
    written: BTreeMap<String, Flows>,
    /// Ports that the server knows to be up here, with the revision at which it
    /// was told.
    told: BTreeMap<String, u64>,
    /// Whether the server is to be told of all ports, so that it tells where all that
    /// is in their networks is.
    is_refreshing: bool,
    is_settled: bool,
    /// The bridges on which nothing is left of an agent before this one.
    swept: BTreeSet<String>,
    is_behind: bool,
    has_missed: bool,
}

impl<'a> Host<'a> {
    fn new(
        settings: &'a Settings,
        server: Server,
        database: ovsdb::Client,
        joints: Joints,
        devices: Arc<AtomicUsize>,
    ) -> Host<'a> {
        Host {
            settings,
            server,
            database,
            joints,
            devices,
            cookie: rand::random(),
            switch: Switch::default(),
            objects: Objects::default(),
            asked: Asked::default(),
            stale: BTreeSet::new(),
            vlans: Vlans::default(),
            ends: BTreeMap::new(),
            tunnels: BTreeMap::new(),
            fdb: Fdb::default(),
            meters: Meters::default(),
            can_meter: false,
            metered: BTreeSet::new(),
            written_meters: BTreeMap::new(),
            trunks: BTreeMap::new(),
            written: BTreeMap::new(),
            told: BTreeMap::new(),
            is_refreshing: true,
            is_settled: false,
            swept: BTreeSet::new(),
            is_behind: false,
            has_missed: false,
        }
    }

    /// Networks keep the VLANs that they were in before this agent started.
    fn recover(&mut self) {
        for interface in self.switch.interfaces(&self.settings.integration_bridge) {
            if let (Some(network), Some(vlan)) = (&interface.network_id, interface.vlan) {
                self.vlans.recover(network, vlan);
            }
        }
    }

    fn take(&mut self, event: Event) -> Result<(), Error> {
        match event {
            Event::Switch(updates) => self.switch.apply(&updates),
            Event::Objects { list, are_gone } => {
                for object in &list {
                    self.objects.apply(object, are_gone);
                }
            }
            Event::Tunnel { kind, ip, is_gone } if Some(ip) != self.settings.local_ip => {
                let ends = self.ends.entry(kind).or_default();
                if is_gone {
                    ends.remove(&ip)
                } else {
                    ends.insert(ip)
                };
            }
            Event::Tunnel { .. } => {}
            Event::Fdb { method, entries } => {
                if let Some(local) = self.settings.local_ip {
                    self.fdb.apply(&method, &entries, local);
                }
            }
            Event::Changed(what) => self.forget(what),
            Event::Settled => self.is_settled = true,
            Event::Missed => self.has_missed = true,
            Event::SwitchGone => return Err(Error::SwitchGone),
        }
        Ok(())
    }

    /// What changed is asked for again, if it matters here.
    fn forget(&mut self, what: Changed) {
        match what {
            Changed::Port(id) if self.asked.ports.contains(&id) => {
                self.stale.insert(id);
            }
            Changed::Port(_) => {}
            Changed::PortGone(id) => {
                self.objects.ports.remove(&id);
            }
            Changed::NetworkGone(id) => self.objects.ports.retain(|_, port| port.network_id != id),
            Changed::Rules(ids) => self.asked.groups.retain(|id| !ids.contains(id)),
            Changed::Members(ids) => {
                for id in &ids {
                    if !self.asked.members.remove(id) {
                        continue;
                    }
                    // Who is a member still is in the answer.
                    self.objects
                        .ports
                        .retain(|port, of| self.asked.ports.contains(port) || !of.groups.contains(id));
                }
            }
        }
    }

    /// Says where tunnels end here, and learns where they end elsewhere.
    async fn sync(&mut self) -> Result<(), Error> {
        let Some(ip) = self.settings.local_ip else { return Ok(()) };
        for kind in &self.settings.tunnel_types {
            let ends = self.server.tunnels(kind, ip).await?;
            self.ends.insert(kind.clone(), ends.into_iter().collect());
        }
        Ok(())
    }

    /// Has the switch be as it should be, and the server know it.
    async fn reconcile(&mut self) -> Result<(), Error> {
        // Ports are wired though trunks are not.
        let joined = match self.join_trunks().await {
            Err(Error::Server(error)) => Err(Error::Server(error)),
            other => Ok(other?),
        };
        let interfaces = self.switch.interfaces(&self.settings.integration_bridge);
        self.ask(&interfaces).await?;
        let host = &self.settings.host;
        let wanted: Vec<(&Interface, Port, Segment)> = interfaces
            .iter()
            .filter_map(|interface| {
                let port = self.objects.ports.get(interface.port_id.as_ref()?)?;
                let segment = port.bound.get(host)?;
                port.is_enabled.then(|| (interface, port.clone(), segment.clone()))
            })
            .collect();
        let networks = wanted.iter().map(|(_, port, _)| port.network_id.as_str()).collect();
        self.vlans.keep(&networks);
        self.fdb.keep(&networks);
        let segments = wanted.iter().map(|(_, port, segment)| (port.network_id.as_str(), segment)).collect();
        self.dig(segments).await?;
        let mut wired = Vec::with_capacity(wanted.len());
        let mut tags = Vec::new();
        for (interface, port, segment) in &wanted {
            let (Some(number), Some(vlan)) = (interface.number, self.vlans.of(&port.network_id)) else {
                continue;
            };
            if interface.vlan != Some(vlan) || interface.network_id.as_ref() != Some(&port.network_id) {
                tags.push((interface.name.clone(), port.network_id.clone(), vlan));
            }
            wired.push(Wired { number, vlan, port, segment });
        }
        if !tags.is_empty() {
            bridges::tag(&self.database, &tags).await?;
        }
        self.write(&wired).await?;
        let failed = wanted.iter().filter(|(interface, ..)| interface.has_failed);
        let failed: BTreeSet<&str> = failed.map(|(_, port, _)| port.id.as_str()).collect();
        self.tell(&wired, &failed).await?;
        joined
    }

    /// Learns what it does not know of what is plugged in, and of what that needs.
    async fn ask(&mut self, interfaces: &[Interface]) -> Result<(), Error> {
        let plugged: BTreeSet<String> = interfaces.iter().filter_map(|i| i.port_id.clone()).collect();
        let new = plugged.iter().filter(|id| !self.objects.ports.contains_key(*id));
        let mut new: BTreeSet<String> = new.filter(|id| !self.asked.ports.contains(*id)).cloned().collect();
        for id in &self.stale {
            self.objects.ports.remove(id);
            new.insert(id.clone());
        }
        self.learn("Port", "id", &new.into_iter().collect::<Vec<_>>()).await?;
        self.stale.clear();
        self.asked.ports = plugged.clone();
        let ports = plugged.iter().filter_map(|id| self.objects.ports.get(id));
        let policies = ports.filter_map(|port| self.objects.policy_id_of(port).cloned());
        let new: BTreeSet<String> = policies.filter(|id| !self.asked.policies.contains(id)).collect();
        self.learn("QosPolicy", "id", &new.iter().cloned().collect::<Vec<_>>()).await?;
        self.asked.policies.extend(new);
        let ports = plugged.iter().filter_map(|id| self.objects.ports.get(id)).filter(|port| port.is_secured);
        let groups: BTreeSet<String> = ports.flat_map(|port| port.groups.iter().cloned()).collect();
        let new: Vec<String> = groups.difference(&self.asked.groups).cloned().collect();
        self.learn("SecurityGroup", "id", &new).await?;
        self.asked.groups.extend(new);
        let rules = || self.objects.rules.values().filter(|rule| groups.contains(&rule.security_group_id));
        let members: BTreeSet<String> = rules().filter_map(|rule| rule.remote_group_id.clone()).collect();
        let addresses: BTreeSet<String> =
            rules().filter_map(|rule| rule.remote_address_group_id.clone()).collect();
        let new: Vec<String> = members.difference(&self.asked.members).cloned().collect();
        self.learn("Port", "security_group_ids", &new).await?;
        self.asked.members.extend(new);
        let new: Vec<String> = addresses.difference(&self.asked.addresses).cloned().collect();
        self.learn("AddressGroup", "id", &new).await?;
        self.asked.addresses.extend(new);
        Ok(())
    }

    async fn learn(&mut self, kind: &str, field: &str, values: &[String]) -> Result<(), Error> {
        for object in self.server.objects(kind, field, values).await? {
            self.objects.apply(&object, false);
        }
        Ok(())
    }

    /// Makes the tunnels that are missing, and removes those that lead nowhere.
    async fn dig(&mut self, segments: BTreeMap<&str, &Segment>) -> Result<(), Error> {
        let Some(local) = self.settings.local_ip else { return Ok(()) };
        let bridge = &self.settings.tunnel_bridge;
        let wanted: BTreeSet<(String, IpAddr)> = match self.settings.l2_population {
            true => {
                let tunnels = segments
                    .iter()
                    .filter(|(_, segment)| self.settings.tunnel_types.contains(&segment.network_type));
                let ends = tunnels.flat_map(|(network, segment)| {
                    self.fdb.ends(network).map(|(ip, _)| (segment.network_type.clone(), *ip))
                });
                ends.collect()
            }
            false => {
                let ends = self.ends.iter();
                ends.flat_map(|(kind, ends)| ends.iter().map(|ip| (kind.clone(), *ip))).collect()
            }
        };
        let gone: Vec<_> = self.tunnels.keys().filter(|tunnel| !wanted.contains(*tunnel)).cloned().collect();
        for tunnel in gone {
            bridges::remove_port(&self.database, bridge, &tunnel_name(&tunnel.0, tunnel.1)).await?;
            self.tunnels.remove(&tunnel);
        }
        for (kind, ip) in wanted {
            if self.tunnels.contains_key(&(kind.clone(), ip)) {
                continue;
            }
            let (near, far) = (local.to_string(), ip.to_string());
            let ends = Kind::Tunnel(&kind, &near, &far);
            let number = bridges::port(&self.database, bridge, &tunnel_name(&kind, ip), ends).await?;
            self.tunnels.insert((kind, ip), number);
        }
        self.joints.tunnels.clear();
        for ((kind, ip), number) in &self.tunnels {
            self.joints.tunnels.entry(kind.clone()).or_default().insert(*ip, *number);
        }
        Ok(())
    }

    /// Writes what differs; the first time all of it, and then takes away what an
    /// agent before this one wrote.
    async fn write(&mut self, wired: &[Wired<'_>]) -> Result<(), Error> {
        if self.can_meter {
            self.meters.count(wired, &self.objects);
        }
        self.write_meters().await?;
        let known = Known {
            wired,
            joints: &self.joints,
            objects: &self.objects,
            meters: &self.meters,
            fdb: &self.fdb,
        };
        for (bridge, wanted) in bridges_of(self.settings, known, self.cookie) {
            let before = self.written.entry(bridge.clone()).or_default();
            let (surplus, missing) =
                (wanted.surplus_in(before, self.cookie), wanted.missing_in(before, self.cookie));
            if !surplus.is_empty() || !missing.is_empty() {
                openflow::change(&self.settings.run_folder, &bridge, &surplus, &missing).await?;
                tracing::debug!(bridge, added = missing.len(), removed = surplus.len(), "flows written");
                *before = wanted;
            }
        }
        let waits = self.settings.l2_population && !self.is_settled;
        for bridge in self.written.keys() {
            if self.swept.contains(bridge) || waits && *bridge == self.settings.tunnel_bridge {
                continue;
            }
            openflow::sweep(&self.settings.run_folder, bridge, self.cookie).await?;
            self.swept.insert(bridge.clone());
        }
        self.remove_meters().await
    }

    /// Flows need their meters before them.
    async fn write_meters(&mut self) -> Result<(), Error> {
        let Settings { run_folder, integration_bridge, .. } = self.settings;
        for (number, meter) in self.meters.all() {
            if self.written_meters.get(number) != Some(meter) {
                let is_there = self.metered.contains(number);
                openflow::set_meter(run_folder, integration_bridge, *number, &meter.to_string(), is_there)
                    .await?;
                self.metered.insert(*number);
                self.written_meters.insert(*number, *meter);
            }
        }
        Ok(())
    }

    /// No flow uses them any more.
    async fn remove_meters(&mut self) -> Result<(), Error> {
        let Settings { run_folder, integration_bridge, .. } = self.settings;
        let surplus = self.metered.iter().filter(|number| !self.meters.all().contains_key(*number));
        for number in surplus.copied().collect::<Vec<u32>>() {
            openflow::remove_meter(run_folder, integration_bridge, number).await?;
            self.metered.remove(&number);
            self.written_meters.remove(&number);
        }
        Ok(())
    }

    /// Joins the bridges of trunks with the integration bridge, and parts them.
    async fn join_trunks(&mut self) -> Result<(), Error> {
        let parents = trunks::parents(&self.switch);
        let carriers: BTreeSet<String> = parents.iter().map(|parent| parent.port_id.clone()).collect();
        let new: Vec<String> = carriers.difference(&self.asked.trunks).cloned().collect();
        self.learn("Trunk", "port_id", &new).await?;
        self.asked.trunks = carriers;
        let mut wanted = Vec::new();
        let mut news = BTreeMap::new();
        for parent in &parents {
            let trunk = self.objects.trunks.iter().find(|(_, trunk)| trunk.port_id == parent.port_id);
            let Some((id, trunk)) = trunk else { continue };
            let told = match self.trunks.get(id) {
                Some(told) if told.sub_ports == trunk.sub_ports => told.clone(),
                _ => {
                    let macs = self.server.bind_sub_ports(id, &trunk.sub_ports).await?;
                    let told = Told { sub_ports: trunk.sub_ports.clone(), macs };
                    news.insert(id.clone(), told.clone());
                    told
                }
            };
            wanted.extend(trunks::joints(parent, trunk, &told.macs));
        }
        let bridge = &self.settings.integration_bridge;
        for joint in trunks::missing(&self.switch, bridge, &wanted) {
            bridges::join(&self.database, bridge, joint).await?;
        }
        for (bridge, port) in trunks::surplus(&self.switch, bridge, &wanted) {
            bridges::remove_port(&self.database, &bridge, &port).await?;
        }
        for (id, told) in news {
            let is_whole = told.sub_ports.keys().all(|port| told.macs.contains_key(port));
            self.server.trunk_is(&id, if is_whole { "ACTIVE" } else { "DEGRADED" }).await?;
            self.trunks.insert(id, told);
        }
        let objects = &self.objects;
        let is_here = |id: &String| {
            let trunk = objects.trunks.get(id);
            trunk.is_some_and(|trunk| parents.iter().any(|parent| parent.port_id == trunk.port_id))
        };
        self.trunks.retain(|id, _| is_here(id));
        Ok(())
    }

    /// Tells the server which ports work here from now on, and which do not any
    /// more.
    async fn tell(&mut self, wired: &[Wired<'_>], failed: &BTreeSet<&str>) -> Result<(), Error> {
        self.devices.store(wired.len(), Ordering::Relaxed);
        // One that works and that the server holds for down it is told of, once for
        // what it says.
        let is_refreshing = self.is_refreshing && self.settings.l2_population;
        let is_news = |port: &Port| match self.told.get(&port.id) {
            None => true,
            Some(_) if is_refreshing => true,
            Some(revision) => port.status != "ACTIVE" && port.revision > *revision,
        };
        let new: Vec<&Port> = wired.iter().map(|wired| wired.port).filter(|port| is_news(port)).collect();
        let here: BTreeSet<&str> = wired.iter().map(|wired| wired.port.id.as_str()).collect();
        let left = self.told.keys().map(String::as_str).filter(|id| !here.contains(id));
        let down: BTreeSet<&str> = left.chain(failed.iter().copied()).collect();
        // What failed is said once.
        let down: Vec<String> = down
            .into_iter()
            .filter(|id| self.told.contains_key(*id) || self.asked.ports.contains(*id))
            .filter(|id| {
                !failed.contains(id) || self.objects.ports.get(*id).is_some_and(|p| p.status != "DOWN")
            })
            .map(str::to_owned)
            .collect();
        if new.is_empty() && down.is_empty() {
            self.is_refreshing = false;
            return Ok(());
        }
        let up: Vec<String> = new.iter().map(|port| port.id.clone()).collect();
        match is_refreshing {
            true => self.server.devices_refreshed(&up, &down).await?,
            false => self.server.devices(&up, &down).await?,
        }
        self.is_refreshing = false;
        tracing::info!(up = up.len(), down = down.len(), "the server knows of devices");
        self.told.extend(new.into_iter().map(|port| (port.id.clone(), port.revision)));
        self.told.retain(|id, _| here.contains(id.as_str()));
        Ok(())
    }
}

/// The name of a tunnel's port: of its type and the far end's address.
fn tunnel_name(kind: &str, ip: IpAddr) -> String {
    let far = match ip {
        IpAddr::V4(ip) => format!("{:08x}", u32::from(ip)),
        // Names have 15 characters; the last 32 bits tell hosts of a network apart.
        IpAddr::V6(ip) => format!("{:08x}", u128::from(ip) & 0xffff_ffff),
    };
    format!("{kind}-{far}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn messages_say_what_they_say_and_others_nothing() {
        let says = |method: &str, arguments: Value| read(method, &arguments).is_some();
        assert!(says("push", json!({"resource_list": [], "event_type": "deleted"})));
        assert!(says("tunnel_update", json!({"tunnel_ip": "192.0.2.2", "tunnel_type": "vxlan"})));
        assert!(says("add_fdb_entries", json!({"fdb_entries": {}})));
        assert!(
            says("port_update", json!({"port": {"id": "p"}})) && says("port_delete", json!({"port_id": "p"}))
        );
        assert!(says("network_delete", json!({"network_id": "n"})));
        for method in ["security_groups_rule_updated", "security_groups_member_updated"] {
            assert!(says(method, json!({"security_groups": ["g"]})) && !says(method, json!({})));
        }
        for method in
            ["push", "tunnel_update", "add_fdb_entries", "port_update", "port_delete", "network_delete"]
        {
            assert!(!says(method, json!({})) && !says(method, json!(null)));
        }
        assert!(!says("network_update", json!({"network": {"id": "n"}})));
    }

    #[test]
    fn tunnels_are_named_as_their_type_and_end() {
        assert_eq!(tunnel_name("vxlan", IpAddr::from([192, 0, 2, 1])), "vxlan-c0000201");
        assert_eq!(tunnel_name("gre", "2001:db8::1:2".parse().unwrap()), "gre-00010002");
    }
}
