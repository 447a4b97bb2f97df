//! Counting addresses. IPv6 networks have more than 64 bits of them.

use crate::net::{Cidr, Version};
use crate::subnets::Subnet;
use serde::Serialize;
use std::net::IpAddr;

/// The numbers of a subnet.
#[derive(Debug, Serialize)]
pub(crate) struct OfSubnet {
    subnet_id: String,
    ip_version: u8,
    cidr: String,
    subnet_name: String,
    #[serde(flatten)]
    numbers: Numbers,
}

/// The numbers of a network: the sums of its subnets'.
#[derive(Debug, Serialize)]
pub(crate) struct OfNetwork {
    subnet_ip_availability: Vec<OfSubnet>,
    #[serde(flatten)]
    numbers: Numbers,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
struct Numbers {
    used_ips: u128,
    total_ips: u128,
    ip_availability_details: Details,
}

/// In Neutron: `IpAvailabilityDetailsDbMixin`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
struct Details {
    total_ips_in_subnet: u128,
    total_ips_in_allocation_pool: u128,
    used_ips_in_subnet: u128,
    used_ips_in_allocation_pool: u128,
}

impl OfSubnet {
    /// Of a subnet of which ports have these addresses.
    pub(super) fn count(subnet: &Subnet, used: &[IpAddr]) -> OfSubnet {
        OfSubnet {
            subnet_id: subnet.id.clone(),
            ip_version: subnet.cidr.version().number(),
            cidr: subnet.cidr.to_string(),
            subnet_name: subnet.name.clone(),
            numbers: Numbers::count(subnet, used),
        }
    }
}

impl OfNetwork {
    /// Of a network with these subnets.
    pub(super) fn of(subnets: Vec<OfSubnet>) -> OfNetwork {
        let numbers = subnets.iter().fold(Numbers::default(), |sum, subnet| sum.and(&subnet.numbers));
        OfNetwork { subnet_ip_availability: subnets, numbers }
    }
}

impl Numbers {
    fn count(subnet: &Subnet, used: &[IpAddr]) -> Numbers {
        let pools = subnet.ranges();
        let pooled = pools.iter().fold(0, |sum: u128, pool| sum.saturating_add(size(pool.first, pool.last)));
        let in_pools = |address: &&IpAddr| pools.iter().any(|pool| pool.contains(**address));
        let whole = size(subnet.cidr.first(), subnet.cidr.last());
        Numbers {
            used_ips: used.len() as u128,
            // All of a subnet that hands nothing out.
            total_ips: if pools.is_empty() { whole } else { pooled },
            ip_availability_details: Details {
                total_ips_in_subnet: hosts(&subnet.cidr),
                total_ips_in_allocation_pool: pooled,
                used_ips_in_subnet: used.len() as u128,
                used_ips_in_allocation_pool: used.iter().filter(in_pools).count() as u128,
            },
        }
    }

