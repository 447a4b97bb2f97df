//! Networks: what a request does to them. In Neutron: `Ml2Plugin`'s
//! `create_network`, `update_network`, `delete_network`.

mod attributes;
mod callbacks;
mod known;
mod mtu;
mod provider;
mod scopes;
mod sharing;

pub(crate) use attributes::{POLICY, PORT_SECURITY, collection};
pub(crate) use callbacks::{METHODS, receive};
pub(crate) use known::Networks;
pub(crate) use scopes::{Scopes, set_scope};
pub(crate) use sharing::{EXTERNAL, OBJECT_TYPE, policy};

use crate::document::{differing, flag, set, take, text, typed};
use crate::mechanisms::Mechanisms;
use crate::segments::{self, SegmentRow, Types};
use crate::{dhcp, dns, errors, owners, ports, records, security_groups, subnets, zones};
use hadron_sdk::serde_json::{self, json};
use hadron_sdk::store::{self, Query, StoreError};
use hadron_sdk::{Document, Error, NetworkContext, Operation, Result};

pub(crate) const COLLECTION: &str = "networks";

/// Makes networks, each with the segments that were asked for, or one.
pub(crate) fn create(mut bodies: Vec<Document>) -> Result<()> {
    bodies.iter_mut().try_for_each(dns::check_network)?;
    zones::check_hints(&bodies)?;
    let types = Types::loaded()?;
    let mechanisms = Mechanisms::loaded();
    let mut documents = Vec::with_capacity(bodies.len());
    let mut rows: Vec<Vec<SegmentRow>> = Vec::with_capacity(bodies.len());
    for body in bodies {
        let taken = types.take(&body)?;
        let mtu = mtu::choose(typed(&body, "mtu")?, types.largest_mtu(&taken)?)?;
        let own: Vec<SegmentRow> =
            (0..).zip(taken).map(|(position, segment)| SegmentRow::new(&body, segment, position)).collect();
        documents.push(document(body, mtu, &own));
        rows.push(own);
    }
    security_groups::ensure_defaults(documents.iter().map(|document| text(document, "project_id")))?;
    store::insert(COLLECTION, &documents)?;
    segments::insert(&rows.concat())?;
    if mechanisms.want("network") {
        let items = documents
            .iter()
            .zip(&rows)
            .map(|(document, rows)| context(document, None, rows))
            .collect::<Result<Vec<_>>>()?;
        mechanisms.networks(Operation::Create, &items)?;
    }
    Ok(())
}

fn document(mut body: Document, mtu: u32, segments: &[SegmentRow]) -> Document {
    let mut document = Document::new();
    take(&mut body, &["id", "project_id", "name", "admin_state_up"], &mut document);
    document.insert("mtu".to_owned(), json!(mtu));
    document.insert("status".to_owned(), json!("ACTIVE"));
    let given = ["shared", PORT_SECURITY, zones::HINTS, EXTERNAL, "dns_domain", scopes::V4, scopes::V6];
    take(&mut body, &given, &mut document);
    document.insert(zones::COLLECTION.to_owned(), json!([]));
    segments::show(segments, &mut document);
    document.insert(L2_ADJACENCY.to_owned(), json!(true));
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

/// As `context`, of a network whose segments change: `before` are its document
/// and its segments until now.
pub(crate) fn context_between(
    current: &Document,
    segments: &[SegmentRow],
    before: (&Document, &[SegmentRow]),
) -> Result<NetworkContext> {
    let (original, original_segments) = before;
    Ok(NetworkContext {
        current: records::network(current, segments)?,
        original: Some(records::network(original, original_segments)?),
    })
}

/// Refuses segments that cannot carry the network's frames.
pub(crate) fn check_mtu(network: &Document, types: &Types, segments: &[SegmentRow]) -> Result<()> {
    let records: Vec<_> = segments.iter().map(SegmentRow::record).collect();
    mtu::choose(mtu_of(network), types.largest_mtu(&records)?).map(|_| ())
}

/// Keeps a network, which must exist, from other units until the end of this
/// one.
pub(crate) fn hold(id: &str) -> Result<()> {
    store::lock(COLLECTION, id).map_err(|error| match error {
        StoreError::NotFound => errors::network_not_found(id),
        other => Error::from(other),
    })
}

/// Whether all hosts of a network are in one broadcast domain: they are not
/// where subnets are on segments. In Neutron: `_extend_network_dict_binding`.
const L2_ADJACENCY: &str = "l2_adjacency";

/// Says so of a network.
pub(crate) fn set_adjacent(id: &str, adjacent: bool) -> Result<()> {
    store::update::<Document>(COLLECTION, id, &json!({ L2_ADJACENCY: adjacent }))?;
    Ok(())
}

/// Changes a network.
pub(crate) fn update(id: &str, current: &Document, changes: Document) -> Result<()> {
    let mechanisms = Mechanisms::loaded();
    let mut changes = changes;
    dns::check_network(&mut changes)?;
    sharing::check_external(id, &changes)?;
    let renumbered = provider::check_update(current, &mut changes)?;
    if let Some(number) = renumbered {
        provider::renumber(current, number)?;
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
