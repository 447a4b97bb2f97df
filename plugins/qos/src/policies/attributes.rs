//! The attributes of policies, as Neutron's API defines them.

use super::{ACCESS_SHARED, COLLECTION, DEFAULT_OF};
use crate::rules::{self, Kind};
use hadron_sdk::manifest::{
    Attribute, Called, Collection, Derived, DerivedFrom, Key, Rbac, RowsOf, Validator,
};
use hadron_sdk::serde_json::{Map, Value, json};

/// What entries call policies.
pub(super) const OBJECT_TYPE: &str = "qos_policy";

/// The declaration of the collection.
pub(crate) fn collection() -> Collection {
    let boolean = |name: &str| given(name, Validator::Boolean, json!(false));
    Collection {
        name: COLLECTION.to_owned(),
        member: OBJECT_TYPE.to_owned(),
        called: Some(Called { collection: "policies".to_owned(), member: "policy".to_owned() }),
        path_prefix: "qos".to_owned(),
        attributes: vec![
            given("name", Validator::String { max: Some(255) }, json!("")),
            Attribute { rbac: Some(ACCESS_SHARED.to_owned()), ..boolean("shared") },
            boolean("is_default"),
            Attribute {
                name: DEFAULT_OF.to_owned(),
                validate: Validator::String { max: None },
                nullable: true,
                hidden: true,
                ..Attribute::default()
            },
        ],
        keys: vec![Key { name: DEFAULT_OF.to_owned(), attributes: vec![DEFAULT_OF.to_owned()] }],
        derived: vec![Derived {
            name: "rules".to_owned(),
            from: DerivedFrom::Rows(Kind::ALL.into_iter().map(shown_rules).collect()),
        }],
        rbac: Some(Rbac { object_type: OBJECT_TYPE.to_owned(), actions: vec![ACCESS_SHARED.to_owned()] }),
        not_found: Some("QosPolicyNotFound".to_owned()),
        not_found_says: Some("QoS policy {id} could not be found.".to_owned()),
        ..Collection::default()
    }
}

/// The rules of a sort, as a policy shows them.
fn shown_rules(kind: Kind) -> RowsOf {
    let own = rules::attributes::attributes(kind).into_iter().map(|attribute| attribute.name);
    RowsOf {
        collection: kind.collection(),
        attribute: rules::PARENT.to_owned(),
        show: own.chain(["id".to_owned(), rules::PARENT.to_owned()]).collect(),
        add: Map::from_iter([("type".to_owned(), Value::from(kind.name()))]),
    }
}

fn given(name: &str, validate: Validator, default: Value) -> Attribute {
    Attribute {
        name: name.to_owned(),
        validate,
        post: true,
        put: true,
        filter: true,
        default: Some(default),
        ..Attribute::default()
    }
}
