//! The loop: what changed, and what follows from it. Everything follows anew from
//! all that is known, and only what differs is done.

use super::firewall::{self, Filtered, Member};
use super::places::{self, Place, Uplink};
use super::{AGENT, Settings};
use crate::known::{Known, Told};
use crate::links::{self, Link, Links, Vxlan};
use crate::news::{self, News};
use crate::nft;
use crate::objects::Port;
use crate::openvswitch::vlans::Vlans;
use crate::server::{PLUGIN, Server};
use futures::StreamExt;
use hadron_bus::{Bus, CallError};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The pause after the kernel refused something or the server was away.
const PAUSE: Duration = Duration::from_secs(1);

/// What comes within this time of something else is dealt with at once.
const GATHERED: Duration = Duration::from_millis(20);

/// The one type of tunnels.
const VXLAN: &str = "vxlan";

/// What is noted on links: whose they are. An agent that starts finds it there.
const NETWORK: &str = "hadron network ";
const PORT: &str = "hadron port ";
const UPLINK: &str = "hadron uplink";

/// Where the kernel is told whether a link has addresses of version 6.
const IPV6: &str = "/proc/sys/net/ipv6/conf";

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Links(#[from] links::Error),
    #[error(transparent)]
    Filter(#[from] nft::Error),
    #[error("the server: {0}")]
    Server(#[from] CallError),
    #[error("the kernel tells of links no more")]
    Ended,
}

/// Why a network is not carried.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Place(#[from] places::Error),
    #[error(transparent)]
    Links(#[from] links::Error),
    #[error("there is no link '{0}'")]
    NoLink(String),
    #[error("no host may carry more networks")]
    NoZone,
}

/// Something that happened.
enum Event {
    /// Links came, changed or went.
    Links,
    /// The server said something.
    News(News),
    /// The kernel says nothing more.
    Ended,
}

impl From<News> for Event {
    fn from(news: News) -> Event {
        Event::News(news)
    }
}

/// Serves the host until told to stop: the network namespace of the thread that
/// polls this. What the kernel carries stays.
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
    let (kernel, mut changes) = Links::connect()?;
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
    news::listen(bus, &news::CHANGES, &mut tasks, &happened).await;
    server.report(settings.reported(0), true).await?;
    let configurations = {
        let (settings, devices) = (settings.clone(), devices.clone());
        move || settings.reported(devices.load(Ordering::Relaxed))
    };
    tasks.spawn(news::report(server.clone(), settings.report_interval, configurations, happened.clone()));
    tasks.spawn(async move {
        while changes.next().await.is_some() {
            let _ = happened.send(Event::Links);
        }
        let _ = happened.send(Event::Ended);
    });
    let mut host = Host::new(settings, server, kernel, devices);
    host.sync().await?;
    loop {
        let mut is_behind = false;
        if let Err(error) = host.reconcile().await {
            // What was done stays; what is missing is tried again.
            tracing::warn!(%error, "tries again");
            tokio::time::sleep(PAUSE).await;
            is_behind = true;
        }
        if !is_behind {
            let Some(event) = events.recv().await else { return Err(Error::Ended) };
            host.take(event)?;
            tokio::time::sleep(GATHERED).await;
        }
        while let Ok(event) = events.try_recv() {
            host.take(event)?;
        }
        if std::mem::take(&mut host.has_missed) {
            host.known = Known::default();
            host.sync().await?;
        }
    }
}

/// A port that is to be carried, by its tap.
struct Wanted {
    tap: Link,
    port: Port,
    zone: u16,
    bridge: Link,
}

/// What is known of the host, and was done.
struct Host<'a> {
    settings: &'a Settings,
    server: Server,
    kernel: Links,
    devices: Arc<AtomicUsize>,
    /// The kernel's links, as they were last seen.
    links: Vec<Link>,
    known: Known,
    /// Names of taps whose ports were asked for, with what was answered.
    names: BTreeMap<String, Option<String>>,
    /// The zone of each network: nothing but the numbers is VLANs'.
    zones: Vlans,
    is_recovered: bool,
    /// Where tunnels end elsewhere.
    ends: BTreeSet<IpAddr>,
    /// Where each tunnel sends to, by its number.
    sends: BTreeMap<u32, BTreeSet<IpAddr>>,
    /// Numbers of bridges whose packets are known to be filtered.
    bridges: BTreeSet<u32>,
    /// The filter's text.
    written: String,
    told: Told,
    /// Ports that are not carried, with why.
    refused: BTreeMap<String, String>,
    has_missed: bool,
}

