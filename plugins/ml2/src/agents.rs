//! Agents that drivers bind ports with. Nothing registers any yet: the private
//! collection is empty, so drivers that need an agent decline.

use hadron_sdk::manifest::{Attribute, Collection, Key, Validator};
use hadron_sdk::serde_json::Value;
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Agent, Result};
use serde::Deserialize;

const COLLECTION: &str = "known_agents";

#[derive(Deserialize)]
struct Row {
    id: String,
    agent_type: String,
    host: String,
    #[serde(default)]
    alive: bool,
    #[serde(default)]
    configurations: Value,
}

/// The declaration of the private collection.
pub(crate) fn collection() -> Collection {
    let attribute =
        |name: &str, validate| Attribute { name: name.to_owned(), validate, ..Attribute::default() };
    Collection {
        name: COLLECTION.to_owned(),
        member: "known_agent".to_owned(),
        private: true,
        attributes: vec![
            attribute("agent_type", Validator::String { max: Some(255) }),
            attribute("host", Validator::String { max: Some(255) }),
            attribute("alive", Validator::Boolean),
            attribute("configurations", Validator::Dict),
        ],
        keys: vec![Key {
            name: "agent".to_owned(),
            attributes: vec!["host".to_owned(), "agent_type".to_owned()],
        }],
        ..Collection::default()
    }
}

/// Agents of these hosts.
pub(crate) fn of_hosts(hosts: &[String]) -> Result<Vec<Agent>> {
    let rows: Vec<Row> = store::find(COLLECTION, &Query::all().any_of("host", hosts.iter().cloned()))?;
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
