//! Device owners that rules know by name. In Neutron: `DEVICE_OWNER_…`.

/// Ports of Neutron's own devices begin so.
pub(crate) const NETWORK_PREFIX: &str = "network:";

/// Removed with their network or subnet without asking.
/// In Neutron: `AUTO_DELETE_PORT_OWNERS`.
const AUTO_DELETED: [&str; 3] = ["network:dhcp", "network:distributed", "network:floatingip_agent_gateway"];

/// Ports that DHCP agents serve addresses through.
pub(crate) const DHCP: &str = "network:dhcp";

/// Ports of nobody known, and of Neutron's own devices, are active as soon as
/// anybody says so. In Neutron: `NO_PBLOCKS_TYPES`.
const AWAITED_BY_NOBODY: [&str; 10] = [
    "",
    DHCP,
    "network:router_ha_interface",
    "network:ha_router_replicated_interface",
    "network:router_interface",
    "network:router_gateway",
    "network:router_centralized_snat",
    "network:router_interface_distributed",
    "network:floatingip_agent_gateway",
    "network:floatingip",
];

/// Interfaces of routers. In Neutron: `ROUTER_INTERFACE_OWNERS`.
const ROUTER_INTERFACES: [&str; 3] = [
    "network:router_interface",
    "network:ha_router_replicated_interface",
    "network:router_interface_distributed",
];

const ROUTER_SNAT: &str = "network:router_centralized_snat";
/// The port of a router on an external network.
pub(crate) const ROUTER_GATEWAY: &str = "network:router_gateway";

/// Whether such a port goes with its network or subnet.
pub(crate) fn is_auto_deleted(owner: &str) -> bool {
    AUTO_DELETED.contains(&owner)
}

/// Whether such a port waits for nobody to become active.
pub(crate) fn is_awaited_by_nobody(owner: &str) -> bool {
    AWAITED_BY_NOBODY.contains(&owner)
}

/// Whether it is a router's interface.
pub(crate) fn is_router_interface(owner: &str) -> bool {
    ROUTER_INTERFACES.contains(&owner)
}

/// Whether it is a router's interface, or the one that a distributed router
/// translates addresses with. In Neutron: `ROUTER_INTERFACE_OWNERS_SNAT`.
pub(crate) fn is_router_interface_or_snat(owner: &str) -> bool {
    is_router_interface(owner) || owner == ROUTER_SNAT
}

/// Any port of a router, or one whose owner is not known. Such a one may have
/// an IPv6 network's first address (the subnet-router anycast address).
pub(crate) fn may_have_anycast(owner: &str) -> bool {
    owner.is_empty() || owner == ROUTER_GATEWAY || is_router_interface_or_snat(owner)
}

/// Whether it is a distributed router's interface, which is on every host.
/// In Neutron: `DEVICE_OWNER_DVR_INTERFACE`.
pub(crate) fn is_distributed(owner: &str) -> bool {
    owner == "network:router_interface_distributed"
}

/// Whether it belongs to something that moves between hosts: an instance, or a
/// server of a shared file system. In Neutron: `DEVICE_OWNER_COMPUTE_PREFIX`,
/// `DEVICE_OWNER_MANILA_PREFIX`.
pub(crate) fn can_move(owner: &str) -> bool {
    owner.starts_with("compute:") || owner.starts_with("manila:")
}
