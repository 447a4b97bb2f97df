//! Networks in CIDR notation and the numbers of their addresses.

use super::Range;
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The first number that is not asked of a pool: one less than the contract
/// allows, so that the number after the last one still is a number there.
const POOL_LIMIT: u128 = (1 << 63) - 1;

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Version {
    V4,
    V6,
}

impl Version {
    /// Of an address.
    pub(crate) fn of(address: IpAddr) -> Version {
        if address.is_ipv4() { Version::V4 } else { Version::V6 }
    }

    /// As the API writes it.
    pub(crate) fn number(self) -> u8 {
        match self {
            Version::V4 => 4,
            Version::V6 => 6,
        }
    }

    /// The family that the API writes so.
    pub(crate) fn from_number(number: u8) -> Option<Version> {
        [Version::V4, Version::V6].into_iter().find(|version| version.number() == number)
    }

    /// Bits of an address.
    pub(crate) fn width(self) -> u8 {
        match self {
            Version::V4 => 32,
            Version::V6 => 128,
        }
    }

    /// The address with these bits; bits beyond the family's width are cut.
    pub(crate) fn address(self, bits: u128) -> IpAddr {
        match self {
            Version::V4 => IpAddr::V4(Ipv4Addr::from(bits as u32)),
            Version::V6 => IpAddr::V6(Ipv6Addr::from(bits)),
        }
    }
}

/// An address as a number.
pub(crate) fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// A network: its first address and the length of its prefix. Host bits are
/// always zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cidr {
    first: u128,
    prefix: u8,
    version: Version,
}

impl Cidr {
    /// The network that an address with a prefix length is in. Without a
    /// prefix it is the network of that address alone, as netaddr has it.
    pub(crate) fn parse(text: &str) -> Option<Cidr> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().ok()?;
        let version = Version::of(address);
        let prefix = prefix.map_or(Some(version.width()), |p| p.trim().parse().ok())?;
        if prefix > version.width() {
            return None;
        }
        Some(Cidr::of(version, bits(address), prefix))
    }

    /// The network of this family that begins with these bits and has a prefix
    /// of this length; host bits are cut off.
    pub(crate) fn of(version: Version, bits: u128, prefix: u8) -> Cidr {
        let prefix = prefix.min(version.width());
        Cidr { first: bits & !host_mask(version, prefix), prefix, version }
    }

    /// The network with a prefix of this length that an address is in.
    pub(crate) fn around(address: IpAddr, prefix: u8) -> Cidr {
        Cidr::of(Version::of(address), bits(address), prefix)
    }

    /// Length of the prefix, bits.
    pub(crate) fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Its family.
    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// First address: the network's own.
    pub(crate) fn first(&self) -> u128 {
        self.first
    }

    /// Last address: the broadcast address of an IPv4 network.
    pub(crate) fn last(&self) -> u128 {
        self.first | host_mask(self.version, self.prefix)
    }

    /// The address with these bits, of this family.
    pub(crate) fn address(&self, bits: u128) -> IpAddr {
        self.version.address(bits)
    }

    /// Whether the address lies in it.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        Version::of(address) == self.version && (self.first()..=self.last()).contains(&bits(address))
    }

    /// Whether an address lies in both.
    pub(crate) fn overlaps(&self, other: &Cidr) -> bool {
        self.version == other.version && self.first() <= other.last() && other.first() <= self.last()
    }

    /// The addresses that may be handed out. In Neutron: the bounds of
    /// `validate_allocation_pools` and `generate_pools`; point-to-point and
    /// single-address IPv4 networks (/31, /32) have no broadcast address.
    pub(crate) fn usable(&self) -> Range {
        match (self.version, self.first == self.last()) {
            (_, true) => Range { first: self.first, last: self.first },
            (Version::V4, _) if self.prefix <= 30 => Range { first: self.first + 1, last: self.last() - 1 },
            (Version::V4, _) => Range { first: self.first, last: self.last() },
            (Version::V6, _) => Range { first: self.first + 1, last: self.last() },
        }
    }

    /// The number of an address in the subnet's pool. IPv4 addresses are their
    /// own numbers; IPv6 addresses count from the network's, and those beyond
    /// the first 2^63 or so have none: they are never handed out unasked.
    pub(crate) fn number(&self, address: IpAddr) -> Option<u64> {
        if !self.contains(address) {
            return None;
        }
        let number = bits(address) - self.base();
        (number < POOL_LIMIT).then_some(number as u64)
    }

    /// The address with that number.
    pub(crate) fn numbered(&self, number: u64) -> IpAddr {
        self.address(self.base() + u128::from(number))
    }

    /// What a pool holds that hands out these ranges.
    pub(crate) fn numbers(&self, ranges: &[Range]) -> Vec<(u64, u64)> {
        ranges
            .iter()
            .filter_map(|range| {
                let first = range.first.checked_sub(self.base())?;
                let last = range.last.checked_sub(self.base())?.min(POOL_LIMIT - 1);
                (first <= last).then_some((first as u64, last as u64))
            })
            .collect()
    }

    fn base(&self) -> u128 {
        match self.version {
            Version::V4 => 0,
            Version::V6 => self.first,
        }
    }
}

