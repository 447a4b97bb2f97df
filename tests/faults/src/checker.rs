//! Compares what the clients were told with what there is: rows, pools of
//! numbers, and the device.
//!
//! A function from values to violations, so that it can be shown to find what it
//! is there to find.

use crate::device::{Key, REFUSED};
use crate::ledger::{Fate, KINDS, Ledger, Record, base};
use crate::observed::Observed;
use ipnet::IpNet;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Violation {
    /// It was acknowledged and is not there.
    Lost(String),
    /// Its deletion was acknowledged, or its creation refused, and it is there.
    Risen(String),
    /// An acknowledged update is not there.
    Stale(String),
    /// Some of a bulk are there and some are not.
    Torn(String),
    /// A row that no whole request could have left.
    HalfMade(String),
    /// It is in the database and not, or not as it is, on the device.
    NotOnDevice(String),
    /// It is on the device and not in the database.
    OnlyOnDevice(String),
    /// A pool's taken numbers are not those that rows use.
    Leak(String),
    /// A client got an answer that nobody should get, or the device a request
    /// out of order.
    Outrage(String),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, which) = match self {
            Violation::Lost(which) => ("acknowledged and lost", which),
            Violation::Risen(which) => ("gone for its client, and there", which),
            Violation::Stale(which) => ("an acknowledged update is lost", which),
            Violation::Torn(which) => ("half of a bulk", which),
            Violation::HalfMade(which) => ("half made", which),
            Violation::NotOnDevice(which) => ("did not reach the device", which),
            Violation::OnlyOnDevice(which) => ("on the device and nowhere else", which),
            Violation::Leak(which) => ("leaked numbers", which),
            Violation::Outrage(which) => ("must not happen", which),
        };
        write!(f, "{what}: {which}")
    }
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_default()
}

fn rows<'a>(seen: &'a Observed, kind: &str) -> &'a [Value] {
    seen.rows.get(kind).map_or(&[], Vec::as_slice)
}

/// All violations, sorted.
pub fn check(ledger: &Ledger, seen: &Observed) -> Vec<Violation> {
    let mut found = Vec::new();
    promises(ledger, seen, &mut found);
    whole(seen, &mut found);
    device(seen, &mut found);
    pools(seen, &mut found);
    let unwanted = ledger.unwanted.iter().filter(|_| !ledger.database_was_away);
    let outrages = ledger.outrages.iter().chain(unwanted).chain(&seen.device.disorder);
    found.extend(outrages.map(|sentence| Violation::Outrage(sentence.clone())));
    found.sort();
    found
}

/// What clients were told is so.
fn promises(ledger: &Ledger, seen: &Observed, found: &mut Vec<Violation>) {
    let there = seen.by_base();
    let mut batches: BTreeMap<u64, Vec<(&String, &Record, bool)>> = BTreeMap::new();
    for (base, record) in &ledger.records {
        let row = there.get(base);
        batches.entry(record.batch).or_default().push((base, record, row.is_some()));
        let which = || format!("{} {base} ({})", record.kind, record.id.as_deref().unwrap_or("no id known"));
        match (record.created, record.deleted, row) {
            (Fate::Done, Fate::Unsent | Fate::Refused, None) => found.push(Violation::Lost(which())),
            (Fate::Done, Fate::Done, Some(_)) | (Fate::Refused, _, Some(_)) => {
                found.push(Violation::Risen(which()));
            }
            _ => {}
        }
        let Some((id, name)) = row else { continue };
        if record.created == Fate::Done && record.id.as_ref() != Some(id) {
            found.push(Violation::HalfMade(format!("{} has the id {id}", which())));
        }
        if *name != record.name && record.renaming.as_ref() != Some(name) {
            found.push(Violation::Stale(format!(
                "{} has the name {name} instead of {}",
                which(),
                record.name
            )));
        }
    }
    for members in batches.values() {
        let unknown = members.iter().all(|(_, record, _)| record.created == Fate::Unknown);
        let there = members.iter().filter(|(.., there)| *there).count();
        if unknown && there != 0 && there != members.len() {
            let names: Vec<String> =
                members.iter().map(|(base, _, there)| format!("{base}: {there}")).collect();
            found.push(Violation::Torn(names.join(", ")));
        }
    }
    for base in there.keys().filter(|base| !ledger.records.contains_key(*base)) {
        found.push(Violation::Risen(format!("{base}, which nobody has asked for lately")));
    }
}

