//! Subnets: what a request does to them. In Neutron: `create_subnet`,
//! `update_subnet`, `delete_subnet` of `NeutronDbPluginV2`.

mod allocation;
mod association;
mod attributes;
mod origin;
mod routed;
mod routes;
mod rules;
mod service_types;
mod subnet;

pub(crate) use attributes::{POLICY, collection};
pub(crate) use service_types::{EXTENSIONS, for_owner};
pub(crate) use subnet::{Pool, Subnet, pool_name};

use crate::document::{differing, distinct, merged, row, set, take, text, typed};
use crate::mechanisms::{Changed, Mechanisms};
use crate::net::{Cidr, Range, Version};
use crate::networks::{self, Networks};
use crate::{dhcp, errors, owners, ports};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, Query, StoreError};
use hadron_sdk::{Context, Document, Error, Operation, Result, pools};
use origin::{Origin, Pools};
use rules::Asked;
use std::collections::HashMap;
use std::net::IpAddr;

const COLLECTION: &str = "subnets";

/// Makes subnets. The networks are held, so that no two units put overlapping
/// subnets on one.
pub(crate) fn create(ctx: &Context, mut bodies: Vec<Document>) -> Result<()> {
    bodies.iter_mut().try_for_each(service_types::check)?;
    let requests = bodies.iter().map(rules::check_create).collect::<Result<Vec<Asked>>>()?;
    let network_ids = distinct(&bodies, "network_id");
    network_ids.iter().try_for_each(|id| networks::hold(id))?;
    let parents = networks::existing(&network_ids)?;
    let siblings = of_networks(&network_ids)?;
    routed::check_create(&bodies, &siblings)?;
    let mut present: HashMap<String, Vec<Neighbour>> = HashMap::new();
    for subnet in &siblings {
        let neighbour = Neighbour { cidr: subnet.cidr, pool: subnet.subnetpool_id.clone() };
        present.entry(subnet.network_id.clone()).or_default().push(neighbour);
    }
    let mut pools = Pools::of(ctx, &requests)?;
    let mut scopes = networks::Scopes::of(&parents);

    let mut documents = Vec::with_capacity(bodies.len());
    for (body, asked) in bodies.into_iter().zip(requests) {
        let network_id = text(&body, "network_id").to_owned();
        let mtu = parents.iter().find(|n| text(n, "id") == network_id).map_or(0, networks::mtu_of);
        rules::check_mtu(&network_id, mtu, asked.version.number())?;
        let origin = pools.take(&asked, text(&body, "project_id"))?;
        let cidr = origin.cidr;
        let gateway = match body.get("gateway_ip") {
            Some(_) => typed::<Option<IpAddr>>(&body, "gateway_ip")?,
            None if asked.cidr.is_none() && origin.is_taken() => Some(allocation::first_host(&cidr)),
            None => Some(allocation::default_gateway(&cidr)),
        };
        if asked.cidr.is_none() {
            rules::check_taken(&body, &cidr, gateway)?;
        }
        let ranges = match set(&body, "allocation_pools") {
            None => allocation::default_pools(&cidr, gateway),
            Some(_) => {
                let asked: Vec<Pool> = typed(&body, "allocation_pools")?;
                allocation::checked_pools(&asked, &cidr, gateway)?
            }
        };
        let others = present.entry(network_id.clone()).or_default();
        check_neighbours(&origin, &network_id, scopes.get(&network_id, cidr.version()), others)?;
        others.push(Neighbour { cidr, pool: origin.pool.clone() });
        if origin.scope.is_some() {
            scopes.set(&network_id, cidr.version(), origin.scope.as_deref());
        }
        documents.push(document(body, &origin, gateway, &ranges));
    }
    let made = documents.iter().map(row::<Subnet>).collect::<Result<Vec<_>>>()?;
    let ready = routed::ready(&made, &siblings);
    for (document, routes) in documents.iter_mut().zip(&ready.own) {
        document.insert("host_routes".to_owned(), json!(routes));
    }
    store::insert(COLLECTION, &documents)?;
    scopes.write()?;
    made.iter().try_for_each(|subnet| define_pool(&subnet.id, &subnet.cidr, &subnet.ranges()))?;

    let mechanisms = Mechanisms::loaded();
    if mechanisms.want("subnet") {
        let networks = Networks::of(&parents)?;
        mechanisms.subnets(Operation::Create, &Changed::all(&documents), &networks)?;
    }
    dhcp::subnets_made(&documents, &made)?;
    ready.networks.iter().try_for_each(|id| networks::set_adjacent(id, false))?;
    ready.others.iter().try_for_each(|(id, routes)| change_routes(id, routes))?;
    made.iter().filter(|subnet| subnet.is_automatic()).try_for_each(ports::add_automatic)
}

/// Gives a subnet other routes, because others of its network came or went.
fn change_routes(id: &str, routes: &[routes::Route]) -> Result<()> {
    let Some(current) = store::get::<Document>(COLLECTION, id)? else { return Ok(()) };
    let mut changes = Document::new();
    changes.insert("host_routes".to_owned(), json!(routes));
    write(id, &current, changes)
}

