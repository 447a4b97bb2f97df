//! `examples/misbehaving`: a driver that does what drivers must not fails its
//! own calls, says so, and nobody else notices.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests"
)]

use hadron_sdk_testing::{Plugin, Result, Server, build_guest, until};
use hadron_tests_drivers::{Switch, create, id_of, plugin_state, port_on};
use serde_json::{Value, json};
use std::time::Duration;

const DRIVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/misbehaving");

/// A server with the driver, which misbehaves for networks named `bad`, and
/// stays in rotation whatever it does.
async fn server(mode: &str) -> Result<Server> {
    server_with(mode, "breaker_failures = 1000\n", "http://127.0.0.1:1").await
}

async fn server_with(mode: &str, limits: &str, endpoint: &str) -> Result<Server> {
    let driver = Plugin::new("misbehaving", build_guest(DRIVER).await?)
        .config("mode", mode)
        .config("only", "bad")
        .config("endpoint", endpoint);
    Server::builder()
        .mechanism_drivers(&["openvswitch"])
        .plugin(driver)
        .config(&format!("[runtime]\ndelivery_budget_ms = 500\n{limits}"))
        .start()
        .await
}

fn bad() -> Value {
    json!({"network": {"name": "bad"}})
}

/// The create fails with an error that names the plugin, leaves nothing behind,
/// and others go on; what the client is told.
async fn fails_its_own_call(mode: &str) -> Result<(Server, String)> {
    let mut server = server(mode).await?;
    let others = server.client();
    let others = tokio::spawn(async move {
        for _ in 0..5 {
            create(&others, "network", json!({"name": "good"})).await?;
        }
        Result::<()>::Ok(())
    });
    let answer = server.post("/v2.0/networks", &bad()).await?;
    let (kind, message) = answer.expect_error(500)?;
    assert!(kind == "MechanismDriverError" || kind == "PluginFailed", "{kind}: {message}");
    assert!(message.contains("misbehaving"), "the message names the plugin: {message}");
    others.await.map_err(hadron_sdk_testing::Error::new)??;

    let networks = server.get("/v2.0/networks?name=bad").await?.expect(200)?;
    assert_eq!(networks["networks"], json!([]), "nothing is half made");
    // Everything a create takes can be taken again: a bulk fails as a whole.
    let bulk = json!({"networks": [{"name": "good"}, {"name": "bad"}]});
    server.post("/v2.0/networks", &bulk).await?.expect_error(500)?;
    let networks = server.get("/v2.0/networks").await?.expect(200)?;
    assert_eq!(networks["networks"].as_array().map(Vec::len), Some(5));
    let after = create(&server.client(), "network", json!({"name": "after"})).await?;
    server.delete(&format!("/v2.0/networks/{}", id_of(&after))).await?.expect(204)?;
    assert!(server.is_running());
    Ok((server, message))
}

#[tokio::test]
async fn a_driver_that_panics_fails_its_call_and_its_words_are_logged() -> Result {
    let (server, message) = fails_its_own_call("trap").await?;
    assert!(server.log().contains("this driver was told to panic"), "{}", server.log());
    assert!(message.contains("network-precommit") || message.contains("unreachable"), "{message}");
    Ok(())
}

#[tokio::test]
async fn a_driver_that_never_returns_is_stopped() -> Result {
    let (_server, message) = fails_its_own_call("loop").await?;
    assert!(message.contains("ms") || message.contains("time"), "it says which limit was hit: {message}");
    Ok(())
}

#[tokio::test]
async fn a_driver_that_eats_memory_hits_its_limit() -> Result {
    fails_its_own_call("eat-memory").await.map(drop)
}

#[tokio::test]
async fn a_driver_that_calls_itself_without_end_hits_its_stack() -> Result {
    let (_server, message) = fails_its_own_call("overflow-stack").await?;
    assert!(message.contains("stack"), "{message}");
    Ok(())
}

#[tokio::test]
async fn a_driver_that_floods_the_log_is_cut_short() -> Result {
    let mut server = server("flood-log").await?;
    let answer = server.post("/v2.0/networks", &bad()).await?;
    // Too many lines are dropped; that it takes long may end the call as well.
    assert!([201, 500].contains(&answer.status), "{answer:?}");
    assert!(server.log().len() < 4 << 20, "the log has {} bytes", server.log().len());
    create(&server.client(), "network", json!({"name": "good"})).await?;
    assert!(server.is_running());
    Ok(())
}

#[tokio::test]
async fn nothing_is_sent_inside_the_transaction_even_where_it_was_granted() -> Result {
    let switch = Switch::start().await?;
    let driver = Plugin::new("misbehaving", build_guest(DRIVER).await?)
        .http(switch.url())
        .config("mode", "call-out-in-precommit")
        .config("endpoint", format!("{}/networks/x", switch.endpoint()));
    let server = Server::builder().plugin(driver).start().await?;
    let (kind, message) = server.post("/v2.0/networks", &bad()).await?.expect_error(403)?;
    assert_eq!(kind, "CalledOut");
    assert!(message.contains("inside a unit of work"), "{message}");
    assert_eq!(switch.asked(), 0);
    let denied = server.log().lines().any(|l| l.contains("denied") && l.contains("misbehaving"));
    assert!(denied, "the operator can see who tried: {}", server.log());
    let networks = server.get("/v2.0/networks").await?.expect(200)?;
    assert_eq!(networks["networks"], json!([]));
    Ok(())
}

