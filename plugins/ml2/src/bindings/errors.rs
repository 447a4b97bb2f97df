//! Neutron's exceptions about bindings.

use hadron_sdk::Error;

pub(super) fn not_movable(port: &str) -> Error {
    let why = "Operation only valid on compute and shared filesystem ports";
    Error::invalid("BadRequest", format!("Bad port request: Invalid port {port}. {why}."))
}

pub(super) fn exists(port: &str, host: &str) -> Error {
    Error::conflict(
        "PortBindingAlreadyExists",
        format!("Binding for port {port} on host {host} already exists."),
    )
}

pub(super) fn active(port: &str, host: &str) -> Error {
    Error::conflict(
        "PortBindingAlreadyActive",
        format!("Binding for port {port} on host {host} is already active."),
    )
}

pub(super) fn not_found(port: &str, host: &str) -> Error {
    Error::not_found(
        "PortBindingNotFound",
        format!("Binding for port {port} for host {host} could not be found."),
    )
}

/// No driver binds it there. In Neutron, too, that is the server's fault.
pub(super) fn failed(port: &str, host: &str) -> Error {
    Error::status(
        500,
        "PortBindingError",
        format!("Binding for port {port} on host {host} could not be created or updated."),
    )
}
