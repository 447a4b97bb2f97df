//! Segments that a driver asks for while it binds a port in several levels.

use hadron_networking_tests::world::{builder, create, list, network, text};
use hadron_sdk_testing::{Plugin, Result, build_guest, until};
use serde_json::{Value, json};
use std::time::Duration;

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

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_waits_for_its_second_level_keeps_what_was_offered_for_it() -> Result {
    let fabric = Plugin::new("mech-fabric", build_guest(FABRIC).await?);
    let server = builder().plugin(fabric).start().await?;
    let client = server.client();
    let id = network(&client, "blue").await?;
    let segments = format!("/v2.0/segments?network_id={id}&network_type=vlan");
    let port = async |host: &str| {
        let made = create(&client, "port", json!({"network_id": id, "binding:host_id": host})).await?;
        Ok((text(&made, "/id")?, made)) as Result<(String, Value)>
    };
    let delete = async |port: &str| client.delete(&format!("/v2.0/ports/{port}")).await?.expect(204);
    let (never, made) = port("never").await?;
    assert_eq!((&made["binding:vif_type"], &made["binding:vif_details"]), (&json!("unbound"), &json!({})));
    let (one, _) = port("one").await?;
    delete(&one).await?;
    assert_eq!(list(&client, &segments).await?.len(), 1, "somebody waits for it");
    delete(&never).await?;
    assert_eq!(list(&client, &segments).await?, Vec::<Value>::new());

    let (later, _) = port("later").await?;
    let path = format!("/v2.0/ports/{later}");
    let bound = until("the driver to finish", Duration::from_secs(20), || async {
        let shown = client.get(&path).await?.expect(200)?["port"].take();
        Ok(Some(shown).filter(|port| port["binding:vif_type"] == "fabric"))
    });
    let bound = bound.await?;
    assert_eq!(bound["binding:vif_details"]["bound_drivers"], json!({"0": "fabric", "1": "fabric"}));
    assert_eq!(bound["status"], "ACTIVE");
    assert_eq!(list(&client, &segments).await?.len(), 1);
    delete(&later).await?;
    assert_eq!(list(&client, &segments).await?, Vec::<Value>::new());

    let (_, failed) = port("nowhere").await?;
    assert_eq!(failed["binding:vif_type"], "binding_failed");
    assert_eq!(list(&client, &segments).await?, Vec::<Value>::new(), "what was asked for in vain is back");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_binding_that_waits_was_offered_goes_with_it() -> Result {
    let fabric = Plugin::new("mech-fabric", build_guest(FABRIC).await?);
    let server = builder().plugin(fabric).start().await?;
    let client = server.client().header("x-roles", "admin,service,member,reader")?;
    let id = network(&client, "blue").await?;
    let segments = format!("/v2.0/segments?network_id={id}&network_type=vlan");
    let port = create(&client, "port", json!({"network_id": id, "device_owner": "compute:x"})).await?;
    let path = format!("/v2.0/ports/{}", text(&port, "/id")?);
    let wait_on = async |host: &str| {
        let binding = json!({"binding": {"host": host}});
        client.post(&format!("{path}/bindings"), &binding).await?.expect(201)?;
        assert_eq!(list(&client, &segments).await?.len(), 1);
        Ok(()) as Result
    };
    wait_on("one").await?;
    wait_on("never").await?;
    client.delete(&format!("{path}/bindings/one")).await?.expect(204)?;
    assert_eq!(list(&client, &segments).await?.len(), 1, "the other one waits for it");
    client.delete(&format!("{path}/bindings/never")).await?.expect(204)?;
    assert_eq!(list(&client, &segments).await?, Vec::<Value>::new());
    wait_on("two").await?;
    client.delete(&path).await?.expect(204)?;
    assert_eq!(list(&client, &segments).await?, Vec::<Value>::new());
    Ok(())
}
