//! One connection to either database: sends statements, reads rows.

use crate::StoreError;
use crate::metrics::{Metrics, STATEMENT, statement, timed};
use crate::sql::{Bind, Dialect, Sql};
use crate::{Location, fault};
use futures::StreamExt;
use futures::stream::BoxStream;
use hadron_telemetry::{Up, spent};
use sqlx::postgres::{PgArguments, PgConnectOptions, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqliteRow, SqliteSynchronous};
use sqlx::{
    Arguments as _, AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, Row as _,
    SqliteConnection,
};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How to connect.
#[derive(Clone)]
pub(crate) struct Connector {
    options: Options,
    pub(crate) metrics: Metrics,
}

#[derive(Clone)]
enum Options {
    Sqlite(Box<SqliteConnectOptions>),
    Postgres(Box<PgConnectOptions>),
}

/// Statements a connection keeps prepared: a few for each collection.
const PREPARED: usize = 512;
/// Another process may be writing to the same file (a backup, a second CLI).
const BUSY: Duration = Duration::from_secs(5);
/// Between attempts to reach a database that does not answer.
const AGAIN: Duration = Duration::from_millis(100);

impl Connector {
    /// Makes the folder of a SQLite file.
    pub(crate) async fn new(location: &Location) -> Result<Connector, StoreError> {
        let options = match location {
            Location::Sqlite(path) => {
                if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
                    tokio::fs::create_dir_all(folder).await.map_err(|error| {
                        StoreError::Unavailable(format!(
                            "cannot make the folder '{}': {error}",
                            folder.display()
                        ))
                    })?;
                }
                let options = SqliteConnectOptions::new()
                    .filename(path)
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    .foreign_keys(true)
                    .busy_timeout(BUSY)
                    .statement_cache_capacity(PREPARED)
                    .disable_statement_logging();
                Options::Sqlite(Box::new(options))
            }
            Location::Postgres(url) => {
                let options: PgConnectOptions = url
                    .parse()
                    .map_err(|error| StoreError::Invalid(format!("the database's URL: {error}")))?;
                let options = options
                    .application_name("hadron")
                    // What is acknowledged is on stable storage, whatever the
                    // server's own default is.
                    //
                    // Statements here are short and come in great numbers:
                    // compiling one takes a hundred times longer than running it.
                    .options([("synchronous_commit", "on"), ("jit", "off")])
                    .statement_cache_capacity(PREPARED)
                    .disable_statement_logging();
                Options::Postgres(Box::new(options))
            }
        };
        Ok(Connector { options, metrics: Metrics::default() })
    }

    /// The same for connections that only read, where the database keeps a
    /// connection to that. On PostgreSQL it is a transaction that does.
    pub(crate) fn reading(&self) -> Connector {
        let options = match self.options.clone() {
            Options::Sqlite(options) => Options::Sqlite(Box::new(options.pragma("query_only", "ON"))),
            postgres @ Options::Postgres(_) => postgres,
        };
        Connector { options, metrics: self.metrics.clone() }
    }

    pub(crate) fn dialect(&self) -> Dialect {
        match self.options {
            Options::Sqlite(_) => Dialect::Sqlite,
            Options::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Connects; tries again while the database does not answer, until then.
    pub(crate) async fn connect(&self, until: Instant) -> Result<Conn, StoreError> {
        loop {
            let attempt = async {
                Ok(match &self.options {
                    Options::Sqlite(options) => Link::Sqlite(options.connect().await?),
                    Options::Postgres(options) => Link::Postgres(options.connect().await?),
                })
            };
            let left = until.saturating_duration_since(Instant::now());
            let error = match tokio::time::timeout(left.max(AGAIN), attempt).await {
                Ok(Ok(link)) => {
                    let number = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
                    let metrics = self.metrics.clone();
                    return Ok(Conn { link, _open: Up::new(&metrics.connections), metrics, number });
                }
                Ok(Err(error)) => error,
                Err(_) => return Err(StoreError::Unavailable("it did not answer in time".to_owned())),
            };
            match fault::of(error) {
                fault::Fault::Lost(why) if Instant::now() + AGAIN >= until => {
                    return Err(StoreError::Unavailable(why));
                }
                fault::Fault::Lost(_) => tokio::time::sleep(AGAIN).await,
                other => return Err(StoreError::Unavailable(other.to_string())),
            }
        }
    }
}

/// A connection.
pub(crate) struct Conn {
    link: Link,
    metrics: Metrics,
    _open: Up,
    /// Tells this process's connections apart in logs.
    number: u64,
}

/// Connections made by this process.
static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

enum Link {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Conn {
    pub(crate) fn dialect(&self) -> Dialect {
        match self.link {
            Link::Sqlite(_) => Dialect::Sqlite,
            Link::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Counts a statement, and tells it with its values to who asks for that:
    /// `log.level = "hadron_store::statement=trace"`.
    fn count(&self, text: &str, values: &[Bind]) {
        self.metrics.statements.inc();
        spent::a_statement();
        if tracing::enabled!(target: STATEMENT, tracing::Level::TRACE) {
            let values = serde_json::to_string(values).unwrap_or_default();
            tracing::trace!(target: STATEMENT, connection = self.number, text, values);
        }
    }

    /// Sends words that need no values: BEGIN, COMMIT, a table's creation.
    pub(crate) async fn simple(&mut self, text: &'static str) -> Result<(), sqlx::Error> {
        self.count(text, &[]);
        timed(statement!(text), async {
            match &mut self.link {
                Link::Sqlite(link) => sqlx::query(text).execute(link).await.map(drop),
                Link::Postgres(link) => sqlx::raw_sql(text).execute(link).await.map(drop),
            }
        })
        .await
    }

    /// How many rows it changed.
    pub(crate) async fn execute(&mut self, sql: Sql) -> Result<u64, sqlx::Error> {
        self.count(&sql.text, &sql.binds);
        timed(statement!(sql.text), async {
            match &mut self.link {
                Link::Sqlite(link) => {
                    let values = sqlite_values(sql.binds)?;
                    let query = sqlx::query_with(AssertSqlSafe(sql.text), values).persistent(sql.persistent);
                    Ok(query.execute(link).await?.rows_affected())
                }
                Link::Postgres(link) => {
                    let values = postgres_values(sql.binds)?;
                    let query = sqlx::query_with(AssertSqlSafe(sql.text), values).persistent(sql.persistent);
                    Ok(query.execute(link).await?.rows_affected())
                }
            }
        })
        .await
    }

    pub(crate) async fn fetch(&mut self, sql: Sql) -> Result<Vec<Record>, sqlx::Error> {
        self.count(&sql.text, &sql.binds);
        timed(statement!(sql.text), async {
            match &mut self.link {
                Link::Sqlite(link) => {
                    let values = sqlite_values(sql.binds)?;
                    let query = sqlx::query_with(AssertSqlSafe(sql.text), values).persistent(sql.persistent);
                    Ok(query.fetch_all(link).await?.into_iter().map(Record::Sqlite).collect())
                }
                Link::Postgres(link) => {
                    let values = postgres_values(sql.binds)?;
                    let query = sqlx::query_with(AssertSqlSafe(sql.text), values).persistent(sql.persistent);
                    Ok(query.fetch_all(link).await?.into_iter().map(Record::Postgres).collect())
                }
            }
        })
        .await
    }

    /// Rows one by one, as they come.
    pub(crate) fn stream(&mut self, sql: Sql) -> BoxStream<'_, Result<Record, sqlx::Error>> {
        self.count(&sql.text, &sql.binds);
        let failed = |error| futures::stream::iter([Err(error)]).boxed();
        match &mut self.link {
            Link::Sqlite(link) => match sqlite_values(sql.binds) {
                Ok(values) => sqlx::query_with(AssertSqlSafe(sql.text), values)
                    .persistent(sql.persistent)
                    .fetch(link)
                    .map(|row| row.map(Record::Sqlite))
                    .boxed(),
                Err(error) => failed(error),
            },
            Link::Postgres(link) => match postgres_values(sql.binds) {
                Ok(values) => sqlx::query_with(AssertSqlSafe(sql.text), values)
                    .persistent(sql.persistent)
                    .fetch(link)
                    .map(|row| row.map(Record::Postgres))
                    .boxed(),
                Err(error) => failed(error),
            },
        }
    }

    pub(crate) async fn close(self) {
        let closed = match self.link {
            Link::Sqlite(link) => link.close().await,
            Link::Postgres(link) => link.close().await,
        };
        if let Err(error) = closed {
            tracing::debug!(%error, "a connection did not close well");
        }
    }
}

fn sqlite_values(binds: Vec<Bind>) -> Result<SqliteArguments, sqlx::Error> {
    let mut values = SqliteArguments::default();
    for bind in binds {
        match bind {
            Bind::Text(value) | Bind::Json(value) => values.add(value),
            Bind::Integer(value) => values.add(value),
            Bind::Boolean(value) => values.add(value),
            Bind::Bytes(value) => values.add(value),
            Bind::Texts(list) => values.add(serde_json::Value::from(list).to_string()),
            Bind::Integers(list) => values.add(serde_json::Value::from(list).to_string()),
            Bind::OptionalTexts(_) | Bind::OptionalIntegers(_) | Bind::OptionalBooleans(_) => {
                Err("rows are not bound as arrays here".into())
            }
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(values)
}

fn postgres_values(binds: Vec<Bind>) -> Result<PgArguments, sqlx::Error> {
    let mut values = PgArguments::default();
    for bind in binds {
        match bind {
            Bind::Text(value) | Bind::Json(value) => values.add(value),
            Bind::Integer(value) => values.add(value),
            Bind::Boolean(value) => values.add(value),
            Bind::Bytes(value) => values.add(value),
            Bind::Texts(list) => values.add(list),
            Bind::Integers(list) => values.add(list),
            Bind::OptionalTexts(list) => values.add(list),
            Bind::OptionalIntegers(list) => values.add(list),
            Bind::OptionalBooleans(list) => values.add(list),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(values)
}

/// A row of an answer.
pub(crate) enum Record {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// Reads a column by its place.
macro_rules! read {
    ($name:ident, $type:ty) => {
        pub(crate) fn $name(&self, column: usize) -> Result<$type, StoreError> {
            match self {
                Record::Sqlite(row) => row.try_get(column),
                Record::Postgres(row) => row.try_get(column),
            }
            .map_err(|error| StoreError::Database(error.to_string()))
        }
    };
}

impl Record {
    read!(text, String);
    read!(optional_text, Option<String>);
    read!(integer, i64);
    read!(optional_integer, Option<i64>);
    read!(boolean, bool);
    read!(optional_boolean, Option<bool>);
    read!(bytes, Vec<u8>);
}
