//! Journal entries that this server has in hand: queued, or being attempted.
//!
//! A lease may end while an entry waits behind a slow device, or within a slow
//! call. Its own server must not take it up a second time: the second attempt
//! would come after what had waited for the first. And what voids entries, the
//! undoing of a create, waits until nobody is about to deliver them.

use parking_lot::Mutex;
use std::collections::HashSet;
use std::sync::Arc;
use tokio::sync::Notify;

/// The ids in hand. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Hand(Arc<Inner>);

#[derive(Default)]
struct Inner {
    ids: Mutex<HashSet<String>>,
    freed: Notify,
}

/// Entries held; put down one by one, or all when dropped.
pub(crate) struct Held {
    ids: HashSet<String>,
    hand: Hand,
}

impl Hand {
    /// Takes up those of the entries that are not in hand already.
    pub(crate) fn take(&self, ids: impl IntoIterator<Item = String>) -> Held {
        let mut hand = self.0.ids.lock();
        let ids = ids.into_iter().filter(|id| hand.insert(id.clone())).collect();
        Held { ids, hand: self.clone() }
    }

    /// Takes up all of the entries, once nobody else has any of them.
    pub(crate) async fn take_all(&self, ids: &[String]) -> Held {
        loop {
            let mut freed = std::pin::pin!(self.0.freed.notified());
            freed.as_mut().enable();
            {
                let mut hand = self.0.ids.lock();
                if !ids.iter().any(|id| hand.contains(id)) {
                    hand.extend(ids.iter().cloned());
                    return Held { ids: ids.iter().cloned().collect(), hand: self.clone() };
                }
            }
            freed.await;
        }
    }
}

impl Held {
    /// Whether nothing is held.
    pub(crate) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Puts an entry down: whoever claims it may take it up.
    pub(crate) fn put_down(&mut self, id: &str) {
        if self.ids.remove(id) {
            self.hand.0.ids.lock().remove(id);
            self.hand.0.freed.notify_waiters();
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut hand = self.hand.0.ids.lock();
        for id in &self.ids {
            hand.remove(id);
        }
        drop(hand);
        self.hand.0.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_taken_up_once_until_it_is_put_down() {
        let hand = Hand::default();
        let mut first = hand.take(["a".to_owned(), "b".to_owned()]);
        assert!(hand.take(["a".to_owned()]).is_empty());
        first.put_down("a");
        let second = hand.take(["a".to_owned()]);
        assert!(!second.is_empty());
        drop(first);
        assert!(hand.take(["a".to_owned()]).is_empty(), "what the second holds stays");
        assert!(!hand.take(["b".to_owned()]).is_empty());
    }

    #[tokio::test]
    async fn who_wants_all_waits_for_those_who_have_some() {
        let hand = Hand::default();
        let one = hand.take(["a".to_owned()]);
        let all = tokio::spawn({
            let hand = hand.clone();
            async move { hand.take_all(&["a".to_owned(), "b".to_owned()]).await }
        });
        tokio::task::yield_now().await;
        assert!(!all.is_finished());
        drop(one);
        let all = all.await.unwrap();
        assert!(hand.take(["a".to_owned(), "b".to_owned()]).is_empty());
        drop(all);
    }
}
