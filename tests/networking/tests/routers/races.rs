//! Many who join at the same time, on PostgreSQL: what holds of one router holds
//! whoever asks when.

use super::{World, inside, router, tell};
use hadron_networking_tests::world::{self, list};
use hadron_sdk_testing::Result;
use serde_json::json;
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread")]
async fn overlapping_subnets_are_never_both_on_one_router() -> Result {
    let Some(server) = world::postgres().await? else { return Ok(()) };
    let client = server.client();
    for _ in 0..4 {
        let id = router(&client, json!({})).await?;
        let mut subnets = Vec::new();
        for _ in 0..8 {
            subnets.push(inside(&client, "10.10.0.0/24").await?.1);
        }
        let mut joining = JoinSet::new();
        for subnet in subnets {
            let (client, id) = (client.clone(), id.clone());
            joining.spawn(async move {
                let answer = tell(&client, &id, "add_router_interface", json!({ "subnet_id": subnet })).await;
                answer.map(|answer| answer.status)
            });
        }
        let mut joined = 0;
        while let Some(answer) = joining.join_next().await {
            let status = answer.unwrap()?;
            assert!([200, 400].contains(&status), "{status}");
            joined += usize::from(status == 200);
        }
        assert_eq!(joined, 1);
        assert_eq!(list(&client, &format!("/v2.0/ports?device_id={id}")).await?.len(), 1);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_inside_has_one_floating_ip() -> Result {
    let Some(server) = world::postgres().await? else { return Ok(()) };
    let world = World::start(server.client()).await?;
    for _ in 0..4 {
        let port = world.port().await?;
        let mut asking = JoinSet::new();
        for _ in 0..8 {
            let (client, external, port) = (world.client.clone(), world.external.clone(), port.clone());
            asking.spawn(async move {
                let body = json!({"floatingip": {"floating_network_id": external, "port_id": port}});
                client.post("/v2.0/floatingips", &body).await.map(|answer| answer.status)
            });
        }
        let mut made = 0;
        while let Some(answer) = asking.join_next().await {
            let status = answer.unwrap()?;
            assert!([201, 409].contains(&status), "{status}");
            made += usize::from(status == 201);
        }
        assert_eq!(made, 1);
        // Those that were refused keep no address.
        let found = list(&world.client, &format!("/v2.0/floatingips?port_id={port}")).await?;
        assert_eq!(found.len(), 1);
    }
    let kept = list(&world.client, "/v2.0/ports?device_owner=network:floatingip").await?;
    assert_eq!(kept.len(), 4);
    Ok(())
}
