//! Attributes that plugins add to each other's collections: asked for when rows
//! are written, and set at other times.

use crate::bindings::{exported, types};
use crate::convert::{self, context};
use crate::operations;
use crate::plugins::Plugin;
use crate::unit::{Failure, Unit};
use hadron_manifest::{Extends, Moment};
use hadron_store::{CollectionId, KEPT_BY_HOST, Row, StoreError};
use serde_json::{Map, Value};
use std::sync::Arc;

type Document = Map<String, Value>;

/// What the plugin adds to a collection.
fn extends<'a>(plugin: &'a Plugin, id: &'a CollectionId) -> impl Iterator<Item = &'a Extends> {
    plugin.manifest.extends.iter().filter(move |extends| *extends.collection == *id.name)
}

/// Whether the attribute is one that the plugin adds.
fn is_of(plugin: &Plugin, id: &CollectionId, attribute: &str) -> bool {
    extends(plugin, id).any(|extends| extends.attributes.iter().any(|a| a.name == attribute))
}

/// What rows have of the plugin that say nothing about it.
fn defaults(plugin: &Plugin, id: &CollectionId) -> Document {
    let attributes = extends(plugin, id).flat_map(|extends| &extends.attributes);
    let kept = attributes.filter(|a| a.default.is_some() || a.sparse.is_none());
    kept.map(|a| (a.name.clone(), a.default.clone().unwrap_or_default())).collect()
}

/// A row's document as its extenders see it: with whose it is.
pub(crate) fn shown(project_id: Option<&str>, mut document: Document) -> Document {
    if let Some(project) = project_id {
        document.insert("project_id".to_owned(), project.into());
    }
    document
}

/// Asks the extenders of a collection about rows that are about to be written:
/// for each row, what is kept for each of them. `None` where nothing is
/// requested of a row that exists.
pub(crate) async fn extend(
    unit: &Arc<Unit>,
    id: &CollectionId,
    operation: types::Operation,
    rows: &[(String, Document, Option<Row>)],
) -> Result<Vec<Vec<(String, Document)>>, Failure> {
    let mut kept: Vec<Vec<(String, Document)>> = rows.iter().map(|_| Vec::new()).collect();
    let requested: Vec<_> =
        rows.iter().map(|(row, _, _)| unit.take_requested(&(id.clone(), row.clone()))).collect();
    // What the host keeps it takes as it was validated.
    for (kept, requested) in kept.iter_mut().zip(&requested) {
        kept.extend(requested.iter().filter(|(plugin, _)| plugin == KEPT_BY_HOST).cloned());
    }
    let plugins: Vec<Arc<Plugin>> =
        unit.set.active().filter(|p| extends(p, id).any(|e| !e.attributes.is_empty())).cloned().collect();
    for plugin in plugins {
        let name = plugin.manifest.name.as_str();
        let when_given = extends(&plugin, id).filter(|e| !e.attributes.is_empty()).all(|e| e.when_given);
        let mut asked = Vec::new();
        let mut items = Vec::new();
        for (place, ((row, document, original), requested)) in rows.iter().zip(&requested).enumerate() {
            let wanted =
                requested.iter().find(|(plugin, _)| plugin == name).map(|(_, values)| values.clone());
            if original.is_some() && wanted.as_ref().is_none_or(Map::is_empty) {
                continue;
            }
            let wanted = wanted.unwrap_or_default();
            let kept_of =
                |row: &Row| row.extensions.iter().find(|(plugin, _)| plugin == name).map(|(_, t)| t.clone());
            let until_now = original.as_ref().and_then(kept_of);
            if when_given {
                let mut before = defaults(&plugin, id);
                let now = until_now.as_deref().and_then(|text| serde_json::from_str::<Document>(text).ok());
                before.extend(now.unwrap_or_default());
                if wanted.iter().all(|(name, value)| before.get(name).unwrap_or(&Value::Null) == value) {
                    if let (None, Some(kept)) = (original, kept.get_mut(place)) {
                        kept.push((name.to_owned(), before));
                    }
                    continue;
                }
            }
            asked.push(place);
            items.push(exported::extender::Extension {
                id: row.clone(),
                document: Value::Object(document.clone()).to_string(),
                original: until_now,
                requested: Value::Object(wanted).to_string(),
            });
        }
        if items.is_empty() {
            continue;
        }
        let ctx = context(unit);
        let collection = id.name.to_string();
        let answers = unit
            .call(&plugin, "extend", move |instance| {
                Box::pin(async move {
                    let (exports, store) = instance.service()?;
                    exports
                        .hadron_host_extender()
                        .call_extend(store, &ctx, &collection, operation, &items)
                        .await
                })
            })
            .await?
            .map_err(|error| Failure::Refused(convert::refusal(error)))?;
        if answers.len() != asked.len() {
            return Err(convert::misbehaved(
                &plugin,
                "extend",
                format!("it answered {} of {} rows", answers.len(), asked.len()),
            ));
        }
        for (place, answer) in asked.into_iter().zip(answers) {
            let mut values = convert::object(&plugin, "extend", &answer)?;
            // An extender changes its own attributes and no others.
            values.retain(|attribute, _| is_of(&plugin, id, attribute));
            if let Some(kept) = kept.get_mut(place) {
                kept.push((name.to_owned(), values));
            }
        }
    }
    Ok(kept)
}

