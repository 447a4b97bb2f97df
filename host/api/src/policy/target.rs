//! What rules are about: rows not read yet, bodies, and rows.

use super::{Found, Place, Target};
use crate::tables::{ReferenceTo, Resource, Tables};
use hadron_runtime::{Hold, Refusal};
use hadron_store::{CollectionId, Row};
use serde_json::{Map, Value};
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;

/// Rows that were not read yet.
pub(crate) struct Unread<'a>(pub(crate) &'a Resource);

impl Unread<'_> {
    fn own(&self, name: &str) -> Option<Found> {
        if let Some((column, kind)) = self.0.column(name) {
            return Some(Found::Column(Place { reference: None, column: column.to_owned(), kind }));
        }
        if let Some((reference, attribute, _)) = self.0.above(name) {
            return Some(Unread::above(reference, attribute));
        }
        self.0.shown.iter().any(|n| n == name).then_some(Found::Unknown)
    }

    fn above(reference: &ReferenceTo, attribute: &str) -> Found {
        let column = reference.columns.iter().find(|(name, _)| name == attribute);
        column.map_or(Found::Unknown, |(name, kind)| {
            let reference = Some(reference.attribute.clone());
            Found::Column(Place { reference, column: name.clone(), kind: *kind })
        })
    }
}

impl Target for Unread<'_> {
    fn member(&self, name: &str) -> Found {
        let name = plain(name);
        self.own(name).unwrap_or_else(|| match parent_member(self.0, name) {
            Some((reference, attribute)) => Unread::above(reference, attribute),
            None => Found::Absent,
        })
    }

    fn field(&self, collection: &str, attribute: &str) -> Found {
        self.own(attribute).unwrap_or_else(|| match self.0.reference_to(collection) {
            Some(reference) => Unread::above(reference, attribute),
            None => Found::Absent,
        })
    }
}

/// Rows that others refer to, as far as they were fetched: by reference
/// attribute and id; none where there is no such row.
#[derive(Clone, Default)]
pub(crate) struct Parents(HashMap<(String, String), Option<Fetched>>);

/// A row that another refers to.
#[derive(Clone)]
struct Fetched {
    collection: CollectionId,
    row: Map<String, Value>,
}

impl Fetched {
    /// Attributes that are true because of an entry.
    fn shared<'a>(&'a self, tables: &'a Tables) -> impl Iterator<Item = &'a str> {
        let resource = tables.of_collection(&self.collection);
        let decided = resource.into_iter().flat_map(|r| &r.attributes).filter(|a| a.rbac.is_some());
        decided.map(|a| a.name.as_str()).filter(|name| self.row.get(*name) == Some(&Value::Bool(true)))
    }
}

impl Parents {
    /// Keeps what was fetched.
    pub(crate) fn keep(&mut self, wanted: &Wanted, row: Option<Map<String, Value>>) {
        let collection = wanted.reference.collection.clone();
        let fetched = row.map(|row| Fetched { collection, row });
        self.0.insert((wanted.reference.attribute.clone(), wanted.id.clone()), fetched);
    }

    /// The rows as they would be if no entry were about them.
    pub(crate) fn unshared(&self, tables: &Tables) -> Parents {
        let without = |fetched: &Fetched| {
            let mut row = fetched.row.clone();
            for name in fetched.shared(tables) {
                row.insert(name.to_owned(), Value::Bool(false));
            }
            Fetched { collection: fetched.collection.clone(), row }
        };
        Parents(self.0.iter().map(|(key, row)| (key.clone(), row.as_ref().map(without))).collect())
    }

    /// The entries that make attributes of the rows true to which a body refers.
    pub(crate) fn holds(&self, tables: &Tables, body: &Map<String, Value>, refusal: &Refusal) -> Vec<Hold> {
        let referred = self
            .0
            .iter()
            .filter(|((attribute, id), _)| body.get(attribute).and_then(Value::as_str) == Some(id.as_str()));
        referred
            .filter_map(|((_, id), row)| Some((id, row.as_ref()?)))
            .flat_map(|(id, fetched)| {
                fetched.shared(tables).map(|attribute| Hold {
                    collection: fetched.collection.clone(),
                    id: id.clone(),
                    attribute: attribute.to_owned(),
                    refusal: refusal.clone(),
                })
            })
            .collect()
    }
}

/// A row that a rule asks for and that was not fetched yet.
pub(crate) struct Wanted {
    /// Where it is named.
    pub(crate) reference: ReferenceTo,
    /// Its id.
    pub(crate) id: String,
}

