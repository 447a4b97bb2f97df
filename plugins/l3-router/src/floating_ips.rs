//! Floating IPs: addresses of the outside that stand for ports inside.
//! In Neutron: `create_floatingip` and its like, of `L3_NAT_dbonly_mixin`.

mod attributes;

pub(crate) use attributes::{FLOATING_IPS, collection};

use crate::outside::{self, FLOATING_IP, PORTS, Port, Subnet};
use crate::routers::attached::{self, Attached};
use crate::{agents, errors, port_forwardings, text};
use attributes::DETAILS;
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, InsertError, Query, StoreError};
use hadron_sdk::{Context, Document, Result, resources};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// How they are: an agent says when one works.
pub(crate) const DOWN: &str = "DOWN";

/// Ports of DHCP servers stand for nothing.
const DHCP: &str = "network:dhcp";

/// A floating IP's row.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct FloatingIp {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) project_id: String,
    pub(crate) floating_network_id: String,
    pub(crate) floating_ip_address: Option<IpAddr>,
    pub(crate) router_id: Option<String>,
    pub(crate) port_id: Option<String>,
    pub(crate) fixed_ip_address: Option<IpAddr>,
    pub(crate) floating_port_id: Option<String>,
}

/// What a floating IP stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Association {
    port: Option<String>,
    fixed: Option<IpAddr>,
    router: Option<String>,
}

impl Association {
    fn of(ip: &FloatingIp) -> Association {
        Association { port: ip.port_id.clone(), fixed: ip.fixed_ip_address, router: ip.router_id.clone() }
    }

    fn write(&self, document: &mut Document) {
        document.insert("port_id".to_owned(), json!(self.port));
        document.insert("fixed_ip_address".to_owned(), json!(self.fixed));
        document.insert("router_id".to_owned(), json!(self.router));
    }
}

/// Makes floating IPs. One after the other, so that each knows of those before it.
pub(crate) fn create(ctx: &Context, bodies: Vec<Document>) -> Result<()> {
    bodies.into_iter().try_for_each(|body| create_one(ctx, body))
}

fn create_one(ctx: &Context, mut body: Document) -> Result<()> {
    let id = text(&body, "id").to_owned();
    let network = outside::network(ctx, text(&body, "floating_network_id"))?;
    if !network.is_external {
        return Err(errors::bad_floating_ip(format!(
            "Network {} is not a valid external network",
            network.id
        )));
    }
    let subnets = outside::subnets_of([network.id.as_str()])?;
    if !subnets.iter().any(|subnet| subnet.ip_version == 4) {
        let reason = format!("Network {} does not contain any IPv4 subnet", network.id);
        return Err(errors::bad_floating_ip(reason));
    }
    let kept = keep(&id, &network.id, &body)?;
    let address = kept.fixed_ips.iter().map(|ip| ip.ip_address).find(IpAddr::is_ipv4);
    let address = address.ok_or_else(|| errors::no_external_address(&network.id))?;
    let ip = FloatingIp {
        id: id.clone(),
        project_id: text(&body, "project_id").to_owned(),
        floating_network_id: network.id.clone(),
        floating_ip_address: Some(address),
        router_id: None,
        port_id: None,
        fixed_ip_address: None,
        floating_port_id: Some(kept.id),
    };
    let association = associated(ctx, &ip, &body)?;
    let mut document = Document::new();
    for name in ["id", "project_id", "floating_network_id", "dns_domain", "dns_name"] {
        document.insert(name.to_owned(), body.remove(name).unwrap_or_default());
    }
    document.insert("floating_ip_address".to_owned(), json!(address));
    document.insert("floating_port_id".to_owned(), json!(ip.floating_port_id));
    document.insert("status".to_owned(), json!(DOWN));
    association.write(&mut document);
    store::insert(FLOATING_IPS, &[document]).map_err(|error| match error {
        InsertError::Store(StoreError::Duplicate(_)) => taken(&ip, &association),
        other => other.into(),
    })?;
    association.router.map_or(Ok(()), |router| agents::changed(&router))
}

