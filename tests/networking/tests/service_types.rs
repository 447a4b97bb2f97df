//! Subnets for ports of certain owners only.

use hadron_networking_tests::world::{self, create, network, subnet, text};
use hadron_sdk_testing::Result;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn ports_get_addresses_of_the_subnets_for_their_owner() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let blue = network(&client, "blue").await?;
    let given = json!({"network_id": blue, "ip_version": 4, "cidr": "10.5.0.0/24", "service_types": ["compute:nova"]});
    let made = create(&client, "subnet", given).await?;
    assert_eq!(made["service_types"], json!(["compute:nova"]));
    let vms = text(&made, "/id")?;
    let port = |more: Value| {
        let mut port = json!({ "network_id": blue });
        port.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "port": port })
    };
    for more in [
        json!({}),
        json!({"fixed_ips": [{"subnet_id": vms}]}),
        json!({"fixed_ips": [{"ip_address": "10.5.0.9"}]}),
    ] {
        let (kind, message) = client.post("/v2.0/ports", &port(more)).await?.expect_error(409)?;
        assert_eq!(kind, "IpAddressGenerationFailureNoMatchingSubnet");
        assert_eq!(
            message,
            format!("No valid service subnet for the given device owner, network {blue}, service type .")
        );
    }
    let all = subnet(&client, &blue, "10.8.0.0/24").await?;
    let subnet_of = async |owner: &str| -> Result<Value> {
        let made = client.post("/v2.0/ports", &port(json!({ "device_owner": owner }))).await?.expect(201)?;
        Ok(made["port"]["fixed_ips"][0]["subnet_id"].clone())
    };
    assert_eq!(subnet_of("compute:nova").await?, json!(vms));
    assert_eq!(subnet_of("compute:other").await?, json!(all));
    assert_eq!(subnet_of("network:dhcp").await?, json!(vms));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn service_types_look_like_device_owners() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let blue = network(&client, "blue").await?;
    let id = subnet(&client, &blue, "10.5.0.0/24").await?;
    let path = format!("/v2.0/subnets/{id}");
    let change = async |types: Value| client.put(&path, &json!({"subnet": {"service_types": types}})).await;
    assert_eq!(client.get(&path).await?.expect(200)?["subnet"]["service_types"], json!([]));
    let changed = change(json!(["network:dhcp", "compute:x"])).await?.expect(200)?;
    assert_eq!(changed["subnet"]["service_types"], json!(["compute:x", "network:dhcp"]));
    for (types, kind, says) in [
        (
            json!(["x"]),
            "InvalidSubnetServiceType",
            "Subnet service type x does not correspond to a valid device owner.",
        ),
        (json!([5]), "InvalidInputSubnetServiceType", "Subnet service type 5 is not a string."),
        (json!("x"), "HTTPBadRequest", "Subnet service types must be a list."),
        (json!(null), "HTTPBadRequest", "Subnet service types must be a list."),
    ] {
        assert_eq!(change(types).await?.expect_error(400)?, (kind.to_owned(), says.to_owned()));
    }
    assert_eq!(change(json!([])).await?.expect(200)?["subnet"]["service_types"], json!([]));
    // They are for administrators to set.
    let member = client.member_of("4fb4dec05f47409fa688e15287ac626a")?;
    let own = network(&member, "own").await?;
    let given =
        json!({"network_id": own, "ip_version": 4, "cidr": "10.6.0.0/24", "service_types": ["compute:nova"]});
    let message = member.post("/v2.0/subnets", &json!({ "subnet": given })).await?.expect_error(403)?.1;
    assert_eq!(message, "(rule:create_subnet and rule:create_subnet:service_types) is disallowed by policy");
    Ok(())
}
