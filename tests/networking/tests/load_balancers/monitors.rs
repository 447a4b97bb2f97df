//! Health monitors.

use crate::{Balanced, NOBODY};
use hadron_networking_tests::world;
use hadron_sdk_testing::Result;
use serde_json::{Value, json};

fn with(pool: &str, more: Value) -> Value {
    let mut asked = json!({"type": "HTTP", "delay": 5, "timeout": 3, "max_retries": 2, "pool_id": pool});
    asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    asked
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_has_one_monitor() -> Result {
    let Some(world) = Balanced::start().await? else { return Ok(()) };
    let (_, subnet) = world.network("10.0.0.0/24").await?;
    let whole = world.balancer(&subnet).await?;
    let pool = world.pool(&whole, "HTTP").await?;
    let made = world.create("healthmonitors", "healthmonitor", with(&pool, json!({}))).await?;
    for (name, value) in [
        ("http_method", json!("GET")),
        ("url_path", json!("/")),
        ("expected_codes", json!("200")),
        ("max_retries_down", json!(3)),
        ("http_version", Value::Null),
        ("pools", json!([{ "id": pool }])),
    ] {
        assert_eq!(made[name], value, "{name}");
    }
    assert_eq!(world.show(&format!("pools/{pool}"), "pool").await?["healthmonitor_id"], made["id"]);
    world.settle(&whole);
    let (kind, message) =
        world.refused("healthmonitors", "healthmonitor", with(&pool, json!({})), 409).await?;
    assert_eq!(
        (kind.as_str(), message.as_str()),
        ("DuplicateHealthMonitor", "This pool already has a health monitor")
    );
    let path = format!("healthmonitors/{}", world::text(&made, "/id")?);
    let changed = world.update(&path, "healthmonitor", json!({"delay": 9, "url_path": "/x"})).await?;
    assert_eq!((&changed["delay"], &changed["url_path"]), (&json!(9), &json!("/x")));
    world.settle(&whole);
    // Null stands for the default.
    let changed =
        world.update(&path, "healthmonitor", json!({"url_path": null, "max_retries_down": null})).await?;
    assert_eq!((&changed["url_path"], &changed["max_retries_down"]), (&json!("/"), &json!(3)));
    world.settle(&whole);
    let member = json!({"address": "10.0.0.9", "protocol_port": 80});
    let member = world.create(&format!("pools/{pool}/members"), "member", member).await?;
    assert_eq!(member["operating_status"], "OFFLINE", "somebody will look");
    world.settle(&whole);
    world.delete(&path).await?;
    world.settle(&whole);
    assert_eq!(world.show(&format!("pools/{pool}"), "pool").await?["healthmonitor_id"], Value::Null);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn monitors_that_make_no_sense_are_refused_in_octavias_words() -> Result {
    let Some(world) = Balanced::start().await? else { return Ok(()) };
    let (_, subnet) = world.network("10.0.0.0/24").await?;
    let whole = world.balancer(&subnet).await?;
    let (http, udp) = (world.pool(&whole, "HTTP").await?, world.pool(&whole, "UDP").await?);
    for (pool, asked, status, words) in [
        (&http, json!({"type": "X"}), 400, "X is not in valid_values"),
        (&http, json!({"max_retries": 11}), 400, "too large"),
        (&http, json!({"delay": -1}), 400, "too small"),
        (&http, json!({"http_method": "X"}), 400, "X is not in valid_values"),
        (&http, json!({"expected_codes": "2"}), 400, "expected_codes"),
        (&http, json!({"url_path": "x"}), 400, "url_path"),
        (
            &http,
            json!({"domain_name": "a.b"}),
            400,
            "'http_version' must be specified when 'domain_name' is provided.",
        ),
        (&http, json!({"domain_name": "a.b", "http_version": 1.0}), 400, "HTTP 1.1 domain name health check"),
        (
            &http,
            json!({"type": "TCP", "url_path": "/"}),
            400,
            "url_path is not a valid option for health monitors of type TCP",
        ),
        (
            &http,
            json!({"type": "UDP-CONNECT"}),
            400,
            "The UDP-CONNECT type is only supported for pools of type UDP.",
        ),
        (&udp, json!({"type": "PING"}), 400, "so only a UDP-CONNECT/TCP/HTTP health monitor is supported."),
        (&udp, json!({"type": "UDP-CONNECT", "delay": 2}), 400, "should be larger than 3"),
        (&http, json!({ "pool_id": NOBODY }), 404, "Pool 11111111-2222-4333-8444-555555555555 not found."),
    ] {
        let (_, message) =
            world.refused("healthmonitors", "healthmonitor", with(pool, asked.clone()), status).await?;
        assert!(message.contains(words), "{asked}: {message}");
    }
    let ping = world.create("healthmonitors", "healthmonitor", with(&http, json!({"type": "PING"}))).await?;
    world.settle(&whole);
    let path = format!("healthmonitors/{}", world::text(&ping, "/id")?);
    let (_, message) = world.unchanged(&path, "healthmonitor", json!({"url_path": "/x"}), 400).await?;
    assert_eq!(message, "url_path is not a valid option for health monitors of type PING");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_rules_out_is_refused() -> Result {
    let toml = "[plugin.load-balancer.config]\nallow_ping_health_monitors = false\n\
                allow_tls_terminated_listeners = false\n";
    let Some(world) = Balanced::with(toml).await? else { return Ok(()) };
    let (_, subnet) = world.network("10.0.0.0/24").await?;
    let whole = world.balancer(&subnet).await?;
    let pool = world.pool(&whole, "HTTP").await?;
    let (kind, message) =
        world.refused("healthmonitors", "healthmonitor", with(&pool, json!({"type": "PING"})), 400).await?;
    assert_eq!(
        (kind.as_str(), message.as_str()),
        ("DisabledOption", "The selected type is not allowed in this deployment: PING")
    );
    let asked = json!({"loadbalancer_id": whole, "protocol": "TERMINATED_HTTPS", "protocol_port": 443,
        "default_tls_container_ref": "r"});
    assert_eq!(world.refused("listeners", "listener", asked, 400).await?.0, "DisabledOption");
    Ok(())
}
