//! The checker finds what it is there to find: in a world that is whole, a bug
//! is planted between the server's end and the look at what it left.

use anyhow::{Context, Result, ensure};
use hadron_faults::checker::Violation;
use hadron_faults::world::World;
use std::time::Duration;

/// A world with something in it, that the checker has nothing to say about.
async fn whole() -> Result<World> {
    let world = World::start(None).await?;
    let load = world.load(7).await?;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    load.end().await?;
    let found = world.check().await?;
    ensure!(found.is_empty(), "before anything was planted: {found:?}");
    let ports = world.server.get("/v2.0/ports").await?.expect(200)?;
    let ports = ports["ports"].as_array().context("no ports")?.len();
    ensure!(ports > 3, "only {ports} ports: nothing to plant a bug in");
    Ok(world)
}

/// Looks again after a start, as after a kill.
async fn looked_at(world: &mut World) -> Result<Vec<Violation>> {
    world.restart(None).await?;
    world.check().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_row_that_was_lost_is_found() -> Result<()> {
    let mut world = whole().await?;
    world.server.kill9();
    let lost = "DELETE FROM ml2__ports WHERE id IN (SELECT id FROM ml2__ports LIMIT 1)";
    assert_eq!(world.database.tamper(lost).await?, 1);
    let found = looked_at(&mut world).await?;
    assert!(found.iter().any(|v| matches!(v, Violation::Lost(_))), "{found:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_leaked_is_found() -> Result<()> {
    let mut world = whole().await?;
    world.server.kill9();
    let leaked = "UPDATE hadron_pool_free SET lo = lo + 1 WHERE (pool, hi) IN \
        (SELECT f.pool, f.hi FROM hadron_pool_free f JOIN ml2__subnets s ON f.pool LIKE '%' || s.id || '%' \
         WHERE f.lo < f.hi LIMIT 1)";
    assert_eq!(world.database.tamper(leaked).await?, 1);
    let found = looked_at(&mut world).await?;
    assert!(matches!(found.as_slice(), [Violation::Leak(_)]), "{found:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_that_did_not_reach_the_device_is_found() -> Result<()> {
    let mut world = whole().await?;
    world.server.kill9();
    world.device.tamper(|memory| {
        let key = memory.present.keys().find(|key| key.0 == "ports").cloned();
        assert!(key.and_then(|key| memory.present.remove(&key)).is_some());
    });
    let found = looked_at(&mut world).await?;
    assert!(matches!(found.as_slice(), [Violation::NotOnDevice(_)]), "{found:?}");
    Ok(())
}
