//! Neutron's words (`neutron.services.logapi.common.exceptions`).

use hadron_sdk::Error;

pub(crate) fn invalid_type(given: &str) -> Error {
    Error::invalid("InvalidLogResourceType", format!("Invalid log resource_type: {given}."))
}

pub(crate) fn resource_not_found(id: &str) -> Error {
    Error::not_found("ResourceNotFound", format!("Resource {id} could not be found."))
}

pub(crate) fn target_not_found(id: &str) -> Error {
    Error::not_found("TargetResourceNotFound", format!("Target resource {id} could not be found."))
}

pub(crate) fn not_supported(kind: &str, port: &str) -> Error {
    Error::conflict(
        "LoggingTypeNotSupported",
        format!("Logging type {kind} is not supported on port {port}."),
    )
}

pub(crate) fn unrelated(group: &str, port: &str) -> Error {
    Error::invalid(
        "InvalidResourceConstraint",
        format!(
            "Invalid resource constraint between resource (security_group {group}) and target resource \
             (port {port})."
        ),
    )
}

/// Only drivers say what can be logged.
pub(crate) fn read_only() -> Error {
    Error::not_found("HTTPNotFound", "The resource could not be found.")
}
