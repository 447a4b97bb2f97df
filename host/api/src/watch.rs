//! `GET /v2.0/watch`: what changes, as server-sent events.
//!
//! A stream follows the store's log of changes from a cursor. The log says what
//! happened to which row; the row is read when it is told of, as a list would
//! show it to the caller, so an event shows the row at least as new as the
//! change. A removed row is judged by what the log keeps of it.

use crate::access::{Access, both};
use crate::error::{self, bad_request, disallowed, text_answer};
use crate::listing;
use crate::policy::{Parents, Said};
use crate::source::Source;
use crate::tables::{Resource, Tables};
use crate::view::Viewer;
use crate::{Api, Current};
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt;
use hadron_runtime::{Caller, Refusal, Runtime, Status};
use hadron_store::{Change, Changes, CollectionId, Direction, Happened, News, Predicate, Query, Row, View};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Changes that are read at once.
const PAGE: u32 = 128;
/// Events that wait for a client.
const WAITING: usize = 64;
/// A client that takes no event for so long is cut off; it comes again with the
/// last cursor it has.
const PATIENCE: Duration = Duration::from_secs(20);
/// Without news a client is told that it is still connected, and how far it is.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// What the operator sets about watchers.
#[derive(Clone, Debug)]
pub struct WatchSettings {
    /// Streams at the same time.
    pub streams: usize,
    /// After that long a stream ends, and the client has to show who it is when
    /// it comes again.
    pub longest: Duration,
    /// Ends all streams when the server stops.
    pub stop: CancellationToken,
}

/// All streams of a server.
pub(crate) struct Watchers {
    places: Arc<Semaphore>,
    settings: WatchSettings,
}

/// Who watches: the request is looked at again whenever there is something to
/// tell, since a login ends and roles are taken away while a stream goes on.
pub(crate) struct Who {
    /// What tells callers apart; how may change.
    pub(crate) api: Api,
    /// The request, without its body.
    pub(crate) request: Parts,
    /// The request's id.
    pub(crate) id: String,
}

/// One stream.
struct Watch {
    runtime: Runtime,
    current: Arc<Current>,
    who: Who,
    /// Collections' names; none for all.
    names: Option<Vec<String>>,
    cursor: i64,
}

impl Watchers {
    pub(crate) fn new(settings: WatchSettings) -> Watchers {
        Watchers { places: Arc::new(Semaphore::new(settings.streams)), settings }
    }

    /// Answers a request for a stream.
    pub(crate) async fn answer(
        &self,
        runtime: Runtime,
        current: Arc<Current>,
        who: Who,
        access: Access,
    ) -> Result<Response, Refusal> {
        may_watch(&access)?;
        let query = who.request.uri.query().unwrap_or_default();
        let (names, cursor) = parameters(query, &who.request.headers, &access.tables)?;
        let place = self.places.clone().try_acquire_owned().map_err(|_| {
            Refusal::new(
                Status::Unavailable,
                "ServiceUnavailable",
                "Too many clients watch; try again later.",
            )
        })?;
        let log = runtime.store().changes();
        let cursor = match cursor {
            Some(cursor) => cursor,
            None => log.horizon().await.map_err(error::from_store)?,
        };
        // Before the first look, so that nothing falls between.
        let news = log.news();
        let watch = Watch { runtime, current, who, names, cursor };
        let Some(first) = watch.read(&access).await? else {
            return Ok(error::answer(&expired()));
        };
        let begun = event(cursor, "started", &json!({"cursor": cursor.to_string()}));
        let (sender, events) = mpsc::channel(WAITING);
        let settings = self.settings.clone();
        tokio::spawn(async move {
            watch.run((access, first), begun, news, sender, &settings).await;
            drop(place);
        });
        let events = tokio_stream::wrappers::ReceiverStream::new(events);
        let body = Body::from_stream(events.map(|text: String| Ok::<_, std::io::Error>(Bytes::from(text))));
        let mut response = text_answer(StatusCode::OK, body);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }
}

fn may_watch(access: &Access) -> Result<(), Refusal> {
    let allowed = access.tables.policy.reduce("watch", &access.caller, &Said(&Map::new()));
    if allowed.known() == Some(true) { Ok(()) } else { Err(disallowed("rule:watch")) }
}

