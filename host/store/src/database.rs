//! Both databases' connections behind one face: transactions that write, and
//! statements outside any.

use crate::connection::{Conn, Connector, Record};
use crate::fault::{self, Fault};
use crate::pool::{Lease, Pool};
use crate::sql::{self, Dialect, Sql};
use crate::writer::{Turn, Writer};
use crate::{Settings, StoreError};
use std::collections::HashSet;
use std::sync::Arc;

/// The connections.
pub(crate) struct Database {
    pub(crate) connector: Connector,
    pub(crate) readers: Arc<Pool>,
    side: Side,
}

enum Side {
    Sqlite(Arc<Writer>),
    Postgres(Arc<Pool>),
}

/// A transaction. Dropped, it is rolled back.
pub(crate) enum Session {
    /// In the one writer of SQLite.
    Turn(Turn),
    /// On a connection of its own.
    Leased(Lease),
}

/// How often a statement is sent again on a new connection after the old one
/// was found dead.
const TRIES: u32 = 3;

impl Database {
    pub(crate) async fn open(settings: &Settings) -> Result<Database, StoreError> {
        let connector = Connector::new(&settings.location).await?;
        let patience = settings.patience;
        let readers = Pool::new(connector.reading(), settings.readers, patience);
        let side = match connector.dialect() {
            Dialect::Sqlite => Side::Sqlite(Writer::new(connector.clone(), patience)),
            Dialect::Postgres => Side::Postgres(Pool::new(connector.clone(), settings.units, patience)),
        };
        let database = Database { connector, readers, side };
        database.make_host_tables().await?;
        Ok(database)
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.connector.dialect()
    }

    /// COMMITs of the SQLite writer.
    pub(crate) fn commits(&self) -> u64 {
        match &self.side {
            Side::Sqlite(writer) => writer.commits(),
            Side::Postgres(_) => 0,
        }
    }

    async fn make_host_tables(&self) -> Result<(), StoreError> {
        let mut session = self.session().await?;
        let conn = session.conn()?;
        let made = async {
            if conn.dialect() == Dialect::Postgres {
                conn.simple(sql::MIGRATION_LOCK).await?;
            }
            let mut there = HashSet::new();
            for record in conn.fetch(sql::relations(conn.dialect())).await? {
                there.insert(record.text(0)?);
            }
            for (name, statement) in sql::host_tables(conn.dialect()) {
                if !there.contains(*name) {
                    conn.simple(statement).await?;
                }
            }
            Ok::<(), Fault>(())
        }
        .await;
        match made {
            Ok(()) => session.commit().await,
            Err(error) => {
                session.rollback().await;
                Err(error.outside())
            }
        }
    }

    /// Begins a transaction.
    pub(crate) async fn session(&self) -> Result<Session, StoreError> {
        match &self.side {
            Side::Sqlite(writer) => Ok(Session::Turn(writer.turn().await?)),
            Side::Postgres(pool) => begin(pool, "BEGIN").await,
        }
    }

    /// Begins a transaction that only reads: what it sees is of one moment, and
    /// it waits for no writer.
    pub(crate) async fn reading(&self) -> Result<Session, StoreError> {
        begin(&self.readers, sql::begin_reading(self.dialect())).await
    }

    /// A transaction with no other unit in it: on SQLite, where units share
    /// transactions, it is committed by itself.
    pub(crate) async fn alone(&self) -> Result<Session, StoreError> {
        match &self.side {
            Side::Sqlite(writer) => {
                drop(writer.alone().await?);
                self.session().await
            }
            Side::Postgres(_) => self.session().await,
        }
    }

