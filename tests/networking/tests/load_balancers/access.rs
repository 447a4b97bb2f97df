//! Who may do what.

use crate::{Balanced, create, url};
use hadron_networking_tests::world;
use hadron_sdk_testing::Result;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn load_balancers_and_their_parts_are_their_projects() -> Result {
    let Some(world) = Balanced::start().await? else { return Ok(()) };
    let (own, other) =
        (world.cloud.server.client().member_of("p1")?, world.cloud.server.client().member_of("p2")?);
    let network = world::network(&own, "n").await?;
    let subnet = world::subnet(&own, &network, "10.0.0.0/24").await?;
    let asked = json!({ "loadbalancer": {"vip_subnet_id": subnet} });
    // A subnet that is not seen is not there.
    let (_, message) = other.post(&url("loadbalancers"), &asked).await?.expect_error(400)?;
    assert_eq!(message, format!("Subnet {subnet} not found."));
    let made = create(&own, "loadbalancers", "loadbalancer", json!({ "vip_subnet_id": subnet })).await?;
    let id = world::text(&made, "/id")?;
    world.settle(&id);
    let pool = json!({"loadbalancer_id": id, "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN"});
    let pool = world::text(&create(&own, "pools", "pool", pool).await?, "/id")?;
    world.settle(&id);

    for path in [
        format!("loadbalancers/{id}"),
        format!("loadbalancers/{id}/status"),
        format!("loadbalancers/{id}/stats"),
        format!("pools/{pool}"),
        format!("pools/{pool}/members"),
    ] {
        other.get(&url(&path)).await?.expect_error(404)?;
        own.get(&url(&path)).await?.expect(200)?;
    }
    let listed = other.get(&url("loadbalancers")).await?.expect(200)?;
    assert_eq!(listed["loadbalancers"], json!([]));
    let listener = json!({ "listener": {"loadbalancer_id": id, "protocol": "TCP", "protocol_port": 1} });
    other.post(&url("listeners"), &listener).await?.expect_error(404)?;
    let member = json!({ "member": {"address": "10.0.0.9", "protocol_port": 1} });
    other.post(&url(&format!("pools/{pool}/members")), &member).await?.expect_error(404)?;
    let monitor = json!({ "healthmonitor": {"type": "TCP", "delay": 1, "timeout": 1, "max_retries": 1, "pool_id": pool} });
    other.post(&url("healthmonitors"), &monitor).await?.expect_error(404)?;
    other.delete(&url(&format!("loadbalancers/{id}/cascade"))).await?.expect_error(404)?;

    // What an administrator adds is the project's.
    let made = world.create("listeners", "listener", listener["listener"].clone()).await?;
    assert_eq!(made["project_id"], "p1");
    world.settle(&id);
    let (_, message) =
        own.put(&url(&format!("loadbalancers/{id}/failover")), &json!({})).await?.expect_error(403)?;
    assert_eq!(message, "rule:failover_loadbalancer is disallowed by policy");
    own.delete(&url(&format!("loadbalancers/{id}/cascade"))).await?.expect(204)?;
    world.settle(&id);
    assert_eq!(world::list(&own, "/v2.0/ports").await?.len(), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_only_read() -> Result {
    let Some(world) = Balanced::start().await? else { return Ok(()) };
    let own = world.cloud.server.client().member_of("p1")?;
    let reader = world.cloud.server.client().header("x-project-id", "p1")?.header("x-roles", "reader")?;
    let network = world::network(&own, "n").await?;
    let subnet = world::subnet(&own, &network, "10.0.0.0/24").await?;
    let asked = json!({ "loadbalancer": {"vip_subnet_id": subnet} });
    reader.post(&url("loadbalancers"), &asked).await?.expect_error(403)?;
    let made = create(&own, "loadbalancers", "loadbalancer", json!({ "vip_subnet_id": subnet })).await?;
    let id = world::text(&made, "/id")?;
    world.settle(&id);
    let pool = json!({"loadbalancer_id": id, "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN"});
    let pool = world::text(&create(&own, "pools", "pool", pool).await?, "/id")?;
    world.settle(&id);
    reader.get(&url(&format!("pools/{pool}/members"))).await?.expect(200)?;
    let member = json!({ "member": {"address": "10.0.0.9", "protocol_port": 1} });
    reader.post(&url(&format!("pools/{pool}/members")), &member).await?.expect_error(403)?;
    reader.delete(&url(&format!("pools/{pool}"))).await?.expect_error(403)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn load_balancers_are_limited() -> Result {
    let Some(world) = Balanced::start().await? else { return Ok(()) };
    let own = world.cloud.client().member_of("p1")?;
    let network = world::network(&own, "n").await?;
    let subnet = world::subnet(&own, &network, "10.0.0.0/24").await?;
    let limits = json!({ "quota": {"load_balancer": 1, "pool": 0} });
    world.client.put("/v2.0/quotas/p1", &limits).await?.expect(200)?;
    let asked = json!({ "vip_subnet_id": subnet });
    let made = create(&own, "loadbalancers", "loadbalancer", asked.clone()).await?;
    let id = world::text(&made, "/id")?;
    world.settle(&id);
    let again =
        own.post(&url("loadbalancers"), &json!({ "loadbalancer": asked })).await?.expect_error(409)?;
    assert_eq!(again.0, "OverQuota");
    let pool = json!({ "pool": {"loadbalancer_id": id, "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN"} });
    assert_eq!(own.post(&url("pools"), &pool).await?.expect_error(409)?.0, "OverQuota");
    world.delete(&format!("loadbalancers/{id}")).await?;
    let used = world.client.get("/v2.0/quotas/p1/details").await?.expect(200)?;
    assert_eq!(used["quota"]["load_balancer"]["used"], 1, "it is there until it is gone");
    world.settle(&id);
    create(&own, "loadbalancers", "loadbalancer", asked).await?;
    Ok(())
}
