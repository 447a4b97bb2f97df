//! Routers: what joins networks and leads out of the cloud, and what stands for
//! addresses inside.

#[path = "routers/agents.rs"]
mod agents;
#[path = "routers/floating_ips.rs"]
mod floating_ips;
#[path = "routers/gateways.rs"]
mod gateways;
#[path = "routers/interfaces.rs"]
mod interfaces;
#[path = "routers/port_forwardings.rs"]
mod port_forwardings;
#[path = "routers/races.rs"]
mod races;

use hadron_networking_tests::world::{create, text};
use hadron_sdk_testing::{Answer, Client, Result};
use serde_json::{Value, json};

const NOBODY: &str = "11111111-2222-4333-8444-555555555555";

/// A network that leads outside, with a subnet; its id and the subnet's.
async fn outside(client: &Client, cidr: &str) -> Result<(String, String)> {
    let network = create(client, "network", json!({"name": "ext", "router:external": true})).await?;
    let id = text(&network, "/id")?;
    let subnet = json!({"network_id": id, "ip_version": 4, "cidr": cidr, "enable_dhcp": false});
    Ok((id, text(&create(client, "subnet", subnet).await?, "/id")?))
}

/// A network with a subnet; its id and the subnet's.
async fn inside(client: &Client, cidr: &str) -> Result<(String, String)> {
    let id = text(&create(client, "network", json!({"name": "in"})).await?, "/id")?;
    let version = if cidr.contains(':') { 6 } else { 4 };
    let subnet = json!({"network_id": id, "ip_version": version, "cidr": cidr});
    Ok((id.clone(), text(&create(client, "subnet", subnet).await?, "/id")?))
}

/// A router; its id.
async fn router(client: &Client, more: Value) -> Result<String> {
    text(&create(client, "router", more).await?, "/id")
}

/// Tells a router something.
async fn tell(client: &Client, router: &str, action: &str, given: Value) -> Result<Answer> {
    client.put(&format!("/v2.0/routers/{router}/{action}"), &given).await
}

async fn join(client: &Client, router: &str, subnet: &str) -> Result<Value> {
    tell(client, router, "add_router_interface", json!({ "subnet_id": subnet })).await?.expect(200)
}

async fn shown(client: &Client, path: &str) -> Result<Value> {
    let answer = client.get(&format!("/v2.0/{path}")).await?.expect(200)?;
    Ok(answer.as_object().and_then(|answer| answer.values().next().cloned()).unwrap_or_default())
}

/// A router between a network inside and one outside.
struct World {
    client: Client,
    external: String,
    network: String,
    subnet: String,
    router: String,
}

impl World {
    async fn start(client: Client) -> Result<World> {
        let (external, _) = outside(&client, "198.51.100.0/24").await?;
        let (network, subnet) = inside(&client, "10.10.0.0/24").await?;
        let router = router(&client, json!({"external_gateway_info": {"network_id": external}})).await?;
        join(&client, &router, &subnet).await?;
        Ok(World { client, external, network, subnet, router })
    }

    async fn port(&self) -> Result<String> {
        text(&create(&self.client, "port", json!({ "network_id": self.network })).await?, "/id")
    }

    async fn floating_ip(&self, more: Value) -> Result<Value> {
        let mut body = json!({ "floating_network_id": self.external });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        create(&self.client, "floatingip", body).await
    }
}
