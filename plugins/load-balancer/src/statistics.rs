//! How much goes through listeners, as agents report. In Octavia:
//! `StatsMixin`.

use crate::attribute::hidden;
use crate::document::{number, text};
use crate::kind::Kind;
use crate::objects::{self, WHOLE, cascading};
use hadron_sdk::manifest::{Collection, Validator};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Document, Result};

const COLLECTION: &str = "listener_statistics";
const LISTENER: &str = "listener_id";
/// What is counted: connections, bytes and requests that failed.
const COUNTERS: [&str; 5] =
    ["active_connections", "bytes_in", "bytes_out", "request_errors", "total_connections"];

/// The declaration of the collection: a row of each listener that was reported, of
/// the listener's id.
pub(crate) fn collection() -> Collection {
    let counter = |name: &&str| hidden(name, Validator::Integer { min: Some(0), max: None });
    Collection {
        name: COLLECTION.to_owned(),
        member: "listener_statistic".to_owned(),
        private: true,
        attributes: COUNTERS
            .iter()
            .map(counter)
            .chain([hidden(LISTENER, Validator::Uuid), hidden(WHOLE, Validator::Uuid)])
            .collect(),
        references: vec![objects::of_whole(), cascading(LISTENER, Kind::Listener)],
        ..Collection::default()
    }
}

/// An agent counted so far. Of a listener that is gone it may not have heard yet.
pub(crate) fn report(reported: &Document) -> Result<()> {
    let id = text(reported, "id");
    let Some(listener) = store::get::<Document>(Kind::Listener.collection(), id)? else { return Ok(()) };
    let mut row: Document = COUNTERS
        .iter()
        .map(|name| ((*name).to_owned(), json!(number(reported, name).unwrap_or_default().max(0))))
        .collect();
    if store::get::<Document>(COLLECTION, id)?.is_some() {
        return store::update::<Document>(COLLECTION, id, &row).map(drop);
    }
    for (name, value) in [("id", id), (LISTENER, id), (WHOLE, text(&listener, WHOLE))] {
        row.insert(name.to_owned(), Value::from(value));
    }
    Ok(store::insert(COLLECTION, &[row])?)
}

fn sum(rows: &[Document]) -> Value {
    let sum = |name: &str| rows.iter().filter_map(|row| number(row, name)).fold(0, i64::saturating_add);
    COUNTERS.iter().map(|name| ((*name).to_owned(), json!(sum(name)))).collect()
}

fn of(attribute: &str, id: &str) -> Result<Value> {
    Ok(sum(&store::find::<Document>(COLLECTION, &Query::all().equal(attribute, id))?))
}

/// What goes through a listener.
pub(crate) fn of_listener(id: &str) -> Result<Value> {
    of(LISTENER, id)
}

/// What goes through all listeners of a load balancer.
pub(crate) fn of_load_balancer(id: &str) -> Result<Value> {
    of(WHOLE, id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_add_up() {
        let row = |bytes: i64| json!({ "bytes_in": bytes }).as_object().unwrap().clone();
        assert_eq!(sum(&[row(5), row(7)])["bytes_in"], 12);
        assert_eq!(sum(&[row(i64::MAX), row(1)])["bytes_in"], i64::MAX);
        assert_eq!(sum(&[])["total_connections"], 0);
    }
}
