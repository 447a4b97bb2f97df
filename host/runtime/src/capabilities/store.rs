//! The plugin's own rows, inside the unit of work.

use crate::bindings::store::{Condition, Host, Query, StoreError as Refused};
use crate::bindings::types::Operation;
use crate::state::{Abort, HostState};
use crate::unit::{Failure, Unit};
use crate::{convert, extending, operations, sharing};
use futures::future::BoxFuture;
use hadron_manifest::Moment;
use hadron_store::{CollectionId, NewRow, Row, StoreError, Transaction, View};
use serde_json::{Map, Value};
use std::sync::Arc;

pub(super) type Answer<T> = wasmtime::Result<Result<T, Refused>>;

/// Members of a document that the host keeps.
const KEPT: [&str; 4] = ["tenant_id", "revision_number", "created_at", "updated_at"];

impl HostState {
    pub(super) fn own(&self, collection: &str) -> CollectionId {
        CollectionId { plugin: self.plugin.name().into(), name: collection.into() }
    }

    fn view(&self) -> View {
        self.unit().map(|unit| sharing::own_view(unit)).unwrap_or_default()
    }

    pub(super) async fn rows<T>(
        &self,
        work: impl for<'a> FnOnce(&'a mut Transaction) -> BoxFuture<'a, Result<T, StoreError>>,
    ) -> Answer<T> {
        match self.unit() {
            Some(unit) => refused(unit.store(work).await),
            None => Ok(Err(Refused::Unavailable)),
        }
    }
}

/// What a plugin is told of a failed statement; what concerns only the unit's
/// runner ends the guest.
fn refused<T>(result: Result<T, StoreError>) -> Answer<T> {
    Ok(Err(match result {
        Ok(value) => return Ok(Ok(value)),
        Err(StoreError::NotFound) => Refused::NotFound,
        Err(StoreError::Duplicate(key)) => Refused::Duplicate(key),
        Err(StoreError::MissingReference(attribute)) => Refused::MissingReference(attribute),
        Err(StoreError::InUse(collection)) => Refused::InUse(collection),
        Err(error @ (StoreError::OverQuota(_) | StoreError::Refused { .. })) => {
            return Err(Abort(Failure::from(error)).into());
        }
        Err(StoreError::Invalid(sentence)) => Refused::Invalid(sentence),
        Err(StoreError::Doomed) => Refused::Invalid(StoreError::Doomed.to_string()),
        Err(error @ (StoreError::Retry(_) | StoreError::Unavailable(_) | StoreError::Database(_))) => {
            return Err(Abort(Failure::from(error)).into());
        }
    }))
}

fn documents(rows: &[Row]) -> Vec<String> {
    rows.iter().map(Row::json).collect()
}

fn parse(text: &str) -> Result<Map<String, Value>, Refused> {
    serde_json::from_str(text)
        .map_err(|error| Refused::Invalid(format!("the document is no JSON object: {error}")))
}

fn new_row(text: &str) -> Result<NewRow, Refused> {
    let mut document = parse(text)?;
    let mut take =
        |name: &str| document.shift_remove(name).and_then(|value| value.as_str().map(str::to_owned));
    let id = take("id").ok_or_else(|| Refused::Invalid("the document has no id".to_owned()))?;
    let project_id = take("project_id");
    KEPT.iter().for_each(|name| drop(document.shift_remove(*name)));
    Ok(NewRow { id, project_id, document, extensions: Vec::new() })
}

/// Takes out what the host keeps: a plugin was shown it and may give it back.
fn leave_kept(unit: &Unit, id: &CollectionId, document: &mut Map<String, Value>) {
    if let Some((_, collection)) = unit.set.owner(id) {
        collection.kept().iter().for_each(|a| drop(document.shift_remove(&a.name)));
    }
}

/// Rows that the unit's caller asked for need what it asked of the host and of
/// their extenders.
async fn insert(unit: &Arc<Unit>, id: &CollectionId, mut rows: Vec<NewRow>) -> Answer<()> {
    rows.iter_mut().for_each(|row| leave_kept(unit, id, &mut row.document));
    let requested = |row: &NewRow| unit.has_requested(&(id.clone(), row.id.clone()));
    if rows.iter().any(requested) || unit.set.extenders(&id.name).next().is_some() {
        let shown = |row: &NewRow| extending::shown(row.project_id.as_deref(), row.document.clone());
        let asked: Vec<_> = rows.iter().map(|row| (row.id.clone(), shown(row), None)).collect();
        match extending::extend(unit, id, Operation::Create, &asked).await {
            Ok(extensions) => rows.iter_mut().zip(extensions).for_each(|(row, kept)| row.extensions = kept),
            // An extender's veto is the request's: it goes past the owner.
            Err(failure) => return Err(Abort(failure).into()),
        }
    }
    let collection = id.clone();
    let written = unit.store(move |t| Box::pin(async move { t.insert(&collection, rows).await })).await;
    if let Ok(rows) = &written {
        rows.iter().for_each(|row| unit.wrote(id, row));
        operations::besides(unit, id, Moment::AfterCreate, rows, &[]).await.map_err(Abort)?;
    }
    refused(written.map(drop))
}

