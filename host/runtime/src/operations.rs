//! What is done to resources inside a unit of work: events, the owner's rules,
//! extenders, rows. The same for the API's requests and for plugins that use
//! each other's resources.

use crate::bindings::exported;
use crate::convert::{self, context};
use crate::plugins::Plugin;
use crate::unit::{Failure, Unit};
use crate::{Guard, Refusal, Retag, Status, extending, sharing};
use hadron_manifest::{Attribute, Collection, Moment, TAGS};
use hadron_store::{CollectionId, KEPT_BY_HOST, Predicate, Query, Row, StoreError, View};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

type Document = Map<String, Value>;

/// Rows are shown as the API shows them to the unit's caller, derived
/// attributes included.
fn shown(unit: &Unit) -> View {
    View { hidden: Vec::new(), derived: true, project: Some(unit.caller.project_id.clone()) }
}

fn owner(unit: &Unit, id: &CollectionId) -> Result<(Arc<Plugin>, Collection), Failure> {
    let (plugin, collection) = unit.set.owner(id).ok_or_else(|| {
        Refusal::new(
            Status::NotFound,
            "HTTPNotFound",
            format!("the plugin that serves {} is not loaded", id.name),
        )
    })?;
    Ok((plugin.clone(), collection.clone()))
}

fn not_found(collection: &Collection, id: &str) -> Failure {
    Failure::Refused(Refusal::new(
        Status::NotFound,
        collection.not_found_type(),
        collection.not_found_template().replace("{id}", id),
    ))
}

/// Tells subscribers; a veto ends the unit.
async fn tell(
    unit: &Arc<Unit>,
    collection: &str,
    moment: Moment,
    documents: &[String],
    changes: &[String],
) -> Result<(), Failure> {
    for plugin in unit.set.subscribers(collection, moment) {
        let event = exported::subscriber::Event {
            collection: collection.to_owned(),
            moment: convert::moment(moment),
            documents: documents.to_vec(),
            changes: changes.to_vec(),
        };
        let ctx = context(unit);
        unit.call(&plugin, "notify", move |instance| {
            Box::pin(async move {
                let (exports, store) = instance.service()?;
                exports.hadron_host_subscriber().call_notify(store, &ctx, &event).await
            })
        })
        .await?
        .map_err(|error| Failure::Refused(convert::refusal(error)))?;
    }
    Ok(())
}

/// Takes the attributes that the host keeps, and those of extenders, out of a
/// request.
fn split(unit: &Unit, collection: &Collection, body: &mut Document) -> Vec<(String, Document)> {
    let mut values = |attributes: &[Attribute]| -> Document {
        let given =
            attributes.iter().filter_map(|a| body.shift_remove(&a.name).map(|value| (a.name.clone(), value)));
        given.collect()
    };
    let kept = (KEPT_BY_HOST.to_owned(), values(&collection.kept()));
    let extenders = unit.set.extenders(&collection.name);
    let theirs = extenders.map(|(plugin, extends)| (plugin.to_owned(), values(&extends.attributes)));
    std::iter::once(kept).chain(theirs).filter(|(_, values)| !values.is_empty()).collect()
}

fn fill_defaults(unit: &Unit, collection: &Collection, body: &mut Document) {
    let extenders = unit.set.extenders(&collection.name).flat_map(|(_, extends)| &extends.attributes);
    for attribute in collection.attributes.iter().chain(extenders) {
        if let Some(default) = &attribute.default
            && !body.contains_key(&attribute.name)
        {
            body.insert(attribute.name.clone(), default.clone());
        }
    }
}

