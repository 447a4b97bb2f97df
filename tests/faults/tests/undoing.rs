//! The undoing of a refused create, beside deliveries of what it takes back.

use anyhow::{Context, Result, ensure};
use hadron_faults::device::REFUSED;
use hadron_faults::world::World;
use serde_json::json;
use std::time::{Duration, Instant};

/// Two of a bulk take longer than this in one call of the driver, and each one
/// alone less than its limit.
const SLOWNESS: Duration = Duration::from_millis(200);

/// A server that was killed when it was about to undo a bulk starts again: it
/// delivers the bulk while it undoes it. A call is refused as a whole, then each
/// of it is attempted alone, slowly; the undoing comes after that.
#[tokio::test(flavor = "multi_thread")]
async fn an_undoing_does_not_overtake_what_is_being_delivered() -> Result<()> {
    let mut world = World::start(None).await?;
    world.restart(Some("after-undo-entry:1")).await?;
    let network = world.server.post("/v2.0/networks", &json!({"network": {"name": "n-0-0"}})).await?;
    let network = network.expect(201)?["network"]["id"].as_str().context("no id")?.to_owned();
    let port = |name: &str| json!({"name": name, "network_id": network});
    let bulk = json!({"ports": [port("p-0-1"), port(&format!("{REFUSED}-p-0-2"))]});
    let answer = world.server.post("/v2.0/ports", &bulk).await;
    ensure!(answer.is_err(), "the server was to die before it answers");
    let began = Instant::now();
    while world.server.is_running() && began.elapsed() < Duration::from_secs(5) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    world.device.slow_down(SLOWNESS);
    world.restart(None).await?;
    world.quiet().await?;
    // What was overtaken is no entry any more, and comes late.
    tokio::time::sleep(4 * SLOWNESS).await;
    let ports = world.server.get("/v2.0/ports").await?.expect(200)?;
    ensure!(ports["ports"].as_array().is_some_and(Vec::is_empty), "not undone: {ports}");
    let memory = world.device.memory();
    ensure!(memory.disorder.is_empty(), "{:?}", memory.disorder);
    ensure!(memory.present.keys().all(|(kind, _)| kind != "ports"), "left over: {:?}", memory.present);
    ensure!(memory.refusals > 1, "the bulk was not delivered again");
    Ok(())
}
