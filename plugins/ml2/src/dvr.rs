//! What agents of distributed routers ask: the MAC address that each host sends
//! routed frames with, and what it has of a subnet. In Neutron: `DVRDbMixin`.

use crate::attribute::{filterable, shown};
use crate::document::{text, typed};
use crate::net::Mac;
use crate::ports::FixedIp;
use crate::rpc::{no_such_method, word};
use crate::{agents, owners, ports, subnets};
use hadron_sdk::manifest::{Collection, ConfigKey, Key, Validator};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Document, Error, Result, config, random, resources, rpc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What is understood.
pub(crate) const METHODS: [&str; 4] = [
    "get_dvr_mac_address_by_host",
    "get_dvr_mac_address_list",
    "get_ports_on_host_by_subnet",
    "get_subnet_for_dvr",
];

/// What of it changes nothing.
pub(crate) const READS: [&str; 3] =
    ["get_dvr_mac_address_list", "get_ports_on_host_by_subnet", "get_subnet_for_dvr"];

/// The private collection: the address of each host. In Neutron:
/// `dvr_host_macs`.
const COLLECTION: &str = "dvr_host_macs";

/// Where agents hear of them.
const UPDATED: &str = "q-agent-notifier-dvr-update";

const BASE_MAC: &str = "dvr_base_mac";
const FOR_DHCP: &str = "host_dvr_for_dhcp";
const DEFAULT_BASE: &str = "fa:16:3f:00:00:00";

/// Tries to find an address that no host has.
const TRIES: u32 = 16;

/// Configuration keys, with Neutron's names and defaults.
pub(crate) fn config() -> [ConfigKey; 2] {
    let key = |name: &str, description: &str, default: Value| ConfigKey {
        name: name.to_owned(),
        description: description.to_owned(),
        default,
    };
    [
        key(
            BASE_MAC,
            "first three octets of the MAC addresses that hosts of distributed routers get, or four where the fourth is not 00; not those of base_mac",
            json!(DEFAULT_BASE),
        ),
        key(FOR_DHCP, "whether distributed routers serve ports of DHCP agents on their hosts", json!(true)),
    ]
}

/// A host's address.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct HostMac {
    id: String,
    host: String,
    mac_address: String,
}

impl HostMac {
    fn shown(&self) -> Value {
        json!({"host": self.host, "mac_address": self.mac_address})
    }
}

/// The declaration of the rows.
pub(crate) fn collection() -> Collection {
    let key = |name: &str| Key { name: name.to_owned(), attributes: vec![name.to_owned()] };
    Collection {
        name: COLLECTION.to_owned(),
        member: "dvr_host_mac".to_owned(),
        private: true,
        attributes: ["host", "mac_address"]
            .map(|name| filterable(name, Validator::String { max: Some(255) }))
            .to_vec(),
        // Of two units that give a host an address, or two hosts the same, one is
        // run again.
        keys: ["host", "mac_address"].map(key).to_vec(),
        ..Collection::default()
    }
}

/// Answers an agent.
pub(crate) fn receive(method: &str, arguments: &Value) -> Result<Value> {
    match method {
        "get_dvr_mac_address_by_host" => of_host(word(arguments, "host")),
        "get_dvr_mac_address_list" => Ok(listed(&all()?)),
        "get_ports_on_host_by_subnet" => ports_on(word(arguments, "host"), word(arguments, "subnet")),
        "get_subnet_for_dvr" => subnet(arguments),
        other => Err(no_such_method(other)),
    }
}

fn all() -> Result<Vec<HostMac>> {
    store::find(COLLECTION, &Query::all().sort("host"))
}

fn listed(macs: &[HostMac]) -> Value {
    macs.iter().map(HostMac::shown).collect()
}

