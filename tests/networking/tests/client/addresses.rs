//! `subnet pool`, `address scope`, and what networks, subnets and ports say of
//! addresses and names.

use anyhow::{Result, ensure};
use hadron_networking_tests::{Cli, world};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn subnet_pool_commands() -> Result<()> {
    let server = world::sqlite().await?;
    let Some(mut cli) = Cli::start(&server).await? else { return Ok(()) };
    cli.run("address scope create plain --ip-version 4").await?;
    let made = cli
        .json(
            "subnet pool create pool --pool-prefix 10.40.0.0/16 --default-prefix-length 24 --min-prefix-length 20 \
             --max-prefix-length 28 --address-scope plain --default-quota 1024 --description d --tag one",
        )
        .await?;
    assert_eq!(made["default_quota"], 1024);
    ensure!(made["prefixes"].to_string().contains("10.40.0.0/16"), "{made}");
    assert_eq!(cli.column("subnet pool list --address-scope plain", "Name").await?, "pool");
    assert_eq!(cli.column("subnet pool list --no-default --name pool --long", "Name").await?, "pool");
    cli.run("subnet pool set pool --name pond --pool-prefix 10.41.0.0/16 --default --no-address-scope")
        .await?;
    let shown = cli.json("subnet pool show pond").await?;
    assert_eq!((&shown["is_default"], &shown["address_scope_id"]), (&json!(true), &json!(null)));
    ensure!(shown["prefixes"].to_string().contains("10.40.0.0/15"), "{shown}");
    cli.run("network create blue").await?;
    let subnet = cli.json("subnet create four --network blue --subnet-pool pond --prefix-length 26").await?;
    assert_eq!(subnet["cidr"], "10.40.0.0/26");
    cli.run("subnet create more --network blue --use-default-subnet-pool").await?;
    ensure!(cli.refused("subnet pool delete pond").await?.contains("existing allocations"));
    cli.run("subnet pool unset pond --tag one").await?;
    cli.run("subnet delete four more").await?;
    cli.run("subnet pool delete pond").await?;
    assert_eq!(cli.run("subnet pool list -f value").await?, "");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn address_scope_commands() -> Result<()> {
    let server = world::sqlite().await?;
    let Some(mut cli) = Cli::start(&server).await? else { return Ok(()) };
    let made = cli.json("address scope create scope --ip-version 6 --no-share").await?;
    assert_eq!((&made["ip_version"], &made["shared"]), (&json!(6), &json!(false)));
    assert_eq!(cli.column("address scope list --ip-version 6 --no-share", "Name").await?, "scope");
    cli.run("address scope set scope --name wide --share").await?;
    assert_eq!(cli.json("address scope show wide").await?["shared"], true);
    ensure!(cli.refused("address scope set wide --no-share").await?.contains("can't be unshared"));
    cli.run("address scope delete wide").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_addresses_and_names() -> Result<()> {
    let zone = "[plugin.ml2.config]\ndns_domain = \"cloud.example.\"\n";
    let server = world::builder().config(zone).start().await?;
    let Some(mut cli) = Cli::start(&server).await? else { return Ok(()) };
    let made = cli.json("network create out --external --dns-domain example.org.").await?;
    assert_eq!((&made["router:external"], &made["dns_domain"]), (&json!(true), &json!("example.org.")));
    cli.run("network create in").await?;
    assert_eq!(cli.column("network list --external", "Name").await?, "out");
    assert_eq!(cli.column("network list --internal", "Name").await?, "in");
    cli.run("network set out --internal").await?;
    assert_eq!(cli.json("network show out").await?["router:external"], false);
    let made = cli
        .json("subnet create four --network in --subnet-range 10.1.0.0/24 --service-type compute:nova --dns-publish-fixed-ip")
        .await?;
    assert_eq!(
        (&made["service_types"], &made["dns_publish_fixed_ip"]),
        (&json!(["compute:nova"]), &json!(true))
    );
    cli.run("subnet unset four --service-type compute:nova").await?;
    let made = cli
        .json(
            "port create eth0 --network in --dns-name vm --dns-domain example.org. \
             --extra-dhcp-option name=bootfile-name,value=pxe,ip-version=4",
        )
        .await?;
    assert_eq!(made["dns_name"], "vm");
    assert_eq!(
        made["extra_dhcp_opts"],
        json!([{"opt_name": "bootfile-name", "opt_value": "pxe", "ip_version": 4}])
    );
    assert_eq!(made["dns_assignment"][0]["fqdn"], "vm.cloud.example.");
    cli.run("port set eth0 --dns-name other").await?;
    assert_eq!(cli.json("port show eth0").await?["dns_assignment"][0]["hostname"], "other");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn ip_availability_commands() -> Result<()> {
    let server = world::sqlite().await?;
    let Some(mut cli) = Cli::start(&server).await? else { return Ok(()) };
    cli.run("network create blue").await?;
    cli.run("subnet create four --network blue --subnet-range 10.0.0.0/24").await?;
    cli.run("port create one --network blue").await?;
    cli.run("network create empty").await?;
    let listed = cli.json("ip availability list").await?;
    let blue = json!({"Network Name": "blue", "Total IPs": 253, "Used IPs": 1});
    let found =
        listed.as_array().into_iter().flatten().any(|row| {
            blue.as_object().into_iter().flatten().all(|(name, value)| row.get(name) == Some(value))
        });
    ensure!(found, "{listed}");
    assert_eq!(cli.run("ip availability list --ip-version 6 -f value").await?, "");
    let shown = cli.json("ip availability show blue").await?;
    assert_eq!((&shown["total_ips"], &shown["used_ips"]), (&json!(253), &json!(1)));
    ensure!(shown["subnet_ip_availability"].to_string().contains("10.0.0.0/24"), "{shown}");
    ensure!(cli.refused("ip availability show nosuch").await?.contains("No Network found for nosuch"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn auto_allocated_topology_commands() -> Result<()> {
    let server = world::sqlite().await?;
    let Some(mut cli) = Cli::start(&server).await? else { return Ok(()) };
    let all = "network auto allocated topology";
    let project = "--project 4fb4dec05f47409fa688e15287ac626a";
    for command in ["create --check-resources", "create --or-show", "delete"] {
        let said = cli.refused(&format!("{all} {command} {project}")).await?;
        ensure!(said.contains("No default router:external network"), "{command}: {said}");
    }
    cli.run("network create out --external --default").await?;
    assert_eq!(cli.json("network show out").await?["is_default"], true);
    let said = cli.refused(&format!("{all} create --check-resources {project}")).await?;
    ensure!(said.contains("No default subnetpools defined"), "{said}");
    cli.run("network create in --no-default --external").await?;
    ensure!(cli.refused("network set in --default").await?.contains("already exists"));
    cli.run("network set out --no-default").await?;
    cli.run("network set in --default").await?;
    Ok(())
}
