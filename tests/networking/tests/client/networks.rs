//! `network`, `subnet`, `port`.

use anyhow::{Result, ensure};
use hadron_networking_tests::{Cli, world};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn network_commands() -> Result<()> {
    let server = world::sqlite().await?;
    let Some(mut cli) = Cli::start(&server).await? else { return Ok(()) };
    let made =
        cli.json("network create blue --description sky --mtu 1400 --share --disable --tag one").await?;
    assert_eq!(made["name"], "blue");
    assert_eq!(
        (&made["mtu"], &made["shared"], &made["admin_state_up"]),
        (&json!(1400), &json!(true), &json!(false))
    );
    let vlan = "network create green --provider-network-type vlan --provider-physical-network physnet1 --provider-segment 203";
    assert_eq!(cli.json(vlan).await?["provider:segmentation_id"], 203);
    assert_eq!(cli.column("network list --disable --share --long", "Name").await?, "blue");
    assert_eq!(cli.column("network list --provider-network-type vlan", "Name").await?, "green");
    assert_eq!(cli.column("network list --tags one", "Name").await?, "blue");
    cli.run("network set blue --name azure --enable --no-share --mtu 1350 --tag two").await?;
    let shown = cli.json("network show azure").await?;
    assert_eq!(
        (&shown["mtu"], &shown["shared"], &shown["tags"]),
        (&json!(1350), &json!(false), &json!(["one", "two"]))
    );
    cli.run("network unset azure --all-tag").await?;
    assert_eq!(cli.json("network show azure").await?["tags"], json!([]));
    ensure!(cli.refused("network show blue").await?.contains("No Network found for blue"));
    let again = cli.refused(&vlan.replace("green", "again")).await?;
    ensure!(again.contains("in use"), "{again}");
    cli.run("network delete azure green").await?;
    assert_eq!(cli.run("network list -f value").await?, "");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn subnet_commands() -> Result<()> {
    let server = world::sqlite().await?;
    let Some(mut cli) = Cli::start(&server).await? else { return Ok(()) };
    cli.run("network create blue").await?;
    let made = cli
        .json(
            "subnet create four --network blue --subnet-range 10.1.0.0/24 --gateway 10.1.0.254 --dns-nameserver 10.1.0.53 \
             --allocation-pool start=10.1.0.10,end=10.1.0.20 --host-route destination=10.9.0.0/16,gateway=10.1.0.1 --no-dhcp",
        )
        .await?;
    assert_eq!((&made["gateway_ip"], &made["enable_dhcp"]), (&json!("10.1.0.254"), &json!(false)));
    assert_eq!(made["allocation_pools"], json!([{"start": "10.1.0.10", "end": "10.1.0.20"}]));
    let six = "subnet create six --network blue --ip-version 6 --subnet-range fd00:1::/64 --ipv6-ra-mode slaac --ipv6-address-mode slaac";
    assert_eq!(cli.json(six).await?["ipv6_ra_mode"], "slaac");
    assert_eq!(cli.column("subnet list --ip-version 6", "Name").await?, "six");
    assert_eq!(cli.column("subnet list --network blue --no-dhcp", "Name").await?, "four");
    cli.run("subnet set four --name vier --dhcp --dns-nameserver 10.1.0.54 --gateway 10.1.0.1").await?;
    let shown = cli.json("subnet show vier").await?;
    assert_eq!((&shown["enable_dhcp"], &shown["gateway_ip"]), (&json!(true), &json!("10.1.0.1")));
    assert_eq!(shown["dns_nameservers"], json!(["10.1.0.54", "10.1.0.53"]));
    cli.run(
        "subnet unset vier --dns-nameserver 10.1.0.53 --host-route destination=10.9.0.0/16,gateway=10.1.0.1",
    )
    .await?;
    assert_eq!(cli.json("subnet show vier").await?["host_routes"], json!([]));
    let overlap = cli.refused("subnet create more --network blue --subnet-range 10.1.0.0/25").await?;
    ensure!(overlap.contains("overlaps with another subnet"), "{overlap}");
    cli.run("subnet delete vier six").await?;
    assert_eq!(cli.run("subnet list -f value").await?, "");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn port_commands() -> Result<()> {
    let server = world::sqlite().await?;
    let Some(mut cli) = Cli::start(&server).await? else { return Ok(()) };
    cli.run("network create blue").await?;
    cli.run("subnet create four --network blue --subnet-range 10.1.0.0/24").await?;
    let made = cli
        .json(
            "port create one --network blue --fixed-ip subnet=four,ip-address=10.1.0.7 --mac-address fa:16:3e:00:00:07 \
             --device-owner compute:nova --device 3f2c --description first --disable --host nowhere --vnic-type direct --tag t",
        )
        .await?;
    assert_eq!(made["fixed_ips"][0]["ip_address"], "10.1.0.7");
    assert_eq!((&made["binding_vnic_type"], &made["binding_host_id"]), (&json!("direct"), &json!("nowhere")));
    assert_eq!(cli.column("port list --fixed-ip ip-address=10.1.0.7", "Name").await?, "one");
    assert_eq!(cli.column("port list --device-owner compute:nova --network blue", "Name").await?, "one");
    assert_eq!(cli.column("port list --mac-address fa:16:3e:00:00:07 --tags t", "Name").await?, "one");
    cli.run("port set one --name eins --enable --fixed-ip subnet=four,ip-address=10.1.0.8").await?;
    let shown = cli.json("port show eins").await?;
    assert_eq!(shown["fixed_ips"].as_array().map(Vec::len), Some(2));
    assert_eq!(shown["admin_state_up"], json!(true));
    cli.run(
        "port unset eins --fixed-ip subnet=four,ip-address=10.1.0.7 --device --device-owner --host --tag t",
    )
    .await?;
    let shown = cli.json("port show eins").await?;
    assert_eq!(shown["fixed_ips"].as_array().map(Vec::len), Some(1));
    assert_eq!((&shown["device_id"], &shown["binding_host_id"]), (&json!(""), &json!("")));
    let taken = cli.refused("port create two --network blue --mac-address fa:16:3e:00:00:07").await?;
    ensure!(taken.contains("is in use"), "{taken}");
    cli.run("port delete eins").await?;
    assert_eq!(cli.run("port list -f value").await?, "");
    Ok(())
}
