//! The unit of work: one transaction and a tree of plugin calls.
//!
//! Inside it a plugin is pure: the store, pools, granted resources, its
//! configuration, a clock that stands still and a random source seeded by the
//! unit. So the whole tree can be run again, and is, when the database asks for
//! it.

use crate::breaker::Duty;
use crate::component::Loaded;
use crate::instance::Instance;
use crate::limits::Budget;
use crate::plugins::{Plugin, PluginSet};
use crate::state::{Abort, Phase};
use crate::{Caller, Core, Refusal, Status};
use futures::future::BoxFuture;
use hadron_store::{CollectionId, NewEntry, Row, StoreError, Transaction};
use parking_lot::Mutex;
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha12Rng;
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tracing::Instrument;

/// Calls of plugins within calls of plugins, at most.
const MOST_DEPTH: u32 = 16;

/// Why a unit did not come to its end.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The client gets this.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// Another run may succeed.
    #[error("{0}")]
    Again(String),
    /// A plugin trapped, or hit a limit.
    #[error("plugin '{plugin}' {version} failed in {hook}: {reason}")]
    Plugin {
        /// Its name.
        plugin: String,
        /// Its version.
        version: String,
        /// What it was asked.
        hook: &'static str,
        /// What happened.
        reason: String,
    },
}

impl Failure {
    /// As the client sees it.
    pub(crate) fn refusal(self) -> Refusal {
        match self {
            Failure::Refused(refusal) => refusal,
            Failure::Again(reason) => Refusal::new(
                Status::Unavailable,
                "ServiceUnavailable",
                format!("the request lost against others too often, try it again: {reason}"),
            ),
            failure @ Failure::Plugin { .. } => {
                Refusal::new(Status::Internal, "PluginFailed", failure.to_string())
            }
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        match error {
            StoreError::Retry(reason) => Failure::Again(reason),
            StoreError::Unavailable(reason) => Failure::Refused(Refusal::new(
                Status::Unavailable,
                "ServiceUnavailable",
                format!("the database is unavailable, try again later: {reason}"),
            )),
            StoreError::Duplicate(key) => Failure::Refused(Refusal::new(
                Status::Conflict,
                "Conflict",
                format!("the value of '{key}' is in use"),
            )),
            StoreError::MissingReference(name) => Failure::Refused(Refusal::new(
                Status::NotFound,
                "NotFound",
                format!("what '{name}' names could not be found"),
            )),
            StoreError::OverQuota(name) => Failure::Refused(Refusal::new(
                Status::Conflict,
                "OverQuota",
                format!("Quota exceeded for resources: ['{name}']."),
            )),
            StoreError::Refused { error, message } => {
                Failure::Refused(Refusal::new(Status::Conflict, error, message))
            }
            StoreError::InUse(by) => {
                Failure::Refused(Refusal::new(Status::Conflict, "InUse", format!("it is in use by {by}")))
            }
            error => {
                tracing::error!(%error, "the store refused what the host asked of it");
                Failure::Refused(Refusal::new(
                    Status::Internal,
                    "HTTPInternalServerError",
                    "Request Failed: internal server error while processing your request.",
                ))
            }
        }
    }
}

/// A collection and a row's id.
type RowKey = (CollectionId, String);

/// Of each extender of a row's collection, what the request sets.
type Requested = Vec<(String, Map<String, Value>)>;

/// One run of a unit of work.
pub(crate) struct Unit {
    /// The runtime.
    pub(crate) core: Arc<Core>,
    /// UUID; the same in each run.
    pub(crate) id: String,
    /// Who asks.
    pub(crate) caller: Caller,
    /// The plugins of this unit: the same in each run.
    pub(crate) set: Arc<PluginSet>,
    /// Milliseconds since 1970: the same in each run.
    pub(crate) now: u64,
    /// The transaction; `None` once it has ended. One statement at a time.
    pub(crate) transaction: tokio::sync::Mutex<Option<Transaction>>,
    /// Guest time.
    pub(crate) budget: Budget,
    random: Mutex<ChaCha12Rng>,
    depth: AtomicU32,
    idle: Mutex<HashMap<String, Vec<Instance>>>,
    outbox: Mutex<Vec<NewEntry>>,
    /// What requests set of extenders' attributes: by row, by extender.
    requested: Mutex<HashMap<RowKey, Requested>>,
    /// Rows that were asked to be deleted: their subscribers are told already.
    going: Mutex<HashSet<RowKey>>,
    /// Rows that are being made or changed as was asked: their subscribers are
    /// told once it is done.
    asked: Mutex<HashSet<RowKey>>,
    /// Rows written in this run, as they are now.
    written: Mutex<HashMap<RowKey, Row>>,
}

/// What of a unit stays the same when it is run again.
#[derive(Clone)]
pub(crate) struct Seed {
    pub(crate) id: String,
    pub(crate) now: u64,
    pub(crate) set: Arc<PluginSet>,
    pub(crate) caller: Caller,
}

impl Unit {
    /// A run of the unit in this transaction.
    pub(crate) fn new(core: Arc<Core>, seed: Seed, budget: Budget, transaction: Transaction) -> Arc<Unit> {
        let mut random = [0; 32];
        for (to, from) in random.iter_mut().zip(seed.id.bytes().cycle()) {
            *to = from;
        }
        // A unit's id is random, and only the server knows it before the end.
        for (to, from) in random.iter_mut().zip(core.secret.iter()) {
            *to ^= from;
        }
        Arc::new(Unit {
            core,
            id: seed.id,
            caller: seed.caller,
            set: seed.set,
            now: seed.now,
            transaction: tokio::sync::Mutex::new(Some(transaction)),
            budget,
            random: Mutex::new(ChaCha12Rng::from_seed(random)),
            depth: AtomicU32::new(0),
            idle: Mutex::default(),
            outbox: Mutex::default(),
            requested: Mutex::default(),
            going: Mutex::default(),
            asked: Mutex::default(),
            written: Mutex::default(),
        })
    }

