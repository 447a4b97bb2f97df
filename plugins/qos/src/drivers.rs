//! What the machinery that carries rules out can do. In Neutron: drivers of the
//! QoS service, each beside a mechanism driver.

use crate::errors;
use crate::rules::Kind;
use crate::rules::attributes::{DIRECTIONS, DIRECTIONS_AND_ANY, MARKS, MOST};
use crate::users::Port;
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::{Document, Error, Result, config};

/// The configuration key with the names of drivers.
pub(crate) const KEY: &str = "drivers";

/// Interface types of ports that are plugged in nowhere.
const UNPLUGGED: [&str; 3] = ["", "unbound", "binding_failed"];

/// What a parameter of a rule can be.
#[derive(Clone, Copy, Debug)]
enum Values {
    /// Any number from 0 on.
    Number,
    /// One of these numbers.
    Marks,
    /// One of these words.
    Words(&'static [&'static str]),
}

impl Values {
    fn take(self, value: &Value) -> bool {
        match self {
            Values::Number => value.as_i64().is_some_and(|number| (0..=MOST).contains(&number)),
            Values::Marks => value.as_i64().is_some_and(|number| MARKS.contains(&number)),
            Values::Words(words) => value.as_str().is_some_and(|word| words.contains(&word)),
        }
    }

    /// Whether it takes whatever the other takes.
    fn covers(self, other: Values) -> bool {
        match (self, other) {
            (Values::Number, Values::Number) | (Values::Marks, Values::Marks) => true,
            (Values::Words(words), Values::Words(others)) => others.iter().all(|word| words.contains(word)),
            _ => false,
        }
    }

    fn shown(self) -> (&'static str, Value) {
        match self {
            Values::Number => ("range", json!({"start": 0, "end": MOST})),
            Values::Marks => ("choices", json!(MARKS)),
            Values::Words(words) => ("choices", json!(words)),
        }
    }
}

type Parameters = &'static [(&'static str, Values)];

const BOTH: Values = Values::Words(&DIRECTIONS);
const BANDWIDTH: Parameters =
    &[("max_kbps", Values::Number), ("max_burst_kbps", Values::Number), ("direction", BOTH)];
const PACKETS: Parameters =
    &[("max_kpps", Values::Number), ("max_burst_kpps", Values::Number), ("direction", BOTH)];
const MARKING: Parameters = &[("dscp_mark", Values::Marks)];
const LEAST_BANDWIDTH: Parameters = &[("min_kbps", Values::Number), ("direction", BOTH)];
const LEAST_PACKETS: Parameters =
    &[("min_kpps", Values::Number), ("direction", Values::Words(&DIRECTIONS_AND_ANY))];
const SENT: Parameters = &[
    ("max_kbps", Values::Number),
    ("max_burst_kbps", Values::Number),
    ("direction", Values::Words(&["egress"])),
];

/// A driver: which ports it serves, and which rules.
#[derive(Debug)]
struct Driver {
    name: &'static str,
    vif_types: &'static [&'static str],
    vnic_types: &'static [&'static str],
    rules: &'static [(Kind, Parameters)],
}

/// All that are known, named after the mechanism drivers beside them.
static KNOWN: [Driver; 4] = [
    Driver {
        name: "openvswitch",
        vif_types: &["ovs", "vhostuser"],
        vnic_types: &["normal", "direct"],
        rules: &[
            (Kind::BandwidthLimit, BANDWIDTH),
            (Kind::PacketRateLimit, PACKETS),
            (Kind::DscpMarking, MARKING),
            (Kind::MinimumBandwidth, LEAST_BANDWIDTH),
            (Kind::MinimumPacketRate, LEAST_PACKETS),
        ],
    },
    Driver {
        name: "linuxbridge",
        vif_types: &["bridge"],
        vnic_types: &["normal"],
        rules: &[(Kind::BandwidthLimit, BANDWIDTH), (Kind::DscpMarking, MARKING)],
    },
    Driver {
        name: "sriovnicswitch",
        vif_types: &["hw_veb"],
        vnic_types: &["direct", "macvtap"],
        rules: &[(Kind::BandwidthLimit, SENT), (Kind::MinimumBandwidth, LEAST_BANDWIDTH)],
    },
    Driver {
        name: "ovn",
        vif_types: &["ovs", "vhostuser"],
        vnic_types: &["normal"],
        rules: &[
            (Kind::BandwidthLimit, BANDWIDTH),
            (Kind::DscpMarking, MARKING),
            (Kind::MinimumBandwidth, LEAST_BANDWIDTH),
        ],
    },
];

/// The network card of a port, as far as drivers care.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Card<'a> {
    /// `normal`, `direct`, …
    pub(crate) vnic_type: &'a str,
    /// `ovs`, `unbound`, …
    pub(crate) vif_type: &'a str,
}

impl Driver {
    fn serves(&self, card: &Card<'_>) -> bool {
        match UNPLUGGED.contains(&card.vif_type) {
            true => self.vnic_types.contains(&card.vnic_type),
            false => self.vif_types.contains(&card.vif_type),
        }
    }

    fn parameters(&self, kind: Kind) -> Option<Parameters> {
        self.rules.iter().find(|(known, _)| *known == kind).map(|(_, parameters)| *parameters)
    }

    fn carries_out(&self, kind: Kind, rule: &Document) -> bool {
        let fits = |(name, values): &(&str, Values)| rule.get(*name).is_none_or(|value| values.take(value));
        self.parameters(kind).is_some_and(|parameters| parameters.iter().all(fits))
    }
}

