//! What agents that plug ports in ask and tell about them. In Neutron:
//! `RpcCallbacks` of ML2.

use crate::attribute::shown;
use crate::binding::{self, Level};
use crate::document::{flag, set, text, typed};
use crate::l2population;
use crate::networks::Networks;
use crate::ports;
use crate::provisioning::Entity;
use crate::rpc::{no_such_method, word};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Document, Error, Network, Result, resources, rpc};
use std::collections::{BTreeMap, BTreeSet};

/// What is understood.
pub(crate) const METHODS: [&str; 7] = [
    "update_device_up",
    "update_device_down",
    "update_device_list",
    "get_device_details",
    "get_devices_details_list",
    "get_devices_details_list_and_failed_devices",
    "get_ports_by_vnic_type_and_host",
];

/// What of it changes nothing.
pub(crate) const READS: [&str; 1] = ["get_ports_by_vnic_type_and_host"];

/// What names of devices start with, before the first characters of a port's
/// id. In Neutron: `INTERFACE_PREFIXES`.
const PREFIXES: [&str; 3] = ["tap", "qvo", "sg-"];

/// The notification that a port of an instance was plugged in at a host that it
/// is not bound at.
const PLUGGED_ELSEWHERE: &str = "port.plugged_elsewhere";

/// Answers one of them.
pub(crate) fn receive(method: &str, arguments: &Value) -> Result<Value> {
    let host = word(arguments, "host");
    // A card is named by two texts, which are one device all the same.
    let one = || devices(Some(&arguments.get("device").cloned().into_iter().collect()));
    match method {
        "update_device_up" => up(&one()?, host, has_started(arguments)).map(|_| Value::Null),
        "update_device_down" => Ok(down(&one()?, host)?.pop().unwrap_or_default()),
        "update_device_list" => {
            let devices_up = up(&devices(arguments.get("devices_up"))?, host, has_started(arguments))?;
            let devices_down = down(&devices(arguments.get("devices_down"))?, host)?;
            Ok(json!({"devices_up": devices_up, "failed_devices_up": [],
                "devices_down": devices_down, "failed_devices_down": []}))
        }
        "get_device_details" => Ok(details(&one()?, host)?.pop().unwrap_or_default()),
        "get_devices_details_list" => details(&devices(arguments.get("devices"))?, host).map(Value::from),
        "get_devices_details_list_and_failed_devices" => {
            let details = details(&devices(arguments.get("devices"))?, host)?;
            Ok(json!({"devices": details, "failed_devices": []}))
        }
        "get_ports_by_vnic_type_and_host" => with_card(word(arguments, "vnic_type"), host),
        other => Err(no_such_method(other)),
    }
}

/// Whether the agent has started since it last said so: it knows nothing of other
/// hosts. In Neutron: `refresh_tunnels`, `agent_restarted` of agents of before.
fn has_started(arguments: &Value) -> bool {
    let is = |name: &str| arguments.get(name).and_then(Value::as_bool).unwrap_or_default();
    is("refresh_tunnels") || is("agent_restarted")
}

/// Ports of a host with that kind of card, as the API shows them.
fn with_card(vnic_type: &str, host: &str) -> Result<Value> {
    let mut found: Vec<Document> = resources::find("ports", &Query::all().equal("binding:host_id", host))?;
    found.retain(|port| text(port, "binding:vnic_type") == vnic_type);
    let collection = ports::collection();
    Ok(found.into_iter().map(|port| Value::Object(shown(&collection, port))).collect())
}

/// The ports of devices that there are, each with the name that it was asked for
/// by.
pub(crate) fn ports(given: Option<&Value>) -> Result<Vec<(String, Document)>> {
    let devices = devices(given)?.into_iter();
    Ok(devices.filter_map(|device| Some((device.name, device.port?))).collect())
}

/// A device as an agent names it: by the port's id, by the name of an interface
/// that begins like that, or by a MAC address (with the card's place on the
/// bus, where there are several).
struct Device {
    name: String,
    port: Option<Document>,
}

/// The devices among arguments (one or several), with their ports.
fn devices(given: Option<&Value>) -> Result<Vec<Device>> {
    let names: Vec<String> = match given {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(several)) => several.iter().filter_map(device_name).collect(),
        Some(_) => return Err(Error::invalid_input("a device is neither a name nor a list")),
    };
    let whole: Vec<&str> = names.iter().map(|name| port_id(name)).collect();
    let exact: Vec<Document> = store::find("ports", &Query::all().any_of("id", whole))?;
    let exact: BTreeMap<&str, &Document> = exact.iter().map(|port| (text(port, "id"), port)).collect();
    names
        .into_iter()
        .map(|name| {
            let known = exact.get(port_id(&name)).map(|port| (*port).clone());
            let port = known.map_or_else(|| searched(&name), |port| Ok(Some(port)))?;
            Ok(Device { name, port })
        })
        .collect()
}

fn device_name(given: &Value) -> Option<String> {
    match given {
        Value::String(name) => Some(name.clone()),
        Value::Array(parts) => parts.first()?.as_str().map(str::to_owned),
        _ => None,
    }
}

/// What of a device's name is a port's id, or the first part of one.
fn port_id(device: &str) -> &str {
    PREFIXES.iter().find_map(|prefix| device.strip_prefix(prefix)).unwrap_or(device)
}

fn searched(device: &str) -> Result<Option<Document>> {
    let query = match crate::net::Mac::parse(device) {
        Some(mac) => Query::all().equal("mac_address", mac.to_string()),
        // Enough to tell one port from another.
        None if port_id(device).len() >= 11 && port_id(device).len() < 36 => {
            Query::all().starts_with("id", port_id(device))
        }
        None => return Ok(None),
    };
    Ok(store::find(&ports::collection().name, &query.limit(1))?.pop())
}

