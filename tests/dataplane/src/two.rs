//! A cloud of two hosts.

use crate::cloud::{Cloud, create, word};
use crate::{Agent, Host, PHYSICAL_BRIDGE, join, tunnel_ip};
use anyhow::Result;
use hadron_sdk_testing::{Builder, binary};
use serde_json::json;

/// The server knows these VLANs of the physical network.
const VLANS: &str = "[plugin.vlan.config]\nnetwork_vlan_ranges = [\"physnet1:100:199\"]\n";

/// A server, a broker, and two hosts with an agent each, as processes of their own.
pub struct Two {
    /// The server and the broker.
    pub cloud: Cloud,
    /// The hosts.
    pub hosts: [Host; 2],
    /// Their agents: of the first, and of the second if it has joined.
    pub agents: Vec<Agent>,
}

impl Two {
    /// What the hosts are called.
    pub const NAMES: [&str; 2] = ["h1", "h2"];

    /// Starts all of it. None where something that is needed is not there, which is
    /// said loudly.
    pub async fn start() -> Result<Option<Two>> {
        let Some(mut two) = Two::start_one().await? else { return Ok(None) };
        two.join().await?;
        Ok(Some(two))
    }

    /// Starts all but the second host's agent.
    pub async fn start_one() -> Result<Option<Two>> {
        let (Some(one), Some(other)) = (Host::start("1"), Host::start("2")) else { return Ok(None) };
        let hosts = [one, other];
        join([&hosts[0], &hosts[1]]);
        let drivers = |builder: Builder| builder.config(VLANS);
        let Some(cloud) = Cloud::start_with(drivers).await? else { return Ok(None) };
        let mut two = Two { cloud, hosts, agents: Vec::new() };
        two.join().await?;
        Ok(Some(two))
    }

    /// Starts the next host's agent and waits until the server knows it.
    pub async fn join(&mut self) -> Result<()> {
        let place = self.agents.len();
        self.agents.push(self.agent(place)?);
        self.cloud.has_agents(place + 1).await
    }

    /// Starts the agent of a host.
    pub fn agent(&self, place: usize) -> Result<Agent> {
        let settings = [
            format!("openvswitch.local_ip={}", tunnel_ip(place)),
            "openvswitch.tunnel_types=vxlan,gre,geneve".to_owned(),
            format!("openvswitch.bridge_mappings=physnet1:{PHYSICAL_BRIDGE}"),
        ];
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let (host, name) = (&self.hosts[place], Two::NAMES[place]);
        Ok(Agent::openvswitch(&binary()?, host, name, &self.cloud.broker().url(), &settings))
    }

    /// What happened, where something went wrong: what agents said and which flows
    /// there are.
    pub fn explain<T>(&self, result: Result<T>) -> Result<T> {
        if result.is_err() {
            for (agent, host) in self.agents.iter().zip(&self.hosts) {
                eprintln!("=== agent\n{}", agent.log());
                for bridge in ["br-int", "br-tun", PHYSICAL_BRIDGE] {
                    eprintln!("=== {bridge}\n{}", host.flows(bridge));
                }
            }
        }
        result
    }
}

impl Cloud {
    /// A port of a virtual machine on a host, which is not plugged in; its id.
    pub async fn unplugged(&self, host: &str, network: &str) -> Result<String> {
        let body = json!({"network_id": network, "binding:host_id": host,
            "device_owner": "compute:nova", "device_id": "vm"});
        word(&create(&self.client(), "port", body).await?, "id")
    }
}
