//! QoS: policies and their rules, who may see and give them, and what ports and
//! networks have of them.

use hadron_networking_tests::world::{self, create, network, text};
use hadron_sdk_testing::{Client, Result, Server};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const NOBODY: &str = "11111111-2222-4333-8444-555555555555";
const POLICIES: &str = "/v2.0/qos/policies";

/// A policy; its document.
async fn policy(client: &Client, document: Value) -> Result<Value> {
    let body = client.post(POLICIES, &json!({ "policy": document })).await?.expect(201)?;
    Ok(body["policy"].clone())
}

/// A policy; its id.
async fn policy_id(client: &Client, name: &str) -> Result<String> {
    text(&policy(client, json!({ "name": name })).await?, "/id")
}

/// What a policy shows of itself.
async fn shown(client: &Client, id: &str) -> Result<Value> {
    Ok(client.get(&format!("{POLICIES}/{id}")).await?.expect(200)?["policy"].clone())
}

fn rules(policy: &str, kind: &str) -> String {
    format!("{POLICIES}/{policy}/{kind}_rules")
}

/// Asks for a rule.
async fn ask(client: &Client, policy: &str, kind: &str, rule: Value) -> Result<hadron_sdk_testing::Answer> {
    client.post(&rules(policy, kind), &json!({format!("{kind}_rule"): rule})).await
}

/// A rule; its id.
async fn rule(client: &Client, policy: &str, kind: &str, document: Value) -> Result<String> {
    let body = ask(client, policy, kind, document).await?.expect(201)?;
    text(&body, &format!("/{kind}_rule/id"))
}

/// Asks to change a rule.
async fn change(
    client: &Client,
    policy: &str,
    kind: &str,
    id: &str,
    changes: Value,
) -> Result<hadron_sdk_testing::Answer> {
    client.put(&format!("{}/{id}", rules(policy, kind)), &json!({format!("{kind}_rule"): changes})).await
}

