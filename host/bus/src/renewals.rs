//! Losses of what was under way to this process.

use std::time::Duration;
use tokio::sync::watch;

/// Tells that queues of this process were declared anew: what was sent to them
/// since the connection was lost, and what a broker that restarted had not kept,
/// did not arrive. Who keeps a copy of something compares it then.
#[derive(Clone)]
pub struct Renewals(watch::Receiver<u64>);

impl Renewals {
    pub(crate) fn new(counted: watch::Receiver<u64>) -> Renewals {
        Renewals(counted)
    }

    /// Waits for the next, and then for a time by chance, of half of `spread` to
    /// all of it, in which others are the same one: all who lost a broker find it
    /// again at the same moment, and must not all ask then. False when the bus has
    /// ended.
    pub async fn next(&mut self, spread: Duration) -> bool {
        if self.0.changed().await.is_err() {
            return false;
        }
        tokio::time::sleep(spread.mul_f64(rand::random_range(0.5..=1.0))).await;
        self.0.mark_unchanged();
        true
    }
}
