//! SQLite's one writer, and how several units share one COMMIT.
//!
//! A COMMIT waits for the disk, so one for each unit would make the disk the
//! limit. Units take turns on the one writing connection, each within a
//! savepoint of the same transaction; the transaction is committed when nobody
//! waits for a turn, or when it has become large or old. A unit is answered only
//! after that COMMIT.

use crate::StoreError;
use crate::connection::{Conn, Connector};
use crate::fault;
use crate::metrics::{statement, timed};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, Notify, OwnedMutexGuard, oneshot};

/// Units that share a COMMIT at most.
const MOST_UNITS: u32 = 32;
/// How long a unit waits for others to share its COMMIT at most.
const LONGEST: Duration = Duration::from_millis(5);

/// The writer.
pub(crate) struct Writer {
    connector: Connector,
    desk: Arc<Mutex<Desk>>,
    waiting: Arc<AtomicUsize>,
    /// Wakes the task that commits what nobody else does.
    left: Arc<Notify>,
    patience: Duration,
    commits: AtomicU64,
    sweeper: parking_lot::Mutex<Option<tokio::task::JoinHandle<()>>>,
}

/// What goes from hand to hand.
#[derive(Default)]
struct Desk {
    conn: Option<Conn>,
    batch: Option<Batch>,
    /// A unit's savepoint is open: if nobody works on it, it was abandoned.
    savepoint: bool,
    closed: bool,
}

/// A transaction and those who wait for its COMMIT.
struct Batch {
    since: Instant,
    units: u32,
    answers: Vec<oneshot::Sender<Result<(), String>>>,
}

/// A unit's turn. Dropped, its work is undone before the next turn.
pub(crate) struct Turn {
    desk: OwnedMutexGuard<Desk>,
    writer: Arc<Writer>,
}