impl<'a> Host<'a> {
    fn new(settings: &'a Settings, server: Server, kernel: Links, devices: Arc<AtomicUsize>) -> Host<'a> {
        Host {
            settings,
            server,
            kernel,
            devices,
            links: Vec::new(),
            known: Known::default(),
            names: BTreeMap::new(),
            zones: Vlans::default(),
            is_recovered: false,
            ends: BTreeSet::new(),
            sends: BTreeMap::new(),
            bridges: BTreeSet::new(),
            written: String::new(),
            told: Told::default(),
            refused: BTreeMap::new(),
            has_missed: false,
        }
    }

    fn take(&mut self, event: Event) -> Result<(), Error> {
        match event {
            Event::Links => {}
            Event::News(News::Objects { list, are_gone }) => self.known.hear(&list, are_gone),
            Event::News(News::Tunnel { kind, ip, is_gone }) => {
                if kind == VXLAN && Some(ip) != self.settings.local_ip {
                    if is_gone {
                        self.ends.remove(&ip)
                    } else {
                        self.ends.insert(ip)
                    };
                }
            }
            Event::News(News::Changed(what)) => self.known.forget(what),
            // Tunnels lead to all hosts.
            Event::News(News::Fdb { .. }) => {}
            Event::News(News::Missed) => self.has_missed = true,
            Event::Ended => return Err(Error::Ended),
        }
        Ok(())
    }

    /// Says where tunnels end here, and learns where they end elsewhere.
    async fn sync(&mut self) -> Result<(), Error> {
        if let Some(ip) = self.settings.tunnel_ip() {
            self.ends = self.server.tunnels(VXLAN, ip).await?.into_iter().collect();
        }
        Ok(())
    }

    async fn look(&mut self) -> Result<(), links::Error> {
        self.links = self.kernel.all().await?;
        Ok(())
    }

    fn named(&self, name: &str) -> Option<Link> {
        self.links.iter().find(|link| link.name == name).cloned()
    }

    fn numbered(&self, index: Option<u32>) -> Option<&Link> {
        self.links.iter().find(|link| Some(link.index) == index)
    }

    /// The id of a tap's port, as far as it is known.
    fn id(&self, tap: &Link) -> Option<String> {
        if let Some((id, _)) = noted(tap) {
            return Some(id.to_owned());
        }
        let beginning = places::of_tap(&tap.name)?;
        let mut ports = self.known.objects.ports.range(beginning.to_owned()..);
        let known = ports.next().map(|(id, _)| id).filter(|id| id.starts_with(beginning));
        known.or_else(|| self.names.get(&tap.name)?.as_ref()).cloned()
    }

    /// Has the kernel carry what it should, and the server know it.
    async fn reconcile(&mut self) -> Result<(), Error> {
        self.look().await?;
        let taps = self.identify().await?;
        let networks: BTreeSet<String> =
            self.links.iter().filter_map(|link| network_of(link).map(str::to_owned)).collect();
        let ids = taps.iter().map(|(_, id)| id.clone()).collect();
        self.known.ask(&self.server, &ids, &networks).await?;
        if !self.is_recovered {
            self.recover();
            self.is_recovered = true;
        }
        let (wanted, failed) = self.place(taps).await?;
        self.unplug(&wanted).await?;
        self.lay().await?;
        self.filter(&wanted).await?;
        self.plug(&wanted).await?;
        self.sweep().await?;
        self.tell(&wanted, &failed).await
    }

    /// The taps, each with its port's id. Of one that nothing is known of the
    /// server is asked once.
    async fn identify(&mut self) -> Result<Vec<(Link, String)>, Error> {
        let taps: Vec<Link> =
            self.links.iter().filter(|link| places::of_tap(&link.name).is_some()).cloned().collect();
        self.names.retain(|name, _| taps.iter().any(|tap| tap.name == *name));
        let unknown: Vec<&str> = taps
            .iter()
            .filter(|tap| self.id(tap).is_none() && !self.names.contains_key(&tap.name))
            .map(|tap| tap.name.as_str())
            .collect();
        if !unknown.is_empty() {
            let arguments = json!({"devices": unknown, "host": self.settings.host,
                "agent_id": format!("{}-{}", AGENT.binary, self.settings.host)});
            let answer = self.server.ask(PLUGIN, 3, "get_devices_details_list", arguments).await?;
            for details in answer.as_array().into_iter().flatten() {
                let text = |name: &str| details.get(name).and_then(Value::as_str).map(str::to_owned);
                if let Some(device) = text("device") {
                    self.names.insert(device, text("port_id"));
                }
            }
        }
        Ok(taps.into_iter().filter_map(|tap| self.id(&tap).map(|id| (tap, id))).collect())
    }

    /// Networks keep the zones that they had before this agent started: their
    /// connections go on.
    fn recover(&mut self) {
        for (id, zone) in self.links.iter().filter_map(noted) {
            if let (Some(port), Some(zone)) = (self.known.objects.ports.get(id), zone) {
                self.zones.recover(&port.network_id, zone);
            }
        }
    }

    /// The bridges that ports need, with what leads from them to other hosts; and
    /// the ports that cannot be carried.
    async fn place(&mut self, taps: Vec<(Link, String)>) -> Result<(Vec<Wanted>, Vec<Port>), Error> {
        let host = &self.settings.host;
        let ports: Vec<_> = taps
            .into_iter()
            .filter_map(|(tap, id)| {
                let port = self.known.objects.ports.get(&id).filter(|port| port.is_enabled)?;
                Some((tap, port.clone(), port.bound.get(host)?.clone()))
            })
            .collect();
        self.zones.keep(&ports.iter().map(|(_, port, _)| port.network_id.as_str()).collect());
        let mut bridges: BTreeMap<String, Result<(Link, u16), String>> = BTreeMap::new();
        let (mut wanted, mut failed) = (Vec::new(), Vec::new());
        for (tap, port, segment) in ports {
            if !bridges.contains_key(&port.network_id) {
                let place = places::place(self.settings, &port.network_id, &segment);
                let bridge = match place {
                    Ok(place) => self.bridge(&port.network_id, &place).await,
                    Err(error) => Err(error.into()),
                };
                bridges.insert(port.network_id.clone(), bridge.map_err(|refusal| refusal.to_string()));
            }
            match bridges.get(&port.network_id) {
                Some(Ok((bridge, zone))) => {
                    wanted.push(Wanted { tap, port, zone: *zone, bridge: bridge.clone() });
                }
                Some(Err(refusal)) => {
                    if self.refused.get(&port.id) != Some(refusal) {
                        tracing::error!(port = port.id, %refusal, "a port is not carried");
                        self.refused.insert(port.id.clone(), refusal.clone());
                    }
                    failed.push(port);
                }
                None => {}
            }
        }
        self.refused.retain(|id, _| failed.iter().any(|port| port.id == *id));
        Ok((wanted, failed))
    }

    /// A network's bridge and zone; made if it is not there.
    async fn bridge(&mut self, network: &str, place: &Place) -> Result<(Link, u16), Refusal> {
        let zone = self.zones.of(network).ok_or(Refusal::NoZone)?;
        let note = format!("{NETWORK}{network}");
        if place.is_made && self.named(&place.bridge).is_none() {
            self.kernel.add_bridge(&place.bridge, &note).await?;
            self.look().await?;
        }
        let bridge = self.named(&place.bridge).ok_or_else(|| Refusal::NoLink(place.bridge.clone()))?;
        // It may be somebody else's work: Nova's, or an operator's.
        if !self.bridges.contains(&bridge.index) {
            self.kernel.filter(&bridge).await?;
            if place.is_made {
                self.kernel.note(&bridge, &note).await?;
                without_addresses(&bridge.name).await;
            }
            self.bridges.insert(bridge.index);
        }
        let mtu = self.known.objects.networks.get(network).and_then(|network| network.mtu);
        if let Some(mtu) = mtu.filter(|mtu| place.is_made && bridge.mtu != *mtu) {
            self.kernel.limit(&bridge, mtu).await?;
        }
        if let Some(uplink) = self.uplink(&place.uplink).await? {
            if let Some(mtu) =
                mtu.filter(|mtu| matches!(place.uplink, Uplink::Vxlan(_)) && uplink.mtu != *mtu)
            {
                self.kernel.limit(&uplink, mtu).await?;
            }
            if uplink.bridge != Some(bridge.index) {
                self.kernel.plug(&uplink, &bridge).await?;
            }
            if !uplink.is_up {
                self.kernel.switch_on(&uplink).await?;
            }
            if uplink.bridge != Some(bridge.index) || !uplink.is_up {
                self.look().await?;
            }
        }
        Ok((bridge, zone))
    }

    /// What leads to other hosts; made if it is not there.
    async fn uplink(&mut self, uplink: &Uplink) -> Result<Option<Link>, Refusal> {
        let name = match uplink {
            Uplink::Nothing => return Ok(None),
            Uplink::Interface(name) => {
                return self.named(name).map(Some).ok_or_else(|| Refusal::NoLink(name.clone()));
            }
            Uplink::Vlan { parent, vlan } => {
                let parent = self.named(parent).ok_or_else(|| Refusal::NoLink(parent.clone()))?;
                let name = places::vlan_name(&parent.name, parent.index, *vlan);
                if self.named(&name).is_none() {
                    self.kernel.add_vlan(&name, parent.index, *vlan).await?;
                }
                name
            }
            Uplink::Vxlan(vni) => {
                let name = places::vxlan_name(*vni);
                if self.named(&name).is_none()
                    && let Some(tunnel) = self.tunnel(*vni).await?
                {
                    self.kernel.add_vxlan(&name, &tunnel).await?;
                }
                name
            }
        };
        if self.named(&name).is_none() {
            self.look().await?;
            if let Some(made) = self.named(&name) {
                self.kernel.note(&made, UPLINK).await?;
                without_addresses(&name).await;
            }
        }
        self.named(&name).map(Some).ok_or(Refusal::NoLink(name))
    }

    async fn tunnel(&self, vni: u32) -> Result<Option<Vxlan>, Refusal> {
        let Some(local) = self.settings.tunnel_ip() else { return Ok(None) };
        let group = match self.settings.vxlan_group {
            None => None,
            Some(group) => {
                let link = self.kernel.with_address(local).await?;
                Some((group, link.ok_or_else(|| Refusal::NoLink(local.to_string()))?))
            }
        };
        Ok(Some(Vxlan { vni, local, group, port: self.settings.udp_dstport, ttl: self.settings.ttl }))
    }

    /// Whether a link is a bridge that the agent plugs taps into.
    fn is_ours(&self, bridge: &Link) -> bool {
        network_of(bridge).is_some()
            || bridge.name.starts_with("brq")
            || self.settings.bridge_mappings.values().any(|name| *name == bridge.name)
    }

    /// Unplugs what does not belong where it is.
    async fn unplug(&mut self, wanted: &[Wanted]) -> Result<(), Error> {
        let belongs = |tap: &Link| {
            wanted
                .iter()
                .any(|wanted| wanted.tap.index == tap.index && Some(wanted.bridge.index) == tap.bridge)
        };
        for tap in self.links.iter().filter(|link| places::of_tap(&link.name).is_some()) {
            // Of what nothing is known nothing is done either: it carries nothing.
            let is_here = self.numbered(tap.bridge).is_some_and(|bridge| self.is_ours(bridge));
            if is_here && self.id(tap).is_some() && !belongs(tap) {
                survived(self.kernel.unplug(tap).await);
            }
        }
        Ok(())
    }

    /// Has tunnels send to where tunnels end.
    async fn lay(&mut self) -> Result<(), Error> {
        if self.settings.vxlan_group.is_some() {
            return Ok(());
        }
        let is_tunnel =
            |link: &&Link| link.alias.as_deref() == Some(UPLINK) && link.name.starts_with("vxlan-");
        let tunnels: Vec<u32> = self.links.iter().filter(is_tunnel).map(|link| link.index).collect();
        self.sends.retain(|index, _| tunnels.contains(index));
        for index in tunnels {
            let sends = match self.sends.get(&index) {
                Some(sends) => sends.clone(),
                None => self.kernel.ends(index).await?,
            };
            for ip in sends.difference(&self.ends) {
                self.kernel.remove_end(index, *ip).await?;
            }
            for ip in self.ends.difference(&sends) {
                self.kernel.add_end(index, *ip).await?;
            }
            self.sends.insert(index, self.ends.clone());
        }
        Ok(())
    }

    /// Writes what taps may send and be sent, before they are plugged in.
    async fn filter(&mut self, wanted: &[Wanted]) -> Result<(), Error> {
        let mut zones = BTreeMap::new();
        let mut filtered = Filtered::default();
        for one in wanted {
            zones.insert(one.bridge.index, one.zone);
            filtered.bridges.insert(one.bridge.name.as_str());
            let (index, name) = (one.tap.index, one.tap.name.as_str());
            filtered.members.push(Member { index, name, zone: one.zone, port: Some(&one.port) });
        }
        for link in &self.links {
            let is_tap = places::of_tap(&link.name).is_some();
            if link.name.starts_with("tap") && !is_tap {
                filtered.foreign.insert(&link.name);
            }
            if let Some(zone) = link.bridge.and_then(|bridge| zones.get(&bridge)).filter(|_| !is_tap) {
                filtered.members.push(Member {
                    index: link.index,
                    name: &link.name,
                    zone: *zone,
                    port: None,
                });
            }
        }
        let text = firewall::ruleset(&filtered, &self.known.objects);
        if text != self.written {
            nft::apply(&text).await?;
            tracing::debug!(lines = text.lines().count(), "the filter is written");
            self.written = text;
        }
        Ok(())
    }

    /// Plugs taps in.
    async fn plug(&mut self, wanted: &[Wanted]) -> Result<(), Error> {
        for Wanted { tap, port, zone, bridge } in wanted {
            let note = format!("{PORT}{} zone {zone}", port.id);
            if tap.alias.as_deref() != Some(&note) {
                survived(self.kernel.note(tap, &note).await);
            }
            let mtu = self.known.objects.networks.get(&port.network_id).and_then(|network| network.mtu);
            if let Some(mtu) = mtu.filter(|mtu| tap.mtu != *mtu) {
                survived(self.kernel.limit(tap, mtu).await);
            }
            if tap.bridge != Some(bridge.index) {
                survived(self.kernel.plug(tap, bridge).await);
            }
            if !tap.is_up {
                survived(self.kernel.switch_on(tap).await);
            }
        }
        Ok(())
    }

    /// Removes bridges of networks that are no more, with what was made for them.
    async fn sweep(&mut self) -> Result<(), Error> {
        let networks = &self.known.objects.networks;
        let gone =
            self.links.iter().filter(|link| network_of(link).is_some_and(|id| !networks.contains_key(id)));
        for bridge in gone {
            let plugged: Vec<&Link> =
                self.links.iter().filter(|link| link.bridge == Some(bridge.index)).collect();
            if plugged.iter().any(|link| places::of_tap(&link.name).is_some()) {
                continue;
            }
            for link in plugged.iter().filter(|link| link.alias.as_deref() == Some(UPLINK)) {
                survived(self.kernel.remove(link).await);
            }
            tracing::info!(bridge = bridge.name, "the network of a bridge is gone");
            survived(self.kernel.remove(bridge).await);
            self.bridges.remove(&bridge.index);
        }
        Ok(())
    }

    /// Tells the server which ports work here from now on, and which do not any
    /// more.
    async fn tell(&mut self, wanted: &[Wanted], failed: &[Port]) -> Result<(), Error> {
        self.devices.store(wanted.len(), Ordering::Relaxed);
        let untold = self.told.untold(wanted.iter().map(|wanted| &wanted.port), failed, false);
        Ok(self.told.tell(&self.server, untold, false).await?)
    }
}

/// A tap may go at any time: then its going is heard of.
fn survived(done: Result<(), links::Error>) {
    if let Err(error) = done {
        tracing::warn!(%error, "a link is left as it is");
    }
}

/// The network that a bridge was made for.
fn network_of(bridge: &Link) -> Option<&str> {
    bridge.alias.as_deref()?.strip_prefix(NETWORK)
}

/// What is noted on a tap: its port's id, and the zone of its network.
fn noted(tap: &Link) -> Option<(&str, Option<u16>)> {
    let (id, zone) = tap.alias.as_deref()?.strip_prefix(PORT)?.split_once(" zone ")?;
    Some((id, zone.parse().ok()))
}

/// The host itself has no address in the networks of others.
async fn without_addresses(link: &str) {
    let path = format!("{IPV6}/{link}/disable_ipv6");
    if let Err(error) = tokio::fs::write(&path, "1").await {
        tracing::debug!(path, %error, "a link may get addresses of version 6");
    }
}
