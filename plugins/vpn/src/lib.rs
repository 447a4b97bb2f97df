//! VPN services: networks behind a router joined to those of a peer elsewhere by
//! IPsec. In Neutron: `VPNDriverPlugin` of neutron-vpnaas.
//!
//! What may be joined is decided in `connections::rules` and `endpoints`, without
//! host calls. Agents hear of changes through `driver` and speak through `agents`;
//! what keeps routers and subnets in place is in `vetoes`.
#![deny(unsafe_code)]

mod agents;
mod algorithms;
mod attributes;
mod connections;
mod driver;
mod endpoint_groups;
mod endpoints;
mod errors;
mod flavors;
mod manifest;
mod outside;
mod policies;
mod services;
mod status;
mod vetoes;
mod views;

use hadron_sdk::events::Event;
use hadron_sdk::serde_json::Value;
use hadron_sdk::{Context, Document, Error, Manifest, Result, ServicePlugin};
use policies::Kind;

/// The plugin.
pub struct Vpn;

fn text<'a>(document: &'a Document, name: &str) -> &'a str {
    document.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn ids(documents: &[Document]) -> Vec<String> {
    documents.iter().map(|document| text(document, "id").to_owned()).collect()
}

/// Says of what was not given that there is none.
fn fill(body: &mut Document, names: &[&str]) {
    for name in names {
        body.entry(*name).or_insert(Value::Null);
    }
}

fn unknown(collection: &str) -> Error {
    Error::internal(format!("'{collection}' are none of the plugin's"))
}

impl ServicePlugin for Vpn {
    fn manifest() -> Manifest {
        manifest::manifest()
    }

    fn create(ctx: &Context, collection: &str, bodies: Vec<Document>) -> Result<()> {
        if let Some(kind) = Kind::of(collection) {
            return policies::create(kind, bodies);
        }
        match collection {
            services::COLLECTION => bodies.into_iter().try_for_each(|body| services::create(ctx, body)),
            endpoint_groups::COLLECTION => {
                bodies.into_iter().try_for_each(|body| endpoint_groups::create(ctx, body))
            }
            connections::COLLECTION => bodies.into_iter().try_for_each(|body| connections::create(ctx, body)),
            other => Err(unknown(other)),
        }
    }

    fn update(ctx: &Context, collection: &str, id: &str, current: Document, changes: Document) -> Result<()> {
        if let Some(kind) = Kind::of(collection) {
            return policies::update(kind, id, &current, changes);
        }
        match collection {
            services::COLLECTION => services::update(current, &changes),
            endpoint_groups::COLLECTION => endpoint_groups::update(id, &changes),
            connections::COLLECTION => connections::update(ctx, current, changes),
            other => Err(unknown(other)),
        }
    }

    fn delete(_: &Context, collection: &str, documents: Vec<Document>) -> Result<()> {
        if let Some(kind) = Kind::of(collection) {
            return policies::delete(kind, &documents);
        }
        match collection {
            services::COLLECTION => services::delete(&documents),
            endpoint_groups::COLLECTION => endpoint_groups::delete(&documents),
            connections::COLLECTION => connections::delete(&documents),
            other => Err(unknown(other)),
        }
    }

    fn notify(_: &Context, event: Event) -> Result<()> {
        vetoes::heard(&event)
    }

    fn receive(_: &Context, topic: &str, method: &str, arguments: Value) -> Result<Value> {
        agents::receive(topic, method, &arguments)
    }
}

hadron_sdk::service_plugin!(Vpn);
