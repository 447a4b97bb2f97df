//! From manifests to tables: which table, column, index and foreign key each
//! part of a manifest becomes, and back from a constraint's name to the
//! manifest's words.

mod rbac;

pub(crate) use rbac::{EntriesOf, Objects};

use crate::sql::{Ident, Member};
use crate::{CollectionId, StoreError};
use hadron_manifest::{Attribute, Collection, Column, DerivedFrom, Manifest, OnDelete, Refusal, Validator};
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
    /// By the names that databases report.
    constraints: HashMap<String, Constraint>,
    /// Collections whose rows take rows of others with them of which it is noted
    /// that they go.
    taking: HashSet<CollectionId>,
    /// By referring collection: rows that show which rows refer to them.
    showing: HashMap<CollectionId, Vec<Showing>>,
}

/// A row that lists the rows which refer to it, so that it changes when one of
/// them comes or goes.
#[derive(Clone, Debug)]
pub(crate) struct Showing {
    /// The attribute by which they refer.
    pub(crate) attribute: String,
    pub(crate) column: Ident,
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
    pub(crate) kind: Column,
    pub(crate) place: Place,
    /// Its own column, where it has one.
    pub(crate) column: Option<Ident>,
    /// Its side table, where it has one.
    pub(crate) list: Option<usize>,
    /// Not kept: true where entries allow this action.
    pub(crate) rbac: Option<String>,
}

/// A column with attributes that are not the owner's: an extender's, or the
/// host's, whose plugin has no name.
#[derive(Debug)]
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
    /// What conditions on the row referred to can be about; none for items of
    /// lists.
    pub(crate) above: Vec<Above>,
}

/// An attribute of a row referred to.
#[derive(Clone, Debug)]
pub(crate) struct Above {
    pub(crate) name: String,
    pub(crate) kind: Column,
    pub(crate) value: ParentValue,
}

/// The side table of a list attribute.
#[derive(Debug)]
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
#[derive(Debug)]
pub(crate) struct ListColumn {
    pub(crate) member: Member,
    pub(crate) column: Ident,
    pub(crate) kind: Column,
}

/// A derived attribute.
#[derive(Debug)]
pub(crate) struct Derived {
    pub(crate) name: String,
    pub(crate) from: Source,
}

/// Where a derived attribute comes from.
#[derive(Debug)]
pub(crate) enum Source {
    /// Ids of rows of `table` whose `column` is this row's id.
    Referring { table: Ident, column: Ident },
    /// A value of the row that `column` names.
    Parent { column: Ident, table: Ident, value: ParentValue },
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

