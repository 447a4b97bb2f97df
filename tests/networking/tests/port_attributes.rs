//! Attributes of ports that only say something to Nova, to a driver or to
//! somebody who watches.

use hadron_networking_tests::world::{self, create, text};
use hadron_sdk_testing::{Client, Result, Server};
use serde_json::{Value, json};

struct World {
    server: Server,
    admin: Client,
    network: String,
}

impl World {
    async fn start() -> Result<World> {
        let server = world::sqlite().await?;
        let admin = server.client();
        let network = world::network(&admin, "n").await?;
        Ok(World { server, admin, network })
    }

    async fn port(&self, mut body: Value) -> Result<Value> {
        body["network_id"] = json!(self.network);
        create(&self.admin, "port", body).await
    }

    async fn put(&self, id: &str, body: Value) -> Result<Value> {
        let answer = self.admin.put(&format!("/v2.0/ports/{id}"), &json!({"port": body})).await?;
        Ok(answer.expect(200)?["port"].clone())
    }

    async fn refused(&self, id: &str, body: Value) -> Result<String> {
        let answer = self.admin.put(&format!("/v2.0/ports/{id}"), &json!({"port": body})).await?;
        Ok(answer.expect_error(400)?.1)
    }
}

#[tokio::test]
async fn ports_have_neutrons_defaults() -> Result {
    let world = World::start().await?;
    let port = world.port(json!({})).await?;
    for (name, value) in [
        ("propagate_uplink_status", json!(true)),
        ("numa_affinity_policy", Value::Null),
        ("device_profile", Value::Null),
        ("hints", Value::Null),
        ("data_plane_status", Value::Null),
    ] {
        assert_eq!(port.get(name), Some(&value), "{name}");
    }
    for filter in
        ["numa_affinity_policy", "device_profile", "hints", "data_plane_status", "propagate_uplink_status"]
    {
        let (_, message) = world.admin.get(&format!("/v2.0/ports?{filter}=x")).await?.expect_error(400)?;
        assert_eq!(message, format!("['{filter}'] is invalid attribute for filtering"));
    }
    Ok(())
}

#[tokio::test]
async fn a_numa_policy_is_one_of_four_and_stays_while_the_port_is_plugged_in() -> Result {
    let world = World::start().await?;
    let port = world.port(json!({"numa_affinity_policy": "socket"})).await?;
    let id = text(&port, "/id")?;
    assert_eq!(port["numa_affinity_policy"], "socket");
    for policy in [json!("required"), json!("preferred"), json!("legacy"), Value::Null] {
        assert_eq!(
            world.put(&id, json!({"numa_affinity_policy": policy})).await?["numa_affinity_policy"],
            policy
        );
    }
    assert_eq!(
        world.refused(&id, json!({"numa_affinity_policy": "nope"})).await?,
        "Invalid input for numa_affinity_policy. Reason: nope is not in valid_values."
    );
    Ok(())
}

#[tokio::test]
async fn hints_are_those_that_a_driver_knows_and_for_administrators() -> Result {
    let world = World::start().await?;
    let hint = json!({"openvswitch": {"other_config": {"tx-steering": "hash"}}});
    let port = world.port(json!({"hints": hint})).await?;
    let id = text(&port, "/id")?;
    assert_eq!(port["hints"], hint);
    for known in [json!({"openvswitch": {"other_config": {}}}), json!({"openvswitch": {}})] {
        assert_eq!(world.put(&id, json!({"hints": known})).await?["hints"], known);
    }
    for (hints, reason) in [
        (json!({"openvswitch": {"other_config": {"tx-steering": "x"}}}), "x is not in valid_values"),
        (json!({"openvswitch": {"other_config": {"x": "x"}}}), "Unexpected keys supplied: x"),
        (json!({"x": {}}), "Unexpected keys supplied: x"),
        (json!(5), "'5' is not a dictionary"),
        (json!({"openvswitch": 7}), "'7' is not a dictionary"),
    ] {
        let message = world.refused(&id, json!({"hints": hints})).await?;
        assert_eq!(message, format!("Invalid input for hints. Reason: {reason}."));
    }
    assert_eq!(world.put(&id, json!({"hints": {}})).await?["hints"], Value::Null);

    let project = text(&port, "/project_id")?;
    let member = world.server.client().member_of(&project)?;
    let seen = member.get(&format!("/v2.0/ports/{id}")).await?.expect(200)?;
    assert_eq!(seen["port"].get("hints"), None);
    let denied = member.put(&format!("/v2.0/ports/{id}"), &json!({"port": {"hints": null}})).await?;
    assert_eq!(
        denied.expect_error(403)?.1,
        "(rule:update_port and rule:update_port:hints) is disallowed by policy"
    );
    Ok(())
}

