//! Resources as the server tells of them: versioned objects, read as far as the
//! agent needs them, and the copy of those that it knows.

use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The kinds that the agent understands, with their versions.
pub const VERSIONS: [(&str, &str); 8] = [
    ("Port", "1.11"),
    ("Network", "1.3"),
    ("SecurityGroup", "1.6"),
    ("SecurityGroupRule", "1.3"),
    ("AddressGroup", "1.2"),
    ("QosPolicy", "1.10"),
    ("Trunk", "1.1"),
    ("SubPort", "1.0"),
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// Its own policy of quality of service.
    pub policy: Option<String>,
    /// Its network's, when the server told of the port.
    pub network_policy: Option<String>,
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

/// How much may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Kilobits, or thousands of packets, a second.
    pub max: u32,
    /// How many more at once; 0 where nothing is said.
    pub burst: u32,
}

/// A policy of quality of service, as far as switches carry it out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Bits that a port sends.
    pub egress: Option<Limit>,
    /// Bits that a port is sent.
    pub ingress: Option<Limit>,
    /// Packets that a port sends.
    pub egress_packets: Option<Limit>,
    /// Packets that a port is sent.
    pub ingress_packets: Option<Limit>,
    /// How what a port sends is marked (RFC 2474): 0 to 63.
    pub dscp: Option<u8>,
}

/// A port that carries others, each in a VLAN.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trunk {
    /// The port that carries the others.
    pub port_id: String,
    /// The others, with their VLANs.
    pub sub_ports: BTreeMap<String, u16>,
}

