//! Trunks: a machine with one interface in several networks.

use anyhow::{Result, ensure};
use hadron_dataplane_tests::cloud::{Cloud, PATIENCE, Port, reaches, settings, word};
use hadron_dataplane_tests::{Host, Interface};
use hadron_sdk_testing::until;
use serde_json::{Value, json};

/// What a machine is plugged into, as a bridge that stands for it: the switch of
/// its own that tells the VLANs of its interface apart.
const MACHINE: &str = "machine";

/// Makes a port that is plugged in nowhere, and what the machine has for it.
async fn port(cloud: &Cloud, host: &Host, network: &str, vlan: Option<u16>) -> Result<Port> {
    let port = cloud.create("port", json!({"network_id": network})).await?;
    let (id, mac) = (word(&port, "id")?, word(&port, "mac_address")?);
    let address = word(&port["fixed_ips"][0], "ip_address")?;
    let interface = Interface { port: &id, mac: &mac, address: &format!("{address}/24") };
    let vm = host.plug_at(MACHINE, vlan, interface);
    Ok(Port { id, mac, address, vm })
}

async fn has_status(cloud: &Cloud, trunk: &str, status: &str) -> Result<()> {
    let path = format!("/v2.0/trunks/{trunk}");
    until(&format!("the trunk to be {status}"), PATIENCE, || async {
        let shown = cloud.client().get(&path).await?.expect(200)?;
        Ok((shown["trunk"]["status"] == status).then_some(()))
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sub_ports_are_wired_as_ports_of_their_own() -> Result<()> {
    let Some(host) = Host::start("trunks") else { return Ok(()) };
    let Some(cloud) = Cloud::start().await? else { return Ok(()) };
    let agent = cloud.agent(settings(&host, "h1")).await?;
    host.vsctl(&["add-br", MACHINE, "--", "set", "bridge", MACHINE, "datapath_type=netdev"]);
    let networks = [
        cloud.network("10.9.4.0/24").await?,
        cloud.network("10.9.5.0/24").await?,
        cloud.network("10.9.6.0/24").await?,
    ];
    let parent = port(&cloud, &host, &networks[0], None).await?;
    let (first, second) = (
        port(&cloud, &host, &networks[1], Some(5)).await?,
        port(&cloud, &host, &networks[2], Some(6)).await?,
    );
    let peers = [
        cloud.plug(&host, "h1", &networks[0], json!({})).await?,
        cloud.plug(&host, "h1", &networks[1], json!({})).await?,
        cloud.plug(&host, "h1", &networks[2], json!({})).await?,
    ];
    let sub_port = |port: &Port, vlan: u16| json!({"port_id": port.id, "segmentation_type": "vlan", "segmentation_id": vlan});
    let trunk =
        cloud.create("trunk", json!({"port_id": parent.id, "sub_ports": [sub_port(&first, 5)]})).await?;
    let trunk = word(&trunk, "id")?;

    // Nova binds the port and has its interface plugged into the trunk's bridge.
    let bound = json!({"port": {"binding:host_id": "h1", "device_owner": "compute:nova", "device_id": "vm"}});
    let bound = cloud.change("ports", &parent.id, bound).await?;
    let bridge = format!("tbr-{}", &trunk[..10]);
    assert_eq!(bound["port"]["binding:vif_details"]["bridge_name"], bridge.as_str());
    host.vsctl(&["add-br", &bridge, "--", "set", "bridge", &bridge, "datapath_type=netdev"]);
    host.vsctl(&[
        "add-port",
        MACHINE,
        "out",
        "--",
        "set",
        "interface",
        "out",
        "type=patch",
        "options:peer=in",
    ]);
    let (id, mac) =
        (format!("external_ids:iface-id={}", parent.id), format!("external_ids:attached-mac={}", parent.mac));
    host.vsctl(&[
        "add-port",
        &bridge,
        "in",
        "--",
        "set",
        "interface",
        "in",
        "type=patch",
        "options:peer=out",
        &id,
        &mac,
    ]);
    has_status(&cloud, &trunk, "ACTIVE").await?;
    for port in [&parent, &first] {
        cloud.has_status(&port.id, "ACTIVE").await?;
    }
    reaches(&parent, &peers[0], true).await?;
    reaches(&first, &peers[1], true).await?;
    reaches(&peers[1], &first, true).await?;
    ensure!(!second.vm.reaches(&peers[2].address), "it is no sub-port yet");

    let change = async |what: &str, body: Value| -> Result<()> {
        cloud.client().put(&format!("/v2.0/trunks/{trunk}/{what}"), &body).await?.expect(200)?;
        Ok(())
    };
    change("add_subports", json!({"sub_ports": [sub_port(&second, 6)]})).await?;
    reaches(&second, &peers[2], true).await?;
    cloud.has_status(&second.id, "ACTIVE").await?;
    has_status(&cloud, &trunk, "ACTIVE").await?;
    // It has groups of its own.
    let off = json!({"port": {"security_groups": []}});
    cloud.change("ports", &second.id, off).await?;
    reaches(&peers[2], &second, false).await?;
    change("remove_subports", json!({"sub_ports": [{"port_id": second.id}]})).await?;
    cloud.has_status(&second.id, "DOWN").await?;
    reaches(&first, &peers[1], true).await?;

    // The machine ends.
    host.vsctl(&["del-port", &bridge, "in"]);
    until("the pairs to go", PATIENCE, || async {
        let left = host.vsctl(&["list-ports", "br-int"]);
        Ok((!left.contains("tpi-") && !left.contains("spi-")).then_some(()))
    })
    .await?;
    cloud.has_status(&parent.id, "DOWN").await?;
    agent.stop().await
}