    /// Rows, outside any transaction.
    pub(crate) async fn read(&self, statement: Sql) -> Result<Vec<Record>, StoreError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let mut lease = self.readers.lease().await?;
            match lease.conn.fetch(statement.clone()).await.map_err(fault::of) {
                Ok(records) => {
                    lease.give_back();
                    return Ok(records);
                }
                Err(Fault::Lost(_)) if tries < TRIES => lease.lost(),
                Err(fault @ Fault::Lost(_)) => {
                    lease.lost();
                    return Err(fault.outside());
                }
                Err(fault) => {
                    lease.give_back();
                    return Err(fault.outside());
                }
            }
        }
    }

    /// One statement that changes something, by itself; safe to repeat.
    pub(crate) async fn write(&self, statement: Sql) -> Result<Vec<Record>, StoreError> {
        match &self.side {
            Side::Postgres(_) => self.read(statement).await,
            Side::Sqlite(_) => {
                let mut session = self.session().await?;
                match session.conn()?.fetch(statement).await.map_err(fault::of) {
                    Ok(records) => {
                        session.commit().await.map_err(outside)?;
                        Ok(records)
                    }
                    Err(error) => {
                        session.rollback().await;
                        Err(error.outside())
                    }
                }
            }
        }
    }

    /// One statement by itself, on PostgreSQL, that need not be on stable storage
    /// when this returns: a crash may lose it, whole.
    pub(crate) async fn write_unsynced(&self, statement: Sql) -> Result<(), StoreError> {
        let mut lease = self.readers.lease().await?;
        let conn = &mut lease.conn;
        let written = async {
            conn.simple(sql::BEGIN_UNSYNCED).await?;
            conn.execute(statement).await?;
            conn.simple("COMMIT").await
        }
        .await;
        match written.map_err(fault::of) {
            Ok(()) => {
                lease.give_back();
                Ok(())
            }
            Err(fault) => {
                // Closing the connection ends the transaction.
                match fault {
                    Fault::Lost(_) => lease.lost(),
                    _ => drop(lease),
                }
                Err(fault.outside())
            }
        }
    }

    /// As `write`, in one transaction; how many rows each changed.
    pub(crate) async fn write_all(&self, statements: Vec<Sql>) -> Result<Vec<u64>, StoreError> {
        let mut session = self.session().await?;
        let mut changed = Vec::with_capacity(statements.len());
        for statement in statements {
            match session.conn()?.execute(statement).await.map_err(fault::of) {
                Ok(rows) => changed.push(rows),
                Err(error) => {
                    session.rollback().await;
                    return Err(error.outside());
                }
            }
        }
        session.commit().await.map_err(outside)?;
        Ok(changed)
    }

    pub(crate) async fn close(&self) {
        match &self.side {
            Side::Sqlite(writer) => writer.close().await,
            Side::Postgres(pool) => pool.close().await,
        }
        self.readers.close().await;
    }
}

/// Begins a transaction on a connection of the pool.
async fn begin(pool: &Arc<Pool>, words: &'static str) -> Result<Session, StoreError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let mut lease = pool.lease().await?;
        match lease.conn.simple(words).await.map_err(fault::of) {
            Ok(()) => return Ok(Session::Leased(lease)),
            Err(Fault::Lost(_)) if tries < TRIES => lease.lost(),
            Err(error) => {
                lease.lost();
                return Err(error.outside());
            }
        }
    }
}

/// Outside a unit nobody runs anything again.
pub(crate) fn outside(error: StoreError) -> StoreError {
    match error {
        StoreError::Retry(why) => StoreError::Unavailable(why),
        other => other,
    }
}

impl Session {
    pub(crate) fn conn(&mut self) -> Result<&mut Conn, StoreError> {
        match self {
            Session::Turn(turn) => turn.conn(),
            Session::Leased(lease) => Ok(&mut lease.conn),
        }
    }

    /// Commits. After a connection lost meanwhile nobody knows the outcome:
    /// that is `Unavailable` here, and `Transaction::commit` finds out.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Session::Turn(turn) => turn.commit().await,
            Session::Leased(mut lease) => match lease.conn.simple("COMMIT").await.map_err(fault::of) {
                Ok(()) => {
                    lease.give_back();
                    Ok(())
                }
                Err(Fault::Lost(why)) => {
                    lease.lost();
                    Err(StoreError::Unavailable(why))
                }
                Err(error) => {
                    // A refused COMMIT is a rollback.
                    drop(lease);
                    Err(error.inside())
                }
            },
        }
    }

    pub(crate) async fn rollback(self) {
        match self {
            Session::Turn(turn) => turn.rollback().await,
            Session::Leased(mut lease) => match lease.conn.simple("ROLLBACK").await {
                Ok(()) => lease.give_back(),
                Err(_) => lease.lost(),
            },
        }
    }
}
