//! What a request about a subnet must fulfil, before anything is read.
//! In Neutron: `_validate_subnet` and what it calls.

use super::origin::{DELEGATED, Pool};
use super::subnet::is_automatic;
use crate::document::{flag, set, text, typed};
use crate::errors;
use crate::net::{Cidr, Version, bits};
use hadron_sdk::{Document, Error, Result};
use serde::Deserialize;
use std::net::IpAddr;

/// Most name servers of a subnet. In Neutron: `max_dns_nameservers`.
const MAX_NAMESERVERS: usize = 5;

/// Most host routes of a subnet. In Neutron: `max_subnet_host_routes`.
const MAX_HOST_ROUTES: usize = 20;

/// How an error names a subnet that does not exist yet.
const NEW: &str = "new subnet";

/// One of `host_routes`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct HostRoute {
    destination: String,
    nexthop: String,
}

/// What a request says about a new subnet's network.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) version: Version,
    /// The network itself.
    pub(super) cidr: Option<Cidr>,
    /// Or the pool that it is from,
    pub(super) pool: Pool,
    /// the length of its prefix,
    pub(super) prefix: Option<u8>,
    /// and the gateway, which says which one it is.
    pub(super) gateway: Option<IpAddr>,
}

/// Checks a request to create a subnet.
pub(super) fn check_create(body: &Document) -> Result<Asked> {
    if set(body, "cidr").is_some() && set(body, "prefixlen").is_some() {
        return Err(errors::bad_subnets("cidr and prefixlen must not be supplied together"));
    }
    let pool = pool_asked(body)?;
    let version = typed::<u8>(body, "ip_version")?;
    let asked = Asked {
        version: Version::from_number(version).unwrap_or(Version::V4),
        cidr: None,
        pool,
        prefix: set(body, "prefixlen")
            .and_then(|length| length.as_u64())
            .map(|length| u8::try_from(length).unwrap_or(u8::MAX)),
        gateway: set(body, "gateway_ip")
            .map(|_| address("gateway_ip", text(body, "gateway_ip")))
            .transpose()?,
    };
    if set(body, "cidr").is_some() {
        return Ok(Asked { cidr: Some(check_given(body, version)?), ..asked });
    }
    if set(body, "allocation_pools").is_some() {
        return Err(errors::bad_subnets("allocation_pools allowed only for specific subnet requests."));
    }
    if asked.pool == Pool::Given(DELEGATED.to_owned()) {
        check_delegated(body, version)?;
    }
    if let Some(gateway) = asked.gateway {
        check_version(Version::of(gateway), version, "gateway_ip", &gateway.to_string())?;
    }
    check_lists(body, version, NEW)?;
    check_modes(body, version, None)?;
    Ok(asked)
}

/// The pool that a request names. In Neutron: `_get_subnetpool_id`.
fn pool_asked(body: &Document) -> Result<Pool> {
    let id = text(body, "subnetpool_id");
    let uuid = id.len() <= 36
        && id.replace('-', "").len() == 32
        && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    match (id, flag(body, "use_default_subnetpool")) {
        ("", _) if set(body, "subnetpool_id").is_some() => {
            Err(errors::bad_attribute("subnetpool_id", "'' is not a valid UUID"))
        }
        ("", true) => Ok(Pool::Default),
        ("", false) if set(body, "cidr").is_none() => {
            Err(errors::bad_subnets("a subnetpool must be specified in the absence of a cidr"))
        }
        ("", false) => Ok(Pool::None),
        (_, true) => {
            Err(errors::bad_subnets("subnetpool_id and use_default_subnetpool cannot both be specified"))
        }
        (id, _) if uuid || id == DELEGATED => Ok(Pool::Given(id.to_owned())),
        (id, _) => Err(errors::bad_attribute("subnetpool_id", format!("'{id}' is not a valid UUID"))),
    }
}

