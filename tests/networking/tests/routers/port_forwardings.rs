//! Port forwardings, and helpers of connection tracking.

use super::{NOBODY, World, shown, tell};
use hadron_networking_tests::world;
use hadron_networking_tests::world::text;
use hadron_sdk_testing::Result;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn ports_of_a_floating_ip_stand_for_ports_inside() -> Result {
    let server = world::sqlite().await?;
    let world = World::start(server.client()).await?;
    let client = &world.client;
    let id = text(&world.floating_ip(json!({})).await?, "/id")?;
    let (one, other) = (world.port().await?, world.port().await?);
    let path = format!("/v2.0/floatingips/{id}/port_forwardings");
    let forward = |port: &str, external: u16| {
        json!({"protocol": "tcp", "external_port": external, "internal_port": 22, "internal_port_id": port,
            "description": "ssh"})
    };
    let made = client.post(&path, &json!({"port_forwarding": forward(&one, 2201)})).await?.expect(201)?;
    let made = &made["port_forwarding"];
    let fixed = text(&shown(client, &format!("ports/{one}")).await?, "/fixed_ips/0/ip_address")?;
    assert_eq!((&made["internal_ip_address"], &made["description"]), (&json!(fixed), &json!("ssh")));
    client.post(&path, &json!({"port_forwarding": forward(&other, 2202)})).await?.expect(201)?;
    let ip = shown(client, &format!("floatingips/{id}")).await?;
    assert_eq!((&ip["router_id"], &ip["port_id"]), (&json!(world.router), &json!(null)));
    assert_eq!(ip["port_forwardings"].as_array().unwrap().len(), 2);

    let refused = async |body: Value, status: u16| {
        client.post(&path, &json!({ "port_forwarding": body })).await?.expect_error(status)
    };
    let (_, message) = refused(forward(&other, 2201), 400).await?;
    assert!(message.contains("A duplicate port forwarding entry"), "{message}");
    let mut odd = forward(&one, 2203);
    odd["internal_ip_address"] = json!("10.10.0.222");
    assert!(refused(odd, 400).await?.1.contains("is not suitable for internal neutron port"));
    assert_eq!(refused(forward(NOBODY, 2203), 404).await?.0, "PortNotFound");
    for (name, value) in
        [("protocol", json!("odd")), ("external_port", json!(0)), ("internal_port", json!(65536))]
    {
        let mut odd = forward(&one, 2203);
        odd[name] = value;
        refused(odd, 400).await?;
    }
    let (kind, _) = client
        .put(&format!("/v2.0/floatingips/{id}"), &json!({"floatingip": {"port_id": one}}))
        .await?
        .expect_error(409)?;
    assert_eq!(kind, "FipInUseByPortForwarding");
    let another = json!({"floatingip": {"floating_network_id": world.external, "port_id": one}});
    let (kind, _) = client.post("/v2.0/floatingips", &another).await?.expect_error(400)?;
    assert_eq!(kind, "PortHasPortForwarding");
    let remove = json!({ "subnet_id": world.subnet });
    let used =
        tell(client, &world.router, "remove_router_interface", remove.clone()).await?.expect_error(409)?;
    assert_eq!(used.0, "RouterInterfaceInUseByFloatingIP");

    let own = format!("{path}/{}", text(made, "/id")?);
    let changed = json!({"port_forwarding": {"external_port": 2299}});
    assert_eq!(client.put(&own, &changed).await?.expect(200)?["port_forwarding"]["external_port"], 2299);
    client.delete(&own).await?.expect(204)?;
    client.get(&own).await?.expect_error(404)?;
    // With the port inside goes the last one, and the router is free.
    client.delete(&format!("/v2.0/ports/{other}")).await?.expect(204)?;
    let ip = shown(client, &format!("floatingips/{id}")).await?;
    assert_eq!((&ip["router_id"], &ip["port_forwardings"]), (&json!(null), &json!([])));
    tell(client, &world.router, "remove_router_interface", remove).await?.expect(200)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_follows_protocols_that_open_connections() -> Result {
    let server = world::sqlite().await?;
    let world = World::start(server.client()).await?;
    let client = &world.client;
    let path = format!("/v2.0/routers/{}/conntrack_helpers", world.router);
    let helper = |name: &str, protocol: &str| json!({"conntrack_helper": {"protocol": protocol, "port": 21, "helper": name}});
    let made = client.post(&path, &helper("ftp", "tcp")).await?.expect(201)?;
    let own = format!("{path}/{}", text(&made, "/conntrack_helper/id")?);
    let (_, message) = client.post(&path, &helper("ftp", "tcp")).await?.expect_error(400)?;
    assert!(message.contains("A duplicate conntrack helper entry"), "{message}");
    assert_eq!(
        client.post(&path, &helper("ftp", "udp")).await?.expect_error(400)?.0,
        "InvalidProtocolForHelper"
    );
    assert_eq!(
        client.post(&path, &helper("odd", "tcp")).await?.expect_error(400)?.0,
        "ConntrackHelperNotAllowed"
    );
    let nobody = format!("/v2.0/routers/{NOBODY}/conntrack_helpers");
    client.post(&nobody, &helper("ftp", "tcp")).await?.expect_error(404)?;
    let changed = json!({"conntrack_helper": {"port": 2121}});
    assert_eq!(client.put(&own, &changed).await?.expect(200)?["conntrack_helper"]["port"], 2121);
    client.delete(&own).await?.expect(204)?;
    assert_eq!(client.get(&own).await?.expect_error(404)?.0, "ConntrackHelperNotFound");
    Ok(())
}
