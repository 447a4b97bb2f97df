//! Networks in tunnels of VXLAN: numbers of 24 bits (RFC 7348). In Neutron: `type_vxlan`.

use hadron_sdk::{Context, Manifest, Result, Segment, TypeDriver};
use hadron_type_common::Tunnel;

const TUNNEL: Tunnel = Tunnel {
    network_type: "vxlan",
    ranges_key: "vni_ranges",
    largest: 16_777_215,
    overhead: 30,
    overhead_key: None,
};

/// The driver.
pub struct Vxlan;

impl TypeDriver for Vxlan {
    fn manifest() -> Manifest {
        TUNNEL.manifest(hadron_sdk::manifest!("type-vxlan", "networks in vxlan tunnels"))
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

hadron_sdk::type_driver!(Vxlan);
