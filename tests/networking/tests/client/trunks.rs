//! `network trunk`, `network subport`.

use anyhow::{Result, ensure};
use hadron_networking_tests::{Cli, world};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn trunk_commands() -> Result<()> {
    let server = world::sqlite().await?;
    let Some(mut cli) = Cli::start(&server).await? else { return Ok(()) };
    cli.run("network create blue").await?;
    for port in ["parent", "one", "two"] {
        cli.run(&format!("port create {port} --network blue")).await?;
    }
    let made = cli
        .json(
            "network trunk create t --description d --parent-port parent --disable \
             --subport port=one,segmentation-type=vlan,segmentation-id=7",
        )
        .await?;
    assert_eq!(
        (&made["name"], &made["description"], &made["is_admin_state_up"], &made["status"]),
        (&json!("t"), &json!("d"), &json!(false), &json!("DOWN"))
    );
    assert_eq!(made["sub_ports"][0]["segmentation_id"], 7);
    assert_eq!(cli.json("port show parent").await?["trunk_details"]["trunk_id"], made["id"]);
    let add = "network trunk set t --subport port=two,segmentation-type=vlan,segmentation-id=8";
    ensure!(cli.refused(add).await?.contains("is currently disabled"));
    cli.run("network trunk set t --enable --name u --description e").await?;
    cli.run(&add.replace("set t", "set u")).await?;
    assert_eq!(cli.column("network trunk list", "Name").await?, "u");
    assert_eq!(cli.json("network trunk list --long").await?[0]["Description"], "e");
    let numbers = cli.json("network subport list --trunk u").await?;
    assert_eq!((&numbers[0]["Segmentation ID"], &numbers[1]["Segmentation ID"]), (&json!(7), &json!(8)));
    ensure!(cli.refused("port delete one").await?.contains("is currently a subport for trunk"));
    cli.run("network trunk unset u --subport one").await?;
    assert_eq!(cli.json("network trunk show u").await?["sub_ports"][0]["segmentation_id"], 8);
    cli.run("network trunk delete u").await?;
    cli.run("port delete parent one two").await?;
    Ok(())
}
