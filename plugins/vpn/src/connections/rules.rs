//! What can be joined to what: values in, values out. In Neutron:
//! `VpnReferenceValidator`.

use crate::endpoints::{self, Family};
use crate::errors;
use hadron_sdk::Result;
use hadron_sdk::serde_json::Value;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// What is done about a peer that does not answer (dead peer detection).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Dpd {
    pub(crate) action: String,
    /// Between two questions, in seconds.
    pub(crate) interval: u64,
    /// Until the peer counts as dead, in seconds.
    pub(crate) timeout: u64,
}

impl Default for Dpd {
    fn default() -> Dpd {
        Dpd { action: "hold".to_owned(), interval: 30, timeout: 120 }
    }
}

impl Dpd {
    /// With what a request says of it; what it does not say stays.
    pub(crate) fn with(mut self, said: Option<&Value>) -> Dpd {
        let said = |name: &str| said.and_then(|said| said.get(name));
        if let Some(action) = said("action").and_then(Value::as_str) {
            action.clone_into(&mut self.action);
        }
        self.interval = said("interval").and_then(Value::as_u64).unwrap_or(self.interval);
        self.timeout = said("timeout").and_then(Value::as_u64).unwrap_or(self.timeout);
        self
    }

    /// A peer is asked before it counts as dead.
    pub(crate) fn check(&self) -> Result<()> {
        match self.timeout <= self.interval {
            true => Err(errors::dpd_timeout()),
            false => Ok(()),
        }
    }
}

/// The two sides of a connection, as they are asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sides {
    pub(crate) peer_cidrs: Vec<String>,
    pub(crate) local_group: Option<String>,
    pub(crate) peer_group: Option<String>,
}

impl Sides {
    /// A service with a subnet has that on this side, and ranges on the other;
    /// one without has groups on both.
    pub(crate) fn check(&self, has_subnet: bool) -> Result<()> {
        let groups = [("local", &self.local_group), ("peer", &self.peer_group)];
        let which = |wanted: bool| {
            let which = groups.iter().filter(|(_, group)| group.is_some() == wanted);
            let which: Vec<&str> = which.map(|(side, _)| *side).collect();
            (which.join(" and "), if which.len() > 1 { "s" } else { "" })
        };
        match (has_subnet, self.peer_cidrs.is_empty()) {
            (true, true) => Err(errors::missing_peer_cidrs()),
            (false, false) => Err(errors::peer_cidrs_beside_groups()),
            _ => match (has_subnet, which(has_subnet)) {
                (_, (which, _)) if which.is_empty() => Ok(()),
                (true, (which, plural)) => Err(errors::groups_beside_subnet(&which, plural)),
                (false, (which, plural)) => Err(errors::missing_groups(&which, plural)),
            },
        }
    }
}

/// The family of the ranges at the other side.
pub(crate) fn peer_family(cidrs: &[String]) -> Result<Family> {
    let mut ranges: Vec<IpNet> = Vec::with_capacity(cidrs.len());
    for cidr in cidrs {
        ranges.push(cidr.parse().map_err(|_| errors::peer_cidr(cidr))?);
    }
    endpoints::family(ranges.iter()).ok_or_else(errors::mixed_peer_cidrs)
}

/// Both sides are of one family; which one.
pub(crate) fn one_family(local: Family, peer: Family) -> Result<Family> {
    if local == peer { Ok(local) } else { Err(errors::mixed_connection()) }
}

/// Packets are as large as those of the family may always be; 0 is nothing said.
pub(crate) fn check_mtu(mtu: u64, family: Family) -> Result<()> {
    match mtu != 0 && mtu < family.least_mtu() {
        true => Err(errors::mtu_too_small(mtu, family.number())),
        false => Ok(()),
    }
}

