//! Networks in tunnels of Geneve: numbers of 24 bits (RFC 8926) and headers of variable length, of which
//! the operator says how long they may be. In Neutron: `type_geneve`.

use hadron_sdk::{Context, Manifest, Result, Segment, TypeDriver};
use hadron_type_common::Tunnel;

const TUNNEL: Tunnel = Tunnel {
    network_type: "geneve",
    ranges_key: "vni_ranges",
    largest: 16_777_215,
    overhead: 30,
    overhead_key: Some("max_header_size"),
};

/// The driver.
pub struct Geneve;

impl TypeDriver for Geneve {
    fn manifest() -> Manifest {
        TUNNEL.manifest(hadron_sdk::manifest!("type-geneve", "networks in geneve tunnels"))
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

hadron_sdk::type_driver!(Geneve);
