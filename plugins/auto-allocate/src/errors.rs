//! Neutron's exceptions, by class name, with its messages and HTTP status.

use hadron_sdk::Error;

pub(crate) fn failure(reason: &str) -> Error {
    Error::conflict("AutoAllocationFailure", format!("Deployment error: {reason}."))
}

pub(crate) fn default_exists(network: &str) -> Error {
    Error::conflict(
        "DefaultExternalNetworkExists",
        format!("A default external network already exists: {network}."),
    )
}

pub(crate) fn not_authorized() -> Error {
    Error::forbidden("NotAuthorized", "Not authorized.")
}

pub(crate) fn unrecognized_field() -> Error {
    Error::invalid("BadRequest", "Bad auto_allocate request: Unrecognized field.")
}
