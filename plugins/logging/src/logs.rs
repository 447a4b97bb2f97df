//! Logs: what requests do to them. In Neutron: `LoggingPlugin`,
//! `validate_security_group_request`.

use crate::drivers::Drivers;
use crate::{errors, text};
use hadron_sdk::serde_json::Value;
use hadron_sdk::store::{self, InsertError, StoreError};
use hadron_sdk::{Document, Error, Result, resources};

pub(crate) const COLLECTION: &str = "logs";
/// The collections of the core plugin.
pub(crate) const GROUPS: &str = "security_groups";
/// See [`GROUPS`].
pub(crate) const PORTS: &str = "ports";
/// Hidden attributes: the group, or the port, that a log is about and nothing
/// else. Such a log goes with it; in Neutron: `_clean_logs`, of those that
/// `get_logs_bound_sg` finds with `exclusive`.
pub(crate) const ONLY_GROUP: &str = "only_group";
/// See [`ONLY_GROUP`].
pub(crate) const ONLY_PORT: &str = "only_port";

/// Makes logs.
pub(crate) fn create(mut bodies: Vec<Document>) -> Result<()> {
    let drivers = Drivers::configured()?;
    for body in &mut bodies {
        check(&drivers, body)?;
        let (group, port) = (body.get("resource_id").cloned(), body.get("target_id").cloned());
        let (group, port) = (group.unwrap_or_default(), port.unwrap_or_default());
        let alone = |one: &Value, other: &Value| if other.is_null() { one.clone() } else { Value::Null };
        body.insert(ONLY_GROUP.to_owned(), alone(&group, &port));
        body.insert(ONLY_PORT.to_owned(), alone(&port, &group));
    }
    store::insert(COLLECTION, &bodies).map_err(|error| not_written(error, &bodies))
}

/// What a log is about has to be there, and to be logged by somebody.
fn check(drivers: &Drivers, body: &Document) -> Result<()> {
    let kind = text(body, "resource_type");
    if !drivers.types().contains(kind) {
        return Err(errors::invalid_type(kind));
    }
    let (group, port) = (text(body, "resource_id"), text(body, "target_id"));
    if !group.is_empty() && resources::get::<Document>(GROUPS, group)?.is_none() {
        return Err(errors::resource_not_found(group));
    }
    if port.is_empty() {
        return Ok(());
    }
    let target: Document = resources::get(PORTS, port)?.ok_or_else(|| errors::target_not_found(port))?;
    if !drivers.log(kind, text(&target, "binding:vnic_type"), text(&target, "binding:vif_type")) {
        return Err(errors::not_supported(kind, port));
    }
    let groups = target.get(GROUPS).and_then(Value::as_array);
    if !group.is_empty() && !groups.is_some_and(|groups| groups.iter().any(|one| one == group)) {
        return Err(errors::unrelated(group, port));
    }
    Ok(())
}

/// It can go away meanwhile.
fn not_written(error: InsertError, bodies: &[Document]) -> Error {
    let first = |name: &str| bodies.iter().map(|body| text(body, name)).find(|id| !id.is_empty());
    match error {
        InsertError::Store(StoreError::MissingReference(name)) if name == ONLY_GROUP => {
            errors::resource_not_found(first("resource_id").unwrap_or_default())
        }
        InsertError::Store(StoreError::MissingReference(_)) => {
            errors::target_not_found(first("target_id").unwrap_or_default())
        }
        other => other.into(),
    }
}

/// Changes a log.
pub(crate) fn update(id: &str, changes: &Document) -> Result<()> {
    store::update::<Document>(COLLECTION, id, changes).map(drop)
}

/// Removes logs.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    let ids: Vec<String> = documents.iter().map(|document| text(document, "id").to_owned()).collect();
    Ok(store::delete(COLLECTION, &ids)?)
}
