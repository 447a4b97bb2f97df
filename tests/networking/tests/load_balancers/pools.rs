//! Pools.

use crate::{Balanced, url};
use hadron_networking_tests::world;
use hadron_sdk_testing::Result;
use serde_json::{Value, json};

fn with(more: Value) -> Value {
    let mut asked = json!({"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"});
    asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    asked
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_is_of_a_load_balancer_or_a_listener() -> Result {
    let Some(world) = Balanced::start().await? else { return Ok(()) };
    let (_, subnet) = world.network("10.0.0.0/24").await?;
    let whole = world.balancer(&subnet).await?;
    let listener = world.listener(&whole, "HTTP", 80).await?;
    let (_, message) = world.refused("pools", "pool", with(json!({})), 400).await?;
    assert_eq!(message, "Validation failure: Must provide at least one of: loadbalancer_id, listener_id");
    let asked = with(json!({"listener_id": listener, "protocol": "TCP"}));
    let (_, message) = world.refused("pools", "pool", asked, 400).await?;
    assert_eq!(
        message,
        "Validation failure: The pool protocol 'TCP' is invalid while the listener protocol is 'HTTP'."
    );
    let made = world.create("pools", "pool", with(json!({ "listener_id": listener }))).await?;
    assert_eq!(
        (&made["listeners"], &made["loadbalancers"], &made["members"], &made["healthmonitor_id"]),
        (&json!([{ "id": listener }]), &json!([{ "id": whole }]), &json!([]), &Value::Null)
    );
    assert_eq!((made.get("listener_id"), made.get("healthmonitor")), (None, None), "they are asked for only");
    // What hands on to it waits too.
    let path = format!("listeners/{listener}");
    assert_eq!(world.show(&path, "listener").await?["provisioning_status"], "PENDING_UPDATE");
    world.settle(&whole);
    let (kind, message) =
        world.refused("pools", "pool", with(json!({ "listener_id": listener })), 409).await?;
    assert_eq!(
        (kind.as_str(), message.as_str()),
        ("DuplicatePoolEntry", "This listener already has a default pool")
    );
    let pool = world::text(&made, "/id")?;
    world.update(&format!("pools/{pool}"), "pool", json!({"lb_algorithm": "SOURCE_IP"})).await?;
    assert_eq!(world.show(&path, "listener").await?["provisioning_status"], "PENDING_UPDATE");
    world.settle(&whole);

    let other = world.balancer(&subnet).await?;
    let foreign = world.pool(&other, "HTTP").await?;
    let (_, message) = world.unchanged(&path, "listener", json!({ "default_pool_id": foreign }), 404).await?;
    assert_eq!(message, format!("Pool {foreign} not found."));
    world.delete(&format!("pools/{pool}")).await?;
    world.settle(&whole);
    assert!(world.gone(&format!("pools/{pool}")).await?);
    assert_eq!(world.show(&path, "listener").await?["default_pool_id"], Value::Null);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_comes_with_members_and_a_monitor() -> Result {
    let Some(world) = Balanced::start().await? else { return Ok(()) };
    let (_, subnet) = world.network("10.0.0.0/24").await?;
    let whole = world.balancer(&subnet).await?;
    let asked = with(json!({"loadbalancer_id": whole,
        "members": [{"address": "10.0.0.8", "protocol_port": 80}, {"address": "10.0.0.9", "protocol_port": 80}],
        "healthmonitor": {"type": "PING", "delay": 1, "timeout": 1, "max_retries": 1}}));
    let made = world.create("pools", "pool", asked).await?;
    assert_eq!(made["members"].as_array().map(Vec::len), Some(2));
    assert!(made["healthmonitor_id"].is_string());
    world.settle(&whole);
    let path = format!("pools/{}", world::text(&made, "/id")?);
    world.delete(&path).await?;
    world.settle(&whole);
    let left = world.client.get(&url("healthmonitors")).await?.expect(200)?;
    assert_eq!(left["healthmonitors"], json!([]), "what it is made of goes with it");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn pools_that_make_no_sense_are_refused_in_octavias_words() -> Result {
    let Some(world) = Balanced::start().await? else { return Ok(()) };
    let (_, subnet) = world.network("10.0.0.0/24").await?;
    let whole = world.balancer(&subnet).await?;
    let plain = "persistence_timeout and persistence_granularity is only for UDP and SCTP protocol pools.";
    for (asked, words) in [
        (json!({"protocol": "TERMINATED_HTTPS"}), "is not in valid_values"),
        (json!({"lb_algorithm": "X"}), "X is not in valid_values"),
        (json!({"session_persistence": {"type": "X"}}), "X is not in valid_values"),
        (
            json!({"session_persistence": {"type": "APP_COOKIE"}}),
            "must be specified when using the \"APP_COOKIE\"",
        ),
        (
            json!({"session_persistence": {"type": "SOURCE_IP", "cookie_name": "x"}}),
            "can only be specified with session persistence of type \"APP_COOKIE\"",
        ),
        (
            json!({"session_persistence": {"type": "APP_COOKIE", "cookie_name": "a b"}}),
            "Supplied \"cookie_name\" is invalid.",
        ),
        (json!({"session_persistence": {"type": "SOURCE_IP", "persistence_timeout": 5}}), plain),
        (
            json!({"protocol": "UDP", "session_persistence": {"type": "HTTP_COOKIE"}}),
            "Session persistence of type HTTP_COOKIE is not supported for UDP/SCTP protocol pools.",
        ),
        (json!({"crl_container_ref": "r"}), "A CA certificate reference is required"),
        (json!({"tls_enabled": true, "tls_versions": []}), "Empty TLS version list"),
    ] {
        let mut body = with(asked.clone());
        body["loadbalancer_id"] = json!(whole);
        let (_, message) = world.refused("pools", "pool", body, 400).await?;
        assert!(message.contains(words), "{asked}: {message}");
    }
    let persistence = json!({"type": "APP_COOKIE", "cookie_name": "sid"});
    let asked = with(json!({"loadbalancer_id": whole, "session_persistence": persistence}));
    let path = format!("pools/{}", world.part(&whole, "pools", "pool", asked).await?);
    // The sort of persistence stays, and TLS has its defaults from when it is spoken on.
    let changes = json!({"session_persistence": {"cookie_name": "new"}, "tls_enabled": true});
    let changed = world.update(&path, "pool", changes).await?;
    assert_eq!(changed["session_persistence"]["type"], "APP_COOKIE");
    assert_eq!(changed["tls_versions"], json!(["TLSv1.2", "TLSv1.3"]));
    world.settle(&whole);
    let changed = world.update(&path, "pool", json!({"session_persistence": null})).await?;
    assert_eq!(changed["session_persistence"], Value::Null);
    Ok(())
}
