//! Security groups, their rules, the templates of rules and the default group
//! that every project has.

use hadron_networking_tests::world::{self, create, list, network, text};
use hadron_sdk_testing::{Client, Result, Server};
use serde_json::{Value, json};
use tokio::task::JoinSet;

#[path = "security_groups/first_use.rs"]
mod first_use;
#[path = "security_groups/found.rs"]
mod found;
#[path = "security_groups/races.rs"]
mod races;
#[path = "security_groups/statefulness.rs"]
mod statefulness;

const ALICE: &str = "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1";
const BOB: &str = "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0";
const NOBODY: &str = "8f2f0f5e-0a0a-4d6e-9a64-3a2c0d2d6c11";

const GROUPS: &str = "/v2.0/security-groups";
const RULES: &str = "/v2.0/security-group-rules";
const TEMPLATES: &str = "/v2.0/default-security-group-rules";

async fn world() -> Result<(Server, Client, Client)> {
    let server = world::sqlite().await?;
    let alice = server.client().member_of(ALICE)?;
    let bob = server.client().member_of(BOB)?;
    Ok((server, alice, bob))
}

/// A group; its document.
async fn group(client: &Client, name: &str) -> Result<Value> {
    let body = client.post(GROUPS, &json!({"security_group": {"name": name}})).await?.expect(201)?;
    Ok(body["security_group"].clone())
}

fn ask(group: &str, more: &Value) -> Value {
    let mut rule = json!({"security_group_id": group, "direction": "ingress"});
    rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "security_group_rule": rule })
}

/// A rule of a group; its document.
async fn rule(client: &Client, group: &str, more: Value) -> Result<Value> {
    let body = client.post(RULES, &ask(group, &more)).await?.expect(201)?;
    Ok(body["security_group_rule"].clone())
}

async fn default_group(client: &Client) -> Result<Value> {
    let found = client.get(&format!("{GROUPS}?name=default")).await?.expect(200)?;
    assert_eq!(found["security_groups"].as_array().map(Vec::len), Some(1), "{found}");
    Ok(found["security_groups"][0].clone())
}

/// Direction, family and whether it names its own group, of each rule.
fn shape(group: &Value) -> Vec<(String, String, bool)> {
    let rules = group["security_group_rules"].as_array().cloned().unwrap_or_default();
    let mut shapes: Vec<_> = rules
        .iter()
        .map(|rule| {
            assert_eq!(rule["security_group_id"], group["id"]);
            let of = |name: &str| rule[name].as_str().unwrap_or_default().to_owned();
            (of("direction"), of("ethertype"), rule["remote_group_id"] == group["id"])
        })
        .collect();
    shapes.sort();
    shapes
}

fn shapes(expected: &[(&str, &str, bool)]) -> Vec<(String, String, bool)> {
    expected.iter().map(|(way, family, own)| ((*way).to_owned(), (*family).to_owned(), *own)).collect()
}

const OUT: [(&str, &str, bool); 2] = [("egress", "IPv4", false), ("egress", "IPv6", false)];

