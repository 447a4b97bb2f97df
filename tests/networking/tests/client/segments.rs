//! `network segment`, `network segment range`, and what networks and subnets
//! say of segments.

use anyhow::{Result, ensure};
use hadron_networking_tests::{Cli, world};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn segment_commands() -> Result<()> {
    let server = world::sqlite().await?;
    let Some(mut cli) = Cli::start(&server).await? else { return Ok(()) };
    cli.run("network create blue --provider-network-type vlan --provider-physical-network physnet1 --provider-segment 3001").await?;
    let made = "network segment create second --network blue --network-type vlan --physical-network physnet1 --segment 3002 --description far";
    let made = cli.json(made).await?;
    assert_eq!((&made["segmentation_id"], &made["description"]), (&json!(3002), &json!("far")));
    let listed = cli.json("network segment list --network blue --long").await?;
    assert_eq!(listed.as_array().map(Vec::len), Some(2));
    cli.run("network segment set second --name other --description near").await?;
    assert_eq!(cli.json("network segment show other").await?["description"], "near");
    cli.run("subnet create four --network blue --subnet-range 10.1.0.0/24 --network-segment other").await?;
    let shown = cli.json("subnet show four").await?;
    assert_eq!(shown["segment_id"], made["id"]);
    ensure!(cli.refused("network segment delete other").await?.contains("still associated with subnet(s)"));
    cli.run("subnet delete four").await?;
    cli.run("network segment delete other").await?;
    assert_eq!(cli.column("network show blue", "provider:segmentation_id").await?, "3001");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn segment_range_commands() -> Result<()> {
    let server = world::sqlite().await?;
    let Some(mut cli) = Cli::start(&server).await? else { return Ok(()) };
    let made = "network segment range create hall --shared --network-type vlan --physical-network physnet2 --minimum 10 --maximum 12";
    let made = cli.json(made).await?;
    assert_eq!((&made["shared"], &made["available"]), (&json!(true), &json!(["10-12"])));
    cli.run("network create green --provider-network-type vlan --provider-physical-network physnet2").await?;
    cli.run("network segment range set hall --name old-hall --minimum 10 --maximum 20").await?;
    let shown = cli.json("network segment range show old-hall").await?;
    assert_eq!((&shown["maximum"], &shown["available"]), (&json!(20), &json!(["11-20"])));
    let listed = cli.json("network segment range list --long --used").await?;
    ensure!(
        listed.as_array().is_some_and(|rows| rows.iter().any(|row| row["Name"] == "old-hall")),
        "{listed}"
    );
    ensure!(cli.refused("network segment range delete old-hall").await?.contains("referenced by"));
    cli.run("network delete green").await?;
    cli.run("network segment range delete old-hall").await?;
    Ok(())
}
