//! Endpoints: what a group of them is, and which family its addresses are of. In
//! Neutron: `validate_endpoint_group`.

use crate::errors;
use hadron_sdk::Result;
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

/// Endpoints that are ranges of addresses: a peer's.
pub(crate) const CIDR: &str = "cidr";
/// Endpoints that are subnets: our own.
pub(crate) const SUBNET: &str = "subnet";

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    /// Of an address.
    pub(crate) fn of(address: IpAddr) -> Family {
        if address.is_ipv4() { Family::V4 } else { Family::V6 }
    }

    /// As the API writes it.
    pub(crate) fn number(self) -> u8 {
        match self {
            Family::V4 => 4,
            Family::V6 => 6,
        }
    }

    /// Fewest bytes that a link must carry at once.
    pub(crate) fn least_mtu(self) -> u64 {
        match self {
            Family::V4 => 68,
            Family::V6 => 1280,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IPv{}", self.number())
    }
}

/// The family of some ranges; none where they are of several.
pub(crate) fn family<'a>(mut ranges: impl Iterator<Item = &'a IpNet>) -> Option<Family> {
    let first = Family::of(ranges.next()?.addr());
    ranges.all(|range| Family::of(range.addr()) == first).then_some(first)
}

fn is_uuid(text: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let mut parts = text.split('-');
    let fits = |length: &usize| {
        parts.next().is_some_and(|part| part.len() == *length && part.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    lengths.iter().all(fits) && parts.next().is_none()
}

/// Endpoints are what their group's type says, each once. Of other types than
/// these two nothing is known.
pub(crate) fn check(kind: &str, endpoints: &[String]) -> Result<()> {
    let mut seen = BTreeSet::new();
    for endpoint in endpoints {
        let wrong = match kind {
            CIDR if endpoint.parse::<IpNet>().is_err() => "Invalid CIDR",
            SUBNET if !is_uuid(endpoint) => "Invalid UUID",
            _ if !seen.insert(endpoint) => "Given twice",
            _ => continue,
        };
        return Err(errors::invalid_endpoint(endpoint, kind, wrong));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "d664b16c-df31-4f53-89fd-9bdf81382bcc";

    #[test]
    fn endpoints_are_what_their_type_says() {
        let wrong = |kind: &str, endpoints: &[&str]| {
            let endpoints: Vec<String> = endpoints.iter().map(|text| (*text).to_owned()).collect();
            check(kind, &endpoints).map_err(|error| error.fault().message.clone())
        };
        assert_eq!(wrong(CIDR, &["10.0.0.0/24", "2001:db8::/64"]), Ok(()));
        assert_eq!(wrong(SUBNET, &[ID]), Ok(()));
        assert_eq!(wrong("vlan", &["7", "8"]), Ok(()));
        for (kind, endpoint, why) in [
            (CIDR, "10.0.0.0", "Invalid CIDR"),
            (CIDR, "10.0.0.0/33", "Invalid CIDR"),
            (CIDR, " 10.0.0.0/24", "Invalid CIDR"),
            (SUBNET, "x", "Invalid UUID"),
            (SUBNET, "10.0.0.0/24", "Invalid UUID"),
        ] {
            let message = format!("Endpoint '{endpoint}' is invalid for group type '{kind}': {why}");
            assert_eq!(wrong(kind, &[endpoint]), Err(message));
        }
        assert!(wrong(SUBNET, &[ID, ID]).unwrap_err().ends_with("Given twice"));
    }

    fn ranges() -> impl Strategy<Value = Vec<IpNet>> {
        let range =
            prop_oneof![any::<[u8; 4]>().prop_map(IpAddr::from), any::<[u8; 16]>().prop_map(IpAddr::from)];
        prop::collection::vec(range.prop_map(IpNet::from), 0..6)
    }

    proptest! {
        #[test]
        fn ranges_have_a_family_when_it_is_the_same_for_all(ranges in ranges()) {
            let v4 = ranges.iter().filter(|range| matches!(range, IpNet::V4(_))).count();
            let expected = match (v4, ranges.len()) {
                (_, 0) => None,
                (0, _) => Some(Family::V6),
                (v4, all) => (v4 == all).then_some(Family::V4),
            };
            prop_assert_eq!(family(ranges.iter()), expected);
        }
    }
}
