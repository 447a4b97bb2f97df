//! Neutron's exceptions about segments, with its messages and HTTP status.

use hadron_sdk::{Error, Result};

pub(crate) fn segment_not_found(id: &str) -> Error {
    Error::not_found("SegmentNotFound", format!("Segment {id} could not be found."))
}

pub(crate) fn with_providers() -> Error {
    Error::invalid(
        "SegmentsSetInConjunctionWithProviders",
        "Segments and provider values cannot both be set.",
    )
}

pub(crate) fn duplicate_entry() -> Error {
    Error::invalid("SegmentsContainDuplicateEntry", "Duplicate segment entry in request.")
}

/// Refuses to remove a segment that is used.
pub(crate) fn check_unused(id: &str, bound: usize, subnets: &[&str]) -> Result<()> {
    let ports = (bound > 0).then(|| format!("The segment is still bound with {bound} port(s)"));
    let subnets = (!subnets.is_empty())
        .then(|| format!("The segment is still associated with subnet(s) {}", subnets.join(", ")));
    let reasons: Vec<String> = ports
        .into_iter()
        .chain(subnets)
        .map(|reason| format!("Segment '{id}' cannot be deleted: {reason}."))
        .collect();
    match reasons.is_empty() {
        true => Ok(()),
        false => Err(Error::conflict("SegmentInUse", reasons.join("\n"))),
    }
}

pub(crate) fn not_all_associated(network: &str) -> Error {
    Error::invalid(
        "SubnetsNotAllAssociatedWithSegments",
        format!(
            "All of the subnets on network '{network}' must either all be associated with segments or all not \
             associated with any segment."
        ),
    )
}

pub(crate) fn network_mismatch(network: &str, segment: &str) -> Error {
    Error::invalid(
        "NetworkIdsDontMatch",
        format!("The subnet's network id, '{network}', doesn't match the network_id of segment '{segment}'"),
    )
}

pub(crate) fn no_dynamic_segment() -> Error {
    Error::invalid(
        "SubnetCantAssociateToDynamicSegment",
        "A subnet cannot be associated with a dynamic segment.",
    )
}

pub(crate) fn association_fixed() -> Error {
    Error::invalid(
        "SubnetSegmentAssociationChangeNotAllowed",
        "A subnet that is already associated with a segment cannot have its segment association changed.",
    )
}

pub(crate) fn several_segments(network: &str) -> Error {
    Error::invalid(
        "NoUpdateSubnetWhenMultipleSegmentsOnNetwork",
        format!(
            "The network '{network}' has multiple segments, it is only possible to associate an existing subnet \
             with a segment on networks with a single segment."
        ),
    )
}

pub(crate) fn host_not_connected(host: &str, network: &str) -> Error {
    Error::conflict(
        "HostNotConnectedToAnySegment",
        format!(
            "Host {host} is not connected to any segments on routed provider network '{network}'.  It should be \
             connected to one."
        ),
    )
}

pub(crate) fn host_not_compatible(host: &str, port: &str) -> Error {
    Error::conflict(
        "HostNotCompatibleWithFixedIps",
        format!(
            "Host {host} is not connected to a segment where the existing fixed_ips on port {port} will function \
             given the routed network topology."
        ),
    )
}

pub(crate) fn different_segments() -> Error {
    Error::invalid("FixedIpsSubnetsNotOnSameSegment", "Cannot allocate addresses from different segments.")
}
