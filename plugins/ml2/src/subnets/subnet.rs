//! What rules about addresses need to know of a subnet.

use super::routes::Route;
use crate::net::{Cidr, Range, Version, bits};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Modes in which hosts make their addresses themselves.
const AUTOMATIC: [&str; 2] = ["slaac", "dhcpv6-stateless"];

/// A subnet's row, as far as rules need it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Subnet {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) name: String,
    pub(crate) network_id: String,
    #[serde(default)]
    pub(crate) project_id: Option<String>,
    pub(crate) cidr: Cidr,
    #[serde(default)]
    pub(crate) gateway_ip: Option<IpAddr>,
    #[serde(default)]
    pub(crate) allocation_pools: Vec<Pool>,
    #[serde(default)]
    pub(crate) ipv6_ra_mode: Option<String>,
    #[serde(default)]
    pub(crate) ipv6_address_mode: Option<String>,
    #[serde(default)]
    pub(crate) enable_dhcp: bool,
    #[serde(default)]
    pub(crate) service_types: Vec<String>,
    #[serde(default)]
    pub(crate) subnetpool_id: Option<String>,
    #[serde(default)]
    pub(crate) segment_id: Option<String>,
    #[serde(default)]
    pub(crate) host_routes: Vec<Route>,
}

/// One of `allocation_pools`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Pool {
    pub(crate) start: IpAddr,
    pub(crate) end: IpAddr,
}

impl Subnet {
    /// Whether hosts make their addresses themselves.
    /// In Neutron: `is_auto_address_subnet`.
    pub(crate) fn is_automatic(&self) -> bool {
        is_automatic(self.ipv6_ra_mode.as_deref(), self.ipv6_address_mode.as_deref())
    }

    /// The allocation pools as ranges.
    pub(crate) fn ranges(&self) -> Vec<Range> {
        self.allocation_pools
            .iter()
            .map(|pool| Range { first: bits(pool.start), last: bits(pool.end) })
            .collect()
    }

    /// The number by which its pool knows this address; none for an address
    /// that the pool does not hand out.
    pub(crate) fn pooled(&self, address: IpAddr) -> Option<u64> {
        let handed_out = self.ranges().iter().any(|range| range.contains(address));
        self.cidr.number(address).filter(|_| handed_out)
    }

    /// Whether a port of that owner may have this address: it is in the
    /// subnet, and neither the network's own nor the broadcast address.
    /// In Neutron: `check_subnet_ip`.
    pub(crate) fn accepts(&self, address: IpAddr, anycast: bool) -> bool {
        let number = bits(address);
        self.cidr.contains(address)
            && match self.cidr.version() {
                // netaddr knows no broadcast address of a /31 or /32, whose
                // first address is refused all the same.
                Version::V4 if self.cidr.prefix() > 30 => number != self.cidr.first(),
                Version::V4 => number != self.cidr.first() && number != self.cidr.last(),
                Version::V6 => anycast || number != self.cidr.first(),
            }
    }
}

/// See [`Subnet::is_automatic`].
pub(crate) fn is_automatic(ra_mode: Option<&str>, address_mode: Option<&str>) -> bool {
    [ra_mode, address_mode].into_iter().flatten().any(|mode| AUTOMATIC.contains(&mode))
}

/// Name of the host's pool that a subnet's addresses come from.
pub(crate) fn pool_name(subnet_id: &str) -> String {
    format!("ip-{subnet_id}")
}
