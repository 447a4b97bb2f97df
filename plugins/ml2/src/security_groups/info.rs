//! What agents ask that filter packets and do not keep copies of groups and
//! rules. In Neutron: `SecurityGroupServerRpcCallback`.

use super::COLLECTION;
use crate::attribute::shown;
use crate::document::{flag, set, text, typed};
use crate::rpc::{no_such_method, word};
use crate::{address_groups, devices, owners, ports, security_group_rules};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Document, Result};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// What is understood; it changes nothing.
pub(crate) const METHODS: [&str; 1] = ["security_group_info_for_devices"];

/// Answers one of them.
pub(crate) fn receive(method: &str, arguments: &Value) -> Result<Value> {
    match method {
        "security_group_info_for_devices" => info(arguments),
        other => Err(no_such_method(other)),
    }
}

/// The version of the call from which on members are told with MAC addresses.
const WITH_MACS: (u32, u32) = (1, 3);

/// The version that an agent speaks that does not say.
const UNSAID: (u32, u32) = (1, 2);

fn version(said: &str) -> (u32, u32) {
    let parsed =
        said.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    parsed.unwrap_or(UNSAID)
}

/// Devices, what their groups let through, and the addresses that rules mean by
/// other groups: five queries, however many devices there are.
fn info(arguments: &Value) -> Result<Value> {
    let mut devices = devices::ports(arguments.get("devices"))?;
    // What is the network's own is trusted. In Neutron: `is_port_trusted`.
    devices.retain(|(_, port)| !text(port, "device_owner").starts_with(owners::NETWORK_PREFIX));
    let mut ids: BTreeSet<String> = BTreeSet::new();
    for (_, port) in &devices {
        ids.extend(typed::<Vec<String>>(port, "security_groups")?);
    }
    let rules = rows(security_group_rules::COLLECTION, "security_group_id", &ids)?;
    let groups = rows(COLLECTION, "id", &ids)?;
    let (of_groups, of_addresses) =
        (Remotes::of(&rules, "remote_group_id"), Remotes::of(&rules, "remote_address_group_id"));
    let members = rows("ports", "security_groups.value", &of_groups.ids())?;
    let addresses = rows(address_groups::COLLECTION, "id", &of_addresses.ids())?;

    let mut known = of_groups.members(&members)?;
    known.extend(of_addresses.addresses(&addresses)?);
    let has_macs = version(word(arguments, "call_version")) >= WITH_MACS;
    Ok(json!({
        "devices": told_devices(devices, &rules)?,
        "security_groups": told_rules(&ids, &groups, &rules),
        "sg_member_ips": known.iter().map(|(id, known)| (id.clone(), written(known, has_macs))).collect::<BTreeMap<_, _>>(),
    }))
}

fn rows(collection: &str, attribute: &str, values: &BTreeSet<String>) -> Result<Vec<Document>> {
    match values.is_empty() {
        true => Ok(Vec::new()),
        false => store::find(collection, &Query::all().any_of(attribute, values.iter().cloned())),
    }
}

/// An address, and the MAC address in front of it where only that one may be.
type Member = (String, Option<String>);

/// Those of a group, by family (`IPv4`, `IPv6`).
type Members = BTreeMap<String, BTreeSet<Member>>;

fn family(address: &str) -> &'static str {
    if address.contains(':') { "IPv6" } else { "IPv4" }
}

/// Groups that rules are about, each with the families of those rules.
struct Remotes(BTreeMap<String, BTreeSet<String>>);

impl Remotes {
    fn of(rules: &[Document], attribute: &str) -> Remotes {
        let mut remotes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for rule in rules.iter().filter(|rule| set(rule, attribute).is_some()) {
            let families = remotes.entry(text(rule, attribute).to_owned()).or_default();
            families.insert(text(rule, "ethertype").to_owned());
        }
        Remotes(remotes)
    }

    fn ids(&self) -> BTreeSet<String> {
        self.0.keys().cloned().collect()
    }

    /// Of each group what of these it has, of the families that rules are about.
    fn sorted(&self, found: impl Iterator<Item = (String, Member)>) -> BTreeMap<String, Members> {
        let of_rules = |families: &BTreeSet<String>| -> Members {
            families.iter().map(|family| (family.clone(), BTreeSet::new())).collect()
        };
        let mut known: BTreeMap<String, Members> =
            self.0.iter().map(|(id, families)| (id.clone(), of_rules(families))).collect();
        for (id, member) in found {
            let of_group = known.get_mut(&id).and_then(|members| members.get_mut(family(&member.0)));
            if let Some(members) = of_group {
                members.insert(member);
            }
        }
        known
    }

