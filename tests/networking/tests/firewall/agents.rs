//! What agents are told and ask, and that groups are as agents say.

use super::{builder, create, id, interface, made, path, put, show};
use hadron_networking_tests::{Cloud, world};
use hadron_sdk_testing::Result;
use hadron_test_support::Agent;
use serde_json::{Value, json};

const TOPIC: &str = "firewall_agent";

/// A cloud in which somebody hears what agents are told.
async fn cloud(agents: &[Agent]) -> Result<Option<Cloud>> {
    let builder = builder().mechanism_drivers(&["openvswitch"]);
    let Some(cloud) = Cloud::of(builder, agents).await? else { return Ok(None) };
    cloud.peer.command(json!({"do": "serve", "topic": TOPIC, "host": "r1"})).unwrap();
    Ok(Some(cloud))
}

/// Waits for what agents are told by that method; the group.
fn told(cloud: &Cloud, method: &str) -> Value {
    let told = |event: &Value| event["topic"] == TOPIC && event["method"] == method;
    cloud.peer.event(told)["arguments"]["firewall_group"].take()
}

fn ask(cloud: &Cloud, method: &str, arguments: Value) -> Value {
    cloud.peer.call("q-firewall-plugin", method, arguments).unwrap()
}

fn report(cloud: &Cloud, group: &str, status: &str) -> Value {
    ask(cloud, "set_firewall_group_status", json!({"fwg_id": group, "status": status, "host": "r1"}))
}

/// A rule, a policy with it, two interfaces, and a group of the first.
struct Scene {
    rule: String,
    policy: String,
    ports: [String; 2],
    group: String,
}

