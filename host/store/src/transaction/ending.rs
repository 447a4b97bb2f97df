//! How a unit ends.

use super::Transaction;
use super::blame::Doing;
use crate::changes::Noted;
use crate::fault::{self, Fault};
use crate::journal::interdependent;
use crate::metrics::Outcome;
use crate::sql::{self, Dialect, Sql};
use crate::{FirstAttempts, NewEntry, StoreError, time};

impl Transaction {
    /// Writes the unit's id and its journal entries, and commits. When this
    /// returns `Ok` the unit is on stable storage. `Retry` only when it
    /// certainly was not committed (after a lost connection it looks the
    /// unit's id up).
    pub async fn commit(self, entries: Vec<NewEntry>) -> Result<FirstAttempts, StoreError> {
        let (metrics, began) = (self.store.database.connector.metrics.clone(), self.began);
        let ended = self.end(entries).await;
        metrics.ended(began, if ended.is_ok() { Outcome::committed } else { Outcome::rolled_back });
        ended
    }

    async fn end(mut self, entries: Vec<NewEntry>) -> Result<FirstAttempts, StoreError> {
        if self.doomed {
            self.session.rollback().await;
            return Err(StoreError::Doomed);
        }
        let changes = self.changes.take();
        let news = !changes.is_empty();
        let ahead = match self.finish(&entries, changes).await {
            Ok(ahead) => ahead,
            Err(Finish::Committed) => {
                self.session.rollback().await;
                return Ok(FirstAttempts::Ask);
            }
            Err(Finish::Failed(error)) => {
                self.session.rollback().await;
                return Err(error);
            }
        };
        // Before the COMMIT: what is done now may be removed, and forgotten,
        // while it waits for the disk.
        let free =
            ahead.len() < sql::LOOKED_AT && self.store.desk.are_done(&ahead) && !interdependent(&entries);
        let attempts = if free { FirstAttempts::Now } else { FirstAttempts::Ask };
        let (store, unit, may_be_lost) = (self.store, self.unit, self.wrote || !entries.is_empty());
        match (self.session.commit().await, store.database.dialect()) {
            (Ok(()), _) => {}
            // Nothing to lose, nothing to look up.
            (Err(_), Dialect::Postgres) if !may_be_lost => {}
            (Err(StoreError::Unavailable(why)), Dialect::Postgres) => {
                store.was_committed(&unit, &why).await?;
                return Ok(FirstAttempts::Ask);
            }
            (Err(error), _) => return Err(error),
        }
        if news {
            store.following.tell();
        }
        Ok(attempts)
    }

    /// Writes what ends a unit; entries of other units that may go before its
    /// own. What they are about was decided before this statement: whoever
    /// changed one of these rows earlier has committed, since the unit waited
    /// for it.
    async fn finish(&mut self, entries: &[NewEntry], changes: Vec<Noted>) -> Result<Vec<String>, Finish> {
        let owner = self.store.owner.clone();
        let lease = time::millis(self.store.lease);
        let mut ahead = Vec::new();
        match self.dialect() {
            Dialect::Sqlite => {
                let now = time::now_ms();
                let settled: Vec<Sql> = self.counts.all().iter().map(sql::settle).collect();
                for statement in settled
                    .into_iter()
                    .chain(sql::insert_changes(now, changes))
                    .chain(sql::insert_afters(entries))
                {
                    self.execute(statement).await?;
                }
                for statement in sql::insert_entries(&self.unit, &owner, now, lease, entries) {
                    self.touch();
                    for record in self.fetch(statement).await? {
                        let ids = record.optional_text(0)?.unwrap_or_default();
                        ahead.extend(ids.split_whitespace().map(str::to_owned));
                    }
                }
            }
            Dialect::Postgres => {
                if !self.wrote && entries.is_empty() {
                    return Ok(ahead);
                }
                self.keep_limits().await?;
                let counts = self.counts.all();
                let statement = sql::finish_unit(&self.unit, &owner, lease, entries, &counts, &changes);
                match self.conn()?.fetch(statement).await.map_err(fault::of) {
                    Ok(records) => {
                        for record in records {
                            ahead.push(record.text(0)?);
                        }
                    }
                    Err(Fault::Unique(name)) if [sql::UNIT_KEY, sql::USAGE_KEY].contains(&name.as_str()) => {
                        // An earlier run of this unit was committed after all.
                        return Err(Finish::Committed);
                    }
                    Err(fault) => return Err(self.failed(fault, Doing::Reading).await.into()),
                }
            }
        }
        Ok(ahead)
    }

    /// Undoes everything.
    pub async fn rollback(self) {
        let (metrics, began) = (self.store.database.connector.metrics.clone(), self.began);
        self.session.rollback().await;
        metrics.ended(began, Outcome::rolled_back);
    }
}

/// Why a unit was not ended.
enum Finish {
    /// An earlier run of it was committed after all.
    Committed,
    Failed(StoreError),
}

impl From<StoreError> for Finish {
    fn from(error: StoreError) -> Finish {
        Finish::Failed(error)
    }
}
