//! Ways out of routers.

use super::{NOBODY, World, inside, join, outside, router, shown, tell};
use hadron_networking_tests::world::{self, create, list, text};
use hadron_sdk_testing::Result;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_router_has_one_way_out_and_changes_it() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let (external, subnet) = outside(&client, "198.51.100.0/24").await?;
    let id = router(&client, json!({"external_gateway_info": {"network_id": external}})).await?;
    let path = format!("/v2.0/routers/{id}");
    let way = async || -> Result<Value> {
        Ok(shown(&client, &format!("routers/{id}")).await?["external_gateway_info"].take())
    };
    let at = |address: &str, snat: bool| {
        json!({"network_id": external, "enable_snat": snat,
            "external_fixed_ips": [{"subnet_id": subnet, "ip_address": address}]})
    };
    assert_eq!(way().await?, at("198.51.100.2", true));
    let set =
        async |info: Value| client.put(&path, &json!({"router": {"external_gateway_info": info}})).await;
    set(json!({"network_id": external, "enable_snat": false})).await?.expect(200)?;
    assert_eq!(way().await?, at("198.51.100.2", false));
    set(json!({"network_id": external})).await?.expect(200)?;
    assert_eq!(way().await?, at("198.51.100.2", true), "what is not said is as by default");
    let asked = json!([{"ip_address": "198.51.100.77"}]);
    set(json!({"network_id": external, "external_fixed_ips": asked})).await?.expect(200)?;
    assert_eq!(way().await?, at("198.51.100.77", true));
    let ports = list(&client, &format!("/v2.0/ports?device_id={id}")).await?;
    let [port] = ports.as_slice() else { panic!("{ports:?}") };
    assert_eq!((&port["device_owner"], &port["project_id"]), (&json!("network:router_gateway"), &json!("")));
    // An administrator who changes the port changes what the router shows.
    let moved = json!({"port": {"fixed_ips": [{"subnet_id": subnet, "ip_address": "198.51.100.99"}]}});
    client.put(&format!("/v2.0/ports/{}", text(port, "/id")?), &moved).await?.expect(200)?;
    assert_eq!(way().await?, at("198.51.100.99", true));
    let (other, _) = outside(&client, "203.0.113.0/24").await?;
    set(json!({ "network_id": other })).await?.expect(200)?;
    assert_eq!(way().await?["network_id"], other.as_str());
    set(json!({})).await?.expect(200)?;
    assert_eq!(way().await?, json!(null));
    set(json!({ "network_id": other })).await?.expect(200)?;
    set(json!(null)).await?.expect(200)?;
    assert_eq!(way().await?, json!(null));
    assert!(list(&client, "/v2.0/ports").await?.is_empty());
    set(json!({ "network_id": other })).await?.expect(200)?;
    let (kind, _) = client.delete(&format!("/v2.0/networks/{other}")).await?.expect_error(409)?;
    assert_eq!(kind, "NetworkInUse");
    client.delete(&path).await?.expect(204)?;
    assert!(list(&client, "/v2.0/ports").await?.is_empty(), "the way out goes with the router");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_out_that_leads_nowhere_is_refused() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let world = World::start(client.clone()).await?;
    let path = format!("/v2.0/routers/{}", world.router);
    let refused = async |info: Value, status: u16| {
        client.put(&path, &json!({"router": {"external_gateway_info": info}})).await?.expect_error(status)
    };
    let (kind, message) = refused(json!({ "network_id": world.network }), 400).await?;
    let reason = format!("Bad router request: Network {} is not an external network.", world.network);
    assert_eq!((kind.as_str(), message), ("BadRequest", reason));
    assert_eq!(refused(json!({ "network_id": NOBODY }), 404).await?.0, "NetworkNotFound");
    let gateway =
        json!({"network_id": world.external, "external_fixed_ips": [{"ip_address": "198.51.100.1"}]});
    let (_, message) = refused(gateway, 400).await?;
    assert_eq!(message, "Bad router request: External IP 198.51.100.1 is the same as the gateway IP.");
    for odd in [
        json!({"enable_snat": true}),
        json!("x"),
        json!({"network_id": "x"}),
        json!({"network_id": world.external, "odd": 1}),
    ] {
        refused(odd, 400).await?;
    }
    // An address that somebody has.
    let taken = json!({"network_id": world.external, "fixed_ips": [{"ip_address": "198.51.100.50"}]});
    create(&client, "port", taken).await?;
    let taken =
        json!({"network_id": world.external, "external_fixed_ips": [{"ip_address": "198.51.100.50"}]});
    assert_eq!(refused(taken, 409).await?.0, "IpAddressAlreadyAllocated");

    // What is inside is not outside, too.
    let (overlapping, _) = outside(&client, "10.10.0.0/16").await?;
    let (_, message) = refused(json!({ "network_id": overlapping }), 400).await?;
    assert!(message.contains("overlaps with cidr 10.10.0.0/24"), "{message}");
    let (_, inner) = inside(&client, "198.51.100.0/25").await?;
    let given = json!({ "subnet_id": inner });
    let (_, message) =
        tell(&client, &world.router, "add_router_interface", given).await?.expect_error(400)?;
    assert!(message.contains("overlaps with cidr 198.51.100.0/24"), "{message}");

    // What leads over it keeps it.
    let route = json!([{"destination": "10.99.0.0/16", "nexthop": "198.51.100.200"}]);
    client.put(&path, &json!({"router": {"routes": route}})).await?.expect(200)?;
    assert_eq!(refused(json!(null), 400).await?.0, "InvalidRoutes");
    client.put(&path, &json!({"router": {"routes": []}})).await?.expect(200)?;
    world.floating_ip(json!({"port_id": world.port().await?})).await?;
    let (kind, _) = refused(json!(null), 409).await?;
    assert_eq!(kind, "RouterExternalGatewayInUseByFloatingIp");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_create_leaves_nothing() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let (network, _) = inside(&client, "10.10.0.0/24").await?;
    let asked = json!({"router": {"name": "r", "external_gateway_info": {"network_id": network}}});
    client.post("/v2.0/routers", &asked).await?.expect_error(400)?;
    assert!(list(&client, "/v2.0/routers").await?.is_empty());
    assert!(list(&client, "/v2.0/ports").await?.is_empty());
    let (external, _) = outside(&client, "198.51.100.0/30").await?;
    // One address is left for two routers of one request.
    let asked = json!({"external_gateway_info": {"network_id": external}});
    let (_, _) =
        client.post("/v2.0/routers", &json!({"routers": [asked, asked]})).await?.expect_error(409)?;
    assert!(list(&client, "/v2.0/routers").await?.is_empty());
    let (_, subnet) = inside(&client, "10.12.0.0/24").await?;
    let id = router(&client, asked).await?;
    join(&client, &id, &subnet).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn members_choose_where_to_and_not_how() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let (external, _) = outside(&client, "198.51.100.0/24").await?;
    let member = client.clone().member_of("0000000000000000000000000000000a")?;
    let post = async |info: Value| {
        member.post("/v2.0/routers", &json!({"router": {"external_gateway_info": info}})).await
    };
    let made = post(json!({ "network_id": external })).await?.expect(201)?;
    let id = text(&made, "/router/id")?;
    assert!(made["router"].get("ha").is_none(), "{made}");
    let (kind, message) =
        post(json!({"network_id": external, "enable_snat": false})).await?.expect_error(403)?;
    assert_eq!(kind, "PolicyNotAuthorized");
    assert!(message.contains("rule:create_router:external_gateway_info:enable_snat"), "{message}");
    let addresses = json!({"network_id": external, "external_fixed_ips": [{"ip_address": "198.51.100.9"}]});
    post(addresses).await?.expect_error(403)?;
    for kind in ["distributed", "ha"] {
        let asked = json!({"router": {kind: true}});
        member.post("/v2.0/routers", &asked).await?.expect_error(403)?;
        // There are none, and nobody is told otherwise.
        let (kind, message) = client.post("/v2.0/routers", &asked).await?.expect_error(400)?;
        assert_eq!(kind, "BadRequest");
        assert!(message.ends_with("routers are not supported."), "{message}");
    }
    // Networks, subnets and ports of others are not there.
    let (_, foreign) = inside(&client, "10.20.0.0/24").await?;
    let given = json!({ "subnet_id": foreign });
    let (kind, _) = tell(&member, &id, "add_router_interface", given).await?.expect_error(404)?;
    assert_eq!(kind, "SubnetNotFound");
    member.delete(&format!("/v2.0/routers/{id}")).await?.expect(204)?;
    Ok(())
}
