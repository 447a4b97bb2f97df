//! Many of one kind at once: a thousand ports in one request, and agents that ask
//! for all of them and tell of all of them in one message.

use hadron_networking_tests::{Cloud, world};
use hadron_sdk_testing::Result;
use hadron_test_support::Agent;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const MANY: usize = 1000;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_ports_are_one_request_and_one_message() -> Result {
    let Some(cloud) = Cloud::start("", &[Agent::openvswitch("h1")]).await? else { return Ok(()) };
    let client = cloud.client();
    let network = world::network(&client, "n").await?;
    world::subnet(&client, &network, "10.64.0.0/16").await?;
    let one = json!({"network_id": network, "binding:host_id": "h1", "device_owner": "compute:nova"});
    let made = client.post("/v2.0/ports", &json!({"ports": vec![one; MANY]})).await?.expect(201)?;
    let made = made["ports"].as_array().unwrap();
    let distinct = |pointer: &str| made.iter().filter_map(|p| p.pointer(pointer)?.as_str()).collect();
    let ids: BTreeSet<&str> = distinct("/id");
    let addresses: BTreeSet<&str> = distinct("/fixed_ips/0/ip_address");
    assert_eq!((ids.len(), addresses.len()), (MANY, MANY));
    assert!(made.iter().all(|port| port["binding:vif_type"] == "ovs"));

    let ask = |method: &str, arguments: Value| cloud.peer.call("q-plugin", method, arguments).unwrap();
    let group = &made[0]["security_groups"];
    let members =
        json!({"resource_type": "Port", "version": "1.11", "filter_kwargs": {"security_group_ids": group}});
    assert_eq!(ask("bulk_pull", members).as_array().unwrap().len(), MANY);
    // One that Neutron's agents ask for with each restart.
    let devices = json!({"agent_id": "a", "host": "h1", "devices": ids});
    let details = ask("get_devices_details_list_and_failed_devices", devices);
    assert_eq!(details["devices"].as_array().unwrap().len(), MANY);
    let up = json!({"agent_id": "a", "host": "h1", "devices_up": ids, "devices_down": []});
    let answer = ask("update_device_list", up);
    assert_eq!(answer["devices_up"].as_array().unwrap().len(), MANY);
    let active = client.get("/v2.0/ports?status=ACTIVE&fields=id").await?.expect(200)?;
    assert_eq!(active["ports"].as_array().unwrap().len(), MANY);
    Ok(())
}
