//! Allocation pools: which addresses of a subnet are handed out.

use super::subnet::Pool;
use crate::errors;
use crate::net::{Cidr, Range, Version, bits};
use hadron_sdk::Result;
use std::net::IpAddr;

/// The gateway of a subnet for which none was asked: the first address after
/// the network's, for IPv6 the network's own. In Neutron: `_gateway_ip_str`.
pub(crate) fn default_gateway(cidr: &Cidr) -> IpAddr {
    match cidr.version() {
        Version::V4 => cidr.address(cidr.first() + 1),
        Version::V6 => cidr.address(cidr.first()),
    }
}

/// The gateway of a subnet whose network was chosen from a pool, for which
/// Neutron takes the first address after the network's in both families.
/// In Neutron: `_allocate_any_subnet`.
pub(crate) fn first_host(cidr: &Cidr) -> IpAddr {
    cidr.address(cidr.first() + 1)
}

/// All usable addresses but the gateway. In Neutron: `generate_pools`.
pub(crate) fn default_pools(cidr: &Cidr, gateway: Option<IpAddr>) -> Vec<Range> {
    let usable = cidr.usable();
    match gateway {
        Some(gateway) if usable.first != usable.last || cidr.first() != cidr.last() => {
            usable.without(bits(gateway))
        }
        _ => vec![usable],
    }
}

/// The pools that were asked for, checked: each in order, of the right family,
/// inside the subnet, none overlapping another, none with the gateway in it.
/// In Neutron: `pools_to_ip_range`, `validate_allocation_pools`,
/// `validate_gw_out_of_pools`.
pub(crate) fn checked_pools(pools: &[Pool], cidr: &Cidr, gateway: Option<IpAddr>) -> Result<Vec<Range>> {
    let mut ranges: Vec<Range> = Vec::with_capacity(pools.len());
    for pool in pools {
        let (first, last) = (bits(pool.start), bits(pool.end));
        if Version::of(pool.start) != Version::of(pool.end) || first > last {
            let as_given = format!("{{'start': '{}', 'end': '{}'}}", pool.start, pool.end);
            return Err(errors::invalid_pool(as_given));
        }
        ranges.push(Range { first, last });
    }
    let bounds = match cidr.version() {
        Version::V4 => cidr.usable(),
        Version::V6 => Range { first: cidr.first() + 1, last: cidr.last() },
    };
    for (pool, range) in pools.iter().zip(&ranges) {
        let version = Version::of(pool.start);
        if version != cidr.version() {
            return Err(errors::invalid_pool(range.text(version)));
        }
        if range.first < bounds.first || range.last > bounds.last {
            return Err(errors::pool_out_of_bounds(range.text(version), cidr));
        }
    }
    let version = cidr.version();
    for (index, one) in ranges.iter().enumerate() {
        if let Some(other) = ranges.iter().skip(index + 1).find(|other| one.overlaps(other)) {
            return Err(errors::pools_overlap(one.text(version), other.text(version), cidr));
        }
    }
    check_gateway(gateway, &ranges, version)?;
    Ok(ranges)
}

/// Refuses a gateway that would be handed out.
pub(crate) fn check_gateway(gateway: Option<IpAddr>, ranges: &[Range], version: Version) -> Result<()> {
    let Some(gateway) = gateway else { return Ok(()) };
    match ranges.iter().find(|range| Version::of(gateway) == version && range.contains(gateway)) {
        Some(range) => Err(errors::gateway_in_pool(gateway, range.text(version))),
        None => Ok(()),
    }
}

