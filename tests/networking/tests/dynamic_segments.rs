//! Segments that a driver asks for while it binds a port in several levels.

use hadron_networking_tests::world::{builder, create, list, network, text};
use hadron_sdk_testing::{Plugin, Result, build_guest};
use serde_json::{Value, json};

const FABRIC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/guests/fabric");

#[tokio::test(flavor = "multi_thread")]
async fn a_dynamic_segment_lives_as_long_as_a_port_is_bound_with_it() -> Result {
    let fabric = Plugin::new("mech-fabric", build_guest(FABRIC).await?);
    let server = builder().plugin(fabric).start().await?;
    let client = server.client();
    let id = network(&client, "blue").await?;
    let segments = format!("/v2.0/segments?network_id={id}&network_type=vlan");
    let port = async || {
        let made = create(&client, "port", json!({"network_id": id, "binding:host_id": "one"})).await?;
        assert_eq!(made["binding:vif_type"], "fabric");
        assert_eq!(made["binding:vif_details"]["bound_drivers"], json!({"0": "fabric", "1": "fabric"}));
        text(&made, "/id")
    };
    let (first, second) = (port().await?, port().await?);
    let made = list(&client, &segments).await?;
    assert_eq!(made.len(), 1, "{made:?}");
    assert_eq!(made[0]["segmentation_id"], 201);
    // The network does not show it.
    let shown = client.get(&format!("/v2.0/networks/{id}")).await?.expect(200)?;
    assert_eq!(shown["network"]["provider:network_type"], "vxlan");
    let subnet = json!({"subnet": {"network_id": id, "ip_version": 4, "cidr": "10.1.0.0/24",
        "segment_id": made[0]["id"]}});
    let (kind, _) = client.post("/v2.0/subnets", &subnet).await?.expect_error(400)?;
    assert_eq!(kind, "SubnetCantAssociateToDynamicSegment");
    let (kind, message) =
        client.delete(&format!("/v2.0/segments/{}", text(&made[0], "/id")?)).await?.expect_error(409)?;
    assert_eq!(kind, "SegmentInUse");
    assert!(message.contains("still bound with 2 port(s)"), "{message}");

    client.delete(&format!("/v2.0/ports/{first}")).await?.expect(204)?;
    assert_eq!(list(&client, &segments).await?.len(), 1);
    let off = json!({"port": {"binding:host_id": ""}});
    client.put(&format!("/v2.0/ports/{second}"), &off).await?.expect(200)?;
    assert_eq!(list(&client, &segments).await?, Vec::<Value>::new());
    // Its number is free again, and the next port's.
    let on = json!({"port": {"binding:host_id": "two"}});
    client.put(&format!("/v2.0/ports/{second}"), &on).await?.expect(200)?;
    assert_eq!(list(&client, &segments).await?[0]["segmentation_id"], 201);
    client.delete(&format!("/v2.0/ports/{second}")).await?.expect(204)?;
    assert_eq!(list(&client, &segments).await?, Vec::<Value>::new());
    Ok(())
}
