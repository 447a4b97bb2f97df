//! Address scopes, and the networks that are in them.

use hadron_networking_tests::world::{self, create, list, network, text};
use hadron_sdk_testing::{Client, Result};
use serde_json::{Value, json};

const OTHERS: &str = "4fb4dec05f47409fa688e15287ac626a";
const PATH: &str = "/v2.0/address-scopes";

/// A scope; its id.
async fn scope(client: &Client, more: Value) -> Result<String> {
    let mut scope = json!({"name": "scope", "ip_version": 4});
    scope.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = client.post(PATH, &json!({ "address_scope": scope })).await?.expect(201)?;
    text(&made, "/address_scope/id")
}

fn pool(prefix: &str, scope: &str) -> Value {
    json!({"name": "pool", "prefixes": [prefix], "default_prefixlen": if prefix.contains(':') { 64 } else { 24 },
        "address_scope_id": scope})
}

async fn pool_in(client: &Client, prefix: &str, scope: &str) -> Result<String> {
    text(&create(client, "subnetpool", pool(prefix, scope)).await?, "/id")
}

async fn refused(client: &Client, status: u16, member: &str, document: Value) -> Result<(String, String)> {
    client.post(&format!("/v2.0/{member}s"), &json!({ member: document })).await?.expect_error(status)
}

/// The scopes that a network is in, of both families.
async fn scopes_of(client: &Client, network: &str) -> Result<(Value, Value)> {
    let shown = client.get(&format!("/v2.0/networks/{network}")).await?.expect(200)?;
    let of = |name: &str| shown["network"][name].clone();
    Ok((of("ipv4_address_scope"), of("ipv6_address_scope")))
}

fn subnet(network: &str, pool: &str) -> Value {
    json!({"network_id": network, "ip_version": 4, "subnetpool_id": pool})
}

