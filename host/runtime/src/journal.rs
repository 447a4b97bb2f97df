//! What journal entries hold, and delivering them: the first attempt within the
//! request, later ones in the background.

use crate::bindings::mechanism::exports::hadron::ml2::mechanism::{Outcome as HookOutcome, Report};
use crate::bindings::types::{Change, Error, Operation};
use crate::bindings::{exported, ml2};
use crate::breaker::Duty;
use crate::failpoint;
use crate::instance::Instance;
use crate::limits::Budget;
use crate::plugins::Plugin;
use crate::state::{Delivering, Phase};
use crate::unit::{Failure, Unit, explain};
use crate::{Caller, Core, Refusal, Status, convert, request};
use futures::FutureExt;
use hadron_bus::{BusError, Spread};
use hadron_store::{CollectionId, Entry, NewEntry, NewRow, Once, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use tracing::Instrument;

/// Target of entries that are messages.
pub(crate) const MESSAGES: &str = "rpc";
/// Target of entries that undo a create which a driver refused.
pub(crate) const UNDO: &str = "undo";

/// Payload of a postcommit entry.
#[derive(Serialize, Deserialize)]
pub(crate) struct Postcommit<T> {
    /// The contract version of the records.
    pub(crate) contract: Cow<'static, str>,
    /// The call's context for this row.
    pub(crate) item: T,
}

/// Payload of a message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Message {
    pub(crate) topic: String,
    pub(crate) method: String,
    pub(crate) arguments: Value,
    /// What receivers must understand, where it is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) namespace: Option<String>,
}

impl Message {
    pub(crate) fn payload(&self) -> Arc<str> {
        json!(self).to_string().into()
    }
}

/// As it is written in the journal.
pub(crate) fn operation(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "create",
        Operation::Update => "update",
        Operation::Delete => "delete",
    }
}

fn parse_operation(text: &str) -> Operation {
    match text {
        "create" => Operation::Create,
        "delete" => Operation::Delete,
        _ => Operation::Update,
    }
}

/// What an attempt came to.
#[derive(Debug)]
pub(crate) enum Delivered {
    /// It is done, and the journal knows.
    Done,
    /// Try again, for this reason.
    Later(String),
    /// It will never be done.
    Refused(Refusal),
}

/// Entries that one call delivers: same target, same hook, same operation.
pub(crate) fn groups(entries: Vec<Entry>) -> Vec<Vec<Entry>> {
    let mut groups: Vec<Vec<Entry>> = Vec::new();
    for entry in entries {
        let alone = !entry.new.kind.ends_with("-postcommit");
        match groups.last_mut() {
            Some(group) if !alone && group.last().is_some_and(|last| alike(&last.new, &entry.new)) => {
                group.push(entry)
            }
            _ => groups.push(vec![entry]),
        }
    }
    groups
}

fn alike(a: &NewEntry, b: &NewEntry) -> bool {
    a.target == b.target && a.kind == b.kind && a.operation == b.operation && a.resource != b.resource
}

/// Makes one attempt at entries of one group. Instances of the request are used
/// where there are any.
pub(crate) async fn attempt(
    core: &Arc<Core>,
    request_id: &str,
    group: &[Entry],
    instances: &mut HashMap<String, Vec<Instance>>,
) -> Delivered {
    let Some(first) = group.first() else { return Delivered::Done };
    let target = first.new.target.as_str();
    let span = tracing::error_span!("delivery", request = request_id, unit = first.unit, recipient = target);
    let attempt = async {
        match target {
            MESSAGES => publish(core, first).await,
            UNDO => undo(core, first).await,
            target => match core.set.load().recipient(target).cloned() {
                Some(plugin) => {
                    let (name, version) = (plugin.manifest.name.as_str(), plugin.manifest.version.as_str());
                    let hook = first.new.kind.as_str();
                    let span = tracing::error_span!("call", plugin = name, version, hook);
                    call(core, &plugin, group, instances).instrument(span).await
                }
                None => Delivered::Later(format!("plugin '{target}' is not loaded, or disabled")),
            },
        }
    };
    let delivered = attempt.instrument(span).await;
    core.metrics.delivered(target, outcome(&delivered));
    delivered
}