fn host_mask(version: Version, prefix: u8) -> u128 {
    match u32::from(version.width().saturating_sub(prefix)) {
        128 => u128::MAX,
        host_bits => (1_u128 << host_bits) - 1,
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address(self.first), self.prefix)
    }
}

impl<'de> Deserialize<'de> for Cidr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Cidr, D::Error> {
        let text = String::deserialize(deserializer)?;
        Cidr::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("'{text}' is no CIDR")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cidr(text: &str) -> Cidr {
        Cidr::parse(text).unwrap()
    }

    fn any_cidr() -> impl Strategy<Value = Cidr> {
        prop_oneof![
            (any::<u32>(), 0..=32_u8).prop_map(|(a, p)| cidr(&format!("{}/{p}", Ipv4Addr::from(a)))),
            (any::<u128>(), 0..=128_u8).prop_map(|(a, p)| cidr(&format!("{}/{p}", Ipv6Addr::from(a)))),
        ]
    }

    #[test]
    fn host_bits_are_cut_off() {
        assert_eq!(cidr("10.12.0.5/24").to_string(), "10.12.0.0/24");
        assert_eq!(cidr("2001:db8:1::5/64").to_string(), "2001:db8:1::/64");
        assert_eq!(cidr("1.2.3.4/0").to_string(), "0.0.0.0/0");
        assert_eq!(cidr("::1/0").to_string(), "::/0");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["10.12.0.300/24", "10.0.0.0/33", "::/129", "x/8", "10.0.0.0/", "10.0.0.0/-1"] {
            assert_eq!(Cidr::parse(text), None, "{text}");
        }
    }

    #[test]
    fn usable_addresses_leave_out_network_and_broadcast() {
        let usable = |text: &str| cidr(text).usable().text(cidr(text).version());
        assert_eq!(usable("10.0.0.0/24"), "10.0.0.1-10.0.0.254");
        assert_eq!(usable("10.0.0.0/30"), "10.0.0.1-10.0.0.2");
        assert_eq!(usable("10.0.0.0/31"), "10.0.0.0-10.0.0.1");
        assert_eq!(usable("10.0.0.7/32"), "10.0.0.7-10.0.0.7");
        assert_eq!(usable("2001:db8::/64"), "2001:db8::1-2001:db8::ffff:ffff:ffff:ffff");
        assert_eq!(usable("2001:db8::/127"), "2001:db8::1-2001:db8::1");
        assert_eq!(usable("2001:db8::/128"), "2001:db8::-2001:db8::");
    }

    #[test]
    fn only_the_first_half_of_a_64_bit_network_is_numbered() {
        let net = cidr("2001:db8:1::/64");
        assert_eq!(net.number("2001:db8:1::5".parse().unwrap()), Some(5));
        assert_eq!(net.number("2001:db8:1:0:f816:3eff:fe86:e05d".parse().unwrap()), None);
        assert_eq!(net.numbers(&[net.usable()]), vec![(1, (1 << 63) - 2)]);
        assert_eq!(cidr("2001:db8::f000:0:0:0/80").number("2001:db8::f000:0:0:9".parse().unwrap()), Some(9));
    }

    proptest! {
        #[test]
        fn what_is_printed_can_be_read_again(net in any_cidr()) {
            prop_assert_eq!(cidr(&net.to_string()), net);
        }

        #[test]
        fn overlap_means_that_one_contains_the_other(a in any_cidr(), b in any_cidr()) {
            let nested = a.contains(b.address(b.first())) && a.version() == b.version()
                || b.contains(a.address(a.first())) && a.version() == b.version();
            prop_assert_eq!(a.overlaps(&b), nested);
            prop_assert_eq!(a.overlaps(&b), b.overlaps(&a));
        }

        #[test]
        fn a_number_leads_back_to_its_address(net in any_cidr(), offset in any::<u128>()) {
            let address = net.address(net.first() + offset % (net.last() - net.first()).max(1));
            if let Some(number) = net.number(address) {
                prop_assert_eq!(net.numbered(number), address);
                prop_assert!(u128::from(number) < POOL_LIMIT);
            }
        }

        #[test]
        fn usable_addresses_lie_inside(net in any_cidr()) {
            let usable = net.usable();
            prop_assert!(net.first() <= usable.first && usable.first <= usable.last && usable.last <= net.last());
        }
    }
}
