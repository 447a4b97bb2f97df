//! What agents say and ask. In Neutron: `FirewallAgentCallbacks`.

use crate::driver::Known;
use crate::groups::{self, Group, status};
use hadron_sdk::manifest::Topic;
use hadron_sdk::serde_json::{Map, Value, json};
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Error, Result, log};
use std::collections::BTreeSet;

const TOPIC: &str = "q-firewall-plugin";

/// What changes nothing.
const READS: [&str; 3] =
    ["get_firewall_groups_for_project", "get_projects_with_firewall_groups", "get_firewall_group_for_port"];

/// Where agents speak of groups. Those of version 1.1 take dictionaries too.
pub(crate) fn topic() -> Topic {
    Topic::new(TOPIC).version("1.1").reads(&READS)
}

/// Handles a message of an agent.
pub(crate) fn receive(method: &str, arguments: &Value) -> Result<Value> {
    let word = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default();
    match method {
        "set_firewall_group_status" => set_status(word("fwg_id"), word("status")).map(Value::from),
        "firewall_group_deleted" => deleted(word("fwg_id")).map(Value::from),
        "get_firewall_groups_for_project" => enforced(),
        "get_projects_with_firewall_groups" => projects(),
        "get_firewall_group_for_port" => of_port(word("port_id")),
        other => Err(Error::no_such_method(TOPIC, other)),
    }
}

/// An agent says how a group is; the answer is whether that is well.
fn set_status(id: &str, said: &str) -> Result<bool> {
    let Some(mut group) = store::get::<Group>(groups::COLLECTION, id)? else { return Ok(false) };
    let kept = status::reported(said);
    groups::set_status(&mut group, kept)?;
    Ok(kept != status::ERROR)
}

/// An agent says that it has removed a group. That is well where it could not
/// enforce it; another group is in error then.
fn deleted(id: &str) -> Result<bool> {
    let Some(mut group) = store::get::<Group>(groups::COLLECTION, id)? else { return Ok(true) };
    if group.status == status::ERROR {
        groups::remove(&group)?;
        return Ok(true);
    }
    log::warn(&format!("an agent has removed firewall group {id}, which is {}", group.status));
    groups::set_status(&mut group, status::ERROR)?;
    Ok(false)
}

/// Groups that are enforced somewhere.
fn with_ports() -> Result<Vec<Group>> {
    let mut groups: Vec<Group> = store::find(groups::COLLECTION, &Query::all())?;
    groups.retain(|group| !group.aim.ports.is_empty());
    Ok(groups)
}

/// Groups with their rules, of all projects: of which one the agent asks it says
/// in the context of its message, which is not handed on. It takes those that
/// have ports of its routers.
fn enforced() -> Result<Value> {
    let groups = with_ports()?;
    let known = Known::load(groups.iter())?;
    let render = |group: &Group| {
        let mut rendered = known.render(group);
        rendered.insert("add-port-ids".to_owned(), json!(group.aim.ports));
        rendered.insert("del-port-ids".to_owned(), json!([]));
        rendered
    };
    let rendered: Vec<Map<String, Value>> = groups.iter().map(render).collect();
    Ok(json!(rendered))
}

fn projects() -> Result<Value> {
    let groups = with_ports()?;
    let projects: BTreeSet<&str> = groups.iter().map(|group| group.project_id.as_str()).collect();
    Ok(json!(projects))
}

fn of_port(port: &str) -> Result<Value> {
    let groups = groups::with_ports([port].into_iter())?;
    let Some(group) = groups.first() else { return Ok(Value::Null) };
    Ok(Value::Object(Known::load(groups.iter())?.render(group)))
}
