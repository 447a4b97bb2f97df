//! What the plugin tells the host about itself.

use crate::prefixes::{DESTINATION, REMOTE, SOURCE};
use crate::{agents, driver, labels, routers, rules};
use hadron_sdk::Manifest;
use hadron_sdk::manifest::{
    ApiExtension, Attribute, Collection, OnDelete, Reference, Requests, ResourceRequest, Standard, Validator,
    Verb,
};
use hadron_sdk::serde_json::{Value, json};

const READERS: &str = "(rule:admin_only) or (role:reader and project_id:%(project_id)s)";
const MANAGERS: &str = "(rule:admin_only) or (role:manager and project_id:%(project_id)s)";

/// Rules are their label's. Neutron asks for their own project, of which it keeps
/// none, so that nobody but administrators sees a rule again.
const READERS_OF_LABEL: &str =
    "(rule:admin_only) or (role:reader and project_id:%(metering_label:project_id)s)";
/// See [`READERS_OF_LABEL`].
const MANAGERS_OF_LABEL: &str =
    "(rule:admin_only) or (role:manager and project_id:%(metering_label:project_id)s)";

/// Neutron's rules.
const RULES: [(&str, &str); 6] = [
    ("create_metering_label", MANAGERS),
    ("get_metering_label", READERS),
    ("delete_metering_label", MANAGERS),
    ("create_metering_label_rule", MANAGERS),
    ("get_metering_label_rule", READERS_OF_LABEL),
    ("delete_metering_label_rule", MANAGERS_OF_LABEL),
];

/// Longest name, in characters. In Neutron: `NAME_FIELD_SIZE`.
const NAME: u32 = 255;
/// Longest description, in characters. In Neutron: `LONG_DESCRIPTION_FIELD_SIZE`.
const LONG: u32 = 1024;

/// The manifest.
pub(crate) fn manifest() -> Manifest {
    let seen =
        |collection: &str| ResourceRequest { collection: collection.to_owned(), verbs: vec![Verb::Get] };
    Manifest {
        collections: vec![label(), rule()],
        extensions: vec![
            extension(
                "Neutron Metering",
                "metering",
                "Neutron Metering extension.",
                "2013-06-12T10:00:00-00:00",
            ),
            extension(
                "Neutron Metering with source and destination filtering",
                "metering_source_and_destination_fields",
                "Neutron Metering extension that enables the use of source and destination IP prefixes to create \
                 metering label rules.",
                "2020-08-21T08:12:00-00:00",
            ),
        ],
        policy: RULES.iter().map(|(name, rule)| ((*name).to_owned(), (*rule).to_owned())).collect(),
        events: vec![routers::subscription()],
        topics: vec![agents::topic()],
        requests: Requests {
            resources: vec![seen(routers::ROUTERS), seen(routers::PORTS), seen(driver::AGENTS)],
            // A shared label is for routers of every project; agents and the hosts
            // of ports are administrators' to see.
            system: true,
            ..Requests::default()
        },
        ..hadron_sdk::manifest!("metering", "labels that the traffic of routers is counted under")
    }
}

fn extension(name: &str, alias: &str, description: &str, updated: &str) -> ApiExtension {
    ApiExtension {
        name: name.to_owned(),
        alias: alias.to_owned(),
        description: description.to_owned(),
        updated: updated.to_owned(),
    }
}

fn given(name: &str, validate: Validator) -> Attribute {
    Attribute { name: name.to_owned(), validate, post: true, filter: true, ..Attribute::default() }
}

fn or_else(default: Value, attribute: Attribute) -> Attribute {
    Attribute { default: Some(default), ..attribute }
}

fn text(name: &str, longest: u32) -> Attribute {
    or_else(json!(""), given(name, Validator::String { max: Some(longest) }))
}

fn unshown(names: &[&str]) -> Vec<String> {
    names.iter().copied().chain(["revision_number", "created_at", "updated_at"]).map(str::to_owned).collect()
}

fn label() -> Collection {
    Collection {
        name: labels::COLLECTION.to_owned(),
        member: "metering_label".to_owned(),
        path_prefix: "metering".to_owned(),
        attributes: vec![
            text("name", NAME),
            text("description", LONG),
            or_else(json!(false), Attribute { index: true, ..given("shared", Validator::Boolean) }),
        ],
        not_found_says: Some("Metering label '{id}' does not exist.".to_owned()),
        without: unshown(&[]),
        standard: Standard::NONE,
        ..Collection::default()
    }
}

fn rule() -> Collection {
    let directions = ["ingress", "egress"].map(Value::from).to_vec();
    // What a prefix may be, the plugin says itself: Neutron takes an address too.
    let prefix = |name: &str| {
        let text = given(name, Validator::String { max: Some(64) });
        Attribute { nullable: true, ..text }
    };
    Collection {
        name: rules::COLLECTION.to_owned(),
        member: "metering_label_rule".to_owned(),
        path_prefix: "metering".to_owned(),
        attributes: vec![
            Attribute { required: true, ..given(rules::LABEL, Validator::Uuid) },
            Attribute { required: true, ..given("direction", Validator::Enum { values: directions }) },
            prefix(REMOTE),
            prefix(SOURCE),
            prefix(DESTINATION),
            or_else(json!(false), given("excluded", Validator::Boolean)),
        ],
        references: vec![Reference {
            attribute: rules::LABEL.to_owned(),
            collection: labels::COLLECTION.to_owned(),
            on_delete: OnDelete::Cascade,
            ..Reference::default()
        }],
        not_found_says: Some("Metering label rule '{id}' does not exist.".to_owned()),
        without: unshown(&["project_id", "tenant_id"]),
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
