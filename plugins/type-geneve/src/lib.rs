//! Networks in tunnels of Geneve: numbers of 24 bits (RFC 8926) and headers of variable length, of which
//! the operator says how long they may be. In Neutron: `type_geneve`.

use hadron_type_common::{Tunnel, tunnel_driver};

const TUNNEL: Tunnel = Tunnel {
    network_type: "geneve",
    ranges_key: "vni_ranges",
    largest: 16_777_215,
    overhead: 30,
    overhead_key: Some("max_header_size"),
    group_key: None,
};

tunnel_driver!(Geneve, TUNNEL, "type-geneve", "networks in geneve tunnels");
