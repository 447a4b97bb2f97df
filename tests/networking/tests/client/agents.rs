//! `network agent`, `availability zone`, and `network create` with hints.

use anyhow::Result;
use hadron_networking_tests::{Cli, Cloud};
use hadron_test_support::Agent;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn agent_commands() -> Result<()> {
    let agents = [Agent::openvswitch("h1"), Agent::dhcp("h1").zone("east"), Agent::dhcp("h2").zone("east")];
    let Some(cloud) = Cloud::start("", &agents).await? else { return Ok(()) };
    let Some(mut cli) = Cli::start(&cloud.server).await? else { return Ok(()) };
    assert_eq!(cli.column("network agent list --agent-type open-vswitch", "Host").await?, "h1");
    let id = cli.column("network agent list --agent-type dhcp --host h1", "ID").await?;
    let shown = cli.json(&format!("network agent show {id}")).await?;
    assert_eq!(
        (&shown["alive"], &shown["availability_zone"], &shown["binary"]),
        (&json!(true), &json!("east"), &json!("neutron-dhcp-agent"))
    );
    cli.run(&format!("network agent set {id} --disable --description rack5")).await?;
    assert_eq!(cli.column(&format!("network agent show {id}"), "description").await?, "rack5");
    cli.run(&format!("network agent set {id} --enable")).await?;
    assert_eq!(cli.run("availability zone list --network -f value").await?, "east available");

    cli.run("network create blue --availability-zone-hint east").await?;
    cli.run(&format!("network agent add network --dhcp {id} blue")).await?;
    assert_eq!(cli.column("network agent list --network blue", "Host").await?, "h1");
    assert_eq!(cli.column(&format!("network list --agent {id}"), "Name").await?, "blue");
    assert_eq!(cli.json("network show blue").await?["availability_zones"], json!(["east"]));
    cli.run(&format!("network agent remove network --dhcp {id} blue")).await?;
    assert_eq!(cli.column("network agent list --network blue", "Host").await?, "");

    let listed = cli.json("network agent list").await?;
    assert_eq!(listed.as_array().map(Vec::len), Some(3), "{listed}");
    let own = listed.as_array().into_iter().flatten().find(|agent| agent["ID"] == json!(id));
    assert_eq!(
        own,
        Some(&json!({"ID": id, "Agent Type": "DHCP agent", "Host": "h1", "Availability Zone": "east",
            "Alive": true, "State": true, "Binary": "neutron-dhcp-agent"}))
    );
    let zones = cli.json("availability zone list --network --long").await?;
    assert_eq!(zones[0]["Zone Resource"], "network");

    // They would be back with their next reports.
    for host in ["h1", "h2"] {
        cloud.peer.silence(host).map_err(|error| anyhow::anyhow!("{error:?}"))?;
    }
    let bridge = cli.column("network agent list --agent-type open-vswitch", "ID").await?;
    let second = cli.column("network agent list --agent-type dhcp --host h2", "ID").await?;
    cli.run(&format!("network agent delete {bridge} {second}")).await?;
    assert_eq!(cli.column("network agent list", "ID").await?, id);
    for command in ["show", "delete", "set --disable"] {
        let (verb, options) = command.split_once(' ').unwrap_or((command, ""));
        let command = format!("network agent {verb} {options} {second}").replace("  ", " ");
        let refused = cli.refused(&command).await?;
        assert!(refused.contains("could not be found") || refused.contains("No Agent found"), "{refused}");
    }
    Ok(())
}
