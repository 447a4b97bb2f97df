//! MAC addresses and the IPv6 addresses made from them.

use super::Cidr;
use std::fmt;
use std::net::IpAddr;

/// A MAC address; written in lower case with colons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Mac([u8; 6]);

impl Mac {
    /// Six groups of hexadecimal digits with colons or hyphens between.
    pub(crate) fn parse(text: &str) -> Option<Mac> {
        let mut octets = [0; 6];
        let mut groups = text.split([':', '-']);
        for octet in &mut octets {
            *octet = u8::from_str_radix(groups.next()?, 16).ok()?;
        }
        groups.next().is_none().then_some(Mac(octets))
    }

    /// An address with the first three octets of `base`, its fourth where that
    /// is not zero, and the rest from `random`. In Neutron: `base_mac`,
    /// `net.get_random_mac`.
    pub(crate) fn random(base: Mac, random: u64) -> Mac {
        let [_, _, _, a, b, c, ..] = random.to_be_bytes();
        let Mac([x, y, z, fourth, ..]) = base;
        Mac([x, y, z, if fourth == 0 { a } else { fourth }, b, c])
    }

    /// Whether it is that of a group of receivers.
    pub(crate) fn is_multicast(self) -> bool {
        let Mac([first, ..]) = self;
        first & 1 == 1
    }

    /// The address that a host makes for itself by SLAAC in a /64 network
    /// (RFC 4291, modified EUI-64).
    pub(crate) fn eui64(self, network: &Cidr) -> IpAddr {
        let Mac([a, b, c, d, e, f]) = self;
        let interface = u64::from_be_bytes([a ^ 0x02, b, c, 0xff, 0xfe, d, e, f]);
        network.address(network.first() | u128::from(interface))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mac([a, b, c, d, e, f]) = self;
        write!(out, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn eui64_is_what_neutron_answered() {
        let net = Cidr::parse("2001:db8:1::/64").unwrap();
        let mac = Mac::parse("fa:16:3e:86:e0:5d").unwrap();
        assert_eq!(mac.eui64(&net).to_string(), "2001:db8:1:0:f816:3eff:fe86:e05d");
    }

    #[test]
    fn the_base_gives_three_octets_or_four() {
        let base = |text| Mac::parse(text).unwrap();
        assert_eq!(
            Mac::random(base("fa:16:3e:00:00:00"), 0x0102_0304_0506_0708).to_string(),
            "fa:16:3e:04:05:06"
        );
        assert_eq!(
            Mac::random(base("fa:16:3e:4f:00:00"), 0x0102_0304_0506_0708).to_string(),
            "fa:16:3e:4f:05:06"
        );
    }

    proptest! {
        #[test]
        fn text_leads_back(octets in any::<[u8; 6]>()) {
            prop_assert_eq!(Mac::parse(&Mac(octets).to_string()), Some(Mac(octets)));
        }

        #[test]
        fn different_macs_have_different_addresses(a in any::<[u8; 6]>(), b in any::<[u8; 6]>()) {
            let net = Cidr::parse("fd00::/64").unwrap();
            prop_assert_eq!(a == b, Mac(a).eui64(&net) == Mac(b).eui64(&net));
            prop_assert!(net.contains(Mac(a).eui64(&net)));
        }
    }
}
