//! Agents: rows exist because agents report, and what requests do to them. In
//! Neutron: `AgentDbMixin`, `AgentExtRpcCallback`.

mod attributes;
mod state;
pub(crate) mod topics;
mod understood;

pub(crate) use attributes::{COLLECTION, EXTENSIONS, POLICY, collections};
pub(crate) use state::{DHCP, L3, wires};
pub(crate) use understood::{is_heard, versions as understood};

use crate::document::{differing, flag, set, text};
use crate::{dhcp, dvr, errors, time, zones};
use attributes::HEARTBEATS;
use hadron_sdk::manifest::ConfigKey;
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, Comparison, Query};
use hadron_sdk::{Agent, Document, Error, Result, config, log, random, resources, rpc};
use serde::Deserialize;
use state::{State, Status};

/// The configuration key with the age of a heartbeat, in seconds, from which on
/// an agent is dead.
const DOWN_TIME: &str = "agent_down_time";

/// The configuration key for whether agents that nobody heard of are enabled.
const ENABLE_NEW: &str = "enable_new_agents";

/// Dead agents that one tick finds, at most.
const MOST_DEAD: u32 = 100;

/// Configuration keys, with Neutron's names and defaults.
pub(crate) fn config() -> [ConfigKey; 2] {
    let key = |name: &str, description: &str, default: Value| ConfigKey {
        name: name.to_owned(),
        description: description.to_owned(),
        default,
    };
    [
        key(
            DOWN_TIME,
            "age of an agent's last report from which on it counts as dead, seconds; at least twice the interval of reports",
            json!(75),
        ),
        key(ENABLE_NEW, "whether agents are enabled (admin_state_up) when they first report", json!(true)),
    ]
}

/// Age of a heartbeat, in seconds, from which on an agent is dead.
pub(crate) fn down_time() -> Result<i64> {
    config::or(DOWN_TIME, 75)
}

/// An agent as rules need it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct AgentRow {
    pub(crate) id: String,
    pub(crate) agent_type: String,
    pub(crate) host: String,
    pub(crate) alive: bool,
    pub(crate) admin_state_up: bool,
    #[serde(default)]
    pub(crate) availability_zone: Option<String>,
    #[serde(default)]
    pub(crate) configurations: Value,
}

/// The plugin was loaded: agents that are there may have reported to another
/// version of it.
pub(crate) fn recall() -> Result<()> {
    understood::recall()
}

/// Agents of these hosts.
pub(crate) fn rows_of_hosts<'a>(hosts: impl IntoIterator<Item = &'a str>) -> Result<Vec<AgentRow>> {
    store::find(COLLECTION, &Query::all().any_of("host", hosts))
}

/// Agents of these hosts, as drivers see them.
pub(crate) fn of_hosts(hosts: &[String]) -> Result<Vec<Agent>> {
    let rows = rows_of_hosts(hosts.iter().map(String::as_str))?;
    Ok(rows
        .into_iter()
        .map(|row| Agent {
            id: row.id,
            agent_type: row.agent_type,
            host: row.host,
            alive: row.alive,
            configurations: row.configurations.to_string(),
        })
        .collect())
}

fn of_type_on(agent_type: &str, host: &str) -> Query {
    Query::all().equal("agent_type", agent_type).equal("host", host)
}

/// The agent of that type on that host.
pub(crate) fn on_host(agent_type: &str, host: &str) -> Result<Option<AgentRow>> {
    Ok(store::find(COLLECTION, &of_type_on(agent_type, host))?.pop())
}

/// Agents that fit, as the API shows them.
pub(crate) fn shown(query: &Query) -> Result<Vec<Document>> {
    let mut rows: Vec<Document> = resources::find(COLLECTION, query)?;
    let unshown = attributes::without().into_iter().chain(["heartbeat", "looked_up_to"]);
    for name in unshown {
        rows.iter_mut().for_each(|row| drop(row.remove(name)));
    }
    Ok(rows)
}

/// No client makes one.
pub(crate) fn create() -> Result<()> {
    Err(errors::bad_request("agents", "Agent creation using API is not supported."))
}

/// Enables or disables an agent, or describes it.
pub(crate) fn update(id: &str, current: &Document, changes: Document) -> Result<()> {
    let mut changes = differing(current, changes);
    let switched = set(&changes, "admin_state_up").is_some();
    if switched && flag(&changes, "admin_state_up") {
        changes.insert("looked_up_to".to_owned(), state::begin(text(current, "agent_type")));
    }
    let agent: AgentRow = store::update(COLLECTION, id, &changes)?;
    if switched {
        zones::settle(&agent.agent_type, agent.availability_zone.as_deref())?;
        if [DHCP, L3].contains(&agent.agent_type.as_str()) {
            let payload = json!({"payload": {"admin_state_up": agent.admin_state_up}});
            rpc::cast(&format!("{}.{}", text(current, "topic"), agent.host), "agent_updated", &payload)?;
        }
    }
    Ok(())
}

/// Forgets agents; one that still runs is back with its next report.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    let ids: Vec<String> = documents.iter().map(|document| text(document, "id").to_owned()).collect();
    let networks = dhcp::networks_of(&ids)?;
    store::delete(COLLECTION, &ids)?;
    store::delete(HEARTBEATS, &ids)?;
    understood::forget()?;
    dvr::hosts_gone(documents)?;
    for document in documents {
        zones::settle(
            text(document, "agent_type"),
            set(document, "availability_zone").and_then(Value::as_str),
        )?;
    }
    dhcp::show_zones(&networks)
}

