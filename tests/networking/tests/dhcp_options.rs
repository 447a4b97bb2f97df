//! Options of DHCP that ports have besides.

use hadron_networking_tests::world::{self, create, network, text};
use hadron_sdk_testing::Result;
use serde_json::{Value, json};

fn option(name: &str, value: &str, version: u8) -> Value {
    json!({"opt_name": name, "opt_value": value, "ip_version": version})
}

#[tokio::test(flavor = "multi_thread")]
async fn options_are_set_changed_and_taken_away_one_by_one() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let blue = network(&client, "blue").await?;
    let plain = create(&client, "port", json!({"network_id": blue})).await?;
    assert_eq!(plain["extra_dhcp_opts"], json!([]));
    let given =
        json!([{"opt_name": "tftp-server", "opt_value": "10.0.0.2"}, {"opt_name": "x", "opt_value": null}]);
    let made = create(&client, "port", json!({"network_id": blue, "extra_dhcp_opts": given})).await?;
    assert_eq!(made["extra_dhcp_opts"], json!([option("tftp-server", "10.0.0.2", 4)]));

    let path = format!("/v2.0/ports/{}", text(&made, "/id")?);
    let change =
        async |options: Value| client.put(&path, &json!({"port": {"extra_dhcp_opts": options}})).await;
    let after = async |options: Value| -> Result<Value> {
        Ok(change(options).await?.expect(200)?["port"]["extra_dhcp_opts"].clone())
    };
    let (four, six) = (option("tftp-server", "10.0.0.2", 4), option("tftp-server", "fd00::2", 6));
    assert_eq!(after(json!([six])).await?, json!([four, six]));
    assert_eq!(after(json!([{"opt_name": "tftp-server", "opt_value": null}])).await?, json!([six]));
    assert_eq!(
        after(json!([{"opt_name": "router", "opt_value": ""}])).await?,
        json!([six, option("router", "", 4)])
    );
    for nothing in [json!([]), json!(null)] {
        assert_eq!(after(nothing).await?.as_array().unwrap().len(), 2);
    }
    for (wrong, says) in [
        (json!("x"), "'x' is not a list."),
        (json!(["x"]), "No valid key specs matched for: x."),
        (
            json!([{"opt_name": "x", "opt_value": ""}]),
            "No valid key specs matched for: {'opt_name': 'x', 'opt_value': ''}.",
        ),
        (json!([{"opt_name": "x"}]), "No valid key specs matched for: {'opt_name': 'x'}."),
        (json!([{"opt_name": "x", "opt_value": "y", "ip_version": 5}]), "No valid key specs matched for: {"),
    ] {
        let (kind, message) = change(wrong.clone()).await?.expect_error(400)?;
        assert_eq!(kind, "InvalidInput");
        assert!(message.contains(says), "{wrong}: {message}");
    }
    let (kind, _) = change(json!([option("d", "y", 4), option("d", "z", 4)])).await?.expect_error(409)?;
    assert_eq!(kind, "NeutronDbObjectDuplicateEntry");
    let shown = client.get(&path).await?.expect(200)?;
    assert_eq!(shown["port"]["extra_dhcp_opts"], json!([six, option("router", "", 4)]));
    Ok(())
}
