//! Flavors: whether what a service is to be like is there to be had. In Neutron:
//! `_get_provider_for_flavor`.

use crate::errors;
use hadron_sdk::manifest::Verb;
use hadron_sdk::store::Query;
use hadron_sdk::{Error, Result, resources};
use serde::Deserialize;

/// The collection of another plugin with flavors.
pub(crate) const FLAVORS: &str = "flavors";
const PROFILES: &str = "service_profiles";
const PROVIDERS: &str = "service_providers";

/// What is read, and how.
pub(crate) const READ: [(&str, Verb); 3] =
    [(FLAVORS, Verb::Get), (PROFILES, Verb::Get), (PROVIDERS, Verb::Get)];

/// The service that this plugin is.
const SERVICE: &str = "VPN";

#[derive(Deserialize)]
struct Flavor {
    service_type: String,
    enabled: Option<bool>,
    #[serde(default)]
    service_profiles: Vec<String>,
}

#[derive(Deserialize)]
struct Profile {
    driver: Option<String>,
    enabled: Option<bool>,
}

#[derive(Deserialize)]
struct Provider {
    service_type: String,
}

/// A flavor is of VPN services, and its first profile names one who provides them.
pub(crate) fn check(id: &str) -> Result<()> {
    let flavor: Option<Flavor> = resources::get(FLAVORS, id).map_err(|error| match error {
        Error::NotFound(_) => errors::flavors_not_loaded(),
        other => other,
    })?;
    let flavor = flavor.ok_or_else(|| errors::flavor_not_found(id))?;
    if flavor.service_type != SERVICE {
        return Err(errors::service_type(&flavor.service_type));
    }
    if flavor.enabled != Some(true) {
        return Err(errors::flavor_disabled());
    }
    let first = flavor.service_profiles.first().ok_or_else(|| errors::profile_not_bound("", id))?;
    let profile: Option<Profile> = resources::get(PROFILES, first)?;
    let profile = profile.ok_or_else(|| errors::profile_not_bound(first, id))?;
    if profile.enabled != Some(true) {
        return Err(errors::profile_disabled());
    }
    let driver = profile.driver.unwrap_or_default();
    let providers: Vec<Provider> =
        match resources::find(PROVIDERS, &Query::all().equal("driver", driver.as_str())) {
            Err(Error::NotFound(_)) => Vec::new(),
            other => other?,
        };
    match providers.iter().any(|provider| provider.service_type == SERVICE) {
        true => Ok(()),
        false if providers.is_empty() => Err(errors::driver_not_found(&driver)),
        false => Err(errors::no_provider(id)),
    }
}
