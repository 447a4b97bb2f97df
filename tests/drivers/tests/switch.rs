//! `examples/rust-switch` against a switch that works, fails, stalls, refuses
//! and comes back.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests"
)]

use hadron_sdk_testing::{Builder, Plugin, Result, Server, build_guest, until};
use hadron_tests_drivers::{Mood, Switch, create, drained, id_of, plugin_state, port_on};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const DRIVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/rust-switch");

/// A server whose only driver is that of the switch. It is impatient, so that
/// the tests are not long.
async fn builder(switch: &Switch) -> Result<Builder> {
    let driver = Plugin::new("rust-switch", build_guest(DRIVER).await?)
        .http(switch.url())
        .secret("token", "env:SWITCH_TOKEN")
        .config("endpoint", switch.endpoint())
        .config("timeout_ms", 300)
        .config("hosts", json!(["rack-1", "rack-2"]));
    Ok(Server::builder()
        .mechanism_drivers(&[])
        .plugin(driver)
        .environment("SWITCH_TOKEN", "s3cret")
        .config("[runtime]\ndelivery_budget_ms = 1000\n"))
}

async fn both() -> Result<(Switch, Server)> {
    let switch = Switch::start().await?;
    let server = builder(&switch).await?.start().await?;
    Ok((switch, server))
}

/// A network with a subnet.
async fn network(server: &Server, name: &str) -> Result<(Value, Value)> {
    let client = server.client();
    let network = create(&client, "network", json!({"name": name})).await?;
    let subnet = json!({"network_id": id_of(&network), "ip_version": 4, "cidr": "10.0.0.0/24"});
    let subnet = create(&client, "subnet", subnet).await?;
    Ok((network, subnet))
}

#[tokio::test]
async fn a_switch_that_is_well_has_everything_when_the_client_is_answered() -> Result {
    let (switch, server) = both().await?;
    let (network, subnet) = network(&server, "blue").await?;
    assert_eq!(switch.has("networks")[0].1["name"], "blue");
    assert!(switch.has("networks")[0].1["segments"][0]["id"].is_u64(), "{:?}", switch.told());
    assert_eq!(switch.has("subnets")[0].1["cidr"], "10.0.0.0/24");

    let port = port_on(&server.client(), &network, "p", "rack-1").await?;
    assert_eq!(port["binding:vif_type"], "other");
    assert_eq!(port["status"], "ACTIVE");
    let (id, has) = switch.has("ports").remove(0);
    assert_eq!(id, id_of(&port));
    assert_eq!(has["host"], "rack-1");
    assert_eq!(has["mac"], port["mac_address"]);
    assert_eq!(has["addresses"][0], port["fixed_ips"][0]["ip_address"]);
    assert!(has["segment"]["id"].is_u64());
    assert!(
        switch.header("authorization").iter().all(|value| value == "Bearer s3cret"),
        "the secret is sent"
    );
    assert!(!server.log().contains("s3cret"), "the secret is not logged");

    for (collection, document) in [("ports", &port), ("subnets", &subnet), ("networks", &network)] {
        server.delete(&format!("/v2.0/{collection}/{}", id_of(document))).await?.expect(204)?;
    }
    drained(&server, "rust-switch", Duration::from_secs(10)).await?;
    assert_eq!(switch.has("ports").len() + switch.has("subnets").len() + switch.has("networks").len(), 0);
    Ok(())
}

#[tokio::test]
async fn a_switch_is_told_whose_request_it_is_asked_for() -> Result {
    let (switch, server) = both().await?;
    let global = "req-0a1b2c3d-0a1b-4c2d-8e3f-0a1b2c3d4e5f";
    let chained = server.client().header("x-openstack-request-id", global)?;
    chained.post("/v2.0/networks", &json!({"network": {"name": "a"}})).await?.expect(201)?;
    let answer = server.post("/v2.0/networks", &json!({"network": {"name": "b"}})).await?;
    let own = answer.headers["x-openstack-request-id"].to_str().unwrap().to_owned();
    answer.expect(201)?;
    assert_eq!(switch.header("x-openstack-request-id"), [global, own.as_str()]);
    Ok(())
}

#[tokio::test]
async fn only_ports_of_the_switchs_hosts_are_bound() -> Result {
    let (_switch, server) = both().await?;
    let (network, _) = network(&server, "n").await?;
    let other = port_on(&server.client(), &network, "p", "elsewhere").await?;
    assert_eq!(other["binding:vif_type"], "binding_failed");
    let moved = json!({"port": {"binding:host_id": "rack-2"}});
    let moved = server.put(&format!("/v2.0/ports/{}", id_of(&other)), &moved).await?.expect(200)?;
    assert_eq!(moved["port"]["binding:vif_type"], "other");
    Ok(())
}

