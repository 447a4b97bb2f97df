//! The Open vSwitch agent: has the switch of a host carry what the server says.
//!
//! | module | what it is |
//! |---|---|
//! | `agent` | the loop: what changed, and what follows from it |
//! | `server` | what is asked of the server, and told |
//! | `objects` | the copy of what the server says |
//! | `switch` | the copy of what the switch has |
//! | `flows` | the flows that follow from both |
//! | `firewall` | of these, those of security groups |
//! | `vlans` | which network is which VLAN on this host |

mod agent;
pub mod firewall;
pub mod flows;
pub mod objects;
mod server;
pub mod switch;
pub mod vlans;

pub use agent::run;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

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

/// The flows of each bridge that this agent writes to.
fn bridges_of(
    settings: &Settings,
    wired: &[flows::Wired<'_>],
    joints: &flows::Joints,
    objects: &objects::Objects,
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
