//! Which DHCP agents serve which networks. In Neutron:
//! `DhcpAgentSchedulerDbMixin`, `DhcpFilter`.

mod actions;
mod callbacks;
mod choice;
mod errors;
mod notices;

pub(crate) use actions::{EXTENSION, POLICY, act, of_agents, of_networks};
pub(crate) use callbacks::{METHODS, receive};
pub(crate) use notices::{
    concerns, network_changed, network_gone, port_changed, ports_gone, ports_made, ports_to_come,
    subnet_changed, subnets_gone, subnets_made,
};

use crate::agents::{self, AgentRow, Behind};
use crate::document::{set, text};
use crate::subnets::Subnet;
use crate::{networks, owners, time, zones};
use choice::Candidate;
use hadron_sdk::manifest::{Attribute, Collection, ConfigKey, Key, OnDelete, Reference, Validator};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, Comparison, Query};
use hadron_sdk::{Document, Result, config, log, random, resources};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The private collection: a row for each agent of each network.
const COLLECTION: &str = "network_dhcp_agents";

const AGENTS_PER_NETWORK: &str = "dhcp_agents_per_network";
const AUTO_SCHEDULE: &str = "network_auto_schedule";
const FAILOVER: &str = "allow_automatic_dhcp_failover";
const DEFAULT_ZONES: &str = "default_availability_zones";

/// Agents whose load is counted to choose among them: what choosing costs does
/// not grow with the number of agents.
const SAMPLE: usize = 8;

/// What the port of an agent that serves a network no more has for its device,
/// so that the next agent takes its address. In Neutron:
/// `DEVICE_ID_RESERVED_DHCP_PORT`.
const RESERVED: &str = "reserved_dhcp_port";

/// Subnets that are looked through, and networks that are moved, in one unit of
/// work.
const PAGE: u32 = 50;

/// Configuration keys, with Neutron's names and defaults.
pub(crate) fn config() -> [ConfigKey; 4] {
    let key = |name: &str, description: &str, default: Value| ConfigKey {
        name: name.to_owned(),
        description: description.to_owned(),
        default,
    };
    [
        key(AGENTS_PER_NETWORK, "DHCP agents that serve one network", json!(1)),
        key(AUTO_SCHEDULE, "whether networks are put to DHCP agents without being asked", json!(true)),
        key(FAILOVER, "whether networks of dead DHCP agents are put to others", json!(true)),
        key(DEFAULT_ZONES, "availability zones of networks that name none; any where it is empty", json!([])),
    ]
}

/// An agent that serves a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hosted {
    id: String,
    network_id: String,
    agent_id: String,
    host: String,
    slot: u32,
}

/// The declaration of the private collection.
pub(crate) fn collection() -> Collection {
    let attribute = |name: &str, validate: Validator| Attribute {
        name: name.to_owned(),
        validate,
        ..Attribute::default()
    };
    let reference = |attribute: &str, collection: &str| Reference {
        attribute: attribute.to_owned(),
        collection: collection.to_owned(),
        on_delete: OnDelete::Cascade,
        ..Reference::default()
    };
    let key = |name: &str, attributes: [&str; 2]| Key {
        name: name.to_owned(),
        attributes: attributes.map(str::to_owned).to_vec(),
    };
    Collection {
        name: COLLECTION.to_owned(),
        member: "network_dhcp_agent".to_owned(),
        private: true,
        attributes: vec![
            attribute("network_id", Validator::Uuid),
            attribute("agent_id", Validator::Uuid),
            attribute("host", Validator::String { max: Some(255) }),
            // Of two units that put an agent to a network at the same time, one
            // finds its number taken and is run again.
            attribute("slot", Validator::Integer { min: Some(1), max: None }),
        ],
        keys: vec![key("slot", ["network_id", "slot"]), key("agent", ["agent_id", "network_id"])],
        references: vec![reference("network_id", "networks"), reference("agent_id", agents::COLLECTION)],
        ..Collection::default()
    }
}

/// The agents of some networks.
#[derive(Default)]
pub(crate) struct Hosting(Vec<Hosted>);

impl Hosting {
    /// Reads them: one query, none where there are no networks.
    pub(crate) fn of(networks: &[String]) -> Result<Hosting> {
        match networks {
            [] => Ok(Hosting::default()),
            networks => find(Query::all().any_of("network_id", networks.iter().cloned())).map(Hosting),
        }
    }

    /// Of networks that have just been given something to serve: those with too
    /// few agents are given more. In Neutron: `_schedule_network`.
    pub(crate) fn ensured(networks: &[String]) -> Result<Hosting> {
        let mut hosting = Hosting::of(networks)?;
        if config::or(AUTO_SCHEDULE, true)? {
            schedule(networks, &mut hosting)?;
        }
        Ok(hosting)
    }

