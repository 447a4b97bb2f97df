//! The journal's side that deliverers and operators use.
//!
//! An entry's completion is not worth a COMMIT of its own: completions are
//! collected for a moment and written together. Until then they are remembered
//! here, so that what waits for them does not wait for the writing too.

use crate::connection::{Conn, Record};
use crate::database::Database;
use crate::fault::{self, Fault};
use crate::journal::{Backlog, Entry, EntryFilter, EntryState, NewEntry};
use crate::sql::{self, Dialect};
use crate::store::Inner;
use crate::{StoreError, time};
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How long completions are collected.
const COLLECT: Duration = Duration::from_millis(20);
/// How many are written at once.
const TOGETHER: usize = 256;
/// Until the next attempt to write them.
const AGAIN: Duration = Duration::from_millis(500);

/// The journal.
#[derive(Clone)]
pub struct Journal {
    pub(crate) store: Arc<Inner>,
}

/// Where completions wait to be written.
pub(crate) struct Desk {
    sender: mpsc::UnboundedSender<Message>,
    /// Done, and not yet written.
    unwritten: Arc<Mutex<HashSet<String>>>,
}

enum Message {
    Done(String),
    Flush(oneshot::Sender<Result<(), StoreError>>),
}

impl Desk {
    pub(crate) fn new(database: Arc<Database>) -> Desk {
        let (sender, receiver) = mpsc::unbounded_channel();
        let unwritten: Arc<Mutex<HashSet<String>>> = Arc::default();
        tokio::spawn(write_completions(database, receiver, unwritten.clone()));
        Desk { sender, unwritten }
    }

    /// Whether these entries are done, written or not.
    pub(crate) fn are_done(&self, ids: &[String]) -> bool {
        if ids.is_empty() {
            return true;
        }
        let unwritten = self.unwritten.lock();
        ids.iter().all(|id| unwritten.contains(id))
    }

    fn unwritten(&self) -> Vec<String> {
        self.unwritten.lock().iter().cloned().collect()
    }

    /// Takes out what is done.
    fn leave_unwritten(&self, entries: &mut Vec<Entry>) {
        let unwritten = self.unwritten.lock();
        entries.retain(|entry| !unwritten.contains(&entry.new.id));
    }
}

