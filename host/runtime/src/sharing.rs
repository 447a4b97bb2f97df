//! Attributes that RBAC entries decide: setting one makes or removes the entry
//! for every project, through the plugin that holds the entries, in the unit
//! that was asked to set it.
//!
//! Whoever relies on an entry keeps it until the end of its unit (`Hold`), and
//! whoever removes one has it to itself before anybody is asked whether it can
//! be spared. So no unit ends with what only a removed entry allowed.

use crate::request::unguarded;
use crate::unit::{Failure, Unit};
use crate::{PluginSet, Refusal, Status, operations};
use hadron_manifest::{Collection, EVERY_PROJECT, Entries};
use hadron_store::{CollectionId, Predicate, Query, StoreError, View};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// An entry that a request relies on.
#[derive(Clone, Debug)]
pub struct Hold {
    /// The object's collection.
    pub collection: CollectionId,
    /// The object.
    pub id: String,
    /// The attribute that the entry makes true.
    pub attribute: String,
    /// The answer when the entry is gone.
    pub refusal: Refusal,
}

impl Hold {
    /// Keeps the entry until the end of the unit.
    pub(crate) async fn take(self, unit: &Arc<Unit>) -> Result<(), Failure> {
        let owner = unit.set.owner(&self.collection);
        let attribute = owner.and_then(|(_, collection)| collection.attribute(&self.attribute));
        let Some(action) = attribute.and_then(|a| a.rbac.clone()) else { return Ok(()) };
        let (collection, id, project) = (self.collection, self.id, unit.caller.project_id.clone());
        let held: Result<bool, StoreError> = unit
            .store(move |t| Box::pin(async move { t.hold(&collection, &id, &action, &project).await }))
            .await;
        if held? { Ok(()) } else { Err(Failure::Refused(self.refusal)) }
    }
}

/// What a request sets of an attribute that entries decide.
pub(crate) struct Wish {
    object_type: String,
    action: String,
    row: String,
    project: Option<String>,
    pub(crate) allow: bool,
    /// The entry for every project that is there now.
    entry: Option<String>,
}

impl Wish {
    fn document(&self, names: &Entries) -> Map<String, Value> {
        let mut document = Map::new();
        document.insert(names.object_type.clone(), json!(self.object_type));
        document.insert(names.object_id.clone(), json!(self.row));
        document.insert(names.action.clone(), json!(self.action));
        document.insert(names.target.clone(), json!(EVERY_PROJECT));
        document.insert("project_id".to_owned(), json!(self.project));
        document
    }
}

/// The collection that holds entries.
fn holder(set: &PluginSet) -> Option<(CollectionId, &Entries)> {
    set.collections().find_map(|(id, collection)| collection.entries.as_ref().map(|entries| (id, entries)))
}

/// What a body sets of such attributes of a row.
pub(crate) fn wishes(
    collection: &Collection,
    row: &str,
    project: Option<&str>,
    body: &Map<String, Value>,
) -> Vec<Wish> {
    let Some(rbac) = &collection.rbac else { return Vec::new() };
    let decided = collection.attributes.iter().filter_map(|a| Some((a.rbac.as_ref()?, body.get(&a.name)?)));
    decided
        .map(|(action, value)| Wish {
            object_type: rbac.object_type.clone(),
            action: action.clone(),
            row: row.to_owned(),
            project: project.map(str::to_owned),
            allow: value.as_bool().unwrap_or_default(),
            entry: None,
        })
        .collect()
}

/// The wishes that are not fulfilled; entries that are to go are held.
pub(crate) async fn differing(unit: &Arc<Unit>, wishes: Vec<Wish>) -> Result<Vec<Wish>, Failure> {
    let mut left = Vec::new();
    for mut wish in wishes {
        if let Some((id, names)) = holder(&unit.set) {
            let conditions = wish.document(names).into_iter().filter(|(name, _)| name != "project_id");
            let equal = |(name, value)| Predicate::In(name, vec![value]);
            let query =
                Query { predicate: Predicate::All(conditions.map(equal).collect()), ..Query::default() };
            wish.entry = operations::find(unit, &id, query).await?.pop().map(|row| row.id);
            if let (false, Some(entry)) = (wish.allow, wish.entry.clone()) {
                lock(unit, &id, &entry).await?;
            }
        }
        if wish.allow != wish.entry.is_some() {
            left.push(wish);
        }
    }
    Ok(left)
}

/// Makes and removes entries.
pub(crate) async fn apply(unit: &Arc<Unit>, wishes: Vec<Wish>) -> Result<(), Failure> {
    let (more, less): (Vec<Wish>, Vec<Wish>) = wishes.into_iter().partition(|wish| wish.allow);
    allow(unit, &more).await?;
    let gone: Vec<String> = less.into_iter().filter_map(|wish| wish.entry).collect();
    match holder(&unit.set) {
        Some((id, _)) if !gone.is_empty() => {
            Box::pin(operations::delete(unit, &id, &gone, &unguarded())).await
        }
        _ => Ok(()),
    }
}

/// Makes entries.
pub(crate) async fn allow(unit: &Arc<Unit>, wishes: &[Wish]) -> Result<(), Failure> {
    if wishes.is_empty() {
        return Ok(());
    }
    let Some((id, names)) = holder(&unit.set) else {
        return Err(Failure::Refused(Refusal::new(
            Status::Invalid,
            "HTTPBadRequest",
            "nothing can be shared while no plugin is loaded that holds RBAC policies",
        )));
    };
    let bodies = wishes.iter().map(|wish| wish.document(names)).collect();
    Box::pin(operations::create(unit, &id, bodies)).await.map(drop)
}

/// Rows of the collection of entries are had alone before anybody is asked
/// about them.
pub(crate) async fn hold_entries(
    unit: &Arc<Unit>,
    id: &CollectionId,
    collection: &Collection,
    rows: &[String],
) -> Result<(), Failure> {
    if collection.entries.is_some() {
        for row in rows {
            lock(unit, id, row).await?;
        }
    }
    Ok(())
}

async fn lock(unit: &Arc<Unit>, id: &CollectionId, row: &str) -> Result<(), Failure> {
    let (id, row) = (id.clone(), row.to_owned());
    let locked: Result<(), StoreError> =
        unit.store(move |t| Box::pin(async move { t.lock(&id, &row).await })).await;
    match locked {
        // Whoever asks about it next says so.
        Err(StoreError::NotFound) => Ok(()),
        other => Ok(other?),
    }
}

/// What a plugin sees of its own rows: attributes that entries decide are
/// answered for the caller.
pub(crate) fn own_view(unit: &Unit) -> View {
    View { project: Some(unit.caller.project_id.clone()), ..View::default() }
}
