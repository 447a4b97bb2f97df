//! Trunks: their sub-ports, what can be one, and what keeps ports in place.

use hadron_networking_tests::world::{self, create, list, network, text};
use hadron_sdk_testing::{Client, Result};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const NOBODY: &str = "11111111-2222-4333-8444-555555555555";

/// A port of a network; its id.
async fn port(client: &Client, network: &str) -> Result<String> {
    text(&world::port(client, network).await?, "/id")
}

/// Ports of a network; their ids.
async fn ports<const N: usize>(client: &Client, network: &str) -> Result<[String; N]> {
    let mut made = [const { String::new() }; N];
    for id in &mut made {
        *id = port(client, network).await?;
    }
    Ok(made)
}

fn vlan(port: &str, number: impl Into<Value>) -> Value {
    json!({"port_id": port, "segmentation_type": "vlan", "segmentation_id": number.into()})
}

/// A trunk; its id.
async fn trunk(client: &Client, port: &str, sub_ports: Value) -> Result<String> {
    text(&create(client, "trunk", json!({"port_id": port, "sub_ports": sub_ports})).await?, "/id")
}

async fn refused(client: &Client, document: Value, status: u16) -> Result<(String, String)> {
    client.post("/v2.0/trunks", &json!({ "trunk": document })).await?.expect_error(status)
}

