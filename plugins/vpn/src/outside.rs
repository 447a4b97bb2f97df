//! What VPN services see of other plugins' routers, ports, subnets and agents. All
//! of it is read with the system's rights; what a caller may see is said here.

use crate::errors;
use hadron_sdk::manifest::Verb;
use hadron_sdk::serde_json::Value;
use hadron_sdk::store::Query;
use hadron_sdk::{Context, Error, Result, resources};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::IpAddr;

pub(crate) const ROUTERS: &str = "routers";
pub(crate) const PORTS: &str = "ports";
pub(crate) const SUBNETS: &str = "subnets";
const NETWORKS: &str = "networks";
const AGENTS: &str = "agents";

/// Who owns the ports by which routers lead out.
pub(crate) const GATEWAY: &str = "network:router_gateway";
/// Who owns the ports by which routers are joined to subnets. In Neutron:
/// `ROUTER_INTERFACE_OWNERS`.
pub(crate) const INTERFACES: [&str; 3] = [
    "network:router_interface",
    "network:router_interface_distributed",
    "network:ha_router_replicated_interface",
];

/// As L3 agents call themselves; what carries VPN services out is part of them.
const L3: &str = "L3 agent";

/// What is read, and how.
pub(crate) const READ: [(&str, Verb); 5] = [
    (ROUTERS, Verb::Get),
    (PORTS, Verb::Get),
    (SUBNETS, Verb::Get),
    (NETWORKS, Verb::Get),
    (AGENTS, Verb::Get),
];

/// A router.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Router {
    pub(crate) id: String,
    #[serde(default)]
    project_id: String,
    gw_port_id: Option<String>,
}

/// A router, if there is one.
fn router(id: &str) -> Result<Option<Router>> {
    match resources::get(ROUTERS, id) {
        // No plugin has routers.
        Err(Error::NotFound(_)) => Ok(None),
        other => other,
    }
}

/// A router that the caller sees.
pub(crate) fn seen_router(ctx: &Context, id: &str) -> Result<Router> {
    let is_seen = |router: &Router| ctx.caller.is_admin || router.project_id == ctx.caller.project_id;
    router(id)?.filter(is_seen).ok_or_else(|| errors::router_not_found(id))
}

#[derive(Clone, Debug, Deserialize)]
struct FixedIp {
    subnet_id: String,
    ip_address: IpAddr,
}

/// A port of a router.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Port {
    #[serde(default)]
    pub(crate) device_id: String,
    #[serde(default)]
    fixed_ips: Vec<FixedIp>,
    #[serde(default, rename = "binding:host_id")]
    host: Option<String>,
}

impl Port {
    /// Its addresses, in order.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.fixed_ips.iter().map(|ip| ip.ip_address)
    }

    /// The subnets that it is on.
    pub(crate) fn subnets(&self) -> BTreeSet<&str> {
        self.fixed_ips.iter().map(|ip| ip.subnet_id.as_str()).collect()
    }
}

/// The port by which a router leads out.
pub(crate) fn gateway(router: &Router) -> Result<Option<Port>> {
    match &router.gw_port_id {
        Some(port) => resources::get(PORTS, port),
        None => Ok(None),
    }
}

/// The addresses by which a router is known outside.
pub(crate) fn outer_addresses(id: &str) -> Result<Vec<IpAddr>> {
    let Some(router) = router(id)? else { return Ok(Vec::new()) };
    Ok(gateway(&router)?.map(|port| port.addresses().collect()).unwrap_or_default())
}

/// Where a router leads out, and so where what goes through a VPN is wrapped up;
/// none where its gateway is plugged in nowhere.
pub(crate) fn host_of(id: &str) -> Result<Option<String>> {
    let Some(router) = router(id)? else { return Ok(None) };
    Ok(gateway(&router)?.and_then(|port| port.host).filter(|host| !host.is_empty()))
}

/// The routers that lead out at a host.
pub(crate) fn routers_at(host: &str) -> Result<Vec<String>> {
    let gateways = Query::all().equal("binding:host_id", host).equal("device_owner", GATEWAY);
    let gateways: Vec<Port> = resources::find(PORTS, &gateways)?;
    Ok(gateways.into_iter().map(|port| port.device_id).collect())
}

/// The one of these subnets that a router is not joined to, if there is one.
pub(crate) fn not_connected<'a>(router: &str, subnets: &'a [&'a str]) -> Result<Option<&'a str>> {
    let ports: Vec<Port> = resources::find(PORTS, &Query::all().equal("device_id", router))?;
    let on: BTreeSet<&str> = ports.iter().flat_map(Port::subnets).collect();
    Ok(subnets.iter().find(|subnet| !on.contains(**subnet)).copied())
}

/// A subnet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Subnet {
    pub(crate) id: String,
    #[serde(default)]
    project_id: String,
    network_id: String,
    pub(crate) cidr: IpNet,
    ip_version: u8,
}

/// Subnets with these ids.
pub(crate) fn subnets<'a>(ids: impl IntoIterator<Item = &'a str>) -> Result<Vec<Subnet>> {
    let ids: BTreeSet<&str> = ids.into_iter().collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    resources::find(SUBNETS, &Query::all().any_of("id", ids))
}

#[derive(Clone, Debug, Deserialize)]
struct Network {
    id: String,
    #[serde(default)]
    project_id: String,
    /// With the caller.
    #[serde(default)]
    shared: bool,
    #[serde(default, rename = "router:external")]
    is_external: bool,
}

/// Those of these subnets that the caller sees.
pub(crate) fn seen_subnets(ctx: &Context, ids: &[String]) -> Result<Vec<Subnet>> {
    let mut found = subnets(ids.iter().map(String::as_str))?;
    if ctx.caller.is_admin || found.is_empty() {
        return Ok(found);
    }
    let networks: BTreeSet<&str> = found.iter().map(|subnet| subnet.network_id.as_str()).collect();
    let networks: Vec<Network> = resources::find(NETWORKS, &Query::all().any_of("id", networks))?;
    let project = &ctx.caller.project_id;
    found.retain(|subnet| {
        let is_open = |network: &Network| {
            network.id == subnet.network_id
                && (network.shared || network.is_external || network.project_id == *project)
        };
        subnet.project_id == *project || networks.iter().any(is_open)
    });
    Ok(found)
}

/// An agent that carries VPN services out.
#[derive(Clone, Debug, Deserialize)]
struct Agent {
    admin_state_up: bool,
    alive: bool,
    #[serde(default)]
    configurations: Value,
}

impl Agent {
    /// A distributed router leads out where its way out is, not where its ports are.
    fn is_on_the_way_out(&self) -> bool {
        self.configurations.get("agent_mode").and_then(Value::as_str) != Some("dvr")
    }
}

fn agent(host: &str) -> Result<Option<Agent>> {
    let query = Query::all().equal("agent_type", L3).equal("host", host).limit(1);
    let agents: Vec<Agent> = resources::find(AGENTS, &query)?;
    Ok(agents.into_iter().next())
}

/// Whether there is somebody at a host to be told of VPN services.
pub(crate) fn is_heard_at(host: &str) -> Result<bool> {
    Ok(agent(host)?.is_some_and(|agent| agent.alive && agent.admin_state_up))
}

/// Whether the agent at a host, which asks, is to have VPN services.
pub(crate) fn serves(host: &str) -> Result<bool> {
    let agent = agent(host)?.ok_or_else(|| errors::agent_not_found(L3, host))?;
    Ok(agent.admin_state_up && agent.is_on_the_way_out())
}
