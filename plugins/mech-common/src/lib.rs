//! What mechanism drivers share that leave the work to an agent on the port's
//! host: they bind a port where such an agent is alive and reaches one of the
//! network's segments. In Neutron: `mech_agent`.
#![forbid(unsafe_code)]

#[doc(hidden)]
pub mod testing;

use hadron_sdk::manifest::ConfigKey;
use hadron_sdk::serde_json::{self, Map, Value, json};
use hadron_sdk::{
    Agent, BindingAnswer, BindingRequest, Bound, Error, Manifest, Result, Segment, config, log,
};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Types that need the agent to be connected to the physical network.
const PHYSICAL: [&str; 2] = ["flat", "vlan"];

/// The kind of card that only some agents of a type can plug in.
const SMART_NIC: &str = "smart-nic";

/// The configuration key with kinds of cards that the operator leaves to other
/// drivers.
const PROHIBITED: &str = "vnic_type_prohibit_list";

/// Physical networks, and what the agent has on them: a bridge, an interface or
/// several cards.
pub type Mappings = BTreeMap<String, Value>;

/// What an agent says about itself, as far as binding needs it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Configuration {
    /// Types of tunnels it makes.
    pub tunnel_types: Vec<String>,
    /// Its bridges.
    pub bridge_mappings: Mappings,
    /// Its interfaces.
    pub interface_mappings: Mappings,
    /// Its cards.
    pub device_mappings: Mappings,
    /// All of it.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Configuration {
    /// A member that has no field of its own.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.rest.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }
}

/// A kind of interface (`binding:vif_type`) and its details.
pub type Interface = (&'static str, Map<String, Value>);

/// A segment that an agent reaches for a port.
#[derive(Clone, Copy, Debug)]
pub struct Reached<'a> {
    /// The port.
    pub request: &'a BindingRequest,
    /// The segment.
    pub segment: &'a Segment,
    /// What the agent says about itself.
    pub agent: &'a Configuration,
}

impl Reached<'_> {
    /// The port's kind of card.
    pub fn vnic_type(&self) -> &str {
        &self.request.port.current.binding.vnic_type
    }
}

/// How a driver of agents of one type binds.
#[derive(Clone, Copy, Debug)]
pub struct AgentDriver {
    /// E.g. `Open vSwitch agent`.
    pub agent_type: &'static str,
    /// Kinds of cards it can plug in.
    pub vnic_types: &'static [&'static str],
    /// Network types that every agent connects; of tunnels, an agent names those
    /// it makes.
    pub network_types: &'static [&'static str],
    /// By what the agent is connected to physical networks.
    pub mappings: fn(&Configuration) -> &Mappings,
    /// The kind of interface and its details; none where the driver will not
    /// have the port there.
    pub interface: fn(Reached<'_>) -> Option<Interface>,
}

impl AgentDriver {
    /// The driver's manifest: it binds, and an operator can take kinds of cards
    /// away from it.
    pub fn manifest(&self, manifest: Manifest) -> Manifest {
        let key = ConfigKey {
            name: PROHIBITED.to_owned(),
            description: format!("kinds of cards it does not bind, of {}", self.vnic_types.join(", ")),
            default: json!([]),
        };
        Manifest { hooks: vec!["bind-port".to_owned()], start: true, config: vec![key], ..manifest }
    }

    /// Kinds of cards it binds.
    ///
    /// # Errors
    /// Where the configuration prohibits unknown ones, or all, as in Neutron.
    pub fn allowed(&self) -> Result<Vec<&'static str>> {
        allowed(self.vnic_types, &config::or(PROHIBITED, Vec::new())?)
    }

    /// Answers to requests.
    ///
    /// # Errors
    /// As [`AgentDriver::allowed`].
    pub fn bind(&self, requests: &[BindingRequest]) -> Result<Vec<BindingAnswer>> {
        let allowed = self.allowed()?;
        Ok(requests.iter().map(|request| self.bind_one(request, &allowed)).collect())
    }

    fn bind_one(&self, request: &BindingRequest, allowed: &[&str]) -> BindingAnswer {
        let port = &request.port.current;
        let vnic_type = port.binding.vnic_type.as_str();
        if !allowed.contains(&vnic_type) {
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
            let agent = configuration(agent);
            if vnic_type == SMART_NIC && agent.rest.get("baremetal_smartnic") != Some(&json!(true)) {
                continue;
            }
            let reached = request.segments.iter().filter(|segment| self.reaches(&agent, segment));
            let bound = |segment| {
                let (vif_type, details) = (self.interface)(Reached { request, segment, agent: &agent })?;
                // It becomes active when the agent reports that it is wired.
                Some(bound(segment, vif_type, details, "DOWN"))
            };
            if let Some(answer) = reached.into_iter().find_map(bound) {
                return answer;
            }
        }
        BindingAnswer::Decline
    }

    /// In Neutron: `check_segment_for_agent`.
    fn reaches(&self, agent: &Configuration, segment: &Segment) -> bool {
        let kind = segment.network_type.as_str();
        let made = agent.tunnel_types.iter().any(|tunnel| tunnel == kind);
        let connected = |name: &String| (self.mappings)(agent).contains_key(name);
        (made || self.network_types.contains(&kind))
            && (!PHYSICAL.contains(&kind) || segment.physical_network.as_ref().is_some_and(connected))
    }
}

