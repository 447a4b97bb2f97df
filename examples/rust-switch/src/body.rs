//! What the switch is told: the whole resource each time, so that a request
//! that was lost is made good by the next one.

use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::{Extra, Network, PortContext, Segment, Subnet};

/// A network.
pub(crate) fn network(network: &Network) -> Value {
    json!({
        "name": network.name,
        "enabled": network.admin_state_up,
        "mtu": network.mtu,
        "revision": revision(&network.more),
        "segments": network.segments.iter().map(segment).collect::<Vec<_>>(),
    })
}

/// A subnet.
pub(crate) fn subnet(subnet: &Subnet) -> Value {
    json!({
        "name": subnet.name,
        "network": subnet.network_id,
        "cidr": subnet.cidr,
        "gateway": subnet.gateway_ip,
        "revision": revision(&subnet.more),
    })
}

/// A port, with the segment it is bound to.
pub(crate) fn port(context: &PortContext) -> Value {
    let port = &context.current;
    json!({
        "name": port.name,
        "network": port.network_id,
        "enabled": port.admin_state_up,
        "mac": port.mac_address,
        "addresses": port.fixed_ips.iter().map(|ip| &ip.ip_address).collect::<Vec<_>>(),
        "host": port.binding.host,
        "segment": context.levels.last().map(|level| segment(&level.segment)),
        "revision": revision(&port.more),
    })
}

fn segment(segment: &Segment) -> Value {
    json!({
        "type": segment.network_type,
        "physical_network": segment.physical_network,
        "id": segment.segmentation_id,
    })
}

/// The resource's revision: goes up with each change.
fn revision(more: &[Extra]) -> Option<u64> {
    more.iter().find(|extra| extra.name == "revision_number").and_then(|extra| extra.value.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_networks_body_has_its_segments_and_revision() {
        let made = network(&Network {
            id: "N".into(),
            project_id: "P".into(),
            name: "blue".into(),
            admin_state_up: true,
            status: "ACTIVE".into(),
            mtu: 1450,
            shared: false,
            segments: vec![Segment {
                id: "S".into(),
                network_type: "vlan".into(),
                physical_network: Some("physnet1".into()),
                segmentation_id: Some(100),
            }],
            more: vec![Extra { name: "revision_number".into(), value: "3".into() }],
        });
        assert_eq!(made["segments"], json!([{"type": "vlan", "physical_network": "physnet1", "id": 100}]));
        assert_eq!(made["revision"], 3);
    }
}
