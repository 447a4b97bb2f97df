//! Neutron's exceptions about address groups.

use hadron_sdk::Error;

pub(crate) fn not_found(id: &str) -> Error {
    Error::not_found("AddressGroupNotFound", format!("Address group {id} could not be found."))
}

pub(crate) fn in_use(id: &str) -> Error {
    Error::conflict(
        "AddressGroupInUse",
        format!("Address group {id} is in use on one or more security group rules."),
    )
}

pub(crate) fn already_there(addresses: &str, id: &str) -> Error {
    Error::invalid(
        "AddressesAlreadyExist",
        format!("Addresses {addresses} already exist in the address group {id}."),
    )
}

pub(crate) fn not_there(addresses: &str, id: &str) -> Error {
    Error::not_found(
        "AddressesNotFound",
        format!("Addresses {addresses} not found in the address group {id}."),
    )
}
