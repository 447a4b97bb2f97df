//! Pools: members that answer for each other. In Octavia: `PoolsController`.

mod rules;

use crate::attribute::{
    admin_state_up, asked, description, fill, id_list, list, name, needed, needed_set, nested as object,
    once, one_of, restore, set, shown, statuses, string, tags, take_object, take_objects, without,
};
use crate::document::{given, is_true, merged, text};
use crate::kind::Kind;
use crate::load_balancers::LoadBalancer;
use crate::objects::{self, WHOLE};
use crate::protocol::{OF_POOLS, check_pair};
use crate::settings::Settings;
use crate::status::PENDING_DELETE;
use crate::{errors, health_monitors, listeners, members, tls, touch};
use hadron_sdk::manifest::{
    Attribute, Called, Collection, Derived, DerivedFrom, Quota, RowsOf, Standard, Validator,
};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store;
use hadron_sdk::{Document, Error, Result};
use rules::{APP_COOKIE, HTTP_COOKIE, PERSISTENCE, SOURCE_IP};

const KIND: Kind = Kind::Pool;
/// Ways to choose a member. In Octavia: `SUPPORTED_LB_ALGORITHMS`.
const ALGORITHMS: [&str; 4] = ["ROUND_ROBIN", "LEAST_CONNECTIONS", "SOURCE_IP", "SOURCE_IP_PORT"];

/// Its attributes.
pub(crate) fn attributes() -> Vec<Attribute> {
    let persistence = Validator::Object {
        members: vec![
            once("type", one_of(&[SOURCE_IP, HTTP_COOKIE, APP_COOKIE]), Value::Null),
            once("cookie_name", string(255), Value::Null),
            once("persistence_timeout", Validator::Integer { min: Some(0), max: None }, Value::Null),
            once("persistence_granularity", Validator::IpAddress, Value::Null),
        ],
    };
    let reference = |name: &str| set(name, string(255), Value::Null);
    let [provisioning, operating] = statuses();
    vec![
        name(),
        description(),
        admin_state_up(),
        provisioning,
        operating,
        needed("protocol", one_of(&OF_POOLS)),
        needed_set("lb_algorithm", one_of(&ALGORITHMS)),
        set(PERSISTENCE, persistence, Value::Null),
        tags(),
        reference("tls_container_ref"),
        reference("ca_tls_container_ref"),
        reference("crl_container_ref"),
        set("tls_enabled", Validator::Boolean, json!(false)),
        set(tls::TLS_CIPHERS, string(2048), Value::Null),
        set(tls::TLS_VERSIONS, list(string(32)), Value::Null),
        set(tls::ALPN_PROTOCOLS, list(string(32)), Value::Null),
    ]
}

/// What comes with one that is made.
fn parts() -> [Attribute; 2] {
    [
        once("members", list(object(&members::attributes())), json!([])),
        asked("healthmonitor", object(&health_monitors::attributes())),
    ]
}

/// What one is asked for with, together with a load balancer; or its name alone.
pub(crate) fn nested() -> Validator {
    let bare = |attribute: Attribute| Attribute { required: false, ..attribute };
    object(&attributes().into_iter().map(bare).chain(parts()).collect::<Vec<_>>())
}

/// The declaration of the collection.
pub(crate) fn collection() -> Collection {
    let own = [
        once(WHOLE, Validator::Uuid, Value::Null),
        asked("listener_id", Validator::Uuid),
        id_list("loadbalancers"),
        shown("healthmonitor_id", Validator::Uuid),
    ];
    Collection {
        name: KIND.collection().to_owned(),
        member: KIND.member().to_owned(),
        called: Some(Called { collection: "pools".to_owned(), member: "pool".to_owned() }),
        path_prefix: crate::manifest::PREFIX.to_owned(),
        attributes: attributes().into_iter().chain(parts()).chain(own).collect(),
        references: vec![objects::of_whole()],
        derived: vec![Derived {
            name: "listeners".to_owned(),
            from: DerivedFrom::Rows(vec![RowsOf {
                collection: Kind::Listener.collection().to_owned(),
                attribute: "default_pool_id".to_owned(),
                show: vec!["id".to_owned()],
                ..RowsOf::default()
            }]),
        }],
        actions: members::actions(),
        not_found: Some("NotFound".to_owned()),
        not_found_says: Some(format!("{} {{id}} not found.", KIND.title())),
        without: without(),
        standard: Standard::NONE,
        quota: Some(Quota { default: -1 }),
        ..Collection::default()
    }
}

/// Makes pools.
pub(crate) fn create(bodies: Vec<Document>) -> Result<()> {
    let settings = Settings::load()?;
    bodies.into_iter().try_for_each(|body| create_one(&settings, body))
}

