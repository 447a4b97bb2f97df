//! The short form of the campaign: every sort of instant once on each database.
//! `cargo xtask faults --long` is the long one; so is this with
//! `HADRON_TEST_LONG`.

use anyhow::Result;
use hadron_faults::campaign;
use hadron_faults::world::World;
use hadron_test_support::shared;

/// One of each sort.
const SHORT: usize = 9;
/// Enough that rare instants come about.
const LONG: usize = 100;

fn kills() -> usize {
    if std::env::var_os("HADRON_TEST_LONG").is_some() { LONG } else { SHORT }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_on_sqlite_that_is_killed_loses_and_leaves_nothing() -> Result<()> {
    let mut world = World::start(None).await?;
    let report = campaign::run(&mut world, kills(), 1, |line| eprintln!("{line}")).await?;
    eprintln!("{report}");
    assert_eq!(report.total(), kills() as u64);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_on_postgresql_that_is_killed_loses_and_leaves_nothing() -> Result<()> {
    let Some(postgres) = shared() else { return Ok(()) };
    let mut world = World::start(Some(&postgres.fresh_database().await)).await?;
    let report = campaign::run(&mut world, kills(), 2, |line| eprintln!("{line}")).await?;
    eprintln!("{report}");
    assert_eq!(report.total(), kills() as u64);
    Ok(())
}
