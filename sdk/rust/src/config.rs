//! The plugin's own configuration, `[plugin.NAME.config]`.

use crate::bindings::hadron::host::config as host;
use crate::{Error, Result};
use serde::de::DeserializeOwned;

/// The value of a key: the operator's, else the manifest's default, else none.
/// A value of another shape is an error that names the key.
pub fn get<T: DeserializeOwned>(key: &str) -> Result<Option<T>> {
    let Some(text) = host::get(key).filter(|text| text != "null") else { return Ok(None) };
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|error| Error::internal(format!("the configuration key '{key}' cannot be read: {error}")))
}

/// As [`get`], with a value to use where there is none.
pub fn or<T: DeserializeOwned>(key: &str, default: T) -> Result<T> {
    Ok(get(key)?.unwrap_or(default))
}
