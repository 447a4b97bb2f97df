//! Neutron's exceptions about subnet pools, with its messages.

use crate::net::Version;
use hadron_sdk::Error;
use std::fmt::Display;

pub(super) fn not_found(id: &str) -> Error {
    Error::not_found("SubnetPoolNotFound", format!("Subnet pool {id} could not be found."))
}

pub(super) fn empty() -> Error {
    Error::invalid("EmptySubnetPoolPrefixList", "Empty subnet pool prefix list.")
}

pub(super) fn mixed_versions() -> Error {
    Error::invalid("PrefixVersionMismatch", "Cannot mix IPv4 and IPv6 prefixes in a subnet pool.")
}

pub(super) fn no_prefix(given: impl Display) -> Error {
    Error::invalid("AddrFormatError", format!("invalid IPNetwork {given}"))
}

pub(super) fn bad_body() -> Error {
    Error::invalid("HTTPBadRequest", "Request body contains invalid data")
}

/// One length is beyond another.
pub(super) fn bounds(name: &str, length: u8, base: &str, bound: u8) -> Error {
    Error::invalid(
        "IllegalSubnetPoolPrefixBounds",
        format!("Illegal prefix bounds: {name}={length}, {base}={bound}."),
    )
}

pub(super) fn prefix_update(reason: &str) -> Error {
    Error::invalid("IllegalSubnetPoolPrefixUpdate", format!("Illegal update to prefixes: {reason}."))
}

pub(super) fn illegal_update(reason: impl Display) -> Error {
    Error::invalid("IllegalSubnetPoolUpdate", format!("Illegal subnetpool update : {reason}."))
}

pub(super) fn second_default() -> Error {
    Error::invalid_input(
        "A default subnetpool for this IP family has already been set. Only one default may exist per IP family",
    )
}

pub(super) fn in_use() -> Error {
    Error::invalid(
        "SubnetPoolDeleteError",
        "Unable to delete subnet pool: Subnet pool has existing allocations.",
    )
}

pub(super) fn foreign_scope(pool: &str, scope: &str, version: Version) -> Error {
    Error::invalid(
        "IllegalSubnetPoolIpVersionAssociationToAddressScope",
        format!(
            "Illegal subnetpool association: subnetpool {pool} cannot associate with address scope {scope} because \
             subnetpool ip_version is not {}.",
            version.number()
        ),
    )
}

pub(super) fn prefix_conflict() -> Error {
    Error::conflict(
        "AddressScopePrefixConflict",
        "Failed to associate address scope: subnetpools within an address scope must have unique prefixes.",
    )
}

pub(crate) fn scope_affinity() -> Error {
    Error::invalid(
        "NetworkAddressScopeAffinityError",
        "Subnets of the same address family hosted on the same network must all participate in the same address \
         scope.",
    )
}

/// Neutron wraps its own exception into one that names its callback's address.
pub(super) fn scope_unseen(pool: &str) -> Error {
    Error::invalid_input(format!(
        "Failed to create RBAC policy on object {pool} because target project doesn't have access to associated \
         address scope."
    ))
}

/// In Neutron this one has the status 500, though nothing is wrong with the
/// server.
pub(super) fn no_room(reason: impl Display) -> Error {
    Error::conflict("SubnetAllocationError", format!("Failed to allocate subnet: {reason}."))
}

pub(super) fn too_large(prefix: u8, bound: u8) -> Error {
    Error::invalid(
        "MinPrefixSubnetAllocationError",
        format!("Unable to allocate subnet with prefix length {prefix}, minimum allowed prefix is {bound}."),
    )
}

pub(super) fn too_small(prefix: u8, bound: u8) -> Error {
    Error::invalid(
        "MaxPrefixSubnetAllocationError",
        format!("Unable to allocate subnet with prefix length {prefix}, maximum allowed prefix is {bound}."),
    )
}

pub(super) fn quota_exceeded() -> Error {
    Error::conflict("SubnetPoolQuotaExceeded", "Per-project subnet pool prefix quota exceeded.")
}
