//! Small questions to a server.

use hadron_sdk_testing::{Client, Error, Result, Server, until};
use serde_json::{Value, json};
use std::time::Duration;

/// Makes a resource: its whole document. `member` is `network`, `port`, ….
pub async fn create(client: &Client, member: &str, body: Value) -> Result<Value> {
    let answer = client.post(&format!("/v2.0/{member}s"), &json!({ member: body })).await?.expect(201)?;
    answer.get(member).cloned().ok_or_else(|| Error::new(format!("there is no '{member}' in {answer}")))
}

/// The id of a document.
pub fn id_of(document: &Value) -> &str {
    document.get("id").and_then(Value::as_str).unwrap_or_default()
}

/// A port on that network, plugged in on a host.
pub async fn port_on(client: &Client, network: &Value, name: &str, host: &str) -> Result<Value> {
    let body = json!({"network_id": id_of(network), "name": name, "binding:host_id": host});
    create(client, "port", body).await
}

/// Waits until nothing waits in the journal for this plugin.
pub async fn drained(server: &Server, plugin: &str, limit: Duration) -> Result<()> {
    until(&format!("the journal to have nothing for {plugin}"), limit, || async {
        let waiting = server.cli_json(&["journal", "list", "--plugin", plugin]).await?;
        Ok(waiting.as_array().is_some_and(Vec::is_empty).then_some(()))
    })
    .await
}

/// State and reason of a plugin, as `hadron plugin list` tells them.
pub async fn plugin_state(server: &Server, name: &str) -> Result<(String, String)> {
    let plugins = server.cli_json(&["plugin", "list"]).await?;
    let list = plugins.get("plugins").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let plugin = list
        .iter()
        .find(|plugin| plugin.get("name") == Some(&json!(name)))
        .ok_or_else(|| Error::new(format!("there is no plugin {name} in {plugins}")))?;
    let text = |member: &str| plugin.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok((text("state"), text("reason")))
}
