//! What administrators do with routers and L3 agents. In Neutron: the extension
//! `l3_agent_scheduler`.

use super::{AGENTS, Candidate, HOSTED, Hosted, L3, TOPIC, host, of, updated};
use crate::routers::{self, ROUTERS};
use crate::{errors, text};
use hadron_sdk::manifest::{Action, Attribute, Extends, Takes, Validator, Verb};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Document, Error, Result, resources, rpc};
use serde::Deserialize;

/// Actions, with the names of Neutron's rules about them.
const LIST_ROUTERS: &str = "get_l3-routers";
const ADD: &str = "create_l3-router";
const REMOVE: &str = "delete_l3-router";
pub(crate) const LIST_AGENTS: &str = "get_l3-agents";

/// Who may by default.
pub(crate) const POLICY: [(&str, &str); 4] = [
    (LIST_ROUTERS, "rule:admin_only"),
    (ADD, "rule:admin_only"),
    (REMOVE, "rule:admin_only"),
    (LIST_AGENTS, "rule:admin_only"),
];

/// Title, alias, description and date of the extension of the API.
pub(crate) const EXTENSION: (&str, &str, &str, &str) = (
    "L3 Agent Scheduler",
    "l3_agent_scheduler",
    "Schedule routers among l3 agents",
    "2013-02-07T10:00:00-00:00",
);

fn action(name: &str, verb: Verb, path: &str) -> Action {
    Action { name: name.to_owned(), verb, path: Some(path.to_owned()), takes: None }
}

/// What agents can be told and asked.
pub(crate) fn extends() -> Extends {
    let router = Attribute {
        name: "router_id".to_owned(),
        validate: Validator::String { max: None },
        required: true,
        ..Attribute::default()
    };
    let takes = Takes { member: None, attributes: vec![router] };
    Extends {
        collection: AGENTS.to_owned(),
        actions: vec![
            action(LIST_ROUTERS, Verb::Get, "l3-routers"),
            Action { takes: Some(takes), ..action(ADD, Verb::Create, "l3-routers") },
            action(REMOVE, Verb::Delete, "l3-routers/{router_id}"),
        ],
        when_given: true,
        ..Extends::default()
    }
}

/// What routers can be asked.
pub(crate) fn of_routers() -> Action {
    action(LIST_AGENTS, Verb::Get, "l3-agents")
}

/// An agent is told, or asked.
pub(crate) fn act(agent: &str, action: &str, given: &Value) -> Result<Value> {
    let router = given.get("router_id").and_then(Value::as_str).unwrap_or_default();
    match action {
        LIST_ROUTERS => list_routers(agent),
        ADD => add(agent, router),
        REMOVE => remove(agent, router),
        other => Err(Error::internal(format!("'{other}' is nothing that this plugin does with agents"))),
    }
}

fn list_routers(agent: &str) -> Result<Value> {
    let rows: Vec<Hosted> = store::find(HOSTED, &Query::all().equal("agent_id", agent).sort("router_id"))?;
    let ids = rows.into_iter().map(|row| row.router_id);
    let mut found: Vec<Document> = store::find(ROUTERS, &Query::all().any_of("id", ids))?;
    for router in &mut found {
        for hidden in ["gw_port_id", "enable_snat"] {
            router.remove(hidden);
        }
    }
    Ok(json!({ "routers": found }))
}

/// What the API shows of agents.
const SHOWN: [&str; 15] = [
    "id",
    "agent_type",
    "binary",
    "topic",
    "host",
    "admin_state_up",
    "created_at",
    "started_at",
    "heartbeat_timestamp",
    "description",
    "resources_synced",
    "availability_zone",
    "alive",
    "configurations",
    "resource_versions",
];

fn list_agents(router: &str) -> Result<Value> {
    let ids = of(router)?.map(|hosted| hosted.agent_id);
    let mut found: Vec<Document> = resources::find(AGENTS, &Query::all().any_of("id", ids))?;
    for agent in &mut found {
        agent.retain(|name, _| SHOWN.contains(&name.as_str()));
        for absent in ["ha_chassis_priority", "ha_state"] {
            agent.insert(absent.to_owned(), Value::Null);
        }
    }
    Ok(json!({ "agents": found }))
}

fn agent(id: &str) -> Result<Candidate> {
    let found: Option<Document> = resources::get(AGENTS, id)?;
    let found =
        found.ok_or_else(|| Error::not_found("AgentNotFound", format!("Agent {id} could not be found.")))?;
    let is_able = found.get("admin_state_up") == Some(&Value::Bool(true));
    if text(&found, "agent_type") != L3 || !is_able {
        let message = format!("Agent {id} is not a L3 Agent or has been disabled.");
        return Err(Error::conflict("InvalidL3Agent", message));
    }
    Ok(Candidate::deserialize(Value::Object(found))?)
}

fn add(id: &str, router: &str) -> Result<Value> {
    routers::get(router)?;
    let agent = agent(id)?;
    match of(router)? {
        Some(hosted) if hosted.agent_id == id => {}
        Some(hosted) => {
            let message =
                format!("The router {router} has been already hosted by the L3 Agent {}.", hosted.agent_id);
            return Err(Error::conflict("RouterHostedByL3Agent", message));
        }
        None => updated(&host(router, &agent)?)?,
    }
    rpc::notify("l3_agent.router.add", &json!({"agent": {"id": id, "router_id": router}}))?;
    Ok(Value::Null)
}

fn remove(id: &str, router: &str) -> Result<Value> {
    let found = of(router)?.filter(|hosted| hosted.agent_id == id);
    let hosted = found.ok_or_else(|| {
        let message = format!("The router {router} is not hosted by L3 agent {id}.");
        Error::conflict("RouterNotHostedByL3Agent", message)
    })?;
    store::delete(HOSTED, std::slice::from_ref(&hosted.id))?;
    store::update::<Document>(ROUTERS, router, &json!({"availability_zones": []}))?;
    let to = rpc::to(&format!("{TOPIC}.{}", hosted.host)).version("1.1");
    to.cast("router_removed_from_agent", &json!({"payload": {"router_id": router}}))?;
    rpc::notify("l3_agent.router.remove", &json!({"agent": {"id": id, "router_id": router}}))?;
    Ok(Value::Null)
}

/// Who serves a router, which must be there.
pub(crate) fn agents_of(router: &str) -> Result<Value> {
    match store::count(ROUTERS, &Query::all().equal("id", router))? {
        0 => Err(errors::router_not_found(router)),
        _ => list_agents(router),
    }
}
