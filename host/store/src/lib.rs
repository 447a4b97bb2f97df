//! Resources in SQLite and PostgreSQL, behind one interface.
//!
//! Tables are made from manifests; nothing here knows what a row means.
//!
//! | to find | look in |
//! |---|---|
//! | which table a manifest becomes | `schema`, `migrate` |
//! | SQL | `sql`, nowhere else |
//! | what a unit of work may do | `transaction`, `pools`, `quotas` |
//! | who holds which connection | `database`, `pool`, `writer` |
//! | what leaves the process after a commit | `journal` |
//! | what is counted and timed | `metrics` |
#![forbid(unsafe_code)]

mod answers;
mod changes;
mod components;
mod connection;
mod database;
mod error;
mod fault;
mod intervals;
mod journal;
mod metrics;
mod migrate;
mod pool;
mod pools;
mod query;
mod quotas;
mod row;
mod rows;
mod schema;
mod sql;
mod store;
mod time;
mod transaction;
mod writer;

pub use answers::{Answer, Earlier, Once};
pub use changes::{Change, ChangeLog, Changes, Happened, News};
pub use components::{Components, Installed};
pub use error::{PoolError, StoreError};
pub use journal::{Backlog, Entry, EntryFilter, EntryState, FirstAttempts, Journal, NewEntry};
pub use metrics::Metrics;
pub use query::{Direction, Predicate, Query, View};
pub use quotas::{Numbers, Quotas};
pub use row::{NewRow, Row};
pub use schema::KEPT_BY_HOST;
pub use store::Store;
pub use transaction::{STALE, Transaction};

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
    /// How long what is kept about the past is kept.
    pub keep: Keep,
}

/// How long what is kept about the past is kept, at least.
#[derive(Clone, Debug)]
pub struct Keep {
    /// Answers to requests that are to be done once.
    pub answers: Duration,
    /// The log of changes.
    pub changes: Duration,
    /// Of it, this many changes at most, however young.
    pub most_changes: u32,
}

impl Default for Keep {
    fn default() -> Keep {
        let day = Duration::from_secs(24 * 3600);
        Keep { answers: day, changes: day, most_changes: 100_000 }
    }
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
