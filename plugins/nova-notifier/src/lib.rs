//! Tells Nova what becomes of the ports of its instances, as it waits to hear
//! when it starts, changes and moves one. In Neutron: `neutron.notifiers.nova`.
//!
//! | module | what is in it |
//! |---|---|
//! | this one | what is heard, and what is kept of each port |
//! | [`events`] | which events of Nova's a change is, without asking anybody |
//! | [`nova`] | Nova's interface: one request, and what its answers mean |
//!
//! The change and the journal's entry are one transaction, so no event is lost
//! while Nova is away, and none is sent of what was rolled back. Entries about a
//! port go in order, which is what the port's row here is for: its revision goes
//! up with each.
#![deny(unsafe_code)]

mod events;
mod nova;

use events::{Deed, Port};
use hadron_sdk::delivery::{Change, Entry, WorkOutcome};
use hadron_sdk::events::{Event, Moment};
use hadron_sdk::manifest::{self, Attribute, Collection, ConfigKey, Requests, Subscription, Validator};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, Query};
use hadron_sdk::{
    Context, Document, Error, Manifest, Operation, ResourceRef, Result, ServicePlugin, config, serde_json,
};
use serde::Deserialize;

/// What Nova was told of each port: its status, and how often anything.
const TOLD: &str = "told";

/// The notification by which ML2 tells that a port was plugged in at a host that
/// it is not bound at.
const PLUGGED_ELSEWHERE: &str = "port.plugged_elsewhere";

/// Configuration keys, named as Neutron's are less `notify_nova_on_`.
const STATUS_CHANGES: &str = "port_status_changes";
const DATA_CHANGES: &str = "port_data_changes";

/// The plugin.
pub struct NovaNotifier;

impl ServicePlugin for NovaNotifier {
    fn manifest() -> Manifest {
        let key = |name: &str, description: &str, default: Value| ConfigKey {
            name: name.to_owned(),
            description: description.to_owned(),
            default,
        };
        Manifest {
            collections: vec![told()],
            events: vec![Subscription {
                collection: "ports".to_owned(),
                on: vec![
                    manifest::Moment::AfterCreate,
                    manifest::Moment::AfterUpdate,
                    manifest::Moment::AfterDelete,
                ],
            }],
            topics: vec![PLUGGED_ELSEWHERE.into()],
            start: true,
            config: vec![
                key(nova::ENDPOINT, "where Nova's API is, as http://10.0.0.5:8774/v2.1", Value::Null),
                key(nova::TIMEOUT, "how long Nova may take to answer, ms", json!(2000)),
                key(
                    STATUS_CHANGES,
                    "whether Nova is told that ports become active, or are no more",
                    json!(true),
                ),
                key(DATA_CHANGES, "whether Nova is told that ports are changed or deleted", json!(true)),
            ],
            requests: Requests { http: true, secrets: vec![nova::TOKEN.to_owned()], ..Requests::default() },
            ..hadron_sdk::manifest!("nova-notifier", "tells Nova what becomes of the ports of instances")
        }
    }

    /// A notifier that could never tell anybody is better refused when it is
    /// added.
    fn start(_: &Context) -> Result<()> {
        nova::endpoint().map(drop)
    }

    fn notify(_: &Context, event: Event) -> Result<()> {
        let ports = event.documents.iter().map(|text| Ok(Port::read(text)?)).collect::<Result<Vec<_>>>()?;
        let deeds = match event.moment {
            Moment::AfterCreate => ports.iter().map(|_| Ok(Deed::Created)).collect(),
            Moment::AfterDelete => ports.iter().map(|_| Ok(Deed::Deleted)).collect(),
            Moment::AfterUpdate => event.changes.iter().map(|text| updated(text)).collect(),
            _ => Ok(Vec::new()),
        };
        let heard: Vec<(&Port, Deed)> =
            ports.iter().zip(deeds?).filter(|(port, deed)| port.concerns(deed)).collect();
        if heard.is_empty() { Ok(()) } else { tell(&heard) }
    }

    fn receive(_: &Context, topic: &str, method: &str, arguments: Value) -> Result<Value> {
        if topic != PLUGGED_ELSEWHERE {
            return Err(Error::no_such_method(topic, method));
        }
        let port: Port = serde_json::from_value(arguments)?;
        if port.concerns(&Deed::PluggedElsewhere) {
            tell(&[(&port, Deed::PluggedElsewhere)])?;
        }
        Ok(Value::Null)
    }

    fn deliver(entry: Entry) -> WorkOutcome {
        let told = nova::tell(&entry.payload);
        match (told, entry.kind.as_str()) {
            (WorkOutcome::Done(_), events::DELETED) => WorkOutcome::Done(vec![Change {
                collection: TOLD.to_owned(),
                id: entry.about.id,
                operation: Operation::Delete,
                document: json!({}).to_string(),
            }]),
            (told, _) => told,
        }
    }
}

fn told() -> Collection {
    let attribute =
        |name: &str, validate| Attribute { name: name.to_owned(), validate, ..Attribute::default() };
    Collection {
        name: TOLD.to_owned(),
        member: "told_port".to_owned(),
        private: true,
        attributes: vec![
            attribute("status", Validator::String { max: Some(16) }),
            attribute("times", Validator::Integer { min: None, max: None }),
        ],
        ..Collection::default()
    }
}

/// What Nova was told of a port.
#[derive(Deserialize)]
struct Known {
    id: String,
    status: String,
    times: u64,
}

fn updated(changes: &str) -> Result<Deed> {
    let changes: Document = serde_json::from_str(changes)?;
    Ok(Deed::Updated(changes.keys().cloned().collect()))
}

/// Writes down what Nova is to be told, and what it knows then.
fn tell(heard: &[(&Port, Deed)]) -> Result<()> {
    let wanted = (config::or(STATUS_CHANGES, true)?, config::or(DATA_CHANGES, true)?);
    let rows: Vec<Known> =
        store::find(TOLD, &Query::all().any_of("id", heard.iter().map(|(port, _)| port.id.as_str())))?;
    let (mut new, mut later) = (Vec::new(), Vec::new());
    for (port, deed) in heard {
        let known = rows.iter().find(|row| row.id == port.id);
        let told = events::of(port, deed, known.map(|row| row.status.as_str()), wanted);
        let row = |times: u64| json!({"id": port.id, "status": told.status, "times": times});
        match known {
            Some(known) if told.events.is_empty() && known.status == told.status => {}
            Some(known) => drop(store::update::<Document>(TOLD, &port.id, &row(known.times + 1))?),
            None if told.events.is_empty() => {}
            None => new.push(row(1)),
        }
        if !told.events.is_empty() {
            let kind = if *deed == Deed::Deleted { events::DELETED } else { events::CHANGED };
            later.push((port, kind, json!({"events": told.events}).to_string()));
        }
    }
    if !new.is_empty() {
        store::insert(TOLD, &new).map_err(Error::from)?;
    }
    for (port, kind, payload) in later {
        let about = ResourceRef { collection: TOLD.to_owned(), id: port.id.clone() };
        hadron_sdk::later(&about, &[], kind, &payload);
    }
    Ok(())
}

hadron_sdk::service_plugin!(NovaNotifier);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_is_sound() {
        assert_eq!(hadron_sdk::manifest::check(&NovaNotifier::manifest()), Vec::<String>::new());
    }
}
