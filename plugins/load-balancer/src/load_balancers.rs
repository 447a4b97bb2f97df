//! Load balancers. In Octavia: `LoadBalancersController`.

use crate::attribute::{
    OPERATING, PROVISIONING, admin_state_up, description, fill, hidden, list, name, once, restore, set,
    shown, statuses, string, tags, take_objects, without,
};
use crate::document::{given, is_said, text, typed};
use crate::kind::Kind;
use crate::settings::Settings;
use crate::status::{OFFLINE, PENDING_CREATE, PENDING_DELETE, PENDING_UPDATE, Wish};
use crate::tree::Tree;
use crate::{
    driver, errors, flavors, graph, listeners, objects, pools, single_create, statistics, touch, vip, zones,
};
use hadron_sdk::manifest::{
    Action, Attribute, Called, Collection, Key, ListTable, ListTableColumn, Quota, Reference, Refusal,
    Standard, Takes, Validator, Verb,
};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, InsertError, StoreError};
use hadron_sdk::{Document, Error, Result};
use serde::Deserialize;

const KIND: Kind = Kind::LoadBalancer;

/// Actions.
pub(crate) const STATUS: &str = "status";
/// The older name of it.
pub(crate) const STATUSES: &str = "statuses";
pub(crate) const STATS: &str = "stats";
pub(crate) const FAILOVER: &str = "failover";
/// Removes a load balancer with all that it is made of.
pub(crate) const CASCADE: &str = "cascade";

/// A load balancer's row, as far as its parts care.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct LoadBalancer {
    pub(crate) id: String,
    pub(crate) project_id: String,
    pub(crate) provider: String,
    pub(crate) provisioning_status: String,
    pub(crate) vip_address: String,
    pub(crate) vip_port_id: String,
    additional_vips: Vec<Additional>,
    pub(crate) vip_sg_ids: Vec<String>,
    /// The host whose agent serves it.
    pub(crate) host: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Additional {
    ip_address: String,
}

impl LoadBalancer {
    /// All its addresses, the first first.
    pub(crate) fn addresses(&self) -> Vec<&str> {
        let more = self.additional_vips.iter().map(|vip| vip.ip_address.as_str());
        std::iter::once(self.vip_address.as_str()).chain(more).collect()
    }
}

/// Its attributes, but for what it is made of.
pub(crate) fn attributes() -> Vec<Attribute> {
    let additional = Validator::Object {
        members: vec![
            Attribute { required: true, ..once("subnet_id", Validator::Uuid, Value::Null) },
            once("ip_address", Validator::IpAddress, Value::Null),
        ],
    };
    let table = |name: &str, collection: &str| {
        let references = Some(collection.to_owned());
        let column = ListTableColumn { name: name.to_owned(), references, filter: false };
        Some(ListTable { columns: vec![column], keys: Vec::new() })
    };
    let [provisioning, operating] = statuses();
    vec![
        name(),
        description(),
        admin_state_up(),
        provisioning,
        operating,
        once("vip_address", Validator::IpAddress, Value::Null),
        once("vip_port_id", Validator::Uuid, Value::Null),
        once("vip_subnet_id", Validator::Uuid, Value::Null),
        once("vip_network_id", Validator::Uuid, Value::Null),
        Attribute {
            list: table("subnet_id", vip::SUBNETS),
            ..once("additional_vips", list(additional), json!([]))
        },
        set("vip_qos_policy_id", Validator::Uuid, Value::Null),
        Attribute {
            list: table("value", vip::SECURITY_GROUPS),
            ..set("vip_sg_ids", list(Validator::Uuid), json!([]))
        },
        shown("vip_vnic_type", string(64)),
        once("provider", string(64), Value::Null),
        once("flavor_id", Validator::Uuid, Value::Null),
        once("availability_zone", string(255), Value::Null),
        tags(),
        hidden("host", string(255)),
    ]
}

fn reference(attribute: &str, collection: &str, error: &str, message: &str) -> Reference {
    Reference {
        attribute: attribute.to_owned(),
        collection: collection.to_owned(),
        refusal: Some(Refusal { error: error.to_owned(), message: message.to_owned() }),
        ..Reference::default()
    }
}

