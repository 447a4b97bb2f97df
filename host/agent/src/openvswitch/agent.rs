//! The loop: what changed, and what follows from it. Everything follows anew from
//! all that is known, and only what differs is written.

use super::fdb::Fdb;
use super::flows::{Flows, Joints, Wired};
use super::limits::{Meter, Meters};
use super::switch::{Interface, Switch};
use super::vlans::Vlans;
use super::{AGENT, Facts, Settings, bridges_of, trunks};
use crate::bridges::{self, Kind};
use crate::known::{Known, Told};
use crate::news::{self, News};
use crate::objects::{Port, Segment};
use crate::server::Server;
use crate::{openflow, ovsdb};
use hadron_bus::{Bus, CallError};
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
    /// The server says something.
    News(News),
    /// The server has had time to tell where addresses are.
    Settled,
    /// The switch has ended.
    SwitchGone,
}

impl From<News> for Event {
    fn from(news: News) -> Event {
        Event::News(news)
    }
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
    let mut topics = news::CHANGES.to_vec();
    topics.extend(settings.l2_population.then_some(news::FDB));
    news::listen(bus, &topics, &mut tasks, &happened).await;
    server.report(settings.reported(0), true).await?;
    let configurations = {
        let (settings, devices) = (settings.clone(), devices.clone());
        move || settings.reported(devices.load(Ordering::Relaxed))
    };
    tasks.spawn(news::report(server.clone(), settings.report_interval, configurations, happened.clone()));
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
            host.known = Known::default();
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

/// What the server was told of a trunk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Bound {
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
    known: Known,
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
    trunks: BTreeMap<String, Bound>,
    /// What was written, by bridge.
    written: BTreeMap<String, Flows>,
    told: Told,
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
            known: Known::default(),
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
            told: Told::default(),
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
            Event::News(News::Objects { list, are_gone }) => self.known.hear(&list, are_gone),
            Event::News(News::Tunnel { kind, ip, is_gone }) if Some(ip) != self.settings.local_ip => {
                let ends = self.ends.entry(kind).or_default();
                if is_gone {
                    ends.remove(&ip)
                } else {
                    ends.insert(ip)
                };
            }
            Event::News(News::Tunnel { .. }) => {}
            Event::News(News::Fdb { method, entries }) => {
                if let Some(local) = self.settings.local_ip {
                    self.fdb.apply(&method, &entries, local);
                }
            }
            Event::News(News::Changed(what)) => self.known.forget(what),
            Event::News(News::Missed) => self.has_missed = true,
            Event::Settled => self.is_settled = true,
            Event::SwitchGone => return Err(Error::SwitchGone),
        }
        Ok(())
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
        let plugged = interfaces.iter().filter_map(|interface| interface.port_id.clone()).collect();
        self.known.ask(&self.server, &plugged, &BTreeSet::new()).await?;
        let host = &self.settings.host;
        let wanted: Vec<(&Interface, Port, Segment)> = interfaces
            .iter()
            .filter_map(|interface| {
                let port = self.known.objects.ports.get(interface.port_id.as_ref()?)?;
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
        let failed: Vec<&Port> = failed.map(|(_, port, _)| port).collect();
        self.tell(&wired, &failed).await?;
        joined
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
            self.meters.count(wired, &self.known.objects);
        }
        self.write_meters().await?;
        let facts = Facts {
            wired,
            joints: &self.joints,
            objects: &self.known.objects,
            meters: &self.meters,
            fdb: &self.fdb,
        };
        for (bridge, wanted) in bridges_of(self.settings, facts, self.cookie) {
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
        let carriers = parents.iter().map(|parent| parent.port_id.clone()).collect();
        self.known.ask_of_trunks(&self.server, carriers).await?;
        let mut wanted = Vec::new();
        let mut news = BTreeMap::new();
        for parent in &parents {
            let trunk = self.known.objects.trunks.iter().find(|(_, trunk)| trunk.port_id == parent.port_id);
            let Some((id, trunk)) = trunk else { continue };
            let told = match self.trunks.get(id) {
                Some(told) if told.sub_ports == trunk.sub_ports => told.clone(),
                _ => {
                    let macs = self.server.bind_sub_ports(id, &trunk.sub_ports).await?;
                    let told = Bound { sub_ports: trunk.sub_ports.clone(), macs };
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
        let objects = &self.known.objects;
        let is_here = |id: &String| {
            let trunk = objects.trunks.get(id);
            trunk.is_some_and(|trunk| parents.iter().any(|parent| parent.port_id == trunk.port_id))
        };
        self.trunks.retain(|id, _| is_here(id));
        Ok(())
    }

    /// Tells the server which ports work here from now on, and which do not any
    /// more.
    async fn tell(&mut self, wired: &[Wired<'_>], failed: &[&Port]) -> Result<(), Error> {
        self.devices.store(wired.len(), Ordering::Relaxed);
        let anew = self.is_refreshing && self.settings.l2_population;
        let untold = self.told.untold(wired.iter().map(|wired| wired.port), failed.iter().copied(), anew);
        self.told.tell(&self.server, untold, anew).await?;
        self.is_refreshing = false;
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

    #[test]
    fn tunnels_are_named_as_their_type_and_end() {
        assert_eq!(tunnel_name("vxlan", IpAddr::from([192, 0, 2, 1])), "vxlan-c0000201");
        assert_eq!(tunnel_name("gre", "2001:db8::1:2".parse().unwrap()), "gre-00010002");
    }
}
