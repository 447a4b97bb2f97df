//! When a port becomes active: when all who have a say agree.

use hadron_networking_tests::{Cloud, world};
use hadron_sdk_testing::Result;
use hadron_test_support::Agent;
use serde_json::{Value, json};

async fn port(cloud: &Cloud, network: &str, owner: &str) -> Result<String> {
    let port = json!({"network_id": network, "binding:host_id": "h1", "device_owner": owner});
    world::text(&world::create(&cloud.client(), "port", port).await?, "/id")
}

async fn status(cloud: &Cloud, port: &str) -> Result<Value> {
    let shown = cloud.client().get(&format!("/v2.0/ports/{port}")).await?.expect(200)?;
    Ok(shown["port"]["status"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_is_active_when_all_agree() -> Result {
    let Some(cloud) = Cloud::start("", &[Agent::openvswitch("h1").told()]).await? else { return Ok(()) };
    who_plugs_it_in_says_so(&cloud).await?;
    devices_are_described(&cloud).await?;
    // From now on there is somebody who serves addresses.
    cloud.peer.play(&[Agent::dhcp("d1")]);
    who_serves_its_addresses_says_so(&cloud).await
}

async fn who_plugs_it_in_says_so(cloud: &Cloud) -> Result {
    let client = cloud.client();
    let network = world::network(&client, "plain").await?;
    let id = port(cloud, &network, "compute:nova").await?;
    assert_eq!(status(cloud, &id).await?, "DOWN");
    // Another host has no say.
    let call = |method: &str, arguments: Value| cloud.peer.call("q-plugin", method, arguments);
    call("update_device_up", json!({"device": id, "host": "h2", "agent_id": "x"})).unwrap();
    assert_eq!(status(cloud, &id).await?, "DOWN");
    call("update_device_up", json!({"device": id, "host": "h1", "agent_id": "x"})).unwrap();
    assert_eq!(status(cloud, &id).await?, "ACTIVE");
    let down = call("update_device_down", json!({"device": id, "host": "h2", "agent_id": "x"})).unwrap();
    assert_eq!((down, status(cloud, &id).await?), (json!({"device": id, "exists": true}), json!("ACTIVE")));
    let down = call("update_device_down", json!({"device": id, "host": "h1", "agent_id": "x"})).unwrap();
    assert_eq!((down, status(cloud, &id).await?), (json!({"device": id, "exists": true}), json!("DOWN")));
    // Again by the name of its interface, as one of several.
    let tap = format!("tap{}", &id[..11]);
    let several =
        json!({"devices_up": [tap, "tap00000000-00"], "devices_down": [], "host": "h1", "agent_id": "x"});
    let listed = call("update_device_list", several).unwrap();
    assert_eq!(
        listed,
        json!({"devices_up": [tap, "tap00000000-00"], "failed_devices_up": [], "devices_down": [],
            "failed_devices_down": []})
    );
    assert_eq!(status(cloud, &id).await?, "ACTIVE");

    // A port that is switched off stays down, and so does one without a host.
    let off = port(cloud, &network, "compute:nova").await?;
    client
        .put(&format!("/v2.0/ports/{off}"), &json!({"port": {"admin_state_up": false}}))
        .await?
        .expect(200)?;
    cloud.peer.up("h1", &[&off]).unwrap();
    assert_eq!(status(cloud, &off).await?, "DOWN");
    client
        .put(&format!("/v2.0/ports/{id}"), &json!({"port": {"binding:host_id": null}}))
        .await?
        .expect(200)?;
    call("update_device_up", json!({"device": id, "host": "h1", "agent_id": "x"})).unwrap();
    assert_eq!(status(cloud, &id).await?, "DOWN");
    Ok(())
}

async fn devices_are_described(cloud: &Cloud) -> Result {
    let client = cloud.client();
    let network = world::network(&client, "described").await?;
    let id = port(cloud, &network, "compute:nova").await?;
    let shown = client.get(&format!("/v2.0/ports/{id}")).await?.expect(200)?["port"].take();
    let call = |method: &str, arguments: Value| cloud.peer.call("q-plugin", method, arguments).unwrap();
    let details = call("get_device_details", json!({"device": id, "host": "h1", "agent_id": "x"}));
    assert_eq!((&details["port_id"], &details["mac_address"]), (&json!(id), &shown["mac_address"]));
    assert_eq!((&details["network_type"], &details["mtu"]), (&json!("vxlan"), &json!(1450)));
    assert_eq!(status(cloud, &id).await?, "BUILD");
    let mac = [shown["mac_address"].clone(), Value::Null];
    let unbound = world::text(&world::port(&client, &network).await?, "/id")?;
    let several = json!({"devices": [mac, unbound, "tap00000000-00"], "host": "h1", "agent_id": "x"});
    let listed = call("get_devices_details_list", several.clone());
    assert_eq!(listed[0]["port_id"], json!(id));
    assert_eq!((&listed[1], &listed[2]), (&json!({"device": unbound}), &json!({"device": "tap00000000-00"})));
    assert_eq!(
        call("get_devices_details_list_and_failed_devices", several),
        json!({"devices": listed, "failed_devices": []})
    );
    let elsewhere = call("get_device_details", json!({"device": id, "host": "h2", "agent_id": "x"}));
    assert_eq!(elsewhere, json!({"device": id, "no_active_binding": true}));
    cloud.peer.up("h1", &[&id]).unwrap();
    assert_eq!(status(cloud, &id).await?, "ACTIVE");
    Ok(())
}

async fn who_serves_its_addresses_says_so(cloud: &Cloud) -> Result {
    let client = cloud.client();
    let network = world::network(&client, "served").await?;
    world::subnet(&client, &network, "10.0.0.0/24").await?;
    // Nobody is ready while the agent is not told of anything.
    let ready =
        |id: &str| cloud.peer.call("q-plugin", "dhcp_ready_on_ports", json!({"port_ids": [id]})).unwrap();
    let first = port(cloud, &network, "compute:nova").await?;
    cloud.peer.up("h1", &[&first]).unwrap();
    cloud.status(&first, "ACTIVE").await?;
    let second = port(cloud, &network, "compute:nova").await?;
    ready(&second);
    assert_eq!(status(cloud, &second).await?, "DOWN", "it is not wired");
    cloud.peer.up("h1", &[&second]).unwrap();
    assert_eq!(status(cloud, &second).await?, "ACTIVE");
    // Who is served by nobody waits for nobody: a router's port, here.
    let router = port(cloud, &network, "network:router_interface").await?;
    cloud.peer.up("h1", &[&router]).unwrap();
    assert_eq!(status(cloud, &router).await?, "ACTIVE");
    Ok(())
}
