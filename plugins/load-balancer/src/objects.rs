//! Rows of what a load balancer is made of: read, written and marked as pending.

use crate::attribute::{OPERATING, PROVISIONING};
use crate::document::text;
use crate::errors;
use crate::kind::Kind;
use crate::load_balancers::LoadBalancer;
use crate::status::{OFFLINE, PENDING_CREATE, PENDING_UPDATE};
use hadron_sdk::manifest::{OnDelete, Reference};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, InsertError, Query};
use hadron_sdk::{Document, Result, random, resources};

/// The attribute of a part with its load balancer.
pub(crate) const WHOLE: &str = "loadbalancer_id";

/// What that refers to: parts go with the whole.
pub(crate) fn of_whole() -> Reference {
    cascading(WHOLE, Kind::LoadBalancer)
}

/// A reference to what a row is part of, and goes with.
pub(crate) fn cascading(attribute: &str, kind: Kind) -> Reference {
    Reference {
        attribute: attribute.to_owned(),
        collection: kind.collection().to_owned(),
        on_delete: OnDelete::Cascade,
        ..Reference::default()
    }
}

/// An object that the caller may see.
pub(crate) fn visible(kind: Kind, id: &str) -> Result<Document> {
    resources::get(kind.collection(), id)?.ok_or_else(|| errors::not_found(kind.title(), id))
}

/// An object, whoever asks.
pub(crate) fn get(kind: Kind, id: &str) -> Result<Document> {
    store::get(kind.collection(), id)?.ok_or_else(|| errors::not_found(kind.title(), id))
}

/// Objects whose attribute has this value, in the order in which they were made.
pub(crate) fn with(kind: Kind, attribute: &str, value: &str) -> Result<Vec<Document>> {
    store::find(kind.collection(), &Query::all().equal(attribute, value).sort("created_at"))
}

/// What a part has that is made now; its id.
pub(crate) fn born(load_balancer: &LoadBalancer, body: &mut Document) -> String {
    let id = match text(body, "id") {
        "" => random::uuid(),
        id => id.to_owned(),
    };
    for (name, value) in [
        ("id", id.as_str()),
        ("project_id", &load_balancer.project_id),
        (WHOLE, &load_balancer.id),
        (PROVISIONING, PENDING_CREATE),
        (OPERATING, OFFLINE),
    ] {
        body.insert(name.to_owned(), Value::from(value));
    }
    id
}

/// Writes one.
pub(crate) fn insert(kind: Kind, row: Document) -> Result<(), InsertError> {
    store::insert(kind.collection(), &[row])
}

/// Changes one, which an agent has to carry out.
pub(crate) fn change(kind: Kind, id: &str, mut changes: Document) -> Result<()> {
    changes.insert(PROVISIONING.to_owned(), Value::from(PENDING_UPDATE));
    store::update::<Document>(kind.collection(), id, &changes).map(drop)
}

/// Says how far one is set up.
pub(crate) fn mark(kind: Kind, id: &str, provisioning: &str) -> Result<()> {
    store::update::<Document>(kind.collection(), id, &json!({ PROVISIONING: provisioning })).map(drop)
}

/// The ids of parts whose attribute has this value, as shown by what they are part of.
pub(crate) fn listed(kind: Kind, attribute: &str, value: &str) -> Result<Value> {
    let ids = with(kind, attribute, value)?;
    Ok(ids.iter().map(|row| json!({"id": text(row, "id")})).collect())
}

/// Writes anew what a load balancer lists.
pub(crate) fn relist(load_balancer: &str) -> Result<()> {
    let listed = json!({
        "listeners": listed(Kind::Listener, WHOLE, load_balancer)?,
        "pools": listed(Kind::Pool, WHOLE, load_balancer)?,
    });
    store::update::<Document>(Kind::LoadBalancer.collection(), load_balancer, &listed).map(drop)
}
