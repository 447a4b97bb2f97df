//! Networks: what a request does to them. In Neutron: `Ml2Plugin`'s
//! `create_network`, `update_network`, `delete_network`.

mod attributes;
mod known;
mod mtu;
mod provider;
mod scopes;
mod sharing;

pub(crate) use attributes::{PORT_SECURITY, collection};
pub(crate) use known::Networks;
pub(crate) use scopes::{Scopes, set_scope};
use sharing::EXTERNAL;
pub(crate) use sharing::{OBJECT_TYPE, policy};

use crate::document::{differing, flag, set, take, text, typed};
use crate::mechanisms::Mechanisms;
use crate::segments::{self, SegmentRow, Types};
use crate::{dhcp, dns, errors, owners, ports, records, security_groups, subnets, zones};
use hadron_sdk::serde_json::{self, json};
use hadron_sdk::store::{self, Query, StoreError};
use hadron_sdk::{Document, Error, NetworkContext, Operation, Result};

const COLLECTION: &str = "networks";

/// Makes networks, each with one segment.
pub(crate) fn create(mut bodies: Vec<Document>) -> Result<()> {
    bodies.iter_mut().try_for_each(dns::check_network)?;
    zones::check_hints(&bodies)?;
    let types = Types::loaded()?;
    let mechanisms = Mechanisms::loaded();
    let mut documents = Vec::with_capacity(bodies.len());
    let mut rows = Vec::with_capacity(bodies.len());
    for body in bodies {
        let segment = types.take(&body)?;
        let mtu = mtu::choose(typed(&body, "mtu")?, types.largest_mtu(std::slice::from_ref(&segment))?)?;
        let row = SegmentRow::new(text(&body, "id"), segment);
        documents.push(document(body, mtu, &row));
        rows.push(row);
    }
    security_groups::ensure_defaults(documents.iter().map(|document| text(document, "project_id")))?;
    store::insert(COLLECTION, &documents)?;
    segments::insert(&rows)?;
    if mechanisms.want("network") {
        let items = documents
            .iter()
            .zip(&rows)
            .map(|(document, row)| context(document, None, std::slice::from_ref(row)))
            .collect::<Result<Vec<_>>>()?;
        mechanisms.networks(Operation::Create, &items)?;
    }
    Ok(())
}

fn document(mut body: Document, mtu: u32, segment: &SegmentRow) -> Document {
    let mut document = Document::new();
    take(&mut body, &["id", "project_id", "name", "admin_state_up"], &mut document);
    document.insert("mtu".to_owned(), json!(mtu));
    document.insert("status".to_owned(), json!("ACTIVE"));
    let given = ["shared", PORT_SECURITY, zones::HINTS, EXTERNAL, "dns_domain", scopes::V4, scopes::V6];
    take(&mut body, &given, &mut document);
    document.insert(zones::COLLECTION.to_owned(), json!([]));
    segment.show(&mut document);
    take(&mut body, &["description"], &mut document);
    document
}

/// What drivers see.
fn context(
    current: &Document,
    original: Option<&Document>,
    segments: &[SegmentRow],
) -> Result<NetworkContext> {
    Ok(NetworkContext {
        current: records::network(current, segments)?,
        original: original.map(|original| records::network(original, segments)).transpose()?,
    })
}

/// Changes a network.
pub(crate) fn update(id: &str, current: &Document, changes: Document) -> Result<()> {
    let mechanisms = Mechanisms::loaded();
    let mut changes = changes;
    dns::check_network(&mut changes)?;
    sharing::check_external(id, &changes)?;
    let renumbered = provider::check_update(current, &mut changes)?;
    if let Some(number) = renumbered {
        provider::renumber(id, number)?;
    }
    if set(&changes, "shared").is_some() && !flag(&changes, "shared") {
        sharing::check_update(id, current)?;
    }
    if let Some(asked) = set(&changes, "mtu") {
        let asked = u32::try_from(asked.as_u64().unwrap_or_default()).unwrap_or(u32::MAX);
        mtu::check_subnets(id, asked, || subnets::of_networks(&[id.to_owned()]))?;
        let rows = segments::of_networks(&[id.to_owned()])?;
        let records: Vec<_> = rows.iter().map(SegmentRow::record).collect();
        let chosen = mtu::choose(asked, Types::loaded()?.largest_mtu(&records)?)?;
        changes.insert("mtu".to_owned(), json!(chosen));
    }
    let changes = differing(current, changes);
    let mut updated: Document = store::update(COLLECTION, id, &changes)?;
    let shared = changes.get("shared").or_else(|| current.get("shared")).cloned();
    updated.insert("shared".to_owned(), shared.unwrap_or_default());
    if mechanisms.want("network") {
        let rows = segments::of_networks(&[id.to_owned()])?;
        mechanisms.networks(Operation::Update, &[context(&updated, Some(current), &rows)?])?;
    }
    dhcp::network_changed(&updated)
}

