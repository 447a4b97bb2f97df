//! Where tunnels of each type end: agents say so when they start, and learn of
//! all others. In Neutron: `TunnelRpcCallbackMixin`.

use crate::attribute::filterable;
use crate::rpc::{no_such_method, word};
use crate::segments::Types;
use hadron_sdk::manifest::{Collection, Key, Validator};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Document, Error, Result, random, rpc};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// What is understood.
pub(crate) const METHODS: [&str; 1] = ["tunnel_sync"];

const COLLECTION: &str = "tunnel_endpoints";

/// Where agents hear of others' ends.
const UPDATED: &str = "q-agent-notifier-tunnel-update";
/// Where they hear of ends that are no more.
const DELETED: &str = "q-agent-notifier-tunnel-delete";

/// An end of tunnels.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Endpoint {
    id: String,
    network_type: String,
    ip_address: IpAddr,
    /// None of an agent that does not say on which host it is.
    host: Option<String>,
}

/// The declaration of the rows.
pub(crate) fn collection() -> Collection {
    let word = |name: &str| filterable(name, Validator::String { max: Some(255) });
    Collection {
        name: COLLECTION.to_owned(),
        member: "tunnel_endpoint".to_owned(),
        private: true,
        attributes: vec![
            word("network_type"),
            word("ip_address"),
            hadron_sdk::manifest::Attribute { nullable: true, ..word("host") },
        ],
        keys: vec![Key {
            name: "end".to_owned(),
            attributes: vec!["network_type".to_owned(), "ip_address".to_owned()],
        }],
        ..Collection::default()
    }
}

/// Answers an agent.
pub(crate) fn receive(method: &str, arguments: &Value) -> Result<Value> {
    match method {
        "tunnel_sync" => sync(arguments),
        other => Err(no_such_method(other)),
    }
}

/// An agent's tunnels end here: all ends of that type.
fn sync(arguments: &Value) -> Result<Value> {
    let (ip, kind, host) =
        (word(arguments, "tunnel_ip"), word(arguments, "tunnel_type"), word(arguments, "host"));
    if ip.is_empty() {
        return Err(Error::invalid_input("Tunnel IP value needed by the ML2 plugin"));
    }
    let address: IpAddr =
        ip.parse().map_err(|_| Error::invalid_input(format!("Tunnel IP value {ip} is no address")))?;
    if kind.is_empty() {
        return Err(Error::invalid_input("Network type value needed by the ML2 plugin"));
    }
    if !Types::loaded()?.has_tunnels(kind) {
        return Err(Error::invalid_input(format!(
            "Network type value {kind} not supported, host: {host} with tunnel IP: {ip}"
        )));
    }
    let known: Vec<Endpoint> = store::find(COLLECTION, &Query::all().equal("network_type", kind))?;
    let host = Some(host).filter(|host| !host.is_empty());
    let stale = stale(&known, address, host);
    for (endpoint, is_told) in &stale {
        store::delete(COLLECTION, std::slice::from_ref(&endpoint.id))?;
        if *is_told {
            let gone = json!({"tunnel_ip": endpoint.ip_address, "tunnel_type": kind});
            rpc::fanout(DELETED, "tunnel_delete", &gone)?;
        }
    }
    let mut ends: Vec<&Endpoint> =
        known.iter().filter(|one| !stale.iter().any(|(gone, _)| gone.id == one.id)).collect();
    let new = Endpoint {
        id: random::uuid(),
        network_type: kind.to_owned(),
        ip_address: address,
        host: host.map(str::to_owned),
    };
    if !ends.iter().any(|one| one.ip_address == address) {
        store::insert(COLLECTION, &[&new])?;
        ends.push(&new);
    }
    rpc::fanout(UPDATED, "tunnel_update", &json!({"tunnel_ip": address, "tunnel_type": kind}))?;
    Ok(json!({"tunnels": ends.iter().map(|end| shown(end)).collect::<Vec<_>>()}))
}

/// Ends that are no more when this address is that host's, and whether agents
/// are told: not of an address that another host has now.
fn stale<'a>(known: &'a [Endpoint], address: IpAddr, host: Option<&str>) -> Vec<(&'a Endpoint, bool)> {
    let Some(host) = host else { return Vec::new() };
    known
        .iter()
        .filter(|one| (one.ip_address == address) != (one.host.as_deref() == Some(host)))
        .map(|one| (one, one.ip_address != address && !known.iter().any(|other| other.ip_address == address)))
        .collect()
}

fn shown(end: &Endpoint) -> Document {
    let mut shown = Document::new();
    shown.insert("ip_address".to_owned(), json!(end.ip_address));
    shown.insert("host".to_owned(), json!(end.host));
    let port = match end.network_type.as_str() {
        "vxlan" => Some(4789),
        "geneve" => Some(6081),
        _ => None,
    };
    if let Some(port) = port {
        shown.insert("udp_port".to_owned(), json!(port));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(ip: &str, host: Option<&str>) -> Endpoint {
        Endpoint {
            id: ip.to_owned(),
            network_type: "vxlan".to_owned(),
            ip_address: ip.parse().unwrap(),
            host: host.map(str::to_owned),
        }
    }

    fn gone(known: &[Endpoint], ip: &str, host: Option<&str>) -> Vec<(String, bool)> {
        let gone = stale(known, ip.parse().unwrap(), host);
        gone.into_iter().map(|(one, told)| (one.id.clone(), told)).collect()
    }

    #[test]
    fn a_host_has_one_end_and_an_end_one_host() {
        let known = [end("10.0.0.1", Some("a")), end("10.0.0.2", Some("b")), end("10.0.0.3", None)];
        assert_eq!(gone(&known, "10.0.0.1", Some("a")), []);
        assert_eq!(gone(&known, "10.0.0.4", Some("c")), []);
        assert_eq!(gone(&known, "10.0.0.4", None), []);
        // It got another address: others forget the old one.
        assert_eq!(gone(&known, "10.0.0.4", Some("a")), [("10.0.0.1".to_owned(), true)]);
        // It has another host's address now, and that host will say where it is.
        assert_eq!(
            gone(&known, "10.0.0.2", Some("a")),
            [("10.0.0.1".to_owned(), false), ("10.0.0.2".to_owned(), false)]
        );
        // It did not say before which host it is.
        assert_eq!(gone(&known, "10.0.0.3", Some("c")), [("10.0.0.3".to_owned(), false)]);
    }

    #[test]
    fn ends_are_shown_with_the_port_of_their_type() {
        assert_eq!(
            Value::Object(shown(&end("10.0.0.1", Some("a")))),
            json!({"ip_address": "10.0.0.1", "host": "a", "udp_port": 4789})
        );
        let gre = Endpoint { network_type: "gre".to_owned(), ..end("10.0.0.1", None) };
        assert_eq!(Value::Object(shown(&gre)), json!({"ip_address": "10.0.0.1", "host": null}));
    }
}
