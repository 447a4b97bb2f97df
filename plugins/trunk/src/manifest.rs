//! What the plugin tells the host about itself.

use crate::ports::{NETWORKS, PORTS};
use crate::{agents, objects, parents, ports, trunks};
use hadron_sdk::Manifest;
use hadron_sdk::manifest::{
    Action, ApiExtension, Attribute, Collection, Key, ListTable, ListTableColumn, Quota, Reference, Refusal,
    Requests, ResourceRequest, Takes, Validator, Verb,
};
use hadron_sdk::serde_json::json;

const READERS: &str = "(rule:admin_only) or (role:reader and project_id:%(project_id)s)";
const MEMBERS: &str = "(rule:admin_only) or (role:member and project_id:%(project_id)s)";

/// Neutron's rules.
const RULES: [(&str, &str); 11] = [
    ("create_trunk", MEMBERS),
    ("create_trunk:tags", MEMBERS),
    ("get_trunk", READERS),
    ("get_trunk:tags", READERS),
    ("update_trunk", MEMBERS),
    ("update_trunk:tags", MEMBERS),
    ("delete_trunk", MEMBERS),
    ("delete_trunk:tags", MEMBERS),
    (trunks::GET, READERS),
    (trunks::ADD, MEMBERS),
    (trunks::REMOVE, MEMBERS),
];

/// The manifest.
pub(crate) fn manifest() -> Manifest {
    let request = |collection: &str, verbs: &[Verb]| ResourceRequest {
        collection: collection.to_owned(),
        verbs: verbs.to_vec(),
    };
    Manifest {
        collections: vec![collection()],
        extends: vec![ports::extends()],
        extensions: vec![
            extension("Trunk Extension", "trunk", "Provides support for trunk ports"),
            extension("Trunk port details", "trunk-details", "Expose trunk port details"),
        ],
        policy: RULES.iter().map(|(name, rule)| ((*name).to_owned(), (*rule).to_owned())).collect(),
        events: vec![parents::subscription(), trunks::subscription()],
        topics: vec![agents::topic(), objects::topic()],
        requests: Requests {
            resources: vec![request(PORTS, &[Verb::Get, Verb::Update]), request(NETWORKS, &[Verb::Get])],
            ..Requests::default()
        },
        ..hadron_sdk::manifest!("trunk", "ports that carry other ports, each in a segment of its own")
    }
}

fn extension(name: &str, alias: &str, description: &str) -> ApiExtension {
    ApiExtension {
        name: name.to_owned(),
        alias: alias.to_owned(),
        description: description.to_owned(),
        updated: "2016-01-01T10:00:00-00:00".to_owned(),
    }
}

fn collection() -> Collection {
    Collection {
        name: trunks::COLLECTION.to_owned(),
        member: "trunk".to_owned(),
        attributes: vec![
            Attribute {
                post: true,
                put: true,
                default: Some(json!(true)),
                ..shown("admin_state_up", Validator::Boolean)
            },
            Attribute {
                post: true,
                put: true,
                default: Some(json!("")),
                ..shown("name", Validator::String { max: Some(255) })
            },
            Attribute { post: true, required: true, ..shown("port_id", Validator::Uuid) },
            shown("status", Validator::String { max: Some(16) }),
            sub_ports(),
            members(),
        ],
        keys: vec![Key { name: "port_id".to_owned(), attributes: vec!["port_id".to_owned()] }],
        references: vec![Reference {
            attribute: "port_id".to_owned(),
            collection: PORTS.to_owned(),
            refusal: Some(Refusal {
                error: "PortInUseAsTrunkParent".to_owned(),
                message: "Port {id} is currently a parent port for trunk {by}.".to_owned(),
            }),
            ..Reference::default()
        }],
        actions: actions(),
        quota: Some(Quota { default: -1 }),
        ..Collection::default()
    }
}

fn shown(name: &str, validate: Validator) -> Attribute {
    Attribute { name: name.to_owned(), validate, filter: true, ..Attribute::default() }
}

/// What an item must be, the plugin says itself: Neutron takes it in parts.
fn sub_ports() -> Attribute {
    let column =
        ListTableColumn { name: "port_id".to_owned(), references: Some(PORTS.to_owned()), filter: false };
    Attribute {
        name: trunks::SUB_PORTS.to_owned(),
        validate: Validator::List { items: Box::new(Validator::Any), unique: false },
        post: true,
        enforce: true,
        default: Some(json!([])),
        list: Some(ListTable { columns: vec![column], keys: Vec::new() }),
        ..Attribute::default()
    }
}

fn members() -> Attribute {
    let column = ListTableColumn { name: "value".to_owned(), references: None, filter: true };
    Attribute {
        name: trunks::MEMBERS.to_owned(),
        validate: Validator::List { items: Box::new(Validator::Uuid), unique: true },
        hidden: true,
        list: Some(ListTable { columns: vec![column], keys: vec![vec!["value".to_owned()]] }),
        ..Attribute::default()
    }
}

fn actions() -> Vec<Action> {
    let list = Attribute {
        name: trunks::SUB_PORTS.to_owned(),
        required: true,
        nullable: true,
        ..Attribute::default()
    };
    let takes = Takes { member: None, attributes: vec![list] };
    let action = |name: &str, verb: Verb, takes: Option<Takes>| Action {
        name: name.to_owned(),
        verb,
        path: None,
        takes,
    };
    vec![
        action(trunks::ADD, Verb::Update, Some(takes.clone())),
        action(trunks::REMOVE, Verb::Update, Some(takes)),
        action(trunks::GET, Verb::Get, None),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_is_sound() {
        assert_eq!(hadron_sdk::manifest::check(&manifest()), Vec::<String>::new());
    }
}
