//! The types of rules that drivers carry out: a list that the configuration
//! makes. In Neutron: `QosRuleType`.

use crate::drivers::Drivers;
use crate::text;
use hadron_sdk::manifest::{Attribute, Collection, Standard, Validator};
use hadron_sdk::serde_json::Value;
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Document, Error, Result};

pub(crate) const COLLECTION: &str = "rule_types";
/// What a type is called, which is also its id.
const TYPE: &str = "type";
/// What each driver can do of it.
pub(crate) const DRIVERS: &str = "drivers";

/// The declaration of the collection.
pub(crate) fn collection() -> Collection {
    let shown = |name: &str, validate: Validator| Attribute {
        name: name.to_owned(),
        validate,
        enforce: name == DRIVERS,
        ..Attribute::default()
    };
    Collection {
        name: COLLECTION.to_owned(),
        member: "rule_type".to_owned(),
        path_prefix: "qos".to_owned(),
        attributes: vec![
            shown(TYPE, Validator::String { max: Some(64) }),
            shown(DRIVERS, Validator::List { items: Box::new(Validator::Dict), unique: false }),
        ],
        without: ["id", "project_id", "tenant_id", "revision_number", "created_at", "updated_at"]
            .map(str::to_owned)
            .to_vec(),
        standard: Standard::NONE,
        not_found: Some("QosRuleTypeNotFound".to_owned()),
        not_found_says: Some("QoS rule type {id} could not be found.".to_owned()),
        ..Collection::default()
    }
}

/// Makes the rows what the configured drivers all carry out.
pub(crate) fn refresh() -> Result<()> {
    let drivers = Drivers::configured()?;
    let rows: Vec<Document> = drivers
        .shared()
        .into_iter()
        .map(|kind| {
            let name = Value::from(kind.name());
            Document::from_iter([
                ("id".to_owned(), name.clone()),
                (TYPE.to_owned(), name),
                (DRIVERS.to_owned(), drivers.details(kind)),
            ])
        })
        .collect();
    let there: Vec<Document> = store::find(COLLECTION, &Query::all())?;
    let same = |row: &Document, old: &Document| row.iter().all(|(name, value)| old.get(name) == Some(value));
    let gone = there.iter().filter(|old| !rows.iter().any(|row| same(row, old)));
    let gone: Vec<String> = gone.map(|old| text(old, "id").to_owned()).collect();
    store::delete(COLLECTION, &gone)?;
    let fresh: Vec<&Document> = rows.iter().filter(|row| !there.iter().any(|old| same(row, old))).collect();
    if fresh.is_empty() { Ok(()) } else { Ok(store::insert(COLLECTION, &fresh)?) }
}

/// Only the operator says which there are.
pub(crate) fn read_only() -> Error {
    Error::not_found("HTTPNotFound", "The resource could not be found.")
}