/// Ranges as the API shows them.
pub(crate) fn shown(ranges: &[Range], version: Version) -> Vec<Pool> {
    ranges
        .iter()
        .map(|range| Pool { start: version.address(range.first), end: version.address(range.last) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cidr(text: &str) -> Cidr {
        Cidr::parse(text).unwrap()
    }

    fn pool(start: &str, end: &str) -> Pool {
        Pool { start: start.parse().unwrap(), end: end.parse().unwrap() }
    }

    fn defaults(text: &str) -> (String, Vec<String>) {
        let net = cidr(text);
        let gateway = default_gateway(&net);
        let pools = default_pools(&net, Some(gateway));
        (gateway.to_string(), pools.iter().map(|range| range.text(net.version())).collect())
    }

    #[test]
    fn defaults_are_those_that_neutron_answered() {
        assert_eq!(defaults("10.10.0.0/24"), ("10.10.0.1".into(), vec!["10.10.0.2-10.10.0.254".into()]));
        assert_eq!(
            defaults("2001:db8:1::/64"),
            ("2001:db8:1::".into(), vec!["2001:db8:1::1-2001:db8:1:0:ffff:ffff:ffff:ffff".into()])
        );
        assert_eq!(defaults("10.200.0.0/26").1, ["10.200.0.2-10.200.0.62"]);
        assert_eq!(defaults("10.0.0.0/30").1, ["10.0.0.2-10.0.0.2"]);
        assert_eq!(defaults("10.0.0.0/31").1, ["10.0.0.0-10.0.0.0"]);
        assert_eq!(defaults("10.0.0.7/32").1, ["10.0.0.7-10.0.0.7"]);
        assert_eq!(defaults("fd00::/127").1, ["fd00::1-fd00::1"]);
        assert_eq!(defaults("fd00::9/128").1, ["fd00::9-fd00::9"]);
    }

    #[test]
    fn a_gateway_in_the_middle_splits_the_default_pool() {
        let pools = default_pools(&cidr("10.0.0.0/24"), Some("10.0.0.9".parse().unwrap()));
        let texts: Vec<String> = pools.iter().map(|range| range.text(Version::V4)).collect();
        assert_eq!(texts, ["10.0.0.1-10.0.0.8", "10.0.0.10-10.0.0.254"]);
        assert_eq!(default_pools(&cidr("10.0.0.0/24"), None).len(), 1);
    }

    #[test]
    fn bad_pools_are_refused_with_neutrons_words() {
        let message = |pools: &[Pool], gateway: Option<&str>| {
            let gateway = gateway.map(|text| text.parse().unwrap());
            let error = checked_pools(pools, &cidr("10.0.0.0/24"), gateway).unwrap_err();
            format!("{}: {}", error.fault().kind, error.fault().message)
        };
        assert_eq!(
            message(&[pool("10.0.0.9", "10.0.0.2")], None),
            "InvalidAllocationPool: The allocation pool {'start': '10.0.0.9', 'end': '10.0.0.2'} is not valid."
        );
        assert_eq!(
            message(&[pool("10.0.0.9", "10.0.1.2")], None),
            "OutOfBoundsAllocationPool: The allocation pool 10.0.0.9-10.0.1.2 spans beyond the subnet cidr \
             10.0.0.0/24."
        );
        assert_eq!(
            message(&[pool("10.0.0.2", "10.0.0.9"), pool("10.0.0.9", "10.0.0.20")], None),
            "OverlappingAllocationPools: Found overlapping allocation pools: 10.0.0.2-10.0.0.9 \
             10.0.0.9-10.0.0.20 for subnet 10.0.0.0/24."
        );
        assert_eq!(
            message(&[pool("10.0.0.1", "10.0.0.9")], Some("10.0.0.1")),
            "GatewayConflictWithAllocationPools: Gateway ip 10.0.0.1 conflicts with allocation pool \
             10.0.0.1-10.0.0.9."
        );
        assert!(message(&[pool("fd00::1", "fd00::2")], None).starts_with("InvalidAllocationPool"));
        assert!(message(&[pool("10.0.0.255", "10.0.0.255")], None).starts_with("OutOfBounds"));
        assert!(message(&[pool("10.0.0.0", "10.0.0.5")], None).starts_with("OutOfBounds"));
    }

    proptest! {
        #[test]
        fn default_pools_hold_every_usable_address_but_the_gateway(net in any::<u32>(), prefix in 22..=32_u8) {
            let net = cidr(&format!("{}/{prefix}", std::net::Ipv4Addr::from(net & 0x7fff_ffff)));
            let gateway = default_gateway(&net);
            let pools = default_pools(&net, Some(gateway));
            for number in net.first()..=net.last() {
                let usable = (net.usable().first..=net.usable().last).contains(&number);
                let pooled = pools.iter().any(|range| range.contains(net.address(number)));
                let single = prefix == 32;
                prop_assert_eq!(pooled, usable && (single || number != bits(gateway)));
            }
        }

        #[test]
        fn what_is_shown_is_accepted_again(net in any::<u32>(), prefix in 8..=30_u8) {
            let net = cidr(&format!("{}/{prefix}", std::net::Ipv4Addr::from(net)));
            let gateway = default_gateway(&net);
            let pools = default_pools(&net, Some(gateway));
            let again = checked_pools(&shown(&pools, net.version()), &net, Some(gateway));
            prop_assert_eq!(again.unwrap(), pools);
        }
    }
}
