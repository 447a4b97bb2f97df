//! Load balancers: an address, listeners at its ports, and pools of members that
//! answer behind them. In Octavia: its API v2.
//!
//! Rules without host calls are in the modules `rules` of each resource, `graph`,
//! `members::batch`, `protocol`, `tls` and `vip::choice`. What a change touches is
//! pending (`touch`) until whoever carries it out (`driver`) says how it went
//! (`agents`).
#![deny(unsafe_code)]

mod agents;
mod attribute;
mod document;
mod driver;
mod errors;
mod flavors;
mod graph;
mod health_monitors;
mod kind;
mod l7policies;
mod l7rules;
mod listeners;
mod listing;
mod load_balancers;
mod manifest;
mod members;
mod objects;
mod pools;
mod protocol;
mod providers;
mod settings;
mod single_create;
mod statistics;
mod status;
mod tls;
mod touch;
mod tree;
mod vip;
mod zones;

use hadron_sdk::serde_json::Value;
use hadron_sdk::{Context, Document, Error, Manifest, Result, ServicePlugin, store};
use kind::Kind;

/// The plugin.
pub struct LoadBalancers;

fn unknown(what: &str) -> Error {
    Error::internal(format!("'{what}' is nothing this plugin declares"))
}

impl ServicePlugin for LoadBalancers {
    fn manifest() -> Manifest {
        manifest::manifest()
    }

    fn start(_: &Context) -> Result<()> {
        providers::refresh()
    }

    fn create(_: &Context, collection: &str, bodies: Vec<Document>) -> Result<()> {
        match (Kind::of_collection(collection), collection) {
            (Some(Kind::LoadBalancer), _) => load_balancers::create(bodies),
            (Some(Kind::Listener), _) => listeners::create(bodies),
            (Some(Kind::Pool), _) => pools::create(bodies),
            (Some(Kind::HealthMonitor), _) => health_monitors::create(bodies),
            (Some(Kind::L7Policy), _) => l7policies::create(bodies),
            (Some(Kind::L7Rule), _) => l7rules::create(bodies),
            (_, flavors::FLAVORS) => flavors::create(bodies),
            (_, flavors::PROFILES) => flavors::create_profiles(&bodies),
            (_, zones::ZONES) => zones::create(bodies),
            (_, zones::PROFILES) => zones::create_profiles(&bodies),
            (_, providers::COLLECTION) => Err(errors::read_only()),
            (_, other) => Err(unknown(other)),
        }
    }

    fn update(_: &Context, collection: &str, id: &str, current: Document, changes: Document) -> Result<()> {
        match (Kind::of_collection(collection), collection) {
            (Some(Kind::LoadBalancer), _) => load_balancers::update(id, changes),
            (Some(Kind::Listener), _) => listeners::update(id, &current, changes),
            (Some(Kind::Pool), _) => pools::update(id, &current, changes),
            (Some(Kind::HealthMonitor), _) => health_monitors::update(id, &current, changes),
            (Some(Kind::L7Policy), _) => l7policies::update(id, &current, changes),
            (Some(Kind::L7Rule), _) => l7rules::update(id, &current, changes),
            (_, flavors::FLAVORS) => flavors::update(id, changes),
            (_, flavors::PROFILES) => flavors::update_profile(id, &changes),
            (_, zones::ZONES) => zones::update(id, changes),
            (_, zones::PROFILES) => zones::update_profile(id, &changes),
            (_, providers::COLLECTION) => Err(errors::read_only()),
            (_, other) => Err(unknown(other)),
        }
    }

    fn delete(_: &Context, collection: &str, documents: Vec<Document>) -> Result<()> {
        match (Kind::of_collection(collection), collection) {
            (Some(Kind::LoadBalancer), _) => load_balancers::delete(&documents),
            (Some(Kind::Listener), _) => listeners::delete(&documents),
            (Some(Kind::Pool), _) => pools::delete(&documents),
            (Some(Kind::HealthMonitor), _) => health_monitors::delete(&documents),
            (Some(Kind::L7Policy), _) => l7policies::delete(&documents),
            (Some(Kind::L7Rule), _) => l7rules::delete(&documents),
            (_, zones::ZONES) => zones::delete(&documents),
            (_, flavors::FLAVORS | flavors::PROFILES | zones::PROFILES) => {
                Ok(store::delete(collection, &document::ids(&documents))?)
            }
            (_, providers::COLLECTION) => Err(errors::read_only()),
            (_, other) => Err(unknown(other)),
        }
    }

    fn act(_: &Context, collection: &str, id: &str, action: &str, given: Value) -> Result<Value> {
        match (Kind::of_collection(collection), collection) {
            (Some(Kind::LoadBalancer), _) => load_balancers::act(id, action),
            (Some(Kind::Listener), _) => listeners::act(id, action),
            (Some(Kind::Pool), _) => members::act(id, action, given),
            (_, providers::COLLECTION) => providers::act(action),
            (_, other) => Err(unknown(other)),
        }
    }

    fn receive(_: &Context, _: &str, method: &str, arguments: Value) -> Result<Value> {
        agents::receive(method, &arguments)
    }
}

hadron_sdk::service_plugin!(LoadBalancers);
