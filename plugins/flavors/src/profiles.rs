//! Service profiles: a driver, or what to tell one.

use crate::{errors, flavors, text};
use hadron_sdk::serde_json::Value;
use hadron_sdk::store::{self, Query, StoreError};
use hadron_sdk::{Document, Error, Result, resources};

pub(crate) const COLLECTION: &str = "service_profiles";
/// The collection of providers, another plugin's.
pub(crate) const PROVIDERS: &str = "service_providers";

/// Makes profiles.
pub(crate) fn create(bodies: &[Document]) -> Result<()> {
    for body in bodies {
        match text(body, "driver") {
            "" if text(body, "metainfo").is_empty() => return Err(errors::profile_empty()),
            "" => {}
            driver => drop(provider_with(driver)?),
        }
    }
    Ok(store::insert(COLLECTION, bodies)?)
}

/// Changes a profile that no flavor is made of.
pub(crate) fn update(id: &str, changes: &Document) -> Result<()> {
    match text(changes, "driver") {
        "" => {}
        driver => drop(provider_with(driver)?),
    }
    check_unused(id)?;
    store::update::<Document>(COLLECTION, id, changes).map(drop)
}

/// Removes profiles that no flavor is made of.
pub(crate) fn delete(ids: &[String]) -> Result<()> {
    store::delete(COLLECTION, ids).map_err(|error| match error {
        StoreError::InUse(_) => errors::profile_in_use(&ids.join(", ")),
        other => Error::from(other),
    })
}

/// All of these exist.
pub(crate) fn check_known(ids: &[String]) -> Result<()> {
    for id in ids {
        store::get::<Document>(COLLECTION, id)?.ok_or_else(|| errors::profile_not_found(id))?;
    }
    Ok(())
}

fn check_unused(id: &str) -> Result<()> {
    match store::count(flavors::COLLECTION, &Query::all().equal(flavors::PROFILES, id))? {
        0 => Ok(()),
        _ => Err(errors::profile_in_use(id)),
    }
}

/// The name of the provider with that driver.
fn provider_with(driver: &str) -> Result<String> {
    let query = Query::all().equal("driver", driver).limit(1);
    let found: Vec<Document> = resources::find(PROVIDERS, &query)?;
    let provider = found.first().ok_or_else(|| errors::driver_not_found(driver))?;
    Ok(text(provider, "name").to_owned())
}

/// A profile's driver, and the name of the provider with it.
pub(crate) fn provider(id: &str) -> Result<(String, String)> {
    let profile: Document = store::get(COLLECTION, id)?.ok_or_else(|| errors::profile_not_found(id))?;
    if profile.get("enabled").and_then(Value::as_bool) != Some(true) {
        return Err(errors::profile_disabled());
    }
    let driver = text(&profile, "driver");
    Ok((driver.to_owned(), provider_with(driver)?))
}
