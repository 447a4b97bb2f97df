//! Packets between two hosts, each with a switch and an agent of its own.

use anyhow::{Result, ensure};
use hadron_dataplane_tests::cloud::{Cloud, Port, create, reaches, word};
use hadron_dataplane_tests::{Agent, Host, Two};
use serde_json::{Value, json};

/// A network of a type, with a subnet.
async fn network(cloud: &Cloud, body: Value) -> Result<String> {
    let network = word(&create(&cloud.client(), "network", body).await?, "id")?;
    let subnet = json!({"network_id": network, "cidr": "10.7.0.0/24", "ip_version": 4, "enable_dhcp": false});
    create(&cloud.client(), "subnet", subnet).await?;
    Ok(network)
}

/// A port with an address that its test knows.
async fn plug(two: &Two, place: usize, network: &str, address: &str) -> Result<Port> {
    let fixed = json!({"fixed_ips": [{"ip_address": address}]});
    two.cloud.plug(&two.hosts[place], Two::NAMES[place], network, fixed).await
}

/// Two networks of a type, with the same addresses on both: who is in one reaches
/// its members on both hosts, with packets as long as the network lets through, and
/// nobody of the other.
async fn are_carried_and_apart(two: &Two, network_type: Value) -> Result<()> {
    let one = network(&two.cloud, network_type.clone()).await?;
    let other = network(&two.cloud, network_type).await?;
    let here = plug(two, 0, &one, "10.7.0.11").await?;
    let beside = plug(two, 0, &one, "10.7.0.12").await?;
    let there = plug(two, 1, &one, "10.7.0.13").await?;
    let foreign_here = plug(two, 0, &other, "10.7.0.11").await?;
    let foreign_there = plug(two, 1, &other, "10.7.0.14").await?;
    for port in [&here, &beside, &there, &foreign_here, &foreign_there] {
        two.cloud.has_status(&port.id, "ACTIVE").await?;
    }
    reaches(&here, &beside, true).await?;
    reaches(&here, &there, true).await?;
    reaches(&there, &here, true).await?;
    reaches(&foreign_here, &foreign_there, true).await?;
    ensure!(!here.vm.reaches(&foreign_there.address), "networks reach each other across hosts");
    ensure!(!foreign_here.vm.reaches(&beside.address), "networks reach each other on a host");
    ensure!(!foreign_there.vm.reaches(&there.address), "networks reach each other on a host");

    let shown = two.cloud.client().get(&format!("/v2.0/networks/{one}")).await?.expect(200)?;
    // Of IPv4 and ICMP.
    let headers = 28;
    let payload = (shown["network"]["mtu"].as_u64().unwrap_or(1500) - headers).to_string();
    let ping = ["ping", "-c", "2", "-W", "2", "-M", "do", "-s", &payload, &there.address];
    let ping = here.vm.inside(&ping).output()?;
    ensure!(ping.status.success(), "packets of the network's MTU do not arrive: {ping:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn networks_of_each_type_cross_hosts_and_stay_apart() -> Result<()> {
    let Some(two) = Two::start().await? else { return Ok(()) };
    for kind in ["vxlan", "gre", "geneve"] {
        let result = are_carried_and_apart(&two, json!({"provider:network_type": kind})).await;
        two.explain(result.map_err(|error| error.context(kind)))?;
    }
    let vlan = json!({"provider:network_type": "vlan", "provider:physical_network": "physnet1"});
    two.explain(are_carried_and_apart(&two, vlan).await.map_err(|error| error.context("vlan")))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flat_network_is_the_physical_one() -> Result<()> {
    let Some(two) = Two::start().await? else { return Ok(()) };
    let flat = json!({"provider:network_type": "flat", "provider:physical_network": "physnet1"});
    let flat = network(&two.cloud, flat).await?;
    let (here, there) = (plug(&two, 0, &flat, "10.7.0.11").await?, plug(&two, 1, &flat, "10.7.0.13").await?);
    two.explain(reaches(&here, &there, true).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_joins_later_is_reached_and_one_that_leaves_is_not_waited_for() -> Result<()> {
    let Some(mut two) = Two::start_one().await? else { return Ok(()) };
    let network = network(&two.cloud, json!({})).await?;
    let here = plug(&two, 0, &network, "10.7.0.11").await?;
    two.cloud.has_status(&here.id, "ACTIVE").await?;
    two.join().await?;
    let there = plug(&two, 1, &network, "10.7.0.13").await?;
    two.explain(reaches(&here, &there, true).await)?;

    // A device that goes takes its port down; one that was never plugged in has one
    // that is down from the first.
    let tap = format!("tap{}", &there.id[..11]);
    two.hosts[1].vsctl(&["del-port", "br-int", &tap]);
    two.explain(two.cloud.has_status(&there.id, "DOWN").await)?;
    // Another that the switch cannot make is down too, and says so.
    let missing = two.cloud.unplugged(Two::NAMES[1], &network).await?;
    two.hosts[1].vsctl(&[
        "add-port",
        "br-int",
        "nosuch0",
        "--",
        "set",
        "interface",
        "nosuch0",
        &format!("external_ids:iface-id={missing}"),
    ]);
    two.explain(two.cloud.has_status(&missing, "DOWN").await)?;
    // Others go on.
    let again = plug(&two, 1, &network, "10.7.0.15").await?;
    two.explain(reaches(&here, &again, true).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_moves_is_reached_at_its_new_host() -> Result<()> {
    let Some(two) = Two::start().await? else { return Ok(()) };
    let network = network(&two.cloud, json!({})).await?;
    let fixed = plug(&two, 0, &network, "10.7.0.11").await?;
    let moving = plug(&two, 0, &network, "10.7.0.12").await?;
    two.explain(reaches(&fixed, &moving, true).await)?;
    let (id, mac, address) = (moving.id.clone(), moving.mac.clone(), moving.address.clone());
    drop(moving.vm);
    two.hosts[0].vsctl(&["del-port", "br-int", &format!("tap{}", &id[..11])]);
    let rebound = json!({"port": {"binding:host_id": Two::NAMES[1]}});
    two.cloud.change("ports", &id, rebound).await?;
    let address_in = format!("{address}/24");
    let interface = hadron_dataplane_tests::Interface { port: &id, mac: &mac, address: &address_in };
    let vm = two.hosts[1].plug(interface);
    let moved = Port { id, mac, address, vm };
    two.explain(two.cloud.has_status(&moved.id, "ACTIVE").await)?;
    two.explain(reaches(&fixed, &moved, true).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_set_up_wrongly_says_what_is_wrong() -> Result<()> {
    let Some(host) = Host::start("odd") else { return Ok(()) };
    let Some(cloud) = Cloud::start().await? else { return Ok(()) };
    let settings = ["openvswitch.bridge_mappings=physnet1:br-none"];
    let program = hadron_sdk_testing::binary()?;
    let agent = Agent::openvswitch(&program, &host, "odd", &cloud.broker().url(), &settings);
    let said = || async { Ok(agent.log().contains("there is no bridge br-none").then_some(())) };
    hadron_sdk_testing::until(
        "the agent to say what is missing",
        hadron_dataplane_tests::cloud::PATIENCE,
        said,
    )
    .await?;
    Ok(())
}
