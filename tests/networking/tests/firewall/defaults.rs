//! The group that every project has from the first.

use super::{create, list, made, path, put, refused, server, show};
use hadron_sdk_testing::{Client, Result};
use serde_json::{Value, json};

async fn default_group(client: &Client) -> Result<Value> {
    let mut found = list(client, "group", "?name=default").await?;
    assert_eq!(found.len(), 1);
    Ok(found.remove(0))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_has_a_group_that_lets_everything_out_and_nothing_in() -> Result {
    let server = server().await?;
    let client = server.client().member_of("p1")?;
    let group = default_group(&client).await?;
    assert_eq!(
        (&group["description"], &group["status"], &group["admin_state_up"], &group["ports"]),
        (&json!("Default firewall group"), &json!("INACTIVE"), &json!(true), &json!([]))
    );
    for (direction, action) in [("ingress", "deny"), ("egress", "allow")] {
        let id = group[format!("{direction}_firewall_policy_id")].as_str().unwrap();
        let policy = show(&client, "policy", id).await?;
        assert_eq!(
            (&policy["name"], &policy["audited"], &policy["shared"]),
            (&json!(format!("default {direction}")), &json!(false), &json!(false))
        );
        let rules = policy["firewall_rules"].as_array().unwrap();
        assert_eq!(rules.len(), 2);
        for (rule, version) in rules.iter().zip([4, 6]) {
            let rule = show(&client, "rule", rule.as_str().unwrap()).await?;
            assert_eq!(
                (&rule["name"], &rule["ip_version"], &rule["action"], &rule["protocol"]),
                (
                    &json!(format!("default {direction} ipv{version}")),
                    &json!(version),
                    &json!(action),
                    &Value::Null
                )
            );
        }
    }
    assert_eq!(list(&client, "rule", "").await?.len(), 4);
    assert_eq!(list(&client, "policy", "").await?.len(), 2);
    assert_eq!(list(&client, "group", "").await?.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_project_lists_first_it_has_its_group() -> Result {
    let server = server().await?;
    let admin = server.client();
    for (number, member) in ["policy", "rule"].into_iter().enumerate() {
        let client = server.client().member_of(&format!("of-{number}"))?;
        assert!(!list(&client, member, "").await?.is_empty());
    }
    // Making a group makes the default one too, and an administrator who asks for a
    // project's groups finds it.
    let client = server.client().member_of("made")?;
    create(&client, "group", json!({"name": "g"})).await?;
    assert_eq!(list(&admin, "group", "?project_id=made").await?.len(), 2);
    assert_eq!(list(&admin, "group", "?project_id=asked").await?.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_project_has_from_the_first_is_not_its_to_change() -> Result {
    let server = server().await?;
    let (admin, client) = (server.client(), server.client().member_of("p1")?);
    let group = default_group(&client).await?;
    let group = super::id(&group)?;
    let policy = show(&client, "group", &group).await?["ingress_firewall_policy_id"].take();
    let policy = policy.as_str().unwrap();
    let restricted = |id: &str| {
        (
            "FirewallDefaultObjectUpdateRestricted".to_owned(),
            format!("Operation cannot be performed on default object '{id}' of type Firewall Group."),
        )
    };
    for changes in [
        json!({"name": "x"}),
        json!({"description": "x"}),
        json!({"admin_state_up": false}),
        json!({"egress_firewall_policy_id": null}),
    ] {
        let answer = put(&client, "group", &group, changes).await?;
        assert_eq!(answer.expect_error(409)?, restricted(&group));
    }
    let renamed = put(&admin, "group", &group, json!({"name": "x"})).await?;
    assert_eq!(renamed.expect_error(409)?, restricted(&group));
    put(&admin, "group", &group, json!({"description": "x"})).await?.expect(200)?;
    put(&client, "group", &group, json!({"ports": []})).await?.expect(200)?;
    let changed = put(&admin, "policy", policy, json!({"description": "x"})).await?;
    assert_eq!(changed.expect_error(409)?, restricted(policy));

    let reserved = |name: &str, what: &str| {
        (
            "FirewallDefaultParameterExists".to_owned(),
            format!("Operation cannot be performed since '{name}' is a reserved name for {what}."),
        )
    };
    let second = refused(&client, "group", json!({"name": "default"}), 409).await?;
    assert_eq!(second, reserved("default", "Firewall Group"));
    let other = made(&client, "group", json!({"name": "Default"})).await?;
    let renamed = put(&client, "group", &other, json!({"name": "default"})).await?;
    assert_eq!(renamed.expect_error(409)?, reserved("default", "Firewall Group"));
    for name in ["default ingress", "default egress"] {
        let second = refused(&client, "policy", json!({ "name": name }), 409).await?;
        assert_eq!(second, reserved(name, "Firewall Policy"));
    }

    let kept = client.delete(&path("group", &group)).await?.expect_error(409)?;
    let message = "Deleting default firewall group not allowed.".to_owned();
    assert_eq!(kept, ("FirewallGroupCannotRemoveDefault".to_owned(), message));
    // An administrator removes it with its policies; the rules stay. The project's
    // next group brings another.
    assert_eq!((list(&client, "policy", "").await?.len(), list(&client, "rule", "").await?.len()), (2, 4));
    admin.delete(&path("group", &group)).await?.expect(204)?;
    assert_eq!(list(&client, "policy", "").await?.len(), 0);
    assert_eq!(list(&client, "rule", "").await?.len(), 4);
    create(&client, "group", json!({})).await?;
    assert_ne!(super::id(&default_group(&client).await?)?, group);
    Ok(())
}
