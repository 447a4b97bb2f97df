//! Quality of service: policies made of rules, which networks and ports are
//! given. In Neutron: `QoSPlugin`.
//!
//! Decisions without host calls are in `rules::conflicts` (which rules go
//! together), `drivers` (who carries a rule out) and `request` (what a port asks
//! of placement), and tested natively.
#![deny(unsafe_code)]

mod drivers;
mod errors;
mod manifest;
mod networks;
mod policies;
mod ports;
mod request;
mod rule_types;
mod rules;
mod users;

use hadron_sdk::events::{Event, Extension};
use hadron_sdk::manifest::{Attribute, Reference, Refusal, Validator};
use hadron_sdk::serde_json::{self, Value};
use hadron_sdk::{Context, Document, Error, Json, Manifest, Operation, Result, ServicePlugin, texts};
use rules::Kind;

/// The plugin.
pub struct Qos;

fn text<'a>(document: &'a Document, name: &str) -> &'a str {
    document.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// `current` as it is after `changes`.
fn merged(current: &Document, changes: &Document) -> Document {
    let mut merged = current.clone();
    merged.extend(changes.iter().map(|(name, value)| (name.clone(), value.clone())));
    merged
}

fn unknown(what: &str) -> Error {
    Error::internal(format!("'{what}' is nothing this plugin declares"))
}

/// The attribute that gives a network or port its policy.
fn attribute() -> Attribute {
    Attribute {
        name: users::POLICY.to_owned(),
        validate: Validator::Uuid,
        nullable: true,
        post: true,
        put: true,
        enforce: true,
        default: Some(Value::Null),
        ..Attribute::default()
    }
}

/// What that attribute refers to. A policy that somebody has stays.
fn reference(what: &str) -> Reference {
    Reference {
        attribute: users::POLICY.to_owned(),
        collection: policies::COLLECTION.to_owned(),
        refusal: Some(Refusal {
            error: "QosPolicyInUse".to_owned(),
            message: format!("QoS Policy {{id}} is used by {what} {{by}}."),
        }),
        ..Reference::default()
    }
}

/// Whoever takes a policy away has to see it, and so has whoever gives one.
/// In Neutron: `_check_policy_change_permission`.
fn check_change(ctx: &Context, item: &Extension, new: Option<&str>) -> Result<()> {
    let old: Option<Document> = item.original.as_deref().map(serde_json::from_str).transpose()?;
    let old = old.as_ref().map(|kept| text(kept, users::POLICY)).filter(|old| !old.is_empty());
    if let Some(old) = old
        && !policies::is_visible(ctx, old)?
    {
        return Err(errors::removal_not_allowed(old));
    }
    new.map_or(Ok(()), |new| policies::visible(ctx, new))
}

impl ServicePlugin for Qos {
    fn manifest() -> Manifest {
        manifest::manifest()
    }

    fn start(_: &Context) -> Result<()> {
        rule_types::refresh()
    }

    fn create(_: &Context, collection: &str, bodies: Vec<Document>) -> Result<()> {
        match Kind::of_collection(collection) {
            Some(kind) => rules::create(kind, &bodies),
            None if collection == policies::COLLECTION => policies::create(bodies),
            None if collection == rule_types::COLLECTION => Err(rule_types::read_only()),
            None => Err(unknown(collection)),
        }
    }

    fn update(_: &Context, collection: &str, id: &str, current: Document, changes: Document) -> Result<()> {
        match Kind::of_collection(collection) {
            Some(kind) => rules::update(kind, id, &current, &changes),
            None if collection == policies::COLLECTION => policies::update(id, &current, changes),
            None if collection == rule_types::COLLECTION => Err(rule_types::read_only()),
            None => Err(unknown(collection)),
        }
    }

    fn delete(_: &Context, collection: &str, documents: Vec<Document>) -> Result<()> {
        match Kind::of_collection(collection) {
            Some(kind) => rules::delete(kind, &documents),
            None if collection == policies::COLLECTION => policies::delete(&documents),
            None if collection == rule_types::COLLECTION => Err(rule_types::read_only()),
            None => Err(unknown(collection)),
        }
    }

    fn compute(_: &Context, collection: &str, documents: Vec<Document>) -> Result<Vec<Json>> {
        match collection {
            users::PORTS => texts(&ports::compute(&documents)?),
            rule_types::COLLECTION => texts(&rule_types::compute(&documents)?),
            other => Err(unknown(other)),
        }
    }

    fn extend(
        ctx: &Context,
        collection: &str,
        operation: Operation,
        items: Vec<Extension>,
    ) -> Result<Vec<Document>> {
        match collection {
            users::NETWORKS => networks::extend(ctx, operation, &items),
            users::PORTS => ports::extend(ctx, operation, &items),
            other => Err(unknown(other)),
        }
    }

    fn notify(ctx: &Context, event: Event) -> Result<()> {
        if event.collection == policies::SHARED_BY {
            return policies::heard(ctx, &event);
        }
        policies::objects::heard(&event)
    }

    fn receive(_: &Context, topic: &str, method: &str, arguments: Value) -> Result<Value> {
        policies::objects::receive(topic, method, &arguments)
    }
}

hadron_sdk::service_plugin!(Qos);