    /// Whether no agent serves any of them.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of_network<'a>(&'a self, network: &'a str) -> impl Iterator<Item = &'a Hosted> {
        self.0.iter().filter(move |row| row.network_id == network)
    }

    /// Hosts of the agents that serve a network.
    fn hosts<'a>(&'a self, network: &'a str) -> impl Iterator<Item = &'a str> {
        self.of_network(network).map(|row| row.host.as_str())
    }

    /// Whether agents serve a port its addresses, some of which are of these
    /// subnets. In Neutron: `_setup_dhcp_agent_provisioning_component`.
    pub(crate) fn serves(&self, port: &Document, subnets: &[Subnet]) -> bool {
        let addresses = port.get("fixed_ips").and_then(Value::as_array).into_iter().flatten();
        let mut ids = addresses.filter_map(|ip| ip.get("subnet_id").and_then(Value::as_str));
        self.hosts(text(port, "network_id")).next().is_some()
            && ids.any(|id| subnets.iter().any(|subnet| subnet.id == id && subnet.enable_dhcp))
    }
}

fn find(query: Query) -> Result<Vec<Hosted>> {
    store::find(COLLECTION, &query.sort("network_id").sort("slot"))
}

/// Networks with a subnet whose addresses are served.
pub(crate) fn served(subnets: &[Subnet]) -> Vec<String> {
    let ids: BTreeSet<&String> =
        subnets.iter().filter(|subnet| subnet.enable_dhcp).map(|subnet| &subnet.network_id).collect();
    ids.into_iter().cloned().collect()
}

/// Gives networks that have too few agents more of them.
fn schedule(networks: &[String], hosting: &mut Hosting) -> Result<()> {
    let per_network: usize = config::or(AGENTS_PER_NETWORK, 1)?;
    let lacking = |id: &&String| hosting.of_network(id).count() < per_network;
    let short: Vec<String> = networks.iter().filter(lacking).cloned().collect();
    if short.is_empty() {
        return Ok(());
    }
    let eligible =
        Query::all().equal("agent_type", agents::DHCP).equal("admin_state_up", true).equal("alive", true);
    let eligible: Vec<AgentRow> = store::find(agents::COLLECTION, &eligible)?;
    if eligible.is_empty() {
        return Ok(());
    }
    let default_zones: Vec<String> = config::or(DEFAULT_ZONES, Vec::new())?;
    let mut loads = HashMap::new();
    let mut rows: Vec<Hosted> = Vec::new();
    for network in networks::existing(&short)? {
        let id = text(&network, "id");
        let wished = Some(zones::hints(&network)).filter(|hints| !hints.is_empty());
        let wished = wished.unwrap_or_else(|| default_zones.clone());
        let own: Vec<&Hosted> = hosting.of_network(id).collect();
        let fits = |agent: &&AgentRow| {
            let zone = agent.availability_zone.as_deref().unwrap_or_default();
            (wished.is_empty() || wished.iter().any(|wish| wish == zone))
                && !own.iter().any(|row| row.agent_id == agent.id)
        };
        let fitting: Vec<&AgentRow> = eligible.iter().filter(fits).collect();
        let candidates = candidates(&fitting, &mut loads)?;
        let taken: Vec<&str> = own
            .iter()
            .filter_map(|row| eligible.iter().find(|agent| agent.id == row.agent_id))
            .map(|agent| agent.availability_zone.as_deref().unwrap_or_default())
            .collect();
        let mut new = Vec::new();
        for place in choice::choose(&candidates, &taken, per_network.saturating_sub(own.len())) {
            let Some(agent) = fitting.get(place) else { continue };
            let used: Vec<u32> = own.iter().copied().chain(&new).map(|row| row.slot).collect();
            new.push(hosted(id, agent, choice::vacant(&used)));
            *loads.entry(agent.id.clone()).or_default() += 1;
        }
        rows.append(&mut new);
    }
    put(&rows)?;
    hosting.0.extend(rows);
    Ok(())
}

/// Some of these agents, with what they serve now.
fn candidates(agents: &[&AgentRow], loads: &mut HashMap<String, u64>) -> Result<Vec<Candidate>> {
    let from = if agents.len() > SAMPLE { random::next() } else { 0 };
    let mut candidates = Vec::new();
    for place in choice::sample(agents.len(), from, SAMPLE) {
        let Some(agent) = agents.get(place) else { continue };
        let load = match loads.get(&agent.id) {
            Some(load) => *load,
            None => store::count(COLLECTION, &Query::all().equal("agent_id", agent.id.as_str()))?,
        };
        loads.insert(agent.id.clone(), load);
        let zone = agent.availability_zone.clone().unwrap_or_default();
        candidates.push(Candidate { place, zone, load });
    }
    Ok(candidates)
}

fn hosted(network: &str, agent: &AgentRow, slot: u32) -> Hosted {
    Hosted {
        id: random::uuid(),
        network_id: network.to_owned(),
        agent_id: agent.id.clone(),
        host: agent.host.clone(),
        slot,
    }
}

