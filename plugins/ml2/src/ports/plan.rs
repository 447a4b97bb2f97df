//! Which addresses a port gets, decided without taking any.
//! In Neutron: `ipam_pluggable_backend`, `ipam_backend_mixin`.

use crate::errors;
use crate::net::{Mac, Version};
use crate::owners;
use crate::subnets::Subnet;
use hadron_sdk::{Error, Result};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// An address of a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct FixedIp {
    pub(crate) subnet_id: String,
    pub(crate) ip_address: IpAddr,
}

/// An address that a request asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    pub(crate) subnet_id: Option<String>,
    #[serde(default)]
    pub(crate) ip_address: Option<IpAddr>,
}

/// What has to be taken for a port. Subnets are places in the list of the
/// network's subnets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// This very address.
    Given(usize, IpAddr),
    /// Any address of the first of these subnets that has one.
    Any(Vec<usize>),
}

/// Why there is no plan.
#[derive(Debug)]
pub(crate) enum Refused {
    /// It cannot be.
    Because(Error),
    /// A subnet that is not one of the network's; whether it exists at all is
    /// for the caller to find out.
    ForeignSubnet(String),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Refused {
        Refused::Because(error)
    }
}

/// For whom addresses are chosen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recipient<'a> {
    /// Its `device_owner`.
    pub(crate) owner: &'a str,
    /// Its MAC address, from which automatic addresses are made.
    pub(crate) mac: Mac,
}

/// Addresses of a new port: those asked for, or one of each family where none
/// were; and one of every subnet whose hosts make their addresses themselves.
pub(crate) fn for_new(
    port: Recipient<'_>,
    wanted: Option<&[Wanted]>,
    subnets: &[Subnet],
) -> Result<Vec<Need>, Refused> {
    let mut needs = match wanted {
        Some(wanted) => asked_for(port, wanted, subnets)?,
        None => [Version::V4, Version::V6]
            .into_iter()
            .map(|version| {
                let fits = |subnet: &Subnet| subnet.cidr.version() == version && !subnet.is_automatic();
                places(subnets, fits)
            })
            .filter(|candidates| !candidates.is_empty())
            .map(Need::Any)
            .collect(),
    };
    let given = subnets_of_given(&needs, subnets);
    needs.extend(automatic(port, subnets, &given));
    Ok(needs)
}

/// What an update of a port's addresses does.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// Stay.
    pub(crate) keep: Vec<FixedIp>,
    /// Are given back.
    pub(crate) remove: Vec<FixedIp>,
    /// Are taken.
    pub(crate) add: Vec<Need>,
}

/// Addresses of a port that has some: those asked for that it has stay, one
/// asked for by subnet is satisfied by one it has there, automatic ones stay
/// unless the port's MAC address changes (`remade`), all others go.
pub(crate) fn for_update(
    port: Recipient<'_>,
    had: &[FixedIp],
    wanted: &[Wanted],
    remade: bool,
    subnets: &[Subnet],
) -> Result<Changes, Refused> {
    let of_subnet = |id: &str| subnets.iter().find(|subnet| subnet.id == id);
    let is_automatic = |ip: &FixedIp| of_subnet(&ip.subnet_id).is_some_and(Subnet::is_automatic);
    let made_from_mac = |ip: &FixedIp| remade && is_automatic(ip) && is_eui64(ip.ip_address);

    let mut left: Vec<FixedIp> = had.to_vec();
    let mut changes = Changes::default();
    let mut add: Vec<Wanted> = Vec::new();

    let (stale, fresh): (Vec<FixedIp>, Vec<FixedIp>) = left.into_iter().partition(made_from_mac);
    left = fresh;
    let is_stale = |wanted: &&Wanted| {
        !stale.iter().any(|ip| match wanted.ip_address {
            Some(address) => address == ip.ip_address,
            None => wanted.subnet_id.as_deref() == Some(ip.subnet_id.as_str()),
        })
    };
    let wanted: Vec<&Wanted> = wanted.iter().filter(is_stale).collect();

    for want in wanted.iter().filter(|want| want.ip_address.is_some()) {
        match left.iter().position(|ip| Some(ip.ip_address) == want.ip_address) {
            Some(place) => changes.keep.push(left.remove(place)),
            None => add.push((*want).clone()),
        }
    }
    for want in wanted.iter().filter(|want| want.ip_address.is_none()) {
        match left.iter().position(|ip| want.subnet_id.as_deref() == Some(ip.subnet_id.as_str())) {
            Some(place) => changes.keep.push(left.remove(place)),
            None => add.push((*want).clone()),
        }
    }
    for ip in left {
        let stays = is_automatic(&ip) && !owners::is_router_interface_or_snat(port.owner);
        if stays { changes.keep.push(ip) } else { changes.remove.push(ip) }
    }

    changes.add = asked_for(port, &add, subnets)?;
    let mut handled = subnets_of_given(&changes.add, subnets);
    handled.extend(changes.keep.iter().chain(&changes.remove).map(|ip| ip.subnet_id.clone()));
    changes.add.extend(automatic(port, subnets, &handled));
    changes.remove.extend(stale);
    Ok(changes)
}

