//! Ports, with how they are bound and may come to be.

use super::networks::segment;
use super::{id_within, same, with_prefix};
use crate::binding::Binding;
use crate::bindings;
use crate::document::{flag, set, text};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::{Document, Result, resources};
use hadron_versioned_objects::{Had, Kind, Object, text_of};

pub(super) const HAD: Had = Had {
    kind: Kind::new("Port", 11),
    find: |query| resources::find("ports", query),
    pulled_by: "id",
    fields: &[
        ("id", "id"),
        ("network_id", "network_id"),
        ("device_id", "device_id"),
        ("device_owner", "device_owner"),
        ("security_group_ids", "security_groups.value"),
    ],
    objects,
};

const BINDING: Kind = Kind::new("PortBinding", 0);
const LEVEL: Kind = Kind::new("PortBindingLevel", 1);
const ADDRESS: Kind = Kind::new("IPAllocation", 0);
const PAIR: Kind = Kind::new("AllowedAddressPair", 0);
const OPTION: Kind = Kind::new("ExtraDhcpOpt", 1);
const SECURITY: Kind = Kind::new("PortSecurity", 0);
const DNS: Kind = Kind::new("PortDNS", 1);
const HINTS: Kind = Kind::new("PortHints", 0);
const DATA_PLANE: Kind = Kind::new("PortDataPlaneStatus", 0);

const FIELDS: [&str; 17] = [
    "id",
    "project_id",
    "name",
    "network_id",
    "mac_address",
    "admin_state_up",
    "device_id",
    "device_owner",
    "status",
    "qos_policy_id",
    "qos_network_policy_id",
    "numa_affinity_policy",
    "device_profile",
    "revision_number",
    "description",
    "created_at",
    "updated_at",
];

/// What no port has here.
const NOTHING: [&str; 4] = ["hardware_offload_type", "trusted", "pvlan_type", "pvlan_community"];

fn objects(documents: &[Document]) -> Result<Vec<Object>> {
    let ids: Vec<&str> = documents.iter().map(|document| text(document, "id")).collect();
    let waiting = bindings::waiting_of(&ids)?;
    documents
        .iter()
        .map(|document| {
            let own = waiting.iter().filter(|(port, _)| port == text(document, "id"));
            object(document, &Binding::active(document)?, own.map(|(_, binding)| binding))
        })
        .collect()
}

fn object<'a>(
    document: &Document,
    active: &Binding,
    waiting: impl Iterator<Item = &'a Binding>,
) -> Result<Object> {
    let mut of_hosts = vec![(active, "ACTIVE")];
    of_hosts.extend(waiting.map(|binding| (binding, "INACTIVE")));
    let bindings: Vec<Value> = of_hosts.iter().map(|(one, status)| binding(document, one, status)).collect();
    let levels: Vec<Value> = of_hosts.iter().flat_map(|(one, _)| levels(document, one)).collect();
    let nothing = NOTHING.map(|name| (name, Value::Null));
    let nested = [
        ("bindings", json!(bindings)),
        ("binding_levels", json!(levels)),
        ("distributed_bindings", json!([])),
        ("security_group_ids", document.get("security_groups").cloned().unwrap_or_else(|| json!([]))),
    ];
    let fields = same(document, &FIELDS).into_iter().chain(nothing).chain(nested).chain(attributes(document));
    Ok(HAD.kind.object(fields))
}

/// A binding at a host.
fn binding(port: &Document, binding: &Binding, status: &str) -> Value {
    let fields = [
        ("port_id", json!(text(port, "id"))),
        ("host", json!(binding.host)),
        ("profile", text_of(Some(&binding.profile))),
        ("vif_type", json!(binding.vif_type)),
        ("vif_details", text_of(Some(&Value::Object(binding.vif_details.clone())))),
        ("vnic_type", json!(binding.vnic_type)),
        ("status", json!(status)),
    ];
    BINDING.object(fields).newest()
}

/// Which drivers bound it there, with which segments.
fn levels(port: &Document, binding: &Binding) -> Vec<Value> {
    let levels = binding.levels.iter().enumerate();
    levels
        .map(|(place, level)| {
            let driver = level.driver.strip_prefix("mech-").unwrap_or(&level.driver);
            let fields = [
                ("port_id", json!(text(port, "id"))),
                ("host", json!(binding.host)),
                ("level", json!(place)),
                ("driver", json!(driver)),
                ("segment_id", json!(level.segment.id)),
                ("segment", segment(&level.segment, text(port, "network_id"))),
            ];
            LEVEL.object(fields).newest()
        })
        .collect()
}

/// Attributes that are objects there.
fn attributes(port: &Document) -> [(&'static str, Value); 7] {
    let id = json!(text(port, "id"));
    let items = |name: &str| set(port, name).and_then(Value::as_array).into_iter().flatten();
    let address = |address: &Value| {
        let fields = [
            ("port_id", id.clone()),
            ("subnet_id", address["subnet_id"].clone()),
            ("network_id", json!(text(port, "network_id"))),
            ("ip_address", address["ip_address"].clone()),
        ];
        ADDRESS.object(fields).newest()
    };
    let pair = |pair: &Value| {
        let fields = [
            ("port_id", id.clone()),
            ("mac_address", pair["mac_address"].clone()),
            ("ip_address", with_prefix(pair.get("ip_address"))),
        ];
        PAIR.object(fields).newest()
    };
    let option = |(place, option): (usize, &Value)| {
        let fields = [
            ("id", id_within(text(port, "id"), place)),
            ("port_id", id.clone()),
            ("opt_name", option["opt_name"].clone()),
            ("opt_value", option["opt_value"].clone()),
            ("ip_version", option["ip_version"].clone()),
        ];
        OPTION.object(fields).newest()
    };
    let security =
        [("id", id.clone()), ("port_security_enabled", json!(flag(port, "port_security_enabled")))];
    let hints =
        |hints: &Value| HINTS.object([("port_id", id.clone()), ("hints", text_of(Some(hints)))]).newest();
    let status = |status: &Value| {
        DATA_PLANE.object([("port_id", id.clone()), ("data_plane_status", status.clone())]).newest()
    };
    [
        ("fixed_ips", items("fixed_ips").map(address).collect()),
        ("allowed_address_pairs", items("allowed_address_pairs").map(pair).collect()),
        ("dhcp_options", items("extra_dhcp_opts").enumerate().map(option).collect()),
        ("security", SECURITY.object(security).newest()),
        ("dns", dns(port)),
        ("hints", set(port, "hints").map_or(Value::Null, hints)),
        ("data_plane_status", set(port, "data_plane_status").map_or(Value::Null, status)),
    ]
}

/// A port's name; none where it has neither name nor domain.
fn dns(port: &Document) -> Value {
    let (name, domain) = (text(port, "dns_name"), text(port, "dns_domain"));
    if name.is_empty() && domain.is_empty() {
        return Value::Null;
    }
    let fields = [
        ("port_id", json!(text(port, "id"))),
        ("dns_name", json!(name)),
        ("dns_domain", json!(domain)),
        ("current_dns_name", json!("")),
        ("current_dns_domain", json!("")),
        ("previous_dns_name", json!("")),
        ("previous_dns_domain", json!("")),
    ];
    DNS.object(fields).newest()
}
