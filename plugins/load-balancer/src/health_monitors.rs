//! Health monitors: who looks whether members of a pool answer. In Octavia:
//! `HealthMonitorController`.

mod rules;

use crate::attribute::{
    admin_state_up, between, fill, id_list, load_balancer, name, needed, needed_set, one_of, restore, set,
    statuses, string, tags, without,
};
use crate::document::{merged, text};
use crate::kind::Kind;
use crate::load_balancers::LoadBalancer;
use crate::members::POOL;
use crate::objects::{self, cascading};
use crate::settings::Settings;
use crate::status::PENDING_DELETE;
use crate::{errors, pools, touch};
use hadron_sdk::manifest::{Attribute, Called, Collection, Key, Quota, Standard, Validator};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, InsertError, StoreError};
use hadron_sdk::{Document, Error, Result};

const KIND: Kind = Kind::HealthMonitor;
/// In octavia-lib: `SUPPORTED_HEALTH_MONITOR_HTTP_METHODS`.
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "OPTIONS", "PATCH", "CONNECT"];

/// Its attributes.
pub(crate) fn attributes() -> Vec<Attribute> {
    let seconds = || Validator::Integer { min: Some(0), max: None };
    let retries = || between(1, 10);
    let versions = Validator::Enum { values: vec![json!(1.0), json!(1.1)] };
    let [provisioning, operating] = statuses();
    vec![
        name(),
        admin_state_up(),
        provisioning,
        operating,
        needed("type", one_of(&rules::TYPES)),
        needed_set("delay", seconds()),
        needed_set("timeout", seconds()),
        needed_set("max_retries", retries()),
        set("max_retries_down", retries(), json!(3)),
        set("http_method", one_of(&METHODS), Value::Null),
        set("url_path", string(255), Value::Null),
        set("expected_codes", string(64), Value::Null),
        Attribute { filter: false, ..set("http_version", versions, Value::Null) },
        set("domain_name", string(255), Value::Null),
        tags(),
    ]
}

/// The declaration of the collection.
pub(crate) fn collection() -> Collection {
    let pool = Attribute { sparse: Some(POOL.to_owned()), ..needed(POOL, Validator::Uuid) };
    Collection {
        name: KIND.collection().to_owned(),
        member: KIND.member().to_owned(),
        called: Some(Called { collection: "healthmonitors".to_owned(), member: "healthmonitor".to_owned() }),
        path_prefix: crate::manifest::PREFIX.to_owned(),
        attributes: attributes().into_iter().chain([pool, id_list("pools"), load_balancer()]).collect(),
        keys: vec![Key { name: POOL.to_owned(), attributes: vec![POOL.to_owned()] }],
        references: vec![objects::of_whole(), cascading(POOL, Kind::Pool)],
        not_found: Some("NotFound".to_owned()),
        not_found_says: Some(format!("{} {{id}} not found.", KIND.title())),
        without: without(),
        standard: Standard::NONE,
        quota: Some(Quota { default: -1 }),
        ..Collection::default()
    }
}

/// Makes monitors.
pub(crate) fn create(bodies: Vec<Document>) -> Result<()> {
    let settings = Settings::load()?;
    for body in bodies {
        let pool = objects::visible(Kind::Pool, text(&body, POOL))?;
        let held = touch::begin_in_pool(&pool)?;
        insert(&settings, &held, &pool, body)?;
        pools::list_parts(text(&pool, "id"))?;
    }
    Ok(())
}

/// Writes a monitor of a pool; its id.
pub(crate) fn insert(
    settings: &Settings,
    held: &LoadBalancer,
    pool: &Document,
    mut body: Document,
) -> Result<String> {
    fill(&attributes(), &mut body);
    rules::check(settings, &body, text(pool, "protocol"))?;
    rules::fill(&mut body);
    let id = objects::born(held, &mut body);
    body.insert(POOL.to_owned(), Value::from(text(pool, "id")));
    body.insert("pools".to_owned(), json!([{"id": text(pool, "id")}]));
    objects::insert(KIND, body).map_err(|error| match error {
        InsertError::Store(StoreError::Duplicate(_)) => errors::duplicate_health_monitor(),
        other => Error::from(other),
    })?;
    Ok(id)
}

/// Changes one.
pub(crate) fn update(id: &str, current: &Document, mut changes: Document) -> Result<()> {
    let settings = Settings::load()?;
    restore(&attributes(), &mut changes);
    let pool = objects::get(Kind::Pool, text(current, POOL))?;
    let mut monitor = merged(current, &changes);
    rules::check(&settings, &monitor, text(&pool, "protocol"))?;
    rules::fill(&mut monitor);
    touch::begin_in_pool(&pool)?;
    for (name, value) in &mut changes {
        value.clone_from(monitor.get(name).unwrap_or(&Value::Null));
    }
    objects::change(KIND, id, changes)
}

/// Has some removed.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    for document in documents {
        touch::begin_in_pool(&objects::get(Kind::Pool, text(document, POOL))?)?;
        objects::mark(KIND, text(document, "id"), PENDING_DELETE)?;
    }
    Ok(())
}

/// An agent has removed it.
pub(crate) fn removed(id: &str) -> Result<()> {
    let Some(row) = store::get::<Document>(KIND.collection(), id)? else { return Ok(()) };
    store::delete(KIND.collection(), &[id.to_owned()])?;
    pools::list_parts(text(&row, POOL))
}
