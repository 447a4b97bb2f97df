//! RBAC policies: networks that are shared with one project or with all, and
//! what those see and may do.

use hadron_api_tests::world::{create, list, network, sqlite, subnet, text};
use hadron_sdk_testing::{Client, Result, Server};
use serde_json::{Value, json};

const ALICE: &str = "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1";
const BOB: &str = "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0";
const CAROL: &str = "ca01ca01ca01ca01ca01ca01ca01ca01";

const POLICIES: &str = "/v2.0/rbac-policies";

async fn policy(client: &Client, network: &str, target: &str) -> Result<Value> {
    let document = json!({"object_type": "network", "object_id": network, "action": "access_as_shared",
        "target_tenant": target});
    let body = client.post(POLICIES, &json!({"rbac_policy": document})).await?.expect(201)?;
    Ok(body["rbac_policy"].clone())
}

async fn remove(client: &Client, policy: &Value) -> Result<hadron_sdk_testing::Answer> {
    client.delete(&format!("{POLICIES}/{}", text(policy, "/id")?)).await
}

fn ids(rows: &[Value]) -> Vec<&str> {
    rows.iter().filter_map(|row| row["id"].as_str()).collect()
}

/// Alice, Bob and Carol, each a member of a project of their own.
fn members(server: &Server) -> Result<[Client; 3]> {
    let [a, b, c] = [ALICE, BOB, CAROL].map(|project| server.client().member_of(project));
    Ok([a?, b?, c?])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_looks_as_neutrons_do_and_can_be_filtered_changed_and_removed() -> Result {
    let server = sqlite().await?;
    let [alice, bob, _] = members(&server)?;
    let net = network(&alice, "a").await?;
    let made = policy(&alice, &net, BOB).await?;
    let id = text(&made, "/id")?;
    assert_eq!(
        made,
        json!({"id": id, "project_id": ALICE, "tenant_id": ALICE, "object_type": "network", "object_id": net,
            "action": "access_as_shared", "target_tenant": BOB})
    );
    let path = format!("{POLICIES}/{id}");
    assert_eq!(alice.get(&path).await?.expect(200)?["rbac_policy"], made);
    let found =
        alice.get(&format!("{POLICIES}?target_tenant={BOB}&object_type=network")).await?.expect(200)?;
    assert_eq!(found["rbac_policies"], json!([made]));
    let none = alice.get(&format!("{POLICIES}?target_tenant={CAROL}")).await?.expect(200)?;
    assert_eq!(none["rbac_policies"], json!([]));

    // It is its owner's, not its target's.
    let (kind, message) = bob.get(&path).await?.expect_error(404)?;
    assert_eq!(kind, "RbacPolicyNotFound");
    assert_eq!(message, format!("RBAC policy of type unknown with ID {id} not found"));
    bob.delete(&path).await?.expect_error(404)?;

    let change = json!({"rbac_policy": {"target_tenant": CAROL}});
    let changed = alice.put(&path, &change).await?.expect(200)?;
    assert_eq!(changed["rbac_policy"]["target_tenant"], CAROL);
    let fixed = alice.put(&path, &json!({"rbac_policy": {"object_id": net}})).await?;
    assert_eq!(fixed.expect_error(400)?.1, "Cannot update read-only attribute object_id");
    alice.delete(&path).await?.expect(204)?;
    alice.get(&path).await?.expect_error(404)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_in_neutrons_words() -> Result {
    let server = sqlite().await?;
    let [alice, bob, _] = members(&server)?;
    let net = network(&alice, "a").await?;
    policy(&alice, &net, BOB).await?;
    let ask = async |client: &Client, change: Value| {
        let mut document = json!({"object_type": "network", "object_id": net, "action": "access_as_shared",
            "target_tenant": CAROL});
        for (name, value) in change.as_object().unwrap() {
            document[name] = value.clone();
        }
        client.post(POLICIES, &json!({"rbac_policy": document})).await
    };
    for (change, status, kind, message) in [
        (
            json!({"target_tenant": BOB}),
            409,
            "DuplicateRbacPolicy",
            "An RBAC policy already exists with those values.",
        ),
        (
            json!({"object_type": "nosuch"}),
            400,
            "InvalidInput",
            "Invalid input for operation: 'nosuch' is not a valid RBAC object type.",
        ),
        (
            json!({"target_tenant": "demo"}),
            400,
            "InvalidInput",
            "Invalid input for operation: 'demo' is not a valid target project ID; expected a UUID or '*'.",
        ),
        (
            json!({"action": "access_as_owned"}),
            400,
            "InvalidActionForType",
            "Invalid action 'access_as_owned' for object type 'network'. Valid actions: ('access_as_shared', 'access_as_external')",
        ),
        (
            json!({"target_tenant": "*"}),
            403,
            "PolicyNotAuthorized",
            "(rule:create_rbac_policy and rule:create_rbac_policy:target_tenant) is disallowed by policy",
        ),
        (
            json!({"object_id": ALICE}),
            400,
            "InvalidInput",
            "Invalid input for operation: Network a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1 could not be found.",
        ),
    ] {
        let (got, said) = ask(&alice, change.clone()).await?.expect_error(status)?;
        assert_eq!((got.as_str(), said.as_str()), (kind, message), "{change}");
    }
    let (_, message) = ask(&bob, json!({})).await?.expect_error(400)?;
    assert_eq!(
        message,
        "Invalid input for operation: Only admins can manipulate policies on networks they do not own."
    );
    assert_eq!(list_policies(&server.client()).await?.len(), 1, "nothing was changed by what was refused");
    Ok(())
}

async fn list_policies(client: &Client) -> Result<Vec<Value>> {
    let body = client.get(POLICIES).await?.expect(200)?;
    Ok(body["rbac_policies"].as_array().cloned().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_sees_the_network_and_its_subnets_and_makes_ports_on_it() -> Result {
    let server = sqlite().await?;
    let [alice, bob, carol] = members(&server)?;
    let net = network(&alice, "a").await?;
    let sub = subnet(&alice, &net, "10.0.0.0/24").await?;
    let path = format!("/v2.0/networks/{net}");
    bob.get(&path).await?.expect_error(404)?;
    let refused = bob.post("/v2.0/ports", &json!({"port": {"network_id": net}})).await?;
    assert_eq!(refused.status, 403, "{}", refused.body);
    let shared = policy(&alice, &net, BOB).await?;

    assert_eq!(bob.get(&path).await?.expect(200)?["network"]["shared"], true);
    assert_eq!(alice.get(&path).await?.expect(200)?["network"]["shared"], false);
    assert_eq!(server.client().get(&path).await?.expect(200)?["network"]["shared"], false);
    carol.get(&path).await?.expect_error(404)?;
    assert_eq!(ids(&list(&bob, "/v2.0/networks").await?), [net.as_str()]);
    assert_eq!(ids(&list(&bob, "/v2.0/networks?shared=true").await?), [net.as_str()]);
    assert!(list(&bob, "/v2.0/networks?shared=false").await?.is_empty());
    assert!(list(&alice, "/v2.0/networks?shared=true").await?.is_empty());
    assert_eq!(ids(&list(&alice, "/v2.0/networks?shared=False").await?), [net.as_str()]);
    assert!(list(&carol, "/v2.0/networks").await?.is_empty());
    assert_eq!(bob.get(&format!("/v2.0/subnets/{sub}")).await?.expect(200)?["subnet"]["id"], sub.as_str());
    carol.get(&format!("/v2.0/subnets/{sub}")).await?.expect_error(404)?;
    assert_eq!(ids(&list(&bob, "/v2.0/subnets").await?), [sub.as_str()]);
    assert!(list(&carol, "/v2.0/subnets").await?.is_empty());

    let change = json!({"network": {"name": "mine"}});
    bob.put(&path, &change).await?.expect_error(403)?;
    bob.delete(&path).await?.expect_error(403)?;
    let port = create(&bob, "port", json!({"network_id": net})).await?;
    assert_eq!(port["project_id"], BOB);
    let (kind, message) = remove(&alice, &shared).await?.expect_error(409)?;
    assert_eq!(kind, "RbacPolicyInUse");
    assert_eq!(
        message,
        format!(
            "RBAC policy on object {net} cannot be removed because other objects depend on it.\nDetails: Unable to \
             reconfigure sharing settings for network {net}. Multiple projects are using it."
        )
    );
    let away = json!({"rbac_policy": {"target_tenant": CAROL}});
    alice.put(&format!("{POLICIES}/{}", text(&shared, "/id")?), &away).await?.expect_error(409)?;
    // Another policy covers for it.
    let all = policy(&server.client(), &net, "*").await?;
    remove(&alice, &shared).await?.expect(204)?;
    remove(&server.client(), &all).await?.expect_error(409)?;
    bob.delete(&format!("/v2.0/ports/{}", text(&port, "/id")?)).await?.expect(204)?;
    remove(&server.client(), &all).await?.expect(204)?;
    bob.get(&path).await?.expect_error(404)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn shared_is_a_policy_for_every_project() -> Result {
    let server = sqlite().await?;
    let admin = server.client();
    let [alice, bob, _] = members(&server)?;
    let forbidden = alice.post("/v2.0/networks", &json!({"network": {"shared": true}})).await?;
    let (_, message) = forbidden.expect_error(403)?;
    assert_eq!(message, "(rule:create_network and rule:create_network:shared) is disallowed by policy");
    let bodies = json!({"networks": [{"name": "x", "shared": true, "project_id": ALICE}, {"name": "y"}]});
    let made = admin.post("/v2.0/networks", &bodies).await?.expect(201)?;
    assert_eq!(
        (&made["networks"][0]["shared"], &made["networks"][1]["shared"]),
        (&json!(true), &json!(false))
    );
    let (shared, other) = (text(&made, "/networks/0/id")?, text(&made, "/networks/1/id")?);
    let policies = list_policies(&admin).await?;
    assert_eq!(policies.len(), 1);
    assert_eq!(
        (&policies[0]["object_id"], &policies[0]["project_id"], &policies[0]["target_tenant"]),
        (&json!(shared), &json!(ALICE), &json!("*"))
    );
    assert_eq!(ids(&list(&bob, "/v2.0/networks").await?), [shared.as_str()]);

    let set = async |id: &str, shared: bool| {
        admin.put(&format!("/v2.0/networks/{id}"), &json!({"network": {"shared": shared}})).await
    };
    assert_eq!(set(&other, true).await?.expect(200)?["network"]["shared"], true);
    assert_eq!(set(&other, true).await?.expect(200)?["network"]["shared"], true);
    assert_eq!(list_policies(&admin).await?.len(), 2);
    assert_eq!(list(&bob, "/v2.0/networks").await?.len(), 2);
    let port = create(&bob, "port", json!({"network_id": other})).await?;
    let (kind, message) = set(&other, false).await?.expect_error(409)?;
    assert_eq!(kind, "InvalidSharedSetting");
    assert_eq!(
        message,
        "Unable to reconfigure sharing settings for network y. Multiple projects are using it."
    );
    // Bob's own access is enough.
    let own = policy(&admin, &other, BOB).await?;
    assert_eq!(set(&other, false).await?.expect(200)?["network"]["shared"], false);
    remove(&admin, &own).await?.expect_error(409)?;
    bob.delete(&format!("/v2.0/ports/{}", text(&port, "/id")?)).await?.expect(204)?;

    // Policies go with their networks.
    for id in [&shared, &other] {
        admin.delete(&format!("/v2.0/networks/{id}")).await?.expect(204)?;
    }
    assert!(list_policies(&admin).await?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_plugin_nothing_can_be_shared() -> Result {
    let server = hadron_api_tests::world::builder().service_plugins(&[]).start().await?;
    let client = server.client();
    assert_eq!(create(&client, "network", json!({"name": "a"})).await?["shared"], false);
    let (_, message) =
        client.post("/v2.0/networks", &json!({"network": {"shared": true}})).await?.expect_error(400)?;
    assert_eq!(message, "nothing can be shared while no plugin is loaded that holds RBAC policies");
    assert_eq!(list(&client, "/v2.0/networks").await?.len(), 1);
    assert_eq!(client.get(POLICIES).await?.status, 404);
    Ok(())
}