    /// The next random number.
    pub(crate) fn random(&self) -> u64 {
        self.random.lock().next_u64()
    }

    /// A random UUID.
    pub(crate) fn uuid(&self) -> String {
        let (high, low) = {
            let mut random = self.random.lock();
            (random.next_u64(), random.next_u64())
        };
        uuid::Builder::from_random_bytes(((u128::from(high) << 64) | u128::from(low)).to_be_bytes())
            .into_uuid()
            .to_string()
    }

    /// Adds a journal entry to what is written at the end.
    pub(crate) fn post(&self, entry: NewEntry) {
        self.outbox.lock().push(entry);
    }

    /// All journal entries of the unit, at its end.
    pub(crate) fn take_outbox(&self) -> Vec<NewEntry> {
        std::mem::take(&mut self.outbox.lock())
    }

    /// Remembers what a request sets of extenders' attributes of a row.
    pub(crate) fn request(&self, row: RowKey, values: Requested) {
        if !values.is_empty() {
            self.requested.lock().insert(row, values);
        }
    }

    /// What is left to set of extenders' attributes of a row.
    pub(crate) fn take_requested(&self, row: &RowKey) -> Requested {
        self.requested.lock().remove(row).unwrap_or_default()
    }

    /// Whether extenders' attributes of that row are still to be written.
    pub(crate) fn has_requested(&self, row: &RowKey) -> bool {
        self.requested.lock().contains_key(row)
    }

    /// Remembers that a row is being deleted; whether that is news.
    pub(crate) fn goes(&self, collection: &CollectionId, id: &str) -> bool {
        self.going.lock().insert((collection.clone(), id.to_owned()))
    }

    /// Rows that are made or changed as was asked, from now on and until `done`.
    pub(crate) fn asked<'a>(&self, collection: &CollectionId, ids: impl IntoIterator<Item = &'a String>) {
        self.asked.lock().extend(ids.into_iter().map(|id| (collection.clone(), id.clone())));
    }

