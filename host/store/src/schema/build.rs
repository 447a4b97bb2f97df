//! Tables of collections: columns, keys, references, side tables.

use super::{
    Above, Extension, Field, Index, List, ListColumn, ParentValue, Place, Reference, Table, column_of, rbac,
    standard, table_name,
};
use crate::sql::{Ident, Member};
use crate::{CollectionId, StoreError};
use hadron_manifest::{Attribute, Collection, Column, Manifest, OnDelete, Validator};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A plugin's own collection of that name, else any plugin's public one.
pub(super) fn resolve<'a>(
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

/// The table of a collection, without what needs the tables of others.
pub(super) fn build_table(
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
        view: None,
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
            kept: name.clone(),
            name,
            kind: attribute.validate.column(),
            place,
            column,
            list,
            sparse: attribute.sparse.clone(),
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
    pub(super) fn own_column(&self, attribute: &str) -> Result<Ident, StoreError> {
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
}

/// The attributes of a row of this collection, seen from a row that refers to it.
fn above(manifests: &[Arc<Manifest>], parent: &Collection) -> Result<Vec<Above>, StoreError> {
    let mut found = Vec::new();
    let mut add = |json: Ident, attributes: &[Attribute]| -> Result<(), StoreError> {
        let plain =
            |v: &Validator| !matches!(v, Validator::List { .. } | Validator::Object { .. } | Validator::Dict);
        for attribute in attributes {
            found.push(Above {
                name: attribute.name.clone(),
                kind: plain(&attribute.validate).then(|| attribute.validate.column()),
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
pub(super) fn parent_value(
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
