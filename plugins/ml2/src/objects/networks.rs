//! Networks and their segments.

use super::same;
use crate::document::{flag, text};
use crate::segments::{self, SegmentRow};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::{Document, Result, resources};
use hadron_versioned_objects::{Had, Kind, Object};

pub(super) const HAD: Had = Had {
    kind: Kind::new("Network", 3),
    find: |query| resources::find("networks", query),
    pulled_by: "id",
    fields: &[("id", "id"), ("project_id", "project_id")],
    objects,
};

const SEGMENT: Kind = Kind::new("NetworkSegment", 0);
const SECURITY: Kind = Kind::new("NetworkPortSecurity", 0);

const FIELDS: [&str; 14] = [
    "id",
    "project_id",
    "name",
    "status",
    "admin_state_up",
    "availability_zone_hints",
    "shared",
    "mtu",
    "dns_domain",
    "qos_policy_id",
    "revision_number",
    "description",
    "created_at",
    "updated_at",
];

fn objects(documents: &[Document]) -> Result<Vec<Object>> {
    let ids: Vec<String> = documents.iter().map(|document| text(document, "id").to_owned()).collect();
    let rows = segments::of_networks(&ids)?;
    Ok(documents.iter().map(|document| object(document, &rows)).collect())
}

fn object(document: &Document, rows: &[SegmentRow]) -> Object {
    let id = text(document, "id");
    let segments = rows.iter().filter(|row| row.network_id == id);
    let security =
        [("id", json!(id)), ("port_security_enabled", json!(flag(document, "port_security_enabled")))];
    let nothing = ["vlan_transparent", "qinq", "pvlan"].map(|name| (name, Value::Null));
    let nested = [
        ("security", SECURITY.object(security).newest()),
        ("segments", segments.map(|row| segment(row, id)).collect()),
    ];
    HAD.kind.object(same(document, &FIELDS).into_iter().chain(nothing).chain(nested))
}

/// A segment of a network.
pub(super) fn segment(row: &SegmentRow, network: &str) -> Value {
    let fields = [
        ("id", json!(row.id)),
        ("network_id", json!(network)),
        ("name", json!(row.name)),
        ("network_type", json!(row.network_type)),
        ("physical_network", json!(row.physical_network)),
        ("segmentation_id", json!(row.segmentation_id)),
        ("is_dynamic", json!(row.is_dynamic())),
        ("segment_index", json!(row.position)),
        ("hosts", json!([])),
        ("revision_number", json!(0)),
        ("description", json!(row.description)),
        ("created_at", Value::Null),
        ("updated_at", Value::Null),
    ];
    SEGMENT.object(fields).newest()
}
