//! Who serves routers: what L3 agents ask, hear and tell.

use super::{World, inside, join, outside, router, shown};
use hadron_networking_tests::Cloud;
use hadron_networking_tests::world::{self, create, text};
use hadron_sdk_testing::Result;
use hadron_test_support::Agent;
use serde_json::{Value, json};

const TOPIC: &str = "q-l3-plugin";

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_told_of_routers_and_asks_what_they_are() -> Result {
    let Some(cloud) = Cloud::start("", &[Agent::l3("n1").told()]).await? else { return Ok(()) };
    let client = cloud.client();
    let ask = |method: &str, arguments: Value| cloud.peer.call(TOPIC, method, arguments).unwrap();
    let world = World::start(client.clone()).await?;
    let port = world.port().await?;
    let floating = world.floating_ip(json!({ "port_id": port })).await?;
    let id = world.router.as_str();
    assert_eq!(ask("get_router_ids", json!({"host": "n1"})), json!([id]));
    assert_eq!(ask("get_router_ids", json!({"host": "n2"})), json!([]));
    let told = ask("sync_routers", json!({"host": "n1", "router_ids": [id]}));
    let told = &told[0];
    assert_eq!(
        (&told["id"], &told["enable_snat"], &told["gw_port_host"]),
        (&json!(id), &json!(true), &json!("n1"))
    );
    let gateway = &told["gw_port"];
    assert_eq!(
        (&gateway["device_owner"], &gateway["binding:host_id"]),
        (&json!("network:router_gateway"), &json!("n1"))
    );
    assert_eq!(gateway["fixed_ips"][0]["prefixlen"], 24);
    assert_eq!(gateway["subnets"][0]["gateway_ip"], "198.51.100.1");
    let side = &told["_interfaces"][0];
    assert_eq!((&side["subnets"][0]["cidr"], &side["extra_subnets"]), (&json!("10.10.0.0/24"), &json!([])));
    assert_eq!((&side["mtu"], &side["address_scopes"]), (&json!(1450), &json!({"4": null, "6": null})));
    assert_eq!(told["_floatingips"][0]["floating_ip_address"], floating["floating_ip_address"]);
    assert_eq!(told["_floatingips"][0]["port_forwardings"], json!([]));
    assert_eq!(ask("sync_routers", json!({"host": "n2", "router_ids": [id]})), json!([]), "it is another's");
    assert_eq!(ask("sync_routers", json!({"host": "n1"})).as_array().unwrap().len(), 1);

    // What is up is what the agent says.
    let path = format!("floatingips/{}", text(&floating, "/id")?);
    assert_eq!(shown(&client, &path).await?["status"], "DOWN");
    let statuses = json!({"router_id": id, "fip_statuses": {floating["id"].as_str().unwrap(): "ACTIVE"}});
    ask("update_floatingip_statuses", statuses.clone());
    assert_eq!(shown(&client, &path).await?["status"], "ACTIVE");
    client.put(&format!("/v2.0/{path}"), &json!({"floatingip": {"port_id": null}})).await?.expect(200)?;
    ask("update_floatingip_statuses", statuses);
    assert_eq!(shown(&client, &path).await?["status"], "DOWN", "it is on no router");
    assert_eq!(ask("get_service_plugin_list", json!({}))[0], "router");
    assert_eq!(ask("get_host_ha_router_count", json!({"host": "n1"})), 0);
    assert_eq!(shown(&client, &format!("routers/{id}")).await?["availability_zones"], json!(["nova"]));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_hears_that_routers_changed_and_go() -> Result {
    let Some(cloud) = Cloud::start("", &[Agent::l3("n1").told()]).await? else { return Ok(()) };
    let client = cloud.client();
    let heard = |method: &str| {
        let is = |event: &Value| event["event"] == "received" && event["method"] == method;
        cloud.peer.event(is)["arguments"].take()
    };
    let (external, _) = outside(&client, "198.51.100.0/24").await?;
    let (_, subnet) = inside(&client, "10.10.0.0/24").await?;
    let id = router(&client, json!({"external_gateway_info": {"network_id": external}})).await?;
    assert_eq!(heard("routers_updated"), json!({"routers": [id]}));
    join(&client, &id, &subnet).await?;
    assert_eq!(heard("routers_updated"), json!({"routers": [id]}));
    client
        .put(&format!("/v2.0/routers/{id}"), &json!({"router": {"admin_state_up": false}}))
        .await?
        .expect(200)?;
    assert_eq!(heard("routers_updated"), json!({"routers": [id]}));
    let given = json!({ "subnet_id": subnet });
    super::tell(&client, &id, "remove_router_interface", given).await?.expect(200)?;
    client.delete(&format!("/v2.0/routers/{id}")).await?.expect(204)?;
    assert_eq!(heard("router_deleted"), json!({ "router_id": id }));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_put_routers_to_agents() -> Result {
    let agents = [Agent::l3("n1").zone("a").told(), Agent::l3("n2").zone("b").told(), Agent::dhcp("n3")];
    let Some(cloud) = Cloud::start("", &agents).await? else { return Ok(()) };
    let client = cloud.client();
    let (external, _) = outside(&client, "198.51.100.0/24").await?;
    let wished = json!({"external_gateway_info": {"network_id": external}, "availability_zone_hints": ["b"]});
    let id = router(&client, wished).await?;
    let (one, two) = (cloud.agent("L3 agent", "n1").await?, cloud.agent("L3 agent", "n2").await?);
    let dhcp = cloud.agent("DHCP agent", "n3").await?;
    let serving = async || -> Result<Vec<Value>> {
        let listed = client.get(&format!("/v2.0/routers/{id}/l3-agents")).await?.expect(200)?;
        let agents = listed["agents"].as_array().unwrap();
        assert!(agents.iter().all(|agent| agent.get("heartbeat").is_none()), "{agents:?}");
        Ok(agents.iter().map(|agent| agent["host"].clone()).collect())
    };
    assert_eq!(serving().await?, ["n2"]);
    let of = |agent: &Value| format!("/v2.0/agents/{}/l3-routers", agent["id"].as_str().unwrap());
    let routers = async |agent: &Value| -> Result<usize> {
        Ok(client.get(&of(agent)).await?.expect(200)?["routers"].as_array().unwrap().len())
    };
    assert_eq!((routers(&one).await?, routers(&two).await?), (0, 1));
    let add = json!({ "router_id": id });
    let (kind, _) = client.post(&of(&one), &add).await?.expect_error(409)?;
    assert_eq!(kind, "RouterHostedByL3Agent");
    assert_eq!(client.post(&of(&dhcp), &add).await?.expect_error(409)?.0, "InvalidL3Agent");
    client.delete(&format!("{}/{id}", of(&two))).await?.expect(204)?;
    assert!(serving().await?.is_empty());
    let (kind, _) = client.delete(&format!("{}/{id}", of(&two))).await?.expect_error(409)?;
    assert_eq!(kind, "RouterNotHostedByL3Agent");
    client.post(&of(&one), &add).await?.expect(201)?;
    assert_eq!(serving().await?, ["n1"]);
    let nobody = json!({"router_id": super::NOBODY});
    assert_eq!(client.post(&of(&one), &nobody).await?.expect_error(404)?.0, "RouterNotFound");
    create(&client, "router", json!({})).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_of_a_router_work_where_it_is_served() -> Result {
    let agents = [Agent::l3("n1"), Agent::openvswitch("n1")];
    let Some(cloud) = Cloud::start("", &agents).await? else { return Ok(()) };
    let world = World::start(cloud.client()).await?;
    let id = text(&world.floating_ip(json!({"port_id": world.port().await?})).await?, "/id")?;
    let client = &world.client;
    cloud
        .until("the floating IP to work", || async {
            Ok((shown(client, &format!("floatingips/{id}")).await?["status"] == "ACTIVE").then_some(()))
        })
        .await?;
    cloud
        .until("the router's ports to work", || async {
            let ports = world::list(client, &format!("/v2.0/ports?device_id={}", world.router)).await?;
            let work = |port: &Value| port["status"] == "ACTIVE" && port["binding:host_id"] == "n1";
            Ok((ports.len() == 2 && ports.iter().all(work)).then_some(()))
        })
        .await
}
