//! Ports on hosts with a Linux bridge agent. In Neutron until its release 27:
//! `mech_linuxbridge`.

use hadron_mech_common::{AgentDriver, Interface, Reached, details};
use hadron_sdk::serde_json::json;
use hadron_sdk::{BindingAnswer, BindingRequest, Context, Manifest, MechanismDriver, Result};

const DRIVER: AgentDriver = AgentDriver {
    agent_type: "Linux bridge agent",
    vnic_types: &["normal"],
    network_types: &["local", "flat", "vlan"],
    mappings: |agent| &agent.interface_mappings,
    interface,
};

/// The driver.
pub struct LinuxBridge;

fn interface(_: Reached<'_>) -> Option<Interface> {
    Some(("bridge", details([("connectivity", json!("l2")), ("port_filter", json!(true))])))
}

impl MechanismDriver for LinuxBridge {
    fn manifest() -> Manifest {
        DRIVER.manifest(hadron_sdk::manifest!("mech-linuxbridge", "ports on hosts with a Linux bridge agent"))
    }

    fn start(_: &Context) -> Result<()> {
        DRIVER.allowed().map(drop)
    }

    fn bind_port(_: &Context, requests: Vec<BindingRequest>) -> Result<Vec<BindingAnswer>> {
        DRIVER.bind(&requests)
    }
}

hadron_sdk::mechanism_driver!(LinuxBridge);
