//! Whether the server lives and is ready, and how it stops.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use hadron_sdk_testing::{Error, Result, Server};
use hadron_tests_operations::builder;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn they_are_answered_without_a_login() -> Result {
    let server = builder().user("ann", "secret").start().await?;
    server.get("/v2.0/networks").await?.expect(401)?;
    assert_eq!(server.get("/healthz").await?.expect(200)?["status"], "alive");
    let ready = server.get("/readyz").await?.expect(200)?;
    assert_eq!((&ready["status"], &ready["reasons"]), (&json!("ready"), &json!([])));
    assert_eq!(ready["plugins"]["refused"], 0);
    assert!(ready["plugins"]["loaded"].as_u64().is_some_and(|loaded| loaded >= 4), "{ready}");
    assert_eq!(server.get("/healthcheck").await?.expect(200)?["reasons"], json!(["OK"]));
    for path in ["/healthz", "/readyz"] {
        assert_eq!(server.post(path, &json!({})).await?.status, 405);
    }
    Ok(())
}

#[tokio::test]
async fn a_server_without_any_plugin_that_could_be_loaded_is_not_ready() -> Result {
    let server = Server::builder().core("nowhere").service_plugins(&[]);
    let server = server.type_drivers(&[]).mechanism_drivers(&[]).start().await?;
    let ready = server.get("/readyz").await?.expect(503)?;
    assert_eq!(ready["reasons"], json!(["no plugin that serves a resource could be loaded"]));
    server.get("/healthz").await?.expect(200)?;
    Ok(())
}

/// Clients as behind a load balancer: they go on until `/readyz` turns them
/// away, and until then every request must be answered.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_told_to_stop_fails_no_request() -> Result {
    let mut server = builder().config("drain_notice_ms = 1500").start().await?;
    let clients: Vec<_> = (0..6)
        .map(|number| {
            let client = server.client();
            tokio::spawn(async move {
                for count in 0u32.. {
                    let name = format!("{number}-{count}");
                    client.post("/v2.0/networks", &json!({"network": {"name": name}})).await?.expect(201)?;
                    if client.get("/readyz").await?.status == 503 {
                        return Ok(count);
                    }
                }
                Err(Error::new("it was never told"))
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let code = server.terminate().await?;
    assert_eq!(code, Some(0));
    for client in clients {
        assert!(client.await.unwrap()? > 0, "each had some requests answered");
    }
    // What was answered is there.
    server.restart().await?;
    server.get("/readyz").await?.expect(200)?;
    Ok(())
}
