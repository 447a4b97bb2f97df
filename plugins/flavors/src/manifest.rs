//! What the plugin tells the host about itself.

use crate::{flavors, profiles};
use hadron_sdk::Manifest;
use hadron_sdk::manifest::{
    Action, ApiExtension, Attribute, Collection, ConfigKey, ListTable, ListTableColumn, Requests,
    ResourceRequest, Standard, Takes, Validator, Verb,
};
use hadron_sdk::serde_json::{Value, json};

/// Neutron's rules.
const RULES: [(&str, &str); 11] = [
    ("create_flavor", "rule:admin_only"),
    ("get_flavor", "role:reader"),
    ("update_flavor", "rule:admin_only"),
    ("delete_flavor", "rule:admin_only"),
    ("create_service_profile", "rule:admin_only"),
    ("get_service_profile", "rule:admin_only"),
    ("update_service_profile", "rule:admin_only"),
    ("delete_service_profile", "rule:admin_only"),
    (flavors::PUT_PROFILE, "rule:admin_only"),
    (flavors::GET_PROFILE, "(rule:admin_only) or (role:reader and project_id:%(project_id)s)"),
    (flavors::TAKE_PROFILE, "rule:admin_only"),
];

/// Longest text, in characters. In Neutron: `LONG_DESCRIPTION_FIELD_SIZE`.
const LONG: u32 = 1024;

/// Longest text for a driver, in characters: the length of Neutron's column.
const METAINFO: u32 = 4096;

/// The manifest.
pub(crate) fn manifest() -> Manifest {
    Manifest {
        collections: vec![flavor(), profile()],
        extensions: vec![ApiExtension {
            name: "Neutron Service Flavors".to_owned(),
            alias: "flavors".to_owned(),
            description: "Flavor specification for Neutron advanced services.".to_owned(),
            updated: "2015-09-17T10:00:00-00:00".to_owned(),
        }],
        policy: RULES.iter().map(|(name, rule)| ((*name).to_owned(), (*rule).to_owned())).collect(),
        config: vec![ConfigKey {
            name: flavors::SERVICE_TYPES.to_owned(),
            description: "types of services that flavors can be of".to_owned(),
            default: json!(["L3_ROUTER_NAT", "FIREWALL_V2", "VPN", "METERING", "QOS", "LOADBALANCERV2"]),
        }],
        requests: Requests {
            resources: vec![ResourceRequest {
                collection: profiles::PROVIDERS.to_owned(),
                verbs: vec![Verb::Get],
            }],
            ..Requests::default()
        },
        ..hadron_sdk::manifest!("flavors", "flavors of services and the profiles they are made of")
    }
}

/// Neither belongs to a project.
fn unshown() -> Vec<String> {
    ["project_id", "tenant_id", "revision_number", "created_at", "updated_at"].map(str::to_owned).to_vec()
}

fn flavor() -> Collection {
    let column = ListTableColumn {
        name: "value".to_owned(),
        references: Some(profiles::COLLECTION.to_owned()),
        filter: false,
    };
    Collection {
        name: flavors::COLLECTION.to_owned(),
        member: "flavor".to_owned(),
        attributes: vec![
            given("name", Validator::String { max: Some(255) }, json!("")),
            nullable("description", Validator::String { max: Some(LONG) }, json!("")),
            Attribute {
                put: false,
                default: None,
                required: true,
                ..given("service_type", Validator::String { max: Some(36) }, Value::Null)
            },
            nullable("enabled", Validator::Boolean, json!(true)),
            Attribute {
                filter: false,
                list: Some(ListTable { columns: vec![column], keys: Vec::new() }),
                ..given(
                    flavors::PROFILES,
                    Validator::List { items: Box::new(Validator::Uuid), unique: true },
                    json!([]),
                )
            },
        ],
        actions: actions(),
        without: unshown(),
        standard: Standard::NONE,
        ..Collection::default()
    }
}

fn actions() -> Vec<Action> {
    let one = format!("{}/{{service_profile_id}}", flavors::PROFILES);
    let action = |name: &str, verb: Verb, path: &str| Action {
        name: name.to_owned(),
        verb,
        path: Some(path.to_owned()),
        takes: None,
    };
    let id = Attribute {
        name: "id".to_owned(),
        validate: Validator::Uuid,
        required: true,
        ..Attribute::default()
    };
    let takes = Takes { member: Some("service_profile".to_owned()), attributes: vec![id] };
    vec![
        Action { takes: Some(takes), ..action(flavors::PUT_PROFILE, Verb::Create, flavors::PROFILES) },
        action(flavors::GET_PROFILE, Verb::Get, &one),
        action(flavors::TAKE_PROFILE, Verb::Delete, &one),
        action(flavors::NEXT_PROVIDER, Verb::Get, "next_providers"),
    ]
}

fn profile() -> Collection {
    Collection {
        name: profiles::COLLECTION.to_owned(),
        member: "service_profile".to_owned(),
        attributes: vec![
            nullable("description", Validator::String { max: Some(LONG) }, json!("")),
            given("driver", Validator::String { max: Some(LONG) }, json!("")),
            nullable("enabled", Validator::Boolean, json!(true)),
            Attribute {
                filter: false,
                ..nullable("metainfo", Validator::String { max: Some(METAINFO) }, json!(""))
            },
        ],
        without: unshown(),
        standard: Standard::NONE,
        not_found_says: Some("Service Profile {id} could not be found.".to_owned()),
        ..Collection::default()
    }
}

fn given(name: &str, validate: Validator, default: Value) -> Attribute {
    Attribute {
        name: name.to_owned(),
        validate,
        post: true,
        put: true,
        filter: true,
        default: Some(default),
        ..Attribute::default()
    }
}

fn nullable(name: &str, validate: Validator, default: Value) -> Attribute {
    Attribute { nullable: true, ..given(name, validate, default) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_is_sound() {
        assert_eq!(hadron_sdk::manifest::check(&manifest()), Vec::<String>::new());
    }
}
