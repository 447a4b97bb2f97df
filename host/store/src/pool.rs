//! Connections that are kept open.
//!
//! A pool of its own, because a general one tests a connection whenever it is
//! handed out or back: that would be a round trip more for each unit of work.
//! Here a connection goes back only when its user knows it to be idle; any other
//! is closed, and one that turns out dead takes all idle ones with it.

use crate::StoreError;
use crate::connection::{Conn, Connector};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections for one purpose.
pub(crate) struct Pool {
    connector: Connector,
    permits: Arc<Semaphore>,
    size: u32,
    idle: Mutex<Vec<Conn>>,
    patience: Duration,
}

/// A connection in use. Dropped, it is closed; see `give_back`.
pub(crate) struct Lease {
    pub(crate) conn: Conn,
    pool: Arc<Pool>,
    permit: OwnedSemaphorePermit,
}

impl Pool {
    pub(crate) fn new(connector: Connector, size: u32, patience: Duration) -> Arc<Pool> {
        let size = size.max(1);
        let permits = Arc::new(Semaphore::new(usize::try_from(size).unwrap_or(usize::MAX)));
        Arc::new(Pool { connector, permits, size, idle: Mutex::new(Vec::new()), patience })
    }

    /// Waits for a free place, first come first served.
    pub(crate) async fn lease(self: &Arc<Pool>) -> Result<Lease, StoreError> {
        let until = Instant::now() + self.patience;
        let place = tokio::time::timeout(self.patience, self.permits.clone().acquire_owned());
        let metrics = &self.connector.metrics;
        let permit = metrics
            .wait(place)
            .await
            .map_err(|_| StoreError::Unavailable("all connections are in use".to_owned()))?
            .map_err(|_| StoreError::Unavailable("the store is closed".to_owned()))?;
        let idle = self.idle.lock().pop();
        let conn = match idle {
            Some(conn) => conn,
            None => self.connector.connect(until).await?,
        };
        Ok(Lease { conn, pool: self.clone(), permit })
    }

    /// After a connection was found dead: the others most likely are too.
    pub(crate) fn forget_idle(&self) {
        self.idle.lock().clear();
    }

    /// Waits until nothing is under way, then closes.
    pub(crate) async fn close(&self) {
        let all = tokio::time::timeout(self.patience, self.permits.acquire_many(self.size)).await;
        self.permits.close();
        drop(all);
        let idle = std::mem::take(&mut *self.idle.lock());
        for conn in idle {
            conn.close().await;
        }
    }
}

impl Lease {
    /// Nothing is under way on the connection: it can be used again.
    pub(crate) fn give_back(self) {
        if !self.pool.permits.is_closed() {
            self.pool.idle.lock().push(self.conn);
        }
        drop(self.permit);
    }

    /// The connection is dead.
    pub(crate) fn lost(self) {
        self.pool.forget_idle();
    }
}