/// The declaration of the collection.
pub(crate) fn collection() -> Collection {
    let parts = [
        once("listeners", list(listeners::nested()), json!([])),
        once("pools", list(pools::nested()), json!([])),
    ];
    let action = |name: &str, verb: Verb| Action { name: name.to_owned(), verb, path: None, takes: None };
    Collection {
        name: KIND.collection().to_owned(),
        member: KIND.member().to_owned(),
        called: Some(Called { collection: "loadbalancers".to_owned(), member: "loadbalancer".to_owned() }),
        path_prefix: crate::manifest::PREFIX.to_owned(),
        attributes: attributes().into_iter().chain(parts).collect(),
        keys: vec![Key { name: "vip_port_id".to_owned(), attributes: vec!["vip_port_id".to_owned()] }],
        references: vec![
            reference(
                "vip_port_id",
                vip::PORTS,
                "ServicePortInUse",
                "Port {id} cannot be deleted directly via the port API: it has the address of load balancer \
                 {by}.",
            ),
            reference(
                "vip_subnet_id",
                vip::SUBNETS,
                "SubnetInUse",
                "Unable to complete operation on subnet {id}: The subnet is in use by load balancer {by}.",
            ),
            reference(
                "vip_network_id",
                vip::NETWORKS,
                "NetworkInUse",
                "Unable to complete operation on network {id}. There are one or more ports still in use on \
                 the network.",
            ),
            reference(
                "flavor_id",
                flavors::FLAVORS,
                "ObjectInUse",
                "Flavor {id} is in use and cannot be modified.",
            ),
        ],
        actions: vec![
            action(STATUS, Verb::Get),
            action(STATUSES, Verb::Get),
            action(STATS, Verb::Get),
            Action { takes: Some(Takes::default()), ..action(FAILOVER, Verb::Update) },
            action(CASCADE, Verb::Delete),
        ],
        not_found: Some("NotFound".to_owned()),
        not_found_says: Some(format!("{} {{id}} not found.", KIND.title())),
        without: without(),
        standard: Standard::NONE,
        quota: Some(Quota { default: -1 }),
        ..Collection::default()
    }
}

/// Makes load balancers, each with all that is asked for with it.
pub(crate) fn create(bodies: Vec<Document>) -> Result<()> {
    let settings = Settings::load()?;
    bodies.into_iter().try_for_each(|body| create_one(&settings, body))
}

fn create_one(settings: &Settings, mut body: Document) -> Result<()> {
    fill(&attributes(), &mut body);
    let graph = graph::of(take_objects(&mut body, "listeners"), take_objects(&mut body, "pools"))?;
    let id = text(&body, "id").to_owned();
    choose_provider(settings, &mut body)?;
    if let Some(zone) = given(&body, "availability_zone") {
        zones::check_usable(zone)?;
    }
    vip::allocate(&id, &mut body)?;
    for (name, value) in [
        (PROVISIONING, json!(PENDING_CREATE)),
        (OPERATING, json!(OFFLINE)),
        ("vip_vnic_type", json!("normal")),
        ("listeners", json!([])),
        ("pools", json!([])),
        ("host", Value::Null),
    ] {
        body.insert(name.to_owned(), value);
    }
    let held: LoadBalancer = typed(body.clone())?;
    objects::insert(KIND, body).map_err(|error| not_written(error, &held))?;
    if !graph.is_empty() {
        single_create::write(settings, &held, graph)?;
        objects::relist(&id)?;
    }
    driver::changed(&held)
}

fn not_written(error: InsertError, held: &LoadBalancer) -> Error {
    match error {
        InsertError::Store(StoreError::Duplicate(_)) => {
            errors::validation(format!("Port {} is already used by another load balancer", held.vip_port_id))
        }
        other => other.into(),
    }
}

