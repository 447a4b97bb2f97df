//! The core plugin: networks, subnets and ports, over drivers of network types
//! and of the machinery that makes them. In Neutron: `Ml2Plugin`.
//!
//! A resource's rules are in the module of its name; modules without host calls
//! (`net`, `subnets::{allocation, rules, subnet}`, `ports::plan`,
//! `networks::mtu`) hold the decisions and are tested natively.
#![deny(unsafe_code)]

mod address_groups;
mod address_scopes;
mod agents;
mod attribute;
mod binding;
mod bindings;
mod default_security_group_rules;
mod default_statefulness;
mod devices;
mod dhcp;
mod dns;
mod document;
mod dvr;
mod errors;
mod existing;
mod ip_availability;
mod l2population;
mod manifest;
mod mechanisms;
mod net;
mod networks;
mod notifier;
mod objects;
mod owners;
mod policy;
mod ports;
mod provisioning;
mod records;
mod rpc;
mod security_group_rules;
mod security_groups;
mod segment_ranges;
mod segments;
mod sharing;
mod subnetpools;
mod subnets;
mod ticks;
mod time;
mod tunnels;
mod zones;

use hadron_sdk::events::Event;
use hadron_sdk::serde_json::Value;
use hadron_sdk::{
    Bound, Context, CorePlugin, Document, Error, Json, Manifest, Operation, ResourceRef, Result,
    ServicePlugin, texts,
};

/// The plugin.
pub struct Ml2;

fn unknown(collection: &str) -> Error {
    Error::internal(format!("'{collection}' is no collection of this plugin"))
}

impl ServicePlugin for Ml2 {
    fn manifest() -> Manifest {
        manifest::manifest()
    }

    fn start(_: &Context) -> Result<()> {
        default_security_group_rules::seed()?;
        agents::recall()?;
        segment_ranges::follow_configuration()
    }

    fn create(ctx: &Context, collection: &str, bodies: Vec<Document>) -> Result<()> {
        match collection {
            "networks" => networks::create(bodies),
            "subnets" => subnets::create(ctx, bodies),
            "subnetpools" => subnetpools::create(ctx, bodies),
            "address_scopes" => address_scopes::create(&bodies),
            "ports" => ports::create(ctx, bodies),
            "agents" => agents::create(),
            "availability_zones" => zones::create(),
            security_groups::COLLECTION => security_groups::create(bodies),
            security_group_rules::COLLECTION => security_group_rules::create(ctx, bodies),
            default_security_group_rules::COLLECTION => default_security_group_rules::create(ctx, &bodies),
            default_statefulness::COLLECTION => default_statefulness::create(bodies),
            address_groups::COLLECTION => address_groups::create(bodies),
            segments::COLLECTION => segments::create(bodies),
            segment_ranges::COLLECTION => segment_ranges::create(bodies),
            other => Err(unknown(other)),
        }
    }

    fn update(ctx: &Context, collection: &str, id: &str, current: Document, changes: Document) -> Result<()> {
        match collection {
            "networks" => networks::update(id, &current, changes),
            "subnets" => subnets::update(id, &current, changes),
            "subnetpools" => subnetpools::update(ctx, id, &current, changes),
            "address_scopes" => address_scopes::update(ctx, id, &changes),
            "ports" => ports::update(ctx, id, &current, changes),
            "agents" => agents::update(id, &current, changes),
            security_groups::COLLECTION => security_groups::update(id, &current, changes),
            default_statefulness::COLLECTION => default_statefulness::update(id, &changes),
            address_groups::COLLECTION => address_groups::update(id, &changes),
            segments::COLLECTION => segments::update(id, &changes),
            segment_ranges::COLLECTION => segment_ranges::update(id, &current, &changes),
            other => Err(unknown(other)),
        }
    }

    fn delete(ctx: &Context, collection: &str, documents: Vec<Document>) -> Result<()> {
        match collection {
            "networks" => networks::delete(&documents),
            "subnets" => subnets::delete(&documents),
            "subnetpools" => subnetpools::delete(&documents),
            "address_scopes" => address_scopes::delete(&documents),
            "ports" => ports::delete(&documents),
            "agents" => agents::delete(&documents),
            security_groups::COLLECTION => security_groups::delete(ctx, &documents),
            security_group_rules::COLLECTION => security_group_rules::delete(&documents),
            default_security_group_rules::COLLECTION => default_security_group_rules::delete(&documents),
            default_statefulness::COLLECTION => default_statefulness::delete(&documents),
            address_groups::COLLECTION => address_groups::delete(&documents),
            segments::COLLECTION => segments::delete(&documents),
            segment_ranges::COLLECTION => segment_ranges::delete(&documents),
            other => Err(unknown(other)),
        }
    }

    fn first_use(_: &Context, collection: &str, project: &str) -> Result<()> {
        match collection {
            security_groups::COLLECTION | security_group_rules::COLLECTION => {
                security_groups::ensure_defaults([project]).map(drop)
            }
            other => Err(unknown(other)),
        }
    }

    fn compute(_: &Context, collection: &str, documents: Vec<Document>) -> Result<Vec<Json>> {
        match collection {
            segment_ranges::COLLECTION => texts(&segment_ranges::compute(&documents)?),
            ip_availability::COLLECTION => texts(&ip_availability::compute(&documents)?),
            other => Err(unknown(other)),
        }
    }

    fn act(ctx: &Context, collection: &str, id: &str, action: &str, body: Value) -> Result<Value> {
        match collection {
            "ports" => bindings::act(id, action, &body),
            "subnetpools" => subnetpools::act(ctx, id, action, &body),
            "networks" | "agents" => dhcp::act(id, action, &body),
            address_groups::COLLECTION => address_groups::act(id, action, &body),
            other => Err(unknown(other)),
        }
    }

    fn receive(_: &Context, topic: &str, method: &str, arguments: Value) -> Result<Value> {
        rpc::receive(topic, method, &arguments)
    }

    fn tick(_: &Context, name: &str) -> Result<()> {
        ticks::tick(name)
    }

    fn notify(ctx: &Context, event: Event) -> Result<()> {
        if event.collection == sharing::POLICIES {
            return sharing::heard(ctx, &event);
        }
        objects::heard(&event)?;
        notifier::heard(&event)
    }
}

impl CorePlugin for Ml2 {
    fn report(
        _: &Context,
        driver: &str,
        operation: Operation,
        about: ResourceRef,
        status: Option<String>,
        bound: Option<Bound>,
    ) -> Result<()> {
        match (about.collection.as_str(), status, operation) {
            // What is gone has no status.
            (_, _, Operation::Delete) => Ok(()),
            ("networks", Some(status), _) => networks::report(driver, &about.id, &status),
            ("ports", status, _) => ports::report(driver, &about.id, status.as_deref(), bound.as_ref()),
            _ => Ok(()),
        }
    }

    fn send_existing(_: &Context, driver: &str, cursor: Option<String>) -> Result<Option<String>> {
        existing::send(driver, cursor.as_deref())
    }
}

hadron_sdk::core_plugin!(Ml2);
