//! Open vSwitch agents against servers, Neutron's own and this project's: whoever
//! is on which side, agents report, wire ports, and have packets pass or not as
//! groups say.

use anyhow::{Result, ensure};
use hadron_dataplane_tests::Host;
use hadron_dataplane_tests::cloud::{Cloud, reaches, settings, word};
use hadron_interop::neutron_server::NeutronServer;
use hadron_interop::openvswitch_agent::Agent;
use hadron_test_support::RabbitMq;
use serde_json::json;
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread")]
async fn neutrons_agent_wires_ports_for_this_server() -> Result<()> {
    let Some(host) = Host::start("neutron") else { return Ok(()) };
    let Some(cloud) = Cloud::start().await? else { return Ok(()) };
    let Some(agent) = Agent::start(&host, "h1", cloud.broker().port(), "")? else { return Ok(()) };
    let result = scenario(&cloud, &host).await;
    if result.is_err() {
        eprintln!("{}", agent.log());
    }
    result
}

#[tokio::test(flavor = "multi_thread")]
async fn this_projects_agent_wires_ports_for_this_server() -> Result<()> {
    let Some(host) = Host::start("own") else { return Ok(()) };
    let Some(cloud) = Cloud::start().await? else { return Ok(()) };
    with_own_agent(&cloud, &host).await
}

#[tokio::test(flavor = "multi_thread")]
async fn this_projects_agent_wires_ports_for_neutrons_server() -> Result<()> {
    let Some(host) = Host::start("peer") else { return Ok(()) };
    let Some(broker) = RabbitMq::start() else { return Ok(()) };
    let Some(database) = hadron_test_support::shared() else { return Ok(()) };
    let Some(server) = NeutronServer::start(database, &broker).await? else { return Ok(()) };
    let server = Arc::new(server);
    let cloud = Cloud::of(server.client()?, server.clone(), broker);
    let result = with_own_agent(&cloud, &host).await;
    if result.is_err() {
        eprintln!("{}", server.log());
    }
    result
}

/// The scenario, with this project's agent on the host.
async fn with_own_agent(cloud: &Cloud, host: &Host) -> Result<()> {
    let agent = cloud.agent(settings(host, "h1")).await?;
    let result = scenario(cloud, host).await;
    if result.is_err() {
        eprintln!("{}", host.flows("br-int"));
    }
    agent.stop().await?;
    result
}

async fn scenario(cloud: &Cloud, host: &Host) -> Result<()> {
    cloud.has_agents(1).await?;
    let network = cloud.network("10.9.0.0/24").await?;
    let group = word(&cloud.create("security_group", json!({"name": "g"})).await?, "id")?;
    // In the default group, whose members reach each other.
    let one = cloud.plug(host, "h1", &network, json!({})).await?;
    let two = cloud.plug(host, "h1", &network, json!({})).await?;
    // In a group that nobody reaches.
    let shut = cloud.plug(host, "h1", &network, json!({"security_groups": [group]})).await?;
    for port in [&one, &two, &shut] {
        cloud.has_status(&port.id, "ACTIVE").await?;
    }
    reaches(&one, &two, true).await?;
    reaches(&two, &one, true).await?;
    ensure!(!one.vm.reaches(&shut.address), "a group without rules for what comes in lets something in");

    // Rules, groups and ports change while the agent runs.
    let rule = json!({"security_group_id": group, "direction": "ingress", "protocol": "icmp"});
    let rule = word(&cloud.create("security_group_rule", rule).await?, "id")?;
    reaches(&one, &shut, true).await?;
    cloud.client().delete(&format!("/v2.0/security-group-rules/{rule}")).await?.expect(204)?;
    reaches(&one, &shut, false).await?;
    let off = json!({"port": {"port_security_enabled": false, "security_groups": []}});
    cloud.change("ports", &shut.id, off).await?;
    reaches(&one, &shut, true).await?;
    let down = json!({"port": {"admin_state_up": false}});
    cloud.change("ports", &two.id, down).await?;
    cloud.has_status(&two.id, "DOWN").await?;
    reaches(&one, &two, false).await?;
    cloud.client().delete(&format!("/v2.0/ports/{}", shut.id)).await?.expect(204)?;
    reaches(&one, &shut, false).await
}
