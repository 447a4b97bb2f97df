//! Neutron's words (`neutron_lib.exceptions`: `vpn`, `l3`, `flavors`, `agent`).

use hadron_sdk::Error;
use std::fmt::Display;

fn bad(kind: &str, message: impl Into<String>) -> Error {
    Error::invalid(kind, message)
}

pub(crate) fn service_not_found(id: &str) -> Error {
    Error::not_found("VPNServiceNotFound", format!("VPNService {id} could not be found"))
}

pub(crate) fn group_not_found(id: &str) -> Error {
    Error::not_found("VPNEndpointGroupNotFound", format!("Endpoint group {id} could not be found"))
}

pub(crate) fn router_not_found(id: &str) -> Error {
    Error::not_found("RouterNotFound", format!("Router {id} could not be found"))
}

pub(crate) fn group_in_use(id: &str) -> Error {
    bad("EndpointGroupInUse", format!("Endpoint group {id} is in use and cannot be deleted"))
}

pub(crate) fn state_invalid(id: &str, state: &str) -> Error {
    bad("VPNStateInvalidToUpdate", format!("Invalid state {state} of vpnaas resource {id} for updating"))
}

pub(crate) fn not_external(router: &str) -> Error {
    bad("RouterIsNotExternal", format!("Router {router} has no external network gateway set"))
}

pub(crate) fn not_connected(subnet: &str, router: &str) -> Error {
    bad("SubnetIsNotConnectedToRouter", format!("Subnet {subnet} is not connected to Router {router}"))
}

pub(crate) fn no_subnet_outside(router: &str, family: impl Display) -> Error {
    bad("ExternalNetworkHasNoSubnet", format!("Router's {router} external network has no {family} subnet"))
}

pub(crate) fn peer_not_resolved(peer: &str) -> Error {
    bad("VPNPeerAddressNotResolved", format!("Peer address {peer} cannot be resolved"))
}

pub(crate) fn unsupported(resource: &str, key: &str, value: &str) -> Error {
    bad(
        "IpsecValidationFailure",
        format!("IPSec does not support {resource} attribute {key} with value '{value}'"),
    )
}

pub(crate) fn dpd_timeout() -> Error {
    bad(
        "IPsecSiteConnectionDpdIntervalValueError",
        "ipsec_site_connection dpd_timeout is equal to or less than dpd_interval",
    )
}

pub(crate) fn mtu_too_small(mtu: u64, version: u8) -> Error {
    bad(
        "IPsecSiteConnectionMtuError",
        format!("ipsec_site_connection MTU {mtu} is too small for ipv{version}"),
    )
}

/// As Neutron's API says it, so that `IPsecSiteConnectionPeerCidrError`, which its
/// plugin would say, is never heard.
pub(crate) fn peer_cidr(cidr: &str) -> Error {
    let reason = format!("'{cidr}' is not a valid IP subnet");
    bad("HTTPBadRequest", format!("Invalid input for peer_cidrs. Reason: {reason}."))
}

pub(crate) fn missing_peer_cidrs() -> Error {
    bad("MissingPeerCidrs", "Missing peer CIDRs for IPsec site-to-site connection")
}

pub(crate) fn peer_cidrs_beside_groups() -> Error {
    bad("PeerCidrsInvalid", "Peer CIDRs cannot be specified, when using endpoint groups")
}

/// `which`: `local`, `peer`, or `local and peer`.
pub(crate) fn groups_beside_subnet(which: &str, plural: &str) -> Error {
    bad(
        "InvalidEndpointGroup",
        format!("Endpoint group{plural} {which} cannot be specified, when VPN Service has subnet specified"),
    )
}

/// `which`: `local`, `peer`, or `local and peer`.
pub(crate) fn missing_groups(which: &str, plural: &str) -> Error {
    bad(
        "MissingRequiredEndpointGroup",
        format!("Missing endpoint group{plural} {which} for IPSec site-to-site connection"),
    )
}

pub(crate) fn wrong_group_type(group: &str, kind: &str, expected: &str) -> Error {
    bad(
        "WrongEndpointGroupType",
        format!("Endpoint group {group} type is '{kind}' and should be '{expected}'"),
    )
}

