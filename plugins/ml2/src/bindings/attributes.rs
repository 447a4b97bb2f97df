//! What the host is told of bindings: rows that only ML2 sees, and actions of
//! ports, since a port's active binding is the port's own.

use super::COLLECTION;
use crate::ports::VNIC_TYPES;
use hadron_sdk::manifest::{Action, Attribute, Collection, Key, OnDelete, Reference, Takes, Validator, Verb};
use hadron_sdk::serde_json::json;

/// Actions, with the names of Neutron's rules about them where it has any.
pub(crate) const LIST: &str = "get_port_bindings";
pub(crate) const SHOW: &str = "get_port_binding";
pub(crate) const CREATE: &str = "create_port_binding";
pub(crate) const UPDATE: &str = "update_port_binding";
pub(crate) const DELETE: &str = "delete_port_binding";
pub(crate) const ACTIVATE: &str = "activate";

/// Default rules. A list is seen by those who see a binding; who may change one
/// was seen: Neutron has no rule of that name, and lets those who see it.
pub(crate) const POLICY: &[(&str, &str)] = &[
    (LIST, "rule:get_port_binding"),
    (SHOW, "(rule:admin_only) or (rule:service_api)"),
    (CREATE, "rule:service_api"),
    (UPDATE, "(rule:admin_only) or (rule:service_api)"),
    (DELETE, "rule:service_api"),
    (ACTIVATE, "rule:service_api"),
];

/// Extensions of the API.
pub(crate) const EXTENSIONS: &[(&str, &str, &str, &str)] = &[(
    "Port Bindings Extended",
    "binding-extended",
    "Expose port bindings of a virtual port to external application",
    "2017-07-17T10:00:00-00:00",
)];

/// The declaration of the private collection.
pub(crate) fn collection() -> Collection {
    let attribute = |name: &str, validate| Attribute {
        name: name.to_owned(),
        validate,
        nullable: true,
        ..Attribute::default()
    };
    let text = |name: &str| attribute(name, Validator::String { max: Some(255) });
    Collection {
        name: COLLECTION.to_owned(),
        member: "port_binding".to_owned(),
        private: true,
        attributes: vec![
            attribute("port_id", Validator::Uuid),
            text("host"),
            text("vnic_type"),
            attribute("profile", Validator::Dict),
            text("vif_type"),
            attribute("vif_details", Validator::Dict),
            attribute("levels", Validator::Any),
            text("pending"),
            attribute("offered", Validator::Any),
            text("port_status"),
        ],
        keys: vec![Key {
            name: "host".to_owned(),
            attributes: vec!["port_id".to_owned(), "host".to_owned()],
        }],
        references: vec![Reference {
            attribute: "port_id".to_owned(),
            collection: "ports".to_owned(),
            on_delete: OnDelete::Cascade,
            ..Reference::default()
        }],
        ..Collection::default()
    }
}

/// What ports are told and asked of their bindings.
pub(crate) fn actions() -> Vec<Action> {
    let action = |name: &str, verb: Verb, path: &str, attributes: Option<Vec<Attribute>>| Action {
        name: name.to_owned(),
        verb,
        path: Some(path.to_owned()),
        takes: attributes.map(|attributes| Takes { member: Some("binding".to_owned()), attributes }),
    };
    let host = Attribute {
        name: "host".to_owned(),
        validate: Validator::String { max: Some(255) },
        required: true,
        ..Attribute::default()
    };
    let vnic_type = Attribute {
        name: "vnic_type".to_owned(),
        validate: Validator::Enum { values: VNIC_TYPES.iter().map(|kind| json!(kind)).collect() },
        ..Attribute::default()
    };
    let profile = Attribute {
        name: "profile".to_owned(),
        validate: Validator::Dict,
        nullable: true,
        ..Attribute::default()
    };
    vec![
        action(LIST, Verb::Get, "bindings", None),
        action(SHOW, Verb::Get, "bindings/{host}", None),
        action(CREATE, Verb::Create, "bindings", Some(vec![host, vnic_type.clone(), profile.clone()])),
        action(UPDATE, Verb::Update, "bindings/{host}", Some(vec![vnic_type, profile])),
        action(DELETE, Verb::Delete, "bindings/{host}", None),
        action(ACTIVATE, Verb::Update, "bindings/{host}/activate", None),
    ]
}
