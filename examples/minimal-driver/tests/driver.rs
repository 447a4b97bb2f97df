//! The driver in the real runtime: `cargo test -p hadron-example-minimal-driver`.

use hadron_sdk_testing::{Plugin, Result, Server, build_guest};
use serde_json::json;

#[tokio::test]
async fn only_networks_named_after_tests_are_refused() -> Result {
    let driver = build_guest(env!("CARGO_MANIFEST_DIR")).await?;
    let server = Server::builder().plugin(Plugin::new("minimal-driver", driver)).start().await?;

    let fine = json!({"network": {"name": "blue"}});
    let network = server.post("/v2.0/networks", &fine).await?.expect(201)?;
    assert_eq!(network["network"]["name"], "blue");

    let refused = json!({"network": {"name": "a test"}});
    let (_, message) = server.post("/v2.0/networks", &refused).await?.expect_error(409)?;
    assert!(message.contains("'a test' is not allowed"), "{message}");
    Ok(())
}
