//! Quality of service.

use anyhow::{Context, Result};
use hadron_dataplane_tests::Host;
use hadron_dataplane_tests::cloud::{Cloud, PATIENCE, Port, reaches, settings, word};
use hadron_sdk_testing::until;
use serde_json::{Value, json};
use std::process::Stdio;

/// Of 200 pings that are sent as fast as they can be, in percent.
fn loss(from: &Port, to: &Port) -> Result<f64> {
    let words = ["ping", "-f", "-q", "-c", "200", "-s", "1000", "-w", "5", &to.address];
    let output = from.vm.inside(&words).output()?;
    let text = String::from_utf8(output.stdout)?;
    let loss = text.split(", ").find_map(|part| part.split_once("% packet loss"));
    Ok(loss.with_context(|| text.clone())?.0.parse()?)
}

async fn is_limited(from: &Port, to: &Port, wanted: bool) -> Result<()> {
    let what = format!("{} to be limited towards {}: {wanted}", from.address, to.address);
    until(&what, PATIENCE, || async {
        let loss = loss(from, to).map_err(hadron_sdk_testing::Error::new)?;
        Ok((if wanted { loss > 20.0 } else { loss < 5.0 }).then_some(()))
    })
    .await?;
    Ok(())
}

/// The first packet of these that arrives, as tcpdump tells it.
fn seen(from: &Port, to: &Port) -> Result<String> {
    let watch =
        ["timeout", "3", "tcpdump", "-i", "eth0", "-n", "-v", "-l", "-c", "1", "icmp[icmptype] == icmp-echo"];
    let watching = to.vm.inside(&watch).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    from.vm.inside(&["ping", "-c", "8", "-i", "0.25", &to.address]).output()?;
    Ok(String::from_utf8(watching.wait_with_output()?.stdout)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_are_limited_and_marked_as_their_policies_say() -> Result<()> {
    let Some(host) = Host::start("limits") else { return Ok(()) };
    let Some(cloud) = Cloud::start().await? else { return Ok(()) };
    let agent = cloud.agent(settings(&host, "h1")).await?;
    let network = cloud.network("10.9.3.0/24").await?;
    let one = cloud.plug(&host, "h1", &network, json!({})).await?;
    let open = json!({"port_security_enabled": false});
    let (two, open) =
        (cloud.plug(&host, "h1", &network, json!({})).await?, cloud.plug(&host, "h1", &network, open).await?);
    reaches(&one, &two, true).await?;
    is_limited(&one, &two, false).await?;

    let client = cloud.client();
    let policy = async |kind: &str, rule: Value| -> Result<(String, String)> {
        let made =
            client.post("/v2.0/qos/policies", &json!({"policy": {"name": kind}})).await?.expect(201)?;
        let id = word(&made["policy"], "id")?;
        let path = format!("/v2.0/qos/policies/{id}/{kind}s");
        let made = client.post(&path, &json!({ kind: rule })).await?.expect(201)?;
        Ok((id, format!("{path}/{}", word(&made[kind], "id")?)))
    };
    let has_policy = async |port: &Port, policy: Option<&str>| {
        cloud.change("ports", &port.id, json!({"port": {"qos_policy_id": policy}})).await
    };
    let (slow, rule) =
        policy("bandwidth_limit_rule", json!({"max_kbps": 200, "direction": "egress"})).await?;
    has_policy(&one, Some(&slow)).await?;
    is_limited(&one, &two, true).await?;
    client.delete(&rule).await?.expect(204)?;
    is_limited(&one, &two, false).await?;

    let (slow, _) = policy("bandwidth_limit_rule", json!({"max_kbps": 200, "direction": "ingress"})).await?;
    for receiver in [&two, &open] {
        has_policy(receiver, Some(&slow)).await?;
        is_limited(&one, receiver, true).await?;
    }
    has_policy(&two, None).await?;
    is_limited(&one, &two, false).await?;

    // A network's policy is that of its ports that have none.
    let (marks, rule) = policy("dscp_marking_rule", json!({"dscp_mark": 10})).await?;
    cloud.change("networks", &network, json!({"network": {"qos_policy_id": marks}})).await?;
    let is_marked = async |wanted: bool| {
        until(&format!("marks: {wanted}"), PATIENCE, || async {
            let seen = seen(&two, &one).map_err(hadron_sdk_testing::Error::new)?;
            Ok((!seen.is_empty() && seen.contains("tos 0x28") == wanted).then_some(()))
        })
        .await
    };
    is_marked(true).await?;
    client.delete(&rule).await?.expect(204)?;
    is_marked(false).await?;
    agent.stop().await
}
