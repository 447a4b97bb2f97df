//! The floor: the same transactions on the same database, without HTTP, plugins
//! or this project's store in between.
//!
//! It replays recorded transactions on a copy of the database as it was before
//! they were recorded: same statements, values, tables, indexes and durability.

use crate::load::{Outcome, Worker};
use crate::statements::{Statement, Transaction, Value};
use anyhow::{Context, Result};
use sqlx::postgres::{PgArguments, PgConnectOptions};
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Arguments as _, AssertSqlSafe, ConnectOptions as _, PgConnection, SqliteConnection};
use std::cell::Cell;
use std::path::PathBuf;
use std::time::Duration;

/// Where the copy is.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Sqlite(PathBuf),
    Postgres(String),
}

/// The transactions, each used once.
pub(crate) struct Tape<'a> {
    transactions: &'a [Transaction],
    next: Cell<usize>,
    /// Statements sent, those that begin and end transactions included.
    sent: Cell<u64>,
}

impl<'a> Tape<'a> {
    pub(crate) fn new(transactions: &'a [Transaction]) -> Tape<'a> {
        Tape { transactions, next: Cell::new(0), sent: Cell::new(0) }
    }

    /// Statements a transaction, on average.
    pub(crate) fn statements_each(&self) -> f64 {
        self.sent.get() as f64 / self.next.get().min(self.transactions.len()).max(1) as f64
    }

    fn sent(&self) {
        self.sent.set(self.sent.get() + 1);
    }
}

/// One client with a connection of its own.
pub(crate) struct Player<'a> {
    tape: &'a Tape<'a>,
    link: Link,
}

enum Link {
    Sqlite(Box<SqliteConnection>),
    Postgres(Box<PgConnection>),
}

/// Statements kept prepared, as many as the server's store keeps.
const PREPARED: usize = 512;
/// How long a SQLite client waits for the others.
const BUSY: Duration = Duration::from_secs(60);

impl<'a> Player<'a> {
    /// Connects, with the durability that the server uses.
    pub(crate) async fn new(place: &Place, tape: &'a Tape<'a>) -> Result<Player<'a>> {
        let link = match place {
            Place::Sqlite(path) => {
                let options = SqliteConnectOptions::new()
                    .filename(path)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    .foreign_keys(true)
                    .busy_timeout(BUSY)
                    .statement_cache_capacity(PREPARED)
                    .disable_statement_logging();
                Link::Sqlite(Box::new(options.connect().await.context("the copy cannot be opened")?))
            }
            Place::Postgres(url) => {
                let options: PgConnectOptions = url.parse()?;
                let options = options
                    .options([("synchronous_commit", "on")])
                    .statement_cache_capacity(PREPARED)
                    .disable_statement_logging();
                Link::Postgres(Box::new(options.connect().await.context("the copy cannot be reached")?))
            }
        };
        Ok(Player { tape, link })
    }

    async fn play(&mut self, transaction: &Transaction) -> Result<(), sqlx::Error> {
        let begin = match self.link {
            // As the server's writer: a reader that becomes a writer may fail.
            Link::Sqlite(_) => "BEGIN IMMEDIATE",
            Link::Postgres(_) => "BEGIN",
        };
        self.simple(begin).await?;
        for statement in transaction {
            self.send(statement).await?;
        }
        self.simple("COMMIT").await
    }

    async fn simple(&mut self, text: &'static str) -> Result<(), sqlx::Error> {
        self.tape.sent();
        match &mut self.link {
            Link::Sqlite(link) => sqlx::query(text).execute(&mut **link).await.map(drop),
            Link::Postgres(link) => sqlx::raw_sql(text).execute(&mut **link).await.map(drop),
        }
    }

    async fn send(&mut self, statement: &Statement) -> Result<(), sqlx::Error> {
        self.tape.sent();
        let text = AssertSqlSafe(statement.text.clone());
        match &mut self.link {
            Link::Sqlite(link) => {
                let values = sqlite_values(&statement.values)?;
                sqlx::query_with(text, values).fetch_all(&mut **link).await.map(drop)
            }
            Link::Postgres(link) => {
                let values = postgres_values(&statement.values)?;
                sqlx::query_with(text, values).fetch_all(&mut **link).await.map(drop)
            }
        }
    }
}

impl Worker for Player<'_> {
    async fn work(&mut self) -> Result<Outcome> {
        let number = self.tape.next.get();
        let Some(transaction) = self.tape.transactions.get(number) else { return Ok(Outcome::Exhausted) };
        self.tape.next.set(number + 1);
        Ok(match self.play(transaction).await {
            Ok(()) => Outcome::Done,
            Err(error) => {
                self.simple("ROLLBACK").await.context("a replayed transaction cannot be undone")?;
                Outcome::Failed(error.to_string())
            }
        })
    }
}

fn sqlite_values(values: &[Value]) -> Result<SqliteArguments, sqlx::Error> {
    let mut bound = SqliteArguments::default();
    for value in values {
        match value {
            Value::Text(value) | Value::Json(value) => bound.add(value.clone()),
            Value::Integer(value) => bound.add(*value),
            Value::Boolean(value) => bound.add(*value),
            Value::Bytes(value) => bound.add(value.clone()),
            Value::Texts(list) => bound.add(serde_json::Value::from(list.clone()).to_string()),
            Value::Integers(list) => bound.add(serde_json::Value::from(list.clone()).to_string()),
            Value::OptionalTexts(_) | Value::OptionalIntegers(_) | Value::OptionalBooleans(_) => {
                Err("rows are not bound as arrays on SQLite".into())
            }
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(bound)
}

fn postgres_values(values: &[Value]) -> Result<PgArguments, sqlx::Error> {
    let mut bound = PgArguments::default();
    for value in values {
        match value {
            Value::Text(value) | Value::Json(value) => bound.add(value.clone()),
            Value::Integer(value) => bound.add(*value),
            Value::Boolean(value) => bound.add(*value),
            Value::Bytes(value) => bound.add(value.clone()),
            Value::Texts(list) => bound.add(list.clone()),
            Value::Integers(list) => bound.add(list.clone()),
            Value::OptionalTexts(list) => bound.add(list.clone()),
            Value::OptionalIntegers(list) => bound.add(list.clone()),
            Value::OptionalBooleans(list) => bound.add(list.clone()),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(bound)
}
