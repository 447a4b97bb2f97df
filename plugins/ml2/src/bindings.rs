//! Bindings of a port on several hosts, for live migration: one is active, the
//! port shows it; the others wait for their host to take over. In Neutron:
//! `create_port_binding`, …, `activate` of `Ml2Plugin`.
//!
//! Only those that wait have rows of their own, so that a port that never moves
//! costs nothing.

mod attributes;
mod errors;
mod shown;

pub(crate) use attributes::{
    ACTIVATE, CREATE, DELETE, EXTENSIONS, LIST, POLICY, SHOW, UPDATE, actions, collection,
};

use crate::binding::{self, Binding, FAILED};
use crate::document::{set, text};
use crate::mechanisms::Mechanisms;
use crate::networks::Networks;
use crate::{notifier, owners, ports, segments};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, InsertError, Query, StoreError};
use hadron_sdk::{Document, Error, Result, random};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

const COLLECTION: &str = "port_bindings";

/// A binding that waits.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Row {
    id: String,
    port_id: String,
    #[serde(flatten)]
    binding: Binding,
}

/// Does what the API asks of a port's bindings.
pub(crate) fn act(port_id: &str, action: &str, given: &Value) -> Result<Value> {
    let port =
        store::get::<Document>("ports", port_id)?.ok_or_else(|| crate::errors::port_not_found(port_id))?;
    if !owners::can_move(text(&port, "device_owner")) {
        return Err(errors::not_movable(port_id));
    }
    let given = given.as_object().cloned().unwrap_or_default();
    let host = text(&given, "host");
    match action {
        LIST => list(&port, &given),
        SHOW => show(&port, host),
        CREATE => create(port, &given),
        UPDATE => update(port, host, &given),
        DELETE => delete(&port, host),
        ACTIVATE => activate(port, host),
        other => Err(Error::internal(format!("'{other}' is no action of ports"))),
    }
}

fn list(port: &Document, query: &Document) -> Result<Value> {
    let active = Binding::active(port)?;
    let mut listed = vec![shown::of(&active, true)];
    listed.extend(waiting(port, &Query::all())?.iter().map(|row| shown::of(&row.binding, false)));
    Ok(json!({"bindings": shown::filtered(listed, query)?}))
}

fn show(port: &Document, host: &str) -> Result<Value> {
    let active = Binding::active(port)?;
    let found = match active.host == host {
        true => shown::of(&active, true),
        false => shown::of(&waiting_on(port, host)?.binding, false),
    };
    Ok(json!({"binding": found}))
}

/// A further host for the port. Its binding waits, since a port always has an
/// active one, bound or not.
fn create(port: Document, given: &Document) -> Result<Value> {
    let (id, host) = (text(&port, "id"), text(given, "host"));
    if host.is_empty() {
        return Err(crate::errors::bad_attribute("host", "A binding needs a host"));
    }
    if text(&port, "binding:host_id") == host {
        return Err(errors::exists(id, host));
    }
    let wished =
        Binding::wished(host, set(given, "vnic_type").and_then(Value::as_str), given.get("profile"))?;
    let binding = bound(&port, wished)?;
    let answer = json!({"binding": shown::of(&binding, false)});
    let row = Row { id: random::uuid(), port_id: id.to_owned(), binding };
    store::insert(COLLECTION, &[row]).map_err(|error| match error {
        InsertError::Store(StoreError::Duplicate(_)) => errors::exists(id, host),
        other => other.into(),
    })?;
    Ok(answer)
}

/// Changes what a binding follows from, and makes it anew. A profile that is
/// not given is cleared, as in Neutron.
fn update(port: Document, host: &str, given: &Document) -> Result<Value> {
    let id = text(&port, "id").to_owned();
    let changed = |before: &Binding| {
        let vnic_type = set(given, "vnic_type").and_then(Value::as_str).unwrap_or(&before.vnic_type);
        Binding::wished(&before.host, Some(vnic_type), given.get("profile"))
    };
    let active = Binding::active(&port)?;
    if active.host != host {
        let row = waiting_on(&port, host)?;
        let wished = changed(&row.binding)?;
        if wished == row.binding.unbound() && !binding::is_unplugged(&row.binding.vif_type) {
            return Ok(json!({"binding": shown::of(&row.binding, false)}));
        }
        let binding = bound(&port, wished)?;
        store::update::<Document>(COLLECTION, &row.id, &binding)?;
        release(&[row])?;
        return Ok(json!({"binding": shown::of(&binding, false)}));
    }
    let wished = changed(&active)?;
    if wished == active.unbound() && !binding::is_due(&port) {
        return Ok(json!({"binding": shown::of(&active, true)}));
    }
    let now = Binding::active(&take_over(&port, wished)?)?;
    match now.vif_type == FAILED {
        true => Err(errors::failed(&id, host)),
        false => Ok(json!({"binding": shown::of(&now, true)})),
    }
}

