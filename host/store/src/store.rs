//! A database with the tables of a set of manifests: reads, and what every part
//! of the store shares.

use crate::changes::Following;
use crate::database::Database;
use crate::fault::{self, Fault};
use crate::journal::Desk;
use crate::metrics::statement;
use crate::pool::Lease;
use crate::rows;
use crate::schema::{Schema, Table};
use crate::sql::{self, Dialect, Sql};
use crate::transaction::read_mark;
use crate::{
    ChangeLog, CollectionId, Components, Journal, Keep, Migration, Predicate, Query, Quotas, Row, Settings,
    StoreError, Transaction, View, migrate, time,
};
use futures::stream::{BoxStream, StreamExt};
use hadron_manifest::Manifest;
use hadron_telemetry::{carried, spent};
use parking_lot::RwLock;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tracing::Instrument;

/// Rows of a list that are handed on together.
const CHUNK: usize = 64;
/// Chunks that wait for a slow reader.
const CHUNKS: usize = 4;
/// How often what is old is forgotten.
const PURGE_EVERY: Duration = Duration::from_secs(60);
/// How old unit ids are then: nobody asks about a unit longer than its connection
/// took to fail.
const PURGE_OLDER: Duration = Duration::from_secs(600);

/// How often units' counts are folded: the sum of those that are not is part of
/// every look at a limit.
const FOLD_EVERY: Duration = Duration::from_secs(1);

/// What every part of the store shares.
pub(crate) struct Inner {
    pub(crate) database: Arc<Database>,
    schema: RwLock<Arc<Schema>>,
    /// Marks journal entries as claimed by this process.
    pub(crate) owner: String,
    pub(crate) lease: Duration,
    pub(crate) desk: Desk,
    pub(crate) migrating: tokio::sync::Mutex<()>,
    pub(crate) following: Following,
    keep: Keep,
}

impl Inner {
    pub(crate) fn schema(&self) -> Arc<Schema> {
        self.schema.read().clone()
    }

    pub(crate) fn set_schema(&self, schema: Schema) {
        *self.schema.write() = Arc::new(schema);
    }

    /// Finds out about a unit whose connection was lost during COMMIT. Writing
    /// its id once more waits for a COMMIT that is still under way, and fails
    /// exactly when the unit was committed.
    pub(crate) async fn was_committed(&self, unit: &str, why: &str) -> Result<(), StoreError> {
        let unknown = |why: &str| {
            StoreError::Unavailable(format!("it is not known whether the unit was committed: {why}"))
        };
        let mut tries = 0;
        loop {
            tries += 1;
            let mut session = self.database.session().await.map_err(|error| unknown(&error.to_string()))?;
            let probe = session.conn()?.execute(sql::probe_unit(self.database.dialect(), unit)).await;
            session.rollback().await;
            match probe.map_err(fault::of) {
                Ok(_) => return Err(StoreError::Retry(why.to_owned())),
                Err(Fault::Unique(_)) => return Ok(()),
                Err(Fault::Lost(_) | Fault::Again(_)) if tries < 10 => {}
                Err(fault) => return Err(unknown(&fault.to_string())),
            }
        }
    }
}

/// A database with the tables of a set of manifests. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

impl Store {
    /// Opens the database and makes the host's own tables.
    pub async fn open(settings: Settings) -> Result<Store, StoreError> {
        let database = Arc::new(Database::open(&settings).await?);
        tokio::spawn(keep_forgetting(Arc::downgrade(&database), settings.keep.clone()));
        if database.dialect() == Dialect::Postgres {
            tokio::spawn(fold(Arc::downgrade(&database)));
        }
        let desk = Desk::new(database.clone());
        Ok(Store {
            inner: Arc::new(Inner {
                database,
                schema: RwLock::default(),
                owner: uuid::Uuid::new_v4().to_string(),
                lease: settings.lease,
                desk,
                migrating: tokio::sync::Mutex::new(()),
                following: Following::default(),
                keep: settings.keep,
            }),
        })
    }

