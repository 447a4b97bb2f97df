//! Subnets.

use super::{id_within, same};
use crate::document::{distinct, flag, set, text};
use crate::networks;
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::{Document, Result, resources};
use hadron_versioned_objects::{Had, Kind, Object};

pub(super) const HAD: Had = Had {
    kind: Kind::new("Subnet", 2),
    find: |query| resources::find("subnets", query),
    pulled_by: "id",
    fields: &[("id", "id"), ("network_id", "network_id")],
    objects,
};

const POOL: Kind = Kind::new("IPAllocationPool", 0);
const SERVER: Kind = Kind::new("DNSNameServer", 0);
const ROUTE: Kind = Kind::new("Route", 0);

const FIELDS: [&str; 18] = [
    "id",
    "project_id",
    "name",
    "network_id",
    "segment_id",
    "subnetpool_id",
    "ip_version",
    "cidr",
    "gateway_ip",
    "enable_dhcp",
    "dns_publish_fixed_ip",
    "ipv6_ra_mode",
    "ipv6_address_mode",
    "service_types",
    "revision_number",
    "description",
    "created_at",
    "updated_at",
];

/// Of its network a subnet says whether it is shared and whether it leads
/// outside.
fn objects(documents: &[Document]) -> Result<Vec<Object>> {
    let parents = networks::by_ids(&distinct(documents, "network_id"))?;
    Ok(documents
        .iter()
        .map(|document| {
            let parent = parents.iter().find(|parent| text(parent, "id") == text(document, "network_id"));
            let says = |name: &str| json!(parent.is_some_and(|parent| flag(parent, name)));
            let of_network = [("shared", says("shared")), ("external", says(networks::EXTERNAL))];
            HAD.kind.object(same(document, &FIELDS).into_iter().chain(nested(document)).chain(of_network))
        })
        .collect())
}

fn nested(document: &Document) -> [(&'static str, Value); 3] {
    let id = text(document, "id");
    let items = |name: &str| set(document, name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let pool = |(place, pool): (usize, &Value)| {
        let fields = [
            ("id", id_within(id, place)),
            ("subnet_id", json!(id)),
            ("start", pool["start"].clone()),
            ("end", pool["end"].clone()),
        ];
        POOL.object(fields).newest()
    };
    let server = |(place, server): (usize, &Value)| {
        SERVER
            .object([("address", server.clone()), ("subnet_id", json!(id)), ("order", json!(place))])
            .newest()
    };
    let route = |route: &Value| {
        let fields = [
            ("subnet_id", json!(id)),
            ("destination", route["destination"].clone()),
            ("nexthop", route["nexthop"].clone()),
        ];
        ROUTE.object(fields).newest()
    };
    [
        ("allocation_pools", items("allocation_pools").iter().enumerate().map(pool).collect()),
        ("dns_nameservers", items("dns_nameservers").iter().enumerate().map(server).collect()),
        ("host_routes", items("host_routes").iter().map(route).collect()),
    ]
}
