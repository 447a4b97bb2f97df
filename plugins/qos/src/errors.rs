//! Neutron's words (`neutron_lib.exceptions.qos`).

use hadron_sdk::Error;
use std::fmt::Display;

pub(crate) fn policy_not_found(policy: &str) -> Error {
    Error::not_found("QosPolicyNotFound", format!("QoS policy {policy} could not be found."))
}

pub(crate) fn default_exists(project: &str) -> Error {
    Error::conflict(
        "QoSPolicyDefaultAlreadyExists",
        format!("A default QoS policy exists for project {project}."),
    )
}

pub(crate) fn rules_conflict(kind: &str, other: &str, policy: &str) -> Error {
    Error::conflict(
        "QoSRulesConflict",
        format!("Rule {kind} conflicts with rule {other} which already exists in QoS Policy {policy}."),
    )
}

pub(crate) fn parameter_conflict(
    value: impl Display,
    policy: &str,
    kind: &str,
    existing: impl Display,
) -> Error {
    Error::conflict(
        "QoSRuleParameterConflict",
        format!(
            "Unable to add the rule with value {value} to the policy {policy} as the existing rule of type \
             {kind} has value {existing}."
        ),
    )
}

pub(crate) fn not_supported(kind: &str, port: &str) -> Error {
    Error::conflict("QosRuleNotSupported", format!("Rule {kind} is not supported by port {port}"))
}

pub(crate) fn not_supported_by_network(kind: &str, network: &str) -> Error {
    Error::conflict(
        "QosRuleNotSupportedByNetwork",
        format!("Rule {kind} is not supported by network {network}"),
    )
}

pub(crate) fn backed_by_placement() -> Error {
    Error::status(
        501,
        "NotImplementedError",
        "Cannot update QoS policies/rules backed by resources tracked in Placement",
    )
}

pub(crate) fn removal_not_allowed(policy: &str) -> Error {
    Error::forbidden(
        "PolicyRemoveAuthorizationError",
        format!("Failed to remove provided policy {policy} because you are not authorized."),
    )
}

pub(crate) fn rbac_policy_in_use(policy: &str, target: &str) -> Error {
    Error::conflict(
        "RbacPolicyInUse",
        format!(
            "RBAC policy on object {policy} cannot be removed because other objects depend on it.\nDetails: \
             project_id={target}"
        ),
    )
}
