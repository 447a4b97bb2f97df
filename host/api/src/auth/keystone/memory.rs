//! Answers that are remembered for a while, and asked for once however many
//! wait for them.

use super::session::Failure;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Answers that are kept; when there is no room, further ones are not.
const ROOM: usize = 20_000;

/// Between two times that room is made.
const PAUSE: Duration = Duration::from_secs(1);

/// Answers by what was asked.
pub(super) struct Memory<K, V>(Mutex<Answers<K, V>>);

struct Answers<K, V> {
    by_key: HashMap<K, Asked<V>>,
    swept: Instant,
}

/// A question under way, or its answer.
type Asked<V> = Shared<BoxFuture<'static, Known<V>>>;

#[derive(Clone)]
struct Known<V> {
    answer: Result<V, Arc<Failure>>,
    until: Instant,
}

impl<K: Eq + Hash, V: Clone + Send + Sync + 'static> Memory<K, V> {
    /// Knows nothing.
    pub(super) fn new() -> Memory<K, V> {
        Memory(Mutex::new(Answers { by_key: HashMap::new(), swept: Instant::now() }))
    }

    /// What is remembered, or what `ask` finds out and for how long it holds.
    /// A failure is told to all that wait for it, and forgotten.
    pub(super) async fn get<F>(&self, key: K, ask: impl FnOnce() -> F) -> Result<V, Arc<Failure>>
    where
        F: Future<Output = Result<(V, Duration), Arc<Failure>>> + Send + 'static,
    {
        let asked = self.asked(key, ask);
        asked.await.answer
    }

    /// Forgets the answer, if it is still this one.
    pub(super) fn forget(&self, key: &K, this: impl FnOnce(&V) -> bool) {
        let mut answers = self.0.lock();
        let known = answers.by_key.get(key).and_then(|asked| asked.peek());
        if known.is_some_and(|known| known.answer.as_ref().is_ok_and(this)) {
            answers.by_key.remove(key);
        }
    }

    fn asked<F>(&self, key: K, ask: impl FnOnce() -> F) -> Asked<V>
    where
        F: Future<Output = Result<(V, Duration), Arc<Failure>>> + Send + 'static,
    {
        let now = Instant::now();
        let mut answers = self.0.lock();
        if let Some(asked) = answers.by_key.get(&key).filter(|asked| holds(asked, now)) {
            return asked.clone();
        }
        if answers.by_key.len() >= ROOM && now > answers.swept + PAUSE {
            answers.by_key.retain(|_, asked| holds(asked, now));
            answers.swept = now;
        }
        // On a task of its own: who asked first may hang up, and others wait. It
        // is told as the first one's.
        let task = tokio::spawn(hadron_telemetry::carried(ask()));
        let asked = async move {
            let found = task.await.unwrap_or_else(|e| Err(Arc::new(Failure::Answer(e.to_string()))));
            let now = Instant::now();
            match found {
                Ok((value, life)) => Known { answer: Ok(value), until: now + life },
                Err(failure) => Known { answer: Err(failure), until: now },
            }
        };
        let asked = asked.boxed().shared();
        if answers.by_key.len() < ROOM {
            answers.by_key.insert(key, asked.clone());
        }
        asked
    }
}

/// Whether there is no need to ask again.
fn holds<V: Clone>(asked: &Asked<V>, now: Instant) -> bool {
    asked.peek().is_none_or(|known| known.until > now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn who_hangs_up_does_not_take_the_answer_away() {
        let (memory, asked) = (Memory::new(), Arc::new(AtomicUsize::new(0)));
        let ask = || {
            let asked = asked.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Ok((asked.fetch_add(1, Ordering::SeqCst), Duration::from_secs(60)))
            }
        };
        let gone = tokio::time::timeout(Duration::from_millis(5), memory.get("k", ask)).await;
        assert!(gone.is_err());
        assert_eq!(memory.get("k", ask).await.unwrap(), 0);
        assert_eq!(memory.get("k", ask).await.unwrap(), 0);
        assert_eq!(memory.get("other", ask).await.unwrap(), 1);
        memory.forget(&"k", |known| *known == 7);
        assert_eq!(memory.get("k", ask).await.unwrap(), 0);
        memory.forget(&"k", |known| *known == 0);
        assert_eq!(memory.get("k", ask).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_failure_is_shared_and_not_remembered() {
        let memory = Memory::new();
        let fail = || async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Err::<(u8, Duration), _>(Arc::new(Failure::Silent("down".into())))
        };
        let (one, two) = tokio::join!(memory.get("k", fail), memory.get("k", fail));
        assert!(Arc::ptr_eq(&one.unwrap_err(), &two.unwrap_err()));
        let well = || async { Ok((1u8, Duration::ZERO)) };
        assert_eq!(memory.get("k", well).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn there_is_an_end_to_what_is_remembered() {
        let memory = Memory::new();
        let began = Instant::now();
        // However long this takes, nothing is swept meanwhile.
        memory.0.lock().swept = began + Duration::from_secs(3600);
        let short = || async { Ok(((), Duration::ZERO)) };
        for key in 0..ROOM + 10 {
            memory.get(key, short).await.unwrap();
        }
        assert_eq!(memory.0.lock().by_key.len(), ROOM);
        memory.0.lock().swept = began - PAUSE - PAUSE;
        memory.get(ROOM + 20, short).await.unwrap();
        assert_eq!(memory.0.lock().by_key.len(), 1);
    }
}