/// Another subnet of the same network.
struct Neighbour {
    cidr: Cidr,
    pool: Option<String>,
}

/// A new subnet overlaps no other of its network, and is of the same pool.
fn check_neighbours(new: &Origin, network_id: &str, scope: Option<&str>, others: &[Neighbour]) -> Result<()> {
    if !origin::is_provisional(&new.cidr) {
        let real = others.iter().map(|other| other.cidr).filter(|cidr| !origin::is_provisional(cidr));
        rules::check_overlap(&new.cidr, network_id, &real.collect::<Vec<_>>())?;
    }
    let family = others.iter().filter(|other| other.cidr.version() == new.cidr.version());
    origin::check_affinity(new, scope, &family.map(|other| other.pool.clone()).collect::<Vec<_>>())
}

fn document(mut body: Document, origin: &Origin, gateway: Option<IpAddr>, ranges: &[Range]) -> Document {
    let cidr = &origin.cidr;
    let mut document = Document::new();
    let given = [
        "id",
        "project_id",
        "name",
        "network_id",
        "ip_version",
        "enable_dhcp",
        "ipv6_ra_mode",
        "ipv6_address_mode",
        "segment_id",
    ];
    take(&mut body, &given, &mut document);
    document.insert("subnetpool_id".to_owned(), json!(origin.pool));
    document.insert("gateway_ip".to_owned(), json!(gateway));
    document.insert("cidr".to_owned(), json!(cidr.to_string()));
    document.insert("allocation_pools".to_owned(), json!(allocation::shown(ranges, cidr.version())));
    for list in ["host_routes", "dns_nameservers", "service_types"] {
        document.insert(list.to_owned(), set(&body, list).cloned().unwrap_or_else(|| json!([])));
    }
    take(&mut body, &["dns_publish_fixed_ip", "description"], &mut document);
    document
}

fn define_pool(id: &str, cidr: &Cidr, ranges: &[Range]) -> Result<()> {
    let ranges: Vec<pools::Range> =
        cidr.numbers(ranges).into_iter().map(|(first, last)| pools::Range { first, last }).collect();
    Ok(pools::define(&pool_name(id), &ranges)?)
}

/// Changes a subnet.
pub(crate) fn update(id: &str, current: &Document, mut changes: Document) -> Result<()> {
    service_types::check(&mut changes)?;
    let before: Subnet = row(current)?;
    let has_modes = before.ipv6_ra_mode.is_some() || before.ipv6_address_mode.is_some();
    rules::check_update(&changes, id, &before.cidr, before.enable_dhcp, has_modes)?;
    for list in ["host_routes", "dns_nameservers"] {
        if changes.get(list).is_some_and(Value::is_null) {
            changes.insert(list.to_owned(), json!([]));
        }
    }

    if changes.get("segment_id").is_some_and(|id| current.get("segment_id").unwrap_or(&Value::Null) != id) {
        routed::change(&before, set(&changes, "segment_id").and_then(Value::as_str))?;
    }
    let gateway = match changes.get("gateway_ip") {
        None => before.gateway_ip,
        Some(_) => typed::<Option<IpAddr>>(&changes, "gateway_ip")?,
    };
    if gateway != before.gateway_ip {
        check_gateway_free(&before)?;
    }
    let version = before.cidr.version();
    if changes.get("allocation_pools").is_some_and(Value::is_null) {
        changes.remove("allocation_pools");
    }
    if set(&changes, "allocation_pools").is_some() {
        let asked: Vec<Pool> = typed(&changes, "allocation_pools")?;
        let ranges = allocation::checked_pools(&asked, &before.cidr, gateway)?;
        changes.insert("allocation_pools".to_owned(), json!(allocation::shown(&ranges, version)));
        redefine_pool(&before, &ranges)?;
    } else if gateway != before.gateway_ip {
        allocation::check_gateway(gateway, &before.ranges(), version)?;
    }

    let changes = differing(current, changes);
    let after: Subnet = row(&merged(current, &changes))?;
    let mut changes = changes;
    if after.segment_id.is_some() && (changes.contains_key("host_routes") || gateway != before.gateway_ip) {
        let others = of_networks(std::slice::from_ref(&before.network_id))?;
        let routes = routes::calculated(&after, &after.host_routes, &others, before.gateway_ip);
        changes.insert("host_routes".to_owned(), json!(routes));
    }
    write(id, current, changes)
}

/// Writes the changes of a subnet and tells drivers.
fn write(id: &str, current: &Document, changes: Document) -> Result<()> {
    let updated: Document = store::update(COLLECTION, id, &changes)?;
    let mechanisms = Mechanisms::loaded();
    if mechanisms.want("subnet") {
        let networks = Networks::load(&[text(current, "network_id").to_owned()])?;
        let changed = Changed { current: &updated, original: Some(current) };
        mechanisms.subnets(Operation::Update, &[changed], &networks)?;
    }
    dhcp::subnet_changed(&updated)
}

