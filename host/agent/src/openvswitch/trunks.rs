//! Trunks: a virtual machine whose port carries several networks, told apart by
//! VLANs, is plugged into a bridge of its own, by whom the machine is started
//! (`tbr-…`). From there a pair of ports leads to the integration bridge for the
//! trunk's own port and for each of its sub-ports; that one is then wired as any
//! other. In Neutron: `OVSDBHandler`, `TrunkManager`.

use super::switch::{Interface, Switch};
use crate::bridges::Joint;
use crate::objects::Trunk;
use std::collections::{BTreeMap, BTreeSet};

/// What trunks' bridges begin with.
const BRIDGE: &str = "tbr-";
/// What the ports of the pairs begin with: of trunks and of sub-ports, each on the
/// integration bridge and on the trunk's.
const PORTS: [&str; 4] = ["tpi-", "tpt-", "spi-", "spt-"];

/// Names of interfaces have at most as many characters.
const LONGEST: usize = 15;

/// A machine's interface on a trunk's bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The trunk's bridge.
    pub bridge: String,
    /// The trunk's own port.
    pub port_id: String,
    /// Its MAC address.
    pub mac: String,
}

/// The machines that are plugged into bridges of trunks.
#[must_use]
pub fn parents(switch: &Switch) -> Vec<Parent> {
    let trunks = switch.bridges().filter(|bridge| bridge.starts_with(BRIDGE));
    let parent = |bridge: &str| {
        let is_machine = |one: &Interface| one.port_id.is_some() && !is_of_a_pair(&one.name);
        let plugged = switch.interfaces(bridge).into_iter().find(is_machine)?;
        let (port_id, mac) = (plugged.port_id?, plugged.mac.unwrap_or_default());
        Some(Parent { bridge: bridge.to_owned(), port_id, mac })
    };
    trunks.filter_map(parent).collect()
}

fn is_of_a_pair(name: &str) -> bool {
    PORTS.iter().any(|prefix| name.starts_with(prefix))
}

fn name(prefix: &str, port: &str) -> String {
    format!("{prefix}{port}").chars().take(LONGEST).collect()
}

/// The pair of the trunk's own port and those of its sub-ports with known MAC
/// addresses.
#[must_use]
pub fn joints(parent: &Parent, trunk: &Trunk, macs: &BTreeMap<String, String>) -> Vec<Joint> {
    let joint = |[inner, outer]: [&str; 2], port: &str, mac: &str, vlan: u16| Joint {
        bridge: parent.bridge.clone(),
        inner: name(inner, port),
        outer: name(outer, port),
        port_id: port.to_owned(),
        mac: mac.to_owned(),
        vlan,
    };
    let [trunk_inner, trunk_outer, inner, outer] = PORTS;
    let mut joints = vec![joint([trunk_inner, trunk_outer], &parent.port_id, &parent.mac, 0)];
    let sub_ports = trunk.sub_ports.iter().filter_map(|(port, vlan)| Some((port, vlan, macs.get(port)?)));
    joints.extend(sub_ports.map(|(port, vlan, mac)| joint([inner, outer], port, mac, *vlan)));
    joints
}

/// Which of these pairs are not there, or in another VLAN.
#[must_use]
pub fn missing<'a>(switch: &Switch, integration: &str, wanted: &'a [Joint]) -> Vec<&'a Joint> {
    let there = |bridge: &str| -> BTreeMap<String, Option<u16>> {
        switch.interfaces(bridge).into_iter().map(|one| (one.name, one.vlan)).collect()
    };
    let inside = there(integration);
    let is_missing = |joint: &&Joint| {
        let outside = there(&joint.bridge);
        !inside.contains_key(&joint.inner) || outside.get(&joint.outer) != Some(&Some(joint.vlan))
    };
    wanted.iter().filter(is_missing).collect()
}

