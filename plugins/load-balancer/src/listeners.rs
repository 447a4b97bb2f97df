//! Listeners: a port of a load balancer's addresses. In Octavia:
//! `ListenersController`.

mod rules;

use crate::attribute::{
    admin_state_up, asked, between, description, fill, hidden, id_list, list, name, needed, nested as object,
    once, one_of, port, restore, set, statuses, string, tags, without,
};
use crate::document::{given, merged, number, text};
use crate::kind::Kind;
use crate::load_balancers::LoadBalancer;
use crate::objects::{self, WHOLE};
use crate::protocol::{OF_LISTENERS, PROMETHEUS, TERMINATED_HTTPS, below, check_pair};
use crate::settings::Settings;
use crate::status::PENDING_DELETE;
use crate::{errors, graph, l7policies, pools, statistics, tls, touch};
use hadron_sdk::manifest::{
    Action, Attribute, Collection, Derived, DerivedFrom, Key, OnDelete, Quota, Reference, RowsOf, Standard,
    Validator, Verb,
};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, InsertError, StoreError};
use hadron_sdk::{Document, Error, Result};
use rules::Around;

const KIND: Kind = Kind::Listener;

/// The action that asks how much goes through one.
pub(crate) const STATS: &str = "stats";
/// The attribute with the pool that what no policy says is handed on to.
const POOL: &str = "default_pool_id";
/// The protocol whose port it has: of that and the port there is one.
const BELOW: &str = "l4_protocol";
/// Longest time, in milliseconds. In Octavia: `MAX_TIMEOUT`.
const LONGEST: i64 = 31_536_000_000;

/// Its attributes.
pub(crate) fn attributes() -> Vec<Attribute> {
    let time = |name: &str, default: i64| set(name, between(0, LONGEST), json!(default));
    let reference = |name: &str| set(name, string(255), Value::Null);
    let [provisioning, operating] = statuses();
    vec![
        name(),
        description(),
        admin_state_up(),
        provisioning,
        operating,
        needed("protocol", one_of(&OF_LISTENERS)),
        needed("protocol_port", port()),
        set("connection_limit", Validator::Integer { min: Some(-1), max: None }, json!(-1)),
        reference("default_tls_container_ref"),
        set("sni_container_refs", list(string(255)), json!([])),
        set(POOL, Validator::Uuid, Value::Null),
        set("insert_headers", Validator::Dict, json!({})),
        time("timeout_client_data", 50_000),
        time("timeout_member_connect", 5_000),
        time("timeout_member_data", 50_000),
        time("timeout_tcp_inspect", 0),
        tags(),
        reference("client_ca_tls_container_ref"),
        set("client_authentication", one_of(&["NONE", "OPTIONAL", "MANDATORY"]), json!("NONE")),
        reference("client_crl_container_ref"),
        set("allowed_cidrs", list(Validator::Cidr), Value::Null),
        set(tls::TLS_CIPHERS, string(2048), Value::Null),
        set(tls::TLS_VERSIONS, list(string(32)), Value::Null),
        set(tls::ALPN_PROTOCOLS, list(string(32)), Value::Null),
        set("hsts_max_age", Validator::Integer { min: Some(0), max: None }, Value::Null),
        set("hsts_include_subdomains", Validator::Boolean, json!(false)),
        set("hsts_preload", Validator::Boolean, json!(false)),
    ]
}

/// What one is asked for with, together with its load balancer.
pub(crate) fn nested() -> Validator {
    let parts = [
        asked(graph::DEFAULT_POOL, pools::nested()),
        once(graph::POLICIES, list(l7policies::nested()), json!([])),
    ];
    let mut attributes = attributes();
    attributes.extend(parts);
    object(&attributes)
}

/// The declaration of the collection.
pub(crate) fn collection() -> Collection {
    let own = [needed(WHOLE, Validator::Uuid), id_list("loadbalancers"), hidden(BELOW, string(8))];
    Collection {
        name: KIND.collection().to_owned(),
        member: KIND.member().to_owned(),
        path_prefix: crate::manifest::PREFIX.to_owned(),
        attributes: attributes().into_iter().chain(own).collect(),
        keys: vec![Key {
            name: "protocol_port".to_owned(),
            attributes: [WHOLE, BELOW, "protocol_port"].map(str::to_owned).to_vec(),
        }],
        references: vec![
            objects::of_whole(),
            Reference {
                attribute: POOL.to_owned(),
                collection: Kind::Pool.collection().to_owned(),
                on_delete: OnDelete::Restrict,
                ..Reference::default()
            },
        ],
        derived: vec![Derived {
            name: graph::POLICIES.to_owned(),
            from: DerivedFrom::Rows(vec![RowsOf {
                collection: Kind::L7Policy.collection().to_owned(),
                attribute: l7policies::LISTENER.to_owned(),
                show: vec!["id".to_owned()],
                ..RowsOf::default()
            }]),
        }],
        actions: vec![Action { name: STATS.to_owned(), verb: Verb::Get, path: None, takes: None }],
        not_found: Some("NotFound".to_owned()),
        not_found_says: Some(format!("{} {{id}} not found.", KIND.title())),
        without: without(),
        standard: Standard::NONE,
        quota: Some(Quota { default: -1 }),
        ..Collection::default()
    }
}