/// A binding by this segment.
pub fn bound(segment: &Segment, vif_type: &str, details: Map<String, Value>, status: &str) -> BindingAnswer {
    BindingAnswer::Bound(Bound {
        segment_id: segment.id.clone(),
        vif_type: vif_type.to_owned(),
        vif_details: Value::Object(details).to_string(),
        status: status.to_owned(),
    })
}

/// Details of an interface, in this order.
pub fn details<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Whether the profile says that the card can do this.
pub fn is_capable(request: &BindingRequest, capability: &str) -> bool {
    let profile: Value = serde_json::from_str(&request.port.current.binding.profile).unwrap_or_default();
    let capabilities = profile.get("capabilities").and_then(Value::as_array);
    capabilities.is_some_and(|all| all.iter().any(|one| one == capability))
}

/// In Neutron: `prohibit_list_supported_vnic_types`.
fn allowed(known: &'static [&'static str], prohibited: &[String]) -> Result<Vec<&'static str>> {
    if let Some(unknown) = prohibited.iter().find(|kind| !known.contains(&kind.as_str())) {
        return Err(Error::internal(format!(
            "the configuration key '{PROHIBITED}' names '{unknown}', which is none of {}",
            known.join(", ")
        )));
    }
    let left: Vec<&str> =
        known.iter().copied().filter(|kind| !prohibited.iter().any(|p| p == kind)).collect();
    match left.is_empty() {
        true => Err(Error::internal(format!("the configuration key '{PROHIBITED}' leaves no kind of card"))),
        false => Ok(left),
    }
}

/// What an agent says about itself; nothing where that cannot be read.
fn configuration(agent: &Agent) -> Configuration {
    serde_json::from_str(&agent.configurations).unwrap_or_else(|error| {
        log::warn(&format!("the configurations of the {} on {}: {error}", agent.agent_type, agent.host));
        Configuration::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRIVER: AgentDriver = AgentDriver {
        agent_type: "Open vSwitch agent",
        vnic_types: &["normal", SMART_NIC],
        network_types: &["local", "flat", "vlan"],
        mappings: |agent| &agent.bridge_mappings,
        interface: |_| Some(("ovs", Map::new())),
    };

    fn segment(kind: &str, physical: Option<&str>) -> Segment {
        Segment {
            id: kind.into(),
            network_type: kind.into(),
            physical_network: physical.map(str::to_owned),
            segmentation_id: None,
        }
    }

    #[test]
    fn an_agent_reaches_its_tunnels_and_its_physical_networks() {
        let agent: Configuration = serde_json::from_value(
            json!({"tunnel_types": ["vxlan"], "bridge_mappings": {"p": "br-p"}, "interface_mappings": {"q": "e"},
                "datapath_type": "system"}),
        )
        .unwrap();
        let reaches = |kind, physical| DRIVER.reaches(&agent, &segment(kind, physical));
        assert!(reaches("vxlan", None));
        assert!(!reaches("gre", None));
        assert!(reaches("vlan", Some("p")));
        assert!(!reaches("flat", Some("q")), "an interface is not a bridge");
        assert!(reaches("local", None));
        assert_eq!(agent.text("datapath_type"), Some("system"));
    }

    #[test]
    fn an_operator_leaves_kinds_of_cards_to_other_drivers() {
        let prohibit = |kinds: &[&str]| {
            let kinds: Vec<String> = kinds.iter().map(|kind| (*kind).to_owned()).collect();
            allowed(&["normal", "direct"], &kinds).map_err(|error| error.fault().message.clone())
        };
        assert_eq!(prohibit(&[]), Ok(vec!["normal", "direct"]));
        assert_eq!(prohibit(&["direct"]), Ok(vec!["normal"]));
        assert!(prohibit(&["macvtap"]).unwrap_err().contains("which is none of normal, direct"));
        assert!(prohibit(&["normal", "direct"]).unwrap_err().contains("leaves no kind"));
    }

    #[test]
    fn a_smart_nic_needs_an_agent_for_it() {
        let request = |configurations: Value| {
            let mut request = testing::request("P", SMART_NIC, json!({}), vec![segment("local", None)]);
            request.agents = vec![testing::agent(DRIVER.agent_type, configurations)];
            request
        };
        let bind = |configurations| DRIVER.bind_one(&request(configurations), DRIVER.vnic_types);
        assert!(matches!(bind(json!({})), BindingAnswer::Decline));
        assert!(matches!(bind(json!({"baremetal_smartnic": true})), BindingAnswer::Bound(_)));
    }
}
