//! Addresses with the length of a prefix, host bits kept.

use super::{Cidr, bits};
use std::fmt;
use std::net::IpAddr;

/// An address and how much of it names its network: `10.0.0.5/24`.
/// In Neutron: `netaddr.IPNetwork`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prefix {
    address: IpAddr,
    network: Cidr,
}

impl Prefix {
    /// An address with a length, or alone: then all of it is the prefix.
    pub(crate) fn parse(text: &str) -> Option<Prefix> {
        let address = text.split_once('/').map_or(text, |(address, _)| address);
        Some(Prefix { address: address.trim().parse().ok()?, network: Cidr::parse(text)? })
    }

    /// Whether it has no host bits.
    pub(crate) fn is_network(&self) -> bool {
        bits(self.address) == self.network.first()
    }

    /// The network that the address is in.
    pub(crate) fn network(&self) -> Cidr {
        self.network
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.network.prefix())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn host_bits_are_kept_and_the_length_is_added() {
        for (given, shown, network) in [
            ("10.0.0.5/24", "10.0.0.5/24", "10.0.0.0/24"),
            ("10.0.0.5", "10.0.0.5/32", "10.0.0.5/32"),
            ("2001:DB8::5/64", "2001:db8::5/64", "2001:db8::/64"),
            ("::1", "::1/128", "::1/128"),
        ] {
            let prefix = Prefix::parse(given).unwrap();
            assert_eq!(
                (prefix.to_string().as_str(), prefix.network().to_string().as_str()),
                (shown, network)
            );
        }
        for nonsense in ["", "x", "10.0.0/24", "10.0.0.1/33", "/24", "10.0.0.1/"] {
            assert_eq!(Prefix::parse(nonsense), None, "{nonsense}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_can_be_read_again(address in any::<IpAddr>(), length in 0..=128_u8) {
            let longest = if address.is_ipv4() { 32 } else { 128 };
            let prefix = Prefix::parse(&format!("{address}/{}", length.min(longest))).unwrap();
            prop_assert_eq!(Prefix::parse(&prefix.to_string()), Some(prefix));
            prop_assert!(prefix.network().contains(address));
        }
    }
}
