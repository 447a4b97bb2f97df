//! What DHCP agents ask and tell. In Neutron: `DhcpRpcCallback`.

use super::{RESERVED, find};
use crate::agents::{self, AgentRow};
use crate::attribute::shown;
use crate::document::{flag, text};
use crate::provisioning::Entity;
use crate::rpc::{filtered, no_such_method, word};
use crate::{errors, networks, owners, ports, subnets};
use hadron_sdk::serde_json::{Map, Value, json};
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Document, Error, Result, resources};

/// What is understood.
pub(crate) const METHODS: [&str; 9] = [
    "get_active_networks_info",
    "get_network_info",
    "create_dhcp_port",
    "update_dhcp_port",
    "release_dhcp_port",
    "get_dhcp_port",
    "dhcp_ready_on_ports",
    "get_networks",
    "get_ports",
];

/// Answers one of them.
pub(crate) fn receive(method: &str, arguments: &Value) -> Result<Value> {
    match method {
        "get_active_networks_info" => active_networks(arguments),
        "get_network_info" => network_info(arguments),
        "create_dhcp_port" => create_port(arguments),
        "update_dhcp_port" => update_port(arguments),
        "release_dhcp_port" => release_port(arguments),
        "get_dhcp_port" => port(word(arguments, "port_id")).map(|port| json!(port)),
        "dhcp_ready_on_ports" => ready(arguments),
        "get_networks" => listed("networks", arguments),
        "get_ports" => listed("ports", arguments),
        other => Err(no_such_method(other)),
    }
}

/// Rows that fit, as the API shows them; of each the fields asked for.
fn listed(name: &str, arguments: &Value) -> Result<Value> {
    let mut rows = rows(name, &filtered(arguments)?)?;
    let fields: Vec<&str> = arguments
        .get("fields")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if !fields.is_empty() {
        for row in &mut rows {
            row.retain(|name, _| fields.contains(&name.as_str()));
        }
    }
    Ok(json!(rows))
}

fn rows(name: &str, query: &Query) -> Result<Vec<Document>> {
    let collection = match name {
        "networks" => networks::collection(),
        "subnets" => subnets::collection(),
        _ => ports::collection(),
    };
    let found: Vec<Document> = resources::find(name, query)?;
    Ok(found.into_iter().map(|row| shown(&collection, row)).collect())
}

/// All that the agent on a host serves.
fn active_networks(arguments: &Value) -> Result<Value> {
    let Some(agent): Option<AgentRow> = agents::on_host(agents::DHCP, word(arguments, "host"))? else {
        return Ok(json!([]));
    };
    if !agent.admin_state_up {
        return Ok(json!([]));
    }
    let ids = find(Query::all().equal("agent_id", agent.id.as_str()))?.into_iter().map(|row| row.network_id);
    let networks = Query::all().any_of("id", ids).equal("admin_state_up", true);
    let networks: Vec<Document> = store::find("networks", &networks)?;
    // Only where the agent says so it is told of subnets that it does not serve.
    let all = arguments.get("enable_dhcp_filter") == Some(&json!(false));
    described(&networks, if all { None } else { Some(true) }).map(Value::from)
}

fn network_info(arguments: &Value) -> Result<Value> {
    let network: Option<Document> = store::get("networks", word(arguments, "network_id"))?;
    let served = match arguments.get("enable_dhcp") {
        None => Some(true),
        Some(asked) => asked.as_bool(),
    };
    let Some(network) = network else { return Ok(Value::Null) };
    Ok(described(&[network], served)?.pop().unwrap_or_default())
}

/// Networks with their subnets (those whose addresses are served, or not, or
/// all) and ports, as agents are told of them: three queries for all.
fn described(networks: &[Document], served: Option<bool>) -> Result<Vec<Value>> {
    if networks.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<&str> = networks.iter().map(|network| text(network, "id")).collect();
    let of_networks = || Query::all().any_of("network_id", ids.iter().copied()).sort("id");
    let subnets = match served {
        None => rows("subnets", &of_networks())?,
        Some(served) => rows("subnets", &of_networks().equal("enable_dhcp", served))?,
    };
    let ports = rows("ports", &of_networks())?;
    let described = networks.iter().map(|network| {
        let id = text(network, "id");
        let own = |rows: &[Document]| -> Vec<Document> {
            rows.iter().filter(|row| text(row, "network_id") == id).cloned().collect()
        };
        json!({
            "id": id,
            "project_id": network.get("project_id"),
            "admin_state_up": flag(network, "admin_state_up"),
            "mtu": network.get("mtu"),
            "subnets": own(&subnets),
            "non_local_subnets": [],
            "ports": own(&ports),
        })
    });
    Ok(described.collect())
}

