//! Ports that are functions of a card that switches between them (SR-IOV).
//! In Neutron: `mech_sriov`.

use hadron_mech_common::{AgentDriver, Interface, Reached, bound, details, is_capable};
use hadron_sdk::serde_json::{Map, Value, json};
use hadron_sdk::{BindingAnswer, BindingRequest, Context, Manifest, MechanismDriver, Result, Segment};

/// A whole card, which no agent looks after.
const PHYSICAL: &str = "direct-physical";

const DRIVER: AgentDriver = AgentDriver {
    agent_type: "NIC Switch agent",
    vnic_types: &["direct", "macvtap", PHYSICAL, "accelerator-direct"],
    network_types: &["flat", "vlan"],
    mappings: |agent| &agent.device_mappings,
    interface,
};

/// The driver.
pub struct SriovNicSwitch;

fn interface(reached: Reached<'_>) -> Option<Interface> {
    // An agent may list tunnels; the card knows none.
    carries(reached.segment).then(|| ("hw_veb", vif_details(reached.segment)))
}

fn carries(segment: &Segment) -> bool {
    DRIVER.network_types.contains(&segment.network_type.as_str())
}

/// A flat network is the VLAN 0, as text, as Neutron writes it.
fn vif_details(segment: &Segment) -> Map<String, Value> {
    let vlan = segment.segmentation_id.unwrap_or_default().to_string();
    details([("connectivity", json!("l2")), ("port_filter", json!(false)), ("vlan", json!(vlan))])
}

/// A whole card has the first segment that goes over a wire, and is active: no
/// agent will say so.
fn whole_card(request: &BindingRequest) -> BindingAnswer {
    match request.segments.iter().find(|segment| carries(segment)) {
        Some(segment) => bound(segment, "hostdev_physical", vif_details(segment), "ACTIVE"),
        None => BindingAnswer::Decline,
    }
}

impl MechanismDriver for SriovNicSwitch {
    fn manifest() -> Manifest {
        DRIVER.manifest(hadron_sdk::manifest!(
            "mech-sriovnicswitch",
            "ports that are functions of a card that switches between them (SR-IOV)"
        ))
    }

    fn start(_: &Context) -> Result<()> {
        DRIVER.allowed().map(drop)
    }

    fn bind_port(_: &Context, requests: Vec<BindingRequest>) -> Result<Vec<BindingAnswer>> {
        let whole_cards = DRIVER.allowed()?.contains(&PHYSICAL);
        let answers = DRIVER.bind(&requests)?.into_iter().zip(&requests);
        let answer = |(answer, request): (BindingAnswer, &BindingRequest)| {
            match request.port.current.binding.vnic_type.as_str() {
                PHYSICAL if whole_cards => whole_card(request),
                // Open vSwitch programs such a card.
                "direct" if is_capable(request, "switchdev") => BindingAnswer::Decline,
                _ => answer,
            }
        };
        Ok(answers.map(answer).collect())
    }
}

hadron_sdk::mechanism_driver!(SriovNicSwitch);

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_mech_common::testing;

    fn vxlan() -> Segment {
        Segment { network_type: "vxlan".into(), physical_network: None, ..testing::vlan(7) }
    }

    #[test]
    fn a_whole_card_needs_no_agent() {
        let request = testing::request("P", PHYSICAL, json!({}), vec![vxlan(), testing::vlan(5)]);
        let BindingAnswer::Bound(bound) = whole_card(&request) else { panic!() };
        assert_eq!((bound.vif_type.as_str(), bound.status.as_str()), ("hostdev_physical", "ACTIVE"));
        assert_eq!(bound.vif_details, r#"{"connectivity":"l2","port_filter":false,"vlan":"5"}"#);
        let request = testing::request("P", PHYSICAL, json!({}), vec![vxlan()]);
        assert!(matches!(whole_card(&request), BindingAnswer::Decline));
    }

    #[test]
    fn a_flat_network_is_the_vlan_zero() {
        let flat = Segment { network_type: "flat".into(), segmentation_id: None, ..testing::vlan(0) };
        assert_eq!(vif_details(&flat)["vlan"], "0");
    }
}
