//! `GET /metrics`: what all parts of the server count, in the text that
//! Prometheus reads.

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hadron_api::Api;
use hadron_runtime::Runtime;
use hadron_telemetry::Process;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// What is looked up in the database for a scrape is good for the next ones in
/// this time: whoever may read `/metrics` cannot keep the database busy by it.
const FRESH: Duration = Duration::from_secs(1);

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything that is counted.
#[derive(Clone)]
pub(crate) struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    runtime: Runtime,
    measured: Mutex<Option<Instant>>,
}

impl Metrics {
    /// Of this server.
    pub(crate) fn new(runtime: &Runtime, api: &Api) -> Metrics {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(ThisProcess));
        let ours = registry.sub_registry_with_prefix("hadron");
        api.register_metrics(ours);
        runtime.register_metrics(ours);
        Metrics(Arc::new(Inner { registry, runtime: runtime.clone(), measured: Mutex::new(None) }))
    }

    /// `GET /metrics`, for a listener of its own or beside the API.
    pub(crate) fn router(self) -> Router {
        Router::new().route("/metrics", get(scrape)).with_state(self)
    }
}

async fn scrape(State(Metrics(inner)): State<Metrics>) -> Response {
    {
        let mut measured = inner.measured.lock().await;
        if measured.is_none_or(|when| when.elapsed() >= FRESH) {
            inner.runtime.measure().await;
            *measured = Some(Instant::now());
        }
    }
    let mut body = String::with_capacity(16 << 10);
    match text::encode(&mut body, &inner.registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPEN_METRICS)], body).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written");
            axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Memory and processor time, under the names that all of Prometheus' clients
/// use.
#[derive(Debug)]
struct ThisProcess;

impl Collector for ThisProcess {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(process) = Process::now() else { return Ok(()) };
        let cpu = ConstCounter::new(process.cpu_seconds);
        let help = "Processor time since the start, user and system";
        let kind = cpu.metric_type();
        cpu.encode(encoder.encode_descriptor("process_cpu", help, Some(&Unit::Seconds), kind)?)?;
        let resident = i64::try_from(process.resident_bytes).unwrap_or(i64::MAX);
        let memory = ConstGauge::new(resident);
        let kind = memory.metric_type();
        let help = "Resident memory";
        memory.encode(encoder.encode_descriptor(
            "process_resident_memory",
            help,
            Some(&Unit::Bytes),
            kind,
        )?)?;
        let open = i64::try_from(process.open_files).unwrap_or(i64::MAX);
        let files = ConstGauge::new(open);
        let kind = files.metric_type();
        files.encode(encoder.encode_descriptor("process_open_fds", "Open file descriptors", None, kind)?)
    }
}
