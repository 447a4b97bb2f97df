//! A network for a project that has none: with subnets from the default subnet
//! pools, and a router to the default external network, which is also chosen
//! here. In Neutron: `auto_allocate`.
//!
//! A plugin cannot join another's router to a subnet yet. What a topology needs besides is looked for, and
//! what is missing is said in Neutron's words; where nothing else is, it is the
//! router. So no topology is made, and the alias is not advertised.
#![deny(unsafe_code)]

mod errors;
mod manifest;
mod networks;
mod topologies;

use hadron_sdk::events::{Event, Extension};
use hadron_sdk::serde_json::Value;
use hadron_sdk::{Context, Document, Error, Manifest, Operation, Result, ServicePlugin};

/// The plugin.
pub struct AutoAllocate;

fn text<'a>(document: &'a Document, name: &str) -> &'a str {
    document.get(name).and_then(Value::as_str).unwrap_or_default()
}

impl ServicePlugin for AutoAllocate {
    fn manifest() -> Manifest {
        manifest::manifest()
    }

    fn act(ctx: &Context, collection: &str, id: &str, action: &str, given: Value) -> Result<Value> {
        match (collection, action) {
            (topologies::COLLECTION, topologies::SHOW) => topologies::show(ctx, id, &given),
            (_, other) => Err(Error::internal(format!("'{other}' is nothing that topologies are told"))),
        }
    }

    fn extend(_: &Context, _: &str, _: Operation, items: Vec<Extension>) -> Result<Vec<Document>> {
        items.iter().map(networks::extend).collect()
    }

    fn notify(_: &Context, event: Event) -> Result<()> {
        networks::changed(&event)
    }
}

hadron_sdk::service_plugin!(AutoAllocate);
