//! The identity service, as far as the client asks it about projects.

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use hadron_sdk_testing::{Error, Result};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// Keystone's API for projects, of which there is every one that is asked for;
/// gone when dropped.
pub struct Identity {
    url: String,
    server: JoinHandle<()>,
}

impl Identity {
    /// One on a port of its own.
    pub async fn start() -> Result<Identity> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.map_err(Error::new)?;
        let url = format!("http://{}/v3", listener.local_addr().map_err(Error::new)?);
        let router = Router::new()
            .route("/v3", get(version))
            .route("/v3/projects/{id}", get(project))
            .with_state(url.clone());
        let server = tokio::spawn(async move {
            // Ends with the task.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Identity { url, server })
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn version(State(url): State<String>) -> Json<Value> {
    let links = json!([{"rel": "self", "href": url}]);
    Json(json!({"version": {"id": "v3.14", "status": "stable", "links": links}}))
}

async fn project(Path(id): Path<String>) -> Json<Value> {
    Json(json!({"project": {"id": id, "name": id}}))
}