#[tokio::test(flavor = "multi_thread")]
async fn scopes_are_made_shown_changed_and_deleted() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let id = scope(&client, json!({"ip_version": "4"})).await?;
    let one = format!("{PATH}/{id}");
    let shown = client.get(&one).await?.expect(200)?["address_scope"].clone();
    let project = shown["project_id"].clone();
    assert_eq!(
        shown,
        json!({"id": id, "name": "scope", "project_id": project, "tenant_id": project, "ip_version": 4,
            "shared": false})
    );
    let changed = client.put(&one, &json!({"address_scope": {"name": "t"}})).await?.expect(200)?;
    assert_eq!(changed["address_scope"]["name"], "t");
    for (change, says) in [
        (json!({"ip_version": 6}), "Cannot update read-only attribute ip_version"),
        (json!({"description": "d"}), "Unrecognized attribute(s) 'description'"),
        (json!({"name": null}), "Invalid input for name. Reason: 'None' is not a valid string."),
    ] {
        assert_eq!(client.put(&one, &json!({ "address_scope": change })).await?.expect_error(400)?.1, says);
    }
    for (given, says) in [
        (json!({"name": "x"}), "Failed to parse request. Required attribute 'ip_version' not specified"),
        (json!({"ip_version": 5}), "Invalid input for ip_version. Reason: 5 is not in valid_values."),
        (json!({"ip_version": null}), "Invalid input for operation: 'None' is not an integer."),
    ] {
        assert_eq!(client.post(PATH, &json!({ "address_scope": given })).await?.expect_error(400)?.1, says);
    }
    let listed = client.get(&format!("{PATH}?ip_version=4&name=t")).await?.expect(200)?;
    assert_eq!(listed["address_scopes"].as_array().unwrap().len(), 1);
    client.delete(&one).await?.expect(204)?;
    let (kind, message) = client.get(&one).await?.expect_error(404)?;
    assert_eq!(
        (kind.as_str(), message),
        ("AddressScopeNotFound", format!("Address scope {id} could not be found."))
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn prefixes_in_a_scope_do_not_overlap() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let id = scope(&client, json!({})).await?;
    let first = pool_in(&client, "10.40.0.0/16", &id).await?;
    let (kind, message) = refused(&client, 409, "subnetpool", pool("10.40.9.0/24", &id)).await?;
    assert_eq!(kind, "AddressScopePrefixConflict");
    assert_eq!(
        message,
        "Failed to associate address scope: subnetpools within an address scope must have unique prefixes."
    );
    let (kind, message) = refused(&client, 400, "subnetpool", pool("fd00::/48", &id)).await?;
    assert_eq!(kind, "IllegalSubnetPoolIpVersionAssociationToAddressScope");
    assert!(message.ends_with("because subnetpool ip_version is not 4."), "{message}");
    let second = pool_in(&client, "10.41.0.0/16", &id).await?;
    let path = format!("/v2.0/subnetpools/{second}");
    let wider = json!({"subnetpool": {"prefixes": ["10.40.0.0/15"]}});
    assert_eq!(client.put(&path, &wider).await?.expect_error(409)?.0, "AddressScopePrefixConflict");
    let more = json!({"prefixes": ["10.40.128.0/24"]});
    let add = format!("{path}/add_prefixes");
    assert_eq!(client.put(&add, &more).await?.expect_error(409)?.0, "AddressScopePrefixConflict");
    // Outside of the scope they may.
    client.put(&path, &json!({"subnetpool": {"address_scope_id": null}})).await?.expect(200)?;
    client.put(&path, &wider).await?.expect(200)?;
    let back = json!({"subnetpool": { "address_scope_id": id }});
    assert_eq!(client.put(&path, &back).await?.expect_error(409)?.0, "AddressScopePrefixConflict");
    let (kind, message) = client.delete(&format!("{PATH}/{id}")).await?.expect_error(409)?;
    assert_eq!(kind, "AddressScopeInUse");
    assert_eq!(
        message,
        format!(
            "Unable to complete operation on address scope {id}. There are one or more subnet pools in use on the address scope."
        )
    );
    client.delete(&format!("/v2.0/subnetpools/{first}")).await?.expect(204)?;
    client.delete(&format!("{PATH}/{id}")).await?.expect(204)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_is_in_the_scope_of_its_subnets_pools() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let (id, other) = (scope(&client, json!({})).await?, scope(&client, json!({})).await?);
    let one = pool_in(&client, "10.40.0.0/16", &id).await?;
    let two = pool_in(&client, "10.41.0.0/16", &id).await?;
    let elsewhere = pool_in(&client, "10.42.0.0/16", &other).await?;
    let blue = network(&client, "blue").await?;
    assert_eq!(scopes_of(&client, &blue).await?, (Value::Null, Value::Null));
    let made = create(&client, "subnet", subnet(&blue, &one)).await?;
    assert_eq!(scopes_of(&client, &blue).await?, (json!(id), Value::Null));
    // Another pool of the same scope will do.
    let second = create(&client, "subnet", subnet(&blue, &two)).await?;
    let (kind, message) = refused(&client, 400, "subnet", subnet(&blue, &elsewhere)).await?;
    assert_eq!(kind, "NetworkAddressScopeAffinityError");
    assert_eq!(
        message,
        "Subnets of the same address family hosted on the same network must all participate in the same address scope."
    );
    // A pool does not take half of a network's subnets to another scope.
    let path = format!("/v2.0/subnetpools/{one}");
    let moved = json!({"subnetpool": { "address_scope_id": other }});
    assert_eq!(client.put(&path, &moved).await?.expect_error(400)?.0, kind);
    client.delete(&format!("/v2.0/subnets/{}", text(&second, "/id")?)).await?.expect(204)?;
    assert_eq!(scopes_of(&client, &blue).await?.0, json!(id));
    client.put(&path, &moved).await?.expect(200)?;
    assert_eq!(scopes_of(&client, &blue).await?.0, json!(other));
    client.put(&path, &json!({"subnetpool": {"address_scope_id": null}})).await?.expect(200)?;
    assert_eq!(scopes_of(&client, &blue).await?.0, Value::Null);
    client.put(&path, &json!({"subnetpool": { "address_scope_id": id }})).await?.expect(200)?;
    client.delete(&format!("/v2.0/subnets/{}", text(&made, "/id")?)).await?.expect(204)?;
    assert_eq!(scopes_of(&client, &blue).await?, (Value::Null, Value::Null));

    // Subnets that join a pool bring their network into its scope.
    world::subnet(&client, &blue, "10.77.0.0/24").await?;
    client
        .put(&format!("{path}/onboard_network_subnets"), &json!({ "network_id": blue }))
        .await?
        .expect(200)?;
    assert_eq!(scopes_of(&client, &blue).await?.0, json!(id));
    let six = scope(&client, json!({"ip_version": 6})).await?;
    let pool = pool_in(&client, "fd77::/48", &six).await?;
    create(&client, "subnet", json!({"network_id": blue, "ip_version": 6, "subnetpool_id": pool})).await?;
    assert_eq!(scopes_of(&client, &blue).await?, (json!(id), json!(six)));
    client.delete(&format!("/v2.0/networks/{blue}")).await?.expect(204)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn scopes_are_shared_and_never_taken_back() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let other = client.clone().member_of(OTHERS)?;
    let id = scope(&client, json!({})).await?;
    let one = format!("{PATH}/{id}");
    other.get(&one).await?.expect_error(404)?;
    assert_eq!(
        refused(&other, 404, "subnetpool", pool("10.41.0.0/16", &id)).await?.0,
        "AddressScopeNotFound"
    );
    let forbidden = json!({"address_scope": {"name": "s", "ip_version": 4, "shared": true}});
    let (_, message) = other.post(PATH, &forbidden).await?.expect_error(403)?;
    assert_eq!(
        message,
        "(rule:create_address_scope and rule:create_address_scope:shared) is disallowed by policy"
    );
    // A pool is shared only with those who see its scope.
    let mine = pool_in(&client, "10.40.0.0/16", &id).await?;
    let policy = |kind: &str, object: &str| {
        json!({"rbac_policy": {"object_type": kind, "object_id": object, "action": "access_as_shared",
            "target_tenant": OTHERS}})
    };
    let (_, message) =
        client.post("/v2.0/rbac-policies", &policy("subnetpool", &mine)).await?.expect_error(400)?;
    assert!(message.contains("target project doesn't have access to associated address scope."), "{message}");
    let made = client.post("/v2.0/rbac-policies", &policy("address_scope", &id)).await?.expect(201)?;
    let entry = format!("/v2.0/rbac-policies/{}", text(&made, "/rbac_policy/id")?);
    client.post("/v2.0/rbac-policies", &policy("subnetpool", &mine)).await?.expect(201)?;
    let theirs = pool_in(&other, "10.41.0.0/16", &id).await?;
    assert_eq!(client.delete(&entry).await?.expect_error(409)?.0, "RbacPolicyInUse");
    // What is in another project's scope is that project's to change.
    let path = format!("/v2.0/subnetpools/{theirs}");
    for change in [json!({"name": "x"}), json!({"address_scope_id": null})] {
        let (kind, message) = other.put(&path, &json!({ "subnetpool": change })).await?.expect_error(400)?;
        assert_eq!(kind, "IllegalSubnetPoolUpdate");
        assert_eq!(
            message,
            format!(
                "Illegal subnetpool update : subnetpool {theirs} cannot be updated when associated with shared address scope {id}."
            )
        );
    }
    let share = |shared: bool| json!({"address_scope": { "shared": shared }});
    client.put(&one, &share(true)).await?.expect(200)?;
    assert_eq!(other.get(&one).await?.expect(200)?["address_scope"]["shared"], true);
    let (kind, message) = client.put(&one, &share(false)).await?.expect_error(400)?;
    assert_eq!(kind, "AddressScopeUpdateError");
    assert_eq!(
        message,
        format!("Unable to update address scope {id} : Shared address scope can't be unshared.")
    );
    assert_eq!(list(&client, "/v2.0/subnetpools").await?.len(), 2);
    Ok(())
}