/// Removes networks with their subnets, segments and the ports that nobody
/// asks about.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    documents.iter().try_for_each(delete_one)
}

fn delete_one(document: &Document) -> Result<()> {
    let id = text(document, "id");
    let of_network = Query::all().equal("network_id", id);
    // Whoever is about to give it a port or a subnet has either done so by the
    // time we hold it, or finds it gone.
    store::lock(COLLECTION, id)?;
    let ports: Vec<Document> = store::find("ports", &of_network)?;
    let used: Vec<&str> = ports
        .iter()
        .filter(|port| !owners::is_auto_deleted(text(port, "device_owner")))
        .map(|port| text(port, "id"))
        .collect();
    if !used.is_empty() {
        return Err(errors::network_in_use(id, &used));
    }
    ports::delete(&ports)?;
    let subnets: Vec<Document> = store::find("subnets", &of_network)?;
    subnets::remove(&subnets)?;

    let rows = segments::of_networks(&[id.to_owned()])?;
    let hosting = dhcp::Hosting::of(&[id.to_owned()])?;
    let mechanisms = Mechanisms::loaded();
    store::delete(COLLECTION, &[id.to_owned()]).map_err(|error| match error {
        StoreError::InUse(_) => errors::network_in_use(id, &[]),
        other => Error::from(other),
    })?;
    if mechanisms.want("network") {
        mechanisms.networks(Operation::Delete, &[context(document, None, &rows)?])?;
    }
    segments::release(&rows)?;
    dhcp::network_gone(id, &hosting)
}

/// A driver says how a network is.
pub(crate) fn report(driver: &str, id: &str, status: &str) -> Result<()> {
    let Some(current) = store::get::<Document>(COLLECTION, id)? else { return Ok(()) };
    if text(&current, "status") == status {
        return Ok(());
    }
    let updated: Document = store::update(COLLECTION, id, &json!({ "status": status }))?;
    let mechanisms = Mechanisms::loaded().except(driver);
    if mechanisms.want("network") {
        let rows = segments::of_networks(&[id.to_owned()])?;
        mechanisms.networks(Operation::Update, &[context(&updated, Some(&current), &rows)?])?;
    }
    Ok(())
}

/// Sends a driver these networks as if they had just been made.
pub(crate) fn send(mechanisms: &Mechanisms, documents: &[Document]) -> Result<()> {
    let ids: Vec<String> = documents.iter().map(|document| text(document, "id").to_owned()).collect();
    let rows = segments::of_networks(&ids)?;
    let items = documents
        .iter()
        .map(|document| {
            let id = text(document, "id");
            let own: Vec<SegmentRow> = rows.iter().filter(|row| row.network_id == id).cloned().collect();
            context(document, None, &own)
        })
        .collect::<Result<Vec<_>>>()?;
    mechanisms.send_networks(&items);
    Ok(())
}

/// Networks with these ids that exist.
pub(crate) fn by_ids(ids: &[String]) -> Result<Vec<Document>> {
    match ids {
        [] => Ok(Vec::new()),
        [id] => Ok(store::get::<Document>(COLLECTION, id)?.into_iter().collect()),
        ids => store::find(COLLECTION, &Query::all().any_of("id", ids.iter().cloned())),
    }
}

/// A network that must exist.
pub(crate) fn existing(ids: &[String]) -> Result<Vec<Document>> {
    let found = by_ids(ids)?;
    match ids.iter().find(|id| !found.iter().any(|document| text(document, "id") == id.as_str())) {
        Some(missing) => Err(errors::network_not_found(missing)),
        None => Ok(found),
    }
}

/// The MTU of a network's document.
pub(crate) fn mtu_of(network: &Document) -> u32 {
    set(network, "mtu")
        .and_then(serde_json::Value::as_u64)
        .and_then(|mtu| u32::try_from(mtu).ok())
        .unwrap_or(0)
}
