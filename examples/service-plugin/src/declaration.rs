//! What the host makes tables, routes, validation, filters and policy from.

use hadron_sdk::Manifest;
use hadron_sdk::manifest::{
    Action, ApiExtension, Attribute, Collection, ConfigKey, Derived, DerivedFrom, Extends, Key, Moment,
    OnDelete, Parent, Quota, Reference, Requests, ResourceRequest, Standard, Subscription, Tags, Tick,
    Validator, Verb,
};
use hadron_sdk::serde_json::{Value, json};

/// The topic on which the plugin tells, and hears, that a gadget changed.
pub(crate) const TOPIC: &str = "acme-gadgets";

/// The attribute added to ports.
pub(crate) const RACK: &str = "acme:rack";

/// The manifest.
pub(crate) fn manifest() -> Manifest {
    Manifest {
        collections: vec![gadgets(), parts()],
        extends: vec![Extends {
            collection: "ports".into(),
            attributes: vec![Attribute {
                nullable: true,
                default: Some(Value::Null),
                ..settable(RACK, Validator::String { max: Some(16) })
            }],
            ..Extends::default()
        }],
        extensions: vec![ApiExtension {
            name: "ACME gadgets".into(),
            alias: "acme-gadgets".into(),
            description: "Gadgets, their parts, and the racks of ports.".into(),
            updated: "2026-01-01T00:00:00-00:00".into(),
        }],
        events: vec![Subscription { collection: "networks".into(), on: vec![Moment::BeforeDelete] }],
        topics: vec![TOPIC.into()],
        ticks: vec![Tick { name: "wear-off".into(), every_seconds: 1 }],
        policy: ["create_gadget:protects", "update_gadget:protects"]
            .map(|rule| (rule.to_owned(), "role:admin".to_owned()))
            .into(),
        config: vec![ConfigKey {
            name: "webhook".into(),
            description:
                "where new gadgets are announced (POST), as http://10.0.0.5/gadgets; nowhere when not given"
                    .into(),
            default: Value::Null,
        }],
        requests: Requests {
            http: true,
            resources: vec![ResourceRequest {
                collection: "ports".into(),
                verbs: vec![Verb::Create, Verb::Delete],
            }],
            ..Requests::default()
        },
        ..hadron_sdk::manifest!(
            "acme-gadgets",
            "gadgets on networks, as an example of a vendor's own resources"
        )
    }
}

fn shown(name: &str, validate: Validator) -> Attribute {
    Attribute { name: name.into(), validate, filter: true, ..Attribute::default() }
}

/// Clients may set it.
fn settable(name: &str, validate: Validator) -> Attribute {
    Attribute { post: true, put: true, ..shown(name, validate) }
}

fn reference(attribute: &str, collection: &str, on_delete: OnDelete) -> Reference {
    Reference {
        attribute: attribute.into(),
        collection: collection.into(),
        on_delete,
        ..Reference::default()
    }
}

fn gadgets() -> Collection {
    let text = Validator::String { max: Some(255) };
    let colours = Validator::Enum { values: vec![json!("red"), json!("green"), json!("blue")] };
    let whole = Validator::Integer { min: Some(0), max: None };
    Collection {
        name: "gadgets".into(),
        member: "gadget".into(),
        attributes: vec![
            Attribute { default: Some(json!("")), ..settable("name", text.clone()) },
            Attribute { put: false, required: true, ..settable("network_id", Validator::Uuid) },
            Attribute { default: Some(json!("green")), ..settable("colour", colours) },
            // While it is true, the network cannot be deleted; for administrators.
            Attribute {
                default: Some(json!(false)),
                enforce: true,
                ..settable("protects", Validator::Boolean)
            },
            // Whether it gets a port on its network.
            Attribute { default: Some(json!(false)), put: false, ..settable("plugged", Validator::Boolean) },
            Attribute { nullable: true, ..shown("port_id", Validator::Uuid) },
            shown("shine", whole.clone()),
            // Set when the plugin's own message has come back to it.
            shown("acknowledged", Validator::Boolean),
            // Set when the webhook has been told.
            shown("announced", Validator::Boolean),
        ],
        references: vec![
            // A network that is deleted takes its gadgets along, unless one of
            // them protects it (`network_guard`).
            reference("network_id", "networks", OnDelete::Cascade),
        ],
        derived: vec![Derived {
            name: "parts".into(),
            from: DerivedFrom::Referring { collection: "parts".into(), attribute: "gadget_id".into() },
        }],
        computed: vec![shown("weight", whole).into()],
        actions: vec![Action { name: "polish".into(), verb: Verb::Update, ..Action::default() }],
        // Description, tags, times and revisions come by themselves; tags are
        // taken in a create request too.
        standard: Standard { tags: Tags::AtCreation, ..Standard::default() },
        // So many for each project, unless the operator says otherwise.
        quota: Some(Quota { default: 100 }),
        ..Collection::default()
    }
}

fn parts() -> Collection {
    let weight = Validator::Integer { min: Some(1), max: Some(1000) };
    Collection {
        name: "parts".into(),
        member: "part".into(),
        parent: Some(Parent { collection: "gadgets".into(), attribute: "gadget_id".into() }),
        attributes: vec![
            shown("gadget_id", Validator::Uuid),
            Attribute { required: true, ..settable("name", Validator::String { max: Some(64) }) },
            Attribute { default: Some(json!(1)), ..settable("weight", weight) },
        ],
        keys: vec![Key { name: "name".into(), attributes: vec!["gadget_id".into(), "name".into()] }],
        references: vec![reference("gadget_id", "gadgets", OnDelete::Cascade)],
        ..Collection::default()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_manifest_is_sound() {
        assert_eq!(hadron_sdk::manifest::check(&super::manifest()), Vec::<String>::new());
    }
}