/// The pool holds other addresses from now on. Those that ports have and that
/// nobody handed out until now are taken, or they would be given again.
fn redefine_pool(before: &Subnet, ranges: &[Range]) -> Result<()> {
    store::lock(COLLECTION, &before.id)?;
    define_pool(&before.id, &before.cidr, ranges)?;
    let shown = allocation::shown(ranges, before.cidr.version());
    let after = Subnet { allocation_pools: shown, ..before.clone() };
    for port in ports::on_subnet(&before.id)? {
        for ip in port.fixed_ips.iter().filter(|ip| ip.subnet_id == before.id) {
            if before.pooled(ip.ip_address).is_none()
                && let Some(number) = after.pooled(ip.ip_address)
            {
                match pools::take_given(&pool_name(&before.id), number) {
                    // Taken under ranges of long ago that are back now.
                    Ok(()) | Err(pools::PoolError::Taken) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
    Ok(())
}

/// A gateway stays while a router has its address.
fn check_gateway_free(subnet: &Subnet) -> Result<()> {
    let Some(gateway) = subnet.gateway_ip else { return Ok(()) };
    let has_it = |port: &ports::PortRow| {
        owners::is_router_interface(&port.device_owner)
            && port.fixed_ips.iter().any(|ip| ip.subnet_id == subnet.id && ip.ip_address == gateway)
    };
    match ports::on_subnet(&subnet.id)?.iter().find(|port| has_it(port)) {
        Some(port) => Err(errors::gateway_in_use(gateway, &port.id)),
        None => Ok(()),
    }
}

/// Removes subnets that no port needs; addresses that ports were given without
/// asking go with them.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    let subnets = documents.iter().map(row::<Subnet>).collect::<Result<Vec<_>>>()?;
    for subnet in &subnets {
        // No port gets an address here while we look who has one.
        store::lock(COLLECTION, &subnet.id)?;
        let ports = ports::on_subnet(&subnet.id)?;
        let keeps = |port: &ports::PortRow| {
            // Of a subnet on a segment a port has its only address.
            let stranded =
                subnet.segment_id.is_some() && port.fixed_ips.iter().all(|ip| ip.subnet_id == subnet.id);
            owners::is_router_interface(&port.device_owner)
                || (!subnet.is_automatic() || stranded) && !owners::is_auto_deleted(&port.device_owner)
        };
        if ports.iter().any(keeps) {
            return Err(errors::subnet_in_use(&subnet.id));
        }
        ports.iter().try_for_each(|port| ports::leave_subnet(port, &subnet.id))?;
    }
    remove(documents)?;
    routed::leave(&subnets)
}

/// Removes subnets that no port has an address of.
pub(crate) fn remove(documents: &[Document]) -> Result<()> {
    if documents.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = documents.iter().map(|document| text(document, "id").to_owned()).collect();
    let mechanisms = Mechanisms::loaded();
    let networks = if mechanisms.want("subnet") {
        Networks::load(&distinct(documents, "network_id"))?
    } else {
        Networks::default()
    };
    store::delete(COLLECTION, &ids).map_err(|error| match error {
        StoreError::InUse(_) => errors::subnet_in_use(&ids.join(",")),
        other => Error::from(other),
    })?;
    ids.iter().try_for_each(|id| pools::drop(&pool_name(id)))?;
    leave_scopes(documents)?;
    if mechanisms.want("subnet") {
        mechanisms.subnets(Operation::Delete, &Changed::all(documents), &networks)?;
    }
    dhcp::subnets_gone(documents)
}

/// A network is in the address scope of its subnets' pools as long as it has
/// such a subnet.
fn leave_scopes(documents: &[Document]) -> Result<()> {
    let pooled: Vec<Document> =
        documents.iter().filter(|subnet| set(subnet, "subnetpool_id").is_some()).cloned().collect();
    let network_ids = distinct(&pooled, "network_id");
    if network_ids.is_empty() {
        return Ok(());
    }
    let left = of_networks(&network_ids)?;
    let mut scopes = networks::Scopes::of(&networks::by_ids(&network_ids)?);
    for id in &network_ids {
        for version in [Version::V4, Version::V6] {
            let stays = |subnet: &Subnet| {
                subnet.network_id == *id && subnet.cidr.version() == version && subnet.subnetpool_id.is_some()
            };
            if !left.iter().any(stays) {
                scopes.set(id, version, None);
            }
        }
    }
    scopes.write()
}

/// All subnets of these networks, with one query; the oldest first.
pub(crate) fn of_networks(ids: &[String]) -> Result<Vec<Subnet>> {
    store::find(COLLECTION, &Query::all().any_of("network_id", ids.iter().cloned()).sort("created_at"))
}

/// Subnets with these ids, with one query.
pub(crate) fn by_ids(ids: &[&str]) -> Result<Vec<Subnet>> {
    store::find(COLLECTION, &Query::all().any_of("id", ids.iter().copied()))
}