/// Counts itself among those who wait.
struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    fn new(count: &Arc<AtomicUsize>) -> Waiting {
        count.fetch_add(1, Ordering::SeqCst);
        Waiting(count.clone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Writer {
    pub(crate) fn new(connector: Connector, patience: Duration) -> Arc<Writer> {
        let writer = Arc::new(Writer {
            connector,
            desk: Arc::default(),
            waiting: Arc::default(),
            left: Arc::default(),
            patience,
            commits: AtomicU64::new(0),
            sweeper: parking_lot::Mutex::new(None),
        });
        let weak = Arc::downgrade(&writer);
        let left = writer.left.clone();
        let sweeper = tokio::spawn(async move {
            loop {
                left.notified().await;
                let Some(writer) = weak.upgrade() else { return };
                // In the queue behind those who wait now.
                let mut desk = writer.desk.clone().lock_owned().await;
                writer.clean(&mut desk).await;
                let young = desk.batch.as_ref().is_some_and(|b| b.since.elapsed() < LONGEST);
                if young && writer.waiting.load(Ordering::SeqCst) > 0 {
                    left.notify_one();
                } else {
                    writer.end(&mut desk).await;
                }
            }
        });
        *writer.sweeper.lock() = Some(sweeper);
        writer
    }

    /// COMMITs so far.
    pub(crate) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Waits for a turn, in the order of asking, and begins a unit.
    pub(crate) async fn turn(self: &Arc<Writer>) -> Result<Turn, StoreError> {
        let mut turn = self.desk().await?;
        let writer = self.clone();
        let desk = &mut *turn.desk;
        if desk.batch.is_none() {
            if writer.simple(desk, "BEGIN IMMEDIATE").await.is_err() {
                // A turn that was given up half-way may have begun already.
                writer.give_up(desk, "the transaction was given up");
                desk.conn = Some(writer.connector.connect(Instant::now() + writer.patience).await?);
                writer.simple(desk, "BEGIN IMMEDIATE").await?;
            }
            desk.batch = Some(Batch { since: Instant::now(), units: 0, answers: Vec::new() });
        }
        desk.savepoint = true;
        if let Err(error) = writer.simple(desk, "SAVEPOINT unit").await {
            writer.give_up(desk, &error.to_string());
            return Err(error);
        }
        Ok(turn)
    }

    /// The writing connection alone, outside any transaction: for migrations.
    pub(crate) async fn alone(self: &Arc<Writer>) -> Result<Turn, StoreError> {
        let mut turn = self.desk().await?;
        self.end(&mut turn.desk).await;
        if turn.desk.conn.is_none() {
            turn.desk.conn = Some(self.connector.connect(Instant::now() + self.patience).await?);
        }
        Ok(turn)
    }

    async fn desk(self: &Arc<Writer>) -> Result<Turn, StoreError> {
        let until = Instant::now() + self.patience;
        let waiting = Waiting::new(&self.waiting);
        let turn = tokio::time::timeout(self.patience, self.desk.clone().lock_owned());
        let lock = self.connector.metrics.wait(turn).await;
        let Ok(mut desk) = lock else {
            return Err(StoreError::Unavailable("too many units of work wait for their turn".to_owned()));
        };
        drop(waiting);
        if desk.closed {
            return Err(StoreError::Unavailable("the store is closed".to_owned()));
        }
        self.clean(&mut desk).await;
        if desk.conn.is_none() {
            desk.conn = Some(self.connector.connect(until).await?);
        }
        Ok(Turn { desk, writer: self.clone() })
    }

    async fn simple(&self, desk: &mut Desk, text: &'static str) -> Result<(), StoreError> {
        let Some(conn) = desk.conn.as_mut() else {
            return Err(StoreError::Retry("the connection is gone".to_owned()));
        };
        conn.simple(text).await.map_err(|error| fault::of(error).inside())
    }

    /// Undoes what an abandoned unit left.
    async fn clean(&self, desk: &mut Desk) {
        if !desk.savepoint {
            return;
        }
        let undone = async {
            self.simple(desk, "ROLLBACK TO unit").await?;
            self.simple(desk, "RELEASE unit").await
        };
        match undone.await {
            Ok(()) => desk.savepoint = false,
            Err(error) => self.give_up(desk, &error.to_string()),
        }
    }

    /// Nothing is known about the connection any more: closing it rolls back.
    fn give_up(&self, desk: &mut Desk, why: &str) {
        desk.savepoint = false;
        desk.conn = None;
        if let Some(batch) = desk.batch.take() {
            for answer in batch.answers {
                // A unit that no longer waits needs no answer.
                let _ = answer.send(Err(why.to_owned()));
            }
        }
    }

    /// Ends the transaction, if there is one, and answers those who wait.
    async fn end(&self, desk: &mut Desk) {
        let Some(batch) = &desk.batch else { return };
        let words = if batch.units > 0 { "COMMIT" } else { "ROLLBACK" };
        if batch.units > 0 {
            self.commits.fetch_add(1, Ordering::Relaxed);
            self.connector.metrics.batches.observe(f64::from(batch.units));
        }
        match self.simple(desk, words).await {
            Ok(()) => {
                for answer in desk.batch.take().map(|b| b.answers).unwrap_or_default() {
                    let _ = answer.send(Ok(()));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "units of work could not be committed");
                // Never reuse a connection whose COMMIT failed: rolling back by
                // closing it is certain.
                if let Some(conn) = desk.conn.take() {
                    conn.close().await;
                }
                self.give_up(desk, &error.to_string());
            }
        }
    }

    /// Ends the transaction when it is time to, else sees to it that somebody
    /// will.
    async fn settle(&self, desk: &mut Desk) {
        let due = desk.batch.as_ref().is_some_and(|batch| {
            self.waiting.load(Ordering::SeqCst) == 0
                || batch.units >= MOST_UNITS
                || batch.since.elapsed() >= LONGEST
        });
        if due {
            self.end(desk).await;
        } else {
            self.left.notify_one();
        }
    }

    pub(crate) async fn close(self: &Arc<Writer>) {
        let mut desk = self.desk.clone().lock_owned().await;
        self.clean(&mut desk).await;
        self.end(&mut desk).await;
        desk.closed = true;
        if let Some(conn) = desk.conn.take() {
            conn.close().await;
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(sweeper) = self.sweeper.lock().take() {
            sweeper.abort();
        }
    }
}

impl Turn {
    pub(crate) fn conn(&mut self) -> Result<&mut Conn, StoreError> {
        self.desk.conn.as_mut().ok_or(StoreError::Doomed)
    }

    /// Keeps the unit's work; returns after the COMMIT that includes it.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        let (sender, answer) = oneshot::channel();
        // On a task of its own: a COMMIT that is sent must be accounted for,
        // even if nobody waits for it any more.
        tokio::spawn(self.release(sender));
        match timed(statement!("COMMIT"), answer).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(why)) => Err(StoreError::Retry(why)),
            Err(_) => Err(StoreError::Retry("the transaction was given up".to_owned())),
        }
    }

    async fn release(mut self, answer: oneshot::Sender<Result<(), String>>) {
        let writer = self.writer.clone();
        if let Err(error) = writer.simple(&mut self.desk, "RELEASE unit").await {
            writer.give_up(&mut self.desk, &error.to_string());
            return;
        }
        self.desk.savepoint = false;
        if let Some(batch) = self.desk.batch.as_mut() {
            batch.units += 1;
            batch.answers.push(answer);
        }
        writer.settle(&mut self.desk).await;
    }

    /// Undoes the unit's work.
    pub(crate) async fn rollback(mut self) {
        let undo = async move {
            let writer = self.writer.clone();
            writer.clean(&mut self.desk).await;
            writer.settle(&mut self.desk).await;
        };
        // As in `commit`: it may COMMIT the work of others.
        if let Err(error) = tokio::spawn(undo).await {
            tracing::warn!(%error, "a rollback was given up");
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.desk.savepoint {
            self.writer.left.notify_one();
        }
    }
}
