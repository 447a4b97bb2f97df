//! The sides of a router that are within a cloud. In Neutron:
//! `add_router_interface`, `remove_router_interface`.

use super::attached::{self, Attached, Ports};
use super::attributes::ROUTERS;
use super::{Router, routes};
use crate::outside::{self, INTERFACE, PORTS, Port, Subnet};
use crate::{errors, floating_ips, port_forwardings};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::{Context, Result, resources, store};
use serde::Deserialize;

/// What is to be joined or parted.
#[derive(Debug, Default)]
struct Given {
    port: Option<String>,
    subnet: Option<String>,
}

impl Given {
    /// In Neutron: `_validate_interface_info`.
    fn read(given: &Value) -> Result<Given> {
        let named = |name: &str| match given.get(name) {
            None => Ok(None),
            Some(Value::String(id)) if is_uuid(id) => Ok(Some(id.clone())),
            Some(other) => {
                let text = other.as_str().map_or_else(|| other.to_string(), str::to_owned);
                Err(errors::bad_router(format!("'{text}' is not a valid UUID")))
            }
        };
        let given = Given { port: named("port_id")?, subnet: named("subnet_id")? };
        match (&given.port, &given.subnet) {
            (None, None) => Err(errors::bad_router("Either subnet_id or port_id must be specified")),
            _ => Ok(given),
        }
    }
}

fn is_uuid(text: &str) -> bool {
    let is_part = |part: &str| part.chars().all(|c| c.is_ascii_hexdigit());
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.split('-').all(is_part)
}

/// What the request is answered.
fn answer(router: &str, port: &Port, subnets: &[&str]) -> Value {
    json!({"id": router, "project_id": port.project_id, "port_id": port.id, "network_id": port.network_id,
        "subnet_id": subnets.last(), "subnet_ids": subnets})
}

/// Joins a router to a subnet, or by a port.
pub(crate) fn add(ctx: &Context, router: &str, given: &Value) -> Result<Value> {
    let given = Given::read(given)?;
    // Two that join at the same time would each not see the other's subnet.
    store::lock(ROUTERS, router)?;
    let router = super::get(router)?;
    match given {
        Given { port: Some(_), subnet: Some(_) } => {
            Err(errors::bad_router("Cannot specify both subnet-id and port-id"))
        }
        Given { port: Some(port), .. } => by_port(ctx, &router, &port),
        Given { subnet, .. } => by_subnet(ctx, &router, &subnet.unwrap_or_default()),
    }
}

fn by_port(ctx: &Context, router: &Router, id: &str) -> Result<Value> {
    let port = outside::port(ctx, id)?;
    if !port.device_id.is_empty() {
        return Err(errors::port_in_use(&port.id, &port.network_id, &port.device_id));
    }
    if port.fixed_ips.is_empty() {
        return Err(errors::bad_router("Router port must have at least one fixed IP"));
    }
    let subnets = outside::subnets(port.fixed_ips.iter().map(|ip| ip.subnet_id.as_str()))?;
    subnets.iter().try_for_each(check_advertised)?;
    let ports = Ports::of(&router.id)?;
    check_one_of_v6(&ports, &port)?;
    ports.check_apart(&subnets)?;
    if subnets.iter().filter(|subnet| subnet.ip_version == 4).count() > 1 {
        return Err(errors::bad_router("Cannot have multiple IPv4 subnets on router port"));
    }
    check_given(ctx, &port, &subnets)?;
    let changes = json!({"device_id": router.id, "device_owner": INTERFACE});
    let port: Port = resources::update(PORTS, &port.id, &changes)?;
    attached::attach(&router.id, &port, INTERFACE)?;
    let ids: Vec<&str> = port.fixed_ips.iter().map(|ip| ip.subnet_id.as_str()).collect();
    Ok(answer(&router.id, &port, &ids))
}

/// In Neutron: `_validate_subnet_address_mode`.
fn check_advertised(subnet: &Subnet) -> Result<()> {
    match subnet.is_advertised_elsewhere() {
        true => Err(errors::bad_router(format!(
            "IPv6 subnet {} configured to receive RAs from an external router cannot be added to Neutron Router",
            subnet.id
        ))),
        false => Ok(()),
    }
}

/// Whoever does not own a subnet takes what it gives. In Neutron:
/// `_validate_port_in_range_or_admin`.
fn check_given(ctx: &Context, port: &Port, subnets: &[Subnet]) -> Result<()> {
    let taken = |subnet: &&Subnet| {
        let own = port.fixed_ips.iter().filter(|ip| ip.subnet_id == subnet.id);
        subnet.project_id != ctx.caller.project_id && own.clone().any(|ip| !subnet.gives(ip.ip_address))
    };
    match subnets.iter().find(taken).filter(|_| !ctx.caller.is_admin) {
        Some(subnet) => Err(errors::bad_router(format!(
            "Cannot add interface to router because specified port {} has an IP address out of the allocation \
             pool of subnet {}, which is not owned by the project making the request",
            port.id, subnet.id
        ))),
        None => Ok(()),
    }
}

/// In Neutron: `_validate_one_router_ipv6_port_per_network`.
fn check_one_of_v6(ports: &Ports, added: &Port) -> Result<()> {
    let same = |port: &&Port| port.is_v6() && port.network_id == added.network_id && port.id != added.id;
    match ports.interfaces().map(|(_, port)| port).find(same).filter(|_| added.is_v6()) {
        Some(port) => Err(errors::bad_router(format!(
            "Router already contains IPv6 port {} belonging to network id {}. Only one IPv6 port from the same \
             network subnet can be connected to a router.",
            port.id, port.network_id
        ))),
        None => Ok(()),
    }
}

