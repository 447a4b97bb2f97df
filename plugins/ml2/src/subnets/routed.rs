//! What follows from subnets that are on segments.

use super::routes::{self, Route};
use super::{Subnet, association, change_routes, of_networks};
use crate::document::{set, text, typed};
use crate::{networks, segments};
use hadron_sdk::serde_json::Value;
use hadron_sdk::{Document, Result};
use std::collections::{BTreeMap, BTreeSet};

/// What subnets are for that have addresses of routers at whatever segment; they
/// are on segments or not whatever others are. In Neutron:
/// `DEVICE_OWNER_ROUTED`.
const OF_ROUTERS: &str = "network:routed";

fn is_of_routers(service_types: &[String]) -> bool {
    service_types.iter().any(|kind| kind == OF_ROUTERS)
}

fn wanted(body: &Document) -> Option<&str> {
    set(body, "segment_id").and_then(Value::as_str)
}

/// Checks which segments new subnets are to be on; the segments are read only
/// where there are any to be on.
pub(super) fn check_create(bodies: &[Document], siblings: &[Subnet]) -> Result<()> {
    let ids: Vec<&str> = bodies.iter().filter_map(wanted).collect();
    let known = segments::by_ids(&ids)?;
    let mut present: BTreeMap<&str, Vec<Option<String>>> = BTreeMap::new();
    for subnet in siblings.iter().filter(|subnet| !is_of_routers(&subnet.service_types)) {
        present.entry(&subnet.network_id).or_default().push(subnet.segment_id.clone());
    }
    for body in bodies {
        let network = text(body, "network_id");
        let there = present.entry(network).or_default();
        let of_routers = is_of_routers(&typed::<Vec<String>>(body, "service_types")?);
        let beside = if of_routers { &[][..] } else { there.as_slice() };
        association::check_create(network, wanted(body), beside, &known)?;
        if of_routers {
            continue;
        }
        there.push(wanted(body).map(str::to_owned));
    }
    Ok(())
}

/// What new subnets bring about.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ready {
    /// The routes of each of them.
    pub(super) own: Vec<Vec<Route>>,
    /// New routes of others, by the id of the subnet.
    pub(super) others: Vec<(String, Vec<Route>)>,
    /// Networks that are routed from now on.
    pub(super) networks: BTreeSet<String>,
}

/// Routes among new subnets and those that their networks have.
pub(super) fn ready(made: &[Subnet], siblings: &[Subnet]) -> Ready {
    let all: Vec<Subnet> = siblings.iter().chain(made).cloned().collect();
    let on_network = |id: &str| all.iter().filter(|subnet| subnet.network_id == id).cloned().collect();
    let with_routes = |subnet: &Subnet| {
        if subnet.segment_id.is_none() {
            return subnet.host_routes.clone();
        }
        let peers: Vec<Subnet> = on_network(&subnet.network_id);
        routes::calculated(subnet, &subnet.host_routes, &peers, None)
    };
    let is_new = |network: &str| {
        siblings.iter().all(|subnet| subnet.network_id != network || subnet.segment_id.is_none())
    };
    Ready {
        own: made.iter().map(with_routes).collect(),
        others: siblings
            .iter()
            .map(|subnet| (subnet, with_routes(subnet)))
            .filter(|(subnet, routes)| *routes != subnet.host_routes)
            .map(|(subnet, routes)| (subnet.id.clone(), routes))
            .collect(),
        networks: made
            .iter()
            .filter(|subnet| subnet.segment_id.is_some() && is_new(&subnet.network_id))
            .map(|subnet| subnet.network_id.clone())
            .collect(),
    }
}

/// Checks that a subnet can be put on another segment, or on none, and says so
/// of its network.
pub(super) fn change(subnet: &Subnet, wanted: Option<&str>) -> Result<()> {
    networks::hold(&subnet.network_id)?;
    let ids = std::slice::from_ref(&subnet.network_id);
    let mut present = of_networks(ids)?;
    present.retain(|other| !is_of_routers(&other.service_types));
    let present: Vec<Option<String>> = present.into_iter().map(|other| other.segment_id).collect();
    let mut known = segments::of_networks(ids)?;
    let elsewhere = segments::by_ids(&wanted.into_iter().collect::<Vec<_>>())?;
    known.extend(elsewhere.into_iter().filter(|segment| segment.network_id != subnet.network_id));
    association::check_update(subnet, wanted, &present, &known)?;
    networks::set_adjacent(&subnet.network_id, wanted.is_none())
}

/// Subnets are gone: those that stay lose their routes to them, and a network
/// without any is one broadcast domain again.
pub(super) fn leave(gone: &[Subnet]) -> Result<()> {
    let gone: Vec<&Subnet> = gone.iter().filter(|subnet| subnet.segment_id.is_some()).collect();
    let ids: BTreeSet<String> = gone.iter().map(|subnet| subnet.network_id.clone()).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = ids.into_iter().collect();
    let left = of_networks(&ids)?;
    for subnet in &left {
        let mut after = subnet.clone();
        for old in gone.iter().filter(|old| old.network_id == subnet.network_id) {
            after.host_routes = routes::without(&after, &old.cidr);
        }
        if after.host_routes != subnet.host_routes {
            change_routes(&subnet.id, &after.host_routes)?;
        }
    }
    let plain =
        |id: &&String| left.iter().all(|subnet| subnet.network_id != **id || subnet.segment_id.is_none());
    ids.iter().filter(plain).try_for_each(|id| networks::set_adjacent(id, true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::{from_value, json};

    fn subnet(id: &str, network: &str, segment: Option<&str>, cidr: &str) -> Subnet {
        let gateway = cidr.replace(".0/24", ".1");
        let row = json!({"id": id, "network_id": network, "cidr": cidr, "segment_id": segment,
            "gateway_ip": gateway});
        from_value(row).unwrap()
    }

    #[test]
    fn new_subnets_and_those_there_are_get_routes_to_each_other() {
        let there = [subnet("a", "N", Some("one"), "10.1.0.0/24"), subnet("x", "M", None, "10.1.0.0/24")];
        let made = [subnet("b", "N", Some("two"), "10.2.0.0/24"), subnet("c", "O", Some("s"), "10.4.0.0/24")];
        let ready = ready(&made, &there);
        let text = |routes: &[Route]| {
            routes.iter().map(|r| format!("{} by {}", r.destination, r.nexthop)).collect::<Vec<_>>()
        };
        assert_eq!(text(&ready.own[0]), ["10.1.0.0/24 by 10.2.0.1"]);
        assert!(ready.own[1].is_empty());
        assert_eq!(ready.others.len(), 1);
        assert_eq!(text(&ready.others[0].1), ["10.2.0.0/24 by 10.1.0.1"]);
        assert_eq!(ready.networks, BTreeSet::from(["O".to_owned()]));
    }

    #[test]
    fn subnets_that_are_on_no_segment_keep_their_routes() {
        let there = [subnet("a", "N", None, "10.1.0.0/24")];
        let made = [subnet("b", "N", None, "10.2.0.0/24")];
        let nothing = Ready { own: vec![Vec::new()], ..Ready::default() };
        assert_eq!(ready(&made, &there), nothing);
    }
}
