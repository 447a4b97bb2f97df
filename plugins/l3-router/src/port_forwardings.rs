//! Port forwardings: a floating IP's ports, each standing for a port of an address
//! inside. In Neutron: `PortForwardingPlugin`.

use crate::floating_ips::{self, FLOATING_IPS, FloatingIp};
use crate::outside::{self, PORTS, Port, Subnet};
use crate::{agents, errors, text};
use hadron_sdk::manifest::{Attribute, Collection, Key, OnDelete, Parent, Reference, Standard, Validator};
use hadron_sdk::serde_json::{self, Value, json};
use hadron_sdk::store::{self, InsertError, Query, StoreError};
use hadron_sdk::{Context, Document, Error, Result};
use serde::Deserialize;
use std::net::IpAddr;

/// The collection, below floating IPs.
pub(crate) const COLLECTION: &str = "port_forwardings";
/// The attribute with the floating IP.
pub(crate) const PARENT: &str = "floatingip_id";

/// The declaration.
pub(crate) fn collection() -> Collection {
    let attribute = |name: &str, validate: Validator| Attribute {
        name: name.to_owned(),
        validate,
        post: true,
        put: true,
        filter: true,
        ..Attribute::default()
    };
    let port = || Validator::Integer { min: Some(1), max: Some(65535) };
    let protocols = ["tcp", "udp", "icmp", "dccp", "ipv6-icmp", "sctp"];
    let cascade = |attribute: &str, collection: &str| Reference {
        attribute: attribute.to_owned(),
        collection: collection.to_owned(),
        on_delete: OnDelete::Cascade,
        ..Reference::default()
    };
    let key = |name: &str, attributes: &[&str]| Key {
        name: name.to_owned(),
        attributes: attributes.iter().map(|attribute| (*attribute).to_owned()).collect(),
    };
    Collection {
        name: COLLECTION.to_owned(),
        member: "floatingip_port_forwarding".to_owned(),
        called: Some(hadron_sdk::manifest::Called {
            collection: COLLECTION.to_owned(),
            member: "port_forwarding".to_owned(),
        }),
        parent: Some(Parent { collection: FLOATING_IPS.to_owned(), attribute: PARENT.to_owned() }),
        attributes: vec![
            Attribute { required: true, ..attribute("external_port", port()) },
            Attribute { required: true, ..attribute("internal_port", port()) },
            attribute("internal_ip_address", Validator::IpAddress),
            Attribute {
                required: true,
                ..attribute("protocol", Validator::Enum { values: protocols.map(Value::from).to_vec() })
            },
            Attribute { required: true, ..attribute("internal_port_id", Validator::Uuid) },
            Attribute {
                hidden: true,
                post: false,
                put: false,
                filter: false,
                ..attribute(PARENT, Validator::Uuid)
            },
        ],
        keys: vec![
            key("external_port", &[PARENT, "protocol", "external_port"]),
            key("internal_port", &["internal_port_id", "internal_ip_address", "internal_port", "protocol"]),
        ],
        references: vec![cascade(PARENT, FLOATING_IPS), cascade("internal_port_id", PORTS)],
        not_found: Some("PortForwardingNotFound".to_owned()),
        not_found_says: Some("Port Forwarding {id} could not be found.".to_owned()),
        without: ["revision_number", "created_at", "updated_at", "project_id", "tenant_id"]
            .map(str::to_owned)
            .to_vec(),
        standard: Standard { tags: hadron_sdk::manifest::Tags::None, ..Standard::default() },
        ..Collection::default()
    }
}

/// A forwarding.
#[derive(Clone, Debug, Deserialize)]
struct Forwarding {
    id: String,
    floatingip_id: String,
    internal_port_id: String,
    internal_ip_address: Option<IpAddr>,
}

fn bad(reason: impl std::fmt::Display) -> Error {
    Error::invalid("BadRequest", format!("Bad port_forwarding request: {reason}."))
}

/// Makes forwardings.
pub(crate) fn create(ctx: &Context, bodies: Vec<Document>) -> Result<()> {
    bodies.into_iter().try_for_each(|body| create_one(ctx, body))
}

