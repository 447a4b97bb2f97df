//! Metering: labels that the traffic of a project's routers is counted under, and
//! rules that say which traffic. In Neutron: `MeteringPlugin`.
//!
//! What a rule may say is decided in `prefixes`, without host calls. Agents hear of
//! changes through `driver` and ask through `agents`.
#![deny(unsafe_code)]

mod agents;
mod driver;
mod errors;
mod labels;
mod manifest;
mod prefixes;
mod routers;
mod rules;
mod views;

use hadron_sdk::events::Event;
use hadron_sdk::serde_json::Value;
use hadron_sdk::{Context, Document, Manifest, Result, ServicePlugin};

/// The plugin.
pub struct Metering;

fn text<'a>(document: &'a Document, name: &str) -> &'a str {
    document.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn ids(documents: &[Document]) -> Vec<String> {
    documents.iter().map(|document| text(document, "id").to_owned()).collect()
}

impl ServicePlugin for Metering {
    fn manifest() -> Manifest {
        manifest::manifest()
    }

    fn create(ctx: &Context, collection: &str, bodies: Vec<Document>) -> Result<()> {
        match collection {
            labels::COLLECTION => labels::create(&bodies),
            _ => bodies.into_iter().try_for_each(|body| rules::create(ctx, body)),
        }
    }

    /// Neither can be changed: no attribute of them takes another value.
    fn update(_: &Context, _: &str, _: &str, _: Document, _: Document) -> Result<()> {
        Ok(())
    }

    fn delete(_: &Context, collection: &str, documents: Vec<Document>) -> Result<()> {
        match collection {
            labels::COLLECTION => labels::delete(&documents),
            _ => rules::delete(&documents),
        }
    }

    fn notify(_: &Context, event: Event) -> Result<()> {
        routers::heard(&event)
    }

    fn receive(_: &Context, topic: &str, method: &str, arguments: Value) -> Result<Value> {
        agents::receive(topic, method, &arguments)
    }
}

hadron_sdk::service_plugin!(Metering);
