//! The ports that a router has.

use super::attributes::ATTACHED;
use crate::errors;
use crate::outside::{self, GATEWAY, Port, Subnet};
use hadron_sdk::serde_json::{self, json};
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Result, random, resources};
use serde::Deserialize;
use std::net::IpAddr;

/// That a port is a router's.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Attached {
    pub(crate) id: String,
    pub(crate) router_id: String,
    pub(crate) port_id: String,
    pub(crate) network_id: String,
    pub(crate) port_type: String,
}

impl Attached {
    /// Whether it leads outside.
    pub(crate) fn is_gateway(&self) -> bool {
        self.port_type == GATEWAY
    }
}

/// Those of a router, in the order of their ids.
pub(crate) fn of(router: &str) -> Result<Vec<Attached>> {
    store::find(ATTACHED, &Query::all().equal("router_id", router).sort("id"))
}

/// Those of these ports that are routers'.
pub(crate) fn among<'a>(ports: impl IntoIterator<Item = &'a str>) -> Result<Vec<Attached>> {
    let ports: Vec<&str> = ports.into_iter().collect();
    if ports.is_empty() {
        return Ok(Vec::new());
    }
    store::find(ATTACHED, &Query::all().any_of("port_id", ports))
}

/// Those that are on a network.
pub(crate) fn on(network: &str) -> Result<Vec<Attached>> {
    store::find(ATTACHED, &Query::all().equal("network_id", network).sort("id"))
}

/// A port is a router's from now on.
pub(crate) fn attach(router: &str, port: &Port, port_type: &str) -> Result<()> {
    let row = json!({"id": random::uuid(), "router_id": router, "port_id": port.id,
        "network_id": port.network_id, "port_type": port_type});
    Ok(store::insert(ATTACHED, &[row])?)
}

/// It is no longer, and goes.
pub(crate) fn remove(attached: &Attached) -> Result<()> {
    store::delete(ATTACHED, std::slice::from_ref(&attached.id))?;
    resources::delete(outside::PORTS, &attached.port_id)
}

/// The ports of a router, with the subnets that they are on.
pub(crate) struct Ports {
    rows: Vec<Attached>,
    ports: Vec<Port>,
    subnets: Vec<Subnet>,
}

impl Ports {
    /// Reads them: three queries however many there are.
    pub(crate) fn of(router: &str) -> Result<Ports> {
        let rows = of(router)?;
        let ports = outside::ports(rows.iter().map(|row| row.port_id.as_str()))?;
        let ids = ports.iter().flat_map(|port| &port.fixed_ips).map(|ip| ip.subnet_id.as_str());
        let subnets = outside::subnets(ids)?;
        Ok(Ports { rows, ports, subnets })
    }

    /// The row and the port of the gateway.
    pub(crate) fn gateway(&self) -> Option<(&Attached, &Port)> {
        let row = self.rows.iter().find(|row| row.is_gateway())?;
        Some((row, self.ports.iter().find(|port| port.id == row.port_id)?))
    }

    /// The rows and ports of interfaces.
    pub(crate) fn interfaces(&self) -> impl Iterator<Item = (&Attached, &Port)> {
        let inner = self.rows.iter().filter(|row| !row.is_gateway());
        inner.filter_map(|row| Some((row, self.ports.iter().find(|port| port.id == row.port_id)?)))
    }

    /// All addresses, and all subnets' CIDRs, of those that are wanted.
    pub(crate) fn reach(&self, wanted: impl Fn(&Attached) -> bool) -> (Vec<ipnet::IpNet>, Vec<IpAddr>) {
        let rows = self.rows.iter().filter(|row| wanted(row));
        let ports: Vec<&Port> =
            rows.filter_map(|row| self.ports.iter().find(|port| port.id == row.port_id)).collect();
        let addresses = ports.iter().flat_map(|port| &port.fixed_ips);
        let cidrs = addresses.clone().filter_map(|ip| self.subnet(&ip.subnet_id)).map(|subnet| subnet.cidr);
        (cidrs.collect(), addresses.map(|ip| ip.ip_address).collect())
    }

    fn subnet(&self, id: &str) -> Option<&Subnet> {
        self.subnets.iter().find(|subnet| subnet.id == id)
    }

    /// No address is on two sides of a router: subnets that are to be added are
    /// none that it is on, and overlap with none; of the outside with none of all
    /// the network's. In Neutron: `_check_for_dup_router_subnets`.
    pub(crate) fn check_apart(&self, added: &[Subnet]) -> Result<()> {
        let outside = match self.gateway() {
            Some((row, _)) => outside::subnets_of([row.network_id.as_str()])?,
            None => Vec::new(),
        };
        for one in added {
            if self.ports.iter().any(|port| port.is_on(&one.id)) {
                return Err(errors::bad_router(format!("Router already has a port on subnet {}", one.id)));
            }
            let own = self.subnets.iter().chain(&outside).find(|own| own.overlaps(one));
            if let Some(own) = own {
                return Err(errors::bad_router(format!(
                    "Cidr {} of subnet {} overlaps with cidr {} of subnet {}",
                    one.cidr, one.id, own.cidr, own.id
                )));
            }
        }
        Ok(())
    }
}

/// What a row of the gateway's port shows as external addresses.
pub(crate) fn addresses(port: &Port) -> serde_json::Value {
    json!(port.fixed_ips)
}
