//! Firewalls: rules, policies that put them in an order, and groups of ports that
//! policies apply to.

use hadron_networking_tests::world;
use hadron_sdk_testing::{Answer, Client, Error, Result, Server};
use serde_json::{Value, json};

#[path = "firewall/agents.rs"]
mod agents;
#[path = "firewall/client.rs"]
mod client;
#[path = "firewall/defaults.rs"]
mod defaults;
#[path = "firewall/groups.rs"]
mod groups;
#[path = "firewall/policies.rs"]
mod policies;
#[path = "firewall/rules.rs"]
mod rules;

const NOBODY: &str = "11111111-2222-4333-8444-555555555555";
const PLUGINS: [&str; 2] = ["service-providers", "firewall"];

fn builder() -> hadron_sdk_testing::Builder {
    world::builder().service_plugins(&PLUGINS)
}

async fn server() -> Result<Server> {
    builder().start().await
}

/// The URL of a kind of resource, or of one of them.
fn path(member: &str, id: &str) -> String {
    let plural = match member.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{member}s"),
    };
    format!("/v2.0/fwaas/firewall_{plural}{}{id}", if id.is_empty() { "" } else { "/" })
}

async fn ask(client: &Client, member: &str, document: Value) -> Result<Answer> {
    client.post(&path(member, ""), &json!({ format!("firewall_{member}"): document })).await
}

async fn create(client: &Client, member: &str, document: Value) -> Result<Value> {
    Ok(ask(client, member, document).await?.expect(201)?[format!("firewall_{member}")].take())
}

/// The id of what is made so.
async fn made(client: &Client, member: &str, document: Value) -> Result<String> {
    id(&create(client, member, document).await?)
}

fn id(document: &Value) -> Result<String> {
    world::text(document, "/id")
}

async fn show(client: &Client, member: &str, id: &str) -> Result<Value> {
    Ok(client.get(&path(member, id)).await?.expect(200)?[format!("firewall_{member}")].take())
}

async fn put(client: &Client, member: &str, id: &str, changes: Value) -> Result<Answer> {
    client.put(&path(member, id), &json!({ format!("firewall_{member}"): changes })).await
}

async fn list(client: &Client, member: &str, query: &str) -> Result<Vec<Value>> {
    let path = path(member, "");
    let body = client.get(&format!("{path}{query}")).await?.expect(200)?;
    let name = path.rsplit('/').next().unwrap_or_default();
    body[name].as_array().cloned().ok_or_else(|| Error::new(format!("no list of {name} in {body}")))
}

/// A refusal of what is asked to be made.
async fn refused(client: &Client, member: &str, document: Value, status: u16) -> Result<(String, String)> {
    ask(client, member, document).await?.expect_error(status)
}

/// A router's port into a network of its own project; its id.
async fn interface(client: &Client, network: &str) -> Result<String> {
    port(client, network, "network:router_interface").await
}

async fn port(client: &Client, network: &str, owner: &str) -> Result<String> {
    let document = json!({"network_id": network, "device_owner": owner});
    id(&world::create(client, "port", document).await?)
}
