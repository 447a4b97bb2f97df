//! Networks in tunnels of VXLAN: numbers of 24 bits (RFC 7348). In Neutron: `type_vxlan`.

use hadron_type_common::{Tunnel, tunnel_driver};

const TUNNEL: Tunnel = Tunnel {
    network_type: "vxlan",
    ranges_key: "vni_ranges",
    largest: 16_777_215,
    overhead: 30,
    overhead_key: None,
    group_key: Some("vxlan_group"),
};

tunnel_driver!(Vxlan, TUNNEL, "type-vxlan", "networks in vxlan tunnels");