/// Takes a binding away; without its active one a port is plugged in nowhere.
fn delete(port: &Document, host: &str) -> Result<Value> {
    let active = Binding::active(port)?;
    if !host.is_empty() && active.host == host {
        take_over(port, Binding::wished("", Some(&active.vnic_type), None)?)?;
    } else {
        forget(&[waiting_on(port, host)?])?;
    }
    Ok(Value::Null)
}

/// The port moves: the binding that waits becomes what it shows, and the one
/// that was active waits, unbound. The answer has no member around it, as in
/// Neutron.
fn activate(port: Document, host: &str) -> Result<Value> {
    let active = Binding::active(&port)?;
    if active.host == host {
        return Err(errors::active(text(&port, "id"), host));
    }
    let row = waiting_on(&port, host)?;
    let now = Binding::active(&take_over(&port, row.binding.clone())?)?;
    if now.vif_type == FAILED {
        return Err(errors::failed(text(&port, "id"), host));
    }
    notifier::binding_moved(&port, &active.host, host)?;
    // One without a host is nobody's to come back to.
    match active.host.is_empty() {
        true => forget(&[row])?,
        false => store::update::<Document>(COLLECTION, &row.id, &active.unbound()).map(drop)?,
    }
    Ok(shown::of(&now, true))
}

/// Makes this the port's active binding and tells drivers; binds it where it is
/// not. Answers the port. What wires it says when it is active.
fn take_over(port: &Document, binding: Binding) -> Result<Document> {
    let mut changes = Document::new();
    changes.insert("status".to_owned(), json!("DOWN"));
    binding.show(&mut changes);
    ports::write(text(port, "id"), port, changes, None)
}

/// As drivers bind it; none may fail to.
fn bound(port: &Document, wished: Binding) -> Result<Binding> {
    let (id, host) = (text(port, "id"), wished.host.clone());
    let mut moved = port.clone();
    wished.show(&mut moved);
    moved.remove("status");
    let nets = Networks::load(&[text(port, "network_id").to_owned()])?;
    let mut moved = [moved];
    binding::bind(&Mechanisms::loaded(), &mut moved, &[port], &nets)?;
    let [moved] = moved;
    let port_status = set(&moved, "status").and_then(Value::as_str).map(str::to_owned);
    let binding = Binding { port_status, ..Binding::active(&moved)? };
    match binding.vif_type == FAILED {
        true => Err(errors::failed(id, &host)),
        false => Ok(binding),
    }
}

/// A port goes to a host by itself: a binding that waited for that is no more.
pub(crate) fn superseded(port: &Document, changes: &Document) -> Result<()> {
    let moves = set(changes, "binding:host_id").is_some_and(|host| port.get("binding:host_id") != Some(host));
    if !moves || !owners::can_move(text(port, "device_owner")) {
        return Ok(());
    }
    forget(&waiting(port, &Query::all().equal("host", text(changes, "binding:host_id")))?)
}

/// Bindings of the port that wait, as they were made.
fn waiting(port: &Document, query: &Query) -> Result<Vec<Row>> {
    store::find(COLLECTION, &query.clone().equal("port_id", text(port, "id")).sort("host"))
}

/// Bindings of these ports that wait, each with its port's id.
pub(crate) fn waiting_of(ports: &[&str]) -> Result<Vec<(String, Binding)>> {
    let rows: Vec<Row> = store::find(COLLECTION, &Query::all().any_of("port_id", ports.iter().copied()))?;
    Ok(rows.into_iter().map(|row| (row.port_id, row.binding)).collect())
}

fn waiting_on(port: &Document, host: &str) -> Result<Row> {
    let found = waiting(port, &Query::all().equal("host", host))?;
    found.into_iter().next().ok_or_else(|| errors::not_found(text(port, "id"), host))
}

fn forget(rows: &[Row]) -> Result<()> {
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    store::delete(COLLECTION, &ids)?;
    release(rows)
}

/// Gives back what drivers asked for below the first level.
fn release(rows: &[Row]) -> Result<()> {
    segments::release_unused(&lower(rows))
}

fn lower(rows: &[Row]) -> BTreeSet<String> {
    rows.iter().flat_map(|row| row.binding.segments().skip(1)).map(str::to_owned).collect()
}

/// Segments below the first level of bindings of these ports that wait.
pub(crate) fn lower_segments(ports: &[Document]) -> Result<BTreeSet<String>> {
    let movable = ports.iter().filter(|port| owners::can_move(text(port, "device_owner")));
    let ids: Vec<&str> = movable.map(|port| text(port, "id")).collect();
    match ids.is_empty() {
        true => Ok(BTreeSet::new()),
        false => Ok(lower(&store::find(COLLECTION, &Query::all().any_of("port_id", ids))?)),
    }
}

/// How many bindings of these ports wait that were made with a segment.
pub(crate) fn waiting_with(segment_id: &str, ports: &[Document]) -> Result<usize> {
    let ids = ports.iter().map(|port| text(port, "id"));
    let rows: Vec<Row> = store::find(COLLECTION, &Query::all().any_of("port_id", ids))?;
    let with_it = |row: &&Row| row.binding.segments().any(|id| id == segment_id);
    Ok(rows.iter().filter(with_it).count())
}
