//! Availability zones: those that agents name, for networks (by DHCP agents) and
//! for routers (by L3 agents). In Neutron: `AgentAvailabilityZoneMixin`.

use crate::agents;
use crate::document::{flag, text};
use crate::errors;
use crate::manifest::Extension;
use hadron_sdk::manifest::{Attribute, Collection, Key, Standard, Validator};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Document, Error, Result, random};

/// The collection.
pub(crate) const COLLECTION: &str = "availability_zones";

/// The attribute of what can be put into zones: the zones wished for.
pub(crate) const HINTS: &str = "availability_zone_hints";

/// The resource that DHCP agents bring zones for.
const NETWORK: &str = "network";

/// Longest list of wishes, as JSON text. In Neutron: `AZ_HINTS_DB_LEN`.
const MAX_HINTS: usize = 255;

/// Who may see them by default.
pub(crate) const POLICY: &[(&str, &str)] = &[("get_availability_zone", "role:reader")];

/// Extensions of the API.
pub(crate) const EXTENSIONS: &[Extension] = &[
    (
        "Availability Zone",
        "availability_zone",
        "The availability zone extension.",
        "2015-01-01T10:00:00-00:00",
    ),
    (
        "Availability Zone Filter Extension",
        "availability_zone_filter",
        "Add filter parameters to AvailabilityZone resource",
        "2018-06-22T10:00:00-00:00",
    ),
    (
        "Network Availability Zone",
        "network_availability_zone",
        "Availability zone support for network.",
        "2015-01-01T10:00:00-00:00",
    ),
];

/// The declaration of the collection: rows follow from those of agents.
pub(crate) fn collection() -> Collection {
    let unshown = ["id", "project_id", "tenant_id", "revision_number", "created_at", "updated_at"];
    Collection {
        name: COLLECTION.to_owned(),
        member: "availability_zone".to_owned(),
        attributes: ["state", "name", "resource"]
            .map(|name| Attribute {
                name: name.to_owned(),
                validate: Validator::String { max: Some(255) },
                filter: true,
                ..Attribute::default()
            })
            .to_vec(),
        keys: vec![Key {
            name: "zone".to_owned(),
            attributes: vec!["name".to_owned(), "resource".to_owned()],
        }],
        without: unshown.map(str::to_owned).to_vec(),
        standard: Standard::NONE,
        ..Collection::default()
    }
}

/// The attributes of networks that zones bring.
pub(crate) fn network_attributes() -> [Attribute; 2] {
    let list = |name: &str| Attribute {
        name: name.to_owned(),
        validate: Validator::List { items: Box::new(Validator::String { max: None }), unique: true },
        ..Attribute::default()
    };
    [Attribute { post: true, default: Some(json!([])), ..list(HINTS) }, list(COLLECTION)]
}

/// Zones come from agents, never from clients.
pub(crate) fn create() -> Result<()> {
    Err(Error::not_found("HTTPNotFound", "The resource could not be found."))
}

/// Makes a zone's row what the agents in it say. In Neutron:
/// `_list_availability_zones`.
pub(crate) fn settle(agent_type: &str, zone: Option<&str>) -> Result<()> {
    let resource = match agent_type {
        agents::DHCP => NETWORK,
        agents::L3 => "router",
        _ => return Ok(()),
    };
    let Some(name) = zone.filter(|zone| !zone.is_empty()) else { return Ok(()) };
    let row = Query::all().equal("name", name).equal("resource", resource);
    let row: Option<Document> = store::find(COLLECTION, &row)?.pop();
    if let Some(row) = &row {
        store::lock(COLLECTION, text(row, "id"))?;
    }
    let within = Query::all().equal("agent_type", agent_type).equal("availability_zone", name);
    let within: Vec<Document> = store::find(agents::COLLECTION, &within)?;
    let enabled = within.iter().any(|agent| flag(agent, "admin_state_up"));
    let state = if enabled { "available" } else { "unavailable" };
    match row {
        Some(row) if within.is_empty() => store::delete(COLLECTION, &[text(&row, "id").to_owned()])?,
        Some(row) if text(&row, "state") == state => {}
        Some(row) => drop(store::update::<Document>(COLLECTION, text(&row, "id"), &json!({"state": state}))?),
        None if within.is_empty() => {}
        None => {
            let id = random::uuid();
            store::insert(
                COLLECTION,
                &[json!({"id": id, "state": state, "name": name, "resource": resource})],
            )?;
        }
    }
    Ok(())
}

/// The zones that a network is wished into.
pub(crate) fn hints(network: &Document) -> Vec<String> {
    let hints = network.get(HINTS).and_then(Value::as_array).into_iter().flatten();
    hints.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Refuses wishes for zones that no DHCP agent is in, of all new networks at
/// once. In Neutron: `validate_availability_zones`.
pub(crate) fn check_hints(networks: &[Document]) -> Result<()> {
    let wished: Vec<Vec<String>> = networks.iter().map(hints).collect();
    if wished.iter().all(Vec::is_empty) {
        return Ok(());
    }
    if wished.iter().any(|hints| json!(hints).to_string().len() > MAX_HINTS) {
        return Err(Error::invalid_input("Too many availability_zone_hints specified"));
    }
    let all: Vec<String> = wished.into_iter().flatten().collect();
    let known = Query::all().equal("resource", NETWORK).any_of("name", all.iter().cloned());
    let known: Vec<Document> = store::find(COLLECTION, &known)?;
    match all.iter().find(|hint| !known.iter().any(|zone| text(zone, "name") == hint.as_str())) {
        Some(missing) => Err(errors::availability_zone_not_found(missing)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_wishes_are_refused_before_anybody_is_asked() {
        let body = json!({HINTS: ["a".repeat(130), "b".repeat(130)]});
        let error = check_hints(&[body.as_object().unwrap().clone()]).unwrap_err();
        assert_eq!(
            error.fault().message,
            "Invalid input for operation: Too many availability_zone_hints specified."
        );
        check_hints(&[Document::new()]).unwrap();
    }
}
