//! What the switch has, kept as its database tells it.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Tables and columns that are looked at.
const COLUMNS: [(&str, &[&str]); 3] = [
    ("Bridge", &["name", "ports"]),
    ("Port", &["name", "interfaces", "tag", "other_config"]),
    ("Interface", &["name", "ofport", "external_ids", "type"]),
];

type Rows = BTreeMap<String, Map<String, Value>>;

/// A copy of the database, as far as it concerns the agent.
#[derive(Clone, Debug, Default)]
pub struct Switch {
    tables: BTreeMap<String, Rows>,
}

/// A port of a bridge with one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name, as `tap2d5b421d-07`.
    pub name: String,
    /// The switch's number of it; none while the switch has not made it, or
    /// cannot.
    pub number: Option<u16>,
    /// Whether the switch could not make it.
    pub has_failed: bool,
    /// The resource that it is for: the id of a port.
    pub port_id: Option<String>,
    /// The MAC address of what is plugged in.
    pub mac: Option<String>,
    /// The VLAN that it is in.
    pub vlan: Option<u16>,
    /// The network that an agent put it in.
    pub network_id: Option<String>,
}

impl Switch {
    /// What the database is asked to tell of.
    #[must_use]
    pub fn monitored() -> Value {
        COLUMNS.iter().map(|(table, columns)| ((*table).to_owned(), json!({ "columns": columns }))).collect()
    }

    /// Takes over what changed. `updates` is RFC 7047's `<table-updates>`.
    pub fn apply(&mut self, updates: &Value) {
        for (table, rows) in updates.as_object().into_iter().flatten() {
            let known = self.tables.entry(table.clone()).or_default();
            for (id, update) in rows.as_object().into_iter().flatten() {
                match update.get("new").and_then(Value::as_object) {
                    Some(row) => drop(known.insert(id.clone(), row.clone())),
                    None => drop(known.remove(id)),
                }
            }
        }
    }

    fn rows(&self, table: &str) -> impl Iterator<Item = (&String, &Map<String, Value>)> {
        self.tables.get(table).into_iter().flatten()
    }

    /// The bridges' names.
    pub fn bridges(&self) -> impl Iterator<Item = &str> {
        self.rows("Bridge").filter_map(|(_, row)| row.get("name").and_then(Value::as_str))
    }

    /// The interfaces of a bridge.
    #[must_use]
    pub fn interfaces(&self, bridge: &str) -> Vec<Interface> {
        let bridge =
            self.rows("Bridge").find(|(_, row)| row.get("name").and_then(Value::as_str) == Some(bridge));
        let ports = bridge.map(|(_, row)| ids(row.get("ports"))).unwrap_or_default();
        let of = |table: &str, id: &str| self.tables.get(table).and_then(|rows| rows.get(id));
        let mut interfaces = Vec::with_capacity(ports.len());
        for port in ports.iter().filter_map(|id| of("Port", id)) {
            for row in ids(port.get("interfaces")).iter().filter_map(|id| of("Interface", id)) {
                interfaces.push(interface(port, row));
            }
        }
        interfaces
    }
}

fn interface(port: &Map<String, Value>, row: &Map<String, Value>) -> Interface {
    let number = row.get("ofport").and_then(Value::as_i64);
    let vlan = port.get("tag").and_then(Value::as_u64);
    Interface {
        name: row.get("name").and_then(Value::as_str).unwrap_or_default().to_owned(),
        number: number.and_then(|number| u16::try_from(number).ok()),
        has_failed: number == Some(-1),
        port_id: member(row.get("external_ids"), "iface-id"),
        mac: member(row.get("external_ids"), "attached-mac"),
        vlan: vlan.and_then(|vlan| u16::try_from(vlan).ok()),
        network_id: member(port.get("other_config"), "net_uuid"),
    }
}

/// The ids in a column: one, or a set of them.
fn ids(column: Option<&Value>) -> Vec<String> {
    let pair = column.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    match pair {
        [kind, Value::String(id)] if kind == "uuid" => vec![id.clone()],
        [kind, Value::Array(set)] if kind == "set" => set.iter().flat_map(|one| ids(Some(one))).collect(),
        _ => Vec::new(),
    }
}

/// The value of a key in a column that is a map.
fn member(column: Option<&Value>, key: &str) -> Option<String> {
    let pairs = column?.as_array()?.get(1)?.as_array()?;
    let pair = pairs.iter().find(|pair| pair.get(0).and_then(Value::as_str) == Some(key))?;
    pair.get(1)?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_follows_the_database() {
        let mut switch = Switch::default();
        switch.apply(&json!({
            "Bridge": {"b": {"new": {"name": "br-int", "ports": ["set", [["uuid", "p"], ["uuid", "q"]]]}},
                       "c": {"new": {"name": "br-tun", "ports": ["set", []]}}},
            "Port": {"p": {"new": {"name": "tap", "interfaces": ["uuid", "i"], "tag": ["set", []],
                                   "other_config": ["map", []]}}},
            "Interface": {"i": {"new": {"name": "tap", "ofport": ["set", []], "type": "",
                "external_ids": ["map", [["iface-id", "x"], ["attached-mac", "m"]]]}}},
        }));
        let tap = Interface {
            name: "tap".to_owned(),
            number: None,
            has_failed: false,
            port_id: Some("x".to_owned()),
            mac: Some("m".to_owned()),
            vlan: None,
            network_id: None,
        };
        assert_eq!(switch.interfaces("br-int"), std::slice::from_ref(&tap));
        assert_eq!(switch.interfaces("br-tun"), []);
        switch.apply(&json!({
            "Port": {"p": {"old": {"tag": ["set", []]}, "new": {"name": "tap", "interfaces": ["uuid", "i"],
                "tag": 5, "other_config": ["map", [["net_uuid", "n"]]]}}},
            "Interface": {"i": {"old": {"ofport": ["set", []]}, "new": {"name": "tap", "ofport": 7, "type": "",
                "external_ids": ["map", [["iface-id", "x"]]]}}},
        }));
        let wired = Interface {
            number: Some(7),
            vlan: Some(5),
            network_id: Some("n".to_owned()),
            mac: None,
            ..tap.clone()
        };
        assert_eq!(switch.interfaces("br-int"), [wired]);
        switch.apply(
            &json!({"Interface": {"i": {"new": {"name": "tap", "ofport": -1, "external_ids": ["map", []]}}}}),
        );
        let failed = &switch.interfaces("br-int")[0];
        assert!(failed.has_failed && failed.number.is_none() && failed.port_id.is_none());
        switch.apply(&json!({"Interface": {"i": {"old": {"name": "tap"}}}}));
        assert_eq!(switch.interfaces("br-int"), []);
    }
}
