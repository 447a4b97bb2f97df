//! What hosts have, drawn for people: bridges, what is in them, and how many flows.

use crate::Host;
use anyhow::{Context, Result};
use hadron_agent::ovsdb::Client;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

type Row = Map<String, Value>;

/// Draws a host. `labels` say what is behind an interface, by the id of its port.
pub async fn picture(name: &str, host: &Host, labels: &BTreeMap<String, String>) -> Result<String> {
    let database = Client::connect(&host.run_folder().join("db.sock")).await?;
    let select = |table: &str| json!({"op": "select", "table": table, "where": []});
    let tables = database.transact(["Bridge", "Port", "Interface"].map(select).to_vec()).await?;
    let [mut bridges, ports, interfaces] =
        [0, 1, 2].map(|table| rows(tables.get(table).unwrap_or(&Value::Null)));
    bridges.sort_by_key(|bridge| word(bridge, "name"));
    let mut drawn = format!("host {name}\n");
    let last = bridges.len();
    for (place, bridge) in bridges.iter().enumerate() {
        let title = word(bridge, "name");
        let flows = host.flows(&title).lines().filter(|line| line.contains("cookie=")).count();
        let mode = if word(bridge, "fail_mode") == "secure" { "secure, " } else { "" };
        let (branch, stem) = if place + 1 == last { ("└─", "  ") } else { ("├─", "│ ") };
        writeln!(drawn, "{branch} {title} ({mode}{flows} flows)")?;
        let mut inside: Vec<(u64, String)> = Vec::new();
        for port in referred(bridge, "ports", &ports) {
            for interface in referred(port, "interfaces", &interfaces) {
                let number = interface.get("ofport").and_then(Value::as_u64);
                // A bridge's own port tells nothing.
                if word(interface, "name") != title {
                    inside.push((number.unwrap_or(u64::MAX), drawn_interface(port, interface, labels)));
                }
            }
        }
        inside.sort();
        let end = inside.len();
        for (place, (number, text)) in inside.iter().enumerate() {
            let branch = if place + 1 == end { "└─" } else { "├─" };
            let number = Some(*number).filter(|n| *n != u64::MAX).map_or("?".to_owned(), |n| n.to_string());
            writeln!(drawn, "{stem}   {branch} {number:>3} {text}")?;
        }
    }
    Ok(drawn)
}

fn drawn_interface(port: &Row, interface: &Row, labels: &BTreeMap<String, String>) -> String {
    let name = word(interface, "name");
    let option = |key: &str| member(interface, "options", key).unwrap_or_default();
    let vlan = port.get("tag").and_then(Value::as_u64).map(|tag| format!(", VLAN {tag}")).unwrap_or_default();
    match word(interface, "type").as_str() {
        "patch" => format!("{name} ═══ {}", option("peer")),
        kind @ ("vxlan" | "gre" | "geneve") => {
            format!("{name} ··· {kind} {} → {}", option("local_ip"), option("remote_ip"))
        }
        _ => match member(interface, "external_ids", "iface-id") {
            Some(id) => {
                let label = labels.get(&id).map(|label| format!(", {label}")).unwrap_or_default();
                format!("{name} ─── port {}{vlan}{label}", id.get(..8).unwrap_or(&id))
            }
            None => format!("{name} ─── the host's own{vlan}"),
        },
    }
}

fn rows(result: &Value) -> Vec<Row> {
    let rows = result.get("rows").and_then(Value::as_array).into_iter().flatten();
    rows.filter_map(|row| row.as_object().cloned()).collect()
}

fn word(row: &Row, column: &str) -> String {
    row.get(column).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The value of a key in a column that is a map (RFC 7047, 5.1).
fn member(row: &Row, column: &str, key: &str) -> Option<String> {
    let pairs = row.get(column)?.get(1)?.as_array()?;
    let pair = pairs.iter().find(|pair| pair.get(0).and_then(Value::as_str) == Some(key))?;
    pair.get(1)?.as_str().map(str::to_owned)
}

/// The rows that a column refers to: one, or a set of them.
fn referred<'a>(row: &Row, column: &str, among: &'a [Row]) -> Vec<&'a Row> {
    let column = row.get(column).cloned().unwrap_or_default();
    let one = column.get(0).and_then(Value::as_str) == Some("uuid");
    let ids =
        if one { vec![column] } else { column.get(1).and_then(Value::as_array).cloned().unwrap_or_default() };
    among.iter().filter(|row| row.get("_uuid").is_some_and(|id| ids.contains(id))).collect()
}

/// What each host is called and has, one under the other.
pub async fn pictures(hosts: &[(&str, &Host)], labels: &BTreeMap<String, String>) -> Result<String> {
    let mut all = String::new();
    for (name, host) in hosts {
        let drawn = picture(name, host, labels).await.with_context(|| format!("host {name}"))?;
        writeln!(all, "{drawn}")?;
    }
    Ok(all)
}
