//! Groups that are made several at a time, found, labelled and not changed.

use super::{ALICE, GROUPS, RULES, ask, group, rule, world};
use hadron_networking_tests::world::{list, text};
use hadron_sdk_testing::{Error, Result};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_made_in_bulk_and_found_by_what_they_are() -> Result {
    let (server, alice, bob) = world().await?;
    let bulk = json!({"security_groups": [
        {"name": "web", "description": "front"},
        {"name": "db", "stateful": false},
    ]});
    let made = alice.post(GROUPS, &bulk).await?.expect(201)?;
    assert_eq!(made["security_groups"].as_array().map(Vec::len), Some(2));
    assert!(made["security_groups"].as_array().is_some_and(|groups| {
        groups.iter().all(|group| group["security_group_rules"].as_array().map(Vec::len) == Some(2))
    }));
    let web = text(&made, "/security_groups/0/id")?;
    let found = async |filter: &str| {
        let rows = list(&alice, &format!("/v2.0/security_groups?{filter}")).await?;
        let names = rows.iter().filter_map(|row| row["name"].as_str().map(str::to_owned));
        Ok::<_, Error>(names.collect::<Vec<_>>())
    };
    for (filter, names) in [
        ("name=web", vec!["web"]),
        ("description=front", vec!["web"]),
        ("stateful=false", vec!["db"]),
        ("stateful=True&sort_key=name&sort_dir=asc", vec!["default", "web"]),
        ("name=web&name=db&sort_key=name&sort_dir=desc", vec!["web", "db"]),
        ("shared=false&sort_key=name&sort_dir=asc", vec!["db", "default", "web"]),
        ("shared=true", vec![]),
        ("sort_key=name&sort_dir=asc&limit=2", vec!["db", "default"]),
    ] {
        assert_eq!(found(filter).await?, names, "{filter}");
    }
    assert_eq!(found(&format!("id={web}")).await?, ["web"]);
    let fields = list(&alice, "/v2.0/security_groups?name=db&fields=name&fields=stateful").await?;
    assert_eq!(fields, [json!({"name": "db", "stateful": false})]);

    let tags = format!("{GROUPS}/{web}/tags");
    alice.put(&tags, &json!({"tags": ["blue", "red"]})).await?.expect(200)?;
    assert_eq!(found("tags=blue,red").await?, ["web"]);
    assert_eq!(found("not-tags=blue&sort_key=name&sort_dir=asc").await?, ["db", "default"]);
    alice.delete(&format!("{tags}/blue")).await?.expect(204)?;
    let shown = alice.get(&format!("{GROUPS}/{web}")).await?.expect(200)?;
    assert_eq!(shown["security_group"]["tags"], json!(["red"]));
    bob.put(&tags, &json!({"tags": []})).await?.expect_error(404)?;

    // All or none.
    let reserved = json!({"security_groups": [{"name": "a"}, {"name": "default"}]});
    assert_eq!(
        alice.post(GROUPS, &reserved).await?.expect_error(409)?.0,
        "SecurityGroupDefaultAlreadyExists"
    );
    let quota = json!({"quota": {"security_group": 4}});
    server.client().put(&format!("/v2.0/quotas/{ALICE}"), &quota).await?.expect(200)?;
    let more = json!({"security_groups": [{"name": "a"}, {"name": "b"}]});
    assert_eq!(alice.post(GROUPS, &more).await?.expect_error(409)?.0, "OverQuota");
    assert_eq!(found("sort_key=name&sort_dir=asc").await?, ["db", "default", "web"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_that_make_no_sense_are_refused_and_rules_stay_as_they_were_made() -> Result {
    let (_server, alice, _) = world().await?;
    let id = text(&group(&alice, "web").await?, "/id")?;
    let own = format!("{GROUPS}/{id}");
    let before = alice.get(&own).await?.expect(200)?;
    for document in [
        json!({"name": 5}),
        json!({"name": null}),
        json!({"name": "x".repeat(256)}),
        json!({"description": null}),
        json!({"stateful": "bogus"}),
        json!({"stateful": null}),
        json!({"shared": true}),
        json!({"security_group_rules": []}),
        json!({"tags": ["x"]}),
        json!({"id": "x"}),
        json!({"default_of": ALICE}),
        json!({"nosuch": 1}),
    ] {
        alice.post(GROUPS, &json!({"security_group": document})).await?.expect_error(400)?;
        alice.put(&own, &json!({"security_group": document})).await?.expect_error(400)?;
    }
    assert_eq!(alice.get(&own).await?.expect(200)?, before);
    assert_eq!(list(&alice, "/v2.0/security_groups").await?.len(), 2);

    let made = rule(&alice, &id, json!({"protocol": "tcp", "description": "all"})).await?;
    let path = format!("{RULES}/{}", text(&made, "/id")?);
    for (name, value) in [
        ("direction", json!("egress")),
        ("protocol", json!("udp")),
        ("security_group_id", json!(id)),
        ("description", json!("none")),
    ] {
        let change = json!({"security_group_rule": {name: value}});
        let (_, message) = alice.put(&path, &change).await?.expect_error(400)?;
        assert_eq!(message, format!("Cannot update read-only attribute {name}"));
    }
    assert_eq!(alice.get(&path).await?.expect(200)?["security_group_rule"], made);
    // Those of the default group are its project's to remove and to make again.
    let of_default = list(&alice, "/v2.0/security_group_rules?belongs_to_default_sg=true").await?;
    for rule in &of_default {
        alice.delete(&format!("{RULES}/{}", text(rule, "/id")?)).await?.expect(204)?;
    }
    let default = text(&of_default[0], "/security_group_id")?;
    let again = alice.post(RULES, &ask(&default, &json!({}))).await?.expect(201)?;
    assert_eq!(again["security_group_rule"]["belongs_to_default_sg"], true);
    let rules: Vec<Value> = list(&alice, "/v2.0/security_group_rules?belongs_to_default_sg=true").await?;
    assert_eq!(rules.len(), 1, "what was removed stays away");
    Ok(())
}
