//! Ports: what a request does to them. In Neutron: `create_port_bulk`,
//! `update_port`, `delete_port` of `Ml2Plugin`.

mod address_pairs;
mod addresses;
mod attributes;
mod data_plane;
mod device_profile;
mod dhcp_options;
mod eligible;
mod hints;
mod mac;
mod numa;
mod physical;
mod plan;
mod security;
mod uplink;

pub(crate) use attributes::{ASPECTS, POLICY, VNIC_TYPES, collection};
pub(crate) use dhcp_options::EXTENSIONS;
pub(crate) use plan::FixedIp;
pub(crate) use security::EXTENSIONS as SECURITY_EXTENSIONS;

use crate::binding::Binding;
use crate::dns::Zone;
use crate::document::{differing, distinct, merged, row, set, take, text, typed};
use crate::mechanisms::{Changed, Mechanisms};
use crate::net::Mac;
use crate::networks::Networks;
use crate::provisioning::{self, Entity};
use crate::segments::{self, Reach};
use crate::subnets::{self, Subnet};
use crate::{
    binding, bindings, dhcp, dns, errors, l2population, networks, notifier, owners, security_groups,
};
use addresses::Order;
use eligible::Eligible;
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, InsertError, Query, StoreError};
use hadron_sdk::{Bound, Context, Document, Error, Operation, Result};
use plan::{Recipient, Wanted};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeSet;

const COLLECTION: &str = "ports";

/// Ports that are looked through in one unit of work to be bound again.
const REBOUND: u32 = 50;

/// A port's row, as far as rules about addresses need it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PortRow {
    pub(crate) id: String,
    pub(crate) network_id: String,
    #[serde(default)]
    pub(crate) device_owner: String,
    #[serde(default)]
    pub(crate) mac_address: String,
    #[serde(default)]
    pub(crate) fixed_ips: Vec<FixedIp>,
    #[serde(default)]
    dns_name: String,
}

impl PortRow {
    fn mac(&self) -> Result<Mac> {
        parse_mac(&self.mac_address)
    }

    fn recipient(&self, mac: Mac) -> Recipient<'_> {
        Recipient { owner: &self.device_owner, mac }
    }
}

fn parse_mac(text: &str) -> Result<Mac> {
    let wrong = || errors::bad_attribute("mac_address", format!("'{text}' is not a valid MAC address"));
    Mac::parse(text).ok_or_else(wrong)
}

fn given_mac(request: &Document) -> Result<Option<Mac>> {
    set(request, "mac_address").and_then(Value::as_str).map(parse_mac).transpose()
}

