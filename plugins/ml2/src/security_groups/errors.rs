//! Neutron's exceptions about security groups, their rules and templates.

use hadron_sdk::Error;
use std::fmt::Display;

pub(crate) fn group_not_found(id: &str) -> Error {
    Error::not_found("SecurityGroupNotFound", format!("Security group {id} does not exist"))
}

pub(crate) fn group_in_use(id: &str) -> Error {
    Error::conflict("SecurityGroupInUse", format!("Security Group {id} in use."))
}

pub(crate) fn default_exists() -> Error {
    Error::conflict("SecurityGroupDefaultAlreadyExists", "Default security group already exists.")
}

pub(crate) fn cannot_update_default() -> Error {
    Error::conflict("SecurityGroupCannotUpdateDefault", "Updating default security group not allowed.")
}

pub(crate) fn cannot_remove_default() -> Error {
    Error::conflict(
        "SecurityGroupCannotRemoveDefault",
        "Insufficient rights for removing default security group.",
    )
}

pub(crate) fn mixed_statefulness() -> Error {
    Error::conflict(
        "SecurityGroupConflict",
        "Error Cannot apply both stateful and stateless security groups on the same port at the same time \
         while attempting the operation.",
    )
}

pub(crate) fn rule_exists(id: &str) -> Error {
    Error::conflict(
        "SecurityGroupRuleExists",
        format!("Security group rule already exists. Rule id is {id}."),
    )
}

pub(crate) fn duplicate_rule() -> Error {
    Error::conflict("DuplicateSecurityGroupRuleInPost", "Duplicate Security Group Rule in POST.")
}

pub(crate) fn not_single_group() -> Error {
    Error::invalid(
        "SecurityGroupNotSingleGroupRules",
        "Only allowed to update rules for one security profile at a time",
    )
}

pub(crate) fn not_single_project() -> Error {
    Error::invalid(
        "SecurityGroupRulesNotSingleProject",
        "Multiple project_ids in bulk security group rule create not allowed",
    )
}

pub(crate) fn default_rule_exists(id: &str) -> Error {
    Error::conflict(
        "DefaultSecurityGroupRuleExists",
        format!("Default Security group rule already exists. Rule id is {id}."),
    )
}

pub(crate) fn duplicate_default_rule() -> Error {
    Error::conflict("DuplicateDefaultSgRuleInPost", "Duplicate Default Security Group Rule in POST.")
}

pub(crate) fn invalid_protocol(given: impl Display, names: impl Display) -> Error {
    Error::invalid(
        "SecurityGroupRuleInvalidProtocol",
        format!(
            "Security group rule protocol {given} not supported. Only protocol values (None, 'any', {names}) \
             and integer representations [0 to 255] are supported."
        ),
    )
}

pub(crate) fn invalid_ethertype(given: impl Display) -> Error {
    Error::invalid(
        "SecurityGroupRuleInvalidEtherType",
        format!(
            "Security group rule for ethertype '{given}' not supported. Allowed values are ['IPv4', 'IPv6']."
        ),
    )
}

pub(crate) fn invalid_port(port: impl Display) -> Error {
    Error::invalid("SecurityGroupInvalidPortValue", format!("Invalid value for port {port}"))
}

pub(crate) fn invalid_port_range() -> Error {
    Error::invalid(
        "SecurityGroupInvalidPortRange",
        "For TCP/UDP protocols, port_range_min must be <= port_range_max",
    )
}

pub(crate) fn protocol_without_ports(number: u8, with: &str) -> Error {
    Error::invalid(
        "SecurityGroupInvalidProtocolForPort",
        format!("Ports cannot be specified for protocol {number}. Ports are only supported for {with}."),
    )
}

pub(crate) fn protocol_required() -> Error {
    Error::invalid(
        "SecurityGroupProtocolRequiredWithPorts",
        "Must also specify protocol if port range is given.",
    )
}

pub(crate) fn invalid_icmp(field: &str, attribute: &str, value: i64) -> Error {
    Error::invalid(
        "SecurityGroupInvalidIcmpValue",
        format!("Invalid value for ICMP {field} ({attribute}) {value}. It must be 0 to 255."),
    )
}

pub(crate) fn missing_icmp_type(code: i64) -> Error {
    Error::invalid(
        "SecurityGroupMissingIcmpType",
        format!("ICMP code (port-range-max) {code} is provided but ICMP type (port-range-min) is missing."),
    )
}

pub(crate) fn ethertype_conflicts(ethertype: impl Display, protocol: &str) -> Error {
    Error::invalid(
        "SecurityGroupEthertypeConflictWithProtocol",
        format!("Invalid ethertype {ethertype} for protocol {protocol}."),
    )
}

pub(crate) fn prefix_conflicts(ethertype: impl Display, prefix: impl Display) -> Error {
    Error::invalid(
        "SecurityGroupRuleParameterConflict",
        format!("Conflicting value ethertype {ethertype} for CIDR {prefix}"),
    )
}

pub(crate) fn invalid_prefix(given: impl Display) -> Error {
    Error::invalid("InvalidCIDR", format!("Invalid CIDR {given} given as IP prefix."))
}

pub(crate) fn several_remotes() -> Error {
    Error::invalid(
        "SecurityGroupMultipleRemoteEntites",
        "Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be provided.",
    )
}
