//! The Open vSwitch agent: has the switch of a host carry what the server says.
//!
//! | module | what it is |
//! |---|---|
//! | `agent` | the loop: what changed, and what follows from it |
//! | `switch` | the copy of what the switch has |
//! | `flows` | the flows that follow from both |
//! | `firewall` | of these, those of security groups |
//! | `limits` | of these, those of quality of service, and the meters |
//! | `fdb` | where addresses are, as the server tells |
//! | `trunks` | the ports between a trunk's bridge and the others |
//! | `vlans` | which network is which VLAN on this host |

mod agent;
pub mod fdb;
pub mod firewall;
pub mod flows;
pub mod limits;
pub mod switch;
pub mod trunks;
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
    /// Whether the server tells where addresses are, so that tunnels lead only where
    /// a network is; else they lead to all hosts.
    pub l2_population: bool,
    /// Whether ARP is answered here for what the server tells of; without
    /// `l2_population` it is not.
    pub arp_responder: bool,
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
            "extensions": ["qos"],
            "l2_population": self.l2_population,
            "arp_responder_enabled": self.l2_population && self.arp_responder,
            "enable_distributed_routing": false,
            "in_distributed_mode": false,
            "log_agent_heartbeats": false,
            "ovs_hybrid_plug": false,
            "vhostuser_socket_dir": "/var/run/openvswitch",
            "ovs_capabilities": {"datapath_types": [self.datapath_type], "iface_types": []},
        })
    }
}

/// What a host's flows follow from.
#[derive(Clone, Copy)]
struct Facts<'a> {
    wired: &'a [flows::Wired<'a>],
    joints: &'a flows::Joints,
    objects: &'a Objects,
    meters: &'a limits::Meters,
    fdb: &'a fdb::Fdb,
}

/// The flows of each bridge that this agent writes to.
fn bridges_of(settings: &Settings, facts: Facts<'_>, cookie: u64) -> Vec<(String, flows::Flows)> {
    let Facts { wired, joints, objects, meters, fdb } = facts;
    let integration = flows::integration(wired, joints, objects, meters);
    let mut bridges = vec![(settings.integration_bridge.clone(), integration)];
    if settings.local_ip.is_some() {
        let population = flows::Population { fdb, answers_arp: settings.arp_responder };
        let population = settings.l2_population.then_some(population);
        bridges.push((settings.tunnel_bridge.clone(), flows::tunnel(wired, joints, population, cookie)));
    }
    for (network, (bridge, ..)) in &joints.physical {
        bridges.push((bridge.clone(), flows::physical(network, wired, joints)));
    }
    bridges
}
