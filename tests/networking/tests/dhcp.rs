//! DHCP agents and the networks they serve, over a real broker.

use hadron_networking_tests::{Cloud, world};
use hadron_sdk_testing::Result;
use hadron_test_support::Agent;
use serde_json::{Value, json};

const NOBODY: &str = "8f2f0f5e-0a0a-4d6e-9a64-3a2c0d2d6c11";

/// Hosts of the agents that serve a network.
async fn hosts(cloud: &Cloud, network: &str) -> Result<Vec<String>> {
    let body = cloud.client().get(&format!("/v2.0/networks/{network}/dhcp-agents")).await?.expect(200)?;
    let agents = body["agents"].as_array().cloned().unwrap_or_default();
    let mut hosts: Vec<String> =
        agents.iter().map(|agent| agent["host"].as_str().unwrap_or_default().to_owned()).collect();
    hosts.sort();
    Ok(hosts)
}

/// The URL of what the agent on a host serves.
async fn served_by(cloud: &Cloud, host: &str) -> Result<String> {
    let agent = cloud.agent("DHCP agent", host).await?;
    Ok(format!("/v2.0/agents/{}/dhcp-networks", world::text(&agent, "/id")?))
}

async fn zones(cloud: &Cloud, network: &str) -> Result<Value> {
    let shown = cloud.client().get(&format!("/v2.0/networks/{network}")).await?.expect(200)?;
    Ok(shown["network"]["availability_zones"].clone())
}

