//! Address scopes: within one no two subnet pools hold the same address, so what
//! is in it can be routed without translation. In Neutron: `AddressScopeDbMixin`.

mod attributes;

pub(crate) use attributes::{EXTENSIONS, POLICY, collection};

use crate::document::{flag, row, set, text};
use crate::net::Version;
use crate::sharing::{self, Shareable};
use crate::subnetpools;
use hadron_sdk::store::{self, StoreError};
use hadron_sdk::{Context, Document, Error, Result};
use serde::Deserialize;

const COLLECTION: &str = "address_scopes";

/// How policies share address scopes.
pub(crate) const SHARING: Shareable = Shareable {
    object_type: "address_scope",
    collection: COLLECTION,
    users: subnetpools::projects_in_scope,
    not_found,
};

/// A scope's row, as far as rules need it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct AddressScope {
    pub(crate) id: String,
    ip_version: u8,
}

impl AddressScope {
    /// The family of its addresses.
    pub(crate) fn version(&self) -> Version {
        Version::from_number(self.ip_version).unwrap_or(Version::V4)
    }
}

fn not_found(id: &str) -> Error {
    Error::not_found("AddressScopeNotFound", format!("Address scope {id} could not be found."))
}

/// Makes scopes.
pub(crate) fn create(bodies: &[Document]) -> Result<()> {
    Ok(store::insert(COLLECTION, bodies)?)
}

/// Changes a scope; what is shared with everybody stays so.
pub(crate) fn update(ctx: &Context, id: &str, changes: &Document) -> Result<()> {
    let unshares = set(changes, "shared").is_some() && !flag(changes, "shared");
    if unshares && sharing::allows(ctx, COLLECTION, id)? {
        return Err(Error::invalid(
            "AddressScopeUpdateError",
            format!("Unable to update address scope {id} : Shared address scope can't be unshared."),
        ));
    }
    store::update::<Document>(COLLECTION, id, changes).map(drop)
}

/// Removes scopes that no subnet pool is in.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    for document in documents {
        let id = text(document, "id");
        store::delete(COLLECTION, &[id.to_owned()]).map_err(|error| match error {
            StoreError::InUse(_) => Error::conflict(
                "AddressScopeInUse",
                format!(
                    "Unable to complete operation on address scope {id}. There are one or more subnet pools in \
                     use on the address scope."
                ),
            ),
            other => Error::from(other),
        })?;
    }
    Ok(())
}

/// A scope that the caller can see, held until the end of the unit: whoever
/// puts prefixes into it does so one after another.
pub(crate) fn held(ctx: &Context, id: &str) -> Result<AddressScope> {
    row(&sharing::held(ctx, &SHARING, id)?)
}

/// Whether the caller may change what is in the scope: only its owner may, also
/// where others see it. In Neutron: `is_address_scope_owned_by_project`.
pub(crate) fn is_owned(ctx: &Context, id: &str) -> Result<bool> {
    let Some(scope) = store::get::<Document>(COLLECTION, id)? else { return Err(not_found(id)) };
    Ok(ctx.caller.is_admin || text(&scope, "project_id") == ctx.caller.project_id)
}
