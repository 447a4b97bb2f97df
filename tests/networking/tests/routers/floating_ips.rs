//! Floating IPs.

use super::{NOBODY, World, inside, outside, shown, tell};
use hadron_networking_tests::world::{self, create, list, text};
use hadron_sdk_testing::Result;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_floating_ip_stands_for_a_port() -> Result {
    let server = world::sqlite().await?;
    let world = World::start(server.client()).await?;
    let client = &world.client;
    let port = world.port().await?;
    let made = world.floating_ip(json!({ "port_id": port })).await?;
    let fixed = text(&shown(client, &format!("ports/{port}")).await?, "/fixed_ips/0/ip_address")?;
    assert_eq!(
        (&made["port_id"], &made["fixed_ip_address"], &made["router_id"], &made["status"]),
        (&json!(port), &json!(fixed), &json!(world.router), &json!("DOWN"))
    );
    assert_eq!(made["port_details"]["network_id"], world.network.as_str());
    assert_eq!((&made["port_forwardings"], &made["dns_name"]), (&json!([]), &json!("")));
    let id = text(&made, "/id")?;
    let path = format!("/v2.0/floatingips/{id}");
    let put = async |body: Value| client.put(&path, &json!({ "floatingip": body })).await;
    let free = put(json!({"port_id": null})).await?.expect(200)?["floatingip"].take();
    let nothing = ["port_id", "fixed_ip_address", "router_id", "port_details"].map(|name| free[name].clone());
    assert!(nothing.iter().all(Value::is_null), "{free}");
    put(json!({"port_id": port, "fixed_ip_address": fixed})).await?.expect(200)?;
    assert_eq!(put(json!({"description": "d"})).await?.expect(200)?["floatingip"]["port_id"], port.as_str());
    // With the port goes what it stands for, and the address stays.
    client.delete(&format!("/v2.0/ports/{port}")).await?.expect(204)?;
    let left = shown(client, &format!("floatingips/{id}")).await?;
    assert_eq!((&left["port_id"], &left["router_id"]), (&json!(null), &json!(null)));
    assert_eq!(left["floating_ip_address"], made["floating_ip_address"]);
    // The port that keeps the address is nobody's to delete.
    let kept = list(client, &format!("/v2.0/ports?device_id={id}")).await?;
    let (kind, _) =
        client.delete(&format!("/v2.0/ports/{}", text(&kept[0], "/id")?)).await?.expect_error(409)?;
    assert_eq!(kind, "ServicePortInUse");
    client.delete(&path).await?.expect(204)?;
    assert!(list(client, &format!("/v2.0/ports?device_id={id}")).await?.is_empty());
    client.delete(&path).await?.expect_error(404)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_association_that_makes_no_sense_is_refused() -> Result {
    let server = world::sqlite().await?;
    let world = World::start(server.client()).await?;
    let client = &world.client;
    let refused = async |body: Value, status: u16| {
        client.post("/v2.0/floatingips", &json!({ "floatingip": body })).await?.expect_error(status)
    };
    let bad = |reason: &str| ("BadRequest".to_owned(), format!("Bad floatingip request: {reason}."));
    let on = |more: Value| {
        let mut body = json!({ "floating_network_id": world.external });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let not_external = bad(&format!("Network {} is not a valid external network", world.network));
    assert_eq!(refused(json!({ "floating_network_id": world.network }), 400).await?, not_external);
    assert_eq!(refused(json!({ "floating_network_id": NOBODY }), 404).await?.0, "NetworkNotFound");
    let bare = create(client, "network", json!({"router:external": true})).await?;
    let no_v4 = bad(&format!("Network {} does not contain any IPv4 subnet", text(&bare, "/id")?));
    assert_eq!(refused(json!({"floating_network_id": bare["id"]}), 400).await?, no_v4);
    let alone = bad("fixed_ip_address cannot be specified without a port_id");
    assert_eq!(refused(on(json!({"fixed_ip_address": "10.10.0.5"})), 400).await?, alone);
    assert_eq!(refused(on(json!({ "port_id": NOBODY })), 404).await?.0, "PortNotFound");

    let port = world.port().await?;
    let other = bad(&format!("Port {port} does not have fixed ip 10.10.0.200"));
    assert_eq!(refused(on(json!({"port_id": port, "fixed_ip_address": "10.10.0.200"})), 400).await?, other);
    let two = json!({"network_id": world.network, "fixed_ips": [{"subnet_id": world.subnet}, {"subnet_id": world.subnet}]});
    let two = create(client, "port", two).await?;
    let (_, message) = refused(on(json!({"port_id": two["id"]})), 400).await?;
    assert!(message.contains("has multiple fixed IPv4 addresses"), "{message}");
    let second = text(&two, "/fixed_ips/1/ip_address")?;
    world.floating_ip(json!({"port_id": two["id"], "fixed_ip_address": second})).await?;
    let none = create(client, "port", json!({"network_id": world.network, "fixed_ips": []})).await?;
    let (_, message) = refused(on(json!({"port_id": none["id"]})), 400).await?;
    assert!(message.contains("no fixed IPv4 addresses"), "{message}");

    let (away, _) = inside(client, "10.99.0.0/24").await?;
    let away = text(&create(client, "port", json!({ "network_id": away })).await?, "/id")?;
    let (kind, _) = refused(on(json!({ "port_id": away })), 404).await?;
    assert_eq!(kind, "ExternalGatewayForFloatingIPNotFound");
    let (elsewhere, _) = outside(client, "203.0.113.0/24").await?;
    let (kind, _) = refused(json!({"floating_network_id": elsewhere, "port_id": port}), 404).await?;
    assert_eq!(kind, "ExternalGatewayForFloatingIPNotFound");

    let first = world.floating_ip(json!({ "port_id": port })).await?;
    let (kind, _) = refused(on(json!({ "port_id": port })), 409).await?;
    assert_eq!(kind, "FloatingIPPortAlreadyAssociated");
    let taken = on(json!({"floating_ip_address": first["floating_ip_address"]}));
    assert_eq!(refused(taken, 409).await?.0, "IpAddressAlreadyAllocated");
    // What is stood for stays.
    let moved = json!({"port": {"fixed_ips": [{"subnet_id": world.subnet, "ip_address": "10.10.0.123"}]}});
    let (kind, message) = client.put(&format!("/v2.0/ports/{port}"), &moved).await?.expect_error(400)?;
    assert_eq!(kind, "BadRequest");
    assert!(message.contains("its original fixed_ip has been associated to a floating ip"), "{message}");
    let remove = json!({ "subnet_id": world.subnet });
    let used = tell(client, &world.router, "remove_router_interface", remove).await?.expect_error(409)?;
    assert_eq!(used.0, "RouterInterfaceInUseByFloatingIP");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_chosen_or_asked_for() -> Result {
    let server = world::sqlite().await?;
    let world = World::start(server.client()).await?;
    let asked = world.floating_ip(json!({"floating_ip_address": "198.51.100.77"})).await?;
    assert_eq!(asked["floating_ip_address"], "198.51.100.77");
    let second = json!({"network_id": world.external, "ip_version": 4, "cidr": "203.0.113.0/24"});
    let second = text(&create(&world.client, "subnet", second).await?, "/id")?;
    let of = world.floating_ip(json!({ "subnet_id": second })).await?;
    assert_eq!(of["floating_ip_address"], "203.0.113.2");
    assert!(of.get("subnet_id").is_none() && of.get("floating_port_id").is_none(), "{of}");
    let found = list(&world.client, "/v2.0/floatingips?floating_ip_address=203.0.113.2").await?;
    assert_eq!(found.len(), 1);
    // With the network go those that stand for nothing.
    let (kind, _) =
        world.client.delete(&format!("/v2.0/networks/{}", world.external)).await?.expect_error(409)?;
    assert_eq!(kind, "NetworkInUse", "a router leads there");
    let leave = json!({"router": {"external_gateway_info": null}});
    world.client.put(&format!("/v2.0/routers/{}", world.router), &leave).await?.expect(200)?;
    world.client.delete(&format!("/v2.0/networks/{}", world.external)).await?.expect(204)?;
    assert!(list(&world.client, "/v2.0/floatingips").await?.is_empty());
    Ok(())
}