    /// Makes the tables fit the manifests: only adds (tables, columns, indexes);
    /// what would lose data is refused. From then on these collections can be
    /// used. With `dry` nothing is changed and the steps are only told.
    pub async fn migrate(&self, manifests: &[Arc<Manifest>], dry: bool) -> Result<Migration, StoreError> {
        migrate::migrate(&self.inner, manifests, dry).await
    }

    /// Begins a unit of work: one transaction on one connection.
    /// `unit` is the unit's UUID; a unit that is run again keeps it.
    pub async fn begin(&self, unit: &str) -> Result<Transaction, StoreError> {
        Transaction::begin(self.inner.clone(), unit).await
    }

    /// Begins a unit of work that only reads, on a connection for reading: it
    /// waits for no writer, and the database refuses what it would write. To be
    /// ended by `rollback`.
    pub async fn begin_reading(&self, unit: &str) -> Result<Transaction, StoreError> {
        Transaction::begin_reading(self.inner.clone(), unit).await
    }

    /// One row, outside a unit, limited to those that fit `predicate`.
    pub async fn get(
        &self,
        collection: &CollectionId,
        id: &str,
        predicate: &Predicate,
        view: &View,
    ) -> Result<Option<Row>, StoreError> {
        let table = self.inner.schema().table(collection)?;
        if id.contains('\0') {
            return Ok(None);
        }
        let statement = sql::by_id(self.inner.database.dialect(), &table, id, predicate, view)?;
        let records = self.inner.database.read(statement).await?;
        records.first().map(|record| rows::row(&table, view, record)).transpose()
    }

    /// How many rows fit, outside a unit.
    pub async fn count(&self, collection: &CollectionId, predicate: &Predicate) -> Result<u64, StoreError> {
        let table = self.inner.schema().table(collection)?;
        let statement = sql::count(self.inner.database.dialect(), &table, predicate)?;
        let records = self.inner.database.read(statement).await?;
        let count = records.first().map_or(Ok(0), |record| record.integer(0))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Rows as they come from the database, one query; an unknown marker is
    /// `NotFound`. Errors of the query itself come before the stream.
    pub async fn list(
        &self,
        collection: &CollectionId,
        query: &Query,
        view: &View,
    ) -> Result<BoxStream<'static, Result<Row, StoreError>>, StoreError> {
        let database = &self.inner.database;
        let table = self.inner.schema().table(collection)?;
        let mark = match &query.marker {
            Some(id) if id.contains('\0') => return Err(StoreError::NotFound),
            Some(id) => {
                let (statement, kinds) = sql::mark(database.dialect(), &table, query, view, id)?;
                Some(read_mark(database.read(statement).await?.first(), &kinds, id)?)
            }
            None => None,
        };
        let statement = sql::select(database.dialect(), &table, query, view, mark.as_ref())?;
        let mut tries = 0;
        loop {
            tries += 1;
            let lease = database.readers.lease().await?;
            let (sender, mut chunks) = mpsc::channel(CHUNKS);
            let span = statement!(statement.text.as_str());
            let rows = send_rows(lease, statement.clone(), table.clone(), view.clone(), sender);
            tokio::spawn(carried(rows.instrument(span)));
            return match chunks.recv().await {
                None => Ok(futures::stream::empty().boxed()),
                Some(Ok(first)) => {
                    let rest = ReceiverStream::new(chunks);
                    let all = futures::stream::iter([Ok(first)]).chain(rest);
                    Ok(all
                        .flat_map(|chunk| {
                            let rows: Vec<Result<Row, StoreError>> = match chunk {
                                Ok(rows) => rows.into_iter().map(Ok).collect(),
                                Err(error) => vec![Err(error.outside())],
                            };
                            futures::stream::iter(rows)
                        })
                        .boxed())
                }
                // The connection was dead: no row was handed out yet.
                Some(Err(Fault::Lost(_))) if tries < 3 => continue,
                Some(Err(error)) => Err(error.outside()),
            };
        }
    }

    /// The journal.
    pub fn journal(&self) -> Journal {
        Journal { store: self.inner.clone() }
    }

    /// Limits of projects, and how much they use.
    pub fn quotas(&self) -> Quotas {
        Quotas { store: self.inner.clone() }
    }

    /// The log of changes.
    pub fn changes(&self) -> ChangeLog {
        ChangeLog { store: self.inner.clone() }
    }

