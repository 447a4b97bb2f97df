//! What is done to resources. Each function is one request: validate, check
//! against policy, act, show.

use crate::access::{Access, Change, place};
use crate::body;
use crate::error::{self, json_answer, text_answer};
use crate::listing;
use crate::routes::Place;
use crate::stream::{Paged, Progress, Rows};
use crate::tables::{Resource, Tables};
use crate::validate;
use crate::view::{Mask, Viewer};
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use hadron_runtime::{Refusal, Runtime};
use hadron_store::{Predicate, Query, Row, StoreError, View};
use serde_json::{Map, Value};
use std::sync::Arc;

/// A request that is authenticated and routed.
pub(crate) struct Asked {
    /// Who asks, and the rules.
    pub(crate) access: Access,
    /// What does it.
    pub(crate) runtime: Runtime,
    /// Scheme, host and path.
    pub(crate) url: String,
    /// Query string.
    pub(crate) query: String,
    /// Headers.
    pub(crate) headers: HeaderMap,
    /// Body.
    pub(crate) body: Body,
}

type Answer = Result<Response, Refusal>;

impl Asked {
    /// `GET /v2.0/gadgets`.
    pub(crate) async fn list(self, Place { resource, above }: Place) -> Answer {
        check_above(&self.access, self.runtime.store(), &resource, above.as_deref()).await?;
        let parameters = listing::parameters(&self.query)?;
        let mask = self.access.mask(&resource);
        let listing = listing::read(&parameters, &resource, &mask)?;
        let mask = mask.limit(&resource, &listing.fields);
        let visible = self.access.visible(&resource);
        if visible.is_partial() {
            resource.tell_partial();
        }
        let visible = visible.predicate();
        let query = Query {
            predicate: conjunction([
                Some(visible),
                Some(listing.predicate),
                place(&resource, above.as_deref()),
            ]),
            sort: listing.sort,
            limit: listing.limit,
            marker: listing.marker,
            reverse: listing.reverse,
        };
        let view = Viewer { access: &self.access, resource: &resource, mask: &mask }.view();
        let rows = self.runtime.store().list(&resource.id.0, &query, &view).await;
        let rows = rows.map_err(|failure| match (failure, &query.marker) {
            (StoreError::NotFound, Some(marker)) => resource.no_such_row(marker),
            (failure, _) => error::from_store(failure),
        })?;
        let (url, reverse) = (self.url, listing.reverse);
        let paged = listing.limit.map(|limit| Paged { url, parameters, limit, reverse });
        let (access, runtime) = (self.access, self.runtime);
        Rows { rows, access, resource, mask, runtime, paged, progress: Progress::default() }.answer().await
    }

    /// `GET /v2.0/gadgets/{id}`.
    pub(crate) async fn show(self, Place { resource, above }: Place, id: &str) -> Answer {
        let fields = listing::fields(&listing::parameters(&self.query)?);
        let mask = self.access.mask(&resource).limit(&resource, &fields);
        let viewer = Viewer { access: &self.access, resource: &resource, mask: &mask };
        let (store, view) = (self.runtime.store(), viewer.view());
        let row = self.access.show(store, &resource, id, above.as_deref(), &view).await?;
        let texts = viewer.texts(&self.runtime, &[row], viewer.trimmed()).await?;
        Ok(one(StatusCode::OK, &resource, &texts))
    }

    /// `POST /v2.0/gadgets`.
    pub(crate) async fn create(self, Place { resource, above }: Place) -> Answer {
        let bytes = body::read(self.body).await?;
        let given = body::documents(&bytes, &resource)?;
        let caller = &self.access.caller;
        let bodies = given
            .documents
            .into_iter()
            .map(|document| validate::create(&resource, caller, document, above.as_deref()))
            .collect::<Result<Vec<_>, _>>()?;
        let store = self.runtime.store();
        check_above(&self.access, store, &resource, above.as_deref()).await?;
        let holds = self.access.may_create(store, &resource, &bodies).await?;
        let rows = self.runtime.create(caller, &resource.id.0, bodies, holds).await?;
        let texts = shown(&self.access, &self.runtime, &resource, &rows).await?;
        Ok(match given.bulk {
            true => {
                text_answer(StatusCode::CREATED, format!("{{\"{}\":[{}]}}", resource.name, texts.join(",")))
            }
            false => one(StatusCode::CREATED, &resource, &texts),
        })
    }

    /// `PUT /v2.0/gadgets/{id}`.
    pub(crate) async fn update(self, Place { resource, above }: Place, id: &str) -> Answer {
        let revision = revision(&self.headers);
        let bytes = body::read(self.body).await?;
        let document = body::document(&bytes, &resource)?;
        let changes = validate::update(&resource, &self.access.caller, document)?;
        let rule = format!("update_{}", resource.member);
        let (above, changed) = (above.as_deref(), Some(&changes));
        let change = Change { resource: &resource, id, above, rule, changes: changed, revision };
        let guard = self.access.guard(self.runtime.store(), change).await?;
        let caller = &self.access.caller;
        let row = self.runtime.update(caller, &resource.id.0, id, changes, guard).await?;
        let texts = shown(&self.access, &self.runtime, &resource, &[row]).await?;
        Ok(one(StatusCode::OK, &resource, &texts))
    }

