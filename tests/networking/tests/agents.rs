//! Agents, and the availability zones that they bring: there because agents
//! report, over a real broker.

use hadron_networking_tests::{Cloud, world};
use hadron_sdk_testing::Result;
use hadron_test_support::Agent;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const NOBODY: &str = "8f2f0f5e-0a0a-4d6e-9a64-3a2c0d2d6c11";

fn agents() -> [Agent; 3] {
    [Agent::openvswitch("h1"), Agent::dhcp("h1").zone("east"), Agent::l3("h2").zone("west")]
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_are_there_because_they_report() -> Result {
    let Some(cloud) = Cloud::start("", &agents()).await? else { return Ok(()) };
    what_they_say_is_shown(&cloud).await?;
    requests_change_little(&cloud).await?;
    zones_follow_from_agents(&cloud).await?;
    messages_are_answered(&cloud).await?;
    an_agent_that_is_deleted_is_back_when_it_reports(&cloud).await
}

async fn what_they_say_is_shown(cloud: &Cloud) -> Result {
    let client = cloud.client();
    let shown = cloud.agent("DHCP agent", "h1").await?;
    let names: BTreeSet<&str> = shown.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = "id agent_type binary topic host admin_state_up created_at started_at heartbeat_timestamp \
                    description resources_synced availability_zone alive configurations";
    assert_eq!(names, expected.split(' ').collect());
    for (name, value) in [
        ("binary", json!("neutron-dhcp-agent")),
        ("topic", json!("dhcp_agent")),
        ("admin_state_up", json!(true)),
        ("description", Value::Null),
        ("resources_synced", Value::Null),
        ("availability_zone", json!("east")),
        ("alive", json!(true)),
    ] {
        assert_eq!(shown[name], value, "{name}");
    }
    assert_eq!(shown["configurations"]["dhcp_lease_duration"], 86400);
    for name in ["started_at", "heartbeat_timestamp"] {
        let time = shown[name].as_str().unwrap();
        assert!(time.len() == 19 && time.as_bytes()[10] == b' ', "{name}: {time}");
    }
    let one = format!("/v2.0/agents/{}", world::text(&shown, "/id")?);
    assert_eq!(client.get(&one).await?.expect(200)?["agent"]["host"], "h1");

    // Lists are filtered and sorted; whoever is no administrator sees none.
    let hosts = async |query: &str| -> Result<Vec<Value>> {
        let rows = world::list(&client, &format!("/v2.0/agents?{query}")).await?;
        Ok(rows.iter().map(|row| row["agent_type"].clone()).collect())
    };
    assert_eq!(hosts("host=h2").await?, ["L3 agent"]);
    assert_eq!(hosts("availability_zone=east").await?, ["DHCP agent"]);
    assert_eq!(hosts("agent_type=DHCP%20Agent").await?, ["DHCP agent"], "whatever the case of letters");
    assert_eq!(hosts("alive=false").await?, Vec::<Value>::new());
    assert_eq!(
        hosts("alive=true&sort_key=agent_type&sort_dir=desc").await?,
        ["Open vSwitch agent", "L3 agent", "DHCP agent"]
    );
    let member = client.clone().member_of(NOBODY)?;
    assert_eq!(world::list(&member, "/v2.0/agents").await?, Vec::<Value>::new());
    assert_eq!(member.get(&one).await?.expect_error(404)?.0, "AgentNotFound");
    Ok(())
}

async fn requests_change_little(cloud: &Cloud) -> Result {
    let client = cloud.client();
    let agent = cloud.agent("DHCP agent", "h1").await?;
    let one = format!("/v2.0/agents/{}", world::text(&agent, "/id")?);
    let put = async |members: Value| client.put(&one, &json!({"agent": members})).await;
    let (kind, message) = client.post("/v2.0/agents", &json!({"agent": {}})).await?.expect_error(400)?;
    assert_eq!(
        (kind.as_str(), message.as_str()),
        ("BadRequest", "Bad agents request: Agent creation using API is not supported..")
    );
    let (_, message) =
        client.post("/v2.0/agents", &json!({"agent": {"host": "x"}})).await?.expect_error(400)?;
    assert_eq!(message, "Attribute 'host' not allowed in POST");
    for (members, message) in [
        (json!({"host": "x"}), "Cannot update read-only attribute host"),
        (json!({"description": 5}), "Invalid input for description. Reason: '5' is not a valid string."),
        (
            json!({"admin_state_up": "abc"}),
            "Invalid input for operation: 'abc' cannot be converted to boolean.",
        ),
    ] {
        assert_eq!(put(members).await?.expect_error(400)?.1, message);
    }
    let unknown = format!("/v2.0/agents/{NOBODY}");
    let (kind, message) = client.get(&unknown).await?.expect_error(404)?;
    assert_eq!((kind, message), ("AgentNotFound".into(), format!("Agent {NOBODY} could not be found.")));
    assert_eq!(client.delete(&unknown).await?.expect_error(404)?.0, "AgentNotFound");

    let changed = put(json!({"description": "in rack 5", "admin_state_up": false})).await?.expect(200)?;
    assert_eq!(
        (&changed["agent"]["description"], &changed["agent"]["admin_state_up"]),
        (&json!("in rack 5"), &json!(false))
    );
    cloud
        .until("the agent to hear of it", || async {
            Ok(cloud
                .told("h1", "agent_updated")
                .pop()
                .filter(|payload| *payload == json!({"admin_state_up": false})))
        })
        .await?;
    put(json!({"admin_state_up": true, "description": null})).await?.expect(200)?;
    Ok(())
}

async fn zones_follow_from_agents(cloud: &Cloud) -> Result {
    let client = cloud.client();
    let zones = async |query: &str| world::list(&client, &format!("/v2.0/availability_zones{query}")).await;
    let zone =
        |name: &str, resource: &str, state: &str| json!({"name": name, "resource": resource, "state": state});
    let east = zone("east", "network", "available");
    assert_eq!(
        zones("?sort_key=name&sort_dir=asc").await?,
        [east.clone(), zone("west", "router", "available")]
    );
    assert_eq!(zones("?resource=network").await?, [east]);
    let agent = cloud.agent("DHCP agent", "h1").await?;
    let one = format!("/v2.0/agents/{}", world::text(&agent, "/id")?);
    client.put(&one, &json!({"agent": {"admin_state_up": false}})).await?.expect(200)?;
    assert_eq!(zones("?state=unavailable").await?, [zone("east", "network", "unavailable")]);
    client.put(&one, &json!({"agent": {"admin_state_up": true}})).await?.expect(200)?;
    assert_eq!(zones("?state=unavailable").await?, Vec::<Value>::new());

    // Networks can be wished into a zone that a DHCP agent is in.
    let post = async |hints: Value| {
        client.post("/v2.0/networks", &json!({"network": {"availability_zone_hints": hints}})).await
    };
    let made = post(json!(["east"])).await?.expect(201)?;
    assert_eq!(made["network"]["availability_zone_hints"], json!(["east"]));
    assert_eq!(made["network"]["availability_zones"], json!([]));
    let own = format!("/v2.0/networks/{}", world::text(&made, "/network/id")?);
    let update = json!({"network": {"availability_zone_hints": ["east"]}});
    let (_, message) = client.put(&own, &update).await?.expect_error(400)?;
    assert_eq!(message, "Cannot update read-only attribute availability_zone_hints");
    let (kind, message) = post(json!(["east", "west"])).await?.expect_error(404)?;
    assert_eq!(
        (kind.as_str(), message.as_str()),
        ("AvailabilityZoneNotFound", "AvailabilityZone west could not be found.")
    );
    for (hints, message) in [
        (json!("east"), "Invalid input for availability_zone_hints. Reason: 'east' is not a list."),
        (
            json!(["east", "east"]),
            "Invalid input for availability_zone_hints. Reason: Duplicate items in the list: 'east'.",
        ),
        (json!([1]), "Invalid input for availability_zone_hints. Reason: '1' is not a valid string."),
        (
            json!(["e".repeat(300)]),
            "Invalid input for operation: Too many availability_zone_hints specified.",
        ),
    ] {
        assert_eq!(post(hints).await?.expect_error(400)?.1, message);
    }
    Ok(())
}

async fn messages_are_answered(cloud: &Cloud) -> Result {
    let call = |method: &str, arguments: Value| cloud.peer.call("q-reports-plugin", method, arguments);
    let state = |more: Value| {
        let mut state = json!({"agent_type": "Metering agent", "host": "h9", "binary": "m", "topic": "metering_agent",
            "configurations": {}});
        state.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"agent_state": {"agent_state": state}, "time": "2999-01-01T00:00:00.000000"})
    };
    assert_eq!(call("report_state", state(json!({"start_flag": true}))), Ok(json!("new")));
    assert_eq!(call("report_state", state(json!({}))), Ok(json!("alive")));
    let mut stale = state(json!({"configurations": {"late": true}}));
    stale["time"] = json!("2001-01-01T00:00:00.000000");
    assert_eq!(call("report_state", stale), Ok(Value::Null));
    assert_eq!(cloud.agent("Metering agent", "h9").await?["configurations"], json!({}));
    let listed = call("get_agents", json!({"filters": {"host": ["h9"]}})).unwrap();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["agent_type"]), (1, &json!("Metering agent")));
    assert!(call("report_state", json!({"agent_state": {}})).is_err());
    assert_eq!(call("no_such", json!({})).unwrap_err().class, "NoSuchMethod");
    assert_eq!(call("delete_agent", json!({"host": "h9", "agent_type": "Metering agent"})), Ok(Value::Null));
    assert_eq!(call("delete_agent", json!({"host": "h9", "agent_type": "Metering agent"})), Ok(Value::Null));
    assert_eq!(world::list(&cloud.client(), "/v2.0/agents?host=h9").await?, Vec::<Value>::new());
    Ok(())
}

