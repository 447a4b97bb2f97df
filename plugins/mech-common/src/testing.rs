//! Requests and agents for the tests of drivers.

use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::{Agent, Binding, BindingRequest, Network, Port, PortContext, Segment};

/// A living agent.
pub fn agent(agent_type: &str, configurations: Value) -> Agent {
    Agent {
        id: "A".into(),
        agent_type: agent_type.into(),
        host: "h".into(),
        alive: true,
        configurations: configurations.to_string(),
    }
}

/// A VLAN on `physnet1`.
pub fn vlan(number: u32) -> Segment {
    Segment {
        id: "S".into(),
        network_type: "vlan".into(),
        physical_network: Some("physnet1".into()),
        segmentation_id: Some(number),
    }
}

/// A port that wants to be bound on `h`.
pub fn request(id: &str, vnic_type: &str, profile: Value, segments: Vec<Segment>) -> BindingRequest {
    let current = Port {
        id: id.into(),
        network_id: "N".into(),
        project_id: String::new(),
        name: String::new(),
        admin_state_up: true,
        status: "DOWN".into(),
        mac_address: "fa:16:3e:00:00:01".into(),
        device_id: String::new(),
        device_owner: "compute:nova".into(),
        fixed_ips: Vec::new(),
        binding: Binding {
            host: "h".into(),
            vnic_type: vnic_type.into(),
            profile: profile.to_string(),
            vif_type: "unbound".into(),
            vif_details: json!({}).to_string(),
        },
        more: Vec::new(),
    };
    let network = Network {
        id: "N".into(),
        project_id: String::new(),
        name: String::new(),
        admin_state_up: true,
        status: "ACTIVE".into(),
        mtu: 1450,
        shared: false,
        segments: segments.clone(),
        more: Vec::new(),
    };
    let port =
        PortContext { current, original: None, network, levels: Vec::new(), original_levels: Vec::new() };
    BindingRequest { port, segments, agents: Vec::new() }
}