/// In a metric's label.
fn outcome(delivered: &Delivered) -> &'static str {
    match delivered {
        Delivered::Done => "done",
        Delivered::Later(_) => "later",
        Delivered::Refused(_) => "refused",
    }
}

/// Whether an entry is a message.
pub(crate) fn is_message(entry: &Entry) -> bool {
    entry.new.target == MESSAGES
}

/// Sends messages, in this order and without waiting for one before the next.
pub(crate) async fn send(core: &Arc<Core>, entries: Vec<Entry>) -> Vec<(Entry, Delivered)> {
    let sent = entries.into_iter().map(|entry| {
        let published = publish(core, &entry);
        async move {
            let delivered = published.await;
            core.metrics.delivered(MESSAGES, outcome(&delivered));
            (entry, delivered)
        }
    });
    futures::future::join_all(sent.collect::<Vec<_>>()).await
}

/// Sends a message; done when the broker has it. It is on its way when this
/// returns.
fn publish(core: &Arc<Core>, entry: &Entry) -> impl Future<Output = Delivered> + Send + use<> {
    let core = core.clone();
    // Receivers drop what they have seen, so an entry is always the same message.
    let entry_id = entry.new.id.clone();
    let id = entry_id.replace('-', "");
    let request_id = hadron_telemetry::Request::current().map(|request| request.outgoing_id().to_owned());
    let sent = serde_json::from_str::<Message>(&entry.new.payload).map(|message| {
        let Message { topic, method, arguments, version, namespace } = message;
        match entry.new.kind.as_str() {
            "notify" => {
                let notification =
                    hadron_bus::Notification { event_type: topic, payload: arguments, id, request_id };
                core.bus.notify(notification).boxed()
            }
            kind => {
                let spread = if kind == "fanout" { Spread::Fanout } else { Spread::Cast };
                let new = hadron_bus::Message::new(topic, method, arguments);
                // It was looked at when it was written.
                let version = version.and_then(|text| text.parse().ok()).unwrap_or(new.version);
                let new = hadron_bus::Message { id, request_id, version, namespace, ..new };
                core.bus.publish(spread, new).boxed()
            }
        }
    });
    async move {
        match sent {
            Ok(sent) => match sent.await {
                Ok(()) => {
                    core.store.journal().done(&entry_id);
                    Delivered::Done
                }
                Err(BusError::Invalid(reason)) => bad_entry(reason),
                Err(error) => Delivered::Later(error.to_string()),
            },
            Err(error) => bad_entry(format!("no message: {error}")),
        }
    }
}

fn bad_entry(reason: String) -> Delivered {
    Delivered::Refused(Refusal::new(Status::Internal, "BadEntry", reason))
}

