//! The `vpn` commands of the client.

use super::Scene;
use anyhow::{Result, ensure};
use hadron_networking_tests::Cli;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn vpn_commands() -> Result<()> {
    let server = super::server().await?;
    let Some(mut cli) = Cli::start(&server).await? else { return Ok(()) };
    let scene = Scene::start(server.client()).await?;
    let (router, subnet) = (&scene.router, &scene.subnets[0]);

    // This client fails by itself over `--lifetime`, and over `--dpd`.
    let ike = cli.json("vpn ike policy create ike --ike-version v2").await?;
    assert_eq!((&ike["IKE Version"], &ike["Lifetime"]["value"]), (&json!("v2"), &json!(3600)));
    cli.run("vpn ike policy set ike --pfs group14 --auth-algorithm sha256").await?;
    let ipsec = cli.json("vpn ipsec policy create ips --encryption-algorithm aes-256").await?;
    assert_eq!(ipsec["Encryption Algorithm"], "aes-256");
    cli.run("vpn ipsec policy set ips --name esp").await?;
    let service = cli.json(&format!("vpn service create v --router {router}")).await?;
    assert_eq!((&service["Status"], &service["Router"]), (&json!("PENDING_CREATE"), &json!(router)));
    ensure!(cli.refused("vpn service set v --name w").await?.contains("Invalid state PENDING_CREATE"));
    cli.run(&format!("vpn endpoint group create here --type subnet --value {subnet}")).await?;
    let there = cli.json("vpn endpoint group create there --type cidr --value 172.16.0.0/16").await?;
    assert_eq!(there["Endpoints"], json!(["172.16.0.0/16"]));
    cli.run("vpn endpoint group set there --name far").await?;
    let connection = cli
        .json(
            "vpn ipsec site connection create c --vpnservice v --ikepolicy ike --ipsecpolicy esp --peer-address \
             203.0.113.7 --peer-id 203.0.113.7 --psk secret --local-endpoint-group here --peer-endpoint-group \
             far --initiator response-only",
        )
        .await?;
    assert_eq!(connection["Initiator"], "response-only");
    ensure!(cli.refused("vpn ike policy delete ike").await?.contains("failed to delete"));
    assert_eq!(cli.column("vpn ipsec site connection list", "Name").await?, "c");
    assert_eq!(cli.column("vpn service list", "Name").await?, "v");
    cli.run("vpn ipsec site connection delete c").await?;
    cli.run("vpn service delete v").await?;
    cli.run("vpn endpoint group delete here far").await?;
    cli.run("vpn ike policy delete ike").await?;
    cli.run("vpn ipsec policy delete esp").await?;
    Ok(())
}
