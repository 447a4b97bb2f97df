//! The server of these tests, and what they create on it.

use hadron_sdk_testing::{Builder, Client, Error, Result, Server};
use serde_json::{Value, json};

/// Networks of the type vlan there can be on `physnet1`.
pub const SEGMENTS: usize = 8;

/// A server with ML2 and its type drivers, `physnet1` with a few VLANs, and any
/// flat network.
pub fn builder() -> Builder {
    Server::builder().mechanism_drivers(&[]).config(&format!(
        "[plugin.vlan.config]\nnetwork_vlan_ranges = [\"physnet1:201:{}\"]\n\
         [plugin.flat.config]\nflat_networks = [\"*\"]\n",
        200 + SEGMENTS
    ))
}

/// The server on SQLite.
pub async fn sqlite() -> Result<Server> {
    builder().start().await
}

/// The server on PostgreSQL; none where that is not installed.
pub async fn postgres() -> Result<Option<Server>> {
    postgres_with("").await
}

/// As `postgres`, with more configuration.
pub async fn postgres_with(toml: &str) -> Result<Option<Server>> {
    let Some(postgres) = hadron_test_support::shared() else { return Ok(None) };
    builder().config(toml).database(&postgres.fresh_database().await).start().await.map(Some)
}

/// A member of an answer's resource: `/port/id`.
pub fn text(body: &Value, pointer: &str) -> Result<String> {
    let found = body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    found.ok_or_else(|| Error::new(format!("no {pointer} in {body}")))
}

/// Creates a resource; its document.
pub async fn create(client: &Client, member: &str, document: Value) -> Result<Value> {
    let body = client.post(&format!("/v2.0/{member}s"), &json!({member: document})).await?.expect(201)?;
    body.get(member).cloned().ok_or_else(|| Error::new(format!("no {member} in {body}")))
}

/// A network; its id.
pub async fn network(client: &Client, name: &str) -> Result<String> {
    text(&create(client, "network", json!({"name": name})).await?, "/id")
}

/// A subnet of a network; its id.
pub async fn subnet(client: &Client, network: &str, cidr: &str) -> Result<String> {
    let version = if cidr.contains(':') { 6 } else { 4 };
    let document = json!({"network_id": network, "ip_version": version, "cidr": cidr});
    text(&create(client, "subnet", document).await?, "/id")
}

/// A port of a network; its document.
pub async fn port(client: &Client, network: &str) -> Result<Value> {
    create(client, "port", json!({"network_id": network})).await
}

/// A list's rows.
pub async fn list(client: &Client, path: &str) -> Result<Vec<Value>> {
    let body = client.get(path).await?.expect(200)?;
    let kind = path.trim_start_matches("/v2.0/").split(['?', '/']).next().unwrap_or_default();
    body.get(kind)
        .and_then(Value::as_array)
        .cloned()
        .ok_or_else(|| Error::new(format!("no list of {kind} in {body}")))
}