fn create_one(settings: &Settings, mut body: Document) -> Result<()> {
    let listener = match body.shift_remove("listener_id") {
        Some(Value::String(id)) => Some(objects::visible(Kind::Listener, &id)?),
        _ => None,
    };
    let whole = match (given(&body, WHOLE), &listener) {
        (Some(id), _) => objects::visible(Kind::LoadBalancer, id)?,
        (None, Some(listener)) => objects::visible(Kind::LoadBalancer, text(listener, WHOLE))?,
        (None, None) => {
            return Err(errors::validation("Must provide at least one of: loadbalancer_id, listener_id"));
        }
    };
    if let Some(listener) = &listener {
        check_listener(listener, &whole, &body)?;
    }
    let held = touch::begin(text(&whole, "id"))?;
    let id = insert(settings, &held, body)?;
    if let Some(listener) = &listener {
        touch::touch(Kind::Listener, [text(listener, "id")])?;
        listeners::give_pool(text(listener, "id"), &id)?;
    }
    objects::relist(&held.id)
}

/// A listener that is to hand on to a new pool.
fn check_listener(listener: &Document, whole: &Document, body: &Document) -> Result<()> {
    if text(listener, WHOLE) != text(whole, "id") {
        return Err(errors::not_found(Kind::Listener.title(), text(listener, "id")));
    }
    check_pair(text(listener, "protocol"), text(body, "protocol"))?;
    match given(listener, "default_pool_id") {
        Some(_) => Err(errors::duplicate_pool()),
        None => Ok(()),
    }
}

/// Writes a pool with its monitor and members; its id.
pub(crate) fn insert(settings: &Settings, held: &LoadBalancer, mut body: Document) -> Result<String> {
    let members = take_objects(&mut body, "members");
    let monitor = take_object(&mut body, "healthmonitor");
    body.shift_remove("healthmonitor");
    fill(&attributes(), &mut body);
    tls::check(settings, &body)?;
    rules::check(&body)?;
    let id = objects::born(held, &mut body);
    let speaks_tls = is_true(&body, "tls_enabled");
    tls::fill(&mut body, speaks_tls);
    for (name, value) in [
        ("loadbalancers", json!([{"id": held.id}])),
        ("members", json!([])),
        ("healthmonitor_id", Value::Null),
    ] {
        body.insert(name.to_owned(), value);
    }
    let pool = body.clone();
    objects::insert(KIND, body).map_err(Error::from)?;
    let monitor =
        monitor.map(|monitor| health_monitors::insert(settings, held, &pool, monitor)).transpose()?;
    for member in members {
        members::insert(settings, held, &pool, monitor.is_some(), member)?;
    }
    list_parts(&id)?;
    Ok(id)
}

/// Writes anew what a pool lists.
pub(crate) fn list_parts(id: &str) -> Result<()> {
    let monitors = objects::with(Kind::HealthMonitor, members::POOL, id)?;
    let monitor = monitors.first().map(|monitor| text(monitor, "id"));
    let listed = json!({
        "members": objects::listed(Kind::Member, members::POOL, id)?,
        "healthmonitor_id": monitor,
    });
    store::update::<Document>(KIND.collection(), id, &listed).map(drop)
}

/// Changes one.
pub(crate) fn update(id: &str, current: &Document, mut changes: Document) -> Result<()> {
    let settings = Settings::load()?;
    restore(&attributes(), &mut changes);
    if let Some(asked) = changes.get_mut(PERSISTENCE) {
        rules::changed(current.get(PERSISTENCE), asked);
    }
    tls::check(&settings, &changes)?;
    let mut pool = merged(current, &changes);
    rules::check(&pool)?;
    touch::begin(text(current, WHOLE))?;
    touch::touch(Kind::Listener, touch::listeners_of(id)?.iter().map(String::as_str))?;
    let speaks_tls = is_true(&pool, "tls_enabled");
    if speaks_tls && !is_true(current, "tls_enabled") {
        // What was kept for a pool without TLS is not what one with it wants.
        for name in [tls::TLS_VERSIONS, tls::ALPN_PROTOCOLS] {
            if !changes.contains_key(name) && crate::document::list(current, name).is_empty() {
                pool.shift_remove(name);
            }
        }
    }
    tls::fill(&mut pool, speaks_tls);
    for name in [tls::TLS_VERSIONS, tls::TLS_CIPHERS, tls::ALPN_PROTOCOLS] {
        if pool.get(name) != current.get(name) {
            changes.insert(name.to_owned(), pool.get(name).cloned().unwrap_or_default());
        }
    }
    objects::change(KIND, id, changes)
}

/// Has some removed that no policy redirects to.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    for document in documents {
        let id = text(document, "id");
        if let Some(policy) = objects::with(Kind::L7Policy, "redirect_pool_id", id)?.first() {
            return Err(errors::pool_in_use(id, text(policy, "id")));
        }
        touch::begin(text(document, WHOLE))?;
        touch::touch(Kind::Listener, touch::listeners_of(id)?.iter().map(String::as_str))?;
        objects::mark(KIND, id, PENDING_DELETE)?;
    }
    Ok(())
}

/// An agent has removed it.
pub(crate) fn removed(id: &str) -> Result<()> {
    let Some(row) = store::get::<Document>(KIND.collection(), id)? else { return Ok(()) };
    listeners::forget_pool(id)?;
    store::delete(KIND.collection(), &[id.to_owned()])?;
    objects::relist(text(&row, WHOLE))
}
