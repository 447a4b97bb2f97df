//! What routers see of the core plugin's networks, subnets and ports. All of it is
//! read with the system's rights; what a caller may see is said here.

use crate::errors;
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::Query;
use hadron_sdk::{Context, Error, Result, resources};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

pub(crate) const NETWORKS: &str = "networks";
pub(crate) const SUBNETS: &str = "subnets";
pub(crate) const PORTS: &str = "ports";

/// Device owners of the ports that routers and floating IPs have.
pub(crate) const INTERFACE: &str = "network:router_interface";
pub(crate) const GATEWAY: &str = "network:router_gateway";
pub(crate) const FLOATING_IP: &str = "network:floatingip";

/// A network.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Network {
    pub(crate) id: String,
    #[serde(default)]
    project_id: String,
    /// With the caller.
    #[serde(default)]
    pub(crate) shared: bool,
    #[serde(default, rename = "router:external")]
    pub(crate) is_external: bool,
}

impl Network {
    fn is_seen_by(&self, ctx: &Context) -> bool {
        ctx.caller.is_admin || self.shared || self.is_external || self.project_id == ctx.caller.project_id
    }
}

/// A network that the caller sees.
pub(crate) fn network(ctx: &Context, id: &str) -> Result<Network> {
    let network: Option<Network> = resources::get(NETWORKS, id)?;
    network.filter(|network| network.is_seen_by(ctx)).ok_or_else(|| errors::network_not_found(id))
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Pool {
    start: IpAddr,
    end: IpAddr,
}

/// A subnet.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Subnet {
    pub(crate) id: String,
    pub(crate) network_id: String,
    #[serde(default)]
    pub(crate) project_id: String,
    pub(crate) ip_version: u8,
    pub(crate) cidr: IpNet,
    pub(crate) gateway_ip: Option<IpAddr>,
    #[serde(default)]
    pub(crate) ipv6_ra_mode: Option<String>,
    #[serde(default)]
    ipv6_address_mode: Option<String>,
    #[serde(default)]
    allocation_pools: Vec<Pool>,
}

impl Subnet {
    /// Whether an external router advertises it, so that none of ours does.
    /// In Neutron: `_validate_subnet_address_mode`.
    pub(crate) fn is_advertised_elsewhere(&self) -> bool {
        self.ip_version == 6 && self.ipv6_address_mode.is_some() && self.ipv6_ra_mode.is_none()
    }

    /// Whether an address is one that the subnet gives of itself.
    pub(crate) fn gives(&self, address: IpAddr) -> bool {
        self.allocation_pools.iter().any(|pool| pool.start <= address && address <= pool.end)
    }

    /// Whether both have addresses in common.
    pub(crate) fn overlaps(&self, other: &Subnet) -> bool {
        self.cidr.contains(&other.cidr) || other.cidr.contains(&self.cidr)
    }
}

/// A subnet that the caller sees, with its network.
pub(crate) fn subnet(ctx: &Context, id: &str) -> Result<(Subnet, Network)> {
    let subnet: Option<Subnet> = resources::get(SUBNETS, id)?;
    let subnet = subnet.ok_or_else(|| errors::subnet_not_found(id))?;
    let network: Option<Network> = resources::get(NETWORKS, &subnet.network_id)?;
    let network =
        network.filter(|network| network.is_seen_by(ctx) || subnet.project_id == ctx.caller.project_id);
    Ok((subnet, network.ok_or_else(|| errors::subnet_not_found(id))?))
}

/// Subnets with these ids.
pub(crate) fn subnets<'a>(ids: impl IntoIterator<Item = &'a str>) -> Result<Vec<Subnet>> {
    let ids: Vec<&str> = ids.into_iter().collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    resources::find(SUBNETS, &Query::all().any_of("id", ids))
}

/// The subnets of networks.
pub(crate) fn subnets_of<'a>(networks: impl IntoIterator<Item = &'a str>) -> Result<Vec<Subnet>> {
    let networks: Vec<&str> = networks.into_iter().collect();
    if networks.is_empty() {
        return Ok(Vec::new());
    }
    resources::find(SUBNETS, &Query::all().any_of("network_id", networks))
}

