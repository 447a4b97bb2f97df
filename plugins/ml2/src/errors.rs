//! Neutron's exceptions, by class name, with its messages and HTTP status.

use hadron_sdk::Error;
use std::fmt::Display;

pub(crate) fn network_not_found(id: &str) -> Error {
    Error::not_found("NetworkNotFound", format!("Network {id} could not be found."))
}

pub(crate) fn subnet_not_found(id: &str) -> Error {
    Error::not_found("SubnetNotFound", format!("Subnet {id} could not be found."))
}

pub(crate) fn port_not_found(id: &str) -> Error {
    Error::not_found("PortNotFound", format!("Port {id} could not be found."))
}

pub(crate) fn network_in_use(id: &str, ports: &[&str]) -> Error {
    Error::conflict(
        "NetworkInUse",
        format!(
            "Unable to complete operation on network {id}. There are one or more ports still in use on the \
             network, id for these ports is: {}.",
            ports.join(",")
        ),
    )
}

pub(crate) fn subnet_in_use(id: &str) -> Error {
    Error::conflict(
        "SubnetInUse",
        format!(
            "Unable to complete operation on subnet {id}: One or more ports have an IP allocation from this \
             subnet."
        ),
    )
}

pub(crate) fn bad_request(resource: &str, reason: impl Display) -> Error {
    Error::invalid("BadRequest", format!("Bad {resource} request: {reason}."))
}

pub(crate) fn availability_zone_not_found(zone: &str) -> Error {
    Error::not_found("AvailabilityZoneNotFound", format!("AvailabilityZone {zone} could not be found."))
}

pub(crate) fn bad_subnets(reason: impl Display) -> Error {
    Error::invalid("BadRequest", format!("Bad subnets request: {reason}."))
}

/// What the API says when a validator refuses a value.
pub(crate) fn bad_attribute(attribute: &str, reason: impl Display) -> Error {
    Error::invalid("HTTPBadRequest", format!("Invalid input for {attribute}. Reason: {reason}."))
}

pub(crate) fn mtu_conflict(network: &str, least: u32) -> Error {
    Error::conflict(
        "NetworkMTUSubnetConflict",
        format!("MTU of {network} is not valid, subnet requires a minimum of {least}"),
    )
}

pub(crate) fn invalid_shared_setting(network: &str) -> Error {
    Error::conflict(
        "InvalidSharedSetting",
        format!(
            "Unable to reconfigure sharing settings for network {network}. Multiple projects are using it."
        ),
    )
}

pub(crate) fn rbac_policy_in_use(network: &str) -> Error {
    let why = invalid_shared_setting(network);
    Error::conflict(
        "RbacPolicyInUse",
        format!(
            "RBAC policy on object {network} cannot be removed because other objects depend on it.\nDetails: {}",
            why.fault().message
        ),
    )
}

pub(crate) fn no_network_available() -> Error {
    Error::unavailable(
        "NoNetworkAvailable",
        "Unable to create the network. No project network is available for allocation.",
    )
}

pub(crate) fn segment_in_use(key: &str) -> Error {
    Error::conflict("SegmentInUse", format!("Unable to create the network. The segment {key} is in use."))
}

pub(crate) fn invalid_pool(pool: impl Display) -> Error {
    Error::invalid("InvalidAllocationPool", format!("The allocation pool {pool} is not valid."))
}

pub(crate) fn pool_out_of_bounds(pool: impl Display, cidr: impl Display) -> Error {
    Error::invalid(
        "OutOfBoundsAllocationPool",
        format!("The allocation pool {pool} spans beyond the subnet cidr {cidr}."),
    )
}

pub(crate) fn pools_overlap(one: impl Display, other: impl Display, cidr: impl Display) -> Error {
    Error::conflict(
        "OverlappingAllocationPools",
        format!("Found overlapping allocation pools: {one} {other} for subnet {cidr}."),
    )
}

pub(crate) fn gateway_in_pool(gateway: impl Display, pool: impl Display) -> Error {
    Error::conflict(
        "GatewayConflictWithAllocationPools",
        format!("Gateway ip {gateway} conflicts with allocation pool {pool}."),
    )
}

pub(crate) fn gateway_in_use(gateway: impl Display, port: &str) -> Error {
    Error::conflict(
        "GatewayIpInUse",
        format!("Current gateway ip {gateway} already in use by port {port}. Unable to update."),
    )
}

pub(crate) fn too_many_nameservers(subnet: &str, limit: usize) -> Error {
    Error::invalid(
        "DNSNameServersExhausted",
        format!(
            "Unable to complete operation for {subnet}. The number of DNS nameservers exceeds the limit {limit}."
        ),
    )
}

pub(crate) fn too_many_routes(subnet: &str, limit: usize) -> Error {
    Error::invalid(
        "HostRoutesExhausted",
        format!(
            "Unable to complete operation for {subnet}. The number of host routes exceeds the limit {limit}."
        ),
    )
}

pub(crate) fn mac_in_use(network: &str, mac: impl Display) -> Error {
    Error::conflict(
        "MacAddressInUse",
        format!("Unable to complete operation for network {network}. The mac address {mac} is in use."),
    )
}

pub(crate) fn address_taken(address: impl Display, subnet: &str) -> Error {
    Error::conflict(
        "IpAddressAlreadyAllocated",
        format!("IP address {address} already allocated in subnet {subnet}"),
    )
}

pub(crate) fn not_in_any_subnet(address: impl Display) -> Error {
    Error::invalid(
        "InvalidIpForNetwork",
        format!("IP address {address} is not a valid IP for any of the subnets on the specified network."),
    )
}

pub(crate) fn not_in_subnet(address: impl Display) -> Error {
    Error::invalid(
        "InvalidIpForSubnet",
        format!("IP address {address} is not a valid IP for the specified subnet."),
    )
}

pub(crate) fn automatic_only(address: impl Display, subnet: &str) -> Error {
    Error::invalid(
        "AllocationOnAutoAddressSubnet",
        format!(
            "IPv6 address {address} cannot be directly assigned to a port on subnet {subnet} as the subnet is \
             configured for automatic addresses"
        ),
    )
}

pub(crate) fn no_address_left(network: &str) -> Error {
    Error::conflict(
        "IpAddressGenerationFailure",
        format!("No more IP addresses available on network {network}."),
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

pub(crate) fn port_bound(port: &str, vif_type: &str, old_mac: &str, new_mac: &str) -> Error {
    Error::conflict(
        "PortBound",
        format!(
            "Unable to complete operation on port {port}, port is already bound, port type: {vif_type}, old_mac \
             {old_mac}, new_mac {new_mac}."
        ),
    )
}

pub(crate) fn unsupported_owner(operation: &str, owner: &str, port: &str) -> Error {
    Error::conflict(
        "UnsupportedPortDeviceOwner",
        format!("Operation {operation} is not supported for device_owner {owner} on port {port}."),
    )
}

pub(crate) fn pairs_need_port_security() -> Error {
    Error::conflict(
        "AddressPairAndPortSecurityRequired",
        "Port Security must be enabled in order to have allowed address pairs on a port.",
    )
}

pub(crate) fn groups_need_port_security() -> Error {
    Error::invalid(
        "PortSecurityAndIPRequiredForSecurityGroups",
        "Port security must be enabled and port must have an IP address in order to use security groups.",
    )
}

pub(crate) fn port_has_groups() -> Error {
    Error::conflict(
        "PortSecurityPortHasSecurityGroup",
        "Port has security group associated. Cannot disable port security or IP address until security group \
         is removed.",
    )
}
