//! Resources as the server tells of them: versioned objects, read as far as the
//! agent needs them, and the copy of those that it knows.

use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The kinds that the agent understands, with their versions.
pub const VERSIONS: [(&str, &str); 5] = [
    ("Port", "1.11"),
    ("Network", "1.3"),
    ("SecurityGroup", "1.6"),
    ("SecurityGroupRule", "1.3"),
    ("AddressGroup", "1.2"),
];

/// A segment of a network.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Segment {
    /// `vxlan`, `vlan`, ….
    pub network_type: String,
    /// Where it is, of types that are somewhere.
    pub physical_network: Option<String>,
    /// Its number, of types that have one.
    pub segmentation_id: Option<u32>,
}

/// An address that a port may send from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// In lower case.
    pub mac: String,
    /// An address, or a prefix `10.0.0.0/24`.
    pub ip: String,
}

impl Pair {
    /// Whether the address is one of IPv6.
    #[must_use]
    pub fn is_v6(&self) -> bool {
        self.ip.contains(':')
    }
}

/// A port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its id.
    pub id: String,
    /// Its network's id.
    pub network_id: String,
    /// In lower case.
    pub mac: String,
    /// Whether it is meant to carry anything.
    pub is_enabled: bool,
    /// `ACTIVE`, `DOWN`, ….
    pub status: String,
    /// Grows with each change.
    pub revision: u64,
    /// Whom it belongs to, as `network:dhcp`.
    pub owner: String,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Whether groups apply, and it may send from its own addresses only.
    pub is_secured: bool,
    /// Its groups' ids.
    pub groups: BTreeSet<String>,
    /// What else it may send from.
    pub pairs: Vec<Pair>,
    /// The hosts that it is bound at, each with the segment there.
    pub bound: BTreeMap<String, Segment>,
}

/// A rule of a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Rule {
    /// Its id.
    pub id: String,
    /// Its group's id.
    pub security_group_id: String,
    /// `ingress` or `egress`.
    pub direction: String,
    /// `IPv4` or `IPv6`.
    pub ethertype: String,
    /// A name or a number.
    pub protocol: Option<String>,
    /// The first port, or the type of ICMP.
    pub port_range_min: Option<u16>,
    /// The last port, or the code of ICMP.
    pub port_range_max: Option<u16>,
    /// The other end is one of these addresses.
    pub remote_ip_prefix: Option<String>,
    /// The other end is a member of that group.
    pub remote_group_id: Option<String>,
    /// The other end is in that group of addresses.
    pub remote_address_group_id: Option<String>,
}

/// All that is known.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// Ports by id: those of this host, and others that are members of groups.
    pub ports: BTreeMap<String, Port>,
    /// Rules by id.
    pub rules: BTreeMap<String, Rule>,
    /// Whether a group is stateful, by its id.
    pub groups: BTreeMap<String, bool>,
    /// Groups of addresses by id.
    pub addresses: BTreeMap<String, Vec<String>>,
}

impl Objects {
    /// Takes over what the server tells of; what is older than what is known is
    /// passed over. Whether anything is another now.
    pub fn apply(&mut self, object: &Value, is_gone: bool) -> bool {
        let (Some(kind), Some(fields)) =
            (object.get("versioned_object.name").and_then(Value::as_str), fields(object))
        else {
            return false;
        };
        let Some(id) = fields.get("id").and_then(Value::as_str) else { return false };
        match (kind, is_gone) {
            ("Port", true) => self.ports.remove(id).is_some(),
            ("SecurityGroupRule", true) => self.rules.remove(id).is_some(),
            ("AddressGroup", true) => self.addresses.remove(id).is_some(),
            ("SecurityGroup", true) => {
                let before = self.rules.len();
                self.rules.retain(|_, rule| rule.security_group_id != id);
                self.groups.remove(id).is_some() || before != self.rules.len()
            }
            ("Port", false) => port(fields).is_some_and(|port| self.port(port)),
            ("SecurityGroupRule", false) => rule(fields).is_some_and(|rule| self.rule(rule)),
            ("AddressGroup", false) => {
                let listed = nested(fields, "addresses");
                let listed =
                    listed.filter_map(|one| Some(one.get("address")?.as_str()?.to_owned())).collect();
                self.addresses.insert(id.to_owned(), listed) != self.addresses.get(id).cloned()
            }
            ("SecurityGroup", false) => self.group(id, fields),
            _ => false,
        }
    }

