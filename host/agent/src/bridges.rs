//! The bridges of a host, which drop what no flow lets through, and their ports:
//! the ends of patches between bridges, and of tunnels to other hosts.

use crate::ovsdb::{Client, Error};
use serde_json::{Value, json};

/// How long Open vSwitch may take to make a port, in milliseconds.
const PATIENCE_MS: u64 = 10_000;

/// What a port of a bridge is.
#[derive(Clone, Copy, Debug)]
pub enum Kind<'a> {
    /// One end of a patch, with the name of the other.
    Patch(&'a str),
    /// A tunnel (`vxlan`, `gre` or `geneve`) from an address to another; its
    /// key is set by flows.
    Tunnel(&'a str, &'a str, &'a str),
}

/// A pair of ports between a trunk's bridge and another: one in a VLAN of the
/// trunk's bridge, the other plugged in for the port that the VLAN is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joint {
    /// The trunk's bridge.
    pub bridge: String,
    /// The port on the other bridge.
    pub inner: String,
    /// The port on the trunk's bridge.
    pub outer: String,
    /// The resource that it is for: the id of a port.
    pub port_id: String,
    /// Its MAC address.
    pub mac: String,
    /// The VLAN on the trunk's bridge; 0 for what is in none.
    pub vlan: u16,
}

/// Makes a pair of ports, the inner one on this bridge; those that are there
/// become as wanted.
///
/// # Errors
/// The database's.
pub async fn join(database: &Client, bridge: &str, joint: &Joint) -> Result<(), Error> {
    let Joint { inner, outer, port_id, mac, vlan, .. } = joint;
    let ids = json!(["map", [["iface-id", port_id], ["attached-mac", mac]]]);
    let mut operations = Vec::new();
    for (bridge, name, peer, vlan) in
        [(bridge, inner, outer, None), (&joint.bridge, outer, inner, Some(vlan))]
    {
        let interface = json!({"name": name, "type": "patch", "options": ["map", [["peer", peer]]],
            "external_ids": ids});
        let mut port = json!({});
        if let Some(vlan) = vlan {
            port = json!({"vlan_mode": "access", "tag": vlan});
        }
        if rows(database, "Interface", name).await?.is_empty() {
            let (interface_id, id) = (format!("i{}", operations.len()), format!("p{}", operations.len()));
            if let Some(port) = port.as_object_mut() {
                port.insert("name".to_owned(), json!(name));
                port.insert("interfaces".to_owned(), json!(["named-uuid", interface_id]));
            }
            operations.extend([
                json!({"op": "insert", "table": "Interface", "uuid-name": interface_id, "row": interface}),
                json!({"op": "insert", "table": "Port", "uuid-name": id, "row": port}),
                json!({"op": "mutate", "table": "Bridge", "where": [["name", "==", bridge]],
                       "mutations": [["ports", "insert", ["named-uuid", id]]]}),
            ]);
        } else if vlan.is_some() {
            operations
                .push(json!({"op": "update", "table": "Port", "where": [["name", "==", name]], "row": port}));
        }
    }
    operations.push(reconfigure());
    database.transact(operations).await.map(drop)
}

/// Makes a bridge in secure mode, unless it is there, and waits until the
/// switch has it. `datapath` is Open vSwitch's `datapath_type`.
///
/// # Errors
/// The database's, and if the switch does not make it in 10 s.
pub async fn bridge(database: &Client, name: &str, datapath: &str) -> Result<(), Error> {
    if !exists(database, name).await? {
        database
            .transact(vec![
                json!({"op": "insert", "table": "Interface", "uuid-name": "i",
                       "row": {"name": name, "type": "internal"}}),
                json!({"op": "insert", "table": "Port", "uuid-name": "p",
                       "row": {"name": name, "interfaces": ["named-uuid", "i"]}}),
                json!({"op": "insert", "table": "Bridge", "uuid-name": "b",
                       "row": {"name": name, "ports": ["named-uuid", "p"]}}),
                json!({"op": "mutate", "table": "Open_vSwitch", "where": [],
                       "mutations": [["bridges", "insert", ["named-uuid", "b"]]]}),
                reconfigure(),
            ])
            .await?;
    }
    database
        .transact(vec![
            json!({"op": "update", "table": "Bridge", "where": [["name", "==", name]], "row": {
                "datapath_type": datapath, "fail_mode": "secure",
                "protocols": ["set", ["OpenFlow10", "OpenFlow13", "OpenFlow14", "OpenFlow15"]]}}),
            reconfigure(),
        ])
        .await?;
    ofport(database, name).await.map(drop)
}

