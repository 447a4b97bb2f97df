//! The server's end of the control socket.

use super::wire::{Count, EntryView, JournalQuery, PluginView, Plugins, Problem, RetryQuery};
use crate::config::Config;
use crate::exit::Failure;
use crate::serve::{Reload, Reloaded, unix};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use hadron_api::{Api, Question, RuleView, Verdict};
use hadron_runtime::{AddOptions, Plugin, Refusal, Runtime, Status};
use hadron_store::{EntryFilter, StoreError};
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;
use tracing::info;

/// The largest component that can be added: those of languages with a runtime
/// of their own have some 20 MB.
const LARGEST: usize = 256 << 20;

/// How long commands under way may still take when the server stops.
const DRAIN: Duration = Duration::from_secs(5);

/// The kernel's limit on a socket's path, with its end.
const LONGEST_PATH: usize = 107;

/// What `GET /status` tells beside the plugins.
#[derive(Clone, Debug)]
pub(crate) struct About {
    address: SocketAddr,
    database: String,
    began: Instant,
}

impl About {
    /// Of a server that listens there.
    pub(crate) fn new(config: &Config, address: SocketAddr) -> About {
        About { address, database: config.shown_database(), began: Instant::now() }
    }
}

/// A control socket, not yet served.
pub(crate) struct Server {
    listener: UnixListener,
    path: PathBuf,
    router: Router,
}

#[derive(Clone)]
struct Shared {
    runtime: Runtime,
    api: Api,
    about: Arc<About>,
    reload: Reload,
}

impl Server {
    /// Makes the socket. The data folder is ours already, so a socket that is
    /// there was left by a server that crashed.
    pub(crate) fn bind(
        path: &FilePath,
        runtime: Runtime,
        api: Api,
        about: About,
        reload: Reload,
    ) -> Result<Server, Failure> {
        let shown = path.display();
        if path.as_os_str().len() > LONGEST_PATH {
            return Err(Failure::failed(format!(
                "the control socket's path {shown} is longer than {LONGEST_PATH} bytes: choose a shorter \
                 --data-folder"
            )));
        }
        let _ = std::fs::remove_file(path);
        let listener = UnixListener::bind(path)
            .and_then(|listener| {
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
                Ok(listener)
            })
            .map_err(|e| Failure::failed(format!("cannot make the control socket {shown}: {e}")))?;
        let router = router(Shared { runtime, api, about: Arc::new(about), reload });
        Ok(Server { listener, path: path.to_owned(), router })
    }

    /// Serves until `stop`.
    pub(crate) async fn serve(self, stop: CancellationToken) {
        unix(self.listener, self.router).serve(stop, DRAIN).await;
        let _ = std::fs::remove_file(&self.path);
    }
}

fn router(shared: Shared) -> Router {
    Router::new()
        .route("/status", get(status))
        .route("/reload", post(reload))
        .route("/plugins", get(list_plugins).post(add_plugin))
        .route("/plugins/{name}", get(show_plugin).put(upgrade_plugin).delete(remove_plugin))
        .route("/plugins/{name}/enable", post(enable_plugin))
        .route("/plugins/{name}/disable", post(disable_plugin))
        .route("/journal", get(list_journal))
        .route("/journal/retry", post(retry_journal))
        .route("/journal/{id}", get(show_journal).delete(drop_journal))
        .route("/policy", get(list_policy))
        .route("/policy/check", post(check_policy))
        .route("/policy/{name}", get(show_policy))
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(shared)
}

/// An answer other than the one that was asked for.
struct Refused(StatusCode, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(Problem { error: self.1 })).into_response()
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Refused {
        let status = match refusal.status {
            Status::Invalid => StatusCode::BAD_REQUEST,
            Status::Forbidden => StatusCode::FORBIDDEN,
            Status::NotFound => StatusCode::NOT_FOUND,
            Status::Conflict => StatusCode::CONFLICT,
            Status::Precondition => StatusCode::PRECONDITION_FAILED,
            Status::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Status::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Status::Other(code) => StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        };
        Refused(status, refusal.message)
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Refused {
        Refused(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

type Answer<T> = Result<Json<T>, Refused>;

async fn status(State(shared): State<Shared>) -> Json<Value> {
    let plugins = shared.runtime.plugins();
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "process": std::process::id(),
        "listen": shared.about.address,
        "database": shared.about.database,
        "database_answers": shared.runtime.store().ping().await.is_ok(),
        "statements": shared.runtime.store().statements(),
        "uptime_seconds": shared.about.began.elapsed().as_secs(),
        "plugins": plugins.plugins.len(),
        "refused": plugins.refused.len(),
    }))
}

async fn reload(State(shared): State<Shared>) -> Answer<Reloaded> {
    let reloaded = shared.reload.now().await;
    reloaded.map(Json).map_err(|problem| Refused(StatusCode::BAD_REQUEST, problem))
}

async fn list_plugins(State(shared): State<Shared>) -> Answer<Plugins> {
    let set = shared.runtime.plugins();
    let plugins = set.plugins.iter().map(|plugin| PluginView::of(plugin, None, false)).collect();
    Ok(Json(Plugins { plugins, refused: set.refused.clone() }))
}

