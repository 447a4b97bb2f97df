//! The attributes of segments, as Neutron's API defines them.

use crate::attribute::{filterable, hidden, owner};
use hadron_sdk::manifest::{Attribute, Called, Collection, Key, OnDelete, Reference, Standard, Validator};

/// The collection; the API calls it `segments`.
pub(crate) const COLLECTION: &str = "network_segments";

/// Neutron's default rules.
pub(crate) const POLICY: &[(&str, &str)] = &[
    ("create_segment", "rule:admin_only"),
    ("get_segment", "rule:admin_only"),
    ("update_segment", "rule:admin_only"),
    ("delete_segment", "rule:admin_only"),
    ("create_subnet:segment_id", "rule:admin_only"),
    ("get_subnet:segment_id", "rule:admin_only"),
    ("update_subnet:segment_id", "rule:admin_only"),
    ("create_network:segments", "rule:admin_only"),
    ("get_network:segments", "rule:admin_only"),
    ("update_network:segments", "rule:admin_only"),
];

/// What of the API is about segments.
pub(crate) const EXTENSIONS: &[(&str, &str, &str, &str)] = &[
    ("IP Allocation", "ip_allocation", "IP allocation extension.", "2016-06-10T23:00:00-00:00"),
    (
        "L2 Adjacency",
        "l2_adjacency",
        "Display L2 Adjacency for Neutron Networks.",
        "2016-04-12T16:00:00-00:00",
    ),
    (
        "Multi Provider Network",
        "multi-provider",
        "Expose mapping of virtual networks to multiple physical networks",
        "2013-06-27T10:00:00-00:00",
    ),
    ("Segment", "segment", "Segments extension.", "2016-02-24T17:00:00-00:00"),
    (
        "Segments peer-subnet host routes",
        "segments-peer-subnet-host-routes",
        "Add host routes to subnets on a routed network (segments)",
        "2018-06-12T10:00:00-00:00",
    ),
    (
        "Standard Attribute Segment Extension",
        "standard-attr-segment",
        "Add standard attributes to Segment resource",
        "2018-04-09T10:00:00-00:00",
    ),
    (
        "Subnet SegmentID (writable)",
        "subnet-segmentid-writable",
        "Provides a writable segment_id attribute for a subnet resource.",
        "2018-03-12T00:00:00-00:00",
    ),
];

/// The declaration of the collection.
pub(crate) fn collection() -> Collection {
    let text = |name: &str, max| filterable(name, Validator::String { max: Some(max) });
    let given = |attribute| Attribute { post: true, nullable: true, ..attribute };
    Collection {
        name: COLLECTION.to_owned(),
        member: "network_segment".to_owned(),
        called: Some(Called { collection: "segments".to_owned(), member: "segment".to_owned() }),
        not_found: Some("SegmentNotFound".to_owned()),
        not_found_says: Some("Segment {id} could not be found.".to_owned()),
        attributes: vec![
            owner("network_id"),
            Attribute { put: true, ..given(text("name", 255)) },
            Attribute { post: true, put: true, ..text("description", 255) },
            given(text("physical_network", 64)),
            Attribute { post: true, required: true, ..text("network_type", 32) },
            Attribute {
                name: "segmentation_id".to_owned(),
                validate: Validator::Integer { min: None, max: None },
                post: true,
                ..Attribute::default()
            },
            hidden("occupied"),
            Attribute { validate: Validator::Integer { min: None, max: None }, ..hidden("position") },
            Attribute { validate: Validator::Boolean, ..hidden("dynamic") },
        ],
        keys: vec![Key { name: "occupied".to_owned(), attributes: vec!["occupied".to_owned()] }],
        indexes: vec![vec!["network_type".to_owned(), "segmentation_id".to_owned()]],
        references: vec![Reference {
            attribute: "network_id".to_owned(),
            collection: "networks".to_owned(),
            on_delete: OnDelete::Cascade,
            ..Reference::default()
        }],
        // They belong to whom their network does, and do not say so.
        without: vec!["project_id".to_owned(), "tenant_id".to_owned()],
        standard: Standard::NONE,
        ..Collection::default()
    }
}