/// The ports that agents serve a network through, as soon as there are so many.
async fn dhcp_ports(cloud: &Cloud, network: &str, count: usize) -> Result<Vec<Value>> {
    let path = format!("/v2.0/ports?network_id={network}&device_owner=network:dhcp");
    cloud
        .until("the agents' ports", || async {
            Ok(Some(world::list(&cloud.client(), &path).await?).filter(|ports| ports.len() == count))
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn networks_are_put_to_agents() -> Result {
    let agents = [
        Agent::dhcp("d1").zone("east"),
        Agent::dhcp("d2").zone("west"),
        Agent::openvswitch("d1"),
        Agent::openvswitch("d2"),
    ];
    let Some(cloud) = Cloud::start("", &agents).await? else { return Ok(()) };
    one_agent_serves_a_network_from_its_first_subnet_on(&cloud).await?;
    administrators_put_and_take_networks(&cloud).await?;
    agents_hear_of_what_they_serve(&cloud).await?;
    agents_ask_for_what_they_serve(&cloud).await
}

async fn one_agent_serves_a_network_from_its_first_subnet_on(cloud: &Cloud) -> Result {
    let client = cloud.client();
    let (one, two) = (world::network(&client, "one").await?, world::network(&client, "two").await?);
    assert_eq!(hosts(cloud, &one).await?, Vec::<String>::new());
    // Where nobody is to be served no agent is needed.
    let unserved = json!({"network_id": one, "ip_version": 4, "cidr": "10.9.0.0/24", "enable_dhcp": false});
    world::create(&client, "subnet", unserved).await?;
    world::port(&client, &one).await?;
    assert_eq!(hosts(cloud, &one).await?, Vec::<String>::new());
    world::subnet(&client, &one, "10.0.0.0/24").await?;
    world::subnet(&client, &two, "10.0.0.0/24").await?;
    // Each serves one.
    let (of_one, of_two) = (hosts(cloud, &one).await?, hosts(cloud, &two).await?);
    assert_eq!((of_one.len(), of_two.len()), (1, 1));
    assert_ne!(of_one, of_two);
    let zone = if of_one == ["d1"] { "east" } else { "west" };
    assert_eq!(zones(cloud, &one).await?, json!([zone]));
    // The agent makes itself a port there, which it has wired.
    let port = dhcp_ports(cloud, &one, 1).await?.remove(0);
    assert_eq!(port["binding:host_id"], json!(of_one[0]));
    assert_eq!(port["fixed_ips"].as_array().unwrap().len(), 1);
    cloud.status(&world::text(&port, "/id")?, "ACTIVE").await?;
    // A second subnet changes nothing.
    world::subnet(&client, &one, "10.1.0.0/24").await?;
    assert_eq!(hosts(cloud, &one).await?, of_one);

    // A network that is wished into a zone is served by an agent there.
    for zone in ["west", "east", "west"] {
        let network = json!({"name": zone, "availability_zone_hints": [zone]});
        let id = world::text(&world::create(&client, "network", network).await?, "/id")?;
        world::subnet(&client, &id, "10.0.0.0/24").await?;
        assert_eq!(hosts(cloud, &id).await?, [if zone == "east" { "d1" } else { "d2" }]);
        client.delete(&format!("/v2.0/networks/{id}")).await?.expect(204)?;
    }
    client.delete(&format!("/v2.0/networks/{two}")).await?.expect(204)?;
    Ok(())
}

async fn administrators_put_and_take_networks(cloud: &Cloud) -> Result {
    let client = cloud.client();
    let network = world::network(&client, "put").await?;
    let (first, second) = (served_by(cloud, "d1").await?, served_by(cloud, "d2").await?);
    let body = json!({"network_id": network});
    assert_eq!(client.post(&first, &body).await?.expect(201)?, Value::Null);
    let id = first.split('/').nth(3).unwrap();
    let (kind, message) = client.post(&first, &body).await?.expect_error(409)?;
    assert_eq!(kind, "NetworkHostedByDHCPAgent");
    assert_eq!(message, format!("The network {network} has been already hosted by the DHCP Agent {id}."));
    client.post(&second, &body).await?.expect(201)?;
    assert_eq!(hosts(cloud, &network).await?, ["d1", "d2"]);
    assert_eq!(zones(cloud, &network).await?, json!(["east", "west"]));
    let listed = client.get(&first).await?.expect(200)?;
    let own = listed["networks"].as_array().unwrap().iter().find(|own| own["id"] == json!(network)).unwrap();
    assert_eq!((&own["name"], &own["subnets"], &own["shared"]), (&json!("put"), &json!([]), &json!(false)));

    let (kind, message) = client.post(&first, &json!({"network_id": NOBODY})).await?.expect_error(404)?;
    assert_eq!((kind, message), ("NetworkNotFound".into(), format!("Network {NOBODY} could not be found.")));
    assert_eq!(
        client.post(&first, &json!({})).await?.expect_error(400)?.1,
        "Failed to parse request. Required attribute 'network_id' not specified"
    );
    let other = cloud.agent("Open vSwitch agent", "d1").await?;
    let other = world::text(&other, "/id")?;
    let (kind, message) =
        client.post(&format!("/v2.0/agents/{other}/dhcp-networks"), &body).await?.expect_error(404)?;
    assert_eq!(kind, "InvalidDHCPAgent");
    assert_eq!(message, format!("Agent {other} is not a valid DHCP Agent or has been disabled."));
    let nobodys = format!("/v2.0/agents/{NOBODY}/dhcp-networks");
    assert_eq!(client.get(&nobodys).await?.expect_error(404)?.0, "AgentNotFound");

    let taken = format!("{first}/{network}");
    client.delete(&taken).await?.expect(204)?;
    let (kind, message) = client.delete(&taken).await?.expect_error(409)?;
    assert_eq!(kind, "NetworkNotHostedByDhcpAgent");
    assert_eq!(message, format!("The network {network} is not hosted by the DHCP Agent {id}."));
    assert_eq!(zones(cloud, &network).await?, json!(["west"]));
    cloud
        .until("the agent to hear that it serves the network no more", || async {
            let gone = json!({"network_id": network, "priority": 2});
            Ok(cloud.told("d1", "network_delete_end").contains(&gone).then_some(()))
        })
        .await?;

    let own = format!("/v2.0/agents/{id}");
    client.put(&own, &json!({"agent": {"admin_state_up": false}})).await?.expect(200)?;
    assert_eq!(client.post(&first, &body).await?.expect_error(404)?.0, "InvalidDHCPAgent");
    client.put(&own, &json!({"agent": {"admin_state_up": true}})).await?.expect(200)?;

    let member = client.clone().member_of(NOBODY)?;
    assert_eq!(member.get(&first).await?.expect_error(404)?.0, "AgentNotFound");
    client.delete(&format!("/v2.0/networks/{network}")).await?.expect(204)?;
    Ok(())
}

async fn agents_hear_of_what_they_serve(cloud: &Cloud) -> Result {
    let client = cloud.client();
    let network = json!({"name": "heard", "availability_zone_hints": ["east"]});
    let network = world::text(&world::create(&client, "network", network).await?, "/id")?;
    let subnet = world::subnet(&client, &network, "10.0.0.0/24").await?;
    dhcp_ports(cloud, &network, 1).await?;
    let made = world::port(&client, &network).await?;
    let id = world::text(&made, "/id")?;
    let own = format!("/v2.0/ports/{id}");
    let rename = json!({"port": {"name": "unheard"}});
    client.put(&own, &rename).await?.expect(200)?;
    let move_it = json!({"port": {"fixed_ips": [{"ip_address": "10.0.0.77"}]}});
    client.put(&own, &move_it).await?.expect(200)?;
    client.delete(&own).await?.expect(204)?;
    let told = async |method: &str, is: &dyn Fn(&Value) -> bool| -> Result<Value> {
        cloud
            .until(method, || async { Ok(cloud.told("d1", method).into_iter().find(|payload| is(payload))) })
            .await
    };
    let gone = told("port_delete_end", &|payload| payload["port_id"] == json!(id)).await?;
    assert_eq!(
        gone,
        json!({"port_id": id, "network_id": network, "priority": 6,
            "fixed_ips": [{"subnet_id": subnet, "ip_address": "10.0.0.77"}]})
    );
    let created = told("port_create_end", &|payload| payload["port"]["id"] == json!(id)).await?;
    assert_eq!((&created["priority"], &created["port"]["mac_address"]), (&json!(5), &made["mac_address"]));
    assert_eq!(created["port"].get("binding_levels"), None);
    let updates = cloud.told("d1", "port_update_end");
    let own_updates: Vec<&Value> =
        updates.iter().filter(|payload| payload["port"]["id"] == json!(id)).collect();
    assert_eq!(own_updates.len(), 1, "of a name nobody is told: {own_updates:?}");
    assert_eq!(own_updates[0]["port"]["fixed_ips"][0]["ip_address"], "10.0.0.77");

    let change = json!({"subnet": {"dns_nameservers": ["10.0.0.53"]}});
    client.put(&format!("/v2.0/subnets/{subnet}"), &change).await?.expect(200)?;
    let updated = told("subnet_update_end", &|payload| payload["subnet"]["id"] == json!(subnet)).await?;
    assert_eq!(updated["subnet"]["dns_nameservers"], json!(["10.0.0.53"]));
    client
        .put(&format!("/v2.0/networks/{network}"), &json!({"network": {"name": "n"}}))
        .await?
        .expect(200)?;
    told("network_update_end", &|payload| payload["network"]["name"] == "n").await?;
    client.delete(&format!("/v2.0/networks/{network}")).await?.expect(204)?;
    told("network_delete_end", &|payload| payload["network_id"] == json!(network)).await?;
    told("subnet_delete_end", &|payload| payload["subnet_id"] == json!(subnet)).await?;
    let silent =
        |method: &str| cloud.told("d2", method).iter().any(|payload| payload["port"]["id"] == json!(id));
    assert!(!silent("port_create_end"), "an agent hears only of what it serves");
    Ok(())
}

async fn agents_ask_for_what_they_serve(cloud: &Cloud) -> Result {
    let client = cloud.client();
    let call = |method: &str, arguments: Value| cloud.peer.call("q-plugin", method, arguments);
    let network = json!({"name": "asked", "availability_zone_hints": ["west"]});
    let network = world::text(&world::create(&client, "network", network).await?, "/id")?;
    let subnet = world::subnet(&client, &network, "10.0.0.0/24").await?;
    let served = dhcp_ports(cloud, &network, 1).await?.remove(0);
    let unserved =
        json!({"network_id": network, "ip_version": 4, "cidr": "10.9.0.0/24", "enable_dhcp": false});
    let unserved = world::text(&world::create(&client, "subnet", unserved).await?, "/id")?;

    let info = call("get_network_info", json!({"network_id": network, "host": "d2"})).unwrap();
    assert_eq!(
        (&info["id"], &info["mtu"], &info["non_local_subnets"]),
        (&json!(network), &json!(1450), &json!([]))
    );
    let ids = |rows: &Value| rows.as_array().unwrap().iter().map(|row| row["id"].clone()).collect::<Vec<_>>();
    assert_eq!(
        (ids(&info["subnets"]), ids(&info["ports"])),
        (vec![json!(subnet)], vec![served["id"].clone()])
    );
    assert_eq!(call("get_network_info", json!({"network_id": NOBODY, "host": "d2"})), Ok(Value::Null));
    let active = |more: Value| {
        let mut arguments = json!({"host": "d2"});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let networks = call("get_active_networks_info", arguments).unwrap();
        let own = networks.as_array().unwrap().iter().find(|own| own["id"] == json!(network)).cloned();
        ids(&own.unwrap()["subnets"])
    };
    assert_eq!(active(json!({})), [json!(subnet)]);
    assert_eq!(active(json!({"enable_dhcp_filter": false})).len(), 2);
    assert_eq!(call("get_active_networks_info", json!({"host": "nowhere"})), Ok(json!([])));

    let wanted = |subnet: &str| {
        json!({"host": "d2", "port": {"port": {"name": "", "admin_state_up": true, "device_id": "dhcp-x",
            "network_id": network, "project_id": "p", "fixed_ips": [{"subnet_id": subnet}]}}})
    };
    let made = call("create_dhcp_port", wanted(&unserved)).unwrap();
    assert_eq!((&made["device_owner"], &made["binding:host_id"]), (&json!("network:dhcp"), &json!("d2")));
    assert_eq!(made["binding:vif_type"], "ovs");
    assert_eq!(call("create_dhcp_port", wanted(NOBODY)), Ok(Value::Null));
    let id = world::text(&made, "/id")?;
    assert_eq!(call("get_dhcp_port", json!({"port_id": id})).unwrap()["mac_address"], made["mac_address"]);
    assert_eq!(call("get_dhcp_port", json!({"port_id": NOBODY})).unwrap_err().class, "PortNotFound");
    let update = |host: &str, port: &str| {
        json!({"port_id": port, "host": host, "port": {"port": {"network_id": network, "device_id": "dhcp-y",
            "fixed_ips": [{"subnet_id": subnet}]}}})
    };
    let moved = call("update_dhcp_port", update("d2", &id)).unwrap();
    assert_eq!(
        (&moved["device_id"], &moved["fixed_ips"][0]["subnet_id"]),
        (&json!("dhcp-y"), &json!(subnet))
    );
    // Another host's port is not this one's to change, and one that does not
    // serve the network has none.
    assert_eq!(call("update_dhcp_port", update("d1", &id)), Ok(Value::Null));
    assert_eq!(call("update_dhcp_port", update("d2", NOBODY)), Ok(Value::Null));
    let ports =
        call("get_ports", json!({"filters": {"network_id": [network], "device_id": ["dhcp-y"]}})).unwrap();
    assert_eq!(ids(&ports), [json!(id)]);
    assert_eq!(
        call("get_ports", json!({"filters": {"device_owner": ["network:distributed"]}})),
        Ok(json!([]))
    );
    let networks =
        call("get_networks", json!({"filters": {"id": [network]}, "fields": ["id", "mtu"]})).unwrap();
    assert_eq!(networks, json!([{"id": network, "mtu": 1450}]));
    call("release_dhcp_port", json!({"network_id": network, "device_id": "dhcp-y", "host": "d2"})).unwrap();
    assert_eq!(client.get(&format!("/v2.0/ports/{id}")).await?.status, 404);

    // The port of an agent that serves a network no more waits for the next.
    let kept = world::text(&served, "/id")?;
    client.delete(&format!("{}/{network}", served_by(cloud, "d2").await?)).await?.expect(204)?;
    let port = client.get(&format!("/v2.0/ports/{kept}")).await?.expect(200)?;
    assert_eq!(port["port"]["device_id"], "reserved_dhcp_port");
    assert_eq!(call("update_dhcp_port", update("d1", &kept)).unwrap_err().class, "NetworkNotFound");
    client.post(&served_by(cloud, "d1").await?, &json!({"network_id": network})).await?.expect(201)?;
    let taken = call("update_dhcp_port", update("d1", &kept)).unwrap();
    assert_eq!((&taken["binding:host_id"], &taken["id"]), (&json!("d1"), &json!(kept)));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn networks_of_a_dead_agent_are_put_to_another() -> Result {
    let impatient = "[plugin.ml2.config]\nagent_down_time = 8\ndhcp_agents_per_network = 2\n";
    let Some(cloud) = Cloud::start(impatient, &[Agent::dhcp("d1")]).await? else { return Ok(()) };
    let client = cloud.client();
    let network = world::network(&client, "n").await?;
    world::subnet(&client, &network, "10.0.0.0/24").await?;
    assert_eq!(hosts(&cloud, &network).await?, ["d1"]);
    // An agent that comes takes what has too few.
    let serve = |wanted: &'static [&'static str]| {
        let (cloud, network) = (&cloud, &network);
        async move {
            cloud
                .until("other agents to serve it", || async {
                    Ok((hosts(cloud, network).await? == wanted).then_some(()))
                })
                .await
        }
    };
    cloud.peer.play(&[Agent::dhcp("d2")]);
    serve(&["d1", "d2"]).await?;
    cloud.peer.play(&[Agent::dhcp("d3")]);
    cloud.peer.silence("d1").unwrap();
    serve(&["d2", "d3"]).await?;
    // Back again, it serves nothing that others do.
    cloud.peer.speak("d1").unwrap();
    cloud
        .peer
        .event(|event| event["event"] == "reported" && event["host"] == "d1" && event["answer"] == "revived");
    assert_eq!(hosts(&cloud, &network).await?, ["d2", "d3"]);
    Ok(())
}
