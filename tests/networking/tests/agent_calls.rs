//! What agents ask of ports: the groups of those that they filter packets of, those
//! with a kind of card, and what distributed routers need.

use hadron_networking_tests::{Cloud, world};
use hadron_sdk_testing::Result;
use hadron_test_support::Agent;
use serde_json::{Value, json};

fn ask(cloud: &Cloud, method: &str, arguments: Value) -> Value {
    cloud.peer.call("q-plugin", method, arguments).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_ask_what_groups_let_through() -> Result {
    let Some(cloud) = Cloud::start("", &[]).await? else { return Ok(()) };
    let client = cloud.client();
    let network = world::network(&client, "n").await?;
    world::subnet(&client, &network, "10.1.0.0/24").await?;
    let group = async |name: &str| -> Result<String> {
        world::text(&world::create(&client, "security_group", json!({"name": name})).await?, "/id")
    };
    let (own, remote) = (group("own").await?, group("remote").await?);
    let addresses = json!({"name": "a", "addresses": ["192.0.2.0/24", "2001:db8::/64"]});
    let addresses = world::text(&world::create(&client, "address_group", addresses).await?, "/id")?;
    for more in [
        json!({"protocol": "tcp", "port_range_min": 22, "port_range_max": 23, "remote_ip_prefix": "10.2.0.7/16"}),
        json!({"remote_group_id": remote}),
        json!({"protocol": "udp", "remote_address_group_id": addresses}),
    ] {
        let mut rule = json!({"security_group_id": own, "direction": "ingress"});
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        world::create(&client, "security_group_rule", rule).await?;
    }
    let port = async |more: Value| -> Result<Value> {
        let mut port = json!({ "network_id": network });
        port.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        world::create(&client, "port", port).await
    };
    let pairs = json!([{"ip_address": "10.1.0.128/25", "mac_address": "fa:16:3e:00:00:07"}]);
    let member = port(json!({"security_groups": [remote], "allowed_address_pairs": pairs})).await?;
    let asked = port(json!({"security_groups": [own]})).await?;
    let id = world::text(&asked, "/id")?;
    let trusted = port(json!({"device_owner": "network:dhcp"})).await?;
    let device = format!("tap{}", &id[..11]);

    let info = |version: Option<&str>| {
        let devices = json!([device, trusted["id"], "tap00000000-00"]);
        let mut asked = json!({ "devices": devices });
        if let Some(version) = version {
            asked["call_version"] = json!(version);
        }
        ask(&cloud, "security_group_info_for_devices", asked)
    };
    let told = info(Some("1.3"));
    let devices = told["devices"].as_object().unwrap();
    assert_eq!(devices.keys().collect::<Vec<_>>(), [&id], "what is the network's own is trusted");
    let entry = &devices[&id];
    let ip = |port: &Value| port["fixed_ips"][0]["ip_address"].clone();
    assert_eq!(
        (&entry["device"], &entry["fixed_ips"], &entry["security_groups"], &entry["mac_address"]),
        (&json!(device), &json!([ip(&asked)]), &json!([own]), &asked["mac_address"])
    );
    assert_eq!(entry["security_group_source_groups"], json!([remote]));
    assert_eq!(entry["security_group_remote_address_groups"], json!([addresses]));
    let dhcp = entry["security_group_rules"].as_array().unwrap();
    assert_eq!(dhcp[0]["dest_ip_prefix"], format!("{}/32", ip(&asked).as_str().unwrap()));

    let rules = told["security_groups"][&own].as_array().unwrap();
    // Two let everything out.
    assert_eq!(rules.len(), 5);
    let ssh = json!({"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22,
        "port_range_max": 23, "source_ip_prefix": "10.2.0.0/16", "stateful": true});
    assert!(rules.contains(&ssh), "{rules:?}");
    let of_group =
        json!({"direction": "ingress", "ethertype": "IPv4", "remote_group_id": remote, "stateful": true});
    assert!(rules.contains(&of_group), "{rules:?}");
    assert_eq!(
        told["sg_member_ips"],
        json!({
            remote.as_str(): {"IPv4": [["10.1.0.128/25", "fa:16:3e:00:00:07"], [ip(&member), null]]},
            addresses.as_str(): {"IPv4": [["192.0.2.0/24", null]]},
        })
    );
    // One that is older knows of no MAC addresses.
    assert_eq!(info(None)["sg_member_ips"][&remote], json!({"IPv4": ["10.1.0.128/25", ip(&member)]}));
    assert_eq!(
        ask(&cloud, "security_group_info_for_devices", json!({"devices": []})),
        json!({"devices": {}, "security_groups": {}, "sg_member_ips": {}})
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_ask_for_ports_with_a_kind_of_card() -> Result {
    let Some(cloud) = Cloud::start("", &[]).await? else { return Ok(()) };
    let client = cloud.client();
    let network = world::network(&client, "n").await?;
    let port = async |host: &str, vnic_type: &str| -> Result<String> {
        let asked = json!({"network_id": network, "binding:host_id": host, "binding:vnic_type": vnic_type});
        world::text(&world::create(&client, "port", asked).await?, "/id")
    };
    let wanted = port("h1", "smart-nic").await?;
    port("h1", "normal").await?;
    port("h2", "smart-nic").await?;
    let asked = json!({"vnic_type": "smart-nic", "host": "h1"});
    let found = ask(&cloud, "get_ports_by_vnic_type_and_host", asked);
    let ids: Vec<&Value> = found.as_array().unwrap().iter().map(|port| &port["id"]).collect();
    assert_eq!(ids, [&json!(wanted)]);
    assert_eq!(found[0].get("binding_levels"), None);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_of_distributed_routers_have_addresses() -> Result {
    let agents = [Agent::openvswitch("h1").told(), Agent::openvswitch("h2").told(), Agent::dhcp("h2")];
    let base = "[plugin.ml2.config]\ndvr_base_mac = 'fa:16:3f:42:00:00'\n";
    let Some(cloud) = Cloud::start(base, &agents).await? else { return Ok(()) };
    let topic = "q-agent-notifier-dvr-update";
    cloud.peer.command(json!({"do": "serve", "topic": topic, "host": "o"})).unwrap();
    let told = || {
        let event = cloud.peer.event(|event| event["topic"] == topic);
        assert_eq!(event["method"], "dvr_mac_address_update");
        event["arguments"]["dvr_macs"].clone()
    };
    assert_eq!(ask(&cloud, "get_dvr_mac_address_list", json!({})), json!([]));
    assert_eq!(ask(&cloud, "get_dvr_mac_address_by_host", json!({"host": ""})), Value::Null);
    let of = |host: &str| ask(&cloud, "get_dvr_mac_address_by_host", json!({ "host": host }));
    let one = of("h1");
    assert_eq!(one["host"], "h1");
    assert!(one["mac_address"].as_str().unwrap().starts_with("fa:16:3f:42:"), "{one}");
    assert_eq!(told(), json!([one]));
    let two = of("h2");
    assert_eq!(told(), json!([one, two]));
    assert_ne!(one["mac_address"], two["mac_address"]);
    // It stays, and nobody is told of it again.
    assert_eq!(of("h1"), one);
    assert_eq!(ask(&cloud, "get_dvr_mac_address_list", json!({})), json!([one, two]));

    // A host that has no agent any more needs none.
    let forget = async |agent_type: &str, host: &str| -> Result {
        let agent = cloud.agent(agent_type, host).await?;
        cloud.peer.silence(host).unwrap();
        let path = format!("/v2.0/agents/{}", world::text(&agent, "/id")?);
        cloud.client().delete(&path).await?.expect(204).map(drop)
    };
    forget("Open vSwitch agent", "h2").await?;
    assert_eq!(ask(&cloud, "get_dvr_mac_address_list", json!({})), json!([one, two]));
    forget("DHCP agent", "h2").await?;
    assert_eq!(told(), json!([one]));
    assert_eq!(cloud.peer.events(|event| event["topic"] == topic), Vec::<Value>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn distributed_routers_learn_what_is_on_their_hosts() -> Result {
    let Some(cloud) = Cloud::start("", &[Agent::openvswitch("h1").told()]).await? else { return Ok(()) };
    let client = cloud.client();
    let network = world::network(&client, "n").await?;
    let subnet = world::subnet(&client, &network, "10.1.0.0/24").await?;
    let other = world::subnet(&client, &network, "10.2.0.0/24").await?;
    let port = async |host: &str, owner: &str, subnet: &str| -> Result<Value> {
        let asked = json!({"network_id": network, "binding:host_id": host, "device_owner": owner,
            "fixed_ips": [{ "subnet_id": subnet }]});
        world::create(&client, "port", asked).await
    };
    let instance = port("h1", "compute:nova", &subnet).await?;
    let dhcp = port("h1", "network:dhcp", &subnet).await?;
    port("h1", "compute:nova", &other).await?;
    port("h1", "", &subnet).await?;
    port("h2", "compute:nova", &subnet).await?;
    let found = ask(&cloud, "get_ports_on_host_by_subnet", json!({"host": "h1", "subnet": subnet}));
    let ids: Vec<&str> = found.as_array().unwrap().iter().map(|port| port["id"].as_str().unwrap()).collect();
    let mut expected = [instance["id"].as_str().unwrap(), dhcp["id"].as_str().unwrap()];
    expected.sort_unstable();
    assert_eq!(
        {
            let mut ids = ids;
            ids.sort_unstable();
            ids
        },
        expected
    );

    let of_subnet = |arguments: Value| ask(&cloud, "get_subnet_for_dvr", arguments);
    // Nobody is the gateway yet.
    assert_eq!(of_subnet(json!({"subnet": subnet, "fixed_ips": null})), json!({}));
    let gateway =
        json!({"network_id": network, "fixed_ips": [{"subnet_id": subnet, "ip_address": "10.1.0.1"}]});
    let gateway = world::create(&client, "port", gateway).await?;
    let known = of_subnet(json!({"subnet": subnet, "fixed_ips": null}));
    assert_eq!(
        (&known["id"], &known["cidr"], &known["gateway_mac"]),
        (&json!(subnet), &json!("10.1.0.0/24"), &gateway["mac_address"])
    );
    // A router's interface with another address than the gateway's.
    let known = of_subnet(json!({"subnet": subnet, "fixed_ips": instance["fixed_ips"]}));
    assert_eq!(known["gateway_mac"], instance["mac_address"]);
    let nowhere = "5a3e8f34-5d2a-4b28-9c63-6bb2b6d11111";
    assert_eq!(of_subnet(json!({"subnet": nowhere, "fixed_ips": null})), json!({}));
    Ok(())
}
