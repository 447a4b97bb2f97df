//! Flavors, made of profiles: what a provider is told of how to set up load
//! balancers. In Octavia: `FlavorsController`, `FlavorProfileController`.

use crate::attribute::{description, needed, needed_set, set, string, without};
use crate::document::{is_true, text};
use crate::errors;
use crate::settings::Settings;
use hadron_sdk::manifest::{Attribute, Called, Collection, Key, Reference, Refusal, Standard, Validator};
use hadron_sdk::serde_json::{self, Value, json};
use hadron_sdk::store::{self, InsertError, StoreError};
use hadron_sdk::{Document, Error, Result};

pub(crate) const FLAVORS: &str = "load_balancer_flavors";
pub(crate) const PROFILES: &str = "load_balancer_flavor_profiles";
const PROFILE: &str = "flavor_profile_id";
const DATA: &str = "flavor_data";

/// The declarations of the collections.
pub(crate) fn collections() -> [Collection; 2] {
    let name = || needed_set("name", string(255));
    let flavor = Collection {
        name: FLAVORS.to_owned(),
        member: "load_balancer_flavor".to_owned(),
        called: Some(Called { collection: "flavors".to_owned(), member: "flavor".to_owned() }),
        attributes: vec![name(), description(), enabled(), needed(PROFILE, Validator::Uuid)],
        keys: vec![Key { name: "name".to_owned(), attributes: vec!["name".to_owned()] }],
        references: vec![Reference {
            attribute: PROFILE.to_owned(),
            collection: PROFILES.to_owned(),
            refusal: Some(Refusal {
                error: "ObjectInUse".to_owned(),
                message: "Flavor profile {id} is in use and cannot be modified.".to_owned(),
            }),
            ..Reference::default()
        }],
        not_found_says: Some("Flavor {id} not found.".to_owned()),
        ..plain()
    };
    let profile = Collection {
        name: PROFILES.to_owned(),
        member: "load_balancer_flavor_profile".to_owned(),
        called: Some(Called { collection: "flavorprofiles".to_owned(), member: "flavorprofile".to_owned() }),
        attributes: vec![name(), provider(), data(DATA)],
        not_found_says: Some("Flavor Profile {id} not found.".to_owned()),
        ..plain()
    };
    [flavor, profile]
}

/// Whether it can be asked for.
pub(crate) fn enabled() -> Attribute {
    set("enabled", Validator::Boolean, json!(true))
}

/// The provider that a profile is for.
pub(crate) fn provider() -> Attribute {
    needed_set("provider_name", string(255))
}

/// What the provider is told: the text of an object.
pub(crate) fn data(name: &str) -> Attribute {
    needed_set(name, string(4096))
}

/// What collections that belong to no project have in common.
pub(crate) fn plain() -> Collection {
    let times = ["project_id", "created_at", "updated_at"].map(str::to_owned);
    Collection {
        path_prefix: crate::manifest::PREFIX.to_owned(),
        not_found: Some("NotFound".to_owned()),
        without: without().into_iter().chain(times).collect(),
        standard: Standard::NONE,
        ..Collection::default()
    }
}

/// Makes rows whose names are unique.
pub(crate) fn insert(collection: &str, what: &str, bodies: &[Document]) -> Result<()> {
    store::insert(collection, bodies).map_err(|error| match error {
        InsertError::Store(StoreError::Duplicate(_)) => {
            errors::name_taken(what, bodies.last().map_or("", |body| text(body, "name")))
        }
        other => other.into(),
    })
}

/// Changes a row whose name is unique.
pub(crate) fn write(collection: &str, what: &str, id: &str, changes: &Document) -> Result<()> {
    store::try_update(collection, id, changes).map(drop).map_err(|error| match error {
        InsertError::Store(StoreError::Duplicate(_)) => errors::name_taken(what, text(changes, "name")),
        other => other.into(),
    })
}

/// A profile that a request names.
fn profile(id: &str) -> Result<Document> {
    store::get(PROFILES, id)?.ok_or_else(|| errors::validation(format!("Invalid flavor_profile_id: {id}")))
}

/// Makes flavors.
pub(crate) fn create(mut bodies: Vec<Document>) -> Result<()> {
    let [collection, _] = collections();
    for body in &mut bodies {
        crate::attribute::restore(&collection.attributes, body);
        profile(text(body, PROFILE))?;
    }
    insert(FLAVORS, "flavor", &bodies)
}

/// Changes one.
pub(crate) fn update(id: &str, mut changes: Document) -> Result<()> {
    let [collection, _] = collections();
    crate::attribute::restore(&collection.attributes, &mut changes);
    write(FLAVORS, "flavor", id, &changes)
}

/// A profile is for a provider that there is, and tells it an object.
pub(crate) fn check_profile(profile: &Document, data: &str) -> Result<()> {
    if let Some(provider) = profile.get("provider_name").and_then(Value::as_str)
        && !Settings::load()?.providers.contains_key(provider)
    {
        return Err(errors::provider_not_enabled(provider));
    }
    match profile.get(data).and_then(Value::as_str) {
        Some(said) if serde_json::from_str::<Document>(said).is_err() => {
            Err(errors::invalid_option(said, data))
        }
        _ => Ok(()),
    }
}

/// Makes profiles.
pub(crate) fn create_profiles(bodies: &[Document]) -> Result<()> {
    bodies.iter().try_for_each(|body| check_profile(body, DATA))?;
    insert(PROFILES, "flavor profile", bodies)
}

/// Changes one; what flavors are made of keeps what its provider is told.
pub(crate) fn update_profile(id: &str, changes: &Document) -> Result<()> {
    check_profile(changes, DATA)?;
    let told = ["provider_name", DATA].iter().any(|name| changes.contains_key(*name));
    if told && store::count(FLAVORS, &store::Query::all().equal(PROFILE, id))? > 0 {
        return Err(errors::in_use("Flavor profile", id));
    }
    write(PROFILES, "flavor profile", id, changes)
}

/// The provider of a flavor that can be asked for.
pub(crate) fn provider_of(flavor: &str) -> Result<String> {
    let found: Option<Document> = store::get(FLAVORS, flavor)?;
    let found = found.ok_or_else(|| errors::validation("Invalid flavor_id."))?;
    if !is_true(&found, "enabled") {
        return Err(errors::disabled("flavor", flavor));
    }
    Ok(text(&profile(text(&found, PROFILE))?, "provider_name").to_owned())
}

/// What the provider of a flavor is told.
pub(crate) fn told(flavor: &str) -> Result<Value> {
    let found: Option<Document> = store::get(FLAVORS, flavor)?;
    let Some(found) = found else { return Ok(Value::Null) };
    parse(text(&profile(text(&found, PROFILE))?, DATA))
}

/// What a profile tells.
pub(crate) fn parse(data: &str) -> Result<Value> {
    serde_json::from_str(data).map_err(Error::from)
}
