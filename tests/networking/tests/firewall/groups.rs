//! Groups: which ports can be in one, and what keeps it in place.

use super::{NOBODY, create, id, interface, list, made, path, port, put, refused, server, show};
use hadron_networking_tests::world;
use hadron_sdk_testing::{Client, Result};
use serde_json::{Value, json};
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_inactive_without_ports_or_policies() -> Result {
    let server = server().await?;
    let client = server.client();
    let blue = world::network(&client, "blue").await?;
    let policy = made(&client, "policy", json!({})).await?;
    let group = create(&client, "group", json!({"name": "g", "ingress_firewall_policy_id": policy})).await?;
    let mut members = group.as_object().unwrap().clone();
    for kept in ["id", "project_id", "tenant_id", "created_at", "updated_at"] {
        assert!(members.remove(kept).is_some_and(|value| value.is_string()), "{kept}");
    }
    assert_eq!(
        Value::Object(members),
        json!({"name": "g", "description": "", "ingress_firewall_policy_id": policy,
            "egress_firewall_policy_id": null, "admin_state_up": true, "status": "INACTIVE",
            "shared": false, "ports": [], "revision_number": 0})
    );
    let one = interface(&client, &blue).await?;
    let without_policies = create(&client, "group", json!({"ports": [one]})).await?;
    assert_eq!(without_policies["status"], "INACTIVE");
    let moved = put(&client, "group", &id(&without_policies)?, json!({"ports": null})).await?.expect(200)?;
    assert_eq!(
        (&moved["firewall_group"]["status"], &moved["firewall_group"]["ports"]),
        (&json!("INACTIVE"), &json!([]))
    );
    let asked = json!({"ports": [one], "egress_firewall_policy_id": policy});
    assert_eq!(create(&client, "group", asked).await?["status"], "PENDING_CREATE");
    assert_eq!(list(&client, "group", &format!("?ports={one}")).await?.len(), 1);
    assert_eq!(list(&client, "group", "?status=ACTIVE").await?.len(), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_has_ports_of_routers_and_machines_each_in_one_group() -> Result {
    let server = server().await?;
    let client = server.client();
    let blue = world::network(&client, "blue").await?;
    let (plain, dhcp) = (port(&client, &blue, "").await?, port(&client, &blue, "network:dhcp").await?);
    for unfit in [plain, dhcp] {
        let invalid =
            ("FirewallGroupPortInvalid".to_owned(), format!("Port {unfit} of firewall group is invalid."));
        assert_eq!(refused(&client, "group", json!({"ports": [unfit]}), 409).await?, invalid);
    }
    let unplugged = port(&client, &blue, "compute:nova").await?;
    let refusal = refused(&client, "group", json!({"ports": [unplugged]}), 409).await?;
    assert_eq!(refusal.0, "FirewallGroupPortNotSupported");
    let message = format!("Port {unplugged} is not supported by firewall driver 'fwaas_db'.");
    assert_eq!(refusal.1, message);
    let missing = refused(&client, "group", json!({"ports": [NOBODY]}), 404).await?;
    assert_eq!(missing, ("PortNotFound".to_owned(), format!("Port {NOBODY} could not be found.")));

    let owners = ["interface", "ha_router_replicated_interface", "router_interface_distributed"];
    let mut ports = vec![interface(&client, &blue).await?];
    for owner in &owners[1..] {
        ports.push(port(&client, &blue, &format!("network:{owner}")).await?);
    }
    let group = made(&client, "group", json!({ "ports": ports })).await?;
    let taken = format!("Port(s) ['{}'] provided already associated with other firewall group(s).", ports[1]);
    let taken = ("FirewallGroupPortInUse".to_owned(), taken);
    assert_eq!(refused(&client, "group", json!({"ports": [ports[1]]}), 409).await?, taken);
    let other = made(&client, "group", json!({})).await?;
    let stolen = put(&client, "group", &other, json!({"ports": [ports[1]]})).await?;
    assert_eq!(stolen.expect_error(409)?, taken);
    // What it has it may be given again.
    put(&client, "group", &group, json!({"ports": [ports[1], ports[0]]})).await?.expect(200)?;
    put(&client, "group", &other, json!({"ports": [ports[2]]})).await?.expect(200)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_deleted_leaves_its_group() -> Result {
    let server = server().await?;
    let client = server.client();
    let blue = world::network(&client, "blue").await?;
    let (one, two) = (interface(&client, &blue).await?, interface(&client, &blue).await?);
    let policy = made(&client, "policy", json!({})).await?;
    let asked = json!({"ports": [one, two], "ingress_firewall_policy_id": policy});
    let group = made(&client, "group", asked).await?;
    client.delete(&format!("/v2.0/ports/{one}")).await?.expect(204)?;
    let shown = show(&client, "group", &group).await?;
    assert_eq!((&shown["ports"], &shown["status"]), (&json!([two]), &json!("PENDING_CREATE")));
    // Nobody has to answer for a group without ports.
    client.delete(&format!("/v2.0/ports/{two}")).await?.expect(204)?;
    let shown = show(&client, "group", &group).await?;
    assert_eq!((&shown["ports"], &shown["status"]), (&json!([]), &json!("INACTIVE")));
    client.delete(&path("group", &group)).await?.expect(204)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_with_ports_and_a_policy_of_a_group_stay() -> Result {
    let server = server().await?;
    let client = server.client();
    let blue = world::network(&client, "blue").await?;
    let one = interface(&client, &blue).await?;
    let policy = made(&client, "policy", json!({})).await?;
    let group = made(&client, "group", json!({"ports": [one]})).await?;
    let active = ("FirewallGroupInUse".to_owned(), format!("Firewall group {group} is still active."));
    assert_eq!(client.delete(&path("group", &group)).await?.expect_error(409)?, active);
    put(&client, "group", &group, json!({"ports": [], "egress_firewall_policy_id": policy}))
        .await?
        .expect(200)?;
    let in_use = ("FirewallPolicyInUse".to_owned(), format!("Firewall policy {policy} is being used."));
    assert_eq!(client.delete(&path("policy", &policy)).await?.expect_error(409)?, in_use);
    client.delete(&path("group", &group)).await?.expect(204)?;
    client.delete(&path("policy", &policy)).await?.expect(204)?;
    assert_eq!(client.get(&path("group", &group)).await?.expect_error(404)?.0, "FirewallGroupNotFound");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn until_agents_answer_a_group_and_what_it_enforces_stay_as_they_are() -> Result {
    let server = server().await?;
    let client = server.client();
    let blue = world::network(&client, "blue").await?;
    let one = interface(&client, &blue).await?;
    let rule = made(&client, "rule", json!({})).await?;
    let spare = made(&client, "rule", json!({})).await?;
    let policy = made(&client, "policy", json!({"firewall_rules": [rule]})).await?;
    let asked = json!({"ports": [one], "ingress_firewall_policy_id": policy});
    let group = made(&client, "group", asked).await?;
    let pending = format!(
        "Operation cannot be performed since associated firewall group {group} is in PENDING_CREATE."
    );
    let pending = ("FirewallGroupInPendingState".to_owned(), pending);
    let insert = format!("{}/insert_rule", path("policy", &policy));
    let remove = format!("{}/remove_rule", path("policy", &policy));
    for answer in [
        put(&client, "group", &group, json!({"name": "g"})).await?,
        put(&client, "policy", &policy, json!({"name": "p"})).await?,
        put(&client, "rule", &rule, json!({"action": "allow"})).await?,
        client.put(&insert, &json!({"firewall_rule_id": spare})).await?,
        client.put(&remove, &json!({"firewall_rule_id": rule})).await?,
    ] {
        assert_eq!(answer.expect_error(409)?, pending);
    }
    put(&client, "rule", &spare, json!({"action": "allow"})).await?.expect(200)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_has_policies_and_ports_that_its_project_sees() -> Result {
    let server = server().await?;
    let (admin, member, other) =
        (server.client(), server.client().member_of("p1")?, server.client().member_of("p2")?);
    let theirs = made(&other, "policy", json!({})).await?;
    let hidden =
        ("FirewallPolicyNotFound".to_owned(), format!("Firewall policy {theirs} could not be found."));
    let asked = json!({"ingress_firewall_policy_id": theirs});
    assert_eq!(refused(&member, "group", asked.clone(), 404).await?, hidden);
    let group = made(&member, "group", json!({})).await?;
    assert_eq!(put(&member, "group", &group, asked.clone()).await?.expect_error(404)?, hidden);
    let conflict = put(&admin, "group", &group, asked).await?.expect_error(404)?;
    assert_eq!(conflict.0, "FirewallPolicyConflict");

    let blue = world::network(&other, "blue").await?;
    let foreign = interface(&other, &blue).await?;
    let refusal = refused(&member, "group", json!({"ports": [foreign]}), 404).await?;
    assert_eq!(refusal.0, "PortNotFound");
    assert_eq!(other.get(&path("group", &group)).await?.expect_error(404)?.0, "FirewallGroupNotFound");
    put(&admin, "group", &group, json!({"shared": true})).await?.expect(200)?;
    show(&other, "group", &group).await?;
    let unshare = put(&member, "group", &group, json!({"shared": false})).await?;
    assert_eq!(unshare.expect_error(403)?.0, "PolicyNotAuthorized");

    // Groups are counted, the default one too.
    admin.put("/v2.0/quotas/p1", &json!({"quota": {"firewall_group": 2}})).await?.expect(200)?;
    assert_eq!(refused(&member, "group", json!({}), 409).await?.0, "OverQuota");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_is_made_whole_or_not_at_all() -> Result {
    let server = server().await?;
    let client = server.client();
    let blue = world::network(&client, "blue").await?;
    let one = interface(&client, &blue).await?;
    let bulk = json!({"firewall_groups": [{"name": "a", "ports": [one]}, {"name": "b", "ports": [one]}]});
    let answer = client.post(&path("group", ""), &bulk).await?.expect_error(409)?;
    assert_eq!(answer.0, "FirewallGroupPortInUse");
    assert_eq!(list(&client, "group", "?name=a").await?.len(), 0);
    Ok(())
}

/// A port is given to many groups at once: one gets it.
async fn race(client: &Client) -> Result {
    let blue = world::network(client, "blue").await?;
    let contested = interface(client, &blue).await?;
    let mut tasks = JoinSet::new();
    for _ in 0..16 {
        let (client, contested) = (client.clone(), contested.clone());
        tasks.spawn(async move { super::ask(&client, "group", json!({"ports": [contested]})).await });
    }
    let mut made = 0;
    while let Some(done) = tasks.join_next().await {
        let answer = done.expect("the task ends")?;
        match answer.status {
            201 => made += 1,
            _ => assert_eq!(answer.expect_error(409)?.0, "FirewallGroupPortInUse"),
        }
    }
    assert_eq!(made, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contested_port_gets_into_one_group() -> Result {
    let server = super::builder().config("[quota]\nlimits = ['firewall_group=-1']\n").start().await?;
    race(&server.client()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contested_port_gets_into_one_group_on_postgres() -> Result {
    let Some(postgres) = hadron_test_support::shared() else { return Ok(()) };
    let server = super::builder()
        .config("[quota]\nlimits = ['firewall_group=-1']\n")
        .database(&postgres.fresh_database().await)
        .start()
        .await?;
    race(&server.client()).await
}
