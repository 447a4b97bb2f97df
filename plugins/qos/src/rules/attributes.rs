//! The attributes of rules, as Neutron's API defines them.

use super::Kind;
use crate::policies;
use hadron_sdk::manifest::{
    Attribute, Called, Collection, Key, OnDelete, Parent, Reference, Standard, Validator,
};
use hadron_sdk::serde_json::{Value, json};

/// The attribute with the id of a rule's policy.
pub(crate) const PARENT: &str = "qos_policy_id";

/// What the host keeps and rules do not show.
pub(super) const WITHOUT: [&str; 5] =
    ["project_id", "tenant_id", "revision_number", "created_at", "updated_at"];

/// Largest number that a rule takes. In Neutron: `DB_INTEGER_MAX_VALUE`.
pub(crate) const MOST: i64 = i32::MAX as i64;
/// Code points of differentiated services. In Neutron: `VALID_DSCP_MARKS`.
pub(crate) const MARKS: [i64; 22] =
    [0, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 44, 46, 48, 56];
/// In Neutron: `VALID_DIRECTIONS`.
pub(crate) const DIRECTIONS: [&str; 2] = ["ingress", "egress"];
/// In Neutron: `VALID_DIRECTIONS_AND_ANY`.
pub(crate) const DIRECTIONS_AND_ANY: [&str; 3] = ["any", "ingress", "egress"];

/// The declarations of the collections, one a sort.
pub(crate) fn collections() -> Vec<Collection> {
    Kind::ALL.into_iter().map(collection).collect()
}

/// The attributes that are a rule's own, besides its id.
pub(crate) fn attributes(kind: Kind) -> Vec<Attribute> {
    match kind {
        Kind::DscpMarking => vec![given(
            kind.value(),
            Validator::Enum { values: MARKS.iter().map(|mark| json!(mark)).collect() },
            None,
        )],
        Kind::BandwidthLimit => {
            vec![number(kind.value(), None), number("max_burst_kbps", Some(0)), direction(&DIRECTIONS)]
        }
        Kind::PacketRateLimit => {
            vec![number(kind.value(), None), number("max_burst_kpps", Some(0)), direction(&DIRECTIONS)]
        }
        Kind::MinimumBandwidth => vec![number(kind.value(), None), direction(&DIRECTIONS)],
        Kind::MinimumPacketRate => vec![number(kind.value(), None), direction(&DIRECTIONS_AND_ANY)],
    }
}

/// The attribute with the policy of a rule.
pub(super) fn parent() -> Attribute {
    Attribute { name: PARENT.to_owned(), validate: Validator::Uuid, hidden: true, ..Attribute::default() }
}

fn collection(kind: Kind) -> Collection {
    let attributes = attributes(kind);
    let mut key = vec![PARENT.to_owned()];
    key.extend(attributes.iter().filter(|a| a.name == "direction").map(|a| a.name.clone()));
    Collection {
        name: kind.collection(),
        member: format!("qos_{}_rule", kind.name()),
        called: Some(Called {
            collection: format!("{}_rules", kind.name()),
            member: format!("{}_rule", kind.name()),
        }),
        parent: Some(Parent { collection: policies::COLLECTION.to_owned(), attribute: PARENT.to_owned() }),
        attributes: attributes.into_iter().chain([parent()]).collect(),
        keys: vec![Key { name: "rule".to_owned(), attributes: key }],
        references: vec![Reference {
            attribute: PARENT.to_owned(),
            collection: policies::COLLECTION.to_owned(),
            on_delete: OnDelete::Cascade,
            ..Reference::default()
        }],
        not_found: Some("QosRuleNotFound".to_owned()),
        not_found_says: Some("QoS rule {id} could not be found.".to_owned()),
        without: WITHOUT.map(str::to_owned).to_vec(),
        standard: Standard::NONE,
        ..Collection::default()
    }
}

fn given(name: &str, validate: Validator, default: Option<Value>) -> Attribute {
    Attribute {
        name: name.to_owned(),
        validate,
        post: true,
        put: true,
        required: default.is_none(),
        filter: true,
        default,
        ..Attribute::default()
    }
}

fn number(name: &str, default: Option<i64>) -> Attribute {
    given(name, Validator::Integer { min: Some(0), max: Some(MOST) }, default.map(Value::from))
}

fn direction(values: &[&str]) -> Attribute {
    let values = values.iter().map(|value| json!(value)).collect();
    given("direction", Validator::Enum { values }, Some(json!("egress")))
}
