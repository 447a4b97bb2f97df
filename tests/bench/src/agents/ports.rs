//! Many ports of one network on two hosts with real switches.

use super::print;
use crate::say;
use anyhow::{Context, Result};
use hadron_dataplane_tests::Two;
use hadron_sdk_testing::Client;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long all may take.
const PATIENCE: Duration = Duration::from_secs(600);
/// Ports that one request makes.
const BULK: usize = 1000;
/// How often is looked.
const LOOK: Duration = Duration::from_millis(250);

pub(super) async fn measure(count: usize) -> Result<()> {
    let Some(two) = Two::start().await? else { return Ok(()) };
    let client = two.cloud.client();
    let network = two.cloud.network("10.64.0.0/16").await?;
    say(&format!("{count} ports of one network on two hosts …"));
    let begun = Instant::now();
    let bodies: Vec<Value> = (0..count)
        .map(|number| {
            let host = Two::NAMES.get(number % 2).copied().unwrap_or_default();
            json!({"network_id": network, "binding:host_id": host,
                "device_owner": "compute:nova", "device_id": format!("vm-{number}")})
        })
        .collect();
    let mut ports = Vec::with_capacity(count);
    for some in bodies.chunks(BULK) {
        let made = client.post("/v2.0/ports", &json!({"ports": some})).await?.expect(201)?;
        ports.extend(made.get("ports").and_then(Value::as_array).context("no ports were made")?.clone());
    }
    let created = begun.elapsed();
    let mut plugged = Vec::new();
    for (place, host) in two.hosts.iter().enumerate() {
        let here = ports.iter().skip(place).step_by(2);
        let ids: Vec<&str> = here.filter_map(|port| port.get("id")?.as_str()).collect();
        let begun = Instant::now();
        host.plug_many(&ids);
        plugged.push(begun.elapsed());
    }
    let mut before = 0;
    let active = loop {
        let active = active(&client, &network).await?;
        if active != before {
            say(&format!("{active} of {count} after {:.1} s …", begun.elapsed().as_secs_f64()));
            before = active;
        }
        if active == count || begun.elapsed() > PATIENCE {
            break active;
        }
        tokio::time::sleep(LOOK).await;
    };
    let whole = begun.elapsed();
    let flows: Vec<usize> = two.hosts.iter().map(|host| host.flows("br-int").lines().count()).collect();
    let plugging: f64 = plugged.iter().map(Duration::as_secs_f64).sum();
    print(&format!(
        "{active} of {count} ports ACTIVE on two hosts {:.1} s after the bulk create began: created in {:.1} s, \
         plugged in in {plugging:.1} s; {flows:?} flows on the hosts' integration bridges",
        whole.as_secs_f64(),
        created.as_secs_f64(),
    ))
}

async fn active(client: &Client, network: &str) -> Result<usize> {
    let path = format!("/v2.0/ports?network_id={network}&status=ACTIVE&fields=id");
    let listed = client.get(&path).await?.expect(200)?;
    Ok(listed.get("ports").and_then(Value::as_array).map_or(0, Vec::len))
}
