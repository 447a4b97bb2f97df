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

/// Neutron's default rules, those about the aspects of ports that have modules
/// of their own among them.
pub(crate) const POLICY: &[&[(&str, &str)]] = &[RULES, security::POLICY, data_plane::POLICY, hints::POLICY];

const RULES: &[(&str, &str)] = &[
    ("network_device", "field:port:device_owner=~^network:"),
    ("compute_device", "field:port:device_owner=~^compute:"),
    ("baremetal_device", "field:port:device_owner=~^baremetal:"),
    ("manila_device", "field:port:device_owner=~^manila:"),
    (
        "create_port",
        "(rule:admin_only) or (rule:service_api) or role:member and rule:network_owner or rule:shared",
    ),
    (
        "create_port:device_id",
        "(rule:admin_only) or (role:member and project_id:%(project_id)s) or rule:service_api",
    ),
    (
        "create_port:device_owner",
        "not rule:network_device or (rule:admin_only) or (rule:service_api) or role:member and rule:network_owner",
    ),
    (
        "create_port:mac_address",
        "(rule:admin_only) or (rule:service_api) or role:member and rule:network_owner",
    ),
    (
        "create_port:fixed_ips",
        "(rule:admin_only) or (rule:service_api) or role:member and rule:network_owner or rule:shared",
    ),
    (
        "create_port:fixed_ips:ip_address",
        "(rule:admin_only) or (rule:service_api) or role:member and rule:network_owner",
    ),
    (
        "create_port:fixed_ips:subnet_id",
        "(rule:admin_only) or (rule:service_api) or role:member and rule:network_owner or rule:shared",
    ),
    ("create_port:binding:host_id", "(rule:admin_only) or (rule:service_api)"),
    ("create_port:binding:profile", "rule:service_api"),
    (
        "create_port:binding:vnic_type",
        "(rule:admin_only) or (role:member and project_id:%(project_id)s) or rule:service_api",
    ),
    (
        "get_port",
        "(rule:admin_only) or (rule:service_api) or role:reader and rule:network_owner or role:reader and project_id:%(project_id)s",
    ),
    ("get_port:binding:vif_type", "(rule:admin_only) or (rule:service_api)"),
    ("get_port:binding:vif_details", "(rule:admin_only) or (rule:service_api)"),
    ("get_port:binding:host_id", "(rule:admin_only) or (rule:service_api)"),
    ("get_port:binding:profile", "(rule:admin_only) or (rule:service_api)"),
    ("update_port", "(rule:admin_only) or (rule:service_api) or role:member and project_id:%(project_id)s"),
    (
        "update_port:device_id",
        "(rule:admin_only) or (role:member and project_id:%(project_id)s) or rule:service_api",
    ),
    (
        "update_port:device_owner",
        "not rule:network_device or (rule:admin_only) or (rule:service_api) or role:member and rule:network_owner",
    ),
    (
        "update_port:mac_address",
        "(rule:admin_only) or (rule:service_api) or role:manager and rule:network_owner",
    ),
    (
        "update_port:fixed_ips",
        "(rule:admin_only) or (rule:service_api) or role:member and rule:network_owner",
    ),
    (
        "update_port:fixed_ips:ip_address",
        "(rule:admin_only) or (rule:service_api) or role:member and rule:network_owner",
    ),
    (
        "update_port:fixed_ips:subnet_id",
        "(rule:admin_only) or (rule:service_api) or role:member and rule:network_owner or rule:shared",
    ),
    ("update_port:binding:host_id", "(rule:admin_only) or (rule:service_api)"),
    ("update_port:binding:profile", "rule:service_api"),
    (
        "update_port:binding:vnic_type",
        "(rule:admin_only) or (rule:service_api) or role:member and project_id:%(project_id)s",
    ),
    (
        "delete_port",
        "(rule:admin_only) or (rule:service_api) or (service_roles:service and (role:member and rule:network_owner or role:member and project_id:%(project_id)s)) or (not rule:compute_device and not rule:baremetal_device and not rule:manila_device and (role:member and rule:network_owner or role:member and project_id:%(project_id)s))",
    ),
    (
        "create_port:tags",
        "(rule:admin_only) or (role:member and project_id:%(project_id)s) or rule:context_is_advsvc",
    ),
    (
        "get_port:tags",
        "rule:context_is_advsvc or (rule:admin_only) or (role:reader and rule:network_owner) or role:reader and project_id:%(project_id)s",
    ),
    (
        "update_port:tags",
        "(rule:admin_only) or (role:member and project_id:%(project_id)s) or rule:context_is_advsvc",
    ),
    (
        "delete_port:tags",
        "rule:context_is_advsvc or role:member and project_id:%(project_id)s or (rule:admin_only) or (role:member and rule:network_owner)",
    ),
];

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