fn manager(server: &Server, project: &str) -> Result<Client> {
    server.client().header("x-project-id", project)?.header("x-roles", "manager,member,reader")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_shows_its_rules_of_every_sort() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let made = policy(&client, json!({"name": "gold", "description": "d"})).await?;
    let id = text(&made, "/id")?;
    assert_eq!(
        (&made["name"], &made["description"], &made["shared"], &made["is_default"], &made["rules"]),
        (&json!("gold"), &json!("d"), &json!(false), &json!(false), &json!([]))
    );
    assert_eq!((&made["tags"], made.get("default_of")), (&json!([]), None));
    let mut wanted = Vec::new();
    for (kind, given, kept) in [
        (
            "bandwidth_limit",
            json!({"max_kbps": "1000", "max_burst_kbps": 100}),
            json!({"max_kbps": 1000, "max_burst_kbps": 100, "direction": "egress"}),
        ),
        ("dscp_marking", json!({"dscp_mark": "26"}), json!({"dscp_mark": 26})),
        ("minimum_bandwidth", json!({"min_kbps": 500}), json!({"min_kbps": 500, "direction": "egress"})),
        (
            "minimum_packet_rate",
            json!({"min_kpps": 5, "direction": "any"}),
            json!({"min_kpps": 5, "direction": "any"}),
        ),
        (
            "packet_rate_limit",
            json!({"max_kpps": 10, "direction": "ingress"}),
            json!({"max_kpps": 10, "max_burst_kpps": 0, "direction": "ingress"}),
        ),
    ] {
        let body = ask(&client, &id, kind, given).await?.expect(201)?;
        let member = format!("{kind}_rule");
        let mut kept = kept;
        kept["id"] = body[&member]["id"].clone();
        assert_eq!(body, json!({ &member: kept }));
        let listed = client.get(&rules(&id, kind)).await?.expect(200)?;
        assert_eq!(listed, json!({format!("{kind}_rules"): [kept]}));
        let one = format!("{}/{}", rules(&id, kind), text(&kept, "/id")?);
        assert_eq!(client.get(&one).await?.expect(200)?, json!({ &member: kept }));
        kept["qos_policy_id"] = json!(id);
        kept["type"] = json!(kind);
        wanted.push(kept);
    }
    let full = shown(&client, &id).await?;
    assert_eq!(full["rules"], json!(wanted));
    assert!(full["revision_number"].as_i64() > made["revision_number"].as_i64(), "{full}");

    let (kind, gone) = ("dscp_marking", text(&wanted[1], "/id")?);
    let marked = change(&client, &id, kind, &gone, json!({"dscp_mark": 8})).await?.expect(200)?;
    assert_eq!(marked["dscp_marking_rule"], json!({"dscp_mark": 8, "id": gone}));
    client.delete(&format!("{}/{gone}", rules(&id, kind))).await?.expect(204)?;
    assert_eq!(shown(&client, &id).await?["rules"].as_array().map(Vec::len), Some(4));
    let filtered = client.get(&format!("{}?max_kbps=1", rules(&id, "bandwidth_limit"))).await?.expect(200)?;
    assert_eq!(filtered, json!({"bandwidth_limit_rules": []}));

    let put = json!({"policy": {"name": "silver"}});
    let put = client.put(&format!("{POLICIES}/{id}"), &put).await?.expect(200)?;
    assert_eq!(
        (&put["policy"]["name"], put["policy"]["rules"].as_array().map(Vec::len)),
        (&json!("silver"), Some(4))
    );
    let listed = client.get(&format!("{POLICIES}?name=silver")).await?.expect(200)?;
    assert_eq!(listed["policies"][0]["rules"].as_array().map(Vec::len), Some(4));
    // Rules go with their policy.
    client.delete(&format!("{POLICIES}/{id}")).await?.expect(204)?;
    let (kind, message) = client.get(&rules(&id, "bandwidth_limit")).await?.expect_error(404)?;
    assert_eq!(
        (kind.as_str(), message),
        ("QosPolicyNotFound", format!("QoS policy {id} could not be found."))
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_rules_are_checked() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let id = policy_id(&client, "gold").await?;
    for (kind, document, message) in [
        (
            "bandwidth_limit",
            json!({}),
            "Failed to parse request. Required attribute 'max_kbps' not specified",
        ),
        (
            "bandwidth_limit",
            json!({"max_kbps": null}),
            "Invalid input for operation: 'None' is not an integer.",
        ),
        ("bandwidth_limit", json!({"max_kbps": "x"}), "Invalid input for operation: 'x' is not an integer."),
        (
            "bandwidth_limit",
            json!({"max_kbps": -1}),
            "Invalid input for max_kbps. Reason: '-1' is too small - must be at least '0'.",
        ),
        (
            "bandwidth_limit",
            json!({"max_kbps": 2_147_483_648_i64}),
            "Invalid input for max_kbps. Reason: '2147483648' is too large - must be no larger than '2147483647'.",
        ),
        (
            "bandwidth_limit",
            json!({"max_kbps": 1, "direction": "any"}),
            "Invalid input for direction. Reason: any is not in valid_values.",
        ),
        (
            "minimum_bandwidth",
            json!({"min_kbps": 1, "direction": null}),
            "Invalid input for direction. Reason: None is not in valid_values.",
        ),
        (
            "dscp_marking",
            json!({"dscp_mark": 5}),
            "Invalid input for dscp_mark. Reason: 5 is not in valid_values.",
        ),
        (
            "packet_rate_limit",
            json!({"max_kpps": 1, "max_burst_kpps": -1}),
            "Invalid input for max_burst_kpps. Reason: '-1' is too small - must be at least '0'.",
        ),
        ("minimum_packet_rate", json!({"min_kpps": 1, "foo": 1}), "Unrecognized attribute(s) 'foo'"),
    ] {
        let (_, said) = ask(&client, &id, kind, document.clone()).await?.expect_error(400)?;
        assert_eq!(said, message, "{kind} {document}");
    }
    for (document, message) in [
        (json!({"name": null}), "Invalid input for name. Reason: 'None' is not a valid string."),
        (json!({"rules": []}), "Attribute 'rules' not allowed in POST"),
        (json!({"is_default": "x"}), "Invalid input for operation: 'x' cannot be converted to boolean."),
        (json!({"default_of": "x"}), "Unrecognized attribute(s) 'default_of'"),
    ] {
        let answer = client.post(POLICIES, &json!({ "policy": document })).await?;
        assert_eq!(answer.expect_error(400)?.1, message);
    }
    let other = policy_id(&client, "other").await?;
    let limit = rule(&client, &id, "bandwidth_limit", json!({"max_kbps": 1})).await?;
    for answer in [
        client.get(&format!("{}/{NOBODY}", rules(&id, "bandwidth_limit"))).await?,
        client.get(&format!("{}/{limit}", rules(&other, "bandwidth_limit"))).await?,
        client.delete(&format!("{}/{limit}", rules(&other, "bandwidth_limit"))).await?,
        change(&client, &other, "bandwidth_limit", &limit, json!({"max_kbps": 2})).await?,
        client.get(&format!("{}/{limit}", rules(&id, "minimum_bandwidth"))).await?,
    ] {
        assert_eq!(answer.expect_error(404)?.0, "QosRuleNotFound");
    }
    let nowhere = ask(&client, NOBODY, "bandwidth_limit", json!({"max_kbps": 1})).await?;
    assert_eq!(nowhere.expect_error(404)?.0, "QosPolicyNotFound");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_of_a_policy_go_together() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let id = policy_id(&client, "gold").await?;
    let limit = rule(&client, &id, "bandwidth_limit", json!({"max_kbps": 1000})).await?;
    let (kind, message) =
        ask(&client, &id, "bandwidth_limit", json!({"max_kbps": 5})).await?.expect_error(409)?;
    assert_eq!(kind, "QoSRulesConflict");
    let conflict =
        format!("Rule bandwidth_limit conflicts with rule {limit} which already exists in QoS Policy {id}.");
    assert_eq!(message, conflict);
    let (kind, message) =
        ask(&client, &id, "minimum_bandwidth", json!({"min_kbps": 2000})).await?.expect_error(409)?;
    assert_eq!(kind, "QoSRuleParameterConflict");
    assert_eq!(
        message,
        format!(
            "Unable to add the rule with value 2000 to the policy {id} as the existing rule of type \
             bandwidth_limit has value 1000."
        )
    );
    let least = rule(&client, &id, "minimum_bandwidth", json!({"min_kbps": 500})).await?;
    for (kind, rule, changes) in [
        ("bandwidth_limit", &limit, json!({"max_kbps": 100})),
        ("minimum_bandwidth", &least, json!({"min_kbps": 1001})),
    ] {
        let refused = change(&client, &id, kind, rule, changes).await?.expect_error(409)?;
        assert_eq!(refused.0, "QoSRuleParameterConflict");
    }
    let ingress =
        rule(&client, &id, "bandwidth_limit", json!({"max_kbps": 5, "direction": "ingress"})).await?;
    let turned = change(&client, &id, "bandwidth_limit", &ingress, json!({"direction": "egress"})).await?;
    assert_eq!(
        turned.expect_error(409)?,
        (
            "QoSRuleParameterConflict".to_owned(),
            format!(
                "Unable to add the rule with value 5 to the policy {id} as the existing rule of type minimum_bandwidth has \
         value 500."
            )
        )
    );
    change(&client, &id, "bandwidth_limit", &limit, json!({})).await?.expect(200)?;

    rule(&client, &id, "minimum_packet_rate", json!({"min_kpps": 10})).await?;
    let any = ask(&client, &id, "minimum_packet_rate", json!({"min_kpps": 10, "direction": "any"})).await?;
    let (_, message) = any.expect_error(409)?;
    assert_eq!(
        message,
        format!(
            "Unable to add the rule with value any to the policy {id} as the existing rule of type \
             minimum_packet_rate has value egress."
        )
    );
    rule(&client, &id, "dscp_marking", json!({"dscp_mark": 8})).await?;
    let again = ask(&client, &id, "dscp_marking", json!({"dscp_mark": 10})).await?.expect_error(409)?;
    assert_eq!(again.0, "QoSRulesConflict");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_has_one_default_policy_that_its_networks_get() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let plain = create(&client, "network", json!({})).await?;
    assert_eq!(plain["qos_policy_id"], Value::Null);
    let id = text(&policy(&client, json!({"is_default": true})).await?, "/id")?;
    let other = policy_id(&client, "other").await?;
    let second = client.post(POLICIES, &json!({"policy": {"is_default": true}})).await?.expect_error(409)?;
    assert_eq!(second.0, "QoSPolicyDefaultAlreadyExists");
    assert!(second.1.starts_with("A default QoS policy exists for project "), "{}", second.1);
    let default = |flag: bool| json!({"policy": {"is_default": flag}});
    let put = client.put(&format!("{POLICIES}/{other}"), &default(true)).await?.expect_error(409)?;
    assert_eq!(put.0, "QoSPolicyDefaultAlreadyExists");
    for document in [json!({}), json!({"qos_policy_id": null})] {
        assert_eq!(create(&client, "network", document).await?["qos_policy_id"], json!(id));
    }
    let chosen = create(&client, "network", json!({"qos_policy_id": other})).await?;
    assert_eq!(chosen["qos_policy_id"], json!(other));
    // Another project has no part in it, also when an administrator makes its networks.
    let member = server.client().member_of("p1")?;
    assert_eq!(create(&member, "network", json!({})).await?["qos_policy_id"], Value::Null);
    let made_for = |project: &str| json!({"project_id": project});
    assert_eq!(create(&client, "network", made_for("p1")).await?["qos_policy_id"], Value::Null);
    let theirs = policy(&client, json!({"is_default": true, "project_id": "p2"})).await?;
    assert_eq!(create(&client, "network", made_for("p2")).await?["qos_policy_id"], theirs["id"]);
    client.put(&format!("{POLICIES}/{id}"), &default(false)).await?.expect(200)?;
    client.put(&format!("{POLICIES}/{other}"), &default(true)).await?.expect(200)?;
    assert_eq!(create(&client, "network", json!({})).await?["qos_policy_id"], json!(other));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_stays_while_somebody_has_it() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let (of_network, of_port) = (policy_id(&client, "n").await?, policy_id(&client, "p").await?);
    let given = create(&client, "network", json!({"qos_policy_id": of_network})).await?;
    let blue = text(&given, "/id")?;
    let port = create(&client, "port", json!({"network_id": blue, "qos_policy_id": of_port})).await?;
    let port_id = text(&port, "/id")?;
    assert_eq!((&given["qos_policy_id"], &port["qos_policy_id"]), (&json!(of_network), &json!(of_port)));
    assert_eq!(
        (&port["qos_network_policy_id"], given.get("qos_network_policy_id")),
        (&json!(of_network), None)
    );
    let denied = json!({"port": {"network_id": blue, "qos_network_policy_id": of_port}});
    let (_, message) = client.post("/v2.0/ports", &denied).await?.expect_error(400)?;
    assert_eq!(message, "Attribute 'qos_network_policy_id' not allowed in POST");
    let in_use = |policy: &str, what: &str, by: &str| {
        ("QosPolicyInUse".to_owned(), format!("QoS Policy {policy} is used by {what} {by}."))
    };
    let refused = client.delete(&format!("{POLICIES}/{of_network}")).await?.expect_error(409)?;
    assert_eq!(refused, in_use(&of_network, "network", &blue));
    let refused = client.delete(&format!("{POLICIES}/{of_port}")).await?.expect_error(409)?;
    assert_eq!(refused, in_use(&of_port, "port", &port_id));
    let unknown = ("QosPolicyNotFound".to_owned(), format!("QoS policy {NOBODY} could not be found."));
    for (path, body) in [
        (format!("/v2.0/ports/{port_id}"), json!({"port": {"qos_policy_id": NOBODY}})),
        (format!("/v2.0/networks/{blue}"), json!({"network": {"qos_policy_id": NOBODY}})),
    ] {
        assert_eq!(client.put(&path, &body).await?.expect_error(404)?, unknown);
    }
    for body in [
        json!({"port": {"network_id": blue, "qos_policy_id": NOBODY}}),
        json!({"port": {"network_id": blue, "qos_policy_id": "x"}}),
    ] {
        let answer = client.post("/v2.0/ports", &body).await?;
        assert!([400, 404].contains(&answer.status), "{}", answer.body);
    }
    let nothing = json!({"port": {"qos_policy_id": null}});
    let put = client.put(&format!("/v2.0/ports/{port_id}"), &nothing).await?.expect(200)?;
    assert_eq!(put["port"]["qos_policy_id"], Value::Null);
    client.delete(&format!("{POLICIES}/{of_port}")).await?.expect(204)?;
    client.delete(&format!("/v2.0/ports/{port_id}")).await?.expect(204)?;
    client.delete(&format!("/v2.0/networks/{blue}")).await?.expect(204)?;
    client.delete(&format!("{POLICIES}/{of_network}")).await?.expect(204)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_are_made_by_managers_and_seen_where_they_are_shared() -> Result {
    let server = world::sqlite().await?;
    let (admin, member, boss) = (server.client(), server.client().member_of("p1")?, manager(&server, "p1")?);
    let id = policy_id(&admin, "gold").await?;
    let limit = rule(&admin, &id, "bandwidth_limit", json!({"max_kbps": 1})).await?;
    let own = format!("{POLICIES}/{id}");
    let (kind, _) = member.post(POLICIES, &json!({"policy": {}})).await?.expect_error(403)?;
    assert_eq!(kind, "PolicyNotAuthorized");
    for answer in [
        member.get(&own).await?,
        member.get(&rules(&id, "bandwidth_limit")).await?,
        boss.delete(&own).await?,
        boss.put(&own, &json!({"policy": {"name": "x"}})).await?,
        ask(&boss, &id, "dscp_marking", json!({"dscp_mark": 8})).await?,
        member.post("/v2.0/networks", &json!({"network": {"qos_policy_id": id}})).await?,
    ] {
        assert_eq!(answer.expect_error(404)?.0, "QosPolicyNotFound");
    }

    let share = |shared: bool| json!({"policy": {"shared": shared}});
    admin.put(&own, &share(true)).await?.expect(200)?;
    let seen = shown(&member, &id).await?;
    assert_eq!((&seen["shared"], &seen["rules"][0]["id"]), (&json!(true), &json!(limit)));
    // Its rules are shown with it, and not by themselves.
    assert_eq!(
        member.get(&rules(&id, "bandwidth_limit")).await?.expect(200)?,
        json!({"bandwidth_limit_rules": []})
    );
    assert_eq!(boss.delete(&own).await?.expect_error(403)?.0, "PolicyNotAuthorized");
    assert_eq!(
        ask(&boss, &id, "dscp_marking", json!({"dscp_mark": 8})).await?.expect_error(403)?.0,
        "PolicyNotAuthorized"
    );
    let theirs = create(&member, "network", json!({"qos_policy_id": id})).await?;
    let in_use = (
        "RbacPolicyInUse".to_owned(),
        format!(
            "RBAC policy on object {id} cannot be removed because other objects depend on it.\nDetails: project_id=*"
        ),
    );
    assert_eq!(admin.put(&own, &share(false)).await?.expect_error(409)?, in_use);
    let entries = admin.get(&format!("/v2.0/rbac-policies?object_id={id}")).await?.expect(200)?;
    let entry = format!("/v2.0/rbac-policies/{}", text(&entries, "/rbac_policies/0/id")?);
    assert_eq!(admin.delete(&entry).await?.expect_error(409)?, in_use);
    // Another entry covers for it.
    let document = json!({
        "object_type": "qos_policy", "object_id": id, "action": "access_as_shared",
        "target_tenant": "11111111222243338444555555555555",
    });
    admin.post("/v2.0/rbac-policies", &json!({ "rbac_policy": document })).await?.expect(201)?;
    assert_eq!(admin.put(&own, &share(false)).await?.expect_error(409)?, in_use);
    let path = format!("/v2.0/networks/{}", text(&theirs, "/id")?);
    member.put(&path, &json!({"network": {"qos_policy_id": null}})).await?.expect(200)?;
    admin.put(&own, &share(false)).await?.expect(200)?;
    assert_eq!(member.get(&own).await?.expect_error(404)?.0, "QosPolicyNotFound");

    // A project's manager makes its policies; its members use them.
    let made = policy_id(&boss, "own").await?;
    rule(&boss, &made, "bandwidth_limit", json!({"max_kbps": 1})).await?;
    let listed = member.get(&rules(&made, "bandwidth_limit")).await?.expect(200)?;
    assert_eq!(listed["bandwidth_limit_rules"].as_array().map(Vec::len), Some(1));
    create(&member, "network", json!({"qos_policy_id": made})).await?;
    assert_eq!(
        ask(&member, &made, "dscp_marking", json!({"dscp_mark": 8})).await?.expect_error(403)?.0,
        "PolicyNotAuthorized"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_one_cannot_see_is_not_taken_away() -> Result {
    let server = world::sqlite().await?;
    let (admin, member) = (server.client(), server.client().member_of("p1")?);
    let id = policy_id(&admin, "gold").await?;
    let theirs = network(&member, "theirs").await?;
    let path = format!("/v2.0/networks/{theirs}");
    admin.put(&path, &json!({"network": {"qos_policy_id": id}})).await?.expect(200)?;
    let (kind, message) =
        member.put(&path, &json!({"network": {"qos_policy_id": null}})).await?.expect_error(403)?;
    assert_eq!(kind, "PolicyRemoveAuthorizationError");
    assert_eq!(message, format!("Failed to remove provided policy {id} because you are not authorized."));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_needs_a_driver_for_every_port_that_has_it() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let blue = network(&client, "blue").await?;
    let (marked, empty) = (policy_id(&client, "marked").await?, policy_id(&client, "empty").await?);
    rule(&client, &marked, "dscp_marking", json!({"dscp_mark": 8})).await?;
    let port =
        |policy: &str| json!({"network_id": blue, "binding:vnic_type": "macvtap", "qos_policy_id": policy});
    let (kind, message) =
        client.post("/v2.0/ports", &json!({"port": port(&marked)})).await?.expect_error(409)?;
    assert_eq!(kind, "QosRuleNotSupported");
    assert!(message.starts_with("Rule dscp_marking is not supported by port "), "{message}");
    let id = text(&create(&client, "port", port(&empty)).await?, "/id")?;
    let unfit =
        ("QosRuleNotSupported".to_owned(), format!("Rule dscp_marking is not supported by port {id}"));
    let mark = json!({"dscp_mark": 8});
    assert_eq!(ask(&client, &empty, "dscp_marking", mark.clone()).await?.expect_error(409)?, unfit);
    let put = json!({"port": {"qos_policy_id": marked}});
    assert_eq!(client.put(&format!("/v2.0/ports/{id}"), &put).await?.expect_error(409)?, unfit);
    // A port gets the rules of its network's policy, unless it has one itself.
    let put = json!({"network": {"qos_policy_id": marked}});
    let network = format!("/v2.0/networks/{blue}");
    client.put(&network, &put).await?.expect(200)?;
    client.put(&network, &json!({"network": {"qos_policy_id": null}})).await?.expect(200)?;
    client.put(&format!("/v2.0/ports/{id}"), &json!({"port": {"qos_policy_id": null}})).await?.expect(200)?;
    assert_eq!(client.put(&network, &put).await?.expect_error(409)?, unfit);
    client.put(&network, &json!({"network": {"qos_policy_id": empty}})).await?.expect(200)?;
    assert_eq!(ask(&client, &empty, "dscp_marking", mark).await?.expect_error(409)?, unfit);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_port_needs_a_driver_for_its_networks_rules() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let (marked, empty) = (policy_id(&client, "marked").await?, policy_id(&client, "empty").await?);
    rule(&client, &marked, "dscp_marking", json!({"dscp_mark": 8})).await?;
    let blue = text(&create(&client, "network", json!({"qos_policy_id": marked})).await?, "/id")?;
    let port = |kind: &str| json!({"network_id": blue, "binding:vnic_type": kind});
    create(&client, "port", port("normal")).await?;
    let bulk = json!({"ports": [port("normal"), port("macvtap")]});
    let (kind, message) = client.post("/v2.0/ports", &bulk).await?.expect_error(409)?;
    assert_eq!(kind, "QosRuleNotSupported");
    assert!(message.starts_with("Rule dscp_marking is not supported by port "), "{message}");
    assert_eq!(world::list(&client, &format!("/v2.0/ports?network_id={blue}")).await?.len(), 1);
    // Its own policy takes the place of its network's.
    let own =
        json!({"network_id": blue, "binding:vnic_type": "macvtap", "qos_policy_id": empty, "name": "own"});
    let own = text(&create(&client, "port", own).await?, "/id")?;
    assert_eq!(ask(&client, &empty, "dscp_marking", json!({"dscp_mark": 8})).await?.status, 409);
    client.delete(&format!("/v2.0/ports/{own}")).await?.expect(204)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_asks_for_what_it_was_guaranteed() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let (own, nets) = (policy_id(&client, "own").await?, policy_id(&client, "nets").await?);
    rule(&client, &own, "minimum_bandwidth", json!({"min_kbps": 5})).await?;
    rule(&client, &own, "minimum_bandwidth", json!({"min_kbps": 6, "direction": "ingress"})).await?;
    rule(&client, &own, "bandwidth_limit", json!({"max_kbps": 7})).await?;
    rule(&client, &nets, "minimum_packet_rate", json!({"min_kpps": 8, "direction": "any"})).await?;
    let segment = json!({
        "provider:network_type": "vlan", "provider:physical_network": "physnet1",
        "provider:segmentation_id": 204, "qos_policy_id": nets,
    });
    let (flat, tunnel) = (create(&client, "network", segment).await?, network(&client, "tunnel").await?);
    let flat = text(&flat, "/id")?;
    let port = async |network: &str, policy: Option<&str>, kind: &str| {
        let document = json!({"network_id": network, "qos_policy_id": policy, "binding:vnic_type": kind});
        create(&client, "port", document).await
    };
    let plain = port(&tunnel, None, "normal").await?;
    assert_eq!(plain["resource_request"], Value::Null);
    let bandwidth = json!({"NET_BW_EGR_KILOBIT_PER_SEC": 5, "NET_BW_IGR_KILOBIT_PER_SEC": 6});
    for (network, kind, traits) in [
        (&tunnel, "normal", json!(["CUSTOM_NETWORK_TUNNEL_PROVIDER", "CUSTOM_VNIC_TYPE_NORMAL"])),
        (&flat, "direct", json!(["CUSTOM_PHYSNET_PHYSNET1", "CUSTOM_VNIC_TYPE_DIRECT"])),
    ] {
        let asked = port(network, Some(&own), kind).await?["resource_request"].take();
        let group = &asked["request_groups"][0];
        assert_eq!((&group["required"], &group["resources"]), (&traits, &bandwidth));
        assert_eq!(asked["request_groups"].as_array().map(Vec::len), Some(1));
        assert_eq!(asked["same_subtree"], json!([group["id"]]));
    }
    // The policy of its network holds where it has none of its own.
    let inherits = port(&flat, None, "normal").await?;
    let group = &inherits["resource_request"]["request_groups"][0];
    assert_eq!(group["resources"], json!({"NET_PACKET_RATE_KILOPACKET_PER_SEC": 8}));
    assert_eq!(group["required"], json!(["CUSTOM_VNIC_TYPE_NORMAL"]));
    rule(&client, &nets, "minimum_bandwidth", json!({"min_kbps": 9})).await?;
    let path = format!("/v2.0/ports?network_id={flat}&fields=id&fields=resource_request");
    let listed = world::list(&client, &path).await?;
    let both = listed.iter().find(|row| row["id"] == inherits["id"]).cloned().unwrap_or_default();
    let groups = &both["resource_request"]["request_groups"];
    assert_eq!(both["resource_request"]["same_subtree"], json!([groups[0]["id"], groups[1]["id"]]));
    assert_eq!(groups[0]["resources"], json!({"NET_BW_EGR_KILOBIT_PER_SEC": 9}));
    assert_eq!(groups[1]["id"], group["id"], "the same whenever it is asked for");
    // Administrators see it, and nobody sets it.
    let mine = world::network(&server.client().member_of("p1")?, "mine").await?;
    let theirs = create(&server.client().member_of("p1")?, "port", json!({"network_id": mine})).await?;
    assert_eq!(theirs.get("resource_request"), None);
    let given = json!({"port": {"network_id": tunnel, "resource_request": {}}});
    let (_, message) = client.post("/v2.0/ports", &given).await?.expect_error(400)?;
    assert_eq!(message, "Attribute 'resource_request' not allowed in POST");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_have_urls_without_their_policies() -> Result {
    let server = world::sqlite().await?;
    let (client, member, boss) = (server.client(), server.client().member_of("p1")?, manager(&server, "p1")?);
    let id = policy_id(&boss, "gold").await?;
    for (kind, given, changes) in [
        ("bandwidth_limit", json!({"max_kbps": 10}), json!({"max_kbps": 11, "max_burst_kbps": 1})),
        ("dscp_marking", json!({"dscp_mark": 8}), json!({"dscp_mark": 10})),
        ("minimum_bandwidth", json!({"min_kbps": 5}), json!({"min_kbps": 6})),
        ("minimum_packet_rate", json!({"min_kpps": 5}), json!({"min_kpps": 6, "direction": "ingress"})),
    ] {
        let made = ask(&boss, &id, kind, given).await?.expect(201)?[format!("{kind}_rule")].take();
        let alias = format!("alias_{kind}_rule");
        let list = format!("/v2.0/qos/{}s", alias.replace('_', "-"));
        let (own, nowhere) = (format!("{list}/{}", text(&made, "/id")?), format!("{list}/{NOBODY}"));
        assert_eq!(member.get(&own).await?.expect(200)?, json!({ &alias: made }));
        let put = |document: Value| json!({ &alias: document });
        let changed = boss.put(&own, &put(changes.clone())).await?.expect(200)?;
        for (name, value) in changes.as_object().into_iter().flatten() {
            assert_eq!(&changed[&alias][name], value);
        }
        let inner = format!("{}/{}", rules(&id, kind), text(&made, "/id")?);
        assert_eq!(client.get(&inner).await?.expect(200)?[format!("{kind}_rule")], changed[&alias]);
        assert_eq!(
            boss.put(&own, &put(json!({"foo": 1}))).await?.expect_error(400)?.1,
            "Unrecognized attribute(s) 'foo'"
        );
        assert_eq!(member.put(&own, &put(changes)).await?.expect_error(403)?.0, "PolicyNotAuthorized");
        let message = format!("QoS rule {NOBODY} for policy  could not be found.");
        for answer in [client.get(&nowhere).await?, client.delete(&nowhere).await?] {
            assert_eq!(answer.expect_error(404)?, ("QosRuleNotFound".to_owned(), message.clone()));
        }
        let other = server.client().member_of("p2")?;
        assert_eq!(other.get(&own).await?.expect_error(404)?.0, "QosRuleNotFound");
        assert_eq!(other.delete(&own).await?.expect_error(404)?.0, "QosRuleNotFound");
    }
    // Rules of a policy go together however they are asked for.
    let least = shown(&client, &id).await?["rules"][2].take();
    let path = format!("/v2.0/qos/alias-minimum-bandwidth-rules/{}", text(&least, "/id")?);
    let put = json!({"alias_minimum_bandwidth_rule": {"min_kbps": 12}});
    assert_eq!(boss.put(&path, &put).await?.expect_error(409)?.0, "QoSRuleParameterConflict");
    boss.delete(&path).await?.expect(204)?;
    assert_eq!(shown(&client, &id).await?["rules"].as_array().map(Vec::len), Some(3));
    client.get("/v2.0/qos/alias-packet-rate-limit-rules").await?.expect(404)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_placed_device_was_guaranteed_stays() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let blue = network(&client, "blue").await?;
    let id = policy_id(&client, "gold").await?;
    let least = rule(&client, &id, "minimum_bandwidth", json!({"min_kbps": 5})).await?;
    let device =
        json!({"network_id": blue, "qos_policy_id": id, "device_owner": "compute:a", "device_id": "x"});
    create(&client, "port", device).await?;
    let own = format!("{}/{least}", rules(&id, "minimum_bandwidth"));
    for answer in [
        change(&client, &id, "minimum_bandwidth", &least, json!({"min_kbps": 6})).await?,
        client.delete(&own).await?,
        ask(&client, &id, "minimum_packet_rate", json!({"min_kpps": 6})).await?,
    ] {
        let (kind, message) = answer.expect_error(501)?;
        assert_eq!(kind, "NotImplementedError");
        assert_eq!(message, "Cannot update QoS policies/rules backed by resources tracked in Placement");
    }
    // What is only limited can change.
    rule(&client, &id, "bandwidth_limit", json!({"max_kbps": 6})).await?;
    Ok(())
}

/// Rules that go against each other are asked for at once: one is made.
async fn race(client: &Client) -> Result {
    for _ in 0..3 {
        let id = policy_id(client, "contested").await?;
        let mut tasks = JoinSet::new();
        for number in 0..16 {
            let (client, id) = (client.clone(), id.clone());
            tasks.spawn(async move {
                let (kind, rule) = match number % 2 {
                    0 => ("bandwidth_limit", json!({"max_kbps": 10})),
                    _ => ("minimum_bandwidth", json!({"min_kbps": 20})),
                };
                let answer = ask(&client, &id, kind, rule).await?;
                Ok::<_, hadron_sdk_testing::Error>((answer.status, answer.body))
            });
        }
        let mut made = 0;
        while let Some(done) = tasks.join_next().await {
            match done.expect("the task ends")? {
                (201, _) => made += 1,
                (409, body) => {
                    let kind = body["NeutronError"]["type"].as_str().unwrap_or_default().to_owned();
                    assert!(
                        ["QoSRulesConflict", "QoSRuleParameterConflict"].contains(&kind.as_str()),
                        "{body}"
                    );
                }
                (status, body) => panic!("{status}: {body}"),
            }
        }
        assert_eq!(made, 1);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_rules_that_contradict_each_other_one_is_made() -> Result {
    race(&world::sqlite().await?.client()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_rules_that_contradict_each_other_one_is_made_on_postgres() -> Result {
    match world::postgres().await? {
        Some(server) => race(&server.client()).await,
        None => Ok(()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn types_of_rules_tell_what_drivers_can_do() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let listed = client.get("/v2.0/qos/rule-types").await?.expect(200)?;
    assert_eq!(listed["rule_types"].as_array().map(Vec::len), Some(5));
    // What a driver can do is in the whole of a type, not in the list.
    assert!(listed["rule_types"].as_array().unwrap().iter().all(|row| row.get("drivers").is_none()));
    let one = "/v2.0/qos/rule-types/dscp_marking";
    let shown = client.get(one).await?.expect(200)?;
    assert_eq!(shown["rule_type"]["type"], "dscp_marking");
    assert_eq!(shown["rule_type"]["drivers"][0]["name"], "openvswitch");
    assert_eq!(shown["rule_type"]["drivers"][0]["supported_parameters"][0]["parameter_name"], "dscp_mark");
    let seen = server.client().member_of("p1")?.get(one).await?.expect(200)?;
    assert_eq!(seen, json!({"rule_type": {"type": "dscp_marking"}}));
    assert_eq!(client.get("/v2.0/qos/rule-types/nosuch").await?.expect_error(404)?.0, "QosRuleTypeNotFound");
    client.delete(one).await?.expect(404)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn types_of_rules_are_listed_by_who_carries_them_out() -> Result {
    let drivers = "[plugin.qos.config]\ndrivers = ['openvswitch', 'sriovnicswitch']\n";
    let server = world::builder().config(drivers).start().await?;
    let client = server.client();
    for (asked, count) in [
        ("", 2),
        ("?all_supported=true", 5),
        ("?all_rules=True", 5),
        ("?all_supported=false&all_rules=0", 2),
        ("?all_rules=true&type=dscp_marking", 1),
    ] {
        let listed = client.get(&format!("/v2.0/qos/rule-types{asked}")).await?.expect(200)?;
        assert_eq!(listed["rule_types"].as_array().map(Vec::len), Some(count), "{asked}");
    }
    client.get("/v2.0/qos/rule-types?all_rules=maybe").await?.expect(400)?;
    Ok(())
}
