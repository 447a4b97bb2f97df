//! Traces, as a collector of OpenTelemetry gets them over OTLP/HTTP.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use hadron_sdk_testing::{Result, Server, until};
use hadron_tests_operations::builder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// What a collector was sent.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<ExportTraceServiceRequest>>>);

impl Collector {
    /// Listens; the URL it is reached at.
    async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let received = self.0.clone();
        let collect = move |body: Bytes| async move {
            received.lock().unwrap().push(ExportTraceServiceRequest::decode(body).unwrap());
        };
        let routes = Router::new().route("/v1/traces", post(collect));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        url
    }

    fn spans(&self) -> Vec<Span> {
        let received = self.0.lock().unwrap();
        let resources = received.iter().flat_map(|request| &request.resource_spans);
        resources.flat_map(|r| &r.scope_spans).flat_map(|s| s.spans.clone()).collect()
    }

    fn services(&self) -> Vec<String> {
        let received = self.0.lock().unwrap();
        let resources = received.iter().flat_map(|request| &request.resource_spans);
        let attributes = resources.filter_map(|r| r.resource.as_ref()).flat_map(|r| &r.attributes);
        let names = attributes.filter(|a| a.key == "service.name");
        names.filter_map(|a| a.value.as_ref()?.value.clone()).map(|v| text(&v)).collect()
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::StringValue(text) => text.clone(),
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn attribute(span: &Span, key: &str) -> Option<String> {
    let found = span.attributes.iter().find(|a| a.key == key)?;
    Some(text(found.value.as_ref()?.value.as_ref()?))
}

async fn traced(collector: &Collector, more: &str) -> Result<Server> {
    let url = collector.start().await;
    let config = format!("[telemetry]\notlp_endpoint = \"{url}\"\n{more}");
    builder().config(&config).environment("OTEL_BSP_SCHEDULE_DELAY", "100").start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_its_unit_its_calls_and_their_statements_are_one_tree() -> Result {
    let collector = Collector::default();
    let server = traced(&collector, "").await?;
    let client = server.client().header("traceparent", &format!("00-{TRACE}-{CALLER}-01"))?;
    client.post("/v2.0/networks", &json!({"network": {"name": "a"}})).await?.expect(201)?;

    let of_trace = || -> Vec<Span> {
        collector.spans().into_iter().filter(|span| hex(&span.trace_id) == TRACE).collect()
    };
    until("the request's span is collected", Duration::from_secs(20), || async {
        Ok(of_trace().iter().any(|span| span.name == "request").then_some(()))
    })
    .await?;
    let spans = of_trace();
    let parent = |span: &Span| spans.iter().find(|other| other.span_id == span.parent_span_id).cloned();

    let request = spans.iter().find(|span| span.name == "request").unwrap();
    assert_eq!(hex(&request.parent_span_id), CALLER);
    assert_eq!(attribute(request, "route").as_deref(), Some("/v2.0/networks"));
    assert_eq!(attribute(request, "status").as_deref(), Some("IntValue(201)"));

    let unit = spans.iter().find(|span| span.name == "unit").unwrap();
    assert_eq!(unit.parent_span_id, request.span_id);

    let create = |span: &&Span| {
        attribute(span, "plugin").as_deref() == Some("ml2")
            && attribute(span, "hook").as_deref() == Some("create")
    };
    let call = spans.iter().find(create).unwrap();
    assert_eq!((call.name.as_str(), &call.parent_span_id), ("call", &unit.span_id));

    let insert = |span: &&Span| {
        span.name == "statement"
            && attribute(span, "db.query.text").is_some_and(|sql| sql.starts_with("INSERT"))
            && span.parent_span_id == call.span_id
    };
    assert!(spans.iter().any(|span| insert(&span)), "no INSERT within ML2's call: {spans:#?}");

    let drivers: Vec<_> =
        spans.iter().filter(|s| attribute(s, "plugin").as_deref() == Some("mech-logger")).collect();
    assert!(drivers.iter().any(|span| span.parent_span_id == call.span_id), "precommit is within ML2's call");
    let delivered = drivers.iter().filter_map(|span| parent(span)).find(|span| span.name == "delivery");
    let delivery = delivered.expect("postcommit is within a delivery");
    assert_eq!(parent(&delivery).map(|span| span.name), Some("request".to_owned()));
    assert!(collector.services().iter().all(|name| name == "hadron"));
    Ok(())
}

/// A Keystone that lets the server in, knows no token, and keeps the headers of
/// what it was asked.
async fn identity(asked: Arc<Mutex<Vec<HeaderMap>>>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let log_in = || async {
        let token = json!({"token": {"expires_at": "2999-01-01T00:00:00Z", "user": {"id": "u", "domain": {"id": "d"}}}});
        (StatusCode::CREATED, [("x-subject-token", "own")], Json(token))
    };
    let validate = move |headers: HeaderMap| async move {
        asked.lock().unwrap().push(headers);
        StatusCode::NOT_FOUND
    };
    let routes = Router::new().route("/v3/auth/tokens", post(log_in).get(validate));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn keystone_is_told_whose_request_it_is_asked_for() -> Result {
    let (collector, asked) = (Collector::default(), Arc::default());
    let keystone = identity(Arc::clone(&asked)).await;
    let auth = format!(
        "[auth]\nmode = \"keystone\"\n[keystone]\nauth_url = \"{keystone}\"\npassword = \"secret\"\n"
    );
    let server = traced(&collector, &auth).await?;
    let ask = async |token: &str| server.client().header("x-auth-token", token);
    let traced = ask("one").await?.header("traceparent", &format!("00-{TRACE}-{CALLER}-01"))?;
    let global = "req-0a1b2c3d-0a1b-4c2d-8e3f-0a1b2c3d4e5f";
    traced.header("x-openstack-request-id", global)?.get("/v2.0/networks").await?.expect(401)?;
    let answer = ask("two").await?.get("/v2.0/networks").await?;
    let own = answer.headers["x-openstack-request-id"].clone();
    answer.expect(401)?;

    let asked = asked.lock().unwrap();
    let [first, second] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(first["x-openstack-request-id"], global);
    let parent = first["traceparent"].to_str().unwrap();
    assert!(parent.starts_with(&format!("00-{TRACE}-")) && parent.ends_with("-01"), "{parent}");
    assert!(!parent.contains(CALLER), "the server's own span is the parent: {parent}");
    assert_eq!(second["x-openstack-request-id"], own);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callers_decision_is_kept_and_others_are_sampled() -> Result {
    let collector = Collector::default();
    let server = traced(&collector, "sample_ratio = 0.0\n").await?;
    let with = |flag: &str| server.client().header("traceparent", &format!("00-{TRACE}-{CALLER}-{flag}"));
    with("00")?.get("/v2.0/").await?.expect(200)?;
    server.get("/v2.0/networks").await?.expect(200)?;
    with("01")?.get("/v2.0/extensions").await?.expect(200)?;
    until("the caller's trace is collected", Duration::from_secs(20), || async {
        Ok(collector.spans().iter().any(|span| span.name == "request").then_some(()))
    })
    .await?;
    let spans = collector.spans();
    assert!(spans.iter().all(|span| hex(&span.trace_id) == TRACE), "{spans:#?}");
    let paths: Vec<_> = spans.iter().filter_map(|span| attribute(span, "path")).collect();
    assert_eq!(paths, ["/v2.0/extensions"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_spans_are_sent_before_the_server_ends() -> Result {
    let collector = Collector::default();
    let url = collector.start().await;
    // By the standard variables alone; the batch would be sent in an hour.
    let mut server = builder()
        .environment("OTEL_EXPORTER_OTLP_ENDPOINT", &url)
        .environment("OTEL_SERVICE_NAME", "cloud-7")
        .environment("OTEL_BSP_SCHEDULE_DELAY", "3600000")
        .start()
        .await?;
    server.get("/v2.0/networks").await?.expect(200)?;
    assert_eq!(server.terminate().await?, Some(0));
    assert!(
        collector.spans().iter().any(|span| attribute(span, "path").as_deref() == Some("/v2.0/networks"))
    );
    assert!(collector.services().iter().all(|name| name == "cloud-7"));
    Ok(())
}
