//! Flavors, and the profiles that are put to them.

use crate::{errors, profiles, text};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, StoreError};
use hadron_sdk::{Document, Error, Result, config};

pub(crate) const COLLECTION: &str = "flavors";
/// The attribute with the ids of a flavor's profiles.
pub(crate) const PROFILES: &str = "service_profiles";
/// Actions, with the names of Neutron's rules about them.
pub(crate) const PUT_PROFILE: &str = "create_flavor_service_profile";
pub(crate) const GET_PROFILE: &str = "get_flavor_service_profile";
pub(crate) const TAKE_PROFILE: &str = "delete_flavor_service_profile";
/// Who would serve a flavor. In Neutron: `get_flavor_next_provider`, which its
/// API asks for by another name, so that the answer there is always a 500.
pub(crate) const NEXT_PROVIDER: &str = "get_flavor_next_provider";
/// The configuration key with the types of services there are.
pub(crate) const SERVICE_TYPES: &str = "service_types";

/// The profiles of a flavor's document, in order.
fn listed(document: &Document) -> Vec<String> {
    let listed = document.get(PROFILES).and_then(Value::as_array).into_iter().flatten();
    listed.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Makes flavors. Neutron passes over profiles that are given here; they are
/// put to the flavor.
pub(crate) fn create(bodies: &[Document]) -> Result<()> {
    let known: Vec<String> = config::or(SERVICE_TYPES, Vec::new())?;
    for body in bodies {
        let given = text(body, "service_type");
        if !known.iter().any(|known| known == given) {
            return Err(errors::service_type(given));
        }
        profiles::check_known(&listed(body))?;
    }
    Ok(store::insert(COLLECTION, bodies)?)
}

/// Changes a flavor.
pub(crate) fn update(id: &str, changes: &Document) -> Result<()> {
    profiles::check_known(&listed(changes))?;
    store::update::<Document>(COLLECTION, id, changes).map(drop)
}

/// Removes flavors that nothing is made of.
pub(crate) fn delete(ids: &[String]) -> Result<()> {
    store::delete(COLLECTION, ids).map_err(|error| match error {
        StoreError::InUse(_) => errors::flavor_in_use(&ids.join(", ")),
        other => Error::from(other),
    })
}

/// The profiles of a flavor, which the host has shown to exist.
fn profiles_of(id: &str) -> Result<Vec<String>> {
    let flavor: Option<Document> = store::get(COLLECTION, id)?;
    Ok(flavor.as_ref().map(listed).unwrap_or_default())
}

/// Puts a profile to a flavor. Of the flavor, the answer has the id and no more,
/// as in Neutron.
pub(crate) fn put_profile(id: &str, profile: &str) -> Result<Value> {
    let mut listed = profiles_of(id)?;
    if listed.iter().any(|known| known == profile) {
        return Err(errors::bound(profile, id));
    }
    profiles::check_known(&[profile.to_owned()])?;
    listed.push(profile.to_owned());
    store::update::<Document>(COLLECTION, id, &json!({ PROFILES: listed }))?;
    Ok(json!({"service_profile": {"id": id}}))
}

/// Whether a profile is put to a flavor; of what there is to say about that,
/// Neutron shows nothing.
pub(crate) fn get_profile(id: &str, profile: &str) -> Result<Value> {
    match profiles_of(id)?.iter().any(|known| known == profile) {
        true => Ok(json!({"service_profile": {}})),
        false => Err(errors::not_bound(profile, id)),
    }
}

/// Takes a profile from a flavor.
pub(crate) fn take_profile(id: &str, profile: &str) -> Result<Value> {
    let mut listed = profiles_of(id)?;
    let before = listed.len();
    listed.retain(|known| known != profile);
    if listed.len() == before {
        return Err(errors::not_bound(profile, id));
    }
    store::update::<Document>(COLLECTION, id, &json!({ PROFILES: listed }))?;
    Ok(Value::Null)
}

/// The provider that the first of a flavor's profiles names.
pub(crate) fn next_provider(id: &str) -> Result<Value> {
    let listed = profiles_of(id)?;
    let first = listed.first().ok_or_else(|| errors::not_bound("", id))?;
    let (driver, provider) = profiles::provider(first)?;
    Ok(json!({"next_providers": [{"driver": driver, "provider": provider}]}))
}
