//! Neutron's exceptions about ranges of segments, with its messages and HTTP
//! status.

use hadron_sdk::Error;

pub(super) fn range_not_found(id: &str) -> Error {
    Error::not_found("NetworkSegmentRangeNotFound", format!("Network Segment Range {id} could not be found."))
}

pub(super) fn type_not_supported(network_type: &str) -> Error {
    Error::invalid(
        "NetworkSegmentRangeNetTypeNotSupported",
        format!("Network type {network_type} does not support network segment ranges."),
    )
}

pub(super) fn needs_physical_network(network_type: &str) -> Error {
    Error::invalid(
        "BadRequest",
        format!(
            "Bad network_segment_range request: Network type {network_type} requires 'physical_network' to be \
             specified while creating new range."
        ),
    )
}

pub(super) fn overlaps(ids: &[&str]) -> Error {
    Error::conflict(
        "NetworkSegmentRangeOverlaps",
        format!("Network segment range overlaps with range(s) with id {}", ids.join(", ")),
    )
}

pub(super) fn referenced(id: &str) -> Error {
    Error::conflict(
        "NetworkSegmentRangeReferencedByProject",
        format!("Network Segment Range {id} is referenced by one or more project networks."),
    )
}

pub(super) fn read_only(id: &str) -> Error {
    Error::invalid(
        "NetworkSegmentRangeDefaultReadOnly",
        format!(
            "Network Segment Range {id} is a default segment range which could not be updated or deleted."
        ),
    )
}
