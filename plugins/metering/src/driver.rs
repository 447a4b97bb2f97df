//! Having traffic counted: what Neutron's metering agents are told. A vendor's
//! driver would stand here. In Neutron: `MeteringAgentNotifyAPI`.
//!
//! Only agents that live are told. A router that is at a host is the business of
//! the agent there, and one that is at none of all: an agent passes over routers
//! that it does not find beside it.

use crate::labels::Label;
use crate::routers::Router;
use crate::rules::Rule;
use crate::{labels, routers, rules, views};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::Query;
use hadron_sdk::{Error, Result, resources, rpc};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Where agents listen.
const TOPIC: &str = "metering_agent";

/// The collection of the core plugin with agents.
pub(crate) const AGENTS: &str = "agents";
/// As metering agents call themselves.
const KIND: &str = "Metering agent";

#[derive(Deserialize)]
struct Agent {
    host: String,
}

/// The hosts of agents that would hear.
fn listeners() -> Result<BTreeSet<String>> {
    let query = Query::all().equal("agent_type", KIND).equal("alive", true);
    match resources::find::<Agent>(AGENTS, &query) {
        Ok(agents) => Ok(agents.into_iter().map(|agent| agent.host).collect()),
        Err(Error::NotFound(_)) => Ok(BTreeSet::new()),
        Err(error) => Err(error),
    }
}

/// Tells the agents of some routers what is to be told of each.
fn tell(method: &str, routers: &[Router], view: impl FnOnce(&[Router]) -> Result<Vec<Value>>) -> Result<()> {
    let hosts = routers::hosts(routers)?;
    let listeners = listeners()?;
    let mut told: BTreeMap<Option<&str>, Vec<Value>> = BTreeMap::new();
    for view in view(routers)? {
        let id = view.get("id").and_then(Value::as_str).unwrap_or_default();
        told.entry(hosts.get(id).map(String::as_str)).or_default().push(view);
    }
    for (host, routers) in told {
        let arguments = json!({ "routers": routers });
        match host {
            None => rpc::fanout(TOPIC, method, &arguments)?,
            Some(host) if listeners.contains(host) => {
                rpc::cast(&format!("{TOPIC}.{host}"), method, &arguments)?;
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Traffic is counted under a new label. Agents take what they are told of a
/// router for the whole of it, so it comes with its other labels.
pub(crate) fn label_added(label: &Label) -> Result<()> {
    if listeners()?.is_empty() {
        return Ok(());
    }
    let routers = routers::of_label(label)?;
    let projects: BTreeSet<&str> = routers.iter().map(|router| router.project_id.as_str()).collect();
    let labels = labels::of_projects(&projects)?;
    let rules = rules::of_labels(labels.iter().map(|label| label.id.as_str()))?;
    tell("add_metering_label", &routers, |routers| views::counted(routers, &labels, &rules))
}

/// No traffic is counted under a label any more. Its rules must still be there.
pub(crate) fn label_removed(label: &Label) -> Result<()> {
    if listeners()?.is_empty() {
        return Ok(());
    }
    let rules = rules::of_labels(std::iter::once(label.id.as_str()))?;
    let of_label = std::slice::from_ref(label);
    tell("remove_metering_label", &routers::of_label(label)?, |routers| {
        views::counted(routers, of_label, &rules)
    })
}

/// A rule is new.
pub(crate) fn rule_added(label: &Label, rule: &Rule) -> Result<()> {
    tell_of_rule("add_metering_label_rule", label, rule)
}

/// A rule is to go.
pub(crate) fn rule_removed(label: &Label, rule: &Rule) -> Result<()> {
    tell_of_rule("remove_metering_label_rule", label, rule)
}

fn tell_of_rule(method: &str, label: &Label, rule: &Rule) -> Result<()> {
    match listeners()?.is_empty() {
        true => Ok(()),
        false => tell(method, &routers::of_label(label)?, |routers| views::ruled(routers, rule)),
    }
}

/// Routers have other gateways. Agents take the routers of this message for all
/// that there are, and ask (`agents`) where there are none in it.
pub(crate) fn routers_updated() -> Result<()> {
    match listeners()?.is_empty() {
        true => Ok(()),
        false => rpc::fanout(TOPIC, "routers_updated", &json!({"routers": []})),
    }
}

/// A router is gone.
pub(crate) fn router_deleted(router: &str) -> Result<()> {
    match listeners()?.is_empty() {
        true => Ok(()),
        false => rpc::fanout(TOPIC, "router_deleted", &json!({ "router_id": router })),
    }
}