/// The address of a host; its first time it gets one, and all hear of it.
fn of_host(host: &str) -> Result<Value> {
    if host.is_empty() {
        return Ok(Value::Null);
    }
    let mut macs = all()?;
    if let Some(known) = macs.iter().find(|one| one.host == host) {
        return Ok(known.shown());
    }
    let base: String = config::or(BASE_MAC, DEFAULT_BASE.to_owned())?;
    let base = Mac::parse(&base).ok_or_else(|| {
        Error::internal(format!("the configuration key '{BASE_MAC}' is no MAC address: {base}"))
    })?;
    let taken: BTreeSet<&str> = macs.iter().map(|one| one.mac_address.as_str()).collect();
    let mut tries = (0..TRIES).map(|_| Mac::random(base, random::next()).to_string());
    let mac_address = tries.find(|mac| !taken.contains(mac.as_str())).ok_or_else(|| {
        Error::unavailable(
            "HostMacAddressGenerationFailure",
            format!("Unable to generate unique mac for host {host}."),
        )
    })?;
    let new = HostMac { id: random::uuid(), host: host.to_owned(), mac_address };
    store::insert(COLLECTION, &[&new])?;
    let answer = new.shown();
    macs.push(new);
    tell(&macs)?;
    Ok(answer)
}

fn tell(macs: &[HostMac]) -> Result<()> {
    if macs.is_empty() {
        return Ok(());
    }
    rpc::fanout(UPDATED, "dvr_mac_address_update", &json!({"dvr_macs": listed(macs)}))
}

/// Agents are gone: a host that has none any more needs no address. In Neutron:
/// `_delete_mac_associated_with_agent`.
pub(crate) fn hosts_gone(agents: &[Document]) -> Result<()> {
    let hosts: BTreeSet<&str> = agents.iter().map(|agent| text(agent, "host")).collect();
    let known: Vec<HostMac> = store::find(COLLECTION, &Query::all().any_of("host", hosts.iter().copied()))?;
    if known.is_empty() {
        return Ok(());
    }
    let left = agents::rows_of_hosts(hosts)?;
    let gone: Vec<String> = known
        .into_iter()
        .filter(|one| !left.iter().any(|agent| agent.host == one.host))
        .map(|one| one.id)
        .collect();
    if gone.is_empty() {
        return Ok(());
    }
    store::delete(COLLECTION, &gone)?;
    tell(&all()?)
}

/// Whether distributed routers serve a port on its host. In Neutron:
/// `is_dvr_serviced`.
fn is_served(owner: &str, for_dhcp: bool) -> bool {
    owner.starts_with("compute:") || owner == "trunk:subport" || for_dhcp && owner == owners::DHCP
}

/// Ports of a host that have an address of a subnet.
fn ports_on(host: &str, subnet: &str) -> Result<Value> {
    let for_dhcp = config::or(FOR_DHCP, true)?;
    let there = Query::all().equal("fixed_ips.subnet_id", subnet).equal("binding:host_id", host);
    let mut found: Vec<Document> = resources::find("ports", &there)?;
    found.retain(|port| is_served(text(port, "device_owner"), for_dhcp));
    let collection = ports::collection();
    Ok(found.into_iter().map(|port| Value::Object(shown(&collection, port))).collect())
}

/// A subnet, with the MAC address of its gateway: of the port that has the
/// router's address. Nothing where one of both is not there.
fn subnet(arguments: &Value) -> Result<Value> {
    let fixed_ips = arguments.get("fixed_ips").and_then(Value::as_array);
    let address = fixed_ips.and_then(|ips| ips.first()).map(FixedIp::deserialize).transpose()?;
    let id = address.as_ref().map_or(word(arguments, "subnet"), |ip| ip.subnet_id.as_str());
    let nothing = json!({});
    let found: Option<Document> = resources::get("subnets", id)?;
    let Some(subnet) = found else { return Ok(nothing) };
    let ip = match &address {
        Some(address) => address.ip_address.to_string(),
        None => typed::<Option<String>>(&subnet, "gateway_ip")?.unwrap_or_default(),
    };
    let of_gateway = Query::all().equal("fixed_ips.subnet_id", id).equal("fixed_ips.ip_address", ip);
    let gateway: Option<Document> = store::find("ports", &of_gateway.limit(1))?.pop();
    let Some(gateway) = gateway else { return Ok(nothing) };
    let mut answer = shown(&subnets::collection(), subnet);
    answer.insert("gateway_mac".to_owned(), json!(text(&gateway, "mac_address")));
    Ok(Value::Object(answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routers_serve_instances_sub_ports_and_dhcp_where_that_is_wanted() {
        for owner in ["compute:nova", "trunk:subport"] {
            assert!(is_served(owner, false));
        }
        assert!(is_served(owners::DHCP, true) && !is_served(owners::DHCP, false));
        assert!(!is_served("network:router_interface", true) && !is_served("", true));
    }
}