/// Makes listeners.
pub(crate) fn create(bodies: Vec<Document>) -> Result<()> {
    let settings = Settings::load()?;
    for body in bodies {
        let whole = objects::visible(Kind::LoadBalancer, text(&body, WHOLE))?;
        let held = touch::begin(text(&whole, "id"))?;
        insert(&settings, &held, body)?;
        objects::relist(&held.id)?;
    }
    Ok(())
}

/// Writes a listener of a load balancer; its id.
pub(crate) fn insert(settings: &Settings, held: &LoadBalancer, mut body: Document) -> Result<String> {
    fill(&attributes(), &mut body);
    tls::check(settings, &body)?;
    check(settings, held, &body)?;
    let id = objects::born(held, &mut body);
    let (protocol, port) = (text(&body, "protocol").to_owned(), number(&body, "protocol_port"));
    tls::fill(&mut body, protocol == TERMINATED_HTTPS);
    body.insert(BELOW.to_owned(), Value::from(below(&protocol)));
    body.insert("loadbalancers".to_owned(), json!([{"id": held.id}]));
    objects::insert(KIND, body).map_err(|error| match error {
        InsertError::Store(StoreError::Duplicate(_)) => {
            errors::duplicate_listener(&protocol, port.unwrap_or_default())
        }
        other => other.into(),
    })?;
    Ok(id)
}

/// Whether a listener makes sense in its load balancer.
fn check(settings: &Settings, held: &LoadBalancer, listener: &Document) -> Result<()> {
    let around = Around { addresses: &held.addresses(), has_groups: !held.vip_sg_ids.is_empty() };
    rules::check(settings, listener, &around)?;
    match given(listener, POOL) {
        Some(pool) => check_pool(&held.id, text(listener, "protocol"), pool),
        None => Ok(()),
    }
}

/// A pool that a listener hands on to is of the same load balancer. In Octavia:
/// `_validate_pool`.
pub(crate) fn check_pool(load_balancer: &str, protocol: &str, pool: &str) -> Result<()> {
    if protocol == PROMETHEUS {
        return Err(errors::no_children(PROMETHEUS));
    }
    let found: Option<Document> = store::get(Kind::Pool.collection(), pool)?;
    let found = found.filter(|found| text(found, WHOLE) == load_balancer);
    let found = found.ok_or_else(|| errors::not_found(Kind::Pool.title(), pool))?;
    check_pair(protocol, text(&found, "protocol"))
}

/// Changes one.
pub(crate) fn update(id: &str, current: &Document, mut changes: Document) -> Result<()> {
    let settings = Settings::load()?;
    restore(&attributes(), &mut changes);
    tls::check(&settings, &changes)?;
    let held = touch::begin(text(current, WHOLE))?;
    let mut listener = merged(current, &changes);
    check(&settings, &held, &listener)?;
    tls::fill(&mut listener, text(current, "protocol") == TERMINATED_HTTPS);
    for (name, value) in &mut changes {
        value.clone_from(listener.get(name).unwrap_or(&Value::Null));
    }
    objects::change(KIND, id, changes)
}

/// Gives a listener that has none its pool.
pub(crate) fn give_pool(id: &str, pool: &str) -> Result<()> {
    store::update::<Document>(KIND.collection(), id, &json!({ POOL: pool })).map(drop)
}

/// A pool is gone, so nobody hands on to it any more.
pub(crate) fn forget_pool(pool: &str) -> Result<()> {
    objects::with(KIND, POOL, pool)?.iter().try_for_each(|listener| {
        let none = json!({ POOL: Value::Null });
        store::update::<Document>(KIND.collection(), text(listener, "id"), &none).map(drop)
    })
}

/// Has some removed.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    for document in documents {
        touch::begin(text(document, WHOLE))?;
        objects::mark(KIND, text(document, "id"), PENDING_DELETE)?;
    }
    Ok(())
}

/// Does an action.
pub(crate) fn act(id: &str, action: &str) -> Result<Value> {
    match action {
        STATS => Ok(json!({"stats": statistics::of_listener(id)?})),
        other => Err(Error::internal(format!("'{other}' is no action of listeners"))),
    }
}

/// An agent has removed it.
pub(crate) fn removed(id: &str) -> Result<()> {
    let Some(row) = store::get::<Document>(KIND.collection(), id)? else { return Ok(()) };
    store::delete(KIND.collection(), &[id.to_owned()])?;
    objects::relist(text(&row, WHOLE))
}
