//! Reading members of documents.

use hadron_sdk::serde_json::Value;
use hadron_sdk::{Document, Error, Result, serde_json};
use serde::de::DeserializeOwned;

/// A text, empty where there is none.
pub(crate) fn text<'a>(document: &'a Document, name: &str) -> &'a str {
    document.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A text, where there is one that is not empty.
pub(crate) fn given<'a>(document: &'a Document, name: &str) -> Option<&'a str> {
    Some(text(document, name)).filter(|text| !text.is_empty())
}

/// A whole number, where there is one.
pub(crate) fn number(document: &Document, name: &str) -> Option<i64> {
    document.get(name).and_then(Value::as_i64)
}

/// Whether a member is true.
pub(crate) fn is_true(document: &Document, name: &str) -> bool {
    document.get(name).and_then(Value::as_bool).unwrap_or_default()
}

/// The texts of a list.
pub(crate) fn list<'a>(document: &'a Document, name: &str) -> Vec<&'a str> {
    let items = document.get(name).and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).collect()
}

/// The objects of a list.
pub(crate) fn objects(value: Option<Value>) -> Vec<Document> {
    let items = match value {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    };
    items.into_iter().filter_map(object).collect()
}

/// A value as an object, where it is one.
pub(crate) fn object(value: Value) -> Option<Document> {
    match value {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

/// Whether something is said: neither null, nor empty.
pub(crate) fn is_said(document: &Document, name: &str) -> bool {
    match document.get(name) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Object(members)) => !members.is_empty(),
        Some(_) => true,
    }
}

/// `current` as it is after `changes`.
pub(crate) fn merged(current: &Document, changes: &Document) -> Document {
    let mut merged = current.clone();
    merged.extend(changes.iter().map(|(name, value)| (name.clone(), value.clone())));
    merged
}

/// The documents of texts.
pub(crate) fn ids(documents: &[Document]) -> Vec<String> {
    documents.iter().map(|document| text(document, "id").to_owned()).collect()
}

/// A document as a type.
pub(crate) fn typed<T: DeserializeOwned>(document: Document) -> Result<T> {
    serde_json::from_value(Value::Object(document)).map_err(Error::from)
}
