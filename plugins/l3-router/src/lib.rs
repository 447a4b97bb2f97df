//! Routers between networks, their ways to the outside, and floating IPs. In
//! Neutron: `L3RouterPlugin`.
//!
//! | module | what it is |
//! |---|---|
//! | `routers` | routers, their interfaces, gateways and routes |
//! | `floating_ips` | addresses of the outside that stand for ports |
//! | `port_forwardings` | ports of floating IPs that stand for ports inside |
//! | `conntrack_helpers` | what a router's connection tracking follows |
//! | `outside` | networks, subnets and ports: the core plugin's |
//! | `agents` | which agent serves a router, and what agents are told |
//! | `rpc` | what agents ask and tell |
//! | `events` | what happens to what routers need |
#![deny(unsafe_code)]

mod agents;
mod conntrack_helpers;
mod errors;
mod events;
mod floating_ips;
mod manifest;
mod outside;
mod port_forwardings;
mod routers;
mod rpc;

use floating_ips::FLOATING_IPS;
use hadron_sdk::events::Event;
use hadron_sdk::serde_json::Value;
use hadron_sdk::{Context, Document, Error, Json, Manifest, Result, ServicePlugin, texts};
use routers::ROUTERS;

/// The plugin.
pub struct L3Router;

fn text<'a>(document: &'a Document, name: &str) -> &'a str {
    document.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn unknown(collection: &str) -> Error {
    Error::internal(format!("'{collection}' is no collection of this plugin's"))
}

impl ServicePlugin for L3Router {
    fn manifest() -> Manifest {
        manifest::manifest()
    }

    fn create(ctx: &Context, collection: &str, bodies: Vec<Document>) -> Result<()> {
        match collection {
            ROUTERS => routers::create(ctx, bodies),
            FLOATING_IPS => floating_ips::create(ctx, bodies),
            port_forwardings::COLLECTION => port_forwardings::create(ctx, bodies),
            conntrack_helpers::COLLECTION => conntrack_helpers::create(bodies),
            other => Err(unknown(other)),
        }
    }

    fn update(ctx: &Context, collection: &str, id: &str, current: Document, changes: Document) -> Result<()> {
        match collection {
            ROUTERS => routers::update(ctx, id, changes),
            FLOATING_IPS => floating_ips::update(ctx, id, &current, changes),
            port_forwardings::COLLECTION => port_forwardings::update(ctx, id, &current, changes),
            conntrack_helpers::COLLECTION => conntrack_helpers::update(id, &current, &changes),
            other => Err(unknown(other)),
        }
    }

    fn delete(_: &Context, collection: &str, documents: Vec<Document>) -> Result<()> {
        match collection {
            ROUTERS => routers::delete(&documents),
            FLOATING_IPS => floating_ips::delete(&documents),
            port_forwardings::COLLECTION => port_forwardings::delete(&documents),
            conntrack_helpers::COLLECTION => conntrack_helpers::delete(&documents),
            other => Err(unknown(other)),
        }
    }

    fn act(ctx: &Context, collection: &str, id: &str, action: &str, given: Value) -> Result<Value> {
        match collection {
            ROUTERS => routers::act(ctx, id, action, &given),
            _ => agents::act(id, action, &given),
        }
    }

    fn compute(_: &Context, _: &str, documents: Vec<Document>) -> Result<Vec<Json>> {
        texts(&floating_ips::details(&documents)?)
    }

    fn notify(ctx: &Context, event: Event) -> Result<()> {
        events::heard(ctx, &event)
    }

    fn receive(_: &Context, _: &str, method: &str, arguments: Value) -> Result<Value> {
        rpc::receive(method, &arguments)
    }
}

hadron_sdk::service_plugin!(L3Router);