/// Rows fit together.
fn whole(seen: &Observed, found: &mut Vec<Violation>) {
    let mut half = |what: String| found.push(Violation::HalfMade(what));
    let networks: BTreeSet<&str> = rows(seen, "networks").iter().map(|row| text(row, "id")).collect();
    let mut subnets: BTreeMap<&str, (&str, Option<IpNet>)> = BTreeMap::new();
    for row in rows(seen, "subnets") {
        let (id, network) = (text(row, "id"), text(row, "network_id"));
        subnets.insert(id, (network, text(row, "cidr").parse().ok()));
        if !networks.contains(network) {
            half(format!("subnet {id} is of network {network}, which is not there"));
        }
    }
    let mut used: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    let mut macs: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for row in rows(seen, "ports") {
        let (id, network, mac) = (text(row, "id"), text(row, "network_id"), text(row, "mac_address"));
        if !networks.contains(network) {
            half(format!("port {id} is of network {network}, which is not there"));
        }
        if let Some(other) = macs.insert((network, mac), id) {
            half(format!("ports {id} and {other} have the MAC address {mac}"));
        }
        for fixed in row["fixed_ips"].as_array().map_or(&[][..], Vec::as_slice) {
            let (subnet, address) = (text(fixed, "subnet_id"), text(fixed, "ip_address"));
            let fits = subnets.get(subnet).is_some_and(|(of, cidr)| {
                let inside = |address: IpAddr| cidr.is_some_and(|cidr| cidr.contains(&address));
                *of == network && address.parse().is_ok_and(inside)
            });
            if !fits {
                half(format!("port {id} has the address {address}, which is not of its subnet {subnet}"));
            }
            if let Some(other) = used.insert((subnet, address), id) {
                half(format!("ports {id} and {other} have the address {address}"));
            }
        }
    }
    let mut segments: BTreeMap<(&str, &str, String), &str> = BTreeMap::new();
    for row in rows(seen, "networks") {
        let (id, kind) = (text(row, "id"), text(row, "provider:network_type"));
        let segment = &row["provider:segmentation_id"];
        if segment.is_null() && TYPES.contains(&kind) {
            half(format!("network {id} has no segment"));
        }
        let key = (kind, text(row, "provider:physical_network"), segment.to_string());
        if !segment.is_null()
            && let Some(other) = segments.insert(key, id)
        {
            half(format!("networks {id} and {other} have the {kind} segment {segment}"));
        }
    }
}

/// The device has exactly what there is. What it refused and could not be undone
/// any more (the server died in between) waits, refused, for the operator.
fn device(seen: &Observed, found: &mut Vec<Violation>) {
    let mut known: BTreeSet<Key> = BTreeSet::new();
    for (kind, row) in KINDS.into_iter().flat_map(|kind| rows(seen, kind).iter().map(move |row| (kind, row)))
    {
        let (id, name) = (text(row, "id"), text(row, "name"));
        let key = (kind.to_owned(), id.to_owned());
        let refused = name.contains(REFUSED) && seen.refused.contains(id);
        match seen.device.present.get(&key) {
            None if !refused => found.push(Violation::NotOnDevice(format!("{kind} {name} ({id})"))),
            Some(body) if text(body, "name") != name => {
                found.push(Violation::NotOnDevice(format!(
                    "{kind} {id} is called {} there instead of {name}",
                    body["name"]
                )));
            }
            _ => {}
        }
        known.insert(key);
    }
    for (key, body) in seen.device.present.iter().filter(|(key, _)| !known.contains(*key)) {
        found.push(Violation::OnlyOnDevice(format!("{} {} ({})", key.0, body["name"], key.1)));
    }
}

