//! `/metrics`: what is in it, where it is answered, and that its labels are few.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use hadron_sdk_testing::{Client, Result, Server};
use hadron_tests_operations::builder;
use serde_json::{Value, json};

async fn scraped(client: &Client) -> Result<String> {
    match client.get("/metrics").await?.expect(200)? {
        Value::String(text) => Ok(text),
        other => panic!("no text: {other}"),
    }
}

/// The value of a line that begins so.
fn value(text: &str, name: &str) -> f64 {
    let line = text.lines().find(|line| line.starts_with(name));
    let line = line.unwrap_or_else(|| panic!("no {name} in\n{text}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn requests_units_plugins_and_the_store_are_counted() -> Result {
    let server = builder().start().await?;
    let network = server.post("/v2.0/networks", &json!({"network": {"name": "a"}})).await?.expect(201)?;
    let id = network["network"]["id"].as_str().unwrap();
    for _ in 0..3 {
        server.get(&format!("/v2.0/networks/{id}")).await?.expect(200)?;
    }
    server.get("/v2.0/nowhere/1").await?.expect(404)?;
    server.get("/elsewhere").await?.expect(404)?;
    let text = scraped(&server.client()).await?;
    let requests = |method: &str, route: &str, status: u16| {
        let labels = format!("method=\"{method}\",route=\"{route}\",status=\"{status}\"");
        value(&text, &format!("hadron_http_requests_total{{{labels}}}"))
    };
    assert_eq!(requests("POST", "/v2.0/networks", 201), 1.0);
    assert_eq!(requests("GET", "/v2.0/networks/{id}", 200), 3.0);
    assert_eq!(requests("GET", "unmatched", 404), 2.0);
    let duration = "hadron_http_request_duration_seconds_count{method=\"GET\",route=\"/v2.0/networks/{id}\"}";
    assert_eq!(value(&text, duration), 3.0);
    for (name, least) in [
        ("hadron_unit_ended_total{outcome=\"done\"}", 1.0),
        ("hadron_unit_limit", 16.0),
        ("hadron_plugin_calls_total{plugin=\"ml2\"}", 1.0),
        ("hadron_plugin_guest_seconds_total{plugin=\"mech-logger\"}", 1e-9),
        ("hadron_plugin_instance_limit", 64.0),
        ("hadron_journal_attempts_total{target=\"mech-logger\",outcome=\"done\"}", 1.0),
        ("hadron_store_statements_total", 10.0),
        ("hadron_store_connections", 1.0),
        ("hadron_store_commit_units_count", 1.0),
        ("hadron_store_transaction_seconds_count{outcome=\"committed\"}", 1.0),
        ("process_cpu_seconds_total", 0.0),
        ("process_resident_memory_bytes", 1e6),
    ] {
        assert!(value(&text, name) >= least, "{name} is {}", value(&text, name));
    }
    for name in ["hadron_plugin_out_of_rotation{plugin=\"mech-logger\"}", "hadron_unit_admitted"] {
        assert_eq!(value(&text, name), 0.0);
    }
    assert!(!text.contains(id), "an id is a label in\n{text}");
    assert!(text.ends_with("# EOF\n"), "{text}");
    Ok(())
}

#[tokio::test]
async fn what_waits_for_the_operator_is_seen() -> Result {
    let server = builder().start().await?;
    server.cli(&["plugin", "disable", "mech-logger"]).await?.ok()?;
    server.post("/v2.0/networks", &json!({"network": {"name": "a"}})).await?.expect(201)?;
    let text = scraped(&server.client()).await?;
    assert_eq!(value(&text, "hadron_plugin_out_of_rotation{plugin=\"mech-logger\"}"), 1.0);
    let waiting = text.lines().filter(|l| l.starts_with("hadron_journal_entries{target=\"mech-logger\""));
    assert!(waiting.count() >= 1, "{text}");
    assert!(value(&text, "hadron_journal_oldest_seconds{target=\"mech-logger\"") >= 0.0);
    Ok(())
}

#[tokio::test]
async fn they_can_have_an_address_of_their_own_or_none() -> Result {
    let beside = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = beside.local_addr().unwrap();
    drop(beside);
    let own = format!("[metrics]\nlisten = \"{address}\"\n");
    let server = builder().config(&own).start().await?;
    assert_eq!(server.get("/metrics").await?.status, 404);
    let text = scraped(&Client::new(format!("http://{address}"))?).await?;
    assert!(text.contains("hadron_http_requests"), "{text}");

    let silent = Server::builder().core("").type_drivers(&[]).mechanism_drivers(&[]);
    let silent = silent.config("[metrics]\nlisten = \"none\"\n").start().await?;
    assert_eq!(silent.get("/metrics").await?.status, 404);
    Ok(())
}