/// Makes the port that keeps the address.
fn keep(id: &str, network: &str, body: &Document) -> Result<Port> {
    let mut port = json!({"project_id": "", "network_id": network, "admin_state_up": true, "device_id": id,
        "device_owner": FLOATING_IP, "name": ""});
    let mut wanted = Document::new();
    for (given, name) in [("subnet_id", "subnet_id"), ("floating_ip_address", "ip_address")] {
        if let Some(value) = body.get(given).filter(|value| !value.is_null()) {
            wanted.insert(name.to_owned(), value.clone());
        }
    }
    if !wanted.is_empty()
        && let Some(port) = port.as_object_mut()
    {
        port.insert("fixed_ips".to_owned(), json!([wanted]));
    }
    outside::make_port(&port)
}

fn taken(ip: &FloatingIp, association: &Association) -> hadron_sdk::Error {
    let address = |address: Option<IpAddr>| address.map(|ip| ip.to_string()).unwrap_or_default();
    errors::already_associated(
        &address(ip.floating_ip_address),
        &ip.id,
        association.port.as_deref().unwrap_or_default(),
        &address(association.fixed),
        &ip.floating_network_id,
    )
}

/// What a floating IP stands for from now on. In Neutron:
/// `_check_and_get_fip_assoc`.
fn associated(ctx: &Context, ip: &FloatingIp, given: &Document) -> Result<Association> {
    let set = |name: &str| given.get(name).filter(|value| !value.is_null());
    let names_port = set("port_id").is_some();
    if set("fixed_ip_address").is_some() && !names_port {
        return Err(errors::bad_floating_ip("fixed_ip_address cannot be specified without a port_id"));
    }
    if !names_port {
        return Ok(match given.contains_key("port_id") {
            true => Association { router: forwarding_router(ip), ..Association::default() },
            false => Association::of(ip),
        });
    }
    let port = outside::port(ctx, text(given, "port_id"))?;
    if port.project_id != ip.project_id && !ctx.caller.is_admin {
        return Err(errors::bad_floating_ip(format!(
            "Cannot process floating IP association with Port {}, since that port is owned by a different project",
            port.id
        )));
    }
    if port.device_owner == DHCP {
        let reason = format!("Port {} is unable to be assigned a floating IP", port.id);
        return Err(errors::bad_floating_ip(reason));
    }
    port_forwardings::check_free(ip, &port.id)?;
    let fixed = fixed(&port, set("fixed_ip_address").and_then(Value::as_str))?;
    let (address, subnet) = (fixed.ip_address, fixed.subnet_id.clone());
    let router = way(&ip.floating_network_id, &subnet, &port)?;
    let association = Association { port: Some(port.id.clone()), fixed: Some(address), router: Some(router) };
    if ip.port_id.as_ref() != Some(&port.id) || ip.fixed_ip_address != Some(address) {
        let same = Query::all()
            .equal("port_id", port.id.as_str())
            .equal("fixed_ip_address", address.to_string())
            .equal("floating_network_id", ip.floating_network_id.as_str());
        if store::count(FLOATING_IPS, &same)? > 0 {
            return Err(taken(ip, &association));
        }
    }
    Ok(association)
}

/// One that forwards ports keeps its router.
fn forwarding_router(ip: &FloatingIp) -> Option<String> {
    if ip.port_id.is_none() { ip.router_id.clone() } else { None }
}

/// The address of a port that is stood for.
fn fixed<'a>(port: &'a Port, asked: Option<&str>) -> Result<&'a outside::FixedIp> {
    let mut own = port.fixed_ips.iter().filter(|ip| ip.ip_address.is_ipv4());
    if let Some(asked) = asked {
        let address: IpAddr =
            asked.parse().map_err(|_| errors::bad_floating_ip(format!("'{asked}' is no address")))?;
        if !address.is_ipv4() {
            return Err(errors::bad_floating_ip(format!(
                "Cannot process floating IP association with {asked}, since that is not an IPv4 address"
            )));
        }
        let reason = || errors::bad_floating_ip(format!("Port {} does not have fixed ip {asked}", port.id));
        return own.find(|ip| ip.ip_address == address).ok_or_else(reason);
    }
    match (own.next(), own.next()) {
        (None, _) => Err(errors::bad_floating_ip(format!(
            "Cannot add floating IP to port {} that has no fixed IPv4 addresses",
            port.id
        ))),
        (Some(one), None) => Ok(one),
        _ => Err(errors::bad_floating_ip(format!(
            "Port {} has multiple fixed IPv4 addresses.  Must provide a specific IPv4 address when assigning a \
             floating IP",
            port.id
        ))),
    }
}

