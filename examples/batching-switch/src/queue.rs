//! Ports that a device is to be told of: a row for each, with what it is by now.

use crate::session::PortChange;
use hadron_sdk::manifest::{Attribute, Collection, Validator};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Document, Result, now, resources};
use std::collections::BTreeMap;

/// Other plugins' networks, for the VLAN of a port.
pub(crate) const NETWORKS: &str = "networks";

/// The attribute with a port's host.
pub(crate) const HOST: &str = "binding:host_id";

/// The private collection.
const COLLECTION: &str = "queued_ports";

/// The text of an attribute.
pub(crate) fn text<'a>(document: &'a Document, name: &str) -> &'a str {
    document.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The declaration of the collection.
pub(crate) fn collection() -> Collection {
    let attribute = |name: &str, validate, index| Attribute {
        name: name.to_owned(),
        validate,
        index,
        ..Attribute::default()
    };
    let word = || Validator::String { max: Some(255) };
    Collection {
        name: COLLECTION.to_owned(),
        member: "queued_port".to_owned(),
        private: true,
        attributes: vec![
            attribute("device", word(), true),
            attribute("port", word(), false),
            attribute("since", Validator::Integer { min: None, max: None }, true),
            Attribute { nullable: true, ..attribute("is", Validator::Any, false) },
        ],
        ..Collection::default()
    }
}

/// What a switch is told that a port is.
pub(crate) fn wanted(port: &Document) -> Value {
    json!({
        "name": text(port, "name"),
        "network": text(port, "network_id"),
        "mac": text(port, "mac_address"),
        "host": text(port, HOST),
        "enabled": port.get("admin_state_up") == Some(&json!(true)),
    })
}

/// What it is told of one that it has no more.
pub(crate) fn gone(_: &Document) -> Value {
    Value::Null
}

/// Writes down what ports of devices are: in the place of what was to be told of
/// them until now, which keeps its turn.
pub(crate) fn put(
    ports: impl Iterator<Item = (String, Document)>,
    says: fn(&Document) -> Value,
) -> Result<()> {
    let rows: BTreeMap<String, Value> = ports
        .map(|(device, port)| {
            let id = format!("{device} {}", text(&port, "id"));
            let row = json!({"id": id, "device": device, "port": text(&port, "id"), "is": says(&port)});
            (id, row)
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let found: Vec<Document> = store::find(COLLECTION, &Query::all().any_of("id", rows.keys().cloned()))?;
    let mut new = Vec::new();
    for (id, mut row) in rows {
        if found.iter().any(|document| text(document, "id") == id) {
            store::update::<Document>(COLLECTION, &id, &json!({"is": row.get("is")}))?;
            continue;
        }
        if let Some(members) = row.as_object_mut() {
            members.insert("since".to_owned(), json!(now()));
        }
        new.push(row);
    }
    if new.is_empty() { Ok(()) } else { Ok(store::insert(COLLECTION, &new)?) }
}

/// The first of those that a device is to be told of, with the VLANs of their
/// networks.
pub(crate) fn first(device: &str, most: u32) -> Result<Vec<(String, PortChange)>> {
    if most == 0 {
        return Ok(Vec::new());
    }
    let rows: Vec<Document> =
        store::find(COLLECTION, &Query::all().equal("device", device).sort("since").limit(most))?;
    let network = |row: &Document| row.get("is").and_then(|is| is.get("network")).cloned();
    let mut ids: Vec<String> =
        rows.iter().filter_map(network).filter_map(|id| id.as_str().map(str::to_owned)).collect();
    ids.sort_unstable();
    ids.dedup();
    let networks: Vec<Document> = match ids.is_empty() {
        true => Vec::new(),
        false => resources::find(NETWORKS, &Query::all().any_of("id", ids))?,
    };
    let vlan = |row: &Document| {
        let wanted = network(row)?;
        let found = networks.iter().find(|network| network.get("id") == Some(&wanted))?;
        found.get("provider:segmentation_id").cloned()
    };
    let change = |row: &Document| {
        let mut is = row.get("is").cloned().unwrap_or_default();
        if let Some(members) = is.as_object_mut() {
            members.insert("vlan".to_owned(), vlan(row).unwrap_or_default());
        }
        (text(row, "id").to_owned(), PortChange { port: text(row, "port").to_owned(), is })
    };
    Ok(rows.iter().map(change).collect())
}

/// Those are told of.
pub(crate) fn take(ids: &[String]) -> Result<()> {
    Ok(store::delete(COLLECTION, ids)?)
}
