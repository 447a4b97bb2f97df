//! Protocols of rules: names, numbers, and which of them are the same.

use crate::security_groups::errors;
use hadron_sdk::Result;
use hadron_sdk::serde_json::Value;

/// Names that are accepted, with their numbers, in the order of Neutron's
/// message. In Neutron: `IP_PROTOCOL_MAP`.
const NAMES: [(&str, u8); 25] = [
    ("ah", 51),
    ("dccp", 33),
    ("egp", 8),
    ("esp", 50),
    ("gre", 47),
    ("hopopt", 0),
    ("icmp", ICMP),
    ("igmp", 2),
    ("ip", 0),
    ("ipip", 4),
    ("ipv6-encap", 41),
    ("ipv6-frag", 44),
    (ICMPV6_NAME, ICMPV6),
    ("icmpv6", ICMPV6),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
    ("ipv6-route", 43),
    ("ospf", 89),
    ("pgm", 113),
    ("rsvp", 46),
    ("sctp", 132),
    ("tcp", 6),
    ("udp", 17),
    ("udplite", 136),
    ("vrrp", 112),
];

/// Neutron knows these numbers by the later of two names.
const NAME_OF_ZERO: &str = "ip";

pub(crate) const ICMP: u8 = 1;
pub(crate) const ICMPV6: u8 = 58;
const ICMPV6_NAME: &str = "ipv6-icmp";

/// Protocols with ports, as Neutron lists them. In Neutron: `SG_PORT_PROTO_NUMS`.
pub(crate) const WITH_PORTS: [u8; 5] = [33, 132, 6, 17, 136];

/// Their names, for the message about others.
pub(crate) const NAMES_WITH_PORTS: &str = "DCCP, SCTP, TCP, UDP, UDPLITE";

/// Names and numbers that only IPv6 has. The number of `ipv6-icmp` is among
/// them, so IPv4's own ICMP is not.
const ONLY_V6: [&str; 7] =
    ["ipv6-encap", "ipv6-frag", ICMPV6_NAME, "icmpv6", "ipv6-nonxt", "ipv6-opts", "ipv6-route"];

/// A protocol as it was given: a name in lower case, or a number as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Protocol {
    text: String,
    number: u8,
}

impl Protocol {
    /// Of a request: none for null and `any`. In Neutron: `convert_protocol`.
    pub(crate) fn given(value: &Value) -> Result<Option<Protocol>> {
        let text = match value {
            Value::Null => return Ok(None),
            Value::String(text) => text.trim().to_lowercase(),
            other => other.to_string(),
        };
        if text == "any" {
            return Ok(None);
        }
        let shown = value.as_str().unwrap_or(&text);
        Protocol::parse(&text).map(Some).ok_or_else(|| errors::invalid_protocol(shown, names()))
    }

    /// A name, or a number of one octet.
    pub(crate) fn parse(text: &str) -> Option<Protocol> {
        let number = match number_named(text) {
            Some(number) => number,
            None => text.parse().ok()?,
        };
        // A number is written in one way only.
        let text = if number_named(text).is_some() { text.to_owned() } else { number.to_string() };
        Some(Protocol { text, number })
    }

    /// As it is kept and shown.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Its number.
    pub(crate) fn number(&self) -> u8 {
        self.number
    }

    /// As IPv6 has it: ICMP is another protocol there.
    /// In Neutron: `_make_canonical_ipv6_icmp_protocol`.
    pub(crate) fn of_v6(self) -> Protocol {
        let text = match self.text.as_str() {
            "icmp" | "icmpv6" => ICMPV6_NAME.to_owned(),
            "1" => ICMPV6.to_string(),
            _ => return self,
        };
        Protocol { text, number: ICMPV6 }
    }