/// Writes changes of a row, with what its extenders make of the request.
pub(crate) async fn write(
    unit: &Arc<Unit>,
    id: &CollectionId,
    row: &str,
    changes: Document,
) -> Result<Row, Failure> {
    let key = (id.clone(), row.to_owned());
    let extensions = if unit.has_requested(&key) {
        let original = operations::read(unit, id, row).await?.ok_or(StoreError::NotFound)?;
        let mut document: Document = serde_json::from_str(&original.document).unwrap_or_default();
        document.extend(changes.clone());
        let document = shown(original.project_id.as_deref(), document);
        extend(unit, id, types::Operation::Update, &[(row.to_owned(), document, Some(original))])
            .await?
            .pop()
            .unwrap_or_default()
    } else {
        Vec::new()
    };
    let (collection, row) = (id.clone(), row.to_owned());
    let written = unit
        .store(move |t| Box::pin(async move { t.update(&collection, &row, changes, extensions).await }))
        .await?;
    unit.wrote(id, &written);
    Ok(written)
}

/// Sets attributes that the plugin adds to a collection of another, of a row that
/// exists. A refusal of the store is the plugin's to know; a subscriber's veto
/// ends the unit.
pub(crate) async fn annotate(
    unit: &Arc<Unit>,
    plugin: &str,
    collection: &str,
    row: &str,
    values: Document,
) -> Result<Result<(), StoreError>, Failure> {
    let (Some(plugin), Some((id, _))) = (unit.set.plugin(plugin), unit.set.public(collection)) else {
        return Ok(Err(StoreError::Invalid(format!("no loaded plugin serves {collection}"))));
    };
    if let Some(other) = values.keys().find(|name| !is_of(plugin, id, name)) {
        let name = &plugin.manifest.name;
        return Ok(Err(StoreError::Invalid(format!("'{name}' adds no '{other}' to '{collection}'"))));
    }
    operations::changing(unit, id, row, &values).await?;
    let change = Value::Object(values.clone()).to_string();
    let (target, row) = (id.clone(), row.to_owned());
    let extensions = vec![(plugin.manifest.name.clone(), values)];
    let changed = unit
        .store(move |t| Box::pin(async move { t.change(&target, &row, Document::new(), extensions).await }));
    let (written, news) = match changed.await {
        Ok(written) => written,
        Err(error) => return Ok(Err(error)),
    };
    unit.wrote(id, &written);
    if news {
        operations::besides(unit, id, Moment::AfterUpdate, &[written], &[change]).await?;
    }
    Ok(Ok(()))
}