async fn call(
    core: &Arc<Core>,
    plugin: &Arc<Plugin>,
    group: &[Entry],
    instances: &mut HashMap<String, Vec<Instance>>,
) -> Delivered {
    if let Some(left) = plugin.breaker().open() {
        return Delivered::Later(format!(
            "plugin '{}' is out of rotation for {} s",
            plugin.manifest.name,
            left.as_secs() + 1
        ));
    }
    let loaded = plugin.loaded();
    let limit = core.settings.delivery_limit;
    let phase = Phase::Delivering(Arc::new(Delivering { http: core.http.clone(), bus: core.bus.clone() }));
    let attempt = async {
        let reused = instances.get_mut(&plugin.manifest.name).and_then(Vec::pop);
        let mut instance = match reused {
            Some(instance) => instance,
            None => Instance::new(core, loaded.clone(), phase.clone(), Budget::new(limit, limit)).await?,
        };
        instance.deliver(phase, limit);
        let outcome = deliver(&mut instance, group).await;
        instance.rest();
        core.metrics.called(loaded.name(), instance.guest_time(), outcome.is_err());
        let mut outcome = outcome?;
        if let Outcome::Later(reason) = &mut outcome {
            *reason = instance.complaint();
        }
        instances.entry(plugin.manifest.name.clone()).or_default().push(instance);
        wasmtime::Result::Ok(outcome)
    };
    let outcome = match tokio::time::timeout(limit, attempt).await {
        Ok(Ok(outcome)) => {
            plugin.breaker().worked(Duty::Delivery);
            outcome
        }
        Ok(Err(error)) => {
            plugin.breaker().failed(Duty::Delivery, &core.settings);
            return Delivered::Later(explain(&loaded, "delivery", error).to_string());
        }
        Err(_) => {
            return Delivered::Later(format!(
                "plugin '{}' did not deliver within {} ms",
                plugin.manifest.name,
                limit.as_millis()
            ));
        }
    };
    failpoint::hit(failpoint::DURING_DELIVERY);
    match outcome {
        Outcome::Done(reports) => finish(core, plugin, group, reports).await,
        Outcome::Later(complaint) => {
            let will = format!("plugin '{}' will do it later", plugin.manifest.name);
            Delivered::Later(complaint.map_or(will.clone(), |words| format!("{will}: {words}")))
        }
        Outcome::Refused(error) => Delivered::Refused(convert::refusal(error)),
    }
}

enum Outcome {
    Done(Completion),
    /// And what it complained of, if it did.
    Later(Option<String>),
    Refused(Error),
}

#[derive(Default)]
struct Completion {
    status: Option<String>,
    bound: Option<ml2::Bound>,
    changes: Vec<Change>,
}

impl From<HookOutcome> for Outcome {
    fn from(outcome: HookOutcome) -> Outcome {
        match outcome {
            HookOutcome::Done(Report { status, bound, changes }) => {
                Outcome::Done(Completion { status, bound, changes })
            }
            HookOutcome::Later => Outcome::Later(None),
            HookOutcome::Refused(error) => Outcome::Refused(error),
        }
    }
}

async fn deliver(instance: &mut Instance, group: &[Entry]) -> wasmtime::Result<Outcome> {
    let Some(first) = group.first() else { return Ok(Outcome::Done(Completion::default())) };
    let operation = parse_operation(&first.new.operation);
    match first.new.kind.as_str() {
        "network-postcommit" => {
            let items = items(group)?;
            let (exports, store) = instance.mechanism()?;
            Ok(exports.hadron_ml2_mechanism().call_network_postcommit(store, operation, &items).await?.into())
        }
        "subnet-postcommit" => {
            let items = items(group)?;
            let (exports, store) = instance.mechanism()?;
            Ok(exports.hadron_ml2_mechanism().call_subnet_postcommit(store, operation, &items).await?.into())
        }
        "port-postcommit" => {
            let items = items(group)?;
            let (exports, store) = instance.mechanism()?;
            Ok(exports.hadron_ml2_mechanism().call_port_postcommit(store, operation, &items).await?.into())
        }
        kind => {
            let entry = exported::delivery::Entry {
                id: first.new.id.clone(),
                attempt: first.attempts + 1,
                about: crate::bindings::types::ResourceRef {
                    collection: first.new.collection.clone(),
                    id: first.new.resource.clone(),
                },
                kind: kind.to_owned(),
                payload: first.new.payload.to_string(),
            };
            let (exports, store) = instance.service()?;
            Ok(match exports.hadron_host_delivery().call_deliver(store, &entry).await? {
                exported::delivery::Outcome::Done(changes) => {
                    Outcome::Done(Completion { changes, ..Completion::default() })
                }
                exported::delivery::Outcome::Later => Outcome::Later(None),
                exported::delivery::Outcome::Refused(error) => Outcome::Refused(error),
            })
        }
    }
}

fn items<T: for<'de> Deserialize<'de>>(group: &[Entry]) -> serde_json::Result<Vec<T>> {
    group.iter().map(|entry| Ok(serde_json::from_str::<Postcommit<T>>(&entry.new.payload)?.item)).collect()
}

