//! The Open vSwitch agent: has the switch of a host carry what the server says.
//!
//! | module | what it is |
//! |---|---|
//! | `agent` | the loop: what changed, and what follows from it |
//! | `switch` | the copy of what the switch has |
//! | `flows` | the flows that follow from both |
//! | `firewall` | of these, those of security groups |
//! | `vlans` | which network is which VLAN on this host |

mod agent;
pub mod firewall;
pub mod flows;
pub mod switch;
pub mod vlans;

pub use agent::run;

use crate::objects::{Objects, VERSIONS};
use crate::server::Kind;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// As the server knows it.
const AGENT: Kind = Kind {
    agent_type: "Open vSwitch agent",
    binary: "hadron-openvswitch-agent",
    topic: "N/A",
    versions: &VERSIONS,
};

/// How the agent is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The host's name, by which ports are bound to it.
    pub host: String,
    /// The folder with the switch's sockets.
    pub run_folder: PathBuf,
    /// The bridge that devices are plugged into.
    pub integration_bridge: String,
    /// The bridge that tunnels leave from.
    pub tunnel_bridge: String,
    /// The bridge of each physical network.
    pub bridge_mappings: BTreeMap<String, String>,
    /// `system`, or `netdev` for a switch in user space.
    pub datapath_type: String,
    /// Where tunnels end here; none for no tunnels.
    pub local_ip: Option<IpAddr>,
    /// Their types.
    pub tunnel_types: BTreeSet<String>,
    /// How often the agent says that it lives.
    pub report_interval: Duration,
}

impl Settings {
    /// How it is set up, as the server is told; `devices` is how many are plugged in.
    fn reported(&self, devices: usize) -> Value {
        json!({
            "bridge_mappings": self.bridge_mappings,
            "integration_bridge": self.integration_bridge,
            "datapath_type": self.datapath_type,
            "tunnel_types": self.tunnel_types,
            "tunneling_ip": self.local_ip.map_or_else(String::new, |ip| ip.to_string()),
            "devices": devices,
            "extensions": [],
            "l2_population": false,
            "arp_responder_enabled": false,
            "enable_distributed_routing": false,
            "in_distributed_mode": false,
            "log_agent_heartbeats": false,
            "ovs_hybrid_plug": false,
            "vhostuser_socket_dir": "/var/run/openvswitch",
            "ovs_capabilities": {"datapath_types": [self.datapath_type], "iface_types": []},
        })
    }
}

/// The flows of each bridge that this agent writes to.
fn bridges_of(
    settings: &Settings,
    wired: &[flows::Wired<'_>],
    joints: &flows::Joints,
    objects: &Objects,
    cookie: u64,
) -> Vec<(String, flows::Flows)> {
    let mut bridges = vec![(settings.integration_bridge.clone(), flows::integration(wired, joints, objects))];
    if settings.local_ip.is_some() {
        bridges.push((settings.tunnel_bridge.clone(), flows::tunnel(wired, joints, cookie)));
    }
    for (network, (bridge, ..)) in &joints.physical {
        bridges.push((bridge.clone(), flows::physical(network, wired, joints)));
    }
    bridges
}