/// Makes ports. Whatever their number, subnets are read once, addresses of a
/// subnet taken at once and rows inserted at once; networks are read only when
/// a driver wants to see them, or they decide about port security.
pub(crate) fn create(ctx: &Context, mut bodies: Vec<Document>) -> Result<()> {
    let zone = Zone::configured()?;
    bodies.iter_mut().try_for_each(|body| zone.check(body))?;
    let network_ids = distinct(&bodies, "network_id");
    let all_subnets = subnets::of_networks(&network_ids)?;
    let mechanisms = Mechanisms::loaded();
    let needs_networks = mechanisms.want("port") || bodies.iter().any(binding::has_host);
    let inherits = bodies.iter().any(security::inherits);
    let parents = if needs_networks || inherits { networks::existing(&network_ids)? } else { Vec::new() };
    let nets = if needs_networks { Networks::of(&parents)? } else { Networks::default() };
    // A network without subnets may not exist. Its reference would tell, but
    // later than a complaint about addresses that cannot be had there.
    let bare = |id: &&String| !all_subnets.iter().any(|subnet| subnet.network_id == **id);
    let bare: Vec<String> = network_ids.iter().filter(bare).cloned().collect();
    if parents.is_empty() && bodies.iter().any(|body| asks_on(body, &bare)) {
        networks::existing(&bare)?;
    }

    let secured = security::for_new(ctx, &bodies, &parents)?;

    let requests = bodies
        .iter()
        .map(|body| {
            Ok(mac::Request {
                network_id: text(body, "network_id"),
                given: physical::mac(body)?.or(given_mac(body)?),
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let macs = mac::choose(&requests)?;

    let of_network: Vec<(&str, Vec<Subnet>)> = network_ids
        .iter()
        .map(|id| {
            let own = all_subnets.iter().filter(|subnet| subnet.network_id == *id).cloned();
            (id.as_str(), own.collect())
        })
        .collect();
    let reach = reach(&bodies, &of_network)?;
    let mut orders = Vec::with_capacity(bodies.len());
    let mut allocations = Vec::with_capacity(bodies.len());
    for (body, mac) in bodies.iter().zip(&macs) {
        let network_id = text(body, "network_id");
        let own = of_network.iter().find(|(id, _)| *id == network_id).map_or(&[][..], |(_, own)| own);
        let wanted = match body.get("fixed_ips") {
            None => None,
            Some(_) => Some(typed::<Vec<Wanted>>(body, "fixed_ips")?),
        };
        let port = Recipient { owner: text(body, "device_owner"), mac: *mac };
        let host = text(body, "binding:host_id");
        let (subnets, allocation) = match eligible::choose(network_id, own, host, wanted.as_deref(), &reach)?
        {
            Eligible::Later => (Cow::Borrowed(&[][..]), DEFERRED),
            Eligible::Of(subnets) if wanted.as_ref().is_some_and(Vec::is_empty) => (subnets, NONE),
            Eligible::Of(subnets) => (subnets, IMMEDIATE),
        };
        let subnets = subnets::for_owner(network_id, subnets, port.owner)?;
        let needs = plan::for_new(port, wanted.as_deref(), &subnets)
            .map_err(|refused| addresses::refusal(refused, network_id))?;
        orders.push(Order { network_id, subnets, needs });
        allocations.push(allocation);
    }
    let taken = addresses::take(&orders)?;

    let mut documents = Vec::with_capacity(bodies.len());
    let chosen = bodies.iter().zip(&macs).zip(&taken).zip(allocations).zip(secured);
    for ((((body, mac), fixed_ips), allocation), secured) in chosen {
        let mut document = document(body.clone(), *mac, fixed_ips, allocation)?;
        secured.write(*mac, &mut document)?;
        zone.assign(&document.clone(), &mut document);
        documents.push(document);
    }
    binding::bind(&mechanisms, &mut documents, &[], &nets)?;
    let hosting = dhcp::ports_to_come(&bodies, &all_subnets)?;
    for port in &mut documents {
        let served = hosting.serves(port, &all_subnets);
        provisioning::wait(port, true, Some(served))?;
    }
    store::insert(COLLECTION, &documents).map_err(|error| not_written(error, &documents))?;
    if mechanisms.want("port") {
        mechanisms.ports(Operation::Create, &Changed::all(&documents), &nets)?;
    }
    l2population::made(&documents)?;
    dhcp::ports_made(&documents, &hosting)
}

/// When a port got its addresses. In Neutron: `ip_allocation`.
const IMMEDIATE: &str = "immediate";
/// It gets them when it is on a host.
const DEFERRED: &str = "deferred";
/// It asked for none.
const NONE: &str = "none";

/// To which segments the hosts of these ports are connected; asked only about
/// routed networks.
fn reach(bodies: &[Document], of_network: &[(&str, Vec<Subnet>)]) -> Result<Reach> {
    let routed: Vec<String> = of_network
        .iter()
        .filter(|(_, subnets)| eligible::is_routed(subnets))
        .map(|(id, _)| (*id).to_owned())
        .collect();
    let on_routed = |body: &&Document| routed.iter().any(|id| id == text(body, "network_id"));
    let hosts: BTreeSet<&str> =
        bodies.iter().filter(on_routed).map(|body| text(body, "binding:host_id")).collect();
    let hosts: Vec<String> = hosts.into_iter().filter(|host| !host.is_empty()).map(str::to_owned).collect();
    Reach::load(&hosts, &routed)
}

fn asks_on(body: &Document, networks: &[String]) -> bool {
    let asks = body.get("fixed_ips").and_then(Value::as_array).is_some_and(|ips| !ips.is_empty());
    asks && networks.iter().any(|id| id == text(body, "network_id"))
}

fn document(mut body: Document, mac: Mac, fixed_ips: &[FixedIp], ip_allocation: &str) -> Result<Document> {
    let mut document = Document::new();
    take(&mut body, &["id", "project_id", "name", "network_id"], &mut document);
    document.insert("mac_address".to_owned(), json!(mac.to_string()));
    take(&mut body, &["admin_state_up"], &mut document);
    document.insert("status".to_owned(), json!("DOWN"));
    take(&mut body, &["device_id", "device_owner"], &mut document);
    document.insert("fixed_ips".to_owned(), json!(fixed_ips));
    document.insert("ip_allocation".to_owned(), json!(ip_allocation));
    binding::start(&body, &mut document)?;
    dhcp_options::create(&body, &mut document)?;
    take(&mut body, &dns::KEPT, &mut document);
    take(&mut body, &["description"], &mut document);
    data_plane::create(&mut document);
    uplink::create(&mut body, &mut document);
    numa::create(&mut body, &mut document);
    device_profile::create(&mut body, &mut document);
    hints::create(&mut body, &mut document);
    Ok(document)
}

/// What a refused statement means for these ports. Two units can choose the
/// same MAC address, or be asked for the same address outside of the pools; the
/// keys tell the second one.
fn not_written(error: InsertError, documents: &[Document]) -> Error {
    let InsertError::Store(error) = error else { return error.into() };
    let network = |document: &Document| text(document, "network_id").to_owned();
    let first = documents.first();
    match (error, first) {
        (StoreError::Duplicate(key), Some(port)) if key == "mac_address" => {
            errors::mac_in_use(&network(port), text(port, "mac_address"))
        }
        (StoreError::Duplicate(_), Some(port)) => address_clash(port),
        (StoreError::MissingReference(attribute), Some(port)) if attribute == "network_id" => {
            errors::network_not_found(&network(port))
        }
        (StoreError::MissingReference(attribute), Some(port)) if attribute == "security_groups" => {
            let groups: Vec<String> = typed(port, &attribute).unwrap_or_default();
            security_groups::errors::group_not_found(&groups.join(", "))
        }
        (StoreError::MissingReference(_), Some(port)) => {
            let subnets = typed::<Vec<FixedIp>>(port, "fixed_ips").unwrap_or_default();
            errors::subnet_not_found(subnets.first().map_or("", |ip| ip.subnet_id.as_str()))
        }
        (error, _) => error.into(),
    }
}

fn address_clash(port: &Document) -> Error {
    match typed::<Vec<FixedIp>>(port, "fixed_ips").unwrap_or_default().as_slice() {
        [ip, ..] => errors::address_taken(ip.ip_address, &ip.subnet_id),
        [] => Error::conflict("Conflict", "An address is already in use."),
    }
}

/// Changes a port.
pub(crate) fn update(ctx: &Context, id: &str, current: &Document, mut changes: Document) -> Result<()> {
    let before: PortRow = row(current)?;
    if dns::is_asked(&changes) {
        Zone::configured()?.check(&mut changes)?;
    }
    dhcp_options::update(current, &mut changes)?;
    binding::check_update(current, &changes)?;
    numa::check_update(current, &changes)?;
    hints::update(&mut changes);
    bindings::superseded(current, &changes)?;
    let mac = new_mac(current, &before, &mut changes)?;
    let addresses = new_addresses(current, &before, mac, &changes)?;
    changes.remove("fixed_ips");
    if let Some(addresses) = addresses {
        changes.insert("fixed_ips".to_owned(), json!(addresses));
    }
    security::for_update(ctx, current, &mut changes)?;
    binding::apply(current, &mut changes)?;
    write(id, current, changes, None).map(drop)
}

/// The port's MAC address from now on; null asks for a new one.
/// In Neutron: `_check_mac_update_allowed`, `_check_mac_addr_update`.
fn new_mac(current: &Document, before: &PortRow, changes: &mut Document) -> Result<Option<Mac>> {
    if !changes.contains_key("mac_address") {
        return Ok(None);
    }
    let given = given_mac(changes)?;
    if given.is_some_and(|mac| mac.to_string() == before.mac_address) {
        changes.remove("mac_address");
        return Ok(None);
    }
    let owner = set(changes, "device_owner").and_then(Value::as_str).unwrap_or(&before.device_owner);
    let shown = given.map_or_else(|| "None".to_owned(), |mac| mac.to_string());
    let vif_type = text(current, "binding:vif_type");
    if !binding::is_unplugged(vif_type) {
        return Err(errors::port_bound(&before.id, vif_type, &before.mac_address, &shown));
    }
    if owner.starts_with(owners::NETWORK_PREFIX) {
        return Err(errors::unsupported_owner("mac address update", owner, &before.id));
    }
    let request = mac::Request { network_id: &before.network_id, given };
    let mac = mac::choose(&[request])?.first().copied();
    changes.insert("mac_address".to_owned(), json!(mac.map(|mac| mac.to_string())));
    Ok(mac)
}

/// The port's addresses from now on, where they change; those that go are given
/// back first, so that one can be asked for in the place of another.
fn new_addresses(
    current: &Document,
    before: &PortRow,
    mac: Option<Mac>,
    changes: &Document,
) -> Result<Option<Vec<FixedIp>>> {
    let asked = match changes.get("fixed_ips") {
        Some(_) => Some(typed::<Vec<Wanted>>(changes, "fixed_ips")?),
        None => None,
    };
    let was_on = text(current, "binding:host_id");
    let host = set(changes, "binding:host_id").and_then(Value::as_str).unwrap_or(was_on);
    let arrives = host != was_on && !host.is_empty();
    let waits = arrives
        && was_on.is_empty()
        && asked.is_none()
        && before.fixed_ips.is_empty()
        && text(current, "ip_allocation") == DEFERRED;
    let moves = arrives && asked.is_none() && !before.fixed_ips.is_empty();
    if asked.is_none() && !waits && !moves && (mac.is_none() || before.fixed_ips.is_empty()) {
        return Ok(None);
    }
    let keep_all = || {
        let same =
            |ip: &FixedIp| Wanted { subnet_id: Some(ip.subnet_id.clone()), ip_address: Some(ip.ip_address) };
        before.fixed_ips.iter().map(same).collect()
    };
    let asked: Vec<Wanted> = asked.unwrap_or_else(keep_all);
    let ids = std::slice::from_ref(&before.network_id);
    let all = subnets::of_networks(ids)?;
    let reach = match eligible::is_routed(&all) && !host.is_empty() {
        true => Reach::load(&[host.to_owned()], ids)?,
        false => Reach::default(),
    };
    let subnets = match eligible::choose(&before.network_id, &all, host, Some(&asked), &reach)? {
        Eligible::Of(subnets) => subnets,
        Eligible::Later => Cow::Borrowed(&[][..]),
    };
    if moves {
        let works = |ip: &FixedIp| subnets.iter().any(|subnet| subnet.id == ip.subnet_id);
        if !before.fixed_ips.iter().all(works) {
            return Err(segments::host_not_compatible(host, &before.id));
        }
        if mac.is_none() {
            return Ok(None);
        }
    }
    let owner = set(changes, "device_owner").and_then(Value::as_str).unwrap_or(&before.device_owner);
    let subnets = subnets::for_owner(&before.network_id, subnets, owner)?;
    let port = Recipient { owner, ..before.recipient(mac.map_or_else(|| before.mac(), Ok)?) };
    if waits {
        let needs = plan::for_new(port, None, &subnets)
            .map_err(|refused| addresses::refusal(refused, &before.network_id))?;
        let taken = addresses::take(&[Order { network_id: &before.network_id, subnets, needs }])?;
        return Ok(taken.into_iter().next());
    }
    let planned = plan::for_update(port, &before.fixed_ips, &asked, mac.is_some(), &subnets)
        .map_err(|refused| addresses::refusal(refused, &before.network_id))?;
    addresses::give_back(&planned.remove, &all)?;
    let order = Order { network_id: &before.network_id, subnets, needs: planned.add };
    let taken = addresses::take(&[order])?;
    Ok(Some(planned.keep.into_iter().chain(taken.into_iter().flatten()).collect()))
}

/// Binds the port where it has to be, writes the changes and tells drivers and
/// agents; `reporter` has told us and is not told. Answers the port as it is then.
pub(crate) fn write(
    id: &str,
    current: &Document,
    changes: Document,
    reporter: Option<&str>,
) -> Result<Document> {
    let after = write_one_of_several(id, current, changes, reporter)?;
    l2population::changed(&[(current, &after)])?;
    Ok(after)
}

/// As `write`; where ports are is told of all together afterwards.
fn write_one_of_several(
    id: &str,
    current: &Document,
    mut changes: Document,
    reporter: Option<&str>,
) -> Result<Document> {
    let mut mechanisms = Mechanisms::loaded();
    physical::update(current, &mut changes)?;
    if dns::is_renamed(&changes) {
        Zone::configured()?.assign(&merged(current, &changes), &mut changes);
    }
    let after = merged(current, &changes);
    let binds = binding::is_due(&after);
    let network_ids = [text(current, "network_id").to_owned()];
    let nets =
        if binds || mechanisms.want("port") { Networks::load(&network_ids)? } else { Networks::default() };
    if binds {
        let mut bound = [after];
        binding::bind(&mechanisms, &mut bound, &[current], &nets)?;
        let [bound] = bound;
        for name in binding::RESULT {
            changes.insert(name.to_owned(), bound.get(name).cloned().unwrap_or_default());
        }
    }
    let mut changes = differing(current, changes);
    let served = dhcp::concerns(&changes);
    let hosting = if served { dhcp::Hosting::of(&network_ids)? } else { dhcp::Hosting::default() };
    if binds || served {
        let mut after = merged(current, &changes);
        let subnets = if hosting.is_empty() { Vec::new() } else { subnets::of_networks(&network_ids)? };
        let addresses = served.then(|| hosting.serves(&after, &subnets));
        provisioning::wait(&mut after, binds, addresses)?;
        changes.insert(
            provisioning::AWAITED.to_owned(),
            after.remove(provisioning::AWAITED).unwrap_or_default(),
        );
        changes = differing(current, changes);
    }
    let written = store::try_update(COLLECTION, id, &changes)
        .map_err(|error| not_written(error, &[clashing(current, &changes)]))?;
    let mut left = lower_segments(std::slice::from_ref(current))?;
    let after = merged(current, &changes);
    for kept in lower_segments(std::slice::from_ref(&after))? {
        left.remove(&kept);
    }
    segments::release_unused(&left)?;
    notifier::membership_changed(current, &after)?;
    if let Some(driver) = reporter {
        mechanisms = mechanisms.except(driver);
    }
    let wanted = mechanisms.want("port");
    if !wanted && hosting.is_empty() {
        return Ok(after);
    }
    let updated: Document = hadron_sdk::serde_json::from_str(&written)?;
    if wanted {
        let changed = Changed { current: &updated, original: Some(current) };
        mechanisms.ports(Operation::Update, &[changed], &nets)?;
    }
    dhcp::port_changed(&updated, &hosting)?;
    Ok(updated)
}

/// Somebody who has a say in when ports are active agrees. Drivers hear of it
/// when that changes a port's status.
pub(crate) fn agreed<'a>(ports: impl IntoIterator<Item = &'a Document>, entity: Entity) -> Result<()> {
    settle(ports, |port| provisioning::agreed(port, entity))
}

/// An agent says how ports are.
pub(crate) fn set_status<'a>(ports: impl IntoIterator<Item = &'a Document>, status: &str) -> Result<()> {
    settle(ports, |_| Ok(Document::from_iter([("status".to_owned(), json!(status))])))
}

/// Writes what agents find out about ports, if it is new.
fn settle<'a>(
    ports: impl IntoIterator<Item = &'a Document>,
    found: impl Fn(&Document) -> Result<Document>,
) -> Result<()> {
    let mut settled: Vec<(&Document, Document)> = Vec::new();
    for current in ports {
        let changes = differing(current, found(current)?);
        let id = text(current, "id");
        match (changes.is_empty(), changes.contains_key("status")) {
            (true, _) => {}
            (false, true) => settled.push((current, write_one_of_several(id, current, changes, None)?)),
            (false, false) => store::update::<Document>(COLLECTION, id, &changes).map(drop)?,
        }
    }
    let told: Vec<(&Document, &Document)> = settled.iter().map(|(was, is)| (*was, is)).collect();
    l2population::changed(&told)
}

/// Binds ports of a host that nobody could bind, after an agent came alive
/// there; looks through some, after that id, and answers up to where. In
/// Neutron: `_retry_binding_revived_agents`.
pub(crate) fn rebind(host: &str, after: &str) -> Result<Option<String>> {
    let page = Query::all()
        .equal("binding:host_id", host)
        .condition("id", store::Comparison::Greater, [after])
        .sort("id")
        .limit(REBOUND);
    let ports: Vec<Document> = store::find(COLLECTION, &page)?;
    for port in ports.iter().filter(|port| binding::has_failed(port)) {
        write(text(port, "id"), port, Document::new(), None)?;
    }
    Ok(ports.last().map(|port| text(port, "id").to_owned()))
}

/// A port with its new addresses only: one of them it is that clashes.
fn clashing(current: &Document, changes: &Document) -> Document {
    let mut port = merged(current, changes);
    let had: Vec<FixedIp> = typed(current, "fixed_ips").unwrap_or_default();
    let mut new: Vec<FixedIp> = typed(&port, "fixed_ips").unwrap_or_default();
    new.retain(|ip| !had.contains(ip));
    port.insert("fixed_ips".to_owned(), json!(new));
    port
}

/// Removes ports and gives their addresses back.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    if documents.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = documents.iter().map(|document| text(document, "id").to_owned()).collect();
    let mechanisms = Mechanisms::loaded();
    let nets = if mechanisms.want("port") {
        Networks::load(&distinct(documents, "network_id"))?
    } else {
        Networks::default()
    };
    let mut addresses = Vec::new();
    for document in documents {
        addresses.extend(typed::<Vec<FixedIp>>(document, "fixed_ips")?);
    }
    let mut left = lower_segments(documents)?;
    left.extend(bindings::lower_segments(documents)?);
    store::delete(COLLECTION, &ids).map_err(|error| match error {
        StoreError::NotFound => errors::port_not_found(&ids.join(",")),
        other => Error::from(other),
    })?;
    addresses::give_back(&addresses, &[])?;
    segments::release_unused(&left)?;
    l2population::gone(documents)?;
    if mechanisms.want("port") {
        mechanisms.ports(Operation::Delete, &Changed::all(documents), &nets)?;
    }
    dhcp::ports_gone(documents)
}

