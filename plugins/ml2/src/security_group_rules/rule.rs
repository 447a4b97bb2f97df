//! A rule's decisions: what a request means, and when two rules are the same.

use super::protocol::{self, Protocol};
use crate::document::set;
use crate::net::{Prefix, Version};
use crate::security_groups::errors;
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::{Document, Result};
use std::fmt;

/// The attributes that make a rule what it is, in the order in which they are
/// shown.
pub(crate) const ATTRIBUTES: [&str; 8] = [
    "ethertype",
    "direction",
    "protocol",
    "port_range_min",
    "port_range_max",
    "remote_ip_prefix",
    "remote_address_group_id",
    "remote_group_id",
];

/// The family of addresses that a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ethertype(Version);

impl Ethertype {
    /// In any spelling. In Neutron: `convert_ethertype_to_case_insensitive`.
    fn given(value: &Value) -> Result<Ethertype> {
        match value.as_str().map(str::to_lowercase).as_deref() {
            Some("ipv4") => Ok(Ethertype(Version::V4)),
            Some("ipv6") => Ok(Ethertype(Version::V6)),
            _ => Err(errors::invalid_ethertype(shown(value))),
        }
    }
}

impl fmt::Display for Ethertype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IPv{}", self.0.number())
    }
}

/// As Neutron's messages write a JSON value.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What a rule lets through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) ethertype: Ethertype,
    pub(crate) direction: String,
    protocol: Option<Protocol>,
    /// First port, or type of ICMP.
    min: Option<i64>,
    /// Last port, or code of ICMP.
    max: Option<i64>,
    prefix: Option<Prefix>,
    pub(crate) remote_group: Option<String>,
    pub(crate) remote_addresses: Option<String>,
}

impl Rule {
    /// The rule that a request asks for, in the one way it is written.
    /// In Neutron: `_validate_base_security_group_rule_attributes`.
    pub(crate) fn asked(body: &Document) -> Result<Rule> {
        let value = |name: &str| body.get(name).unwrap_or(&Value::Null);
        let text = |name: &str| set(body, name).and_then(Value::as_str).map(str::to_owned);
        let given = |name: &str| text(name).filter(|id| !id.is_empty());
        let protocol = Protocol::given(value("protocol"))?;
        let (min, max) = (port(value("port_range_min"))?, port(value("port_range_max"))?);
        let ethertype = Ethertype::given(value("ethertype"))?;
        let prefix = prefix(value("remote_ip_prefix"))?;
        let protocol = match ethertype.0 {
            Version::V6 => protocol.map(Protocol::of_v6),
            Version::V4 => protocol,
        };
        let (min, max) = if (min, max) == ALL_PORTS { (None, None) } else { (min, max) };
        let rule = Rule {
            ethertype,
            direction: text("direction").unwrap_or_default(),
            protocol,
            min,
            max,
            prefix,
            remote_group: given("remote_group_id"),
            remote_addresses: given("remote_address_group_id"),
        };
        rule.check()?;
        Ok(rule)
    }

    fn check(&self) -> Result<()> {
        self.check_ports()?;
        if let Some(prefix) = self.prefix.filter(|prefix| prefix.network().version() != self.ethertype.0) {
            return Err(errors::prefix_conflicts(self.ethertype, prefix));
        }
        if let (Some(protocol), Version::V4) = (&self.protocol, self.ethertype.0)
            && protocol.is_only_v6()
        {
            return Err(errors::ethertype_conflicts(self.ethertype, protocol.as_str()));
        }
        let remotes = [self.prefix.is_some(), self.remote_group.is_some(), self.remote_addresses.is_some()];
        if remotes.into_iter().filter(|given| *given).count() > 1 {
            return Err(errors::several_remotes());
        }
        Ok(())
    }

    /// In Neutron: `_validate_port_range`.
    fn check_ports(&self) -> Result<()> {
        if self.min.is_none() && self.max.is_none() {
            return Ok(());
        }
        let Some(protocol) = &self.protocol else { return Err(errors::protocol_required()) };
        match protocol.number() {
            with if protocol::WITH_PORTS.contains(&with) => match (self.min, self.max) {
                (Some(0), _) | (_, Some(0)) => Err(errors::invalid_port(0)),
                (Some(min), Some(max)) if min <= max => Ok(()),
                _ => Err(errors::invalid_port_range()),
            },
            protocol::ICMP | protocol::ICMPV6 => {
                let octet = |value: &i64| (0..=255).contains(value);
                match (self.min, self.max) {
                    (Some(kind), _) if !octet(&kind) => {
                        Err(errors::invalid_icmp("type", "port_range_min", kind))
                    }
                    (_, Some(code)) if !octet(&code) => {
                        Err(errors::invalid_icmp("code", "port_range_max", code))
                    }
                    (None, Some(code)) => Err(errors::missing_icmp_type(code)),
                    _ => Ok(()),
                }
            }
            without => Err(errors::protocol_without_ports(without, protocol::NAMES_WITH_PORTS)),
        }
    }