    /// Whether IPv4 does not have it.
    pub(crate) fn is_only_v6(&self) -> bool {
        let numbers = || ONLY_V6.iter().filter_map(|name| number_named(name)).any(|n| n == self.number);
        ONLY_V6.contains(&self.text.as_str()) || number_named(&self.text).is_none() && numbers()
    }

    /// What two spellings of the same protocol have in common: its name, or its
    /// number where it has none. In Neutron: `_get_ip_proto_name_and_num`.
    pub(crate) fn identity(&self) -> &str {
        if number_named(&self.text).is_some() {
            return &self.text;
        }
        let named = NAMES.iter().find(|(name, number)| match self.number {
            0 => *name == NAME_OF_ZERO,
            own => *number == own,
        });
        named.map_or(&self.text, |(name, _)| name)
    }
}

fn number_named(text: &str) -> Option<u8> {
    NAMES.iter().find(|(name, _)| *name == text).map(|(_, number)| *number)
}

fn names() -> String {
    NAMES.map(|(name, _)| format!("'{name}'")).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::json;
    use proptest::prelude::*;

    fn given(value: Value) -> Protocol {
        Protocol::given(&value).unwrap().unwrap()
    }

    #[test]
    fn names_and_numbers_are_accepted_in_any_spelling() {
        for (value, text, number) in
            [(json!("TCP"), "tcp", 6), (json!(6), "6", 6), (json!("17"), "17", 17), (json!(255), "255", 255)]
        {
            let protocol = given(value);
            assert_eq!((protocol.as_str(), protocol.number()), (text, number));
        }
        for nothing in [json!(null), json!("any"), json!("ANY")] {
            assert_eq!(Protocol::given(&nothing).unwrap(), None);
        }
    }

    #[test]
    fn what_is_no_protocol_is_refused_with_all_names() {
        for value in [json!("foo"), json!(256), json!(-1), json!(""), json!(true), json!([6]), json!(1.5)] {
            let error = Protocol::given(&value).unwrap_err();
            assert_eq!(error.fault().kind, "SecurityGroupRuleInvalidProtocol", "{value}");
        }
        let message = Protocol::given(&json!("Foo")).unwrap_err().fault().message.clone();
        assert!(message.starts_with(
            "Security group rule protocol Foo not supported. Only protocol values (None, 'any', 'ah', 'dccp',"
        ));
        assert!(
            message.ends_with("'udplite', 'vrrp') and integer representations [0 to 255] are supported.")
        );
    }

    #[test]
    fn what_neutron_holds_for_the_same_is_the_same() {
        let same = |a: &str, b: &str| {
            Protocol::parse(a).unwrap().of_v6().identity() == Protocol::parse(b).unwrap().of_v6().identity()
        };
        for (a, b) in [("tcp", "6"), ("0", "ip"), ("4", "ipip"), ("icmp", "58"), ("icmpv6", "1"), ("7", "7")]
        {
            assert!(same(a, b), "{a} {b}");
        }
        for (a, b) in [("hopopt", "ip"), ("hopopt", "0"), ("tcp", "17"), ("7", "9")] {
            assert!(!same(a, b), "{a} {b}");
        }
    }

    #[test]
    fn some_protocols_are_of_ipv6_only() {
        for only in ["ipv6-icmp", "icmpv6", "58", "41", "ipv6-opts", "60"] {
            assert!(Protocol::parse(only).unwrap().is_only_v6(), "{only}");
        }
        for both in ["icmp", "1", "tcp", "0", "hopopt"] {
            assert!(!Protocol::parse(both).unwrap().is_only_v6(), "{both}");
        }
    }

    proptest! {
        #[test]
        fn a_number_is_the_same_as_its_name(number in any::<u8>()) {
            let protocol = Protocol::parse(&number.to_string()).unwrap();
            prop_assert_eq!(protocol.number(), number);
            let again = Protocol::parse(protocol.identity()).unwrap();
            prop_assert_eq!(again.number(), number);
            prop_assert_eq!(again.identity(), protocol.identity());
        }
    }
}
