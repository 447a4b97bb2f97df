//! Address groups: what is in them, who uses them, and with whom they are shared.

use hadron_networking_tests::world::{self, create, list, text};
use hadron_sdk_testing::{Client, Result, Server};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const ALICE: &str = "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1";
const BOB: &str = "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0";
const NOBODY: &str = "8f2f0f5e-0a0a-4d6e-9a64-3a2c0d2d6c11";

const GROUPS: &str = "/v2.0/address-groups";

async fn world() -> Result<(Server, Client, Client)> {
    let server = world::sqlite().await?;
    let alice = server.client().member_of(ALICE)?;
    let bob = server.client().member_of(BOB)?;
    Ok((server, alice, bob))
}

/// A group; its document.
async fn group(client: &Client, addresses: Value) -> Result<Value> {
    let body = json!({"address_group": {"name": "offices", "addresses": addresses}});
    Ok(client.post(GROUPS, &body).await?.expect(201)?["address_group"].clone())
}

/// A rule about an address group, of a group of its own; the group.
async fn used(client: &Client, addresses: &str) -> Result<String> {
    let body = client.post("/v2.0/security-groups", &json!({"security_group": {"name": "web"}})).await?;
    let id = text(&body.expect(201)?, "/security_group/id")?;
    let rule = json!({"security_group_id": id, "direction": "ingress", "remote_address_group_id": addresses});
    client.post("/v2.0/security-group-rules", &json!({"security_group_rule": rule})).await?.expect(201)?;
    Ok(id)
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_are_written_in_one_way() -> Result {
    let (_server, alice, _) = world().await?;
    let made = group(&alice, json!(["10.0.0.5/24", "2001:DB8::1/64", "10.0.0.0/24"])).await?;
    let id = text(&made, "/id")?;
    assert_eq!(made["addresses"], json!(["10.0.0.0/24", "2001:db8::/64"]));
    assert_eq!((&made["name"], &made["project_id"]), (&json!("offices"), &json!(ALICE)));
    assert!(made.get("shared").is_none() && made.get("tags").is_none());
    for nothing in [json!(null), json!([])] {
        assert_eq!(group(&alice, nothing).await?["addresses"], json!([]));
    }
    let own = format!("{GROUPS}/{id}");
    let change = json!({"address_group": {"name": "n", "description": "d"}});
    let changed = alice.put(&own, &change).await?.expect(200)?["address_group"].clone();
    assert_eq!((&changed["name"], &changed["description"]), (&json!("n"), &json!("d")));
    assert_eq!(changed["addresses"], made["addresses"]);
    assert_eq!(list(&alice, "/v2.0/address_groups?name=n").await?.len(), 1);

    for (addresses, says) in [
        (json!(["10.0.0.5"]), "Invalid input for addresses. Reason: '10.0.0.5' is not a valid IP subnet."),
        (json!(["x"]), "Invalid input for addresses. Reason: 'x' is not a valid IP subnet."),
        (json!("x"), "Invalid input for addresses. Reason: 'x' is not a list."),
        (json!(["x", "x"]), "Invalid input for addresses. Reason: Duplicate items in the list: 'x'."),
    ] {
        let body = json!({"address_group": {"name": "g", "addresses": addresses}});
        assert_eq!(
            alice.post(GROUPS, &body).await?.expect_error(400)?,
            ("HTTPBadRequest".to_owned(), says.to_owned())
        );
    }
    let fixed = alice.put(&own, &json!({"address_group": {"addresses": []}})).await?.expect_error(400)?;
    assert_eq!(fixed.1, "Cannot update read-only attribute addresses");
    alice.delete(&own).await?.expect(204)?;
    let (kind, message) = alice.get(&own).await?.expect_error(404)?;
    assert_eq!(
        (kind.as_str(), message),
        ("AddressGroupNotFound", format!("Address group {id} could not be found."))
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_are_added_and_removed() -> Result {
    let (_server, alice, bob) = world().await?;
    let id = text(&group(&alice, json!(["10.0.0.0/24"])).await?, "/id")?;
    let put = async |client: &Client, what: &str, addresses: Value| {
        client.put(&format!("{GROUPS}/{id}/{what}_addresses"), &json!({"addresses": addresses})).await
    };
    let added = put(&alice, "add", json!(["10.1.0.7/24", "10.1.0.0/24", "10.3.0.1"])).await?.expect(200)?;
    assert_eq!(added["address_group"]["addresses"], json!(["10.0.0.0/24", "10.1.0.0/24", "10.3.0.1/32"]));
    assert_eq!(added["address_group"]["id"], id);
    let (kind, message) =
        put(&alice, "add", json!(["10.0.0.9/24", "10.9.0.0/24"])).await?.expect_error(400)?;
    assert_eq!(kind, "AddressesAlreadyExist");
    assert_eq!(message, format!("Addresses ['10.0.0.0/24'] already exist in the address group {id}."));
    let (kind, message) = put(&alice, "remove", json!(["10.9.0.0/24"])).await?.expect_error(404)?;
    assert_eq!(kind, "AddressesNotFound");
    assert_eq!(message, format!("Addresses ['10.9.0.0/24'] not found in the address group {id}."));
    let removed = put(&alice, "remove", json!(["10.0.0.9/24", "10.3.0.1"])).await?.expect(200)?;
    assert_eq!(removed["address_group"]["addresses"], json!(["10.1.0.0/24"]));
    assert_eq!(put(&alice, "add", json!(["x"])).await?.expect_error(400)?.1, "invalid IPNetwork x");
    let same = put(&alice, "add", json!([])).await?.expect(200)?;
    assert_eq!(same["address_group"]["revision_number"], removed["address_group"]["revision_number"]);
    for wrong in
        [json!({}), json!({"foo": 1}), json!({"addresses": "10.0.0.0/8"}), json!({"addresses": null})]
    {
        assert_eq!(alice.put(&format!("{GROUPS}/{id}/add_addresses"), &wrong).await?.status, 400, "{wrong}");
    }
    assert_eq!(put(&bob, "add", json!(["10.7.0.0/24"])).await?.expect_error(404)?.0, "AddressGroupNotFound");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_at_once_each_adds_its_own() -> Result {
    let Some(server) = world::postgres().await? else { return Ok(()) };
    let alice = server.client().member_of(ALICE)?;
    let id = text(&group(&alice, json!([])).await?, "/id")?;
    let mut adding = JoinSet::new();
    for number in 0..16 {
        let (alice, path) = (alice.clone(), format!("{GROUPS}/{id}/add_addresses"));
        adding.spawn(async move {
            alice.put(&path, &json!({"addresses": [format!("10.{number}.0.0/16")]})).await?.expect(200)
        });
    }
    while let Some(added) = adding.join_next().await {
        added.unwrap()?;
    }
    let shown = alice.get(&format!("{GROUPS}/{id}")).await?.expect(200)?;
    assert_eq!(shown["address_group"]["addresses"].as_array().map(Vec::len), Some(16));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_rules_name_stays() -> Result {
    let (_server, alice, _) = world().await?;
    let id = text(&group(&alice, json!(["10.0.0.0/24"])).await?, "/id")?;
    let own = format!("{GROUPS}/{id}");
    let rules = used(&alice, &id).await?;
    let (kind, message) = alice.delete(&own).await?.expect_error(409)?;
    assert_eq!(kind, "AddressGroupInUse");
    assert_eq!(message, format!("Address group {id} is in use on one or more security group rules."));
    alice.delete(&format!("/v2.0/security-groups/{rules}")).await?.expect(204)?;
    alice.delete(&own).await?.expect(204)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_group_can_be_named_by_rules_of_others() -> Result {
    let (_server, alice, bob) = world().await?;
    let id = text(&group(&alice, json!(["10.0.0.0/24"])).await?, "/id")?;
    let own = format!("{GROUPS}/{id}");
    bob.get(&own).await?.expect_error(404)?;
    let other = create(&bob, "network", json!({"name": "b"})).await?;
    assert_eq!(other["project_id"], BOB);
    let default = text(&list(&bob, "/v2.0/security_groups?name=default").await?[0], "/id")?;
    let rule = json!({"security_group_rule": {"security_group_id": default, "direction": "ingress",
        "remote_address_group_id": id}});
    let refused = bob.post("/v2.0/security-group-rules", &rule).await?.expect_error(404)?;
    assert_eq!(
        refused,
        ("AddressGroupNotFound".to_owned(), format!("Address group {id} could not be found."))
    );

    let policy = json!({"rbac_policy": {"object_type": "address_group", "object_id": id,
        "action": "access_as_shared", "target_tenant": BOB}});
    let policy = text(&alice.post("/v2.0/rbac-policies", &policy).await?.expect(201)?, "/rbac_policy/id")?;
    assert_eq!(bob.get(&own).await?.expect(200)?["address_group"]["addresses"], json!(["10.0.0.0/24"]));
    let change = bob.put(&format!("{own}/add_addresses"), &json!({"addresses": ["10.9.0.0/24"]})).await?;
    assert_eq!(change.expect_error(403)?.0, "PolicyNotAuthorized");
    let rules = used(&bob, &id).await?;
    let policy = format!("/v2.0/rbac-policies/{policy}");
    let (kind, message) = alice.delete(&policy).await?.expect_error(409)?;
    assert_eq!(kind, "RbacPolicyInUse");
    assert!(message.contains(&id) && message.contains(BOB), "{message}");
    bob.delete(&format!("/v2.0/security-groups/{rules}")).await?.expect(204)?;
    alice.delete(&policy).await?.expect(204)?;
    bob.get(&own).await?.expect_error(404)?;
    let nobody = json!({"rbac_policy": {"object_type": "address_group", "object_id": NOBODY,
        "action": "access_as_shared", "target_tenant": BOB}});
    assert_eq!(alice.post("/v2.0/rbac-policies", &nobody).await?.status, 404);
    Ok(())
}