fn expired() -> Refusal {
    Refusal::new(
        Status::Other(410),
        "CursorExpired",
        "Changes after this cursor are forgotten: list what is there, and watch from now on.",
    )
}

/// What is to be watched, and from where.
fn parameters(
    query: &str,
    headers: &HeaderMap,
    tables: &Tables,
) -> Result<(Option<Vec<String>>, Option<i64>), Refusal> {
    let cursor = |text: &str| {
        let number = text.parse::<i64>().ok().filter(|number| *number >= 0);
        number.ok_or_else(|| bad_request(format!("'{text}' is no cursor")))
    };
    let mut names: Vec<String> = Vec::new();
    let mut since = None;
    for (name, value) in listing::parameters(query)? {
        match name.as_str() {
            "collections" => names.extend(value.split(',').map(str::to_owned)),
            "since" if since.is_some() => return Err(bad_request("since is given twice")),
            "since" => since = Some(cursor(&value)?),
            _ => return Err(bad_request(format!("A watch has no parameter '{name}'"))),
        }
    }
    if let Some(unknown) = names.iter().find(|name| tables.named(name).is_none()) {
        return Err(bad_request(format!("There is no collection '{unknown}' to watch")));
    }
    // What a client that reconnects has seen is newer than what it first asked.
    if let Some(last) = headers.get("last-event-id") {
        since = Some(cursor(last.to_str().unwrap_or_default())?);
    }
    Ok(((!names.is_empty()).then_some(names), since))
}

/// An event with a cursor.
fn event(cursor: i64, kind: &str, data: &Value) -> String {
    format!("id: {cursor}\nevent: {kind}\ndata: {data}\n\n")
}

impl Watch {
    /// The caller and the rules as they are now.
    async fn access(&self) -> Result<Access, Refusal> {
        let gone = |why: &str| Refusal::new(Status::Forbidden, "Forbidden", why);
        let auth = self.who.api.0.auth.load_full();
        let caller = auth.authenticate(&self.who.request, &self.who.id).await;
        let caller = caller.map_err(|_| gone("the caller is not let in any more"))?;
        let tables = self.current.of(&self.runtime.plugins());
        let caller = Arc::new(tables.policy.settle(caller));
        let access = Access { tables, caller };
        may_watch(&access)?;
        Ok(access)
    }

    fn collections(&self, tables: &Tables) -> Vec<CollectionId> {
        let wanted = |resource: &&Arc<Resource>| {
            self.names.as_ref().is_none_or(|names| names.iter().any(|name| name == resource.collection()))
        };
        tables.all().filter(wanted).map(|resource| resource.id.0.clone()).collect()
    }

    /// The next changes; none when some of them are forgotten.
    async fn read(&self, access: &Access) -> Result<Option<Changes>, Refusal> {
        let collections = self.collections(&access.tables);
        let (log, project) = (self.runtime.store().changes(), &access.caller.project_id);
        log.after(self.cursor, &collections, project, PAGE).await.map_err(error::from_store)
    }

    /// Sends events until the client goes, is too slow, or has to come again.
    async fn run(
        mut self,
        first: (Access, Changes),
        begun: String,
        mut news: News,
        sender: mpsc::Sender<String>,
        settings: &WatchSettings,
    ) {
        let ends = Instant::now() + settings.longest;
        let mut told = Instant::now();
        let mut first = Some(first);
        let mut texts = vec![begun];
        loop {
            let page = match first.take() {
                Some((access, changes)) => Ok((access, Some(changes))),
                None => self.page().await,
            };
            let (access, changes) = match page {
                Ok((access, Some(changes))) => (access, changes),
                Ok((_, None)) => {
                    let expired = event(self.cursor, "expired", &json!({}));
                    let _ = sender.send_timeout(expired, PATIENCE).await;
                    return;
                }
                Err(refusal) => return tell_end(&refusal),
            };
            let (next, more) = (changes.next, changes.more);
            match self.events(&access, &changes).await {
                Ok(events) => texts.extend(events),
                Err(refusal) => return tell_end(&refusal),
            }
            self.cursor = next;
            if texts.is_empty() && told.elapsed() >= HEARTBEAT {
                // No event to a client that knows the form: only a cursor.
                texts.push(format!(": still here\nid: {next}\n\n"));
            }
            for text in texts.drain(..) {
                let sent = tokio::select! {
                    sent = sender.send_timeout(text, PATIENCE) => sent,
                    () = settings.stop.cancelled() => return,
                };
                if sent.is_err() {
                    return;
                }
                told = Instant::now();
            }
            if Instant::now() >= ends {
                return;
            }
            if more {
                continue;
            }
            tokio::select! {
                () = news.wait() => {}
                () = tokio::time::sleep_until(ends.min(told + HEARTBEAT)) => {}
                () = sender.closed() => return,
                () = settings.stop.cancelled() => return,
            }
        }
    }