    fn extension(&self, place: Place) -> Option<&Extension> {
        match place {
            Place::Document => None,
            Place::Extension(i) => self.extensions.get(i),
        }
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
        for manifest in manifests {
            for collection in &manifest.collections {
                let table = build_table(manifests, manifest, collection)?;
                for (child, attribute, column) in shown_by(manifests, manifest, collection) {
                    let (by, public, table) = (table.id.clone(), table.public, table.name.clone());
                    let showing = Showing { attribute, column, by, table, public };
                    schema.showing.entry(child).or_default().push(showing);
                }
                schema.add(table)?;
            }
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
        self.tables.get(id).cloned().ok_or_else(|| {
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

/// A plugin's own collection of that name, else any plugin's public one.
fn resolve<'a>(
    manifests: &'a [Arc<Manifest>],
    own: &'a Manifest,
    name: &str,
) -> Option<(CollectionId, &'a Collection)> {
    let of = |m: &Manifest| CollectionId { plugin: m.name.as_str().into(), name: name.into() };
    if let Some(found) = own.collections.iter().find(|c| c.name == name) {
        return Some((of(own), found));
    }
    manifests
        .iter()
        .find_map(|m| m.collections.iter().find(|c| !c.private && c.name == name).map(|c| (of(m), c)))
}

/// The collections whose ids a collection's rows list, with the attribute by
/// which they refer and its column.
fn shown_by(
    manifests: &[Arc<Manifest>],
    owner: &Manifest,
    collection: &Collection,
) -> Vec<(CollectionId, String, Ident)> {
    let mut shown = Vec::new();
    for derived in &collection.derived {
        if let DerivedFrom::Referring { collection: referring, attribute } = &derived.from
            && standard(attribute).is_none()
            && let Some((child, _)) = resolve(manifests, owner, referring)
        {
            shown.push((child, attribute.clone(), column_of(attribute)));
        }
    }
    shown
}

fn build_table(
    manifests: &[Arc<Manifest>],
    owner: &Manifest,
    collection: &Collection,
) -> Result<Table, StoreError> {
    let name = table_name(&owner.name, &collection.name);
    let with_column: HashSet<&str> = collection
        .keys
        .iter()
        .flat_map(|k| &k.attributes)
        .chain(collection.indexes.iter().flatten())
        .chain(collection.references.iter().map(|r| &r.attribute))
        .map(String::as_str)
        .collect();
    let mut table = Table {
        id: CollectionId { plugin: owner.name.as_str().into(), name: collection.name.as_str().into() },
        public: !collection.private,
        fields: Vec::new(),
        by_name: HashMap::new(),
        extensions: Vec::new(),
        keys: Vec::new(),
        indexes: Vec::new(),
        references: Vec::new(),
        lists: Vec::new(),
        derived: Vec::new(),
        entries: rbac::entries_of(manifests, collection)?,
        objects: None,
        quota: collection.quota_name().map(Into::into),
        name,
    };
    for attribute in &collection.attributes {
        let column = (attribute.index || with_column.contains(attribute.name.as_str()))
            .then(|| column_of(&attribute.name));
        table.add_field(manifests, owner, attribute, Place::Document, column)?;
    }
    let kept = collection.kept();
    if !kept.is_empty() {
        let place = Place::Extension(table.extensions.len());
        table.extensions.push(Extension::kept(&kept));
        for attribute in &kept {
            table.add_field(manifests, owner, attribute, place, None)?;
        }
    }
    if !collection.private {
        for extender in manifests {
            let extends = || extender.extends.iter().filter(|e| e.collection == collection.name);
            let attributes: Vec<&Attribute> = extends().flat_map(|e| &e.attributes).collect();
            let referring: Vec<_> = extends().flat_map(|e| &e.references).collect();
            if attributes.is_empty() {
                continue;
            }
            let place = Place::Extension(table.extensions.len());
            table.extensions.push(Extension::of(&extender.name));
            for attribute in attributes {
                let refers = referring.iter().any(|r| r.attribute == attribute.name);
                let column = (attribute.index || refers)
                    .then(|| Ident::new(&["x_", &extender.name, "__", &attribute.name]));
                table.add_field(manifests, extender, attribute, place, column)?;
            }
        }
    }
    table.add_constraints(manifests, owner, collection)?;
    table.add_derived(manifests, owner, collection)?;
    table.add_objects(manifests, collection)?;
    Ok(table)
}

impl Table {
    fn add_field(
        &mut self,
        manifests: &[Arc<Manifest>],
        owner: &Manifest,
        attribute: &Attribute,
        place: Place,
        column: Option<Ident>,
    ) -> Result<(), StoreError> {
        let name = Member::new(&attribute.name)?;
        if self.by_name.insert(attribute.name.clone(), self.fields.len()).is_some() {
            return Err(StoreError::Invalid(format!(
                "the attribute '{}' of '{}' is declared by two plugins",
                attribute.name, self.id.name
            )));
        }
        let list = match &attribute.list {
            Some(_) => {
                let list = self.build_list(manifests, owner, attribute, place)?;
                self.lists.push(list);
                Some(self.lists.len() - 1)
            }
            None => None,
        };
        self.fields.push(Field {
            name,
            kind: attribute.validate.column(),
            place,
            column,
            list,
            rbac: attribute.rbac.clone(),
        });
        Ok(())
    }

    fn build_list(
        &self,
        manifests: &[Arc<Manifest>],
        owner: &Manifest,
        attribute: &Attribute,
        place: Place,
    ) -> Result<List, StoreError> {
        let table = match self.extension(place) {
            None => Ident::new(&[self.name.as_str(), "__", &attribute.name]),
            Some(extension) => {
                Ident::new(&[self.name.as_str(), "__", extension.column.as_str(), "__", &attribute.name])
            }
        };
        let Validator::List { items, .. } = &attribute.validate else {
            return Err(StoreError::Invalid(format!("'{}' has a list table but is no list", attribute.name)));
        };
        let declared = attribute.list.clone().unwrap_or_default();
        let scalar = !matches!(**items, Validator::Object { .. } | Validator::Dict | Validator::Any);
        let kind = |member: &str| match &**items {
            Validator::Object { members } => {
                members.iter().find(|m| m.name == member).map_or(Column::Text, |m| m.validate.column())
            }
            other if scalar => other.column(),
            _ => Column::Text,
        };
        let mut list = List {
            attribute: Member::new(&attribute.name)?,
            place,
            scalar,
            columns: Vec::new(),
            keys: Vec::new(),
            indexes: Vec::new(),
            references: Vec::new(),
            owner: Ident::new(&[table.as_str(), "__f__owner"]),
            table,
        };
        let mut wanted = declared.columns.clone();
        if scalar && wanted.is_empty() {
            wanted.push(hadron_manifest::ListTableColumn { name: "value".to_owned(), ..Default::default() });
        }
        for column in &wanted {
            if scalar && column.name != "value" {
                return Err(StoreError::Invalid(format!(
                    "the list '{}' of '{}' holds scalars: its one column is 'value', not '{}'",
                    attribute.name, self.id.name, column.name
                )));
            }
            let ident = column_of(&column.name);
            if list.columns.iter().any(|c| c.column == ident) {
                return Err(StoreError::Invalid(format!(
                    "the column '{}' of the list '{}' is declared twice",
                    column.name, attribute.name
                )));
            }
            if let Some(target) = &column.references {
                let (target, _) = resolve(manifests, owner, target).ok_or_else(|| {
                    unknown_target(&self.id, &format!("{}.{}", attribute.name, column.name), target)
                })?;
                list.references.push(Reference {
                    attribute: attribute.name.clone(),
                    column: ident.clone(),
                    table: table_name(&target.plugin, &target.name),
                    target,
                    cascade: false,
                    refusal: None,
                    name: Ident::new(&[list.table.as_str(), "__f__", &column.name]),
                    above: Vec::new(),
                });
            }
            list.indexes.push(Index {
                says: attribute.name.clone(),
                name: Ident::new(&[list.table.as_str(), "__i__", &column.name]),
                columns: vec![ident.clone()],
            });
            list.columns.push(ListColumn {
                member: Member::new(&column.name)?,
                column: ident,
                kind: kind(&column.name),
            });
        }
        for key in &declared.keys {
            let columns: Vec<Ident> = key.iter().map(|member| column_of(member)).collect();
            if columns.is_empty() || columns.iter().any(|c| !list.columns.iter().any(|l| l.column == *c)) {
                return Err(StoreError::Invalid(format!(
                    "a key of the list '{}' of '{}' names a column that is not declared",
                    attribute.name, self.id.name
                )));
            }
            // The key's index serves its first column too.
            list.indexes.retain(|i| i.columns.first() != columns.first());
            list.keys.push(Index {
                says: attribute.name.clone(),
                name: Ident::new(&[list.table.as_str(), "__k__", &key.join("__")]),
                columns,
            });
        }
        Ok(list)
    }

    /// The column that holds this attribute of the owner's.
    fn own_column(&self, attribute: &str) -> Result<Ident, StoreError> {
        standard(attribute)
            .map(|(column, _)| column)
            .or_else(|| self.field(attribute).and_then(|f| f.column.clone()))
            .ok_or_else(|| {
                StoreError::Invalid(format!(
                    "'{}' has no attribute '{attribute}' with a column",
                    self.id.name
                ))
            })
    }

    fn add_constraints(
        &mut self,
        manifests: &[Arc<Manifest>],
        owner: &Manifest,
        collection: &Collection,
    ) -> Result<(), StoreError> {
        let name = self.name.clone();
        for key in &collection.keys {
            let columns = key.attributes.iter().map(|a| self.own_column(a)).collect::<Result<Vec<_>, _>>()?;
            self.keys.push(Index {
                says: key.name.clone(),
                name: Ident::new(&[name.as_str(), "__k__", &key.name]),
                columns,
            });
        }
        let added = manifests.iter().filter(|_| !collection.private).flat_map(|extender| {
            let extends = extender.extends.iter().filter(|e| e.collection == collection.name);
            extends.flat_map(|e| &e.references).map(|r| (extender.as_ref(), r))
        });
        for (owner, reference) in collection.references.iter().map(|r| (owner, r)).chain(added) {
            let (target, parent) = resolve(manifests, owner, &reference.collection)
                .ok_or_else(|| unknown_target(&self.id, &reference.attribute, &reference.collection))?;
            self.references.push(Reference {
                attribute: reference.attribute.clone(),
                column: self.own_column(&reference.attribute)?,
                table: table_name(&target.plugin, &target.name),
                target,
                cascade: reference.on_delete == OnDelete::Cascade,
                refusal: reference.refusal.clone(),
                name: Ident::new(&[name.as_str(), "__f__", &reference.attribute]),
                above: above(manifests, parent)?,
            });
        }
        let mut wanted: Vec<(String, Vec<Ident>)> = Vec::new();
        for index in &collection.indexes {
            let columns = index.iter().map(|a| self.own_column(a)).collect::<Result<Vec<_>, _>>()?;
            wanted.push((index.join("__"), columns));
        }
        let mut single: Vec<(String, Ident)> =
            self.columns().map(|(f, c)| (f.name.as_str().to_owned(), c.clone())).collect();
        single.push(("project_id".to_owned(), Ident::host("project_id")));
        for (says, column) in single {
            let served = self.keys.iter().map(|k| &k.columns).chain(wanted.iter().map(|(_, c)| c));
            // Only what is filtered or referenced by itself needs its own index.
            if served.clone().all(|columns| columns.first() != Some(&column)) {
                wanted.push((says, vec![column]));
            }
        }
        for (says, columns) in wanted {
            let index = Ident::new(&[name.as_str(), "__i__", &says]);
            if !columns.is_empty() && !self.indexes.iter().any(|i| i.columns == columns) {
                self.indexes.push(Index { says, name: index, columns });
            }
        }
        Ok(())
    }

    fn add_derived(
        &mut self,
        manifests: &[Arc<Manifest>],
        owner: &Manifest,
        collection: &Collection,
    ) -> Result<(), StoreError> {
        for derived in &collection.derived {
            let problem = |what: String| {
                StoreError::Invalid(format!(
                    "the derived attribute '{}' of '{}' {what}",
                    derived.name, collection.name
                ))
            };
            Member::new(&derived.name)?;
            let from = match &derived.from {
                DerivedFrom::Referring { collection: referring, attribute } => {
                    let (id, found) = resolve(manifests, owner, referring)
                        .ok_or_else(|| problem(format!("names '{referring}', which no plugin declares")))?;
                    if !found.references.iter().any(|r| r.attribute == *attribute) {
                        return Err(problem(format!(
                            "names '{attribute}', which is no reference of '{referring}'"
                        )));
                    }
                    let column = standard(attribute).map_or_else(|| column_of(attribute), |(c, _)| c);
                    Source::Referring { table: table_name(&id.plugin, &id.name), column }
                }
                DerivedFrom::Parent { reference, attribute } => {
                    let target = collection
                        .references
                        .iter()
                        .find(|r| r.attribute == *reference)
                        .ok_or_else(|| problem(format!("names '{reference}', which is no reference")))?;
                    let (id, parent) = resolve(manifests, owner, &target.collection).ok_or_else(|| {
                        problem(format!("names '{}', which is not there", target.collection))
                    })?;
                    let value = match (standard(attribute), parent.attribute(attribute)) {
                        (Some((column, _)), _) => ParentValue::Column(column),
                        (None, Some(found)) => parent_value(manifests, parent, Ident::host("doc"), found)?,
                        (None, None) => {
                            return Err(problem(format!(
                                "names '{attribute}', which '{}' lacks",
                                parent.name
                            )));
                        }
                    };
                    Source::Parent {
                        column: self.own_column(reference)?,
                        table: table_name(&id.plugin, &id.name),
                        value,
                    }
                }
            };
            self.derived.push(Derived { name: derived.name.clone(), from });
        }
        Ok(())
    }
}

/// What a condition on a row of this collection can be about, seen from a row
/// that refers to it.
fn above(manifests: &[Arc<Manifest>], parent: &Collection) -> Result<Vec<Above>, StoreError> {
    let mut found = Vec::new();
    let mut add = |json: Ident, attributes: &[Attribute]| -> Result<(), StoreError> {
        let plain =
            |v: &Validator| !matches!(v, Validator::List { .. } | Validator::Object { .. } | Validator::Dict);
        for attribute in attributes.iter().filter(|a| plain(&a.validate)) {
            found.push(Above {
                name: attribute.name.clone(),
                kind: attribute.validate.column(),
                value: parent_value(manifests, parent, json.clone(), attribute)?,
            });
        }
        Ok(())
    };
    add(Ident::host("doc"), &parent.attributes)?;
    if !parent.private {
        for extender in manifests {
            for extends in extender.extends.iter().filter(|e| e.collection == parent.name) {
                add(Ident::new(&["x_", &extender.name]), &extends.attributes)?;
            }
        }
    }
    Ok(found)
}

/// Where rows of this collection have the value of an attribute.
fn parent_value(
    manifests: &[Arc<Manifest>],
    parent: &Collection,
    json: Ident,
    attribute: &Attribute,
) -> Result<ParentValue, StoreError> {
    Ok(match &attribute.rbac {
        Some(action) => ParentValue::Decided(rbac::entries_of(manifests, parent)?, action.clone()),
        None => ParentValue::Member(json, Member::new(&attribute.name)?),
    })
}

fn unknown_target(from: &CollectionId, attribute: &str, target: &str) -> StoreError {
    StoreError::Invalid(format!(
        "'{attribute}' of '{}' refers to the collection '{target}', which no loaded plugin declares",
        from.name
    ))
}

impl Table {
    pub(crate) fn is_extension(&self, field: &Field) -> bool {
        matches!(field.place, Place::Extension(_))
    }
}
