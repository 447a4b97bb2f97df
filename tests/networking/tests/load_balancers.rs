//! Load balancers: what they are made of, what goes together, and who carries them
//! out, over a real broker.

use hadron_networking_tests::{Cloud, world};
use hadron_sdk_testing::{Client, Result};
use serde_json::{Value, json};

#[path = "load_balancers/access.rs"]
mod access;
#[path = "load_balancers/addresses.rs"]
mod addresses;
#[path = "load_balancers/agents.rs"]
mod agents;
#[path = "load_balancers/flavors.rs"]
mod flavors;
#[path = "load_balancers/listeners.rs"]
mod listeners;
#[path = "load_balancers/members.rs"]
mod members;
#[path = "load_balancers/monitors.rs"]
mod monitors;
#[path = "load_balancers/policies.rs"]
mod policies;
#[path = "load_balancers/pools.rs"]
mod pools;
#[path = "load_balancers/trees.rs"]
mod trees;

const NOBODY: &str = "11111111-2222-4333-8444-555555555555";
/// The host of the agent that tests play.
const HOST: &str = "h1";
const SORTS: [&str; 7] =
    ["loadbalancers", "listeners", "pools", "members", "healthmonitors", "l7policies", "l7rules"];

/// A cloud with load balancers; the test plays their agent.
struct Balanced {
    cloud: Cloud,
    client: Client,
}

impl Balanced {
    async fn start() -> Result<Option<Balanced>> {
        Balanced::with("").await
    }

    async fn with(toml: &str) -> Result<Option<Balanced>> {
        let plugins = ["rbac", "service-providers", "flavors", "qos", "load-balancer"];
        let builder = world::builder().service_plugins(&plugins).config(toml);
        let cloud = Cloud::of(builder, &[]).await?;
        Ok(cloud.map(|cloud| Balanced { client: cloud.client(), cloud }))
    }

    /// A network with a subnet; their ids.
    async fn network(&self, cidr: &str) -> Result<(String, String)> {
        let network = world::network(&self.client, "n").await?;
        let subnet = world::subnet(&self.client, &network, cidr).await?;
        Ok((network, subnet))
    }

    async fn create(&self, path: &str, member: &str, document: Value) -> Result<Value> {
        create(&self.client, path, member, document).await
    }

    /// Why something is not made: status, class and words.
    async fn refused(
        &self,
        path: &str,
        member: &str,
        document: Value,
        status: u16,
    ) -> Result<(String, String)> {
        self.client.post(&url(path), &json!({ member: document })).await?.expect_error(status)
    }

    async fn update(&self, path: &str, member: &str, changes: Value) -> Result<Value> {
        let body = self.client.put(&url(path), &json!({ member: changes })).await?.expect(200)?;
        Ok(body[member].clone())
    }

    /// Why something is not changed.
    async fn unchanged(
        &self,
        path: &str,
        member: &str,
        changes: Value,
        status: u16,
    ) -> Result<(String, String)> {
        self.client.put(&url(path), &json!({ member: changes })).await?.expect_error(status)
    }

    async fn show(&self, path: &str, member: &str) -> Result<Value> {
        Ok(self.client.get(&url(path)).await?.expect(200)?[member].take())
    }

    async fn delete(&self, path: &str) -> Result {
        self.client.delete(&url(path)).await?.expect(204).map(drop)
    }

    /// Whether there is nothing any more.
    async fn gone(&self, path: &str) -> Result<bool> {
        Ok(self.client.get(&url(path)).await?.status == 404)
    }

    /// What agents ask or report.
    fn ask(&self, method: &str, arguments: Value) -> Value {
        self.cloud.peer.call("lbaas-plugin", method, arguments).unwrap()
    }

    /// The agent does what there is to do for a load balancer; what it was told.
    fn settle(&self, load_balancer: &str) -> Value {
        self.report(load_balancer, "ACTIVE")
    }

    /// The same where it comes out so.
    fn report(&self, load_balancer: &str, status: &str) -> Value {
        let told = self.ask("get_load_balancer", json!({"loadbalancer_id": load_balancer, "host": HOST}));
        let statuses = answers(&told["loadbalancer"], status);
        self.ask("update_statuses", json!({"host": HOST, "statuses": statuses}));
        told
    }

    /// A load balancer that is set up; its id.
    async fn balancer(&self, subnet: &str) -> Result<String> {
        let made = self.create("loadbalancers", "loadbalancer", json!({"vip_subnet_id": subnet})).await?;
        let id = world::text(&made, "/id")?;
        self.settle(&id);
        Ok(id)
    }

    /// A part of a load balancer that is set up; its id.
    async fn part(&self, whole: &str, path: &str, member: &str, document: Value) -> Result<String> {
        let id = world::text(&self.create(path, member, document).await?, "/id")?;
        self.settle(whole);
        Ok(id)
    }

    async fn listener(&self, whole: &str, protocol: &str, port: u16) -> Result<String> {
        let asked = json!({"loadbalancer_id": whole, "protocol": protocol, "protocol_port": port});
        self.part(whole, "listeners", "listener", asked).await
    }

    async fn pool(&self, whole: &str, protocol: &str) -> Result<String> {
        let asked = json!({"loadbalancer_id": whole, "protocol": protocol, "lb_algorithm": "ROUND_ROBIN"});
        self.part(whole, "pools", "pool", asked).await
    }
}

fn url(path: &str) -> String {
    format!("/v2.0/lbaas/{path}")
}

async fn create(client: &Client, path: &str, member: &str, document: Value) -> Result<Value> {
    let body = client.post(&url(path), &json!({ member: document })).await?.expect(201)?;
    Ok(body[member].clone())
}