async fn an_agent_that_is_deleted_is_back_when_it_reports(cloud: &Cloud) -> Result {
    let client = cloud.client();
    cloud.peer.silence("h2").unwrap();
    let agent = cloud.agent("L3 agent", "h2").await?;
    client.delete(&format!("/v2.0/agents/{}", world::text(&agent, "/id")?)).await?.expect(204)?;
    assert_eq!(world::list(&client, "/v2.0/availability_zones?resource=router").await?, Vec::<Value>::new());
    cloud.peer.speak("h2").unwrap();
    let back = cloud
        .until("the agent to be back", || async { Ok(cloud.agent("L3 agent", "h2").await.ok()) })
        .await?;
    assert_ne!(back["id"], agent["id"]);
    assert_eq!(world::list(&client, "/v2.0/availability_zones?resource=router").await?.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_agent_is_dead_and_what_waited_is_bound_when_it_reports() -> Result {
    let impatient = "[plugin.ml2.config]\nagent_down_time = 8\n";
    let Some(cloud) = Cloud::start(impatient, &[Agent::openvswitch("h1")]).await? else { return Ok(()) };
    let client = cloud.client();
    let network = world::network(&client, "n").await?;
    let bound = async |host: &str| -> Result<Value> {
        let port = json!({"network_id": network, "binding:host_id": host, "device_owner": "compute:x"});
        world::create(&client, "port", port).await
    };
    assert_eq!(bound("h1").await?["binding:vif_type"], "ovs");
    assert_eq!(bound("h2").await?["binding:vif_type"], "binding_failed");

    cloud.peer.silence("h1").unwrap();
    let is = async |alive: bool| -> Result<Option<()>> {
        Ok((cloud.agent("Open vSwitch agent", "h1").await?["alive"] == alive).then_some(()))
    };
    cloud.until("the agent to be dead", || is(false)).await?;
    let waiting = bound("h1").await?;
    assert_eq!(waiting["binding:vif_type"], "binding_failed");
    let elsewhere = bound("h2").await?;

    cloud.peer.speak("h1").unwrap();
    cloud.peer.event(|event| event["event"] == "reported" && event["answer"] == "revived");
    is(true).await?.expect("it lives again");
    let id = world::text(&waiting, "/id")?;
    let port = async |id: &str| -> Result<Value> {
        Ok(client.get(&format!("/v2.0/ports/{id}")).await?.expect(200)?["port"].take())
    };
    let now = cloud
        .until("the port to be bound", || async {
            Ok(Some(port(&id).await?).filter(|port| port["binding:vif_type"] == "ovs"))
        })
        .await?;
    assert_eq!(now["binding:vif_details"]["bound_drivers"], json!({"0": "openvswitch"}));
    assert_eq!(port(&world::text(&elsewhere, "/id")?).await?["binding:vif_type"], "binding_failed");
    Ok(())
}
