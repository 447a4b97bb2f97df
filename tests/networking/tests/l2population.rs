//! Hosts of tunnel networks learn where ports are.

use hadron_networking_tests::{Cloud, world};
use hadron_sdk_testing::Result;
use hadron_test_support::Agent;
use serde_json::{Value, json};

const TOPIC: &str = "q-agent-notifier-l2population-update";

/// Stands for all that has no entry: the host has ports of the network.
const FLOOD: [&str; 2] = ["00:00:00:00:00:00", "0.0.0.0"];

const H1: &str = "192.0.2.11";
const H2: &str = "192.0.2.12";

fn agent(host: &str, ip: &str) -> Agent {
    Agent::openvswitch(host).told().configuration("l2_population", true).configuration("tunneling_ip", ip)
}

/// A network of two hosts, of which one listens to what it is told.
struct World {
    cloud: Cloud,
    network: String,
    subnet: String,
    number: u64,
}

impl World {
    async fn start() -> Result<Option<World>> {
        let Some(cloud) = Cloud::start("", &[agent("h1", H1), agent("h2", H2)]).await? else {
            return Ok(None);
        };
        let listen = json!({"do": "serve", "topic": TOPIC, "host": "h1", "version": "1.99"});
        cloud.peer.command(listen).unwrap();
        let client = cloud.client();
        let made = world::create(&client, "network", json!({"name": "n"})).await?;
        let network = world::text(&made, "/id")?;
        let subnet =
            json!({"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/24", "enable_dhcp": false});
        let subnet = world::text(&world::create(&client, "subnet", subnet).await?, "/id")?;
        let number = made["provider:segmentation_id"].as_u64().unwrap();
        Ok(Some(World { cloud, network, subnet, number }))
    }

    /// An instance's port on a host that is not up yet: its id and its entry.
    async fn port(&self, host: &str) -> Result<(String, Value)> {
        let asked =
            json!({"network_id": self.network, "binding:host_id": host, "device_owner": "compute:nova"});
        let port = world::create(&self.cloud.client(), "port", asked).await?;
        let entry = json!([port["mac_address"], port["fixed_ips"][0]["ip_address"]]);
        Ok((world::text(&port, "/id")?, entry))
    }

    /// As `port`, up; what is told of it then is taken.
    async fn up(&self, host: &str, told: impl Fn(&Value) -> Value) -> Result<(String, Value)> {
        let (port, entry) = self.port(host).await?;
        self.cloud.peer.up(host, &[&port]).unwrap();
        self.told("add_fdb_entries", &told(&entry));
        Ok((port, entry))
    }

    async fn put(&self, port: &str, members: Value) -> Result<Value> {
        let client = self.cloud.client();
        let answer = client.put(&format!("/v2.0/ports/{port}"), &json!({ "port": members })).await?;
        Ok(answer.expect(200)?["port"].take())
    }

    async fn delete(&self, port: &str) -> Result {
        self.cloud.client().delete(&format!("/v2.0/ports/{port}")).await?.expect(204).map(drop)
    }

    /// Entries of the network, by where tunnels end.
    fn entries(&self, ports: Value) -> Value {
        json!({self.network.as_str(): {"segment_id": self.number, "network_type": "vxlan", "ports": ports}})
    }

    /// Waits until the host was told that.
    fn told(&self, method: &str, ports: &Value) {
        self.said(method, &self.entries(ports.clone()));
    }

    fn said(&self, method: &str, entries: &Value) {
        self.cloud.peer.event(|event| {
            event["topic"] == TOPIC
                && event["method"] == method
                && event["arguments"]["fdb_entries"] == *entries
        });
    }

