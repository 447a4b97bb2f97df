//! Rules: the sorts there are, and what requests do to them.
//! In Neutron: `create_policy_rule` and its like.

pub(crate) mod aliases;
pub(crate) mod attributes;
pub(crate) mod conflicts;

pub(crate) use attributes::{PARENT, collections};

use crate::drivers::Drivers;
use crate::{errors, merged, policies, text, users};
use conflicts::Rule;
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Document, Result};

/// A sort of rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// At most so much bandwidth.
    BandwidthLimit,
    /// Packets are marked.
    DscpMarking,
    /// At least so much bandwidth.
    MinimumBandwidth,
    /// At least so many packets.
    MinimumPacketRate,
    /// At most so many packets.
    PacketRateLimit,
}

impl Kind {
    /// All, in the order in which a policy shows its rules.
    pub(crate) const ALL: [Kind; 5] = [
        Kind::BandwidthLimit,
        Kind::DscpMarking,
        Kind::MinimumBandwidth,
        Kind::MinimumPacketRate,
        Kind::PacketRateLimit,
    ];

    /// As the API names it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Kind::BandwidthLimit => "bandwidth_limit",
            Kind::DscpMarking => "dscp_marking",
            Kind::MinimumBandwidth => "minimum_bandwidth",
            Kind::MinimumPacketRate => "minimum_packet_rate",
            Kind::PacketRateLimit => "packet_rate_limit",
        }
    }

    /// The attribute that such a rule is about.
    pub(crate) const fn value(self) -> &'static str {
        match self {
            Kind::BandwidthLimit => "max_kbps",
            Kind::DscpMarking => "dscp_mark",
            Kind::MinimumBandwidth => "min_kbps",
            Kind::MinimumPacketRate => "min_kpps",
            Kind::PacketRateLimit => "max_kpps",
        }
    }

    /// The collection of such rules.
    pub(crate) fn collection(self) -> String {
        format!("qos_{}_rules", self.name())
    }

    /// The sort whose collection this is.
    pub(crate) fn of_collection(collection: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.collection() == collection)
    }

    /// Whether it guarantees something, which is counted where devices are placed.
    pub(crate) const fn is_guarantee(self) -> bool {
        matches!(self, Kind::MinimumBandwidth | Kind::MinimumPacketRate)
    }
}

/// The rules of these sorts of a policy, as rows.
pub(crate) fn rows_of(policies: &[String], kind: Kind) -> Result<Vec<Document>> {
    store::find(&kind.collection(), &Query::all().any_of(PARENT, policies.iter().cloned()).sort("created_at"))
}

/// All rules of a policy, as rows.
pub(crate) fn of_policy(policy: &str) -> Result<Vec<(Kind, Document)>> {
    let mut rules = Vec::new();
    for kind in Kind::ALL {
        rules.extend(rows_of(&[policy.to_owned()], kind)?.into_iter().map(|row| (kind, row)));
    }
    Ok(rules)
}

/// A rule is going to be in a policy: it goes with the others, and with all
/// ports that have the policy.
fn check(kind: Kind, policy: &str, row: &Document) -> Result<()> {
    policies::lock(policy)?;
    let mut others = Vec::new();
    for rival in Rule::rivals(kind) {
        others.extend(rows_of(&[policy.to_owned()], rival)?.iter().map(|row| Rule::of(rival, row)));
    }
    Rule::of(kind, row).check(&others).map_err(|conflict| conflict.error(kind, policy))?;
    let drivers = Drivers::configured()?;
    let rule = [(kind, row.clone())];
    users::for_each_port(policy, |port| {
        drivers.check(&rule, port)?;
        check_placed(kind, port)
    })
}

/// What a placed device was guaranteed stays as it is.
/// In Neutron: `reject_rule_update_for_bound_port`.
fn check_placed(kind: Kind, port: &users::Port) -> Result<()> {
    if kind.is_guarantee() && port.is_of_compute() { Err(errors::backed_by_placement()) } else { Ok(()) }
}

/// Makes rules, one after the other.
pub(crate) fn create(kind: Kind, bodies: &[Document]) -> Result<()> {
    for body in bodies {
        check(kind, text(body, PARENT), body)?;
        store::insert(&kind.collection(), std::slice::from_ref(body))?;
    }
    Ok(())
}

/// Changes a rule.
pub(crate) fn update(kind: Kind, id: &str, current: &Document, changes: &Document) -> Result<()> {
    check(kind, text(current, PARENT), &merged(current, changes))?;
    store::update::<Document>(&kind.collection(), id, changes).map(drop)
}

/// Removes rules.
pub(crate) fn delete(kind: Kind, documents: &[Document]) -> Result<()> {
    let mut ids = Vec::with_capacity(documents.len());
    for document in documents {
        let policy = text(document, PARENT);
        policies::lock(policy)?;
        if kind.is_guarantee() {
            users::for_each_port(policy, |port| check_placed(kind, port))?;
        }
        ids.push(text(document, "id").to_owned());
    }
    Ok(store::delete(&kind.collection(), &ids)?)
}