/// A message from an agent on its state.
pub(crate) fn receive(method: &str, arguments: &Value) -> Result<Value> {
    match method {
        "has_alive_neutron_server" => Ok(json!(true)),
        "report_state" => report(arguments),
        "get_agents" => Ok(json!(shown(&crate::rpc::filtered(arguments)?)?)),
        "delete_agent" => forget(arguments),
        other => Err(crate::rpc::no_such_method(other)),
    }
}

/// Writes down that an agent lives, and what it says about itself.
fn report(arguments: &Value) -> Result<Value> {
    let state = State::of(arguments)?;
    let down_time = down_time()?;
    let sent = arguments.get("time").and_then(Value::as_str).unwrap_or_default();
    if state::is_stale(sent, &time::ago(down_time)) {
        log::debug(&format!("a report of the {} on {} is too old: {sent}", state.agent_type, state.host));
        return Ok(Value::Null);
    }
    let now = time::ago(0);
    let heartbeat = json!({"at": now, "until": time::ago(-down_time)});
    let found: Option<Document> = store::find(COLLECTION, &of_type_on(&state.agent_type, &state.host))?.pop();
    let status = match found {
        Some(row) => reported_again(&row, &state, &now, &heartbeat)?,
        None => reported_first(&state, &now, heartbeat)?,
    };
    Ok(json!(status.word()))
}

fn reported_first(state: &State, now: &str, mut heartbeat: Value) -> Result<Status> {
    let id = random::uuid();
    if let Some(members) = heartbeat.as_object_mut() {
        members.insert("id".to_owned(), json!(id));
    }
    store::insert(HEARTBEATS, &[heartbeat])?;
    let row = state.new_row(&id, config::or(ENABLE_NEW, true)?, now);
    store::insert(COLLECTION, std::slice::from_ref(&row))?;
    understood::learn(&row)?;
    zones::settle(&state.agent_type, state.availability_zone.as_deref())?;
    Ok(Status::New)
}

fn reported_again(row: &Document, state: &State, now: &str, heartbeat: &Value) -> Result<Status> {
    let id = text(row, "id");
    store::update::<Document>(HEARTBEATS, id, heartbeat)?;
    let (status, changes) = state.changes(row, now);
    if changes.is_empty() {
        return Ok(status);
    }
    let moved = changes.contains_key("availability_zone");
    let written: Document = store::update(COLLECTION, id, &changes)?;
    match status {
        Status::Revived => understood::learn(&written)?,
        _ => understood::learn_change(row, &written)?,
    }
    if moved {
        zones::settle(&state.agent_type, set(row, "availability_zone").and_then(Value::as_str))?;
        zones::settle(&state.agent_type, state.availability_zone.as_deref())?;
        dhcp::show_zones(&dhcp::networks_of(&[id.to_owned()])?)?;
    }
    Ok(status)
}

/// An agent goes for good and says so.
fn forget(arguments: &Value) -> Result<Value> {
    let word = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default();
    let found: Vec<Document> = store::find(COLLECTION, &of_type_on(word("agent_type"), word("host")))?;
    if !found.is_empty() {
        delete(&found)?;
    }
    Ok(Value::Null)
}

/// Finds agents that have not been heard of for too long.
/// In Neutron: `agent_health_check`.
pub(crate) fn bury() -> Result<()> {
    let due = Query::all().condition("until", Comparison::Less, [time::ago(0)]).limit(MOST_DEAD);
    let due: Vec<Document> = store::find(HEARTBEATS, &due)?;
    for heartbeat in &due {
        let id = text(heartbeat, "id");
        store::update::<Document>(HEARTBEATS, id, &json!({"until": null}))?;
        let agent: AgentRow = store::update(COLLECTION, id, &json!({"alive": false}))?;
        log::warn(&format!("the {} on {} does not report any more", agent.agent_type, agent.host));
    }
    if due.is_empty() { Ok(()) } else { understood::forget() }
}

/// An agent for which rows waited that were not all looked through yet.
pub(crate) struct Behind {
    /// The agent.
    pub(crate) agent: AgentRow,
    /// All up to this id were.
    pub(crate) looked_up_to: String,
}

/// Some of those agents.
pub(crate) fn behind(most: u32) -> Result<Vec<Behind>> {
    let query = Query::all().condition("looked_up_to", Comparison::Greater, [""]).limit(most);
    store::find::<Document>(COLLECTION, &query)?
        .iter()
        .map(|row| {
            Ok(Behind {
                agent: crate::document::row(row)?,
                looked_up_to: text(row, "looked_up_to").to_owned(),
            })
        })
        .collect()
}

/// Notes how far the rows that waited for an agent were looked through; none:
/// all were.
pub(crate) fn looked_up_to(agent: &str, id: Option<String>) -> Result<()> {
    store::update::<Document>(COLLECTION, agent, &json!({"looked_up_to": id})).map(drop)
}

/// The error for an agent that is not there.
pub(crate) fn not_found(id: &str) -> Error {
    Error::not_found("AgentNotFound", format!("Agent {id} could not be found."))
}
