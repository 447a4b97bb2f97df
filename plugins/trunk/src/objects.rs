//! Trunks and sub-ports as agents are told of them. In Neutron:
//! `ServerSideRpcBackend`.

use crate::sub_ports::SubPort;
use crate::text;
use crate::trunks::{COLLECTION, SUB_PORTS};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store;
use hadron_sdk::{Document, Result};
use hadron_versioned_objects::{Event, Had, Kind, Object, answer, relay};
use serde::Deserialize;

pub(crate) use hadron_versioned_objects::{is_asking, topic};

const TRUNK: Kind = Kind::new("Trunk", 1);
const SUB_PORT: Kind = Kind::new("SubPort", 0);

const FIELDS: [&str; 10] = [
    "id",
    "project_id",
    "name",
    "port_id",
    "admin_state_up",
    "status",
    "revision_number",
    "description",
    "created_at",
    "updated_at",
];

/// Trunks, of which agents know the parent's id.
const TRUNKS: Had = Had {
    kind: TRUNK,
    fields: &[("id", "id"), ("port_id", "port_id")],
    pulled_by: "port_id",
    find: |query| store::find(COLLECTION, query),
    objects: |rows| rows.iter().map(trunk).collect(),
};

/// Answers an agent.
pub(crate) fn receive(method: &str, arguments: &Value) -> Result<Value> {
    answer(&[TRUNKS], method, arguments)
}

/// Agents hear of trunks that come and go.
pub(crate) fn tell(documents: &[Document], event: Event) -> Result<()> {
    relay(documents.iter().map(trunk).collect::<Result<_>>()?, event)
}

/// Agents hear of sub-ports that come and go.
pub(crate) fn tell_sub_ports<'a>(
    trunk: &str,
    sub_ports: impl Iterator<Item = &'a SubPort>,
    event: Event,
) -> Result<()> {
    relay(sub_ports.map(|one| sub_port(trunk, one)).collect(), event)
}

fn trunk(document: &Document) -> Result<Object> {
    let sub_ports: Vec<SubPort> = Vec::deserialize(document.get(SUB_PORTS).unwrap_or(&json!([])))?;
    let id = text(document, "id");
    let sub_ports = sub_ports.iter().map(|one| sub_port(id, one).newest()).collect();
    let fields = FIELDS.map(|name| (name, document.get(name).cloned().unwrap_or_default()));
    Ok(TRUNK.object(fields.into_iter().chain([("sub_ports", sub_ports)])))
}

fn sub_port(trunk: &str, one: &SubPort) -> Object {
    SUB_PORT.object([
        ("port_id", json!(one.port_id)),
        ("trunk_id", json!(trunk)),
        ("segmentation_type", json!(one.segment.segmentation_type)),
        ("segmentation_id", json!(one.segment.segmentation_id)),
    ])
}
