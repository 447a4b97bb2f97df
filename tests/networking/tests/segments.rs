//! `/v2.0/segments`.

use hadron_networking_tests::world::{create, list, network, sqlite, subnet, text};
use hadron_sdk_testing::{Client, Result};
use serde_json::{Value, json};

const NOBODY: &str = "8f2f0f5e-0a0a-4d6e-9a64-3a2c0d2d6c11";

/// The segment that a network was made with.
async fn first(client: &Client, network: &str) -> Result<Value> {
    Ok(list(client, &format!("/v2.0/segments?network_id={network}&network_type=vxlan")).await?.remove(0))
}

async fn refused(client: &Client, status: u16, segment: Value) -> Result<(String, String)> {
    client.post("/v2.0/segments", &json!({"segment": segment})).await?.expect_error(status)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_networks_segment_is_shown_and_named() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let id = network(&client, "blue").await?;
    let shown = first(&client, &id).await?;
    let times = ["created_at", "updated_at", "revision_number", "id", "segmentation_id"];
    let mut rest = shown.clone();
    for name in times {
        assert!(rest.as_object_mut().unwrap().remove(name).is_some(), "{name}");
    }
    assert_eq!(
        rest,
        json!({"network_id": id, "name": null, "description": null, "physical_network": null,
            "network_type": "vxlan"})
    );
    let path = format!("/v2.0/segments/{}", text(&shown, "/id")?);
    let put = async |changes: Value| client.put(&path, &json!({"segment": changes})).await;
    let changed = put(json!({"name": "rack 7", "description": "by the door"})).await?.expect(200)?;
    assert_eq!(
        (&changed["segment"]["name"], &changed["segment"]["description"]),
        (&json!("rack 7"), &json!("by the door"))
    );
    let (_, message) = put(json!({"network_type": "vlan"})).await?.expect_error(400)?;
    assert_eq!(message, "Cannot update read-only attribute network_type");
    put(json!({"description": null})).await?.expect_error(400)?;
    assert_eq!(list(&client, "/v2.0/segments?name=rack%207").await?.len(), 1);
    assert_eq!(list(&client, "/v2.0/segments?network_type=vlan").await?.len(), 0);
    client.get("/v2.0/segments?segmentation_id=5").await?.expect_error(400)?;
    let (kind, message) = client.get(&format!("/v2.0/segments/{NOBODY}")).await?.expect_error(404)?;
    assert_eq!(
        (kind.as_str(), message),
        ("SegmentNotFound", format!("Segment {NOBODY} could not be found."))
    );
    client.get(&format!("{path}/tags")).await?.expect(404)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_are_added_to_a_network_and_taken_away() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let id = network(&client, "blue").await?;
    let path = format!("/v2.0/networks/{id}");
    let shown = async || Ok(client.get(&path).await?.expect(200)?["network"].clone()) as Result<Value>;
    let made = create(
        &client,
        "segment",
        json!({"network_id": id, "network_type": "vlan", "physical_network": "physnet1", "name": "second"}),
    )
    .await?;
    assert_eq!((&made["segmentation_id"], &made["description"]), (&json!(201), &json!("")));
    let network = shown().await?;
    assert_eq!(network["segments"].as_array().map(Vec::len), Some(2));
    assert_eq!(network["segments"][1]["provider:segmentation_id"], 201);
    assert_eq!(network.get("provider:network_type"), None);
    let old = first(&client, &id).await?;
    client.delete(&format!("/v2.0/segments/{}", text(&old, "/id")?)).await?.expect(204)?;
    let network = shown().await?;
    assert_eq!(network["provider:segmentation_id"], 201);
    assert_eq!(network["provider:physical_network"], "physnet1");
    assert_eq!(network.get("segments"), None);
    // The network may have none, and its number is free again.
    client.delete(&format!("/v2.0/segments/{}", text(&made, "/id")?)).await?.expect(204)?;
    assert_eq!(shown().await?.get("provider:network_type"), None);
    let again = json!({"provider:network_type": "vlan", "provider:physical_network": "physnet1",
        "provider:segmentation_id": 201});
    create(&client, "network", again).await?;
    let port = create(&client, "port", json!({"network_id": id, "binding:host_id": "somewhere"})).await?;
    assert_eq!(port["binding:vif_type"], "unbound");
    client.delete(&format!("/v2.0/ports/{}", text(&port, "/id")?)).await?.expect(204)?;
    client.delete(&path).await?.expect(204)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_that_cannot_be_is_refused() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let id = network(&client, "blue").await?;
    let with = |more: Value| {
        let mut segment = json!({"network_id": id, "network_type": "vlan", "physical_network": "physnet1"});
        segment.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        segment
    };
    let (_, message) = refused(&client, 400, with(json!({"physical_network": "nosuch"}))).await?;
    assert_eq!(
        message,
        "Invalid input for operation: physical_network 'nosuch' unknown for VLAN provider network."
    );
    let (_, message) = refused(&client, 400, with(json!({"network_type": "nosuch"}))).await?;
    assert_eq!(message, "Invalid input for operation: network_type value 'nosuch' not supported.");
    let (kind, _) = refused(&client, 404, with(json!({"network_id": NOBODY}))).await?;
    assert_eq!(kind, "NetworkNotFound");
    for wrong in [
        json!({"segmentation_id": null}),
        json!({"segmentation_id": "abc"}),
        json!({"segmentation_id": 5000}),
        json!({"network_id": "blue"}),
        json!({"network_type": null}),
        json!({"hosts": []}),
        json!({"position": 0}),
    ] {
        refused(&client, 400, with(wrong)).await?;
    }
    refused(&client, 400, json!({"network_type": "vxlan"})).await?;
    refused(&client, 400, json!({"network_id": id})).await?;
    create(&client, "segment", with(json!({"segmentation_id": 3000}))).await?;
    let (kind, _) = refused(&client, 409, with(json!({"segmentation_id": 3000}))).await?;
    assert_eq!(kind, "VlanIdInUse");
    let member = server.client().member_of(NOBODY)?;
    refused(&member, 403, with(json!({}))).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_carries_the_frames_of_its_network() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let vlan = json!({"provider:network_type": "vlan", "provider:physical_network": "physnet1"});
    let id = text(&create(&client, "network", vlan).await?, "/id")?;
    let (_, message) = refused(&client, 400, json!({"network_id": id, "network_type": "vxlan"})).await?;
    assert_eq!(message, "Invalid input for operation: Requested MTU is too big, maximum is 1450.");
    let path = format!("/v2.0/networks/{id}");
    client.put(&path, &json!({"network": {"mtu": 1400}})).await?.expect(200)?;
    create(&client, "segment", json!({"network_id": id, "network_type": "vxlan"})).await?;
    let refused = client.put(&path, &json!({"network": {"mtu": 1500}})).await?.expect_error(400)?;
    assert!(refused.1.contains("maximum is 1450"), "{}", refused.1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_with_subnets_is_in_use() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let id = network(&client, "blue").await?;
    let segment = text(&first(&client, &id).await?, "/id")?;
    let subnet = subnet(&client, &id, "10.1.0.0/24").await?;
    let on = json!({"subnet": {"segment_id": segment}});
    client.put(&format!("/v2.0/subnets/{subnet}"), &on).await?.expect(200)?;
    let path = format!("/v2.0/segments/{segment}");
    let (kind, message) = client.delete(&path).await?.expect_error(409)?;
    assert_eq!(kind, "SegmentInUse");
    assert_eq!(
        message,
        format!(
            "Segment '{segment}' cannot be deleted: The segment is still associated with subnet(s) {subnet}."
        )
    );
    client.delete(&format!("/v2.0/subnets/{subnet}")).await?.expect(204)?;
    client.delete(&path).await?.expect(204)?;
    client.delete(&path).await?.expect(404)?;
    Ok(())
}