    async fn page(&self) -> Result<(Access, Option<Changes>), Refusal> {
        let access = self.access().await?;
        let changes = self.read(&access).await?;
        Ok((access, changes))
    }

    /// The events of a page, of those changes that the caller may see.
    async fn events(&self, access: &Access, page: &Changes) -> Result<Vec<String>, Refusal> {
        let changes = &page.changes;
        let mut shown: HashMap<(CollectionId, String), String> = HashMap::new();
        for resource in access.tables.all() {
            let of = |change: &&Change| change.collection == resource.id.0;
            let mut ids: Vec<String> = changes
                .iter()
                .filter(of)
                .filter(|change| change.happened != Happened::Deleted)
                .map(|change| change.id.clone())
                .collect();
            ids.sort();
            ids.dedup();
            if !ids.is_empty() {
                for (id, text) in self.rows(access, resource, ids).await? {
                    shown.insert((resource.id.0.clone(), id), text);
                }
            }
        }
        let mut events = Vec::with_capacity(changes.len());
        for change in changes {
            let Some(resource) = access.tables.of_collection(&change.collection) else { continue };
            let (kind, text) = match (&change.row, change.happened) {
                (Some(row), Happened::Deleted) => ("deleted", self.removed(access, resource, row).await?),
                (None, Happened::Deleted) => continue,
                (_, happened) => {
                    let key = (change.collection.clone(), change.id.clone());
                    let kind = if happened == Happened::Created { "created" } else { "updated" };
                    (kind, shown.get(&key).cloned())
                }
            };
            let Some(text) = text else { continue };
            events.push(format!(
                "id: {}\nevent: {kind}\ndata: {{\"collection\":{},\"id\":{},\"revision_number\":{},\"{}\":{text}}}\n\n",
                change.cursor,
                json!(resource.collection()),
                json!(change.id),
                change.revision,
                resource.member,
            ));
        }
        Ok(events)
    }

    /// Rows as a list would show them to the caller; those that were removed
    /// meanwhile as they were at the end.
    async fn rows(
        &self,
        access: &Access,
        resource: &Arc<Resource>,
        ids: Vec<String>,
    ) -> Result<Vec<(String, String)>, Refusal> {
        let mask = access.mask(resource);
        let viewer = Viewer { access, resource, mask: &mask };
        let visible = access.visible(resource);
        let partial = visible.is_partial();
        let wanted = Predicate::In("id".to_owned(), ids.iter().map(|id| json!(id)).collect());
        let query = Query {
            predicate: both(visible.predicate(), Some(wanted)),
            sort: vec![("id".to_owned(), Direction::Ascending)],
            ..Query::default()
        };
        let store = self.runtime.store();
        let mut stream =
            store.list(&resource.id.0, &query, &viewer.view()).await.map_err(error::from_store)?;
        let mut rows = Vec::new();
        while let Some(row) = stream.next().await {
            rows.push(row.map_err(error::from_store)?);
        }
        drop(stream);
        let mut missing: Vec<String> =
            ids.into_iter().filter(|id| !rows.iter().any(|row| row.id == *id)).collect();
        if partial {
            // What the database could not decide is decided row by row.
            for id in &missing {
                match access.show(&self.runtime, resource, id, None, &viewer.view()).await {
                    Ok(row) => rows.push(row),
                    Err(refusal) if refusal.status == Status::NotFound => {}
                    Err(refusal) => return Err(refusal),
                }
            }
            missing.retain(|id| !rows.iter().any(|row| row.id == *id));
        }
        let texts = viewer.texts(&self.runtime, &rows, viewer.trimmed()).await?;
        let mut shown: Vec<(String, String)> = rows.into_iter().map(|row| row.id).zip(texts).collect();
        if !missing.is_empty() {
            let project = &access.caller.project_id;
            let gone = store.changes().removed(&resource.id.0, missing, project).await;
            for row in gone.map_err(error::from_store)? {
                if let Some(text) = self.removed(access, resource, &row).await? {
                    shown.push((row.id, text));
                }
            }
        }
        Ok(shown)
    }

