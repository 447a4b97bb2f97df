//! Policies of listeners, and their rules.

use crate::{Balanced, column, url};
use hadron_networking_tests::world;
use hadron_sdk_testing::Result;
use serde_json::{Value, json};

fn with(listener: &str, more: Value) -> Value {
    let mut asked = json!({"action": "REJECT", "listener_id": listener});
    asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    asked
}

async fn order(world: &Balanced) -> Result<Vec<String>> {
    let body = world.client.get(&url("l7policies?sort_key=position&sort_dir=asc")).await?.expect(200)?;
    Ok(column(body["l7policies"].as_array().map_or(&[], Vec::as_slice), "name"))
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_stand_in_an_order() -> Result {
    let Some(world) = Balanced::start().await? else { return Ok(()) };
    let (_, subnet) = world.network("10.0.0.0/24").await?;
    let whole = world.balancer(&subnet).await?;
    let listener = world.listener(&whole, "HTTP", 80).await?;
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        let asked = with(&listener, json!({ "name": name }));
        ids.push(world.part(&whole, "l7policies", "l7policy", asked).await?);
    }
    let asked = with(&listener, json!({"name": "first", "position": 1}));
    world.part(&whole, "l7policies", "l7policy", asked).await?;
    assert_eq!(order(&world).await?, ["first", "a", "b", "c"]);
    let changed = world.update(&format!("l7policies/{}", ids[2]), "l7policy", json!({"position": 2})).await?;
    assert_eq!(changed["position"], 2);
    assert_eq!(
        world.show(&format!("listeners/{listener}"), "listener").await?["provisioning_status"],
        "PENDING_UPDATE"
    );
    world.settle(&whole);
    assert_eq!(order(&world).await?, ["first", "c", "a", "b"]);
    world.delete(&format!("l7policies/{}", ids[2])).await?;
    world.settle(&whole);
    assert_eq!(order(&world).await?, ["first", "a", "b"]);
    let last = world.show(&format!("l7policies/{}", ids[1]), "l7policy").await?;
    assert_eq!(last["position"], 3, "those behind it move up");
    let listed = world.show(&format!("listeners/{listener}"), "listener").await?;
    assert_eq!(listed["l7policies"].as_array().map(Vec::len), Some(3));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_have_their_target() -> Result {
    let Some(world) = Balanced::start().await? else { return Ok(()) };
    let (_, subnet) = world.network("10.0.0.0/24").await?;
    let whole = world.balancer(&subnet).await?;
    let listener = world.listener(&whole, "HTTP", 80).await?;
    let (pool, tcp) = (world.pool(&whole, "HTTP").await?, world.pool(&whole, "TCP").await?);
    let needs = |what: &str| format!("Invalid L7 Policy arguments: {what} must not be None");
    for (asked, words) in [
        (json!({"action": "X"}), "X is not in valid_values".to_owned()),
        (json!({"action": "REDIRECT_TO_URL"}), needs("redirect_url")),
        (json!({"action": "REDIRECT_PREFIX"}), needs("redirect_prefix")),
        (json!({"action": "REDIRECT_TO_POOL"}), needs("redirect_pool_id or redirect_pool")),
        (json!({"action": "REDIRECT_TO_URL", "redirect_url": "ftp://x"}), "redirect_url".to_owned()),
        (
            json!({"action": "REDIRECT_TO_URL", "redirect_url": "http://x", "redirect_http_code": 305}),
            "305 is not in valid_values".to_owned(),
        ),
        (
            json!({"action": "REDIRECT_TO_POOL", "redirect_pool_id": tcp}),
            "The pool protocol 'TCP' is invalid while the listener protocol is 'HTTP'.".to_owned(),
        ),
        (json!({"position": 0}), "too small".to_owned()),
    ] {
        let (_, message) =
            world.refused("l7policies", "l7policy", with(&listener, asked.clone()), 400).await?;
        assert!(message.contains(&words), "{asked}: {message}");
    }
    let asked = with(
        &listener,
        json!({"action": "REDIRECT_TO_POOL", "redirect_pool_id": pool, "redirect_url": null}),
    );
    let id = world.part(&whole, "l7policies", "l7policy", asked).await?;
    let path = format!("l7policies/{id}");
    let (kind, message) = world.client.delete(&url(&format!("pools/{pool}"))).await?.expect_error(409)?;
    assert_eq!(
        (kind.as_str(), message),
        ("PoolInUseByL7Policy", format!("Pool {pool} is in use by L7 policy {id}"))
    );
    let changes = json!({"action": "REDIRECT_TO_URL", "redirect_url": "https://example.org/"});
    let changed = world.update(&path, "l7policy", changes).await?;
    assert_eq!(
        (&changed["redirect_pool_id"], &changed["redirect_url"], &changed["redirect_http_code"]),
        (&Value::Null, &json!("https://example.org/"), &json!(302))
    );
    world.settle(&whole);
    world.delete(&format!("pools/{pool}")).await?;
    world.settle(&whole);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_compare_what_they_can() -> Result {
    let Some(world) = Balanced::start().await? else { return Ok(()) };
    let (_, subnet) = world.network("10.0.0.0/24").await?;
    let whole = world.balancer(&subnet).await?;
    let listener = world.listener(&whole, "HTTP", 80).await?;
    let policy = world.part(&whole, "l7policies", "l7policy", with(&listener, json!({}))).await?;
    let path = format!("l7policies/{policy}/rules");
    let rule = |more: Value| {
        let mut asked = json!({"type": "PATH", "compare_type": "STARTS_WITH", "value": "/a"});
        asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        asked
    };
    for (asked, words) in [
        (json!({"type": "X"}), "X is not in valid_values"),
        (json!({"type": "HEADER"}), "Error parsing L7Rule: Invalid L7 Rule: L7 rule type requires a key"),
        (json!({"type": "COOKIE", "key": "a b"}), "Invalid characters in key"),
        (json!({"type": "FILE_TYPE"}), "invalid comparison type for rule type"),
        (json!({"compare_type": "REGEX", "value": "("}), "Unable to parse regular expression"),
        (json!({"type": "SSL_CONN_HAS_CERT", "value": "no"}), "is not a boolean True string"),
        (json!({"value": "a\nb"}), "Value should match the pattern"),
    ] {
        let (_, message) = world.refused(&path, "rule", rule(asked.clone()), 400).await?;
        assert!(message.contains(words), "{asked}: {message}");
    }
    let made = world.create(&path, "rule", rule(json!({"invert": true}))).await?;
    assert_eq!((&made["invert"], &made["key"]), (&json!(true), &Value::Null));
    for (shown, member) in
        [(format!("l7policies/{policy}"), "l7policy"), (format!("listeners/{listener}"), "listener")]
    {
        assert_eq!(world.show(&shown, member).await?["provisioning_status"], "PENDING_UPDATE");
    }
    world.settle(&whole);
    let one = format!("{path}/{}", world::text(&made, "/id")?);
    let changed = world.update(&one, "rule", json!({"invert": null, "type": "HEADER", "key": "k"})).await?;
    assert_eq!((&changed["invert"], &changed["key"]), (&json!(false), &json!("k")));
    world.settle(&whole);
    world.unchanged(&one, "rule", json!({"key": null}), 400).await?;
    world.delete(&one).await?;
    world.settle(&whole);
    assert_eq!(world.show(&format!("l7policies/{policy}"), "l7policy").await?["rules"], json!([]));
    Ok(())
}
