//! Networks, subnets and ports from their creation to their deletion.

use hadron_api_tests::world::{builder, create, list, network, port, sqlite, subnet, text};
use hadron_sdk_testing::Result;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_created_is_shown_listed_changed_and_deleted() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let network = create(&client, "network", json!({"name": "a", "description": "first"})).await?;
    let id = text(&network, "/id")?;
    assert_eq!(network["status"], "ACTIVE");
    assert_eq!(network["admin_state_up"], true);
    assert_eq!(network["provider:network_type"], "vxlan");
    let path = format!("/v2.0/networks/{id}");
    assert_eq!(client.get(&path).await?.expect(200)?["network"], network);
    assert_eq!(list(&client, "/v2.0/networks").await?, std::slice::from_ref(&network));

    let change = json!({"network": {"name": "b", "admin_state_up": false}});
    let changed = client.put(&path, &change).await?.expect(200)?;
    assert_eq!(changed["network"]["name"], "b");
    assert_eq!(changed["network"]["admin_state_up"], false);
    assert_eq!(changed["network"]["description"], "first");
    let revision = |network: &serde_json::Value| network["revision_number"].as_i64();
    assert!(revision(&changed["network"]) > revision(&network));

    client.delete(&path).await?.expect(204)?;
    let (kind, message) = client.get(&path).await?.expect_error(404)?;
    assert_eq!((kind.as_str(), message), ("NetworkNotFound", format!("Network {id} could not be found.")));
    assert!(list(&client, "/v2.0/networks").await?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subnet_is_shown_by_its_network_and_gives_addresses_to_ports() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let network = network(&client, "a").await?;
    let v4 = subnet(&client, &network, "10.0.0.0/24").await?;
    let v6 = subnet(&client, &network, "2001:db8::/64").await?;
    let shown = client.get(&format!("/v2.0/networks/{network}")).await?.expect(200)?;
    let subnets = shown["network"]["subnets"].as_array().cloned().unwrap_or_default();
    assert!(subnets.contains(&json!(v4)) && subnets.contains(&json!(v6)), "{subnets:?}");
    let subnet = client.get(&format!("/v2.0/subnets/{v4}")).await?.expect(200)?;
    assert_eq!(subnet["subnet"]["gateway_ip"], "10.0.0.1");
    assert_eq!(subnet["subnet"]["allocation_pools"], json!([{"start": "10.0.0.2", "end": "10.0.0.254"}]));

    let port = port(&client, &network).await?;
    let of = |subnet: &str| {
        let fixed = port["fixed_ips"].as_array().cloned().unwrap_or_default();
        fixed.into_iter().find(|ip| ip["subnet_id"] == subnet).map(|ip| ip["ip_address"].clone())
    };
    assert!(of(&v4).is_some_and(|ip| ip.as_str().is_some_and(|ip| ip.starts_with("10.0.0."))), "{port}");
    assert!(of(&v6).is_some_and(|ip| ip.as_str().is_some_and(|ip| ip.starts_with("2001:db8"))), "{port}");
    assert!(port["mac_address"].as_str().is_some_and(|mac| mac.starts_with("fa:16:3e:")), "{port}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_a_port_gives_up_can_be_taken_by_another() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let network = network(&client, "a").await?;
    let subnet = subnet(&client, &network, "10.0.0.0/24").await?;
    let at = |address: &str| json!({"network_id": network, "fixed_ips": [{"subnet_id": subnet, "ip_address": address}]});
    let first = create(&client, "port", at("10.0.0.9")).await?;
    let again = client.post("/v2.0/ports", &json!({"port": at("10.0.0.9")})).await?;
    assert_eq!(again.expect_error(409)?.0, "IpAddressAlreadyAllocated");
    let path = format!("/v2.0/ports/{}", text(&first, "/id")?);
    let moved = json!({"port": {"fixed_ips": [{"subnet_id": subnet, "ip_address": "10.0.0.10"}]}});
    let moved = client.put(&path, &moved).await?.expect(200)?;
    assert_eq!(moved["port"]["fixed_ips"][0]["ip_address"], "10.0.0.10");
    create(&client, "port", at("10.0.0.9")).await?;
    client.delete(&path).await?.expect(204)?;
    create(&client, "port", at("10.0.0.10")).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_use_cannot_be_deleted_and_what_hangs_on_it_goes_first() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let network = network(&client, "a").await?;
    let subnet = subnet(&client, &network, "10.0.0.0/24").await?;
    let port = text(&port(&client, &network).await?, "/id")?;
    let refused = client.delete(&format!("/v2.0/networks/{network}")).await?.expect_error(409)?;
    assert_eq!(refused.0, "NetworkInUse");
    let refused = client.delete(&format!("/v2.0/subnets/{subnet}")).await?.expect_error(409)?;
    assert_eq!(refused.0, "SubnetInUse");
    client.delete(&format!("/v2.0/ports/{port}")).await?.expect(204)?;
    // A network takes its subnets with it.
    client.delete(&format!("/v2.0/networks/{network}")).await?.expect(204)?;
    client.get(&format!("/v2.0/subnets/{subnet}")).await?.expect_error(404)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_is_made_whole_or_not_at_all() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let made = json!({"networks": [{"name": "a"}, {"name": "b"}, {"name": "c"}]});
    let made = client.post("/v2.0/networks", &made).await?.expect(201)?;
    let names: Vec<_> =
        made["networks"].as_array().into_iter().flatten().map(|n| n["name"].clone()).collect();
    assert_eq!(names, ["a", "b", "c"], "answered in the order of the request");

    let network = text(&made, "/networks/0/id")?;
    subnet(&client, &network, "10.0.0.0/29").await?;
    // Five addresses, the gateway's aside; the sixth port has none.
    let ports: Vec<_> = (0..6).map(|_| json!({"network_id": network})).collect();
    let refused = client.post("/v2.0/ports", &json!({"ports": ports})).await?;
    assert_eq!(refused.expect_error(409)?.0, "IpAddressGenerationFailure");
    assert!(list(&client, "/v2.0/ports").await?.is_empty());
    let ports = client.post("/v2.0/ports", &json!({"ports": ports.get(..5)})).await?.expect(201)?;
    assert_eq!(ports["ports"].as_array().map(Vec::len), Some(5));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_no_driver_binds_says_so() -> Result {
    let server = builder().mechanism_drivers(&["openvswitch", "linuxbridge", "logger"]).start().await?;
    let client = server.client();
    let network = network(&client, "a").await?;
    let unbound = port(&client, &network).await?;
    assert_eq!((&unbound["binding:vif_type"], &unbound["status"]), (&json!("unbound"), &json!("DOWN")));
    let document = json!({"network_id": network, "binding:host_id": "nowhere"});
    let port = create(&client, "port", document).await?;
    assert_eq!(port["binding:vif_type"], "binding_failed");
    assert_eq!(port["binding:host_id"], "nowhere");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_survive_a_restart() -> Result {
    let mut server = sqlite().await?;
    let client = server.client();
    let network = network(&client, "a").await?;
    subnet(&client, &network, "10.0.0.0/24").await?;
    let port = port(&client, &network).await?;
    assert_eq!(server.terminate().await?, Some(0));
    server.restart().await?;
    let shown = client.get(&format!("/v2.0/ports/{}", text(&port, "/id")?)).await?.expect(200)?;
    assert_eq!(shown["port"], port);
    Ok(())
}
