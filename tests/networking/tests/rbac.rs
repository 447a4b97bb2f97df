//! RBAC policies: what every type of objects that can be shared has in common.
//! What sharing one means is with its own tests.

use hadron_networking_tests::world::{self, text};
use hadron_sdk_testing::{Client, Result, Server};
use serde_json::{Value, json};

const ALICE: &str = "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1";
const BOB: &str = "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0";
const CAROL: &str = "ca01ca01ca01ca01ca01ca01ca01ca01";
const NOBODY: &str = "8f2f0f5e-0a0a-4d6e-9a64-3a2c0d2d6c11";

const POLICIES: &str = "/v2.0/rbac-policies";

/// An object of each type: the type, its URL, what bodies call it, what it needs.
fn types() -> [(&'static str, &'static str, &'static str, Value); 6] {
    [
        ("network", "/v2.0/networks", "network", json!({})),
        ("qos_policy", "/v2.0/qos/policies", "policy", json!({})),
        ("security_group", "/v2.0/security-groups", "security_group", json!({})),
        ("address_scope", "/v2.0/address-scopes", "address_scope", json!({"ip_version": 4})),
        ("subnetpool", "/v2.0/subnetpools", "subnetpool", json!({"prefixes": ["10.0.0.0/16"]})),
        ("address_group", "/v2.0/address-groups", "address_group", json!({"addresses": ["10.0.0.0/24"]})),
    ]
}

async fn world() -> Result<(Server, Client, Client)> {
    let server = world::sqlite().await?;
    let (alice, bob) = (server.client().member_of(ALICE)?, server.client().member_of(BOB)?);
    Ok((server, alice, bob))
}

/// An object of Alice's; its id.
async fn object(admin: &Client, path: &str, member: &str, needs: &Value) -> Result<String> {
    let mut document = json!({"name": "hers", "project_id": ALICE});
    document.as_object_mut().unwrap().extend(needs.as_object().unwrap().clone());
    let made = admin.post(path, &json!({ member: document })).await?.expect(201)?;
    text(&made[member], "/id")
}

fn policy(kind: &str, id: &str, target: &str) -> Value {
    json!({"rbac_policy": {"object_type": kind, "object_id": id, "action": "access_as_shared",
        "target_tenant": target}})
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_every_type_are_seen_by_the_target_and_nobody_else() -> Result {
    let (server, alice, bob) = world().await?;
    let (admin, carol) = (server.client(), server.client().member_of(CAROL)?);
    for (kind, path, member, needs) in types() {
        let id = object(&admin, path, member, &needs).await?;
        let own = format!("{path}/{id}");
        bob.get(&own).await?.expect_error(404)?;
        let made = alice.post(POLICIES, &policy(kind, &id, BOB)).await?.expect(201)?["rbac_policy"].clone();
        assert_eq!(
            made,
            json!({"id": made["id"], "project_id": ALICE, "tenant_id": ALICE, "object_type": kind,
                "object_id": id, "action": "access_as_shared", "target_tenant": BOB})
        );
        let seen = bob.get(&own).await?.expect(200)?;
        assert_eq!(seen[member]["project_id"], ALICE, "{kind}");
        assert!(bob.delete(&own).await?.status >= 400, "{kind}");
        carol.get(&own).await?.expect_error(404)?;

        // It moves to another project.
        let entry = format!("{POLICIES}/{}", text(&made, "/id")?);
        let moved = json!({"rbac_policy": {"target_tenant": CAROL}});
        alice.put(&entry, &moved).await?.expect(200)?;
        bob.get(&own).await?.expect_error(404)?;
        carol.get(&own).await?.expect(200)?;
        let found = alice.get(&format!("{POLICIES}?object_type={kind}&target_tenant={CAROL}")).await?;
        assert_eq!(found.expect(200)?["rbac_policies"][0]["object_id"], json!(id));
        assert!(bob.get(&entry).await?.status == 404 && bob.delete(&entry).await?.status == 404);
        if kind == "address_scope" {
            // A scope is not taken back.
            continue;
        }
        alice.delete(&entry).await?.expect(204)?;
        carol.get(&own).await?.expect_error(404)?;
        alice.get(&entry).await?.expect_error(404)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_for_every_type() -> Result {
    let (server, alice, bob) = world().await?;
    let admin = server.client();
    for (kind, path, member, needs) in types() {
        let id = object(&admin, path, member, &needs).await?;
        let ask = async |client: &Client, more: Value, status: u16| {
            let mut body = policy(kind, &id, BOB);
            body["rbac_policy"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            client.post(POLICIES, &body).await?.expect_error(status)
        };
        let (class, message) = ask(&alice, json!({"action": "access_as_owned"}), 400).await?;
        assert_eq!(class, "InvalidActionForType");
        assert!(
            message.starts_with(&format!("Invalid action 'access_as_owned' for object type '{kind}'.")),
            "{message}"
        );
        if kind != "network" {
            let (_, message) = ask(&alice, json!({"action": "access_as_external"}), 400).await?;
            assert!(message.ends_with("Valid actions: ('access_as_shared',)"), "{message}");
        }
        for (more, status) in [
            (json!({"object_type": format!("{kind}s")}), 400),
            (json!({"object_type": null}), 400),
            (json!({"object_id": "x"}), 400),
            (json!({"target_tenant": "bob"}), 400),
            (json!({"target_tenant": null}), 400),
            (json!({"target_tenant": "*"}), 403),
            (json!({"shared": true}), 400),
        ] {
            ask(&alice, more, status).await?;
        }
        let missing = alice.post(POLICIES, &policy(kind, NOBODY, BOB)).await?;
        assert!([400, 404].contains(&missing.status) && missing.body.to_string().contains(NOBODY), "{kind}");
        let (class, message) = ask(&bob, json!({}), 400).await?;
        assert_eq!(class, "InvalidInput");
        assert!(message.contains("Only admins can manipulate policies on"), "{message}");
        assert!(message.contains("they do not own"), "{message}");

        let made = alice.post(POLICIES, &policy(kind, &id, BOB)).await?.expect(201)?;
        let twice = ask(&admin, json!({}), 409).await?;
        assert_eq!(
            twice,
            ("DuplicateRbacPolicy".to_owned(), "An RBAC policy already exists with those values.".to_owned())
        );
        let entry = format!("{POLICIES}/{}", text(&made, "/rbac_policy/id")?);
        for change in [json!({"object_id": NOBODY}), json!({"action": "access_as_external"})] {
            alice.put(&entry, &json!({ "rbac_policy": change })).await?.expect_error(400)?;
        }
        let everybody = json!({"rbac_policy": {"target_tenant": "*"}});
        alice.put(&entry, &everybody).await?.expect_error(403)?;
        let kept = admin.get(&format!("{POLICIES}?object_id={id}")).await?.expect(200)?;
        assert_eq!(kept["rbac_policies"].as_array().map(Vec::len), Some(1));
        assert_eq!(kept["rbac_policies"][0]["target_tenant"], BOB, "{kind}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_objects_policies_go_with_it() -> Result {
    let (server, alice, _) = world().await?;
    for (kind, path, member, needs) in types() {
        let id = object(&server.client(), path, member, &needs).await?;
        alice.post(POLICIES, &policy(kind, &id, BOB)).await?.expect(201)?;
        server.client().delete(&format!("{path}/{id}")).await?.expect(204)?;
        let left = server.client().get(&format!("{POLICIES}?object_id={id}")).await?.expect(200)?;
        assert_eq!(left["rbac_policies"], json!([]), "{kind}");
    }
    Ok(())
}