    /// It is done, and subscribers are told.
    pub(crate) fn done<'a>(&self, collection: &CollectionId, ids: impl IntoIterator<Item = &'a String>) {
        let mut asked = self.asked.lock();
        for id in ids {
            asked.remove(&(collection.clone(), id.clone()));
        }
    }

    /// Whether a change of the row is a plugin's own: neither part of what was
    /// asked to be done to it, nor before its end.
    pub(crate) fn is_besides(&self, collection: &CollectionId, id: &str) -> bool {
        let key = (collection.clone(), id.to_owned());
        !self.asked.lock().contains(&key) && !self.going.lock().contains(&key)
    }

    /// Remembers a row as it is now.
    pub(crate) fn wrote(&self, collection: &CollectionId, row: &Row) {
        self.written.lock().insert((collection.clone(), row.id.clone()), row.clone());
    }

    /// A row written in this unit, as it is now.
    pub(crate) fn written(&self, collection: &CollectionId, id: &str) -> Option<Row> {
        self.written.lock().get(&(collection.clone(), id.to_owned())).cloned()
    }

    /// The revision that a row has at this point of the unit.
    pub(crate) fn revision(&self, collection: &CollectionId, id: &str) -> Option<i64> {
        self.written.lock().get(&(collection.clone(), id.to_owned())).map(|row| row.revision)
    }

    /// Does something in the transaction.
    pub(crate) async fn store<T, E>(
        &self,
        work: impl for<'a> FnOnce(&'a mut Transaction) -> BoxFuture<'a, Result<T, E>>,
    ) -> Result<T, E>
    where
        E: From<StoreError>,
    {
        let mut transaction = self.transaction.lock().await;
        match transaction.as_mut() {
            Some(transaction) => work(transaction).await,
            None => Err(StoreError::Doomed.into()),
        }
    }

    /// Calls a plugin, in an instance of its own if the one it has is busy.
    pub(crate) async fn call<T>(
        self: &Arc<Self>,
        plugin: &Arc<Plugin>,
        hook: &'static str,
        work: impl for<'a> FnOnce(&'a mut Instance) -> BoxFuture<'a, wasmtime::Result<T>> + Send,
    ) -> Result<T, Failure> {
        let loaded = plugin.loaded();
        let depth = self.depth.fetch_add(1, Ordering::Relaxed) + 1;
        let result = if depth > MOST_DEPTH {
            Err(failure(&loaded, hook, format!("plugins call each other more than {MOST_DEPTH} deep")))
        } else {
            let (name, version) = (loaded.name(), loaded.manifest.version.as_str());
            // Of the highest level, so that lines have its fields whatever is logged.
            let span = tracing::error_span!("call", plugin = name, version, hook);
            self.run(&loaded, hook, work).instrument(span).await
        };
        self.depth.fetch_sub(1, Ordering::Relaxed);
        if let Err(Failure::Plugin { plugin: failed, .. }) = &result
            && *failed == plugin.manifest.name
        {
            plugin.breaker().failed(Duty::Unit, &self.core.settings);
        } else {
            plugin.breaker().worked(Duty::Unit);
        }
        result
    }

    async fn run<T>(
        self: &Arc<Self>,
        loaded: &Arc<Loaded>,
        hook: &'static str,
        work: impl for<'a> FnOnce(&'a mut Instance) -> BoxFuture<'a, wasmtime::Result<T>> + Send,
    ) -> Result<T, Failure> {
        let idle = self.idle.lock().get_mut(loaded.name()).and_then(Vec::pop);
        let mut instance = match idle {
            Some(instance) => instance,
            None => {
                let phase = Phase::Unit(self.clone());
                Instance::new(&self.core, loaded.clone(), phase, self.budget.clone())
                    .await
                    .map_err(|error| explain(loaded, hook, error))?
            }
        };
        instance.next_call();
        let result = work(&mut instance).await;
        instance.rest();
        self.core.metrics.called(loaded.name(), instance.guest_time(), result.is_err());
        match result {
            Ok(value) => {
                self.idle.lock().entry(loaded.name().to_owned()).or_default().push(instance);
                Ok(value)
            }
            // The store is dead after a trap: the instance is dropped here.
            Err(error) => Err(explain(loaded, hook, error)),
        }
    }

    /// The unit's instances, for the first deliveries after the commit.
    pub(crate) fn take_instances(&self) -> HashMap<String, Vec<Instance>> {
        std::mem::take(&mut self.idle.lock())
    }
}

/// Turns a trap into a failure that says who did what.
pub(crate) fn explain(plugin: &Loaded, hook: &'static str, error: wasmtime::Error) -> Failure {
    if let Some(Abort(failure)) = error.downcast_ref::<Abort>() {
        return failure.clone();
    }
    let reason = match error.downcast_ref::<wasmtime::Trap>() {
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    };
    tracing::error!(error = ?error, "a plugin failed");
    failure(plugin, hook, reason)
}

fn failure(plugin: &Loaded, hook: &'static str, reason: String) -> Failure {
    Failure::Plugin {
        plugin: plugin.name().to_owned(),
        version: plugin.manifest.version.clone(),
        hook,
        reason,
    }
}
