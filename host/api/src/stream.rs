//! Lists, sent while they are read.
//!
//! A row is text from the database to the client; no long list is ever whole in
//! memory. What fails before the first piece is an answer of its own; what
//! fails later breaks the connection off, since the status is gone by then.

use crate::access::Access;
use crate::error;
use crate::etag;
use crate::links::Page;
use crate::listing::Parameters;
use crate::tables::Resource;
use crate::view::{Mask, Viewer};
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use hadron_runtime::{Refusal, Runtime};
use hadron_store::{Row, StoreError};
use serde_json::Value;
use std::sync::Arc;

/// Bytes after which a piece is sent.
const PIECE: usize = 64 << 10;

/// Bytes up to which a list is held back for its tag.
const TAGGED: usize = 256 << 10;

/// Rows whose computed attributes are asked for at once.
const PAGE: usize = 1_000;

/// A list under way.
pub(crate) struct Rows {
    /// What comes from the database.
    pub(crate) rows: BoxStream<'static, Result<Row, StoreError>>,
    /// For whom.
    pub(crate) access: Access,
    /// Of what.
    pub(crate) resource: Arc<Resource>,
    /// Without what.
    pub(crate) mask: Mask,
    /// Who computes attributes.
    pub(crate) runtime: Runtime,
    /// What the owner leaves out others than, when it computes.
    pub(crate) asked: Vec<(String, Value)>,
    /// The page it is, where a limit was given.
    pub(crate) paged: Option<Paged>,
    /// Where it stands.
    pub(crate) progress: Progress,
}

/// What the links are made of.
pub(crate) struct Paged {
    /// Scheme, host and path.
    pub(crate) url: String,
    /// Parameters of the request.
    pub(crate) parameters: Parameters,
    /// Rows of a page.
    pub(crate) limit: u32,
    /// Backwards.
    pub(crate) reverse: bool,
}

/// How far a list has come.
#[derive(Default)]
pub(crate) struct Progress {
    count: u64,
    first: String,
    last: String,
    begun: bool,
    written: bool,
    ended: bool,
}

impl Rows {
    /// The answer. What is short enough is sent in one piece, with its length
    /// and its tag, or not at all where the client has it.
    pub(crate) async fn answer(mut self, headers: &HeaderMap) -> Result<Response, Refusal> {
        let mut first = String::new();
        while first.len() <= TAGGED {
            match self.piece().await? {
                Some(piece) if first.is_empty() => first = piece,
                Some(piece) => first.push_str(&piece),
                None => return Ok(etag::answer(headers, first)),
            }
        }
        let first = stream::once(async { Ok(Bytes::from(first)) });
        let rest = stream::unfold(self, |mut rows| async {
            match rows.piece().await {
                Ok(piece) => piece.map(|text| (Ok(Bytes::from(text)), rows)),
                Err(refusal) => {
                    tracing::error!(message = %refusal.message, "a list was broken off");
                    rows.progress.ended = true;
                    Some((Err(std::io::Error::other(refusal.message)), rows))
                }
            }
        });
        Ok(error::text_answer(StatusCode::OK, Body::from_stream(first.chain(rest))))
    }

    async fn piece(&mut self) -> Result<Option<String>, Refusal> {
        if self.progress.ended {
            return Ok(None);
        }
        let mut out = String::with_capacity(8 << 10);
        if !std::mem::replace(&mut self.progress.begun, true) {
            out.push_str("{\"");
            out.push_str(&self.resource.name);
            out.push_str("\":[");
        }
        while out.len() < PIECE {
            let rows = self.next().await?;
            if rows.is_empty() {
                self.end(&mut out);
                break;
            }
            let viewer = Viewer { access: &self.access, resource: &self.resource, mask: &self.mask };
            let computed = viewer.compute(&self.runtime, &rows).await?;
            let trimmed = viewer.trimmed();
            for (i, row) in rows.iter().enumerate() {
                if self.progress.count == 0 {
                    self.progress.first.clone_from(&row.id);
                }
                self.progress.count += 1;
                let computed = computed.get(i).map(Option::as_deref);
                if computed == Some(None) {
                    continue;
                }
                let computed = computed.flatten();
                if std::mem::replace(&mut self.progress.written, true) {
                    out.push(',');
                }
                viewer.write(row, trimmed, computed, &mut out);
            }
            if let Some(last) = rows.last() {
                self.progress.last.clone_from(&last.id);
            }
        }
        Ok(Some(out))
    }

    /// The next row, or the next page of them where the owner computes
    /// attributes.
    async fn next(&mut self) -> Result<Vec<Row>, Refusal> {
        let viewer = Viewer { access: &self.access, resource: &self.resource, mask: &self.mask };
        let most = if viewer.computes() { PAGE } else { 1 };
        let asked: Vec<_> =
            self.asked.iter().map(|(name, values)| (name.clone(), values.to_string())).collect();
        let mut rows = Vec::with_capacity(1);
        while rows.len() < most {
            match self.rows.next().await {
                Some(row) => {
                    let mut row = row.map_err(error::from_store)?;
                    row.derived.extend(asked.iter().cloned());
                    rows.push(row);
                }
                None => break,
            }
        }
        Ok(rows)
    }

    fn end(&mut self, out: &mut String) {
        self.progress.ended = true;
        out.push(']');
        if let Some(paged) = &self.paged {
            let Paged { url, parameters, limit, reverse } = paged;
            let page = Page { url, parameters, limit: *limit, reverse: *reverse };
            let ends = (self.progress.count > 0)
                .then_some((self.progress.first.as_str(), self.progress.last.as_str()));
            let links = page.links(self.progress.count, ends);
            if !links.is_empty() {
                out.push_str(",\"");
                out.push_str(&self.resource.name);
                out.push_str("_links\":");
                out.push_str(&Value::from(links).to_string());
            }
        }
        out.push('}');
    }
}
