//! What is deleted along with something else is told like any other deletion:
//! a network's subnets and the ports that nobody asks about.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests"
)]

use hadron_sdk_testing::{Plugin, Result, Server, build_guest};
use hadron_tests_drivers::{create, id_of};
use serde_json::{Value, json};

const LISTENER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/guests/listener");

async fn server() -> Result<Server> {
    let listener = Plugin::new("listener", build_guest(LISTENER).await?).service();
    Server::builder().mechanism_drivers(&[]).plugin(listener).start().await
}

/// `before <id>`, `after <id>`, sorted.
async fn heard(server: &Server) -> Result<Vec<String>> {
    let rows = server.get("/v2.0/heards").await?.expect(200)?;
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let rows = rows["heards"].as_array().cloned().unwrap_or_default();
    let mut heard: Vec<String> =
        rows.iter().map(|row| format!("{} {}", text(row, "moment"), text(row, "about"))).collect();
    heard.sort();
    Ok(heard)
}

#[tokio::test]
async fn subscribers_hear_of_what_is_deleted_with_a_network_and_may_veto() -> Result {
    let server = server().await?;
    let client = server.client();
    let network = create(&client, "network", json!({"name": "n"})).await?;
    let network = id_of(&network);
    let subnet = json!({"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/24", "name": "keep"});
    let subnet = id_of(&create(&client, "subnet", subnet).await?).to_owned();
    let port = json!({"network_id": network, "device_owner": "network:dhcp"});
    let port = id_of(&create(&client, "port", port).await?).to_owned();

    let path = format!("/v2.0/networks/{network}");
    let (kind, message) = server.delete(&path).await?.expect_error(409)?;
    assert_eq!(kind, "Kept");
    assert!(message.contains(&subnet), "{message}");
    assert_eq!(heard(&server).await?, Vec::<String>::new(), "a veto leaves nothing behind");
    server.get(&format!("/v2.0/ports/{port}")).await?.expect(200)?;

    let renamed = json!({"subnet": {"name": "go"}});
    server.put(&format!("/v2.0/subnets/{subnet}"), &renamed).await?.expect(200)?;
    server.delete(&path).await?.expect(204)?;
    let mut expected: Vec<String> = [network, &subnet, &port]
        .iter()
        .flat_map(|id| [format!("before {id}"), format!("after {id}")])
        .collect();
    expected.sort();
    assert_eq!(heard(&server).await?, expected, "each once");
    Ok(())
}

#[tokio::test]
async fn what_is_deleted_directly_is_told_once() -> Result {
    let server = server().await?;
    let client = server.client();
    let network = create(&client, "network", json!({"name": "n"})).await?;
    let port = create(&client, "port", json!({"network_id": id_of(&network)})).await?;
    let port = id_of(&port);
    server.delete(&format!("/v2.0/ports/{port}")).await?.expect(204)?;
    assert_eq!(heard(&server).await?, [format!("after {port}"), format!("before {port}")]);
    Ok(())
}
