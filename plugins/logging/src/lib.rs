//! Logs of what security groups let through and hold back: which, of what.
//! Agents write them. In Neutron: `LoggingPlugin`.
#![deny(unsafe_code)]

mod drivers;
mod errors;
mod logs;
mod manifest;
mod types;

use hadron_sdk::serde_json::Value;
use hadron_sdk::{Context, Document, Manifest, Result, ServicePlugin};

/// The plugin.
pub struct Logging;

fn text<'a>(document: &'a Document, name: &str) -> &'a str {
    document.get(name).and_then(Value::as_str).unwrap_or_default()
}

impl ServicePlugin for Logging {
    fn manifest() -> Manifest {
        manifest::manifest()
    }

    fn start(_: &Context) -> Result<()> {
        types::refresh()
    }

    fn create(_: &Context, collection: &str, bodies: Vec<Document>) -> Result<()> {
        match collection {
            logs::COLLECTION => logs::create(bodies),
            _ => Err(errors::read_only()),
        }
    }

    fn update(_: &Context, collection: &str, id: &str, _: Document, changes: Document) -> Result<()> {
        match collection {
            logs::COLLECTION => logs::update(id, &changes),
            _ => Err(errors::read_only()),
        }
    }

    fn delete(_: &Context, collection: &str, documents: Vec<Document>) -> Result<()> {
        match collection {
            logs::COLLECTION => logs::delete(&documents),
            _ => Err(errors::read_only()),
        }
    }
}

hadron_sdk::service_plugin!(Logging);