/// Whether a port is plugged in on a host, or about to be.
fn is_on(port: &Document, host: &str) -> bool {
    text(port, "binding:host_id") == host
}

/// Devices are plugged in, by an agent that has just started or not. In Neutron:
/// `update_device_up`.
fn up(devices: &[Device], host: &str, started: bool) -> Result<Vec<String>> {
    let ports = devices.iter().filter_map(|device| device.port.as_ref());
    let (here, elsewhere): (Vec<&Document>, Vec<&Document>) =
        ports.partition(|port| host.is_empty() || is_on(port, host));
    ports::agreed(here.iter().copied(), Entity::Wiring)?;
    for port in elsewhere {
        if text(port, "device_owner").starts_with("compute:") {
            // Nova waits for that before it moves an instance there. In
            // Neutron: `notify_port_active_direct`.
            let named =
                ["id", "device_id", "device_owner"].map(|name| (name.to_owned(), json!(text(port, name))));
            rpc::notify(PLUGGED_ELSEWHERE, &Document::from_iter(named))?;
        }
    }
    if started && !here.is_empty() {
        let ids = here.iter().map(|port| text(port, "id"));
        let now: Vec<Document> = store::find("ports", &Query::all().any_of("id", ids))?;
        l2population::refresh(host, &now)?;
    }
    Ok(devices.iter().map(|device| device.name.clone()).collect())
}

/// Devices are gone from a host. In Neutron: `update_device_down`.
fn down(devices: &[Device], host: &str) -> Result<Vec<Value>> {
    let ports = devices.iter().filter_map(|device| device.port.as_ref());
    ports::set_status(ports.filter(|port| host.is_empty() || is_on(port, host)), "DOWN")?;
    devices
        .iter()
        .map(|device| {
            let port = device.port.as_ref();
            // Of a port that is another host's now nothing is said.
            let elsewhere = !host.is_empty() && !port.is_some_and(|port| is_on(port, host));
            Ok(json!({"device": device.name, "exists": port.is_some() || elsewhere}))
        })
        .collect()
}

/// What a host has to know to plug devices in; their ports are being built from
/// now on. In Neutron: `get_device_details`.
fn details(devices: &[Device], host: &str) -> Result<Vec<Value>> {
    let known = devices.iter().filter_map(|device| device.port.as_ref());
    let ids: BTreeSet<String> = known.map(|port| text(port, "network_id").to_owned()).collect();
    let networks = Networks::load(&ids.into_iter().collect::<Vec<_>>())?;
    let mut answers = Vec::with_capacity(devices.len());
    for device in devices {
        let Some(port) = &device.port else {
            answers.push(json!({"device": device.name}));
            continue;
        };
        let network = networks.get(text(port, "network_id"))?;
        let entry = entry(&device.name, port, network, host)?;
        if entry.get("network_id").is_some() && (host.is_empty() || is_on(port, host)) {
            ports::set_status([port], if flag(port, "admin_state_up") { "BUILD" } else { "DOWN" })?;
        }
        answers.push(entry);
    }
    Ok(answers)
}

fn entry(device: &str, port: &Document, network: &Network, host: &str) -> Result<Value> {
    let levels: Vec<Level> = typed(port, "binding_levels")?;
    let unplugged = binding::is_unplugged(text(port, "binding:vif_type"));
    let Some(level) = levels.last().filter(|_| !unplugged) else { return Ok(json!({"device": device})) };
    if text(port, "device_owner").starts_with("compute:") && !is_on(port, host) {
        return Ok(json!({"device": device, "no_active_binding": true}));
    }
    let of_network = |name: &str| {
        let value = network.more.iter().find(|extra| extra.name == name).map(|extra| extra.value.as_str());
        value.and_then(|value| hadron_sdk::serde_json::from_str::<Value>(value).ok())
    };
    let or = |name: &str, default: Value| set(port, name).cloned().unwrap_or(default);
    Ok(json!({
        "device": device,
        "network_id": text(port, "network_id"),
        "port_id": text(port, "id"),
        "mac_address": text(port, "mac_address"),
        "admin_state_up": flag(port, "admin_state_up"),
        "network_type": level.segment.network_type,
        "segmentation_id": level.segment.segmentation_id,
        "physical_network": level.segment.physical_network,
        "mtu": network.mtu,
        "fixed_ips": or("fixed_ips", json!([])),
        "device_owner": text(port, "device_owner"),
        "allowed_address_pairs": or("allowed_address_pairs", json!([])),
        "port_security_enabled": or("port_security_enabled", json!(true)),
        "qos_policy_id": or("qos_policy_id", Value::Null),
        "network_qos_policy_id": of_network("qos_policy_id"),
        "profile": or("binding:profile", json!({})),
        "propagate_uplink_status": or("propagate_uplink_status", json!(false)),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_named_by_ids_interfaces_and_cards() {
        assert_eq!(port_id("tap2d5b421d-07"), "2d5b421d-07");
        assert_eq!(port_id("2d5b421d-0739-4bc8-b67c-a6d4ee850249"), "2d5b421d-0739-4bc8-b67c-a6d4ee850249");
        assert_eq!(device_name(&json!(["fa:16:3e:00:00:01", "0000:00:1f.6"])).unwrap(), "fa:16:3e:00:00:01");
        assert_eq!(device_name(&json!(5)), None);
    }
}