/// Until all senders are gone.
async fn write_completions(
    database: Arc<Database>,
    mut messages: mpsc::UnboundedReceiver<Message>,
    unwritten: Arc<Mutex<HashSet<String>>>,
) {
    let mut waiting: Vec<String> = Vec::new();
    let mut open = true;
    while open || !waiting.is_empty() {
        let mut flush = None;
        let deadline = tokio::time::Instant::now() + COLLECT;
        while open && flush.is_none() && waiting.len() < TOGETHER {
            let message = if waiting.is_empty() {
                messages.recv().await
            } else {
                match tokio::time::timeout_at(deadline, messages.recv()).await {
                    Ok(message) => message,
                    Err(_) => break,
                }
            };
            match message {
                Some(Message::Done(id)) => waiting.push(id),
                Some(Message::Flush(answer)) => flush = Some(answer),
                None => open = false,
            }
        }
        let mut outcome = Ok(());
        while !waiting.is_empty() && outcome.is_ok() {
            let part: Vec<String> = waiting.iter().take(TOGETHER).cloned().collect();
            outcome = complete(&database, part.clone()).await;
            if outcome.is_ok() {
                waiting.drain(..part.len());
                let mut unwritten = unwritten.lock();
                for id in &part {
                    unwritten.remove(id);
                }
            }
        }
        let failed = outcome.is_err();
        if let Err(error) = &outcome {
            tracing::warn!(%error, entries = waiting.len(), "completed journal entries could not be written");
        }
        if let Some(answer) = flush {
            // Nobody may be waiting any more.
            let _ = answer.send(outcome);
        }
        if failed {
            if !open {
                // They will be delivered again.
                return;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}

async fn complete(database: &Database, ids: Vec<String>) -> Result<(), StoreError> {
    match database.dialect() {
        Dialect::Postgres => database.write_unsynced(sql::complete(ids)).await,
        Dialect::Sqlite => {
            let mut session = database.session().await?;
            match complete_in_steps(session.conn()?, ids).await {
                Ok(()) => session.commit().await.map_err(crate::database::outside),
                Err(fault) => {
                    session.rollback().await;
                    Err(fault.outside())
                }
            }
        }
    }
}

/// Removes entries that are done, and with a deletion what failed before it.
pub(crate) async fn complete_in_steps(conn: &mut Conn, mut ids: Vec<String>) -> Result<(), Fault> {
    let dialect = conn.dialect();
    for record in conn.fetch(sql::superseded(dialect, ids.clone())).await? {
        ids.push(record.text(0)?);
    }
    conn.execute(sql::remove_afters(dialect, ids.clone())).await?;
    conn.execute(sql::remove_entries(dialect, ids)).await?;
    Ok(())
}

impl Journal {
    fn dialect(&self) -> Dialect {
        self.store.database.dialect()
    }

    /// Of these entries, claimed by this server when they were written, those
    /// that nothing goes before (see `NewEntry::after`), i.e. whose first
    /// attempt may be made now.
    pub async fn ready(&self, ids: &[String]) -> Result<Vec<String>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let done = self.store.desk.unwritten();
        let statement = sql::ready(self.dialect(), ids, &self.store.owner, &done);
        let mut free = HashSet::new();
        for record in self.store.database.read(statement).await? {
            free.insert(record.text(0)?);
        }
        Ok(ids.iter().filter(|id| free.contains(*id)).cloned().collect())
    }

    /// Claims up to `limit` entries that are due, unclaimed or with an expired
    /// lease, and that nothing goes before.
    pub async fn claim(&self, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let database = &self.store.database;
        let mut session = database.session().await?;
        // What was done while the session was waited for counts too.
        let done = self.store.desk.unwritten();
        let lease = time::millis(self.store.lease);
        let statement = sql::claim(self.dialect(), &self.store.owner, lease, limit, &done);
        let claimed = async {
            let conn = session.conn()?;
            if conn.dialect() == Dialect::Postgres {
                conn.simple(sql::CLAIM_LOCK).await?;
            }
            let records = conn.fetch(statement).await?;
            entries(conn, &records).await
        }
        .await;
        match claimed {
            Ok(mut claimed) => {
                // And what was done meanwhile, with a lease that had ended: its
                // removal waits for this transaction.
                self.store.desk.leave_unwritten(&mut claimed);
                session.commit().await.map_err(crate::database::outside)?;
                claimed.sort_by(|a, b| {
                    (&a.due_at, a.new.revision, &a.new.id).cmp(&(&b.due_at, b.new.revision, &b.new.id))
                });
                Ok(claimed)
            }
            Err(fault) => {
                session.rollback().await;
                Err(fault.outside())
            }
        }
    }

    /// The entry is done. Written in batches, in the background; may be lost
    /// in a crash (the entry is then delivered again).
    pub fn done(&self, id: &str) {
        self.store.desk.unwritten.lock().insert(id.to_owned());
        if self.store.desk.sender.send(Message::Done(id.to_owned())).is_err() {
            tracing::warn!(entry = id, "a completed journal entry cannot be written: the store is closed");
        }
    }

    /// Waits until all `done` so far are written.
    pub async fn flush(&self) -> Result<(), StoreError> {
        let closed = || StoreError::Unavailable("the store is closed".to_owned());
        let (sender, answer) = oneshot::channel();
        self.store.desk.sender.send(Message::Flush(sender)).map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// The attempt failed: tried again after `delay`; the claim is given up.
    pub async fn failed(&self, id: &str, error: &str, delay: Duration) -> Result<(), StoreError> {
        let statement = sql::set_state(self.dialect(), id, sql::FAILING, error, time::millis(delay));
        self.store.database.write(statement).await.map(drop)
    }

    /// It was refused for good.
    pub async fn refused(&self, id: &str, error: &str) -> Result<(), StoreError> {
        let statement = sql::set_state(self.dialect(), id, sql::REFUSED, error, 0);
        self.store.database.write(statement).await.map(drop)
    }

    /// The claim is given up without an attempt, due at once.
    pub async fn release(&self, ids: &[String]) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let statement = sql::release(self.dialect(), ids.to_vec(), &self.store.owner);
        self.store.database.write(statement).await.map(drop)
    }

    /// For operators; oldest first.
    pub async fn list(&self, filter: &EntryFilter) -> Result<Vec<Entry>, StoreError> {
        self.read(sql::entries(self.dialect(), filter)).await
    }

    /// One entry.
    pub async fn show(&self, id: &str) -> Result<Option<Entry>, StoreError> {
        Ok(self.read(sql::entry(self.dialect(), id)).await?.pop())
    }

    async fn read(&self, statement: sql::Sql) -> Result<Vec<Entry>, StoreError> {
        let database = &self.store.database;
        let records = database.read(statement).await?;
        let mut lease = database.readers.lease().await?;
        match entries(&mut lease.conn, &records).await {
            Ok(entries) => {
                lease.give_back();
                Ok(entries)
            }
            Err(fault) => {
                lease.lost();
                Err(fault.outside())
            }
        }
    }

    /// Makes entries due now and pending; how many there were.
    pub async fn retry(&self, filter: &EntryFilter) -> Result<u64, StoreError> {
        let changed = self.store.database.write_all(vec![sql::retry(self.dialect(), filter)]).await?;
        Ok(changed.first().copied().unwrap_or_default())
    }

    /// Removes entries undelivered; how many there were.
    pub async fn drop(&self, ids: &[String]) -> Result<u64, StoreError> {
        if ids.is_empty() {
            return Ok(0);
        }
        let statements = vec![
            sql::remove_entries(self.dialect(), ids.to_vec()),
            sql::remove_afters(self.dialect(), ids.to_vec()),
        ];
        let changed = self.store.database.write_all(statements).await?;
        Ok(changed.first().copied().unwrap_or_default())
    }

    /// How much waits, and for how long, by target and state.
    pub async fn backlog(&self) -> Result<Vec<Backlog>, StoreError> {
        let mut backlog = Vec::new();
        for record in self.store.database.read(sql::backlog(self.dialect())).await? {
            let age = record.integer(3)?.max(0);
            backlog.push(Backlog {
                target: record.text(0)?,
                state: state(record.integer(1)?),
                entries: u64::try_from(record.integer(2)?).unwrap_or_default(),
                oldest: Duration::from_millis(u64::try_from(age).unwrap_or_default()),
            });
        }
        Ok(backlog)
    }

    /// Entries that wait for this target.
    pub async fn pending(&self, target: &str) -> Result<u64, StoreError> {
        let records = self.store.database.read(sql::pending(self.dialect(), target)).await?;
        let count = records.first().map_or(Ok(0), |record| record.integer(0))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }
}

/// Entries with what they come after.
async fn entries(conn: &mut Conn, records: &[Record]) -> Result<Vec<Entry>, Fault> {
    let mut read = Vec::with_capacity(records.len());
    for record in records {
        read.push(entry(record)?);
    }
    if read.is_empty() {
        return Ok(read);
    }
    let ids = read.iter().map(|entry| entry.new.id.clone()).collect();
    let mut after: HashMap<String, Vec<String>> = HashMap::new();
    let found = conn.fetch(sql::afters(conn.dialect(), ids)).await.map_err(fault::of)?;
    for record in &found {
        after.entry(record.text(0)?).or_default().push(record.text(1)?);
    }
    for entry in &mut read {
        entry.new.after = after.remove(&entry.new.id).unwrap_or_default();
    }
    Ok(read)
}

fn state(number: i64) -> EntryState {
    match number {
        sql::FAILING => EntryState::Failing,
        sql::REFUSED => EntryState::Refused,
        _ => EntryState::Pending,
    }
}

fn entry(record: &Record) -> Result<Entry, StoreError> {
    Ok(Entry {
        new: NewEntry {
            id: record.text(0)?,
            target: record.text(1)?,
            kind: record.text(2)?,
            operation: record.text(3)?,
            collection: record.text(4)?,
            resource: record.text(5)?,
            revision: record.integer(6)?,
            after: Vec::new(),
            payload: record.text(7)?.into(),
        },
        unit: record.text(8)?,
        state: state(record.integer(9)?),
        attempts: u32::try_from(record.integer(10)?).unwrap_or(u32::MAX),
        error: record.optional_text(11)?,
        created_at: time::text(record.integer(12)?),
        due_at: time::text(record.integer(13)?),
    })
}
