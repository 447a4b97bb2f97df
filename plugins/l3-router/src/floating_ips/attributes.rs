//! What a floating IP is made of.

use crate::outside::{NETWORKS, PORTS};
use crate::port_forwardings;
use crate::routers::ROUTERS;
use hadron_sdk::manifest::{
    Attribute, Collection, Computed, Derived, DerivedFrom, Key, OnDelete, Quota, Reference, Refusal, RowsOf,
    Validator,
};
use hadron_sdk::serde_json::json;

/// The collection.
pub(crate) const FLOATING_IPS: &str = "floatingips";
/// What is shown of the port.
pub(crate) const DETAILS: &str = "port_details";

fn shown(name: &str, validate: Validator) -> Attribute {
    Attribute { name: name.to_owned(), validate, filter: true, ..Attribute::default() }
}

fn optional(name: &str, validate: Validator) -> Attribute {
    Attribute { post: true, nullable: true, default: Some(json!(null)), ..shown(name, validate) }
}

fn attributes() -> Vec<Attribute> {
    let name = |name: &str| Attribute {
        post: true,
        filter: false,
        default: Some(json!("")),
        ..shown(name, Validator::String { max: Some(255) })
    };
    vec![
        Attribute { enforce: true, ..optional("floating_ip_address", Validator::IpAddress) },
        Attribute { post: true, required: true, ..shown("floating_network_id", Validator::Uuid) },
        Attribute { nullable: true, ..shown("router_id", Validator::Uuid) },
        Attribute { put: true, ..optional("port_id", Validator::Uuid) },
        Attribute { put: true, ..optional("fixed_ip_address", Validator::IpAddress) },
        Attribute { ..shown("status", Validator::String { max: Some(16) }) },
        name("dns_domain"),
        name("dns_name"),
        // Where the address is to be taken from.
        Attribute { hidden: true, filter: false, ..optional("subnet_id", Validator::Uuid) },
        // The port that keeps the address.
        Attribute {
            hidden: true,
            nullable: true,
            filter: false,
            ..shown("floating_port_id", Validator::Uuid)
        },
    ]
}

/// The declaration.
pub(crate) fn collection() -> Collection {
    let reference = |attribute: &str, collection: &str| Reference {
        attribute: attribute.to_owned(),
        collection: collection.to_owned(),
        on_delete: OnDelete::Restrict,
        ..Reference::default()
    };
    let key = |name: &str, attributes: &[&str]| Key {
        name: name.to_owned(),
        attributes: attributes.iter().map(|attribute| (*attribute).to_owned()).collect(),
    };
    let forwardings = RowsOf {
        collection: port_forwardings::COLLECTION.to_owned(),
        attribute: port_forwardings::PARENT.to_owned(),
        show: ["id", "protocol", "internal_port", "external_port", "internal_ip_address", "internal_port_id"]
            .map(str::to_owned)
            .to_vec(),
        ..RowsOf::default()
    };
    let details = Attribute {
        name: DETAILS.to_owned(),
        validate: Validator::Dict,
        nullable: true,
        ..Attribute::default()
    };
    Collection {
        name: FLOATING_IPS.to_owned(),
        member: "floatingip".to_owned(),
        attributes: attributes(),
        keys: vec![
            key("association", &["port_id", "fixed_ip_address", "floating_network_id"]),
            key("address", &["floating_network_id", "floating_ip_address"]),
        ],
        references: vec![
            reference("floating_network_id", NETWORKS),
            reference("router_id", ROUTERS),
            reference("port_id", PORTS),
            Reference {
                refusal: Some(Refusal {
                    error: "ServicePortInUse".to_owned(),
                    message: "Port {id} cannot be deleted directly via the port API: has device owner \
                              network:floatingip."
                        .to_owned(),
                }),
                ..reference("floating_port_id", PORTS)
            },
        ],
        derived: vec![Derived {
            name: "port_forwardings".to_owned(),
            from: DerivedFrom::Rows(vec![forwardings]),
        }],
        computed: vec![Computed { attribute: details, when: vec!["port_id".to_owned()], absent: false }],
        not_found: Some("FloatingIPNotFound".to_owned()),
        not_found_says: Some("Floating IP {id} could not be found".to_owned()),
        quota: Some(Quota { default: 50 }),
        ..Collection::default()
    }
}
