//! A server with its broker, agents of hosts, and ports that are plugged in
//! there.

use crate::{Host, Interface, Vm};
use anyhow::{Context, Result};
use hadron_agent::openvswitch::{self, Settings};
use hadron_bus::{Amqp, Bus, Message, Spread};
use hadron_sdk_testing::{Client, Server, until};
use hadron_test_support::RabbitMq;
use serde_json::{Value, json};
use std::any::Any;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long agents may take for what they do.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A server and the broker that agents reach it by.
pub struct Cloud {
    client: Client,
    /// Ends with this, before the broker does.
    server: Box<dyn Any + Send + Sync>,
    broker: RabbitMq,
}

/// A port with a virtual machine.
pub struct Port {
    /// Its id.
    pub id: String,
    /// Its MAC address.
    pub mac: String,
    /// Its first address.
    pub address: String,
    /// What is plugged in.
    pub vm: Vm,
}

/// This project's Open vSwitch agent, running in the test's process.
pub struct Agent {
    stop: CancellationToken,
    running: JoinHandle<()>,
    bus: Bus,
}

impl Agent {
    /// Starts it, with a broker.
    pub fn start(broker: &RabbitMq, settings: Settings) -> Result<Agent> {
        let bus = bus(broker, &settings.host)?;
        let stop = CancellationToken::new();
        let running = tokio::spawn(openvswitch::run(settings, bus.clone(), stop.clone()));
        Ok(Agent { stop, running, bus })
    }

    /// Has it end; what the switch carries stays.
    pub async fn stop(self) -> Result<()> {
        self.stop.cancel();
        self.running.await?;
        self.bus.close().await;
        Ok(())
    }
}

/// A bus of a host that the broker carries.
pub fn bus(broker: &RabbitMq, host: &str) -> Result<Bus> {
    let url = broker.url().parse().map_err(|problem: String| anyhow::anyhow!(problem))?;
    Ok(Bus::amqp(Amqp::new(url, host)))
}

/// Says something on a topic, as soon as the broker is there.
pub async fn tell(bus: &Bus, spread: Spread, topic: &str, method: &str, arguments: Value) -> Result<()> {
    let message = Message::new(topic, method, arguments);
    until(&format!("{method} to be sent"), PATIENCE, || async {
        Ok(bus.publish(spread, message.clone()).await.ok())
    })
    .await?;
    Ok(())
}

/// How an agent of a host with this name is set up in tests: without physical
/// networks, its tunnels ending at an address for documentation (RFC 5737).
pub fn settings(host: &Host, name: &str) -> Settings {
    Settings {
        host: name.to_owned(),
        run_folder: host.run_folder().to_owned(),
        integration_bridge: "br-int".to_owned(),
        tunnel_bridge: "br-tun".to_owned(),
        bridge_mappings: BTreeMap::new(),
        datapath_type: "netdev".to_owned(),
        local_ip: Some(IpAddr::from([192, 0, 2, 1])),
        tunnel_types: ["vxlan".to_owned(), "gre".to_owned()].into(),
        l2_population: false,
        arp_responder: false,
        report_interval: Duration::from_secs(5),
    }
}

impl Cloud {
    /// Starts both. None where there is no broker, which is said loudly.
    pub async fn start() -> Result<Option<Cloud>> {
        Cloud::start_with(|builder| builder).await
    }

    /// Starts both, the server with more than a driver for Open vSwitch.
    pub async fn start_with(
        more: impl FnOnce(hadron_sdk_testing::Builder) -> hadron_sdk_testing::Builder,
    ) -> Result<Option<Cloud>> {
        let Some(broker) = RabbitMq::start() else { return Ok(None) };
        let builder = Server::builder()
            .mechanism_drivers(&["openvswitch"])
            .config(&format!("[bus]\nurl = '{}'\n", broker.url()));
        let server = more(builder).start().await?;
        Ok(Some(Cloud::of(server.client(), server, broker)))
    }

    /// Of a server, whose client this is, that runs at that broker.
    pub fn of(client: Client, server: impl Any + Send + Sync, broker: RabbitMq) -> Cloud {
        Cloud { client, server: Box::new(server), broker }
    }

    /// The broker.
    pub fn broker(&self) -> &RabbitMq {
        &self.broker
    }

    /// The server, to stop it and start it again; it is this project's.
    pub fn server_mut(&mut self) -> &mut Server {
        self.server.downcast_mut().unwrap()
    }