    fn port(&mut self, port: Port) -> bool {
        match self.ports.get(&port.id) {
            Some(known) if known.revision > port.revision || *known == port => false,
            _ => {
                self.ports.insert(port.id.clone(), port);
                true
            }
        }
    }

    fn rule(&mut self, rule: Rule) -> bool {
        let before = self.rules.insert(rule.id.clone(), rule.clone());
        before.is_none_or(|before| before != rule)
    }

    /// A group comes with all its rules.
    fn group(&mut self, id: &str, fields: &Map<String, Value>) -> bool {
        let stateful = fields.get("stateful").and_then(Value::as_bool).unwrap_or(true);
        let rules: Vec<Rule> = nested(fields, "rules").filter_map(rule).collect();
        let listed: BTreeSet<&String> = rules.iter().map(|rule| &rule.id).collect();
        let before = self.rules.len();
        self.rules.retain(|known, rule| rule.security_group_id != id || listed.contains(known));
        let mut changed = before != self.rules.len();
        changed |= self.groups.insert(id.to_owned(), stateful) != Some(stateful);
        for rule in rules {
            changed |= self.rule(rule);
        }
        changed
    }

    /// The rules of a group.
    pub fn rules_of<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a Rule> {
        self.rules.values().filter(move |rule| rule.security_group_id == group)
    }

    /// The addresses of a group's members, of one family: their own and those that
    /// they may send from.
    #[must_use]
    pub fn members(&self, group: &str, is_v6: bool) -> BTreeSet<String> {
        let members = self.ports.values().filter(|port| port.is_secured && port.groups.contains(group));
        members
            .flat_map(|port| {
                let own =
                    port.addresses.iter().filter(move |ip| ip.is_ipv6() == is_v6).map(IpAddr::to_string);
                own.chain(
                    port.pairs.iter().filter(move |pair| pair.is_v6() == is_v6).map(|pair| pair.ip.clone()),
                )
            })
            .collect()
    }
}

/// An object's fields.
fn fields(object: &Value) -> Option<&Map<String, Value>> {
    object.get("versioned_object.data")?.as_object()
}

/// The fields of objects in a field.
fn nested<'a>(of: &'a Map<String, Value>, name: &str) -> impl Iterator<Item = &'a Map<String, Value>> {
    of.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(fields)
}

fn rule(of: &Map<String, Value>) -> Option<Rule> {
    Rule::deserialize(Value::Object(of.clone())).ok()
}

