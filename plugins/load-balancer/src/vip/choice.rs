//! Which subnet an address is of. In Octavia: `_validate_vip_request_object`.

use crate::errors;
use hadron_sdk::{Error, Result};
use ipnet::IpNet;
use serde::Deserialize;
use std::net::IpAddr;

/// A subnet, as far as addresses care.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Subnet {
    pub(crate) id: String,
    pub(crate) network_id: String,
    pub(crate) cidr: String,
    pub(crate) ip_version: u8,
}

impl Subnet {
    fn holds(&self, address: &str) -> bool {
        let holds = |(network, address): (IpNet, IpAddr)| network.contains(&address);
        self.cidr.parse().ok().zip(address.parse().ok()).is_some_and(holds)
    }
}

/// An address that a port has.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(crate) struct FixedIp {
    pub(crate) subnet_id: String,
    pub(crate) ip_address: String,
}

/// The subnet of a network that an address is of; without an address the first
/// one, of IPv4 if there is such.
pub(crate) fn of_network(subnets: &[Subnet], address: Option<&str>) -> Result<String> {
    let found = match address {
        Some(address) => subnets.iter().find(|subnet| subnet.holds(address)).ok_or_else(|| {
            errors::validation("Supplied network does not contain a subnet for VIP address specified.")
        }),
        None => subnets
            .iter()
            .find(|subnet| subnet.ip_version == 4)
            .or(subnets.first())
            .ok_or_else(|| errors::validation("Supplied network does not contain a subnet.")),
    };
    found.map(|subnet| subnet.id.clone())
}

/// The address of a port that is meant: that of this subnet, this one, or its only one.
pub(crate) fn of_port(
    fixed_ips: &[FixedIp],
    subnet: Option<&str>,
    address: Option<&str>,
) -> Result<FixedIp, Error> {
    let fits = |ip: &&FixedIp| {
        subnet.is_none_or(|subnet| ip.subnet_id == subnet)
            && address.is_none_or(|address| ip.ip_address == address)
    };
    match (fixed_ips, subnet, address) {
        ([only], None, None) => Ok(only.clone()),
        (_, None, None) => Err(errors::validation(
            "VIP port's subnet could not be determined. Please specify either a VIP subnet or address.",
        )),
        _ => {
            fixed_ips.iter().find(fits).cloned().ok_or_else(|| {
                errors::validation("Specified VIP address not found on the specified VIP port.")
            })
        }
    }
}

/// Further addresses are of subnets of the same network, one of each.
pub(crate) fn check_additional(first: Option<&str>, network: &str, others: &[Subnet]) -> Result<()> {
    let mut seen: Vec<&str> = first.into_iter().collect();
    for subnet in others {
        if seen.contains(&subnet.id.as_str()) {
            return Err(errors::validation(
                "Duplicate VIP subnet(s) specified. Only one IP can be bound per subnet.",
            ));
        }
        if subnet.network_id != network {
            return Err(errors::validation("All VIP subnets must belong to the same network."));
        }
        seen.push(&subnet.id);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(id: &str, cidr: &str) -> Subnet {
        let ip_version = if cidr.contains(':') { 6 } else { 4 };
        Subnet { id: id.to_owned(), network_id: "n".to_owned(), cidr: cidr.to_owned(), ip_version }
    }

    #[test]
    fn a_subnet_is_found_by_its_address_or_its_family() {
        let subnets = [subnet("six", "2001:db8::/64"), subnet("four", "10.0.0.0/24")];
        assert_eq!(of_network(&subnets, None).unwrap(), "four");
        assert_eq!(of_network(&subnets[..1], None).unwrap(), "six");
        assert_eq!(of_network(&subnets, Some("2001:db8::7")).unwrap(), "six");
        assert!(of_network(&subnets, Some("10.0.1.1")).is_err());
        assert!(of_network(&[], None).is_err());
    }

    #[test]
    fn the_address_of_a_port_is_the_one_that_is_meant() {
        let ip = |subnet: &str, address: &str| FixedIp {
            subnet_id: subnet.to_owned(),
            ip_address: address.to_owned(),
        };
        let two = [ip("a", "10.0.0.1"), ip("b", "10.1.0.1")];
        assert_eq!(of_port(&two[..1], None, None).unwrap(), two[0]);
        assert!(of_port(&two, None, None).is_err());
        assert_eq!(of_port(&two, Some("b"), None).unwrap(), two[1]);
        assert_eq!(of_port(&two, None, Some("10.1.0.1")).unwrap(), two[1]);
        assert!(of_port(&two, Some("a"), Some("10.1.0.1")).is_err());
    }

    #[test]
    fn further_addresses_are_of_other_subnets_of_the_network() {
        let other = Subnet { network_id: "m".to_owned(), ..subnet("c", "10.2.0.0/24") };
        assert!(check_additional(Some("a"), "n", &[subnet("b", "10.1.0.0/24")]).is_ok());
        assert!(check_additional(Some("a"), "n", &[subnet("a", "10.1.0.0/24")]).is_err());
        assert!(
            check_additional(None, "n", &[subnet("b", "10.1.0.0/24"), subnet("b", "10.1.0.0/24")]).is_err()
        );
        assert!(check_additional(Some("a"), "n", &[other]).is_err());
    }
}
