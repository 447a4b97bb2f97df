//! The Linux bridge agent: has the bridges of a host's kernel carry what the server
//! says.
//!
//! | module | what it is |
//! |---|---|
//! | `agent` | the loop: what changed, and what follows from it |
//! | `places` | which bridge a port belongs to, and what leads from it to other hosts |
//! | `firewall` | what ports may send and be sent |

mod agent;
pub mod firewall;
pub mod places;

pub use agent::run;

use crate::objects::VERSIONS;
use crate::server::Kind;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// As the server knows it.
const AGENT: Kind = Kind {
    agent_type: "Linux bridge agent",
    binary: "hadron-linuxbridge-agent",
    topic: "N/A",
    versions: &VERSIONS,
};

/// The UDP port of VXLAN (RFC 7348, 5).
pub const VXLAN_PORT: u16 = 4789;

/// How the agent is set up. In Neutron until its release 27:
/// `linuxbridge_agent.ini`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The host's name, by which ports are bound to it.
    pub host: String,
    /// The interface of each physical network. It carries nothing else: it is
    /// plugged into a bridge, and loses what addresses it has.
    pub physical_interface_mappings: BTreeMap<String, String>,
    /// The bridge of each physical network whose interface is plugged into one
    /// already.
    pub bridge_mappings: BTreeMap<String, String>,
    /// Whether VXLAN networks are carried.
    pub enable_vxlan: bool,
    /// Where tunnels end here; needed for VXLAN.
    pub local_ip: Option<IpAddr>,
    /// The multicast group that hosts send to what goes to nobody in particular;
    /// none where it is sent to each host.
    pub vxlan_group: Option<IpAddr>,
    /// How many routers a tunnel's packet passes at most; none for the kernel's
    /// choice.
    pub ttl: Option<u8>,
    /// The UDP port of VXLAN, [`VXLAN_PORT`] unless hosts agree on another.
    pub udp_dstport: u16,
    /// How often the agent says that it lives.
    pub report_interval: Duration,
}

impl Settings {
    /// Where VXLAN tunnels end here, if there are any.
    fn tunnel_ip(&self) -> Option<IpAddr> {
        self.local_ip.filter(|_| self.enable_vxlan)
    }

    /// How it is set up, as the server is told; `devices` is how many are plugged in.
    fn reported(&self, devices: usize) -> Value {
        let tunnel_types: &[&str] = if self.tunnel_ip().is_some() { &["vxlan"] } else { &[] };
        // Drivers that look at interfaces only find networks with bridges there, too.
        let mut interfaces = self.bridge_mappings.clone();
        interfaces.extend(self.physical_interface_mappings.clone());
        json!({
            "interface_mappings": interfaces,
            "bridge_mappings": self.bridge_mappings,
            "tunnel_types": tunnel_types,
            "tunneling_ip": self.tunnel_ip().map_or_else(String::new, |ip| ip.to_string()),
            "devices": devices,
            "extensions": [],
            "l2_population": false,
            "log_agent_heartbeats": false,
        })
    }
}
