//! Views: rows of a table under other names.

use super::derived::{About, Finder};
use super::{Field, Place, Table, build::resolve, standard};
use crate::sql::Member;
use crate::{CollectionId, StoreError};
use hadron_manifest::{Attribute, Collection, Manifest};
use std::collections::HashMap;
use std::sync::Arc;

/// The views of all plugins.
pub(super) fn all(manifests: &[Arc<Manifest>], tables: &[Table]) -> Result<Vec<Table>, StoreError> {
    let finder = Finder { manifests, tables };
    let declared = manifests.iter().flat_map(|m| m.collections.iter().map(move |c| (m.as_ref(), c)));
    declared.filter(|(_, c)| c.of.is_some()).map(|(owner, view)| build(&finder, owner, view)).collect()
}

/// What the attribute is called in the collection that the view is of.
fn source(attribute: &Attribute) -> &str {
    attribute.of.as_deref().unwrap_or(&attribute.name)
}

fn build(finder: &Finder<'_>, owner: &Manifest, view: &Collection) -> Result<Table, StoreError> {
    let of = view.of.as_deref().unwrap_or_default();
    let unknown = || StoreError::Invalid(format!("'{}' is a view of '{of}', which is not there", view.name));
    let (id, collection) = resolve(finder.manifests, owner, of).ok_or_else(unknown)?;
    let base = finder.table(&id).ok_or_else(unknown)?;
    let (mut fields, mut by_name, mut shown) = (Vec::new(), HashMap::new(), Vec::new());
    let mut references = Vec::new();
    for attribute in &view.attributes {
        let (name, of) = (Member::new(&attribute.name)?, source(attribute));
        let about = About { owner, table: base, name: &attribute.name };
        shown.push((name.clone(), finder.member(about, collection, base, of)?));
        by_name.insert(attribute.name.clone(), fields.len());
        let kept = Member::new(of)?;
        fields.push(match (standard(of), base.field(of)) {
            (Some((column, kind)), _) => Field {
                name,
                kept,
                kind,
                place: Place::Document,
                column: Some(column),
                list: None,
                rbac: None,
                sparse: None,
            },
            (None, Some(field)) => Field {
                name,
                kept,
                kind: field.kind,
                place: field.place,
                column: field.column.clone(),
                list: field.list,
                // Shown with the others, not by itself.
                rbac: field.rbac.clone(),
                sparse: None,
            },
            (None, None) => {
                let kind = attribute.validate.column();
                Field {
                    name,
                    kept,
                    kind,
                    place: Place::Document,
                    column: None,
                    list: None,
                    rbac: None,
                    sparse: None,
                }
            }
        });
        references.extend(
            base.references
                .iter()
                .filter(|r| r.attribute == of)
                .map(|r| super::Reference { attribute: attribute.name.clone(), ..r.clone() }),
        );
    }
    Ok(Table {
        id: CollectionId { plugin: owner.name.as_str().into(), name: view.name.as_str().into() },
        public: true,
        name: base.name.clone(),
        fields,
        by_name,
        extensions: base.extensions.clone(),
        keys: Vec::new(),
        indexes: Vec::new(),
        references,
        lists: base.lists.clone(),
        derived: Vec::new(),
        entries: base.entries.clone(),
        objects: None,
        quota: None,
        view: Some(shown),
    })
}
