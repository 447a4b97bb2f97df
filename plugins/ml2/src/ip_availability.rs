//! How many addresses networks have, and how many are used: a view of networks
//! whose numbers are counted when it is read, of all networks of a page at once.
//! In Neutron: `NetworkIPAvailabilityPlugin`.

mod attributes;
mod counts;

pub(crate) use attributes::{COLLECTION, EXTENSIONS, POLICY, collection};

use crate::document::{text, typed};
use crate::subnets::{self, Subnet};
use attributes::{IP_VERSION, NETWORK_ID};
use counts::{OfNetwork, OfSubnet};
use hadron_sdk::{Document, Result, store};
use serde::Serialize;
use std::collections::HashMap;
use std::net::IpAddr;

/// What is computed of a network.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Availability {
    /// Its numbers.
    Is(OfNetwork),
    /// It has no subnet of those that were asked for.
    Beside {},
}

/// The numbers of networks. Where the client asks for a family, only subnets of
/// it count, and networks without one do not.
pub(crate) fn compute(networks: &[Document]) -> Result<Vec<Availability>> {
    let ids: Vec<String> = networks.iter().map(|network| text(network, NETWORK_ID).to_owned()).collect();
    let mut subnets = subnets::of_networks(&ids)?;
    let asked: Option<Vec<String>> = match networks.first() {
        Some(network) => typed(network, IP_VERSION)?,
        None => None,
    };
    if let Some(versions) = &asked {
        subnets.retain(|subnet| versions.contains(&subnet.cidr.version().number().to_string()));
    }
    subnets.sort_by(|one, other| one.id.cmp(&other.id));
    let mut of_network: HashMap<&str, Vec<OfSubnet>> = HashMap::new();
    let used = used(&subnets)?;
    for subnet in &subnets {
        let used = used.get(&subnet.id).map_or(&[][..], Vec::as_slice);
        of_network.entry(&subnet.network_id).or_default().push(OfSubnet::count(subnet, used));
    }
    Ok(ids
        .iter()
        .map(|id| match of_network.remove(id.as_str()) {
            None if asked.is_some() => Availability::Beside {},
            own => Availability::Is(OfNetwork::of(own.unwrap_or_default())),
        })
        .collect())
}

/// The addresses that ports have of these subnets.
fn used(subnets: &[Subnet]) -> Result<HashMap<String, Vec<IpAddr>>> {
    if subnets.is_empty() {
        return Ok(HashMap::new());
    }
    let ids = subnets.iter().map(|subnet| subnet.id.as_str());
    Ok(store::gather("ports", "fixed_ips", "subnet_id", ids, "ip_address")?.into_iter().collect())
}