/// The provider that is asked for, the one of the flavor, or the usual one. In
/// Octavia: `_validate_flavor`, `_get_provider`.
fn choose_provider(settings: &Settings, body: &mut Document) -> Result<()> {
    let of_flavor = given(body, "flavor_id").map(flavors::provider_of).transpose()?;
    let chosen = match (given(body, "provider"), of_flavor) {
        (Some(asked), Some(provider)) if asked != provider => {
            return Err(errors::flavor_mismatch(text(body, "flavor_id"), asked));
        }
        (Some(asked), _) => asked.to_owned(),
        (None, Some(provider)) => provider,
        (None, None) => settings.default_provider.clone(),
    };
    if !settings.providers.contains_key(&chosen) {
        return Err(errors::provider_not_enabled(&chosen));
    }
    body.insert("provider".to_owned(), Value::from(chosen));
    Ok(())
}

/// A load balancer that can be wished this of, kept from other requests.
fn held_for(id: &str, wish: Wish) -> Result<LoadBalancer> {
    let held = touch::hold(id)?;
    match wish.suits(&held.provisioning_status) {
        true => Ok(held),
        false => Err(errors::pending(&held.provisioning_status, id)),
    }
}

/// Changes one.
pub(crate) fn update(id: &str, mut changes: Document) -> Result<()> {
    restore(&attributes(), &mut changes);
    let held = held_for(id, Wish::Change)?;
    let mut port = Document::new();
    if changes.contains_key("vip_qos_policy_id") {
        if let Some(policy) = given(&changes, "vip_qos_policy_id") {
            vip::check_qos(policy)?;
        }
        port.insert(
            "qos_policy_id".to_owned(),
            changes.get("vip_qos_policy_id").cloned().unwrap_or_default(),
        );
    }
    if is_said(&changes, "vip_sg_ids") {
        let groups = crate::document::list(&changes, "vip_sg_ids");
        vip::check_security_groups(&groups)?;
        if Tree::load(id)?.is_some_and(|tree| tree.allows_cidrs()) {
            return Err(errors::validation(
                "Custom VIP Security Groups are not allowed when a listener has allowed CIDRs.",
            ));
        }
        port.insert("security_groups".to_owned(), json!(groups));
    }
    if !port.is_empty() {
        vip::change(&held.vip_port_id, &Value::Object(port))?;
    }
    objects::change(KIND, id, changes)?;
    driver::changed(&held)
}

/// Removes some that nothing hangs on.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    documents.iter().try_for_each(|document| remove(text(document, "id"), false))
}

/// Has one removed; with all that it is made of, or only if that is nothing.
fn remove(id: &str, cascade: bool) -> Result<()> {
    let tree = Tree::load(id)?.ok_or_else(|| errors::not_found(KIND.title(), id))?;
    if tree.has_children() && !cascade {
        return Err(errors::validation(format!("Cannot delete Load Balancer {id} - it has children")));
    }
    let held = held_for(id, Wish::Replace)?;
    for kind in Kind::ALL {
        tree.rows(kind).iter().try_for_each(|row| objects::mark(kind, text(row, "id"), PENDING_DELETE))?;
    }
    driver::changed(&held)
}

/// Does an action.
pub(crate) fn act(id: &str, action: &str) -> Result<Value> {
    match action {
        STATUS | STATUSES => {
            let tree = Tree::load(id)?.ok_or_else(|| errors::not_found(KIND.title(), id))?;
            Ok(tree.statuses())
        }
        STATS => Ok(json!({"stats": statistics::of_load_balancer(id)?})),
        FAILOVER => failover(id),
        CASCADE => remove(id, true).map(|()| Value::Null),
        other => Err(Error::internal(format!("'{other}' is no action of load balancers"))),
    }
}

/// Has another agent set it up anew.
fn failover(id: &str) -> Result<Value> {
    let held = held_for(id, Wish::Replace)?;
    let changes = json!({ PROVISIONING: PENDING_UPDATE, "host": Value::Null });
    store::update::<Document>(KIND.collection(), id, &changes)?;
    driver::moved(&held)?;
    driver::changed(&LoadBalancer { host: None, ..held })?;
    Ok(Value::Null)
}

/// An agent has removed it.
pub(crate) fn removed(id: &str) -> Result<()> {
    let Some(row) = store::get::<Document>(KIND.collection(), id)? else { return Ok(()) };
    let held: LoadBalancer = typed(row)?;
    store::delete(KIND.collection(), std::slice::from_ref(&held.id))?;
    vip::deallocate(&held.id, &held.vip_port_id)
}
