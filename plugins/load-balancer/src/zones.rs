//! Availability zones, made of profiles. In Octavia:
//! `AvailabilityZonesController`, `AvailabilityZoneProfileController`.

use crate::attribute::{description, needed, needed_set, restore, string};
use crate::document::{is_true, text};
use crate::errors;
use crate::flavors::{check_profile, data, enabled, insert, parse, plain, provider, write};
use crate::kind::Kind;
use hadron_sdk::manifest::{Called, Collection, Key, Reference, Refusal, Validator};
use hadron_sdk::serde_json::Value;
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Document, Error, Result};

pub(crate) const ZONES: &str = "load_balancer_zones";
pub(crate) const PROFILES: &str = "load_balancer_zone_profiles";
const PROFILE: &str = "availability_zone_profile_id";
const DATA: &str = "availability_zone_data";

/// The declarations of the collections.
pub(crate) fn collections() -> [Collection; 2] {
    let called = |collection: &str, member: &str| {
        Some(Called { collection: collection.to_owned(), member: member.to_owned() })
    };
    let zone = Collection {
        name: ZONES.to_owned(),
        member: "load_balancer_zone".to_owned(),
        called: called("availabilityzones", "availability_zone"),
        attributes: vec![
            needed("name", string(255)),
            description(),
            enabled(),
            needed(PROFILE, Validator::Uuid),
        ],
        keys: vec![Key { name: "name".to_owned(), attributes: vec!["name".to_owned()] }],
        references: vec![Reference {
            attribute: PROFILE.to_owned(),
            collection: PROFILES.to_owned(),
            refusal: Some(Refusal {
                error: "ObjectInUse".to_owned(),
                message: "Availability Zone Profile {id} is in use and cannot be modified.".to_owned(),
            }),
            ..Reference::default()
        }],
        not_found_says: Some("Availability Zone {id} not found.".to_owned()),
        ..plain()
    };
    let profile = Collection {
        name: PROFILES.to_owned(),
        member: "load_balancer_zone_profile".to_owned(),
        called: called("availabilityzoneprofiles", "availability_zone_profile"),
        attributes: vec![needed_set("name", string(255)), provider(), data(DATA)],
        not_found_says: Some("Availability Zone Profile {id} not found.".to_owned()),
        ..plain()
    };
    [zone, profile]
}

/// Makes zones.
pub(crate) fn create(mut bodies: Vec<Document>) -> Result<()> {
    let [collection, _] = collections();
    for body in &mut bodies {
        restore(&collection.attributes, body);
        let id = text(body, PROFILE);
        store::get::<Document>(PROFILES, id)?
            .ok_or_else(|| errors::validation(format!("Invalid availability_zone_profile_id: {id}")))?;
    }
    insert(ZONES, "availability zone", &bodies)
}

/// Changes one.
pub(crate) fn update(id: &str, mut changes: Document) -> Result<()> {
    let [collection, _] = collections();
    restore(&collection.attributes, &mut changes);
    write(ZONES, "availability zone", id, &changes)
}

/// Removes some that no load balancer is in.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    for zone in documents {
        let there = Query::all().equal("availability_zone", text(zone, "name"));
        if store::count(Kind::LoadBalancer.collection(), &there)? > 0 {
            return Err(errors::in_use("Availability Zone", text(zone, "name")));
        }
    }
    store::delete(ZONES, &crate::document::ids(documents)).map_err(Error::from)
}

/// Makes profiles.
pub(crate) fn create_profiles(bodies: &[Document]) -> Result<()> {
    bodies.iter().try_for_each(|body| check_profile(body, DATA))?;
    insert(PROFILES, "availability zone profile", bodies)
}

/// Changes one; what zones are made of keeps what its provider is told.
pub(crate) fn update_profile(id: &str, changes: &Document) -> Result<()> {
    check_profile(changes, DATA)?;
    let told = ["provider_name", DATA].iter().any(|name| changes.contains_key(*name));
    if told && store::count(ZONES, &Query::all().equal(PROFILE, id))? > 0 {
        return Err(errors::in_use("Availability Zone Profile", id));
    }
    write(PROFILES, "availability zone profile", id, changes)
}

fn named(name: &str) -> Result<Option<Document>> {
    let found: Vec<Document> = store::find(ZONES, &Query::all().equal("name", name))?;
    Ok(found.into_iter().next())
}

/// A zone that a load balancer wants to be in.
pub(crate) fn check_usable(name: &str) -> Result<()> {
    let zone = named(name)?.ok_or_else(|| errors::validation("Invalid availability zone."))?;
    match is_true(&zone, "enabled") {
        true => Ok(()),
        false => Err(errors::disabled("availability_zone", name)),
    }
}

/// What the provider of a zone is told.
pub(crate) fn told(name: &str) -> Result<Value> {
    let Some(zone) = named(name)? else { return Ok(Value::Null) };
    let profile: Option<Document> = store::get(PROFILES, text(&zone, PROFILE))?;
    profile.map_or(Ok(Value::Null), |profile| parse(text(&profile, DATA)))
}