    /// The addresses of these ports, and those that are allowed them besides. In
    /// Neutron: `_select_ips_for_remote_group`.
    fn members(&self, ports: &[Document]) -> Result<BTreeMap<String, Members>> {
        let mut found = Vec::new();
        for port in ports {
            let own = items(port, "fixed_ips").map(|ip| (word(ip, "ip_address").to_owned(), None));
            let pairs = items(port, "allowed_address_pairs").map(|pair| {
                (word(pair, "ip_address").to_owned(), Some(word(pair, "mac_address").to_owned()))
            });
            let members: Vec<Member> = own.chain(pairs).collect();
            for group in typed::<Vec<String>>(port, "security_groups")? {
                found.extend(members.iter().map(|member| (group.clone(), member.clone())));
            }
        }
        Ok(self.sorted(found.into_iter()))
    }

    /// What these address groups list.
    fn addresses(&self, groups: &[Document]) -> Result<BTreeMap<String, Members>> {
        let mut found = Vec::new();
        for group in groups {
            let id = text(group, "id");
            let listed: Vec<String> = typed(group, "addresses")?;
            found.extend(listed.into_iter().map(|address| (id.to_owned(), (address, None))));
        }
        Ok(self.sorted(found.into_iter()))
    }
}

fn items<'a>(document: &'a Document, name: &str) -> impl Iterator<Item = &'a Value> {
    document.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn written(members: &Members, has_macs: bool) -> Value {
    match has_macs {
        true => json!(members),
        false => {
            let addresses = |members: &BTreeSet<Member>| -> BTreeSet<String> {
                members.iter().map(|(address, _)| address.clone()).collect()
            };
            members.iter().map(|(family, members)| (family.clone(), json!(addresses(members)))).collect()
        }
    }
}

/// Devices by their ports' ids.
fn told_devices(devices: Vec<(String, Document)>, rules: &[Document]) -> Result<Document> {
    #[derive(Deserialize)]
    struct Address {
        ip_address: String,
    }
    let collection = ports::collection();
    let mut told = Document::new();
    for (device, port) in devices {
        let groups: Vec<String> = typed(&port, "security_groups")?;
        let own: Vec<&Document> = rules
            .iter()
            .filter(|rule| groups.iter().any(|id| id == text(rule, "security_group_id")))
            .collect();
        let remote = |attribute: &str| -> Vec<&str> {
            let mut ids = Vec::new();
            for id in own.iter().map(|rule| text(rule, attribute)).filter(|id| !id.is_empty()) {
                if !ids.contains(&id) {
                    ids.push(id);
                }
            }
            ids
        };
        let addresses: Vec<Address> = typed(&port, "fixed_ips")?;
        let addresses: Vec<String> = addresses.into_iter().map(|address| address.ip_address).collect();
        let more = [
            ("device", json!(device)),
            ("security_groups", json!(groups)),
            ("security_group_source_groups", json!(remote("remote_group_id"))),
            ("security_group_remote_address_groups", json!(remote("remote_address_group_id"))),
            ("security_group_rules", json!(provider_rules(&addresses))),
            ("fixed_ips", json!(addresses)),
        ];
        let id = text(&port, "id").to_owned();
        let mut entry = shown(&collection, port);
        entry.extend(more.map(|(name, value)| (name.to_owned(), value)));
        told.insert(id, Value::Object(entry));
    }
    Ok(told)
}

/// What every port lets in: advertisements of routers where it has an IPv6
/// address, and answers of DHCP servers to its addresses. In Neutron:
/// `_apply_provider_rule`.
fn provider_rules(addresses: &[String]) -> Vec<Value> {
    const ROUTER_ADVERTISEMENT: u8 = 134;
    let mut rules = Vec::new();
    if addresses.iter().any(|address| family(address) == "IPv6") {
        rules.push(json!({"direction": "ingress", "ethertype": "IPv6", "protocol": "ipv6-icmp",
            "source_port_range_min": ROUTER_ADVERTISEMENT}));
    }
    for (ethertype, length, common, from, to) in
        [("IPv4", 32, "255.255.255.255/32", 67, 68), ("IPv6", 128, "fe80::/64", 547, 546)]
    {
        let own = addresses.iter().filter(|address| family(address) == ethertype);
        let own = own.map(|address| format!("{address}/{length}"));
        rules.extend(own.chain([common.to_owned()]).map(|prefix| {
            json!({"direction": "ingress", "ethertype": ethertype, "protocol": "udp",
                "source_port_range_min": from, "source_port_range_max": from,
                "port_range_min": to, "port_range_max": to, "dest_ip_prefix": prefix})
        }));
    }
    rules
}

