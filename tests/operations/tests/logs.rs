//! What the log says of a request, and whose lines it is found by.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use hadron_sdk_testing::{Result, until};
use hadron_tests_operations::{answered, builder, lines};
use serde_json::json;
use std::time::Duration;

const GLOBAL: &str = "req-0a1b2c3d-0a1b-4c2d-8e3f-0a1b2c3d4e5f";

#[tokio::test]
async fn a_write_is_told_in_one_line_with_what_it_cost() -> Result {
    let server = builder().start().await?;
    let client = server.client().header("x-openstack-request-id", GLOBAL)?;
    let answer = client.post("/v2.0/networks", &json!({"network": {"name": "a"}})).await?;
    let request = answer.headers["x-openstack-request-id"].to_str().unwrap().to_owned();
    assert!(request.starts_with("req-") && request != GLOBAL, "{request}");
    let length: u64 = answer.headers["content-length"].to_str().unwrap().parse().unwrap();
    answer.expect(201)?;

    let line = answered(&server, &request).await?;
    assert_eq!(line["global_request_id"], GLOBAL);
    assert_eq!((&line["method"], &line["path"]), (&json!("POST"), &json!("/v2.0/networks")));
    assert_eq!((&line["status"], &line["bytes"]), (&json!(201), &json!(length)));
    assert_eq!(line["route"], "/v2.0/networks");
    assert_eq!(line["user"], "admin");
    assert_eq!(line["project"], "00000000000000000000000000000000");
    for cost in ["ms", "plugin_ms", "database_ms", "statements"] {
        assert!(line[cost].as_f64().unwrap() > 0.0, "{cost} in {line}");
    }
    let parts = line["plugin_ms"].as_f64().unwrap() + line["database_ms"].as_f64().unwrap();
    assert!(parts <= line["ms"].as_f64().unwrap() + 0.1, "{line}");
    Ok(())
}

#[tokio::test]
async fn what_a_plugin_says_carries_request_unit_plugin_and_version() -> Result {
    let server = builder().start().await?;
    let answer = server.post("/v2.0/networks", &json!({"network": {"name": "a"}})).await?;
    let request = answer.headers["x-openstack-request-id"].to_str().unwrap().to_owned();
    answer.expect(201)?;
    answered(&server, &request).await?;
    let said: Vec<_> = lines(&server, &request).into_iter().filter(|l| l["target"] == "plugin").collect();
    assert!(said.len() >= 2, "the driver is told before and after the commit: {said:?}");
    for line in &said {
        assert_eq!(line["plugin"], "mech-logger", "{line}");
        assert!(line["version"].as_str().is_some_and(|v| !v.is_empty()), "{line}");
        assert_eq!(line["unit"], said[0]["unit"], "one unit of work: {line}");
        assert_eq!(line["unit"].as_str().map(str::len), Some(36), "{line}");
    }
    Ok(())
}

/// The log of these servers goes to a file, and people read it only when they
/// say so.
#[tokio::test]
async fn lines_for_people_carry_the_same_and_files_get_json() -> Result {
    let human = builder().config("[log]\nformat = \"human\"").start().await?;
    let answer = human.post("/v2.0/networks", &json!({"network": {"name": "a"}})).await?;
    let request = answer.headers["x-openstack-request-id"].to_str().unwrap().to_owned();
    answer.expect(201)?;
    let line = until("the driver's line", Duration::from_secs(10), || async {
        let log = human.log();
        let mut lines = log.lines().filter(|line| line.contains(" plugin: ") && line.contains(&request));
        Ok(lines.next().map(str::to_owned))
    })
    .await?;
    assert!(serde_json::from_str::<serde_json::Value>(&line).is_err(), "{line}");
    for field in ["unit=", "plugin=\"mech-logger\"", "version=\""] {
        assert!(line.contains(field), "{field} in {line}");
    }
    let auto = builder().config("[log]\nformat = \"auto\"").start().await?;
    let answer = auto.get("/v2.0/networks").await?;
    answered(&auto, answer.headers["x-openstack-request-id"].to_str().unwrap()).await?;
    Ok(())
}

/// Policy is part of the statement: what a member may see is not asked row by
/// row.
#[tokio::test]
async fn a_members_list_is_one_statement_as_an_administrators() -> Result {
    let server = builder().start().await?;
    let shared = json!({"network": {"name": "a", "project_id": "p2", "shared": true}});
    let network = server.post("/v2.0/networks", &shared).await?.expect(201)?["network"]["id"].clone();
    let port = |number: usize| json!({"network_id": network, "project_id": format!("p{}", number % 2 + 1)});
    let ports: Vec<_> = (0..40).map(port).collect();
    server.post("/v2.0/ports", &json!({"ports": ports})).await?.expect(201)?;
    for (client, seen) in [(server.client(), 40), (server.client().member_of("p1")?, 20)] {
        let answer = client.get("/v2.0/ports").await?;
        let request = answer.headers["x-openstack-request-id"].to_str().unwrap().to_owned();
        assert_eq!(answer.expect(200)?["ports"].as_array().unwrap().len(), seen);
        let line = answered(&server, &request).await?;
        assert_eq!(line["statements"], 1, "{line}");
    }
    Ok(())
}

#[tokio::test]
async fn a_streamed_list_is_told_when_its_last_byte_has_gone() -> Result {
    let server = builder().start().await?;
    let many: Vec<_> = (0..600).map(|i| json!({"name": format!("network {i}")})).collect();
    server.post("/v2.0/networks", &json!({"networks": many})).await?.expect(201)?;
    let answer = server.get("/v2.0/networks").await?;
    let request = answer.headers["x-openstack-request-id"].to_str().unwrap().to_owned();
    assert!(answer.headers.get("content-length").is_none(), "600 networks are more than one piece");
    let sent = answer.expect(200)?;
    let line = answered(&server, &request).await?;
    assert_eq!(sent["networks"].as_array().unwrap().len(), 600);
    assert!(line["bytes"].as_u64().unwrap() > 256 << 10, "{line}");
    assert_eq!(line["statements"], 1, "a list is one statement: {line}");
    assert_eq!(line["plugin_ms"], 0.0);
    Ok(())
}

#[tokio::test]
async fn probes_are_no_news() -> Result {
    let server = builder().start().await?;
    let answer = server.get("/healthz").await?;
    let request = answer.headers["x-openstack-request-id"].to_str().unwrap().to_owned();
    answer.expect(200)?;
    server.get("/v2.0/").await?.expect(200)?;
    assert_eq!(lines(&server, &request), Vec::<serde_json::Value>::new());
    Ok(())
}
