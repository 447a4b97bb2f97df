//! Neutron's words (`neutron_lib.exceptions.flavors`).

use hadron_sdk::Error;

pub(crate) fn flavor_in_use(id: &str) -> Error {
    Error::conflict("FlavorInUse", format!("Flavor {id} is used by some service instance."))
}

pub(crate) fn profile_not_found(id: &str) -> Error {
    Error::not_found("ServiceProfileNotFound", format!("Service Profile {id} could not be found."))
}

pub(crate) fn profile_in_use(id: &str) -> Error {
    Error::conflict("ServiceProfileInUse", format!("Service Profile {id} is used by some service instance."))
}

pub(crate) fn profile_empty() -> Error {
    Error::invalid("ServiceProfileEmpty", "Service Profile needs either a driver or metainfo.")
}

pub(crate) fn profile_disabled() -> Error {
    Error::unavailable("ServiceProfileDisabled", "Service Profile is not enabled.")
}

pub(crate) fn driver_not_found(driver: &str) -> Error {
    Error::not_found(
        "ServiceProfileDriverNotFound",
        format!("Service Profile driver {driver} could not be found."),
    )
}

pub(crate) fn bound(profile: &str, flavor: &str) -> Error {
    Error::conflict(
        "FlavorServiceProfileBindingExists",
        format!("Service Profile {profile} is already associated with flavor {flavor}."),
    )
}

pub(crate) fn not_bound(profile: &str, flavor: &str) -> Error {
    Error::not_found(
        "FlavorServiceProfileBindingNotFound",
        format!("Service Profile {profile} is not associated with flavor {flavor}."),
    )
}

pub(crate) fn service_type(given: &str) -> Error {
    Error::invalid("InvalidServiceType", format!("Invalid service type: {given}."))
}
