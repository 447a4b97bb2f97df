//! Ports that mechanism drivers bind where an agent of theirs reports: which
//! driver, with which segment, and where nobody does.

use hadron_networking_tests::{Cloud, world};
use hadron_sdk_testing::Result;
use hadron_test_support::Agent;
use serde_json::{Value, json};

const DRIVERS: [&str; 4] = ["openvswitch", "linuxbridge", "macvtap", "sriovnicswitch"];

fn agents() -> Vec<Agent> {
    let unconnected = |agent: Agent| agent.configuration("bridge_mappings", json!({}));
    vec![
        Agent::openvswitch("ovs"),
        Agent::linuxbridge("bridge"),
        Agent::macvtap("macvtap"),
        Agent::sriov("cards"),
        unconnected(Agent::openvswitch("cards")),
        unconnected(Agent::openvswitch("both")),
        Agent::linuxbridge("both"),
    ]
}

/// A port of an instance, as it was made.
async fn port(cloud: &Cloud, network: &str, host: &str, vnic_type: &str, profile: Value) -> Result<Value> {
    let port = json!({"network_id": network, "device_owner": "compute:nova", "binding:host_id": host,
        "binding:vnic_type": vnic_type, "binding:profile": profile});
    // As Nova: only a service says how it will plug a port in.
    let nova = cloud.client().header("x-roles", "admin,service,member,reader")?;
    world::create(&nova, "port", port).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_is_bound_by_the_first_driver_whose_agent_reaches_its_network() -> Result {
    let builder = world::builder().mechanism_drivers(&DRIVERS);
    let Some(cloud) = Cloud::of(builder, &agents()).await? else { return Ok(()) };
    let client = cloud.client();
    let network =
        async |provider: Value| world::text(&world::create(&client, "network", provider).await?, "/id");
    let vxlan = network(json!({})).await?;
    let vlan = json!({"provider:network_type": "vlan", "provider:physical_network": "physnet1",
        "provider:segmentation_id": 207});
    let vlan = network(vlan).await?;
    let flat =
        network(json!({"provider:network_type": "flat", "provider:physical_network": "physnet9"})).await?;

    let card =
        json!({"pci_slot": "0000:05:00.1", "pci_vendor_info": "15b3:1018", "physical_network": "physnet1"});
    let switch = json!({"capabilities": ["switchdev"], "pci_slot": "0000:05:00.2"});
    let failed = ("binding_failed", "");
    for (network, host, vnic_type, profile, (vif_type, driver)) in [
        (&vxlan, "ovs", "normal", json!({}), ("ovs", "openvswitch")),
        (&vlan, "ovs", "normal", json!({}), ("ovs", "openvswitch")),
        (&flat, "ovs", "normal", json!({}), failed),
        (&vlan, "ovs", "direct", switch, ("ovs", "openvswitch")),
        (&vlan, "ovs", "direct", json!({}), failed),
        (&vlan, "ovs", "baremetal", json!({}), failed),
        (&vxlan, "bridge", "normal", json!({}), ("bridge", "linuxbridge")),
        (&vlan, "bridge", "normal", json!({}), ("bridge", "linuxbridge")),
        (&vlan, "macvtap", "normal", json!({}), ("macvtap", "macvtap")),
        (&vxlan, "macvtap", "normal", json!({}), failed),
        (&vlan, "cards", "direct", card.clone(), ("hw_veb", "sriovnicswitch")),
        (&vlan, "cards", "macvtap", json!({}), ("hw_veb", "sriovnicswitch")),
        (&vxlan, "cards", "direct", json!({}), failed),
        (&vxlan, "cards", "normal", json!({}), ("ovs", "openvswitch")),
        (&vlan, "cards", "normal", json!({}), failed),
        // What the first driver's agent does not reach the next one's may.
        (&vlan, "both", "normal", json!({}), ("bridge", "linuxbridge")),
        (&vxlan, "both", "normal", json!({}), ("ovs", "openvswitch")),
        (&vxlan, "nowhere", "normal", json!({}), failed),
    ] {
        let made = port(&cloud, network, host, vnic_type, profile.clone()).await?;
        let case = format!("{vnic_type} on {host}: {made}");
        assert_eq!(made["binding:vif_type"], vif_type, "{case}");
        assert_eq!((&made["binding:profile"], &made["status"]), (&profile, &json!("DOWN")), "{case}");
        match driver {
            "" => assert_eq!(made["binding:vif_details"], json!({}), "{case}"),
            driver => {
                assert_eq!(made["binding:vif_details"]["bound_drivers"], json!({"0": driver}), "{case}")
            }
        }
    }
    cards_are_reported_by_their_address(&cloud, &vlan, card).await
}

async fn cards_are_reported_by_their_address(cloud: &Cloud, vlan: &str, profile: Value) -> Result {
    let function = port(cloud, vlan, "cards", "direct", profile).await?;
    assert_eq!(function["binding:vif_details"]["vlan"], "207");
    let id = world::text(&function, "/id")?;
    let device = json!([function["mac_address"], "0000:05:00.1"]);
    let arguments = json!({"device": device, "host": "cards", "agent_id": "nic-switch-agent.cards"});
    let details = cloud.peer.call("q-plugin", "get_device_details", arguments.clone()).unwrap();
    assert_eq!((&details["port_id"], &details["segmentation_id"]), (&json!(id), &json!(207)));
    cloud.peer.call("q-plugin", "update_device_up", arguments).unwrap();
    cloud.status(&id, "ACTIVE").await?;
    // A whole card is looked after by no agent: active from the first.
    let card = port(cloud, vlan, "cards", "direct-physical", json!({"pci_slot": "0000:06:00.0"})).await?;
    assert_eq!((&card["binding:vif_type"], &card["status"]), (&json!("hostdev_physical"), &json!("ACTIVE")));
    Ok(())
}

/// Two networks of one port each on a host that nobody is on yet; what comes
/// alive there binds what it reaches, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_comes_binds_what_it_reaches_of_what_waited() -> Result {
    let builder = world::builder().mechanism_drivers(&DRIVERS);
    let Some(cloud) = Cloud::of(builder, &[]).await? else { return Ok(()) };
    let client = cloud.client();
    let vxlan = world::network(&client, "vxlan").await?;
    let vlan = json!({"provider:network_type": "vlan", "provider:physical_network": "physnet1"});
    let vlan = world::text(&world::create(&client, "network", vlan).await?, "/id")?;
    let tunnel = port(&cloud, &vxlan, "h1", "normal", json!({})).await?;
    let wired = port(&cloud, &vlan, "h1", "normal", json!({})).await?;
    let shown = async |port: &Value| -> Result<Value> {
        let path = format!("/v2.0/ports/{}", world::text(port, "/id")?);
        Ok(client.get(&path).await?.expect(200)?["port"].take())
    };
    let driver = |port: &Value| port["binding:vif_details"]["bound_drivers"]["0"].clone();
    assert_eq!(
        (&tunnel["binding:vif_type"], &wired["binding:vif_type"]),
        (&json!("binding_failed"), &json!("binding_failed"))
    );
    cloud.peer.play(&[Agent::openvswitch("h1").configuration("bridge_mappings", json!({}))]);
    let bound = async |port: &Value, wanted: &str| {
        cloud
            .until("the port to be bound", || async {
                Ok(Some(shown(port).await?).filter(|port| driver(port) == wanted))
            })
            .await
    };
    bound(&tunnel, "openvswitch").await?;
    assert_eq!(shown(&wired).await?["binding:vif_type"], "binding_failed");
    cloud.peer.play(&[Agent::linuxbridge("h1")]);
    bound(&wired, "linuxbridge").await?;
    assert_eq!(driver(&shown(&tunnel).await?), "openvswitch", "who binds a port keeps it");
    Ok(())
}
