//! The plugin's own collections, typed by serde.
//!
//! A document is a JSON object that also holds `id`, `project_id`,
//! `revision_number`, `created_at` and `updated_at`. Outside a unit of work
//! every function answers `Unavailable`.

use crate::bindings::hadron::host::store as host;
use crate::{Error, Result, convert};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use host::{Comparison, Condition, Query, StoreError};

/// A question about a collection, built up: `Query::all().equal("name", "x")`.
impl Query {
    /// Every row.
    pub fn all() -> Query {
        Query { conditions: Vec::new(), sort: Vec::new(), limit: 0 }
    }

    /// Rows whose attribute has this value.
    pub fn equal(self, attribute: &str, value: impl Into<serde_json::Value>) -> Query {
        self.any_of(attribute, [value])
    }

    /// Rows whose attribute has one of these values; none of them: no row.
    pub fn any_of<V: Into<serde_json::Value>>(
        self,
        attribute: &str,
        values: impl IntoIterator<Item = V>,
    ) -> Query {
        self.condition(attribute, Comparison::Equal, values)
    }

    /// Rows whose attribute has none of these values.
    pub fn none_of<V: Into<serde_json::Value>>(
        self,
        attribute: &str,
        values: impl IntoIterator<Item = V>,
    ) -> Query {
        self.condition(attribute, Comparison::NotEqual, values)
    }

    /// Rows whose attribute starts with one of these texts.
    pub fn starts_with(self, attribute: &str, text: &str) -> Query {
        self.condition(attribute, Comparison::StartsWith, [text])
    }

    /// A further condition; all must hold.
    pub fn condition<V: Into<serde_json::Value>>(
        mut self,
        attribute: &str,
        comparison: Comparison,
        values: impl IntoIterator<Item = V>,
    ) -> Query {
        let values = values.into_iter().map(|value| value.into().to_string()).collect();
        self.conditions.push(Condition { attribute: attribute.to_owned(), comparison, values });
        self
    }

    /// Sorted by this attribute, ascending, after those given before.
    pub fn sort(mut self, attribute: &str) -> Query {
        self.sort.push(attribute.to_owned());
        self
    }

    /// At most so many rows.
    pub fn limit(mut self, limit: u32) -> Query {
        self.limit = limit;
        self
    }
}

/// The document of that id, if there is one.
pub fn get<T: DeserializeOwned>(collection: &str, id: &str) -> Result<Option<T>> {
    host::get(collection, id)?.map(|text| convert::parse(&text)).transpose()
}

/// The documents that fit, in order.
pub fn find<T: DeserializeOwned>(collection: &str, query: &Query) -> Result<Vec<T>> {
    convert::parse_all(&host::find(collection, query)?)
}

/// How many documents fit; sort and limit do not matter.
pub fn count(collection: &str, query: &Query) -> Result<u64> {
    Ok(host::count(collection, &query.conditions)?)
}

/// What the items of a list attribute have, of all documents, in one statement:
/// for each of these values of the member `by` the values of `member`. The
/// attribute has a list table with both as columns.
pub fn gather<K: DeserializeOwned, V: DeserializeOwned>(
    collection: &str,
    attribute: &str,
    by: &str,
    values: impl IntoIterator<Item = impl Into<serde_json::Value>>,
    member: &str,
) -> Result<Vec<(K, Vec<V>)>> {
    let values: Vec<String> = values.into_iter().map(|value| value.into().to_string()).collect();
    let found = host::gather(collection, attribute, by, &values, member)?;
    found.iter().map(|(value, list)| Ok((convert::parse(value)?, convert::parse(list)?))).collect()
}

/// Adds documents in one statement. The error is the host's, so that a caller
/// can tell a key that is taken.
pub fn insert<T: Serialize>(collection: &str, documents: &[T]) -> Result<(), InsertError> {
    let texts =
        documents.iter().map(convert::print).collect::<Result<Vec<_>>>().map_err(InsertError::Json)?;
    host::insert(collection, &texts).map_err(InsertError::Store)
}

/// Sets members of a document and returns the whole of it.
pub fn update<T: DeserializeOwned>(collection: &str, id: &str, changes: &impl Serialize) -> Result<T> {
    convert::parse(&try_update(collection, id, changes).map_err(Error::from)?)
}

/// As [`update`], with the host's own error and the document as text.
pub fn try_update(collection: &str, id: &str, changes: &impl Serialize) -> Result<String, InsertError> {
    let text = convert::print(changes).map_err(InsertError::Json)?;
    host::update(collection, id, &text).map_err(InsertError::Store)
}

/// Removes documents, and what refers to them by a cascading reference.
pub fn delete(collection: &str, ids: &[String]) -> Result<(), StoreError> {
    if ids.is_empty() { Ok(()) } else { host::delete(collection, ids) }
}

/// Sets attributes that this plugin adds to another plugin's collection, of a row
/// that exists. The owner is not asked.
pub fn annotate(collection: &str, id: &str, values: &impl Serialize) -> Result<()> {
    Ok(host::annotate(collection, id, &convert::print(values)?)?)
}

/// Keeps the row from other units until the end of this one: none changes it, and
/// none writes a row that comes to refer to it.
pub fn lock(collection: &str, id: &str) -> Result<(), StoreError> {
    host::lock(collection, id)
}

/// Why a row was not written.
#[derive(Debug)]
pub enum InsertError {
    /// The store refused it.
    Store(StoreError),
    /// The document is no JSON object.
    Json(Error),
}

impl From<InsertError> for Error {
    fn from(error: InsertError) -> Error {
        match error {
            InsertError::Store(error) => error.into(),
            InsertError::Json(error) => error,
        }
    }
}

/// For the cases a plugin has no better message for.
impl From<StoreError> for Error {
    fn from(error: StoreError) -> Error {
        match error {
            StoreError::NotFound => Error::not_found("NotFound", "The resource could not be found."),
            StoreError::Duplicate(key) => Error::conflict("Conflict", format!("'{key}' is already in use.")),
            StoreError::MissingReference(attribute) => {
                Error::not_found("NotFound", format!("What '{attribute}' names could not be found."))
            }
            StoreError::InUse(collection) => {
                Error::conflict("InUse", format!("It is still in use by {collection}."))
            }
            StoreError::Invalid(reason) => Error::internal(format!("the store refused a document: {reason}")),
            StoreError::Unavailable => Error::internal("the store can only be used inside a unit of work"),
        }
    }
}