/// Sees to it that projects may have these resources too: of those that a client
/// asks for, not of those that plugins make besides.
pub(crate) async fn admit(unit: &Arc<Unit>, id: &CollectionId, bodies: &[Document]) -> Result<(), Failure> {
    let (_, collection) = owner(unit, id)?;
    let (Some(quota), Some(name)) = (collection.quota, collection.quota_name().map(str::to_owned)) else {
        return Ok(());
    };
    let mut wanted: BTreeMap<String, i64> = BTreeMap::new();
    for body in bodies {
        let project = match body.get("project_id") {
            // What is nobody's counts for nobody.
            Some(Value::Null) if collection.ownerless => continue,
            given => given.and_then(Value::as_str).unwrap_or(&unit.caller.project_id),
        };
        *wanted.entry(project.to_owned()).or_default() += 1;
    }
    let default = unit.core.quotas.load().of(&name, quota.default);
    for (project, rows) in wanted {
        let name = name.clone();
        unit.store::<_, StoreError>(move |t| {
            Box::pin(async move { t.admit(&project, &name, rows, default).await })
        })
        .await?;
    }
    Ok(())
}

/// Creates resources: all or none.
pub(crate) async fn create(
    unit: &Arc<Unit>,
    id: &CollectionId,
    bodies: Vec<Document>,
) -> Result<Vec<Row>, Failure> {
    let (plugin, collection) = owner(unit, id)?;
    let mut ids = Vec::with_capacity(bodies.len());
    let mut texts = Vec::with_capacity(bodies.len());
    let mut shares = Vec::new();
    for mut body in bodies {
        fill_defaults(unit, &collection, &mut body);
        let row = match body.get("id").and_then(Value::as_str) {
            Some(given) => given.to_owned(),
            None => unit.uuid(),
        };
        let values = split(unit, &collection, &mut body);
        unit.request((id.clone(), row.clone()), values);
        body.insert("id".to_owned(), Value::from(row.as_str()));
        let unowned = match body.get("project_id") {
            Some(Value::Null) => !collection.ownerless,
            given => given.is_none(),
        };
        if unowned && !unit.caller.project_id.is_empty() {
            body.insert("project_id".to_owned(), Value::from(unit.caller.project_id.as_str()));
        }
        let project = body.get("project_id").and_then(Value::as_str);
        shares.extend(sharing::wishes(&collection, &row, project, &body).into_iter().filter(|s| s.allow));
        texts.push(Value::Object(body).to_string());
        ids.push(row);
    }
    unit.asked(id, &ids);
    tell(unit, &id.name, Moment::BeforeCreate, &texts, &[]).await?;
    let ctx = context(unit);
    let name = id.name.to_string();
    unit.call(&plugin, "create", move |instance| {
        Box::pin(async move {
            let (exports, store) = instance.service()?;
            exports.hadron_host_handler().call_create(store, &ctx, &name, &texts).await
        })
    })
    .await?
    .map_err(|error| Failure::Refused(convert::refusal(error)))?;
    sharing::allow(unit, &shares).await?;

    let answered = unit.set.is_answered_by_query(&collection);
    let mut read = if answered { read_all(unit, id, &ids).await? } else { Vec::new() };
    let mut rows = Vec::with_capacity(ids.len());
    for row in &ids {
        let found = match answered {
            true => read.iter().position(|read| read.id == *row).map(|place| read.swap_remove(place)),
            false => unit.written(id, row),
        };
        rows.push(found.ok_or_else(|| {
            Refusal::new(
                Status::Internal,
                "PluginFailed",
                format!(
                    "plugin '{}' did not store the {} it was asked to create",
                    id.plugin, collection.member
                ),
            )
        })?);
    }
    let documents: Vec<String> = rows.iter().map(Row::json).collect();
    tell(unit, &id.name, Moment::AfterCreate, &documents, &[]).await?;
    unit.done(id, &ids);
    Ok(rows)
}

pub(crate) async fn read(unit: &Arc<Unit>, id: &CollectionId, row: &str) -> Result<Option<Row>, StoreError> {
    let (id, row, view) = (id.clone(), row.to_owned(), shown(unit));
    unit.store(move |t| Box::pin(async move { t.get(&id, &row, &view).await })).await
}

