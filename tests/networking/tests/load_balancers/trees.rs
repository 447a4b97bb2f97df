//! A load balancer made, shown and deleted with all it is made of.

use crate::{Balanced, column, list, url};
use hadron_networking_tests::world;
use hadron_sdk_testing::Result;
use serde_json::{Value, json};

fn tree(subnet: &str) -> Value {
    let rule = json!({"type": "PATH", "compare_type": "EQUAL_TO", "value": "/x"});
    let redirected = json!({"name": "two", "protocol": "HTTP", "lb_algorithm": "LEAST_CONNECTIONS"});
    let policy = json!({"action": "REDIRECT_TO_POOL", "redirect_pool": redirected, "rules": [rule]});
    let monitor = json!({"type": "TLS-HELLO", "delay": 1, "timeout": 1, "max_retries": 1});
    let pool = json!({"name": "three", "protocol": "HTTPS", "lb_algorithm": "SOURCE_IP", "healthmonitor": monitor,
        "members": [{"address": "10.0.0.9", "protocol_port": 443}]});
    json!({"vip_subnet_id": subnet, "listeners": [
        {"name": "l", "protocol": "HTTP", "protocol_port": 80, "default_pool": {"name": "one"}, "l7policies": [policy]},
        {"name": "m", "protocol": "HTTPS", "protocol_port": 443, "default_pool": pool},
    ], "pools": [{"name": "one", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_tree_is_made_by_one_call_and_goes_by_one() -> Result {
    let Some(world) = Balanced::start().await? else { return Ok(()) };
    let (network, subnet) = world.network("10.0.0.0/24").await?;
    let made = world.create("loadbalancers", "loadbalancer", tree(&subnet)).await?;
    let id = world::text(&made, "/id")?;
    assert_eq!((list(&made, "listeners").len(), list(&made, "pools").len()), (2, 3));
    let told = world.settle(&id)["loadbalancer"].take();
    let mut names = column(list(&told, "pools"), "name");
    names.sort();
    assert_eq!(names, ["one", "three", "two"]);
    let listener =
        list(&told, "listeners").iter().find(|one| one["name"] == "l").cloned().unwrap_or_default();
    assert_eq!(listener["l7policies"][0]["rules"][0]["value"], "/x");
    let pool = list(&told, "pools").iter().find(|one| one["name"] == "three").cloned().unwrap_or_default();
    assert_eq!(
        (&pool["members"][0]["address"], &pool["healthmonitor"]["type"]),
        (&json!("10.0.0.9"), &json!("TLS-HELLO"))
    );

    for alias in ["status", "statuses"] {
        let body = world.client.get(&url(&format!("loadbalancers/{id}/{alias}"))).await?.expect(200)?;
        let shown = &body["statuses"]["loadbalancer"];
        assert_eq!((&shown["id"], &shown["provisioning_status"]), (&json!(id), &json!("ACTIVE")));
        let listener =
            list(shown, "listeners").iter().find(|one| one["name"] == "m").cloned().unwrap_or_default();
        assert_eq!(listener["pools"][0]["members"][0]["operating_status"], "ONLINE");
        assert_eq!(listener["pools"][0]["health_monitor"]["type"], "TLS-HELLO");
    }
    let path = format!("loadbalancers/{id}");
    let (_, message) = world.client.delete(&url(&path)).await?.expect_error(400)?;
    assert_eq!(message, format!("Validation failure: Cannot delete Load Balancer {id} - it has children"));
    world.client.delete(&url(&format!("{path}/cascade"))).await?.expect(204)?;
    let left = world.client.get(&url("listeners?provisioning_status=PENDING_DELETE")).await?.expect(200)?;
    assert_eq!(list(&left, "listeners").len(), 2);
    world.settle(&id);
    for collection in ["loadbalancers", "listeners", "pools", "healthmonitors", "l7policies"] {
        let left = world.client.get(&url(collection)).await?.expect(200)?;
        assert_eq!(left[collection], json!([]), "{collection}");
    }
    assert_eq!(world::list(&world.client, &format!("/v2.0/ports?network_id={network}")).await?.len(), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_that_does_not_hang_together_leaves_nothing() -> Result {
    let Some(world) = Balanced::start().await? else { return Ok(()) };
    let (network, subnet) = world.network("10.0.0.0/24").await?;
    let rule = json!({"type": "PATH", "compare_type": "EQUAL_TO", "value": "/x"});
    let named = |name: &str| json!({"name": name, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"});
    for (pointer, value, status, words) in [
        (
            "/listeners/0/default_pool/name",
            json!("zz"),
            400,
            "Pool 'zz' was referenced but no full definition",
        ),
        (
            "/listeners/1/default_pool/name",
            json!(""),
            400,
            "Pools must be named when creating a fully populated",
        ),
        ("/pools", json!([named("one"), named("one")]), 400, "Pool names must be unique"),
        (
            "/pools/0",
            json!({"name": "one", "protocol": "HTTP"}),
            400,
            "missing required attribute: lb_algorithm",
        ),
        (
            "/listeners/1/protocol_port",
            json!(80),
            409,
            "is already using protocol HTTPS and protocol_port 80",
        ),
        ("/pools/0/protocol", json!("TCP"), 400, "The pool protocol 'TCP' is invalid"),
        ("/listeners/0/l7policies/0/rules/0/type", json!("HEADER"), 400, "L7 rule type requires a key"),
        ("/listeners/0/protocol", Value::Null, 400, "None is not in valid_values"),
        ("/listeners/0/l7policies/0/rules", json!(vec![rule; 51]), 409, "Too many rules on L7 policy"),
    ] {
        let mut asked = tree(&subnet);
        *asked.pointer_mut(pointer).unwrap() = value;
        let (_, message) = world.refused("loadbalancers", "loadbalancer", asked, status).await?;
        assert!(message.contains(words), "{pointer}: {message}");
    }
    assert_eq!(world::list(&world.client, &format!("/v2.0/ports?network_id={network}")).await?.len(), 0);
    let left = world.client.get(&url("pools")).await?.expect(200)?;
    assert_eq!(left["pools"], json!([]));
    Ok(())
}