fn create_one(ctx: &Context, mut body: Document) -> Result<()> {
    let ip = parent(&body)?;
    store::lock(FLOATING_IPS, &ip.id)?;
    let router = placed(ctx, &ip, &mut body)?;
    let port = text(&body, "internal_port_id").to_owned();
    if ip.port_id.is_some() {
        return Err(errors::already_associated(
            &address(ip.floating_ip_address),
            &ip.id,
            &port,
            text(&body, "internal_ip_address"),
            &ip.floating_network_id,
        ));
    }
    store::insert(COLLECTION, &[body]).map_err(not_written)?;
    if ip.router_id.is_none() {
        store::update::<Document>(FLOATING_IPS, &ip.id, &json!({ "router_id": router }))?;
    }
    agents::changed(&router)
}

fn address(ip: Option<IpAddr>) -> String {
    ip.map(|ip| ip.to_string()).unwrap_or_default()
}

fn not_written(error: InsertError) -> Error {
    match error {
        InsertError::Store(StoreError::Duplicate(key)) => bad(format!(
            "A duplicate port forwarding entry with same attributes already exists, conflicting values are {key}"
        )),
        other => other.into(),
    }
}

fn parent(body: &Document) -> Result<FloatingIp> {
    let id = text(body, PARENT);
    floating_ips::get(id)?
        .ok_or_else(|| Error::not_found("FloatingIPNotFound", format!("Floating IP {id} could not be found")))
}

/// Sees to the address that is forwarded to; the router that leads there.
fn placed(ctx: &Context, ip: &FloatingIp, body: &mut Document) -> Result<String> {
    let port = outside::port(ctx, text(body, "internal_port_id"))?;
    if let Some(other) = floating_ips::of_ports([port.id.as_str()])?.first() {
        return Err(Error::conflict(
            "PortHasBindingFloatingIP",
            format!(
                "Cannot create port forwarding to floating IP {} ({}) with port {} using fixed IP {}, as that \
                 port already has a binding floating IP.",
                address(other.floating_ip_address),
                other.id,
                port.id,
                text(body, "internal_ip_address"),
            ),
        ));
    }
    let (fixed, subnet) = inside(&port, body)?;
    body.insert("internal_ip_address".to_owned(), json!(fixed));
    let router = floating_ips::way(&ip.floating_network_id, &subnet, &port).map_err(|_| {
        bad(format!(
            "External network {} is not reachable from subnet {subnet}. Cannot set Port forwarding for port {} \
             with Floating IP {}",
            ip.floating_network_id, port.id, ip.id
        ))
    })?;
    match ip.router_id.as_ref().filter(|own| **own != router) {
        Some(own) => Err(bad(format!(
            "The Floating IP {} had been set on router {own}, the internal Neutron port {} can not reach it",
            ip.id, port.id
        ))),
        None => Ok(router),
    }
}

/// The address of the port inside, and its subnet.
fn inside(port: &Port, body: &Document) -> Result<(IpAddr, String)> {
    let mut own = port.fixed_ips.iter().filter(|ip| ip.ip_address.is_ipv4()).peekable();
    if own.peek().is_none() {
        return Err(bad(format!(
            "Requested internal port {} must allocate an IPv4 address at least",
            port.id
        )));
    }
    let asked = text(body, "internal_ip_address");
    let found = own.find(|ip| asked.is_empty() || ip.ip_address.to_string() == asked);
    let found = found.ok_or_else(|| {
        let shown = serde_json::to_string(&port.fixed_ips).unwrap_or_default();
        bad(format!(
            "Requested internal IP address {asked} is not suitable for internal neutron port {}, as its \
             fixed_ips are {shown}",
            port.id
        ))
    })?;
    Ok((found.ip_address, found.subnet_id.clone()))
}

/// Changes a forwarding.
pub(crate) fn update(ctx: &Context, id: &str, current: &Document, mut changes: Document) -> Result<()> {
    let ip = parent(current)?;
    store::lock(FLOATING_IPS, &ip.id)?;
    if changes.contains_key("internal_port_id") || changes.contains_key("internal_ip_address") {
        let mut after = current.clone();
        if changes.contains_key("internal_port_id") {
            after.remove("internal_ip_address");
        }
        after.extend(changes.clone());
        placed(ctx, &ip, &mut after)?;
        for name in ["internal_port_id", "internal_ip_address"] {
            changes.insert(name.to_owned(), after.remove(name).unwrap_or_default());
        }
    }
    store::try_update(COLLECTION, id, &changes).map_err(not_written)?;
    ip.router_id.map_or(Ok(()), |router| agents::changed(&router))
}