#[tokio::test]
async fn a_port_that_is_switched_off_is_reported_down() -> Result {
    let (_switch, server) = both().await?;
    let (network, _) = network(&server, "n").await?;
    let port = port_on(&server.client(), &network, "p", "rack-1").await?;
    let path = format!("/v2.0/ports/{}", id_of(&port));
    server.put(&path, &json!({"port": {"admin_state_up": false}})).await?.expect(200)?;
    until("the port to be down", Duration::from_secs(5), || async {
        let shown = server.get(&path).await?.expect(200)?;
        Ok((shown["port"]["status"] == "DOWN").then_some(()))
    })
    .await
}

/// The switch gets everything that happened while it was away, each resource's
/// changes in order, and after what it refers to.
async fn catches_up_after(mood: Mood) -> Result {
    let (switch, mut server) = both().await?;
    let before = network(&server, "before").await?.0;
    switch.set(mood);
    let (network, subnet) = network(&server, "during").await?;
    let port = port_on(&server.client(), &network, "p1", "rack-1").await?;
    let old = port_on(&server.client(), &before, "old", "rack-1").await?;
    let path = format!("/v2.0/ports/{}", id_of(&port));
    for name in ["p2", "p3"] {
        server.put(&path, &json!({"port": {"name": name}})).await?.expect(200)?;
    }
    let gone = port_on(&server.client(), &network, "gone", "rack-1").await?;
    server.delete(&format!("/v2.0/ports/{}", id_of(&gone))).await?.expect(204)?;
    assert_eq!(switch.places("PUT", id_of(&network)), [] as [usize; 0], "it is away");
    let waiting = server.cli_json(&["journal", "list", "--plugin", "rust-switch"]).await?;
    assert!(waiting.as_array().is_some_and(|entries| entries.len() >= 6), "{waiting}");

    // What waits survives the server too.
    server.kill9();
    server.restart().await?;
    switch.set(Mood::Well);
    server.cli(&["journal", "retry", "--plugin", "rust-switch"]).await?.ok()?;
    drained(&server, "rust-switch", Duration::from_secs(90)).await?;

    let first = |method: &str, document: &Value| switch.places(method, id_of(document)).first().copied();
    let network_at = first("PUT", &network);
    assert!(network_at.is_some());
    for later in [&subnet, &port] {
        assert!(first("PUT", later) > network_at, "the network comes first: {:?}", switch.told());
    }
    assert!(first("PUT", &port) > first("PUT", &subnet), "a port comes after its subnet");
    assert!(first("PUT", &old).is_some());
    let told = switch.told();
    let revisions: Vec<i64> =
        told.iter().filter(|t| t.id == id_of(&port)).filter_map(|t| t.body["revision"].as_i64()).collect();
    assert!(revisions.is_sorted(), "a port's changes come in order: {revisions:?}");
    let last = told.iter().rfind(|t| t.id == id_of(&port)).map(|t| t.body["name"].clone());
    assert_eq!(last, Some(json!("p3")));
    let of_gone: Vec<&str> =
        told.iter().filter(|t| t.id == id_of(&gone)).map(|t| t.method.as_str()).collect();
    assert_eq!(of_gone.last(), Some(&"DELETE"), "a deletion comes last: {of_gone:?}");
    assert_eq!(switch.has("ports").len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_switch_that_fails_catches_up_in_order() -> Result {
    catches_up_after(Mood::Failing(500)).await
}

#[tokio::test]
async fn a_switch_that_is_overloaded_catches_up_in_order() -> Result {
    catches_up_after(Mood::Failing(429)).await
}

#[tokio::test]
async fn a_switch_that_stalls_catches_up_in_order_and_holds_nobody_up() -> Result {
    let (switch, server) = both().await?;
    switch.set(Mood::Stalling);
    let began = Instant::now();
    network(&server, "n").await?;
    assert!(began.elapsed() < Duration::from_secs(5), "two creates took {:?}", began.elapsed());
    drop(server);
    catches_up_after(Mood::Stalling).await
}

#[tokio::test]
async fn the_journal_catches_up_by_itself() -> Result {
    let (switch, server) = both().await?;
    switch.set(Mood::Failing(503));
    network(&server, "n").await?;
    switch.set(Mood::Well);
    drained(&server, "rust-switch", Duration::from_secs(60)).await?;
    assert_eq!((switch.has("networks").len(), switch.has("subnets").len()), (1, 1));
    Ok(())
}

#[tokio::test]
async fn a_refused_create_is_undone_and_the_client_gets_the_error() -> Result {
    let (switch, server) = both().await?;
    let (network, _) = network(&server, "n").await?;
    switch.set(Mood::Refusing("unwanted".into()));
    let refused = server.post("/v2.0/networks", &json!({"network": {"name": "unwanted"}})).await?;
    let (kind, message) = refused.expect_error(409)?;
    assert_eq!(kind, "SwitchRefused");
    assert!(message.contains("no room for unwanted"), "{message}");
    let body =
        json!({"port": {"network_id": id_of(&network), "name": "unwanted", "binding:host_id": "rack-1"}});
    server.post("/v2.0/ports", &body).await?.expect_error(409)?;

    let networks = server.get("/v2.0/networks?name=unwanted").await?.expect(200)?;
    assert_eq!(networks["networks"], json!([]));
    let ports = server.get("/v2.0/ports").await?.expect(200)?;
    assert_eq!(ports["ports"], json!([]));
    drained(&server, "rust-switch", Duration::from_secs(10)).await?;
    assert_eq!(switch.has("ports").len(), 0);
    // What the refused port had taken is free again.
    switch.set(Mood::Well);
    for _ in 0..3 {
        port_on(&server.client(), &network, "wanted", "rack-1").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_refused_resource_undoes_the_whole_bulk() -> Result {
    let (switch, server) = both().await?;
    switch.set(Mood::Refusing("unwanted".into()));
    let bulk = json!({"networks": [{"name": "a"}, {"name": "b"}, {"name": "unwanted"}, {"name": "c"}]});
    let (kind, _) = server.post("/v2.0/networks", &bulk).await?.expect_error(409)?;
    assert_eq!(kind, "SwitchRefused");
    let networks = server.get("/v2.0/networks").await?.expect(200)?;
    assert_eq!(networks["networks"], json!([]));
    drained(&server, "rust-switch", Duration::from_secs(10)).await?;
    assert_eq!(switch.has("networks"), [], "what the switch had taken of the bulk is gone too");
    Ok(())
}

#[tokio::test]
async fn a_refused_create_undoes_a_batch_of_creates() -> Result {
    let (switch, server) = both().await?;
    switch.set(Mood::Refusing("unwanted".into()));
    let port = |name: &str| {
        json!({"op": "create", "collection": "ports",
            "body": {"network_id": {"$ref": "net.id"}, "name": name, "binding:host_id": "rack-1"}})
    };
    let create = json!({"op": "create", "collection": "networks", "name": "net", "body": {"name": "n"}});
    let subnet = json!({"op": "create", "collection": "subnets",
        "body": {"network_id": {"$ref": "net.id"}, "ip_version": 4, "cidr": "10.0.0.0/24"}});
    let batch = json!({"operations": [create, subnet, port("wanted"), port("unwanted")]});
    let once = server.client().header("idempotency-key", "k")?;
    let (kind, _) = once.post("/v2.0/batch", &batch).await?.expect_error(409)?;
    assert_eq!(kind, "SwitchRefused");
    for collection in ["networks", "subnets", "ports"] {
        let rows = server.get(&format!("/v2.0/{collection}")).await?.expect(200)?;
        assert_eq!(rows[collection], json!([]));
    }
    drained(&server, "rust-switch", Duration::from_secs(10)).await?;
    assert_eq!((switch.has("networks").len(), switch.has("ports").len()), (0, 0));
    // No answer tells of what was undone, so the same request may be tried again.
    switch.set(Mood::Well);
    let again = once.post("/v2.0/batch", &batch).await?;
    assert!(!again.headers.contains_key("idempotency-replayed"));
    again.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn a_refused_update_stands_and_is_shown_to_the_operator() -> Result {
    let (switch, server) = both().await?;
    let (network, _) = network(&server, "n").await?;
    switch.set(Mood::Refusing("unwanted".into()));
    let path = format!("/v2.0/networks/{}", id_of(&network));
    server.put(&path, &json!({"network": {"name": "unwanted"}})).await?.expect(200)?;
    let entry = until("the entry to be refused", Duration::from_secs(10), || async {
        let entries = server.cli_json(&["journal", "list", "--plugin", "rust-switch"]).await?;
        Ok(entries.as_array().and_then(|e| e.iter().find(|e| e["state"] == "refused")).cloned())
    })
    .await?;
    assert!(entry["error"].as_str().is_some_and(|e| e.contains("no room for unwanted")), "{entry}");
    // It does not hold a later deletion up.
    let subnets = server.get(&format!("/v2.0/subnets?network_id={}", id_of(&network))).await?.expect(200)?;
    server.delete(&format!("/v2.0/subnets/{}", id_of(&subnets["subnets"][0]))).await?.expect(204)?;
    server.delete(&path).await?.expect(204)?;
    until("the switch to hear of it", Duration::from_secs(10), || async {
        Ok(switch.has("networks").is_empty().then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_driver_without_an_endpoint_is_refused_with_the_reason() -> Result {
    let server = Server::builder().mechanism_drivers(&[]).start().await?;
    let file = build_guest(DRIVER).await?;
    let refused = server.cli(&["plugin", "add", &file.display().to_string()]).await?.refused()?;
    assert!(refused.contains("'endpoint' is missing"), "{refused}");
    let refused =
        server.cli(&["plugin", "add", &file.display().to_string(), "--config", "endpont=x"]).await?;
    let refused = refused.refused()?;
    assert!(refused.contains("'endpont'") && refused.contains("endpoint"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn a_driver_that_is_added_to_a_cloud_is_sent_what_exists() -> Result {
    let switch = Switch::start().await?;
    let server = Server::builder().mechanism_drivers(&[]).start().await?;
    let (first, _) = network(&server, "first").await?;
    port_on(&server.client(), &first, "p", "").await?;
    add(&server, &switch, &["--sync"]).await?;
    drained(&server, "rust-switch", Duration::from_secs(20)).await?;
    let collections: Vec<String> = switch.told().into_iter().map(|t| t.collection).collect();
    assert_eq!(collections, ["networks", "subnets", "ports"]);
    assert_eq!(plugin_state(&server, "rust-switch").await?.0, "active");
    Ok(())
}

#[tokio::test]
async fn a_driver_that_is_owed_something_is_removed_only_when_told_to_lose_it() -> Result {
    let switch = Switch::start().await?;
    let server = Server::builder()
        .mechanism_drivers(&[])
        .config("[runtime]\ndelivery_budget_ms = 500\n")
        .start()
        .await?;
    add(&server, &switch, &[]).await?;
    switch.set(Mood::Failing(500));
    network(&server, "n").await?;
    let refused = server.cli(&["plugin", "remove", "rust-switch"]).await?.refused()?;
    assert!(refused.contains("--drop-journal"), "{refused}");
    assert_eq!(plugin_state(&server, "rust-switch").await?.0, "active");
    server.cli(&["plugin", "remove", "rust-switch", "--drop-journal"]).await?.ok()?;
    assert!(plugin_state(&server, "rust-switch").await.is_err());
    create(&server.client(), "network", json!({"name": "after"})).await?;
    Ok(())
}

async fn add(server: &Server, switch: &Switch, more: &[&str]) -> Result<()> {
    let file = build_guest(DRIVER).await?.display().to_string();
    let grant = format!("http={}", switch.url());
    let endpoint = format!("endpoint={}", switch.endpoint());
    let mut arguments = vec!["plugin", "add", &file, "--grant", &grant, "--config", &endpoint];
    arguments.extend(["--config", "timeout_ms=300"]);
    arguments.extend(more);
    server.cli(&arguments).await?.ok()?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_driver_comes_changes_and_goes_and_no_request_fails() -> Result {
    let switch = Switch::start().await?;
    let server = Server::builder().mechanism_drivers(&[]).start().await?;
    let (network, _) = network(&server, "n").await?;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut clients = Vec::new();
    for number in 0..4 {
        let (client, network, stopped) = (server.client(), network.clone(), stopped.clone());
        clients.push(tokio::spawn(async move {
            let mut requests = 0;
            while !*stopped.borrow() {
                let port = port_on(&client, &network, &format!("c{number}"), "rack-1").await?;
                let path = format!("/v2.0/ports/{}", id_of(&port));
                client.get(&path).await?.expect(200)?;
                client.put(&path, &json!({"port": {"name": "x"}})).await?.expect(200)?;
                client.delete(&path).await?.expect(204)?;
                requests += 4;
            }
            Result::<u32>::Ok(requests)
        }));
    }
    let file = build_guest(DRIVER).await?.display().to_string();
    for _ in 0..3 {
        add(&server, &switch, &[]).await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        server.cli(&["plugin", "upgrade", "rust-switch", &file]).await?.ok()?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        server.cli(&["plugin", "remove", "rust-switch"]).await?.ok()?;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let _ = stop.send(true);
    let mut requests = 0;
    for client in clients {
        requests += client.await.map_err(hadron_sdk_testing::Error::new)??;
    }
    assert!(requests > 100, "only {requests} requests were made");
    assert!(switch.asked() > 0);
    Ok(())
}