/// Whether there is a bridge of that name.
///
/// # Errors
/// The database's.
pub async fn exists(database: &Client, name: &str) -> Result<bool, Error> {
    Ok(!rows(database, "Bridge", name).await?.is_empty())
}

/// Makes a port on a bridge, unless it is there, and answers its number. A port
/// of that name is given these options.
///
/// # Errors
/// The database's, and if the switch does not make it in 10 s.
pub async fn port(database: &Client, bridge: &str, name: &str, kind: Kind<'_>) -> Result<u16, Error> {
    let (kind, options) = match kind {
        Kind::Patch(peer) => ("patch", vec![["peer", peer]]),
        Kind::Tunnel(kind, local, remote) => (
            kind,
            vec![
                ["local_ip", local],
                ["remote_ip", remote],
                ["in_key", "flow"],
                ["out_key", "flow"],
                ["df_default", "true"],
            ],
        ),
    };
    let row = json!({"name": name, "type": kind, "options": ["map", options]});
    let mut operations = Vec::new();
    if rows(database, "Interface", name).await?.is_empty() {
        operations.extend([
            json!({"op": "insert", "table": "Interface", "uuid-name": "i", "row": row}),
            json!({"op": "insert", "table": "Port", "uuid-name": "p",
                   "row": {"name": name, "interfaces": ["named-uuid", "i"]}}),
            json!({"op": "mutate", "table": "Bridge", "where": [["name", "==", bridge]],
                   "mutations": [["ports", "insert", ["named-uuid", "p"]]]}),
        ]);
    } else {
        let options = json!({"type": kind, "options": ["map", options]});
        operations.push(
            json!({"op": "update", "table": "Interface", "where": [["name", "==", name]], "row": options}),
        );
    }
    operations.push(reconfigure());
    database.transact(operations).await?;
    ofport(database, name).await
}

/// Takes a port off a bridge, if it is there.
///
/// # Errors
/// The database's.
pub async fn remove_port(database: &Client, bridge: &str, name: &str) -> Result<(), Error> {
    let select =
        json!({"op": "select", "table": "Port", "where": [["name", "==", name]], "columns": ["_uuid"]});
    let results = database.transact(vec![select]).await?;
    let Some(id) = results.first().and_then(|result| result.pointer("/rows/0/_uuid")) else { return Ok(()) };
    database
        .transact(vec![
            json!({"op": "mutate", "table": "Bridge", "where": [["name", "==", bridge]],
                   "mutations": [["ports", "delete", id]]}),
            reconfigure(),
        ])
        .await
        .map(drop)
}

/// Puts ports into VLANs and notes of which network each is, so that an agent that
/// starts again finds the same: name, network, VLAN.
///
/// # Errors
/// The database's.
pub async fn tag(database: &Client, ports: &[(String, String, u16)]) -> Result<(), Error> {
    let update = |(name, network, vlan): &(String, String, u16)| {
        let noted = [["net_uuid", network.as_str()], ["tag", &vlan.to_string()]];
        json!({"op": "update", "table": "Port", "where": [["name", "==", name]],
               "row": {"tag": vlan, "other_config": ["map", noted]}})
    };
    let mut operations: Vec<Value> = ports.iter().map(update).collect();
    operations.push(reconfigure());
    database.transact(operations).await.map(drop)
}

async fn rows(database: &Client, table: &str, name: &str) -> Result<Vec<Value>, Error> {
    let select =
        json!({"op": "select", "table": table, "where": [["name", "==", name]], "columns": ["name"]});
    let mut results = database.transact(vec![select]).await?;
    match results.first_mut().and_then(|r| r.get_mut("rows")).map(Value::take) {
        Some(Value::Array(rows)) => Ok(rows),
        _ => Err(Error::Unexpected("a selection without rows".to_owned())),
    }
}

/// The number that the switch gave to an interface. The database itself waits
/// until there is one.
async fn ofport(database: &Client, name: &str) -> Result<u16, Error> {
    let chosen = json!([["name", "==", name]]);
    let results = database
        .transact(vec![
            json!({"op": "wait", "table": "Interface", "where": chosen, "columns": ["ofport"],
                   "until": "!=", "rows": [{"ofport": ["set", []]}], "timeout": PATIENCE_MS}),
            json!({"op": "select", "table": "Interface", "where": chosen, "columns": ["ofport"]}),
        ])
        .await?;
    let number = results.get(1).and_then(|r| r.pointer("/rows/0/ofport")).and_then(Value::as_i64);
    // -1 says that the switch could not make it.
    number
        .and_then(|n| u16::try_from(n).ok())
        .ok_or_else(|| Error::Unexpected(format!("the switch could not make {name}")))
}

fn reconfigure() -> Value {
    json!({"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": [["next_cfg", "+=", 1]]})
}
