//! Networks in tunnels of GRE: keys of 32 bits (RFC 2890). In Neutron: `type_gre`.

use hadron_sdk::{Context, Manifest, Result, Segment, TypeDriver};
use hadron_type_common::Tunnel;

const TUNNEL: Tunnel = Tunnel {
    network_type: "gre",
    ranges_key: "tunnel_id_ranges",
    // The largest key of 32 bits is left out: ML2 passes it for numbers that
    // do not fit into 32 bits, so that they are refused.
    largest: u32::MAX - 1,
    overhead: 22,
    overhead_key: None,
};

/// The driver.
pub struct Gre;

impl TypeDriver for Gre {
    fn manifest() -> Manifest {
        TUNNEL.manifest(hadron_sdk::manifest!("type-gre", "networks in gre tunnels"))
    }
    fn start(_: &Context) -> Result<()> {
        TUNNEL.start()
    }
    fn reserve(_: &Context, wanted: Segment) -> Result<Segment> {
        TUNNEL.reserve(wanted)
    }
    fn allocate(_: &Context) -> Result<Option<Segment>> {
        TUNNEL.allocate()
    }
    fn release(_: &Context, segment: Segment) -> Result<()> {
        TUNNEL.release(&segment)
    }
    fn mtu(_: &Context, _: Segment) -> Result<u32> {
        TUNNEL.mtu()
    }
}

hadron_sdk::type_driver!(Gre);