/// Rows with these ids, in any order, with one statement.
async fn read_all(unit: &Arc<Unit>, id: &CollectionId, rows: &[String]) -> Result<Vec<Row>, StoreError> {
    let ids = rows.iter().map(|row| Value::from(row.as_str())).collect();
    let query = Query { predicate: Predicate::In("id".to_owned(), ids), ..Query::default() };
    let (id, view) = (id.clone(), shown(unit));
    unit.store(move |t| Box::pin(async move { t.find(&id, &query, &view).await })).await
}

async fn guarded(
    unit: &Arc<Unit>,
    id: &CollectionId,
    collection: &Collection,
    row: &str,
    guard: &Guard,
) -> Result<Row, Failure> {
    let found = read(unit, id, row).await?;
    guard(found.as_ref())?;
    found.ok_or_else(|| not_found(collection, row))
}

/// Changes a resource.
pub(crate) async fn update(
    unit: &Arc<Unit>,
    id: &CollectionId,
    row: &str,
    mut changes: Document,
    guard: &Guard,
) -> Result<Row, Failure> {
    let (plugin, collection) = owner(unit, id)?;
    sharing::hold_entries(unit, id, &collection, &[row.to_owned()]).await?;
    let current = guarded(unit, id, &collection, row, guard).await?;
    if changes.is_empty() {
        return Ok(current);
    }
    let wishes = sharing::wishes(&collection, row, current.project_id.as_deref(), &changes);
    let shares = sharing::differing(unit, wishes).await?;
    let values = split(unit, &collection, &mut changes);
    let key = (id.clone(), row.to_owned());
    unit.request(key.clone(), values);
    let asked = [row.to_owned()];
    unit.asked(id, &asked);
    let document = current.json();
    let change = Value::Object(changes.clone()).to_string();
    tell(
        unit,
        &id.name,
        Moment::BeforeUpdate,
        std::slice::from_ref(&document),
        std::slice::from_ref(&change),
    )
    .await?;
    if !changes.is_empty() {
        let ctx = context(unit);
        let (name, row, document, change) = (id.name.to_string(), row.to_owned(), document, change.clone());
        unit.call(&plugin, "update", move |instance| {
            Box::pin(async move {
                let (exports, store) = instance.service()?;
                exports.hadron_host_handler().call_update(store, &ctx, &name, &row, &document, &change).await
            })
        })
        .await?
        .map_err(|error| Failure::Refused(convert::refusal(error)))?;
    }
    if unit.has_requested(&key) {
        // The owner had nothing to write, but an extender has.
        extending::write(unit, id, row, Document::new()).await?;
    }
    sharing::apply(unit, shares).await?;
    let row = match unit.written(id, row) {
        Some(row) if !unit.set.is_answered_by_query(&collection) => row,
        _ => read(unit, id, row).await?.ok_or_else(|| not_found(&collection, row))?,
    };
    tell(unit, &id.name, Moment::AfterUpdate, &[row.json()], &[change]).await?;
    unit.done(id, &asked);
    Ok(row)
}

/// Removes a resource.
pub(crate) async fn delete(
    unit: &Arc<Unit>,
    id: &CollectionId,
    rows: &[String],
    guard: &Guard,
) -> Result<(), Failure> {
    let (plugin, collection) = owner(unit, id)?;
    sharing::hold_entries(unit, id, &collection, rows).await?;
    let mut documents = Vec::with_capacity(rows.len());
    for row in rows {
        documents.push(guarded(unit, id, &collection, row, guard).await?.json());
        unit.goes(id, row);
    }
    tell(unit, &id.name, Moment::BeforeDelete, &documents, &[]).await?;
    let ctx = context(unit);
    let (name, sent) = (id.name.to_string(), documents.clone());
    unit.call(&plugin, "delete", move |instance| {
        Box::pin(async move {
            let (exports, store) = instance.service()?;
            exports.hadron_host_handler().call_delete(store, &ctx, &name, &sent).await
        })
    })
    .await?
    .map_err(|error| Failure::Refused(convert::refusal(error)))?;
    tell(unit, &id.name, Moment::AfterDelete, &documents, &[]).await
}

