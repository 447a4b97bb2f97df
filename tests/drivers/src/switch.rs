//! A top-of-rack switch with an HTTP interface, as `examples/rust-switch` drives
//! it: it remembers what it was told, and can be in a bad mood.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use hadron_sdk_testing::{Error, Result};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Longer than any driver waits.
const STALL: Duration = Duration::from_secs(60);

/// How the switch answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mood {
    /// It does what it is told.
    Well,
    /// It answers with this status and does nothing.
    Failing(u16),
    /// It does not answer.
    Stalling,
    /// It refuses (409) what has this name.
    Refusing(String),
}

/// One request that it did.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// `PUT` or `DELETE`.
    pub method: String,
    /// `networks`, `subnets` or `ports`.
    pub collection: String,
    /// The resource's id.
    pub id: String,
    /// The body; `null` of a `DELETE`.
    pub body: Value,
}

struct Inner {
    mood: Mood,
    told: Vec<Told>,
    asked: u64,
    headers: Vec<HeaderMap>,
}

type Shared = Arc<Mutex<Inner>>;

/// The switch; gone when dropped.
pub struct Switch {
    url: String,
    inner: Shared,
    server: JoinHandle<()>,
}

fn lock(shared: &Shared) -> MutexGuard<'_, Inner> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Switch {
    /// A switch that is well, on a port of its own.
    pub async fn start() -> Result<Switch> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.map_err(Error::new)?;
        let url = format!("http://{}", listener.local_addr().map_err(Error::new)?);
        let inner =
            Arc::new(Mutex::new(Inner { mood: Mood::Well, told: Vec::new(), asked: 0, headers: Vec::new() }));
        let router = Router::new().route("/v1/{collection}/{id}", any(answer)).with_state(inner.clone());
        let server = tokio::spawn(async move {
            // Ends with the task.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Switch { url, inner, server })
    }

    /// Scheme, host and port: what an operator grants.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where the driver sends to.
    pub fn endpoint(&self) -> String {
        format!("{}/v1", self.url)
    }

    /// Changes its mood.
    pub fn set(&self, mood: Mood) {
        lock(&self.inner).mood = mood;
    }

    /// What it did, in order.
    pub fn told(&self) -> Vec<Told> {
        lock(&self.inner).told.clone()
    }

    /// How often it was asked, done or not.
    pub fn asked(&self) -> u64 {
        lock(&self.inner).asked
    }

    /// This header of each request; empty where it is not sent.
    pub fn header(&self, name: &str) -> Vec<String> {
        let inner = lock(&self.inner);
        let values = inner.headers.iter().map(|headers| headers.get(name).and_then(|v| v.to_str().ok()));
        values.map(|value| value.unwrap_or_default().to_owned()).collect()
    }

    /// Places, in what it did, of requests about this resource.
    pub fn places(&self, method: &str, id: &str) -> Vec<usize> {
        let told = self.told();
        let about = told.iter().enumerate().filter(|(_, t)| t.method == method && t.id == id);
        about.map(|(place, _)| place).collect()
    }

    /// What it has now: the last body of each resource that was not deleted.
    pub fn has(&self, collection: &str) -> Vec<(String, Value)> {
        let mut has: Vec<(String, Value)> = Vec::new();
        for told in self.told().into_iter().filter(|t| t.collection == collection) {
            has.retain(|(id, _)| *id != told.id);
            if told.method == "PUT" {
                has.push((told.id, told.body));
            }
        }
        has
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(
    State(shared): State<Shared>,
    method: Method,
    Path((collection, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Option<Json<Value>>,
) -> Response {
    let body = body.map_or(Value::Null, |Json(body)| body);
    let mood = {
        let mut inner = lock(&shared);
        inner.asked += 1;
        inner.headers.push(headers);
        inner.mood.clone()
    };
    match mood {
        Mood::Failing(status) => {
            return StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response();
        }
        Mood::Stalling => tokio::time::sleep(STALL).await,
        Mood::Refusing(name) if body.get("name") == Some(&json!(name)) => {
            return (StatusCode::CONFLICT, Json(json!({"error": format!("no room for {name}")})))
                .into_response();
        }
        Mood::Refusing(_) | Mood::Well => {}
    }
    lock(&shared).told.push(Told { method: method.to_string(), collection, id, body });
    StatusCode::NO_CONTENT.into_response()
}