/// Writes that agents serve networks from now on, and tells them.
fn put(rows: &[Hosted]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    store::insert(COLLECTION, rows)?;
    for row in rows {
        notices::network_added(&row.host, &row.network_id)?;
    }
    let networks: BTreeSet<&String> = rows.iter().map(|row| &row.network_id).collect();
    show_zones(&networks.into_iter().cloned().collect::<Vec<_>>())
}

/// An agent serves a network no more. Its port stays for the next one.
fn take(row: &Hosted) -> Result<()> {
    store::delete(COLLECTION, std::slice::from_ref(&row.id))?;
    let ports = Query::all()
        .equal("network_id", row.network_id.as_str())
        .equal("device_owner", owners::DHCP)
        .equal("binding:host_id", row.host.as_str());
    for port in store::find::<Document>("ports", &ports)? {
        resources::update::<Document>("ports", text(&port, "id"), &json!({"device_id": RESERVED}))?;
    }
    show_zones(std::slice::from_ref(&row.network_id))
}

/// Networks that these agents serve.
pub(crate) fn networks_of(agents: &[String]) -> Result<Vec<String>> {
    let rows = find(Query::all().any_of("agent_id", agents.iter().cloned()))?;
    let ids: BTreeSet<String> = rows.into_iter().map(|row| row.network_id).collect();
    Ok(ids.into_iter().collect())
}

/// Shows in networks' `availability_zones` which zones their agents are in.
/// In Neutron: `get_network_availability_zones`.
pub(crate) fn show_zones(networks: &[String]) -> Result<()> {
    if networks.is_empty() {
        return Ok(());
    }
    let hosting = Hosting::of(networks)?;
    let ids: BTreeSet<&String> = hosting.0.iter().map(|row| &row.agent_id).collect();
    let query = Query::all().any_of("id", ids.into_iter().cloned());
    let agents: Vec<AgentRow> = store::find(agents::COLLECTION, &query)?;
    let zone_of: BTreeMap<&str, &str> = agents
        .iter()
        .filter_map(|agent| Some((agent.id.as_str(), agent.availability_zone.as_deref()?)))
        .collect();
    for network in networks {
        let zones: BTreeSet<&&str> =
            hosting.of_network(network).filter_map(|row| zone_of.get(row.agent_id.as_str())).collect();
        store::update::<Document>("networks", network, &json!({zones::COLLECTION: zones}))?;
    }
    Ok(())
}

/// Looks through some of the networks that have too few agents, for an agent that
/// has come alive; answers up to where. In Neutron: `auto_schedule_networks`.
pub(crate) fn catch_up(behind: &Behind) -> Result<Option<String>> {
    let page = Query::all()
        .equal("enable_dhcp", true)
        .condition("id", Comparison::Greater, [behind.looked_up_to.as_str()])
        .sort("id")
        .limit(PAGE);
    let subnets: Vec<Subnet> = store::find("subnets", &page)?;
    if behind.agent.alive && behind.agent.admin_state_up {
        Hosting::ensured(&served(&subnets))?;
    }
    Ok(subnets.last().map(|subnet| subnet.id.clone()))
}

/// Puts networks of agents that are dead for good to others. In Neutron:
/// `remove_networks_from_down_agents`.
pub(crate) fn fail_over() -> Result<()> {
    if !config::or(FAILOVER, true)? {
        return Ok(());
    }
    let of_state = |alive: bool| Query::all().equal("agent_type", agents::DHCP).equal("alive", alive);
    let dead = agents::shown(&of_state(false))?;
    if dead.is_empty()
        || store::count(agents::COLLECTION, &of_state(true).equal("admin_state_up", true))? == 0
    {
        return Ok(());
    }
    // Twice the time, in case it is only slow.
    let patience = agents::down_time()?.saturating_mul(2);
    for agent in &dead {
        let of_agent = Query::all().equal("agent_id", text(agent, "id"));
        let count = i64::try_from(store::count(COLLECTION, &of_agent)?).unwrap_or(i64::MAX);
        // An agent that has just started has much to do, about two seconds a
        // network. In Neutron: `agent_starting_up`.
        let starting = patience.saturating_add(count.saturating_mul(2));
        let is_given_up = text(agent, "heartbeat_timestamp") < time::ago(patience).as_str()
            && text(agent, "started_at") < time::ago(starting).as_str();
        if count == 0 || !is_given_up {
            continue;
        }
        for row in find(of_agent.limit(PAGE))? {
            log::warn(&format!("network {} leaves the dead DHCP agent on {}", row.network_id, row.host));
            take(&row)?;
            Hosting::ensured(std::slice::from_ref(&row.network_id))?;
        }
        // The rest with the next tick: a unit of work has little time.
        return Ok(());
    }
    Ok(())
}

/// Whether a port is there for the next agent that serves its network.
fn is_reserved(port: &Document) -> bool {
    set(port, "device_id").is_some_and(|device| device == RESERVED)
}
