//! An answer comes after the sync that makes it true.

use anyhow::{Context, Result, bail, ensure};
use hadron_faults::trace::{self, Trace};
use hadron_sdk_testing::Server;
use hadron_test_support::shared;
use serde_json::json;
use sqlx::{Connection, PgConnection, Row};
use std::time::Duration;

/// Requests that are watched, one after the other.
const REQUESTS: usize = 20;

/// Whether system calls can be watched here; says loudly when not.
fn watching() -> Result<bool> {
    match trace::available() {
        Ok(()) => Ok(true),
        Err(why) if std::env::var("HADRON_TEST_NO_SKIP").is_ok_and(|v| v == "1") => bail!(why),
        Err(why) => {
            eprintln!("\n=== SKIPPED: answers come after the sync ({why}) ===\n");
            Ok(false)
        }
    }
}

async fn create(server: &Server) -> Result<()> {
    for number in 0..REQUESTS {
        let body = json!({"network": {"name": format!("n{number}")}});
        server.post("/v2.0/networks", &body).await?.expect(201)?;
        // Whatever goes on after the answer is over before the next request.
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_syncs_its_log_before_each_answer() -> Result<()> {
    if !watching()? {
        return Ok(());
    }
    let server = Server::builder().mechanism_drivers(&[]).start().await?;
    // Whatever a first request does once is not what is counted.
    server.post("/v2.0/networks", &json!({"network": {}})).await?.expect(201)?;
    let trace = Trace::attach(&[server.process_id()], &server.folder().join("strace"))?;
    create(&server).await?;
    let seen = trace.end()?;
    let synced = trace::synced_before_answer(&seen, "hadron.db-wal");
    assert_eq!(synced, vec![true; REQUESTS], "{seen}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_syncs_its_log_before_each_answer() -> Result<()> {
    let Some(postgres) = shared() else { return Ok(()) };
    let url = postgres.fresh_database().await;
    let mut connection = PgConnection::connect(&url).await?;
    for (setting, wanted) in [("fsync", "on"), ("synchronous_commit", "on"), ("full_page_writes", "on")] {
        let row = sqlx::query("SELECT current_setting($1)").bind(setting).fetch_one(&mut connection).await?;
        let value: String = row.get(0);
        ensure!(value == wanted, "{setting} is {value}: nothing could be shown with this server");
    }
    if !watching()? {
        return Ok(());
    }
    let server = Server::builder().mechanism_drivers(&[]).database(&url).start().await?;
    server.post("/v2.0/networks", &json!({"network": {}})).await?.expect(201)?;
    let own: i32 = sqlx::query("SELECT pg_backend_pid()").fetch_one(&mut connection).await?.get(0);
    let own = u32::try_from(own)?;
    let postmaster = trace::parent_of(own).context("the backend has no parent")?;
    // Those that are there now, and through the postmaster those that come.
    let mut watched = trace::children(postmaster);
    watched.extend([postmaster, server.process_id()]);
    let trace = Trace::attach(&watched, &server.folder().join("strace"))?;
    create(&server).await?;
    let seen = trace.end()?;
    let synced = trace::synced_before_answer(&seen, "/pg_wal/");
    assert_eq!(synced, vec![true; REQUESTS], "{seen}");
    Ok(())
}