/// Changes a row's tags. Nobody is told: they are what people write onto a row,
/// and say nothing about what it is. The answer of `change` are the new ones.
pub(crate) async fn retag(
    unit: &Arc<Unit>,
    id: &CollectionId,
    row: &str,
    guard: &Guard,
    change: &Retag,
) -> Result<(), Failure> {
    let (_, collection) = owner(unit, id)?;
    let current = guarded(unit, id, &collection, row, guard).await?;
    let tags = change(current.tags())?;
    let changes = Document::from_iter([(TAGS.to_owned(), Value::from(tags))]);
    let (id, row) = (id.clone(), row.to_owned());
    let kept = vec![(KEPT_BY_HOST.to_owned(), changes)];
    unit.store::<_, StoreError>(move |t| {
        Box::pin(async move { t.update(&id, &row, Document::new(), kept).await })
    })
    .await?;
    Ok(())
}

/// Whether somebody is to be told of that moment.
pub(crate) fn is_heard(unit: &Unit, id: &CollectionId, moment: Moment) -> bool {
    unit.set.public(&id.name).is_some_and(|(public, _)| public == id)
        && !unit.set.subscribers(&id.name, moment).is_empty()
}

/// A plugin made rows of its own, or changed one. Of those that nobody asked for
/// (a port that comes with another resource, or whose status a driver reports)
/// subscribers are told as of any other.
pub(crate) async fn besides(
    unit: &Arc<Unit>,
    id: &CollectionId,
    moment: Moment,
    rows: &[Row],
    changes: &[String],
) -> Result<(), Failure> {
    if !is_heard(unit, id, moment) {
        return Ok(());
    }
    let (_, collection) = owner(unit, id)?;
    let mut documents = Vec::new();
    for row in rows.iter().filter(|row| unit.is_besides(id, &row.id)) {
        documents.push(match unit.set.is_answered_by_query(&collection) {
            true => read(unit, id, &row.id).await?.as_ref().unwrap_or(row).json(),
            false => row.json(),
        });
    }
    if documents.is_empty() { Ok(()) } else { tell(unit, &id.name, moment, &documents, changes).await }
}

/// A plugin is about to change a row of its own besides what it was asked for: of
/// a change that is one, subscribers are told before it too.
pub(crate) async fn changing(
    unit: &Arc<Unit>,
    id: &CollectionId,
    row: &str,
    changes: &Document,
) -> Result<(), Failure> {
    if !is_heard(unit, id, Moment::BeforeUpdate) || !unit.is_besides(id, row) {
        return Ok(());
    }
    let Some(current) = read(unit, id, row).await? else { return Ok(()) };
    let current = current.json();
    let document: Document = serde_json::from_str(&current).unwrap_or_default();
    if changes.iter().all(|(name, value)| document.get(name) == Some(value)) {
        return Ok(());
    }
    let change = Value::Object(changes.clone()).to_string();
    tell(unit, &id.name, Moment::BeforeUpdate, &[current], &[change]).await
}

/// Has the owner make what a project has from its first use on.
pub(crate) async fn first_use(unit: &Arc<Unit>, id: &CollectionId, project: String) -> Result<(), Failure> {
    let (plugin, _) = owner(unit, id)?;
    let ctx = context(unit);
    let name = id.name.to_string();
    unit.call(&plugin, "first-use", move |instance| {
        Box::pin(async move {
            let (exports, store) = instance.service()?;
            exports.hadron_host_handler().call_first_use(store, &ctx, &name, &project).await
        })
    })
    .await?
    .map_err(|error| Failure::Refused(convert::refusal(error)))
}

/// A plugin is about to delete rows of its own. Of those that nobody asked it
/// to delete (a network's ports, in Neutron: `_delete_ports`, `_delete_subnets`)
/// subscribers are told as of any other; what they were told of.
pub(crate) async fn deleting(
    unit: &Arc<Unit>,
    id: &CollectionId,
    rows: &[String],
) -> Result<Vec<String>, Failure> {
    if !(is_heard(unit, id, Moment::BeforeDelete) || is_heard(unit, id, Moment::AfterDelete)) {
        return Ok(Vec::new());
    }
    let mut documents = Vec::new();
    for row in rows {
        if unit.goes(id, row)
            && let Some(found) = read(unit, id, row).await?
        {
            documents.push(found.json());
        }
    }
    if !documents.is_empty() {
        tell(unit, &id.name, Moment::BeforeDelete, &documents, &[]).await?;
    }
    Ok(documents)
}

