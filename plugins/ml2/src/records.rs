//! Documents as the records that drivers see.

use crate::document::{flag, set, text, typed};
use crate::ports::FixedIp;
use crate::segments::SegmentRow;
use crate::subnets::Pool;
use hadron_sdk::serde_json::Value;
use hadron_sdk::{
    AddressRange, Binding, BindingLevel, Document, Extra, HostRoute, Network, Port, Result, Subnet,
};
use serde::Deserialize;

/// Attributes that a record has members for; all others go into `more`.
const NETWORK: [&str; 8] =
    ["id", "project_id", "tenant_id", "name", "admin_state_up", "status", "mtu", "shared"];
const SUBNET: [&str; 15] = [
    "id",
    "project_id",
    "tenant_id",
    "name",
    "network_id",
    "ip_version",
    "cidr",
    "gateway_ip",
    "enable_dhcp",
    "ipv6_ra_mode",
    "ipv6_address_mode",
    "allocation_pools",
    "dns_nameservers",
    "host_routes",
    "prefixlen",
];
const PORT: [&str; 20] = [
    "id",
    "project_id",
    "tenant_id",
    "name",
    "network_id",
    "admin_state_up",
    "status",
    "mac_address",
    "device_id",
    "device_owner",
    "fixed_ips",
    "binding:host_id",
    "binding:vnic_type",
    "binding:profile",
    "binding:vif_type",
    "binding:vif_details",
    "binding_levels",
    "binding_pending",
    "binding_offered",
    crate::provisioning::AWAITED,
];

/// A network with its segments.
pub(crate) fn network(document: &Document, segments: &[SegmentRow]) -> Result<Network> {
    Ok(Network {
        id: owned(document, "id"),
        project_id: owned(document, "project_id"),
        name: owned(document, "name"),
        admin_state_up: flag(document, "admin_state_up"),
        status: owned(document, "status"),
        mtu: typed(document, "mtu")?,
        shared: flag(document, "shared"),
        segments: segments.iter().map(SegmentRow::record).collect(),
        more: more(document, &NETWORK),
    })
}

/// A subnet.
pub(crate) fn subnet(document: &Document) -> Result<Subnet> {
    #[derive(Deserialize)]
    struct Route {
        destination: String,
        nexthop: String,
    }
    Ok(Subnet {
        id: owned(document, "id"),
        network_id: owned(document, "network_id"),
        project_id: owned(document, "project_id"),
        name: owned(document, "name"),
        ip_version: typed(document, "ip_version")?,
        cidr: owned(document, "cidr"),
        gateway_ip: typed(document, "gateway_ip")?,
        enable_dhcp: flag(document, "enable_dhcp"),
        ipv6_ra_mode: typed(document, "ipv6_ra_mode")?,
        ipv6_address_mode: typed(document, "ipv6_address_mode")?,
        allocation_pools: typed::<Vec<Pool>>(document, "allocation_pools")?
            .into_iter()
            .map(|pool| AddressRange { first: pool.start.to_string(), last: pool.end.to_string() })
            .collect(),
        dns_nameservers: typed(document, "dns_nameservers")?,
        host_routes: typed::<Vec<Route>>(document, "host_routes")?
            .into_iter()
            .map(|route| HostRoute { destination: route.destination, nexthop: route.nexthop })
            .collect(),
        more: more(document, &SUBNET),
    })
}

/// A port.
pub(crate) fn port(document: &Document) -> Result<Port> {
    Ok(Port {
        id: owned(document, "id"),
        network_id: owned(document, "network_id"),
        project_id: owned(document, "project_id"),
        name: owned(document, "name"),
        admin_state_up: flag(document, "admin_state_up"),
        status: owned(document, "status"),
        mac_address: owned(document, "mac_address"),
        device_id: owned(document, "device_id"),
        device_owner: owned(document, "device_owner"),
        fixed_ips: typed::<Vec<FixedIp>>(document, "fixed_ips")?
            .into_iter()
            .map(|ip| hadron_sdk::FixedIp { subnet_id: ip.subnet_id, ip_address: ip.ip_address.to_string() })
            .collect(),
        binding: Binding {
            host: owned(document, "binding:host_id"),
            vnic_type: owned(document, "binding:vnic_type"),
            profile: object(document, "binding:profile"),
            vif_type: owned(document, "binding:vif_type"),
            vif_details: object(document, "binding:vif_details"),
        },
        more: more(document, &PORT),
    })
}

/// How a port is bound.
pub(crate) fn levels(document: &Document) -> Result<Vec<BindingLevel>> {
    Ok(typed::<Vec<crate::binding::Level>>(document, "binding_levels")?
        .into_iter()
        .map(|level| BindingLevel { driver: level.driver, segment: level.segment.record() })
        .collect())
}

fn owned(document: &Document, name: &str) -> String {
    text(document, name).to_owned()
}

fn object(document: &Document, name: &str) -> String {
    set(document, name).map_or_else(|| "{}".to_owned(), Value::to_string)
}

fn more(document: &Document, known: &[&str]) -> Vec<Extra> {
    document
        .iter()
        .filter(|(name, _)| !known.contains(&name.as_str()))
        .map(|(name, value)| Extra { name: name.clone(), value: value.to_string() })
        .collect()
}
