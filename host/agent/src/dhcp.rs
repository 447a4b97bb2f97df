//! The DHCP agent: serves machines their addresses, by a dnsmasq for each network
//! that the server has this host serve.
//!
//! | module | what it is |
//! |---|---|
//! | `agent` | the loop: what is said of which network, and who works on it |
//! | `served` | a network: what follows from all that is known of it |
//! | `network` | what the server says of it |
//! | `files` | what dnsmasq reads |
//! | `leases` | the leases that it starts with |
//! | `dnsmasq` | its arguments and its process |
//! | `device` | its namespace and its interface |
//! | `plugin` | what the server is asked |
//! | `ready` | telling the server of ports that are served |
//! | `commands` | programs that are run |

mod agent;
mod commands;
mod device;
mod dnsmasq;
mod files;
mod leases;
mod network;
mod plugin;
mod ready;
mod served;

pub use agent::run;

use crate::server::Kind;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// As the server knows it.
const AGENT: Kind =
    Kind { agent_type: "DHCP agent", binary: "hadron-dhcp-agent", topic: TOPIC, versions: &[] };

/// Where the server tells it of networks.
const TOPIC: &str = "dhcp_agent";

/// How the agent is set up. The names are those of Neutron's `dhcp_agent.ini`,
/// where it has them.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The host's name, by which networks are put to it.
    pub host: String,
    /// The folder in which each network has its files, under `dhcp`. dnsmasq reads
    /// them as a user of its own, so others must be let in.
    pub state_path: PathBuf,
    /// The folder with the switch's sockets.
    pub run_folder: PathBuf,
    /// The bridge that devices are plugged into. In Neutron: `ovs_integration_bridge`.
    pub integration_bridge: String,
    /// The domain of hosts that have no other; empty for none.
    pub dns_domain: String,
    /// Who is asked for names that are not the network's.
    pub dnsmasq_dns_servers: Vec<String>,
    /// Whether the host's own servers are asked, where there are none of those.
    pub dnsmasq_local_resolv: bool,
    /// A file of more options of dnsmasq.
    pub dnsmasq_config_file: Option<PathBuf>,
    /// The most leases of a network.
    pub dnsmasq_lease_max: u32,
    /// How long a lease holds, in seconds; none for ever (Neutron's -1).
    pub dhcp_lease_duration: Option<u32>,
    /// After how many seconds a machine renews its lease; 0 for half its time.
    pub dhcp_renewal_time: u32,
    /// After how many seconds it asks any server to; 0 for seven eighths of its time.
    pub dhcp_rebinding_time: u32,
    /// Whether answers are always broadcast.
    pub dhcp_broadcast_reply: bool,
    /// The pause before what failed is tried again.
    pub resync_interval: Duration,
    /// Networks that are worked on at the same time.
    pub num_sync_threads: usize,
    /// How often the agent says that it lives.
    pub report_interval: Duration,
}

impl Settings {
    /// Neutron's defaults, for this host.
    #[must_use]
    pub fn new(host: &str) -> Settings {
        Settings {
            host: host.to_owned(),
            state_path: PathBuf::from("/var/lib/hadron"),
            run_folder: PathBuf::from("/var/run/openvswitch"),
            integration_bridge: "br-int".to_owned(),
            dns_domain: "openstacklocal".to_owned(),
            dnsmasq_dns_servers: Vec::new(),
            dnsmasq_local_resolv: false,
            dnsmasq_config_file: None,
            dnsmasq_lease_max: 1 << 24,
            dhcp_lease_duration: Some(86_400),
            dhcp_renewal_time: 0,
            dhcp_rebinding_time: 0,
            dhcp_broadcast_reply: false,
            resync_interval: Duration::from_secs(5),
            num_sync_threads: 4,
            report_interval: Duration::from_secs(30),
        }
    }

    /// The folder with a folder for each network.
    fn folder(&self) -> PathBuf {
        self.state_path.join("dhcp")
    }

    /// How it is set up, as the server is told; with how much is served.
    fn reported(&self, counts: Counts) -> Value {
        json!({
            "dhcp_driver": "hadron.agent.dhcp.dnsmasq",
            "dhcp_lease_duration": self.dhcp_lease_duration.map_or(-1, i64::from),
            "log_agent_heartbeats": false,
            "networks": counts.networks,
            "subnets": counts.subnets,
            "ports": counts.ports,
        })
    }
}

/// How much is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    networks: usize,
    subnets: usize,
    ports: usize,
}
