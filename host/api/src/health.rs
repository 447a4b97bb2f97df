//! Whether the server lives, and whether it should be given requests: asked by
//! load balancers and orchestrators, without authentication.

use crate::error::json_answer;
use axum::http::StatusCode;
use axum::response::Response;
use hadron_runtime::{BusState, Runtime};
use hadron_store::Store;
use serde_json::json;

/// `GET /healthcheck`, in Neutron's words.
pub(crate) async fn neutron(store: &Store) -> Response {
    match store.ping().await {
        Ok(()) => json_answer(StatusCode::OK, &json!({"detailed": false, "reasons": ["OK"]})),
        Err(error) => {
            tracing::warn!(%error, "the database does not answer");
            let reasons = json!({"detailed": false, "reasons": ["The database does not answer"]});
            json_answer(StatusCode::SERVICE_UNAVAILABLE, &reasons)
        }
    }
}

/// `GET /healthz`: the process answers. A server whose database is away is not
/// helped by a restart, so that is not asked here.
pub(crate) fn alive() -> Response {
    json_answer(StatusCode::OK, &json!({"status": "alive"}))
}

/// `GET /readyz`: the database answers, there are plugins, and the server does
/// not stop. What is wrong is named; a component that was refused and a message
/// broker that is away are told, and are no reason to take the server out: others
/// serve, and messages wait in the journal.
pub(crate) async fn ready(runtime: &Runtime, draining: bool) -> Response {
    let set = runtime.plugins();
    let database = runtime.store().ping().await;
    if let Err(error) = &database {
        tracing::warn!(%error, "the database does not answer");
    }
    let serves = set.refused.is_empty() || set.collections().next().is_some();
    let reasons: Vec<&str> = [
        (database.is_err(), "the database does not answer"),
        (!serves, "no plugin that serves a resource could be loaded"),
        (draining, "the server is stopping"),
    ]
    .into_iter()
    .filter_map(|(wrong, reason)| wrong.then_some(reason))
    .collect();
    let (code, status) = match reasons.is_empty() {
        true => (StatusCode::OK, "ready"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
    };
    let plugins = json!({"loaded": set.plugins.len(), "refused": set.refused.len()});
    let bus = match runtime.bus_state() {
        BusState::InProcess => json!({"state": "in process"}),
        BusState::Connected => json!({"state": "connected"}),
        BusState::Away(reason) => json!({"state": "away", "reason": reason}),
    };
    json_answer(code, &json!({"status": status, "reasons": reasons, "plugins": plugins, "bus": bus}))
}
