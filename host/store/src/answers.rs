//! Answers kept so that a request that comes again is not done again.
//!
//! An answer is written in the transaction of what it tells of: either both are
//! there or neither.

use crate::sql::{self, Dialect};
use crate::{StoreError, Transaction};

/// A request that is to be done once, however often it comes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Once {
    /// Project and user that the key belongs to.
    pub project: String,
    /// As `project`.
    pub user: String,
    /// The client's name for the request.
    pub key: String,
    /// A hash of what it asks for.
    pub fingerprint: String,
}

/// What a request was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body; empty where there is none.
    pub body: String,
}

/// What is known of an earlier request of the same key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// Nothing: this one is the first, and no other begins until its unit has
    /// ended.
    None,
    /// It asked for the same, and was answered this.
    Done(Answer),
    /// It asked for something else.
    Different,
    /// Its unit has not ended.
    Running,
}

impl Transaction {
    /// What is known of an earlier request of that key. (On SQLite, which has
    /// one writer, none can be running.)
    pub async fn earlier(&mut self, once: &Once) -> Result<Earlier, StoreError> {
        if self.dialect() == Dialect::Postgres {
            let records = self.fetch(sql::claim_answer(once)).await?;
            let free = records.first().map_or(Ok(None), |record| record.optional_boolean(0));
            if free.map_err(|error| self.doom(error))? != Some(true) {
                return Ok(Earlier::Running);
            }
        }
        // A statement of its own: it sees what was committed before the claim.
        let records = self.fetch(sql::answer(self.dialect(), once)).await?;
        let Some(record) = records.first() else { return Ok(Earlier::None) };
        let read = (|| {
            let status = u16::try_from(record.integer(1)?).unwrap_or_default();
            Ok((record.text(0)?, Answer { status, body: record.text(2)? }))
        })();
        let (fingerprint, answer) = read.map_err(|error| self.doom(error))?;
        Ok(if fingerprint == once.fingerprint { Earlier::Done(answer) } else { Earlier::Different })
    }

    /// Keeps the answer, if the unit is committed.
    pub async fn keep_answer(&mut self, once: &Once, answer: &Answer) -> Result<(), StoreError> {
        let statement = sql::keep_answer(self.dialect(), once, answer);
        self.execute(statement).await.map(drop)
    }

    /// Forgets an answer: what it told of was undone.
    pub async fn forget_answer(&mut self, once: &Once) -> Result<(), StoreError> {
        let statement = sql::forget_answer(self.dialect(), once);
        self.execute(statement).await.map(drop)
    }
}
