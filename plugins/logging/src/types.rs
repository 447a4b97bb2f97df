//! What can be logged: a list that drivers make.

use crate::drivers::Drivers;
use crate::text;
use hadron_sdk::serde_json::json;
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Document, Result, random};

pub(crate) const COLLECTION: &str = "loggable_resources";

/// Makes the rows what the configured drivers log.
pub(crate) fn refresh() -> Result<()> {
    let wanted = Drivers::configured()?.types();
    let there: Vec<Document> = store::find(COLLECTION, &Query::all())?;
    let gone = there.iter().filter(|row| !wanted.contains(text(row, "type")));
    let gone: Vec<String> = gone.map(|row| text(row, "id").to_owned()).collect();
    store::delete(COLLECTION, &gone)?;
    let new = wanted.iter().filter(|kind| !there.iter().any(|row| text(row, "type") == **kind));
    let rows: Vec<_> = new.map(|kind| json!({"id": random::uuid(), "type": kind})).collect();
    if rows.is_empty() { Ok(()) } else { Ok(store::insert(COLLECTION, &rows)?) }
}
