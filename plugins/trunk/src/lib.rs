//! Trunks: a port that carries the traffic of other ports, each in a segment of
//! its own. In Neutron: `TrunkPlugin`.
//!
//! What sub-ports a request asks for is decided in `sub_ports`, without host
//! calls; the rules of trunks are in `trunks`.
#![deny(unsafe_code)]

mod agents;
mod errors;
mod manifest;
mod objects;
mod parents;
mod ports;
mod sub_ports;
mod trunks;

use hadron_sdk::events::Event;
use hadron_sdk::serde_json::Value;
use hadron_sdk::{Context, Document, Error, Json, Manifest, Result, ServicePlugin, texts};

/// The plugin.
pub struct Trunks;

fn text<'a>(document: &'a Document, name: &str) -> &'a str {
    document.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn ids(documents: &[Document]) -> Vec<String> {
    documents.iter().map(|document| text(document, "id").to_owned()).collect()
}

impl ServicePlugin for Trunks {
    fn manifest() -> Manifest {
        manifest::manifest()
    }

    fn create(_: &Context, _: &str, bodies: Vec<Document>) -> Result<()> {
        trunks::create(bodies)
    }

    fn update(_: &Context, _: &str, id: &str, _: Document, changes: Document) -> Result<()> {
        trunks::update(id, &changes)
    }

    fn delete(_: &Context, _: &str, documents: Vec<Document>) -> Result<()> {
        trunks::delete(&documents)
    }

    fn act(_: &Context, _: &str, id: &str, action: &str, given: Value) -> Result<Value> {
        match action {
            trunks::ADD => trunks::add(id, &given),
            trunks::REMOVE => trunks::remove(id, &given),
            trunks::GET => trunks::sub_ports_of(id),
            other => Err(Error::internal(format!("'{other}' is no action of trunks"))),
        }
    }

    fn compute(_: &Context, _: &str, documents: Vec<Document>) -> Result<Vec<Json>> {
        texts(&ports::details(&documents)?)
    }

    fn notify(_: &Context, event: Event) -> Result<()> {
        match event.collection.as_str() {
            trunks::COLLECTION => trunks::heard(&event),
            _ => parents::heard(&event),
        }
    }

    fn receive(_: &Context, topic: &str, method: &str, arguments: Value) -> Result<Value> {
        match objects::is_asking(topic, method) {
            true => objects::receive(method, &arguments),
            false => agents::receive(method, &arguments),
        }
    }
}

hadron_sdk::service_plugin!(Trunks);