/// Something of which all is known but, perhaps, the rows it refers to.
pub(crate) struct Whole<'a> {
    resource: &'a Resource,
    row: Option<&'a Row>,
    read: OnceCell<Map<String, Value>>,
    given: Option<&'a Map<String, Value>>,
    parents: &'a Parents,
    wanted: RefCell<Vec<Wanted>>,
}

impl<'a> Whole<'a> {
    /// A row that is to be made.
    pub(crate) fn body(
        resource: &'a Resource,
        body: &'a Map<String, Value>,
        parents: &'a Parents,
    ) -> Whole<'a> {
        Whole {
            resource,
            row: None,
            read: OnceCell::new(),
            given: Some(body),
            parents,
            wanted: RefCell::new(Vec::new()),
        }
    }

    /// A row as it is, or as it would be with changes.
    pub(crate) fn row(
        resource: &'a Resource,
        row: &'a Row,
        changes: Option<&'a Map<String, Value>>,
        parents: &'a Parents,
    ) -> Whole<'a> {
        Whole {
            resource,
            row: Some(row),
            read: OnceCell::new(),
            given: changes,
            parents,
            wanted: RefCell::new(Vec::new()),
        }
    }

    /// Rows that rules asked for in vain.
    pub(crate) fn wanted(self) -> Vec<Wanted> {
        self.wanted.into_inner()
    }

    fn own(&self, name: &str) -> Option<Value> {
        if let Some(value) = self.given.and_then(|g| g.get(name)) {
            return Some(value.clone());
        }
        let row = self.row?;
        match name {
            "id" => Some(Value::from(row.id.as_str())),
            "project_id" => Some(row.project_id.clone().map_or(Value::Null, Value::from)),
            // A row that cannot be read has no attributes, and rules deny.
            _ => self
                .read
                .get_or_init(|| serde_json::from_str(&row.json()).unwrap_or_default())
                .get(name)
                .cloned(),
        }
    }

    /// An attribute of its own, also where it is one of a row it refers to and was
    /// not read with it.
    fn known(&self, name: &str) -> Option<Found> {
        let derived = || self.resource.above(name).map(|(above, attribute, _)| self.parent(above, attribute));
        self.own(name).map(Found::Value).or_else(derived)
    }

    fn parent(&self, reference: &ReferenceTo, attribute: &str) -> Found {
        let Some(Value::String(id)) = self.own(&reference.attribute) else { return Found::Absent };
        let key = (reference.attribute.clone(), id);
        match self.parents.0.get(&key) {
            None => {
                let mut wanted = self.wanted.borrow_mut();
                if !wanted.iter().any(|w| w.reference.attribute == key.0 && w.id == key.1) {
                    wanted.push(Wanted { reference: reference.clone(), id: key.1 });
                }
                Found::Unknown
            }
            Some(row) => row
                .as_ref()
                .and_then(|fetched| fetched.row.get(attribute))
                .cloned()
                .map_or(Found::Absent, Found::Value),
        }
    }
}

impl Target for Whole<'_> {
    fn member(&self, name: &str) -> Found {
        let name = plain(name);
        if let Some(found) = self.known(name) {
            return found;
        }
        match parent_member(self.resource, name) {
            Some((reference, attribute)) => self.parent(reference, attribute),
            None => Found::Absent,
        }
    }

    fn field(&self, collection: &str, attribute: &str) -> Found {
        if let Some(found) = self.known(attribute) {
            return found;
        }
        match self.resource.reference_to(collection) {
            Some(reference) => self.parent(reference, attribute),
            None => Found::Absent,
        }
    }
}

/// A target of which nothing is known but what was said: not about a resource
/// that is there.
pub(crate) struct Said<'a>(pub(crate) &'a Map<String, Value>);

impl Target for Said<'_> {
    fn member(&self, name: &str) -> Found {
        self.0.get(plain(name)).cloned().map_or(Found::Absent, Found::Value)
    }

    fn field(&self, _: &str, attribute: &str) -> Found {
        self.member(attribute)
    }
}

/// `%(target.name)s` is `%(name)s`, and `tenant_id` another name of
/// `project_id`.
fn plain(name: &str) -> &str {
    let name = name.strip_prefix("target.").unwrap_or(name);
    if name == "tenant_id" { "project_id" } else { name }
}

/// `shelf:project_id` (in older rules `shelf_project_id`) is the attribute of
/// the row that `shelf_id` names.
fn parent_member<'a, 'n>(resource: &'a Resource, name: &'n str) -> Option<(&'a ReferenceTo, &'n str)> {
    let (word, attribute) = name.split_once(':').or_else(|| name.split_once('_'))?;
    Some((resource.reference_named(word)?, plain(attribute)))
}