#[tokio::test]
async fn what_was_not_granted_is_not_reached_after_the_commit_either() -> Result {
    let switch = Switch::start().await?;
    let endpoint = format!("{}/networks/x", switch.endpoint());
    let server = server_with("after-call-out", "", &endpoint).await?;
    let (kind, message) = server.post("/v2.0/networks", &bad()).await?.expect_error(403)?;
    assert_eq!(kind, "CalledOut");
    assert!(message.contains("--grant http="), "it says what the operator can do: {message}");
    assert_eq!(switch.asked(), 0);
    let networks = server.get("/v2.0/networks").await?.expect(200)?;
    assert_eq!(networks["networks"], json!([]));
    Ok(())
}

#[tokio::test]
async fn the_store_is_out_of_reach_after_the_commit() -> Result {
    let server = server("after-store").await?;
    let (_, message) = server.post("/v2.0/networks", &bad()).await?.expect_error(500)?;
    assert!(message.contains("unit of work"), "{message}");
    Ok(())
}

#[tokio::test]
async fn a_driver_cannot_change_rows_that_are_not_its_own() -> Result {
    let mut server = server("after-change").await?;
    server.post("/v2.0/networks", &bad()).await?.expect(201)?;
    let networks = server.get("/v2.0/networks").await?.expect(200)?;
    assert_eq!(networks["networks"][0]["name"], "bad");
    assert!(server.is_running());
    Ok(())
}

#[tokio::test]
async fn a_veto_reaches_the_client_and_nothing_is_made() -> Result {
    let server = server("veto").await?;
    let answer = server.post("/v2.0/networks", &bad()).await?;
    assert!(answer.body.to_string().contains("wants no such network"), "{answer:?}");
    assert!([409, 500].contains(&answer.status), "{answer:?}");
    let networks = server.get("/v2.0/networks").await?.expect(200)?;
    assert_eq!(networks["networks"], json!([]));
    Ok(())
}

/// A port whose driver answers nonsense is not bound by it, and another driver,
/// or nobody, binds it.
async fn binding_is_passed_over(mode: &str) -> Result {
    let mut server = server(mode).await?;
    let network = create(&server.client(), "network", json!({"name": "bad"})).await?;
    let port = port_on(&server.client(), &network, "p", "somewhere").await?;
    assert_eq!(port["binding:vif_type"], "binding_failed", "{mode}: {port}");
    assert!(server.is_running());
    Ok(())
}

#[tokio::test]
async fn a_driver_that_answers_a_binding_with_nonsense_is_passed_over() -> Result {
    for mode in ["bind-trap", "bind-too-few", "bind-wrong-segment"] {
        binding_is_passed_over(mode).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_binding_whose_details_are_no_json_is_passed_over() -> Result {
    let mut server = server("bind-bad-json").await?;
    let network = create(&server.client(), "network", json!({"name": "bad"})).await?;
    let body = json!({"port": {"network_id": id_of(&network), "binding:host_id": "somewhere"}});
    let answer = server.post("/v2.0/ports", &body).await?.expect(201)?;
    assert_eq!(answer["port"]["binding:vif_type"], "binding_failed");
    assert!(server.is_running());
    Ok(())
}

#[tokio::test]
async fn a_driver_that_traps_after_the_commit_is_tried_again_and_the_resource_stays() -> Result {
    for mode in ["after-trap", "after-loop"] {
        let mut server = server_with(mode, "delivery_limit_ms = 1000\nbreaker_failures = 1000\n", "").await?;
        server.post("/v2.0/networks", &bad()).await?.expect(201)?;
        let entry = until("the failed attempt to be shown", Duration::from_secs(10), || async {
            let entries = server.cli_json(&["journal", "list", "--plugin", "misbehaving"]).await?;
            Ok(entries.as_array().and_then(|e| e.first()).filter(|e| e["error"].is_string()).cloned())
        })
        .await?;
        assert!(entry["error"].as_str().is_some_and(|e| e.contains("misbehaving")), "{entry}");
        // A resource that it does not misbehave for is delivered.
        create(&server.client(), "network", json!({"name": "good"})).await?;
        assert!(server.is_running());
    }
    Ok(())
}

#[tokio::test]
async fn a_driver_that_keeps_failing_is_taken_out_of_rotation_and_comes_back() -> Result {
    let server = server_with("trap", "breaker_failures = 3\nbreaker_pause_ms = 3000\n", "").await?;
    for _ in 0..3 {
        server.post("/v2.0/networks", &bad()).await?.expect_error(500)?;
    }
    let (state, reason) = plugin_state(&server, "misbehaving").await?;
    assert_eq!(state, "broken", "{reason}");
    assert!(reason.contains("3 times"), "{reason}");
    let list = server.cli(&["plugin", "list"]).await?.ok()?;
    assert!(list.contains("broken") && list.contains("3 times"), "{list}");
    // It is not asked, so it does no harm.
    server.post("/v2.0/networks", &bad()).await?.expect(201)?;
    // After the pause it takes part again, is given what it missed, and goes
    // out when it fails again.
    tokio::time::sleep(Duration::from_millis(3500)).await;
    assert_eq!(plugin_state(&server, "misbehaving").await?.0, "active");
    for _ in 0..3 {
        if server.post("/v2.0/networks", &bad()).await?.status == 201 {
            break;
        }
    }
    assert_eq!(plugin_state(&server, "misbehaving").await?.0, "broken");
    Ok(())
}
