//! The types of rules, and what the configured drivers can do of each. In
//! Neutron: `QosRuleType`.

use crate::drivers::Drivers;
use crate::rules::Kind;
use crate::text;
use hadron_sdk::manifest::{Attribute, Collection, Computed, Standard, Validator};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Document, Error, Result};

pub(crate) const COLLECTION: &str = "rule_types";
/// What a type is called, which is also its id.
const TYPE: &str = "type";
/// What each driver can do of it.
pub(crate) const DRIVERS: &str = "drivers";
/// Asks for types that some driver carries out, instead of those that all do.
const ALL_SUPPORTED: &str = "all_supported";
/// Asks for types that there are, whoever carries them out.
const ALL_RULES: &str = "all_rules";

/// The declaration of the collection.
pub(crate) fn collection() -> Collection {
    let asked = |name: &str| Attribute {
        name: name.to_owned(),
        validate: Validator::Boolean,
        default: Some(Value::Bool(false)),
        ..Attribute::default()
    };
    Collection {
        name: COLLECTION.to_owned(),
        member: "rule_type".to_owned(),
        path_prefix: "qos".to_owned(),
        attributes: vec![Attribute {
            name: TYPE.to_owned(),
            validate: Validator::String { max: Some(64) },
            filter: true,
            ..Attribute::default()
        }],
        computed: vec![Computed::from(Attribute {
            name: DRIVERS.to_owned(),
            validate: Validator::List { items: Box::new(Validator::Dict), unique: false },
            enforce: true,
            ..Attribute::default()
        })],
        asks: vec![asked(ALL_SUPPORTED), asked(ALL_RULES)],
        without: ["id", "project_id", "tenant_id", "revision_number", "created_at", "updated_at"]
            .map(str::to_owned)
            .to_vec(),
        standard: Standard::NONE,
        not_found: Some("QosRuleTypeNotFound".to_owned()),
        not_found_says: Some("QoS rule type {id} could not be found.".to_owned()),
        ..Collection::default()
    }
}

/// Makes a row of each type that there is.
pub(crate) fn refresh() -> Result<()> {
    let there: Vec<Document> = store::find(COLLECTION, &Query::all())?;
    let is_there = |kind: &Kind| there.iter().any(|row| text(row, "id") == kind.name());
    let missing = Kind::ALL.into_iter().filter(|kind| !is_there(kind));
    let rows: Vec<Value> = missing.map(|kind| json!({"id": kind.name(), TYPE: kind.name()})).collect();
    if rows.is_empty() { Ok(()) } else { Ok(store::insert(COLLECTION, &rows)?) }
}

/// What drivers can do of one type; of a list, whether it has the type.
pub(crate) fn compute(documents: &[Document]) -> Result<Vec<Document>> {
    let drivers = Drivers::configured()?;
    Ok(documents.iter().map(|document| computed(&drivers, document)).collect())
}

fn computed(drivers: &Drivers, document: &Document) -> Document {
    let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.name() == text(document, TYPE)) else {
        return Document::new();
    };
    let asked = |name: &str| document.get(name).and_then(Value::as_array);
    let wants = |name: &str| asked(name).is_some_and(|values| values.contains(&Value::Bool(true)));
    if asked(ALL_RULES).is_none() {
        return Document::from_iter([(DRIVERS.to_owned(), drivers.details(kind))]);
    }
    let is_listed = match (wants(ALL_SUPPORTED), wants(ALL_RULES)) {
        (true, _) => drivers.some_do(kind),
        (false, true) => true,
        (false, false) => drivers.all_do(kind),
    };
    if is_listed { Document::from_iter([(TYPE.to_owned(), kind.name().into())]) } else { Document::new() }
}

/// Only the operator says which there are.
pub(crate) fn read_only() -> Error {
    Error::not_found("HTTPNotFound", "The resource could not be found.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(drivers: &[&str], asked: [bool; 2]) -> Vec<&'static str> {
        let names: Vec<String> = drivers.iter().map(|name| (*name).to_owned()).collect();
        let drivers = Drivers::named(&names).unwrap();
        let document = |kind: &Kind| {
            let document = json!({TYPE: kind.name(), ALL_SUPPORTED: [asked[0]], ALL_RULES: [asked[1]]});
            document.as_object().unwrap().clone()
        };
        let is_listed = |kind: &Kind| !computed(&drivers, &document(kind)).is_empty();
        Kind::ALL.into_iter().filter(is_listed).map(Kind::name).collect()
    }

    #[test]
    fn lists_have_what_all_drivers_do_unless_more_is_asked_for() {
        let both = ["openvswitch", "sriovnicswitch"];
        assert_eq!(listed(&both, [false, false]), ["bandwidth_limit", "minimum_bandwidth"]);
        assert_eq!(listed(&both, [true, false]).len(), 5);
        assert_eq!(listed(&["linuxbridge"], [true, false]), ["bandwidth_limit", "dscp_marking"]);
        assert_eq!(listed(&["linuxbridge"], [false, true]).len(), 5);
        assert!(listed(&[], [false, false]).is_empty() && listed(&[], [true, false]).is_empty());
    }
}