/// Segments below the first level of these ports' bindings: dynamic ones are
/// among them, and nearly always there are none.
fn lower_segments(ports: &[Document]) -> Result<BTreeSet<String>> {
    let mut lower = BTreeSet::new();
    for port in ports {
        lower.extend(Binding::active(port)?.segments().skip(1).map(str::to_owned));
    }
    Ok(lower)
}

/// How many ports of a network are bound with one of its segments, or would be on
/// another host.
pub(crate) fn bound_with(segment_id: &str, network_id: &str) -> Result<usize> {
    let ports: Vec<Document> = store::find(COLLECTION, &Query::all().equal("network_id", network_id))?;
    let mut bound = 0;
    for port in &ports {
        bound += usize::from(Binding::active(port)?.segments().any(|id| id == segment_id));
    }
    Ok(bound + bindings::waiting_with(segment_id, &ports)?)
}

/// Ports that have an address of this subnet.
pub(crate) fn on_subnet(subnet_id: &str) -> Result<Vec<PortRow>> {
    store::find(COLLECTION, &Query::all().equal("fixed_ips.subnet_id", subnet_id))
}

/// Takes a subnet that is going away out of a port's addresses. The subnet's
/// pool goes with it, so nothing is given back.
pub(crate) fn leave_subnet(port: &PortRow, subnet_id: &str) -> Result<()> {
    let left: Vec<&FixedIp> = port.fixed_ips.iter().filter(|ip| ip.subnet_id != subnet_id).collect();
    let mut changes = Document::new();
    changes.insert("fixed_ips".to_owned(), json!(left));
    changes.insert("dns_name".to_owned(), json!(port.dns_name));
    Zone::configured()?.assign(&changes.clone(), &mut changes);
    let after: Document = store::update(COLLECTION, &port.id, &changes)?;
    let mut before = after.clone();
    before.insert("fixed_ips".to_owned(), json!(port.fixed_ips));
    l2population::changed(&[(&before, &after)])?;
    notifier::membership_changed(&before, &after)
}