/// The drivers that the operator has.
#[derive(Debug)]
pub(crate) struct Drivers(Vec<&'static Driver>);

impl Drivers {
    /// As the configuration names them.
    pub(crate) fn configured() -> Result<Drivers> {
        Drivers::named(&config::or(KEY, vec!["openvswitch".to_owned()])?)
    }

    pub(crate) fn named(names: &[String]) -> Result<Drivers> {
        let known = |name: &String| {
            KNOWN.iter().find(|driver| driver.name == name).ok_or_else(|| {
                let known: Vec<&str> = KNOWN.iter().map(|driver| driver.name).collect();
                Error::internal(format!("'{name}' in {KEY} is none of {}", known.join(", ")))
            })
        };
        names.iter().map(known).collect::<Result<Vec<_>>>().map(Drivers)
    }

    /// Whether one of them carries a rule out for a port.
    pub(crate) fn take(&self, kind: Kind, rule: &Document, card: &Card<'_>) -> bool {
        self.0.iter().any(|driver| driver.serves(card) && driver.carries_out(kind, rule))
    }

    /// One of them carries each of these rules out for a port.
    pub(crate) fn check(&self, rules: &[(Kind, Document)], port: &Port) -> Result<()> {
        match rules.iter().find(|(kind, rule)| !self.take(*kind, rule, &port.card())) {
            Some((kind, _)) => Err(errors::not_supported(kind.name(), &port.id)),
            None => Ok(()),
        }
    }

    /// Whether they carry out for such a card whatever one of them carries out at
    /// all, so that no rule has to be looked at.
    pub(crate) fn take_all(&self, card: &Card<'_>) -> bool {
        let covered = |kind: Kind, parameters: Parameters| {
            let serving = self.0.iter().filter(|driver| driver.serves(card));
            serving.filter_map(|driver| driver.parameters(kind)).any(|theirs| {
                let takes = |(name, values): &(&str, Values)| {
                    theirs.iter().any(|(theirs, taken)| theirs == name && taken.covers(*values))
                };
                parameters.iter().all(takes)
            })
        };
        self.0.iter().flat_map(|driver| driver.rules).all(|(kind, parameters)| covered(*kind, parameters))
    }

    /// Whether one of them carries a rule out at all.
    pub(crate) fn know(&self, kind: Kind, rule: &Document) -> bool {
        self.0.iter().any(|driver| driver.carries_out(kind, rule))
    }

    /// Whether each of them carries out rules of a sort, and there are any.
    pub(crate) fn all_do(&self, kind: Kind) -> bool {
        !self.0.is_empty() && self.0.iter().all(|driver| driver.parameters(kind).is_some())
    }

    /// Whether one of them carries out rules of a sort.
    pub(crate) fn some_do(&self, kind: Kind) -> bool {
        self.0.iter().any(|driver| driver.parameters(kind).is_some())
    }

    /// What each of them can do of a sort.
    pub(crate) fn details(&self, kind: Kind) -> Value {
        let parameter = |(name, values): &(&str, Values)| {
            let (sort, values) = values.shown();
            json!({"parameter_name": name, "parameter_values": values, "parameter_type": sort})
        };
        let details = self.0.iter().filter_map(|driver| {
            let parameters: Vec<Value> = driver.parameters(kind)?.iter().map(parameter).collect();
            Some(json!({"name": driver.name, "supported_parameters": parameters}))
        });
        details.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drivers(names: &[&str]) -> Drivers {
        Drivers::named(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    fn rule(value: Value) -> Document {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_rule_needs_a_driver_that_serves_the_port() {
        let drivers = drivers(&["openvswitch", "sriovnicswitch"]);
        let limit =
            |direction: &str| rule(json!({"max_kbps": 1, "max_burst_kbps": 0, "direction": direction}));
        let card = |vnic_type, vif_type| Card { vnic_type, vif_type };
        let limited = |direction, card| drivers.take(Kind::BandwidthLimit, &limit(direction), &card);
        assert!(limited("ingress", card("normal", "unbound")));
        assert!(limited("ingress", card("normal", "ovs")));
        assert!(!limited("ingress", card("normal", "other")));
        assert!(limited("egress", card("macvtap", "")));
        assert!(!limited("ingress", card("macvtap", "binding_failed")));
        let mark = rule(json!({"dscp_mark": 8}));
        assert!(!drivers.take(Kind::DscpMarking, &mark, &card("macvtap", "unbound")));
    }

    #[test]
    fn where_all_is_carried_out_no_rule_is_looked_at() {
        let card = |vnic_type, vif_type| Card { vnic_type, vif_type };
        let two = drivers(&["openvswitch", "sriovnicswitch"]);
        assert!(two.take_all(&card("normal", "unbound")));
        assert!(two.take_all(&card("direct", "ovs")));
        // Only one of them serves it, which can less.
        assert!(!two.take_all(&card("macvtap", "unbound")));
        assert!(!two.take_all(&card("normal", "bridge")));
        assert!(!drivers(&["openvswitch", "linuxbridge"]).take_all(&card("normal", "bridge")));
        assert!(drivers(&[]).take_all(&card("normal", "unbound")));
    }

    #[test]
    fn only_known_drivers_can_be_named() {
        assert!(Drivers::named(&["x".to_owned()]).is_err());
    }

    #[test]
    fn details_are_neutrons() {
        assert_eq!(
            drivers(&["openvswitch"]).details(Kind::MinimumPacketRate),
            json!([{"name": "openvswitch", "supported_parameters": [
                {
                    "parameter_name": "min_kpps",
                    "parameter_values": {"start": 0, "end": 2_147_483_647},
                    "parameter_type": "range",
                },
                {
                    "parameter_name": "direction",
                    "parameter_values": ["any", "ingress", "egress"],
                    "parameter_type": "choices",
                },
            ]}])
        );
    }
}
