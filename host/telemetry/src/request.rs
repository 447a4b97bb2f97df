//! The request that is being worked on: its ids and its bill.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tracing::Instrument;

tokio::task_local! {
    static CURRENT: Arc<Request>;
}

/// A request of a client, or work that the server does by itself.
#[derive(Debug)]
pub struct Request {
    /// `req-` and a UUID; ours.
    pub id: String,
    /// The id that the first service of a chain gave it, where it gave one.
    pub global_id: Option<String>,
    /// The template of its path, once that is known: a label of few values.
    pub route: OnceLock<String>,
    /// What it cost so far.
    pub bill: Bill,
}

/// What a request cost. Times are of the request, not of processors: two that
/// wait for the same COMMIT both waited.
#[derive(Debug, Default)]
pub struct Bill {
    plugins: AtomicU64,
    database: AtomicU64,
    waiting: AtomicU64,
    statements: AtomicU64,
}

impl Bill {
    /// Guest time: exact, host calls not counted.
    pub fn plugins(&self) -> Duration {
        Duration::from_nanos(self.plugins.load(Ordering::Relaxed))
    }

    /// Statements and COMMITs, from sending to the answer.
    pub fn database(&self) -> Duration {
        Duration::from_nanos(self.database.load(Ordering::Relaxed))
    }

    /// Waiting for a place among the admitted units, for a connection, or for
    /// the turn to write.
    pub fn waiting(&self) -> Duration {
        Duration::from_nanos(self.waiting.load(Ordering::Relaxed))
    }

    /// Statements sent.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }
}

impl Request {
    /// A request with a fresh bill.
    pub fn new(id: String, global_id: Option<String>) -> Arc<Request> {
        Arc::new(Request { id, global_id, route: OnceLock::new(), bill: Bill::default() })
    }

    /// The one that is being worked on here.
    pub fn current() -> Option<Arc<Request>> {
        CURRENT.try_with(Arc::clone).ok()
    }

    /// What other services are told: the id of the whole chain, so that their
    /// log lines are found by it.
    pub fn outgoing_id(&self) -> &str {
        self.global_id.as_deref().unwrap_or(&self.id)
    }

    /// Does the work as this request's.
    pub async fn scope<T>(self: Arc<Request>, work: impl Future<Output = T>) -> T {
        CURRENT.scope(self, work).await
    }
}

/// Adds to the bill of the current request.
pub mod spent {
    use super::{AtomicU64, Bill, CURRENT, Duration, Ordering};

    fn add(place: impl Fn(&Bill) -> &AtomicU64, amount: u64) {
        // Work outside a request has no bill.
        let _ = CURRENT.try_with(|request| place(&request.bill).fetch_add(amount, Ordering::Relaxed));
    }

    fn nanoseconds(time: Duration) -> u64 {
        u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
    }

    /// Guest time.
    pub fn in_plugins(time: Duration) {
        add(|bill| &bill.plugins, nanoseconds(time));
    }

    /// Time until the database answered.
    pub fn in_database(time: Duration) {
        add(|bill| &bill.database, nanoseconds(time));
    }

    /// Time until there was a place, a connection, or a turn.
    pub fn waiting(time: Duration) {
        add(|bill| &bill.waiting, nanoseconds(time));
    }

    /// One statement.
    pub fn a_statement() {
        add(|bill| &bill.statements, 1);
    }
}

/// Work for a task of its own that stays the current request's: with its span,
/// its ids and its bill.
pub fn carried<T>(work: impl Future<Output = T> + Send) -> impl Future<Output = T> + Send {
    let request = Request::current();
    let work = work.in_current_span();
    async move {
        match request {
            Some(request) => request.scope(work).await,
            None => work.await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_of_its_own_adds_to_the_bill_of_the_request() {
        let request = Request::new("req-1".to_owned(), None);
        let work = async {
            spent::a_statement();
            let task = tokio::spawn(carried(async {
                spent::a_statement();
                spent::in_database(Duration::from_millis(3));
            }));
            let stranger = tokio::spawn(async { spent::a_statement() });
            (task.await.unwrap(), stranger.await.unwrap())
        };
        request.clone().scope(work).await;
        assert_eq!(request.bill.statements(), 2);
        assert_eq!(request.bill.database(), Duration::from_millis(3));
        assert!(Request::current().is_none());
    }

    #[test]
    fn other_services_are_told_the_id_of_the_whole_chain() {
        assert_eq!(Request::new("req-1".to_owned(), None).outgoing_id(), "req-1");
        assert_eq!(Request::new("req-1".to_owned(), Some("req-0".to_owned())).outgoing_id(), "req-0");
    }
}
