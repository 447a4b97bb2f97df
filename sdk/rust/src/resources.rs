//! Resources of other plugins, through their own rules, typed by serde. What
//! may be done to which collection is granted by the operator.

use crate::bindings::hadron::host::resources as host;
use crate::store::Query;
use crate::{Result, convert};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Shows one.
pub fn get<T: DeserializeOwned>(collection: &str, id: &str) -> Result<Option<T>> {
    host::get(collection, id)?.map(|text| convert::parse(&text)).transpose()
}

/// Lists those that fit and that the caller may see.
pub fn find<T: DeserializeOwned>(collection: &str, query: &Query) -> Result<Vec<T>> {
    convert::parse_all(&host::find(collection, query)?)
}

/// Creates some, as one bulk request would.
pub fn create<T: DeserializeOwned>(collection: &str, bodies: &[impl Serialize]) -> Result<Vec<T>> {
    let texts = bodies.iter().map(convert::print).collect::<Result<Vec<_>>>()?;
    convert::parse_all(&host::create(collection, &texts)?)
}

/// Changes one.
pub fn update<T: DeserializeOwned>(collection: &str, id: &str, changes: &impl Serialize) -> Result<T> {
    convert::parse(&host::update(collection, id, &convert::print(changes)?)?)
}

/// Removes one.
pub fn delete(collection: &str, id: &str) -> Result<()> {
    host::delete(collection, id)
}
