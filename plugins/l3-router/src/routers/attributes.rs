//! What a router is made of.

use crate::agents;
use crate::outside::{NETWORKS, PORTS};
use hadron_sdk::manifest::{
    Action, Attribute, Collection, Key, OnDelete, Quota, Reference, Refusal, Takes, Validator, Verb,
};
use hadron_sdk::serde_json::json;

/// The collection.
pub(crate) const ROUTERS: &str = "routers";
/// The private collection of the ports that routers have.
pub(crate) const ATTACHED: &str = "router_ports";

/// Actions.
pub(crate) const ADD_INTERFACE: &str = "add_router_interface";
pub(crate) const REMOVE_INTERFACE: &str = "remove_router_interface";
pub(crate) const ADD_ROUTES: &str = "add_extraroutes";
pub(crate) const REMOVE_ROUTES: &str = "remove_extraroutes";

fn shown(name: &str, validate: Validator) -> Attribute {
    Attribute { name: name.to_owned(), validate, filter: true, ..Attribute::default() }
}

fn hidden(name: &str, validate: Validator) -> Attribute {
    Attribute { hidden: true, nullable: true, filter: false, ..shown(name, validate) }
}

fn part(name: &str, validate: Validator, required: bool) -> Attribute {
    Attribute { name: name.to_owned(), validate, required, ..Attribute::default() }
}

/// Where a router leads to the outside.
fn gateway() -> Validator {
    let address = Validator::Object {
        members: vec![
            part("subnet_id", Validator::Uuid, false),
            part("ip_address", Validator::IpAddress, false),
        ],
    };
    Validator::Object {
        members: vec![
            // An empty one asks for none, so that this is for the plugin to miss.
            part("network_id", Validator::Uuid, false),
            part("enable_snat", Validator::Boolean, false),
            part("external_fixed_ips", Validator::List { items: Box::new(address), unique: true }, false),
        ],
    }
}

/// A list of routes.
fn routes() -> Validator {
    let route = Validator::Object {
        members: vec![
            part("destination", Validator::Cidr, true),
            part("nexthop", Validator::IpAddress, true),
        ],
    };
    Validator::List { items: Box::new(route), unique: true }
}

fn attributes() -> Vec<Attribute> {
    let text = |name: &str| Attribute {
        post: true,
        put: true,
        default: Some(json!("")),
        ..shown(name, Validator::String { max: Some(255) })
    };
    let flag = |name: &str| Attribute {
        post: true,
        put: true,
        enforce: true,
        default: Some(json!(false)),
        ..shown(name, Validator::Boolean)
    };
    let list = |items: Validator| Validator::List { items: Box::new(items), unique: true };
    vec![
        text("name"),
        Attribute {
            post: true,
            put: true,
            default: Some(json!(true)),
            ..shown("admin_state_up", Validator::Boolean)
        },
        shown("status", Validator::String { max: Some(16) }),
        Attribute {
            post: true,
            put: true,
            nullable: true,
            enforce: true,
            filter: false,
            default: Some(json!(null)),
            ..shown("external_gateway_info", gateway())
        },
        Attribute {
            filter: false,
            default: Some(json!([])),
            ..shown("availability_zones", list(Validator::String { max: Some(255) }))
        },
        flag("distributed"),
        flag("ha"),
        Attribute {
            post: true,
            filter: false,
            default: Some(json!([])),
            ..shown("availability_zone_hints", list(Validator::String { max: Some(255) }))
        },
        Attribute {
            put: true,
            nullable: true,
            filter: false,
            default: Some(json!([])),
            ..shown("routes", routes())
        },
        Attribute {
            post: true,
            nullable: true,
            default: Some(json!(null)),
            ..shown("flavor_id", Validator::Uuid)
        },
        hidden("gw_port_id", Validator::Uuid),
        hidden("enable_snat", Validator::Boolean),
    ]
}

fn action(name: &str, takes: Option<Takes>) -> Action {
    Action { name: name.to_owned(), verb: Verb::Update, path: None, takes }
}

/// The declaration of routers.
pub(crate) fn collection() -> Collection {
    let listed =
        Takes { member: Some("router".to_owned()), attributes: vec![part("routes", routes(), true)] };
    Collection {
        name: ROUTERS.to_owned(),
        member: "router".to_owned(),
        attributes: attributes(),
        not_found_says: Some("Router {id} could not be found".to_owned()),
        actions: vec![
            action(ADD_INTERFACE, None),
            action(REMOVE_INTERFACE, None),
            action(ADD_ROUTES, Some(listed.clone())),
            action(REMOVE_ROUTES, Some(listed)),
            agents::of_routers(),
        ],
        quota: Some(Quota { default: 10 }),
        ..Collection::default()
    }
}

/// The declaration of the ports that routers have. They are no longer a router's
/// before they go: so nobody else removes them. In Neutron: `RouterPort`.
pub(crate) fn attached() -> Collection {
    let uuid = |name: &str| Attribute { index: true, ..shown(name, Validator::Uuid) };
    Collection {
        name: ATTACHED.to_owned(),
        member: "router_port".to_owned(),
        private: true,
        attributes: vec![
            uuid("router_id"),
            uuid("port_id"),
            uuid("network_id"),
            shown("port_type", Validator::String { max: Some(255) }),
        ],
        keys: vec![Key { name: "port_id".to_owned(), attributes: vec!["port_id".to_owned()] }],
        references: vec![
            Reference {
                attribute: "router_id".to_owned(),
                collection: ROUTERS.to_owned(),
                refusal: Some(Refusal {
                    error: "RouterInUse".to_owned(),
                    message: "Router {id} has ports still attached".to_owned(),
                }),
                on_delete: OnDelete::Restrict,
            },
            Reference {
                attribute: "port_id".to_owned(),
                collection: PORTS.to_owned(),
                refusal: Some(Refusal {
                    error: "ServicePortInUse".to_owned(),
                    message: "Port {id} cannot be deleted directly via the port API: it is a router's."
                        .to_owned(),
                }),
                on_delete: OnDelete::Restrict,
            },
            Reference {
                attribute: "network_id".to_owned(),
                collection: NETWORKS.to_owned(),
                on_delete: OnDelete::Restrict,
                ..Reference::default()
            },
        ],
        ..Collection::default()
    }
}