fn by_subnet(ctx: &Context, router: &Router, id: &str) -> Result<Value> {
    let (subnet, network) = outside::subnet(ctx, id)?;
    let Some(gateway) = subnet.gateway_ip else {
        return Err(errors::bad_router("Subnet for router interface must have a gateway IP"));
    };
    let is_own = subnet.project_id == ctx.caller.project_id || ctx.caller.is_admin;
    if !is_own && !network.shared {
        return Err(errors::bad_router(format!(
            "Cannot add interface to router because subnet {} is not owned by project making the request",
            subnet.id
        )));
    }
    check_advertised(&subnet)?;
    let ports = Ports::of(&router.id)?;
    ports.check_apart(std::slice::from_ref(&subnet))?;
    let address = json!({"subnet_id": subnet.id, "ip_address": gateway});
    // A further prefix of a network that the router is on already.
    let mut there = ports.interfaces().map(|(_, port)| port);
    let there = there.find(|port| port.is_v6() && port.network_id == subnet.network_id);
    if let Some(port) = there.filter(|_| subnet.ip_version == 6) {
        let mut addresses: Vec<Value> = port.fixed_ips.iter().map(|ip| json!(ip)).collect();
        addresses.push(address);
        let port = outside::readdress(&port.id, &json!(addresses))?;
        return Ok(answer(&router.id, &port, &[&subnet.id]));
    }
    let body = json!({"project_id": router.project_id, "network_id": subnet.network_id,
        "fixed_ips": [address], "admin_state_up": true, "device_id": router.id, "device_owner": INTERFACE,
        "name": ""});
    let port = outside::make_port(&body)?;
    attached::attach(&router.id, &port, INTERFACE)?;
    Ok(answer(&router.id, &port, &[&subnet.id]))
}

/// Parts a router from a subnet, or takes a port away from it.
pub(crate) fn remove(ctx: &Context, id: &str, given: &Value) -> Result<Value> {
    let given = Given::read(given)?;
    store::lock(ROUTERS, id)?;
    let router = super::get(id)?;
    let ports = Ports::of(id)?;
    if let Some(port_id) = given.port {
        let found = ports.interfaces().find(|(row, _)| row.port_id == port_id);
        let (row, port) = found.ok_or_else(|| errors::interface_not_found(id, &port_id))?;
        if let Some(subnet) = given.subnet.filter(|subnet| !port.is_on(subnet)) {
            return Err(errors::subnet_mismatch(&port_id, &subnet));
        }
        let subnets = outside::subnets(port.fixed_ips.iter().map(|ip| ip.subnet_id.as_str()))?;
        // Whoever hears that the port goes has his say first, as in Neutron.
        let answer = take(&router, row, port)?;
        subnets.iter().try_for_each(|subnet| check_unneeded(&router, subnet))?;
        return Ok(answer);
    }
    let subnet = given.subnet.unwrap_or_default();
    let (subnet, _) = outside::subnet(ctx, &subnet)?;
    let found = ports.interfaces().find(|(_, port)| port.is_on(&subnet.id));
    let (row, port) = found.ok_or_else(|| errors::no_interface_on(id, &subnet.id))?;
    let answer = if port.fixed_ips.len() == 1 {
        take(&router, row, port)?
    } else {
        let left: Vec<_> = port.fixed_ips.iter().filter(|ip| ip.subnet_id != subnet.id).collect();
        answer(id, &outside::readdress(&port.id, &json!(left))?, &[&subnet.id])
    };
    check_unneeded(&router, &subnet)?;
    Ok(answer)
}

fn take(router: &Router, row: &Attached, port: &Port) -> Result<Value> {
    attached::remove(row)?;
    let ids: Vec<&str> = port.fixed_ips.iter().map(|ip| ip.subnet_id.as_str()).collect();
    let mut answer = answer(&router.id, port, &ids);
    // The first, where adding one answers the last.
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("subnet_id".to_owned(), json!(ids.first()));
    }
    Ok(answer)
}

/// Nothing leads over a side that goes. In Neutron:
/// `_confirm_router_interface_not_in_use`.
fn check_unneeded(router: &Router, subnet: &Subnet) -> Result<()> {
    if floating_ips::is_served(&router.id, subnet)? || port_forwardings::is_served(&router.id, subnet)? {
        return Err(errors::interface_needed_by_floating_ip(&router.id, &subnet.id));
    }
    match router.routes.iter().any(|route| subnet.cidr.contains(&route.nexthop)) {
        true => Err(errors::interface_needed_by_route(&router.id, &subnet.id)),
        false => Ok(()),
    }
}

/// Routes of a request.
#[derive(Deserialize)]
pub(crate) struct Listed {
    pub(crate) routes: Vec<routes::Route>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_a_port_or_a_subnet() {
        const ID: &str = "11111111-2222-4333-8444-555555555555";
        let refused = |given: Value| Given::read(&given).map(drop).map_err(|e| e.fault().message.clone());
        assert_eq!(refused(json!({ "port_id": ID })), Ok(()));
        assert_eq!(refused(json!({"port_id": ID, "subnet_id": ID})), Ok(()));
        let nothing = "Bad router request: Either subnet_id or port_id must be specified.";
        for given in [json!({}), json!(null), json!({"other": 1})] {
            assert_eq!(refused(given), Err(nothing.to_owned()));
        }
        let odd = "Bad router request: 'x' is not a valid UUID.";
        assert_eq!(refused(json!({"subnet_id": "x"})), Err(odd.to_owned()));
        assert!(refused(json!({"subnet_id": null})).is_err());
    }
}
