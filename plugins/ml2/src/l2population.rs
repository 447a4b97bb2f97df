//! Hosts of tunnel networks learn where ports are, so that they make tunnels only
//! to where there are some and need not ask the network. In Neutron: the driver
//! `l2population`.
//!
//! It is on where agents say that they rely on it (`l2_population`). It binds
//! nothing, and what it says follows from rows that are ML2's own: ports of the
//! same network and agents of their hosts. That is why it is no mechanism driver,
//! which sees the port that changes and no others, and sends no messages.

mod entries;

use crate::agents::topics::{L2_POPULATION, populates, tunneling_ip};
use crate::agents::{self, AgentRow};
use crate::document::text;
use entries::{News, Place, Table, news, renamed};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Document, Result, rpc};
use std::collections::BTreeMap;

/// Where tunnels to a host end: its agent that says so.
struct End {
    agent: AgentRow,
    ip: String,
}

impl End {
    /// The agent has ports of such networks reached in tunnels. In Neutron:
    /// `_validate_segment`.
    fn reaches(&self, network_type: &str) -> bool {
        let types = |name: &str| self.agent.configurations.get(name).and_then(Value::as_array);
        let types = types("l2pop_network_types").or_else(|| types("tunnel_types"));
        types.is_some_and(|types| types.iter().any(|one| one == network_type))
    }
}

/// Of some hosts.
struct Ends(BTreeMap<String, End>);

impl Ends {
    fn of<'a>(hosts: impl IntoIterator<Item = &'a str>) -> Result<Ends> {
        let mut ends = BTreeMap::new();
        for agent in agents::rows_of_hosts(hosts)? {
            let Some(ip) = tunneling_ip(&agent.configurations).map(str::to_owned) else { continue };
            ends.entry(agent.host.clone()).or_insert(End { agent, ip });
        }
        Ok(Ends(ends))
    }

    /// The end at a place that is in tunnels.
    fn at(&self, place: &Place) -> Option<&End> {
        let (network_type, _) = &place.segment;
        self.0.get(&place.host).filter(|end| end.reaches(network_type))
    }
}

/// Ports were this and are that.
pub(crate) fn changed(ports: &[(&Document, &Document)]) -> Result<()> {
    let places = ports.iter().map(|(was, is)| Ok((Place::of(was)?, Place::of(is)?)));
    tell(&places.collect::<Result<Vec<_>>>()?)
}

/// Ports were made.
pub(crate) fn made(ports: &[Document]) -> Result<()> {
    let places = ports.iter().map(|port| Ok((None, Place::of(port)?)));
    tell(&places.collect::<Result<Vec<_>>>()?)
}

/// Ports are gone.
pub(crate) fn gone(ports: &[Document]) -> Result<()> {
    let places = ports.iter().map(|port| Ok((Place::of(port)?, None)));
    tell(&places.collect::<Result<Vec<_>>>()?)
}

/// One message of a kind, however many ports there are.
fn tell(places: &[(Option<Place>, Option<Place>)]) -> Result<()> {
    let news: Vec<News<'_>> = places.iter().flat_map(|(was, is)| news(was.as_ref(), is.as_ref())).collect();
    if news.is_empty() || !agents::is_heard(L2_POPULATION)? {
        return Ok(());
    }
    let hosts = news.iter().map(|one| match one {
        News::Came(place) | News::Went(place) | News::Renamed(place, _) => place.host.as_str(),
    });
    let ends = Ends::of(hosts)?;
    let mut left = Left::default();
    let (mut came, mut went) = (Table::default(), Table::default());
    let mut firsts: BTreeMap<&str, Vec<&Place>> = BTreeMap::new();
    for one in &news {
        match one {
            News::Went(place) => {
                let Some(end) = ends.at(place) else { continue };
                if left.at(end, place)? == 0 {
                    went.flood(place, &end.ip);
                }
                went.add(place, &end.ip);
            }
            News::Came(place) => {
                let Some(end) = ends.at(place) else { continue };
                if left.at(end, place)? <= with(&news, place) {
                    came.flood(place, &end.ip);
                    firsts.entry(place.host.as_str()).or_default().push(place);
                }
                came.add(place, &end.ip);
            }
            News::Renamed(from, to) => {
                let Some(end) = ends.at(to) else { continue };
                send("update_fdb_entries", &renamed(from, to, &end.ip))?;
            }
        }
    }
    if !went.is_empty() {
        send("remove_fdb_entries", &went.written())?;
    }
    for (host, places) in firsts {
        if let Some(end) = ends.0.get(host) {
            tell_all_of(end, &places)?;
        }
    }
    if came.is_empty() { Ok(()) } else { send("add_fdb_entries", &came.written()) }
}

