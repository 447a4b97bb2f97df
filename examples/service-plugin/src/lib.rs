//! A vendor's own resources beside Neutron's: one of everything a service plugin
//! can have.
//!
//! | module | shows |
//! |---|---|
//! | [`declaration`] | resources as data: attributes, references, child resources, derived and computed attributes, actions, events, topics, ticks, policy, configuration |
//! | [`gadgets`], [`parts`] | rules of resources; other plugins' resources; messages and work after the commit |
//! | [`network_guard`] | a veto on what happens to somebody else's resource |
//! | [`rack`] | an attribute added to somebody else's resource |
#![deny(unsafe_code)]

mod declaration;
mod gadgets;
mod network_guard;
mod parts;
mod rack;

use hadron_sdk::delivery::{Entry, WorkOutcome};
use hadron_sdk::events::{Event, Extension};
use hadron_sdk::serde_json::Value;
use hadron_sdk::{Context, Document, Error, Json, Manifest, Operation, Result, ServicePlugin, texts};

/// The plugin.
pub struct Gadgets;

fn unknown(what: &str) -> Error {
    Error::internal(format!("'{what}' is nothing this plugin declares"))
}

impl ServicePlugin for Gadgets {
    fn manifest() -> Manifest {
        declaration::manifest()
    }

    fn create(_: &Context, collection: &str, bodies: Vec<Document>) -> Result<()> {
        match collection {
            "gadgets" => gadgets::create(bodies),
            "parts" => parts::create(bodies),
            other => Err(unknown(other)),
        }
    }

    fn update(_: &Context, collection: &str, id: &str, _: Document, changes: Document) -> Result<()> {
        match collection {
            "gadgets" => gadgets::update(id, changes),
            "parts" => parts::update(id, &changes),
            other => Err(unknown(other)),
        }
    }

    fn delete(_: &Context, collection: &str, documents: Vec<Document>) -> Result<()> {
        match collection {
            "gadgets" => gadgets::delete(&documents),
            "parts" => parts::delete(&documents),
            other => Err(unknown(other)),
        }
    }

    fn act(_: &Context, collection: &str, id: &str, action: &str, body: Value) -> Result<Value> {
        match (collection, action) {
            ("gadgets", "polish") => gadgets::polish(id, &body),
            (_, other) => Err(unknown(other)),
        }
    }

    fn compute(_: &Context, collection: &str, documents: Vec<Document>) -> Result<Vec<Json>> {
        match collection {
            "gadgets" => texts(&gadgets::compute(&documents)?),
            other => Err(unknown(other)),
        }
    }

    fn extend(_: &Context, _: &str, operation: Operation, items: Vec<Extension>) -> Result<Vec<Document>> {
        items.iter().map(|item| rack::check(operation, item)).collect()
    }

    fn notify(_: &Context, event: Event) -> Result<()> {
        network_guard::before_delete(&event)
    }

    fn receive(_: &Context, topic: &str, method: &str, arguments: Value) -> Result<Value> {
        match method {
            "gadget_changed" => gadgets::acknowledge(&arguments),
            _ => Err(Error::no_such_method(topic, method)),
        }
    }

    fn tick(_: &Context, _: &str) -> Result<()> {
        gadgets::wear_off()
    }

    fn deliver(entry: Entry) -> WorkOutcome {
        gadgets::announce(&entry)
    }
}

hadron_sdk::service_plugin!(Gadgets);
