//! Resources in SQLite and PostgreSQL, behind one interface.
//!
//! Tables are made from manifests; nothing here knows what a row means.
#![forbid(unsafe_code)]

mod error;
mod journal;
mod query;
mod row;

pub use error::{PoolError, StoreError};
pub use journal::{Entry, EntryFilter, EntryState, NewEntry};
pub use query::{Direction, Predicate, Query, View};
pub use row::{NewRow, Row};

use futures::stream::BoxStream;
use hadron_manifest::Manifest;
use serde_json::{Map, Value};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Where the rows are.
#[derive(Clone, Debug)]
pub enum Location {
    /// A file; made when it is not there.
    Sqlite(PathBuf),
    /// `postgres://user:password@host:port/database`.
    Postgres(String),
}

/// How to open a store.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where.
    pub location: Location,
    /// Units of work at the same time (PostgreSQL connections for them; SQLite
    /// has one writer whatever this says).
    pub units: u32,
    /// Connections for reading.
    pub readers: u32,
    /// How long this server's claim on a journal entry holds.
    pub lease: Duration,
    /// A unit waits no longer than this for its turn or a connection.
    pub patience: Duration,
}

/// Names a collection: its plugin, and its name in the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CollectionId {
    /// The owning plugin.
    pub plugin: Arc<str>,
    /// The collection.
    pub name: Arc<str>,
}

/// What `migrate` did, or would do.
#[derive(Clone, Debug, Default)]
pub struct Migration {
    /// One sentence a step.
    pub steps: Vec<String>,
}

/// A database with the tables of a set of manifests. Cheap to clone.
#[derive(Clone)]
pub struct Store {}

impl Store {
    /// Opens the database and makes the host's own tables.
    pub async fn open(settings: Settings) -> Result<Store, StoreError> {
        let _ = settings;
        todo!()
    }
    /// Makes the tables fit the manifests: only adds (tables, columns, indexes);
    /// what would lose data is refused. From then on these collections can be
    /// used. With `dry` nothing is changed and the steps are only told.
    pub async fn migrate(&self, manifests: &[Arc<Manifest>], dry: bool) -> Result<Migration, StoreError> {
        let _ = (manifests, dry);
        todo!()
    }
    /// Begins a unit of work: one transaction on one connection.
    /// `unit` is the unit's UUID; a unit that is run again keeps it.
    pub async fn begin(&self, unit: &str) -> Result<Transaction, StoreError> {
        let _ = unit;
        todo!()
    }
    /// One row, outside a unit, limited to those that fit `predicate`.
    pub async fn get(
        &self,
        collection: &CollectionId,
        id: &str,
        predicate: &Predicate,
        view: &View,
    ) -> Result<Option<Row>, StoreError> {
        let _ = (collection, id, predicate, view);
        todo!()
    }
    /// Rows as they come from the database, one query; an unknown marker is
    /// `NotFound`. Errors of the query itself come before the stream.
    pub async fn list(
        &self,
        collection: &CollectionId,
        query: &Query,
        view: &View,
    ) -> Result<BoxStream<'static, Result<Row, StoreError>>, StoreError> {
        let _ = (collection, query, view);
        todo!()
    }
    /// The journal.
    pub fn journal(&self) -> Journal {
        todo!()
    }
    /// Components by hash and the plugins added by the operator.
    pub fn components(&self) -> Components {
        todo!()
    }
    /// Statements sent since the start, for benchmarks and tests.
    pub fn statements(&self) -> u64 {
        todo!()
    }
    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        todo!()
    }
    /// Waits for what is under way and closes the connections.
    pub async fn close(&self) {
        todo!()
    }
}

/// A unit of work's transaction. Dropped without `commit`, it is rolled back.
/// After an error other than `NotFound` and pools' `Exhausted`, `Taken`,
/// `Unknown` it is doomed.
pub struct Transaction {}

