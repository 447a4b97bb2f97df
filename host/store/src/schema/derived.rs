//! Attributes that the query which reads a row answers from other rows.

use super::{EntriesOf, Json, ParentValue, Table, column_of, resolve, standard};
use crate::sql::{Ident, Member};
use crate::{CollectionId, StoreError};
use hadron_manifest::{Collection, DerivedFrom, Manifest, STANDARD};
use serde_json::Value;
use std::sync::Arc;

/// A derived attribute.
#[derive(Debug)]
pub(crate) struct Derived {
    pub(crate) name: String,
    pub(crate) from: Source,
}

/// Where a derived attribute comes from.
#[derive(Debug)]
pub(crate) enum Source {
    /// Ids of rows that refer to this row.
    Referring(RowsOf),
    /// Documents of such rows, of one collection after the other.
    Rows(Vec<RowsOf>),
    /// A value of the row that `column` names.
    Parent { column: Ident, table: Ident, value: ParentValue },
}

/// Rows of a collection that refer to the row.
#[derive(Debug)]
pub(crate) struct RowsOf {
    pub(crate) collection: CollectionId,
    pub(crate) table: Ident,
    /// The attribute by which they refer, and its column.
    pub(crate) attribute: String,
    pub(crate) column: Ident,
    /// Whether more than their ids is shown.
    pub(crate) documents: bool,
    /// What is shown of each.
    pub(crate) members: Vec<(Member, Shown)>,
    /// Members that each has besides.
    pub(crate) add: Vec<(Member, Value)>,
}

/// A value that is shown of a row.
#[derive(Debug)]
pub(crate) enum Shown {
    /// A standard column.
    Column(Ident),
    /// A member of the JSON in that place.
    Member(Json, Member),
    /// Whether entries allow the action.
    Decided(Option<EntriesOf>, String),
    /// A derived attribute of its own.
    Derived(Source),
}

impl Source {
    /// The rows whose coming and going changes the row that shows them.
    pub(crate) fn rows(&self) -> &[RowsOf] {
        match self {
            Source::Referring(rows) => std::slice::from_ref(rows),
            Source::Rows(rows) => rows,
            Source::Parent { .. } => &[],
        }
    }
}

/// The derived attributes of all collections, in the order of their tables.
pub(super) fn all(manifests: &[Arc<Manifest>], tables: &[Table]) -> Result<Vec<Vec<Derived>>, StoreError> {
    let finder = Finder { manifests, tables };
    let declared = manifests.iter().flat_map(|m| m.collections.iter().map(move |c| (m.as_ref(), c)));
    let declared = declared.filter(|(_, collection)| collection.of.is_none());
    declared.zip(tables).map(|((owner, collection), table)| finder.of(owner, collection, table)).collect()
}

pub(super) struct Finder<'a> {
    pub(super) manifests: &'a [Arc<Manifest>],
    pub(super) tables: &'a [Table],
}

/// Whose attribute is looked for, for what is wrong with it.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    pub(super) owner: &'a Manifest,
    pub(super) table: &'a Table,
    pub(super) name: &'a str,
}

impl About<'_> {
    fn problem(&self, what: &str) -> StoreError {
        StoreError::Invalid(format!("the attribute '{}' of '{}' {what}", self.name, self.table.id.name))
    }
}

impl<'a> Finder<'a> {
    /// The owner's, then the extenders'.
    fn of(
        &self,
        owner: &'a Manifest,
        collection: &'a Collection,
        table: &'a Table,
    ) -> Result<Vec<Derived>, StoreError> {
        let mut all: Vec<Derived> = Vec::new();
        for (manifest, derived) in self.declared(owner, collection) {
            let about = About { owner: manifest, table, name: &derived.name };
            Member::new(&derived.name)?;
            if all.iter().any(|d| d.name == derived.name) || table.field(&derived.name).is_some() {
                return Err(about.problem("is declared twice"));
            }
            all.push(Derived { name: derived.name.clone(), from: self.source(about, &derived.from)? });
        }
        Ok(all)
    }

    fn declared(
        &self,
        owner: &'a Manifest,
        collection: &'a Collection,
    ) -> impl Iterator<Item = (&'a Manifest, &'a hadron_manifest::Derived)> {
        let added = self.manifests.iter().filter(|_| !collection.private).flat_map(|m| {
            let extends = m.extends.iter().filter(|e| e.collection == collection.name);
            extends.flat_map(|e| &e.derived).map(move |d| (m.as_ref(), d))
        });
        collection.derived.iter().map(move |d| (owner, d)).chain(added)
    }