#[tokio::test(flavor = "multi_thread")]
async fn a_group_starts_with_two_rules_and_shows_all_of_them() -> Result {
    let (_server, alice, _) = world().await?;
    let made = group(&alice, "web").await?;
    let id = text(&made, "/id")?;
    for (name, value) in [
        ("name", json!("web")),
        ("stateful", json!(true)),
        ("shared", json!(false)),
        ("description", json!("")),
        ("project_id", json!(ALICE)),
        ("tenant_id", json!(ALICE)),
        ("tags", json!([])),
    ] {
        assert_eq!(made[name], value, "{name}");
    }
    assert_eq!(shape(&made), shapes(&OUT));
    let own = format!("{GROUPS}/{id}");
    let shown = alice.get(&own).await?.expect(200)?["security_group"].clone();
    assert_eq!(shown, made);

    let added = rule(
        &alice,
        &id,
        json!({"protocol": "tcp", "port_range_min": 80, "port_range_max": 81,
        "remote_ip_prefix": "10.0.0.5/8"}),
    )
    .await?;
    for (name, value) in [
        ("ethertype", json!("IPv4")),
        ("direction", json!("ingress")),
        ("protocol", json!("tcp")),
        ("port_range_min", json!(80)),
        ("remote_ip_prefix", json!("10.0.0.5/8")),
        ("normalized_cidr", json!("10.0.0.0/8")),
        ("remote_group_id", json!(null)),
        ("remote_address_group_id", json!(null)),
        ("belongs_to_default_sg", json!(false)),
        ("description", json!("")),
        ("project_id", json!(ALICE)),
    ] {
        assert_eq!(added[name], value, "{name}");
    }
    let shown = alice.get(&own).await?.expect(200)?["security_group"].clone();
    let rules = shown["security_group_rules"].as_array().cloned().unwrap_or_default();
    assert_eq!(rules.len(), 3);
    assert!(rules.iter().any(|rule| rule["id"] == added["id"] && rule["port_range_max"] == 81));
    assert!(shown["revision_number"].as_i64() > made["revision_number"].as_i64());

    let changed = json!({"security_group": {"name": "www", "description": "d"}});
    let changed = alice.put(&own, &changed).await?.expect(200)?["security_group"].clone();
    assert_eq!((&changed["name"], &changed["description"]), (&json!("www"), &json!("d")));
    assert_eq!(changed["security_group_rules"].as_array().map(Vec::len), Some(3));
    alice.delete(&format!("{RULES}/{}", text(&added, "/id")?)).await?.expect(204)?;
    assert_eq!(shape(&alice.get(&own).await?.expect(200)?["security_group"]), shapes(&OUT));
    alice.delete(&own).await?.expect(204)?;
    let (kind, message) = alice.get(&own).await?.expect_error(404)?;
    assert_eq!(
        (kind.as_str(), message),
        ("SecurityGroupNotFound", format!("Security group {id} does not exist"))
    );
    assert!(
        list(
            &alice,
            &format!("{RULES}?security_group_id={id}")
                .replace("security-group-rules", "security_group_rules")
        )
        .await?
        .is_empty()
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_has_one_default_group_from_its_first_use_on() -> Result {
    let (server, alice, bob) = world().await?;
    // The first list makes it, so does the first network, port or group.
    let made = default_group(&alice).await?;
    assert_eq!(made["description"], "Default security group");
    let mut both = OUT.to_vec();
    both.extend([("ingress", "IPv4", true), ("ingress", "IPv6", true)]);
    assert_eq!(shape(&made), shapes(&both));
    assert_eq!(default_group(&alice).await?["id"], made["id"]);
    network(&bob, "b").await?;
    let all = list(&server.client(), &format!("/v2.0/security_groups?name=default&project_id={BOB}")).await?;
    assert_eq!(all.len(), 1);
    let rules = list(&bob, "/v2.0/security_group_rules?belongs_to_default_sg=true").await?;
    assert_eq!(rules.len(), 4);
    assert!(rules.iter().all(|rule| rule["security_group_id"] == all[0]["id"]));

    // Several requests at once find the same one.
    let carol = server.client().member_of("ca01ca01ca01ca01ca01ca01ca01ca01")?;
    let mut first = JoinSet::new();
    for number in 0..8 {
        let carol = carol.clone();
        first.spawn(async move { network(&carol, &format!("n{number}")).await });
    }
    while let Some(made) = first.join_next().await {
        made.unwrap()?;
    }
    default_group(&carol).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_group_stays_what_it_is() -> Result {
    let (server, alice, _) = world().await?;
    network(&alice, "a").await?;
    let made = default_group(&alice).await?;
    let own = format!("{GROUPS}/{}", text(&made, "/id")?);
    let put = async |name: &str| {
        alice.put(&own, &json!({"security_group": {"name": name}})).await?.expect_error(409)
    };
    let (kind, message) = put("z").await?;
    assert_eq!(kind, "SecurityGroupCannotUpdateDefault");
    assert_eq!(message, "Updating default security group not allowed.");
    let changed = alice.put(&own, &json!({"security_group": {"description": "ours"}})).await?.expect(200)?;
    assert_eq!(changed["security_group"]["description"], "ours");

    let other = text(&group(&alice, "other").await?, "/id")?;
    for name in ["default", "Default", "DEFAULT"] {
        let body = json!({"security_group": {"name": name}});
        let (kind, message) = alice.post(GROUPS, &body).await?.expect_error(409)?;
        assert_eq!(kind, "SecurityGroupDefaultAlreadyExists");
        assert_eq!(message, "Default security group already exists.");
        let renamed = alice.put(&format!("{GROUPS}/{other}"), &body).await?.expect_error(409)?;
        assert_eq!(renamed.0, "SecurityGroupDefaultAlreadyExists");
    }
    let (kind, message) = alice.delete(&own).await?.expect_error(409)?;
    assert_eq!(kind, "SecurityGroupCannotRemoveDefault");
    assert_eq!(message, "Insufficient rights for removing default security group.");
    // An administrator may; the project then gets another.
    server.client().delete(&own).await?.expect(204)?;
    network(&alice, "b").await?;
    assert_ne!(default_group(&alice).await?["id"], made["id"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_make_no_sense_are_refused_in_neutrons_words() -> Result {
    let (server, alice, _) = world().await?;
    let id = text(&group(&alice, "web").await?, "/id")?;
    for (more, kind, message) in [
        (
            json!({"protocol": "tcp", "port_range_min": 90, "port_range_max": 81}),
            "SecurityGroupInvalidPortRange",
            "For TCP/UDP protocols, port_range_min must be <= port_range_max",
        ),
        (
            json!({"protocol": "tcp", "port_range_min": -16, "port_range_max": 80}),
            "SecurityGroupInvalidPortValue",
            "Invalid value for port -16",
        ),
        (
            json!({"port_range_min": 1, "port_range_max": 5}),
            "SecurityGroupProtocolRequiredWithPorts",
            "Must also specify protocol if port range is given.",
        ),
        (
            json!({"protocol": "icmp", "port_range_min": 256}),
            "SecurityGroupInvalidIcmpValue",
            "Invalid value for ICMP type (port_range_min) 256. It must be 0 to 255.",
        ),
        (
            json!({"protocol": "icmp", "port_range_max": 5}),
            "SecurityGroupMissingIcmpType",
            "ICMP code (port-range-max) 5 is provided but ICMP type (port-range-min) is missing.",
        ),
        (
            json!({"protocol": "gre", "port_range_max": 5}),
            "SecurityGroupInvalidProtocolForPort",
            "Ports cannot be specified for protocol 47. Ports are only supported for DCCP, SCTP, TCP, UDP, UDPLITE.",
        ),
        (
            json!({"protocol": 58}),
            "SecurityGroupEthertypeConflictWithProtocol",
            "Invalid ethertype IPv4 for protocol 58.",
        ),
        (
            json!({"ethertype": "IPv5"}),
            "SecurityGroupRuleInvalidEtherType",
            "Security group rule for ethertype 'IPv5' not supported. Allowed values are ['IPv4', 'IPv6'].",
        ),
        (
            json!({"remote_ip_prefix": "2001:db8::5/64"}),
            "SecurityGroupRuleParameterConflict",
            "Conflicting value ethertype IPv4 for CIDR 2001:db8::5/64",
        ),
        (json!({"remote_ip_prefix": "bogus"}), "InvalidCIDR", "Invalid CIDR bogus given as IP prefix."),
        (
            json!({"remote_ip_prefix": "10.0.0.0/8", "remote_group_id": id}),
            "SecurityGroupMultipleRemoteEntites",
            "Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be provided.",
        ),
        (
            json!({"direction": "sideways"}),
            "HTTPBadRequest",
            "Invalid input for direction. Reason: sideways is not in valid_values.",
        ),
        (
            json!({"normalized_cidr": "10.0.0.0/8"}),
            "HTTPBadRequest",
            "Attribute 'normalized_cidr' not allowed in POST",
        ),
        (json!({"tags": []}), "HTTPBadRequest", "Unrecognized attribute(s) 'tags'"),
        (
            json!({"description": null}),
            "HTTPBadRequest",
            "Invalid input for description. Reason: 'None' is not a valid string.",
        ),
    ] {
        let refused = alice.post(RULES, &ask(&id, &more)).await?.expect_error(400)?;
        assert_eq!(refused, (kind.to_owned(), message.to_owned()), "{more}");
    }
    for bad in [json!("foo"), json!(256), json!([1]), json!(true)] {
        let refused = alice.post(RULES, &ask(&id, &json!({"protocol": bad}))).await?.expect_error(400)?;
        assert_eq!(refused.0, "SecurityGroupRuleInvalidProtocol");
    }
    let (kind, message) =
        alice.post(RULES, &ask(&id, &json!({"remote_group_id": NOBODY}))).await?.expect_error(404)?;
    assert_eq!(
        (kind.as_str(), message),
        ("SecurityGroupNotFound", format!("Security group {NOBODY} does not exist"))
    );
    let (kind, message) =
        alice.post(RULES, &ask(&id, &json!({"remote_address_group_id": NOBODY}))).await?.expect_error(404)?;
    assert_eq!(kind, "AddressGroupNotFound");
    assert_eq!(message, format!("Address group {NOBODY} could not be found."));
    for client in [&alice, &server.client()] {
        let refused = client.post(RULES, &ask("abc", &json!({}))).await?.expect_error(404)?;
        assert_eq!(
            refused,
            ("SecurityGroupNotFound".to_owned(), "Security group abc does not exist".to_owned())
        );
    }
    let none = json!({"security_group_rule": {"security_group_id": id}});
    let refused = alice.post(RULES, &none).await?.expect_error(400)?;
    assert_eq!(refused.1, "Failed to parse request. Required attribute 'direction' not specified");
    let (kind, message) = alice.delete(&format!("{RULES}/{NOBODY}")).await?.expect_error(404)?;
    assert_eq!(kind, "SecurityGroupRuleNotFound");
    assert_eq!(message, format!("Security group rule {NOBODY} does not exist"));
    assert_eq!(list(&alice, &format!("/v2.0/security_group_rules?security_group_id={id}")).await?.len(), 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_is_there_once_however_it_is_written() -> Result {
    let (_server, alice, _) = world().await?;
    let id = text(&group(&alice, "web").await?, "/id")?;
    let refused = async |more: Value| alice.post(RULES, &ask(&id, &more)).await?.expect_error(409);
    let exists = |rule: &Value| {
        let says =
            format!("Security group rule already exists. Rule id is {}.", rule["id"].as_str().unwrap());
        ("SecurityGroupRuleExists".to_owned(), says)
    };
    let tcp =
        rule(&alice, &id, json!({"protocol": "TCP", "port_range_min": "1", "port_range_max": 65535})).await?;
    assert_eq!((&tcp["protocol"], &tcp["port_range_min"]), (&json!("tcp"), &json!(null)));
    for same in [json!({"protocol": 6}), json!({"protocol": "tcp", "remote_ip_prefix": "0.0.0.0/0"})] {
        assert_eq!(refused(same).await?, exists(&tcp));
    }
    let icmp = rule(&alice, &id, json!({"ethertype": "ipv6", "protocol": "icmp"})).await?;
    assert_eq!((&icmp["ethertype"], &icmp["protocol"]), (&json!("IPv6"), &json!("ipv6-icmp")));
    for protocol in [json!("icmpv6"), json!("58"), json!(1)] {
        assert_eq!(refused(json!({"ethertype": "IPv6", "protocol": protocol})).await?, exists(&icmp));
    }
    let host = rule(&alice, &id, json!({"remote_ip_prefix": "10.0.0.5"})).await?;
    assert_eq!(host["remote_ip_prefix"], "10.0.0.5/32");
    assert_eq!(refused(json!({"remote_ip_prefix": "10.0.0.5/32"})).await?, exists(&host));
    rule(&alice, &id, json!({"remote_ip_prefix": "10.0.0.5/24"})).await?;
    rule(&alice, &id, json!({"remote_ip_prefix": "10.0.0.0/24"})).await?;

    let bulk = async |rules: Value, status: u16| {
        alice.post(RULES, &json!({"security_group_rules": rules})).await?.expect_error(status)
    };
    let udp = |group: &str, protocol: Value| json!({"security_group_id": group, "direction": "ingress", "protocol": protocol});
    let twice = bulk(json!([udp(&id, json!("udp")), udp(&id, json!(17))]), 409).await?;
    assert_eq!(twice.0, "DuplicateSecurityGroupRuleInPost");
    let known = bulk(json!([udp(&id, json!("udp")), udp(&id, json!(6))]), 409).await?;
    assert_eq!(known, exists(&tcp));
    let other = text(&group(&alice, "other").await?, "/id")?;
    let mixed = bulk(json!([udp(&id, json!("udp")), udp(&other, json!("udp"))]), 400).await?;
    assert_eq!(mixed.0, "SecurityGroupNotSingleGroupRules");
    let before = list(&alice, &format!("/v2.0/security_group_rules?security_group_id={id}")).await?.len();
    let both = json!({"security_group_rules": [udp(&id, json!("udp")), udp(&id, json!("sctp"))]});
    alice.post(RULES, &both).await?.expect(201)?;
    assert_eq!(
        list(&alice, &format!("/v2.0/security_group_rules?security_group_id={id}")).await?.len(),
        before + 2
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_same_rule_asked_for_at_once_one_is_made() -> Result {
    let Some(server) = world::postgres().await? else { return Ok(()) };
    let alice = server.client().member_of(ALICE)?;
    let id = text(&group(&alice, "web").await?, "/id")?;
    let mut asked = JoinSet::new();
    for _ in 0..16 {
        let (alice, body) = (alice.clone(), ask(&id, &json!({"protocol": "udp"})));
        asked.spawn(async move { alice.post(RULES, &body).await });
    }
    let mut made = Vec::new();
    while let Some(answer) = asked.join_next().await {
        let answer = answer.unwrap()?;
        match answer.status {
            201 => made.push(text(&answer.body, "/security_group_rule/id")?),
            _ => assert_eq!(answer.expect_error(409)?.0, "SecurityGroupRuleExists"),
        }
    }
    assert_eq!(made.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_found_by_what_they_are() -> Result {
    let (_server, alice, bob) = world().await?;
    let id = text(&group(&alice, "web").await?, "/id")?;
    let web = rule(
        &alice,
        &id,
        json!({"protocol": "tcp", "port_range_min": 80, "port_range_max": 80,
        "remote_ip_prefix": "10.0.0.7/24"}),
    )
    .await?;
    let found = async |filter: &str| {
        let rows =
            list(&alice, &format!("/v2.0/security_group_rules?security_group_id={id}&{filter}")).await?;
        Ok::<_, hadron_sdk_testing::Error>(rows.iter().map(|row| row["id"].clone()).collect::<Vec<_>>())
    };
    for filter in [
        "protocol=tcp",
        "port_range_min=80",
        "direction=ingress",
        "remote_ip_prefix=10.0.0.7/24",
        "normalized_cidr=10.0.0.0/24",
        "protocol=tcp&port_range_max=80&ethertype=IPv4",
    ] {
        assert_eq!(found(filter).await?, [web["id"].clone()], "{filter}");
    }
    assert_eq!(found("direction=egress").await?.len(), 2);
    assert!(found("port_range_min=81").await?.is_empty());
    // A rule is its group's owner's.
    let own = format!("{RULES}/{}", text(&web, "/id")?);
    bob.get(&own).await?.expect_error(404)?;
    bob.delete(&own).await?.expect_error(404)?;
    assert_eq!(bob.post(RULES, &ask(&id, &json!({}))).await?.expect_error(403)?.0, "PolicyNotAuthorized");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_ports_use_stays() -> Result {
    let (_server, alice, _) = world().await?;
    let id = text(&group(&alice, "web").await?, "/id")?;
    let other = text(&group(&alice, "other").await?, "/id")?;
    rule(&alice, &other, json!({"remote_group_id": id})).await?;
    let net = network(&alice, "a").await?;
    let port = create(&alice, "port", json!({"network_id": net, "security_groups": [id]})).await?;
    let own = format!("{GROUPS}/{id}");
    let in_use = ("SecurityGroupInUse".to_owned(), format!("Security Group {id} in use."));
    assert_eq!(alice.delete(&own).await?.expect_error(409)?, in_use);
    let stateless = json!({"security_group": {"stateful": false}});
    assert_eq!(alice.put(&own, &stateless).await?.expect_error(409)?, in_use);
    alice.put(&own, &json!({"security_group": {"stateful": true}})).await?.expect(200)?;
    alice.delete(&format!("/v2.0/ports/{}", text(&port, "/id")?)).await?.expect(204)?;
    assert_eq!(alice.put(&own, &stateless).await?.expect(200)?["security_group"]["stateful"], false);
    alice.delete(&own).await?.expect(204)?;
    // Rules about it went with it.
    let left = alice.get(&format!("{GROUPS}/{other}")).await?.expect(200)?;
    assert_eq!(shape(&left["security_group"]), shapes(&OUT));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_group_can_be_used_and_not_changed() -> Result {
    let (server, alice, bob) = world().await?;
    let id = text(&group(&alice, "web").await?, "/id")?;
    let own = format!("{GROUPS}/{id}");
    bob.get(&own).await?.expect_error(404)?;
    let net = network(&bob, "b").await?;
    let wanted = json!({"port": {"network_id": net, "security_groups": [id]}});
    let missing = ("SecurityGroupNotFound".to_owned(), format!("Security group {id} does not exist"));
    assert_eq!(bob.post("/v2.0/ports", &wanted).await?.expect_error(404)?, missing);
    let policy = json!({"rbac_policy": {"object_type": "security_group", "object_id": id,
        "action": "access_as_shared", "target_tenant": BOB}});
    let policy = text(&alice.post("/v2.0/rbac-policies", &policy).await?.expect(201)?, "/rbac_policy/id")?;

    let seen = list(&bob, "/v2.0/security_groups?shared=true").await?;
    assert_eq!(seen.len(), 1);
    assert_eq!((&seen[0]["id"], &seen[0]["shared"]), (&json!(id), &json!(true)));
    assert_eq!(shape(&seen[0]), shapes(&OUT));
    assert!(list(&bob, &format!("/v2.0/security_group_rules?security_group_id={id}")).await?.is_empty());
    assert_eq!(bob.post(RULES, &ask(&id, &json!({}))).await?.expect_error(403)?.0, "PolicyNotAuthorized");
    let renamed = bob.put(&own, &json!({"security_group": {"name": "z"}})).await?.expect_error(403)?;
    assert_eq!(renamed.1, "rule:update_security_group is disallowed by policy");
    let port = text(&bob.post("/v2.0/ports", &wanted).await?.expect(201)?, "/port/id")?;
    let mine = text(&group(&bob, "mine").await?, "/id")?;
    rule(&bob, &mine, json!({"remote_group_id": id})).await?;

    let policy = format!("/v2.0/rbac-policies/{policy}");
    assert_eq!(alice.delete(&policy).await?.expect_error(409)?.0, "RbacPolicyInUse");
    bob.delete(&format!("/v2.0/ports/{port}")).await?.expect(204)?;
    alice.delete(&policy).await?.expect(204)?;
    bob.get(&own).await?.expect_error(404)?;
    let all = json!({"rbac_policy": {"object_type": "security_group", "object_id": NOBODY,
        "action": "access_as_shared", "target_tenant": BOB}});
    assert!(server.client().post("/v2.0/rbac-policies", &all).await?.status >= 400);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_say_what_new_groups_start_with() -> Result {
    let (server, alice, _) = world().await?;
    let admin = server.client();
    let seeded = list(&alice, "/v2.0/default_security_group_rules").await?;
    assert_eq!(seeded.len(), 4);
    assert!(seeded.iter().all(|t| t["used_in_default_sg"] == true && t.get("project_id").is_none()));
    let parents = seeded.iter().filter(|t| t["remote_group_id"] == "PARENT");
    assert!(parents.clone().all(|t| t["direction"] == "ingress" && t["used_in_non_default_sg"] == false));
    assert_eq!(parents.count(), 2);

    let ask = |more: Value| {
        let mut template = json!({"direction": "ingress", "protocol": "udp", "port_range_min": 9,
            "port_range_max": 9, "used_in_default_sg": false, "used_in_non_default_sg": true});
        template.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "default_security_group_rule": template })
    };
    let made =
        admin.post(TEMPLATES, &ask(json!({}))).await?.expect(201)?["default_security_group_rule"].clone();
    let id = text(&made, "/id")?;
    assert_eq!(
        made,
        json!({"id": id, "ethertype": "IPv4", "direction": "ingress", "protocol": "udp", "port_range_min": 9,
            "port_range_max": 9, "remote_ip_prefix": null, "remote_address_group_id": null,
            "remote_group_id": null, "description": "", "used_in_default_sg": false,
            "used_in_non_default_sg": true})
    );
    for (more, status, kind) in [
        (json!({}), 409, "DefaultSecurityGroupRuleExists"),
        (json!({"protocol": 17}), 409, "DefaultSecurityGroupRuleExists"),
        (json!({"port_range_min": 10}), 400, "SecurityGroupInvalidPortRange"),
        (
            json!({"remote_group_id": "PARENT", "remote_ip_prefix": "10.0.0.0/8"}),
            400,
            "SecurityGroupMultipleRemoteEntites",
        ),
        (json!({"remote_address_group_id": NOBODY}), 404, "AddressGroupNotFound"),
        (json!({"remote_group_id": NOBODY}), 404, "SecurityGroupNotFound"),
        (json!({"used_in_default_sg": "x"}), 400, "InvalidInput"),
        (json!({"security_group_id": "x"}), 400, "HTTPBadRequest"),
    ] {
        assert_eq!(admin.post(TEMPLATES, &ask(more.clone())).await?.expect_error(status)?.0, kind, "{more}");
    }
    assert_eq!(alice.post(TEMPLATES, &ask(json!({}))).await?.expect_error(403)?.0, "PolicyNotAuthorized");

    let new = group(&alice, "web").await?;
    let rules = new["security_group_rules"].as_array().cloned().unwrap_or_default();
    assert_eq!(rules.len(), 3);
    assert!(rules.iter().any(|rule| rule["protocol"] == "udp" && rule["port_range_min"] == 9));
    assert_eq!(shape(&default_group(&alice).await?).len(), 4);
    admin.delete(&format!("{TEMPLATES}/{id}")).await?.expect(204)?;
    assert_eq!(shape(&group(&alice, "later").await?), shapes(&OUT));
    let (kind, message) = admin.get(&format!("{TEMPLATES}/{id}")).await?.expect_error(404)?;
    assert_eq!(kind, "DefaultSecurityGroupRuleNotFound");
    assert_eq!(message, format!("Default Security Group rule {id} does not exist"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn removed_templates_do_not_come_back_with_a_restart() -> Result {
    let mut server = world::sqlite().await?;
    for template in list(&server.client(), "/v2.0/default_security_group_rules").await? {
        server.client().delete(&format!("{TEMPLATES}/{}", text(&template, "/id")?)).await?.expect(204)?;
    }
    server.restart().await?;
    let alice = server.client().member_of(ALICE)?;
    assert!(list(&alice, "/v2.0/default_security_group_rules").await?.is_empty());
    assert_eq!(group(&alice, "bare").await?["security_group_rules"], json!([]));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_and_rules_are_limited() -> Result {
    let (server, alice, _) = world().await?;
    let id = text(&group(&alice, "web").await?, "/id")?;
    let limits = json!({"quota": {"security_group": 2, "security_group_rule": 7}});
    server.client().put(&format!("/v2.0/quotas/{ALICE}"), &limits).await?.expect(200)?;
    let body = json!({"security_group": {"name": "more"}});
    assert_eq!(alice.post(GROUPS, &body).await?.expect_error(409)?.0, "OverQuota");
    // Four of the default group's, two of this one's.
    rule(&alice, &id, json!({"protocol": "tcp"})).await?;
    let more = alice.post(RULES, &ask(&id, &json!({"protocol": "udp"}))).await?;
    assert_eq!(more.expect_error(409)?.0, "OverQuota");
    Ok(())
}
