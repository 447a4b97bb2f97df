//! What has changed: a log that readers follow from a cursor.
//!
//! Each unit writes what it created, changed and removed in its own
//! transaction. A place in the log is a number. Numbers are given out at the
//! very end of a unit, so changes of one row have them in the order of its
//! revisions; but on PostgreSQL a unit may get a smaller number than another and
//! be committed after it. So a reader goes no further than a horizon up to which
//! nothing is under way any more.

use crate::connection::Record;
use crate::schema::Table;
use crate::sql::{self, Dialect};
use crate::store::Inner;
use crate::{CollectionId, Row, StoreError, rows};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, watch};

/// How long a unit that is being committed is waited for before it is looked at
/// again.
const COMMIT: Duration = Duration::from_millis(2);
/// A COMMIT that takes longer keeps readers where they are.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the log is looked at for what other processes wrote.
const LOOK: Duration = Duration::from_millis(250);

/// What happened to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// It was made.
    Created,
    /// It was changed.
    Updated,
    /// It was removed.
    Deleted,
}

/// One change, as a unit left it.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Its place in the log.
    pub cursor: i64,
    /// Of which collection the row is.
    pub collection: CollectionId,
    /// The row.
    pub id: String,
    /// What happened.
    pub happened: Happened,
    /// The row's revision, of a deletion the last it had.
    pub revision: i64,
    /// Of a deletion, the row as it was.
    pub row: Option<Row>,
}

/// A part of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Changes {
    /// In order.
    pub changes: Vec<Change>,
    /// From where to read on.
    pub next: i64,
    /// Whether there is more to be read now.
    pub more: bool,
}

/// The log.
#[derive(Clone)]
pub struct ChangeLog {
    pub(crate) store: Arc<Inner>,
}

/// What the readers of one process share.
#[derive(Default)]
pub(crate) struct Following {
    /// Told of each unit that was committed here.
    news: watch::Sender<()>,
    /// Looks for the horizon that have begun.
    begun: AtomicU64,
    /// The look that ended last, and what it found.
    found: Mutex<(u64, i64)>,
}

impl Following {
    pub(crate) fn tell(&self) {
        self.news.send_replace(());
    }
}

impl ChangeLog {
    fn dialect(&self) -> Dialect {
        self.store.database.dialect()
    }

    /// The place up to which everything is there to be read. `Unavailable` when a
    /// COMMIT goes on and on and no earlier place is known.
    pub async fn horizon(&self) -> Result<i64, StoreError> {
        let following = &self.store.following;
        let asked = following.begun.load(Ordering::SeqCst);
        let mut found = following.found.lock().await;
        // Somebody else's look will do, if it began after this was asked.
        if found.0 <= asked {
            let begun = following.begun.fetch_add(1, Ordering::SeqCst) + 1;
            match tokio::time::timeout(PATIENCE, self.look()).await {
                Ok(horizon) => *found = (begun, horizon?),
                // What was found earlier still holds.
                Err(_) if found.0 > 0 => found.0 = begun,
                Err(_) => return Err(StoreError::Unavailable("a COMMIT takes too long".to_owned())),
            }
        }
        Ok(found.1)
    }

    async fn look(&self) -> Result<i64, StoreError> {
        let database = &self.store.database;
        let records = database.read(sql::last_change(self.dialect())).await?;
        let last = records.first().map_or(Ok(0), |record| record.integer(0))?;
        if self.dialect() == Dialect::Sqlite {
            return Ok(last);
        }
        // Units with smaller numbers got them while they held the lock, and hold
        // it until everybody sees what they wrote.
        let mut waiting: Option<HashSet<String>> = None;
        loop {
            let mut now = HashSet::new();
            for record in database.read(sql::committing()).await? {
                now.insert(record.text(0)?);
            }
            let left: HashSet<String> = match waiting {
                None => now,
                Some(waiting) => waiting.intersection(&now).cloned().collect(),
            };
            if left.is_empty() {
                return Ok(last);
            }
            waiting = Some(left);
            tokio::time::sleep(COMMIT).await;
        }
    }

    /// Changes of these collections after the cursor, at most so many; rows that
    /// were removed as that project saw them. None when some changes are forgotten
    /// already, or the cursor is of another log.
    pub async fn after(
        &self,
        cursor: i64,
        collections: &[CollectionId],
        project: &str,
        limit: u32,
    ) -> Result<Option<Changes>, StoreError> {
        let horizon = self.horizon().await?;
        let schema = self.store.schema();
        let mut known: HashMap<String, Arc<Table>> = HashMap::with_capacity(collections.len());
        for collection in collections {
            known.insert(name(collection), schema.table(collection)?);
        }
        let names = known.keys().cloned().collect();
        let database = &self.store.database;
        let statement = sql::changes(self.dialect(), cursor, horizon, names, limit);
        let records = database.read(statement).await?;
        // After the changes: what was forgotten meanwhile counts.
        let ends = database.read(sql::ends_of_changes(self.dialect())).await?;
        let end = |place| ends.first().map_or(Ok(0), |record| record.integer(place));
        let (floor, last) = (end(0)?, end(1)?);
        if cursor < floor || cursor > last.max(floor) {
            return Ok(None);
        }
        let mut changes = Vec::with_capacity(records.len());
        for record in &records {
            if let Some(table) = known.get(&record.text(1)?) {
                changes.push(change(record, table, project)?);
            }
        }
        let more = records.len() >= limit as usize;
        let last = changes.last().map(|change: &Change| change.cursor);
        // Another replica may have been further than this one can tell now.
        let next = last.filter(|_| more).unwrap_or(horizon).max(cursor);
        Ok(Some(Changes { changes, next, more }))
    }