/// Marks the entries as done; a report is applied in one unit of work with it.
async fn finish(
    core: &Arc<Core>,
    plugin: &Arc<Plugin>,
    group: &[Entry],
    completion: Completion,
) -> Delivered {
    let ids: Vec<String> = group.iter().map(|entry| entry.new.id.clone()).collect();
    if completion.status.is_none() && completion.bound.is_none() && completion.changes.is_empty() {
        ids.iter().for_each(|id| core.store.journal().done(id));
        return Delivered::Done;
    }
    let completion = Arc::new(completion);
    let asked = request::request_id();
    let caller = Caller::system(&asked);
    let entries: Arc<Vec<NewEntry>> = Arc::new(group.iter().map(|entry| entry.new.clone()).collect());
    let driver = plugin.manifest.name.clone();
    let applied = request::run(core, caller, move |unit| {
        let (completion, entries, driver) = (completion.clone(), entries.clone(), driver.clone());
        Box::pin(async move {
            for change in &completion.changes {
                apply(&unit, &driver, change).await?;
            }
            for entry in entries.iter() {
                report(&unit, &driver, entry, &completion).await?;
                let id = entry.id.clone();
                unit.store(move |t| Box::pin(async move { t.complete(&id).await })).await?;
            }
            Ok(())
        })
    })
    .await;
    match applied {
        Ok(((), committed)) => {
            // What the report changed is news to other drivers.
            request::follow_in_background(core, &asked, committed);
            Delivered::Done
        }
        Err(failure) => Delivered::Later(format!("its report could not be applied: {failure}")),
    }
}

/// One change to a private row of the plugin.
async fn apply(unit: &Arc<Unit>, plugin: &str, change: &Change) -> Result<(), Failure> {
    let id = CollectionId { plugin: plugin.into(), name: change.collection.as_str().into() };
    let row = change.id.clone();
    let document: Map<String, Value> = serde_json::from_str(&change.document).unwrap_or_default();
    let operation = change.operation;
    let result = unit
        .store(move |t| {
            Box::pin(async move {
                match operation {
                    Operation::Create => {
                        let new = NewRow { id: row, document, ..NewRow::default() };
                        t.insert(&id, vec![new]).await.map(drop)
                    }
                    Operation::Update => t.update(&id, &row, document, Vec::new()).await.map(drop),
                    Operation::Delete => t.delete(&id, &[row]).await,
                }
            })
        })
        .await;
    match result {
        Ok(()) | Err(StoreError::NotFound) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Hands a driver's report to the plugin that owns the row.
async fn report(
    unit: &Arc<Unit>,
    driver: &str,
    entry: &NewEntry,
    completion: &Completion,
) -> Result<(), Failure> {
    if completion.status.is_none() && completion.bound.is_none() {
        return Ok(());
    }
    let Some((_, owner)) = unit.set.public(&entry.collection).cloned() else { return Ok(()) };
    let ctx = convert::context(unit);
    let operation = parse_operation(&entry.operation);
    let about = crate::bindings::types::ResourceRef {
        collection: entry.collection.clone(),
        id: entry.resource.clone(),
    };
    let (driver, status, bound) = (driver.to_owned(), completion.status.clone(), completion.bound.clone());
    unit.call(&owner, "report", move |instance| {
        Box::pin(async move {
            let (exports, store) = instance.manager()?;
            exports
                .hadron_ml2_reports()
                .call_report(store, &ctx, &driver, operation, &about, status.as_deref(), bound.as_ref())
                .await
        })
    })
    .await?
    .map_err(|error| Failure::Refused(convert::refusal(error)))
}

/// Rows that one operation of a request created.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Created {
    /// The plugin that owns them.
    pub(crate) plugin: String,
    /// Their collection.
    pub(crate) collection: String,
    /// The rows.
    pub(crate) rows: Vec<String>,
}

/// What an undo entry is about.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Undo {
    /// What was created, in order.
    pub(crate) created: Vec<Created>,
    /// Entries of the create that will not be delivered any more.
    pub(crate) entries: Vec<String>,
    /// The kept answer that tells of them.
    #[serde(default)]
    pub(crate) once: Option<Once>,
}

