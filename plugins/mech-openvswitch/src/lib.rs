//! Ports on hosts with an Open vSwitch agent. In Neutron: `mech_openvswitch`.

mod interface;

use hadron_mech_common::{AgentDriver, is_capable};
use hadron_sdk::manifest::ConfigKey;
use hadron_sdk::serde_json::json;
use hadron_sdk::{BindingAnswer, BindingRequest, Context, Manifest, MechanismDriver, Result};

const DRIVER: AgentDriver = AgentDriver {
    agent_type: "Open vSwitch agent",
    vnic_types: &["normal", interface::DIRECT, "smart-nic", "vdpa"],
    network_types: &["local", "flat", "vlan"],
    mappings: |agent| &agent.bridge_mappings,
    interface: interface::of,
};

/// The driver.
pub struct OpenVSwitch;

impl MechanismDriver for OpenVSwitch {
    fn manifest() -> Manifest {
        let mut manifest = DRIVER
            .manifest(hadron_sdk::manifest!("mech-openvswitch", "ports on hosts with an Open vSwitch agent"));
        manifest.config.push(ConfigKey {
            name: interface::CREATE_TAP.to_owned(),
            description:
                "whether Nova leaves an instance's tap device in the kernel's datapath to Open vSwitch"
                    .to_owned(),
            default: json!(true),
        });
        manifest
    }

    fn start(_: &Context) -> Result<()> {
        DRIVER.allowed().map(drop)
    }

    fn bind_port(_: &Context, requests: Vec<BindingRequest>) -> Result<Vec<BindingAnswer>> {
        let answers = DRIVER.bind(&requests)?.into_iter().zip(&requests);
        Ok(answers
            .map(|(answer, request)| if is_ours(request) { answer } else { BindingAnswer::Decline })
            .collect())
    }
}

/// A virtual function is Open vSwitch's only where the card switches by itself.
fn is_ours(request: &BindingRequest) -> bool {
    request.port.current.binding.vnic_type != interface::DIRECT || is_capable(request, "switchdev")
}

hadron_sdk::mechanism_driver!(OpenVSwitch);

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_mech_common::testing::request;

    #[test]
    fn a_virtual_function_is_bound_where_the_card_switches() {
        assert!(is_ours(&request("P", "normal", json!({}), Vec::new())));
        assert!(!is_ours(&request("P", "direct", json!({}), Vec::new())));
        assert!(!is_ours(&request("P", "direct", json!({"capabilities": 5}), Vec::new())));
        assert!(is_ours(&request("P", "direct", json!({"capabilities": ["switchdev"]}), Vec::new())));
    }
}