    /// `DELETE /v2.0/gadgets/{id}`.
    pub(crate) async fn delete(self, Place { resource, above }: Place, id: &str) -> Answer {
        let rule = format!("delete_{}", resource.member);
        let (above, revision) = (above.as_deref(), revision(&self.headers));
        let change = Change { resource: &resource, id, above, rule, changes: None, revision };
        let guard = self.access.guard(self.runtime.store(), change).await?;
        self.runtime.delete(&self.access.caller, &resource.id.0, id, guard).await?;
        let mut answer = Response::new(Body::empty());
        *answer.status_mut() = StatusCode::NO_CONTENT;
        Ok(answer)
    }

    /// `PUT` (or `GET`) `/v2.0/gadgets/{id}/{action}`. What only reads is given
    /// the query string as an object.
    pub(crate) async fn act(
        self,
        Place { resource, above }: Place,
        id: &str,
        action: &str,
        writes: bool,
    ) -> Answer {
        let given = if writes {
            body::anything(&body::read(self.body).await?)?
        } else {
            let pairs = listing::parameters(&self.query)?.into_iter();
            Value::from(pairs.map(|(name, value)| (name, Value::from(value))).collect::<Map<_, _>>())
        };
        let rule = action_rule(&self.access.tables, &resource, action, writes);
        let (above, revision) = (above.as_deref(), revision(&self.headers));
        let change = Change { resource: &resource, id, above, rule, changes: None, revision };
        let guard = self.access.guard(self.runtime.store(), change).await?;
        let caller = &self.access.caller;
        let answer = self.runtime.act(caller, &resource.id.0, id, action, given, guard).await?;
        Ok(json_answer(StatusCode::OK, &answer))
    }
}

/// What hangs under a row that the caller does not see is not there either.
async fn check_above(
    access: &Access,
    store: &hadron_store::Store,
    resource: &Resource,
    above: Option<&str>,
) -> Result<(), Refusal> {
    if let (Some(parent), Some(id)) = (&resource.parent, above) {
        let view = View { hidden: parent.resource.shown.clone(), ..access.whole() };
        access.show(store, &parent.resource, id, None, &view).await?;
    }
    Ok(())
}

/// Rows that a unit of work answered.
async fn shown(
    access: &Access,
    runtime: &Runtime,
    resource: &Arc<Resource>,
    rows: &[Row],
) -> Result<Vec<String>, Refusal> {
    let mask: Mask = access.mask(resource);
    Viewer { access, resource, mask: &mask }.texts(runtime, rows, false).await
}

fn one(status: StatusCode, resource: &Resource, texts: &[String]) -> Response {
    text_answer(
        status,
        format!("{{\"{}\":{}}}", resource.member, texts.first().map_or("null", String::as_str)),
    )
}

/// Neutron names the rule of most actions after the action alone; where there
/// is no rule, doing it is a change and asking is a look.
pub(crate) fn action_rule(tables: &Tables, resource: &Resource, action: &str, writes: bool) -> String {
    let verb = if writes { "update" } else { "get" };
    let named = [action.to_owned(), format!("{action}_{}", resource.member)];
    let declared = named.into_iter().find(|rule| tables.policy.has(rule));
    declared.unwrap_or_else(|| format!("{verb}_{}", resource.member))
}

/// The revision in `If-Match: revision_number=N`; as in Neutron any other
/// `If-Match` is ignored.
fn revision(headers: &HeaderMap) -> Option<i64> {
    headers.get(header::IF_MATCH)?.to_str().ok()?.trim().strip_prefix("revision_number=")?.parse().ok()
}

/// All of them, without those that say nothing.
fn conjunction<const N: usize>(parts: [Option<Predicate>; N]) -> Predicate {
    let mut all = Vec::new();
    for part in parts.into_iter().flatten() {
        match part {
            Predicate::All(inner) => all.extend(inner),
            other => all.push(other),
        }
    }
    match all.pop() {
        Some(only) if all.is_empty() => only,
        last => Predicate::All(all.into_iter().chain(last).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_neutrons_form_of_if_match_counts() {
        let with =
            |value: &str| revision(&HeaderMap::from_iter([(header::IF_MATCH, value.parse().unwrap())]));
        assert_eq!(with("revision_number=9"), Some(9));
        assert_eq!(with("nonsense"), None);
        assert_eq!(with("revision_number=x"), None);
        assert_eq!(revision(&HeaderMap::new()), None);
    }

    #[test]
    fn conditions_are_joined_flat() {
        let a = || Predicate::equal("a", "1");
        assert_eq!(conjunction([Some(Predicate::always()), None]), Predicate::always());
        assert_eq!(conjunction([Some(Predicate::always()), Some(a())]), a());
        assert_eq!(
            conjunction([Some(a()), Some(Predicate::never())]),
            Predicate::All(vec![a(), Predicate::never()])
        );
    }
}
