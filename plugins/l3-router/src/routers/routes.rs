//! Extra routes: what is written in a router's table besides what follows from its
//! interfaces. In Neutron: `ExtraRoute_dbonly_mixin`.

use crate::errors;
use hadron_sdk::Result;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

/// A way to somewhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Route {
    pub(crate) destination: String,
    pub(crate) nexthop: IpAddr,
}

/// Routes as Neutron's messages show them.
pub(crate) struct Shown<'a>(pub(crate) &'a [Route]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |route: &Route| {
            format!("{{'destination': '{}', 'nexthop': '{}'}}", route.destination, route.nexthop)
        };
        write!(f, "[{}]", self.0.iter().map(shown).collect::<Vec<_>>().join(", "))
    }
}

/// These and those, each once.
pub(crate) fn with(routes: &[Route], added: &[Route]) -> Vec<Route> {
    let mut all: Vec<Route> = Vec::with_capacity(routes.len() + added.len());
    for route in routes.iter().chain(added) {
        if !all.contains(route) {
            all.push(route.clone());
        }
    }
    all
}

/// These without those; one that is not there is no mistake.
pub(crate) fn without(routes: &[Route], removed: &[Route]) -> Vec<Route> {
    routes.iter().filter(|route| !removed.contains(route)).cloned().collect()
}

/// Each leads over a neighbour that is not the router itself: `cidrs` are those of
/// the router's ports, `own` its addresses. In Neutron: `_validate_routes`.
pub(crate) fn check(routes: &[Route], cidrs: &[IpNet], own: &[IpAddr]) -> Result<()> {
    for route in routes {
        if !cidrs.iter().any(|cidr| cidr.contains(&route.nexthop)) {
            let reason = "the nexthop is not connected with router";
            return Err(errors::invalid_routes(Shown(routes), reason));
        }
        if own.contains(&route.nexthop) {
            return Err(errors::invalid_routes(Shown(routes), "the nexthop is used by router"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn route(destination: u8, hop: u8) -> Route {
        Route { destination: format!("10.{destination}.0.0/16"), nexthop: IpAddr::from([192, 0, 2, hop]) }
    }

    fn routes() -> impl Strategy<Value = Vec<Route>> {
        prop::collection::vec((0_u8..4, 0_u8..4).prop_map(|(to, hop)| route(to, hop)), 0..8)
    }

    proptest! {
        #[test]
        fn what_is_added_and_removed_again_leaves_the_rest(own in routes(), others in routes()) {
            let own = with(&[], &own);
            let both = with(&own, &others);
            prop_assert!(own.iter().chain(&others).all(|route| both.contains(route)));
            prop_assert_eq!(with(&both, &others), both.clone());
            let left = without(&both, &others);
            prop_assert!(left.iter().all(|route| own.contains(route) && !others.contains(route)));
            prop_assert_eq!(left, without(&own, &others));
        }
    }

    #[test]
    fn a_way_leads_over_a_neighbour() {
        let cidrs = ["192.0.2.0/24".parse().unwrap()];
        let own = [IpAddr::from([192, 0, 2, 1])];
        let kind =
            |route: Route| check(&[route], &cidrs, &own).map_err(|error| error.fault().message.clone());
        assert_eq!(kind(route(1, 2)), Ok(()));
        let shown = |hop: &str| {
            format!("Invalid format for routes: [{{'destination': '10.1.0.0/16', 'nexthop': '{hop}'}}], ")
        };
        assert_eq!(kind(route(1, 1)), Err(shown("192.0.2.1") + "the nexthop is used by router"));
        let away = Route { nexthop: IpAddr::from([198, 51, 100, 1]), ..route(1, 1) };
        assert_eq!(kind(away), Err(shown("198.51.100.1") + "the nexthop is not connected with router"));
    }
}
