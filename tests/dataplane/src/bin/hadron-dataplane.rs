//! `cargo xtask dataplane`: a cloud of two hosts with networks of each type, who
//! reaches whom, and a picture of what the agents built.
#![forbid(unsafe_code)]

use anyhow::{Result, ensure};
use hadron_dataplane_tests::cloud::{PATIENCE, Port, create, word};
use hadron_dataplane_tests::{Two, pictures};
use hadron_sdk_testing::until;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn networks() -> [(&'static str, Value); 4] {
    let physical = json!({"provider:network_type": "vlan", "provider:physical_network": "physnet1"});
    [
        ("vxlan", json!({"provider:network_type": "vxlan"})),
        ("gre", json!({"provider:network_type": "gre"})),
        ("geneve", json!({"provider:network_type": "geneve"})),
        ("vlan", physical),
    ]
}

#[tokio::main]
async fn main() -> Result<()> {
    println!("Two hosts with an agent each, joined by a cable for tunnels and one with VLANs …");
    let Some(two) = Two::start().await? else { return Ok(()) };
    let mut labels = BTreeMap::new();
    let mut members: Vec<(&str, Vec<Port>)> = Vec::new();
    for (kind, body) in networks() {
        let network = word(&create(&two.cloud.client(), "network", body).await?, "id")?;
        // The same addresses in each.
        let subnet =
            json!({"network_id": network, "cidr": "10.7.0.0/24", "ip_version": 4, "enable_dhcp": false});
        create(&two.cloud.client(), "subnet", subnet).await?;
        let mut ports = Vec::new();
        for (place, address) in [(0, "10.7.0.11"), (0, "10.7.0.12"), (1, "10.7.0.13")] {
            let fixed = json!({"fixed_ips": [{"ip_address": address}]});
            let port = two.cloud.plug(&two.hosts[place], Two::NAMES[place], &network, fixed).await?;
            labels.insert(port.id.clone(), format!("{address} of the {kind} network"));
            ports.push(port);
        }
        members.push((kind, ports));
    }
    let mut failed = 0;
    for (kind, ports) in &members {
        for port in ports {
            two.cloud.has_status(&port.id, "ACTIVE").await?;
        }
        for (from, to) in [(0, 1), (0, 2), (2, 0)] {
            let (from, to) = (&ports[from], &ports[to]);
            let what = format!("{kind}: {} to {}", from.address, to.address);
            let passes = until(&what, PATIENCE, || async { Ok(from.vm.reaches(&to.address).then_some(())) });
            let passes = passes.await.is_ok();
            println!("{} {what}", if passes { "passes" } else { "FAILS " });
            failed += u32::from(!passes);
        }
    }
    let hosts: Vec<(&str, _)> = Two::NAMES.into_iter().zip(&two.hosts).collect();
    println!("\n{}", pictures(&hosts, &labels).await?);
    ensure!(failed == 0, "{failed} of {} do not pass", members.len() * 3);
    Ok(())
}