/// The ports of pairs, each with its bridge, that are not any of these.
#[must_use]
pub fn surplus(switch: &Switch, integration: &str, wanted: &[Joint]) -> Vec<(String, String)> {
    let names: BTreeSet<&str> =
        wanted.iter().flat_map(|joint| [joint.inner.as_str(), joint.outer.as_str()]).collect();
    let bridges = switch.bridges().filter(|bridge| bridge.starts_with(BRIDGE) || *bridge == integration);
    let mut surplus = Vec::new();
    for bridge in bridges {
        let ports = switch.interfaces(bridge).into_iter().map(|one| one.name);
        let gone = ports.filter(|name| is_of_a_pair(name) && !names.contains(name.as_str()));
        surplus.extend(gone.map(|name| (bridge.to_owned(), name)));
    }
    surplus
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn switch(ports: &[(&str, &str, Option<u16>)]) -> Switch {
        let mut tables = json!({"Bridge": {}, "Port": {}, "Interface": {}});
        for bridge in ["br-int", "tbr-88888888-0"] {
            let on = ports.iter().filter(|(on, ..)| *on == bridge);
            let listed: Vec<Value> = on.map(|(_, name, _)| json!(["uuid", name])).collect();
            tables["Bridge"][bridge] = json!({"new": {"name": bridge, "ports": ["set", listed]}});
        }
        for (_, name, vlan) in ports {
            let tag = vlan.map_or(json!(["set", []]), |vlan| json!(vlan));
            tables["Port"][name] = json!({"new": {"name": name, "interfaces": ["uuid", name], "tag": tag}});
            let of = json!([["iface-id", "aaaaaaaa-0000"], ["attached-mac", "m"]]);
            // The bridge's own interface is nobody's.
            let ids = json!(["map", if name.starts_with(BRIDGE) { json!([]) } else { of }]);
            tables["Interface"][name] = json!({"new": {"name": name, "ofport": 1, "external_ids": ids}});
        }
        let mut switch = Switch::default();
        switch.apply(&tables);
        switch
    }

    #[test]
    fn pairs_follow_the_machine_and_its_sub_ports() {
        let own = ("tbr-88888888-0", "tbr-88888888-0", None);
        let bare = switch(&[own, ("tbr-88888888-0", "tapaaaaaaaa-00", None)]);
        let parents = parents(&bare);
        let [parent] = &parents[..] else { panic!("{parents:?}") };
        assert_eq!((parent.port_id.as_str(), parent.mac.as_str()), ("aaaaaaaa-0000", "m"));
        let trunk = Trunk {
            port_id: parent.port_id.clone(),
            sub_ports: BTreeMap::from([("bbbbbbbb-0000".to_owned(), 5), ("unknown".to_owned(), 6)]),
        };
        let macs = BTreeMap::from([("bbbbbbbb-0000".to_owned(), "n".to_owned())]);
        let wanted = joints(parent, &trunk, &macs);
        assert_eq!(
            wanted.iter().map(|joint| joint.inner.as_str()).collect::<Vec<_>>(),
            ["tpi-aaaaaaaa-00", "spi-bbbbbbbb-00"].map(|name| &name[..15])
        );
        assert_eq!(missing(&bare, "br-int", &wanted).len(), 2);
        let whole = switch(&[
            own,
            ("tbr-88888888-0", "tapaaaaaaaa-00", None),
            ("tbr-88888888-0", &wanted[0].outer, Some(0)),
            ("tbr-88888888-0", &wanted[1].outer, Some(5)),
            ("br-int", &wanted[0].inner, None),
            ("br-int", &wanted[1].inner, None),
        ]);
        assert!(
            missing(&whole, "br-int", &wanted).is_empty() && surplus(&whole, "br-int", &wanted).is_empty()
        );
        assert_eq!(super::parents(&whole), parents);
        assert_eq!(surplus(&whole, "br-int", &wanted[..1]).len(), 2);
        let other = [Joint { vlan: 7, ..wanted[1].clone() }];
        assert_eq!(missing(&whole, "br-int", &other).len(), 1);
        // Whose machine is gone has no parent.
        let left = switch(&[("tbr-88888888-0", &wanted[0].outer, Some(0))]);
        assert!(super::parents(&left).is_empty());
        assert_eq!(surplus(&left, "br-int", &[]).len(), 1);
    }
}
