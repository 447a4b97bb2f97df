//! A cloud of one host: the server runs the agent in its own process, and there is
//! no broker.

use anyhow::Result;
use hadron_dataplane_tests::Host;
use hadron_dataplane_tests::cloud::{has_status, network, plug, reaches};
use hadron_sdk_testing::{Server, until};
use serde_json::json;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_its_agent_wires_ports_without_a_broker() -> Result<()> {
    let Some(host) = Host::start("alone") else { return Ok(()) };
    let config = format!(
        "[bus]\nhost = 'alone'\n[agents]\nwith = ['openvswitch']\nreport_interval_s = 5\n\
         [openvswitch]\nrun_folder = '{}'\ndatapath_type = 'netdev'\nlocal_ip = '192.0.2.1'\n\
         tunnel_types = ['vxlan']\n",
        host.run_folder().display()
    );
    let mut server = Server::builder().mechanism_drivers(&["openvswitch"]).config(&config).start().await?;
    let client = server.client();
    until("the agent to be known", LIMIT, || async {
        let agents = client.get("/v2.0/agents?host=alone").await?.expect(200)?;
        Ok((agents["agents"][0]["alive"] == true).then_some(()))
    })
    .await?;
    let network = network(&client, "10.6.0.0/24").await?;
    let one = plug(&client, &host, "alone", &network, json!({})).await?;
    let other = plug(&client, &host, "alone", &network, json!({})).await?;
    for port in [&one, &other] {
        has_status(&client, &port.id, "ACTIVE").await?;
    }
    reaches(&one, &other, true).await?;
    // It ends with the server, in good order; what the host carries stays.
    assert_eq!(server.terminate().await?, Some(0), "{}", server.log());
    assert!(one.vm.reaches(&other.address), "traffic ends with the server");
    server.restart().await?;
    client.delete(&format!("/v2.0/ports/{}", other.id)).await?.expect(204)?;
    reaches(&one, &other, false).await
}
