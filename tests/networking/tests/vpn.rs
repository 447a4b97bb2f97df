//! VPN services: networks behind a router joined to those of a peer, and the policies
//! by which both agree.

#[path = "vpn/agents.rs"]
mod agents;
#[path = "vpn/client.rs"]
mod client;
#[path = "vpn/connections.rs"]
mod connections;
#[path = "vpn/endpoint_groups.rs"]
mod endpoint_groups;
#[path = "vpn/policies.rs"]
mod policies;
#[path = "vpn/services.rs"]
mod services;
#[path = "vpn/vetoes.rs"]
mod vetoes;

use hadron_networking_tests::world;
use hadron_sdk_testing::{Answer, Builder, Client, Result, Server};
use serde_json::{Value, json};

const NOBODY: &str = "11111111-2222-4333-8444-555555555555";
const OWN: &str = "4fb4dec05f47409fa688e15287ac626a";
const OTHERS: &str = "b198a1aec1a74cb1a50c16e31efe0d26";
/// Where a peer is, and who it is.
const PEER: &str = "203.0.113.7";

const PLUGINS: [&str; 5] = ["rbac", "service-providers", "flavors", "l3-router", "vpn"];

fn builder() -> Builder {
    world::builder().service_plugins(&PLUGINS)
}

async fn server() -> Result<Server> {
    builder().start().await
}

/// The URL of a kind of resource, or of one of them.
fn path(member: &str, id: &str) -> String {
    let plural = match member.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{member}s"),
    };
    let slash = if id.is_empty() { "" } else { "/" };
    format!("/v2.0/vpn/{}{slash}{id}", plural.replace('_', "-"))
}

async fn ask(client: &Client, member: &str, document: Value) -> Result<Answer> {
    client.post(&path(member, ""), &json!({ member: document })).await
}

async fn create(client: &Client, member: &str, document: Value) -> Result<Value> {
    Ok(ask(client, member, document).await?.expect(201)?[member].take())
}

/// The id of what is made so.
async fn made(client: &Client, member: &str, document: Value) -> Result<String> {
    world::text(&create(client, member, document).await?, "/id")
}

async fn show(client: &Client, member: &str, id: &str) -> Result<Value> {
    Ok(client.get(&path(member, id)).await?.expect(200)?[member].take())
}

async fn put(client: &Client, member: &str, id: &str, changes: Value) -> Result<Answer> {
    client.put(&path(member, id), &json!({ member: changes })).await
}

async fn delete(client: &Client, member: &str, id: &str) -> Result<Answer> {
    client.delete(&path(member, id)).await
}

/// A document with more members, or with others.
fn with(mut document: Value, more: Value) -> Value {
    document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    document
}

/// A router that leads out, and what it is joined to.
struct Scene {
    client: Client,
    external: String,
    network: String,
    /// Of both families, joined; and one that is not.
    subnets: [String; 3],
    router: String,
}

impl Scene {
    async fn start(client: Client) -> Result<Scene> {
        let network = json!({"name": "ext", "router:external": true});
        let external = world::text(&world::create(&client, "network", network).await?, "/id")?;
        world::subnet(&client, &external, "198.51.100.0/24").await?;
        let network = world::network(&client, "in").await?;
        let mut subnets = [const { String::new() }; 3];
        for (subnet, cidr) in subnets.iter_mut().zip(["10.0.0.0/24", "2001:db8:1::/64", "10.0.1.0/24"]) {
            *subnet = world::subnet(&client, &network, cidr).await?;
        }
        let router = json!({"external_gateway_info": {"network_id": external}});
        let router = world::text(&world::create(&client, "router", router).await?, "/id")?;
        let scene = Scene { client, external, network, subnets, router };
        for subnet in &scene.subnets[..2] {
            scene.tell("add_router_interface", json!({ "subnet_id": subnet })).await?.expect(200)?;
        }
        Ok(scene)
    }

    /// Tells the router something.
    async fn tell(&self, action: &str, given: Value) -> Result<Answer> {
        self.client.put(&format!("/v2.0/routers/{}/{action}", self.router), &given).await
    }

    /// Takes the router from a subnet.
    async fn part(&self, subnet: &str) -> Result<Answer> {
        self.tell("remove_router_interface", json!({ "subnet_id": subnet })).await
    }

    /// Changes the router.
    async fn change(&self, changes: Value) -> Result<Answer> {
        self.client.put(&format!("/v2.0/routers/{}", self.router), &json!({ "router": changes })).await
    }

    /// A service of the router; its id.
    async fn service(&self, more: Value) -> Result<String> {
        made(&self.client, "vpnservice", with(json!({ "router_id": self.router }), more)).await
    }

    /// A group of endpoints; its id.
    async fn group(&self, kind: &str, endpoints: &[&str]) -> Result<String> {
        made(&self.client, "endpoint_group", json!({"type": kind, "endpoints": endpoints})).await
    }

    /// What a connection of a service needs at least, beside its sides.
    async fn connection(&self, service: &str) -> Result<Value> {
        let ike = made(&self.client, "ikepolicy", json!({})).await?;
        let ipsec = made(&self.client, "ipsecpolicy", json!({})).await?;
        Ok(json!({
            "vpnservice_id": service, "ikepolicy_id": ike, "ipsecpolicy_id": ipsec, "peer_address": PEER,
            "peer_id": PEER, "psk": "secret",
        }))
    }

    /// As `connection`, with groups at both sides.
    async fn grouped(&self, service: &str) -> Result<Value> {
        let groups = json!({
            "local_ep_group_id": self.group("subnet", &[&self.subnets[0]]).await?,
            "peer_ep_group_id": self.group("cidr", &["172.16.0.0/16"]).await?,
        });
        Ok(with(self.connection(service).await?, groups))
    }
}

async fn scene() -> Result<(Server, Scene)> {
    let server = server().await?;
    let scene = Scene::start(server.client()).await?;
    Ok((server, scene))
}