/// The rules of each group, none twice.
fn told_rules(ids: &BTreeSet<String>, groups: &[Document], rules: &[Document]) -> Document {
    let mut told = Document::new();
    for id in ids {
        let group = groups.iter().find(|group| text(group, "id") == id);
        let stateful = group.is_none_or(|group| flag(group, "stateful"));
        let mut own: Vec<Value> = Vec::new();
        for rule in rules.iter().filter(|rule| text(rule, "security_group_id") == id) {
            let rule = told_rule(rule, stateful);
            if !own.contains(&rule) {
                own.push(rule);
            }
        }
        told.insert(id.clone(), json!(own));
    }
    told
}

fn told_rule(rule: &Document, stateful: bool) -> Value {
    let direction = text(rule, "direction");
    let mut told = Document::new();
    for name in [
        "direction",
        "ethertype",
        "protocol",
        "port_range_min",
        "port_range_max",
        "remote_group_id",
        "remote_address_group_id",
    ] {
        if let Some(value) = set(rule, name) {
            told.insert(name.to_owned(), value.clone());
        }
    }
    if let Some(prefix) = set(rule, "normalized_cidr").or_else(|| set(rule, "remote_ip_prefix")) {
        let name = if direction == "ingress" { "source_ip_prefix" } else { "dest_ip_prefix" };
        told.insert(name.to_owned(), prefix.clone());
    }
    told.insert("stateful".to_owned(), json!(stateful));
    Value::Object(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Document {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn versions_are_compared_by_number() {
        assert!(version("1.3") >= WITH_MACS && version("1.10") >= WITH_MACS);
        assert!(version("") < WITH_MACS && version("1.2") < WITH_MACS);
    }

    #[test]
    fn a_rule_names_what_it_means_by_direction() {
        let rule = object(json!({"direction": "egress", "ethertype": "IPv4", "protocol": "tcp",
            "port_range_min": 22, "port_range_max": null, "remote_ip_prefix": "10.0.0.5/8",
            "normalized_cidr": "10.0.0.0/8", "remote_group_id": null, "id": "r"}));
        assert_eq!(
            told_rule(&rule, true),
            json!({"direction": "egress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22,
                "dest_ip_prefix": "10.0.0.0/8", "stateful": true})
        );
    }

    #[test]
    fn members_are_those_of_families_that_rules_are_about() {
        let rules = [object(json!({"remote_group_id": "g", "ethertype": "IPv4"}))];
        let remotes = Remotes::of(&rules, "remote_group_id");
        let port = object(json!({"security_groups": ["g", "other"],
            "fixed_ips": [{"ip_address": "10.0.0.5"}, {"ip_address": "fd00::5"}],
            "allowed_address_pairs": [{"ip_address": "10.0.0.0/24", "mac_address": "m"}]}));
        let known = remotes.members(&[port]).unwrap();
        assert_eq!(known.keys().collect::<Vec<_>>(), ["g"]);
        assert_eq!(written(&known["g"], true), json!({"IPv4": [["10.0.0.0/24", "m"], ["10.0.0.5", null]]}));
        assert_eq!(written(&known["g"], false), json!({"IPv4": ["10.0.0.0/24", "10.0.0.5"]}));
    }

    #[test]
    fn every_port_hears_dhcp_servers_and_routers_of_its_families() {
        let rules = provider_rules(&["10.0.0.5".to_owned()]);
        let prefixes: Vec<_> = rules.iter().map(|rule| rule["dest_ip_prefix"].as_str().unwrap()).collect();
        assert_eq!(prefixes, ["10.0.0.5/32", "255.255.255.255/32", "fe80::/64"]);
        let rules = provider_rules(&["fd00::5".to_owned()]);
        assert_eq!(rules[0]["protocol"], "ipv6-icmp");
        assert_eq!(rules[2]["dest_ip_prefix"], "fd00::5/128");
    }
}
