//! A slow switch that is told of many ports in one session, as
//! `examples/batching-switch` drives it.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use hadron_sdk_testing::{Error, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// How the switch takes sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// At once.
    Quick,
    /// So slowly.
    Slow(Duration),
    /// It fails after half of each.
    Failing,
}

/// A session that was opened.
#[derive(Clone, Debug)]
pub struct Opened {
    /// When.
    pub at: Instant,
    /// Its id.
    pub session: String,
    /// Ports that it told of.
    pub ports: Vec<String>,
    /// Whether the switch took all of it.
    pub taken: bool,
}

#[derive(Default)]
struct Inner {
    pace: Option<Pace>,
    opened: Vec<Opened>,
    ports: BTreeMap<String, Value>,
}

type Shared = Arc<Mutex<Inner>>;

/// The switch; gone when dropped.
pub struct SlowSwitch {
    url: String,
    inner: Shared,
    server: JoinHandle<()>,
}

fn lock(shared: &Shared) -> MutexGuard<'_, Inner> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SlowSwitch {
    /// A quick one, on a port of its own.
    pub async fn start() -> Result<SlowSwitch> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.map_err(Error::new)?;
        let url = format!("http://{}", listener.local_addr().map_err(Error::new)?);
        let inner = Shared::default();
        let router = Router::new().route("/v1/sessions", post(session)).with_state(inner.clone());
        let server = tokio::spawn(async move {
            // Ends with the task.
            let _ = axum::serve(listener, router).await;
        });
        Ok(SlowSwitch { url, inner, server })
    }

    /// Scheme, host and port: what an operator grants.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where the driver sends to.
    pub fn endpoint(&self) -> String {
        format!("{}/v1", self.url)
    }

    /// Changes its pace.
    pub fn set(&self, pace: Pace) {
        lock(&self.inner).pace = Some(pace);
    }

    /// Sessions that were opened, in order.
    pub fn opened(&self) -> Vec<Opened> {
        lock(&self.inner).opened.clone()
    }

    /// Ports that it has, and what they are.
    pub fn ports(&self) -> BTreeMap<String, Value> {
        lock(&self.inner).ports.clone()
    }
}

impl Drop for SlowSwitch {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn session(State(shared): State<Shared>, Json(body): Json<Value>) -> StatusCode {
    let changes = body.get("changes").and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let (place, pace) = {
        let mut inner = lock(&shared);
        inner.opened.push(Opened {
            at: Instant::now(),
            session: text(body.get("session")),
            ports: changes.iter().map(|change| text(change.get("port"))).collect(),
            taken: false,
        });
        (inner.opened.len() - 1, inner.pace.unwrap_or(Pace::Quick))
    };
    if let Pace::Slow(time) = pace {
        tokio::time::sleep(time).await;
    }
    let taken = if pace == Pace::Failing { changes.len() / 2 } else { changes.len() };
    let mut inner = lock(&shared);
    for change in changes.iter().take(taken) {
        let port = text(change.get("port"));
        match change.get("is").filter(|is| !is.is_null()) {
            Some(is) => drop(inner.ports.insert(port, is.clone())),
            None => drop(inner.ports.remove(&port)),
        }
    }
    if pace == Pace::Failing {
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    if let Some(opened) = inner.opened.get_mut(place) {
        opened.taken = true;
    }
    StatusCode::NO_CONTENT
}