/// How many of these came to the same host, on the same network.
fn with(news: &[News<'_>], place: &Place) -> u64 {
    let same = |one: &&News<'_>| matches!(one, News::Came(other) if other.host == place.host && other.network == place.network);
    news.iter().filter(same).count() as u64
}

/// How many active ports of networks hosts have, after what changed.
#[derive(Default)]
struct Left(BTreeMap<(String, String), u64>);

impl Left {
    /// Who counts holds the host's agent, so that of the last that goes and the
    /// first that comes at the same time each finds what the other did.
    fn at(&mut self, end: &End, place: &Place) -> Result<u64> {
        let key = (place.host.clone(), place.network.clone());
        if let Some(counted) = self.0.get(&key) {
            return Ok(*counted);
        }
        store::lock(agents::COLLECTION, &end.agent.id)?;
        let there = active(&place.network).equal("binding:host_id", place.host.as_str());
        let counted = store::count("ports", &there)?;
        self.0.insert(key, counted);
        Ok(counted)
    }
}

/// An agent has started, with these ports of its host: it learns of all others on
/// their networks, and others learn of it, who may have started meanwhile too. In
/// Neutron: `refresh_tunnels`.
pub(crate) fn refresh(host: &str, ports: &[Document]) -> Result<()> {
    if ports.is_empty() || !agents::is_heard(L2_POPULATION)? {
        return Ok(());
    }
    let ends = Ends::of([host])?;
    let places = ports.iter().map(Place::of).collect::<Result<Vec<_>>>()?;
    let active = |place: &&Place| place.is_active() && place.host == host;
    let places: Vec<&Place> = places.iter().flatten().filter(active).collect();
    let places: Vec<&Place> = places.into_iter().filter(|place| ends.at(place).is_some()).collect();
    let Some(end) = ends.0.get(host).filter(|_| !places.is_empty()) else { return Ok(()) };
    tell_all_of(end, &places)?;
    let mut table = Table::default();
    for place in places {
        table.flood(place, &end.ip);
        table.add(place, &end.ip);
    }
    send("add_fdb_entries", &table.written())
}

fn active(network: &str) -> Query {
    Query::all().equal("network_id", network).equal("status", "ACTIVE")
}

/// Tells an agent of all ports of these networks at other hosts. In Neutron:
/// `_create_agent_fdb`.
fn tell_all_of(end: &End, own: &[&Place]) -> Result<()> {
    if !populates(&end.agent.configurations) {
        return Ok(());
    }
    let mut table = Table::default();
    let mut told: Vec<&str> = Vec::new();
    for own in own {
        if told.contains(&own.network.as_str()) {
            continue;
        }
        told.push(&own.network);
        let ports: Vec<Document> = store::find("ports", &active(&own.network))?;
        let elsewhere = ports.iter().filter(|port| text(port, "binding:host_id") != own.host);
        let places = elsewhere.map(Place::of).collect::<Result<Vec<_>>>()?;
        let places: Vec<&Place> = places.iter().flatten().filter(|one| one.segment == own.segment).collect();
        let ends = Ends::of(places.iter().map(|place| place.host.as_str()))?;
        for place in places {
            if let Some(end) = ends.at(place) {
                table.flood(place, &end.ip);
                table.add(place, &end.ip);
            }
        }
    }
    if table.is_empty() {
        return Ok(());
    }
    let told = json!({"fdb_entries": table.written()});
    rpc::cast(&format!("{L2_POPULATION}.{}", end.agent.host), "add_fdb_entries", &told)
}

fn send(method: &str, entries: &Value) -> Result<()> {
    rpc::fanout(L2_POPULATION, method, &json!({ "fdb_entries": entries }))
}
