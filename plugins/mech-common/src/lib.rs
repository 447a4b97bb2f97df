//! What mechanism drivers share that leave the work to an agent on the port's
//! host: they bind a port where such an agent is alive and reaches one of the
//! network's segments. In Neutron: `mech_agent`.
#![forbid(unsafe_code)]

use hadron_sdk::serde_json::{self, Map, Value};
use hadron_sdk::{Agent, BindingAnswer, BindingRequest, Bound, Segment, log};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Types that every agent can connect without tunnels.
const WITHOUT_TUNNEL: [&str; 3] = ["local", "flat", "vlan"];

/// Types that need the agent to be connected to the physical network.
const PHYSICAL: [&str; 2] = ["flat", "vlan"];

/// What an agent says about itself, as far as binding needs it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Configuration {
    /// Types of tunnels it makes.
    pub tunnel_types: Vec<String>,
    /// Physical networks and its bridges on them.
    pub bridge_mappings: BTreeMap<String, Value>,
    /// Physical networks and its interfaces on them.
    pub interface_mappings: BTreeMap<String, Value>,
    /// All of it.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// A kind of interface (`binding:vif_type`) and its details.
pub type Interface = (&'static str, Map<String, Value>);

/// How a driver of agents of one type binds.
#[derive(Clone, Copy, Debug)]
pub struct AgentDriver {
    /// E.g. `Open vSwitch agent`.
    pub agent_type: &'static str,
    /// Kinds of cards it can plug in.
    pub vnic_types: &'static [&'static str],
    /// The kind of interface and its details.
    pub interface: fn(&BindingRequest, &Configuration) -> Interface,
}

impl AgentDriver {
    /// Answers to requests.
    pub fn bind(&self, requests: &[BindingRequest]) -> Vec<BindingAnswer> {
        requests.iter().map(|request| self.bind_one(request)).collect()
    }

    fn bind_one(&self, request: &BindingRequest) -> BindingAnswer {
        let port = &request.port.current;
        if !self.vnic_types.contains(&port.binding.vnic_type.as_str()) {
            return BindingAnswer::Decline;
        }
        for agent in request.agents.iter().filter(|agent| agent.agent_type == self.agent_type) {
            if !agent.alive {
                log::warn(&format!(
                    "port {} is not bound to the dead {} on {}",
                    port.id, agent.agent_type, agent.host
                ));
                continue;
            }
            let configuration = configuration(agent);
            let reached = request.segments.iter().find(|segment| reaches(&configuration, segment));
            if let Some(segment) = reached {
                let (vif_type, details) = (self.interface)(request, &configuration);
                return BindingAnswer::Bound(Bound {
                    segment_id: segment.id.clone(),
                    vif_type: vif_type.to_owned(),
                    vif_details: Value::Object(details).to_string(),
                    // It becomes active when the agent reports that it is wired.
                    status: "DOWN".to_owned(),
                });
            }
        }
        BindingAnswer::Decline
    }
}

/// What an agent says about itself; nothing where that cannot be read.
fn configuration(agent: &Agent) -> Configuration {
    serde_json::from_str(&agent.configurations).unwrap_or_else(|error| {
        log::warn(&format!("the configurations of the {} on {}: {error}", agent.agent_type, agent.host));
        Configuration::default()
    })
}

/// In Neutron: `check_segment_for_agent`.
fn reaches(agent: &Configuration, segment: &Segment) -> bool {
    let kind = segment.network_type.as_str();
    let allowed = WITHOUT_TUNNEL.contains(&kind) || agent.tunnel_types.iter().any(|tunnel| tunnel == kind);
    let connected = |name: &String| {
        agent.bridge_mappings.contains_key(name) || agent.interface_mappings.contains_key(name)
    };
    allowed && (!PHYSICAL.contains(&kind) || segment.physical_network.as_ref().is_some_and(connected))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::json;

    fn segment(kind: &str, physical: Option<&str>) -> Segment {
        Segment {
            id: "s".into(),
            network_type: kind.into(),
            physical_network: physical.map(str::to_owned),
            segmentation_id: None,
        }
    }

    #[test]
    fn an_agent_reaches_its_tunnels_and_its_physical_networks() {
        let agent: Configuration = serde_json::from_value(
            json!({"tunnel_types": ["vxlan"], "bridge_mappings": {"p": "br-p"}, "datapath_type": "system"}),
        )
        .unwrap();
        assert!(reaches(&agent, &segment("vxlan", None)));
        assert!(!reaches(&agent, &segment("gre", None)));
        assert!(reaches(&agent, &segment("vlan", Some("p"))));
        assert!(!reaches(&agent, &segment("flat", Some("q"))));
        assert!(reaches(&agent, &segment("local", None)));
        assert_eq!(agent.rest.get("datapath_type"), Some(&json!("system")));
    }
}