    /// A row that was removed, as the caller saw it; none where it did not.
    async fn removed(
        &self,
        access: &Access,
        resource: &Arc<Resource>,
        row: &Row,
    ) -> Result<Option<String>, Refusal> {
        let past = Past(&self.runtime, &access.caller.project_id);
        if !access.visible_row(&past, resource, row, &mut Parents::default()).await? {
            return Ok(None);
        }
        let mask = access.mask(resource);
        let mut text = String::with_capacity(row.document.len() + 256);
        Viewer { access, resource, mask: &mask }.write(row, false, None, &mut text);
        Ok(Some(text))
    }
}

fn tell_end(refusal: &Refusal) {
    tracing::info!(%refusal, "a watch was broken off; the client may come again");
}

/// Rows as they are, or as that project saw them before they were removed: what
/// was visible because of another row may have gone together with it.
struct Past<'a>(&'a Runtime, &'a str);

impl Source for Past<'_> {
    async fn get(
        &self,
        collection: &CollectionId,
        id: &str,
        predicate: &Predicate,
        view: &View,
    ) -> Result<Option<Row>, Refusal> {
        let Past(runtime, project) = self;
        if let Some(row) = Source::get(*runtime, collection, id, predicate, view).await? {
            return Ok(Some(row));
        }
        let removed = runtime.store().changes().removed(collection, vec![id.to_owned()], project).await;
        Ok(removed.map_err(error::from_store)?.pop())
    }

    async fn find(&self, collection: &CollectionId, predicate: Predicate) -> Result<Option<String>, Refusal> {
        Source::find(self.0, collection, predicate).await
    }

    async fn compute(
        &self,
        caller: &Caller,
        plugin: &str,
        collection: &CollectionId,
        rows: &[Row],
    ) -> Result<Vec<String>, Refusal> {
        Source::compute(self.0, caller, plugin, collection, rows).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::tests::tables;

    fn asked(query: &str, last: Option<&'static str>) -> Result<(Option<Vec<String>>, Option<i64>), String> {
        let pairs =
            last.map(|id| (header::HeaderName::from_static("last-event-id"), HeaderValue::from_static(id)));
        parameters(query, &pairs.into_iter().collect(), &tables()).map_err(|refusal| refusal.message)
    }

    #[test]
    fn a_cursor_is_taken_from_where_the_client_is() {
        assert_eq!(asked("", None), Ok((None, None)));
        let gadgets = Some(vec!["gadgets".to_owned()]);
        assert_eq!(asked("collections=gadgets&since=4", None), Ok((gadgets.clone(), Some(4))));
        assert_eq!(asked("collections=gadgets&since=4", Some("9")), Ok((gadgets, Some(9))));
        assert_eq!(asked("since=-1", None), Err("'-1' is no cursor".to_owned()));
        assert_eq!(asked("", Some("x")), Err("'x' is no cursor".to_owned()));
        assert_eq!(
            asked("colections=gadgets", None),
            Err("A watch has no parameter 'colections'".to_owned())
        );
        assert_eq!(
            asked("collections=gadgets,nosuch", None),
            Err("There is no collection 'nosuch' to watch".to_owned())
        );
    }

    #[test]
    fn events_have_the_form_of_server_sent_events() {
        assert_eq!(event(7, "started", &json!({"a": 1})), "id: 7\nevent: started\ndata: {\"a\":1}\n\n");
    }
}
