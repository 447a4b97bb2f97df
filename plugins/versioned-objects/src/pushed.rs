//! Telling agents of objects that changed. In Neutron: `ResourcesPushRpcApi`.

use crate::Object;
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::{Error, Result, rpc};
use std::collections::BTreeSet;

/// What became of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// They are new.
    Created,
    /// They are others.
    Updated,
    /// They are gone.
    Deleted,
}

impl Event {
    fn of(word: &str) -> Option<Event> {
        [Event::Created, Event::Updated, Event::Deleted].into_iter().find(|event| event.word() == word)
    }

    fn word(self) -> &'static str {
        match self {
            Event::Created => "created",
            Event::Updated => "updated",
            Event::Deleted => "deleted",
        }
    }
}

/// The topic on which plugins that do not know the agents have those that do tell
/// them.
pub const RELAY: &str = "versioned-objects";

/// Tells agents of objects of one kind, each in the version that it understands:
/// one message a version, after the commit. `understood` answers the versions of a
/// kind that agents reported.
pub fn push(
    objects: &[Object],
    event: Event,
    understood: impl FnOnce(&str) -> Result<Vec<String>>,
) -> Result<()> {
    let Some(kind) = objects.first().map(|object| &object.kind) else { return Ok(()) };
    let understood = understood(&kind.name)?;
    let versions: BTreeSet<_> = understood.iter().filter_map(|version| kind.version_for(version)).collect();
    for version in versions {
        let resources: Vec<Value> = objects.iter().map(|object| object.clone().at(version)).collect();
        rpc::to(&format!("neutron-vo-{}-{version}", kind.name))
            .version("1.1")
            .fanout("push", &json!({"resource_list": resources, "event_type": event.word()}))?;
    }
    Ok(())
}

/// Has whoever knows the agents tell them.
pub fn relay(objects: Vec<Object>, event: Event) -> Result<()> {
    if objects.is_empty() {
        return Ok(());
    }
    let objects: Vec<Value> = objects.into_iter().map(Object::newest).collect();
    rpc::cast(RELAY, "push", &json!({"resource_list": objects, "event_type": event.word()}))
}

/// Tells agents what another plugin relayed.
pub fn relayed(arguments: &Value, understood: impl FnOnce(&str) -> Result<Vec<String>>) -> Result<()> {
    let objects = arguments.get("resource_list").and_then(Value::as_array).into_iter().flatten();
    let objects: Option<Vec<Object>> = objects.map(Object::read).collect();
    let event = arguments.get("event_type").and_then(Value::as_str).and_then(Event::of);
    match (objects, event) {
        (Some(objects), Some(event)) => push(&objects, event, understood),
        _ => Err(Error::invalid_input("what is relayed are no objects")),
    }
}
