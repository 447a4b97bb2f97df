//! Policies: their rules, in an order, and with whom they are shared.

use super::{NOBODY, create, id, list, made, path, put, refused, server, show};
use hadron_sdk_testing::{Answer, Client, Result};
use serde_json::{Value, json};
use tokio::task::JoinSet;

async fn act(client: &Client, policy: &str, action: &str, given: Value) -> Result<Answer> {
    client.put(&format!("{}/{action}", path("policy", policy)), &given).await
}

async fn rules<const N: usize>(client: &Client, shared: bool) -> Result<[String; N]> {
    let mut made = [const { String::new() }; N];
    for id in &mut made {
        *id = super::made(client, "rule", json!({ "shared": shared })).await?;
    }
    Ok(made)
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_put_into_an_order() -> Result {
    let server = server().await?;
    let client = server.client();
    let [a, b, c, d] = rules(&client, false).await?;
    let policy = create(&client, "policy", json!({"name": "p", "firewall_rules": [a]})).await?;
    assert_eq!(
        (&policy["audited"], &policy["shared"], &policy["firewall_rules"]),
        (&json!(false), &json!(false), &json!([a]))
    );
    let policy = id(&policy)?;
    put(&client, "policy", &policy, json!({"audited": true})).await?.expect(200)?;
    for (rule, place, order) in [
        (&b, json!({}), json!([b, a])),
        (&c, json!({"insert_after": b, "insert_before": ""}), json!([b, c, a])),
        (&d, json!({"insert_before": c, "insert_after": a}), json!([b, d, c, a])),
    ] {
        let mut given = place;
        given["firewall_rule_id"] = json!(rule);
        let answer = act(&client, &policy, "insert_rule", given).await?.expect(200)?;
        assert_eq!(
            (&answer["id"], &answer["firewall_rules"], &answer["audited"]),
            (&json!(policy), &order, &json!(false))
        );
    }
    let answer = act(&client, &policy, "remove_rule", json!({"firewall_rule_id": d})).await?.expect(200)?;
    assert_eq!(answer["firewall_rules"], json!([b, c, a]));
    let answer = put(&client, "policy", &policy, json!({"firewall_rules": [a, b]})).await?.expect(200)?;
    assert_eq!(answer["firewall_policy"]["firewall_rules"], json!([a, b]));
    assert_eq!(list(&client, "policy", &format!("?firewall_rules={b}")).await?.len(), 1);
    let answer = put(&client, "policy", &policy, json!({"firewall_rules": null})).await?.expect(200)?;
    assert_eq!(answer["firewall_policy"]["firewall_rules"], json!([]));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_put_or_taken_is_said_in_neutrons_words() -> Result {
    let server = server().await?;
    let client = server.client();
    let [a, b, c] = rules(&client, false).await?;
    let policy = made(&client, "policy", json!({"firewall_rules": [a]})).await?;
    let not_there =
        |rule: &str| format!("Firewall rule {rule} is not associated with firewall policy {policy}.");
    let not_found = |rule: &str| format!("Firewall rule {rule} could not be found.");
    let missing = "Missing rule info argument for insert/remove rule operation.".to_owned();
    let already = format!(
        "Operation cannot be performed since firewall rule {a} is already associated with firewall policy \
         {policy}."
    );
    let not_associated = "FirewallRuleNotAssociatedWithPolicy";
    for (action, given, status, kind, message) in [
        ("insert_rule", json!({}), 400, "FirewallRuleInfoMissing", missing.clone()),
        ("remove_rule", json!({"x": 1}), 400, "FirewallRuleInfoMissing", missing),
        ("insert_rule", json!({"firewall_rule_id": a}), 409, "FirewallRuleAlreadyAssociated", already),
        ("insert_rule", json!({"firewall_rule_id": NOBODY}), 404, "FirewallRuleNotFound", not_found(NOBODY)),
        ("remove_rule", json!({"firewall_rule_id": "x"}), 404, "FirewallRuleNotFound", not_found("x")),
        (
            "insert_rule",
            json!({"firewall_rule_id": b, "insert_after": c}),
            400,
            not_associated,
            not_there(&c),
        ),
        ("remove_rule", json!({"firewall_rule_id": b}), 400, not_associated, not_there(&b)),
    ] {
        let answer = act(&client, &policy, action, given.clone()).await?.expect_error(status)?;
        assert_eq!(answer, (kind.to_owned(), message), "{action} {given}");
    }
    let unknown = json!({"firewall_rules": [a, NOBODY]});
    assert_eq!(refused(&client, "policy", unknown.clone(), 404).await?.1, not_found(NOBODY));
    assert_eq!(put(&client, "policy", &policy, unknown).await?.expect_error(404)?.1, not_found(NOBODY));
    let twice = refused(&client, "policy", json!({"firewall_rules": [a, a]}), 400).await?.1;
    assert_eq!(
        twice,
        format!("Invalid input for firewall_rules. Reason: Duplicate items in the list: '{a}'.")
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_takes_the_audit_back_unless_it_says_otherwise() -> Result {
    let server = server().await?;
    let client = server.client();
    let policy = made(&client, "policy", json!({"audited": true})).await?;
    for (changes, audited) in [
        (json!({"name": "p"}), false),
        (json!({"audited": true, "description": "d"}), true),
        (json!({"description": "e"}), false),
    ] {
        let answer = put(&client, "policy", &policy, changes).await?.expect(200)?;
        assert_eq!(answer["firewall_policy"]["audited"], audited, "{answer}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shared_is_made_of_what_is_shared() -> Result {
    let server = server().await?;
    let (admin, member, other) =
        (server.client(), server.client().member_of("p1")?, server.client().member_of("p2")?);
    assert_eq!(refused(&member, "policy", json!({"shared": true}), 403).await?.0, "PolicyNotAuthorized");
    let [own] = rules(&admin, false).await?;
    let [shared] = rules(&admin, true).await?;

    let kind = refused(&admin, "policy", json!({"shared": true, "firewall_rules": [own]}), 404).await?.0;
    assert_eq!(kind, "FirewallRuleSharingConflict");
    let policy = made(&admin, "policy", json!({"firewall_rules": [shared, own]})).await?;
    assert_eq!(other.get(&path("policy", &policy)).await?.expect_error(404)?.0, "FirewallPolicyNotFound");
    let sharing = put(&admin, "policy", &policy, json!({"shared": true})).await?.expect_error(409)?;
    assert_eq!(sharing.0, "FirewallPolicySharingConflict");
    assert_eq!(
        sharing.1,
        format!(
            "Operation cannot be performed. Before sharing firewall policy {policy}, share associated \
             firewall rule {own}."
        )
    );
    let both = json!({"shared": true, "firewall_rules": [shared]});
    put(&admin, "policy", &policy, both).await?.expect(200)?;

    // Others see it and give it to groups; then it stays shared.
    show(&other, "policy", &policy).await?;
    assert_eq!(other.delete(&path("policy", &policy)).await?.status, 403);
    let group = made(&other, "group", json!({"ingress_firewall_policy_id": policy})).await?;
    let in_use = ("FirewallPolicyInUse".to_owned(), format!("Firewall policy {policy} is being used."));
    let unshare = put(&admin, "policy", &policy, json!({"shared": false})).await?;
    assert_eq!(unshare.expect_error(409)?, in_use);
    assert_eq!(admin.delete(&path("policy", &policy)).await?.expect_error(409)?, in_use);
    other.delete(&path("group", &group)).await?.expect(204)?;
    put(&admin, "policy", &policy, json!({"shared": false})).await?.expect(200)?;
    admin.delete(&path("policy", &policy)).await?.expect(204)?;

    // A project's policy has its own rules and shared ones.
    let mine = made(&member, "rule", json!({})).await?;
    let hidden = refused(&member, "policy", json!({"firewall_rules": [own]}), 404).await?;
    assert_eq!(hidden.0, "FirewallRuleNotFound");
    let policy = made(&member, "policy", json!({"firewall_rules": [mine, shared]})).await?;
    let foreign = json!({"firewall_rule_id": own});
    let hidden = act(&member, &policy, "insert_rule", foreign.clone()).await?.expect_error(404)?;
    assert_eq!(hidden.0, "FirewallRuleNotFound");
    let conflict = act(&admin, &policy, "insert_rule", foreign).await?.expect_error(409)?;
    assert_eq!(conflict.0, "FirewallRuleConflict");
    let conflict = put(&admin, "policy", &policy, json!({"firewall_rules": [own]})).await?;
    assert_eq!(conflict.expect_error(409)?.0, "FirewallRuleConflict");
    let hidden = act(&other, &policy, "remove_rule", json!({"firewall_rule_id": mine})).await?;
    assert_eq!(hidden.expect_error(404)?.0, "FirewallPolicyNotFound");
    Ok(())
}

/// Rules are put into a policy at once: all of them are in it, once.
async fn race(client: &Client) -> Result {
    let policy = made(client, "policy", json!({})).await?;
    let mut tasks = JoinSet::new();
    for _ in 0..16 {
        let (client, policy) = (client.clone(), policy.clone());
        let [rule] = rules(&client, false).await?;
        tasks.spawn(async move {
            act(&client, &policy, "insert_rule", json!({"firewall_rule_id": rule})).await?.expect(200)
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("the task ends")?;
    }
    let mut order: Vec<String> =
        serde_json::from_value(show(client, "policy", &policy).await?["firewall_rules"].take()).unwrap();
    order.sort();
    order.dedup();
    assert_eq!(order.len(), 16);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_rule_is_lost_that_is_put_in_with_others() -> Result {
    race(&server().await?.client()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_rule_is_lost_that_is_put_in_with_others_on_postgres() -> Result {
    let Some(postgres) = hadron_test_support::shared() else { return Ok(()) };
    let server = super::builder().database(&postgres.fresh_database().await).start().await?;
    race(&server.client()).await
}
