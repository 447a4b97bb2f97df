//! Neutron's words (`neutron.services.trunk.exceptions`).

use crate::sub_ports::Segment;
use hadron_sdk::Error;

pub(crate) fn port_not_found(port: &str) -> Error {
    Error::not_found("PortNotFound", format!("Port {port} could not be found."))
}

pub(crate) fn trunk_not_found(trunk: &str) -> Error {
    Error::not_found("TrunkNotFound", format!("Trunk {trunk} could not be found."))
}

pub(crate) fn sub_port_not_found(trunk: &str, port: &str) -> Error {
    Error::not_found("SubPortNotFound", format!("SubPort {port} on trunk {trunk} could not be found."))
}

pub(crate) fn trunk_port_in_use(port: &str) -> Error {
    Error::conflict("TrunkPortInUse", format!("Port {port} is in use by another trunk."))
}

pub(crate) fn parent_port_in_use(port: &str) -> Error {
    Error::conflict(
        "ParentPortInUse",
        format!("Port {port} is currently in use and is not eligible for use as a parent port."),
    )
}

pub(crate) fn port_in_use(port: &str, network: &str, device: &str) -> Error {
    Error::conflict(
        "PortInUse",
        format!(
            "Unable to complete operation on port {port} for network {network}. Port already has an attached \
             device {device}."
        ),
    )
}

pub(crate) fn sub_port_of(port: &str, trunk: &str) -> Error {
    Error::conflict("PortInUseAsSubPort", format!("Port {port} is currently a subport for trunk {trunk}."))
}

pub(crate) fn duplicate(segment: &Segment, trunk: &str) -> Error {
    Error::conflict(
        "DuplicateSubPort",
        format!(
            "segmentation_type {} and segmentation_id {} already in use on trunk {trunk}.",
            segment.segmentation_type, segment.segmentation_id
        ),
    )
}

pub(crate) fn mtu_too_large(port: &str, mtu: u64, parent: &str, largest: u64) -> Error {
    Error::conflict(
        "SubPortMtuGreaterThanTrunkPortMtu",
        format!("MTU {mtu} of subport {port} cannot be greater than MTU {largest} of trunk {parent}."),
    )
}

pub(crate) fn trunk_in_use(trunk: &str) -> Error {
    Error::conflict("TrunkInUse", format!("Trunk {trunk} is currently in use."))
}

pub(crate) fn trunk_disabled(trunk: &str) -> Error {
    Error::conflict("TrunkDisabled", format!("Trunk {trunk} is currently disabled."))
}

pub(crate) fn trunk_in_error(trunk: &str) -> Error {
    Error::conflict(
        "TrunkInErrorState",
        format!("Trunk {trunk} is in error state. Attempt to resolve the error condition before proceeding."),
    )
}