/// Of each pool as many numbers are taken as rows use.
fn pools(seen: &Observed, found: &mut Vec<Violation>) {
    let mut addresses: BTreeMap<&str, i64> =
        rows(seen, "subnets").iter().map(|row| (text(row, "id"), 0)).collect();
    for port in rows(seen, "ports") {
        for fixed in port["fixed_ips"].as_array().map_or(&[][..], Vec::as_slice) {
            *addresses.entry(text(fixed, "subnet_id")).or_default() += 1;
        }
    }
    let mut segments: BTreeMap<&str, i64> = BTreeMap::new();
    for network in rows(seen, "networks") {
        *segments.entry(text(network, "provider:network_type")).or_default() += 1;
    }
    let mut unseen: BTreeSet<&str> = addresses.keys().copied().collect();
    let mut segments_taken: BTreeMap<&str, i64> = BTreeMap::new();
    for pool in &seen.pools {
        let taken = pool.size - pool.free;
        if let Some((id, used)) = addresses.iter().find(|(id, _)| pool.name.contains(**id)) {
            unseen.remove(id);
            if taken != *used {
                found.push(Violation::Leak(format!(
                    "of pool {} {taken} are taken and {used} used",
                    pool.name
                )));
            }
        } else if let Some(kind) = TYPES.into_iter().find(|kind| pool.name.contains(kind)) {
            *segments_taken.entry(kind).or_default() += taken;
        } else {
            found.push(Violation::Leak(format!("nobody owns the pool {}", pool.name)));
        }
    }
    for kind in TYPES {
        let count = |map: &BTreeMap<&str, i64>| map.get(kind).copied().unwrap_or_default();
        let (taken, used) = (count(&segments_taken), count(&segments));
        if taken != used {
            found.push(Violation::Leak(format!("of {kind} segments {taken} are taken and {used} used")));
        }
    }
    found.extend(unseen.into_iter().map(|id| Violation::Leak(format!("subnet {id} has no pool"))));
}

/// Types of networks that take their segments from pools.
const TYPES: [&str; 4] = ["vxlan", "vlan", "geneve", "gre"];

