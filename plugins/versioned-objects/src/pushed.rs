//! Telling agents of objects that changed. In Neutron: `ResourcesPushRpcApi`.

use crate::{Kind, Object};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::{Result, rpc};
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
    fn word(self) -> &'static str {
        match self {
            Event::Created => "created",
            Event::Updated => "updated",
            Event::Deleted => "deleted",
        }
    }
}

/// Tells all who understand one of these versions of a kind, as agents reported
/// them, of objects of that kind: after the commit, one message a version.
pub fn push(kind: Kind, understood: &[String], objects: &[Object], event: Event) -> Result<()> {
    let versions: BTreeSet<_> = understood.iter().filter_map(|version| kind.version_for(version)).collect();
    for version in versions {
        let resources: Vec<Value> = objects.iter().map(|object| object.clone().at(version)).collect();
        rpc::to(&format!("neutron-vo-{}-{version}", kind.name))
            .version("1.1")
            .fanout("push", &json!({"resource_list": resources, "event_type": event.word()}))?;
    }
    Ok(())
}
