//! The attributes of subnets, as Neutron's API defines them.

use super::service_types;
use crate::attribute::{boolean, filterable, owner, text};
use crate::networks::EXTERNAL;
use crate::segments;
use hadron_sdk::manifest::{
    Attribute, Collection, Derived, DerivedFrom, OnDelete, Quota, Reference, Validator,
};
use hadron_sdk::serde_json::json;

/// Neutron's default rules.
pub(crate) const POLICY: &[(&str, &str)] = &[
    ("external_network", "field:subnets:router:external=True"),
    ("create_subnet:service_types", "rule:admin_only"),
    ("update_subnet:service_types", "rule:admin_only"),
    ("create_subnet", "(rule:admin_only) or (role:member and rule:network_owner)"),
    (
        "get_subnet",
        "role:reader and project_id:%(project_id)s or rule:shared or rule:external_network or (rule:admin_only) or (role:reader and rule:network_owner) or rule:service_api",
    ),
    (
        "update_subnet",
        "role:member and project_id:%(project_id)s or (rule:admin_only) or (role:member and rule:network_owner)",
    ),
    (
        "delete_subnet",
        "role:member and project_id:%(project_id)s or (rule:admin_only) or (role:member and rule:network_owner)",
    ),
    (
        "create_subnet:tags",
        "role:member and project_id:%(project_id)s or (rule:admin_only) or (role:member and rule:network_owner)",
    ),
    (
        "get_subnet:tags",
        "role:reader and project_id:%(project_id)s or rule:shared or rule:external_network or (rule:admin_only) or (role:reader and rule:network_owner)",
    ),
    (
        "update_subnet:tags",
        "role:member and project_id:%(project_id)s or (rule:admin_only) or (role:member and rule:network_owner)",
    ),
    (
        "delete_subnet:tags",
        "role:member and project_id:%(project_id)s or (rule:admin_only) or (role:member and rule:network_owner)",
    ),
];

/// The declaration of the collection.
pub(crate) fn collection() -> Collection {
    Collection {
        name: "subnets".to_owned(),
        member: "subnet".to_owned(),
        core: true,
        attributes: vec![
            text("name", 255),
            owner("network_id"),
            Attribute {
                post: true,
                required: true,
                ..filterable("ip_version", Validator::Enum { values: vec![json!(4), json!(6)] })
            },
            // A pool's id, or the word for prefixes that are delegated later.
            Attribute {
                post: true,
                nullable: true,
                index: true,
                ..filterable("subnetpool_id", Validator::String { max: None })
            },
            asked_only("use_default_subnetpool", Validator::Boolean),
            boolean("enable_dhcp", true),
            mode("ipv6_ra_mode"),
            mode("ipv6_address_mode"),
            Attribute {
                post: true,
                put: true,
                nullable: true,
                ..filterable("gateway_ip", Validator::IpAddress)
            },
            Attribute { post: true, nullable: true, ..filterable("cidr", Validator::Cidr) },
            list(
                "allocation_pools",
                Validator::Object {
                    members: vec![member("start", Validator::IpAddress), member("end", Validator::IpAddress)],
                },
            ),
            list(
                "host_routes",
                Validator::Object {
                    members: vec![
                        member("destination", Validator::Cidr),
                        member("nexthop", Validator::IpAddress),
                    ],
                },
            ),
            list("dns_nameservers", Validator::String { max: None }),
            service_types::attribute(),
            Attribute { filter: false, ..boolean("dns_publish_fixed_ip", false) },
            Attribute {
                post: true,
                put: true,
                nullable: true,
                enforce: true,
                ..filterable("segment_id", Validator::Uuid)
            },
            text("description", 255),
            asked_only("prefixlen", Validator::Integer { min: Some(0), max: None }),
        ],
        references: vec![
            Reference {
                attribute: "network_id".to_owned(),
                collection: "networks".to_owned(),
                on_delete: OnDelete::Restrict,
                ..Reference::default()
            },
            Reference {
                attribute: "segment_id".to_owned(),
                collection: segments::COLLECTION.to_owned(),
                on_delete: OnDelete::Restrict,
                ..Reference::default()
            },
        ],
        // Whether its network leads to the world outside.
        derived: vec![Derived {
            name: EXTERNAL.to_owned(),
            from: DerivedFrom::Parent {
                reference: "network_id".to_owned(),
                attribute: EXTERNAL.to_owned(),
                filter: true,
            },
        }],
        quota: Some(Quota { default: 100 }),
        ..Collection::default()
    }
}

/// What says something about a request, and is not kept.
fn asked_only(name: &str, validate: Validator) -> Attribute {
    Attribute { name: name.to_owned(), validate, post: true, ..Attribute::default() }
}

fn mode(name: &str) -> Attribute {
    let values = ["dhcpv6-stateful", "dhcpv6-stateless", "slaac"].iter().map(|mode| json!(mode)).collect();
    Attribute { post: true, nullable: true, ..filterable(name, Validator::Enum { values }) }
}

fn list(name: &str, items: Validator) -> Attribute {
    Attribute {
        name: name.to_owned(),
        validate: Validator::List { items: Box::new(items), unique: false },
        post: true,
        put: true,
        nullable: true,
        ..Attribute::default()
    }
}

fn member(name: &str, validate: Validator) -> Attribute {
    Attribute { name: name.to_owned(), validate, required: true, ..Attribute::default() }
}