fn port(of: &Map<String, Value>) -> Option<Port> {
    let text = |of: &Map<String, Value>, name: &str| of.get(name).and_then(Value::as_str).map(str::to_owned);
    let active =
        nested(of, "bindings").filter(|binding| text(binding, "status").as_deref() == Some("ACTIVE"));
    let mut bound = BTreeMap::new();
    for host in active.filter_map(|binding| text(binding, "host")) {
        // The last level is what the port is in on its host.
        let levels = nested(of, "binding_levels").filter(|level| text(level, "host").as_ref() == Some(&host));
        let last = levels.max_by_key(|level| level.get("level").and_then(Value::as_u64));
        let segment = last.and_then(|level| level.get("segment")).and_then(fields).cloned();
        if let Some(segment) = segment.and_then(|segment| Segment::deserialize(Value::Object(segment)).ok()) {
            bound.insert(host, segment);
        }
    }
    let security = of.get("security").and_then(fields);
    let pair = |one: &Map<String, Value>| {
        let ip = text(one, "ip_address")?;
        let whole = ["/32", "/128"].iter().find_map(|whole| ip.strip_suffix(whole)).map(str::to_owned);
        Some(Pair { mac: text(one, "mac_address")?, ip: whole.unwrap_or(ip) })
    };
    Some(Port {
        id: text(of, "id")?,
        network_id: text(of, "network_id")?,
        mac: text(of, "mac_address")?.to_lowercase(),
        is_enabled: of.get("admin_state_up")?.as_bool()?,
        status: text(of, "status")?,
        revision: of.get("revision_number").and_then(Value::as_u64).unwrap_or_default(),
        owner: text(of, "device_owner").unwrap_or_default(),
        addresses: nested(of, "fixed_ips").filter_map(|ip| text(ip, "ip_address")?.parse().ok()).collect(),
        is_secured: security.and_then(|s| s.get("port_security_enabled")?.as_bool()).unwrap_or(true),
        groups: of
            .get("security_group_ids")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|id| id.as_str().map(str::to_owned))
            .collect(),
        pairs: nested(of, "allowed_address_pairs").filter_map(pair).collect(),
        bound,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(kind: &str, data: Value) -> Value {
        json!({"versioned_object.name": kind, "versioned_object.data": data})
    }

    fn port_object(revision: u64, group: &str) -> Value {
        let segment = object(
            "NetworkSegment",
            json!({"network_type": "vxlan", "physical_network": null, "segmentation_id": 100}),
        );
        object(
            "Port",
            json!({"id": "p", "network_id": "n", "mac_address": "FA:16:3e:00:00:01",
            "admin_state_up": true, "status": "DOWN", "revision_number": revision, "device_owner": "compute:a",
            "fixed_ips": [object("IPAllocation", json!({"ip_address": "10.0.0.5"})),
                object("IPAllocation", json!({"ip_address": "fd00::5"}))],
            "security": object("PortSecurity", json!({"port_security_enabled": true})),
            "security_group_ids": [group],
            "allowed_address_pairs": [object("AllowedAddressPair",
                json!({"mac_address": "fa:16:3e:00:00:01", "ip_address": "10.0.0.77/32"}))],
            "bindings": [object("PortBinding", json!({"host": "h1", "status": "ACTIVE"})),
                object("PortBinding", json!({"host": "h2", "status": "INACTIVE"}))],
            "binding_levels": [object("PortBindingLevel", json!({"host": "h1", "level": 0, "segment": segment}))]}),
        )
    }

    #[test]
    fn a_port_is_read_and_older_news_are_passed_over() {
        let mut objects = Objects::default();
        assert!(objects.apply(&port_object(3, "g"), false));
        assert!(!objects.apply(&port_object(3, "g"), false), "nothing is new");
        assert!(!objects.apply(&port_object(2, "old"), false), "it is older");
        let port = &objects.ports["p"];
        assert_eq!(port.mac, "fa:16:3e:00:00:01");
        assert_eq!(port.bound.keys().collect::<Vec<_>>(), ["h1"]);
        assert_eq!(port.bound["h1"].segmentation_id, Some(100));
        assert_eq!(
            objects.members("g", false),
            BTreeSet::from(["10.0.0.5".to_owned(), "10.0.0.77".to_owned()])
        );
        assert_eq!(objects.members("g", true), BTreeSet::from(["fd00::5".to_owned()]));
        assert!(objects.apply(&port_object(9, "g"), true));
        assert!(objects.ports.is_empty());
    }

    #[test]
    fn a_group_comes_with_all_its_rules() {
        let rule = |id: &str| {
            object(
                "SecurityGroupRule",
                json!({"id": id, "security_group_id": "g",
            "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22,
            "port_range_max": 22, "remote_ip_prefix": null, "remote_group_id": null,
            "remote_address_group_id": null}),
            )
        };
        let mut objects = Objects::default();
        let group =
            |rules: Value| object("SecurityGroup", json!({"id": "g", "stateful": true, "rules": rules}));
        assert!(objects.apply(&group(json!([rule("a"), rule("b")])), false));
        assert_eq!(objects.rules_of("g").count(), 2);
        assert!(objects.apply(&group(json!([rule("b")])), false));
        assert!(!objects.apply(&group(json!([rule("b")])), false));
        assert!(objects.apply(&rule("c"), false));
        assert!(objects.apply(&rule("b"), true));
        assert_eq!(objects.rules_of("g").map(|rule| rule.id.as_str()).collect::<Vec<_>>(), ["c"]);
        assert!(objects.apply(&group(json!([])), true));
        assert!(objects.rules.is_empty());
        // What is no object changes nothing.
        for odd in
            [json!(null), json!({}), object("Port", json!({"id": 5})), object("Port", json!({"id": "x"}))]
        {
            assert!(!objects.apply(&odd, false));
        }
    }
}
