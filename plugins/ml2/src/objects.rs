//! Resources as agents are told of them. In Neutron: `OVOServerRpcInterface`,
//! `ResourcesPullRpcCallback`.

mod groups;
mod networks;
mod ports;
mod subnets;

use crate::document::text;
use crate::{address_groups, agents, security_group_rules, security_groups};
use hadron_sdk::events::{Event, Moment as Happened};
use hadron_sdk::manifest::{Moment, Subscription};
use hadron_sdk::serde_json::{self, Value};
use hadron_sdk::store::Query;
use hadron_sdk::{Document, Result};
use hadron_versioned_objects::{self as versioned, Had};

pub(crate) use versioned::{RELAY, is_asking, topic};

/// The collections whose rows agents are told of.
const TOLD: [(&str, Had); 6] = [
    ("ports", ports::HAD),
    ("networks", networks::HAD),
    ("subnets", subnets::HAD),
    (security_groups::COLLECTION, groups::GROUPS),
    (security_group_rules::COLLECTION, groups::RULES),
    (address_groups::COLLECTION, groups::ADDRESSES),
];

/// What is told of.
pub(crate) fn subscriptions() -> Vec<Subscription> {
    let on = [Moment::AfterCreate, Moment::AfterUpdate, Moment::AfterDelete];
    TOLD.iter()
        .map(|(collection, _)| Subscription { collection: (*collection).to_owned(), on: on.to_vec() })
        .collect()
}

/// Rows were made, changed or removed: agents hear of it, each in the version
/// that it understands.
pub(crate) fn heard(event: &Event) -> Result<()> {
    let Some((_, had)) = TOLD.into_iter().find(|(collection, _)| *collection == event.collection) else {
        return Ok(());
    };
    let became = match event.moment {
        Happened::AfterCreate => versioned::Event::Created,
        Happened::AfterUpdate => versioned::Event::Updated,
        Happened::AfterDelete => versioned::Event::Deleted,
        _ => return Ok(()),
    };
    let understood = agents::understood(&had.kind.name)?;
    if understood.is_empty() {
        return Ok(());
    }
    let documents = event.documents.iter();
    let documents = documents.map(|text| serde_json::from_str(text)).collect::<Result<Vec<Document>, _>>()?;
    let documents = match became {
        versioned::Event::Deleted => documents,
        _ => {
            let ids = documents.iter().map(|document| text(document, "id"));
            (had.find)(&Query::all().any_of("id", ids))?
        }
    };
    versioned::push(&(had.objects)(&documents)?, became, |_| Ok(understood))
}

/// Answers an agent that asks for objects.
pub(crate) fn receive(method: &str, arguments: &Value) -> Result<Value> {
    versioned::answer(&TOLD.map(|(_, had)| had), method, arguments)
}

/// Another plugin has agents told of its objects.
pub(crate) fn relayed(arguments: &Value) -> Result<Value> {
    versioned::relayed(arguments, agents::understood)?;
    Ok(Value::Null)
}

/// Attributes that are fields of the same name, and null where a row has none.
fn same(document: &Document, names: &[&'static str]) -> Vec<(&'static str, Value)> {
    names.iter().map(|name| (*name, document.get(*name).cloned().unwrap_or_default())).collect()
}

/// An address as agents read networks: with its prefix's length.
fn with_prefix(value: Option<&Value>) -> Value {
    match value.and_then(Value::as_str) {
        None => Value::Null,
        Some(text) if text.contains('/') => Value::from(text),
        Some(text) => Value::from(format!("{text}/{}", if text.contains(':') { 128 } else { 32 })),
    }
}

/// An id for what has none here and must have one there: the same for the same
/// place in a list of the same row.
fn id_within(row: &str, place: usize) -> Value {
    Value::from(format!("{}{place:012x}", row.get(..24).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::json;

    #[test]
    fn addresses_and_places_are_written_as_agents_read_them() {
        assert_eq!(with_prefix(Some(&json!("10.0.0.1"))), json!("10.0.0.1/32"));
        assert_eq!(with_prefix(Some(&json!("10.0.0.0/8"))), json!("10.0.0.0/8"));
        assert_eq!(with_prefix(Some(&json!("fd00::1"))), json!("fd00::1/128"));
        assert_eq!(with_prefix(Some(&Value::Null)), Value::Null);
        assert_eq!(
            id_within("aaaaaaaa-0000-4000-8000-000000000001", 16),
            json!("aaaaaaaa-0000-4000-8000-000000000010")
        );
    }
}