fn list<'a>(whole: &'a Value, name: &str) -> &'a [Value] {
    whole[name].as_array().map_or(&[], Vec::as_slice)
}

/// What an agent reports of all that is pending.
fn answers(whole: &Value, status: &str) -> Value {
    let mut reported =
        json!(SORTS.map(|sort| (sort, json!([]))).into_iter().collect::<std::collections::BTreeMap<_, _>>());
    let mut add = |sort: &str, one: &Value| {
        let status = match one["provisioning_status"].as_str() {
            Some("PENDING_DELETE") => "DELETED",
            Some(pending) if pending.starts_with("PENDING") => status,
            _ => return,
        };
        let report = json!({"id": one["id"], "provisioning_status": status, "operating_status": "ONLINE"});
        reported[sort].as_array_mut().unwrap().push(report);
    };
    add("loadbalancers", whole);
    for listener in list(whole, "listeners") {
        add("listeners", listener);
        for policy in list(listener, "l7policies") {
            add("l7policies", policy);
            list(policy, "rules").iter().for_each(|rule| add("l7rules", rule));
        }
    }
    for pool in list(whole, "pools") {
        add("pools", pool);
        list(pool, "members").iter().for_each(|member| add("members", member));
        if pool["healthmonitor"].is_object() {
            add("healthmonitors", &pool["healthmonitor"]);
        }
    }
    reported
}

/// The values of a member, in order.
fn column(rows: &[Value], name: &str) -> Vec<String> {
    rows.iter().map(|row| row[name].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_balancer_is_made_shown_changed_and_deleted() -> Result {
    let Some(world) = Balanced::start().await? else { return Ok(()) };
    let (network, subnet) = world.network("10.0.0.0/24").await?;
    let asked = json!({"name": "a", "description": "d", "vip_subnet_id": subnet, "tags": ["x"]});
    let made = world.create("loadbalancers", "loadbalancer", asked).await?;
    let id = world::text(&made, "/id")?;
    for (name, value) in [
        ("name", json!("a")),
        ("description", json!("d")),
        ("vip_network_id", json!(network)),
        ("vip_vnic_type", json!("normal")),
        ("additional_vips", json!([])),
        ("provider", json!("haproxy")),
        ("provisioning_status", json!("PENDING_CREATE")),
        ("operating_status", json!("OFFLINE")),
        ("admin_state_up", json!(true)),
        ("listeners", json!([])),
        ("pools", json!([])),
        ("tags", json!(["x"])),
        ("flavor_id", Value::Null),
        ("availability_zone", Value::Null),
        ("vip_qos_policy_id", Value::Null),
    ] {
        assert_eq!(made[name], value, "{name}");
    }
    assert_eq!((made.get("host"), made.get("revision_number")), (None, None));
    let path = format!("loadbalancers/{id}");
    let (kind, message) = world.unchanged(&path, "loadbalancer", json!({"name": "b"}), 409).await?;
    assert_eq!(
        (kind.as_str(), message),
        ("LBPendingStateError", format!("Invalid state PENDING_CREATE of loadbalancer resource {id}"))
    );
    world.settle(&id);
    let shown = world.show(&path, "loadbalancer").await?;
    assert_eq!(
        (&shown["provisioning_status"], &shown["operating_status"]),
        (&json!("ACTIVE"), &json!("ONLINE"))
    );
    // Null stands for the default.
    let changed = world.update(&path, "loadbalancer", json!({"name": null, "tags": ["y"]})).await?;
    assert_eq!(
        (&changed["name"], &changed["tags"], &changed["provisioning_status"]),
        (&json!(""), &json!(["y"]), &json!("PENDING_UPDATE"))
    );
    world.settle(&id);
    let found =
        world.client.get(&url("loadbalancers?tags=y&provisioning_status=ACTIVE")).await?.expect(200)?;
    assert_eq!(found["loadbalancers"][0]["id"], json!(id));
    world.delete(&path).await?;
    assert_eq!(world.show(&path, "loadbalancer").await?["provisioning_status"], "PENDING_DELETE");
    world.settle(&id);
    assert!(world.gone(&path).await?);
    assert_eq!(world::list(&world.client, &format!("/v2.0/ports?network_id={network}")).await?.len(), 0);
    let missing = world.client.get(&url(&path)).await?.expect_error(404)?;
    assert_eq!(missing.1, format!("Load Balancer {id} not found."));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_is_deleted_or_set_up_anew_and_not_changed() -> Result {
    let Some(world) = Balanced::start().await? else { return Ok(()) };
    let (_, subnet) = world.network("10.0.0.0/24").await?;
    let id = world.balancer(&subnet).await?;
    let path = format!("loadbalancers/{id}");
    world.update(&path, "loadbalancer", json!({"name": "x"})).await?;
    world.report(&id, "ERROR");
    let (_, message) = world.unchanged(&path, "loadbalancer", json!({"name": "y"}), 409).await?;
    assert_eq!(message, format!("Invalid state ERROR of loadbalancer resource {id}"));
    let asked = json!({"loadbalancer_id": id, "protocol": "TCP", "protocol_port": 1});
    let (kind, message) = world.refused("listeners", "listener", asked, 409).await?;
    assert_eq!(
        (kind.as_str(), message),
        ("ImmutableObject", format!("Load Balancer {id} is immutable and cannot be updated."))
    );
    world.client.put(&url(&format!("{path}/failover")), &json!({})).await?.expect(200)?;
    assert_eq!(world.show(&path, "loadbalancer").await?["provisioning_status"], "PENDING_UPDATE");
    world.report(&id, "ERROR");
    world.delete(&path).await?;
    world.settle(&id);
    assert!(world.gone(&path).await?);
    Ok(())
}
