//! Security groups, their rules, and address groups.

use super::{same, with_prefix};
use crate::document::{set, text};
use crate::{address_groups, security_group_rules, security_groups};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Document, Result, resources};
use hadron_versioned_objects::{Had, Kind, Object};

pub(super) const GROUPS: Had = Had {
    kind: Kind::new("SecurityGroup", 6),
    find: |query| resources::find(security_groups::COLLECTION, query),
    pulled_by: "id",
    fields: &[("id", "id"), ("project_id", "project_id")],
    objects: groups,
};

pub(super) const RULES: Had = Had {
    kind: Kind::new("SecurityGroupRule", 3),
    find: |query| resources::find(security_group_rules::COLLECTION, query),
    pulled_by: "id",
    fields: &[
        ("id", "id"),
        ("security_group_id", "security_group_id"),
        ("remote_group_id", "remote_group_id"),
        ("remote_address_group_id", "remote_address_group_id"),
    ],
    objects: |documents| Ok(documents.iter().map(rule).collect()),
};

pub(super) const ADDRESSES: Had = Had {
    kind: Kind::new("AddressGroup", 2),
    find: |query| resources::find(address_groups::COLLECTION, query),
    pulled_by: "id",
    fields: &[("id", "id"), ("project_id", "project_id")],
    objects: |documents| Ok(documents.iter().map(addresses).collect()),
};

const ADDRESS: Kind = Kind::new("AddressAssociation", 0);

const OF_GROUPS: [&str; 9] = [
    "id",
    "name",
    "project_id",
    "shared",
    "stateful",
    "revision_number",
    "description",
    "created_at",
    "updated_at",
];

const OF_RULES: [&str; 15] = [
    "id",
    "project_id",
    "security_group_id",
    "remote_group_id",
    "direction",
    "ethertype",
    "protocol",
    "port_range_min",
    "port_range_max",
    "remote_address_group_id",
    "belongs_to_default_sg",
    "revision_number",
    "description",
    "created_at",
    "updated_at",
];

const OF_ADDRESSES: [&str; 8] =
    ["id", "name", "project_id", "shared", "revision_number", "description", "created_at", "updated_at"];

fn groups(documents: &[Document]) -> Result<Vec<Object>> {
    let ids = documents.iter().map(|document| text(document, "id"));
    let rules: Vec<Document> =
        store::find(security_group_rules::COLLECTION, &Query::all().any_of("security_group_id", ids))?;
    let group = |document: &Document| {
        let id = text(document, "id");
        let own = rules.iter().filter(|rule| text(rule, "security_group_id") == id);
        let more = [
            ("is_default", json!(set(document, security_groups::DEFAULT_OF).is_some())),
            ("rules", own.map(|own| rule(own).newest()).collect()),
        ];
        GROUPS.kind.object(same(document, &OF_GROUPS).into_iter().chain(more))
    };
    Ok(documents.iter().map(group).collect())
}

fn rule(document: &Document) -> Object {
    let networks =
        ["remote_ip_prefix", "normalized_cidr"].map(|name| (name, with_prefix(document.get(name))));
    RULES.kind.object(same(document, &OF_RULES).into_iter().chain(networks))
}

fn addresses(document: &Document) -> Object {
    let listed = set(document, "addresses").and_then(Value::as_array).into_iter().flatten();
    let address = |address: &Value| {
        let fields =
            [("address", with_prefix(Some(address))), ("address_group_id", json!(text(document, "id")))];
        ADDRESS.object(fields).newest()
    };
    let listed = [("addresses", listed.map(address).collect())];
    ADDRESSES.kind.object(same(document, &OF_ADDRESSES).into_iter().chain(listed))
}
