//! `?dry_run=true`: everything is done, and nothing has happened.

use super::everything;
use hadron_api_tests::world::{builder, create, network, port, postgres, subnet, text};
use hadron_sdk_testing::{Answer, Result, Server, until};
use serde_json::{Value, json};
use std::time::Duration;

fn says_so(answer: &Answer) -> bool {
    answer.headers.get("x-hadron-dry-run").is_some_and(|value| value == "true")
}

/// Calls of the driver that writes them down, after a commit.
fn delivered(server: &Server) -> usize {
    server.log().lines().filter(|line| line.contains("postcommit")).count()
}

async fn nothing_is_kept(server: Server) -> Result {
    let client = server.client();
    let net = network(&client, "a").await?;
    subnet(&client, &net, "10.0.0.0/29").await?;
    let own = port(&client, &net).await?;
    let before = everything(&client).await?;
    until("the journal to be empty", Duration::from_secs(10), || async {
        let entries = server.cli_json(&["journal", "list"]).await?;
        Ok((entries == json!([])).then_some(()))
    })
    .await?;
    let told = delivered(&server);

    let body = json!({"port": {"network_id": net, "name": "p"}});
    let made = client.post("/v2.0/ports?dry_run=true", &body).await?;
    assert!(says_so(&made));
    let made = made.expect(201)?;
    assert!(made["port"]["fixed_ips"][0]["ip_address"].is_string(), "{made}");
    let id = text(&made, "/port/id")?;
    client.get(&format!("/v2.0/ports/{id}")).await?.expect(404)?;

    let port = format!("/v2.0/ports/{}", text(&own, "/id")?);
    let changed = client.put(&format!("{port}?dry_run=true"), &json!({"port": {"name": "q"}})).await?;
    assert!(says_so(&changed));
    assert_eq!(changed.expect(200)?["port"]["name"], "q");
    let gone = client.delete(&format!("{port}?dry_run=true")).await?;
    assert!(says_so(&gone) && gone.status == 204);
    client.post("/v2.0/networks?dry_run=true", &json!({"networks": [{}, {}]})).await?.expect(201)?;

    assert_eq!(everything(&client).await?, before);
    let entries = server.cli_json(&["journal", "list"]).await?;
    assert_eq!(entries.as_array().map(Vec::len), Some(0), "{entries}");
    assert_eq!(delivered(&server), told, "a driver was told of what did not happen");
    // Pools too are as they were: four addresses are left, whatever was tried.
    for _ in 0..6 {
        client.post("/v2.0/ports?dry_run=1", &body).await?.expect(201)?;
    }
    for _ in 0..4 {
        create(&client, "port", json!({"network_id": net})).await?;
    }
    client.post("/v2.0/ports", &body).await?.expect(409)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_kept_on_sqlite() -> Result {
    let server = builder().mechanism_drivers(&["logger"]).start().await?;
    network(&server.client(), "seen by the driver").await?;
    assert_ne!(delivered(&server), 0);
    nothing_is_kept(server).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_kept_on_postgres() -> Result {
    match postgres().await? {
        Some(server) => nothing_is_kept(server).await,
        None => Ok(()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_the_real_ones() -> Result {
    let server = builder().start().await?;
    let admin = server.client();
    let member = server.client().member_of("p2")?;
    let net = network(&admin, "a").await?;
    subnet(&admin, &net, "10.0.0.0/24").await?;
    port(&admin, &net).await?;
    let ours = format!("/v2.0/networks/{net}");
    let wrong: [(&str, &str, Value); 6] = [
        ("POST", "/v2.0/networks", json!({"network": {"nosuch": 1}})),
        ("POST", "/v2.0/networks", json!({"network": {"shared": true}})),
        ("POST", "/v2.0/ports", json!({"port": {"network_id": net}})),
        ("PUT", &ours, json!({"network": {"name": "x"}})),
        ("DELETE", &ours, Value::Null),
        ("DELETE", "/v2.0/ports/none", Value::Null),
    ];
    for client in [&admin, &member] {
        for (method, path, body) in &wrong {
            let method: reqwest::Method = method.parse().expect("a method");
            let bytes = (!body.is_null()).then(|| body.to_string().into_bytes());
            let dry = client.send(method.clone(), &format!("{path}?dry_run=true"), bytes.clone()).await?;
            if dry.status < 300 {
                continue;
            }
            let real = client.send(method, path, bytes).await?;
            assert_eq!((dry.status, dry.body), (real.status, real.body), "{path} {body}");
        }
    }
    // What the administrator's own network is in use for is found as well.
    let (kind, _) = admin.delete(&format!("{ours}?dry_run=true")).await?.expect_error(409)?;
    assert_eq!(kind, "NetworkInUse");
    admin.post("/v2.0/networks?dry_run=perhaps", &json!({"network": {}})).await?.expect(400)?;
    Ok(())
}