/// They are deleted.
pub(crate) async fn deleted(
    unit: &Arc<Unit>,
    id: &CollectionId,
    documents: &[String],
) -> Result<(), Failure> {
    if documents.is_empty() {
        return Ok(());
    }
    tell(unit, &id.name, Moment::AfterDelete, documents, &[]).await
}

/// Does an action.
pub(crate) async fn act(
    unit: &Arc<Unit>,
    id: &CollectionId,
    row: &str,
    action: &str,
    body: Value,
    guard: &Guard,
) -> Result<Value, Failure> {
    let (_, collection) = owner(unit, id)?;
    guarded(unit, id, &collection, row, guard).await?;
    ask(unit, id, row, action, body).await
}

/// The same where there need be no such row.
pub(crate) async fn ask(
    unit: &Arc<Unit>,
    id: &CollectionId,
    row: &str,
    action: &str,
    body: Value,
) -> Result<Value, Failure> {
    let (plugin, _) = owner(unit, id)?;
    let plugin = unit.set.doer(&id.name, action).cloned().unwrap_or(plugin);
    let ctx = context(unit);
    let (name, row, action, body) =
        (id.name.to_string(), row.to_owned(), action.to_owned(), body.to_string());
    let answer = unit
        .call(&plugin, "act", move |instance| {
            Box::pin(async move {
                let (exports, store) = instance.service()?;
                exports.hadron_host_handler().call_act(store, &ctx, &name, &row, &action, &body).await
            })
        })
        .await?
        .map_err(|error| Failure::Refused(convert::refusal(error)))?;
    convert::parse(&plugin, "act", &answer)
}

/// Attributes of a page of rows that this plugin computes; none where it is not
/// loaded any more.
pub(crate) async fn compute(
    unit: &Arc<Unit>,
    plugin: &str,
    id: &CollectionId,
    rows: &[Row],
) -> Result<Vec<String>, Failure> {
    let Some(plugin) = unit.set.plugin(plugin).cloned() else {
        return Ok(rows.iter().map(|_| "{}".to_owned()).collect());
    };
    let ctx = context(unit);
    let (name, documents) = (id.name.to_string(), rows.iter().map(Row::json).collect::<Vec<_>>());
    let asked = documents.len();
    let answer = unit
        .call(&plugin, "compute", move |instance| {
            Box::pin(async move {
                let (exports, store) = instance.service()?;
                exports.hadron_host_handler().call_compute(store, &ctx, &name, &documents).await
            })
        })
        .await?
        .map_err(|error| Failure::Refused(convert::refusal(error)))?;
    if answer.len() != asked {
        return Err(convert::misbehaved(
            &plugin,
            "compute",
            format!("it answered {} of {asked} rows", answer.len()),
        ));
    }
    for object in &answer {
        convert::object(&plugin, "compute", object)?;
    }
    Ok(answer)
}

/// One resource, if the caller may see it.
pub(crate) async fn show(
    unit: &Arc<Unit>,
    id: &CollectionId,
    row: &str,
    visible: Predicate,
) -> Result<Option<Row>, Failure> {
    let query =
        Query { predicate: Predicate::All(vec![Predicate::equal("id", row), visible]), ..Query::default() };
    Ok(find(unit, id, query).await?.pop())
}

/// Resources that fit.
pub(crate) async fn find(unit: &Arc<Unit>, id: &CollectionId, query: Query) -> Result<Vec<Row>, Failure> {
    let (id, view) = (id.clone(), shown(unit));
    Ok(unit.store(move |t| Box::pin(async move { t.find(&id, &query, &view).await })).await?)
}
