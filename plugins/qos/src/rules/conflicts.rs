//! Rules that cannot stand side by side in a policy. In Neutron:
//! `qos_policy_validator`.

use super::Kind;
use crate::errors;
use hadron_sdk::serde_json::Value;
use hadron_sdk::{Document, Error};

/// A rule, as far as others matter to it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rule {
    /// Its id.
    pub(crate) id: String,
    /// What sort of rule it is.
    pub(crate) kind: Kind,
    /// The direction it is for; none of rules that have none.
    pub(crate) direction: Option<String>,
    /// Its main number.
    pub(crate) value: i64,
}

/// Why a rule cannot be in a policy.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Conflict {
    /// There is one like it: its id.
    Same(String),
    /// A rule of that sort has a value that does not go with this one's.
    Parameter {
        /// This one's.
        value: String,
        /// The other's sort.
        kind: Kind,
        /// The other's.
        existing: String,
    },
}

/// The direction of rules that mean what goes in and what goes out together.
const ANY: &str = "any";

impl Rule {
    /// Of a row, or of what a request makes of one.
    pub(crate) fn of(kind: Kind, row: &Document) -> Rule {
        let text = |name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
        Rule {
            id: text("id").unwrap_or_default(),
            kind,
            direction: text("direction"),
            value: row.get(kind.value()).and_then(Value::as_i64).unwrap_or_default(),
        }
    }

    /// The sorts of rules that matter to it.
    pub(crate) fn rivals(kind: Kind) -> Vec<Kind> {
        let limits = match kind {
            Kind::BandwidthLimit => Some(Kind::MinimumBandwidth),
            Kind::MinimumBandwidth => Some(Kind::BandwidthLimit),
            _ => None,
        };
        limits.into_iter().chain([kind]).collect()
    }

    fn mixes_directions(&self, other: &Rule) -> bool {
        (self.direction.as_deref() == Some(ANY)) != (other.direction.as_deref() == Some(ANY))
    }

    fn exceeds(&self, other: &Rule) -> bool {
        let (least, most) = match (self.kind, other.kind) {
            (Kind::MinimumBandwidth, Kind::BandwidthLimit) => (self, other),
            (Kind::BandwidthLimit, Kind::MinimumBandwidth) => (other, self),
            _ => return false,
        };
        self.direction == other.direction && least.value > most.value
    }

    /// Whether it can be put beside these rules of its policy, itself as it was
    /// among them or not.
    pub(crate) fn check(&self, others: &[Rule]) -> Result<(), Conflict> {
        let others = || others.iter().filter(|other| other.id != self.id);
        if let Some(other) = others().find(|other| self.exceeds(other)) {
            return Err(Conflict::Parameter {
                value: self.value.to_string(),
                kind: other.kind,
                existing: other.value.to_string(),
            });
        }
        let mixed = |other: &&Rule| {
            self.kind == Kind::MinimumPacketRate && other.kind == self.kind && self.mixes_directions(other)
        };
        if let Some(other) = others().find(mixed) {
            return Err(Conflict::Parameter {
                value: self.direction.clone().unwrap_or_default(),
                kind: other.kind,
                existing: other.direction.clone().unwrap_or_default(),
            });
        }
        match others().find(|other| other.kind == self.kind && other.direction == self.direction) {
            Some(other) => Err(Conflict::Same(other.id.clone())),
            None => Ok(()),
        }
    }
}

