//! Telling DHCP agents what changes on networks that they serve. In Neutron:
//! `DhcpAgentNotifyAPI`.

use super::{Hosting, is_reserved, served};
use crate::attribute::shown;
use crate::document::{distinct, text};
use crate::subnets::{self, Subnet};
use crate::{networks, ports};
use hadron_sdk::manifest::Collection;
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::{Document, Result, random, rpc};

/// The topic of all; that of one is followed by `.` and its host.
const TOPIC: &str = "dhcp_agent";

/// In which order an agent does what it is told: the lowest first.
mod priority {
    pub(super) const NETWORK_CREATE: u8 = 0;
    pub(super) const NETWORK_UPDATE: u8 = 1;
    pub(super) const NETWORK_DELETE: u8 = 2;
    pub(super) const SUBNET_UPDATE: u8 = 3;
    pub(super) const SUBNET_DELETE: u8 = 4;
    pub(super) const PORT_FIRST: u8 = 5;
    pub(super) const PORT: u8 = 6;
}

/// Attributes of ports that agents serve. In Neutron: `_notification_is_needed`.
const SERVED: [&str; 6] =
    ["fixed_ips", "mac_address", "extra_dhcp_opts", "dns_name", "dns_assignment", "dns_domain"];

fn cast(host: &str, method: &str, payload: &Value) -> Result<()> {
    rpc::cast(&format!("{TOPIC}.{host}"), method, &json!({ "payload": payload }))
}

fn tell(hosting: &Hosting, network: &str, method: &str, payload: &Value) -> Result<()> {
    hosting.hosts(network).try_for_each(|host| cast(host, method, payload))
}

/// An agent serves a network from now on.
pub(super) fn network_added(host: &str, network: &str) -> Result<()> {
    let payload = json!({"network": {"id": network}, "priority": priority::NETWORK_CREATE});
    cast(host, "network_create_end", &payload)
}

/// An agent serves a network no more.
pub(super) fn network_removed(host: &str, network: &str) -> Result<()> {
    cast(host, "network_delete_end", &json!({"network_id": network, "priority": priority::NETWORK_DELETE}))
}

/// A network has been changed.
pub(crate) fn network_changed(network: &Document) -> Result<()> {
    let id = text(network, "id").to_owned();
    let hosting = Hosting::of(std::slice::from_ref(&id))?;
    let payload =
        json!({"network": visible(&networks::collection(), network), "priority": priority::NETWORK_UPDATE});
    tell(&hosting, &id, "network_update_end", &payload)
}

/// A network that these agents served is gone: all are told, since one may
/// still serve it that does not have to.
pub(crate) fn network_gone(id: &str, hosting: &Hosting) -> Result<()> {
    if hosting.hosts(id).next().is_none() {
        return Ok(());
    }
    let payload = json!({"payload": {"network_id": id, "priority": priority::NETWORK_DELETE}});
    rpc::fanout(TOPIC, "network_delete_end", &payload)
}

/// Subnets have been made: their networks need agents.
pub(crate) fn subnets_made(documents: &[Document], made: &[Subnet]) -> Result<()> {
    let hosting = Hosting::ensured(&served(made))?;
    documents.iter().try_for_each(|subnet| subnet_told(&hosting, subnet, "subnet_create_end"))
}

/// A subnet has been changed.
pub(crate) fn subnet_changed(subnet: &Document) -> Result<()> {
    let parsed: Subnet = crate::document::row(subnet)?;
    let network = std::slice::from_ref(&parsed.network_id);
    let hosting = if parsed.enable_dhcp { Hosting::ensured(network)? } else { Hosting::of(network)? };
    subnet_told(&hosting, subnet, "subnet_update_end")
}

fn subnet_told(hosting: &Hosting, subnet: &Document, method: &str) -> Result<()> {
    let payload =
        json!({"subnet": visible(&subnets::collection(), subnet), "priority": priority::SUBNET_UPDATE});
    tell(hosting, text(subnet, "network_id"), method, &payload)
}

/// Subnets are gone.
pub(crate) fn subnets_gone(documents: &[Document]) -> Result<()> {
    let hosting = Hosting::of(&distinct(documents, "network_id"))?;
    documents.iter().try_for_each(|subnet| {
        let network = text(subnet, "network_id");
        let payload = json!({"subnet_id": text(subnet, "id"), "network_id": network,
            "priority": priority::SUBNET_DELETE});
        tell(&hosting, network, "subnet_delete_end", &payload)
    })
}

/// The agents of networks that ports are about to be made on: of those whose
/// addresses are served, and that somebody but an agent to come needs.
pub(crate) fn ports_to_come(bodies: &[Document], subnets: &[Subnet]) -> Result<Hosting> {
    let asked = |id: &String| bodies.iter().any(|body| text(body, "network_id") == id && !is_reserved(body));
    let networks: Vec<String> = served(subnets).into_iter().filter(asked).collect();
    Hosting::ensured(&networks)
}

/// Ports have been made. One agent of each is told first.
pub(crate) fn ports_made(documents: &[Document], hosting: &Hosting) -> Result<()> {
    if hosting.is_empty() {
        return Ok(());
    }
    let collection = ports::collection();
    for port in documents {
        let hosts: Vec<&str> = hosting.hosts(text(port, "network_id")).collect();
        let first = if hosts.len() > 1 { random::next() % (hosts.len() as u64) } else { 0 };
        for (place, host) in hosts.into_iter().enumerate() {
            let priority = if place as u64 == first { priority::PORT_FIRST } else { priority::PORT };
            let payload = json!({"port": visible(&collection, port), "priority": priority});
            cast(host, "port_create_end", &payload)?;
        }
    }
    Ok(())
}

/// Whether agents have to know of changes of a port.
pub(crate) fn concerns(changes: &Document) -> bool {
    SERVED.iter().any(|name| changes.contains_key(*name))
}

/// A port has been changed.
pub(crate) fn port_changed(port: &Document, hosting: &Hosting) -> Result<()> {
    if hosting.is_empty() {
        return Ok(());
    }
    let payload = json!({"port": visible(&ports::collection(), port), "priority": priority::PORT});
    tell(hosting, text(port, "network_id"), "port_update_end", &payload)
}

/// Ports are gone.
pub(crate) fn ports_gone(documents: &[Document]) -> Result<()> {
    let has_addresses = |port: &&Document| {
        port.get("fixed_ips").and_then(Value::as_array).is_some_and(|addresses| !addresses.is_empty())
    };
    let served: Vec<Document> = documents.iter().filter(has_addresses).cloned().collect();
    let hosting = Hosting::of(&distinct(&served, "network_id"))?;
    served.iter().try_for_each(|port| {
        let network = text(port, "network_id");
        let payload = json!({"port_id": text(port, "id"), "network_id": network,
            "fixed_ips": port.get("fixed_ips"), "priority": priority::PORT});
        tell(&hosting, network, "port_delete_end", &payload)
    })
}

fn visible(collection: &Collection, document: &Document) -> Document {
    shown(collection, document.clone())
}
