//! What agents are told of resources: the objects that they ask for and those
//! that they are told of when something changes.

use hadron_networking_tests::{Cloud, world};
use hadron_sdk_testing::Result;
use hadron_test_support::Agent;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Objects of Neutron 29, of each kind.
const EXAMPLES: &str = include_str!("../data/versioned-objects.json");

const DATA: &str = "versioned_object.data";

/// Asks for objects that have these values.
fn bulk(cloud: &Cloud, kind: &str, version: &str, filters: Value) -> Vec<Value> {
    let asked = json!({"resource_type": kind, "version": version, "filter_kwargs": filters});
    let answer = cloud.peer.call("q-plugin", "bulk_pull", asked).unwrap();
    answer.as_array().unwrap().clone()
}

fn one(cloud: &Cloud, kind: &str, version: &str, id: &str) -> Value {
    let asked = json!({"resource_type": kind, "version": version, "resource_id": id});
    cloud.peer.call("q-plugin", "pull", asked).unwrap()
}

/// An object has the fields, the kind and the version of the example, and so have
/// those within it.
fn assert_like(path: &str, object: &Value, example: &Value) {
    let (Some(object), Some(example)) = (object.as_object(), example.as_object()) else { return };
    for part in ["versioned_object.name", "versioned_object.version", "versioned_object.namespace"] {
        assert_eq!(object[part], example[part], "{path}");
    }
    let (object, example) = (object[DATA].as_object().unwrap(), example[DATA].as_object().unwrap());
    let names = |fields: &serde_json::Map<String, Value>| -> BTreeSet<String> {
        // Which of the two a level has depends on how it was made.
        fields.keys().filter(|name| *name != "segment_id").cloned().collect()
    };
    assert_eq!(names(object), names(example), "{path}");
    for (name, value) in object {
        let Some(like) = example.get(name) else { continue };
        let within = format!("{path}.{name}");
        match (value.as_array(), like.as_array()) {
            (Some(items), Some(like)) if !like.is_empty() => {
                items.iter().for_each(|item| assert_like(&within, item, &like[0]));
            }
            _ => assert_like(&within, value, like),
        }
    }
}

