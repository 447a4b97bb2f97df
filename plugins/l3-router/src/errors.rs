//! Neutron's exceptions, by class name, with its messages and HTTP status.
//! In Neutron: `neutron_lib.exceptions`, its `l3` and `extraroute`.

use hadron_sdk::Error;
use std::fmt::Display;

fn bad(resource: &str, reason: impl Display) -> Error {
    Error::invalid("BadRequest", format!("Bad {resource} request: {reason}."))
}

/// A request about a router that makes no sense.
pub(crate) fn bad_router(reason: impl Display) -> Error {
    bad("router", reason)
}

/// A request about a floating IP that makes no sense.
pub(crate) fn bad_floating_ip(reason: impl Display) -> Error {
    bad("floatingip", reason)
}

/// A request about a port that makes no sense to routers.
pub(crate) fn bad_port(reason: impl Display) -> Error {
    bad("port", reason)
}

pub(crate) fn router_not_found(id: &str) -> Error {
    Error::not_found("RouterNotFound", format!("Router {id} could not be found"))
}

pub(crate) fn network_not_found(id: &str) -> Error {
    Error::not_found("NetworkNotFound", format!("Network {id} could not be found."))
}

pub(crate) fn subnet_not_found(id: &str) -> Error {
    Error::not_found("SubnetNotFound", format!("Subnet {id} could not be found."))
}

pub(crate) fn port_not_found(id: &str) -> Error {
    Error::not_found("PortNotFound", format!("Port {id} could not be found."))
}

pub(crate) fn router_in_use(id: &str, ports: &[&str]) -> Error {
    Error::conflict("RouterInUse", format!("Router {id} has ports still attached: {}", ports.join(", ")))
}

pub(crate) fn interface_not_found(router: &str, port: &str) -> Error {
    Error::not_found(
        "RouterInterfaceNotFound",
        format!("Router {router} does not have an interface with id {port}"),
    )
}

pub(crate) fn no_interface_on(router: &str, subnet: &str) -> Error {
    Error::not_found(
        "RouterInterfaceNotFoundForSubnet",
        format!("Router {router} has no interface on subnet {subnet}"),
    )
}

pub(crate) fn subnet_mismatch(port: &str, subnet: &str) -> Error {
    Error::conflict(
        "SubnetMismatchForPort",
        format!("Subnet on port {port} does not match the requested subnet {subnet}."),
    )
}

fn interface_needed(kind: &str, router: &str, subnet: &str, by: &str) -> Error {
    Error::conflict(
        kind,
        format!(
            "Router interface for subnet {subnet} on router {router} cannot be deleted, as it is required by \
             one or more {by}."
        ),
    )
}

pub(crate) fn interface_needed_by_floating_ip(router: &str, subnet: &str) -> Error {
    interface_needed("RouterInterfaceInUseByFloatingIP", router, subnet, "floating IPs")
}

pub(crate) fn interface_needed_by_route(router: &str, subnet: &str) -> Error {
    interface_needed("RouterInterfaceInUseByRoute", router, subnet, "routes")
}

pub(crate) fn gateway_needed(router: &str, network: &str) -> Error {
    Error::conflict(
        "RouterExternalGatewayInUseByFloatingIp",
        format!(
            "Gateway cannot be updated for router {router}, since a gateway to external network {network} is \
             required by one or more floating IPs."
        ),
    )
}

pub(crate) fn port_in_use(port: &str, network: &str, device: &str) -> Error {
    Error::conflict(
        "PortInUse",
        format!(
            "Unable to complete operation on port {port} for network {network}. Port already has an attached \
             device {device}."
        ),
    )
}

pub(crate) fn service_port_in_use(port: &str, owner: &str) -> Error {
    Error::conflict(
        "ServicePortInUse",
        format!("Port {port} cannot be deleted directly via the port API: has device owner {owner}."),
    )
}

pub(crate) fn invalid_routes(routes: impl Display, reason: &str) -> Error {
    Error::invalid("InvalidRoutes", format!("Invalid format for routes: {routes}, {reason}"))
}

/// Routes are counted for each router.
pub(crate) fn routes_exhausted() -> Error {
    Error::conflict("OverQuota", "Quota exceeded for resources: ['router_route'].")
}

pub(crate) fn not_reachable(network: &str, subnet: &str, port: &str) -> Error {
    Error::not_found(
        "ExternalGatewayForFloatingIPNotFound",
        format!(
            "External network {network} is not reachable from subnet {subnet}.  Therefore, cannot associate \
             Port {port} with a Floating IP."
        ),
    )
}

pub(crate) fn already_associated(address: &str, id: &str, port: &str, fixed: &str, network: &str) -> Error {
    Error::conflict(
        "FloatingIPPortAlreadyAssociated",
        format!(
            "Cannot associate floating IP {address} ({id}) with port {port} using fixed IP {fixed}, as that \
             fixed IP already has a floating IP on external network {network}."
        ),
    )
}

pub(crate) fn no_external_address(network: &str) -> Error {
    Error::invalid(
        "ExternalIpAddressExhausted",
        format!("Unable to find any IP address on external network {network}."),
    )
}

pub(crate) fn fip_associated(port: &str) -> Error {
    Error::conflict(
        "FipAssociated",
        format!("Unable to complete operation on port {port}, as it is associated with a floating IP."),
    )
}

/// A way out that leads to no network.
pub(crate) fn no_network(given: impl Display) -> Error {
    let reason = format!("Invalid input. '{given}' must be a dictionary with keys: ['network_id'].");
    let message = format!("Invalid input for external_gateway_info. Reason: {reason}");
    Error::invalid("HTTPBadRequest", message)
}