    /// Forgets what is old; done now and then anyway.
    pub async fn forget(&self) {
        forget(&self.inner.database, &self.inner.keep).await;
    }

    /// Components by hash and the plugins added by the operator.
    pub fn components(&self) -> Components {
        Components { store: self.inner.clone() }
    }

    /// Statements sent since the start, for benchmarks and tests.
    pub fn statements(&self) -> u64 {
        self.inner.database.connector.metrics.statements.get()
    }

    /// What is counted about the database.
    pub fn metrics(&self) -> &crate::Metrics {
        &self.inner.database.connector.metrics
    }

    /// COMMITs of SQLite's one writer, each of one unit or more; 0 on
    /// PostgreSQL.
    pub fn commits(&self) -> u64 {
        self.inner.database.commits()
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.inner.database.read(sql::ping(self.inner.database.dialect())).await.map(drop)
    }

    /// Waits for what is under way and closes the connections.
    pub async fn close(&self) {
        if let Err(error) = self.journal().flush().await {
            tracing::warn!(%error, "completed journal entries were not written and will be delivered again");
        }
        self.inner.database.close().await;
    }
}

/// Forgets what is old, now and then, as long as the store is there.
async fn keep_forgetting(database: Weak<Database>, keep: Keep) {
    loop {
        tokio::time::sleep(PURGE_EVERY).await;
        let Some(database) = database.upgrade() else { return };
        forget(&database, &keep).await;
    }
}

async fn forget(database: &Database, keep: &Keep) {
    let dialect = database.dialect();
    let mut work = vec![
        vec![sql::purge_answers(dialect, time::millis(keep.answers))],
        sql::purge_changes(dialect, time::millis(keep.changes), i64::from(keep.most_changes)),
    ];
    if dialect == Dialect::Postgres {
        work.push(vec![sql::purge_units(dialect, time::millis(PURGE_OLDER))]);
    }
    for statements in work {
        if let Err(error) = database.write_all(statements).await {
            tracing::debug!(%error, "what is old was not forgotten");
        }
    }
}

/// Folds units' counts, as long as the store is there; of PostgreSQL.
async fn fold(database: Weak<Database>) {
    loop {
        tokio::time::sleep(FOLD_EVERY).await;
        let Some(database) = database.upgrade() else { return };
        if let Err(error) = database.write(sql::fold_usage()).await {
            tracing::debug!(%error, "counts were not folded");
        }
    }
}

/// Reads rows and hands them on, until the end or until nobody listens.
async fn send_rows(
    mut lease: Lease,
    statement: Sql,
    table: Arc<Table>,
    view: View,
    sender: mpsc::Sender<Result<Vec<Row>, Fault>>,
) {
    let mut failed = None;
    {
        let mut records = lease.conn.stream(statement);
        let mut chunk = Vec::with_capacity(CHUNK);
        // The reader's own slowness is not the database's.
        let mut reading = Instant::now();
        let ended = loop {
            match records.next().await {
                Some(Ok(record)) => match rows::row(&table, &view, &record) {
                    Ok(row) => {
                        chunk.push(row);
                        if chunk.len() == CHUNK {
                            spent::in_database(reading.elapsed());
                            let full = std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK));
                            if sender.send(Ok(full)).await.is_err() {
                                break false;
                            }
                            reading = Instant::now();
                        }
                    }
                    Err(error) => {
                        failed = Some(Fault::Store(error));
                        break false;
                    }
                },
                Some(Err(error)) => {
                    failed = Some(fault::of(error));
                    break false;
                }
                None => break true,
            }
        };
        drop(records);
        spent::in_database(reading.elapsed());
        if ended && !chunk.is_empty() {
            // Nobody listens any more: nothing is lost.
            let _ = sender.send(Ok(chunk)).await;
        }
        if ended {
            lease.give_back();
            return;
        }
    }
    // A connection with half-read rows is not used again.
    match failed {
        Some(fault @ Fault::Lost(_)) => {
            lease.lost();
            let _ = sender.send(Err(fault)).await;
        }
        Some(fault) => {
            drop(lease);
            let _ = sender.send(Err(fault)).await;
        }
        None => drop(lease),
    }
}