/// Gives the ports of a network their addresses of a new subnet whose hosts
/// make them themselves. In Neutron: `add_auto_addrs_on_network_ports`.
pub(crate) fn add_automatic(subnet: &Subnet) -> Result<()> {
    let ports: Vec<Document> =
        store::find(COLLECTION, &Query::all().equal("network_id", subnet.network_id.as_str()))?;
    for current in &ports {
        let port: PortRow = row(current)?;
        let Some(address) = plan::for_new_subnet(port.recipient(port.mac()?), subnet) else { continue };
        addresses::take_given(subnet, address)?;
        let mut fixed_ips = port.fixed_ips;
        fixed_ips.push(FixedIp { subnet_id: subnet.id.clone(), ip_address: address });
        let mut changes = Document::new();
        changes.insert("fixed_ips".to_owned(), json!(fixed_ips));
        write(&port.id, current, changes, None)?;
    }
    Ok(())
}

/// A driver says how a port is, or how it is bound.
pub(crate) fn report(driver: &str, id: &str, status: Option<&str>, bound: Option<&Bound>) -> Result<()> {
    let Some(current) = store::get::<Document>(COLLECTION, id)? else { return Ok(()) };
    let mut changes = Document::new();
    if let Some(bound) = bound {
        let nets = Networks::load(&[text(&current, "network_id").to_owned()])?;
        let network = nets.get(text(&current, "network_id"))?;
        changes = binding::finished(&current, driver, bound, network)?;
    }
    if let Some(status) = status {
        changes.insert("status".to_owned(), json!(status));
    }
    let changes = differing(&current, changes);
    if changes.is_empty() { Ok(()) } else { write(id, &current, changes, Some(driver)).map(drop) }
}
