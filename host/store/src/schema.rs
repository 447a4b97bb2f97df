//! From manifests to tables: which table, column, index and foreign key each
//! part of a manifest becomes, and back from a constraint's name to the
//! manifest's words.

mod build;
mod derived;
mod rbac;
mod view;

pub(crate) use derived::{Derived, RowsOf, Shown, Source};
pub(crate) use rbac::{EntriesOf, Objects};

use build::{build_table, resolve};

use crate::sql::{Ident, Member};
use crate::{CollectionId, StoreError};
use hadron_manifest::{Attribute, Column, Manifest, Refusal};
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Whose the attributes are that the host keeps, among the extenders of a row:
/// no plugin has this name.
pub const KEPT_BY_HOST: &str = "";

/// The tables of a set of manifests.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    tables: HashMap<CollectionId, Arc<Table>>,
    /// Other looks at their rows.
    views: HashMap<CollectionId, Arc<Table>>,
    /// By the names that databases report.
    constraints: HashMap<String, Constraint>,
    /// Collections whose rows take rows of others with them of which it is noted
    /// that they go.
    taking: HashSet<CollectionId>,
    /// By referring collection: rows that show which rows refer to them.
    showing: HashMap<CollectionId, Vec<Showing>>,
}

/// A row that shows the rows which refer to it, so that it changes when one of
/// them comes or goes.
#[derive(Clone, Debug)]
pub(crate) struct Showing {
    /// The attribute by which they refer.
    pub(crate) attribute: String,
    pub(crate) column: Ident,
    /// It shows more than ids: it changes with what it shows.
    pub(crate) documents: bool,
    /// Whose row it is.
    pub(crate) by: CollectionId,
    pub(crate) table: Ident,
    /// Whether others than its owner get at it.
    pub(crate) public: bool,
}

/// What a constraint's name stands for.
#[derive(Clone, Debug)]
pub(crate) enum Constraint {
    /// A key; its name, or the name of the list attribute.
    Key(String),
    /// A reference: the referring collection, and its attribute.
    Reference(String, String),
}

/// The table of a collection.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) id: CollectionId,
    /// Whether others than its owner get at it.
    pub(crate) public: bool,
    pub(crate) name: Ident,
    pub(crate) fields: Vec<Field>,
    by_name: HashMap<String, usize>,
    pub(crate) extensions: Vec<Extension>,
    pub(crate) keys: Vec<Index>,
    pub(crate) indexes: Vec<Index>,
    pub(crate) references: Vec<Reference>,
    pub(crate) lists: Vec<List>,
    pub(crate) derived: Vec<Derived>,
    /// Where entries about its rows are; none where nobody keeps any.
    pub(crate) entries: Option<EntriesOf>,
    /// What its rows are entries about.
    pub(crate) objects: Option<Objects>,
    /// The name under which its rows are counted.
    pub(crate) quota: Option<Arc<str>>,
    /// Of a view, what it shows of the rows, in the place of the document and of
    /// what extenders keep.
    pub(crate) view: Option<Vec<(Member, Shown)>>,
}

/// Where an attribute's value is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In `doc`.
    Document,
    /// In the column of this extension.
    Extension(usize),
}

/// A declared attribute.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: Member,
    /// What it is called where it is kept.
    pub(crate) kept: Member,
    pub(crate) kind: Column,
    pub(crate) place: Place,
    /// Its own column, where it has one.
    pub(crate) column: Option<Ident>,
    /// Its side table, where it has one.
    pub(crate) list: Option<usize>,
    /// Left out where it and this attribute are null.
    pub(crate) sparse: Option<String>,
    /// Not kept: true where entries allow this action.
    pub(crate) rbac: Option<String>,
}

/// A column with attributes that are not the owner's: an extender's, or the
/// host's, whose plugin has no name.
#[derive(Clone, Debug)]
pub(crate) struct Extension {
    pub(crate) plugin: Arc<str>,
    pub(crate) column: Ident,
    /// What a row without a value there shows; of the host's only, so that
    /// neither old rows nor rows that were given nothing have to be written.
    pub(crate) defaults: Option<Map<String, Value>>,
}

impl Extension {
    fn of(plugin: &str) -> Extension {
        Extension { plugin: plugin.into(), column: Ident::new(&["x_", plugin]), defaults: None }
    }

    /// Of the attributes that the host keeps.
    fn kept(attributes: &[Attribute]) -> Extension {
        let defaults = attributes.iter().map(|a| (a.name.clone(), a.default.clone().unwrap_or_default()));
        Extension {
            plugin: KEPT_BY_HOST.into(),
            column: Ident::host("std"),
            defaults: Some(defaults.collect()),
        }
    }
}

