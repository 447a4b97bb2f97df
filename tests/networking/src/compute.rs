//! The compute service, as far as Neutron speaks to it: what Nova is told of
//! ports.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use hadron_sdk_testing::{Error, Result, until};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;

/// How Nova answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// It takes every event.
    Well,
    /// It takes none of these events, and says so of each (207).
    Unprocessable,
    /// It knows none of the instances (404).
    Unknown,
    /// It is not well (503).
    Away,
}

struct Inner {
    mood: Mood,
    asked: u64,
    tokens: Vec<String>,
    heard: Vec<Value>,
}

type Shared = Arc<Mutex<Inner>>;

/// Nova's API for events; gone when dropped.
pub struct Nova {
    url: String,
    inner: Shared,
    server: JoinHandle<()>,
}

fn lock(shared: &Shared) -> MutexGuard<'_, Inner> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Nova {
    /// One that is well, on a port of its own.
    pub async fn start() -> Result<Nova> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.map_err(Error::new)?;
        let url = format!("http://{}", listener.local_addr().map_err(Error::new)?);
        let inner =
            Arc::new(Mutex::new(Inner { mood: Mood::Well, asked: 0, tokens: Vec::new(), heard: Vec::new() }));
        let router =
            Router::new().route("/v2.1/os-server-external-events", post(hear)).with_state(inner.clone());
        let server = tokio::spawn(async move {
            // Ends with the task.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Nova { url, inner, server })
    }

    /// Scheme, host and port: what an operator grants.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its API.
    pub fn endpoint(&self) -> String {
        format!("{}/v2.1", self.url)
    }

    /// Changes its mood.
    pub fn set(&self, mood: Mood) {
        lock(&self.inner).mood = mood;
    }

    /// How often it was asked.
    pub fn asked(&self) -> u64 {
        lock(&self.inner).asked
    }

    /// The token of each request.
    pub fn tokens(&self) -> Vec<String> {
        lock(&self.inner).tokens.clone()
    }

    /// Names of the events that it took about a port, in order.
    pub fn heard(&self, port: &str) -> Vec<String> {
        let heard = lock(&self.inner).heard.clone();
        let about = heard.iter().filter(|event| event["tag"] == json!(port));
        about.map(|event| event["name"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// The events that it took.
    pub fn events(&self) -> Vec<Value> {
        lock(&self.inner).heard.clone()
    }

    /// Waits until it has heard exactly these about a port.
    pub async fn hears(&self, port: &str, names: &[&str]) -> Result<()> {
        let told = until("Nova to hear it", Duration::from_secs(20), || async {
            Ok((self.heard(port) == names).then_some(()))
        });
        told.await.map_err(|_| Error::new(format!("Nova heard {:?} instead of {names:?}", self.heard(port))))
    }
}

impl Drop for Nova {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn hear(State(shared): State<Shared>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let mut inner = lock(&shared);
    inner.asked += 1;
    let token = headers.get("x-auth-token").and_then(|token| token.to_str().ok()).unwrap_or_default();
    inner.tokens.push(token.to_owned());
    let events = body["events"].as_array().cloned().unwrap_or_default();
    let answered = |code: u16| {
        let mut answered = events.clone();
        answered.iter_mut().for_each(|event| event["code"] = json!(code));
        Json(json!({"events": answered}))
    };
    match inner.mood {
        Mood::Well => {
            inner.heard.extend(events.clone());
            answered(200).into_response()
        }
        Mood::Unprocessable => (StatusCode::MULTI_STATUS, answered(422)).into_response(),
        Mood::Unknown => {
            let message = "No instances found for any event";
            (StatusCode::NOT_FOUND, Json(json!({"itemNotFound": {"message": message, "code": 404}})))
                .into_response()
        }
        Mood::Away => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}
