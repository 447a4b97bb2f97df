//! Members of pools, one by one and all at once.

use crate::{Balanced, NOBODY, column, url};
use hadron_sdk_testing::Result;
use serde_json::{Value, json};

async fn rows(world: &Balanced, pool: &str, query: &str) -> Result<Vec<Value>> {
    let body = world.client.get(&url(&format!("pools/{pool}/members{query}"))).await?.expect(200)?;
    Ok(body["members"].as_array().cloned().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_made_shown_changed_and_deleted() -> Result {
    let Some(world) = Balanced::start().await? else { return Ok(()) };
    let (_, subnet) = world.network("10.0.0.0/24").await?;
    let whole = world.balancer(&subnet).await?;
    let pool = world.pool(&whole, "TCP").await?;
    let path = format!("pools/{pool}/members");
    let asked = json!({"address": "10.0.0.9", "protocol_port": 80, "subnet_id": subnet});
    let made = world.create(&path, "member", asked.clone()).await?;
    for (name, value) in [
        ("weight", json!(1)),
        ("backup", json!(false)),
        ("monitor_port", Value::Null),
        ("vnic_type", json!("normal")),
        ("operating_status", json!("NO_MONITOR")),
        ("provisioning_status", json!("PENDING_CREATE")),
    ] {
        assert_eq!(made[name], value, "{name}");
    }
    let shown = world.show(&format!("pools/{pool}"), "pool").await?;
    assert_eq!(
        (&shown["provisioning_status"], &shown["members"]),
        (&json!("PENDING_UPDATE"), &json!([{ "id": made["id"] }]))
    );
    world.settle(&whole);
    let (kind, message) = world.refused(&path, "member", asked, 409).await?;
    assert_eq!(kind, "DuplicateMemberEntry");
    assert_eq!(message, "Another member on this pool is already using ip 10.0.0.9 on protocol_port 80");
    for (asked, status, words) in [
        (json!({"address": "x"}), 400, "'x' is not a valid IP address"),
        (
            json!({"address": "169.254.169.254"}),
            400,
            "169.254.169.254 is not a valid option for member address",
        ),
        (json!({"weight": 257}), 400, "too large"),
        (json!({"protocol_port": 0}), 400, "too small"),
        (json!({ "subnet_id": NOBODY }), 404, "Subnet 11111111-2222-4333-8444-555555555555 not found."),
        (json!({"nosuch": 1}), 400, "Unrecognized attribute(s) 'nosuch'"),
    ] {
        let mut body = json!({"address": "10.0.0.10", "protocol_port": 80});
        body.as_object_mut().unwrap().extend(asked.as_object().unwrap().clone());
        let (_, message) = world.refused(&path, "member", body, status).await?;
        assert!(message.contains(words), "{asked}: {message}");
    }
    let one = format!("{path}/{}", made["id"].as_str().unwrap_or_default());
    let changed = world.update(&one, "member", json!({"weight": 7, "backup": true, "tags": ["x"]})).await?;
    assert_eq!((&changed["weight"], &changed["provisioning_status"]), (&json!(7), &json!("PENDING_UPDATE")));
    let (_, message) = world.unchanged(&one, "member", json!({"weight": 1}), 409).await?;
    assert_eq!(message, format!("Load Balancer {whole} is immutable and cannot be updated."));
    world.settle(&whole);
    let changed = world.update(&one, "member", json!({"weight": null})).await?;
    assert_eq!(changed["weight"], 1);
    world.settle(&whole);
    let (_, message) = world.unchanged(&one, "member", json!({"address": "10.0.0.7"}), 400).await?;
    assert_eq!(message, "Unrecognized attribute(s) 'address'");
    world.delete(&one).await?;
    world.settle(&whole);
    let missing = world.client.get(&url(&one)).await?.expect_error(404)?;
    assert!(missing.1.starts_with("Member ") && missing.1.ends_with(" not found."), "{missing:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_found_sorted_and_paged() -> Result {
    let Some(world) = Balanced::start().await? else { return Ok(()) };
    let (_, subnet) = world.network("10.0.0.0/24").await?;
    let whole = world.balancer(&subnet).await?;
    let pool = world.pool(&whole, "TCP").await?;
    let path = format!("pools/{pool}/members");
    for (name, weight) in [("a", 10), ("b", 9), ("c", 1)] {
        let asked = json!({"name": name, "address": format!("10.0.0.{weight}"), "protocol_port": 80, "weight": weight});
        world.part(&whole, &path, "member", asked).await?;
    }
    for (query, names) in [
        ("?name=b", vec!["b"]),
        ("?name=a&name=c&sort_key=name", vec!["a", "c"]),
        ("?weight=9", vec!["b"]),
        ("?sort_key=weight&sort_dir=desc", vec!["a", "b", "c"]),
        ("?sort_key=weight&sort_dir=asc&limit=2", vec!["c", "b"]),
    ] {
        assert_eq!(column(&rows(&world, &pool, query).await?, "name"), names, "{query}");
    }
    let cut = rows(&world, &pool, "?fields=name&name=a").await?;
    assert_eq!(cut, [json!({"name": "a"})]);
    let unfit = world.client.get(&url(&format!("{path}?nosuch=1"))).await?.expect_error(400)?;
    assert_eq!(unfit.1, "['nosuch'] is invalid attribute for filtering");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_is_told_all_its_members_at_once() -> Result {
    let Some(world) = Balanced::start().await? else { return Ok(()) };
    let (_, subnet) = world.network("10.0.0.0/24").await?;
    let whole = world.balancer(&subnet).await?;
    let pool = world.pool(&whole, "TCP").await?;
    let path = url(&format!("pools/{pool}/members"));
    let member = |last: u8, weight: u8| json!({"address": format!("10.0.0.{last}"), "protocol_port": 80, "weight": weight});
    let tell = async |body: Value| -> Result { world.client.put(&path, &body).await?.expect(200).map(drop) };
    let statuses = async || -> Result<Vec<(String, String)>> {
        let rows = rows(&world, &pool, "?sort_key=address&sort_dir=asc").await?;
        Ok(column(&rows, "address").into_iter().zip(column(&rows, "provisioning_status")).collect())
    };
    let is = |address: &str, status: &str| (address.to_owned(), status.to_owned());
    tell(json!({"members": [member(1, 1), member(2, 1)]})).await?;
    world.settle(&whole);
    tell(json!({"members": [member(2, 5), member(3, 1)]})).await?;
    assert_eq!(
        statuses().await?,
        [
            is("10.0.0.1", "PENDING_DELETE"),
            is("10.0.0.2", "PENDING_UPDATE"),
            is("10.0.0.3", "PENDING_CREATE")
        ]
    );
    world.settle(&whole);
    let listed = world.show(&format!("pools/{pool}"), "pool").await?;
    assert_eq!(listed["members"].as_array().map(Vec::len), Some(2));
    // Nothing to do is nothing to wait for.
    tell(json!({"members": [member(2, 5), member(3, 1)]})).await?;
    let shown = world.show(&format!("loadbalancers/{whole}"), "loadbalancer").await?;
    assert_eq!(shown["provisioning_status"], "ACTIVE");
    tell(json!({"members": [member(4, 1)], "additive_only": true})).await?;
    world.settle(&whole);
    assert_eq!(statuses().await?.len(), 3);
    let twice = json!({"members": [member(7, 1), member(7, 2)]});
    let (kind, _) = world.client.put(&path, &twice).await?.expect_error(409)?;
    assert_eq!(kind, "DuplicateMemberEntry");
    world.client.put(&path, &json!({"members": [{"address": "10.0.0.8"}]})).await?.expect_error(400)?;
    tell(json!({"members": []})).await?;
    world.settle(&whole);
    assert_eq!(statuses().await?, []);
    Ok(())
}
