//! Requests for resources, one a function. What reads is answered here; what
//! writes is validated and done as an operation of a unit of work.

use crate::access::{Access, place};
use crate::actions;
use crate::batch::Batch;
use crate::body;
use crate::error;
use crate::etag;
use crate::listing;
use crate::operation::{Deed, Operation, Seen, check_above, one};
use crate::routes::Place;
use crate::stream::{Paged, Progress, Rows};
use crate::tables::Resource;
use crate::terms::{self, Fingerprint};
use crate::validate;
use crate::view::{Mask, Viewer};
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use hadron_runtime::{Answered, Refusal, Runtime, Terms};
use hadron_store::{Predicate, Query, StoreError};
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
    /// What is asked for, so far as it was read.
    pub(crate) fingerprint: Fingerprint,
}

/// What a request comes to.
pub(crate) type Answer = Result<Response, Refusal>;

impl Asked {
    /// `GET /v2.0/gadgets`.
    pub(crate) async fn list(self, Place { resource, above }: Place) -> Answer {
        let parameters = listing::parameters(&self.query)?;
        first_use(&self.access, &self.runtime, &resource, listing::project(&parameters)).await?;
        check_above(&self.access, &self.runtime, &resource, above.as_deref()).await?;
        let mask = self.access.mask(&resource);
        let listing = listing::read(&parameters, &resource, &mask)?;
        let mask = Mask { asks: !listing.asked.is_empty(), ..mask.limit(&resource, &listing.fields) };
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
        let (url, reverse, headers) = (self.url, listing.reverse, self.headers);
        let paged = listing.limit.map(|limit| Paged { url, parameters, limit, reverse });
        let (access, runtime) = (self.access, self.runtime);
        let asked = listing.asked;
        Rows { rows, access, resource, mask, runtime, asked, paged, progress: Progress::default() }
            .answer(&headers)
            .await
    }

    /// `GET /v2.0/gadgets/{id}`.
    pub(crate) async fn show(self, place: Place, part: &str) -> Answer {
        if place.resource.on_demand {
            return self.find(place, part).await;
        }
        let fields = listing::fields(&listing::parameters(&self.query)?);
        first_use(&self.access, &self.runtime, &place.resource, None).await?;
        let id = &self.access.id_of(&self.runtime, &place, part).await?;
        let Place { resource, above } = &place;
        let mask = self.access.mask(resource).limit(resource, &fields);
        let viewer = Viewer { access: &self.access, resource, mask: &mask };
        let row = self.access.show(&self.runtime, resource, id, above.as_deref(), &viewer.view()).await?;
        let texts = viewer.texts(&self.runtime, &[row], viewer.trimmed()).await?;
        Ok(etag::answer(&self.headers, one(resource, &texts)))
    }

    /// The same where the owner says what the row is, and may make it first.
    async fn find(self, place: Place, part: &str) -> Answer {
        let asked = actions::asked(listing::parameters(&self.query)?);
        let deed = Deed::Find { id: part.to_owned(), asked };
        let answered = self.run(Operation { place, deed }, Terms::default()).await?;
        Ok(terms::answer(answered, false))
    }

    /// `POST /v2.0/gadgets`.
    pub(crate) async fn create(mut self, place: Place) -> Answer {
        let bytes = self.read().await?;
        let given = body::documents(&bytes, &place.resource)?;
        let bodies = given
            .documents
            .into_iter()
            .map(|body| validate::create(&place.resource, &self.access.caller, body, place.above.as_deref()))
            .collect::<Result<Vec<_>, _>>()?;
        self.write(Operation { place, deed: Deed::Create { bodies, bulk: given.bulk } }).await
    }

    /// `PUT /v2.0/gadgets/{id}`.
    pub(crate) async fn update(mut self, place: Place, id: String) -> Answer {
        let bytes = self.read().await?;
        let document = body::document(&bytes, &place.resource)?;
        let changes = validate::update(&place.resource, &self.access.caller, document)?;
        let seen = Seen::of(&self.headers);
        self.write(Operation { place, deed: Deed::Update { id, changes, seen } }).await
    }

    /// `DELETE /v2.0/gadgets/{id}`.
    pub(crate) async fn delete(self, place: Place, id: String) -> Answer {
        let seen = Seen::of(&self.headers);
        self.write(Operation { place, deed: Deed::Delete { id, seen } }).await
    }

    /// `POST /v2.0/batch`.
    pub(crate) async fn batch(mut self, most: usize) -> Answer {
        let bytes = self.read().await?;
        let batch = Arc::new(Batch::read(&bytes, &self.access.tables, most)?);
        let terms = self.terms()?;
        let dry_run = terms.dry_run;
        let (access, running) = (self.access.clone(), batch.clone());
        let answered = self.runtime.write(&self.access.caller, terms, move |work| {
            let (access, batch) = (access.clone(), running.clone());
            Box::pin(async move { batch.run(&access, &work).await })
        });
        match answered.await {
            Ok(answered) => Ok(terms::answer(answered, dry_run)),
            Err(refusal) => Ok(batch.refused(&refusal)),
        }
    }

    /// How the request is to be done.
    pub(crate) fn terms(&self) -> Result<Terms, Refusal> {
        terms::of(&self.query, &self.headers, &self.access.caller, self.fingerprint.clone())
    }

    /// The body, which is part of what the request asks for.
    pub(crate) async fn read(&mut self) -> Result<Bytes, Refusal> {
        let bytes = body::read(std::mem::take(&mut self.body)).await?;
        self.fingerprint.body(&bytes);
        Ok(bytes)
    }

    /// Does one thing that changes something, on the terms of the request.
    pub(crate) async fn write(self, operation: Operation) -> Answer {
        let terms = self.terms()?;
        let dry_run = terms.dry_run;
        let answered = self.run(operation, terms).await?;
        Ok(terms::answer(answered, dry_run))
    }

    /// Does one thing.
    pub(crate) async fn run(self, operation: Operation, terms: Terms) -> Result<Answered, Refusal> {
        let (access, operation) = (self.access.clone(), Arc::new(operation));
        self.runtime
            .write(&self.access.caller, terms, move |work| {
                let (access, operation) = (access.clone(), operation.clone());
                Box::pin(async move { operation.run(&access, &work).await })
            })
            .await
    }
}

/// Before the first look at a project's rows the collection's owner may make
/// what every project has. The project is the caller's, or the one that is asked
/// for, which nothing is made for unless an administrator asks.
async fn first_use(
    access: &Access,
    runtime: &Runtime,
    resource: &Resource,
    asked: Option<&str>,
) -> Result<(), Refusal> {
    let caller = &access.caller;
    let project = asked.unwrap_or(&caller.project_id);
    if !resource.first_use || (project != caller.project_id && !caller.is_admin) {
        return Ok(());
    }
    runtime.first_use(caller, &resource.id.0, project).await
}

/// Done, and nothing to show for it.
pub(crate) fn no_content() -> Response {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer
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
