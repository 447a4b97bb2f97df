//! What the plugin tells the host about itself.

use crate::logs::{self, GROUPS, ONLY_GROUP, ONLY_PORT, PORTS};
use crate::{drivers, types};
use hadron_sdk::Manifest;
use hadron_sdk::manifest::{
    ApiExtension, Attribute, Collection, ConfigKey, OnDelete, Reference, Requests, ResourceRequest, Standard,
    Tags, Validator, Verb,
};
use hadron_sdk::serde_json::{Value, json};

/// Neutron's rule for all of it.
const MANAGERS: &str = "(rule:admin_only) or (role:manager and project_id:%(project_id)s)";
const RULES: [&str; 5] = ["get_loggable_resource", "create_log", "get_log", "update_log", "delete_log"];

/// The manifest.
pub(crate) fn manifest() -> Manifest {
    let seen =
        |collection: &str| ResourceRequest { collection: collection.to_owned(), verbs: vec![Verb::Get] };
    Manifest {
        collections: vec![log(), loggable_resource()],
        extensions: vec![ApiExtension {
            name: "Logging API Extension".to_owned(),
            alias: "logging".to_owned(),
            description: "Provides a logging API for resources such as security group and firewall."
                .to_owned(),
            updated: "2017-01-01T10:00:00-00:00".to_owned(),
        }],
        policy: RULES.map(|name| (name.to_owned(), MANAGERS.to_owned())).into(),
        config: vec![ConfigKey {
            name: drivers::KEY.to_owned(),
            description: "who writes logs, beside the mechanism drivers of these names: openvswitch, ovn"
                .to_owned(),
            default: json!(["openvswitch"]),
        }],
        start: true,
        requests: Requests { resources: vec![seen(GROUPS), seen(PORTS)], ..Requests::default() },
        ..hadron_sdk::manifest!("logging", "logs of what security groups let through and hold back")
    }
}

fn log() -> Collection {
    let given = |name: &str, validate: Validator, default: Value| Attribute {
        name: name.to_owned(),
        validate,
        post: true,
        filter: true,
        default: Some(default),
        ..Attribute::default()
    };
    let id = |name: &str| Attribute { nullable: true, ..given(name, Validator::Uuid, Value::Null) };
    let hidden =
        |name: &str| Attribute { post: false, filter: false, hidden: true, default: None, ..id(name) };
    let goes_with = |attribute: &str, collection: &str| Reference {
        attribute: attribute.to_owned(),
        collection: collection.to_owned(),
        on_delete: OnDelete::Cascade,
        ..Reference::default()
    };
    let events = ["ACCEPT", "DROP", "ALL"].map(Value::from).to_vec();
    Collection {
        name: logs::COLLECTION.to_owned(),
        member: "log".to_owned(),
        path_prefix: "log".to_owned(),
        attributes: vec![
            Attribute { put: true, ..given("name", Validator::String { max: Some(255) }, json!("")) },
            Attribute {
                required: true,
                default: None,
                ..given("resource_type", Validator::String { max: Some(255) }, Value::Null)
            },
            id("resource_id"),
            id("target_id"),
            given("event", Validator::Enum { values: events }, json!("ALL")),
            Attribute { put: true, ..given("enabled", Validator::Boolean, json!(true)) },
            hidden(ONLY_GROUP),
            hidden(ONLY_PORT),
        ],
        references: vec![goes_with(ONLY_GROUP, GROUPS), goes_with(ONLY_PORT, PORTS)],
        not_found: Some("LogResourceNotFound".to_owned()),
        not_found_says: Some("Log resource {id} could not be found.".to_owned()),
        standard: Standard { tags: Tags::None, ..Standard::default() },
        ..Collection::default()
    }
}

fn loggable_resource() -> Collection {
    Collection {
        name: types::COLLECTION.to_owned(),
        member: "loggable_resource".to_owned(),
        path_prefix: "log".to_owned(),
        attributes: vec![Attribute {
            name: "type".to_owned(),
            validate: Validator::String { max: Some(255) },
            ..Attribute::default()
        }],
        without: ["id", "project_id", "tenant_id", "revision_number", "created_at", "updated_at"]
            .map(str::to_owned)
            .to_vec(),
        standard: Standard::NONE,
        ..Collection::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_is_sound() {
        assert_eq!(hadron_sdk::manifest::check(&manifest()), Vec::<String>::new());
    }
}