/// A column with JSON.
#[derive(Clone, Debug)]
pub(crate) struct Json {
    pub(crate) column: Ident,
    /// What stands for a null.
    pub(crate) defaults: Option<Arc<str>>,
}

/// A key or an index.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    /// How a violation names it.
    pub(crate) says: String,
    pub(crate) name: Ident,
    pub(crate) columns: Vec<Ident>,
}

/// A foreign key.
#[derive(Clone, Debug)]
pub(crate) struct Reference {
    pub(crate) attribute: String,
    pub(crate) column: Ident,
    pub(crate) target: CollectionId,
    pub(crate) table: Ident,
    pub(crate) cascade: bool,
    /// What a deletion is answered that it does not allow.
    pub(crate) refusal: Option<Refusal>,
    pub(crate) name: Ident,
    /// The attributes of the row referred to; none for items of lists.
    pub(crate) above: Vec<Above>,
}

/// An attribute of a row referred to.
#[derive(Clone, Debug)]
pub(crate) struct Above {
    pub(crate) name: String,
    /// What a condition on it compares; none where there can be none.
    pub(crate) kind: Option<Column>,
    pub(crate) value: ParentValue,
}

/// The side table of a list attribute.
#[derive(Clone, Debug)]
pub(crate) struct List {
    pub(crate) attribute: Member,
    pub(crate) place: Place,
    pub(crate) table: Ident,
    /// Of scalars, with the one column `value`.
    pub(crate) scalar: bool,
    pub(crate) columns: Vec<ListColumn>,
    pub(crate) keys: Vec<Index>,
    pub(crate) indexes: Vec<Index>,
    pub(crate) references: Vec<Reference>,
    /// The foreign key to the owner.
    pub(crate) owner: Ident,
}

/// A column of a side table.
#[derive(Clone, Debug)]
pub(crate) struct ListColumn {
    pub(crate) member: Member,
    pub(crate) column: Ident,
    pub(crate) kind: Column,
}

/// A value of a parent row.
#[derive(Clone, Debug)]
pub(crate) enum ParentValue {
    /// A standard column.
    Column(Ident),
    /// A member of a JSON column.
    Member(Ident, Member),
    /// Whether entries allow the action.
    Decided(Option<EntriesOf>, String),
}

/// The host's own column of that attribute name, and its type.
pub(crate) fn standard(name: &str) -> Option<(Ident, Column)> {
    Some(match name {
        "id" => (Ident::host("id"), Column::Text),
        "project_id" | "tenant_id" => (Ident::host("project_id"), Column::Text),
        "revision_number" => (Ident::host("revision"), Column::Integer),
        "created_at" => (Ident::host("created_at"), Column::Text),
        "updated_at" => (Ident::host("updated_at"), Column::Text),
        _ => return None,
    })
}

/// The name of an attribute's own column. The prefix keeps it apart from the
/// host's columns, whatever attributes are called.
fn column_of(attribute: &str) -> Ident {
    Ident::new(&["a_", attribute])
}

pub(crate) fn table_name(plugin: &str, collection: &str) -> Ident {
    Ident::new(&[&plugin.replace('-', "_"), "__", collection])
}

impl Table {
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.by_name.get(name).and_then(|i| self.fields.get(*i))
    }

    pub(crate) fn is_extension(&self, field: &Field) -> bool {
        matches!(field.place, Place::Extension(_))
    }

    fn extension(&self, place: Place) -> Option<&Extension> {
        match place {
            Place::Document => None,
            Place::Extension(i) => self.extensions.get(i),
        }
    }

    /// The columns of extensions that are shown of a row.
    pub(crate) fn shown_extensions(&self) -> &[Extension] {
        if self.view.is_some() { &[] } else { &self.extensions }
    }

    /// The JSON column of a place.
    pub(crate) fn json(&self, place: Place) -> Json {
        match self.extension(place) {
            None => Json { column: Ident::host("doc"), defaults: None },
            Some(Extension { column, defaults, .. }) => Json {
                column: column.clone(),
                defaults: defaults.as_ref().map(|d| Value::Object(d.clone()).to_string().into()),
            },
        }
    }

    pub(crate) fn list_of(&self, field: &Field) -> Option<&List> {
        field.list.and_then(|i| self.lists.get(i))
    }

    /// Attributes that entries decide, with the actions they are about.
    pub(crate) fn decided(&self) -> impl Iterator<Item = (&Field, &str)> {
        self.fields.iter().filter_map(|f| f.rbac.as_deref().map(|action| (f, action)))
    }

    /// Whether the attribute is decided by entries, so that rows do not hold it.
    pub(crate) fn is_decided(&self, name: &str) -> bool {
        self.field(name).is_some_and(|f| f.rbac.is_some())
    }

    /// Whether it is noted that a row goes: it is counted, or the log tells of it.
    pub(crate) fn is_noted(&self) -> bool {
        self.public || self.quota.is_some()
    }

    /// Whether entries decide the attribute, of the row or of its parent.
    pub(crate) fn depends_on_entries(&self, name: &str) -> bool {
        let parents = |from: &Source| matches!(from, Source::Parent { value: ParentValue::Decided(..), .. });
        self.is_decided(name) || self.derived.iter().any(|d| d.name == name && parents(&d.from))
    }

    /// Fields with a column, in the order in which they are written.
    pub(crate) fn columns(&self) -> impl Iterator<Item = (&Field, &Ident)> {
        self.fields.iter().filter_map(|f| f.column.as_ref().map(|c| (f, c)))
    }
}