    /// The server's API.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Waits until as many agents are alive.
    pub async fn has_agents(&self, count: usize) -> Result<()> {
        until(&format!("{count} agents to report"), PATIENCE, || async {
            let agents = self.client().get("/v2.0/agents").await?.expect(200)?;
            let alive = agents["agents"].as_array().map_or(0, |agents| {
                agents
                    .iter()
                    .filter(|agent| agent["alive"] == true && agent["agent_type"] == "Open vSwitch agent")
                    .count()
            });
            Ok((alive == count).then_some(()))
        })
        .await?;
        Ok(())
    }

    /// Starts this project's agent and waits until it is known.
    pub async fn agent(&self, settings: Settings) -> Result<Agent> {
        let agent = Agent::start(&self.broker, settings)?;
        self.has_agents(1).await?;
        Ok(agent)
    }

    /// Makes a `port`, a `security_group`, ….
    pub async fn create(&self, member: &str, body: Value) -> Result<Value> {
        create(&self.client(), member, body).await
    }

    /// A network with one subnet and no DHCP; its id.
    pub async fn network(&self, cidr: &str) -> Result<String> {
        network(&self.client(), cidr).await
    }

    /// Makes a port of a network for a virtual machine and plugs that into a host,
    /// which has this name; `more` is what the port has besides.
    pub async fn plug(&self, host: &Host, name: &str, network: &str, more: Value) -> Result<Port> {
        plug(&self.client(), host, name, network, more).await
    }

    /// Changes something: `ports`, its id, its `port`.
    pub async fn change(&self, collection: &str, id: &str, body: Value) -> Result<Value> {
        Ok(self.client().put(&format!("/v2.0/{collection}/{id}"), &body).await?.expect(200)?)
    }

    /// Waits until a port has a status.
    pub async fn has_status(&self, port: &str, status: &str) -> Result<()> {
        has_status(&self.client(), port, status).await
    }
}

/// Makes a `port`, a `security_group`, ….
pub async fn create(client: &Client, member: &str, body: Value) -> Result<Value> {
    let plural = member.strip_suffix('y').map_or_else(|| format!("{member}s"), |stem| format!("{stem}ies"));
    let path = format!("/v2.0/{}", plural.replace('_', "-"));
    let answer = client.post(&path, &json!({ member: body })).await?.expect(201)?;
    Ok(answer[member].clone())
}

/// A network with one subnet and no DHCP; its id.
pub async fn network(client: &Client, cidr: &str) -> Result<String> {
    let network = word(&create(client, "network", json!({"name": "n"})).await?, "id")?;
    let subnet = json!({"network_id": network, "cidr": cidr, "ip_version": 4, "enable_dhcp": false});
    create(client, "subnet", subnet).await?;
    Ok(network)
}

/// A member of a document that is text.
pub fn word(document: &Value, name: &str) -> Result<String> {
    Ok(document[name].as_str().with_context(|| format!("no {name} in {document}"))?.to_owned())
}

/// See [`Cloud::plug`].
pub async fn plug(client: &Client, host: &Host, name: &str, network: &str, more: Value) -> Result<Port> {
    let mut body = json!({"network_id": network, "binding:host_id": name,
        "device_owner": "compute:nova", "device_id": "vm"});
    if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
        body.extend(more.clone());
    }
    let port = create(client, "port", body).await?;
    let (id, mac) = (word(&port, "id")?, word(&port, "mac_address")?);
    let address = word(&port["fixed_ips"][0], "ip_address")?;
    let vm = host.plug(Interface { port: &id, mac: &mac, address: &format!("{address}/24") });
    Ok(Port { id, mac, address, vm })
}

/// Waits until a port has a status.
pub async fn has_status(client: &Client, port: &str, status: &str) -> Result<()> {
    let path = format!("/v2.0/ports/{port}");
    until(&format!("port {port} to be {status}"), PATIENCE, || async {
        let shown = client.get(&path).await?.expect(200)?;
        Ok((shown["port"]["status"] == status).then_some(()))
    })
    .await?;
    Ok(())
}

/// Waits until packets pass from one to the other, or do not.
pub async fn reaches(from: &Port, to: &Port, wanted: bool) -> Result<()> {
    let what = format!("{} {} reach {}", from.address, if wanted { "to" } else { "not to" }, to.address);
    until(&what, PATIENCE, || async { Ok((from.vm.reaches(&to.address) == wanted).then_some(())) }).await?;
    Ok(())
}