/// In Neutron: `_validate_subnet_for_pd`.
fn check_delegated(body: &Document, version: u8) -> Result<()> {
    if version != 6 {
        return Err(errors::bad_subnets("Prefix Delegation can only be used with IPv6 subnets."));
    }
    for (name, says) in [("ipv6_ra_mode", "RA Mode"), ("ipv6_address_mode", "Address Mode")] {
        if !is_automatic(Some(text(body, name)), None) {
            return Err(errors::bad_subnets(format!(
                "IPv6 {says} must be SLAAC or Stateless for Prefix Delegation."
            )));
        }
    }
    Ok(())
}

/// Checks what a subnet from a pool can have only with the network it got.
pub(super) fn check_taken(body: &Document, cidr: &Cidr, gateway: Option<IpAddr>) -> Result<()> {
    check_modes(body, cidr.version().number(), Some(cidr))?;
    let nobodys = |number: u128| number == cidr.first() || number == cidr.last();
    match gateway {
        Some(gateway) if cidr.version() == Version::V4 && cidr.prefix() < 32 && nobodys(bits(gateway)) => {
            Err(Error::conflict(
                "IpamValueInvalid",
                format!("Gateway IP {gateway} cannot be the network or broadcast IP address {cidr}"),
            ))
        }
        _ => Ok(()),
    }
}

/// Checks the network that a request gives, and answers it.
fn check_given(body: &Document, version: u8) -> Result<Cidr> {
    let given = text(body, "cidr");
    let Some(cidr) = Cidr::parse(given) else {
        return Err(Error::invalid_input(format!("{given} is not in a CIDR format")));
    };
    check_version(cidr.version(), version, "cidr", &cidr.to_string())?;
    if cidr.version() == Version::V6 && cidr.first() == 0 {
        return Err(Error::invalid_input("IPv6 subnet '::' is not supported"));
    }
    if flag(body, "enable_dhcp") {
        check_dhcp(&cidr)?;
    }
    check_gateway(body, &cidr)?;
    check_lists(body, version, NEW)?;
    check_modes(body, version, Some(&cidr))?;
    Ok(cidr)
}

/// Checks a request to change a subnet with this network, of which DHCP was
/// enabled or not, and which has IPv6 modes or not.
pub(crate) fn check_update(
    changes: &Document,
    id: &str,
    cidr: &Cidr,
    had_dhcp: bool,
    has_modes: bool,
) -> Result<()> {
    if flag(changes, "enable_dhcp") && !had_dhcp {
        check_dhcp(cidr)?;
    }
    check_gateway(changes, cidr)?;
    check_lists(changes, cidr.version().number(), id)?;
    let disables = set(changes, "enable_dhcp").is_some() && !flag(changes, "enable_dhcp");
    if disables && has_modes {
        return Err(Error::invalid_input("Cannot disable enable_dhcp with ipv6 attributes set"));
    }
    Ok(())
}

/// Refuses a network of the smallest size, and one that another of the same
/// network overlaps. In Neutron: `_validate_subnet_cidr`.
pub(crate) fn check_overlap(cidr: &Cidr, network: &str, others: &[Cidr]) -> Result<()> {
    if cidr.prefix() == 0 {
        return Err(Error::invalid_input("0 is not allowed as CIDR prefix length"));
    }
    if others.iter().any(|other| other.overlaps(cidr)) {
        return Err(Error::invalid_input(format!(
            "Requested subnet with cidr: {cidr} for network: {network} overlaps with another subnet"
        )));
    }
    Ok(())
}

/// Least MTUs by which hosts can speak IP at all.
const MIN_MTU: [(u8, u32); 2] = [(4, 68), (6, 1280)];

/// Refuses a subnet on a network whose frames are too short for it.
/// In Neutron: `_validate_subnet_network_mtu`.
pub(crate) fn check_mtu(network: &str, mtu: u32, version: u8) -> Result<()> {
    if mtu == 0 {
        return Ok(());
    }
    let least = MIN_MTU.iter().find(|(family, least)| (*family == 4 || *family == version) && mtu < *least);
    least.map_or(Ok(()), |(_, least)| Err(errors::mtu_conflict(network, *least)))
}