/// A network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// How large its packets may be, in bytes.
    pub mtu: Option<u32>,
    /// Its policy of quality of service.
    pub policy: Option<String>,
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
    /// Policies of quality of service by id.
    pub policies: BTreeMap<String, Policy>,
    /// Networks by id.
    pub networks: BTreeMap<String, Network>,
    /// Trunks by id.
    pub trunks: BTreeMap<String, Trunk>,
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
        // A sub-port has no id of its own.
        let id = if kind == "SubPort" { "port_id" } else { "id" };
        let Some(id) = fields.get(id).and_then(Value::as_str) else { return false };
        match (kind, is_gone) {
            ("Trunk", true) => self.trunks.remove(id).is_some(),
            ("Trunk", false) => trunk(fields).is_some_and(|trunk| {
                let before = self.trunks.insert(id.to_owned(), trunk.clone());
                before.is_none_or(|before| before != trunk)
            }),
            ("SubPort", _) => {
                let trunk = fields.get("trunk_id").and_then(Value::as_str);
                let Some(trunk) = trunk.and_then(|trunk| self.trunks.get_mut(trunk)) else { return false };
                match vlan(fields) {
                    Some(vlan) if !is_gone => trunk.sub_ports.insert(id.to_owned(), vlan) != Some(vlan),
                    _ => trunk.sub_ports.remove(id).is_some(),
                }
            }
            ("Port", true) => self.ports.remove(id).is_some(),
            ("SecurityGroupRule", true) => self.rules.remove(id).is_some(),
            ("AddressGroup", true) => self.addresses.remove(id).is_some(),
            ("QosPolicy", true) => self.policies.remove(id).is_some(),
            ("QosPolicy", false) => {
                let policy = policy(fields);
                self.policies.insert(id.to_owned(), policy) != Some(policy)
            }
            ("Network", true) => self.networks.remove(id).is_some(),
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
            ("Network", false) => {
                let network = network(fields);
                self.networks.insert(id.to_owned(), network.clone()) != Some(network)
            }
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

    /// Which policy of quality of service holds for a port: its own, else its
    /// network's, which is not meant for ports of services.
    #[must_use]
    pub fn policy_id_of<'a>(&'a self, port: &'a Port) -> Option<&'a String> {
        if port.policy.is_some() || is_of_a_service(&port.owner) {
            return port.policy.as_ref();
        }
        let told = self.networks.get(&port.network_id).map(|network| &network.policy);
        told.unwrap_or(&port.network_policy).as_ref()
    }

    /// The policy of quality of service that holds for a port.
    #[must_use]
    pub fn policy_of(&self, port: &Port) -> Option<&Policy> {
        self.policies.get(self.policy_id_of(port)?)
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

fn network(of: &Map<String, Value>) -> Network {
    Network {
        mtu: of.get("mtu").and_then(Value::as_u64).and_then(|mtu| u32::try_from(mtu).ok()),
        policy: of.get("qos_policy_id").and_then(Value::as_str).map(str::to_owned),
    }
}

fn rule(of: &Map<String, Value>) -> Option<Rule> {
    Rule::deserialize(Value::Object(of.clone())).ok()
}

/// The VLAN of a sub-port.
fn vlan(of: &Map<String, Value>) -> Option<u16> {
    of.get("segmentation_id").and_then(Value::as_u64).and_then(|vlan| u16::try_from(vlan).ok())
}

fn trunk(of: &Map<String, Value>) -> Option<Trunk> {
    let port_id = of.get("port_id")?.as_str()?.to_owned();
    let sub_port = |one: &Map<String, Value>| Some((one.get("port_id")?.as_str()?.to_owned(), vlan(one)?));
    Some(Trunk { port_id, sub_ports: nested(of, "sub_ports").filter_map(sub_port).collect() })
}

/// A policy's rules, each an object of a kind of its own.
fn policy(of: &Map<String, Value>) -> Policy {
    let mut policy = Policy::default();
    for rule in of.get("rules").and_then(Value::as_array).into_iter().flatten() {
        let kind = rule.get("versioned_object.name").and_then(Value::as_str);
        let (Some(kind), Some(fields)) = (kind, fields(rule)) else { continue };
        let number =
            |name: &str| fields.get(name).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
        let limit = |max: &str, burst: &str| {
            // A limit of nothing is none.
            let max = number(max).filter(|max| *max > 0)?;
            Some(Limit { max, burst: number(burst).unwrap_or_default() })
        };
        let is_ingress = fields.get("direction").and_then(Value::as_str) == Some("ingress");
        match (kind, is_ingress) {
            ("QosBandwidthLimitRule", true) => policy.ingress = limit("max_kbps", "max_burst_kbps"),
            ("QosBandwidthLimitRule", false) => policy.egress = limit("max_kbps", "max_burst_kbps"),
            ("QosPacketRateLimitRule", true) => policy.ingress_packets = limit("max_kpps", "max_burst_kpps"),
            ("QosPacketRateLimitRule", false) => policy.egress_packets = limit("max_kpps", "max_burst_kpps"),
            ("QosDscpMarkingRule", _) => {
                policy.dscp =
                    number("dscp_mark").and_then(|mark| u8::try_from(mark).ok()).filter(|mark| *mark < 64);
            }
            _ => {}
        }
    }
    policy
}

/// Whether a port is of a service of the cloud's own, as `network:dhcp` is: it may
/// send what it likes, and its network's policy is not meant for it. In Neutron:
/// `is_port_trusted`.
fn is_of_a_service(owner: &str) -> bool {
    owner.starts_with("network:") || owner.starts_with("neutron:")
}

fn port(of: &Map<String, Value>) -> Option<Port> {
    let text = |of: &Map<String, Value>, name: &str| of.get(name).and_then(Value::as_str).map(str::to_owned);
    let owner = text(of, "device_owner").unwrap_or_default();
    let is_of_a_service = is_of_a_service(&owner);
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
        owner,
        policy: text(of, "qos_policy_id"),
        network_policy: text(of, "qos_network_policy_id"),
        addresses: nested(of, "fixed_ips").filter_map(|ip| text(ip, "ip_address")?.parse().ok()).collect(),
        is_secured: !is_of_a_service
            && security.and_then(|s| s.get("port_security_enabled")?.as_bool()).unwrap_or(true),
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
    fn services_ports_are_let_alone() {
        let mut told = port_object(1, "g");
        let fields = told["versioned_object.data"].as_object_mut().unwrap();
        fields.insert("qos_network_policy_id".to_owned(), json!("q"));
        let of = |object: &Value| {
            let mut objects = Objects::default();
            objects.apply(object, false);
            let port = &objects.ports["p"];
            (port.is_secured, objects.policy_id_of(port).cloned())
        };
        assert_eq!(of(&told), (true, Some("q".to_owned())));
        told["versioned_object.data"]["device_owner"] = json!("network:dhcp");
        assert_eq!(of(&told), (false, None));
        told["versioned_object.data"]["qos_policy_id"] = json!("own");
        assert_eq!(of(&told), (false, Some("own".to_owned())));
    }

    #[test]
    fn a_networks_policy_is_what_was_said_last_of_the_network() {
        let mut objects = Objects::default();
        objects.apply(&port_object(1, "g"), false);
        let policy = |objects: &Objects| objects.policy_id_of(&objects.ports["p"]).cloned();
        assert_eq!(policy(&objects), None);
        let network = |policy: Value| object("Network", json!({"id": "n", "qos_policy_id": policy}));
        assert!(objects.apply(&network(json!("q")), false));
        assert_eq!(policy(&objects), Some("q".to_owned()));
        assert!(objects.apply(&network(json!(null)), false) && !objects.apply(&network(json!(null)), false));
        assert_eq!(policy(&objects), None);
    }

    #[test]
    fn a_policy_comes_with_all_its_rules() {
        let mut objects = Objects::default();
        let policy = |rules: Value| object("QosPolicy", json!({"id": "q", "rules": rules}));
        let limit = object(
            "QosBandwidthLimitRule",
            json!({"max_kbps": 3000, "max_burst_kbps": 300, "direction": "ingress"}),
        );
        let packets = object(
            "QosPacketRateLimitRule",
            json!({"max_kpps": 2, "max_burst_kpps": null, "direction": "egress"}),
        );
        let mark = object("QosDscpMarkingRule", json!({"dscp_mark": 10}));
        assert!(objects.apply(&policy(json!([limit, packets, mark])), false));
        let known = objects.policies["q"];
        assert_eq!(known.ingress, Some(Limit { max: 3000, burst: 300 }));
        assert_eq!(known.egress_packets, Some(Limit { max: 2, burst: 0 }));
        assert_eq!((known.dscp, known.egress), (Some(10), None));
        assert!(objects.apply(&policy(json!([mark])), false));
        assert_eq!(objects.policies["q"].ingress, None);
        assert!(!objects.apply(&policy(json!([mark])), false));
        assert!(objects.apply(&policy(json!([])), true) && objects.policies.is_empty());
    }

    #[test]
    fn sub_ports_come_with_their_trunk_and_without() {
        let mut objects = Objects::default();
        let sub_port = |port: &str, vlan: u16| {
            object("SubPort", json!({"port_id": port, "trunk_id": "t", "segmentation_id": vlan}))
        };
        assert!(!objects.apply(&sub_port("a", 5), false), "its trunk is not known");
        let trunk = json!({"id": "t", "port_id": "p", "sub_ports": [sub_port("a", 5)]});
        assert!(objects.apply(&object("Trunk", trunk.clone()), false));
        assert!(!objects.apply(&object("Trunk", trunk), false));
        assert!(objects.apply(&sub_port("b", 6), false) && objects.apply(&sub_port("a", 5), true));
        assert_eq!(objects.trunks["t"].sub_ports, BTreeMap::from([("b".to_owned(), 6)]));
        assert!(objects.apply(&object("Trunk", json!({"id": "t"})), true) && objects.trunks.is_empty());
    }

    #[test]
    fn a_rule_need_not_say_what_it_does_not_ask_for() {
        let mut objects = Objects::default();
        let short = json!({"id": "r", "security_group_id": "g", "direction": "ingress",
            "ethertype": "IPv4", "remote_group_id": "g"});
        assert!(objects.apply(&object("SecurityGroupRule", short.clone()), false));
        let mut long = short;
        for silent in
            ["protocol", "port_range_min", "port_range_max", "remote_ip_prefix", "remote_address_group_id"]
        {
            long[silent] = json!(null);
        }
        assert!(!objects.apply(&object("SecurityGroupRule", long), false), "it is the same");
        assert!(objects.apply(&object("SecurityGroupRule", json!({"id": "r"})), true));
        assert!(objects.rules.is_empty());
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
        let network = |mtu: Value| object("Network", json!({"id": "n", "mtu": mtu}));
        assert!(objects.apply(&network(json!(1450)), false));
        assert!(!objects.apply(&network(json!(1450)), false));
        assert_eq!(objects.networks["n"].mtu, Some(1450));
        assert!(objects.apply(&network(json!(null)), true));
        // What is no object changes nothing.
        for odd in
            [json!(null), json!({}), object("Port", json!({"id": 5})), object("Port", json!({"id": "x"}))]
        {
            assert!(!objects.apply(&odd, false));
        }
    }
}