/// Removes forwardings; a floating IP without any is on no router.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    for document in documents {
        let ip = parent(document)?;
        store::lock(FLOATING_IPS, &ip.id)?;
        store::delete(COLLECTION, &[text(document, "id").to_owned()])?;
        let router = ip.router_id.clone();
        if ip.port_id.is_none() && store::count(COLLECTION, &Query::all().equal(PARENT, ip.id.as_str()))? == 0
        {
            let nowhere = json!({"router_id": null, "status": floating_ips::DOWN});
            store::update::<Document>(FLOATING_IPS, &ip.id, &nowhere)?;
        }
        router.map_or(Ok(()), |router| agents::changed(&router))?;
    }
    Ok(())
}

fn find(query: &Query) -> Result<Vec<Forwarding>> {
    store::find(COLLECTION, query)
}

/// A floating IP that forwards ports stands for no port, and a port that is
/// forwarded to is stood for by none.
pub(crate) fn check_free(ip: &FloatingIp, port: &str) -> Result<()> {
    if store::count(COLLECTION, &Query::all().equal(PARENT, ip.id.as_str()))? > 0 {
        let message = format!("Floating IP {} in use by Port Forwarding resources.", ip.id);
        return Err(Error::conflict("FipInUseByPortForwarding", message));
    }
    match store::count(COLLECTION, &Query::all().equal("internal_port_id", port))? {
        0 => Ok(()),
        _ => Err(Error::invalid(
            "PortHasPortForwarding",
            format!(
                "Cannot associate floating IP to port {port} because it already has a Port Forwarding binding."
            ),
        )),
    }
}

/// Ports go: forwardings to them go before, so that their floating IPs know.
pub(crate) fn ports_go(ports: &[&str]) -> Result<()> {
    let rows: Vec<Document> =
        store::find(COLLECTION, &Query::all().any_of("internal_port_id", ports.iter().copied()))?;
    delete(&rows)
}

/// Whether one of a router leads to an address of a subnet.
pub(crate) fn is_served(router: &str, subnet: &Subnet) -> Result<bool> {
    let ips: Vec<Document> = floating_ips::of_routers(&[router.to_owned()])?;
    let ids: Vec<&str> = ips.iter().map(|ip| text(ip, "id")).collect();
    if ids.is_empty() {
        return Ok(false);
    }
    let rows = find(&Query::all().any_of(PARENT, ids))?;
    let within: Vec<&Forwarding> = rows
        .iter()
        .filter(|row| row.internal_ip_address.is_some_and(|ip| subnet.cidr.contains(&ip)))
        .collect();
    let ports = outside::ports(within.iter().map(|row| row.internal_port_id.as_str()))?;
    Ok(ports.iter().any(|port| port.is_on(&subnet.id)))
}

/// Addresses of floating IPs among these that forward ports, by floating IP.
pub(crate) fn forwarding(ips: &[Document]) -> Result<Vec<(String, Vec<String>)>> {
    let ids: Vec<&str> = ips.iter().map(|ip| text(ip, "id")).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = find(&Query::all().any_of(PARENT, ids.iter().copied()))?;
    let of = |id: &&str| {
        let own: Vec<String> =
            rows.iter().filter(|row| row.floatingip_id == **id).map(|row| row.id.clone()).collect();
        (!own.is_empty()).then(|| ((*id).to_owned(), own))
    };
    Ok(ids.iter().filter_map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_inside_is_the_ports_own() {
        let port: Port = serde_json::from_value(json!({"id": "p", "network_id": "n", "fixed_ips": [
            {"subnet_id": "s6", "ip_address": "2001:db8::5"}, {"subnet_id": "s", "ip_address": "10.0.0.5"}]}))
        .unwrap();
        let of = |asked: Value| {
            let body = Document::from_iter([("internal_ip_address".to_owned(), asked)]);
            inside(&port, &body).map_err(|error| error.fault().message.clone())
        };
        assert_eq!(of(json!(null)), Ok(("10.0.0.5".parse().unwrap(), "s".to_owned())));
        assert_eq!(of(json!("10.0.0.5")).unwrap().1, "s");
        assert!(of(json!("10.0.0.6")).unwrap_err().contains("is not suitable"));
    }
}
