//! Where addresses are, as the server tells.

use anyhow::{Result, ensure};
use hadron_bus::Spread;
use hadron_dataplane_tests::Host;
use hadron_dataplane_tests::cloud::{self, Cloud, PATIENCE, bus, settings};
use hadron_sdk_testing::until;
use serde_json::{Value, json};

const TOPIC: &str = "q-agent-notifier-l2population-update";

#[tokio::test(flavor = "multi_thread")]
async fn tunnels_lead_where_the_server_says_and_arp_is_answered() -> Result<()> {
    let Some(host) = Host::start("fdb") else { return Ok(()) };
    let Some(cloud) = Cloud::start().await? else { return Ok(()) };
    let mut settings = settings(&host, "h1");
    settings.l2_population = true;
    settings.arp_responder = true;
    let agent = cloud.agent(settings).await?;
    let network = cloud.network("10.9.2.0/24").await?;
    let port = cloud.plug(&host, "h1", &network, json!({})).await?;
    cloud.has_status(&port.id, "ACTIVE").await?;
    ensure!(
        !host.flows("br-tun").contains("set_tunnel"),
        "something is flooded before anybody has the network"
    );

    let server = bus(cloud.broker(), "server")?;
    let tell = async |method: &str, entries: Value, spread: Spread| -> Result<()> {
        let topic = match spread {
            Spread::Cast => format!("{TOPIC}.h1"),
            Spread::Fanout => TOPIC.to_owned(),
        };
        cloud::tell(&server, spread, &topic, method, json!({"fdb_entries": entries})).await
    };
    let shows = async |what: &str, wanted: bool| {
        until(&format!("{what} to be {wanted}\n{}", host.flows("br-tun")), PATIENCE, || async {
            Ok((host.flows("br-tun").contains(what) == wanted).then_some(()))
        })
        .await
    };
    let mac = "fa:16:3e:00:00:99";
    let at = |end: &str, listed: Value| json!({&network: {"segment_id": 1, "network_type": "vxlan", "ports": {end: listed}}});
    let all = json!(["00:00:00:00:00:00", "0.0.0.0"]);
    tell("add_fdb_entries", at("192.0.2.2", json!([all, [mac, "10.9.2.99"]])), Spread::Cast).await?;
    shows(&format!("dl_dst={mac}"), true).await?;
    ensure!(host.flows("br-tun").lines().any(|line| line.contains("table=22") && line.contains("output")));
    // Nobody is at the far end, so it is this host that answers.
    ensure!(neighbour(&port.vm, "10.9.2.99").contains(mac), "nobody answers\n{}", host.flows("br-tun"));

    let change = json!({"before": [[mac, "10.9.2.99"]], "after": [[mac, "10.9.2.98"]]});
    tell("update_fdb_entries", json!({"chg_ip": {&network: {"192.0.2.2": change}}}), Spread::Fanout).await?;
    shows("arp_tpa=10.9.2.98", true).await?;
    ensure!(neighbour(&port.vm, "10.9.2.98").contains(mac));
    tell("remove_fdb_entries", at("192.0.2.2", json!([all, [mac, "10.9.2.98"]])), Spread::Fanout).await?;
    shows(&format!("dl_dst={mac}"), false).await?;
    ensure!(!host.flows("br-tun").contains("set_tunnel"), "{}", host.flows("br-tun"));
    server.close().await;
    agent.stop().await
}

/// What a machine knows of a neighbour after it tried to reach it.
fn neighbour(vm: &hadron_dataplane_tests::Vm, address: &str) -> String {
    vm.reaches(address);
    let shown = vm.inside(&["ip", "neigh", "show", address]).output().unwrap();
    String::from_utf8(shown.stdout).unwrap()
}
