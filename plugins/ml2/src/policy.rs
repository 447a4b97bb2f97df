//! Who may do what by default: Neutron's rules for networks, subnets and ports,
//! in oslo.policy's language. Those that all rules are made of are the host's.

use crate::{
    address_groups, address_scopes, agents, bindings, default_security_group_rules, default_statefulness,
    dhcp, ports, security_group_rules, security_groups, segment_ranges, segments, subnetpools, zones,
};
use std::collections::BTreeMap;

const RULES: &[(&str, &str)] = &[
    ("admin_or_network_owner", "rule:context_is_admin or project_id:%(network:project_id)s"),
    ("admin_owner_or_network_owner", "rule:owner or rule:admin_or_network_owner"),
    ("network_owner", "project_id:%(network:project_id)s"),
    ("shared", "field:networks:shared=True"),
    ("external", "field:networks:router:external=True"),
    ("external_network", "field:subnets:router:external=True"),
    ("network_device", "field:port:device_owner=~^network:"),
    ("compute_device", "field:port:device_owner=~^compute:"),
    ("baremetal_device", "field:port:device_owner=~^baremetal:"),
    ("manila_device", "field:port:device_owner=~^manila:"),
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
    ("create_network:tags", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
    (
        "get_network:tags",
        "(rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:shared or rule:external or rule:context_is_advsvc",
    ),
    ("update_network:tags", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
    ("delete_network:tags", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
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

/// The rules by name.
pub(crate) fn rules() -> BTreeMap<String, String> {
    let of_resources = [
        address_scopes::POLICY,
        subnetpools::POLICY,
        agents::POLICY,
        zones::POLICY,
        dhcp::POLICY,
        bindings::POLICY,
        security_groups::POLICY,
        security_group_rules::POLICY,
        default_security_group_rules::POLICY,
        default_statefulness::POLICY,
        address_groups::POLICY,
        ports::SECURITY_POLICY,
        segments::POLICY,
        segment_ranges::POLICY,
    ];
    let all = RULES.iter().chain(of_resources.into_iter().chain(ports::POLICY.iter().copied()).flatten());
    all.map(|(name, rule)| ((*name).to_owned(), (*rule).to_owned())).collect()
}