fn port(id: &str) -> Result<Document> {
    let found: Option<Document> = resources::get("ports", id)?;
    found.map(|port| shown(&ports::collection(), port)).ok_or_else(|| errors::port_not_found(id))
}

/// The attributes of a port that an agent asks for, on its host.
fn wanted(arguments: &Value) -> Document {
    let mut port =
        arguments.pointer("/port/port").and_then(Value::as_object).cloned().unwrap_or_else(Map::new);
    for unset in ["id", "mac_address"] {
        if port.get(unset).is_some_and(|value| !value.is_string()) {
            port.remove(unset);
        }
    }
    port.insert("binding:host_id".to_owned(), json!(word(arguments, "host")));
    port
}

/// Whether the network and the subnets that a port is wished on are there:
/// agents may be late.
fn has_place(port: &Document) -> Result<bool> {
    let network = text(port, "network_id");
    let of_subnets = |ip: &Value| ip.get("subnet_id").and_then(Value::as_str).map(str::to_owned);
    let wished: Vec<String> = port
        .get("fixed_ips")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(of_subnets)
        .collect();
    let there = subnets::of_networks(&[network.to_owned()])?;
    let has_subnets = wished.iter().all(|id| there.iter().any(|subnet| subnet.id == *id));
    Ok(has_subnets && (!there.is_empty() || store::get::<Document>("networks", network)?.is_some()))
}

/// Makes the port that an agent serves a network through; nothing where what it
/// is for is gone.
fn create_port(arguments: &Value) -> Result<Value> {
    let mut body = wanted(arguments);
    body.insert("device_owner".to_owned(), json!(owners::DHCP));
    if !has_place(&body)? {
        return Ok(Value::Null);
    }
    let made: Vec<Document> = resources::create("ports", &[body])?;
    let collection = ports::collection();
    Ok(made.into_iter().next().map_or(Value::Null, |port| json!(shown(&collection, port))))
}

/// Changes a port of the agent's own, or one that waits for the next agent;
/// nothing where it is gone or another's.
fn update_port(arguments: &Value) -> Result<Value> {
    let (id, host) = (word(arguments, "port_id"), word(arguments, "host"));
    let changes = wanted(arguments);
    let Some(current): Option<Document> = store::get("ports", id)? else { return Ok(Value::Null) };
    let network = text(&current, "network_id");
    let device = text(&current, "device_id");
    let is_own = text(&current, "device_owner") == owners::DHCP && text(&current, "binding:host_id") == host;
    if device != RESERVED && !is_own {
        return Ok(Value::Null);
    }
    let serves = find(Query::all().equal("network_id", network).equal("host", host))?;
    if serves.is_empty() {
        return Err(errors::network_not_found(network));
    }
    if !has_place(&with_network(&changes, network))? {
        return Ok(Value::Null);
    }
    let mut changes = changes;
    changes.retain(|name, _| !["id", "network_id", "project_id", "tenant_id"].contains(&name.as_str()));
    let changed: Document = resources::update("ports", id, &changes)?;
    Ok(json!(shown(&ports::collection(), changed)))
}

fn with_network(changes: &Document, network: &str) -> Document {
    let mut port = changes.clone();
    port.insert("network_id".to_owned(), json!(network));
    port
}

/// Removes the port of an agent that serves a network no more.
fn release_port(arguments: &Value) -> Result<Value> {
    let (network, device) = (word(arguments, "network_id"), word(arguments, "device_id"));
    if !device.is_empty() {
        let query = Query::all().equal("network_id", network).equal("device_id", device);
        for port in store::find::<Document>("ports", &query)? {
            resources::delete("ports", text(&port, "id"))?;
        }
    }
    Ok(Value::Null)
}

/// The addresses of ports are served.
fn ready(arguments: &Value) -> Result<Value> {
    let ids = arguments.get("port_ids").and_then(Value::as_array).cloned();
    let ids = ids.ok_or_else(|| Error::invalid_input("port_ids is no list"))?;
    let query = Query::all().any_of("id", ids);
    ports::agreed(&store::find::<Document>("ports", &query)?, Entity::Addresses)?;
    Ok(Value::Null)
}