/// A peer is where its address says, in a family that the router leads out in.
/// Neutron looks names up; a plugin can ask nobody.
pub(crate) fn check_peer(peer: &str, router: &str, mut outside: impl Iterator<Item = IpAddr>) -> Result<()> {
    let address: IpAddr = peer.parse().map_err(|_| errors::peer_not_resolved(peer))?;
    let family = Family::of(address);
    match outside.any(|address| Family::of(address) == family) {
        true => Ok(()),
        false => Err(errors::no_subnet_outside(router, family)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::json;
    use proptest::prelude::*;

    fn kind<T: std::fmt::Debug>(result: Result<T>) -> String {
        result.map_or_else(|error| error.fault().kind.clone(), |_| String::new())
    }

    fn texts(list: &[&str]) -> Vec<String> {
        list.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_subnet_goes_with_ranges_and_groups_go_with_groups() {
        let said = |subnet: bool, cidrs: &[&str], local: bool, peer: bool| {
            let group = |is: bool| is.then(|| "g".to_owned());
            let sides =
                Sides { peer_cidrs: texts(cidrs), local_group: group(local), peer_group: group(peer) };
            let checked = sides.check(subnet);
            checked.map_err(|error| (error.fault().kind.clone(), error.fault().message.clone())).err()
        };
        let range: &[&str] = &["10.0.0.0/8"];
        assert_eq!(said(true, range, false, false), None);
        assert_eq!(said(false, &[], true, true), None);
        let missing = |which: &str| {
            let message = format!("Missing endpoint {which} for IPSec site-to-site connection");
            Some(("MissingRequiredEndpointGroup".to_owned(), message))
        };
        assert_eq!(said(false, &[], false, false), missing("groups local and peer"));
        assert_eq!(said(false, &[], true, false), missing("group peer"));
        assert_eq!(said(false, &[], false, true), missing("group local"));
        let beside = |which: &str| {
            let message =
                format!("Endpoint {which} cannot be specified, when VPN Service has subnet specified");
            Some(("InvalidEndpointGroup".to_owned(), message))
        };
        assert_eq!(said(true, range, true, true), beside("groups local and peer"));
        assert_eq!(said(true, range, true, false), beside("group local"));
        assert_eq!(said(true, &[], true, true).unwrap().0, "MissingPeerCidrs");
        assert_eq!(said(false, range, true, true).unwrap().0, "PeerCidrsInvalid");
    }

    #[test]
    fn both_sides_are_of_one_family() {
        assert_eq!(kind(peer_family(&texts(&["10.0.0.0/8", "x"]))), "HTTPBadRequest");
        assert_eq!(
            kind(peer_family(&texts(&["10.0.0.0/8", "2001:db8::/64"]))),
            "MixedIPVersionsForPeerCidrs"
        );
        assert_eq!(peer_family(&texts(&["2001:db8::/64"])).unwrap(), Family::V6);
        assert_eq!(kind(one_family(Family::V4, Family::V6)), "MixedIPVersionsForIPSecConnection");
        assert_eq!(one_family(Family::V6, Family::V6).unwrap(), Family::V6);
    }

    #[test]
    fn a_peer_is_where_the_router_leads() {
        let check = |peer: &str| {
            let outside = ["198.51.100.1", "198.51.100.2"].map(|text| text.parse().unwrap());
            kind(check_peer(peer, "r", outside.into_iter()))
        };
        assert_eq!(check("203.0.113.7"), "");
        assert_eq!(check("2001:db8::7"), "ExternalNetworkHasNoSubnet");
        for name in ["peer.example", "10.1", ""] {
            assert_eq!(check(name), "VPNPeerAddressNotResolved", "{name}");
        }
    }

    #[test]
    fn packets_are_as_large_as_their_family_asks() {
        for (family, least) in [(Family::V4, 68), (Family::V6, 1280)] {
            assert_eq!(kind(check_mtu(least - 1, family)), "IPsecSiteConnectionMtuError");
            assert_eq!(kind(check_mtu(least, family)), "");
            assert_eq!(kind(check_mtu(0, family)), "");
        }
    }

    proptest! {
        /// What is said in parts is what is said at once, and is right when the
        /// timeout is longer than the interval.
        #[test]
        fn dead_peers_can_be_spoken_of_in_parts(interval in 0_u64..200, timeout in 0_u64..200) {
            let (first, second) = (json!({ "interval": interval }), json!({ "timeout": timeout }));
            let apart = Dpd::default().with(Some(&first)).with(Some(&second));
            let both = json!({"interval": interval, "timeout": timeout});
            prop_assert_eq!(&apart, &Dpd::default().with(Some(&both)));
            prop_assert_eq!(&apart.action, "hold");
            prop_assert_eq!(apart.check().is_ok(), timeout > interval);
            prop_assert_eq!(&Dpd::default().with(Some(&json!(null))), &Dpd::default());
        }
    }
}