pub(crate) fn mixed_endpoints(group: &str) -> Error {
    bad(
        "MixedIPVersionsForIPSecEndpoints",
        format!(
            "Endpoints in group {group} do not have the same IP version, as required for IPSec site-to-site \
             connection"
        ),
    )
}

pub(crate) fn mixed_peer_cidrs() -> Error {
    bad(
        "MixedIPVersionsForPeerCidrs",
        "Peer CIDRs do not have the same IP version, as required for IPSec site-to-site connection",
    )
}

pub(crate) fn mixed_connection() -> Error {
    bad(
        "MixedIPVersionsForIPSecConnection",
        "IP versions are not compatible between peer and local endpoints",
    )
}

pub(crate) fn no_endpoints(group: &str) -> Error {
    bad("MissingEndpointForEndpointGroup", format!("No endpoints specified for endpoint group '{group}'"))
}

pub(crate) fn invalid_endpoint(endpoint: &str, kind: &str, why: &str) -> Error {
    bad(
        "InvalidEndpointInEndpointGroup",
        format!("Endpoint '{endpoint}' is invalid for group type '{kind}': {why}"),
    )
}

pub(crate) fn no_such_subnet(subnet: &str) -> Error {
    bad("NonExistingSubnetInEndpointGroup", format!("Subnet {subnet} in endpoint group does not exist"))
}

pub(crate) fn router_in_use(router: &str, services: &[String]) -> Error {
    let plural = if services.len() > 1 { "s" } else { "" };
    Error::conflict(
        "RouterInUse",
        format!("Router {router} is currently used by VPN service{plural} ({})", services.join(",")),
    )
}

pub(crate) fn subnet_in_use_by_service(subnet: &str, service: &str) -> Error {
    Error::conflict("SubnetInUseByVPNService", format!("Subnet {subnet} is used by VPNService {service}"))
}

pub(crate) fn subnet_in_use_by_connection(subnet: &str, connection: &str) -> Error {
    Error::conflict(
        "SubnetInUseByIPsecSiteConnection",
        format!("Subnet {subnet} is used by ipsec site connection {connection}"),
    )
}

pub(crate) fn subnet_in_use_by_group(subnet: &str, group: &str) -> Error {
    Error::conflict(
        "SubnetInUseByEndpointGroup",
        format!("Subnet {subnet} is used by endpoint group {group}"),
    )
}

pub(crate) fn flavors_not_loaded() -> Error {
    Error::not_found("FlavorsPluginNotLoaded", "Flavors plugin not found")
}

pub(crate) fn flavor_not_found(id: &str) -> Error {
    Error::not_found("FlavorNotFound", format!("Flavor {id} could not be found."))
}

pub(crate) fn flavor_in_use(id: &str) -> Error {
    Error::conflict("FlavorInUse", format!("Flavor {id} is used by some service instance."))
}

pub(crate) fn service_type(given: &str) -> Error {
    bad("InvalidServiceType", format!("Invalid service type: {given}."))
}

pub(crate) fn flavor_disabled() -> Error {
    Error::unavailable("FlavorDisabled", "Flavor is not enabled.")
}

pub(crate) fn profile_disabled() -> Error {
    Error::unavailable("ServiceProfileDisabled", "Service Profile is not enabled.")
}

pub(crate) fn profile_not_bound(profile: &str, flavor: &str) -> Error {
    Error::not_found(
        "FlavorServiceProfileBindingNotFound",
        format!("Service Profile {profile} is not associated with flavor {flavor}."),
    )
}

pub(crate) fn driver_not_found(driver: &str) -> Error {
    Error::not_found(
        "ServiceProfileDriverNotFound",
        format!("Service Profile driver {driver} could not be found."),
    )
}

pub(crate) fn no_provider(flavor: &str) -> Error {
    Error::not_found("NoProviderFoundForFlavor", format!("No service provider found for flavor {flavor}"))
}

pub(crate) fn agent_not_found(kind: &str, host: &str) -> Error {
    Error::not_found(
        "AgentNotFoundByTypeHost",
        format!("Agent with agent_type={kind} and host={host} could not be found."),
    )
}