#[tokio::test]
async fn what_is_said_once_cannot_be_changed() -> Result {
    let world = World::start().await?;
    let port = world.port(json!({"device_profile": "fpga", "propagate_uplink_status": "false"})).await?;
    let id = text(&port, "/id")?;
    assert_eq!((&port["device_profile"], &port["propagate_uplink_status"]), (&json!("fpga"), &json!(false)));
    for name in ["device_profile", "propagate_uplink_status"] {
        let message = world.refused(&id, json!({name: true})).await?;
        assert_eq!(message, format!("Cannot update read-only attribute {name}"));
    }
    assert_eq!(world.port(json!({"device_profile": ""})).await?["device_profile"], Value::Null);
    Ok(())
}

#[tokio::test]
async fn the_data_planes_status_is_said_by_who_watches_it() -> Result {
    let world = World::start().await?;
    let port = world.port(json!({})).await?;
    let (id, project) = (text(&port, "/id")?, text(&port, "/project_id")?);
    for status in [json!("ACTIVE"), json!("DOWN"), Value::Null] {
        assert_eq!(world.put(&id, json!({"data_plane_status": status})).await?["data_plane_status"], status);
    }
    assert_eq!(
        world.refused(&id, json!({"data_plane_status": "BUILD"})).await?,
        "Invalid input for data_plane_status. Reason: BUILD is not in valid_values."
    );
    let born = json!({"port": {"network_id": world.network, "data_plane_status": "ACTIVE"}});
    let (_, message) = world.admin.post("/v2.0/ports", &born).await?.expect_error(400)?;
    assert_eq!(message, "Attribute 'data_plane_status' not allowed in POST");
    let path = format!("/v2.0/ports/{id}");
    let change = json!({"port": {"data_plane_status": "ACTIVE"}});
    let member = world.server.client().member_of(&project)?;
    assert_eq!(
        member.put(&path, &change).await?.expect_error(403)?.1,
        "(rule:update_port and rule:update_port:data_plane_status) is disallowed by policy"
    );
    let watcher = world.server.client().header("x-project-id", &project)?;
    let watcher = watcher.header("x-roles", "member,reader,data_plane_integrator")?;
    watcher.put(&path, &change).await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn a_port_that_is_a_card_has_the_cards_mac_address() -> Result {
    let world = World::start().await?;
    let card = "aa:bb:cc:dd:ee:01";
    let on_host = json!({"binding:vnic_type": "direct-physical", "binding:host_id": "h",
        "binding:profile": {"device_mac_address": card}});
    let nova = world.server.client().header("x-roles", "admin,service,member,reader")?;
    let mut body = on_host.clone();
    body["network_id"] = json!(world.network);
    let port = create(&nova, "port", body).await?;
    assert_eq!(port["mac_address"], card);
    let path = format!("/v2.0/ports/{}", text(&port, "/id")?);

    let unplugged = json!({"port": {"binding:host_id": "", "binding:profile": {}}});
    let freed = nova.put(&path, &unplugged).await?.expect(200)?;
    assert_ne!(freed["port"]["mac_address"], card, "another port can have it");
    let next = world.port(json!({"binding:vnic_type": "direct-physical"})).await?;
    let next = format!("/v2.0/ports/{}", text(&next, "/id")?);
    let plugged = nova.put(&next, &json!({"port": on_host})).await?.expect(200)?;
    assert_eq!(plugged["port"]["mac_address"], card);
    let wrong = json!({"port": {"binding:profile": {"device_mac_address": "x"}}});
    nova.put(&next, &wrong).await?.expect_error(400)?;
    Ok(())
}

#[tokio::test]
async fn a_distributed_routers_port_is_on_no_host_in_particular() -> Result {
    let world = World::start().await?;
    let owner = "network:router_interface_distributed";
    let port = world.port(json!({"device_owner": owner, "binding:host_id": "h"})).await?;
    assert_eq!((&port["binding:vif_type"], &port["binding:host_id"]), (&json!("distributed"), &json!("")));
    let freed = world.put(&text(&port, "/id")?, json!({"device_owner": ""})).await?;
    assert_eq!(freed["binding:vif_type"], "unbound");
    Ok(())
}
