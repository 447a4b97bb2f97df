//! What VPN services need stays: ways out, interfaces and subnets.

use super::{Scene, builder, delete, made, scene, with};
use hadron_networking_tests::world::{self, text};
use hadron_sdk_testing::Result;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_router_with_vpn_services_leads_out() -> Result {
    let (_server, scene) = scene().await?;
    let Scene { client, router, .. } = &scene;
    let one = scene.service(json!({})).await?;
    let used = |services: &str| {
        ("RouterInUse".to_owned(), format!("Router {router} is currently used by VPN {services}"))
    };
    let clear = json!({ "external_gateway_info": null });
    assert_eq!(scene.change(clear.clone()).await?.expect_error(409)?, used(&format!("service ({one})")));
    let two = scene.service(json!({})).await?;
    let (_, message) = scene.change(clear.clone()).await?.expect_error(409)?;
    assert!(message.contains("VPN services (") && message.contains(&two), "{message}");
    // Another way out is another gateway.
    let elsewhere = json!({"name": "ext2", "router:external": true});
    let elsewhere = text(&world::create(client, "network", elsewhere).await?, "/id")?;
    world::subnet(client, &elsewhere, "192.0.2.0/24").await?;
    let moved = json!({"external_gateway_info": {"network_id": elsewhere}});
    assert_eq!(scene.change(moved).await?.expect_error(409)?.0, "RouterInUse");
    // Other things about it can change, but not its kind.
    scene.change(json!({"name": "n", "admin_state_up": false})).await?.expect(200)?;
    assert_eq!(scene.change(json!({"distributed": true})).await?.expect_error(409)?.0, "RouterInUse");

    delete(client, "vpnservice", &two).await?.expect(204)?;
    for subnet in &scene.subnets[..2] {
        scene.part(subnet).await?.expect(200)?;
    }
    let path = format!("/v2.0/routers/{router}");
    assert_eq!(client.delete(&path).await?.expect_error(409)?, used(&format!("service ({one})")));
    delete(client, "vpnservice", &one).await?.expect(204)?;
    scene.change(clear).await?.expect(200)?;
    client.delete(&path).await?.expect(204)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_stays_on_subnets_that_are_joined() -> Result {
    let (_server, scene) = scene().await?;
    let client = &scene.client;
    let subnet = scene.subnets[0].as_str();
    let by_subnet = scene.service(json!({ "subnet_id": subnet })).await?;
    let by_group = scene.service(json!({})).await?;
    let connection = made(client, "ipsec_site_connection", scene.grouped(&by_group).await?).await?;
    let refused = scene.part(subnet).await?.expect_error(409)?;
    let message = format!("Subnet {subnet} is used by VPNService {by_subnet}");
    assert_eq!(refused, ("SubnetInUseByVPNService".to_owned(), message));
    delete(client, "vpnservice", &by_subnet).await?.expect(204)?;

    let message = format!("Subnet {subnet} is used by ipsec site connection {connection}");
    let expected = ("SubnetInUseByIPsecSiteConnection".to_owned(), message);
    assert_eq!(scene.part(subnet).await?.expect_error(409)?, expected);
    // Nor does the port leave it by other addresses.
    let ports = world::list(client, &format!("/v2.0/ports?device_id={}", scene.router)).await?;
    let on = |port: &&Value| port["fixed_ips"][0]["subnet_id"] == *subnet;
    let port = text(ports.iter().find(on).unwrap(), "/id")?;
    let away = json!({"port": {"fixed_ips": [{"subnet_id": scene.subnets[2]}]}});
    assert_eq!(client.put(&format!("/v2.0/ports/{port}"), &away).await?.expect_error(409)?, expected);
    // Of other subnets nobody has need.
    scene.part(&scene.subnets[1]).await?.expect(200)?;
    delete(client, "ipsec_site_connection", &connection).await?.expect(204)?;
    scene.part(subnet).await?.expect(200)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn subnets_in_groups_stay() -> Result {
    let (_server, scene) = scene().await?;
    let client = &scene.client;
    let subnet = scene.subnets[2].as_str();
    let group = scene.group("subnet", &[subnet]).await?;
    let path = format!("/v2.0/subnets/{subnet}");
    let refused = client.delete(&path).await?.expect_error(409)?;
    let message = format!("Subnet {subnet} is used by endpoint group {group}");
    assert_eq!(refused, ("SubnetInUseByEndpointGroup".to_owned(), message));
    delete(client, "endpoint_group", &group).await?.expect(204)?;
    client.delete(&path).await?.expect(204)?;
    Ok(())
}

/// A connection and the end of one of its sides: one of them comes about.
async fn contest_group(scene: &Scene) -> Result {
    let service = scene.service(json!({})).await?;
    let asked = scene.grouped(&service).await?;
    for _ in 0..8 {
        let group = scene.group("cidr", &["172.18.0.0/16"]).await?;
        let asked = with(asked.clone(), json!({ "peer_ep_group_id": group }));
        let connect = super::ask(&scene.client, "ipsec_site_connection", asked);
        let go = delete(&scene.client, "endpoint_group", &group);
        let (connected, gone) = tokio::join!(connect, go);
        match connected?.expect(201) {
            Ok(made) => {
                let id = text(&made, "/ipsec_site_connection/id")?;
                gone?.expect_error(400)?;
                delete(&scene.client, "ipsec_site_connection", &id).await?.expect(204)?;
            }
            Err(_) => drop(gone?.expect(204)?),
        }
    }
    Ok(())
}

/// A connection and its router's leaving the subnet, a service and its router's
/// being closed: one of two comes about.
async fn contest_router(scene: &Scene) -> Result {
    let client = &scene.client;
    let subnet = scene.subnets[0].as_str();
    let service = scene.service(json!({})).await?;
    let asked = scene.grouped(&service).await?;
    for _ in 0..8 {
        let connect = super::ask(client, "ipsec_site_connection", asked.clone());
        let (connected, parted) = tokio::join!(connect, scene.part(subnet));
        match connected?.expect(201) {
            Ok(made) => {
                assert_eq!(parted?.expect_error(409)?.0, "SubnetInUseByIPsecSiteConnection");
                let id = text(&made, "/ipsec_site_connection/id")?;
                delete(client, "ipsec_site_connection", &id).await?.expect(204)?;
            }
            Err(_) => {
                parted?.expect(200)?;
                scene.tell("add_router_interface", json!({ "subnet_id": subnet })).await?.expect(200)?;
            }
        }
    }
    delete(client, "vpnservice", &service).await?.expect(204)?;
    for _ in 0..8 {
        let serve = super::ask(client, "vpnservice", json!({ "router_id": scene.router }));
        let close = scene.change(json!({ "external_gateway_info": null }));
        let (served, closed) = tokio::join!(serve, close);
        match served?.expect(201) {
            Ok(made) => {
                assert_eq!(closed?.expect_error(409)?.0, "RouterInUse");
                delete(client, "vpnservice", &text(&made, "/vpnservice/id")?).await?.expect(204)?;
            }
            Err(_) => {
                closed?.expect(200)?;
                let open = json!({"external_gateway_info": {"network_id": scene.external}});
                scene.change(open).await?.expect(200)?;
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_excludes_each_other_one_comes_about() -> Result {
    let (_server, scene) = scene().await?;
    contest_group(&scene).await?;
    contest_router(&scene).await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_excludes_each_other_one_comes_about_on_postgres() -> Result {
    let Some(postgres) = hadron_test_support::shared() else { return Ok(()) };
    let server = builder().database(&postgres.fresh_database().await).start().await?;
    let scene = Scene::start(server.client()).await?;
    contest_group(&scene).await?;
    contest_router(&scene).await
}