    fn and(self, other: &Numbers) -> Numbers {
        let (own, theirs) = (self.ip_availability_details, other.ip_availability_details);
        let add = u128::saturating_add;
        Numbers {
            used_ips: add(self.used_ips, other.used_ips),
            total_ips: add(self.total_ips, other.total_ips),
            ip_availability_details: Details {
                total_ips_in_subnet: add(own.total_ips_in_subnet, theirs.total_ips_in_subnet),
                total_ips_in_allocation_pool: add(
                    own.total_ips_in_allocation_pool,
                    theirs.total_ips_in_allocation_pool,
                ),
                used_ips_in_subnet: add(own.used_ips_in_subnet, theirs.used_ips_in_subnet),
                used_ips_in_allocation_pool: add(
                    own.used_ips_in_allocation_pool,
                    theirs.used_ips_in_allocation_pool,
                ),
            },
        }
    }
}

fn size(first: u128, last: u128) -> u128 {
    (last - first).saturating_add(1)
}

/// Addresses without an IPv4 network's own and its broadcast address; Neutron
/// takes them off whatever is left, so that of a single address it says -1.
fn hosts(cidr: &Cidr) -> u128 {
    let whole = size(cidr.first(), cidr.last());
    match cidr.version() {
        Version::V4 => whole.saturating_sub(2),
        Version::V6 => whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subnets::Pool;
    use hadron_sdk::serde_json::{from_value, json, to_string};
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::net::Ipv4Addr;

    fn subnet(cidr: &str, pools: &[(&str, &str)]) -> Subnet {
        let pools: Vec<Pool> = pools
            .iter()
            .map(|(start, end)| Pool { start: start.parse().unwrap(), end: end.parse().unwrap() })
            .collect();
        from_value(json!({"id": "S", "network_id": "N", "cidr": cidr, "allocation_pools": pools})).unwrap()
    }

    fn numbers(subnet: &Subnet, used: &[&str]) -> (u128, u128, Details) {
        let used: Vec<IpAddr> = used.iter().map(|address| address.parse().unwrap()).collect();
        let counted = Numbers::count(subnet, &used);
        (counted.used_ips, counted.total_ips, counted.ip_availability_details)
    }

    #[test]
    fn numbers_are_those_that_neutron_answered() {
        let four = subnet("10.10.0.0/24", &[("10.10.0.2", "10.10.0.254")]);
        let details = Details {
            total_ips_in_subnet: 254,
            total_ips_in_allocation_pool: 253,
            used_ips_in_subnet: 2,
            used_ips_in_allocation_pool: 1,
        };
        assert_eq!(numbers(&four, &["10.10.0.1", "10.10.0.2"]), (2, 253, details));
        let six = subnet("2001:db8:1::/64", &[("2001:db8:1::1", "2001:db8:1:0:ffff:ffff:ffff:ffff")]);
        let (_, total, details) = numbers(&six, &["2001:db8:1:0:f816:3eff:fe00:1"]);
        assert_eq!(total, 18_446_744_073_709_551_615);
        assert_eq!(
            (details.total_ips_in_subnet, details.used_ips_in_allocation_pool),
            (18_446_744_073_709_551_616, 1)
        );
        let both = OfNetwork::of(vec![OfSubnet::count(&four, &[]), OfSubnet::count(&six, &[])]);
        let text = to_string(&both).unwrap();
        assert!(text.contains("\"total_ips\":18446744073709551868,"), "{text}");
        assert!(text.contains("\"total_ips_in_subnet\":18446744073709551870,"), "{text}");
    }

    #[test]
    fn a_subnet_that_hands_nothing_out_is_counted_whole() {
        let (used, total, details) = numbers(&subnet("10.0.0.0/29", &[]), &["10.0.0.3"]);
        assert_eq!((used, total), (1, 8));
        let pooled = (details.total_ips_in_allocation_pool, details.used_ips_in_allocation_pool);
        assert_eq!((details.total_ips_in_subnet, pooled), (6, (0, 0)));
        assert_eq!(numbers(&subnet("10.0.0.1/32", &[]), &[]).2.total_ips_in_subnet, 0);
        assert_eq!(OfNetwork::of(Vec::new()).numbers, Numbers::default());
    }

    proptest! {
        #[test]
        fn what_is_counted_is_what_is_there(
            prefix in 24..=30_u8,
            bounds in proptest::collection::btree_set(1_u32..63, 0..6),
            used in proptest::collection::btree_set(0_u32..256, 0..20),
        ) {
            let base = u32::from(Ipv4Addr::new(10, 3, 0, 0));
            let last = (1_u32 << (32 - prefix)) - 1;
            let ends: Vec<u32> = bounds.into_iter().filter(|end| *end < last).collect();
            let pools: Vec<(u32, u32)> = ends.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
            let address = |number: u32| Ipv4Addr::from(base + number).to_string();
            let shown: Vec<(String, String)> =
                pools.iter().map(|(first, last)| (address(*first), address(*last))).collect();
            let shown: Vec<(&str, &str)> = shown.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
            let subnet = subnet(&format!("10.3.0.0/{prefix}"), &shown);
            let used: BTreeSet<u32> = used.into_iter().filter(|number| *number <= last).collect();
            let addresses: Vec<IpAddr> =
                used.iter().map(|number| Ipv4Addr::from(base + number).into()).collect();

            let counted = Numbers::count(&subnet, &addresses);
            let details = counted.ip_availability_details;
            let pooled = |number: &u32| pools.iter().any(|(first, last)| (*first..=*last).contains(number));
            let all = (0..=last).filter(pooled).count() as u128;
            prop_assert_eq!(details.total_ips_in_allocation_pool, all);
            prop_assert_eq!(details.used_ips_in_allocation_pool, used.iter().filter(|n| pooled(n)).count() as u128);
            prop_assert_eq!(details.total_ips_in_subnet, u128::from(last) - 1);
            prop_assert_eq!((counted.used_ips, details.used_ips_in_subnet), (used.len() as u128, used.len() as u128));
            let total = if pools.is_empty() { u128::from(last) + 1 } else { all };
            prop_assert_eq!(counted.total_ips, total);
        }
    }
}