/// The router that leads from a subnet to an external network: the one that is the
/// subnet's gateway, else any. In Neutron: `get_router_for_floatingip`.
pub(crate) fn way(external: &str, subnet: &str, port: &Port) -> Result<String> {
    let out = attached::on(external)?.into_iter().filter(Attached::is_gateway);
    let out: BTreeSet<String> = out.map(|row| row.router_id).collect();
    let mut sides = attached::on(&port.network_id)?;
    sides.retain(|row| !row.is_gateway() && out.contains(&row.router_id));
    let ports = outside::ports(sides.iter().map(|row| row.port_id.as_str()))?;
    let address = |row: &Attached| {
        let port = ports.iter().find(|port| port.id == row.port_id)?;
        port.fixed_ips.iter().find(|ip| ip.subnet_id == subnet).map(|ip| ip.ip_address)
    };
    sides.retain(|row| address(row).is_some());
    let gateway = outside::subnets([subnet])?.first().and_then(|subnet| subnet.gateway_ip);
    let chosen = sides.iter().find(|row| address(row) == gateway).or_else(|| sides.first());
    chosen.map(|row| row.router_id.clone()).ok_or_else(|| errors::not_reachable(external, subnet, &port.id))
}

/// Changes a floating IP.
pub(crate) fn update(ctx: &Context, id: &str, current: &Document, mut changes: Document) -> Result<()> {
    let ip = FloatingIp::deserialize(Value::Object(current.clone()))?;
    let was = Association::of(&ip);
    let is = associated(ctx, &ip, &changes)?;
    for name in ["port_id", "fixed_ip_address"] {
        changes.remove(name);
    }
    if was != is {
        is.write(&mut changes);
        if is.port.is_none() {
            changes.insert("status".to_owned(), json!(DOWN));
        }
    }
    if !changes.is_empty() {
        store::try_update(FLOATING_IPS, id, &changes).map_err(|error| match error {
            InsertError::Store(StoreError::Duplicate(_)) => taken(&ip, &is),
            other => other.into(),
        })?;
    }
    [was.router, is.router].into_iter().flatten().try_for_each(|router| agents::changed(&router))
}

/// Removes floating IPs, with the ports that keep their addresses.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    documents.iter().try_for_each(|document| {
        let ip = FloatingIp::deserialize(Value::Object(document.clone()))?;
        store::delete(FLOATING_IPS, std::slice::from_ref(&ip.id))?;
        if let Some(port) = &ip.floating_port_id {
            resources::delete(PORTS, port)?;
        }
        ip.router_id.map_or(Ok(()), |router| agents::changed(&router))
    })
}

/// What is shown of the ports that they stand for.
pub(crate) fn details(documents: &[Document]) -> Result<Vec<Document>> {
    let ids = documents.iter().map(|document| text(document, "port_id")).filter(|id| !id.is_empty());
    let query = Query::all().any_of("id", ids);
    let ports: Vec<Document> = resources::find(PORTS, &query)?;
    let ports: BTreeMap<&str, &Document> = ports.iter().map(|port| (text(port, "id"), port)).collect();
    let of = |document: &Document| {
        let port = ports.get(text(document, "port_id"))?;
        let names =
            ["name", "network_id", "mac_address", "admin_state_up", "status", "device_id", "device_owner"];
        let shown = names.map(|name| (name.to_owned(), port.get(name).cloned().unwrap_or_default()));
        Some(Document::from_iter([(DETAILS.to_owned(), Value::Object(Document::from_iter(shown)))]))
    };
    Ok(documents.iter().map(|document| of(document).unwrap_or_default()).collect())
}

fn find(query: &Query) -> Result<Vec<FloatingIp>> {
    store::find(FLOATING_IPS, query)
}

/// One that is there.
pub(crate) fn get(id: &str) -> Result<Option<FloatingIp>> {
    store::get(FLOATING_IPS, id)
}

/// Whether a router has any.
pub(crate) fn any_by(router: &str) -> Result<bool> {
    Ok(store::count(FLOATING_IPS, &Query::all().equal("router_id", router))? > 0)
}

/// Those of routers, as rows.
pub(crate) fn of_routers(routers: &[String]) -> Result<Vec<Document>> {
    if routers.is_empty() {
        return Ok(Vec::new());
    }
    store::find(FLOATING_IPS, &Query::all().any_of("router_id", routers.iter().cloned()))
}

