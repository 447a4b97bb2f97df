//! Networks with several segments: the attribute `segments`.

use hadron_networking_tests::world::{create, list, sqlite, text};
use hadron_sdk_testing::{Client, Result};
use serde_json::{Value, json};

fn vlan(number: u32) -> Value {
    json!({
        "provider:network_type": "vlan",
        "provider:physical_network": "physnet1",
        "provider:segmentation_id": number,
    })
}

async fn refused(client: &Client, network: Value) -> Result<(String, String)> {
    client.post("/v2.0/networks", &json!({"network": network})).await?.expect_error(400)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_has_several_segments_in_the_order_of_the_request() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let asked = json!({"segments": [vlan(3000), {"provider:network_type": "vxlan"}]});
    let made = create(&client, "network", asked).await?;
    let segments = made["segments"].as_array().unwrap();
    assert_eq!(segments[0], vlan(3000));
    assert_eq!(segments[1]["provider:network_type"], "vxlan");
    assert_eq!(segments[1]["provider:physical_network"], Value::Null);
    assert!(segments[1]["provider:segmentation_id"].is_u64());
    assert_eq!(made["mtu"], 1450);
    for absent in ["provider:network_type", "provider:physical_network", "provider:segmentation_id"] {
        assert_eq!(made.get(absent), None);
    }
    let id = text(&made, "/id")?;
    let path = format!("/v2.0/networks/{id}");
    assert_eq!(client.get(&path).await?.expect(200)?["network"]["segments"], made["segments"]);
    let rows = list(&client, &format!("/v2.0/segments?network_id={id}")).await?;
    assert_eq!(rows.len(), 2);

    let single = create(&client, "network", vlan(3001)).await?;
    assert_eq!(single.get("segments"), None);
    let one = create(&client, "network", json!({"segments": [vlan(3002)]})).await?;
    assert_eq!(one["provider:segmentation_id"], 3002);
    assert_eq!(one.get("segments"), None);
    let none = create(&client, "network", json!({"segments": []})).await?;
    assert_eq!(none["provider:network_type"], "vxlan");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_list_of_segments_is_refused() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let mut both = vlan(3000);
    both["segments"] = json!([vlan(3001)]);
    let (kind, message) = refused(&client, both).await?;
    assert_eq!(
        (kind.as_str(), message.as_str()),
        ("SegmentsSetInConjunctionWithProviders", "Segments and provider values cannot both be set.")
    );
    let (kind, message) = refused(&client, json!({"segments": [vlan(3000), vlan(3000)]})).await?;
    assert_eq!(
        (kind.as_str(), message.as_str()),
        ("SegmentsContainDuplicateEntry", "Duplicate segment entry in request.")
    );
    let (kind, message) = refused(&client, json!({"segments": [{}]})).await?;
    assert_eq!(
        (kind.as_str(), message.as_str()),
        ("InvalidInput", "Invalid input for operation: network_type required.")
    );
    let nonsense = [
        json!("x"),
        json!(["x"]),
        json!([{"provider:network_type": "vxlan", "colour": 1}]),
        json!([{"provider:network_type": "vlan", "provider:segmentation_id": "x"}]),
        json!([{"provider:network_type": "nosuch"}]),
    ];
    for segments in nonsense {
        refused(&client, json!({"segments": segments})).await?;
    }
    // Nothing is left of the first when the second cannot be had.
    refused(&client, json!({"segments": [vlan(3000), {"provider:network_type": "nosuch"}]})).await?;
    create(&client, "network", vlan(3000)).await?;
    let taken = json!({"network": {"segments": [vlan(3001), vlan(3000)]}});
    let (kind, _) = client.post("/v2.0/networks", &taken).await?.expect_error(409)?;
    assert_eq!(kind, "VlanIdInUse");
    create(&client, "network", vlan(3001)).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_of_a_network_are_not_changed_through_it() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let made = create(&client, "network", json!({"segments": [vlan(3000), vlan(3001)]})).await?;
    let path = format!("/v2.0/networks/{}", text(&made, "/id")?);
    let put = async |changes: Value| client.put(&path, &json!({"network": changes})).await;
    put(json!({"segments": made["segments"], "name": "same"})).await?.expect(200)?;
    put(json!({"segments": []})).await?.expect(200)?;
    put(json!({"segments": [vlan(3002)]})).await?.expect_error(400)?;
    let mut both = vlan(3001);
    both["segments"] = json!([vlan(3000)]);
    assert_eq!(put(both).await?.expect_error(400)?.0, "SegmentsSetInConjunctionWithProviders");
    let (_, message) = put(json!({"provider:segmentation_id": 5})).await?.expect_error(400)?;
    assert_eq!(
        message,
        "Invalid input for operation: Provider network attributes can be updated only in provider networks with a \
         single segment.."
    );
    put(json!({"provider:network_type": "vxlan"})).await?.expect_error(400)?;
    let shown = client.get(&path).await?.expect(200)?;
    assert_eq!(shown["network"]["segments"], made["segments"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_are_for_administrators() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let member = server.client().member_of("9d9b5f0c-5f1b-4f0e-8c9f-1b7a2f3c4d5e")?;
    member
        .post("/v2.0/networks", &json!({"network": {"segments": [vlan(3000)]}}))
        .await?
        .expect_error(403)?;
    let asked = json!({"segments": [vlan(3000), vlan(3001)], "shared": true});
    let made = create(&client, "network", asked).await?;
    let path = format!("/v2.0/networks/{}", text(&made, "/id")?);
    assert_eq!(member.get(&path).await?.expect(200)?["network"].get("segments"), None);
    assert_eq!(list(&member, "/v2.0/segments").await?, Vec::<Value>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn all_segments_of_a_network_are_given_back_with_it() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let asked = json!({"segments": [vlan(201), vlan(3001)]});
    let made = create(&client, "network", asked.clone()).await?;
    let path = format!("/v2.0/networks/{}", text(&made, "/id")?);
    let again = client.post("/v2.0/networks", &json!({"network": asked})).await?;
    assert_eq!(again.expect_error(409)?.0, "VlanIdInUse");
    client.delete(&path).await?.expect(204)?;
    assert_eq!(list(&client, "/v2.0/segments").await?, Vec::<Value>::new());
    create(&client, "network", asked).await?;
    Ok(())
}
