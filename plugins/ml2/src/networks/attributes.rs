//! The attributes of networks, as Neutron's API defines them.

use super::sharing;
use crate::attribute::{boolean, column, filterable, text};
use crate::dns;
use crate::segments;
use crate::sharing::ACCESS_SHARED;
use crate::{dhcp, zones};
use hadron_sdk::manifest::{Attribute, Collection, Derived, DerivedFrom, Quota, Rbac, Validator};
use hadron_sdk::serde_json::json;

/// Whether ports filter what they let through; a network's is what its ports
/// have where they are made without.
pub(crate) const PORT_SECURITY: &str = "port_security_enabled";

/// Neutron's default rules about networks, and about what belongs to one.
pub(crate) const POLICY: &[(&str, &str)] = &[
    ("admin_or_network_owner", "rule:context_is_admin or project_id:%(network:project_id)s"),
    ("admin_owner_or_network_owner", "rule:owner or rule:admin_or_network_owner"),
    ("network_owner", "project_id:%(network:project_id)s"),
    ("shared", "field:networks:shared=True"),
    ("external", "field:networks:router:external=True"),
    ("create_network", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
    ("create_network:shared", "rule:admin_only"),
    (
        "create_network:port_security_enabled",
        "(rule:admin_only) or (role:member and project_id:%(project_id)s)",
    ),
    (
        "update_network:port_security_enabled",
        "(rule:admin_only) or (role:member and project_id:%(project_id)s)",
    ),
    ("create_network:router:external", "rule:admin_only"),
    ("create_network:provider:network_type", "rule:admin_only"),
    ("create_network:provider:physical_network", "rule:admin_only"),
    ("create_network:provider:segmentation_id", "rule:admin_only"),
    (
        "get_network",
        "(rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:service_api or rule:shared or rule:external or rule:context_is_advsvc",
    ),
    ("get_network:provider:network_type", "rule:admin_only"),
    ("get_network:provider:physical_network", "rule:admin_only"),
    ("get_network:provider:segmentation_id", "rule:admin_only"),
    ("update_network", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
    ("update_network:shared", "rule:admin_only"),
    ("update_network:router:external", "rule:admin_only"),
    ("update_network:provider:network_type", "rule:admin_only"),
    ("update_network:provider:physical_network", "rule:admin_only"),
    ("update_network:provider:segmentation_id", "rule:admin_only"),
    ("delete_network", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
    ("create_network:tags", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
    (
        "get_network:tags",
        "(rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:shared or rule:external or rule:context_is_advsvc",
    ),
    ("update_network:tags", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
    ("delete_network:tags", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
];

/// The declaration of the collection.
pub(crate) fn collection() -> Collection {
    Collection {
        name: "networks".to_owned(),
        member: "network".to_owned(),
        core: true,
        attributes: [
            text("name", 255),
            boolean("admin_state_up", true),
            Attribute {
                default: Some(json!(0)),
                post: true,
                put: true,
                enforce: true,
                ..filterable("mtu", Validator::Integer { min: Some(0), max: Some(i64::from(i32::MAX)) })
            },
            filterable("status", Validator::String { max: Some(16) }),
            Attribute { enforce: true, rbac: Some(ACCESS_SHARED.to_owned()), ..boolean("shared", false) },
            Attribute {
                name: PORT_SECURITY.to_owned(),
                validate: Validator::Boolean,
                post: true,
                put: true,
                enforce: true,
                default: Some(json!(true)),
                ..Attribute::default()
            },
            provider("provider:network_type", Validator::String { max: Some(32) }),
            provider("provider:physical_network", Validator::String { max: Some(64) }),
            provider("provider:segmentation_id", Validator::Integer { min: None, max: None }),
            Attribute {
                enforce: true,
                rbac: Some(sharing::ACCESS_EXTERNAL.to_owned()),
                ..boolean(sharing::EXTERNAL, false)
            },
            dns::of_networks(),
            shown(super::scopes::V4),
            shown(super::scopes::V6),
            Attribute {
                post: true,
                put: true,
                nullable: true,
                enforce: true,
                sparse: Some(segments::SEGMENTS.to_owned()),
                name: segments::SEGMENTS.to_owned(),
                validate: Validator::List { items: Box::new(segment()), unique: false },
                ..Attribute::default()
            },
            Attribute {
                name: "l2_adjacency".to_owned(),
                validate: Validator::Boolean,
                ..Attribute::default()
            },
            text("description", 255),
        ]
        .into_iter()
        .chain(zones::network_attributes())
        .collect(),
        actions: dhcp::of_networks(),
        indexes: vec![column("name")],
        rbac: Some(Rbac {
            object_type: sharing::OBJECT_TYPE.to_owned(),
            actions: vec![ACCESS_SHARED.to_owned(), sharing::ACCESS_EXTERNAL.to_owned()],
        }),
        derived: vec![Derived {
            name: "subnets".to_owned(),
            from: DerivedFrom::Referring {
                collection: "subnets".to_owned(),
                attribute: "network_id".to_owned(),
            },
        }],
        quota: Some(Quota { default: 100 }),
        ..Collection::default()
    }
}

/// The id of a row that follows from others.
fn shown(name: &str) -> Attribute {
    Attribute { name: name.to_owned(), validate: Validator::Uuid, nullable: true, ..Attribute::default() }
}

/// Absent from a network with several segments, or none.
fn provider(name: &str, validate: Validator) -> Attribute {
    Attribute {
        nullable: true,
        post: true,
        put: true,
        enforce: true,
        sparse: Some(segments::TYPE.to_owned()),
        ..filterable(name, validate)
    }
}

/// One of `segments`.
fn segment() -> Validator {
    let member = |name: &str, validate| Attribute {
        name: name.to_owned(),
        validate,
        nullable: true,
        ..Attribute::default()
    };
    Validator::Object {
        members: vec![
            member(segments::TYPE, Validator::String { max: Some(32) }),
            member(segments::PHYSICAL_NETWORK, Validator::String { max: Some(64) }),
            member(segments::SEGMENTATION_ID, Validator::Integer { min: None, max: None }),
        ],
    }
}