/// The constant part of a row's name.
pub(crate) fn base_of(row: &Value) -> &str {
    base(text(row, "name"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::Pool;
    use serde_json::json;

    /// A network, a subnet and a port that everyone agrees about.
    fn world() -> (Ledger, Observed) {
        let mut ledger = Ledger::default();
        for (kind, name, id) in [("networks", "n", "N"), ("subnets", "s", "S"), ("ports", "p", "P")] {
            ledger.creating(kind, &[name.to_owned()]);
            ledger.created(&[name.to_owned()], &[id.to_owned()]);
        }
        let network = json!({"id": "N", "name": "n", "provider:network_type": "vlan",
            "provider:physical_network": "physnet1", "provider:segmentation_id": 7});
        let subnet = json!({"id": "S", "name": "s", "network_id": "N", "cidr": "10.0.0.0/28"});
        let port = json!({"id": "P", "name": "p", "network_id": "N", "mac_address": "fa:16:3e:00:00:01",
            "fixed_ips": [{"subnet_id": "S", "ip_address": "10.0.0.5"}]});
        let mut seen = Observed::default();
        for (kind, row) in [("networks", network), ("subnets", subnet), ("ports", port)] {
            seen.device
                .present
                .insert((kind.to_owned(), text(&row, "id").to_owned()), json!({"name": row["name"]}));
            seen.rows.insert(kind.to_owned(), vec![row]);
        }
        seen.pools.push(Pool { name: "ml2/subnet/S/addresses".into(), size: 13, free: 12 });
        seen.pools.push(Pool { name: "type-vlan/physnet1".into(), size: 20, free: 19 });
        (ledger, seen)
    }

    #[track_caller]
    fn finds(ledger: &Ledger, seen: &Observed, wanted: fn(&Violation) -> bool) {
        let found = check(ledger, seen);
        assert!(found.iter().any(wanted), "{found:?}");
    }

    #[test]
    fn a_whole_world_has_no_violation() {
        let (ledger, seen) = world();
        assert_eq!(check(&ledger, &seen), []);
    }

    #[test]
    fn what_is_unknown_may_be_either_way() {
        let (mut ledger, mut seen) = world();
        ledger.creating("ports", &["q".to_owned()]);
        ledger.renaming("n", "n.1");
        assert_eq!(check(&ledger, &seen), []);
        ledger.deleted("p", Fate::Unknown);
        seen.rows.insert("ports".into(), vec![]);
        seen.device.present.retain(|key, _| key.0 != "ports");
        seen.pools[0].free = 13;
        seen.rows.get_mut("networks").unwrap()[0]["name"] = json!("n.1");
        seen.device.present.insert(("networks".into(), "N".into()), json!({"name": "n.1"}));
        assert_eq!(check(&ledger, &seen), []);
    }

    #[test]
    fn a_lost_row_a_risen_one_and_a_lost_update_are_found() {
        let (ledger, mut seen) = world();
        seen.rows.insert("ports".into(), vec![]);
        finds(&ledger, &seen, |v| matches!(v, Violation::Lost(_)));
        let (mut ledger, seen) = world();
        ledger.deleted("p", Fate::Done);
        finds(&ledger, &seen, |v| matches!(v, Violation::Risen(_)));
        ledger.records.remove("p");
        finds(&ledger, &seen, |v| matches!(v, Violation::Risen(_)));
        let (mut ledger, seen) = world();
        ledger.renaming("p", "p.1");
        ledger.renamed("p", true);
        finds(&ledger, &seen, |v| matches!(v, Violation::Stale(_)));
    }

    #[test]
    fn half_a_bulk_is_found() {
        let (mut ledger, seen) = world();
        ledger.records.remove("p");
        ledger.creating("ports", &["p".to_owned(), "q".to_owned()]);
        finds(&ledger, &seen, |v| matches!(v, Violation::Torn(_)));
    }

    #[test]
    fn rows_that_do_not_fit_together_are_found() {
        for (pointer, value) in [
            ("/network_id", json!("X")),
            ("/fixed_ips/0/ip_address", json!("10.0.9.5")),
            ("/fixed_ips/0/subnet_id", json!("X")),
        ] {
            let (ledger, mut seen) = world();
            *seen.rows.get_mut("ports").unwrap()[0].pointer_mut(pointer).unwrap() = value;
            finds(&ledger, &seen, |v| matches!(v, Violation::HalfMade(_)));
        }
    }

    #[test]
    fn a_device_that_has_less_more_or_something_else_is_found() {
        let (ledger, mut seen) = world();
        let port = ("ports".to_owned(), "P".to_owned());
        seen.device.present.insert(port.clone(), json!({"name": "p.0"}));
        finds(&ledger, &seen, |v| matches!(v, Violation::NotOnDevice(_)));
        seen.device.present.remove(&port);
        finds(&ledger, &seen, |v| matches!(v, Violation::NotOnDevice(_)));
        seen.device.present.insert(("ports".into(), "Q".into()), json!({"name": "q"}));
        finds(&ledger, &seen, |v| matches!(v, Violation::OnlyOnDevice(_)));
    }

    #[test]
    fn numbers_that_are_taken_and_not_used_or_used_and_not_taken_are_found() {
        for (pool, free) in [(0, 11), (0, 13), (1, 18), (1, 20)] {
            let (ledger, mut seen) = world();
            seen.pools[pool].free = free;
            finds(&ledger, &seen, |v| matches!(v, Violation::Leak(_)));
        }
        let (ledger, mut seen) = world();
        seen.pools.push(Pool { name: "ml2/subnet/gone".into(), size: 13, free: 13 });
        finds(&ledger, &seen, |v| matches!(v, Violation::Leak(_)));
    }
}