    /// The host was told nothing else until now.
    fn nothing_else(&self) {
        assert_eq!(self.cloud.peer.events(|event| event["topic"] == TOPIC), Vec::<Value>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_learn_where_ports_come_and_go() -> Result {
    let Some(world) = World::start().await? else { return Ok(()) };
    // The first port of a host: others have to reach it with whatever has no
    // entry, and the next ones not again.
    let (a, entry_a) = world.up("h2", |entry| json!({H2: [FLOOD, entry]})).await?;
    let (b, entry_b) = world.up("h2", |entry| json!({H2: [entry]})).await?;
    world.nothing_else();

    // A host's first port: it is told of all others.
    let (c, entry_c) = world.port("h1").await?;
    world.cloud.peer.up("h1", &[&c]).unwrap();
    world.told("add_fdb_entries", &json!({H1: [FLOOD, entry_c]}));
    let all = world.cloud.peer.event(|event| event["topic"] == TOPIC);
    let mut all = all["arguments"]["fdb_entries"][&world.network]["ports"][H2].as_array().unwrap().clone();
    assert_eq!(all.remove(0), json!(FLOOD));
    all.sort_by_key(Value::to_string);
    let mut expected = [entry_a.clone(), entry_b.clone()];
    expected.sort_by_key(Value::to_string);
    assert_eq!(all, expected);

    // Another address, and another instead.
    let subnet = &world.subnet;
    let ip = |address: &Value| json!({"subnet_id": subnet, "ip_address": address});
    let more = json!([ip(&entry_b[1]), ip(&json!("10.0.0.200"))]);
    world.put(&b, json!({"fixed_ips": more})).await?;
    let renamed = |sides: Value| json!({"chg_ip": {world.network.as_str(): {H2: sides}}});
    world.said("update_fdb_entries", &renamed(json!({"after": [[entry_b[0], "10.0.0.200"]]})));
    world.put(&b, json!({"fixed_ips": [ip(&json!("10.0.0.201"))]})).await?;
    let event = world.cloud.peer.event(|event| event["topic"] == TOPIC);
    let sides = &event["arguments"]["fdb_entries"]["chg_ip"][&world.network][H2];
    assert_eq!(sides["before"].as_array().map(Vec::len), Some(2));
    assert_eq!(sides["after"], json!([[entry_b[0], "10.0.0.201"]]));
    let entry_b = json!([entry_b[0], "10.0.0.201"]);

    // A name says nothing; a port that goes down does, and is not told of again
    // when it is deleted. The last one takes its host with it.
    world.put(&a, json!({"name": "x"})).await?;
    world.cloud.peer.down("h2", &[&a]).unwrap();
    world.told("remove_fdb_entries", &json!({H2: [entry_a]}));
    world.delete(&a).await?;
    world.delete(&b).await?;
    world.told("remove_fdb_entries", &json!({H2: [FLOOD, entry_b]}));
    world.nothing_else();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_moves_is_forgotten_where_it_was() -> Result {
    let Some(world) = World::start().await? else { return Ok(()) };
    let (stays, _) = world.up("h1", |entry| json!({H1: [FLOOD, entry]})).await?;
    // h1 has one already, and learns of each.
    let (moves, entry) = world.up("h2", |entry| json!({H2: [FLOOD, entry]})).await?;
    let moved = world.put(&moves, json!({"binding:host_id": "h1"})).await?;
    assert_eq!((&moved["status"], &moved["binding:vif_type"]), (&json!("DOWN"), &json!("ovs")));
    world.told("remove_fdb_entries", &json!({H2: [FLOOD, entry]}));
    world.cloud.peer.up("h1", &[&moves]).unwrap();
    world.told("add_fdb_entries", &json!({H1: [entry]}));
    // The host that it left has nothing to say of it any more.
    world.cloud.peer.down("h2", &[&moves]).unwrap();
    world.nothing_else();

    // A live migration: the binding at the other host takes over.
    let nova = world.cloud.client().header("x-roles", "admin,service,member,reader")?;
    let bindings = format!("/v2.0/ports/{moves}/bindings");
    nova.post(&bindings, &json!({"binding": {"host": "h2"}})).await?.expect(201)?;
    world.nothing_else();
    nova.put(&format!("{bindings}/h2/activate"), &json!({})).await?.expect(200)?;
    world.told("remove_fdb_entries", &json!({H1: [entry]}));
    world.cloud.peer.up("h2", &[&moves]).unwrap();
    world.told("add_fdb_entries", &json!({H2: [FLOOD, entry]}));
    world.delete(&stays).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_starts_learns_all_again() -> Result {
    let Some(world) = World::start().await? else { return Ok(()) };
    let (here, entry_here) = world.up("h1", |entry| json!({H1: [FLOOD, entry]})).await?;
    let (_, entry_there) = world.up("h2", |entry| json!({H2: [FLOOD, entry]})).await?;
    let started = |word: &str| {
        let said =
            json!({"devices_up": [here], "devices_down": [], "agent_id": "a", "host": "h1", word: true});
        world.cloud.peer.call("q-plugin", "update_device_list", said).unwrap();
    };
    for word in ["refresh_tunnels", "agent_restarted"] {
        started(word);
        world.told("add_fdb_entries", &json!({H2: [FLOOD, entry_there]}));
        world.told("add_fdb_entries", &json!({H1: [FLOOD, entry_here]}));
    }
    // One that only says so again is told nothing.
    world.cloud.peer.up("h1", &[&here]).unwrap();
    world.nothing_else();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn networks_without_tunnels_are_not_told_of() -> Result {
    let Some(world) = World::start().await? else { return Ok(()) };
    let client = world.cloud.client();
    let flat = json!({"provider:network_type": "flat", "provider:physical_network": "physnet1"});
    let flat = world::text(&world::create(&client, "network", flat).await?, "/id")?;
    let asked = json!({"network_id": flat, "binding:host_id": "h2", "device_owner": "compute:nova"});
    let port = world::text(&world::create(&client, "port", asked).await?, "/id")?;
    world.cloud.peer.up("h2", &[&port]).unwrap();
    world.cloud.status(&port, "ACTIVE").await?;
    world.delete(&port).await?;
    // What is told after it comes after it.
    world.up("h2", |entry| json!({H2: [FLOOD, entry]})).await?;
    world.nothing_else();
    Ok(())
}