/// Adds or removes sub-ports.
async fn change(
    client: &Client,
    trunk: &str,
    action: &str,
    list: Value,
) -> Result<hadron_sdk_testing::Answer> {
    client.put(&format!("/v2.0/trunks/{trunk}/{action}"), &json!({ "sub_ports": list })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_has_a_parent_and_sub_ports() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let blue = network(&client, "blue").await?;
    let [parent, one, two] = ports(&client, &blue).await?;
    let asked = json!({"name": "t", "description": "d", "port_id": parent, "sub_ports": [vlan(&one, "7")]});
    let made = create(&client, "trunk", asked).await?;
    let id = text(&made, "/id")?;
    assert_eq!(
        (&made["name"], &made["description"], &made["port_id"], &made["status"], &made["admin_state_up"]),
        (&json!("t"), &json!("d"), &json!(parent), &json!("DOWN"), &json!(true))
    );
    assert_eq!((&made["sub_ports"], &made["tags"]), (&json!([vlan(&one, 7)]), &json!([])));
    assert_eq!(made.get("members"), None);

    let more = change(&client, &id, "add_subports", json!([vlan(&two, 8)])).await?.expect(200)?;
    assert_eq!((&more["id"], &more["sub_ports"]), (&json!(id), &json!([vlan(&one, 7), vlan(&two, 8)])));
    assert_eq!(more.get("members"), None);
    let shown = client.get(&format!("/v2.0/trunks/{id}")).await?.expect(200)?;
    assert_eq!(shown["trunk"]["sub_ports"], more["sub_ports"]);
    let listed = client.get(&format!("/v2.0/trunks/{id}/get_subports")).await?.expect(200)?;
    assert_eq!(listed, json!({"sub_ports": [vlan(&one, 7), vlan(&two, 8)]}));
    let less = change(&client, &id, "remove_subports", json!([{"port_id": one}])).await?.expect(200)?;
    assert_eq!(less["sub_ports"], json!([vlan(&two, 8)]));
    // Nothing to add is nothing wrong.
    change(&client, &id, "add_subports", json!([])).await?.expect(200)?;
    change(&client, &id, "remove_subports", json!([])).await?.expect(200)?;

    let put = json!({"trunk": {"name": "u", "admin_state_up": "false"}});
    let put = client.put(&format!("/v2.0/trunks/{id}"), &put).await?.expect(200)?;
    assert_eq!((&put["trunk"]["name"], &put["trunk"]["admin_state_up"]), (&json!("u"), &json!(false)));
    assert_eq!(list(&client, &format!("/v2.0/trunks?port_id={parent}")).await?.len(), 1);
    assert_eq!(list(&client, "/v2.0/trunks?status=ACTIVE").await?.len(), 0);
    let unfit = client.get("/v2.0/trunks?sub_ports=x").await?.expect_error(400)?;
    assert_eq!(unfit.1, "['sub_ports'] is invalid attribute for filtering");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_shows_its_trunk_with_mac_addresses() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let blue = network(&client, "blue").await?;
    let [parent, one, two] = ports(&client, &blue).await?;
    let port = async |id: &str| -> Result<Value> {
        Ok(client.get(&format!("/v2.0/ports/{id}")).await?.expect(200)?["port"].take())
    };
    assert_eq!(port(&parent).await?.get("trunk_details"), None);
    let id = trunk(&client, &parent, json!([vlan(&one, 7)])).await?;
    let shown = async |id: &str, number: u16| -> Result<Value> {
        let mut sub_port = vlan(id, number);
        sub_port["mac_address"] = port(id).await?["mac_address"].take();
        Ok(sub_port)
    };
    let details = json!({"trunk_id": id, "sub_ports": [shown(&one, 7).await?]});
    assert_eq!(port(&parent).await?["trunk_details"], details);
    assert_eq!(port(&parent).await?.get("trunk_id"), None);
    change(&client, &id, "add_subports", json!([vlan(&two, 8)])).await?.expect(200)?;
    let details = json!({"trunk_id": id, "sub_ports": [shown(&one, 7).await?, shown(&two, 8).await?]});
    let rows = list(&client, "/v2.0/ports?fields=id&fields=trunk_details").await?;
    assert_eq!(rows.len(), 3);
    for row in rows {
        let wanted = (row["id"] == json!(parent)).then_some(&details);
        assert_eq!(row.get("trunk_details"), wanted, "{row}");
    }
    let given = json!({"port": {"trunk_details": {}}});
    let (_, message) = client.put(&format!("/v2.0/ports/{one}"), &given).await?.expect_error(400)?;
    assert_eq!(message, "Cannot update read-only attribute trunk_details");
    client.delete(&format!("/v2.0/trunks/{id}")).await?.expect(204)?;
    assert_eq!(port(&parent).await?.get("trunk_details"), None);
    let bulk = json!({"trunks": [{"port_id": parent}, {"port_id": one}]});
    client.post("/v2.0/trunks", &bulk).await?.expect(201)?;
    assert_eq!(port(&one).await?["trunk_details"]["sub_ports"], json!([]));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sub_ports_that_make_no_sense_are_refused_in_neutrons_words() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let blue = network(&client, "blue").await?;
    let [parent, one, two] = ports(&client, &blue).await?;
    let shape = |wrong: &str| ("HTTPBadRequest", format!("Invalid input for sub_ports. Reason: {wrong}."));
    let input = |wrong: &str| ("InvalidInput", format!("Invalid input for operation: {wrong}."));
    let missing = "missing segmentation information. Must specify both segmentation_id and segmentation_type";
    for (sub_ports, status, (kind, message)) in [
        (json!([5]), 400, shape("Invalid data format for subport: '5' is not a dict")),
        (json!([{}]), 400, shape("A valid port UUID must be specified")),
        (json!([{"port_id": 5}]), 400, shape("Invalid UUID for subport: '5'")),
        (
            json!([{"port_id": one}]),
            400,
            input(&format!("Invalid subport details '{{'port_id': '{one}'}}': {missing}")),
        ),
        (
            json!([{"port_id": one, "segmentation_id": 5}]),
            400,
            shape(&format!(
                "Invalid subport details '{{'port_id': '{one}', 'segmentation_id': 5}}': {missing}"
            )),
        ),
        (json!([vlan(&one, 7), vlan(&one, 8)]), 400, shape(&format!("Non unique UUID for subport: '{one}'"))),
        (
            json!([vlan(&one, 7), vlan(&two, 7)]),
            400,
            shape(&format!("Segmentation ID '7' for '{two}' is not unique")),
        ),
        (json!([vlan(&one, 0)]), 400, input("Segmentation ID '0' is not in range")),
        (json!([vlan(&one, 4095)]), 400, input("Segmentation ID '4095' is not in range")),
        (
            json!([vlan(&one, "abc")]),
            400,
            input("Invalid subport details: segmentation_id 'abc' is not an integer"),
        ),
        (
            json!([{"port_id": one, "segmentation_id": 7, "segmentation_type": "vxlan"}]),
            400,
            input("Unknown segmentation_type 'vxlan'"),
        ),
        (json!([vlan(NOBODY, 7)]), 404, ("PortNotFound", format!("Port {NOBODY} could not be found."))),
    ] {
        let document = json!({"port_id": parent, "sub_ports": sub_ports});
        assert_eq!(refused(&client, document, status).await?, (kind.to_owned(), message), "{sub_ports}");
    }
    for (document, message) in [
        (json!({}), "Failed to parse request. Required attribute 'port_id' not specified"),
        (json!({"port_id": null}), "Invalid input for port_id. Reason: 'None' is not a valid UUID."),
        (json!({"port_id": parent, "status": "ACTIVE"}), "Attribute 'status' not allowed in POST"),
        (json!({"port_id": parent, "members": []}), "Unrecognized attribute(s) 'members'"),
        (json!({"port_id": parent, "tags": []}), "Attribute 'tags' not allowed in POST"),
    ] {
        assert_eq!(refused(&client, document, 400).await?.1, message);
    }
    let clash =
        refused(&client, json!({"port_id": parent, "sub_ports": [vlan(&one, 7), vlan(&two, "7")]}), 409);
    assert_eq!(clash.await?.0, "DuplicateSubPort");
    assert_eq!(refused(&client, json!({"port_id": NOBODY}), 404).await?.0, "PortNotFound");

    let id = trunk(&client, &parent, json!([vlan(&one, 7)])).await?;
    for (list, message) in [
        (json!(null), "Invalid input for operation: Invalid data format for subports: 'None' is not a list."),
        (json!(5), "Invalid input for operation: Invalid data format for subports: '5' is not a list."),
        (json!([{}]), "Invalid input for operation: A valid port UUID must be specified."),
    ] {
        for action in ["add_subports", "remove_subports"] {
            assert_eq!(change(&client, &id, action, list.clone()).await?.expect_error(400)?.1, message);
        }
    }
    let (kind, message) =
        change(&client, &id, "add_subports", json!([vlan(&two, 7)])).await?.expect_error(409)?;
    assert_eq!(kind, "DuplicateSubPort");
    assert_eq!(
        message,
        format!("segmentation_type vlan and segmentation_id 7 already in use on trunk {id}.")
    );
    let (kind, message) =
        change(&client, &id, "remove_subports", json!([{"port_id": two}])).await?.expect_error(404)?;
    assert_eq!(kind, "SubPortNotFound");
    assert_eq!(message, format!("SubPort {two} on trunk {id} could not be found."));
    for name in ["port_id", "status", "sub_ports"] {
        let answer = client.put(&format!("/v2.0/trunks/{id}"), &json!({"trunk": {name: parent}})).await?;
        assert_eq!(answer.expect_error(400)?.1, format!("Cannot update read-only attribute {name}"));
    }
    let nowhere = change(&client, NOBODY, "add_subports", json!([])).await?.expect_error(404)?;
    assert_eq!(nowhere, ("TrunkNotFound".to_owned(), format!("Trunk {NOBODY} could not be found.")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_has_one_place_in_one_trunk() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let blue = network(&client, "blue").await?;
    let [parent, one, other] = ports(&client, &blue).await?;
    let id = trunk(&client, &parent, json!([vlan(&one, 7)])).await?;
    let eligible = format!("Port {parent} is currently in use and is not eligible for use as a parent port.");
    let again = refused(&client, json!({"port_id": parent}), 409).await?;
    assert_eq!(again, ("ParentPortInUse".to_owned(), eligible.clone()));
    let other_trunk = |sub_port: &str| json!({"port_id": other, "sub_ports": [vlan(sub_port, 9)]});
    assert_eq!(refused(&client, other_trunk(&parent), 409).await?.1, eligible);
    assert_eq!(refused(&client, other_trunk(&other), 409).await?.0, "ParentPortInUse");
    let taken = ("TrunkPortInUse".to_owned(), format!("Port {one} is in use by another trunk."));
    assert_eq!(refused(&client, json!({"port_id": one}), 409).await?, taken);
    assert_eq!(refused(&client, other_trunk(&one), 409).await?, taken);
    let twice = change(&client, &id, "add_subports", json!([vlan(&one, 9)])).await?;
    assert_eq!(twice.expect_error(409)?, taken);

    // Ports stay while a trunk has them.
    let (kind, message) = client.delete(&format!("/v2.0/ports/{parent}")).await?.expect_error(409)?;
    assert_eq!(kind, "PortInUseAsTrunkParent");
    assert_eq!(message, format!("Port {parent} is currently a parent port for trunk {id}."));
    let (kind, message) = client.delete(&format!("/v2.0/ports/{one}")).await?.expect_error(409)?;
    assert_eq!(kind, "PortInUseAsSubPort");
    assert_eq!(message, format!("Port {one} is currently a subport for trunk {id}."));
    client.delete(&format!("/v2.0/trunks/{id}")).await?.expect(204)?;
    for port in [&parent, &one] {
        client.delete(&format!("/v2.0/ports/{port}")).await?.expect(204)?;
    }

    // A port that a device uses is no sub-port.
    let used = json!({"network_id": blue, "device_id": "x", "device_owner": "compute:nova"});
    let used = text(&create(&client, "port", used).await?, "/id")?;
    let (kind, message) = refused(&client, other_trunk(&used), 409).await?;
    assert_eq!(kind, "PortInUse");
    assert_eq!(
        message,
        format!(
            "Unable to complete operation on port {used} for network {blue}. Port already has an attached \
             device x."
        )
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_of_trunks_is_made_whole_or_not_at_all() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let blue = network(&client, "blue").await?;
    let [one, two] = ports(&client, &blue).await?;
    let bulk = |first: &str, second: &str| json!({"trunks": [{"port_id": first}, {"port_id": second}]});
    let twice = client.post("/v2.0/trunks", &bulk(&one, &one)).await?.expect_error(409)?;
    assert_eq!(twice.0, "ParentPortInUse");
    assert_eq!(list(&client, "/v2.0/trunks").await?.len(), 0);
    client.post("/v2.0/trunks", &bulk(&one, &two)).await?.expect(201)?;
    assert_eq!(list(&client, "/v2.0/trunks").await?.len(), 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_sub_port_carries_fits_through_its_parent() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let large = network(&client, "large").await?;
    let small = text(&create(&client, "network", json!({"mtu": 1000})).await?, "/id")?;
    let (parent, one) = (port(&client, &small).await?, port(&client, &large).await?);
    let (kind, message) =
        refused(&client, json!({"port_id": parent, "sub_ports": [vlan(&one, 7)]}), 409).await?;
    assert_eq!(kind, "SubPortMtuGreaterThanTrunkPortMtu");
    let mtu = client.get(&format!("/v2.0/networks/{large}")).await?.expect(200)?["network"]["mtu"].clone();
    assert_eq!(
        message,
        format!("MTU {mtu} of subport {one} cannot be greater than MTU 1000 of trunk {parent}.")
    );
    trunk(&client, &one, json!([vlan(&parent, 7)])).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_can_be_that_of_the_network() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let provided = json!({
        "provider:network_type": "vlan",
        "provider:physical_network": "physnet1",
        "provider:segmentation_id": 203,
    });
    let vlan_network = text(&create(&client, "network", provided).await?, "/id")?;
    let vxlan_network = network(&client, "vxlan").await?;
    let (parent, one) = (port(&client, &vlan_network).await?, port(&client, &vlan_network).await?);
    let other = port(&client, &vxlan_network).await?;
    let inherit = |port: &str| json!([{"port_id": port, "segmentation_type": "inherit"}]);
    let (_, message) =
        refused(&client, json!({"port_id": parent, "sub_ports": inherit(&other)}), 400).await?;
    assert_eq!(message, "Invalid input for operation: Unknown segmentation_type 'vxlan'.");
    let id = trunk(&client, &parent, inherit(&one)).await?;
    let shown = client.get(&format!("/v2.0/trunks/{id}")).await?.expect(200)?;
    assert_eq!(shown["trunk"]["sub_ports"], json!([vlan(&one, 203)]));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_trunk_and_one_plugged_in_stay_as_they_are() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let blue = network(&client, "blue").await?;
    let [parent, one] = ports(&client, &blue).await?;
    let id = trunk(&client, &parent, json!([])).await?;
    let own = format!("/v2.0/trunks/{id}");
    client.put(&own, &json!({"trunk": {"admin_state_up": false}})).await?.expect(200)?;
    let disabled = ("TrunkDisabled".to_owned(), format!("Trunk {id} is currently disabled."));
    let add = || change(&client, &id, "add_subports", json!([vlan(&one, 9)]));
    assert_eq!(add().await?.expect_error(409)?, disabled);
    let remove = change(&client, &id, "remove_subports", json!([{"port_id": one}])).await?;
    assert_eq!(remove.expect_error(409)?, disabled);
    assert_eq!(client.delete(&own).await?.expect_error(409)?, disabled);
    client.put(&own, &json!({"trunk": {"admin_state_up": true}})).await?.expect(200)?;

    let bind = |host: &str| json!({"port": {"binding:host_id": host}});
    client.put(&format!("/v2.0/ports/{parent}"), &bind("host1")).await?.expect(200)?;
    let in_use = ("TrunkInUse".to_owned(), format!("Trunk {id} is currently in use."));
    assert_eq!(client.delete(&own).await?.expect_error(409)?, in_use);
    add().await?.expect(200)?;
    client.put(&format!("/v2.0/ports/{parent}"), &bind("")).await?.expect(200)?;
    client.delete(&own).await?.expect(204)?;

    client.put(&format!("/v2.0/ports/{parent}"), &bind("host1")).await?.expect(200)?;
    assert_eq!(refused(&client, json!({"port_id": parent}), 409).await?.0, "ParentPortInUse");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_have_their_own_trunks() -> Result {
    let server = world::sqlite().await?;
    let (admin, member, other) =
        (server.client(), server.client().member_of("p1")?, server.client().member_of("p2")?);
    let theirs = network(&admin, "theirs").await?;
    let foreign = port(&admin, &theirs).await?;
    let own = network(&member, "own").await?;
    let [parent, one] = ports(&member, &own).await?;
    let hidden = ("PortNotFound".to_owned(), format!("Port {foreign} could not be found."));
    assert_eq!(refused(&member, json!({"port_id": foreign}), 404).await?, hidden);
    let document = json!({"port_id": parent, "sub_ports": [vlan(&foreign, 7)]});
    assert_eq!(refused(&member, document, 404).await?, hidden);
    let id = trunk(&member, &parent, json!([])).await?;
    change(&member, &id, "add_subports", json!([vlan(&one, 7)])).await?.expect(200)?;
    let path = format!("/v2.0/trunks/{id}");
    for answer in [
        other.get(&path).await?,
        other.get(&format!("{path}/get_subports")).await?,
        other.delete(&path).await?,
        change(&other, &id, "add_subports", json!([])).await?,
        change(&other, &id, "remove_subports", json!([])).await?,
    ] {
        assert_eq!(answer.expect_error(404)?.0, "TrunkNotFound");
    }
    assert_eq!(list(&other, "/v2.0/trunks").await?.len(), 0);
    assert_eq!(list(&admin, "/v2.0/trunks").await?.len(), 1);
    member.delete(&path).await?.expect(204)?;

    // Trunks are counted, and without limit unless one is set.
    admin.put("/v2.0/quotas/p1", &json!({"quota": {"trunk": 0}})).await?.expect(200)?;
    let over = refused(&member, json!({"port_id": parent}), 409).await?;
    assert_eq!(over.0, "OverQuota");
    Ok(())
}

/// The same port is put into many trunks at once, as a parent and as a sub-port:
/// it gets one place.
async fn race(client: &Client) -> Result {
    let blue = network(client, "blue").await?;
    for _ in 0..3 {
        let contested = port(client, &blue).await?;
        let mut tasks = JoinSet::new();
        for number in 0..16 {
            let (client, contested) = (client.clone(), contested.clone());
            let own = port(&client, &blue).await?;
            tasks.spawn(async move {
                let document = match number % 2 {
                    0 => json!({"port_id": contested}),
                    _ => json!({"port_id": own, "sub_ports": [vlan(&contested, 7)]}),
                };
                let answer = client.post("/v2.0/trunks", &json!({ "trunk": document })).await?;
                Ok::<_, hadron_sdk_testing::Error>((answer.status, answer.body))
            });
        }
        let mut made = 0;
        while let Some(done) = tasks.join_next().await {
            let (status, body) = done.expect("the task ends")?;
            match status {
                201 => made += 1,
                409 => {
                    let kind = body["NeutronError"]["type"].as_str().unwrap_or_default().to_owned();
                    assert!(["ParentPortInUse", "TrunkPortInUse"].contains(&kind.as_str()), "{body}");
                }
                _ => panic!("{status}: {body}"),
            }
        }
        assert_eq!(made, 1);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contested_port_gets_one_place() -> Result {
    race(&world::sqlite().await?.client()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contested_port_gets_one_place_on_postgres() -> Result {
    match world::postgres().await? {
        Some(server) => race(&server.client()).await,
        None => Ok(()),
    }
}
