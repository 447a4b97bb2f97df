//! Ports on hosts with a macvtap agent: an instance's card is a branch of the
//! host's. In Neutron: `mech_macvtap`.

use hadron_mech_common::{AgentDriver, Interface, Reached, details};
use hadron_sdk::serde_json::{self, Value, json};
use hadron_sdk::{BindingAnswer, BindingRequest, Context, Manifest, MechanismDriver, Port, Result, log};
use sha1::{Digest, Sha1};

const DRIVER: AgentDriver = AgentDriver {
    agent_type: "Macvtap agent",
    vnic_types: &["normal"],
    network_types: &["flat", "vlan"],
    mappings: |agent| &agent.interface_mappings,
    interface,
};

/// Longest name of an interface (`IFNAMSIZ` less its end), less a dot and the
/// four digits of a VLAN.
const LONGEST: usize = 10;

/// Digits of the hash that stands for the end of a longer name.
const HASH: usize = 6;

/// The driver.
pub struct Macvtap;

fn interface(reached: Reached<'_>) -> Option<Interface> {
    let physical = reached.segment.physical_network.as_ref()?;
    let interface = reached.agent.interface_mappings.get(physical)?.as_str()?;
    let vlan = reached.segment.segmentation_id.filter(|_| reached.segment.network_type == "vlan");
    let source = vlan.map_or_else(|| interface.to_owned(), |number| named(interface, number));
    if let Some(before) = reached.request.port.original.as_ref().and_then(migrated_from)
        && before != source
    {
        log::error(&format!(
            "port {} cannot move: it is on {before}, and would be on {source}",
            reached.request.port.current.id
        ));
        return None;
    }
    let mut details = details([("connectivity", json!("l2")), ("port_filter", json!(false))]);
    if let Some(number) = vlan {
        details.insert("vlan".to_owned(), json!(number));
    }
    for (name, value) in
        [("physical_interface", interface), ("macvtap_source", &source), ("macvtap_mode", "bridge")]
    {
        details.insert(name.to_owned(), json!(value));
    }
    Some(("macvtap", details))
}

/// The interface of a VLAN, as the agent names it. In Neutron:
/// `get_vlan_device_name`.
fn named(interface: &str, number: u32) -> String {
    if interface.len() <= LONGEST {
        return format!("{interface}.{number}");
    }
    let beginning: String = interface.chars().take(LONGEST - HASH).collect();
    let hash: String = hex::encode(Sha1::digest(interface)).chars().take(HASH).collect();
    format!("{beginning}{hash}.{number}")
}

/// The interface that a port was on that is being migrated: an instance that
/// moves keeps its name. In Neutron: `_is_live_migration`.
fn migrated_from(port: &Port) -> Option<String> {
    let object = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    object(&port.binding.profile).get("migrating_to").and_then(Value::as_str).filter(|to| !to.is_empty())?;
    Some(object(&port.binding.vif_details).get("macvtap_source")?.as_str()?.to_owned())
}

impl MechanismDriver for Macvtap {
    fn manifest() -> Manifest {
        DRIVER.manifest(hadron_sdk::manifest!("mech-macvtap", "ports on hosts with a macvtap agent"))
    }

    fn start(_: &Context) -> Result<()> {
        DRIVER.allowed().map(drop)
    }

    fn bind_port(_: &Context, requests: Vec<BindingRequest>) -> Result<Vec<BindingAnswer>> {
        DRIVER.bind(&requests)
    }
}

hadron_sdk::mechanism_driver!(Macvtap);

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_mech_common::{Configuration, testing};
    use hadron_sdk::Segment;

    fn on(segment: &Segment, original: Option<Port>) -> Option<Interface> {
        let mut request = testing::request("P", "normal", json!({}), vec![segment.clone()]);
        request.port.original = original;
        let mappings = json!({"interface_mappings": {"physnet1": "eth1"}});
        let agent: Configuration = serde_json::from_value(mappings).unwrap();
        interface(Reached { request: &request, segment, agent: &agent })
    }

    #[test]
    fn a_vlan_is_an_interface_of_its_own() {
        let (kind, details) = on(&testing::vlan(5), None).unwrap();
        let expected = json!({"connectivity": "l2", "port_filter": false, "vlan": 5,
            "physical_interface": "eth1", "macvtap_source": "eth1.5", "macvtap_mode": "bridge"});
        assert_eq!((kind, Value::Object(details)), ("macvtap", expected));
        let flat = Segment { network_type: "flat".into(), segmentation_id: None, ..testing::vlan(0) };
        assert_eq!(on(&flat, None).unwrap().1["macvtap_source"], "eth1");
    }

    #[test]
    fn a_long_name_ends_in_a_hash() {
        assert_eq!(named("enp129s0f0np0", 4094), "enp197e4a1.4094");
        assert_eq!(named("enp5s0f0", 4094), "enp5s0f0.4094");
    }

    #[test]
    fn an_instance_that_moves_keeps_the_name_of_its_interface() {
        let before = |source: &str| {
            let profile = json!({"migrating_to": "other"});
            let mut port = testing::request("P", "normal", profile, Vec::new()).port.current;
            port.binding.vif_details = json!({"macvtap_source": source}).to_string();
            Some(port)
        };
        assert!(on(&testing::vlan(5), before("eth1.5")).is_some());
        assert_eq!(migrated_from(&before("eth2.5").unwrap()), Some("eth2.5".to_owned()));
    }
}
