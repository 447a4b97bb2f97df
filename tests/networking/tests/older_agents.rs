//! What agents are told that do not rely on versioned objects, and that nothing is
//! sent that nobody hears.

use hadron_networking_tests::{Cloud, world};
use hadron_sdk_testing::Result;
use hadron_test_support::Agent;
use serde_json::{Value, json};

const TOPICS: [&str; 7] = [
    "port-update",
    "port-delete",
    "network-update",
    "network-delete",
    "security_group-update",
    "port_binding-activate",
    "port_binding-deactivate",
];

/// Those that report once live until the end of a test.
const PATIENT: &str = "[plugin.ml2.config]\nagent_down_time = 900\n";

fn topic(name: &str) -> String {
    format!("q-agent-notifier-{name}")
}

fn listen(cloud: &Cloud) {
    for name in TOPICS {
        let listen = json!({"do": "serve", "topic": topic(name), "host": "o", "version": "1.99"});
        cloud.peer.command(listen).unwrap();
    }
}

/// Waits for a message of that kind; its arguments.
fn told(cloud: &Cloud, name: &str, method: &str) -> Value {
    let topic = topic(name);
    cloud.peer.event(|event| event["topic"] == topic.as_str() && event["method"] == method)["arguments"]
        .take()
}

/// Messages that were not waited for.
fn others(cloud: &Cloud) -> Vec<Value> {
    cloud.peer.events(|event| event["topic"].as_str().is_some_and(|name| name.starts_with("q-agent-")))
}

/// An agent of a type that says nothing more of itself.
fn report(cloud: &Cloud, agent_type: &str) {
    let state =
        json!({"agent_type": agent_type, "host": "a", "binary": "b", "topic": "N/A", "configurations": {}});
    let said = json!({"agent_state": {"agent_state": state}, "time": "2999-01-01T00:00:00.000000"});
    cloud.peer.call("q-reports-plugin", "report_state", said).unwrap();
}

async fn instance(cloud: &Cloud, network: &str) -> Result<Value> {
    let asked = json!({"network_id": network, "binding:host_id": "h1", "device_owner": "compute:nova"});
    world::create(&cloud.client(), "port", asked).await
}

#[tokio::test(flavor = "multi_thread")]
async fn older_agents_hear_of_ports_networks_and_groups() -> Result {
    let agents = [Agent::openvswitch("h1").told(), Agent::openvswitch("h2").told()];
    let Some(cloud) = Cloud::start(PATIENT, &agents).await? else { return Ok(()) };
    report(&cloud, "Acme agent");
    listen(&cloud);
    ports_are_told(&cloud).await?;
    groups_are_told(&cloud).await?;
    networks_are_told(&cloud).await?;
    activations_are_told(&cloud).await
}

async fn ports_are_told(cloud: &Cloud) -> Result {
    let client = cloud.client();
    let made = world::create(&client, "network", json!({"name": "ports"})).await?;
    let network = world::text(&made, "/id")?;
    let subnet = world::subnet(&client, &network, "10.0.0.0/24").await?;
    let port = instance(cloud, &network).await?;
    let groups = port["security_groups"].clone();
    let id = world::text(&port, "/id")?;
    let path = format!("/v2.0/ports/{id}");
    let members = told(cloud, "security_group-update", "security_groups_member_updated");
    assert_eq!(members, json!({ "security_groups": groups }));
    // What agents have nothing to do with, they do not hear of; nor of a port that
    // is new, of which they hear when it is plugged in.
    client.put(&path, &json!({"port": {"name": "x"}})).await?.expect(200)?;
    assert_eq!(others(cloud), Vec::<Value>::new());

    client.put(&path, &json!({"port": {"admin_state_up": false}})).await?.expect(200)?;
    let update = told(cloud, "port-update", "port_update");
    assert_eq!(
        (&update["port"]["id"], &update["port"]["admin_state_up"], &update["port"]["binding:host_id"]),
        (&json!(id), &json!(false), &json!("h1"))
    );
    assert_eq!(
        (&update["network_type"], &update["segmentation_id"], &update["physical_network"]),
        (&json!("vxlan"), &made["provider:segmentation_id"], &Value::Null)
    );
    assert_eq!(update["port"].get("binding_levels"), None, "it is shown as the API shows it");

    let addresses = json!([{"subnet_id": subnet, "ip_address": "10.0.0.200"}]);
    client.put(&path, &json!({"port": {"fixed_ips": addresses}})).await?.expect(200)?;
    assert_eq!(told(cloud, "port-update", "port_update")["port"]["fixed_ips"], addresses);
    assert_eq!(
        told(cloud, "security_group-update", "security_groups_member_updated"),
        json!({ "security_groups": groups })
    );
    client.delete(&path).await?.expect(204)?;
    assert_eq!(told(cloud, "port-delete", "port_delete"), json!({ "port_id": id }));
    told(cloud, "security_group-update", "security_groups_member_updated");
    assert_eq!(others(cloud), Vec::<Value>::new());
    Ok(())
}