/// The address that a port gets from a new subnet whose hosts make their
/// addresses themselves; none for a router's.
pub(crate) fn for_new_subnet(port: Recipient<'_>, subnet: &Subnet) -> Option<IpAddr> {
    (subnet.is_automatic() && !owners::is_router_interface_or_snat(port.owner))
        .then(|| port.mac.eui64(&subnet.cidr))
}

/// In Neutron: `_test_fixed_ips_for_port`.
fn asked_for(port: Recipient<'_>, wanted: &[Wanted], subnets: &[Subnet]) -> Result<Vec<Need>, Refused> {
    let mut given = Vec::new();
    let mut any = Vec::new();
    for (index, want) in wanted.iter().enumerate() {
        if let Some(address) = want.ip_address
            && wanted.iter().take(index).any(|earlier| earlier.ip_address == want.ip_address)
        {
            let reason = format!("Duplicate IP address '{address}'");
            return Err(errors::bad_attribute("fixed_ips", reason).into());
        }
        let (place, subnet) = subnet_for(port, want, subnets)?;
        match want.ip_address {
            Some(address) => {
                let router = owners::is_router_interface(port.owner);
                if subnet.is_automatic() && !router && port.mac.eui64(&subnet.cidr) != address {
                    return Err(errors::automatic_only(address, &subnet.id).into());
                }
                given.push(Need::Given(place, address));
            }
            // All subnets with automatic addresses are added later, also those
            // that were not asked for.
            None if subnet.is_automatic() && !owners::is_router_interface_or_snat(port.owner) => {}
            None => any.push(Need::Any(vec![place])),
        }
    }
    given.extend(any);
    Ok(given)
}

/// In Neutron: `_get_subnet_for_fixed_ip`.
fn subnet_for<'a>(
    port: Recipient<'_>,
    want: &Wanted,
    subnets: &'a [Subnet],
) -> Result<(usize, &'a Subnet), Refused> {
    if subnets.is_empty() {
        return Err(Error::invalid_input("IP allocation requires subnets for network").into());
    }
    let anycast = owners::may_have_anycast(port.owner);
    let mut numbered = subnets.iter().enumerate();
    match (&want.subnet_id, want.ip_address) {
        (Some(id), address) => {
            let found = numbered.find(|(_, subnet)| subnet.id == *id);
            let (place, subnet) = found.ok_or_else(|| Refused::ForeignSubnet(id.clone()))?;
            match address {
                Some(address) if !subnet.accepts(address, anycast) => {
                    Err(errors::not_in_subnet(address).into())
                }
                _ => Ok((place, subnet)),
            }
        }
        (None, Some(address)) => numbered
            .find(|(_, subnet)| subnet.accepts(address, anycast))
            .ok_or_else(|| errors::not_in_any_subnet(address).into()),
        (None, None) => Err(Error::invalid_input("IP allocation requires subnet_id or ip_address").into()),
    }
}

