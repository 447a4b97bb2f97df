//! Rules of parts: the child resources `/v2.0/gadgets/{id}/parts`.

use crate::gadgets::text;
use hadron_sdk::serde_json::Value;
use hadron_sdk::store::{self, InsertError, Query, StoreError};
use hadron_sdk::{Document, Error, Result};

const COLLECTION: &str = "parts";

/// Adds parts; the host has put the gadget's id into each.
pub(crate) fn create(bodies: Vec<Document>) -> Result<()> {
    store::insert(COLLECTION, &bodies).map_err(not_written)
}

fn not_written(error: InsertError) -> Error {
    match error {
        InsertError::Store(StoreError::Duplicate(_)) => {
            Error::conflict("PartExists", "The gadget has a part of that name already.")
        }
        other => other.into(),
    }
}

/// Changes one.
pub(crate) fn update(id: &str, changes: &Document) -> Result<()> {
    store::try_update(COLLECTION, id, changes).map(drop).map_err(not_written)
}

/// Removes parts.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    let ids: Vec<String> = documents.iter().map(|document| text(document, "id").to_owned()).collect();
    Ok(store::delete(COLLECTION, &ids)?)
}

/// What the parts of each of these gadgets weigh together.
pub(crate) fn weights(gadgets: &[&str]) -> Result<Vec<u64>> {
    let parts: Vec<Document> =
        store::find(COLLECTION, &Query::all().any_of("gadget_id", gadgets.iter().copied()))?;
    let weight = |part: &Document| part.get("weight").and_then(Value::as_u64).unwrap_or_default();
    let of = |gadget: &&str| parts.iter().filter(|part| text(part, "gadget_id") == *gadget).map(weight).sum();
    Ok(gadgets.iter().map(of).collect())
}