/// Those that stand for ports.
pub(crate) fn of_ports<'a>(ports: impl IntoIterator<Item = &'a str>) -> Result<Vec<FloatingIp>> {
    let ports: Vec<&str> = ports.into_iter().collect();
    if ports.is_empty() { Ok(Vec::new()) } else { find(&Query::all().any_of("port_id", ports)) }
}

/// Whether one of a router stands for an address of a subnet.
pub(crate) fn is_served(router: &str, subnet: &Subnet) -> Result<bool> {
    let of = find(&Query::all().equal("router_id", router))?;
    let within: Vec<&FloatingIp> = of
        .iter()
        .filter(|ip| ip.fixed_ip_address.is_some_and(|fixed| subnet.cidr.contains(&fixed)))
        .collect();
    let ports = outside::ports(within.iter().filter_map(|ip| ip.port_id.as_deref()))?;
    Ok(ports.iter().any(|port| port.is_on(&subnet.id)))
}

/// Ports go: what stood for them stands for nothing. In Neutron:
/// `disassociate_floatingips`.
pub(crate) fn ports_go(ctx: &Context, ports: &[&str]) -> Result<()> {
    for ip in of_ports(ports.iter().copied())? {
        if !ctx.caller.is_admin && ip.project_id != ctx.caller.project_id {
            return Err(errors::fip_associated(ip.port_id.as_deref().unwrap_or_default()));
        }
        let mut changes = Document::from_iter([("status".to_owned(), json!(DOWN))]);
        Association::default().write(&mut changes);
        store::update::<Document>(FLOATING_IPS, &ip.id, &changes)?;
        ip.router_id.map_or(Ok(()), |router| agents::changed(&router))?;
    }
    Ok(())
}

/// A port keeps the address that is stood for. In Neutron:
/// `prevent_internal_ip_change_for_fip`.
pub(crate) fn check_kept(port: &Port) -> Result<()> {
    let lost = |ip: &FloatingIp| {
        ip.fixed_ip_address.is_some_and(|fixed| port.fixed_ips.iter().all(|own| own.ip_address != fixed))
    };
    match of_ports([port.id.as_str()])?.iter().any(lost) {
        true => Err(errors::bad_port(format!(
            "Cannot update the fixed_ips of the port {}, because its original fixed_ip has been associated to a \
             floating ip",
            port.id
        ))),
        false => Ok(()),
    }
}

/// External networks go: floating IPs of theirs that stand for nothing go with
/// them. In Neutron: `delete_disassociated_floatingips`.
pub(crate) fn networks_go(networks: &[&str]) -> Result<()> {
    let unused: Vec<Document> =
        store::find(FLOATING_IPS, &Query::all().any_of("floating_network_id", networks.iter().copied()))?;
    let unused: Vec<Document> = unused
        .into_iter()
        .filter(|ip| text(ip, "port_id").is_empty() && text(ip, "router_id").is_empty())
        .collect();
    delete(&unused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json;

    fn port(addresses: &[&str]) -> Port {
        let fixed_ips: Vec<Value> =
            addresses.iter().map(|ip| json!({"subnet_id": "s", "ip_address": ip})).collect();
        serde_json::from_value(json!({"id": "p", "network_id": "n", "fixed_ips": fixed_ips})).unwrap()
    }

    #[test]
    fn the_address_is_the_only_one_or_the_one_that_is_named() {
        let of = |addresses: &[&str], asked: Option<&str>| match fixed(&port(addresses), asked) {
            Ok(ip) => ip.ip_address.to_string(),
            Err(error) => error.fault().message.clone(),
        };
        assert_eq!(of(&["10.0.0.5", "2001:db8::5"], None), "10.0.0.5");
        assert_eq!(of(&["10.0.0.5", "10.0.0.6"], Some("10.0.0.6")), "10.0.0.6");
        assert!(of(&["10.0.0.5", "10.0.0.6"], None).contains("multiple fixed IPv4"));
        assert!(of(&["2001:db8::5"], None).contains("no fixed IPv4"));
        assert!(of(&["10.0.0.5"], Some("10.0.0.6")).contains("does not have fixed ip"));
        assert!(of(&["10.0.0.5"], Some("2001:db8::5")).contains("not an IPv4 address"));
    }
}