/// Subnets of which a given address is taken: a request that names an automatic
/// address itself gets it once.
fn subnets_of_given(needs: &[Need], subnets: &[Subnet]) -> Vec<String> {
    let place = |need: &Need| match need {
        Need::Given(place, _) => Some(*place),
        Need::Any(_) => None,
    };
    needs.iter().filter_map(place).filter_map(|place| subnets.get(place)).map(|s| s.id.clone()).collect()
}

/// In Neutron: `_get_auto_address_ips`.
fn automatic(port: Recipient<'_>, subnets: &[Subnet], except: &[String]) -> Vec<Need> {
    let mut needs = Vec::new();
    for (place, subnet) in subnets.iter().enumerate() {
        if let Some(address) = for_new_subnet(port, subnet)
            && !except.contains(&subnet.id)
        {
            needs.push(Need::Given(place, address));
        }
    }
    needs
}

fn places(subnets: &[Subnet], fits: impl Fn(&Subnet) -> bool) -> Vec<usize> {
    subnets.iter().enumerate().filter(|(_, subnet)| fits(subnet)).map(|(place, _)| place).collect()
}

/// Whether an address looks as if made from a MAC address.
/// In Neutron: `is_eui64_address`.
fn is_eui64(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => (u128::from(address) >> 24) & 0xffff == 0xfffe,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::{from_value, json};

    fn subnet(id: &str, cidr: &str, mode: Option<&str>) -> Subnet {
        from_value(json!({
            "id": id, "network_id": "N", "cidr": cidr, "ipv6_ra_mode": mode, "ipv6_address_mode": mode,
        }))
        .unwrap()
    }

    fn network() -> Vec<Subnet> {
        vec![
            subnet("v4", "10.0.0.0/24", None),
            subnet("slaac", "2001:db8:1::/64", Some("slaac")),
            subnet("v4b", "10.1.0.0/24", None),
            subnet("v6", "2001:db8:2::/64", Some("dhcpv6-stateful")),
        ]
    }

    fn port(owner: &str) -> Recipient<'_> {
        Recipient { owner, mac: Mac::parse("fa:16:3e:86:e0:5d").unwrap() }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn fixed(subnet: &str, address: &str) -> FixedIp {
        FixedIp { subnet_id: subnet.into(), ip_address: ip(address) }
    }

    fn by_subnet(id: &str) -> Wanted {
        Wanted { subnet_id: Some(id.into()), ip_address: None }
    }

    fn by_address(address: &str) -> Wanted {
        Wanted { subnet_id: None, ip_address: Some(ip(address)) }
    }

    const EUI: &str = "2001:db8:1:0:f816:3eff:fe86:e05d";

    fn refusal(wanted: Wanted) -> String {
        match for_new(port(""), Some(&[wanted]), &network()).unwrap_err() {
            Refused::Because(error) => format!("{}: {}", error.fault().kind, error.fault().message),
            Refused::ForeignSubnet(id) => format!("foreign {id}"),
        }
    }

    #[test]
    fn without_a_wish_a_port_gets_one_of_each_family_and_all_automatic_ones() {
        let needs = for_new(port(""), None, &network()).unwrap();
        assert_eq!(needs, [Need::Any(vec![0, 2]), Need::Any(vec![3]), Need::Given(1, ip(EUI))]);
        assert_eq!(for_new(port(""), None, &[]).unwrap(), []);
    }

    #[test]
    fn automatic_addresses_come_besides_those_asked_for() {
        let needs = for_new(port(""), Some(&[by_subnet("v4")]), &network()).unwrap();
        assert_eq!(needs, [Need::Any(vec![0]), Need::Given(1, ip(EUI))]);
        let needs = for_new(port(""), Some(&[by_subnet("slaac")]), &network()).unwrap();
        assert_eq!(needs, [Need::Given(1, ip(EUI))]);
        let needs = for_new(port(""), Some(&[]), &network()).unwrap();
        assert_eq!(needs, [Need::Given(1, ip(EUI))]);
        let needs =
            for_new(port("network:router_interface"), Some(&[by_subnet("slaac")]), &network()).unwrap();
        assert_eq!(needs, [Need::Any(vec![1])]);
    }

    #[test]
    fn given_addresses_go_before_chosen_ones() {
        let wanted = [by_subnet("v4"), by_address("10.0.0.9")];
        let needs = for_new(port(""), Some(&wanted), &network()[..1]).unwrap();
        assert_eq!(needs, [Need::Given(0, ip("10.0.0.9")), Need::Any(vec![0])]);
    }

    #[test]
    fn impossible_wishes_are_refused_with_neutrons_words() {
        assert_eq!(
            refusal(by_address("192.0.2.1")),
            "InvalidIpForNetwork: IP address 192.0.2.1 is not a valid IP for any of the subnets on the specified \
             network."
        );
        assert!(refusal(by_address("10.0.0.0")).starts_with("InvalidIpForNetwork"));
        assert!(refusal(by_address("10.0.0.255")).starts_with("InvalidIpForNetwork"));
        let mut wrong = by_address("10.0.0.9");
        wrong.subnet_id = Some("v6".into());
        assert!(refusal(wrong).starts_with("InvalidIpForSubnet"));
        assert_eq!(refusal(by_subnet("elsewhere")), "foreign elsewhere");
        assert!(refusal(Wanted::default()).contains("requires subnet_id or ip_address"));
        assert!(refusal(by_address("2001:db8:1::9")).starts_with("AllocationOnAutoAddressSubnet"));
        let twice = [by_address("10.0.0.9"), by_address("10.0.0.9")];
        assert!(for_new(port(""), Some(&twice), &network()).is_err());
        assert!(for_new(port(""), Some(&twice), &[]).is_err());
    }

    #[test]
    fn an_update_keeps_what_is_asked_for_again() {
        let had = [fixed("v4", "10.0.0.5"), fixed("slaac", EUI)];
        let same = for_update(port(""), &had, &[by_subnet("v4")], false, &network()).unwrap();
        assert_eq!(same.keep, had);
        assert_eq!((same.add, same.remove), (vec![], vec![]));

        let other = for_update(port(""), &had, &[by_address("10.0.0.7")], false, &network()).unwrap();
        assert_eq!(other.keep, [fixed("slaac", EUI)]);
        assert_eq!(other.remove, [fixed("v4", "10.0.0.5")]);
        assert_eq!(other.add, [Need::Given(0, ip("10.0.0.7"))]);

        let none = for_update(port(""), &had, &[], false, &network()).unwrap();
        assert_eq!(none.keep, [fixed("slaac", EUI)]);
        assert_eq!(none.remove, [fixed("v4", "10.0.0.5")]);
    }

    #[test]
    fn a_new_mac_address_remakes_automatic_addresses_only() {
        let had = [fixed("v4", "10.0.0.5"), fixed("slaac", "2001:db8:1:0:f816:3eff:fe00:1")];
        let wanted: Vec<Wanted> = had
            .iter()
            .map(|ip| Wanted { subnet_id: Some(ip.subnet_id.clone()), ip_address: Some(ip.ip_address) })
            .collect();
        let changes = for_update(port(""), &had, &wanted, true, &network()).unwrap();
        assert_eq!(changes.keep, [fixed("v4", "10.0.0.5")]);
        assert_eq!(changes.remove, [had[1].clone()]);
        assert_eq!(changes.add, [Need::Given(1, ip(EUI))]);
    }
}
