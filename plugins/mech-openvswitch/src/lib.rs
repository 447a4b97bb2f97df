//! Ports on hosts with an Open vSwitch agent. In Neutron: `mech_openvswitch`.

use hadron_mech_common::{AgentDriver, Configuration, Interface};
use hadron_sdk::serde_json::{self, Map, Value, json};
use hadron_sdk::{BindingAnswer, BindingRequest, Context, Manifest, MechanismDriver, Result};

const DRIVER: AgentDriver = AgentDriver {
    agent_type: "Open vSwitch agent",
    vnic_types: &["normal", "direct", "smart-nic", "vdpa"],
    interface,
};

/// The kernel's datapath, which an agent uses that names none.
const SYSTEM: &str = "system";

/// The driver.
pub struct OpenVSwitch;

/// The vif type is `ovs`, with the details that Nova needs to plug it in.
/// In Neutron: `_pre_get_vif_details`.
fn interface(request: &BindingRequest, agent: &Configuration) -> Interface {
    let of = |name: &str| agent.rest.get(name);
    let hybrid = of("ovs_hybrid_plug").cloned().unwrap_or(json!(false));
    let datapath = of("datapath_type").and_then(Value::as_str).unwrap_or(SYSTEM);
    let mut details = Map::new();
    details.insert("connectivity".to_owned(), json!("l2"));
    details.insert("port_filter".to_owned(), json!(true));
    if datapath == SYSTEM && request.port.current.binding.vnic_type != "direct" && hybrid != json!(true) {
        details.insert("ovs_create_tap".to_owned(), json!(true));
    }
    details.insert("ovs_hybrid_plug".to_owned(), hybrid);
    details.insert("datapath_type".to_owned(), json!(datapath));
    if let Some(bridge) = of("integration_bridge").filter(|bridge| !bridge.is_null()) {
        details.insert("bridge_name".to_owned(), bridge.clone());
    }
    ("ovs", details)
}

/// A virtual function can be bound only where the card switches by itself.
fn can_offload(request: &BindingRequest) -> bool {
    let profile: Value = serde_json::from_str(&request.port.current.binding.profile).unwrap_or_default();
    let capabilities = profile.get("capabilities").and_then(Value::as_array);
    capabilities.is_some_and(|all| all.iter().any(|one| one == "switchdev"))
}

impl MechanismDriver for OpenVSwitch {
    fn manifest() -> Manifest {
        Manifest {
            hooks: vec!["bind-port".to_owned()],
            ..hadron_sdk::manifest!("mech-openvswitch", "ports on hosts with an Open vSwitch agent")
        }
    }

    fn bind_port(_: &Context, requests: Vec<BindingRequest>) -> Result<Vec<BindingAnswer>> {
        let answers = DRIVER.bind(&requests).into_iter().zip(&requests);
        Ok(answers
            .map(|(answer, request)| {
                let refused = request.port.current.binding.vnic_type == "direct" && !can_offload(request);
                if refused { BindingAnswer::Decline } else { answer }
            })
            .collect())
    }
}

hadron_sdk::mechanism_driver!(OpenVSwitch);