fn assert_complete(object: &Value) {
    let examples: Value = serde_json::from_str(EXAMPLES).unwrap();
    let kind = object["versioned_object.name"].as_str().unwrap();
    assert_like(kind, object, &examples[kind][0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_ask_for_objects_and_are_told_of_them() -> Result {
    let agents = [Agent::openvswitch("h1").told()];
    let Some(cloud) = Cloud::start("", &agents).await? else { return Ok(()) };
    objects_are_complete(&cloud).await?;
    who_understands_less_gets_less(&cloud).await?;
    changes_are_told(&cloud).await?;
    trunks_are_told(&cloud).await?;
    policies_are_told(&cloud).await?;
    who_is_gone_is_not_told(&cloud).await
}

async fn objects_are_complete(cloud: &Cloud) -> Result {
    let client = cloud.client();
    let network = world::network(&client, "told").await?;
    let subnet = json!({"network_id": network, "cidr": "10.1.0.0/24", "ip_version": 4,
        "dns_nameservers": ["10.1.0.9"],
        "host_routes": [{"destination": "10.2.0.0/16", "nexthop": "10.1.0.8"}]});
    let subnet = world::text(&world::create(&client, "subnet", subnet).await?, "/id")?;
    let group = world::create(&client, "security_group", json!({"name": "g"})).await?;
    let group = world::text(&group, "/id")?;
    let rule = json!({"security_group_id": group, "direction": "ingress", "protocol": "tcp",
        "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": "10.1.0.5"});
    world::create(&client, "security_group_rule", rule).await?;
    let addresses = json!({"name": "a", "addresses": ["192.0.2.0/24"]});
    let addresses = world::text(&world::create(&client, "address_group", addresses).await?, "/id")?;
    let port = json!({"network_id": network, "binding:host_id": "h1", "device_owner": "compute:nova",
        "security_groups": [group], "allowed_address_pairs": [{"ip_address": "10.1.0.77"}],
        "extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "1400"}]});
    let port = world::text(&world::create(&client, "port", port).await?, "/id")?;

    let ports = bulk(cloud, "Port", "1.11", json!({"id": [port]}));
    assert_eq!(ports.len(), 1);
    assert_complete(&ports[0]);
    let fields = &ports[0][DATA];
    assert_eq!(fields["security_group_ids"], json!([group]));
    let binding = &fields["bindings"][0][DATA];
    assert_eq!(
        (&binding["host"], &binding["vif_type"], &binding["status"], &binding["profile"]),
        (&json!("h1"), &json!("ovs"), &json!("ACTIVE"), &json!("{}"))
    );
    assert!(binding["vif_details"].as_str().unwrap().contains("\"port_filter\":true"));
    let level = &fields["binding_levels"][0][DATA];
    assert_eq!((&level["driver"], &level["level"]), (&json!("openvswitch"), &json!(0)));
    assert_eq!(level["segment"][DATA]["network_type"], "vxlan");
    assert_eq!(fields["fixed_ips"][0][DATA]["subnet_id"], json!(subnet));
    assert_eq!(fields["allowed_address_pairs"][0][DATA]["ip_address"], "10.1.0.77/32");
    assert_eq!(fields["dhcp_options"][0][DATA]["opt_name"], "mtu");
    assert_eq!(bulk(cloud, "Port", "1.11", json!({"security_group_ids": [group]})), ports);
    assert_eq!(one(cloud, "Port", "1.11", &port), ports[0]);
    assert_eq!(one(cloud, "Port", "1.11", &network), Value::Null);
    assert_eq!(bulk(cloud, "Port", "1.11", json!({"id": [port], "network_id": [port]})), [] as [Value; 0]);

    let network_object = one(cloud, "Network", "1.3", &network);
    assert_complete(&network_object);
    assert_eq!(network_object[DATA]["segments"][0][DATA]["id"], level["segment"][DATA]["id"]);
    let subnets = bulk(cloud, "Subnet", "1.2", json!({"network_id": [network]}));
    assert_complete(&subnets[0]);
    assert_eq!(subnets[0][DATA]["host_routes"][0][DATA]["nexthop"], "10.1.0.8");
    let groups = bulk(cloud, "SecurityGroup", "1.6", json!({"id": [group]}));
    assert_complete(&groups[0]);
    assert_eq!(groups[0][DATA]["rules"].as_array().unwrap().len(), 3);
    let rules = bulk(cloud, "SecurityGroupRule", "1.3", json!({"security_group_id": [group]}));
    rules.iter().for_each(assert_complete);
    let ssh = rules.iter().find(|rule| rule[DATA]["protocol"] == "tcp").unwrap();
    assert_eq!(ssh[DATA]["remote_ip_prefix"], "10.1.0.5/32");
    let groups = bulk(cloud, "AddressGroup", "1.2", json!({"id": [addresses]}));
    assert_complete(&groups[0]);
    assert_eq!(groups[0][DATA]["addresses"][0][DATA]["address"], "192.0.2.0/24");

    let details = json!({"network": network, "agent_id": "x", "host": "h1"});
    let details = cloud.peer.call("q-plugin", "get_network_details", details).unwrap();
    let shown = client.get(&format!("/v2.0/networks/{network}")).await?.expect(200)?["network"].take();
    assert_eq!(
        (&details["mtu"], &details["provider:segmentation_id"]),
        (&shown["mtu"], &shown["provider:segmentation_id"])
    );
    Ok(())
}

async fn who_understands_less_gets_less(cloud: &Cloud) -> Result {
    let client = cloud.client();
    let network = world::network(&client, "old").await?;
    let old = one(cloud, "Network", "1.1", &network);
    assert_eq!(old["versioned_object.version"], "1.1");
    assert!(old[DATA].get("qinq").is_none() && old[DATA].get("mtu").is_some());
    let ask = |kind: &str, version: &str, filters: Value| {
        let asked = json!({"resource_type": kind, "version": version, "filter_kwargs": filters});
        cloud.peer.call("q-plugin", "bulk_pull", asked).unwrap_err()
    };
    assert_eq!(ask("Network", "1.9", json!({})).class, "IncompatibleObjectVersion");
    assert_eq!(ask("Nothing", "1.0", json!({})).class, "NoSuchMethod");
    // A field that there is not changes nothing and breaks nothing.
    assert!(ask("Network", "1.3", json!({"nosuch": ["a"]})).message.contains("nosuch"));
    assert_eq!(one(cloud, "Network", "1.3", &network)[DATA]["name"], "old");
    Ok(())
}

/// Waits for a push of that kind with one object about this row; the object.
fn told(cloud: &Cloud, kind: &str, became: &str, id: &str) -> Value {
    let about = |event: &Value| {
        event["arguments"]["resource_list"].as_array().and_then(|list| {
            list.iter().find(|one| one["versioned_object.name"] == kind && one[DATA]["id"] == id).cloned()
        })
    };
    let event = cloud.peer.event(|event| {
        event["method"] == "push" && event["arguments"]["event_type"] == became && about(event).is_some()
    });
    about(&event).unwrap()
}

async fn changes_are_told(cloud: &Cloud) -> Result {
    let client = cloud.client();
    let network = world::network(&client, "changing").await?;
    assert_complete(&told(cloud, "Network", "created", &network));
    let subnet = world::subnet(&client, &network, "10.3.0.0/24").await?;
    assert_complete(&told(cloud, "Subnet", "created", &subnet));
    let body = json!({"network_id": network, "binding:host_id": "h1", "device_owner": "compute:nova"});
    let port = world::text(&world::create(&client, "port", body).await?, "/id")?;
    let created = told(cloud, "Port", "created", &port);
    assert_complete(&created);
    cloud.peer.up("h1", &[&port]).unwrap();
    let active = told(cloud, "Port", "updated", &port);
    assert_eq!(active[DATA]["status"], "ACTIVE");
    let revision = |object: &Value| object[DATA]["revision_number"].as_u64().unwrap();
    assert!(revision(&active) > revision(&created));
    client.put(&format!("/v2.0/ports/{port}"), &json!({"port": {"name": "n"}})).await?.expect(200)?;
    assert_eq!(told(cloud, "Port", "updated", &port)[DATA]["name"], "n");

    let group = world::create(&client, "security_group", json!({"name": "g2"})).await?;
    let group = world::text(&group, "/id")?;
    assert_eq!(told(cloud, "SecurityGroup", "created", &group)[DATA]["rules"].as_array().unwrap().len(), 2);
    let rule = json!({"security_group_id": group, "direction": "ingress", "protocol": "icmp"});
    let rule = world::text(&world::create(&client, "security_group_rule", rule).await?, "/id")?;
    assert_complete(&told(cloud, "SecurityGroupRule", "created", &rule));
    client.delete(&format!("/v2.0/security-group-rules/{rule}")).await?.expect(204)?;
    told(cloud, "SecurityGroupRule", "deleted", &rule);

    client.delete(&format!("/v2.0/ports/{port}")).await?.expect(204)?;
    assert_complete(&told(cloud, "Port", "deleted", &port));
    client.delete(&format!("/v2.0/networks/{network}")).await?.expect(204)?;
    // Its subnet goes with it.
    told(cloud, "Subnet", "deleted", &subnet);
    told(cloud, "Network", "deleted", &network);
    // A refused request tells nobody anything.
    let none = json!({"port": {"network_id": network}});
    client.post("/v2.0/ports", &none).await?.expect(404)?;
    assert!(
        cloud
            .peer
            .events(|event| event["method"] == "push"
                && event.to_string().contains(&network)
                && event["arguments"]["resource_list"][0]["versioned_object.name"] == "Port"
                && event["arguments"]["event_type"] == "created")
            .is_empty()
    );
    Ok(())
}

async fn trunks_are_told(cloud: &Cloud) -> Result {
    let client = cloud.client();
    let network = world::network(&client, "trunks").await?;
    let mut ports = Vec::new();
    for _ in 0..3 {
        ports.push(world::text(&world::port(&client, &network).await?, "/id")?);
    }
    let vlan = |port: &str, number: u16| json!({"port_id": port, "segmentation_type": "vlan", "segmentation_id": number});
    let body = json!({"port_id": ports[0], "sub_ports": [vlan(&ports[1], 5)]});
    let trunk = world::text(&world::create(&client, "trunk", body).await?, "/id")?;
    assert_complete(&told(cloud, "Trunk", "created", &trunk));
    // Agents know the parent's id.
    let pulled = one(cloud, "Trunk", "1.1", &ports[0]);
    assert_complete(&pulled);
    assert_eq!(
        (&pulled[DATA]["id"], &pulled[DATA]["sub_ports"][0][DATA]["port_id"]),
        (&json!(trunk), &json!(ports[1]))
    );
    assert_eq!(one(cloud, "Trunk", "1.1", &ports[1]), Value::Null);
    let sub_port_told = |became: &str, port: &str| {
        let event = cloud.peer.event(|event| {
            event["method"] == "push"
                && event["arguments"]["event_type"] == became
                && event["arguments"]["resource_list"][0][DATA]["port_id"] == port
                && event["arguments"]["resource_list"][0]["versioned_object.name"] == "SubPort"
        });
        event["arguments"]["resource_list"][0].clone()
    };
    let path = format!("/v2.0/trunks/{trunk}");
    let more = json!({"sub_ports": [vlan(&ports[2], 6)]});
    client.put(&format!("{path}/add_subports"), &more).await?.expect(200)?;
    assert_complete(&sub_port_told("created", &ports[2]));
    // An agent plugs them in and says so with the objects that it was sent.
    let sent = one(cloud, "Trunk", "1.1", &ports[0])[DATA]["sub_ports"].clone();
    let plugged = json!({"do": "call", "topic": "trunk", "method": "update_subport_bindings",
        "namespace": "trunk", "arguments": {"subports": sent}});
    let answer = cloud.peer.command(plugged).unwrap();
    assert_eq!(answer[&trunk].as_array().map(Vec::len), Some(2), "{answer}");
    let less = json!({"sub_ports": [{"port_id": ports[2]}]});
    client.put(&format!("{path}/remove_subports"), &less).await?.expect(200)?;
    sub_port_told("deleted", &ports[2]);
    client.delete(&path).await?.expect(204)?;
    told(cloud, "Trunk", "deleted", &trunk);
    Ok(())
}

async fn policies_are_told(cloud: &Cloud) -> Result {
    let client = cloud.client();
    let answer = client.post("/v2.0/qos/policies", &json!({"policy": {"name": "q"}})).await?.expect(201)?;
    let policy = world::text(&answer["policy"], "/id")?;
    assert_complete(&told(cloud, "QosPolicy", "created", &policy));
    let limits = format!("/v2.0/qos/policies/{policy}/bandwidth_limit_rules");
    let body = json!({"bandwidth_limit_rule": {"max_kbps": 3000, "max_burst_kbps": 300}});
    let limit = client.post(&limits, &body).await?.expect(201)?;
    let limit = world::text(&limit["bandwidth_limit_rule"], "/id")?;
    let updated = told(cloud, "QosPolicy", "updated", &policy);
    assert_complete(&updated);
    let rule = &updated[DATA]["rules"][0][DATA];
    assert_eq!((&rule["max_kbps"], &rule["direction"]), (&json!(3000), &json!("egress")));
    let marks = format!("/v2.0/qos/policies/{policy}/dscp_marking_rules");
    client.post(&marks, &json!({"dscp_marking_rule": {"dscp_mark": 10}})).await?.expect(201)?;
    let updated = told(cloud, "QosPolicy", "updated", &policy);
    assert_eq!(updated[DATA]["rules"].as_array().map(Vec::len), Some(2));
    assert_eq!(updated[DATA]["rules"][1]["versioned_object.name"], "QosDscpMarkingRule");
    assert_eq!(one(cloud, "QosPolicy", "1.10", &policy), updated);
    client.delete(&format!("{limits}/{limit}")).await?.expect(204)?;
    let updated = told(cloud, "QosPolicy", "updated", &policy);
    assert_eq!(updated[DATA]["rules"].as_array().map(Vec::len), Some(1));
    client.delete(&format!("/v2.0/qos/policies/{policy}")).await?.expect(204)?;
    told(cloud, "QosPolicy", "deleted", &policy);
    Ok(())
}

async fn who_is_gone_is_not_told(cloud: &Cloud) -> Result {
    let client = cloud.client();
    cloud.peer.silence("h1").unwrap();
    let agent = world::text(&cloud.agent("Open vSwitch agent", "h1").await?, "/id")?;
    client.delete(&format!("/v2.0/agents/{agent}")).await?.expect(204)?;
    let lost = world::network(&client, "unheard").await?;
    cloud.peer.play(&[Agent::openvswitch("h2").told()]);
    let heard = world::network(&client, "heard").await?;
    told(cloud, "Network", "created", &heard);
    assert!(cloud.peer.events(|event| event.to_string().contains(&lost)).is_empty());
    Ok(())
}