async fn groups_are_told(cloud: &Cloud) -> Result {
    let client = cloud.client();
    let network = world::network(&client, "groups").await?;
    let port = instance(cloud, &network).await?;
    told(cloud, "security_group-update", "security_groups_member_updated");
    let group = world::create(&client, "security_group", json!({"name": "g"})).await?;
    let group = world::text(&group, "/id")?;
    // It has rules from the beginning, and nobody is in it.
    assert_eq!(others(cloud), Vec::<Value>::new());
    let rule = json!({"security_group_id": group, "direction": "ingress", "protocol": "icmp"});
    let rule = world::text(&world::create(&client, "security_group_rule", rule).await?, "/id")?;
    assert_eq!(
        told(cloud, "security_group-update", "security_groups_rule_updated"),
        json!({"security_groups": [group]})
    );
    client.delete(&format!("/v2.0/security-group-rules/{rule}")).await?.expect(204)?;
    told(cloud, "security_group-update", "security_groups_rule_updated");

    // Those that the port leaves and those that it joins have other members.
    let path = format!("/v2.0/ports/{}", world::text(&port, "/id")?);
    client.put(&path, &json!({"port": {"security_groups": [group]}})).await?.expect(200)?;
    let members = told(cloud, "security_group-update", "security_groups_member_updated");
    let mut expected = vec![json!(group), port["security_groups"][0].clone()];
    expected.sort_by_key(Value::to_string);
    assert_eq!(members["security_groups"], json!(expected));
    told(cloud, "port-update", "port_update");

    // A bulk is told of once.
    let one = json!({"network_id": network});
    client.post("/v2.0/ports", &json!({"ports": vec![one; 5]})).await?.expect(201)?;
    told(cloud, "security_group-update", "security_groups_member_updated");
    assert_eq!(others(cloud), Vec::<Value>::new());
    Ok(())
}

async fn networks_are_told(cloud: &Cloud) -> Result {
    let client = cloud.client();
    let network = world::network(&client, "networks").await?;
    let path = format!("/v2.0/networks/{network}");
    client.put(&path, &json!({"network": {"name": "x"}})).await?.expect(200)?;
    client.put(&path, &json!({"network": {"mtu": 1300}})).await?.expect(200)?;
    let update = told(cloud, "network-update", "network_update");
    assert_eq!((&update["network"]["id"], &update["network"]["mtu"]), (&json!(network), &json!(1300)));
    client.delete(&path).await?.expect(204)?;
    assert_eq!(told(cloud, "network-delete", "network_delete"), json!({ "network_id": network }));
    assert_eq!(others(cloud), Vec::<Value>::new());
    Ok(())
}

async fn activations_are_told(cloud: &Cloud) -> Result {
    let nova = cloud.client().header("x-roles", "admin,service,member,reader")?;
    let network = world::network(&nova, "moving").await?;
    let port = world::text(&instance(cloud, &network).await?, "/id")?;
    let bindings = format!("/v2.0/ports/{port}/bindings");
    nova.post(&bindings, &json!({"binding": {"host": "h2"}})).await?.expect(201)?;
    nova.put(&format!("{bindings}/h2/activate"), &json!({})).await?.expect(200)?;
    assert_eq!(
        told(cloud, "port_binding-deactivate", "binding_deactivate"),
        json!({"port_id": port, "host": "h1", "network_id": network})
    );
    assert_eq!(
        told(cloud, "port_binding-activate", "binding_activate"),
        json!({"port_id": port, "host": "h2"})
    );
    Ok(())
}

/// Casts and fanouts that the server has published, of each how many.
async fn published(cloud: &Cloud) -> Result<f64> {
    let metrics = cloud.client().get("/metrics").await?.expect(200)?;
    let text = metrics.as_str().unwrap_or_default();
    let sent = |line: &&str| {
        line.starts_with("hadron_bus_published_total")
            && ["cast", "fanout"].iter().any(|kind| line.contains(kind))
    };
    let numbers = text.lines().filter(sent).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    Ok(numbers.sum())
}

/// Makes an instance's port, has it change and go; how many messages that was.
async fn messages_of_a_port(cloud: &Cloud, network: &str) -> Result<f64> {
    let before = published(cloud).await?;
    let port = instance(cloud, network).await?;
    let path = format!("/v2.0/ports/{}", world::text(&port, "/id")?);
    cloud.client().put(&path, &json!({"port": {"admin_state_up": false}})).await?.expect(200)?;
    cloud.client().delete(&path).await?.expect(204)?;
    Ok(published(cloud).await? - before)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_that_nobody_hears() -> Result {
    let Some(cloud) = Cloud::start(PATIENT, &[]).await? else { return Ok(()) };
    let network = world::network(&cloud.client(), "n").await?;
    assert_eq!(messages_of_a_port(&cloud, &network).await?, 0.0);
    // An agent that understands objects is told of the port three times, once each.
    cloud.peer.play(&[Agent::openvswitch("h1").told()]);
    assert_eq!(messages_of_a_port(&cloud, &network).await?, 3.0);
    // Metering agents listen to none of it.
    report(&cloud, "Metering agent");
    assert_eq!(messages_of_a_port(&cloud, &network).await?, 3.0);
    // One that nobody knows may listen to all: members twice, and the port's
    // change and its end.
    report(&cloud, "Acme agent");
    assert_eq!(messages_of_a_port(&cloud, &network).await?, 7.0);
    // It is gone.
    let gone = json!({"host": "a", "agent_type": "Acme agent"});
    cloud.peer.call("q-reports-plugin", "delete_agent", gone).unwrap();
    assert_eq!(messages_of_a_port(&cloud, &network).await?, 3.0);
    Ok(())
}
