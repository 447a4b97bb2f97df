//! Policies as agents are told of them, with their rules. In Neutron:
//! `RpcQosServiceDriver` and its pushes.

use super::COLLECTION;
use crate::rules::{self, Kind as Sort, PARENT};
use crate::text;
use hadron_sdk::events::{Event as Heard, Moment as Happened};
use hadron_sdk::manifest::{Moment, Subscription};
use hadron_sdk::serde_json::{self, Value, json};
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Document, Error, Result};
use hadron_versioned_objects::{Event, Had, Kind, Object, answer, is_asking, relay};
use std::collections::BTreeSet;

pub(crate) use hadron_versioned_objects::topic;

const POLICY: Kind = Kind::new("QosPolicy", 10);

const FIELDS: [&str; 9] = [
    "id",
    "project_id",
    "name",
    "shared",
    "is_default",
    "revision_number",
    "description",
    "created_at",
    "updated_at",
];

/// The kind of objects that rules of a sort are, and their fields.
fn of_rules(sort: Sort) -> (Kind, &'static [&'static str]) {
    let (name, fields): (_, &[_]) = match sort {
        Sort::BandwidthLimit => ("QosBandwidthLimitRule", &["max_kbps", "max_burst_kbps", "direction"]),
        Sort::DscpMarking => ("QosDscpMarkingRule", &["dscp_mark"]),
        Sort::MinimumBandwidth => ("QosMinimumBandwidthRule", &["min_kbps", "direction"]),
        Sort::MinimumPacketRate => ("QosMinimumPacketRateRule", &["min_kpps", "direction"]),
        Sort::PacketRateLimit => ("QosPacketRateLimitRule", &["max_kpps", "max_burst_kpps", "direction"]),
    };
    (Kind::new(name, 5), fields)
}

const POLICIES: Had = Had {
    kind: POLICY,
    fields: &[("id", "id")],
    pulled_by: "id",
    find: |query| store::find(COLLECTION, query),
    objects,
};

/// Answers an agent.
pub(crate) fn receive(topic: &str, method: &str, arguments: &Value) -> Result<Value> {
    match is_asking(topic, method) {
        true => answer(&[POLICIES], method, arguments),
        false => Err(Error::no_such_method(topic, method)),
    }
}

/// What agents hear of: policies, and rules, which are told as their policy.
pub(crate) fn subscriptions() -> impl Iterator<Item = Subscription> {
    let on = [Moment::AfterCreate, Moment::AfterUpdate, Moment::AfterDelete];
    let rules = Sort::ALL.into_iter().map(Sort::collection);
    let collections = std::iter::once(COLLECTION.to_owned()).chain(rules);
    collections.map(move |collection| Subscription { collection, on: on.to_vec() })
}

/// Policies or rules were made, changed or removed.
pub(crate) fn heard(event: &Heard) -> Result<()> {
    let documents = event.documents.iter().map(|text| Ok(serde_json::from_str(text)?));
    let documents = documents.collect::<Result<Vec<Document>>>()?;
    let of_rules = event.collection != COLLECTION;
    let became = match event.moment {
        Happened::AfterUpdate => Event::Updated,
        _ if of_rules => Event::Updated,
        Happened::AfterCreate => Event::Created,
        _ => Event::Deleted,
    };
    if !of_rules {
        return relay(objects(&documents)?, became);
    }
    let ids: BTreeSet<&str> = documents.iter().map(|rule| text(rule, PARENT)).collect();
    // Of a policy that goes with its rules only that is told.
    let policies: Vec<Document> = store::find(COLLECTION, &Query::all().any_of("id", ids))?;
    relay(objects(&policies)?, became)
}

fn objects(policies: &[Document]) -> Result<Vec<Object>> {
    if policies.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<String> = policies.iter().map(|policy| text(policy, "id").to_owned()).collect();
    let mut rules = Vec::new();
    for sort in Sort::ALL {
        rules.extend(rules::rows_of(&ids, sort)?.into_iter().map(|row| (sort, row)));
    }
    let object = |policy: &Document| {
        let own = rules.iter().filter(|(_, row)| text(row, PARENT) == text(policy, "id"));
        let nested = [("rules", own.map(|(sort, row)| rule(*sort, row).newest()).collect())];
        POLICY.object(fields(policy, &FIELDS).chain(nested))
    };
    Ok(policies.iter().map(object).collect())
}

fn rule(sort: Sort, row: &Document) -> Object {
    let (kind, names) = of_rules(sort);
    let of_all = [("id", json!(text(row, "id"))), ("qos_policy_id", json!(text(row, PARENT)))];
    kind.object(fields(row, names).chain(of_all))
}

fn fields<'a>(
    document: &'a Document,
    names: &'a [&'static str],
) -> impl Iterator<Item = (&'static str, Value)> + use<'a> {
    names.iter().map(|name| (*name, document.get(*name).cloned().unwrap_or_default()))
}
