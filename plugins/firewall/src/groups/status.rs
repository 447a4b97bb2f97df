//! How groups are, and when agents are told. Only agents say that a group is in
//! force.

use serde::Deserialize;
use std::collections::BTreeSet;

/// Nothing is to be enforced, or nowhere.
pub(crate) const INACTIVE: &str = "INACTIVE";
/// Agents were told of it and have not answered.
pub(crate) const PENDING_CREATE: &str = "PENDING_CREATE";
/// They were told of a change.
pub(crate) const PENDING_UPDATE: &str = "PENDING_UPDATE";
/// An agent could not enforce it.
pub(crate) const ERROR: &str = "ERROR";
/// What else an agent can say: that it is in force, or switched off.
const ACTIVE: &str = "ACTIVE";
const DOWN: &str = "DOWN";

/// What a group enforces, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Aim {
    pub(crate) ingress_firewall_policy_id: Option<String>,
    pub(crate) egress_firewall_policy_id: Option<String>,
    pub(crate) admin_state_up: bool,
    pub(crate) ports: Vec<String>,
}

impl Aim {
    /// Its policies, each once.
    pub(crate) fn policies(&self) -> BTreeSet<&str> {
        [&self.ingress_firewall_policy_id, &self.egress_firewall_policy_id]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect()
    }

    /// A new group's status. In Neutron: `create_firewall_group_precommit`.
    pub(crate) fn at_first(&self) -> &'static str {
        if self.ports.is_empty() || self.policies().is_empty() { INACTIVE } else { PENDING_CREATE }
    }
}

/// Which ports agents have to see to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moved {
    /// Where the group is to be enforced as it is now.
    pub(crate) added: Vec<String>,
    /// Where it is enforced no more.
    pub(crate) removed: Vec<String>,
    /// The group has no port any more.
    pub(crate) last: bool,
}

/// What agents have to be told of a change; none where it does not concern them.
/// In Neutron: `_need_pending_update`, by which a group that is switched off stays
/// in force until something else changes.
pub(crate) fn change(was: &Aim, is: &Aim) -> Option<Moved> {
    let (old, new) = (ids(&was.ports), ids(&is.ports));
    let has_policy = !is.policies().is_empty();
    let policies = was.ingress_firewall_policy_id != is.ingress_firewall_policy_id
        || was.egress_firewall_policy_id != is.egress_firewall_policy_id;
    let switched = was.admin_state_up != is.admin_state_up && has_policy;
    let concerned = (old != new && has_policy) || ((policies || switched) && !new.is_empty());
    if !concerned {
        return None;
    }
    let without = |ports: &[String], others: &BTreeSet<&str>| -> Vec<String> {
        ports.iter().filter(|id| !others.contains(id.as_str())).cloned().collect()
    };
    let mut added = without(&is.ports, &old);
    if policies || switched || added.is_empty() {
        // Of no port at all an agent makes all ports of the project.
        added.clone_from(&is.ports);
    }
    Some(Moved { added, removed: without(&was.ports, &new), last: new.is_empty() })
}

fn ids(ports: &[String]) -> BTreeSet<&str> {
    ports.iter().map(String::as_str).collect()
}

/// What an agent says, as it is kept.
pub(crate) fn reported(said: &str) -> &'static str {
    [ACTIVE, DOWN, INACTIVE].into_iter().find(|known| *known == said).unwrap_or(ERROR)
}

/// Whether agents have yet to answer. In Neutron: `_ensure_update_firewall_group`.
pub(crate) fn is_pending(status: &str) -> bool {
    [PENDING_CREATE, PENDING_UPDATE].contains(&status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn aim(ingress: Option<&str>, egress: Option<&str>, ports: &str) -> Aim {
        Aim {
            ingress_firewall_policy_id: ingress.map(str::to_owned),
            egress_firewall_policy_id: egress.map(str::to_owned),
            admin_state_up: true,
            ports: ports.chars().map(String::from).collect(),
        }
    }

    #[test]
    fn without_ports_or_policies_nothing_is_pending() {
        assert_eq!(aim(None, None, "ab").at_first(), INACTIVE);
        assert_eq!(aim(Some("i"), None, "").at_first(), INACTIVE);
        assert_eq!(aim(None, Some("e"), "a").at_first(), PENDING_CREATE);
    }

    #[test]
    fn agents_are_told_of_ports_that_come_and_go() {
        let told = |was: &Aim, is: &Aim| {
            change(was, is).map(|moved| (moved.added.concat(), moved.removed.concat(), moved.last))
        };
        let with = |ports: &str| aim(Some("i"), None, ports);
        assert_eq!(told(&with("ab"), &with("bc")), Some(("c".into(), "a".into(), false)));
        assert_eq!(told(&with("ab"), &with("")), Some((String::new(), "ab".into(), true)));
        assert_eq!(told(&with("ab"), &with("ba")), None);
        assert_eq!(told(&aim(None, None, "a"), &aim(None, None, "")), None);
        // A change of what is enforced is one of all ports.
        assert_eq!(told(&with("ab"), &aim(None, Some("e"), "ab")), Some(("ab".into(), String::new(), false)));
        assert_eq!(told(&with("ab"), &aim(Some("j"), None, "bc")), Some(("bc".into(), "a".into(), false)));
        assert_eq!(told(&with("ab"), &with("b")), Some(("b".into(), "a".into(), false)));
        assert_eq!(told(&with(""), &aim(None, Some("e"), "")), None);
        let off = Aim { admin_state_up: false, ..with("ab") };
        assert_eq!(told(&with("ab"), &off), Some(("ab".into(), String::new(), false)));
        let off = Aim { admin_state_up: false, ..with("") };
        assert_eq!(told(&with(""), &off), None);
    }

    #[test]
    fn what_agents_say_is_one_of_four_things() {
        for said in ["ACTIVE", "DOWN", "INACTIVE", "ERROR"] {
            assert_eq!(reported(said), said);
        }
        assert_eq!(reported("PENDING_UPDATE"), ERROR);
        assert!(is_pending(PENDING_CREATE) && is_pending(PENDING_UPDATE) && !is_pending(ERROR));
    }

    proptest! {
        /// What is told adds up: who follows it has the ports that the group has.
        #[test]
        fn who_follows_what_is_told_has_the_groups_ports(was in "[a-f]{0,6}", is in "[a-f]{0,6}") {
            let (was, is) = (aim(Some("i"), None, &was), aim(Some("i"), None, &is));
            let (old, new) = (ids(&was.ports), ids(&is.ports));
            match change(&was, &is) {
                None => prop_assert_eq!(old, new),
                Some(moved) => {
                    let (added, removed) = (ids(&moved.added), ids(&moved.removed));
                    let left = old.difference(&removed).copied().chain(added.iter().copied());
                    prop_assert_eq!(left.collect::<BTreeSet<_>>(), new.clone());
                    prop_assert!(added.is_disjoint(&removed));
                    prop_assert_eq!(moved.last, new.is_empty());
                }
            }
        }
    }
}
