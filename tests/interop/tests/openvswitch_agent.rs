//! Open vSwitch agents against the server, Neutron's own and this project's: both
//! report, wire ports, and have packets pass or not as groups say.

use anyhow::{Context, Result, ensure};
use hadron_agent::openvswitch::{self, Settings};
use hadron_bus::{Amqp, Bus};
use hadron_dataplane_tests::{Host, Interface, Vm};
use hadron_interop::openvswitch_agent::Agent;
use hadron_sdk_testing::{Client, Server, until};
use hadron_test_support::RabbitMq;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long the agent may take for what it does.
const PATIENCE: Duration = Duration::from_secs(90);

async fn create(client: &Client, member: &str, body: Value) -> Result<Value> {
    let path = format!("/v2.0/{}s", member.replace('_', "-"));
    let answer = client.post(&path, &json!({ member: body })).await?.expect(201)?;
    Ok(answer[member].clone())
}

fn word(document: &Value, name: &str) -> Result<String> {
    Ok(document[name].as_str().with_context(|| format!("no {name} in {document}"))?.to_owned())
}

struct Port {
    id: String,
    address: String,
    vm: Vm,
}

async fn plugged(client: &Client, host: &Host, body: Value) -> Result<Port> {
    let port = create(client, "port", body).await?;
    let (id, mac) = (word(&port, "id")?, word(&port, "mac_address")?);
    let address = word(&port["fixed_ips"][0], "ip_address")?;
    let vm = host.plug(Interface { port: &id, mac: &mac, address: &format!("{address}/24") });
    Ok(Port { id, address, vm })
}

async fn has_status(client: &Client, port: &str, status: &str) -> Result<()> {
    let path = format!("/v2.0/ports/{port}");
    until(&format!("port {port} to be {status}"), PATIENCE, || async {
        let shown = client.get(&path).await?.expect(200)?;
        Ok((shown["port"]["status"] == status).then_some(()))
    })
    .await?;
    Ok(())
}

/// Waits until packets pass from one to the other, or do not.
async fn reaches(from: &Port, to: &Port, wanted: bool) -> Result<()> {
    let what = format!("{} {} reach {}", from.address, if wanted { "to" } else { "not to" }, to.address);
    until(&what, PATIENCE, || async { Ok((from.vm.reaches(&to.address) == wanted).then_some(())) }).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn neutrons_agent_wires_ports_for_this_server() -> Result<()> {
    let Some(host) = Host::start("neutron") else { return Ok(()) };
    let Some(broker) = RabbitMq::start() else { return Ok(()) };
    let server = Server::builder()
        .mechanism_drivers(&["openvswitch"])
        .config(&format!("[bus]\nurl = '{}'\n", broker.url()))
        .start()
        .await?;
    let Some(agent) = Agent::start(&host, "h1", broker.port(), "")? else { return Ok(()) };
    let result = scenario(&server.client(), &host).await;
    if result.is_err() {
        eprintln!("{}", agent.log());
    }
    result
}

#[tokio::test(flavor = "multi_thread")]
async fn this_projects_agent_wires_ports_for_this_server() -> Result<()> {
    let Some(host) = Host::start("own") else { return Ok(()) };
    let Some(broker) = RabbitMq::start() else { return Ok(()) };
    let server = Server::builder()
        .mechanism_drivers(&["openvswitch"])
        .config(&format!("[bus]\nurl = '{}'\n", broker.url()))
        .start()
        .await?;
    let url = broker.url().parse().map_err(|problem: String| anyhow::anyhow!(problem))?;
    let bus = Bus::amqp(Amqp::new(url, "h1"));
    let settings = Settings {
        host: "h1".to_owned(),
        run_folder: host.run_folder().to_owned(),
        integration_bridge: "br-int".to_owned(),
        tunnel_bridge: "br-tun".to_owned(),
        bridge_mappings: BTreeMap::new(),
        datapath_type: "netdev".to_owned(),
        local_ip: Some(IpAddr::from([192, 0, 2, 1])),
        tunnel_types: ["vxlan".to_owned(), "gre".to_owned()].into(),
        report_interval: Duration::from_secs(5),
    };
    let stop = CancellationToken::new();
    let running = tokio::spawn(openvswitch::run(settings, bus.clone(), stop.clone()));
    let result = scenario(&server.client(), &host).await;
    if result.is_err() {
        eprintln!("{}", host.flows("br-int"));
    }
    stop.cancel();
    running.await?;
    bus.close().await;
    result
}

async fn scenario(client: &Client, host: &Host) -> Result<()> {
    until("the agent to report", PATIENCE, || async {
        let agents = client.get("/v2.0/agents").await?.expect(200)?;
        let agent = &agents["agents"][0];
        Ok((agent["alive"] == true && agent["agent_type"] == "Open vSwitch agent").then_some(()))
    })
    .await?;
    let network = word(&create(client, "network", json!({"name": "n"})).await?, "id")?;
    let subnet = json!({"network_id": network, "cidr": "10.9.0.0/24", "ip_version": 4, "enable_dhcp": false});
    create(client, "subnet", subnet).await?;
    let group = word(&create(client, "security_group", json!({"name": "g"})).await?, "id")?;
    let body = |more: Value| {
        let mut body = json!({"network_id": network, "binding:host_id": "h1",
            "device_owner": "compute:nova", "device_id": "vm"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    // In the default group, whose members reach each other.
    let one = plugged(client, host, body(json!({}))).await?;
    let two = plugged(client, host, body(json!({}))).await?;
    // In a group that nobody reaches.
    let shut = plugged(client, host, body(json!({"security_groups": [group]}))).await?;
    for port in [&one, &two, &shut] {
        has_status(client, &port.id, "ACTIVE").await?;
    }
    reaches(&one, &two, true).await?;
    reaches(&two, &one, true).await?;
    ensure!(!one.vm.reaches(&shut.address), "a group without rules for what comes in lets something in");

    // Rules, groups and ports change while the agent runs.
    let rule = json!({"security_group_id": group, "direction": "ingress", "protocol": "icmp"});
    let rule = word(&create(client, "security_group_rule", rule).await?, "id")?;
    reaches(&one, &shut, true).await?;
    client.delete(&format!("/v2.0/security-group-rules/{rule}")).await?.expect(204)?;
    reaches(&one, &shut, false).await?;
    let off = json!({"port": {"port_security_enabled": false, "security_groups": []}});
    client.put(&format!("/v2.0/ports/{}", shut.id), &off).await?.expect(200)?;
    reaches(&one, &shut, true).await?;
    let down = json!({"port": {"admin_state_up": false}});
    client.put(&format!("/v2.0/ports/{}", two.id), &down).await?.expect(200)?;
    has_status(client, &two.id, "DOWN").await?;
    reaches(&one, &two, false).await?;
    client.delete(&format!("/v2.0/ports/{}", shut.id)).await?.expect(204)?;
    reaches(&one, &shut, false).await
}