    pub(super) fn table(&self, id: &CollectionId) -> Option<&'a Table> {
        self.tables.iter().find(|t| t.id == *id)
    }

    fn source(&self, about: About<'a>, from: &'a DerivedFrom) -> Result<Source, StoreError> {
        Ok(match from {
            DerivedFrom::Referring { collection, attribute } => {
                Source::Referring(self.referring(about, collection, attribute)?.0)
            }
            DerivedFrom::Rows(sources) => {
                Source::Rows(sources.iter().map(|of| self.rows(about, of)).collect::<Result<_, _>>()?)
            }
            DerivedFrom::Parent { reference, attribute, .. } => self.parent(about, reference, attribute)?,
        })
    }

    /// Rows that refer to the row, with where they are declared.
    fn referring(
        &self,
        about: About<'a>,
        collection: &str,
        attribute: &str,
    ) -> Result<(RowsOf, &'a Collection, &'a Table), StoreError> {
        let unknown = || about.problem(&format!("names '{collection}', which no plugin declares"));
        let (id, found) = resolve(self.manifests, about.owner, collection).ok_or_else(unknown)?;
        let table = self.table(&id).ok_or_else(unknown)?;
        if !found.references.iter().any(|r| r.attribute == attribute) {
            return Err(
                about.problem(&format!("names '{attribute}', which is no reference of '{collection}'"))
            );
        }
        let rows = RowsOf {
            collection: id,
            table: table.name.clone(),
            attribute: attribute.to_owned(),
            column: standard(attribute).map_or_else(|| column_of(attribute), |(c, _)| c),
            documents: false,
            members: Vec::new(),
            add: Vec::new(),
        };
        Ok((rows, found, table))
    }

    fn rows(&self, about: About<'a>, of: &'a hadron_manifest::RowsOf) -> Result<RowsOf, StoreError> {
        let (rows, collection, table) = self.referring(about, &of.collection, &of.attribute)?;
        let names = match of.show.is_empty() {
            true => self.shown(about.owner, collection, table),
            false => of.show.clone(),
        };
        let mut members = Vec::with_capacity(names.len());
        for name in &names {
            let member = self.member(about, collection, table, name)?;
            members.push((Member::new(name)?, member));
        }
        let add = of.add.iter().map(|(name, value)| Ok((Member::new(name)?, value.clone())));
        Ok(RowsOf { documents: true, members, add: add.collect::<Result<_, StoreError>>()?, ..rows })
    }

    /// All that a row shows of itself, without other rows that it shows.
    fn shown(&self, owner: &'a Manifest, collection: &'a Collection, table: &'a Table) -> Vec<String> {
        let added =
            self.manifests.iter().flat_map(|m| &m.extends).filter(|e| e.collection == collection.name);
        let hidden: Vec<&str> = collection
            .attributes
            .iter()
            .chain(added.flat_map(|e| &e.attributes))
            .filter(|a| a.hidden)
            .map(|a| a.name.as_str())
            .chain(collection.without.iter().map(String::as_str))
            .collect();
        let derived = self.declared(owner, collection);
        let derived = derived.filter(|(_, d)| !matches!(d.from, DerivedFrom::Rows(_)));
        STANDARD
            .into_iter()
            .chain(derived.map(|(_, d)| d.name.as_str()))
            .chain(table.fields.iter().map(|f| f.name.as_str()))
            .filter(|name| !hidden.contains(name))
            .map(str::to_owned)
            .collect()
    }

    pub(super) fn member(
        &self,
        about: About<'a>,
        collection: &'a Collection,
        table: &'a Table,
        name: &str,
    ) -> Result<Shown, StoreError> {
        if let Some((column, _)) = standard(name) {
            return Ok(Shown::Column(column));
        }
        if let Some(field) = table.field(name) {
            return Ok(match &field.rbac {
                Some(action) => Shown::Decided(table.entries.clone(), action.clone()),
                None => Shown::Member(table.json(field.place), field.name.clone()),
            });
        }
        let (owner, derived) = self
            .declared(about.owner, collection)
            .find(|(_, d)| d.name == name && !matches!(d.from, DerivedFrom::Rows(_)))
            .ok_or_else(|| about.problem(&format!("shows '{name}', which '{}' lacks", table.id.name)))?;
        let own = About { owner, table, name: &derived.name };
        self.source(own, &derived.from).map(Shown::Derived)
    }

    fn parent(&self, about: About<'a>, reference: &str, attribute: &str) -> Result<Source, StoreError> {
        let found = about.table.references.iter().find(|r| r.attribute == reference);
        let found =
            found.ok_or_else(|| about.problem(&format!("names '{reference}', which is no reference")))?;
        let value = match standard(attribute) {
            Some((column, _)) => ParentValue::Column(column),
            None => match found.above.iter().find(|above| above.name == attribute) {
                Some(above) => above.value.clone(),
                None => {
                    return Err(
                        about.problem(&format!("names '{attribute}', which '{}' lacks", found.target.name))
                    );
                }
            },
        };
        Ok(Source::Parent { column: found.column.clone(), table: found.table.clone(), value })
    }
}
