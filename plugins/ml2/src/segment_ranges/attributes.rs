//! The attributes of ranges of segments, as Neutron's API defines them.

use crate::attribute::{filterable, text};
use hadron_sdk::manifest::{Attribute, Called, Collection, Validator};
use hadron_sdk::serde_json::json;

/// The collection.
pub(crate) const COLLECTION: &str = "network_segment_ranges";

/// Neutron's default rules.
pub(crate) const POLICY: &[(&str, &str)] = &[
    ("create_network_segment_range", "rule:admin_only"),
    ("create_network_segment_range:tags", "rule:admin_only"),
    ("get_network_segment_range", "rule:admin_only"),
    ("get_network_segment_range:tags", "rule:admin_only"),
    ("update_network_segment_range", "rule:admin_only"),
    ("update_network_segment_range:tags", "rule:admin_only"),
    ("delete_network_segment_range", "rule:admin_only"),
    ("delete_network_segment_range:tags", "rule:admin_only"),
];

/// What of the API is about ranges.
pub(crate) const EXTENSIONS: &[(&str, &str, &str, &str)] = &[(
    "Neutron Network Segment Range",
    "network-segment-range",
    "Provides support for the network segment range management",
    "2018-11-29T00:00:00-00:00",
)];

/// Types of networks that have numbers.
const TYPES: [&str; 4] = ["vlan", "vxlan", "gre", "geneve"];

/// The largest number of all types.
const LARGEST: i64 = 4_294_967_295;

/// The declaration of the collection.
pub(crate) fn collection() -> Collection {
    let values = TYPES.iter().map(|name| json!(name)).collect();
    Collection {
        name: COLLECTION.to_owned(),
        member: "network_segment_range".to_owned(),
        // Its URL has underscores.
        called: Some(Called {
            collection: COLLECTION.to_owned(),
            member: "network_segment_range".to_owned(),
        }),
        not_found_says: Some("Network Segment Range {id} could not be found.".to_owned()),
        attributes: vec![
            text("name", 255),
            Attribute { default: Some(json!(false)), ..filterable("default", Validator::Boolean) },
            Attribute { post: true, default: Some(json!(true)), ..filterable("shared", Validator::Boolean) },
            Attribute {
                post: true,
                required: true,
                ..filterable("network_type", Validator::Enum { values })
            },
            Attribute { post: true, ..filterable("physical_network", Validator::String { max: Some(64) }) },
            number("minimum"),
            number("maximum"),
        ],
        computed: vec![
            Attribute { name: "used".to_owned(), validate: Validator::Dict, ..Attribute::default() }.into(),
            Attribute {
                name: "available".to_owned(),
                validate: Validator::List {
                    items: Box::new(Validator::Integer { min: None, max: None }),
                    unique: false,
                },
                ..Attribute::default()
            }
            .into(),
        ],
        without: vec!["tenant_id".to_owned()],
        ..Collection::default()
    }
}

fn number(name: &str) -> Attribute {
    Attribute {
        post: true,
        put: true,
        required: true,
        ..filterable(name, Validator::Integer { min: Some(1), max: Some(LARGEST) })
    }
}
