//! Groups of endpoints: what they can be.

use super::{NOBODY, OTHERS, OWN, Scene, ask, create, delete, made, path, put, scene, server, show};
use hadron_networking_tests::world::{self, text};
use hadron_sdk_testing::Result;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_made_and_renamed() -> Result {
    let server = server().await?;
    let client = server.client();
    let group =
        create(&client, "endpoint_group", json!({"type": "cidr", "endpoints": ["10.250.0.0/24"]})).await?;
    let id = text(&group, "/id")?;
    let expected = json!({
        "id": id, "project_id": group["project_id"], "tenant_id": group["project_id"], "name": "",
        "description": "", "type": "cidr", "endpoints": ["10.250.0.0/24"],
    });
    assert_eq!(group, expected);
    put(&client, "endpoint_group", &id, json!({"name": "n", "description": "d"})).await?.expect(200)?;
    assert_eq!(show(&client, "endpoint_group", &id).await?["name"], "n");
    for name in ["type", "endpoints"] {
        let (_, message) =
            put(&client, "endpoint_group", &id, json!({ name: "cidr" })).await?.expect_error(400)?;
        assert_eq!(message, format!("Cannot update read-only attribute {name}"));
    }
    // Nothing is known of those of other types.
    made(&client, "endpoint_group", json!({"type": "vlan", "endpoints": ["7"]})).await?;
    delete(&client, "endpoint_group", &id).await?.expect(204)?;
    let unknown = client.get(&path("endpoint_group", &id)).await?.expect_error(404)?;
    assert_eq!(
        unknown,
        ("VPNEndpointGroupNotFound".to_owned(), format!("Endpoint group {id} could not be found"))
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_that_make_no_sense_are_refused() -> Result {
    let server = server().await?;
    let client = server.client();
    let invalid = |endpoint: &str, kind: &str, why: &str| {
        format!("Endpoint '{endpoint}' is invalid for group type '{kind}': {why}")
    };
    for (kind, endpoints, error, message) in [
        ("cidr", json!(["x"]), "InvalidEndpointInEndpointGroup", invalid("x", "cidr", "Invalid CIDR")),
        ("subnet", json!(["x"]), "InvalidEndpointInEndpointGroup", invalid("x", "subnet", "Invalid UUID")),
        (
            "cidr",
            json!(["10.0.0.0/8", "10.0.0.0/8"]),
            "InvalidEndpointInEndpointGroup",
            invalid("10.0.0.0/8", "cidr", "Given twice"),
        ),
        (
            "subnet",
            json!([NOBODY]),
            "NonExistingSubnetInEndpointGroup",
            format!("Subnet {NOBODY} in endpoint group does not exist"),
        ),
    ] {
        let asked = json!({"type": kind, "endpoints": endpoints});
        let refused = ask(&client, "endpoint_group", asked).await?.expect_error(400)?;
        assert_eq!(refused, (error.to_owned(), message));
    }
    for endpoints in [Value::Null, json!([])] {
        let asked = json!({"type": "cidr", "endpoints": endpoints});
        let (kind, message) = ask(&client, "endpoint_group", asked).await?.expect_error(400)?;
        assert_eq!(kind, "MissingEndpointForEndpointGroup");
        assert!(
            message.starts_with("No endpoints specified for endpoint group '{'endpoints': []"),
            "{message}"
        );
    }
    for asked in [json!({"endpoints": ["10.0.0.0/8"]}), json!({"type": "x", "endpoints": ["10.0.0.0/8"]})] {
        ask(&client, "endpoint_group", asked).await?.expect_error(400)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn subnets_of_a_group_are_those_that_the_caller_sees() -> Result {
    let server = server().await?;
    let client = server.client();
    let (own, others) = (client.clone().member_of(OWN)?, client.clone().member_of(OTHERS)?);
    let network = world::network(&own, "n").await?;
    let subnet = world::subnet(&own, &network, "10.0.0.0/24").await?;
    let asked = json!({"type": "subnet", "endpoints": [subnet]});
    let (kind, _) = ask(&others, "endpoint_group", asked.clone()).await?.expect_error(400)?;
    assert_eq!(kind, "NonExistingSubnetInEndpointGroup");
    let id = made(&own, "endpoint_group", asked.clone()).await?;
    others.get(&path("endpoint_group", &id)).await?.expect_error(404)?;
    client
        .put(&format!("/v2.0/networks/{network}"), &json!({"network": {"shared": true}}))
        .await?
        .expect(200)?;
    made(&others, "endpoint_group", asked).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_side_of_a_connection_stays() -> Result {
    let (_server, scene) = scene().await?;
    let Scene { client, .. } = &scene;
    let service = scene.service(json!({})).await?;
    let connection = scene.grouped(&service).await?;
    let id = made(client, "ipsec_site_connection", connection.clone()).await?;
    for side in ["/local_ep_group_id", "/peer_ep_group_id"] {
        let group = text(&connection, side)?;
        let refused = delete(client, "endpoint_group", &group).await?.expect_error(400)?;
        let message = format!("Endpoint group {group} is in use and cannot be deleted");
        assert_eq!(refused, ("EndpointGroupInUse".to_owned(), message));
        put(client, "endpoint_group", &group, json!({"name": "n"})).await?.expect(200)?;
    }
    delete(client, "ipsec_site_connection", &id).await?.expect(204)?;
    delete(client, "endpoint_group", &text(&connection, "/peer_ep_group_id")?).await?.expect(204)?;
    Ok(())
}
