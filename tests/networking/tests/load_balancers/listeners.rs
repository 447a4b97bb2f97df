//! Listeners.

use crate::{Balanced, NOBODY, url};
use hadron_networking_tests::world;
use hadron_sdk_testing::Result;
use serde_json::{Value, json};

fn with(whole: &str, more: Value) -> Value {
    let mut asked = json!({"loadbalancer_id": whole, "protocol": "HTTP", "protocol_port": 80});
    asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    asked
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_has_octavias_defaults_and_waits_for_the_agent() -> Result {
    let Some(world) = Balanced::start().await? else { return Ok(()) };
    let (_, subnet) = world.network("10.0.0.0/24").await?;
    let whole = world.balancer(&subnet).await?;
    let made = world.create("listeners", "listener", with(&whole, json!({}))).await?;
    for (name, value) in [
        ("connection_limit", json!(-1)),
        ("timeout_client_data", json!(50000)),
        ("timeout_member_connect", json!(5000)),
        ("timeout_member_data", json!(50000)),
        ("timeout_tcp_inspect", json!(0)),
        ("client_authentication", json!("NONE")),
        ("allowed_cidrs", Value::Null),
        ("sni_container_refs", json!([])),
        ("insert_headers", json!({})),
        ("tls_versions", json!([])),
        ("l7policies", json!([])),
        ("loadbalancers", json!([{ "id": whole }])),
        ("provisioning_status", json!("PENDING_CREATE")),
    ] {
        assert_eq!(made[name], value, "{name}");
    }
    assert_eq!(made.get("l4_protocol"), None);
    let path = format!("listeners/{}", world::text(&made, "/id")?);
    let immutable = format!("Load Balancer {whole} is immutable and cannot be updated.");
    let (_, message) = world.unchanged(&path, "listener", json!({"name": "x"}), 409).await?;
    assert_eq!(message, immutable);
    assert_eq!(world.client.delete(&url(&path)).await?.expect_error(409)?.1, immutable);
    let (_, message) =
        world.refused("listeners", "listener", with(&whole, json!({"protocol_port": 81})), 409).await?;
    assert_eq!(message, immutable);
    world.settle(&whole);
    assert_eq!(world.show(&path, "listener").await?["operating_status"], "ONLINE");
    let changes = json!({"name": null, "connection_limit": 5, "timeout_client_data": 1});
    let changed = world.update(&path, "listener", changes).await?;
    assert_eq!(
        (&changed["connection_limit"], &changed["provisioning_status"]),
        (&json!(5), &json!("PENDING_UPDATE"))
    );
    world.settle(&whole);
    let changed = world
        .update(&path, "listener", json!({"connection_limit": null, "timeout_client_data": null}))
        .await?;
    assert_eq!((&changed["connection_limit"], &changed["timeout_client_data"]), (&json!(-1), &json!(50000)));
    world.settle(&whole);
    world.delete(&path).await?;
    assert_eq!(world.show(&path, "listener").await?["provisioning_status"], "PENDING_DELETE");
    world.settle(&whole);
    assert!(world.gone(&path).await?);
    let shown = world.show(&format!("loadbalancers/{whole}"), "loadbalancer").await?;
    assert_eq!(shown["listeners"], json!([]));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_is_used_once_in_a_transport() -> Result {
    let Some(world) = Balanced::start().await? else { return Ok(()) };
    let (_, subnet) = world.network("10.0.0.0/24").await?;
    let whole = world.balancer(&subnet).await?;
    world.listener(&whole, "HTTP", 80).await?;
    let (kind, message) =
        world.refused("listeners", "listener", with(&whole, json!({"protocol": "TCP"})), 409).await?;
    assert_eq!(kind, "DuplicateListenerEntry");
    assert_eq!(
        message,
        "Another Listener on this Load Balancer is already using protocol TCP and protocol_port 80"
    );
    for protocol in ["UDP", "SCTP"] {
        world.listener(&whole, protocol, 80).await?;
    }
    let listed = world.client.get(&url(&format!("listeners?loadbalancer_id={whole}"))).await?.expect(200)?;
    assert_eq!(listed["listeners"].as_array().map(Vec::len), Some(3));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_that_make_no_sense_are_refused_in_octavias_words() -> Result {
    let Some(world) = Balanced::start().await? else { return Ok(()) };
    let (_, subnet) = world.network("10.0.0.0/24").await?;
    let whole = world.balancer(&subnet).await?;
    let terminated = "TERMINATED_HTTPS";
    for (asked, status, words) in [
        (json!({"protocol": "X"}), 400, "X is not in valid_values"),
        (json!({"protocol_port": 0}), 400, "too small"),
        (json!({"protocol_port": 65536}), 400, "too large"),
        (json!({"connection_limit": -2}), 400, "too small"),
        (json!({"timeout_member_data": -1}), 400, "too small"),
        (json!({ "protocol": terminated }), 400, "must be provided for TERMINATED_HTTPS protocol listeners."),
        (
            json!({"default_tls_container_ref": "r"}),
            400,
            "only allowed on TERMINATED_HTTPS protocol listeners.",
        ),
        (
            json!({"protocol": terminated, "sni_container_refs": ["r"], "client_authentication": "MANDATORY"}),
            400,
            "Client authentication setting MANDATORY requires a client CA container reference.",
        ),
        (
            json!({"protocol": terminated, "sni_container_refs": ["r"], "tls_versions": ["TLSv1.1"]}),
            400,
            "Requested TLS versions are less than the minimum: TLSv1.1 < TLSv1.2",
        ),
        (
            json!({"protocol": terminated, "sni_container_refs": ["r"], "alpn_protocols": ["h9"]}),
            400,
            "Invalid ALPN protocol: h9",
        ),
        (
            json!({"protocol": "TCP", "insert_headers": {"X-Forwarded-For": "true"}}),
            400,
            "a TCP protocol listener.",
        ),
        (json!({"insert_headers": {"X-Nosuch": "true"}}), 400, "for insert_headers"),
        (
            json!({"protocol": "UDP", "insert_headers": {"X-Forwarded-For": "true"}}),
            400,
            "does not support TLS",
        ),
        (json!({"allowed_cidrs": ["2001:db8::/32"]}), 400, "IP version incompatible with VIP"),
        (json!({"allowed_cidrs": ["x"]}), 400, "x is not in a CIDR format"),
        (json!({"hsts_max_age": 5}), 400, "The HSTS feature can only be used"),
        (json!({ "default_pool_id": NOBODY }), 404, "not found."),
        (
            json!({ "loadbalancer_id": NOBODY }),
            404,
            "Load Balancer 11111111-2222-4333-8444-555555555555 not found.",
        ),
    ] {
        let (_, message) =
            world.refused("listeners", "listener", with(&whole, asked.clone()), status).await?;
        assert!(message.contains(words), "{asked}: {message}");
    }
    let path = format!("listeners/{}", world.listener(&whole, "HTTP", 80).await?);
    for (changes, words) in [
        (json!({"protocol": "TCP"}), "read-only"),
        (json!({"protocol_port": 81}), "read-only"),
        (json!({ "loadbalancer_id": whole }), "read-only"),
        (json!({"default_tls_container_ref": "r"}), "only allowed on TERMINATED_HTTPS"),
        (json!({"client_crl_container_ref": "r"}), "revocation list"),
    ] {
        let (_, message) = world.unchanged(&path, "listener", changes.clone(), 400).await?;
        assert!(message.contains(words), "{changes}: {message}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_ends_tls_has_its_defaults_and_keeps_a_certificate() -> Result {
    let Some(world) = Balanced::start().await? else { return Ok(()) };
    let (_, subnet) = world.network("10.0.0.0/24").await?;
    let whole = world.balancer(&subnet).await?;
    let asked = json!({"protocol": "TERMINATED_HTTPS", "default_tls_container_ref": "r", "hsts_max_age": 5,
        "insert_headers": {"X-SSL-Client-DN": "true"}});
    let made = world.create("listeners", "listener", with(&whole, asked)).await?;
    assert_eq!(
        (&made["tls_versions"], &made["alpn_protocols"]),
        (&json!(["TLSv1.2", "TLSv1.3"]), &json!(["h2", "http/1.1", "http/1.0"]))
    );
    assert!(made["tls_ciphers"].is_string());
    world.settle(&whole);
    let path = format!("listeners/{}", world::text(&made, "/id")?);
    world.unchanged(&path, "listener", json!({"default_tls_container_ref": null}), 400).await?;
    let changed = world.update(&path, "listener", json!({"tls_versions": ["TLSv1.3"]})).await?;
    assert_eq!(changed["tls_versions"], json!(["TLSv1.3"]));
    world.settle(&whole);
    let changed = world.update(&path, "listener", json!({"tls_versions": null})).await?;
    assert_eq!(changed["tls_versions"], json!(["TLSv1.2", "TLSv1.3"]));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn networks_are_let_in_or_groups_decide() -> Result {
    let Some(world) = Balanced::start().await? else { return Ok(()) };
    let (_, subnet) = world.network("10.0.0.0/24").await?;
    let group =
        world::text(&world::create(&world.client, "security_group", json!({"name": "g"})).await?, "/id")?;
    let whole = world.balancer(&subnet).await?;
    let path = format!("loadbalancers/{whole}");
    let asked = with(&whole, json!({"allowed_cidrs": ["192.0.2.0/24"]}));
    let listener = world.part(&whole, "listeners", "listener", asked).await?;
    let (_, message) = world.unchanged(&path, "loadbalancer", json!({ "vip_sg_ids": [group] }), 400).await?;
    assert!(message.contains("not allowed when a listener has allowed CIDRs"), "{message}");
    world.update(&format!("listeners/{listener}"), "listener", json!({"allowed_cidrs": null})).await?;
    world.settle(&whole);
    world.update(&path, "loadbalancer", json!({ "vip_sg_ids": [group] })).await?;
    world.settle(&whole);
    let asked = json!({"allowed_cidrs": ["192.0.2.0/24"]});
    let (_, message) = world.unchanged(&format!("listeners/{listener}"), "listener", asked, 400).await?;
    assert!(message.contains("custom VIP Security Groups"), "{message}");
    Ok(())
}