fn check_version(found: Version, asked: u8, name: &str, value: &str) -> Result<()> {
    if found.number() == asked {
        return Ok(());
    }
    Err(Error::invalid_input(format!("{name} '{value}' does not match the ip_version '{asked}'")))
}

fn check_dhcp(cidr: &Cidr) -> Result<()> {
    let (v4, first) = (cidr.version() == Version::V4, cidr.address(cidr.first()));
    let problem = if cidr.prefix() > if v4 { 30 } else { 126 } {
        "Subnet has a prefix length that is incompatible with DHCP service enabled"
    } else if first.is_multicast() {
        "Multicast IP subnet is not supported if enable_dhcp is True"
    } else if first.is_loopback() {
        "Loopback IP subnet is not supported if enable_dhcp is True"
    } else if v4 && cidr.first() == 0 {
        "First IP '0.0.0.0' of network is not supported if enable_dhcp is True."
    } else {
        return Ok(());
    };
    Err(Error::invalid_input(problem))
}

/// A gateway may lie outside of the subnet; inside it must be no address that
/// nobody can have.
fn check_gateway(request: &Document, cidr: &Cidr) -> Result<()> {
    let Some(given) = set(request, "gateway_ip").and_then(|value| value.as_str()) else { return Ok(()) };
    let gateway = address("gateway_ip", given)?;
    check_version(Version::of(gateway), cidr.version().number(), "gateway_ip", given)?;
    let number = bits(gateway);
    if cidr.version() == Version::V4 && (number == cidr.first() || number == cidr.last()) {
        return Err(Error::invalid_input("Gateway is not valid on subnet"));
    }
    Ok(())
}

fn check_lists(request: &Document, version: u8, id: &str) -> Result<()> {
    let servers = typed::<Vec<String>>(request, "dns_nameservers")?;
    for (index, server) in servers.iter().enumerate() {
        if server.parse::<IpAddr>().is_err() {
            let reason =
                format!("'{server}' is not a valid nameserver. '{server}' is not a valid IP address");
            return Err(errors::bad_attribute("dns_nameservers", reason));
        }
        if servers.iter().take(index).any(|earlier| earlier == server) {
            return Err(errors::bad_attribute("dns_nameservers", format!("Duplicate nameserver '{server}'")));
        }
    }
    if servers.len() > MAX_NAMESERVERS {
        return Err(errors::too_many_nameservers(id, MAX_NAMESERVERS));
    }
    for server in &servers {
        let found = Version::of(address("dns_nameservers", server)?);
        check_version(found, version, "dns_nameserver", server)?;
    }

    let routes = typed::<Vec<HostRoute>>(request, "host_routes")?;
    for (index, route) in routes.iter().enumerate() {
        if routes.iter().take(index).any(|earlier| earlier == route) {
            let route = format!("{{'destination': '{}', 'nexthop': '{}'}}", route.destination, route.nexthop);
            return Err(errors::bad_attribute("host_routes", format!("Duplicate hostroute '{route}'")));
        }
    }
    if routes.len() > MAX_HOST_ROUTES {
        return Err(errors::too_many_routes(id, MAX_HOST_ROUTES));
    }
    for route in &routes {
        let nexthop = Version::of(address("host_routes", &route.nexthop)?);
        check_version(nexthop, version, "nexthop", &route.nexthop)?;
        let Some(destination) = Cidr::parse(&route.destination) else {
            let reason = format!("'{}' is not a valid CIDR", route.destination);
            return Err(errors::bad_attribute("host_routes", reason));
        };
        check_version(destination.version(), version, "destination", &route.destination)?;
    }
    Ok(())
}

fn address(attribute: &str, given: &str) -> Result<IpAddr> {
    let wrong = |_| errors::bad_attribute(attribute, format!("'{given}' is not a valid IP address"));
    given.parse().map_err(wrong)
}

