//! What Nova needs to know to plug an instance into Open vSwitch.
//! In Neutron: `get_vif_type`, `_pre_get_vif_details`.

use hadron_mech_common::{Configuration, Interface, Reached, details};
use hadron_sdk::serde_json::{self, Map, Value, json};
use hadron_sdk::{Port, config};

/// The kind of card that is a virtual function.
pub(crate) const DIRECT: &str = "direct";

/// The configuration key about tap devices.
pub(crate) const CREATE_TAP: &str = "ovs_create_tap";

/// The kernel's datapath, which an agent uses that names none.
const SYSTEM: &str = "system";

/// Open vSwitch's own, in user space.
const NETDEV: &str = "netdev";

/// Interfaces over a socket that Open vSwitch waits at, and that it opens.
const SERVER: &str = "dpdkvhostuser";
const CLIENT: &str = "dpdkvhostuserclient";

/// Where sockets are on an agent that does not say.
const SOCKETS: &str = "/var/run/openvswitch";

/// Longest name of a network interface, as Neutron's agent makes it; of bridges and
/// sockets, too.
const INTERFACE_NAME: usize = 14;

/// The attribute of a port with the trunk that it carries.
const TRUNK: &str = "trunk_id";

/// The kind of interface and its details.
pub(crate) fn of(reached: Reached<'_>) -> Option<Interface> {
    // A setting of another shape was refused at the start.
    Some(plugged(reached, config::or(CREATE_TAP, true).unwrap_or(true)))
}

fn plugged(reached: Reached<'_>, create_tap: bool) -> Interface {
    let agent = reached.agent;
    let datapath = agent.text("datapath_type").unwrap_or(SYSTEM);
    let kinds = interface_types(agent);
    let over_socket = datapath == NETDEV && [SERVER, CLIENT].iter().any(|kind| kinds.contains(kind));
    let (vif_type, mut details) = match over_socket && reached.vnic_type() != DIRECT {
        true => ("vhostuser", socket(reached, kinds.contains(&CLIENT))),
        false => ("ovs", device(reached, datapath, create_tap)),
    };
    details.insert("datapath_type".to_owned(), json!(datapath));
    let bridge = agent.text("integration_bridge").map(str::to_owned);
    if let Some(bridge) = trunk_bridge(&reached.request.port.current).or(bridge) {
        details.insert("bridge_name".to_owned(), json!(bridge));
    }
    (vif_type, details)
}

/// The bridge of the trunk that a port carries: a machine is plugged in there.
/// In Neutron: `gen_trunk_br_name`.
fn trunk_bridge(port: &Port) -> Option<String> {
    let trunk = port.more.iter().find(|extra| extra.name == TRUNK)?;
    let trunk: Option<String> = serde_json::from_str(&trunk.value).ok()?;
    Some(format!("tbr-{}", trunk?).chars().take(INTERFACE_NAME).collect())
}

fn interface_types(agent: &Configuration) -> Vec<&str> {
    let capabilities = agent.rest.get("ovs_capabilities");
    let types = capabilities.and_then(|all| all.get("iface_types")).and_then(Value::as_array);
    types.into_iter().flatten().filter_map(Value::as_str).collect()
}

fn device(reached: Reached<'_>, datapath: &str, create_tap: bool) -> Map<String, Value> {
    let hybrid = reached.agent.rest.get("ovs_hybrid_plug") == Some(&json!(true));
    let mut details = details([
        ("connectivity", json!("l2")),
        ("port_filter", json!(true)),
        ("ovs_hybrid_plug", json!(hybrid)),
    ]);
    if create_tap && datapath == SYSTEM && reached.vnic_type() != DIRECT && !hybrid {
        details.insert(CREATE_TAP.to_owned(), json!(true));
    }
    details
}

