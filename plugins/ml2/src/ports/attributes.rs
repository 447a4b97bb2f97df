//! The attributes of ports, as Neutron's API defines them.

use super::{data_plane, device_profile, dhcp_options, hints, numa, physical, security, uplink};
use crate::attribute::{boolean, column, filterable, hidden, owner, text};
use crate::bindings;
use crate::dns;
use crate::provisioning;
use hadron_sdk::manifest::{
    Attribute, Collection, Key, ListTable, ListTableColumn, Quota, Reference, Standard, Tags, Validator,
};
use hadron_sdk::serde_json::json;

/// Kinds of virtual network cards. In Neutron: `VNIC_TYPES`.
pub(crate) const VNIC_TYPES: [&str; 11] = [
    "normal",
    "direct",
    "macvtap",
    "baremetal",
    "direct-physical",
    "virtio-forwarder",
    "smart-nic",
    "vdpa",
    "accelerator-direct",
    "accelerator-direct-physical",
    "remote-managed",
];

/// Default rules about the aspects of ports that have modules of their own.
pub(crate) const POLICY: &[&[(&str, &str)]] = &[data_plane::POLICY, hints::POLICY];

/// Extensions of the API by those aspects.
pub(crate) const ASPECTS: &[&[(&str, &str, &str, &str)]] = &[
    data_plane::EXTENSIONS,
    device_profile::EXTENSIONS,
    hints::EXTENSIONS,
    numa::EXTENSIONS,
    physical::EXTENSIONS,
    uplink::EXTENSIONS,
];

/// The declaration of the collection.
pub(crate) fn collection() -> Collection {
    Collection {
        name: "ports".to_owned(),
        member: "port".to_owned(),
        core: true,
        attributes: [
            text("name", 255),
            owner("network_id"),
            Attribute {
                post: true,
                put: true,
                nullable: true,
                enforce: true,
                ..filterable("mac_address", Validator::MacAddress)
            },
            boolean("admin_state_up", true),
            filterable("status", Validator::String { max: Some(16) }),
            Attribute { enforce: true, index: true, ..text("device_id", 255) },
            Attribute { enforce: true, index: true, ..text("device_owner", 255) },
            fixed_ips(),
            filterable("ip_allocation", Validator::String { max: Some(16) }),
            Attribute {
                post: true,
                put: true,
                enforce: true,
                default: Some(json!("normal")),
                name: "binding:vnic_type".to_owned(),
                validate: Validator::Enum { values: VNIC_TYPES.iter().map(|kind| json!(kind)).collect() },
                ..Attribute::default()
            },
            Attribute {
                post: true,
                put: true,
                enforce: true,
                nullable: true,
                name: "binding:profile".to_owned(),
                validate: Validator::Dict,
                ..Attribute::default()
            },
            Attribute {
                post: true,
                put: true,
                enforce: true,
                nullable: true,
                index: true,
                ..filterable("binding:host_id", Validator::String { max: Some(255) })
            },
            shown("binding:vif_type", Validator::String { max: Some(64) }),
            shown("binding:vif_details", Validator::Dict),
            dhcp_options::attribute(),
            text("description", 255),
            data_plane::attribute(),
            uplink::attribute(),
            numa::attribute(),
            device_profile::attribute(),
            hints::attribute(),
            hidden("binding_levels"),
            hidden("binding_pending"),
            hidden("binding_offered"),
            provisioning::attribute(),
        ]
        .into_iter()
        .chain(security::attributes())
        .chain(dns::of_ports())
        .collect(),
        keys: vec![Key {
            name: "mac_address".to_owned(),
            attributes: vec!["network_id".to_owned(), "mac_address".to_owned()],
        }],
        indexes: vec![column("name")],
        actions: bindings::actions(),
        references: vec![Reference {
            attribute: "network_id".to_owned(),
            collection: "networks".to_owned(),
            ..Reference::default()
        }],
        // Nova makes ports and their tags in one request; nothing else is born
        // with tags. In Neutron: `TAG_ATTRIBUTE_MAP_PORTS`.
        standard: Standard { tags: Tags::AtCreation, ..Standard::default() },
        quota: Some(Quota { default: 500 }),
        ..Collection::default()
    }
}

fn shown(name: &str, validate: Validator) -> Attribute {
    Attribute { name: name.to_owned(), validate, enforce: true, ..Attribute::default() }
}

/// The list of addresses: of each, the subnet is a reference, and no address of
/// a subnet is used twice.
fn fixed_ips() -> Attribute {
    let member = |name: &str, validate| Attribute { name: name.to_owned(), validate, ..Attribute::default() };
    let items = Validator::Object {
        members: vec![member("subnet_id", Validator::Uuid), member("ip_address", Validator::IpAddress)],
    };
    Attribute {
        name: "fixed_ips".to_owned(),
        validate: Validator::List { items: Box::new(items), unique: false },
        post: true,
        put: true,
        filter: true,
        enforce: true,
        list: Some(ListTable {
            columns: vec![
                ListTableColumn {
                    name: "subnet_id".to_owned(),
                    references: Some("subnets".to_owned()),
                    filter: true,
                },
                ListTableColumn { name: "ip_address".to_owned(), references: None, filter: true },
            ],
            keys: vec![vec!["subnet_id".to_owned(), "ip_address".to_owned()]],
        }),
        ..Attribute::default()
    }
}