impl Host for HostState {
    async fn get(&mut self, collection: String, id: String) -> Answer<Option<String>> {
        let (collection, view) = (self.own(&collection), self.view());
        let found = self.rows(move |t| Box::pin(async move { t.get(&collection, &id, &view).await })).await?;
        Ok(found.map(|row| row.map(|row| row.json())))
    }

    async fn find(&mut self, collection: String, query: Query) -> Answer<Vec<String>> {
        let (collection, view) = (self.own(&collection), self.view());
        let query = match convert::query(&query) {
            Ok(query) => query,
            Err(sentence) => return Ok(Err(Refused::Invalid(sentence))),
        };
        let found =
            self.rows(move |t| Box::pin(async move { t.find(&collection, &query, &view).await })).await?;
        Ok(found.map(|rows| documents(&rows)))
    }

    async fn count(&mut self, collection: String, conditions: Vec<Condition>) -> Answer<u64> {
        let collection = self.own(&collection);
        match convert::predicate(&conditions) {
            Ok(predicate) => {
                self.rows(move |t| Box::pin(async move { t.count(&collection, &predicate).await })).await
            }
            Err(sentence) => Ok(Err(Refused::Invalid(sentence))),
        }
    }

    async fn gather(
        &mut self,
        collection: String,
        attribute: String,
        by: String,
        values: Vec<String>,
        member: String,
    ) -> Answer<Vec<(String, String)>> {
        let collection = self.own(&collection);
        let values: Vec<Value> = match values.iter().map(|text| serde_json::from_str(text)).collect() {
            Ok(values) => values,
            Err(error) => return Ok(Err(Refused::Invalid(format!("a value is no JSON: {error}")))),
        };
        self.rows(move |t| {
            Box::pin(async move { t.gather(&collection, &attribute, &by, &values, &member).await })
        })
        .await
    }

    async fn insert(&mut self, collection: String, documents: Vec<String>) -> Answer<()> {
        let Some(unit) = self.unit().cloned() else { return Ok(Err(Refused::Unavailable)) };
        match documents.iter().map(|text| new_row(text)).collect() {
            Ok(rows) => insert(&unit, &self.own(&collection), rows).await,
            Err(refused) => Ok(Err(refused)),
        }
    }

    async fn update(&mut self, collection: String, id: String, changes: String) -> Answer<String> {
        let Some(unit) = self.unit().cloned() else { return Ok(Err(Refused::Unavailable)) };
        let mut changes = match parse(&changes) {
            Ok(changes) => changes,
            Err(refused) => return Ok(Err(refused)),
        };
        ["id", "project_id"].iter().chain(&KEPT).for_each(|name| drop(changes.shift_remove(*name)));
        let collection = self.own(&collection);
        leave_kept(&unit, &collection, &mut changes);
        if unit.has_requested(&(collection.clone(), id.clone())) {
            return match extending::write(&unit, &collection, &id, changes).await {
                Ok(row) => Ok(Ok(row.json())),
                Err(failure) => Err(Abort(failure).into()),
            };
        }
        operations::changing(&unit, &collection, &id, &changes).await.map_err(Abort)?;
        let target = collection.clone();
        let change = match operations::is_heard(&unit, &collection, Moment::AfterUpdate) {
            true => Value::Object(changes.clone()).to_string(),
            false => String::new(),
        };
        let written = self
            .rows(move |t| Box::pin(async move { t.change(&target, &id, changes, Vec::new()).await }))
            .await?;
        let (row, news) = match written {
            Ok(written) => written,
            Err(refused) => return Ok(Err(refused)),
        };
        unit.wrote(&collection, &row);
        let text = row.json();
        if news {
            let (rows, changes) = ([row], [change]);
            let told = operations::besides(&unit, &collection, Moment::AfterUpdate, &rows, &changes);
            told.await.map_err(Abort)?;
        }
        Ok(Ok(text))
    }

    async fn annotate(&mut self, collection: String, id: String, values: String) -> Answer<()> {
        let Some(unit) = self.unit().cloned() else { return Ok(Err(Refused::Unavailable)) };
        match parse(&values) {
            Ok(values) => {
                let done = extending::annotate(&unit, self.plugin.name(), &collection, &id, values).await;
                match done {
                    Ok(told) => refused(told),
                    Err(failure) => Err(Abort(failure).into()),
                }
            }
            Err(refused) => Ok(Err(refused)),
        }
    }

    async fn delete(&mut self, collection: String, ids: Vec<String>) -> Answer<()> {
        let Some(unit) = self.unit().cloned() else { return Ok(Err(Refused::Unavailable)) };
        let collection = self.own(&collection);
        // A veto is the request's: it goes past the owner.
        let told = operations::deleting(&unit, &collection, &ids).await.map_err(Abort)?;
        let target = collection.clone();
        let deleted = self.rows(move |t| Box::pin(async move { t.delete(&target, &ids).await })).await?;
        if deleted.is_ok() {
            operations::deleted(&unit, &collection, &told).await.map_err(Abort)?;
        }
        Ok(deleted)
    }

    async fn lock(&mut self, collection: String, id: String) -> Answer<()> {
        let collection = self.own(&collection);
        self.rows(move |t| Box::pin(async move { t.lock(&collection, &id).await })).await
    }
}