impl Schema {
    /// The tables of these manifests; `Invalid` when they contradict each other
    /// or themselves.
    pub(crate) fn build(manifests: &[Arc<Manifest>]) -> Result<Schema, StoreError> {
        for manifest in manifests {
            let problems = hadron_manifest::check(manifest);
            if !problems.is_empty() {
                return Err(StoreError::Invalid(format!(
                    "the manifest of '{}' cannot be used: {}",
                    manifest.name,
                    problems.join("; ")
                )));
            }
        }
        let mut schema = Schema::default();
        let mut tables = Vec::new();
        for manifest in manifests {
            for collection in &manifest.collections {
                if collection.of.is_none() {
                    tables.push(build_table(manifests, manifest, collection)?);
                }
            }
        }
        for (place, derived) in derived::all(manifests, &tables)?.into_iter().enumerate() {
            let Some(table) = tables.get_mut(place) else { continue };
            for one in &derived {
                for shows in one.from.rows().iter().filter(|r| standard(&r.attribute).is_none()) {
                    let showing = Showing {
                        attribute: shows.attribute.clone(),
                        column: shows.column.clone(),
                        documents: shows.documents,
                        by: table.id.clone(),
                        table: table.name.clone(),
                        public: table.public,
                    };
                    schema.showing.entry(shows.collection.clone()).or_default().push(showing);
                }
            }
            table.derived = derived;
        }
        for view in view::all(manifests, &tables)? {
            schema.views.insert(view.id.clone(), Arc::new(view));
        }
        for table in tables {
            schema.add(table)?;
        }
        for manifest in manifests {
            for extends in &manifest.extends {
                if !manifests
                    .iter()
                    .flat_map(|m| &m.collections)
                    .any(|c| !c.private && c.name == extends.collection)
                {
                    return Err(StoreError::Invalid(format!(
                        "'{}' extends the collection '{}', which no plugin declares",
                        manifest.name, extends.collection
                    )));
                }
            }
        }
        schema.taking = schema.taking();
        Ok(schema)
    }

    /// The rows that show which rows of this collection refer to them.
    pub(crate) fn showing(&self, collection: &CollectionId) -> &[Showing] {
        self.showing.get(collection).map_or(&[], Vec::as_slice)
    }

    /// Whether the removal of a row may remove rows of others of which it is
    /// noted that they go.
    pub(crate) fn takes_noted(&self, collection: &CollectionId) -> bool {
        self.taking.contains(collection)
    }

    fn taking(&self) -> HashSet<CollectionId> {
        let mut taking = HashSet::new();
        let cascades: Vec<(&Arc<Table>, &CollectionId)> = self
            .tables
            .values()
            .flat_map(|t| t.references.iter().filter(|r| r.cascade).map(move |r| (t, &r.target)))
            .collect();
        loop {
            let before = taking.len();
            for (from, to) in &cascades {
                if from.is_noted() || taking.contains(&from.id) {
                    taking.insert((*to).clone());
                }
            }
            if taking.len() == before {
                return taking;
            }
        }
    }

