//! Networks in tunnels of GRE: keys of 32 bits (RFC 2890). In Neutron: `type_gre`.

use hadron_type_common::{Tunnel, tunnel_driver};

const TUNNEL: Tunnel = Tunnel {
    network_type: "gre",
    ranges_key: "tunnel_id_ranges",
    // The largest key of 32 bits is left out: ML2 passes it for numbers that
    // do not fit into 32 bits, so that they are refused.
    largest: u32::MAX - 1,
    overhead: 22,
    overhead_key: None,
    group_key: None,
};

tunnel_driver!(Gre, TUNNEL, "type-gre", "networks in gre tunnels");