/// An address of a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FixedIp {
    pub(crate) subnet_id: String,
    pub(crate) ip_address: IpAddr,
}

/// A port.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Port {
    pub(crate) id: String,
    pub(crate) network_id: String,
    #[serde(default)]
    pub(crate) project_id: String,
    #[serde(default)]
    pub(crate) device_id: String,
    #[serde(default)]
    pub(crate) device_owner: String,
    #[serde(default)]
    pub(crate) fixed_ips: Vec<FixedIp>,
}

impl Port {
    /// Whether it has an address of IPv6.
    pub(crate) fn is_v6(&self) -> bool {
        self.fixed_ips.iter().any(|ip| ip.ip_address.is_ipv6())
    }

    /// Whether a subnet gave it an address.
    pub(crate) fn is_on(&self, subnet: &str) -> bool {
        self.fixed_ips.iter().any(|ip| ip.subnet_id == subnet)
    }
}

/// A port that the caller sees: of its project, or any for an administrator.
pub(crate) fn port(ctx: &Context, id: &str) -> Result<Port> {
    let port: Option<Port> = resources::get(PORTS, id)?;
    let is_seen = |port: &Port| ctx.caller.is_admin || port.project_id == ctx.caller.project_id;
    port.filter(is_seen).ok_or_else(|| errors::port_not_found(id))
}

/// Ports with these ids.
pub(crate) fn ports<'a>(ids: impl IntoIterator<Item = &'a str>) -> Result<Vec<Port>> {
    let ids: Vec<&str> = ids.into_iter().collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    resources::find(PORTS, &Query::all().any_of("id", ids))
}

/// Makes a port.
pub(crate) fn make_port(body: &Value) -> Result<Port> {
    let made: Vec<Port> = resources::create(PORTS, std::slice::from_ref(body))?;
    made.into_iter().next().ok_or_else(|| Error::internal("no port was made"))
}

/// Gives a port other addresses.
pub(crate) fn readdress(port: &str, fixed_ips: &Value) -> Result<Port> {
    resources::update(PORTS, port, &json!({ "fixed_ips": fixed_ips }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json;

    fn subnet(more: Value) -> Subnet {
        let mut body = json!({"id": "s", "network_id": "n", "ip_version": 4, "cidr": "10.0.0.0/24"});
        if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
            body.extend(more.clone());
        }
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn subnets_overlap_when_one_holds_the_other() {
        let of = |cidr: &str| subnet(json!({ "cidr": cidr }));
        assert!(of("10.0.0.0/24").overlaps(&of("10.0.0.128/25")));
        assert!(of("10.0.0.128/25").overlaps(&of("10.0.0.0/8")));
        assert!(!of("10.0.0.0/24").overlaps(&of("10.0.1.0/24")));
        assert!(!of("10.0.0.0/24").overlaps(&of("2001:db8::/64")));
    }

    #[test]
    fn a_subnet_gives_what_is_in_its_pools() {
        let pools = json!([{"start": "10.0.0.2", "end": "10.0.0.9"}]);
        let subnet = subnet(json!({ "allocation_pools": pools }));
        let gives = |text: &str| subnet.gives(text.parse().unwrap());
        assert!(gives("10.0.0.2") && gives("10.0.0.9") && !gives("10.0.0.1") && !gives("10.0.0.10"));
    }

    #[test]
    fn who_is_told_where_the_way_out_is_by_others_needs_no_router() {
        let of = |ra: Value, address: Value| {
            let more = json!({"ip_version": 6, "cidr": "2001:db8::/64", "ipv6_ra_mode": ra,
                "ipv6_address_mode": address});
            subnet(more).is_advertised_elsewhere()
        };
        assert!(of(json!(null), json!("slaac")));
        assert!(!of(json!("slaac"), json!("slaac")) && !of(json!(null), json!(null)));
    }
}
