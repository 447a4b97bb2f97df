//! Ports on hosts with a Linux bridge agent. In Neutron until its release 27:
//! `mech_linuxbridge`.

use hadron_mech_common::{AgentDriver, Configuration, Interface};
use hadron_sdk::serde_json::{Map, json};
use hadron_sdk::{BindingAnswer, BindingRequest, Context, Manifest, MechanismDriver, Result};

const DRIVER: AgentDriver =
    AgentDriver { agent_type: "Linux bridge agent", vnic_types: &["normal"], interface };

/// The driver.
pub struct LinuxBridge;

fn interface(_: &BindingRequest, _: &Configuration) -> Interface {
    let mut details = Map::new();
    details.insert("connectivity".to_owned(), json!("l2"));
    details.insert("port_filter".to_owned(), json!(true));
    ("bridge", details)
}

impl MechanismDriver for LinuxBridge {
    fn manifest() -> Manifest {
        Manifest {
            hooks: vec!["bind-port".to_owned()],
            ..hadron_sdk::manifest!("mech-linuxbridge", "ports on hosts with a Linux bridge agent")
        }
    }

    fn bind_port(_: &Context, requests: Vec<BindingRequest>) -> Result<Vec<BindingAnswer>> {
        Ok(DRIVER.bind(&requests))
    }
}

hadron_sdk::mechanism_driver!(LinuxBridge);