/// In Neutron: `_validate_ipv6_attributes`.
fn check_modes(body: &Document, version: u8, cidr: Option<&Cidr>) -> Result<()> {
    let mode = |name| Some(text(body, name)).filter(|mode| !mode.is_empty());
    let (ra_mode, address_mode) = (mode("ipv6_ra_mode"), mode("ipv6_address_mode"));
    if version == 4 {
        for (name, mode) in [("ipv6_ra_mode", ra_mode), ("ipv6_address_mode", address_mode)] {
            if mode.is_some() {
                return Err(Error::invalid_input(format!("{name} is not valid when ip_version is 4")));
            }
        }
        return Ok(());
    }
    if (ra_mode.is_some() || address_mode.is_some()) && !flag(body, "enable_dhcp") {
        return Err(Error::invalid_input(
            "ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False",
        ));
    }
    if let (Some(ra), Some(address)) = (ra_mode, address_mode)
        && ra != address
    {
        return Err(Error::invalid_input(format!(
            "ipv6_ra_mode set to '{ra}' with ipv6_address_mode set to '{address}' is not valid. If both \
             attributes are set, they must be the same value"
        )));
    }
    if let Some(cidr) = cidr
        && is_automatic(ra_mode, address_mode)
        && cidr.prefix() != 64
    {
        return Err(Error::invalid_input(format!(
            "Invalid CIDR {cidr} for IPv6 address mode. OpenStack uses the EUI-64 address format, which \
             requires the prefix to be /64"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::{Value, json};

    fn body(more: Value) -> Document {
        let mut body = json!({"network_id": "n", "ip_version": 4, "enable_dhcp": true});
        let (Value::Object(body), Value::Object(more)) = (&mut body, more) else { unreachable!() };
        body.extend(more);
        body.clone()
    }

    fn refused(more: Value) -> String {
        check_create(&body(more)).unwrap_err().fault().message.clone()
    }

    fn accepted(more: Value) -> String {
        check_create(&body(more)).unwrap().cidr.unwrap().to_string()
    }

    #[test]
    fn a_network_address_is_required_and_normalised() {
        assert_eq!(accepted(json!({"cidr": "10.12.0.5/24"})), "10.12.0.0/24");
        assert_eq!(
            refused(json!({})),
            "Bad subnets request: a subnetpool must be specified in the absence of a cidr."
        );
        assert_eq!(
            refused(json!({"cidr": "10.0.0.0/8", "prefixlen": 26})),
            "Bad subnets request: cidr and prefixlen must not be supplied together."
        );
    }

    #[test]
    fn families_must_agree() {
        assert_eq!(
            refused(json!({"ip_version": 6, "cidr": "10.12.0.0/24"})),
            "Invalid input for operation: cidr '10.12.0.0/24' does not match the ip_version '6'."
        );
        assert_eq!(
            refused(json!({"cidr": "10.0.0.0/24", "gateway_ip": "fd00::1"})),
            "Invalid input for operation: gateway_ip 'fd00::1' does not match the ip_version '4'."
        );
        assert_eq!(
            refused(json!({"cidr": "10.0.0.0/24", "dns_nameservers": ["fd00::1"]})),
            "Invalid input for operation: dns_nameserver 'fd00::1' does not match the ip_version '4'."
        );
        let route = json!([{"destination": "fd00::/64", "nexthop": "10.0.0.9"}]);
        assert!(refused(json!({"cidr": "10.0.0.0/24", "host_routes": route})).contains("destination"));
    }

    #[test]
    fn dhcp_needs_room_and_a_sensible_network() {
        let too_long = "Subnet has a prefix length that is incompatible with DHCP service enabled";
        assert!(refused(json!({"cidr": "10.0.0.0/31"})).contains(too_long));
        assert!(refused(json!({"cidr": "fd00::/127", "ip_version": 6})).contains(too_long));
        assert_eq!(accepted(json!({"cidr": "10.0.0.0/31", "enable_dhcp": false})), "10.0.0.0/31");
        assert!(refused(json!({"cidr": "224.0.0.0/16"})).contains("Multicast"));
        assert!(refused(json!({"cidr": "127.0.0.0/16"})).contains("Loopback"));
        assert!(refused(json!({"cidr": "0.0.0.0/16"})).contains("First IP '0.0.0.0'"));
        assert!(refused(json!({"cidr": "::/64", "ip_version": 6})).contains("IPv6 subnet '::'"));
    }

    #[test]
    fn a_gateway_is_an_address_somebody_can_have() {
        for gateway in ["10.0.0.0", "10.0.0.255"] {
            assert!(
                refused(json!({"cidr": "10.0.0.0/24", "gateway_ip": gateway}))
                    .contains("Gateway is not valid")
            );
        }
        accepted(json!({"cidr": "10.0.0.0/24", "gateway_ip": "192.0.2.1"}));
        accepted(json!({"cidr": "10.0.0.0/24", "gateway_ip": null}));
    }

    #[test]
    fn ipv6_modes_must_fit_each_other_and_the_prefix() {
        let v6 = |ra: Value, address: Value, cidr: &str| {
            body(json!({"ip_version": 6, "cidr": cidr, "ipv6_ra_mode": ra, "ipv6_address_mode": address}))
        };
        let message = |body: &Document| check_create(body).unwrap_err().fault().message.clone();
        check_create(&v6(json!("slaac"), json!("slaac"), "fd00::/64")).unwrap();
        check_create(&v6(json!(null), json!("dhcpv6-stateful"), "fd00::/80")).unwrap();
        assert!(message(&v6(json!("slaac"), json!("dhcpv6-stateful"), "fd00::/64")).contains("same value"));
        assert!(
            message(&v6(json!("slaac"), json!(null), "fd00::/80")).contains("requires the prefix to be /64")
        );
        let mut off = v6(json!("slaac"), json!(null), "fd00::/64");
        off.insert("enable_dhcp".into(), json!(false));
        assert!(message(&off).contains("cannot be set when"));
        assert!(refused(json!({"cidr": "10.0.0.0/24", "ipv6_ra_mode": "slaac"})).contains("ip_version is 4"));
    }

    #[test]
    fn lists_are_limited_and_without_repetition() {
        let servers: Vec<String> = (1..=6).map(|i| format!("10.0.0.{i}")).collect();
        assert_eq!(
            refused(json!({"cidr": "10.0.0.0/24", "dns_nameservers": servers})),
            "Unable to complete operation for new subnet. The number of DNS nameservers exceeds the limit 5."
        );
        assert!(
            refused(json!({"cidr": "10.0.0.0/24", "dns_nameservers": ["1.1.1.1", "1.1.1.1"]}))
                .contains("Duplicate nameserver")
        );
        accepted(json!({"cidr": "10.0.0.0/24", "dns_nameservers": null}));
    }

    #[test]
    fn overlapping_subnets_are_refused() {
        let net = |text: &str| Cidr::parse(text).unwrap();
        let error = check_overlap(&net("10.10.0.0/25"), "N", &[net("10.10.0.0/24")]).unwrap_err();
        assert_eq!(
            error.fault().message,
            "Invalid input for operation: Requested subnet with cidr: 10.10.0.0/25 for network: N overlaps with \
             another subnet."
        );
        check_overlap(&net("10.11.0.0/25"), "N", &[net("10.10.0.0/24"), net("fd00::/8")]).unwrap();
        assert!(check_overlap(&net("0.0.0.0/0"), "N", &[]).is_err());
    }

    #[test]
    fn short_frames_are_refused_by_family() {
        assert!(check_mtu("N", 60, 4).is_err());
        assert!(check_mtu("N", 100, 4).is_ok());
        assert!(check_mtu("N", 1000, 6).is_err());
        assert!(check_mtu("N", 1280, 6).is_ok());
    }
}
