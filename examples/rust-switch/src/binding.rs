//! Binding: a port on one of the switch's hosts is plugged in by the switch,
//! into the first of its network's segments that a switch can carry.

use hadron_sdk::{BindingAnswer, BindingRequest, Bound, PortContext, Segment};

/// Plugged in by something that is not on the host, as Neutron's drivers of bare
/// metal switches say it.
const VIF_TYPE: &str = "other";

/// Network types a switch tells apart by a number on the wire.
const CARRIED: [&str; 2] = ["vlan", "vxlan"];

/// The answer to a binding request. `hosts` empty: all hosts.
pub(crate) fn answer(request: &BindingRequest, hosts: &[String]) -> BindingAnswer {
    let ours = hosts.is_empty() || hosts.contains(&request.port.current.binding.host);
    match request.segments.iter().find(|segment| is_carried(segment)) {
        Some(segment) if ours => BindingAnswer::Bound(Bound {
            segment_id: segment.id.clone(),
            vif_type: VIF_TYPE.to_owned(),
            vif_details: "{}".to_owned(),
            status: "ACTIVE".to_owned(),
        }),
        _ => BindingAnswer::Decline,
    }
}

fn is_carried(segment: &Segment) -> bool {
    CARRIED.contains(&segment.network_type.as_str()) && segment.segmentation_id.is_some()
}

/// The status to report of ports the switch has: that of a port that is
/// switched off is `DOWN`. None where nothing changes, where a port is somebody
/// else's, or where the ports of one call would need different ones.
pub(crate) fn status(ports: &[PortContext]) -> Option<&'static str> {
    let of =
        |port: &PortContext| match (port.current.binding.vif_type == VIF_TYPE, port.current.admin_state_up) {
            (false, _) => None,
            (true, true) => Some("ACTIVE"),
            (true, false) => Some("DOWN"),
        };
    let status = of(ports.first()?)?;
    let agree = ports.iter().all(|port| of(port) == Some(status));
    let new = ports.iter().any(|port| port.current.status != status);
    (agree && new).then_some(status)
}