impl Conflict {
    /// What the client is told.
    pub(crate) fn error(self, new: Kind, policy: &str) -> Error {
        match self {
            Conflict::Same(other) => errors::rules_conflict(new.name(), &other, policy),
            Conflict::Parameter { value, kind, existing } => {
                errors::parameter_conflict(value, policy, kind.name(), existing)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rule(id: &str, kind: Kind, direction: &str, value: i64) -> Rule {
        let direction = (kind != Kind::DscpMarking).then(|| direction.to_owned());
        Rule { id: id.to_owned(), kind, direction, value }
    }

    #[test]
    fn there_is_one_rule_of_a_sort_for_a_direction() {
        let there = [rule("a", Kind::BandwidthLimit, "egress", 10), rule("d", Kind::DscpMarking, "", 8)];
        let same = |id: &str| Err(Conflict::Same(id.to_owned()));
        assert_eq!(rule("b", Kind::BandwidthLimit, "egress", 5).check(&there), same("a"));
        assert_eq!(rule("b", Kind::BandwidthLimit, "ingress", 5).check(&there), Ok(()));
        assert_eq!(rule("b", Kind::DscpMarking, "", 10).check(&there), same("d"));
        // A rule is no rival of itself.
        assert_eq!(rule("a", Kind::BandwidthLimit, "egress", 5).check(&there), Ok(()));
    }

    #[test]
    fn what_is_guaranteed_fits_into_what_is_allowed() {
        let there =
            [rule("a", Kind::BandwidthLimit, "egress", 10), rule("m", Kind::MinimumBandwidth, "ingress", 7)];
        let conflict = |value: i64, kind, existing: i64| {
            Err(Conflict::Parameter { value: value.to_string(), kind, existing: existing.to_string() })
        };
        let least =
            |direction: &str, value| rule("x", Kind::MinimumBandwidth, direction, value).check(&there[..1]);
        assert_eq!(least("egress", 11), conflict(11, Kind::BandwidthLimit, 10));
        assert_eq!(least("egress", 10), Ok(()));
        assert_eq!(least("ingress", 11), Ok(()));
        let most = |value| rule("x", Kind::BandwidthLimit, "ingress", value).check(&there);
        assert_eq!(most(6), conflict(6, Kind::MinimumBandwidth, 7));
        assert_eq!(most(7), Ok(()));
    }

    #[test]
    fn packet_rates_are_for_directions_or_for_both_together() {
        let there = [rule("a", Kind::MinimumPacketRate, "egress", 10)];
        let any = rule("x", Kind::MinimumPacketRate, "any", 10).check(&there);
        let conflict = Conflict::Parameter {
            value: "any".to_owned(),
            kind: Kind::MinimumPacketRate,
            existing: "egress".to_owned(),
        };
        assert_eq!(any, Err(conflict));
        assert_eq!(rule("x", Kind::MinimumPacketRate, "ingress", 10).check(&there), Ok(()));
    }

    fn any_rule() -> impl Strategy<Value = Rule> {
        let kind = proptest::sample::select(Kind::ALL.to_vec());
        let direction = proptest::sample::select(vec!["egress", "ingress", "any"]);
        (0..6_u8, kind, direction, 0..5_i64).prop_map(|(id, kind, direction, value)| {
            let direction =
                if kind == Kind::MinimumPacketRate || direction != ANY { direction } else { "egress" };
            rule(&id.to_string(), kind, direction, value)
        })
    }

    proptest! {
        /// However rules are added and changed, what is in a policy goes together,
        /// and the order in which it came does not matter.
        #[test]
        fn a_policy_stays_consistent(steps in proptest::collection::vec(any_rule(), 0..40)) {
            let mut policy: Vec<Rule> = Vec::new();
            for new in steps {
                let place = policy.iter().position(|rule| rule.id == new.id);
                // A rule keeps its sort.
                if place.is_some_and(|place| policy[place].kind != new.kind) {
                    continue;
                }
                if new.check(&policy).is_ok() {
                    match place {
                        Some(place) => policy[place] = new,
                        None => policy.push(new),
                    }
                }
                for (place, one) in policy.iter().enumerate() {
                    for other in &policy[place + 1..] {
                        prop_assert!(one.kind != other.kind || one.direction != other.direction);
                        prop_assert!(!one.exceeds(other));
                        prop_assert_eq!(one.check(std::slice::from_ref(other)), Ok(()));
                        prop_assert_eq!(other.check(std::slice::from_ref(one)), Ok(()));
                    }
                }
            }
        }
    }
}