/// Deletes what a driver refused, through its plugin, in a unit that also
/// completes the undo entry and forgets the refused ones.
async fn undo(core: &Arc<Core>, entry: &Entry) -> Delivered {
    let undo: Undo = match serde_json::from_str(&entry.new.payload) {
        Ok(undo) => undo,
        Err(error) => {
            return Delivered::Refused(Refusal::new(
                Status::Internal,
                "BadEntry",
                format!("no undo: {error}"),
            ));
        }
    };
    let asked = request::request_id();
    let caller = Caller::system(&asked);
    let own = entry.new.id.clone();
    // Nobody delivers what this takes back.
    let _held = core.hand.take_all(&undo.entries).await;
    let done = request::run(core, caller, move |unit| {
        let (undo, own) = (undo.clone(), own.clone());
        Box::pin(async move {
            // What was created last may refer to what was created first.
            for Created { plugin, collection, rows } in undo.created.iter().rev() {
                let id = CollectionId { plugin: plugin.as_str().into(), name: collection.as_str().into() };
                for row in rows {
                    let row = std::slice::from_ref(row);
                    match crate::operations::delete(&unit, &id, row, &request::unguarded()).await {
                        Err(Failure::Refused(Refusal { status: Status::NotFound, .. })) | Ok(()) => {}
                        Err(failure) => return Err(failure),
                    }
                }
            }
            if let Some(once) = undo.once.clone() {
                unit.store(move |t| Box::pin(async move { t.forget_answer(&once).await })).await?;
            }
            for entry in undo.entries.iter().chain([&own]) {
                let entry = entry.clone();
                unit.store(move |t| Box::pin(async move { t.complete(&entry).await })).await?;
            }
            Ok(())
        })
    })
    .await;
    match done {
        Ok(((), committed)) => {
            // Its entries are claimed by this server: nobody else delivers them
            // before the lease has ended.
            request::follow_in_background(core, &asked, committed);
            Delivered::Done
        }
        Err(failure) => Delivered::Later(format!("it could not be undone: {failure}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_store::EntryState;

    fn entry(target: &str, kind: &str, operation: &str, resource: &str) -> Entry {
        let new = NewEntry {
            id: format!("{target}-{resource}"),
            target: target.to_owned(),
            kind: kind.to_owned(),
            operation: operation.to_owned(),
            collection: "things".to_owned(),
            resource: resource.to_owned(),
            revision: 0,
            after: Vec::new(),
            payload: "null".into(),
        };
        Entry {
            new,
            unit: String::new(),
            state: EntryState::Pending,
            attempts: 0,
            error: None,
            created_at: String::new(),
            due_at: String::new(),
        }
    }

    fn sizes(entries: Vec<Entry>) -> Vec<usize> {
        groups(entries).iter().map(Vec::len).collect()
    }

    #[test]
    fn a_bulk_create_is_one_call_of_each_driver() {
        let bulk = |driver: &str| {
            (0..3).map(|n| entry(driver, "port-postcommit", "create", &n.to_string())).collect::<Vec<_>>()
        };
        assert_eq!(sizes([bulk("a"), bulk("b")].concat()), [3, 3]);
    }

    #[test]
    fn changes_of_one_row_are_never_in_one_call() {
        let twice =
            vec![entry("a", "port-postcommit", "update", "1"), entry("a", "port-postcommit", "update", "1")];
        assert_eq!(sizes(twice), [1, 1]);
    }

    #[test]
    fn a_plugins_own_work_is_delivered_one_by_one() {
        assert_eq!(sizes(vec![entry("a", "work", "", "1"), entry("a", "work", "", "2")]), [1, 1]);
    }
}
