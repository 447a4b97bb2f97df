//! Topics on which agents are told of changes as Neutron told them before there
//! were versioned objects, and which agents listen to which: where no living one
//! does, nothing is sent. In Neutron: the consumers that agents make.

use super::state::{DHCP, L3, METERING, OPEN_VSWITCH};
use hadron_sdk::serde_json::Value;

/// Ports that change.
pub(crate) const PORT_UPDATE: &str = "q-agent-notifier-port-update";
/// Ports that are gone.
pub(crate) const PORT_DELETE: &str = "q-agent-notifier-port-delete";
/// Networks that change.
pub(crate) const NETWORK_UPDATE: &str = "q-agent-notifier-network-update";
/// Networks that are gone.
pub(crate) const NETWORK_DELETE: &str = "q-agent-notifier-network-delete";
/// Security groups of which rules or members change.
pub(crate) const SECURITY_GROUP_UPDATE: &str = "q-agent-notifier-security_group-update";
/// Bindings that come to be active.
pub(crate) const BINDING_ACTIVATE: &str = "q-agent-notifier-port_binding-activate";
/// Bindings that are active no more.
pub(crate) const BINDING_DEACTIVATE: &str = "q-agent-notifier-port_binding-deactivate";
/// Where ports of tunnel networks are.
pub(crate) const L2_POPULATION: &str = "q-agent-notifier-l2population-update";

/// What agents that know nothing of versioned objects listen to.
const OLDER: [&str; 7] = [
    PORT_UPDATE,
    PORT_DELETE,
    NETWORK_UPDATE,
    NETWORK_DELETE,
    SECURITY_GROUP_UPDATE,
    BINDING_ACTIVATE,
    BINDING_DEACTIVATE,
];

/// What agents of a type listen to, of any release that is still about. Those of
/// a type that is not known here, a vendor's, may listen to anything.
fn of_type(agent_type: &str, hears_objects: bool) -> &'static [&'static str] {
    match agent_type {
        // Ports and groups have been objects to it for so long.
        OPEN_VSWITCH if hears_objects => &[],
        "Linux bridge agent" => &[
            PORT_UPDATE,
            NETWORK_UPDATE,
            NETWORK_DELETE,
            SECURITY_GROUP_UPDATE,
            BINDING_ACTIVATE,
            BINDING_DEACTIVATE,
        ],
        "Macvtap agent" => &[PORT_UPDATE, NETWORK_DELETE, SECURITY_GROUP_UPDATE],
        "NIC Switch agent" => {
            &[PORT_UPDATE, NETWORK_UPDATE, SECURITY_GROUP_UPDATE, BINDING_ACTIVATE, BINDING_DEACTIVATE]
        }
        L3 => &[NETWORK_UPDATE],
        DHCP | METERING | "Metadata agent" => &[],
        _ => &OLDER,
    }
}

/// What an agent listens to that says this of itself; `hears_objects`: whether it
/// understands ports as objects.
pub(super) fn of(
    agent_type: &str,
    configurations: &Value,
    hears_objects: bool,
) -> impl Iterator<Item = &'static str> {
    let populates = populates(configurations).then_some(L2_POPULATION);
    of_type(agent_type, hears_objects).iter().copied().chain(populates)
}

/// The address at which tunnels to an agent end.
pub(crate) fn tunneling_ip(configurations: &Value) -> Option<&str> {
    configurations.get("tunneling_ip").and_then(Value::as_str).filter(|ip| !ip.is_empty())
}

/// Whether an agent makes tunnels only to where it hears that ports are. In
/// Neutron: `l2_population` of the agent.
pub(crate) fn populates(configurations: &Value) -> bool {
    configurations.get("l2_population") == Some(&Value::Bool(true)) && tunneling_ip(configurations).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::json;

    fn heard(agent_type: &str, configurations: Value, hears_objects: bool) -> Vec<&'static str> {
        of(agent_type, &configurations, hears_objects).collect()
    }

    #[test]
    fn agents_listen_to_what_their_kind_listens_to() {
        assert_eq!(heard(OPEN_VSWITCH, json!({}), true), [] as [&str; 0]);
        assert_eq!(heard(OPEN_VSWITCH, json!({}), false), OLDER);
        assert_eq!(heard(DHCP, json!({}), false), [] as [&str; 0]);
        assert_eq!(heard(L3, json!({}), false), [NETWORK_UPDATE]);
        assert_eq!(
            heard("Macvtap agent", json!({}), true),
            [PORT_UPDATE, NETWORK_DELETE, SECURITY_GROUP_UPDATE]
        );
    }

    #[test]
    fn an_agent_that_nobody_knows_may_listen_to_anything() {
        assert_eq!(heard("Acme agent", json!({}), true), OLDER);
    }

    #[test]
    fn agents_are_populated_that_say_so_and_where_their_tunnels_end() {
        let says = |l2_population: Value, tunneling_ip: &str| {
            heard(OPEN_VSWITCH, json!({"l2_population": l2_population, "tunneling_ip": tunneling_ip}), true)
        };
        assert_eq!(says(json!(true), "192.0.2.1"), [L2_POPULATION]);
        assert_eq!(says(json!(false), "192.0.2.1"), [] as [&str; 0]);
        assert_eq!(says(json!(true), ""), [] as [&str; 0]);
    }
}
