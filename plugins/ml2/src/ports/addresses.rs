//! Taking the addresses that plans need from the host's pools, and giving them
//! back.

use super::plan::{FixedIp, Need, Refused};
use crate::errors;
use crate::subnets::{self, Subnet, pool_name};
use hadron_sdk::pools::{self, PoolError};
use hadron_sdk::store;
use hadron_sdk::{Document, Error, Result};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What several ports need, and of which network's subnets.
pub(crate) struct Order<'a> {
    pub(crate) network_id: &'a str,
    pub(crate) subnets: Cow<'a, [Subnet]>,
    pub(crate) needs: Vec<Need>,
}

/// Takes what is needed: given addresses one by one, all others of a subnet at
/// once. Answers the addresses of each order, in the order of its needs.
pub(crate) fn take(orders: &[Order<'_>]) -> Result<Vec<Vec<FixedIp>>> {
    let mut taken: Vec<Vec<Option<FixedIp>>> =
        orders.iter().map(|order| order.needs.iter().map(|_| None).collect()).collect();
    let mut open: BTreeMap<Vec<&str>, Vec<(usize, usize)>> = BTreeMap::new();
    for (row, order) in orders.iter().enumerate() {
        for (column, need) in order.needs.iter().enumerate() {
            match need {
                Need::Given(place, address) => {
                    let Some(subnet) = order.subnets.get(*place) else { continue };
                    take_given(subnet, *address)?;
                    put(&mut taken, row, column, fixed(subnet, *address));
                }
                Need::Any(places) => {
                    let ids =
                        places.iter().filter_map(|place| order.subnets.get(*place)).map(|s| s.id.as_str());
                    open.entry(ids.collect()).or_default().push((row, column));
                }
            }
        }
    }
    for (ids, slots) in open {
        let Some(order) = slots.first().and_then(|(row, _)| orders.get(*row)) else { continue };
        let candidates = order.subnets.iter().filter(|subnet| ids.contains(&subnet.id.as_str()));
        let mut slots = slots.into_iter();
        for subnet in candidates {
            let numbers = take_up_to(subnet, slots.len())?;
            for (number, (row, column)) in numbers.into_iter().zip(slots.by_ref()) {
                put(&mut taken, row, column, fixed(subnet, subnet.cidr.numbered(number)));
            }
            if slots.len() == 0 {
                break;
            }
        }
        if slots.len() > 0 {
            return Err(errors::no_address_left(order.network_id));
        }
    }
    Ok(taken.into_iter().map(|row| row.into_iter().flatten().collect()).collect())
}

fn put(taken: &mut [Vec<Option<FixedIp>>], row: usize, column: usize, ip: FixedIp) {
    if let Some(slot) = taken.get_mut(row).and_then(|columns| columns.get_mut(column)) {
        *slot = Some(ip);
    }
}

fn fixed(subnet: &Subnet, address: IpAddr) -> FixedIp {
    FixedIp { subnet_id: subnet.id.clone(), ip_address: address }
}

/// An address outside of the allocation pools is nobody's to hand out; that it
/// is used once is then kept by the unique key of ports' addresses.
pub(crate) fn take_given(subnet: &Subnet, address: IpAddr) -> Result<()> {
    let Some(number) = subnet.pooled(address) else { return Ok(()) };
    match pools::take_given(&pool_name(&subnet.id), number) {
        Ok(()) => Ok(()),
        Err(PoolError::Taken) => Err(errors::address_taken(address, &subnet.id)),
        Err(PoolError::Unknown) => Err(gone(subnet)),
        Err(error) => Err(error.into()),
    }
}

/// A subnet that was read has no pool any more: somebody else deleted it since,
/// alone or with its network.
fn gone(subnet: &Subnet) -> Error {
    match store::get::<Document>("networks", &subnet.network_id) {
        Ok(Some(_)) => errors::subnet_not_found(&subnet.id),
        Ok(None) => errors::network_not_found(&subnet.network_id),
        Err(error) => error,
    }
}

/// As many as there are, at most so many; a pool gives all or nothing, so what
/// it holds is found by halving.
fn take_up_to(subnet: &Subnet, wanted: usize) -> Result<Vec<u64>> {
    let pool = pool_name(&subnet.id);
    let mut numbers = Vec::new();
    let mut step = wanted;
    while step > 0 && numbers.len() < wanted {
        step = step.min(wanted - numbers.len());
        match pools::take_many(&pool, u32::try_from(step).unwrap_or(u32::MAX)) {
            Ok(more) => numbers.extend(more),
            Err(PoolError::Exhausted) => step /= 2,
            Err(PoolError::Unknown) => return Err(gone(subnet)),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(numbers)
}

/// Gives addresses back to the pools of their subnets. Numbers that a pool does
/// not hold are ignored by it, so only IPv6 needs the subnet, to count from.
pub(crate) fn give_back(addresses: &[FixedIp], known: &[Subnet]) -> Result<()> {
    let unknown: Vec<&str> = addresses
        .iter()
        .filter(|ip| ip.ip_address.is_ipv6() && !known.iter().any(|subnet| subnet.id == ip.subnet_id))
        .map(|ip| ip.subnet_id.as_str())
        .collect();
    let read = if unknown.is_empty() { Vec::new() } else { subnets::by_ids(&unknown)? };
    let mut numbers: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for ip in addresses {
        let number = match ip.ip_address {
            IpAddr::V4(address) => Some(u64::from(u32::from(address))),
            address => known
                .iter()
                .chain(&read)
                .find(|subnet| subnet.id == ip.subnet_id)
                .and_then(|subnet| subnet.cidr.number(address)),
        };
        numbers.entry(ip.subnet_id.as_str()).or_default().extend(number);
    }
    for (subnet, numbers) in numbers.into_iter().filter(|(_, numbers)| !numbers.is_empty()) {
        pools::give_back(&pool_name(subnet), &numbers)?;
    }
    Ok(())
}

/// Tells a subnet that does not exist from one of another network.
pub(crate) fn refusal(refused: Refused, network_id: &str) -> Error {
    let id = match refused {
        Refused::Because(error) => return error,
        Refused::ForeignSubnet(id) => id,
    };
    match store::get::<Document>("subnets", &id) {
        Ok(None) => errors::subnet_not_found(&id),
        Ok(Some(_)) => Error::invalid_input(format!(
            "Failed to create port on network {network_id}, because fixed_ips included invalid subnet {id}"
        )),
        Err(error) => error,
    }
}
