//! What agents are told and ask, and that services are as agents say.

use super::{Scene, builder, delete, made, put, show, with};
use hadron_networking_tests::Cloud;
use hadron_sdk_testing::Result;
use hadron_test_support::Agent;
use serde_json::{Value, json};

const MEMBER: &str = "ipsec_site_connection";

fn ask(cloud: &Cloud, method: &str, arguments: Value) -> Value {
    cloud.peer.call("ipsec_driver", method, arguments).unwrap()
}

fn services(cloud: &Cloud, host: &str) -> Value {
    ask(cloud, "get_vpn_services_on_host", json!({ "host": host }))
}

/// A cloud in which somebody at `n1` hears of VPN services, and a router that is
/// there.
async fn cloud() -> Result<Option<(Cloud, Scene)>> {
    let agents = [Agent::l3("n1").told(), Agent::l3("n2").told()];
    let Some(cloud) = Cloud::of(builder().mechanism_drivers(&["openvswitch"]), &agents).await? else {
        return Ok(None);
    };
    cloud.peer.command(json!({"do": "serve", "topic": "ipsec_agent", "host": "n1"})).unwrap();
    let scene = Scene::start(cloud.client()).await?;
    // Where its gateway is plugged in.
    let ports = format!("/v2.0/ports?device_id={}&device_owner=network:router_gateway", scene.router);
    let gateway = hadron_networking_tests::world::list(&cloud.client(), &ports).await?;
    let id = gateway[0]["id"].as_str().unwrap_or_default();
    let here = json!({"port": {"binding:host_id": "n1"}});
    cloud.client().put(&format!("/v2.0/ports/{id}"), &here).await?.expect(200)?;
    Ok(Some((cloud, scene)))
}

/// Waits until somebody at the router's host is told that services are others.
fn told(cloud: &Cloud, router: &str) {
    let is = |event: &Value| event["topic"] == "ipsec_agent" && event["method"] == "vpnservice_updated";
    assert_eq!(cloud.peer.event(is)["arguments"], json!({"router": {"id": router}}));
}