/// Who opens the socket is the other's server: where Open vSwitch does, the
/// instance's machine waits.
fn socket(reached: Reached<'_>, opened: bool) -> Map<String, Value> {
    let folder = reached.agent.text("vhostuser_socket_dir").unwrap_or(SOCKETS).trim_end_matches('/');
    let name: String =
        format!("vhu{}", reached.request.port.current.id).chars().take(INTERFACE_NAME).collect();
    details([
        ("port_filter", json!(false)),
        ("ovs_hybrid_plug", json!(false)),
        ("vhostuser_mode", json!(if opened { "server" } else { "client" })),
        ("vhostuser_ovs_plug", json!(true)),
        ("vhostuser_socket", json!(format!("{folder}/{name}"))),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_mech_common::testing;
    use hadron_sdk::Extra;

    const PORT: &str = "357f5653-0c92-410f-b79e-4a606b25e877";

    fn of(vnic_type: &str, agent: Value, create_tap: bool) -> (&'static str, Value) {
        let segment = testing::vlan(5);
        let request = testing::request(PORT, vnic_type, json!({}), vec![segment.clone()]);
        let agent: Configuration = serde_json::from_value(agent).unwrap();
        let (kind, details) =
            plugged(Reached { request: &request, segment: &segment, agent: &agent }, create_tap);
        (kind, Value::Object(details))
    }

    #[test]
    fn a_plain_agent_is_answered_as_neutron_does() {
        let seen = json!({"connectivity": "l2", "port_filter": true, "ovs_hybrid_plug": false,
            "ovs_create_tap": true, "datapath_type": "system"});
        assert_eq!(of("normal", json!({}), true), ("ovs", seen.clone()));
        assert_eq!(of("normal", json!({"ovs_hybrid_plug": null}), true), ("ovs", seen));
    }

    #[test]
    fn what_carries_a_trunk_is_plugged_into_the_trunks_bridge() {
        let mut port = testing::request(PORT, "normal", json!({}), Vec::new()).port.current;
        let mut of = |trunk: Value| {
            port.more = vec![Extra { name: TRUNK.to_owned(), value: trunk.to_string() }];
            trunk_bridge(&port)
        };
        assert_eq!(of(json!("0d1c53ea-4a33-4ee3-8a3f-7f4c9f3fc3d1")).as_deref(), Some("tbr-0d1c53ea-4"));
        assert_eq!((of(json!(null)), of(json!(5))), (None, None));
    }

    #[test]
    fn a_tap_is_created_only_in_the_kernel_and_without_a_bridge_between() {
        let taps = |vnic_type, agent, create| of(vnic_type, agent, create).1.get("ovs_create_tap").is_some();
        assert!(taps("normal", json!({}), true));
        assert!(!taps("normal", json!({}), false));
        assert!(!taps("direct", json!({}), true));
        assert!(!taps("normal", json!({"ovs_hybrid_plug": true}), true));
        assert!(!taps("normal", json!({"datapath_type": "netdev"}), true));
    }

    #[test]
    fn an_agent_in_user_space_plugs_by_a_socket() {
        let agent = |kinds: Value| {
            json!({"datapath_type": "netdev", "integration_bridge": "br-x", "vhostuser_socket_dir": "/run/s/",
                "ovs_capabilities": {"iface_types": kinds}})
        };
        let (kind, details) = of("normal", agent(json!(["dpdkvhostuser", "dpdkvhostuserclient"])), true);
        let expected = json!({"port_filter": false, "ovs_hybrid_plug": false, "vhostuser_mode": "server",
            "vhostuser_ovs_plug": true, "vhostuser_socket": "/run/s/vhu357f5653-0c", "datapath_type": "netdev",
            "bridge_name": "br-x"});
        assert_eq!((kind, details), ("vhostuser", expected));
        assert_eq!(of("normal", agent(json!(["dpdkvhostuser"])), true).1["vhostuser_mode"], "client");
        assert_eq!(of("normal", agent(json!(["internal"])), true).0, "ovs");
        assert_eq!(of("direct", agent(json!(["dpdkvhostuser"])), true).0, "ovs");
    }
}
