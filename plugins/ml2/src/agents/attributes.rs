//! The attributes of agents, as Neutron's API defines them, and their
//! heartbeats, kept apart so that one costs a small row.

use crate::attribute::{filterable, hidden};
use crate::dhcp;
use crate::manifest::Extension;
use hadron_sdk::manifest::{
    Attribute, Collection, Derived, DerivedFrom, Key, OnDelete, Reference, Standard, Validator,
};

/// The collection.
pub(crate) const COLLECTION: &str = "agents";

/// A private row for each agent, with the agent's id.
pub(super) const HEARTBEATS: &str = "agent_heartbeats";

/// Who may do what with agents by default.
pub(crate) const POLICY: &[(&str, &str)] = &[
    ("create_agent", "rule:admin_only"),
    ("get_agent", "rule:admin_only"),
    ("update_agent", "rule:admin_only"),
    ("delete_agent", "rule:admin_only"),
];

/// Extensions of the API.
pub(crate) const EXTENSIONS: &[Extension] = &[
    ("agent", "agent", "The agent management extension.", "2013-02-03T10:00:00-00:00"),
    (
        "Agent's Resource View Synced to Placement",
        "agent-resources-synced",
        "Stores success/failure of last sync to Placement",
        "2018-12-19T00:00:00-00:00",
    ),
    (
        "Agents Sort Key",
        "agent_sort_key",
        "Enabling the keyword sort_key for sorting in agents.",
        "2013-02-03T10:00:00-00:00",
    ),
];

/// The declarations of the collections.
pub(crate) fn collections() -> [Collection; 3] {
    [agents(), heartbeats(), super::understood::collection()]
}

/// What other rows show and agents do not: they are nobody's.
pub(super) fn without() -> [&'static str; 4] {
    ["project_id", "tenant_id", "revision_number", "updated_at"]
}

fn agents() -> Collection {
    Collection {
        name: COLLECTION.to_owned(),
        member: "agent".to_owned(),
        attributes: vec![
            // Clients do not agree on how it is written.
            Attribute { index: true, any_case: true, ..word("agent_type") },
            word("binary"),
            word("topic"),
            Attribute { index: true, ..word("host") },
            Attribute { put: true, ..filterable("admin_state_up", Validator::Boolean) },
            shown("started_at", Validator::String { max: None }),
            Attribute { put: true, nullable: true, ..word("description") },
            Attribute { nullable: true, ..shown("resources_synced", Validator::Boolean) },
            Attribute { nullable: true, ..word("availability_zone") },
            filterable("alive", Validator::Boolean),
            shown("configurations", Validator::Dict),
            // Versions of objects that the agent understands, by name.
            hidden("resource_versions"),
            // The id of its heartbeat, its own.
            hidden("heartbeat"),
            // How far the rows that waited for it were looked through: all up
            // to this id; null when nothing waits.
            Attribute { index: true, ..hidden("looked_up_to") },
        ],
        keys: vec![Key {
            name: "agent".to_owned(),
            attributes: vec!["agent_type".to_owned(), "host".to_owned()],
        }],
        references: vec![Reference {
            attribute: "heartbeat".to_owned(),
            collection: HEARTBEATS.to_owned(),
            on_delete: OnDelete::Restrict,
            ..Reference::default()
        }],
        derived: vec![Derived {
            name: "heartbeat_timestamp".to_owned(),
            from: DerivedFrom::Parent {
                reference: "heartbeat".to_owned(),
                attribute: "at".to_owned(),
                filter: false,
            },
        }],
        actions: dhcp::of_agents(),
        without: without().map(str::to_owned).to_vec(),
        standard: Standard::NONE,
        ..Collection::default()
    }
}

fn heartbeats() -> Collection {
    Collection {
        name: HEARTBEATS.to_owned(),
        member: "agent_heartbeat".to_owned(),
        private: true,
        attributes: vec![
            shown("at", Validator::String { max: None }),
            // When the agent is dead without another one; null where it is
            // known to be.
            Attribute { nullable: true, index: true, ..shown("until", Validator::String { max: None }) },
        ],
        ..Collection::default()
    }
}

fn shown(name: &str, validate: Validator) -> Attribute {
    Attribute { name: name.to_owned(), validate, ..Attribute::default() }
}

fn word(name: &str) -> Attribute {
    filterable(name, Validator::String { max: Some(255) })
}
