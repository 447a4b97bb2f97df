//! `router`, `floating ip`, `floating ip port forwarding`, `network l3 conntrack helper`.

use anyhow::{Result, ensure};
use hadron_networking_tests::{Cli, world};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn router_commands() -> Result<()> {
    let server = world::sqlite().await?;
    let Some(mut cli) = Cli::start(&server).await? else { return Ok(()) };
    cli.run("network create ext --external").await?;
    cli.run("subnet create exts --network ext --subnet-range 198.51.100.0/24 --no-dhcp").await?;
    cli.run("network create blue").await?;
    cli.run("subnet create blues --network blue --subnet-range 10.10.0.0/24").await?;
    cli.run("network create red").await?;
    cli.run("subnet create reds --network red --subnet-range 10.20.0.0/24").await?;
    let made = cli.json("router create r --description d --disable").await?;
    assert_eq!(
        (&made["name"], &made["description"], &made["admin_state_up"]),
        (&json!("r"), &json!("d"), &json!(false))
    );
    cli.run("router set r --enable --name s --external-gateway ext --disable-snat").await?;
    assert_eq!(cli.json("router show s").await?["external_gateway_info"]["enable_snat"], false);
    cli.run("router add subnet s blues").await?;
    cli.run("port create side --network red --fixed-ip ip-address=10.20.0.9").await?;
    cli.run("router add port s side").await?;
    ensure!(cli.refused("router add subnet s blues").await?.contains("already has a port on subnet"));
    cli.run("router set s --route destination=10.50.0.0/24,gateway=10.10.0.5").await?;
    cli.run("router add route s --route destination=10.51.0.0/24,gateway=10.10.0.5").await?;
    ensure!(cli.refused("router remove subnet s blues").await?.contains("required by one or more routes"));
    cli.run("router remove route s --route destination=10.50.0.0/24,gateway=10.10.0.5").await?;
    cli.run("router unset s --route destination=10.51.0.0/24,gateway=10.10.0.5").await?;
    assert_eq!(cli.column("router list", "Name").await?, "s");
    let sides = cli.json("port list --router s").await?.to_string();
    ensure!(sides.contains("10.20.0.9") && sides.contains("10.10.0.1"), "{sides}");
    ensure!(cli.refused("router delete s").await?.contains("has ports still attached"));
    cli.run("router remove port s side").await?;
    cli.run("router remove subnet s blues").await?;
    cli.run("router unset s --external-gateway").await?;
    cli.run("router delete s").await?;
    assert_eq!(cli.column("router list", "Name").await?, "");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn floating_ip_commands() -> Result<()> {
    let server = world::sqlite().await?;
    let Some(mut cli) = Cli::start(&server).await? else { return Ok(()) };
    cli.run("network create ext --external").await?;
    cli.run("subnet create exts --network ext --subnet-range 198.51.100.0/24 --no-dhcp").await?;
    cli.run("network create blue").await?;
    cli.run("subnet create blues --network blue --subnet-range 10.10.0.0/24").await?;
    cli.run("router create r --external-gateway ext").await?;
    cli.run("router add subnet r blues").await?;
    cli.run("port create vm --network blue").await?;
    let made = cli.json("floating ip create ext --floating-ip-address 198.51.100.77 --description d").await?;
    assert_eq!((&made["floating_ip_address"], &made["status"]), (&json!("198.51.100.77"), &json!("DOWN")));
    cli.run("floating ip set 198.51.100.77 --port vm").await?;
    let port = cli.column("port show vm", "id").await?;
    assert_eq!(cli.column("floating ip list", "Port").await?, port);
    ensure!(cli.refused("floating ip create ext --port vm").await?.contains("already has a floating IP"));
    cli.run("floating ip unset 198.51.100.77 --port").await?;
    let forward = "floating ip port forwarding create 198.51.100.77 --port vm --internal-protocol-port 22 \
                   --external-protocol-port 2222 --protocol tcp --internal-ip-address";
    let address =
        cli.json("port show vm").await?["fixed_ips"][0]["ip_address"].as_str().unwrap_or("").to_owned();
    let forwarding = cli.json(&format!("{forward} {address}")).await?;
    assert_eq!(forwarding["external_port"], 2222);
    let id = forwarding["id"].as_str().unwrap_or("").to_owned();
    cli.run(&format!("floating ip port forwarding set 198.51.100.77 {id} --external-protocol-port 2299"))
        .await?;
    assert_eq!(cli.column("floating ip port forwarding list 198.51.100.77", "ID").await?, id);
    let shown = cli.json(&format!("floating ip port forwarding show 198.51.100.77 {id}")).await?;
    assert_eq!(shown["external_port"], 2299);
    cli.run(&format!("floating ip port forwarding delete 198.51.100.77 {id}")).await?;
    let helper = "network l3 conntrack helper";
    let made = cli.json(&format!("{helper} create r --helper ftp --protocol tcp --port 21")).await?;
    let made = made["id"].as_str().unwrap_or("").to_owned();
    cli.run(&format!("{helper} set r {made} --port 2121")).await?;
    assert_eq!(cli.column(&format!("{helper} list r"), "Port").await?, "2121");
    cli.run(&format!("{helper} delete r {made}")).await?;
    cli.run("floating ip delete 198.51.100.77").await?;
    assert_eq!(cli.column("floating ip list", "ID").await?, "");
    Ok(())
}
