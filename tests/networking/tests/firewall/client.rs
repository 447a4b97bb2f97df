//! The `firewall group`, `firewall group policy` and `firewall group rule`
//! commands of the client.

use super::server;
use anyhow::{Result, ensure};
use hadron_networking_tests::{Cli, world};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn firewall_commands() -> Result<()> {
    let server = server().await?;
    let Some(mut cli) = Cli::start(&server).await? else { return Ok(()) };
    let client = server.client();
    let blue = world::network(&client, "blue").await?;
    let port = super::interface(&client, &blue).await?;

    let rule = "firewall group rule create --name web --protocol tcp --destination-port 80:90 --action allow";
    let rule = cli.json(rule).await?;
    assert_eq!(
        (&rule["Name"], &rule["Destination Port"], &rule["Action"]),
        (&json!("web"), &json!("80:90"), &json!("allow"))
    );
    cli.run("firewall group rule create --name rest --action deny").await?;
    cli.run("firewall group rule set web --source-ip-address 10.0.0.0/8").await?;
    assert_eq!(cli.json("firewall group rule show web").await?["Source IP Address"], "10.0.0.0/8");
    cli.run("firewall group policy create p --firewall-rule rest --audited").await?;
    cli.run("firewall group policy add rule p web --insert-before rest").await?;
    let policy = cli.json("firewall group policy show p").await?;
    assert_eq!(
        (policy["Firewall Rules"].as_array().map(Vec::len), &policy["Audited"]),
        (Some(2), &json!(false))
    );
    ensure!(cli.refused("firewall group rule delete web").await?.contains("is being used"));
    let group = format!("firewall group create --name g --port {port} --ingress-firewall-policy p --disable");
    let group = cli.json(&group).await?;
    assert_eq!((&group["Status"], &group["State"]), (&json!("PENDING_CREATE"), &json!(false)));
    ensure!(cli.refused("firewall group set g --name h").await?.contains("is in PENDING_CREATE"));
    ensure!(cli.refused("firewall group policy remove rule p rest").await?.contains("is in PENDING_CREATE"));
    client.delete(&format!("/v2.0/ports/{port}")).await?.expect(204)?;
    cli.run("firewall group unset g --ingress-firewall-policy").await?;
    cli.run("firewall group policy remove rule p rest").await?;
    let names = cli.column("firewall group list", "Name").await?;
    ensure!(names.contains("default") && names.contains('g'), "{names}");
    cli.run("firewall group delete g").await?;
    cli.run("firewall group policy delete p").await?;
    cli.run("firewall group rule delete web rest").await?;
    Ok(())
}
