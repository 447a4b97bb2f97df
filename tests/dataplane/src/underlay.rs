//! What joins two hosts: a network that tunnels go over, and a physical network
//! with VLANs.

use crate::{Host, run};
use std::net::Ipv4Addr;
use std::process::Command;

/// Leaves room for what tunnels put around frames of 1500 bytes.
const UNDERLAY_MTU: &str = "1600";

/// The bridge of the physical network that tests call `physnet1`.
pub const PHYSICAL_BRIDGE: &str = "br-eth1";

/// Joins two hosts by two cables. Each has the tunnel address of its place; the
/// second cable is the physical network, in [`PHYSICAL_BRIDGE`] on both.
pub fn join(hosts: [&Host; 2]) {
    for cable in ["phy0", "eth1"] {
        let [one, other] = hosts.map(|host| host.namespace.as_str());
        run(Command::new("ip")
            .args(["link", "add", cable, "netns", one, "type", "veth"])
            .args(["peer", "name", cable, "netns", other]));
    }
    for (place, host) in hosts.into_iter().enumerate() {
        for cable in ["phy0", "eth1"] {
            // A switch in user space computes no checksums that are left to hardware.
            run(&mut host.inside(&["ethtool", "-K", cable, "tx", "off"]));
            run(&mut host.inside(&["ip", "link", "set", cable, "mtu", UNDERLAY_MTU, "up"]));
        }
        // Tunnels of a switch in user space end at a bridge's own port.
        for (bridge, cable) in [("br-phy", "phy0"), (PHYSICAL_BRIDGE, "eth1")] {
            host.vsctl(&["add-br", bridge, "--", "set", "bridge", bridge, "datapath_type=netdev"]);
            host.vsctl(&["add-port", bridge, cable]);
        }
        host.address(tunnel_ip(place));
    }
}

/// Where tunnels of the first host end, and of the second.
pub fn tunnel_ip(place: usize) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, u8::try_from(place).unwrap_or(u8::MAX).saturating_add(1))
}

impl Host {
    /// Gives the host its tunnels' address, as its own network configuration would:
    /// at first, and when its switch was started again.
    pub fn address(&self, ip: Ipv4Addr) {
        let ip = format!("{ip}/24");
        run(&mut self.inside(&["ip", "addr", "replace", &ip, "dev", "br-phy"]));
        run(&mut self.inside(&["ip", "link", "set", "br-phy", "mtu", UNDERLAY_MTU, "up"]));
    }
}