async fn show_plugin(State(shared): State<Shared>, Path(name): Path<String>) -> Answer<PluginView> {
    let set = shared.runtime.plugins();
    let plugin = set
        .plugins
        .iter()
        .find(|plugin| plugin.manifest.name == name)
        .ok_or_else(|| Refused(StatusCode::NOT_FOUND, format!("there is no plugin '{name}'")))?;
    let pending = shared.runtime.store().journal().pending(&name).await.ok();
    Ok(Json(PluginView::of(plugin, pending, true)))
}

#[derive(Deserialize)]
struct AddQuery {
    /// `AddOptions` as JSON.
    options: String,
}

async fn add_plugin(
    State(shared): State<Shared>,
    Query(query): Query<AddQuery>,
    body: Bytes,
) -> Answer<PluginView> {
    let options: AddOptions = serde_json::from_str(&query.options)
        .map_err(|e| Refused(StatusCode::BAD_REQUEST, format!("the options cannot be read: {e}")))?;
    let plugin = shared.runtime.add(body.to_vec(), options).await?;
    told(&plugin, "added");
    Ok(Json(PluginView::of(&plugin, None, false)))
}

async fn upgrade_plugin(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    body: Bytes,
) -> Answer<PluginView> {
    let plugin = shared.runtime.upgrade(&name, body.to_vec()).await?;
    told(&plugin, "upgraded");
    Ok(Json(PluginView::of(&plugin, None, false)))
}

#[derive(Deserialize)]
struct RemoveQuery {
    #[serde(default)]
    drop_journal: bool,
}

async fn remove_plugin(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    Query(query): Query<RemoveQuery>,
) -> Answer<Value> {
    shared.runtime.remove(&name, query.drop_journal).await?;
    info!(plugin = name, "removed");
    Ok(Json(json!({ "removed": name })))
}

async fn enable_plugin(State(shared): State<Shared>, Path(name): Path<String>) -> Answer<PluginView> {
    let plugin = shared.runtime.set_enabled(&name, true).await?;
    told(&plugin, "enabled");
    Ok(Json(PluginView::of(&plugin, None, false)))
}

async fn disable_plugin(State(shared): State<Shared>, Path(name): Path<String>) -> Answer<PluginView> {
    let plugin = shared.runtime.set_enabled(&name, false).await?;
    told(&plugin, "disabled");
    Ok(Json(PluginView::of(&plugin, None, false)))
}

fn told(plugin: &Plugin, what: &str) {
    info!(plugin = plugin.manifest.name, version = plugin.manifest.version, "{what}");
}

async fn list_journal(
    State(shared): State<Shared>,
    Query(query): Query<JournalQuery>,
) -> Answer<Vec<EntryView>> {
    let filter = EntryFilter { target: query.plugin, resource: query.resource, limit: query.limit };
    let entries = shared.runtime.store().journal().list(&filter).await?;
    Ok(Json(entries.into_iter().map(|entry| EntryView::of(entry, false)).collect()))
}

fn no_entry(id: &str) -> Refused {
    Refused(
        StatusCode::NOT_FOUND,
        format!("the journal has no entry '{id}': it was delivered, dropped, or never was"),
    )
}

async fn show_journal(State(shared): State<Shared>, Path(id): Path<String>) -> Answer<EntryView> {
    let entry = shared.runtime.store().journal().show(&id).await?.ok_or_else(|| no_entry(&id))?;
    Ok(Json(EntryView::of(entry, true)))
}

async fn retry_journal(State(shared): State<Shared>, Json(query): Json<RetryQuery>) -> Answer<Count> {
    let journal = shared.runtime.store().journal();
    let filter = match &query.id {
        None => EntryFilter { target: query.plugin, resource: query.resource, limit: 0 },
        // With what waits beside it: entries about one resource go in order.
        Some(id) => {
            let entry = journal.show(id).await?.ok_or_else(|| no_entry(id))?;
            EntryFilter { target: Some(entry.new.target), resource: Some(entry.new.resource), limit: 0 }
        }
    };
    let entries = journal.retry(&filter).await?;
    info!(entries, "journal entries are due again");
    Ok(Json(Count { entries }))
}

async fn drop_journal(State(shared): State<Shared>, Path(id): Path<String>) -> Answer<Count> {
    let entries = shared.runtime.store().journal().drop(std::slice::from_ref(&id)).await?;
    if entries == 0 {
        return Err(no_entry(&id));
    }
    info!(entry = id, "journal entry dropped undelivered");
    Ok(Json(Count { entries }))
}

async fn list_policy(State(shared): State<Shared>) -> Json<Vec<RuleView>> {
    Json(shared.api.rules())
}

async fn show_policy(State(shared): State<Shared>, Path(name): Path<String>) -> Answer<RuleView> {
    let rule = shared.api.rules().into_iter().find(|rule| rule.name == name);
    let missing = || Refused(StatusCode::NOT_FOUND, format!("there is no policy rule '{name}'"));
    Ok(Json(rule.ok_or_else(missing)?))
}

async fn check_policy(State(shared): State<Shared>, Json(question): Json<Question>) -> Answer<Verdict> {
    Ok(Json(shared.api.examine(question).await?))
}
