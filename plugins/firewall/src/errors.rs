//! Neutron's words (`neutron_lib.exceptions.firewall_v2`, and those of
//! `FirewallPluginDb` about what a project has from the first).

use hadron_sdk::Error;
use std::fmt::Display;

pub(crate) fn invalid_value(attribute: &str, reason: impl Display) -> Error {
    Error::invalid("HTTPBadRequest", format!("Invalid input for {attribute}. Reason: {reason}."))
}

pub(crate) fn port_not_found(port: &str) -> Error {
    Error::not_found("PortNotFound", format!("Port {port} could not be found."))
}

pub(crate) fn group_in_use(group: &str) -> Error {
    Error::conflict("FirewallGroupInUse", format!("Firewall group {group} is still active."))
}

pub(crate) fn group_pending(group: &str, state: &str) -> Error {
    Error::conflict(
        "FirewallGroupInPendingState",
        format!("Operation cannot be performed since associated firewall group {group} is in {state}."),
    )
}

pub(crate) fn port_invalid(port: &str) -> Error {
    Error::conflict("FirewallGroupPortInvalid", format!("Port {port} of firewall group is invalid."))
}

pub(crate) fn port_not_supported(port: &str, driver: &str) -> Error {
    Error::conflict(
        "FirewallGroupPortNotSupported",
        format!("Port {port} is not supported by firewall driver '{driver}'."),
    )
}

pub(crate) fn ports_in_use<'a>(ports: impl Iterator<Item = &'a str>) -> Error {
    let ports: Vec<String> = ports.map(|port| format!("'{port}'")).collect();
    Error::conflict(
        "FirewallGroupPortInUse",
        format!("Port(s) [{}] provided already associated with other firewall group(s).", ports.join(", ")),
    )
}

pub(crate) fn policy_not_found(policy: &str) -> Error {
    Error::not_found("FirewallPolicyNotFound", format!("Firewall policy {policy} could not be found."))
}

pub(crate) fn policy_in_use(policy: &str) -> Error {
    Error::conflict("FirewallPolicyInUse", format!("Firewall policy {policy} is being used."))
}

/// A group is to have another project's policy that is not shared.
pub(crate) fn policy_conflict(policy: &str) -> Error {
    Error::not_found(
        "FirewallPolicyConflict",
        format!(
            "Operation cannot be performed since firewall policy {policy} for your project could not be \
             found. Please confirm if the firewall policy exists and is shared."
        ),
    )
}

/// A policy is to be shared before its rules are.
pub(crate) fn policy_sharing_conflict(policy: &str, rule: &str) -> Error {
    Error::conflict(
        "FirewallPolicySharingConflict",
        format!(
            "Operation cannot be performed. Before sharing firewall policy {policy}, share associated \
             firewall rule {rule}."
        ),
    )
}

pub(crate) fn rule_not_found(rule: &str) -> Error {
    Error::not_found("FirewallRuleNotFound", format!("Firewall rule {rule} could not be found."))
}

pub(crate) fn rule_in_use(rule: &str) -> Error {
    Error::conflict("FirewallRuleInUse", format!("Firewall rule {rule} is being used."))
}

/// A shared policy is to have a rule that is not.
pub(crate) fn rule_sharing_conflict(policy: &str, rule: &str) -> Error {
    Error::not_found(
        "FirewallRuleSharingConflict",
        format!(
            "Operation cannot be performed since firewall policy {policy} could not find the firewall rule \
             {rule}. Please confirm if the firewall rule exists and is shared."
        ),
    )
}

/// A policy is to have another project's rule that is not shared.
pub(crate) fn rule_conflict(rule: &str, project: &str) -> Error {
    Error::conflict(
        "FirewallRuleConflict",
        format!(
            "Operation cannot be performed since firewall rule {rule} is not shared and belongs to another \
             project {project}."
        ),
    )
}

pub(crate) fn rule_already_associated(rule: &str, policy: &str) -> Error {
    Error::conflict(
        "FirewallRuleAlreadyAssociated",
        format!(
            "Operation cannot be performed since firewall rule {rule} is already associated with firewall \
             policy {policy}."
        ),
    )
}

pub(crate) fn rule_not_associated(rule: &str, policy: &str) -> Error {
    Error::invalid(
        "FirewallRuleNotAssociatedWithPolicy",
        format!("Firewall rule {rule} is not associated with firewall policy {policy}."),
    )
}

pub(crate) fn rule_info_missing() -> Error {
    Error::invalid("FirewallRuleInfoMissing", "Missing rule info argument for insert/remove rule operation.")
}

pub(crate) fn ports_not_allowed() -> Error {
    Error::invalid(
        "FirewallRuleInvalidICMPParameter",
        "Source, destination port are not allowed when protocol is set to ICMP.",
    )
}

pub(crate) fn protocol_required() -> Error {
    Error::invalid(
        "FirewallRuleWithPortWithoutProtocolInvalid",
        "Source/destination port requires a protocol.",
    )
}

pub(crate) fn address_conflict() -> Error {
    Error::invalid("FirewallIpAddressConflict", "Invalid input - IP addresses do not agree with IP Version.")
}

/// `what` is in people's words: `Firewall Group`.
pub(crate) fn reserved_name(name: &str, what: &str) -> Error {
    Error::conflict(
        "FirewallDefaultParameterExists",
        format!("Operation cannot be performed since '{name}' is a reserved name for {what}."),
    )
}

/// Neutron calls a policy a group here too.
pub(crate) fn default_restricted(id: &str) -> Error {
    Error::conflict(
        "FirewallDefaultObjectUpdateRestricted",
        format!("Operation cannot be performed on default object '{id}' of type Firewall Group."),
    )
}

pub(crate) fn cannot_remove_default() -> Error {
    Error::conflict("FirewallGroupCannotRemoveDefault", "Deleting default firewall group not allowed.")
}