    /// Of these rows, those that were removed and are not forgotten, as that
    /// project saw them at last.
    pub async fn removed(
        &self,
        collection: &CollectionId,
        ids: Vec<String>,
        project: &str,
    ) -> Result<Vec<Row>, StoreError> {
        let table = self.store.schema().table(collection)?;
        let statement = sql::removed(self.dialect(), &name(collection), ids);
        let records = self.store.database.read(statement).await?;
        let rows = records.iter().map(|record| Ok(change(record, &table, project)?.row));
        rows.filter_map(Result::transpose).collect()
    }

    /// Wakes a reader when there may be news.
    pub fn news(&self) -> News {
        let poll = (self.dialect() == Dialect::Postgres).then_some(LOOK);
        News { told: self.store.following.news.subscribe(), poll }
    }
}

/// Waits for news.
pub struct News {
    told: watch::Receiver<()>,
    poll: Option<Duration>,
}

impl News {
    /// Returns when there may be something new in the log: at once for what this
    /// process wrote, soon for what another one did.
    pub async fn wait(&mut self) {
        let poll = self.poll;
        let told = async {
            if self.told.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        match poll {
            None => told.await,
            Some(poll) => {
                let _ = tokio::time::timeout(poll, told).await;
            }
        }
    }
}

fn name(collection: &CollectionId) -> String {
    format!("{}/{}", collection.plugin, collection.name)
}

fn change(record: &Record, table: &Table, project: &str) -> Result<Change, StoreError> {
    let row = record.optional_text(5)?.map(|text| serde_json::from_str(&text)).transpose();
    let row = row.map_err(|error| StoreError::Database(format!("a removed row cannot be read: {error}")))?;
    Ok(Change {
        cursor: record.integer(0)?,
        collection: table.id.clone(),
        id: record.text(2)?,
        happened: match record.integer(3)? {
            sql::CREATED => Happened::Created,
            sql::DELETED => Happened::Deleted,
            _ => Happened::Updated,
        },
        revision: record.integer(4)?,
        row: row.map(|row| rows::seen_at_last(table, row, project)),
    })
}

/// A change that a unit will write down.
#[derive(Clone, Debug)]
pub(crate) struct Noted {
    pub(crate) collection: String,
    pub(crate) id: String,
    pub(crate) happened: Happened,
    pub(crate) revision: i64,
    pub(crate) row: Option<String>,
}

/// What a unit has changed so far, one change a row.
#[derive(Default)]
pub(crate) struct Notes {
    noted: Vec<Option<Noted>>,
    places: HashMap<(CollectionId, String), usize>,
}

impl Notes {
    pub(crate) fn add(
        &mut self,
        collection: &CollectionId,
        id: &str,
        happened: Happened,
        revision: i64,
        row: Option<String>,
    ) {
        let key = (collection.clone(), id.to_owned());
        let earlier = self.places.get(&key).and_then(|place| self.noted.get_mut(*place));
        if let Some(earlier) = earlier
            && let Some(noted) = earlier
        {
            match (noted.happened, happened) {
                (Happened::Created, Happened::Deleted) => {
                    *earlier = None;
                    self.places.remove(&key);
                    return;
                }
                (Happened::Created, _) => {
                    noted.revision = revision;
                    return;
                }
                (Happened::Updated, happened) => {
                    *noted = Noted { happened, revision, row, ..noted.clone() };
                    return;
                }
                // A row of the same id once more.
                (Happened::Deleted, _) => {}
            }
        }
        self.places.insert(key, self.noted.len());
        let (collection, id) = (name(collection), id.to_owned());
        self.noted.push(Some(Noted { collection, id, happened, revision, row }));
    }

    pub(crate) fn take(&mut self) -> Vec<Noted> {
        self.places.clear();
        std::mem::take(&mut self.noted).into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(steps: &[(Happened, i64)]) -> Vec<(Happened, i64)> {
        let id = CollectionId { plugin: "p".into(), name: "things".into() };
        let mut notes = Notes::default();
        for (happened, revision) in steps {
            notes.add(&id, "x", *happened, *revision, None);
        }
        notes.take().iter().map(|noted| (noted.happened, noted.revision)).collect()
    }

    #[test]
    fn a_unit_tells_of_each_row_once() {
        use Happened::{Created, Deleted, Updated};
        assert_eq!(told(&[(Created, 0), (Updated, 1), (Updated, 2)]), [(Created, 2)]);
        assert_eq!(told(&[(Updated, 4), (Updated, 5)]), [(Updated, 5)]);
        assert_eq!(told(&[(Updated, 4), (Deleted, 4)]), [(Deleted, 4)]);
        assert_eq!(told(&[(Created, 0), (Deleted, 0)]), []);
        assert_eq!(told(&[(Created, 0), (Deleted, 0), (Created, 0)]), [(Created, 0)]);
        assert_eq!(told(&[(Deleted, 3), (Created, 0)]), [(Deleted, 3), (Created, 0)]);
    }
}