impl Transaction {
    /// One row; remembers the revision it read.
    pub async fn get(
        &mut self,
        collection: &CollectionId,
        id: &str,
        view: &View,
    ) -> Result<Option<Row>, StoreError> {
        let _ = (collection, id, view);
        todo!()
    }
    /// Rows that fit; remembers their revisions.
    pub async fn find(
        &mut self,
        collection: &CollectionId,
        query: &Query,
        view: &View,
    ) -> Result<Vec<Row>, StoreError> {
        let _ = (collection, query, view);
        todo!()
    }
    /// How many fit.
    pub async fn count(
        &mut self,
        collection: &CollectionId,
        predicate: &Predicate,
    ) -> Result<u64, StoreError> {
        let _ = (collection, predicate);
        todo!()
    }
    /// Adds rows in one statement (and one for each side table); the rows as
    /// they are now, without derived attributes.
    pub async fn insert(
        &mut self,
        collection: &CollectionId,
        rows: Vec<NewRow>,
    ) -> Result<Vec<Row>, StoreError> {
        let _ = (collection, rows);
        todo!()
    }
    /// Sets members of the document and of extenders' documents, raises the
    /// revision by one. `Retry` when the row's revision is not the one this
    /// unit read. Without any change of a value nothing is written.
    pub async fn update(
        &mut self,
        collection: &CollectionId,
        id: &str,
        changes: Map<String, Value>,
        extensions: Vec<(String, Map<String, Value>)>,
    ) -> Result<Row, StoreError> {
        let _ = (collection, id, changes, extensions);
        todo!()
    }
    /// Removes rows and what refers to them by cascade. Ids that are not there
    /// are `NotFound`.
    pub async fn delete(&mut self, collection: &CollectionId, ids: &[String]) -> Result<(), StoreError> {
        let _ = (collection, ids);
        todo!()
    }
    /// Holds the row until the end of the unit.
    pub async fn lock(&mut self, collection: &CollectionId, id: &str) -> Result<(), StoreError> {
        let _ = (collection, id);
        todo!()
    }

    /// See the `pools` interface of the contract; names are already qualified
    /// by plugin.
    pub async fn pool_define(&mut self, pool: &str, ranges: &[(u64, u64)]) -> Result<(), PoolError> {
        let _ = (pool, ranges);
        todo!()
    }
    /// Forgets a pool.
    pub async fn pool_drop(&mut self, pool: &str) -> Result<(), PoolError> {
        let _ = pool;
        todo!()
    }
    /// Takes any free numbers.
    pub async fn pool_take(&mut self, pool: &str, count: u32) -> Result<Vec<u64>, PoolError> {
        let _ = (pool, count);
        todo!()
    }
    /// Takes this one.
    pub async fn pool_take_given(&mut self, pool: &str, number: u64) -> Result<(), PoolError> {
        let _ = (pool, number);
        todo!()
    }
    /// Gives back.
    pub async fn pool_give_back(&mut self, pool: &str, numbers: &[u64]) -> Result<(), PoolError> {
        let _ = (pool, numbers);
        todo!()
    }

    /// Completes a journal entry within this unit (a driver's report).
    pub async fn complete(&mut self, entry: &str) -> Result<(), StoreError> {
        let _ = entry;
        todo!()
    }

    /// Writes the unit's id and its journal entries, and commits. When this
    /// returns `Ok` the unit is on stable storage. `Retry` only when it
    /// certainly was not committed (after a lost connection it looks the
    /// unit's id up).
    pub async fn commit(self, entries: Vec<NewEntry>) -> Result<(), StoreError> {
        let _ = entries;
        todo!()
    }
    /// Undoes everything.
    pub async fn rollback(self) {
        todo!()
    }
}

/// The journal's side that deliverers and operators use.
#[derive(Clone)]
pub struct Journal {}

