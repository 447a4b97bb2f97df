//! `security group`, `security group rule`, `default security group rule`,
//! `address group`, and what ports let through.

use anyhow::{Result, ensure};
use hadron_networking_tests::{Cli, world};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn security_group_commands() -> Result<()> {
    let server = world::sqlite().await?;
    let Some(mut cli) = Cli::start(&server).await? else { return Ok(()) };
    let made = cli.json("security group create web --description front --stateless --tag one").await?;
    assert_eq!((&made["name"], &made["description"]), (&json!("web"), &json!("front")));
    assert_eq!((&made["stateful"], &made["tags"]), (&json!(false), &json!(["one"])));
    assert_eq!(cli.column("security group list --tags one", "Name").await?, "web");
    cli.run("security group set web --name www --description back --stateful --tag two").await?;
    let shown = cli.json("security group show www").await?;
    assert_eq!((&shown["description"], &shown["stateful"]), (&json!("back"), &json!(true)));
    cli.run("security group unset www --all-tag").await?;
    assert_eq!(cli.json("security group show www").await?["tags"], json!([]));
    ensure!(cli.refused("security group create default").await?.contains("already exists"));

    let rule = cli
        .json("security group rule create www --protocol tcp --dst-port 80:81 --remote-ip 10.0.0.0/8 --description web")
        .await?;
    assert_eq!((&rule["port_range_min"], &rule["port_range_max"]), (&json!(80), &json!(81)));
    assert_eq!((&rule["direction"], &rule["remote_ip_prefix"]), (&json!("ingress"), &json!("10.0.0.0/8")));
    let id = rule["id"].as_str().unwrap_or_default().to_owned();
    let icmp = cli
        .json("security group rule create www --egress --ethertype IPv6 --protocol ipv6-icmp --icmp-type 128 --icmp-code 0")
        .await?;
    assert_eq!((&icmp["port_range_min"], &icmp["port_range_max"]), (&json!(128), &json!(0)));
    cli.run("security group rule create www --remote-group www --protocol any").await?;
    let again = "security group rule create www --protocol tcp --dst-port 80:81 --remote-ip 10.0.0.0/8";
    ensure!(cli.refused(again).await?.contains(&id));
    assert_eq!(cli.column("security group rule list www --protocol tcp --ingress", "ID").await?, id);
    assert_eq!(cli.json(&format!("security group rule show {id}")).await?["description"], "web");
    cli.run(&format!("security group rule delete {id}")).await?;
    ensure!(cli.refused(&format!("security group rule show {id}")).await?.contains(&id));
    cli.run("security group delete www").await?;
    ensure!(cli.refused("security group show www").await?.contains("No SecurityGroup found for www"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn default_rule_commands() -> Result<()> {
    let server = world::sqlite().await?;
    let Some(mut cli) = Cli::start(&server).await? else { return Ok(()) };
    let made = cli
        .json("default security group rule create --protocol udp --dst-port 53 --remote-group PARENT --for-default-sg --for-custom-sg")
        .await?;
    assert_eq!((&made["remote_group_id"], &made["port_range_min"]), (&json!("PARENT"), &json!(53)));
    assert_eq!((&made["used_in_default_sg"], &made["used_in_non_default_sg"]), (&json!(true), &json!(true)));
    let id = made["id"].as_str().unwrap_or_default().to_owned();
    assert_eq!(cli.column("default security group rule list --protocol udp", "ID").await?, id);
    assert_eq!(cli.json(&format!("default security group rule show {id}")).await?["protocol"], "udp");
    cli.run("security group create web").await?;
    ensure!(cli.run("security group rule list web -f value").await?.contains("udp"));
    cli.run(&format!("default security group rule delete {id}")).await?;
    assert_eq!(cli.column("default security group rule list --protocol udp", "ID").await?, "");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn address_group_commands() -> Result<()> {
    let server = world::sqlite().await?;
    let Some(mut cli) = Cli::start(&server).await? else { return Ok(()) };
    let made = cli
        .json("address group create offices --description all --address 10.0.0.5/24 --address 2001:db8::/64")
        .await?;
    assert_eq!(made["addresses"], json!(["10.0.0.0/24", "2001:db8::/64"]));
    cli.run("address group set offices --name sites --description some --address 10.1.0.0/24").await?;
    let shown = cli.json("address group show sites").await?;
    assert_eq!(shown["addresses"], json!(["10.0.0.0/24", "10.1.0.0/24", "2001:db8::/64"]));
    assert_eq!(shown["description"], "some");
    cli.run("address group unset sites --address 2001:db8::/64 --address 10.1.0.0/24").await?;
    assert_eq!(cli.json("address group show sites").await?["addresses"], json!(["10.0.0.0/24"]));
    assert_eq!(cli.column("address group list --name sites", "Name").await?, "sites");
    cli.run("security group create web").await?;
    let rule = cli.json("security group rule create web --remote-address-group sites").await?;
    ensure!(cli.refused("address group delete sites").await?.contains("Failed to delete address group"));
    cli.run(&format!("security group rule delete {}", rule["id"].as_str().unwrap_or_default())).await?;
    cli.run("address group delete sites").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn secured_port_commands() -> Result<()> {
    let server = world::sqlite().await?;
    let Some(mut cli) = Cli::start(&server).await? else { return Ok(()) };
    cli.run("network create open --disable-port-security").await?;
    assert_eq!(cli.json("network show open").await?["port_security_enabled"], false);
    cli.run("network set open --enable-port-security").await?;
    let group = cli.json("security group create web").await?["id"].clone();
    let id = group.as_str().unwrap_or_default().to_owned();
    let made = cli
        .json("port create one --network open --security-group web --allowed-address ip-address=10.0.0.9,mac-address=fa:16:3e:00:00:09")
        .await?;
    assert_eq!(made["security_group_ids"], json!([group]));
    assert_eq!(
        made["allowed_address_pairs"],
        json!([{"ip_address": "10.0.0.9", "mac_address": "fa:16:3e:00:00:09"}])
    );
    let bare = cli.json("port create two --network open --disable-port-security --no-security-group").await?;
    assert_eq!((&bare["port_security_enabled"], &bare["security_group_ids"]), (&json!(false), &json!([])));
    assert_eq!(cli.column(&format!("port list --security-group {id}"), "Name").await?, "one");
    ensure!(cli.refused("port set one --disable-port-security").await?.contains("allowed address pairs"));
    cli.run("port set one --no-security-group --no-allowed-address --disable-port-security").await?;
    let shown = cli.json("port show one").await?;
    assert_eq!(
        (&shown["port_security_enabled"], &shown["allowed_address_pairs"]),
        (&json!(false), &json!([]))
    );
    cli.run(
        "port set one --enable-port-security --security-group web --allowed-address ip-address=10.0.0.0/24",
    )
    .await?;
    cli.run("port unset one --security-group web").await?;
    assert_eq!(cli.json("port show one").await?["security_group_ids"], json!([]));
    Ok(())
}
