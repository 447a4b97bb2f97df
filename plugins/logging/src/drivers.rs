//! What the machinery that writes logs can do. In Neutron: drivers of the
//! logging service.

use hadron_sdk::{Error, Result, config};
use std::collections::BTreeSet;

/// The configuration key with the names of drivers.
pub(crate) const KEY: &str = "drivers";
/// What security groups are called here.
pub(crate) const SECURITY_GROUP: &str = "security_group";

/// Interface types of ports that are plugged in nowhere.
const UNPLUGGED: [&str; 3] = ["", "unbound", "binding_failed"];

/// A driver: which ports it serves, and what it logs of them.
#[derive(Debug)]
struct Driver {
    name: &'static str,
    vif_types: &'static [&'static str],
    vnic_types: &'static [&'static str],
    types: &'static [&'static str],
}

/// All that are known, named after the mechanism drivers beside them.
static KNOWN: [Driver; 2] = [
    Driver {
        name: "openvswitch",
        vif_types: &["ovs", "vhostuser"],
        vnic_types: &["normal"],
        types: &[SECURITY_GROUP],
    },
    Driver {
        name: "ovn",
        vif_types: &["ovs", "vhostuser"],
        vnic_types: &["normal", "direct"],
        types: &[SECURITY_GROUP],
    },
];

/// The drivers that the operator has.
#[derive(Debug)]
pub(crate) struct Drivers(Vec<&'static Driver>);

impl Drivers {
    /// As the configuration names them.
    pub(crate) fn configured() -> Result<Drivers> {
        Drivers::named(&config::or(KEY, vec!["openvswitch".to_owned()])?)
    }

    fn named(names: &[String]) -> Result<Drivers> {
        let known = |name: &String| {
            KNOWN.iter().find(|driver| driver.name == name).ok_or_else(|| {
                let known: Vec<&str> = KNOWN.iter().map(|driver| driver.name).collect();
                Error::internal(format!("'{name}' in {KEY} is none of {}", known.join(", ")))
            })
        };
        names.iter().map(known).collect::<Result<Vec<_>>>().map(Drivers)
    }

    /// What can be logged, sorted.
    pub(crate) fn types(&self) -> BTreeSet<&'static str> {
        self.0.iter().flat_map(|driver| driver.types).copied().collect()
    }

    /// Whether one of them logs this of a port with such a network card.
    pub(crate) fn log(&self, kind: &str, vnic_type: &str, vif_type: &str) -> bool {
        self.0.iter().any(|driver| {
            let serves = match UNPLUGGED.contains(&vif_type) {
                true => driver.vnic_types.contains(&vnic_type),
                false => driver.vif_types.contains(&vif_type),
            };
            serves && driver.types.contains(&kind)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_logs_for_the_ports_that_it_serves() {
        let drivers = Drivers::named(&["openvswitch".to_owned()]).unwrap();
        assert!(drivers.log(SECURITY_GROUP, "normal", "unbound"));
        assert!(drivers.log(SECURITY_GROUP, "direct", "ovs"));
        assert!(!drivers.log(SECURITY_GROUP, "direct", "unbound"));
        assert!(!drivers.log(SECURITY_GROUP, "normal", "bridge"));
        assert!(!drivers.log("firewall_group", "normal", "ovs"));
        assert_eq!(drivers.types().into_iter().collect::<Vec<_>>(), [SECURITY_GROUP]);
        assert!(Drivers::named(&[]).unwrap().types().is_empty());
        assert!(Drivers::named(&["x".to_owned()]).is_err());
    }
}
