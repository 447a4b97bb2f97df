//! `/v2.0/network_segment_ranges`.

use hadron_networking_tests::world::{create, list, sqlite, text};
use hadron_sdk_testing::{Client, Result};
use serde_json::{Value, json};

const RANGES: &str = "/v2.0/network_segment_ranges";
const P: &str = "9d9b5f0c-5f1b-4f0e-8c9f-1b7a2f3c4d5e";

async fn range(client: &Client, more: Value) -> Result<Value> {
    create(client, "network_segment_range", more).await
}

async fn refused(client: &Client, status: u16, range: Value) -> Result<(String, String)> {
    client.post(RANGES, &json!({"network_segment_range": range})).await?.expect_error(status)
}

fn vlan(minimum: i64, maximum: i64) -> Value {
    json!({"network_type": "vlan", "physical_network": "physnet1", "minimum": minimum, "maximum": maximum})
}

fn of_project(mut range: Value) -> Value {
    range["shared"] = json!(false);
    range["project_id"] = json!(P);
    range
}

async fn number(client: &Client, network: Value) -> Result<Value> {
    Ok(create(client, "network", network).await?["provider:segmentation_id"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configurations_ranges_are_there_and_stay_as_they_are() -> Result {
    let mut server = sqlite().await?;
    let client = server.client();
    let defaults = list(&client, &format!("{RANGES}?default=true")).await?;
    let one = defaults.iter().find(|range| range["network_type"] == "vlan").unwrap().clone();
    assert_eq!(
        (&one["physical_network"], &one["minimum"], &one["maximum"], &one["shared"]),
        (&json!("physnet1"), &json!(201), &json!(208), &json!(true))
    );
    assert_eq!(one["available"], json!((201..=208).collect::<Vec<u32>>()));
    assert_eq!(one["used"], json!({}));
    let path = format!("{RANGES}/{}", text(&one, "/id")?);
    let (kind, message) =
        client.put(&path, &json!({"network_segment_range": {"name": "x"}})).await?.expect_error(400)?;
    assert_eq!(kind, "NetworkSegmentRangeDefaultReadOnly");
    assert!(message.ends_with("is a default segment range which could not be updated or deleted."));
    assert_eq!(client.delete(&path).await?.expect_error(400)?.0, "NetworkSegmentRangeDefaultReadOnly");
    server.restart().await?;
    let again = list(&server.client(), &format!("{RANGES}?default=true")).await?;
    assert_eq!(again.len(), defaults.len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projects_networks_are_given_its_own_numbers_first() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let made = range(&client, of_project(vlan(3000, 3001))).await?;
    assert_eq!(
        (&made["default"], &made["shared"], &made["project_id"]),
        (&json!(false), &json!(false), &json!(P))
    );
    let asked = json!({"provider:network_type": "vlan", "project_id": P});
    assert_eq!(number(&client, asked.clone()).await?, 3000);
    assert_eq!(number(&client, asked.clone()).await?, 3001);
    assert_eq!(number(&client, asked).await?, 201);
    // Nobody else gets them, but by name.
    assert_eq!(number(&client, json!({"provider:network_type": "vlan"})).await?, 202);
    let path = format!("{RANGES}/{}", text(&made, "/id")?);
    let shown = client.get(&path).await?.expect(200)?;
    let shown = &shown["network_segment_range"];
    assert_eq!(shown["used"], json!({"3000": P, "3001": P}));
    assert_eq!(shown["available"], json!([]));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_within_the_default_takes_numbers_out_of_it() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    // Taken before there is a range, and in it from then on.
    assert_eq!(number(&client, json!({"provider:network_type": "vlan"})).await?, 201);
    let made = range(&client, of_project(vlan(201, 203))).await?;
    assert_eq!(number(&client, json!({"provider:network_type": "vlan"})).await?, 204);
    let asked = json!({"provider:network_type": "vlan", "project_id": P});
    let mine = create(&client, "network", asked.clone()).await?;
    assert_eq!(mine["provider:segmentation_id"], 202);
    let path = format!("{RANGES}/{}", text(&made, "/id")?);
    let (kind, _) = client.delete(&path).await?.expect_error(409)?;
    assert_eq!(kind, "NetworkSegmentRangeReferencedByProject");
    for network in list(&client, "/v2.0/networks").await? {
        client.delete(&format!("/v2.0/networks/{}", text(&network, "/id")?)).await?.expect(204)?;
    }
    client.delete(&path).await?.expect(204)?;
    // All of them are everybody's again.
    for expected in 201..=208 {
        assert_eq!(number(&client, json!({"provider:network_type": "vlan"})).await?, expected);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_brings_a_physical_network_and_follows_its_changes() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let on_new = json!({"provider:network_type": "vlan", "provider:physical_network": "physnew"});
    let asked = json!({"network": on_new});
    client.post("/v2.0/networks", &asked).await?.expect_error(400)?;
    let mut wanted = vlan(10, 11);
    wanted["physical_network"] = json!("physnew");
    wanted["description"] = json!("to the new hall");
    let made = range(&client, wanted).await?;
    assert_eq!(made["description"], "to the new hall");
    assert_eq!(number(&client, on_new.clone()).await?, 10);
    assert_eq!(number(&client, on_new.clone()).await?, 11);
    assert_eq!(client.post("/v2.0/networks", &asked).await?.expect_error(503)?.0, "NoNetworkAvailable");
    let path = format!("{RANGES}/{}", text(&made, "/id")?);
    let put = async |changes: Value| client.put(&path, &json!({"network_segment_range": changes})).await;
    for narrower in [json!({"maximum": 10}), json!({"minimum": 12}), json!({"minimum": 12, "maximum": 5})] {
        let (kind, _) = put(narrower).await?.expect_error(409)?;
        assert_eq!(kind, "NetworkSegmentRangeReferencedByProject");
    }
    put(json!({"shared": false})).await?.expect_error(400)?;
    put(json!({"maximum": 4095})).await?.expect_error(400)?;
    let wider = put(json!({"maximum": 13, "name": "wider"})).await?.expect(200)?;
    let wider = &wider["network_segment_range"];
    assert_eq!((&wider["name"], &wider["maximum"]), (&json!("wider"), &json!(13)));
    assert_eq!(wider["available"], json!([12, 13]));
    assert_eq!(number(&client, on_new).await?, 12);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_that_cannot_be_are_refused() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let first = text(&range(&client, vlan(3000, 3010)).await?, "/id")?;
    let (kind, message) = refused(&client, 409, vlan(3010, 3020)).await?;
    assert_eq!(kind, "NetworkSegmentRangeOverlaps");
    assert_eq!(message, format!("Network segment range overlaps with range(s) with id {first}"));
    let expected = [
        (
            json!({"network_type": "vlan", "minimum": 5, "maximum": 6}),
            "Bad network_segment_range request: Network type vlan requires 'physical_network' to be specified while creating new range.",
        ),
        (
            vlan(30, 20),
            "Invalid network VLAN range: '30:20' - 'End of VLAN range is less than start of VLAN range'.",
        ),
        (vlan(4000, 4095), "Invalid network VLAN range: '4000:4095' - '4095 is not a valid VLAN tag'."),
        (vlan(0, 5), "Invalid input for minimum. Reason: '0' is too small - must be at least '1'."),
        (
            json!({"network_type": "vxlan", "minimum": 16_777_215, "maximum": 16_777_216}),
            "Invalid network tunnel range: '16777215:16777216' - 16777216 is not a valid vxlan identifier.",
        ),
        (
            json!({"network_type": "gre", "minimum": 1, "maximum": 5_000_000_000_u64}),
            "Invalid input for maximum. Reason: '5000000000' is too large - must be no larger than '4294967295'.",
        ),
        (
            json!({"network_type": "vxlan", "minimum": 1}),
            "Failed to parse request. Required attribute 'maximum' not specified",
        ),
    ];
    for (range, words) in expected {
        assert_eq!(refused(&client, 400, range).await?.1, words);
    }
    for wrong in [
        json!({"network_type": "flat", "minimum": 1, "maximum": 5}),
        json!({"network_type": "vxlan", "minimum": "x", "maximum": 5}),
        json!({"network_type": "vxlan", "minimum": 1, "maximum": 5, "default": true}),
        json!({"network_type": "vxlan", "minimum": 1, "maximum": 5, "used": {}}),
        json!({"minimum": 1, "maximum": 5}),
    ] {
        refused(&client, 400, wrong).await?;
    }
    // A bulk is checked against itself too.
    let bulk = json!({"network_segment_ranges": [vlan(3100, 3110), vlan(3110, 3120)]});
    client.post(RANGES, &bulk).await?.expect_error(409)?;
    let bulk = json!({"network_segment_ranges": [vlan(3100, 3110), vlan(3111, 3120)]});
    client.post(RANGES, &bulk).await?.expect(201)?;
    let member = server.client().member_of(P)?;
    refused(&member, 403, vlan(3200, 3210)).await?;
    assert_eq!(list(&member, RANGES).await?, Vec::<Value>::new());
    let missing = format!("{RANGES}/{P}");
    let (kind, message) = client.get(&missing).await?.expect_error(404)?;
    assert_eq!(kind, "NetworkSegmentRangeNotFound");
    assert_eq!(message, format!("Network Segment Range {P} could not be found."));
    Ok(())
}
