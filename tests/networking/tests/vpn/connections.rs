//! Connections: what can be joined to what.

use super::{NOBODY, OTHERS, OWN, PEER, Scene, ask, create, delete, made, path, put, scene, show, with};
use hadron_networking_tests::world::{self, text};
use hadron_sdk_testing::Result;
use serde_json::{Value, json};

const MEMBER: &str = "ipsec_site_connection";

async fn refused(scene: &Scene, document: Value, status: u16) -> Result<(String, String)> {
    ask(&scene.client, MEMBER, document).await?.expect_error(status)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_joins_groups_and_waits_for_an_agent() -> Result {
    let (_server, scene) = scene().await?;
    let client = &scene.client;
    let service = scene.service(json!({})).await?;
    let asked = scene.grouped(&service).await?;
    let connection = create(client, MEMBER, asked.clone()).await?;
    let id = text(&connection, "/id")?;
    let kept = json!({
        "id": id, "project_id": connection["project_id"], "tenant_id": connection["project_id"], "name": "",
        "description": "", "local_id": "", "route_mode": "static", "mtu": 1500, "auth_mode": "psk",
        "initiator": "bi-directional", "dpd": {"action": "hold", "interval": 30, "timeout": 120},
        "admin_state_up": true, "status": "PENDING_CREATE", "peer_cidrs": [],
    });
    let expected = with(asked, kept);
    assert_eq!(connection, expected);
    assert_eq!(show(client, MEMBER, &id).await?, expected);
    for changes in [json!({"name": "x"}), json!({"dpd": {"interval": 10}})] {
        let (kind, message) = put(client, MEMBER, &id, changes).await?.expect_error(400)?;
        assert_eq!(kind, "VPNStateInvalidToUpdate");
        assert_eq!(message, format!("Invalid state PENDING_CREATE of vpnaas resource {id} for updating"));
    }
    for name in ["vpnservice_id", "ikepolicy_id", "ipsecpolicy_id", "status", "auth_mode", "route_mode"] {
        let (_, message) = put(client, MEMBER, &id, json!({ name: NOBODY })).await?.expect_error(400)?;
        assert_eq!(message, format!("Cannot update read-only attribute {name}"));
    }
    delete(client, MEMBER, &id).await?.expect(204)?;
    let unknown = client.get(&path(MEMBER, &id)).await?.expect_error(404)?;
    assert_eq!(
        unknown,
        ("IPsecSiteConnectionNotFound".to_owned(), format!("ipsec_site_connection {id} not found"))
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_connection_is_made_of_is_there() -> Result {
    let (_server, scene) = scene().await?;
    let service = scene.service(json!({})).await?;
    let asked = scene.grouped(&service).await?;
    for (name, kind) in [
        ("vpnservice_id", "VPNServiceNotFound"),
        ("ikepolicy_id", "IKEPolicyNotFound"),
        ("ipsecpolicy_id", "IPsecPolicyNotFound"),
        ("local_ep_group_id", "VPNEndpointGroupNotFound"),
        ("peer_ep_group_id", "VPNEndpointGroupNotFound"),
    ] {
        assert_eq!(refused(&scene, with(asked.clone(), json!({ name: NOBODY })), 404).await?.0, kind);
    }
    // Nothing of it is there for another project.
    let others = scene.client.clone().member_of(OTHERS)?;
    assert_eq!(ask(&others, MEMBER, asked.clone()).await?.expect_error(404)?.0, "IPsecPolicyNotFound");
    let ipsec = made(&scene.client, "ipsecpolicy", json!({"transform_protocol": "ah-esp"})).await?;
    let (kind, message) =
        refused(&scene, with(asked.clone(), json!({ "ipsecpolicy_id": ipsec })), 400).await?;
    assert_eq!(kind, "IpsecValidationFailure");
    assert_eq!(
        message,
        "IPSec does not support IPsec Policy attribute transform_protocol with value 'ah-esp'"
    );
    for name in ["psk", "peer_id", "peer_address", "vpnservice_id"] {
        let mut without = asked.clone();
        without.as_object_mut().unwrap().remove(name);
        let (_, message) = refused(&scene, without, 400).await?;
        assert_eq!(message, format!("Failed to parse request. Required attribute '{name}' not specified"));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_subnet_of_the_service_both_sides_are_groups_of_one_family() -> Result {
    let (_server, scene) = scene().await?;
    let [v4, v6, unjoined] = [0, 1, 2].map(|place: usize| scene.subnets[place].as_str());
    let service = scene.service(json!({})).await?;
    let asked = scene.grouped(&service).await?;
    let (local, peer) = (text(&asked, "/local_ep_group_id")?, text(&asked, "/peer_ep_group_id")?);
    let mixed_local = scene.group("subnet", &[v4, v6]).await?;
    let mixed_peer = scene.group("cidr", &["172.16.0.0/16", "2001:db8::/64"]).await?;
    let (v6_local, v6_peer) =
        (scene.group("subnet", &[v6]).await?, scene.group("cidr", &["2001:db8::/64"]).await?);
    let elsewhere = scene.group("subnet", &[unjoined]).await?;
    let mixed = |group: &str| {
        let message = format!(
            "Endpoints in group {group} do not have the same IP version, as required for IPSec site-to-site \
             connection"
        );
        ("MixedIPVersionsForIPSecEndpoints", message)
    };
    let wrong = |group: &str, is: &str, expected: &str| {
        (
            "WrongEndpointGroupType",
            format!("Endpoint group {group} type is '{is}' and should be '{expected}'"),
        )
    };
    let missing = |which: &str| {
        let message = format!("Missing endpoint {which} for IPSec site-to-site connection");
        ("MissingRequiredEndpointGroup", message)
    };
    for (more, (kind, message)) in [
        (json!({"local_ep_group_id": null, "peer_ep_group_id": null}), missing("groups local and peer")),
        (json!({"peer_ep_group_id": null}), missing("group peer")),
        (
            json!({"peer_cidrs": ["172.16.0.0/16"]}),
            ("PeerCidrsInvalid", "Peer CIDRs cannot be specified, when using endpoint groups".to_owned()),
        ),
        (json!({ "local_ep_group_id": peer }), wrong(&peer, "cidr", "subnet")),
        (json!({ "peer_ep_group_id": local }), wrong(&local, "subnet", "cidr")),
        (
            json!({ "local_ep_group_id": elsewhere }),
            (
                "SubnetIsNotConnectedToRouter",
                format!("Subnet {unjoined} is not connected to Router {}", scene.router),
            ),
        ),
        (json!({ "local_ep_group_id": mixed_local }), mixed(&mixed_local)),
        (json!({ "peer_ep_group_id": mixed_peer }), mixed(&mixed_peer)),
        (
            json!({ "peer_ep_group_id": v6_peer }),
            (
                "MixedIPVersionsForIPSecConnection",
                "IP versions are not compatible between peer and local endpoints".to_owned(),
            ),
        ),
        (
            json!({"local_ep_group_id": v6_local, "peer_ep_group_id": v6_peer, "mtu": 1279}),
            (
                "IPsecSiteConnectionMtuError",
                "ipsec_site_connection MTU 1279 is too small for ipv6".to_owned(),
            ),
        ),
    ] {
        let answer = refused(&scene, with(asked.clone(), more.clone()), 400).await?;
        assert_eq!(answer, (kind.to_owned(), message), "{more}");
    }
    let v6 = json!({"local_ep_group_id": v6_local, "peer_ep_group_id": v6_peer, "mtu": 1280});
    made(&scene.client, MEMBER, with(asked, v6)).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_subnet_of_the_service_the_other_side_is_ranges() -> Result {
    let (_server, scene) = scene().await?;
    let service = scene.service(json!({ "subnet_id": scene.subnets[0] })).await?;
    let plain = scene.connection(&service).await?;
    let grouped = scene.grouped(&service).await?;
    for (asked, kind, message) in [
        (plain.clone(), "MissingPeerCidrs", "Missing peer CIDRs for IPsec site-to-site connection"),
        (
            with(grouped, json!({"peer_cidrs": ["172.16.0.0/16"]})),
            "InvalidEndpointGroup",
            "Endpoint groups local and peer cannot be specified, when VPN Service has subnet specified",
        ),
        (
            with(plain.clone(), json!({"peer_cidrs": ["172.16.0.0/16", "2001:db8::/64"]})),
            "MixedIPVersionsForPeerCidrs",
            "Peer CIDRs do not have the same IP version, as required for IPSec site-to-site connection",
        ),
        (
            with(plain.clone(), json!({"peer_cidrs": ["2001:db8::/64"]})),
            "MixedIPVersionsForIPSecConnection",
            "IP versions are not compatible between peer and local endpoints",
        ),
        (
            with(plain.clone(), json!({"peer_cidrs": ["x"]})),
            "HTTPBadRequest",
            "Invalid input for peer_cidrs. Reason: 'x' is not a valid IP subnet.",
        ),
    ] {
        assert_eq!(refused(&scene, asked, 400).await?, (kind.to_owned(), message.to_owned()));
    }
    let ranges = json!({"peer_cidrs": ["172.16.0.0/16", "172.17.0.0/16"]});
    let connection = create(&scene.client, MEMBER, with(plain, ranges.clone())).await?;
    assert_eq!(
        (&connection["peer_cidrs"], &connection["local_ep_group_id"], &connection["peer_ep_group_id"]),
        (&ranges["peer_cidrs"], &Value::Null, &Value::Null)
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_a_peer_makes_sense() -> Result {
    let (_server, scene) = scene().await?;
    let service = scene.service(json!({})).await?;
    let asked = scene.grouped(&service).await?;
    let dpd = "ipsec_site_connection dpd_timeout is equal to or less than dpd_interval";
    for (more, kind, message) in [
        (json!({"dpd": {"interval": 120}}), "IPsecSiteConnectionDpdIntervalValueError", dpd.to_owned()),
        (json!({"dpd": {"timeout": 30}}), "IPsecSiteConnectionDpdIntervalValueError", dpd.to_owned()),
        (
            json!({"dpd": {"action": "x"}}),
            "HTTPBadRequest",
            "Invalid input for dpd. Reason: x is not in valid_values.".to_owned(),
        ),
        (
            json!({"mtu": 67}),
            "IPsecSiteConnectionMtuError",
            "ipsec_site_connection MTU 67 is too small for ipv4".to_owned(),
        ),
        (
            json!({"peer_address": "2001:db8::7"}),
            "ExternalNetworkHasNoSubnet",
            format!("Router's {} external network has no IPv6 subnet", scene.router),
        ),
        (
            json!({"peer_address": "peer.example"}),
            "VPNPeerAddressNotResolved",
            "Peer address peer.example cannot be resolved".to_owned(),
        ),
        (
            json!({"initiator": "x"}),
            "HTTPBadRequest",
            "Invalid input for initiator. Reason: x is not in valid_values.".to_owned(),
        ),
        (json!({"status": "ACTIVE"}), "HTTPBadRequest", "Attribute 'status' not allowed in POST".to_owned()),
    ] {
        let answer = refused(&scene, with(asked.clone(), more.clone()), 400).await?;
        assert_eq!(answer, (kind.to_owned(), message), "{more}");
    }
    let more = json!({
        "dpd": {"action": "restart-by-peer", "timeout": "31"}, "mtu": "68", "initiator": "response-only",
        "peer_id": "peer.example", "local_id": "us.example", "admin_state_up": "false",
    });
    let connection = create(&scene.client, MEMBER, with(asked, more)).await?;
    assert_eq!(connection["dpd"], json!({"action": "restart-by-peer", "interval": 30, "timeout": 31}));
    assert_eq!((&connection["mtu"], &connection["admin_state_up"]), (&json!(68), &json!(false)));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_joins_its_own_networks() -> Result {
    let (_server, scene) = scene().await?;
    let member = scene.client.clone().member_of(OWN)?;
    let network = world::network(&member, "own").await?;
    let subnet = world::subnet(&member, &network, "10.9.0.0/24").await?;
    let router = json!({"external_gateway_info": {"network_id": scene.external}});
    let router = text(&world::create(&member, "router", router).await?, "/id")?;
    let join = json!({ "subnet_id": subnet });
    member.put(&format!("/v2.0/routers/{router}/add_router_interface"), &join).await?.expect(200)?;
    let own = Scene { client: member, router, subnets: [subnet, String::new(), String::new()], ..scene };
    let service = own.service(json!({})).await?;
    let connection = create(&own.client, MEMBER, own.grouped(&service).await?).await?;
    assert_eq!((&connection["project_id"], &connection["peer_address"]), (&json!(OWN), &json!(PEER)));
    assert!(!own.network.is_empty());
    Ok(())
}
