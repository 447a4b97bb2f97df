//! What VPN services need stays: the way out of their routers, what these are
//! joined to, subnets in groups of endpoints, and flavors. In Neutron:
//! `vpn_router_gateway_callback`, `migration_callback`, `subnet_callback`.

use crate::flavors::FLAVORS;
use crate::outside::{GATEWAY, INTERFACES, PORTS, Port, ROUTERS, SUBNETS};
use crate::{connections, endpoint_groups, errors, services, text};
use hadron_sdk::events::{Event, Moment as Happened};
use hadron_sdk::manifest::{Moment, Subscription};
use hadron_sdk::serde_json::{self, Value};
use hadron_sdk::{Document, Result};
use serde::Deserialize;
use std::collections::BTreeSet;

/// What is heard of.
pub(crate) fn subscriptions() -> Vec<Subscription> {
    let to =
        |collection: &str, on: &[Moment]| Subscription { collection: collection.to_owned(), on: on.to_vec() };
    vec![
        to(PORTS, &[Moment::BeforeDelete, Moment::BeforeUpdate]),
        to(ROUTERS, &[Moment::BeforeUpdate]),
        to(SUBNETS, &[Moment::BeforeDelete]),
        to(FLAVORS, &[Moment::BeforeDelete]),
    ]
}

/// Something is about to happen.
pub(crate) fn heard(event: &Event) -> Result<()> {
    let documents: Vec<Document> =
        event.documents.iter().map(|text| serde_json::from_str(text)).collect::<Result<_, _>>()?;
    match (event.collection.as_str(), event.moment) {
        (PORTS, Happened::BeforeDelete) => documents.into_iter().try_for_each(port_goes),
        (PORTS, Happened::BeforeUpdate) => each_change(event, documents, port_changes),
        (ROUTERS, Happened::BeforeUpdate) => each_change(event, documents, router_changes),
        (SUBNETS, Happened::BeforeDelete) => {
            documents.iter().try_for_each(|subnet| subnet_goes(text(subnet, "id")))
        }
        (FLAVORS, Happened::BeforeDelete) => {
            documents.iter().try_for_each(|flavor| flavor_goes(text(flavor, "id")))
        }
        _ => Ok(()),
    }
}

fn each_change(
    event: &Event,
    documents: Vec<Document>,
    check: fn(Document, &Document) -> Result<()>,
) -> Result<()> {
    for (document, changes) in documents.into_iter().zip(&event.changes) {
        check(document, &serde_json::from_str(changes)?)?;
    }
    Ok(())
}

/// A port goes: that of a router leaves it without a way out, or without a subnet.
fn port_goes(document: Document) -> Result<()> {
    match text(&document, "device_owner") {
        GATEWAY => check_router(text(&document, "device_id")),
        owner if INTERFACES.contains(&owner) => {
            let port = Port::deserialize(Value::Object(document))?;
            check_parted(&port.device_id, &port.subnets())
        }
        _ => Ok(()),
    }
}

/// A port gets other addresses, and so leaves subnets.
fn port_changes(document: Document, changes: &Document) -> Result<()> {
    let Some(to) = changes.get("fixed_ips") else { return Ok(()) };
    if !INTERFACES.contains(&text(&document, "device_owner")) {
        return Ok(());
    }
    let port = Port::deserialize(Value::Object(document))?;
    let stays = |subnet: &&str| {
        let addresses = to.as_array().into_iter().flatten();
        let mut subnets = addresses.filter_map(|ip| ip.get("subnet_id").and_then(Value::as_str));
        subnets.any(|kept| kept == *subnet)
    };
    let left: BTreeSet<&str> = port.subnets().into_iter().filter(|subnet| !stays(subnet)).collect();
    check_parted(&port.device_id, &left)
}

/// A router becomes one of another kind, which is put up anew.
fn router_changes(document: Document, changes: &Document) -> Result<()> {
    let differs =
        |name: &str| changes.get(name).is_some_and(|to| document.get(name).unwrap_or(&Value::Null) != to);
    match ["distributed", "ha"].into_iter().any(differs) {
        true => check_router(text(&document, "id")),
        false => Ok(()),
    }
}

/// In Neutron: `check_router_in_use`.
fn check_router(router: &str) -> Result<()> {
    let services = services::of_routers(&[router.to_owned()])?;
    match services.is_empty() {
        true => Ok(()),
        false => {
            let ids: Vec<String> = services.into_iter().map(|service| service.id).collect();
            Err(errors::router_in_use(router, &ids))
        }
    }
}

/// A router is parted from subnets. In Neutron: `check_subnet_in_use`.
fn check_parted(router: &str, subnets: &BTreeSet<&str>) -> Result<()> {
    if subnets.is_empty() {
        return Ok(());
    }
    let services = services::of_routers(&[router.to_owned()])?;
    if services.is_empty() {
        return Ok(());
    }
    // No connection is made meanwhile.
    services::lock(services.iter().map(|service| service.id.as_str()))?;
    let all = connections::of_services(&services)?;
    for subnet in subnets {
        if let Some(service) = services.iter().find(|service| service.subnet_id.as_deref() == Some(*subnet)) {
            return Err(errors::subnet_in_use_by_service(subnet, &service.id));
        }
        let groups = endpoint_groups::with_subnet(subnet)?;
        let is_side = |id: &String| groups.iter().any(|group| group.id == *id);
        if let Some(connection) = all.iter().find(|c| c.local_ep_group_id.as_ref().is_some_and(is_side)) {
            return Err(errors::subnet_in_use_by_connection(subnet, &connection.id));
        }
    }
    Ok(())
}

/// In Neutron: `check_subnet_in_use_by_endpoint_group`.
fn subnet_goes(subnet: &str) -> Result<()> {
    match endpoint_groups::with_subnet(subnet)?.first() {
        Some(group) => Err(errors::subnet_in_use_by_group(subnet, &group.id)),
        None => Ok(()),
    }
}

fn flavor_goes(flavor: &str) -> Result<()> {
    match services::any_of_flavor(flavor)? {
        true => Err(errors::flavor_in_use(flavor)),
        false => Ok(()),
    }
}
