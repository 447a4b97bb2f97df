//! Agents: what they hear, ask and report.

use crate::{Balanced, HOST, NOBODY, url};
use hadron_networking_tests::world;
use hadron_sdk_testing::Result;
use serde_json::{Value, json};

const OTHER: &str = "h2";

fn heard(world: &Balanced, method: &str) -> Value {
    world.cloud.peer.event(|event| event["topic"] == "lbaas_agent" && event["method"] == method)["arguments"]
        .take()
}

fn ask_for(world: &Balanced, id: &str, host: &str) -> Value {
    world.ask("get_load_balancer", json!({"loadbalancer_id": id, "host": host}))
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_hear_of_changes_and_one_of_them_serves() -> Result {
    let Some(world) = Balanced::start().await? else { return Ok(()) };
    let listen = json!({"do": "serve", "topic": "lbaas_agent", "host": HOST, "version": "1.0"});
    world.cloud.peer.command(listen).unwrap();
    let (_, subnet) = world.network("10.0.0.0/24").await?;
    let made = world.create("loadbalancers", "loadbalancer", json!({ "vip_subnet_id": subnet })).await?;
    let id = world::text(&made, "/id")?;
    assert_eq!(
        heard(&world, "load_balancer_changed"),
        json!({"loadbalancer_id": id, "provider": "haproxy", "host": null})
    );
    let offered = world.ask("get_load_balancers", json!({"host": OTHER, "provider": "haproxy"}));
    assert_eq!((&offered[0]["id"], &offered[0]["host"]), (&json!(id), &Value::Null));
    let told = ask_for(&world, &id, HOST);
    assert_eq!(told["vip_port"]["id"], made["vip_port_id"]);
    assert_eq!(told["subnets"][0]["cidr"], "10.0.0.0/24");
    // It is served now.
    assert_eq!(ask_for(&world, &id, OTHER), Value::Null);
    assert_eq!(world.ask("get_load_balancers", json!({"host": OTHER, "provider": "haproxy"})), json!([]));
    assert_eq!(world.ask("get_load_balancers", json!({"host": HOST, "provider": "acme"})), json!([]));
    let plugged = world.ask("plug_vip", json!({"loadbalancer_id": id, "host": HOST}));
    assert_eq!((&plugged["binding:host_id"], &plugged["admin_state_up"]), (&json!(HOST), &json!(true)));
    assert_eq!(world.ask("plug_vip", json!({"loadbalancer_id": id, "host": OTHER})), Value::Null);
    world.settle(&id);

    world.client.put(&url(&format!("loadbalancers/{id}/failover")), &json!({})).await?.expect(200)?;
    assert_eq!(heard(&world, "load_balancer_moved")["host"], json!(HOST));
    assert_eq!(ask_for(&world, &id, OTHER)["loadbalancer"]["provisioning_status"], "PENDING_UPDATE");
    assert_eq!(ask_for(&world, &id, HOST), Value::Null);
    // What another serves is not the first one's to report.
    let active = json!({"loadbalancers": [{"id": id, "provisioning_status": "ACTIVE"}]});
    let status = async || world.show(&format!("loadbalancers/{id}"), "loadbalancer").await;
    world.ask("update_statuses", json!({"host": HOST, "statuses": active}));
    assert_eq!(status().await?["provisioning_status"], "PENDING_UPDATE");
    world.ask("update_statuses", json!({"host": OTHER, "statuses": active}));
    assert_eq!(status().await?["provisioning_status"], "ACTIVE");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_known_is_reported() -> Result {
    let Some(world) = Balanced::start().await? else { return Ok(()) };
    let (_, subnet) = world.network("10.0.0.0/24").await?;
    let id = world.balancer(&subnet).await?;
    let report = |statuses: Value| {
        let arguments = json!({"host": HOST, "statuses": statuses});
        world.cloud.peer.call("lbaas-plugin", "update_statuses", arguments)
    };
    for wrong in [json!({"provisioning_status": "PENDING_UPDATE"}), json!({"operating_status": "FINE"})] {
        let mut one = wrong.clone();
        one["id"] = json!(id);
        assert_eq!(report(json!({ "loadbalancers": [one] })).unwrap_err().class, "InvalidInput", "{wrong}");
    }
    // Of what is gone an agent may not have heard yet.
    report(json!({"listeners": [{"id": NOBODY, "provisioning_status": "DELETED"}]})).unwrap();
    report(json!({"loadbalancers": [{"id": id, "operating_status": "DEGRADED"}]})).unwrap();
    let shown = world.show(&format!("loadbalancers/{id}"), "loadbalancer").await?;
    assert_eq!(
        (&shown["operating_status"], &shown["provisioning_status"]),
        (&json!("DEGRADED"), &json!("ACTIVE"))
    );
    let unknown = world.cloud.peer.call("lbaas-plugin", "nosuch", json!({})).unwrap_err();
    assert_eq!(unknown.class, "NoSuchMethod");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_through_is_counted() -> Result {
    let Some(world) = Balanced::start().await? else { return Ok(()) };
    let (_, subnet) = world.network("10.0.0.0/24").await?;
    let id = world.balancer(&subnet).await?;
    let (one, two) = (world.listener(&id, "TCP", 1).await?, world.listener(&id, "TCP", 2).await?);
    let stats = async |path: String| -> Result<Value> {
        Ok(world.client.get(&url(&format!("{path}/stats"))).await?.expect(200)?["stats"].take())
    };
    let nothing = json!({"active_connections": 0, "bytes_in": 0, "bytes_out": 0, "request_errors": 0,
        "total_connections": 0});
    assert_eq!(stats(format!("loadbalancers/{id}")).await?, nothing);
    let counted = |listener: &str, bytes: u64| {
        json!({"id": listener, "bytes_in": bytes, "bytes_out": 2, "active_connections": 1, "request_errors": 0,
            "total_connections": 3})
    };
    for bytes in [5, 7] {
        let listeners = json!([counted(&one, bytes), counted(&two, 10), counted(NOBODY, 99)]);
        world.ask("update_statistics", json!({ "statistics": {"listeners": listeners} }));
    }
    assert_eq!(stats(format!("listeners/{one}")).await?["bytes_in"], 7);
    let all = stats(format!("loadbalancers/{id}")).await?;
    assert_eq!((&all["bytes_in"], &all["total_connections"]), (&json!(17), &json!(6)));
    world.delete(&format!("listeners/{two}")).await?;
    world.settle(&id);
    assert_eq!(stats(format!("loadbalancers/{id}")).await?["bytes_in"], 7);
    Ok(())
}
