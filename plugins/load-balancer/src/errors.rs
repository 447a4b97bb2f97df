//! Octavia's words (`octavia.common.exceptions`), in Neutron's shape: the host
//! gives every error as a `NeutronError`.

use hadron_sdk::Error;
use std::fmt::Display;

pub(crate) fn not_found(what: &str, id: &str) -> Error {
    Error::not_found("NotFound", format!("{what} {id} not found."))
}

/// Something that a body names is not there.
pub(crate) fn no_such(what: &str, id: &str) -> Error {
    Error::invalid("InvalidSubresource", format!("{what} {id} not found."))
}

pub(crate) fn validation(detail: impl Display) -> Error {
    Error::invalid("ValidationException", format!("Validation failure: {detail}"))
}

pub(crate) fn vip_needed() -> Error {
    Error::invalid(
        "VIPValidationException",
        "Validation failure: VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id.",
    )
}

pub(crate) fn invalid_option(value: impl Display, option: impl Display) -> Error {
    Error::invalid("InvalidOption", format!("{value} is not a valid option for {option}"))
}

pub(crate) fn disabled(option: &str, value: &str) -> Error {
    Error::invalid(
        "DisabledOption",
        format!("The selected {option} is not allowed in this deployment: {value}"),
    )
}

/// A value does not look as it must. In WSME: `InvalidInput`.
pub(crate) fn pattern(name: &str, value: &str, pattern: &str) -> Error {
    Error::invalid(
        "InvalidInput",
        format!(
            "Invalid input for field/attribute {name}. Value: '{value}'. Value should match the pattern \
             {pattern}"
        ),
    )
}

pub(crate) fn no_children(protocol: &str) -> Error {
    Error::invalid(
        "ListenerNoChildren",
        format!("Protocol listeners of type {protocol} can not have child objects."),
    )
}

pub(crate) fn duplicate_listener(protocol: &str, port: i64) -> Error {
    Error::conflict(
        "DuplicateListenerEntry",
        format!(
            "Another Listener on this Load Balancer is already using protocol {protocol} and protocol_port \
             {port}"
        ),
    )
}

pub(crate) fn duplicate_member(address: &str, port: i64) -> Error {
    Error::conflict(
        "DuplicateMemberEntry",
        format!("Another member on this pool is already using ip {address} on protocol_port {port}"),
    )
}

pub(crate) fn duplicate_health_monitor() -> Error {
    Error::conflict("DuplicateHealthMonitor", "This pool already has a health monitor")
}

pub(crate) fn duplicate_pool() -> Error {
    Error::conflict("DuplicatePoolEntry", "This listener already has a default pool")
}

pub(crate) fn pool_in_use(pool: &str, policy: &str) -> Error {
    Error::conflict("PoolInUseByL7Policy", format!("Pool {pool} is in use by L7 policy {policy}"))
}

pub(crate) fn immutable(what: &str, id: &str) -> Error {
    Error::conflict("ImmutableObject", format!("{what} {id} is immutable and cannot be updated."))
}

pub(crate) fn pending(status: &str, load_balancer: &str) -> Error {
    Error::conflict(
        "LBPendingStateError",
        format!("Invalid state {status} of loadbalancer resource {load_balancer}"),
    )
}

pub(crate) fn too_many_rules(policy: &str) -> Error {
    Error::conflict("TooManyL7RulesOnL7Policy", format!("Too many rules on L7 policy {policy}"))
}

pub(crate) fn policy_arguments(message: &str) -> Error {
    Error::invalid("InvalidL7PolicyArgs", format!("Invalid L7 Policy arguments: {message}"))
}

pub(crate) fn rule(reason: impl Display) -> Error {
    Error::invalid("L7RuleValidation", format!("Error parsing L7Rule: {reason}"))
}

pub(crate) fn provider_not_enabled(provider: &str) -> Error {
    Error::invalid("ProviderNotEnabledError", format!("Provider '{provider}' is not enabled."))
}

pub(crate) fn flavor_mismatch(flavor: &str, provider: &str) -> Error {
    Error::invalid(
        "ProviderFlavorMismatchError",
        format!("Flavor '{flavor}' is not compatible with provider '{provider}'"),
    )
}

pub(crate) fn in_use(what: &str, id: &str) -> Error {
    Error::conflict("ObjectInUse", format!("{what} {id} is in use and cannot be modified."))
}

pub(crate) fn name_taken(what: &str, name: &str) -> Error {
    Error::conflict("RecordAlreadyExists", format!("A {what} of {name} already exists."))
}

/// Neither is there to be written.
pub(crate) fn read_only() -> Error {
    Error::not_found("HTTPNotFound", "The resource could not be found.")
}
