//! The bridges of a host and the flows they begin with: the integration
//! bridge, which drops what no flow lets through, and the tunnel bridge, joined
//! to it by a pair of patch ports. Tables have Neutron's numbers.

use crate::openflow::Flow;
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

/// Makes a bridge in secure mode, unless it is there, and waits until the
/// switch has it. `datapath` is Open vSwitch's `datapath_type`.
///
/// # Errors
/// The database's, and if the switch does not make it in 10 s.
pub async fn bridge(database: &Client, name: &str, datapath: &str) -> Result<(), Error> {
    if rows(database, "Bridge", name).await?.is_empty() {
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

/// What the integration bridge begins with: what comes from no known port is
/// switched normally only in table 60, and spoofing tables drop.
#[must_use]
pub fn integration(cookie: u64) -> Vec<Flow> {
    let flow = |table, priority, matching: &str, actions: &str| Flow {
        table,
        priority,
        cookie,
        matching: matching.to_owned(),
        actions: actions.to_owned(),
    };
    vec![
        // Ports that have no local VLAN yet are tagged with 4095.
        flow(0, 65535, "dl_vlan=4095", "drop"),
        flow(0, 0, "", "resubmit(,60)"),
        flow(23, 0, "", "drop"),
        flow(24, 0, "", "drop"),
        flow(60, 3, "", "NORMAL"),
    ]
}

/// What the tunnel bridge begins with, `patch` being the number of its port
/// towards the integration bridge: known addresses go one way, all others are
/// flooded, and where an address is is learnt from what it sends.
#[must_use]
pub fn tunnel(cookie: u64, patch: u16) -> Vec<Flow> {
    let flow = |table, priority, matching: &str, actions: String| Flow {
        table,
        priority,
        cookie,
        matching: matching.to_owned(),
        actions,
    };
    let learn = format!(
        "learn(table=20,hard_timeout=300,priority=1,cookie={cookie:#x},NXM_OF_VLAN_TCI[0..11],\
         NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:0->NXM_OF_VLAN_TCI[],\
         load:NXM_NX_TUN_ID[]->NXM_NX_TUN_ID[],output:NXM_OF_IN_PORT[]),output:{patch}"
    );
    let mut flows = vec![
        flow(0, 1, &format!("in_port={patch}"), "resubmit(,2)".to_owned()),
        flow(0, 0, "", "drop".to_owned()),
        flow(2, 0, "dl_dst=00:00:00:00:00:00/01:00:00:00:00:00", "resubmit(,20)".to_owned()),
        flow(2, 0, "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00", "resubmit(,22)".to_owned()),
        flow(10, 1, "", learn),
        flow(20, 0, "", "resubmit(,22)".to_owned()),
        flow(21, 0, "", "resubmit(,22)".to_owned()),
        flow(22, 0, "", "drop".to_owned()),
    ];
    // One for each kind of tunnel: GRE, VXLAN, Geneve.
    flows.extend([3, 4, 6].map(|table| flow(table, 0, "", "drop".to_owned())));
    flows
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
