//! Routes between the subnets of a routed network, which its hosts get: each
//! subnet has one to the subnets on other segments by its gateway, unless a
//! route that somebody gave goes there. In Neutron: `SegmentHostRoutes`.

use super::Subnet;
use crate::net::{Cidr, Version};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// One of `host_routes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Route {
    pub(crate) destination: String,
    pub(crate) nexthop: String,
}

impl Route {
    fn to(destination: &Cidr, nexthop: IpAddr) -> Route {
        Route { destination: destination.to_string(), nexthop: nexthop.to_string() }
    }

    fn covers(&self, cidr: &Cidr) -> bool {
        Cidr::parse(&self.destination).is_some_and(|destination| {
            destination.version() == cidr.version()
                && destination.first() <= cidr.first()
                && destination.last() >= cidr.last()
        })
    }
}

/// The routes of `subnet`, with its gateway and those `given`, beside the others
/// of its network. `was` is the gateway that it had before.
pub(crate) fn calculated(
    subnet: &Subnet,
    given: &[Route],
    others: &[Subnet],
    was: Option<IpAddr>,
) -> Vec<Route> {
    let mut routes = given.to_vec();
    let version: Version = subnet.cidr.version();
    let peers = others.iter().filter(|other| {
        other.id != subnet.id && other.segment_id != subnet.segment_id && other.cidr.version() == version
    });
    for peer in peers {
        if let Some(old) = was.filter(|old| Some(*old) != subnet.gateway_ip) {
            let old = Route::to(&peer.cidr, old);
            routes.retain(|route| *route != old);
        }
        if let Some(gateway) = subnet.gateway_ip
            && !routes.iter().any(|route| route.covers(&peer.cidr))
        {
            routes.push(Route::to(&peer.cidr, gateway));
        }
    }
    routes
}

/// The routes of `subnet` when `gone` is no more.
pub(crate) fn without(subnet: &Subnet, gone: &Cidr) -> Vec<Route> {
    let to_it = subnet.gateway_ip.map(|gateway| Route::to(gone, gateway));
    subnet.host_routes.iter().filter(|route| Some(*route) != to_it.as_ref()).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::{from_value, json};

    fn subnet(id: &str, segment: &str, cidr: &str, gateway: Option<&str>) -> Subnet {
        from_value(json!({
            "id": id, "network_id": "N", "cidr": cidr, "segment_id": segment, "gateway_ip": gateway,
        }))
        .unwrap()
    }

    fn route(destination: &str, nexthop: &str) -> Route {
        Route { destination: destination.into(), nexthop: nexthop.into() }
    }

    fn network() -> Vec<Subnet> {
        vec![
            subnet("a", "one", "10.1.0.0/24", Some("10.1.0.1")),
            subnet("b", "two", "10.2.0.0/24", Some("10.2.0.1")),
            subnet("c", "two", "10.3.0.0/24", Some("10.3.0.1")),
            subnet("six", "two", "fd00::/64", Some("fd00::1")),
        ]
    }

    #[test]
    fn hosts_reach_the_subnets_of_other_segments_by_their_gateway() {
        let all = network();
        let routes = calculated(&all[0], &[], &all, None);
        assert_eq!(routes, [route("10.2.0.0/24", "10.1.0.1"), route("10.3.0.0/24", "10.1.0.1")]);
        assert_eq!(calculated(&all[1], &[], &all, None), [route("10.1.0.0/24", "10.2.0.1")]);
        assert_eq!(calculated(&all[3], &[], &all, None), []);
        assert_eq!(calculated(&all[0], &routes, &all, None), routes);
    }

    #[test]
    fn a_route_that_was_given_is_enough() {
        let all = network();
        let given = [route("10.0.0.0/8", "10.1.0.9")];
        assert_eq!(calculated(&all[0], &given, &all, None), given);
        let no_gateway = subnet("a", "one", "10.1.0.0/24", None);
        assert_eq!(calculated(&no_gateway, &[], &all, None), []);
    }

    #[test]
    fn routes_follow_the_gateway() {
        let all = network();
        let had = [route("10.1.0.0/24", "10.2.0.1"), route("192.0.2.0/24", "10.2.0.7")];
        let moved = subnet("b", "two", "10.2.0.0/24", Some("10.2.0.99"));
        assert_eq!(
            calculated(&moved, &had, &all, Some("10.2.0.1".parse().unwrap())),
            [route("192.0.2.0/24", "10.2.0.7"), route("10.1.0.0/24", "10.2.0.99")]
        );
    }

    #[test]
    fn the_route_to_a_subnet_goes_with_it() {
        let mut left = subnet("a", "one", "10.1.0.0/24", Some("10.1.0.1"));
        left.host_routes = vec![route("10.2.0.0/24", "10.1.0.1"), route("10.9.0.0/24", "10.1.0.1")];
        let gone = Cidr::parse("10.2.0.0/24").unwrap();
        assert_eq!(without(&left, &gone), [route("10.9.0.0/24", "10.1.0.1")]);
    }
}
