//! What an administrator asks of a particular driver for one port; only hints
//! that some driver knows are taken. In Neutron: `PortHintsMixin`.

use crate::document::{set, take};
use hadron_sdk::Document;
use hadron_sdk::manifest::{Attribute, Validator};
use hadron_sdk::serde_json::{Value, json};

const NAME: &str = "hints";

/// Default rules.
pub(super) const POLICY: &[(&str, &str)] = &[
    ("create_port:hints", "rule:admin_only"),
    ("get_port:hints", "rule:admin_only"),
    ("update_port:hints", "rule:admin_only"),
];

/// Extensions of the API.
pub(super) const EXTENSIONS: &[(&str, &str, &str, &str)] = &[
    (
        "Port hints",
        "port-hints",
        "Backend specific port hints to allow backend specific tuning",
        "2023-01-01T00:00:00-00:00",
    ),
    (
        "Port hint: Open vSwitch Tx steering",
        "port-hint-ovs-tx-steering",
        "Enable Port hint: Open vSwitch Tx steering",
        "2023-01-01T00:00:00-00:00",
    ),
];

/// The attribute. Of Open vSwitch: how packets that instances send are given to
/// its threads.
pub(super) fn attribute() -> Attribute {
    let steering = Validator::Enum { values: vec![json!("thread"), json!("hash")] };
    Attribute {
        post: true,
        put: true,
        enforce: true,
        nullable: true,
        default: Some(Value::Null),
        ..member(NAME, object("openvswitch", object("other_config", object("tx-steering", steering))))
    }
}

fn member(name: &str, validate: Validator) -> Attribute {
    Attribute { name: name.to_owned(), validate, ..Attribute::default() }
}

/// An object that may have this member.
fn object(name: &str, validate: Validator) -> Validator {
    Validator::Object { members: vec![member(name, validate)] }
}

/// Of a new port.
pub(super) fn create(body: &mut Document, document: &mut Document) {
    update(body);
    take(body, &[NAME], document);
}

/// Hints that say nothing are none, as in Neutron.
pub(super) fn update(changes: &mut Document) {
    let empty = set(changes, NAME).and_then(Value::as_object).is_some_and(Document::is_empty);
    if empty {
        changes.insert(NAME.to_owned(), Value::Null);
    }
}
