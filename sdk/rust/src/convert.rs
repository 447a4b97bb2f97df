//! JSON text to and from Rust values.

use crate::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    Ok(serde_json::from_str(text)?)
}

pub(crate) fn parse_all<T: DeserializeOwned>(texts: &[String]) -> Result<Vec<T>> {
    texts.iter().map(|text| parse(text)).collect()
}

/// The JSON texts of some values, e.g. of what a plugin computes.
pub fn texts<T: Serialize>(values: &[T]) -> Result<Vec<String>> {
    values.iter().map(print).collect()
}

pub(crate) fn print<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(Error::from)
}
