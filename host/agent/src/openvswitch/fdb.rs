//! Where addresses are, as the server tells those who need to know (layer-2
//! population), so that nothing has to be flooded to find out.
//! In Neutron: `L2populationRpcCallBackTunnelMixin`.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The MAC address of the entry that says: this end has the network, so what is
/// meant for all of it goes there, too. In Neutron: `FLOODING_ENTRY`.
const ALL: &str = "00:00:00:00:00:00";

/// What is known of a network at the far end of a tunnel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// Whether what is meant for all of the network goes there.
    pub is_flooded: bool,
    /// What is there: MAC address (in lower case) and address.
    pub addresses: BTreeSet<(String, IpAddr)>,
}

impl End {
    fn is_empty(&self) -> bool {
        !self.is_flooded && self.addresses.is_empty()
    }

    fn set(&mut self, entry: &Value, is_there: bool) {
        let Some(mac) = entry.get(0).and_then(Value::as_str).map(str::to_lowercase) else { return };
        if mac == ALL {
            self.is_flooded = is_there;
            return;
        }
        let Some(ip) = entry.get(1).and_then(Value::as_str).and_then(|ip| ip.parse().ok()) else { return };
        match is_there {
            true => self.addresses.insert((mac, ip)),
            false => self.addresses.remove(&(mac, ip)),
        };
    }
}

/// All that is known, by network and the address where tunnels to it end.
#[derive(Clone, Debug, Default)]
pub struct Fdb(BTreeMap<String, BTreeMap<IpAddr, End>>);

impl Fdb {
    /// Takes over what a method of [`crate::news::FDB`] says; what is at `local`, where tunnels
    /// end here, is known better.
    pub fn apply(&mut self, method: &str, entries: &Value, local: IpAddr) {
        match method {
            "add_fdb_entries" | "remove_fdb_entries" => {
                for (network, told) in entries.as_object().into_iter().flatten() {
                    for (end, listed) in told.get("ports").and_then(Value::as_object).into_iter().flatten() {
                        self.set(network, end, listed, local, method == "add_fdb_entries");
                    }
                }
            }
            "update_fdb_entries" => {
                let changed = entries.get("chg_ip").and_then(Value::as_object);
                for (network, ends) in changed.into_iter().flatten() {
                    for (end, states) in ends.as_object().into_iter().flatten() {
                        for (state, is_there) in [("before", false), ("after", true)] {
                            if let Some(listed) = states.get(state) {
                                self.set(network, end, listed, local, is_there);
                            }
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn set(&mut self, network: &str, end: &str, listed: &Value, local: IpAddr, is_there: bool) {
        let Ok(ip) = end.parse::<IpAddr>() else { return };
        if ip == local {
            return;
        }
        let ends = self.0.entry(network.to_owned()).or_default();
        let known = ends.entry(ip).or_default();
        for entry in listed.as_array().into_iter().flatten() {
            known.set(entry, is_there);
        }
        if known.is_empty() {
            ends.remove(&ip);
        }
    }

    /// Only these networks are here any more: of one that comes back the server
    /// tells everything again.
    pub fn keep(&mut self, networks: &BTreeSet<&str>) {
        self.0.retain(|network, ends| networks.contains(network.as_str()) && !ends.is_empty());
    }

    /// Where a network is besides.
    pub fn ends(&self, network: &str) -> impl Iterator<Item = (&IpAddr, &End)> {
        self.0.get(network).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const LOCAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn entries(end: &str, listed: Value) -> Value {
        json!({"n": {"segment_id": 5, "network_type": "vxlan", "ports": {end: listed}}})
    }

    fn known(fdb: &Fdb) -> Vec<(String, bool, usize)> {
        fdb.ends("n").map(|(ip, end)| (ip.to_string(), end.is_flooded, end.addresses.len())).collect()
    }

    #[test]
    fn addresses_come_change_and_go() {
        let mut fdb = Fdb::default();
        let (all, one) = (json!([ALL, "0.0.0.0"]), json!(["FA:16:3e:00:00:01", "10.0.0.5"]));
        fdb.apply("add_fdb_entries", &entries("192.0.2.2", json!([all, one])), LOCAL);
        assert_eq!(known(&fdb), [("192.0.2.2".to_owned(), true, 1)]);
        let after = json!([["fa:16:3e:00:00:01", "10.0.0.6"], ["fa:16:3e:00:00:01", "fd00::6"]]);
        let change = json!({"chg_ip": {"n": {"192.0.2.2": {"before": [one], "after": after}}}});
        fdb.apply("update_fdb_entries", &change, LOCAL);
        let (_, end) = fdb.ends("n").next().unwrap();
        assert!(end.addresses.iter().all(|(mac, _)| mac == "fa:16:3e:00:00:01"));
        assert_eq!(
            end.addresses.iter().map(|(_, ip)| ip.to_string()).collect::<Vec<_>>(),
            ["10.0.0.6", "fd00::6"]
        );
        fdb.apply("remove_fdb_entries", &entries("192.0.2.2", after), LOCAL);
        assert_eq!(known(&fdb), [("192.0.2.2".to_owned(), true, 0)]);
        fdb.apply("remove_fdb_entries", &entries("192.0.2.2", json!([all])), LOCAL);
        assert_eq!(known(&fdb), []);
        fdb.apply("add_fdb_entries", &entries("192.0.2.1", json!([all])), LOCAL);
        assert_eq!(known(&fdb), [], "what is here is known");
        for odd in
            [json!(null), json!({"n": 5}), entries("x", json!([])), entries("192.0.2.3", json!([[1], "a"]))]
        {
            fdb.apply("add_fdb_entries", &odd, LOCAL);
        }
        assert_eq!(known(&fdb), []);
    }

    proptest! {
        #[test]
        fn what_was_added_and_removed_leaves_nothing(steps in prop::collection::vec((0_u8..3, 0_u8..3, any::<bool>()), 0..40)) {
            let mut fdb = Fdb::default();
            let mut there = BTreeSet::new();
            for (end, address, is_added) in steps {
                let listed = match address {
                    0 => json!([[ALL, "0.0.0.0"]]),
                    other => json!([["fa:16:3e:00:00:01", format!("10.0.0.{other}")]]),
                };
                let method = if is_added { "add_fdb_entries" } else { "remove_fdb_entries" };
                fdb.apply(method, &entries(&format!("192.0.2.{}", end + 2), listed), LOCAL);
                match is_added {
                    true => there.insert((end, address)),
                    false => there.remove(&(end, address)),
                };
            }
            let count: usize = fdb.ends("n").map(|(_, end)| end.addresses.len() + usize::from(end.is_flooded)).sum();
            prop_assert_eq!(count, there.len());
            prop_assert!(fdb.ends("n").all(|(_, end)| !end.is_empty()));
        }
    }
}
