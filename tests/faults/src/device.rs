//! The device behind the recording driver: it remembers every request in order,
//! refuses what is named so, and can be told to hang up at a chosen one.

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::routing::put;
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// What a name has in it when the device is to refuse its creation.
pub const REFUSED: &str = "unwanted";

/// A row as the device knows it: its kind (`ports`) and its id.
pub type Key = (String, String);

/// A running device; ends when it is dropped.
pub struct Device {
    url: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    memory: Mutex<Memory>,
    interrupted: Notify,
}

/// What the device was told.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// What is on it now: the last body put there.
    pub present: BTreeMap<Key, Value>,
    /// What was taken off it, and in which life of the server.
    pub removed: BTreeMap<Key, u64>,
    /// Requests that came in an order in which they must not: a sentence each.
    pub disorder: Vec<String>,
    /// How many servers there were. A server that starts again repeats what its
    /// predecessor may not have written down as done, so that what was taken
    /// off may come back for a moment; within one life it may not.
    life: u64,
    /// Requests so far.
    pub requests: u64,
    /// Creations it refused.
    pub refusals: u64,
    /// After so many more requests that change something the next one is not
    /// answered.
    countdown: Option<u64>,
    /// How long it takes to put something there.
    slowness: Duration,
}

impl Device {
    /// Starts it on a free port.
    pub async fn start() -> Result<Device> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.context("a port for the device")?;
        let url = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared::default());
        let router =
            Router::new().route("/{kind}/{id}", put(receive).delete(remove)).with_state(shared.clone());
        let task = tokio::spawn(async move {
            // Ends only when it is aborted.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Device { url, shared, task })
    }

    /// Where the driver reaches it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it was told so far.
    pub fn memory(&self) -> Memory {
        self.shared.memory.lock().clone()
    }

    /// Changes its memory behind everyone's back, to show that a checker finds
    /// out.
    pub fn tamper(&self, change: impl FnOnce(&mut Memory)) {
        change(&mut self.shared.memory.lock());
    }

    /// Another server process sends from now on.
    pub fn new_life(&self) {
        self.shared.memory.lock().life += 1;
    }

    /// Takes so many more requests, keeps the one after them unanswered, and
    /// then returns: a delivery is under way.
    pub async fn interrupt_after(&self, requests: u64) {
        self.shared.memory.lock().countdown = Some(requests);
        self.shared.interrupted.notified().await;
    }

    /// Takes so long, from now on, before something is there; taking it off
    /// again is at once.
    pub fn slow_down(&self, slowness: Duration) {
        self.shared.memory.lock().slowness = slowness;
    }

    /// Answers every request again.
    pub fn go_on(&self) {
        self.shared.memory.lock().countdown = None;
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    /// Counts down to the request that is not answered; whether this is it.
    fn hangs(&self) -> bool {
        let mut memory = self.memory.lock();
        memory.requests += 1;
        match memory.countdown {
            Some(0) => true,
            Some(left) => {
                memory.countdown = Some(left - 1);
                false
            }
            None => false,
        }
    }

    /// Tells whoever waits for it, and never answers.
    async fn hang(&self) -> StatusCode {
        self.interrupted.notify_one();
        std::future::pending().await
    }
}

async fn receive(
    State(shared): State<Arc<Shared>>,
    Path(key): Path<Key>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> StatusCode {
    let Ok(body) = serde_json::from_slice::<Value>(&body) else { return StatusCode::BAD_REQUEST };
    let slowness = shared.memory.lock().slowness;
    tokio::time::sleep(slowness).await;
    let creates = query.as_deref() == Some("create");
    let wanted = !body["name"].as_str().is_some_and(|name| name.contains(REFUSED));
    if wanted || !creates {
        // Done before the answer, so that the answer alone is lost.
        shared.memory.lock().put(key, body);
    } else {
        shared.memory.lock().refusals += 1;
    }
    match (shared.hangs(), wanted || !creates) {
        (true, _) => shared.hang().await,
        (false, true) => StatusCode::OK,
        (false, false) => StatusCode::CONFLICT,
    }
}

async fn remove(State(shared): State<Arc<Shared>>, Path(key): Path<Key>) -> StatusCode {
    shared.memory.lock().remove(key);
    match shared.hangs() {
        true => shared.hang().await,
        false => StatusCode::NO_CONTENT,
    }
}

impl Memory {
    fn put(&mut self, key: Key, body: Value) {
        if self.removed_in_this_life(&key) {
            self.disorder.push(format!("{} {} was put after it had been taken off", key.0, key.1));
        }
        if let Some(network) = body["network"].as_str() {
            let network = ("networks".to_owned(), network.to_owned());
            let repeated = self.removed.contains_key(&network) && !self.removed_in_this_life(&network);
            if !self.present.contains_key(&network) && !repeated {
                self.disorder.push(format!(
                    "{} {} was put while its network {} was not there",
                    key.0, key.1, network.1
                ));
            }
        }
        self.present.insert(key, body);
    }

    fn remove(&mut self, key: Key) {
        if key.0 == "networks"
            && let Some((user, _)) = self.present.iter().find(|(_, body)| body["network"] == key.1.as_str())
        {
            self.disorder
                .push(format!("network {} was taken off while {} {} was on it", key.1, user.0, user.1));
        }
        self.present.remove(&key);
        self.removed.insert(key, self.life);
    }

    fn removed_in_this_life(&self, key: &Key) -> bool {
        self.removed.get(key).is_some_and(|life| *life == self.life)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn key(kind: &str) -> Key {
        (kind.to_owned(), format!("{kind}-id"))
    }

    #[test]
    fn what_comes_in_order_is_no_disorder_even_twice() {
        let mut memory = Memory::default();
        memory.put(key("networks"), json!({"name": "a"}));
        memory.put(key("networks"), json!({"name": "a"}));
        memory.put(key("ports"), json!({"name": "b", "network": "networks-id"}));
        memory.remove(key("ports"));
        memory.remove(key("ports"));
        memory.remove(key("networks"));
        assert!(memory.disorder.is_empty(), "{:?}", memory.disorder);
        assert!(memory.present.is_empty());
    }

    #[test]
    fn each_wrong_order_is_told() {
        let mut memory = Memory::default();
        memory.put(key("ports"), json!({"name": "b", "network": "networks-id"}));
        assert!(memory.disorder[0].contains("its network networks-id was not there"));
        memory.remove(key("networks"));
        assert!(memory.disorder[1].contains("was taken off while ports ports-id was on it"));
        memory.remove(key("ports"));
        memory.put(key("ports"), json!({"name": "b"}));
        assert!(memory.disorder[2].contains("after it had been taken off"));
    }

    #[test]
    fn a_server_that_starts_again_may_repeat_itself() {
        let mut memory = Memory::default();
        memory.put(key("networks"), json!({"name": "a"}));
        memory.put(key("ports"), json!({"name": "b", "network": "networks-id"}));
        memory.remove(key("ports"));
        memory.remove(key("networks"));
        memory.life += 1;
        memory.put(key("ports"), json!({"name": "b", "network": "networks-id"}));
        memory.remove(key("ports"));
        assert!(memory.disorder.is_empty(), "{:?}", memory.disorder);
    }
}