impl Journal {
    /// Of these entries, claimed by this server when they were written, those
    /// that nothing goes before (see `NewEntry::after`), i.e. whose first
    /// attempt may be made now.
    pub async fn ready(&self, ids: &[String]) -> Result<Vec<String>, StoreError> {
        let _ = ids;
        todo!()
    }
    /// Claims up to `limit` entries that are due, unclaimed or with an expired
    /// lease, and that nothing goes before.
    pub async fn claim(&self, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let _ = limit;
        todo!()
    }
    /// The entry is done. Written in batches, in the background; may be lost
    /// in a crash (the entry is then delivered again).
    pub fn done(&self, id: &str) {
        let _ = id;
    }
    /// Waits until all `done` so far are written.
    pub async fn flush(&self) -> Result<(), StoreError> {
        todo!()
    }
    /// The attempt failed: tried again after `delay`; the claim is given up.
    pub async fn failed(&self, id: &str, error: &str, delay: Duration) -> Result<(), StoreError> {
        let _ = (id, error, delay);
        todo!()
    }
    /// It was refused for good.
    pub async fn refused(&self, id: &str, error: &str) -> Result<(), StoreError> {
        let _ = (id, error);
        todo!()
    }
    /// The claim is given up without an attempt, due at once.
    pub async fn release(&self, ids: &[String]) -> Result<(), StoreError> {
        let _ = ids;
        todo!()
    }
    /// For operators.
    pub async fn list(&self, filter: &EntryFilter) -> Result<Vec<Entry>, StoreError> {
        let _ = filter;
        todo!()
    }
    /// One entry.
    pub async fn show(&self, id: &str) -> Result<Option<Entry>, StoreError> {
        let _ = id;
        todo!()
    }
    /// Makes entries due now and pending; how many there were.
    pub async fn retry(&self, filter: &EntryFilter) -> Result<u64, StoreError> {
        let _ = filter;
        todo!()
    }
    /// Removes entries undelivered; how many there were.
    pub async fn drop(&self, ids: &[String]) -> Result<u64, StoreError> {
        let _ = ids;
        todo!()
    }
    /// Entries that wait for this target.
    pub async fn pending(&self, target: &str) -> Result<u64, StoreError> {
        let _ = target;
        todo!()
    }
}

/// A plugin the operator added to a running server.
#[derive(Clone, Debug, PartialEq)]
pub struct Installed {
    /// The plugin's name.
    pub name: String,
    /// The component's sha256, hex.
    pub sha256: String,
    /// Whether it takes part.
    pub enabled: bool,
    /// Its place among the drivers; ties by name.
    pub position: i64,
    /// What the operator granted, as JSON.
    pub grants: Value,
    /// Its configuration, as JSON.
    pub config: Value,
}

/// Components by hash, and which are installed, so that every replica runs the
/// same set.
#[derive(Clone)]
pub struct Components {}

impl Components {
    /// Keeps a component's bytes and the plugin's record (by name), in one
    /// transaction.
    pub async fn install(&self, plugin: &Installed, bytes: &[u8]) -> Result<(), StoreError> {
        let _ = (plugin, bytes);
        todo!()
    }
    /// Changes the record (enabled, position, grants, config).
    pub async fn update(&self, plugin: &Installed) -> Result<(), StoreError> {
        let _ = plugin;
        todo!()
    }
    /// Forgets the plugin; its bytes too when nobody else uses them.
    pub async fn remove(&self, name: &str) -> Result<(), StoreError> {
        let _ = name;
        todo!()
    }
    /// All, in order.
    pub async fn list(&self) -> Result<Vec<Installed>, StoreError> {
        todo!()
    }
    /// A component's bytes.
    pub async fn bytes(&self, sha256: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let _ = sha256;
        todo!()
    }
    /// Claims a periodic call: true for one caller in each period.
    pub async fn claim_tick(&self, plugin: &str, tick: &str, every: Duration) -> Result<bool, StoreError> {
        let _ = (plugin, tick, every);
        todo!()
    }
}
