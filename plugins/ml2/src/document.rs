//! Reading and building documents: JSON objects by attribute name.

use hadron_sdk::{Document, Result, serde_json};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeSet;

/// The text of an attribute; empty where it is absent, null or no text.
pub(crate) fn text<'a>(document: &'a Document, name: &str) -> &'a str {
    document.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Whether an attribute is true.
pub(crate) fn flag(document: &Document, name: &str) -> bool {
    document.get(name).and_then(Value::as_bool).unwrap_or_default()
}

/// An attribute that is present and not null.
pub(crate) fn set<'a>(document: &'a Document, name: &str) -> Option<&'a Value> {
    document.get(name).filter(|value| !value.is_null())
}

/// An attribute as a type, or its default where it is absent or null.
pub(crate) fn typed<T: DeserializeOwned + Default>(document: &Document, name: &str) -> Result<T> {
    set(document, name).map_or_else(|| Ok(T::default()), |value| Ok(T::deserialize(value)?))
}

/// A whole document as a type.
pub(crate) fn row<T: DeserializeOwned>(document: &Document) -> Result<T> {
    Ok(T::deserialize(document.clone())?)
}

/// The different values of an attribute, in order.
pub(crate) fn distinct(documents: &[Document], name: &str) -> Vec<String> {
    let values: BTreeSet<&str> = documents.iter().map(|document| text(document, name)).collect();
    values.into_iter().map(str::to_owned).collect()
}

/// Moves these attributes from a request to a new document, in this order, null
/// where the request does not have them.
pub(crate) fn take(body: &mut Document, names: &[&str], into: &mut Document) {
    for name in names {
        into.insert((*name).to_owned(), body.remove(*name).unwrap_or_default());
    }
}

/// What of `changes` differs from `current`.
pub(crate) fn differing(current: &Document, changes: Document) -> Document {
    changes.into_iter().filter(|(name, value)| current.get(name) != Some(value)).collect()
}

/// `current` as it is after `changes`.
pub(crate) fn merged(current: &Document, changes: &Document) -> Document {
    let mut merged = current.clone();
    merged.extend(changes.iter().map(|(name, value)| (name.clone(), value.clone())));
    merged
}
