//! A database that goes away and comes back.

use anyhow::{Context, Result, ensure};
use hadron_faults::world::World;
use hadron_test_support::Postgres;
use serde_json::json;
use std::time::{Duration, Instant};

/// A server of its own, which others do not miss while it is away; none where
/// PostgreSQL is not installed.
fn own() -> Option<Postgres> {
    hadron_test_support::shared()?;
    Some(Postgres::start().expect("a second PostgreSQL starts where a first one did"))
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_refused_while_the_database_is_away_and_work_afterwards() -> Result<()> {
    let Some(postgres) = own() else { return Ok(()) };
    let mut world = World::start(Some(&postgres.fresh_database().await)).await?;
    let network =
        world.server.post("/v2.0/networks", &json!({"network": {"name": "n-0-0"}})).await?.expect(201)?;
    let id = network["network"]["id"].as_str().context("no id")?.to_owned();

    postgres.stop().map_err(anyhow::Error::msg)?;
    for _ in 0..2 {
        let write = world.server.post("/v2.0/networks", &json!({"network": {}})).await?;
        let (kind, message) = write.expect_error(503)?;
        ensure!(kind == "ServiceUnavailable" && message.contains("database"), "a write: {kind}: {message}");
        for path in ["/v2.0/networks".to_owned(), format!("/v2.0/networks/{id}")] {
            let (kind, message) = world.server.get(&path).await?.expect_error(503)?;
            ensure!(
                kind == "ServiceUnavailable" && message.contains("database"),
                "a read: {kind}: {message}"
            );
        }
    }
    ensure!(world.server.is_running(), "the server ended with its database");

    postgres.restart().map_err(anyhow::Error::msg)?;
    let began = Instant::now();
    loop {
        let body = json!({"network": {"name": "n-0-0.1"}});
        match world.server.put(&format!("/v2.0/networks/{id}"), &body).await? {
            answer if answer.status == 200 => break,
            answer if began.elapsed() < Duration::from_secs(10) => {
                ensure!(answer.status == 503, "{}", answer.body);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            answer => ensure!(answer.status == 200, "10 s after the database came back: {}", answer.body),
        }
    }
    world.quiet().await?;
    let on_device = world.device.memory().present.get(&("networks".to_owned(), id)).cloned();
    ensure!(on_device.is_some_and(|body| body["name"] == "n-0-0.1"), "the journal did not catch up");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_database_goes_away_under_load() -> Result<()> {
    let Some(postgres) = own() else { return Ok(()) };
    let world = World::start(Some(&postgres.fresh_database().await)).await?;
    world.ledger.lock().database_was_away = true;
    for (round, hard) in [(0, false), (1, true)] {
        let load = world.load(20 + round).await?;
        tokio::time::sleep(Duration::from_millis(700)).await;
        // As a power cut of the database's machine, and in good order.
        let stopped = if hard { postgres.kill() } else { postgres.stop() };
        stopped.map_err(anyhow::Error::msg)?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        load.end().await?;
        postgres.restart().map_err(anyhow::Error::msg)?;
        let found = world.check().await?;
        ensure!(found.is_empty(), "round {round}: {found:?}");
        world.delete_unwanted().await?;
    }
    Ok(())
}