    /// Two rules with the same identity let the same through.
    /// In Neutron: `_rule_to_key`.
    pub(crate) fn identity(&self) -> String {
        let number = |value: Option<i64>| value.map(|value| value.to_string()).unwrap_or_default();
        let anywhere = |prefix: &Prefix| prefix.network().prefix() == 0 && prefix.is_network();
        [
            self.direction.clone(),
            self.ethertype.to_string(),
            self.protocol.as_ref().map(|p| p.identity().to_owned()).unwrap_or_default(),
            number(self.min),
            number(self.max),
            self.prefix.filter(|prefix| !anywhere(prefix)).map(|p| p.to_string()).unwrap_or_default(),
            self.remote_group.clone().unwrap_or_default(),
            self.remote_addresses.clone().unwrap_or_default(),
        ]
        .join(",")
    }

    /// Adds its attributes to a document.
    pub(crate) fn write(&self, document: &mut Document) {
        let values = [
            json!(self.ethertype.to_string()),
            json!(self.direction),
            json!(self.protocol.as_ref().map(Protocol::as_str)),
            json!(self.min),
            json!(self.max),
            json!(self.prefix.map(|prefix| prefix.to_string())),
            json!(self.remote_addresses),
            json!(self.remote_group),
        ];
        for (name, value) in ATTRIBUTES.into_iter().zip(values) {
            document.insert(name.to_owned(), value);
        }
    }

    /// The network that `remote_ip_prefix` names, host bits cut.
    pub(crate) fn normalized_cidr(&self) -> Option<String> {
        self.prefix.map(|prefix| prefix.network().to_string())
    }
}

/// Every port: kept as none. In Neutron: `_make_canonical_port_range`.
const ALL_PORTS: (Option<i64>, Option<i64>) = (Some(1), Some(65535));

/// In Neutron: `convert_validate_port_value`.
fn port(value: &Value) -> Result<Option<i64>> {
    if value.is_null() {
        return Ok(None);
    }
    let number = value.as_i64().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()));
    match number.filter(|number| (0..=65535).contains(number)) {
        Some(number) => Ok(Some(number)),
        None => Err(errors::invalid_port(shown(value))),
    }
}

