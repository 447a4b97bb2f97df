//! A request from its first byte to its answer's last: its ids, its line in the
//! log, its place in the statistics.

use crate::metrics::Metrics;
use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::response::Response;
use futures::StreamExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tracing::{Instrument, Span};

/// Names a request in answers, logs and error reports.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-openstack-request-id");

/// Who asks these asks all the time: they are no news at the usual level.
const PROBES: [&str; 4] = ["/healthz", "/readyz", "/healthcheck", "/metrics"];

/// What a request is called in statistics whose path means nothing.
const UNMATCHED: &str = "unmatched";

/// A request under way.
pub(crate) struct Exchange {
    /// Ours, and who pays.
    request: Arc<hadron_telemetry::Request>,
    began: Instant,
    method: Method,
    probe: bool,
    span: Span,
    metrics: Metrics,
    _counted: hadron_telemetry::Up,
}

impl Exchange {
    /// A request has come in.
    pub(crate) fn begin(request: &Request, metrics: &Metrics) -> Exchange {
        let id = format!("req-{}", uuid::Uuid::new_v4());
        let global = global_request_id(request.headers());
        let (method, path) = (request.method(), request.uri().path());
        // Of the highest level, so that lines have its fields whatever is logged.
        let span = tracing::error_span!(
            "request",
            otel.kind = "server",
            request = id,
            global_request_id = global,
            method = method.as_str(),
            path,
            project = tracing::field::Empty,
            user = tracing::field::Empty,
            route = tracing::field::Empty,
            status = tracing::field::Empty,
        );
        hadron_telemetry::follow(&span, request.headers());
        Exchange {
            began: Instant::now(),
            method: method.clone(),
            probe: PROBES.contains(&path),
            request: hadron_telemetry::Request::new(id, global.map(str::to_owned)),
            span,
            metrics: metrics.clone(),
            _counted: metrics.under_way(),
        }
    }

    /// Its id.
    pub(crate) fn id(&self) -> &str {
        &self.request.id
    }

    /// Does what is asked, as this request.
    pub(crate) async fn scope<T>(&self, work: impl Future<Output = T>) -> T {
        self.request.clone().scope(work.instrument(self.span.clone())).await
    }

    /// The answer with its id; it is told when its last byte was handed on.
    pub(crate) fn end(self, mut response: Response) -> Response {
        if let Ok(id) = HeaderValue::from_str(self.id()) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        let mut told = Told { status: response.status().as_u16(), bytes: AtomicU64::new(0), exchange: self };
        match response.body().size_hint().exact() {
            Some(bytes) => {
                told.bytes = AtomicU64::new(bytes);
                response
            }
            None => response.map(|body| {
                Body::from_stream(body.into_data_stream().inspect(move |piece| {
                    let bytes = piece.as_ref().map_or(0, |piece| piece.len() as u64);
                    told.bytes.fetch_add(bytes, Ordering::Relaxed);
                }))
            }),
        }
    }
}

/// Tells of an exchange when it is dropped: with the end of the body, or when
/// the client has gone.
struct Told {
    exchange: Exchange,
    status: u16,
    bytes: AtomicU64,
}

impl Drop for Told {
    fn drop(&mut self) {
        let Told { exchange, status, bytes } = self;
        let took = exchange.began.elapsed();
        let route = exchange.request.route.get().map_or(UNMATCHED, String::as_str);
        exchange.metrics.answered(&exchange.method, route, *status, took);
        exchange.span.record("status", i64::from(*status)).record("route", route);
        let bill = &exchange.request.bill;
        let (bytes, statements) = (bytes.load(Ordering::Relaxed), bill.statements());
        let (ms, plugin_ms) = (milliseconds(took), milliseconds(bill.plugins()));
        let (database_ms, waited_ms) = (milliseconds(bill.database()), milliseconds(bill.waiting()));
        let _within = exchange.span.enter();
        macro_rules! tell {
            ($level:ident) => {
                tracing::$level!(bytes, ms, plugin_ms, database_ms, waited_ms, statements, "answered")
            };
        }
        if exchange.probe { tell!(debug) } else { tell!(info) }
    }
}

/// With two digits after the point.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e5).round() / 100.0
}

/// The id another service gave the chain of requests that this one belongs to,
/// when it looks like one: `req-` and a UUID in lower case, as oslo.middleware
/// has it.
fn global_request_id(headers: &HeaderMap) -> Option<&str> {
    let given = headers.get(REQUEST_ID)?.to_str().ok()?;
    let id = given.strip_prefix("req-")?;
    let looks = id.len() == 36 && !id.bytes().any(|b| b.is_ascii_uppercase());
    (looks && uuid::Uuid::try_parse(id).is_ok()).then_some(given)
}

/// Says which route the current request takes. The first to say it is believed.
pub(crate) fn routed(template: impl Into<String>) {
    if let Some(request) = hadron_telemetry::Request::current() {
        let _ = request.route.set(template.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_global_id_is_taken_when_it_looks_like_one() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_str(text).unwrap());
            global_request_id(&headers).map(str::to_owned)
        };
        let good = "req-0a1b2c3d-0a1b-4c2d-8e3f-0a1b2c3d4e5f";
        assert_eq!(of(good), Some(good.to_owned()));
        for bad in [
            "0a1b2c3d-0a1b-4c2d-8e3f-0a1b2c3d4e5f",
            "req-0A1B2C3D-0a1b-4c2d-8e3f-0a1b2c3d4e5f",
            "req-0a1b2c3d0a1b4c2d8e3f0a1b2c3d4e5f",
            "req-0a1b2c3d-0a1b-4c2d-8e3f-0a1b2c3d4e5g",
            "req-0a1b2c3d-0a1b-4c2d-8e3f-0a1b2c3d4e5f-x",
            "req-",
        ] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}