fn said(id: &str, status: &str, updated: bool, connections: Value) -> Value {
    json!({"status": [{"id": id, "status": status, "updated_pending_status": updated,
        "ipsec_site_connections": connections}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_hear_of_services_and_ask_what_they_are() -> Result {
    let Some((cloud, scene)) = cloud().await? else { return Ok(()) };
    let client = &scene.client;
    let service = scene.service(json!({"name": "v"})).await?;
    assert_eq!(services(&cloud, "n1"), json!([]), "it has no connections");
    let more = json!({"peer_id": "peer.example", "dpd": {"action": "clear"}});
    let asked = with(scene.grouped(&service).await?, more);
    let connection = made(client, MEMBER, asked).await?;
    told(&cloud, &scene.router);

    let found = services(&cloud, "n1");
    assert_eq!(found.as_array().map(Vec::len), Some(1));
    let own = show(client, "vpnservice", &service).await?;
    for name in
        ["id", "project_id", "tenant_id", "name", "router_id", "subnet_id", "status", "external_v4_ip"]
    {
        assert_eq!(found[0][name], own[name], "{name}");
    }
    assert_eq!(
        (&found[0]["external_ip"], &found[0]["subnet"]),
        (&own["external_v4_ip"], &json!({"cidr": "10.0.0.0/24"}))
    );
    let view = &found[0]["ipsec_site_connections"][0];
    for (name, value) in [
        ("id", json!(connection)),
        ("peer_id", json!("@peer.example")),
        ("local_cidrs", json!(["10.0.0.0/24"])),
        ("peer_cidrs", json!(["172.16.0.0/16"])),
        ("local_ip_vers", json!(4)),
        ("external_ip", own["external_v4_ip"].clone()),
        ("dpd_action", json!("clear")),
        ("dpd_interval", json!(30)),
        ("dpd_timeout", json!(120)),
        ("psk", json!("secret")),
        ("admin_state_up", json!(true)),
        ("initiator", json!("bi-directional")),
        ("mtu", json!(1500)),
    ] {
        assert_eq!(view[name], value, "{name}");
    }
    let (ike, ipsec) = (&view["ikepolicy"], &view["ipsecpolicy"]);
    assert_eq!(
        (&ike["ike_version"], &ike["lifetime_value"], &ike["phase1_negotiation_mode"]),
        (&json!("v1"), &json!(3600), &json!("main"))
    );
    assert_eq!(
        (&ipsec["transform_protocol"], &ipsec["lifetime_units"], &ipsec["pfs"]),
        (&json!("esp"), &json!("seconds"), &json!("group5"))
    );

    assert_eq!(services(&cloud, "n2"), json!([]), "the router leads out elsewhere");
    let unknown = json!({"host": "n3"});
    assert!(cloud.peer.call("ipsec_driver", "get_vpn_services_on_host", unknown).is_err());
    assert!(cloud.peer.call("ipsec_driver", "nosuch", json!({})).is_err());
    delete(client, MEMBER, &connection).await?.expect(204)?;
    told(&cloud, &scene.router);
    delete(client, "vpnservice", &service).await?.expect(204)?;
    told(&cloud, &scene.router);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn services_are_as_agents_say_and_can_be_changed_then() -> Result {
    let Some((cloud, scene)) = cloud().await? else { return Ok(()) };
    let client = &scene.client;
    let service = scene.service(json!({})).await?;
    let asked = scene.grouped(&service).await?;
    let connection = made(client, MEMBER, asked.clone()).await?;
    told(&cloud, &scene.router);
    let statuses = async || -> Result<[Value; 2]> {
        let service = show(client, "vpnservice", &service).await?["status"].take();
        Ok([service, show(client, MEMBER, &connection).await?["status"].take()])
    };
    let of = |status: &str, updated: bool| json!({&connection: {"status": status, "updated_pending_status": updated}});
    ask(&cloud, "update_status", said(&service, "DOWN", false, of("DOWN", false)));
    assert_eq!(statuses().await?, ["PENDING_CREATE", "PENDING_CREATE"], "nothing is said of the change");
    ask(&cloud, "update_status", said(&service, "ACTIVE", true, of("DOWN", true)));
    assert_eq!(statuses().await?, ["ACTIVE", "DOWN"]);
    ask(&cloud, "update_status", said(&service, "ACTIVE", false, of("ACTIVE", false)));
    assert_eq!(statuses().await?, ["ACTIVE", "ACTIVE"]);
    // Of what is gone an agent may not have heard yet.
    let gone = json!({super::NOBODY: {"status": "DOWN", "updated_pending_status": true}});
    ask(&cloud, "update_status", said(super::NOBODY, "DOWN", true, json!({})));
    ask(&cloud, "update_status", said(&service, "ACTIVE", false, gone));

    put(client, "vpnservice", &service, json!({"name": "n", "admin_state_up": false})).await?.expect(200)?;
    told(&cloud, &scene.router);
    let change = async |changes: Value| put(client, MEMBER, &connection, changes).await;
    change(json!({"dpd": {"interval": 60}, "psk": "new", "mtu": 1400})).await?.expect(200)?;
    told(&cloud, &scene.router);
    let now = show(client, MEMBER, &connection).await?;
    assert_eq!(now["dpd"], json!({"action": "hold", "interval": 60, "timeout": 120}));
    assert_eq!((&now["psk"], &now["status"]), (&json!("new"), &json!("ACTIVE")));
    // What is kept of before counts too.
    let kind = async |changes: Value| -> Result<String> { Ok(change(changes).await?.expect_error(400)?.0) };
    assert_eq!(kind(json!({"dpd": {"timeout": 60}})).await?, "IPsecSiteConnectionDpdIntervalValueError");
    assert_eq!(kind(json!({"peer_cidrs": ["172.16.0.0/16"]})).await?, "PeerCidrsInvalid");
    assert_eq!(kind(json!({"local_ep_group_id": null})).await?, "MissingRequiredEndpointGroup");
    assert_eq!(
        kind(json!({"peer_ep_group_id": asked["local_ep_group_id"]})).await?,
        "WrongEndpointGroupType"
    );
    assert_eq!(kind(json!({"mtu": 60})).await?, "IPsecSiteConnectionMtuError");
    assert_eq!(kind(json!({"peer_address": "2001:db8::7"})).await?, "ExternalNetworkHasNoSubnet");
    let other = scene.group("cidr", &["172.19.0.0/16"]).await?;
    change(json!({"peer_ep_group_id": other, "peer_address": "203.0.113.8"})).await?.expect(200)?;
    let view = services(&cloud, "n1")[0]["ipsec_site_connections"][0].take();
    assert_eq!(
        (&view["peer_cidrs"], &view["peer_address"]),
        (&json!(["172.19.0.0/16"]), &json!("203.0.113.8"))
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_agent_has_no_services() -> Result {
    let Some((cloud, scene)) = cloud().await? else { return Ok(()) };
    let service = scene.service(json!({ "subnet_id": scene.subnets[0] })).await?;
    let ranges = json!({"peer_cidrs": ["172.16.0.0/16"]});
    made(&scene.client, MEMBER, with(scene.connection(&service).await?, ranges)).await?;
    let found = services(&cloud, "n1");
    assert_eq!(
        (&found[0]["subnet"]["cidr"], &found[0]["subnet"]["id"]),
        (&json!("10.0.0.0/24"), &json!(scene.subnets[0]))
    );
    let agent = cloud.agent("L3 agent", "n1").await?;
    let path = format!("/v2.0/agents/{}", agent["id"].as_str().unwrap_or_default());
    scene.client.put(&path, &json!({"agent": {"admin_state_up": false}})).await?.expect(200)?;
    assert_eq!(services(&cloud, "n1"), json!([]));
    Ok(())
}
