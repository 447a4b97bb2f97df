//! What administrators do with networks and DHCP agents. In Neutron: the
//! extension `dhcp_agent_scheduler`.

use super::{COLLECTION, Hosted, choice, errors, find, hosted, notices, put, take};
use crate::agents::{self, AgentRow};
use crate::attribute::shown;
use crate::manifest::Extension;
use crate::rpc::word;
use crate::{errors as common, networks};
use hadron_sdk::manifest::{Action, Attribute, Takes, Validator, Verb};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Document, Error, Result, resources, rpc};

/// Actions, with the names of Neutron's rules about them.
const LIST_NETWORKS: &str = "get_dhcp-networks";
const ADD: &str = "create_dhcp-network";
const REMOVE: &str = "delete_dhcp-network";
const LIST_AGENTS: &str = "get_dhcp-agents";

/// Who may by default.
pub(crate) const POLICY: &[(&str, &str)] = &[
    (LIST_NETWORKS, "rule:admin_only"),
    (ADD, "rule:admin_only"),
    (REMOVE, "rule:admin_only"),
    (LIST_AGENTS, "rule:admin_only"),
];

/// The extension of the API.
pub(crate) const EXTENSION: &[Extension] = &[(
    "DHCP Agent Scheduler",
    "dhcp_agent_scheduler",
    "Schedule networks among dhcp agents",
    "2013-02-07T10:00:00-00:00",
)];

fn action(name: &str, verb: Verb, path: &str) -> Action {
    Action { name: name.to_owned(), verb, path: Some(path.to_owned()), takes: None }
}

/// What agents can be told and asked.
pub(crate) fn of_agents() -> Vec<Action> {
    let network = Attribute {
        name: "network_id".to_owned(),
        validate: Validator::String { max: None },
        required: true,
        ..Attribute::default()
    };
    let takes = Takes { member: None, attributes: vec![network] };
    vec![
        action(LIST_NETWORKS, Verb::Get, "dhcp-networks"),
        Action { takes: Some(takes), ..action(ADD, Verb::Create, "dhcp-networks") },
        action(REMOVE, Verb::Delete, "dhcp-networks/{network_id}"),
    ]
}

/// What networks can be asked.
pub(crate) fn of_networks() -> Vec<Action> {
    vec![action(LIST_AGENTS, Verb::Get, "dhcp-agents")]
}

/// Does one of them.
pub(crate) fn act(id: &str, action: &str, given: &Value) -> Result<Value> {
    let network = word(given, "network_id");
    match action {
        LIST_NETWORKS => list_networks(id),
        ADD => add(id, network),
        REMOVE => remove(id, network),
        LIST_AGENTS => list_agents(id),
        other => Err(Error::internal(format!("'{other}' is nothing this plugin declares"))),
    }
}

fn list_networks(agent: &str) -> Result<Value> {
    let rows = find(Query::all().equal("agent_id", agent))?;
    let query = Query::all().any_of("id", rows.into_iter().map(|row| row.network_id));
    let found: Vec<Document> = resources::find("networks", &query)?;
    let collection = networks::collection();
    let found: Vec<Document> = found.into_iter().map(|network| shown(&collection, network)).collect();
    Ok(json!({ "networks": found }))
}

fn list_agents(network: &str) -> Result<Value> {
    let rows = find(Query::all().equal("network_id", network))?;
    let mut found = agents::shown(&Query::all().any_of("id", rows.into_iter().map(|row| row.agent_id)))?;
    for agent in &mut found {
        agent.insert("ha_chassis_priority".to_owned(), Value::Null);
    }
    Ok(json!({ "agents": found }))
}

fn add(id: &str, network: &str) -> Result<Value> {
    if store::get::<Document>("networks", network)?.is_none() {
        return Err(common::network_not_found(network));
    }
    let agent: AgentRow = store::get(agents::COLLECTION, id)?.ok_or_else(|| agents::not_found(id))?;
    if agent.agent_type != agents::DHCP || !agent.admin_state_up {
        return Err(errors::invalid_agent(id));
    }
    let own = find(Query::all().equal("network_id", network))?;
    if own.iter().any(|row| row.agent_id == id) {
        return Err(errors::hosted(network, id));
    }
    let used: Vec<u32> = own.iter().map(|row| row.slot).collect();
    put(&[hosted(network, &agent, choice::vacant(&used))])?;
    rpc::notify("dhcp_agent.network.add", &json!({"agent": {"id": id, "network_id": network}}))?;
    Ok(Value::Null)
}

fn remove(id: &str, network: &str) -> Result<Value> {
    let query = Query::all().equal("network_id", network).equal("agent_id", id);
    let found: Option<Hosted> = store::find(COLLECTION, &query)?.pop();
    let row = found.ok_or_else(|| errors::not_hosted(network, id))?;
    take(&row)?;
    notices::network_removed(&row.host, network)?;
    rpc::notify("dhcp_agent.network.remove", &json!({"agent": {"id": id, "network_id": network}}))?;
    Ok(Value::Null)
}