/// In Neutron: `convert_ip_prefix_to_cidr`.
fn prefix(value: &Value) -> Result<Option<Prefix>> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text.is_empty() => Ok(None),
        Value::String(text) => Prefix::parse(text).map(Some).ok_or_else(|| errors::invalid_prefix(text)),
        other => Err(errors::invalid_prefix(shown(other))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn asked(more: Value) -> Result<Rule> {
        let mut body = json!({"direction": "ingress", "ethertype": "IPv4"}).as_object().unwrap().clone();
        body.extend(more.as_object().unwrap().clone());
        Rule::asked(&body)
    }

    fn written(more: Value) -> Value {
        let mut document = Document::new();
        asked(more).unwrap().write(&mut document);
        Value::from(document)
    }

    fn kind(more: Value) -> String {
        asked(more).unwrap_err().fault().kind.clone()
    }

    #[test]
    fn a_rule_is_written_in_one_way() {
        let rule = written(json!({"protocol": "TCP", "port_range_min": "22", "port_range_max": 23,
            "remote_ip_prefix": "10.0.0.5", "ethertype": "ipv4"}));
        assert_eq!(
            rule,
            json!({"ethertype": "IPv4", "direction": "ingress", "protocol": "tcp", "port_range_min": 22,
                "port_range_max": 23, "remote_ip_prefix": "10.0.0.5/32", "remote_address_group_id": null,
                "remote_group_id": null})
        );
        assert_eq!(written(json!({"ethertype": "IPv6", "protocol": "icmp"}))["protocol"], "ipv6-icmp");
        assert_eq!(written(json!({"ethertype": "IPv6", "protocol": 1}))["protocol"], "58");
        let all = written(json!({"protocol": "tcp", "port_range_min": 1, "port_range_max": 65535}));
        assert_eq!((&all["port_range_min"], &all["port_range_max"]), (&json!(null), &json!(null)));
        let cidr = asked(json!({"remote_ip_prefix": "10.0.0.5/24"})).unwrap().normalized_cidr();
        assert_eq!(cidr.as_deref(), Some("10.0.0.0/24"));
    }

    #[test]
    fn ports_are_those_of_the_protocol() {
        for (given, wanted) in [
            (json!({"port_range_min": 1, "port_range_max": 5}), "SecurityGroupProtocolRequiredWithPorts"),
            (json!({"protocol": "tcp", "port_range_min": 5}), "SecurityGroupInvalidPortRange"),
            (
                json!({"protocol": "tcp", "port_range_min": 9, "port_range_max": 8}),
                "SecurityGroupInvalidPortRange",
            ),
            (
                json!({"protocol": "udp", "port_range_min": 0, "port_range_max": 8}),
                "SecurityGroupInvalidPortValue",
            ),
            (json!({"protocol": "udp", "port_range_min": 70000}), "SecurityGroupInvalidPortValue"),
            (json!({"protocol": "udp", "port_range_min": "x"}), "SecurityGroupInvalidPortValue"),
            (json!({"protocol": "icmp", "port_range_min": 256}), "SecurityGroupInvalidIcmpValue"),
            (
                json!({"protocol": "icmp", "port_range_min": 8, "port_range_max": 256}),
                "SecurityGroupInvalidIcmpValue",
            ),
            (json!({"protocol": "icmp", "port_range_max": 5}), "SecurityGroupMissingIcmpType"),
            (json!({"protocol": "gre", "port_range_max": 5}), "SecurityGroupInvalidProtocolForPort"),
            (json!({"protocol": 51, "port_range_max": 5}), "SecurityGroupInvalidProtocolForPort"),
        ] {
            assert_eq!(kind(given.clone()), wanted, "{given}");
        }
        for fine in [
            json!({"protocol": "icmp", "port_range_min": 8, "port_range_max": 0}),
            json!({"protocol": "icmp", "port_range_min": 0}),
            json!({"protocol": 132, "port_range_min": 1, "port_range_max": 1}),
        ] {
            assert!(asked(fine.clone()).is_ok(), "{fine}");
        }
    }

    #[test]
    fn families_and_remotes_must_fit() {
        for (given, wanted) in [
            (json!({"ethertype": "IPv5"}), "SecurityGroupRuleInvalidEtherType"),
            (json!({"ethertype": null}), "SecurityGroupRuleInvalidEtherType"),
            (json!({"protocol": "icmpv6"}), "SecurityGroupEthertypeConflictWithProtocol"),
            (json!({"protocol": 58}), "SecurityGroupEthertypeConflictWithProtocol"),
            (json!({"remote_ip_prefix": "2001:db8::/64"}), "SecurityGroupRuleParameterConflict"),
            (json!({"remote_ip_prefix": "10.0.0/24"}), "InvalidCIDR"),
            (json!({"remote_ip_prefix": 5}), "InvalidCIDR"),
            (
                json!({"remote_ip_prefix": "10.0.0.0/8", "remote_group_id": "a"}),
                "SecurityGroupMultipleRemoteEntites",
            ),
            (
                json!({"remote_group_id": "a", "remote_address_group_id": "b"}),
                "SecurityGroupMultipleRemoteEntites",
            ),
        ] {
            assert_eq!(kind(given.clone()), wanted, "{given}");
        }
    }

    #[test]
    fn what_lets_the_same_through_is_the_same() {
        let same = |a: Value, b: Value| asked(a).unwrap().identity() == asked(b).unwrap().identity();
        assert!(same(json!({"protocol": "tcp"}), json!({"protocol": 6})));
        assert!(same(json!({}), json!({"remote_ip_prefix": "0.0.0.0/0", "protocol": "any"})));
        assert!(same(json!({"ethertype": "IPv6"}), json!({"ethertype": "IPv6", "remote_ip_prefix": "::/0"})));
        assert!(!same(
            json!({"remote_ip_prefix": "10.0.0.5/24"}),
            json!({"remote_ip_prefix": "10.0.0.0/24"})
        ));
        assert!(!same(json!({"direction": "egress"}), json!({})));
        assert!(!same(json!({"remote_group_id": "a"}), json!({"remote_address_group_id": "a"})));
    }

    fn any_request() -> impl Strategy<Value = Value> {
        let protocol = prop_oneof![
            Just(json!(null)),
            any::<u8>().prop_map(|n| json!(n)),
            prop::sample::select(vec!["tcp", "UDP", "icmp", "icmpv6", "ipv6-icmp", "any", "gre", "ip"])
                .prop_map(|name| json!(name)),
        ];
        let number = || prop::option::of(prop_oneof![0..4_i64, 250..260_i64, 65_530..65_536_i64]);
        let prefix = prop::option::of(
            (any::<std::net::IpAddr>(), 0..=32_u8)
                .prop_map(|(address, length)| format!("{address}/{length}")),
        );
        let ethertype = prop::sample::select(vec!["IPv4", "IPv6", "ipv6"]);
        (protocol, number(), number(), prefix, ethertype).prop_map(
            |(protocol, min, max, prefix, ethertype)| {
                json!({"protocol": protocol, "port_range_min": min, "port_range_max": max,
                "remote_ip_prefix": prefix, "ethertype": ethertype})
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn a_rule_that_is_accepted_is_accepted_as_it_is_shown_and_is_the_same(request in any_request()) {
            if let Ok(rule) = asked(request) {
                let mut shown = Document::new();
                rule.write(&mut shown);
                let again = Rule::asked(&shown);
                prop_assert!(again.is_ok(), "{shown:?}: {again:?}");
                let again = again.unwrap();
                prop_assert_eq!(again.identity(), rule.identity());
                prop_assert_eq!(again, rule);
            }
        }

        #[test]
        fn the_same_rule_in_another_spelling_is_a_duplicate(request in any_request()) {
            if let Ok(rule) = asked(request.clone()) {
                let mut other = request;
                if let Some(number) = rule.protocol.as_ref().map(Protocol::number).filter(|n| *n != 0) {
                    other["protocol"] = json!(number.to_string());
                }
                other["ethertype"] = json!(rule.ethertype.to_string().to_uppercase());
                let other = asked(other).unwrap();
                prop_assert_eq!(other.identity(), rule.identity());
            }
        }
    }
}
