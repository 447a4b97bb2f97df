//! OpenTelemetry: traces sent over OTLP/HTTP, and W3C's `traceparent` in and out.

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use http::header::HeaderValue;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{HeaderExtractor, HeaderInjector, HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use std::time::Duration;
use tokio::runtime::Handle;
use tracing::{Metadata, Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

/// One attempt at sending spans to the collector.
const SENDING: Duration = Duration::from_secs(10);

/// Spans of these crates make up a trace.
const OURS: &str = "hadron";

/// How traces are collected. Standard `OTEL_` variables say the rest: headers
/// for the collector, batch sizes, resource attributes.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// Base URL of the collector: `http://127.0.0.1:4318`.
    pub endpoint: String,
    /// Part of the traces that begin here, from 0 to 1; a caller's decision is
    /// kept. `None`: as `OTEL_TRACES_SAMPLER` says.
    pub ratio: Option<f64>,
    /// `service.name`, where `OTEL_SERVICE_NAME` does not give one.
    pub service: &'static str,
    /// `service.version`.
    pub version: &'static str,
}

/// Why no traces can be collected.
#[derive(Debug, thiserror::Error)]
#[error("traces cannot be collected: {0}")]
pub struct TraceError(String);

/// Sends spans until it is shut down.
pub struct Exporter(SdkTracerProvider);

impl Exporter {
    /// Starts it; requests to the collector are made on this runtime.
    pub fn start(telemetry: &Telemetry, runtime: Handle) -> Result<Exporter, TraceError> {
        let wrong = |e: &dyn std::fmt::Display| TraceError(e.to_string());
        let client = reqwest::Client::builder().timeout(SENDING).build().map_err(|e| wrong(&e))?;
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_http_client(Client { client, runtime })
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", telemetry.endpoint.trim_end_matches('/')))
            .build()
            .map_err(|e| wrong(&e))?;
        let mut resource = Resource::builder();
        if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name(telemetry.service);
        }
        let version = opentelemetry::KeyValue::new("service.version", telemetry.version);
        let mut provider = SdkTracerProvider::builder()
            .with_resource(resource.with_attribute(version).build())
            .with_batch_exporter(exporter);
        if let Some(ratio) = telemetry.ratio {
            let root = Sampler::TraceIdRatioBased(ratio);
            provider = provider.with_sampler(Sampler::ParentBased(Box::new(root)));
        }
        Ok(Exporter(provider.build()))
    }

    /// What makes spans of `tracing` spans of a trace.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + 'static
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("hadron"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
            .with_filter(filter_fn(is_ours))
    }

    /// Sends what is left. Blocks, at most a few seconds.
    pub fn shutdown(self) {
        if let Err(error) = self.0.shutdown() {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

/// Spans from the request down to the statement; lines of the log are no part
/// of a trace.
fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target().starts_with(OURS)
}

/// Sends on the server's runtime what the exporter's own thread hands over.
#[derive(Debug)]
struct Client {
    client: reqwest::Client,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let exchange = async move {
            let answer = client.execute(request.try_into()?).await?;
            let mut response = http::Response::builder().status(answer.status());
            if let Some(headers) = response.headers_mut() {
                headers.clone_from(answer.headers());
            }
            Ok::<_, HttpError>(response.body(answer.bytes().await?)?)
        };
        self.runtime.spawn(exchange).await?
    }
}

/// Has a span go on the trace that the caller's headers name, if they name one.
pub fn follow(span: &Span, headers: &HeaderMap) {
    if headers.contains_key("traceparent") {
        let parent = TraceContextPropagator::new().extract(&HeaderExtractor(headers));
        // Refused where no traces are collected: then there is nothing to follow.
        let _ = span.set_parent(parent);
    }
}

/// Adds to a request for another service what links it to the current one: the
/// id of the chain of requests, and the trace. What is there already stays.
pub fn outgoing(headers: &mut HeaderMap) {
    if let Some(request) = crate::Request::current()
        && !headers.contains_key("x-openstack-request-id")
        && let Ok(id) = HeaderValue::from_str(request.outgoing_id())
    {
        headers.insert("x-openstack-request-id", id);
    }
    if !headers.contains_key("traceparent") {
        let context = Span::current().context();
        TraceContextPropagator::new().inject_context(&context, &mut HeaderInjector(headers));
    }
}
