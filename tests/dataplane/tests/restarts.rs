//! What restarts, and what goes on meanwhile: agent, switch, broker, server.

use anyhow::{Context, Result, ensure};
use hadron_dataplane_tests::cloud::{PATIENCE, Port, reaches};
use hadron_dataplane_tests::{Two, tunnel_ip};
use hadron_sdk_testing::until;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::{Child, Stdio};
use std::time::Duration;

/// Two ports of one network, one on each host, that reach each other.
async fn joined(two: &Two) -> Result<(String, Port, Port)> {
    let network = two.cloud.network("10.8.0.0/24").await?;
    let here = two.cloud.plug(&two.hosts[0], Two::NAMES[0], &network, json!({})).await?;
    let there = two.cloud.plug(&two.hosts[1], Two::NAMES[1], &network, json!({})).await?;
    two.explain(reaches(&here, &there, true).await)?;
    Ok((network, here, there))
}

/// A stream of packets from one port to the other.
struct Stream {
    server: Child,
    client: Child,
}

impl Stream {
    fn start(from: &Port, to: &Port, seconds: u32) -> Result<Stream> {
        let server = to.vm.inside(&["iperf3", "-s", "-1"]).stdout(Stdio::null()).spawn()?;
        std::thread::sleep(Duration::from_millis(500));
        let seconds = seconds.to_string();
        let client = ["iperf3", "-c", &to.address, "-u", "-b", "4M", "-l", "1000", "-t", &seconds, "-J"];
        let client = from.vm.inside(&client).stdout(Stdio::piped()).spawn()?;
        Ok(Stream { server, client })
    }

    /// Packets that were lost, and all that were sent.
    fn end(mut self) -> Result<(u64, u64)> {
        let output = self.client.wait_with_output()?;
        let _ = self.server.wait();
        let said: Value = serde_json::from_slice(&output.stdout)?;
        let count = |name: &str| {
            said["end"]["sum"][name].as_u64().with_context(|| format!("iperf3 says no {name}: {said}"))
        };
        Ok((count("lost_packets")?, count("packets")?))
    }
}

fn cookies(flows: &str) -> BTreeSet<&str> {
    flows.lines().filter_map(|line| line.split_once("cookie=")?.1.split(',').next()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn traffic_goes_on_while_an_agent_is_killed_and_started_again() -> Result<()> {
    /// At most one packet in a hundred is lost, of a stream of 500 a second.
    const BOUND: u64 = 100;
    let Some(mut two) = Two::start().await? else { return Ok(()) };
    let (network, here, there) = joined(&two).await?;
    let gone = two.cloud.plug(&two.hosts[0], Two::NAMES[0], &network, json!({})).await?;
    two.cloud.has_status(&gone.id, "ACTIVE").await?;
    let before = two.hosts[0].flows("br-int");
    ensure!(before.contains(&gone.mac), "the port has no flows");

    let stream = Stream::start(&here, &there, 12)?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    two.agents[0].kill();
    // While nobody serves the host a port of it is deleted.
    two.cloud.client().delete(&format!("/v2.0/ports/{}", gone.id)).await?.expect(204)?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    ensure!(two.hosts[0].flows("br-int") == before, "flows went with the agent");
    two.agents[0] = two.agent(0)?;
    let host = &two.hosts[0];
    let swept = || async {
        let (inner, outer) = (host.flows("br-int"), host.flows("br-tun"));
        let new = cookies(&inner).is_disjoint(&cookies(&before));
        Ok((new && cookies(&inner).len() == 1 && cookies(&outer).len() == 1).then_some(inner))
    };
    let result = until("the new agent's flows alone", PATIENCE, swept).await.map_err(anyhow::Error::from);
    let after = two.explain(result)?;
    ensure!(!after.contains(&gone.mac), "flows of a deleted port stay");
    let (lost, sent) = stream.end()?;
    println!("{lost} of {sent} packets lost");
    ensure!(sent > 4000 && lost * BOUND <= sent, "{lost} of {sent} packets were lost");
    two.explain(reaches(&there, &here, true).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_that_starts_again_is_given_its_flows_again() -> Result<()> {
    let Some(mut two) = Two::start().await? else { return Ok(()) };
    let (network, here, there) = joined(&two).await?;
    two.hosts[0].kill_switch();
    two.hosts[0].start_switch();
    // The bridge's own port was the switch's: it is another one now.
    two.hosts[0].address(tunnel_ip(0));
    two.explain(reaches(&here, &there, true).await)?;
    let new = two.cloud.plug(&two.hosts[0], Two::NAMES[0], &network, json!({})).await?;
    two.explain(reaches(&there, &new, true).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_while_the_broker_was_away_is_made_good() -> Result<()> {
    let Some(two) = Two::start().await? else { return Ok(()) };
    let (network, here, there) = joined(&two).await?;
    let problem = |problem: String| anyhow::anyhow!(problem);
    two.cloud.broker().stop().map_err(problem)?;
    ensure!(here.vm.reaches(&there.address), "traffic stops with the broker");
    let off = json!({"port": {"admin_state_up": false}});
    two.cloud.change("ports", &there.id, off).await?;
    two.cloud.broker().restart().map_err(problem)?;
    two.explain(reaches(&here, &there, false).await)?;
    let new = two.cloud.plug(&two.hosts[1], Two::NAMES[1], &network, json!({})).await?;
    two.explain(reaches(&here, &new, true).await)?;
    two.cloud.has_status(&there.id, "DOWN").await
}

#[tokio::test(flavor = "multi_thread")]
async fn traffic_and_agents_outlive_a_server_that_is_killed() -> Result<()> {
    let Some(mut two) = Two::start().await? else { return Ok(()) };
    let (network, here, there) = joined(&two).await?;
    two.cloud.server_mut().kill9();
    ensure!(here.vm.reaches(&there.address), "traffic stops with the server");
    two.cloud.server_mut().restart().await?;
    two.explain(reaches(&here, &there, true).await)?;
    let new = two.cloud.plug(&two.hosts[1], Two::NAMES[1], &network, json!({})).await?;
    two.explain(reaches(&here, &new, true).await)?;
    two.cloud.has_status(&new.id, "ACTIVE").await
}