async fn scene(cloud: &Cloud) -> Result<Scene> {
    let client = cloud.client();
    let blue = world::network(&client, "blue").await?;
    world::subnet(&client, &blue, "10.0.0.0/24").await?;
    let ports = [interface(&client, &blue).await?, interface(&client, &blue).await?];
    let rule = json!({"name": "web", "protocol": "tcp", "destination_port": 80, "action": "allow"});
    let rule = made(&client, "rule", rule).await?;
    let policy = made(&client, "policy", json!({"firewall_rules": [rule]})).await?;
    let group = json!({"name": "g", "ports": [ports[0]], "ingress_firewall_policy_id": policy});
    let group = made(&client, "group", group).await?;
    Ok(Scene { rule, policy, ports, group })
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_are_told_of_groups_and_say_how_they_are() -> Result {
    let Some(cloud) = cloud(&[]).await? else { return Ok(()) };
    let client = cloud.client();
    let Scene { rule, policy, ports: [one, two], group } = scene(&cloud).await?;
    let status = async || -> Result<Value> { Ok(show(&client, "group", &group).await?["status"].take()) };
    let change = async |changes: Value| put(&client, "group", &group, changes).await?.expect(200);

    let new = told(&cloud, "create_firewall_group");
    assert_eq!(
        (&new["id"], &new["status"], &new["admin_state_up"], &new["add-port-ids"], &new["del-port-ids"]),
        (&json!(group), &json!("PENDING_CREATE"), &json!(true), &json!([one]), &json!([]))
    );
    assert_eq!((&new["tenant_id"], &new["ports"]), (&new["project_id"], &json!([one])));
    let rules = new["ingress_rule_list"].as_array().unwrap();
    assert_eq!(
        (&rules[0]["id"], &rules[0]["destination_port"], &rules[0]["action"], &rules[0]["source_port"]),
        (&json!(rule), &json!("80"), &json!("allow"), &Value::Null)
    );
    assert_eq!((rules.len(), &new["egress_rule_list"]), (1, &json!([])));
    let detail = &new["port_details"][&one];
    assert_eq!(
        (&detail["id"], &detail["device_owner"], detail.get("host")),
        (&json!(one), &json!("network:router_interface"), None)
    );
    assert!(detail["fixed_ips"][0]["ip_address"].is_string(), "{detail}");

    assert_eq!(status().await?, "PENDING_CREATE");
    assert_eq!(report(&cloud, &group, "ACTIVE"), true);
    assert_eq!(status().await?, "ACTIVE");

    // A name is no agent's business.
    assert_eq!(change(json!({"name": "h"})).await?["firewall_group"]["status"], "ACTIVE");
    assert_eq!(change(json!({"ports": [one, two]})).await?["firewall_group"]["status"], "PENDING_UPDATE");
    let more = told(&cloud, "update_firewall_group");
    assert_eq!(
        (&more["name"], &more["add-port-ids"], &more["del-port-ids"], &more["last-port"]),
        (&json!("h"), &json!([two]), &json!([]), &json!(false))
    );
    assert_eq!(report(&cloud, &group, "ACTIVE"), true);
    change(json!({"admin_state_up": false})).await?;
    let off = told(&cloud, "update_firewall_group");
    assert_eq!((&off["admin_state_up"], &off["add-port-ids"]), (&json!(false), &json!([one, two])));
    assert_eq!(report(&cloud, &group, "DOWN"), true);
    assert_eq!(status().await?, "DOWN");

    // What its policies say concerns all its ports.
    put(&client, "rule", &rule, json!({"action": "reject"})).await?.expect(200)?;
    let other = told(&cloud, "update_firewall_group");
    assert_eq!(other["ingress_rule_list"][0]["action"], "reject");
    assert_eq!((&other["status"], &other["add-port-ids"]), (&json!("PENDING_UPDATE"), &json!([one, two])));
    assert_eq!(status().await?, "PENDING_UPDATE");
    assert_eq!(report(&cloud, &group, "DOWN"), true);
    let remove = format!("{}/remove_rule", path("policy", &policy));
    client.put(&remove, &json!({"firewall_rule_id": rule})).await?.expect(200)?;
    assert_eq!(told(&cloud, "update_firewall_group")["ingress_rule_list"], json!([]));
    assert_eq!(report(&cloud, &group, "nonsense"), false);
    assert_eq!(status().await?, "ERROR");

    change(json!({"ports": []})).await?;
    let last = told(&cloud, "update_firewall_group");
    assert_eq!(
        (&last["add-port-ids"], &last["del-port-ids"], &last["last-port"]),
        (&json!([]), &json!([one, two]), &json!(true))
    );
    assert!(last["port_details"].get(&two).is_some(), "{last}");
    assert_eq!(report(&cloud, &group, "INACTIVE"), true);
    assert_eq!(status().await?, "INACTIVE");
    client.delete(&path("group", &group)).await?.expect(204)?;
    assert_eq!(report(&cloud, &group, "ACTIVE"), false);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_ask_what_they_have_to_enforce() -> Result {
    let Some(cloud) = cloud(&[]).await? else { return Ok(()) };
    let client = cloud.client();
    let Scene { rule, ports: [one, two], group, .. } = scene(&cloud).await?;
    let project = show(&client, "group", &group).await?["project_id"].take();

    assert_eq!(ask(&cloud, "get_projects_with_firewall_groups", json!({"host": "r1"})), json!([project]));
    let groups = ask(&cloud, "get_firewall_groups_for_project", json!({"host": "r1", "rpc_version": "1.1"}));
    assert_eq!(groups.as_array().unwrap().len(), 1, "those that are enforced nowhere are nobody's");
    assert_eq!(
        (&groups[0]["id"], &groups[0]["add-port-ids"], &groups[0]["del-port-ids"]),
        (&json!(group), &json!([one]), &json!([]))
    );
    assert_eq!(groups[0]["ingress_rule_list"][0]["id"], json!(rule));
    let of_port = |port: &str| ask(&cloud, "get_firewall_group_for_port", json!({ "port_id": port }));
    assert_eq!((&of_port(&one)["id"], of_port(&two)), (&json!(group), Value::Null));
    assert_eq!(of_port(&one)["ingress_rule_list"][0]["name"], "web");
    let wrong = cloud.peer.call("q-firewall-plugin", "set_firewall_status", json!({})).unwrap_err();
    assert!(format!("{wrong:?}").contains("NoSuchMethod"), "{wrong:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_an_agent_has_removed_is_gone_if_it_was_in_error() -> Result {
    let Some(cloud) = cloud(&[]).await? else { return Ok(()) };
    let client = cloud.client();
    let Scene { group, .. } = scene(&cloud).await?;
    let deleted = || ask(&cloud, "firewall_group_deleted", json!({"fwg_id": group, "host": "r1"}));
    report(&cloud, &group, "ACTIVE");
    assert_eq!(deleted(), false);
    assert_eq!(show(&client, "group", &group).await?["status"], "ERROR");
    assert_eq!(deleted(), true);
    assert_eq!(client.get(&path("group", &group)).await?.status, 404);
    assert_eq!(deleted(), true);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_is_plugged_in_is_behind_the_default_group() -> Result {
    let Some(cloud) = cloud(&[Agent::openvswitch("h1")]).await? else { return Ok(()) };
    let client = cloud.client();
    let blue = world::network(&client, "blue").await?;
    let plug = async |device: &str| -> Result<Value> {
        let port = world::port(&client, &blue).await?;
        let changes = json!({"device_id": device, "device_owner": "compute:nova", "binding:host_id": "h1"});
        let path = format!("/v2.0/ports/{}", id(&port)?);
        Ok(client.put(&path, &json!({ "port": changes })).await?.expect(200)?["port"].take())
    };
    let port = plug("vm").await?;
    assert_eq!(port["binding:vif_type"], "ovs");
    let of_port = |port: &Value| ask(&cloud, "get_firewall_group_for_port", json!({"port_id": port["id"]}));
    let default = of_port(&port);
    assert_eq!(
        (&default["name"], &default["ports"], &default["status"]),
        (&json!("default"), &json!([port["id"]]), &json!("PENDING_UPDATE"))
    );
    assert_eq!(default["ingress_rule_list"][0]["action"], "deny");
    // The next one need not wait for the first one's agent.
    let next = plug("another").await?;
    assert_eq!(of_port(&next)["ports"], json!([port["id"], next["id"]]));
    let group = id(&default)?;
    report(&cloud, &group, "ACTIVE");

    // Who moves it to another group finds it there when it is plugged in again.
    put(&client, "group", &group, json!({"ports": [next["id"]]})).await?.expect(200)?;
    let gone = told(&cloud, "update_firewall_group");
    assert_eq!((&gone["add-port-ids"], &gone["del-port-ids"]), (&json!([next["id"]]), &json!([port["id"]])));
    assert_eq!(gone["port_details"][id(&port)?]["host"], "h1");
    let other = create(&client, "group", json!({"name": "web", "ports": [port["id"]]})).await?;
    let path = format!("/v2.0/ports/{}", id(&port)?);
    for host in ["", "h1"] {
        let changes = json!({"port": {"binding:host_id": host, "device_id": "vm"}});
        client.put(&path, &changes).await?.expect(200)?;
    }
    assert_eq!(of_port(&port)["id"], other["id"]);
    client.delete(&path).await?.expect(204)?;
    assert_eq!(show(&client, "group", &id(&other)?).await?["ports"], json!([]));
    Ok(())
}
