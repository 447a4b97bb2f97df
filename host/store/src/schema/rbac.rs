//! Entries that give other projects access to single rows: which table holds
//! them, and the column in it for each type of object. A column for each type,
//! since only so can each be a foreign key: an entry goes with its object, and
//! cannot be made of one that is being deleted.

use super::{Index, Reference, Table, column_of, table_name};
use crate::sql::Ident;
use crate::{CollectionId, StoreError};
use hadron_manifest::{Collection, Entries, Manifest};
use std::sync::Arc;

/// Where the entries about a table's rows are.
#[derive(Clone, Debug)]
pub(crate) struct EntriesOf {
    /// The table of entries.
    pub(crate) table: Ident,
    /// Its column with the id of the row.
    pub(crate) object: Ident,
    /// Its column with what is allowed.
    pub(crate) action: Ident,
    /// Its column with the project, or `*`.
    pub(crate) target: Ident,
}

/// What the rows of the table of entries are about.
#[derive(Debug)]
pub(crate) struct Objects {
    /// The attributes with their meanings.
    pub(crate) attributes: Entries,
    /// Types of objects, with the column of each.
    pub(crate) columns: Vec<(String, Ident)>,
}

impl Objects {
    /// The type whose ids are in that column.
    pub(crate) fn type_of(&self, column: &Ident) -> Option<&str> {
        self.columns.iter().find(|(_, c)| c == column).map(|(name, _)| name.as_str())
    }
}

/// The column of entries about that type.
fn object_column(object_type: &str) -> Ident {
    Ident::new(&["o_", object_type])
}

/// The collection that holds entries, if one is declared.
fn keeper(manifests: &[Arc<Manifest>]) -> Result<Option<(&Manifest, &Collection, &Entries)>, StoreError> {
    let mut all = manifests.iter().flat_map(|m| {
        m.collections.iter().filter_map(move |c| c.entries.as_ref().map(|e| (m.as_ref(), c, e)))
    });
    let first = all.next();
    match (first, all.next()) {
        (Some((one, ..)), Some((other, ..))) => Err(StoreError::Invalid(format!(
            "'{}' and '{}' both hold entries about rows of others",
            one.name, other.name
        ))),
        _ => Ok(first),
    }
}

/// Where entries about rows of this collection are.
pub(super) fn entries_of(
    manifests: &[Arc<Manifest>],
    collection: &Collection,
) -> Result<Option<EntriesOf>, StoreError> {
    let (Some(rbac), Some((owner, holder, entries))) = (&collection.rbac, keeper(manifests)?) else {
        return Ok(None);
    };
    Ok(Some(EntriesOf {
        table: table_name(&owner.name, &holder.name),
        object: object_column(&rbac.object_type),
        action: column_of(&entries.action),
        target: column_of(&entries.target),
    }))
}

impl Table {
    /// The columns, references and indexes of the table of entries.
    pub(super) fn add_objects(
        &mut self,
        manifests: &[Arc<Manifest>],
        collection: &Collection,
    ) -> Result<(), StoreError> {
        let Some(entries) = &collection.entries else { return Ok(()) };
        for attribute in entries.attributes() {
            self.own_column(attribute)?;
        }
        let mut columns: Vec<(String, Ident)> = Vec::new();
        for manifest in manifests {
            for object in &manifest.collections {
                let Some(rbac) = &object.rbac else { continue };
                let object_type = &rbac.object_type;
                let column = object_column(object_type);
                if columns.iter().any(|(known, _)| known == object_type) {
                    return Err(StoreError::Invalid(format!(
                        "two collections are objects of the type '{object_type}'"
                    )));
                }
                let name = self.name.as_str().to_owned();
                self.references.push(Reference {
                    attribute: entries.object_id.clone(),
                    column: column.clone(),
                    target: CollectionId {
                        plugin: manifest.name.as_str().into(),
                        name: object.name.as_str().into(),
                    },
                    table: table_name(&manifest.name, &object.name),
                    cascade: true,
                    refusal: None,
                    name: Ident::new(&[&name, "__f__", &entries.object_id, "__", object_type]),
                    above: Vec::new(),
                });
                self.indexes.push(Index {
                    says: format!("{} of {object_type}", entries.object_id),
                    name: Ident::new(&[&name, "__i__", &entries.object_id, "__", object_type]),
                    columns: vec![
                        column.clone(),
                        self.own_column(&entries.action)?,
                        self.own_column(&entries.target)?,
                    ],
                });
                columns.push((object_type.clone(), column));
            }
        }
        self.objects = Some(Objects { attributes: entries.clone(), columns });
        Ok(())
    }
}