    fn add(&mut self, table: Table) -> Result<(), StoreError> {
        let clash = |name: &Ident| {
            StoreError::Invalid(format!("two parts of the manifests would both be named '{}'", name.as_str()))
        };
        let collection = table.id.name.to_string();
        let mut constraints = Vec::new();
        let pkey = Ident::new(&[table.name.as_str(), "__pkey"]);
        constraints.push((pkey, Constraint::Key("id".to_owned())));
        for key in &table.keys {
            constraints.push((key.name.clone(), Constraint::Key(key.says.clone())));
        }
        for reference in &table.references {
            constraints.push((
                reference.name.clone(),
                Constraint::Reference(collection.clone(), reference.attribute.clone()),
            ));
        }
        for list in &table.lists {
            for key in &list.keys {
                constraints.push((key.name.clone(), Constraint::Key(key.says.clone())));
            }
            for reference in &list.references {
                constraints.push((
                    reference.name.clone(),
                    Constraint::Reference(collection.clone(), list.attribute.as_str().to_owned()),
                ));
            }
            constraints.push((
                list.owner.clone(),
                Constraint::Reference(collection.clone(), list.attribute.as_str().to_owned()),
            ));
        }
        for (name, constraint) in constraints {
            if self.constraints.insert(name.as_str().to_owned(), constraint).is_some() {
                return Err(clash(&name));
            }
        }
        if self.tables.values().any(|t| t.name == table.name) {
            return Err(clash(&table.name));
        }
        self.tables.insert(table.id.clone(), Arc::new(table));
        Ok(())
    }

    pub(crate) fn table(&self, id: &CollectionId) -> Result<Arc<Table>, StoreError> {
        self.tables.get(id).or_else(|| self.views.get(id)).cloned().ok_or_else(|| {
            StoreError::Invalid(format!("there is no collection '{}' of the plugin '{}'", id.name, id.plugin))
        })
    }

    /// All tables, in a fixed order.
    pub(crate) fn tables(&self) -> Vec<Arc<Table>> {
        let mut tables: Vec<_> = self.tables.values().cloned().collect();
        tables.sort_by(|a, b| a.name.cmp(&b.name));
        tables
    }

    /// Whether somebody keeps entries about the rows of that table.
    pub(crate) fn has_entries(&self, table: &Ident) -> bool {
        self.tables.values().any(|t| t.name == *table && t.entries.is_some())
    }

    pub(crate) fn constraint(&self, name: &str) -> Option<&Constraint> {
        self.constraints.get(name)
    }

    /// What SQLite calls a violated key: `table.column, table.column`.
    pub(crate) fn key_of_columns(&self, columns: &str) -> Option<String> {
        let parts: Vec<(&str, &str)> = columns.split(", ").filter_map(|part| part.split_once('.')).collect();
        let (table, _) = parts.first()?;
        let names: Vec<&str> = parts.iter().map(|(_, column)| *column).collect();
        let fits = |index: &&Index| {
            index.columns.len() == names.len()
                && index.columns.iter().zip(&names).all(|(a, b)| a.as_str() == *b)
        };
        for candidate in self.tables.values() {
            if candidate.name.as_str() == *table {
                if names == ["id"] {
                    return Some("id".to_owned());
                }
                return candidate.keys.iter().find(fits).map(|k| k.says.clone());
            }
            for list in &candidate.lists {
                if list.table.as_str() == *table {
                    return list.keys.iter().find(fits).map(|k| k.says.clone());
                }
            }
        }
        None
    }

    /// Whether a reference says what a deletion is answered.
    pub(crate) fn refuses(&self) -> bool {
        self.tables.values().any(|t| t.references.iter().any(|r| r.refusal.is_some()))
    }

    /// Foreign keys that point to this collection: the referring collection,
    /// the referring table with the column that holds the owner's id, and the
    /// key.
    pub(crate) fn incoming(&self, target: &CollectionId) -> Vec<Incoming> {
        let mut found = Vec::new();
        for table in self.tables() {
            let id = Ident::host("id");
            for reference in table.references.iter().filter(|r| r.target == *target) {
                found.push(Incoming {
                    from: table.id.clone(),
                    table: table.name.clone(),
                    row: id.clone(),
                    column: reference.column.clone(),
                    cascade: reference.cascade,
                    refusal: reference.refusal.clone(),
                });
            }
            for list in &table.lists {
                for reference in list.references.iter().filter(|r| r.target == *target) {
                    found.push(Incoming {
                        from: table.id.clone(),
                        table: list.table.clone(),
                        row: Ident::host("owner"),
                        column: reference.column.clone(),
                        cascade: false,
                        refusal: None,
                    });
                }
            }
        }
        found
    }
}

/// A foreign key seen from the row it points to.
#[derive(Clone)]
pub(crate) struct Incoming {
    pub(crate) from: CollectionId,
    pub(crate) table: Ident,
    /// The column with the id of the referring collection's row.
    pub(crate) row: Ident,
    pub(crate) column: Ident,
    pub(crate) cascade: bool,
    pub(crate) refusal: Option<Refusal>,
}
