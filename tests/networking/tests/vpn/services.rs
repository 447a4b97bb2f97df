//! Services: which routers can have them, and of which flavor.

use super::{
    NOBODY, OTHERS, OWN, PLUGINS, Scene, ask, builder, create, delete, made, path, put, scene, show, with,
};
use hadron_networking_tests::world::{self, text};
use hadron_sdk_testing::Result;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_service_waits_for_an_agent() -> Result {
    let (_server, scene) = scene().await?;
    let client = &scene.client;
    let service = create(client, "vpnservice", json!({"router_id": scene.router, "name": "v"})).await?;
    let id = text(&service, "/id")?;
    let port = world::list(client, &format!("/v2.0/ports?device_id={}", scene.router)).await?;
    let gateway = port.iter().find(|port| port["device_owner"] == "network:router_gateway").unwrap();
    let expected = json!({
        "id": id, "project_id": service["project_id"], "tenant_id": service["project_id"], "name": "v",
        "description": "", "subnet_id": null, "router_id": scene.router, "flavor_id": null,
        "admin_state_up": true, "external_v4_ip": gateway["fixed_ips"][0]["ip_address"],
        "external_v6_ip": null, "status": "PENDING_CREATE",
    });
    assert_eq!(service, expected);
    assert_eq!(show(client, "vpnservice", &id).await?, expected);
    for changes in [json!({"name": "x"}), json!({"description": "x"})] {
        let refused = put(client, "vpnservice", &id, changes).await?.expect_error(400)?;
        let message = format!("Invalid state PENDING_CREATE of vpnaas resource {id} for updating");
        assert_eq!(refused, ("VPNStateInvalidToUpdate".to_owned(), message));
    }
    for name in ["router_id", "subnet_id", "flavor_id", "status", "external_v4_ip"] {
        put(client, "vpnservice", &id, json!({ name: NOBODY })).await?.expect_error(400)?;
    }
    // One that waits can go.
    delete(client, "vpnservice", &id).await?.expect(204)?;
    let unknown = client.get(&path("vpnservice", &id)).await?.expect_error(404)?;
    assert_eq!(unknown, ("VPNServiceNotFound".to_owned(), format!("VPNService {id} could not be found")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_of_a_router_that_leads_out_and_of_a_subnet_on_it() -> Result {
    let (_server, scene) = scene().await?;
    let Scene { client, router, subnets, .. } = &scene;
    let closed = text(&world::create(client, "router", json!({})).await?, "/id")?;
    let unconnected = |subnet: &str| format!("Subnet {subnet} is not connected to Router {router}");
    for (asked, status, kind, message) in [
        (
            json!({ "router_id": closed }),
            400,
            "RouterIsNotExternal",
            format!("Router {closed} has no external network gateway set"),
        ),
        (
            json!({ "router_id": NOBODY }),
            404,
            "RouterNotFound",
            format!("Router {NOBODY} could not be found"),
        ),
        (
            json!({"router_id": router, "subnet_id": subnets[2]}),
            400,
            "SubnetIsNotConnectedToRouter",
            unconnected(&subnets[2]),
        ),
        (
            json!({"router_id": router, "subnet_id": NOBODY}),
            400,
            "SubnetIsNotConnectedToRouter",
            unconnected(NOBODY),
        ),
    ] {
        let refused = ask(client, "vpnservice", asked).await?.expect_error(status)?;
        assert_eq!(refused, (kind.to_owned(), message));
    }
    ask(client, "vpnservice", json!({})).await?.expect_error(400)?;
    let service = create(client, "vpnservice", json!({"router_id": router, "subnet_id": subnets[0]})).await?;
    assert_eq!(service["subnet_id"], *subnets[0]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_projects_router_is_not_there() -> Result {
    let (_server, scene) = scene().await?;
    let member = scene.client.clone().member_of(OWN)?;
    let refused =
        ask(&member, "vpnservice", json!({ "router_id": scene.router })).await?.expect_error(404)?;
    assert_eq!(refused.0, "RouterNotFound");
    // Its own has a way out that belongs to nobody.
    let router = json!({"external_gateway_info": {"network_id": scene.external}});
    let router = text(&world::create(&member, "router", router).await?, "/id")?;
    let service = create(&member, "vpnservice", json!({ "router_id": router })).await?;
    assert!(service["external_v4_ip"].is_string());
    let id = text(&service, "/id")?;
    let others = scene.client.clone().member_of(OTHERS)?;
    others.get(&path("vpnservice", &id)).await?.expect_error(404)?;
    delete(&others, "vpnservice", &id).await?.expect_error(404)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_with_connections_stays() -> Result {
    let (_server, scene) = scene().await?;
    let client = &scene.client;
    let service = scene.service(json!({})).await?;
    let connection = made(client, "ipsec_site_connection", scene.grouped(&service).await?).await?;
    let refused = delete(client, "vpnservice", &service).await?.expect_error(409)?;
    assert_eq!(refused, ("VPNServiceInUse".to_owned(), format!("VPNService {service} is still in use")));
    delete(client, "ipsec_site_connection", &connection).await?.expect(204)?;
    delete(client, "vpnservice", &service).await?.expect(204)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flavor_names_one_who_provides_vpn_services() -> Result {
    let providers = "[plugin.service-providers.config]\n\
                     service_provider = [\"VPN:ours:drv.vpn:default\", \"L3_ROUTER_NAT:x:drv.l3\"]\n";
    let server = builder().config(providers).start().await?;
    let scene = Scene::start(server.client()).await?;
    let client = &scene.client;
    let flavor = async |more: Value, profile: Option<Value>| -> Result<String> {
        let flavor = with(json!({"service_type": "VPN"}), more);
        let flavor = client.post("/v2.0/flavors", &json!({ "flavor": flavor })).await?.expect(201)?;
        let flavor = text(&flavor, "/flavor/id")?;
        if let Some(profile) = profile {
            let profile = json!({ "service_profile": profile });
            let profile = client.post("/v2.0/service-profiles", &profile).await?.expect(201)?;
            let put = json!({"service_profile": {"id": profile["service_profile"]["id"]}});
            client.post(&format!("/v2.0/flavors/{flavor}/service_profiles"), &put).await?.expect(201)?;
        }
        Ok(flavor)
    };
    let provided = json!({"driver": "drv.vpn"});
    for (more, profile, status, kind) in [
        (json!({"service_type": "QOS"}), None, 400, "InvalidServiceType"),
        (json!({"enabled": false}), Some(provided.clone()), 503, "FlavorDisabled"),
        (json!({}), None, 404, "FlavorServiceProfileBindingNotFound"),
        (json!({}), Some(json!({"driver": "drv.vpn", "enabled": false})), 503, "ServiceProfileDisabled"),
        (json!({}), Some(json!({"metainfo": "m"})), 404, "ServiceProfileDriverNotFound"),
        (json!({}), Some(json!({"driver": "drv.l3"})), 404, "NoProviderFoundForFlavor"),
    ] {
        let id = flavor(more, profile).await?;
        let asked = json!({"router_id": scene.router, "flavor_id": id});
        assert_eq!(ask(client, "vpnservice", asked).await?.expect_error(status)?.0, kind);
    }
    let asked = json!({"router_id": scene.router, "flavor_id": NOBODY});
    assert_eq!(ask(client, "vpnservice", asked).await?.expect_error(404)?.0, "FlavorNotFound");
    let id = flavor(json!({}), Some(provided)).await?;
    let service = scene.service(json!({ "flavor_id": id })).await?;
    assert_eq!(show(client, "vpnservice", &service).await?["flavor_id"], *id);
    let refused = client.delete(&format!("/v2.0/flavors/{id}")).await?.expect_error(409)?;
    assert_eq!(refused, ("FlavorInUse".to_owned(), format!("Flavor {id} is used by some service instance.")));
    delete(client, "vpnservice", &service).await?.expect(204)?;
    client.delete(&format!("/v2.0/flavors/{id}")).await?.expect(204)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_flavors_none_can_be_asked_for() -> Result {
    let plugins: Vec<&str> = PLUGINS.into_iter().filter(|name| *name != "flavors").collect();
    let server = builder().service_plugins(&plugins).start().await?;
    let scene = Scene::start(server.client()).await?;
    let asked = json!({"router_id": scene.router, "flavor_id": NOBODY});
    let refused = ask(&scene.client, "vpnservice", asked).await?.expect_error(404)?;
    assert_eq!(refused, ("FlavorsPluginNotLoaded".to_owned(), "Flavors plugin not found".to_owned()));
    scene.service(json!({})).await?;
    Ok(())
}
