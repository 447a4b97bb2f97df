//! Firewalls: groups of ports, with policies of rules for what comes out of them
//! and goes in. In Neutron: `FirewallPluginV2`.
//!
//! Decisions without host calls are in `rules::checks` (what a rule must be),
//! `policies::order` (where a rule goes) and `groups::status` (when agents are
//! told), and tested natively.
#![deny(unsafe_code)]

mod agents;
mod defaults;
mod driver;
mod errors;
mod groups;
mod manifest;
mod policies;
mod ports;
mod rules;

use hadron_sdk::events::Event;
use hadron_sdk::serde_json::Value;
use hadron_sdk::{Context, Document, Error, Json, Manifest, Result, ServicePlugin, texts};

/// The plugin.
pub struct Firewall;

fn text<'a>(document: &'a Document, name: &str) -> &'a str {
    document.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// `current` as it is after `changes`.
fn merged(current: &Document, changes: &Document) -> Document {
    let mut merged = current.clone();
    merged.extend(changes.iter().map(|(name, value)| (name.clone(), value.clone())));
    merged
}

/// What a request does not say of these is null.
fn fill(document: &mut Document, names: &[&str]) {
    for name in names {
        document.entry(*name).or_insert(Value::Null);
    }
}

fn unknown(what: &str) -> Error {
    Error::internal(format!("'{what}' is nothing this plugin declares"))
}

impl ServicePlugin for Firewall {
    fn manifest() -> Manifest {
        manifest::manifest()
    }

    fn create(ctx: &Context, collection: &str, bodies: Vec<Document>) -> Result<()> {
        match collection {
            groups::COLLECTION => groups::create(ctx, bodies),
            policies::COLLECTION => policies::create(ctx, bodies),
            rules::COLLECTION => rules::create(bodies),
            other => Err(unknown(other)),
        }
    }

    fn update(ctx: &Context, collection: &str, id: &str, current: Document, changes: Document) -> Result<()> {
        match collection {
            groups::COLLECTION => groups::update(ctx, id, &current, changes),
            policies::COLLECTION => policies::update(ctx, id, changes),
            rules::COLLECTION => rules::update(id, &current, changes),
            other => Err(unknown(other)),
        }
    }

    fn delete(ctx: &Context, collection: &str, documents: Vec<Document>) -> Result<()> {
        match collection {
            groups::COLLECTION => groups::delete(ctx, &documents),
            policies::COLLECTION => policies::delete(&documents),
            rules::COLLECTION => rules::delete(&documents),
            other => Err(unknown(other)),
        }
    }

    fn act(ctx: &Context, _: &str, id: &str, action: &str, given: Value) -> Result<Value> {
        match action {
            policies::INSERT => policies::insert(ctx, id, &given),
            policies::REMOVE => policies::remove(ctx, id, &given),
            other => Err(unknown(other)),
        }
    }

    fn first_use(_: &Context, _: &str, project: &str) -> Result<()> {
        defaults::ensure(project).map(drop)
    }

    fn compute(_: &Context, _: &str, documents: Vec<Document>) -> Result<Vec<Json>> {
        texts(&rules::compute(&documents)?)
    }

    fn notify(_: &Context, event: Event) -> Result<()> {
        ports::heard(&event)
    }

    fn receive(_: &Context, _: &str, method: &str, arguments: Value) -> Result<Value> {
        agents::receive(method, &arguments)
    }
}

hadron_sdk::service_plugin!(Firewall);
